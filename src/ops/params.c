/* Parameters of operators: defaults, setting from text with limits, and the canonical text that enters keys.
 *
 * Everything comes from the operator's table. A value has exactly one canonical form: booleans 0 and 1, choices by
 * name, whole numbers in decimal, reals as the shortest of %.15g, %.16g, %.17g that reads back as the same double,
 * lists joined with ':', absent values `none`. Text in a path is untrusted: every way it can be wrong is ENOENT with
 * the limits and the nearest name. */
#include "ops/nearest.h"

#include <planefs/mem.h>
#include <planefs/ops.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 63 };

static bool is_list(enum pfs_param_kind kind)
{
    return kind == PFS_REALS || kind == PFS_INTS || kind == PFS_CHOICES;
}

static bool is_whole(enum pfs_param_kind kind)
{
    return kind == PFS_INT || kind == PFS_INTS;
}

/* The i-th of some names separated by spaces, copied to word; false past the end. */
static bool choice_word(const char *choices, int i, char word[WORD_MAX + 1])
{
    const char *p = choices + strspn(choices, " ");
    for (; *p && i > 0; i--) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    size_t n = strcspn(p, " ");
    if (!n || n > WORD_MAX)
        return false;
    memcpy(word, p, n);
    word[n] = 0;
    return true;
}

static int choice_index(const char *choices, const char *name)
{
    char word[WORD_MAX + 1];
    for (int i = 0; choice_word(choices, i, word); i++)
        if (!strcmp(word, name))
            return i;
    return -1;
}

static bool read_bool(const char *s, double *ret)
{
    static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};
    for (int i = 0; i < 8; i++)
        if (!strcmp(words[i], s)) {
            *ret = i % 2;
            return true;
        }
    return false;
}

/* A plain decimal number: no hexadecimal, no inf or nan, no leading space. */
static bool read_number(const char *s, bool whole, double *ret)
{
    char *end;
    const char *alphabet = whole ? "0123456789+-" : "0123456789+-.eE";
    if (!*s || s[strspn(s, alphabet)])
        return false;
    errno = 0;
    *ret = strtod(s, &end) + 0.0;                 /* -0 becomes 0: one form per value */
    return !*end && isfinite(*ret) && !(whole && fabs(*ret) > 9007199254740992.0);
}

/* One number or word in its table's limits. `none` inside a list is NAN. */
static bool read_item(const struct pfs_param *d, const char *s, double *ret)
{
    if (d->may_be_none && !strcmp(s, "none")) {
        *ret = NAN;
        return true;
    }
    if (d->kind == PFS_BOOL)
        return read_bool(s, ret);
    if (d->kind == PFS_CHOICE || d->kind == PFS_CHOICES) {
        *ret = choice_index(d->choices, s);
        return *ret >= 0;
    }
    return read_number(s, is_whole(d->kind), ret) && *ret >= d->min && *ret <= d->max;
}

static bool read_list(const struct pfs_param *d, const char *s, struct pfs_list *ret)
{
    *ret = (struct pfs_list){0};
    if (d->may_be_none && !strcmp(s, "none"))
        return true;
    for (;;) {
        char item[WORD_MAX + 1];
        size_t n = strcspn(s, ":");
        if (n > WORD_MAX || ret->n == PFS_LIST_MAX)
            return false;
        memcpy(item, s, n);
        item[n] = 0;
        if (!read_item(d, item, &ret->v[ret->n++]))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static void store(const struct pfs_param *d, void *p, const struct pfs_list *v)
{
    char *at = (char *)p + d->offset;
    if (is_list(d->kind))
        memcpy(at, v, sizeof *v);
    else if (d->kind == PFS_INT)
        *(int64_t *)(void *)at = (int64_t)v->v[0];
    else if (d->kind == PFS_REAL)
        *(double *)(void *)at = v->v[0];
    else
        *(int *)(void *)at = (int)v->v[0];
}

static void load(const struct pfs_param *d, const void *p, struct pfs_list *ret)
{
    const char *at = (const char *)p + d->offset;
    ret->n = 1;
    if (is_list(d->kind))
        memcpy(ret, at, sizeof *ret);
    else if (d->kind == PFS_INT)
        ret->v[0] = (double)*(const int64_t *)(const void *)at;
    else if (d->kind == PFS_REAL)
        ret->v[0] = *(const double *)(const void *)at;
    else
        ret->v[0] = *(const int *)(const void *)at;
}

static bool read_value(const struct pfs_param *d, const char *s, struct pfs_list *ret)
{
    if (is_list(d->kind))
        return read_list(d, s, ret);
    ret->n = 1;
    return read_item(d, s, &ret->v[0]);
}

static const struct pfs_param *param_named(const struct pfs_op *op, const char *name)
{
    for (size_t i = 0; i < op->n_params; i++)
        if (!strcmp(op->params[i].name, name))
            return &op->params[i];
    return NULL;
}

int pfs_params_default(const struct pfs_op *op, enum pfs_type source, void *p)
{
    for (size_t i = 0; i < op->n_params; i++) {
        const struct pfs_param *d = &op->params[i];
        struct pfs_list v;
        if (!read_value(d, d->value, &v))
            return -EINVAL;
        if (source == PFS_U8 && d->power) {
            double factor = pow(257.0, -d->power);
            for (int j = 0; j < v.n; j++)
                v.v[j] = is_whole(d->kind) ? round(v.v[j] * factor) : v.v[j] * factor;
        }
        store(d, p, &v);
    }
    return 0;
}

void pfs_param_limits(const struct pfs_param *d, struct pfs_text *t)
{
    char word[WORD_MAX + 1];
    if (d->kind == PFS_BOOL)
        pfs_text_add(t, "0 or 1");
    else if (d->choices) {
        pfs_text_add(t, "one of ");
        for (int i = 0; choice_word(d->choices, i, word); i++)
            pfs_text_addf(t, "%s%s", i ? ", " : "", word);
    } else
        pfs_text_addf(t, "a %s from %.15g to %.15g", is_whole(d->kind) ? "whole number" : "number", d->min, d->max);
    if (d->unit && *d->unit)
        pfs_text_addf(t, " %s", d->unit);
    if (is_list(d->kind))
        pfs_text_addf(t, ", or up to %d of them joined with ':'", PFS_LIST_MAX);
    if (d->may_be_none)
        pfs_text_add(t, ", or none");
}

static int bad_value(const struct pfs_op *op, const struct pfs_param *d, const char *value, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_nearest near = {value, NULL, 0};
    char word[WORD_MAX + 1], best[WORD_MAX + 1] = "", hint[WORD_MAX + 32];
    for (int i = 0; d->choices && choice_word(d->choices, i, word); i++) {
        pfs_nearest_offer(&near, word);
        if (near.name == word) {                  /* the buffer is used again: keep a copy */
            strcpy(best, word);
            near.name = best;
        }
    }
    pfs_param_limits(d, &t);
    return pfs_fail(err, ENOENT, "%s.%s = \"%.40s\" is not %s%s", op->name, d->name, value, t.failed ? "valid" : t.s,
                    pfs_nearest_hint(&near, hint, sizeof hint));
}

int pfs_params_set(const struct pfs_op *op, void *p, const char *name, const char *value, struct pfs_err *err)
{
    const struct pfs_param *d = param_named(op, name);
    struct pfs_nearest near = {name, NULL, 0};
    struct pfs_list v;
    char hint[WORD_MAX + 32];
    if (!d) {
        for (size_t i = 0; i < op->n_params; i++)
            pfs_nearest_offer(&near, op->params[i].name);
        return pfs_fail(err, ENOENT, "%s has no parameter \"%.40s\"%s", op->name, name,
                        pfs_nearest_hint(&near, hint, sizeof hint));
    }
    if (!read_value(d, value, &v))
        return bad_value(op, d, value, err);
    store(d, p, &v);
    return 0;
}

static void put_real(struct pfs_text *t, double v)
{
    char s[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        if (strtod(s, NULL) == v)
            break;
    }
    pfs_text_add(t, s);
}

static void put_item(const struct pfs_param *d, double v, struct pfs_text *t)
{
    char word[WORD_MAX + 1];
    if (isnan(v))
        pfs_text_add(t, "none");
    else if (d->choices)
        pfs_text_add(t, choice_word(d->choices, (int)v, word) ? word : "?");
    else if (d->kind == PFS_REAL || d->kind == PFS_REALS)
        put_real(t, v);
    else
        pfs_text_addf(t, "%.0f", v);
}

int pfs_params_text(const struct pfs_op *op, const void *p, struct pfs_text *ret)
{
    pfs_text_addf(ret, "%s/%u", op->name, op->rev);
    for (size_t i = 0; i < op->n_params; i++) {
        struct pfs_list v;
        load(&op->params[i], p, &v);
        pfs_text_addf(ret, " %s=", op->params[i].name);
        for (int j = 0; j < v.n; j++) {
            if (j)
                pfs_text_add(ret, ":");
            put_item(&op->params[i], v.v[j], ret);
        }
        if (!v.n)
            pfs_text_add(ret, "none");
    }
    return ret->failed ? -ENOMEM : 0;
}

/* Set every "name=value" of the words in `rest`, which is cut up. */
static int set_words(const struct pfs_op *op, void *p, char *rest, struct pfs_err *err)
{
    int e = 0;
    char *place;
    for (char *word = strtok_r(rest, " ", &place); word && !e; word = strtok_r(NULL, " ", &place)) {
        char *value = strchr(word, '=');
        if (!value)
            return pfs_fail(err, ENOENT, "%s: \"%.40s\" is not of the form name=value", op->name, word);
        *value++ = 0;
        e = pfs_params_set(op, p, word, value, err);
    }
    return e;
}

int pfs_params_parse(const char *text, const struct pfs_op **ret_op, void **ret_p, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text again = {0};
    PFS_AUTO_FREE char *copy = strdup(text);
    PFS_AUTO_FREE void *p = NULL;
    if (!copy)
        return pfs_fail(err, ENOMEM, "no memory for a recipe");
    size_t n = strcspn(copy, " ");
    char *rest = copy + n + (copy[n] == ' ');
    copy[n] = 0;
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = 0;
    const struct pfs_op *op = pfs_op_named(copy);
    if (!op)
        return pfs_fail(err, ENOENT, "no operator is named \"%.60s\"", copy);
    if (!(p = calloc(1, op->params_size ? op->params_size : 1)))
        return pfs_fail(err, ENOMEM, "no memory for a recipe");
    int e = set_words(op, p, rest, err);
    if (e)
        return e;
    if (pfs_params_text(op, p, &again) < 0)
        return pfs_fail(err, ENOMEM, "no memory for a recipe");
    if (strcmp(again.s, text))
        return pfs_fail(err, ENOENT, "\"%.80s\" is not the canonical text of %s/%u", text, op->name, op->rev);
    *ret_op = op;
    *ret_p = PFS_TAKE(p);
    return 0;
}

int pfs_params_hand(const struct pfs_op *op, const void *p, const struct pfs_op *other, enum pfs_type source, void *to)
{
    int e = pfs_params_default(other, source, to);
    for (size_t i = 0; i < op->n_params && !e; i++) {
        const struct pfs_param *d = param_named(other, op->params[i].name);
        struct pfs_list v;
        if (!d)
            continue;
        load(&op->params[i], p, &v);
        store(d, to, &v);
    }
    return e;
}
