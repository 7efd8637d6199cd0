/* From a view's text to steps: "corrected@mean=26000,denoise.scales=2,roi=0:0:512:512", or, as the configuration says
 * it, "=invert | destripe@scales=4@mean=26000": a recipe, its own parameters, and those of the path.
 *
 * The text comes from a path and is untrusted. Whatever is wrong with it is ENOENT with a sentence and, where there is
 * one, the name that was probably meant. */
#include "ops/nearest.h"
#include "stack/steps.h"
#include "stack/views.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 8192, KEYS_MAX = 64, HINT_MAX = 96 };

/* ImageJ's macro scanner takes these from anywhere in a path. */
static const char *const reserved[] = {"dir", "open", "type", "file", "filter", "start", "step", "count", "scale", "sort",
                                       "number", "starting", "increment", NULL};

struct key { char *name, *value; };
struct keys { int n; struct key key[KEYS_MAX]; };

static int append_default(struct pfs_recipe_steps *r, const struct pfs_op *op, enum pfs_type source, struct pfs_err *err)
{
    void *p = calloc(1, op->params_size ? op->params_size : 1);
    if (p && pfs_params_default(op, source, p)) {
        free(p);
        return pfs_fail(err, EINVAL, "the defaults of %s are malformed", op->name);
    }
    return pfs_steps_append(r, op, p, err);
}

static int unknown_view(const char *name, struct pfs_err *err)
{
    struct pfs_nearest near = {name, NULL, 0};
    char hint[HINT_MAX];
    for (const struct pfs_view *v = pfs_views; v->name; v++)
        if (pfs_view_available(v))
            pfs_nearest_offer(&near, v->name);
    for (const struct pfs_op *const *op = pfs_ops; *op; op++)
        pfs_nearest_offer(&near, (*op)->name);
    return pfs_fail(err, ENOENT, "no view is named \"%.60s\"%s", name, pfs_nearest_hint(&near, hint, sizeof hint));
}

static int unknown_op(const char *name, struct pfs_err *err)
{
    struct pfs_nearest near = {name, NULL, 0};
    char hint[HINT_MAX];
    for (const struct pfs_op *const *op = pfs_ops; *op; op++)
        pfs_nearest_offer(&near, (*op)->name);
    return pfs_fail(err, ENOENT, "no operator is named \"%.60s\"%s", name, pfs_nearest_hint(&near, hint, sizeof hint));
}

static int append_recipe(struct pfs_recipe_steps *r, const char *recipe, enum pfs_type source, struct pfs_err *err)
{
    char word[PFS_RECIPE_WORD];
    int e = 0;
    while (!e && pfs_recipe_word(&recipe, word)) {
        char *own = word, *name = strsep(&own, ":"), *key = strsep(&own, "=");
        const struct pfs_op *op = pfs_op_named(name);
        e = op ? append_default(r, op, source, err) : unknown_op(name, err);
        if (!e && key)
            e = pfs_params_set(op, r->step[r->n - 1].params, key, own ? own : "", err);
    }
    return e;
}

/* The steps of a view, or of an operator as a one-step view, with defaults. */
static int append_view(struct pfs_recipe_steps *r, const char *name, enum pfs_type source, struct pfs_err *err)
{
    const struct pfs_view *v = pfs_view_named(name);
    const struct pfs_op *op = pfs_op_named(name);
    if (*name == '=')
        return append_recipe(r, name + 1, source, err);
    if (!v)
        return op ? append_default(r, op, source, err) : unknown_view(name, err);
    return append_recipe(r, v->recipe, source, err);
}

/* Cut "key=value,key=value" up in place. */
static int cut_keys(char *text, struct keys *ret, struct pfs_err *err)
{
    ret->n = 0;
    for (char *rest = text; rest; ) {
        char *word = strsep(&rest, ","), *value = strchr(word, '=');
        if (!value || value == word)
            return pfs_fail(err, ENOENT, "\"%.60s\" is not of the form key=value", word);
        if (ret->n == KEYS_MAX)
            return pfs_fail(err, ENOENT, "more than %d parameters", KEYS_MAX);
        *value++ = 0;
        for (int i = 0; i < ret->n; i++)
            if (!strcmp(ret->key[i].name, word))
                return pfs_fail(err, ENOENT, "%.60s is given twice", word);
        ret->key[ret->n++] = (struct key){word, value};
    }
    return 0;
}

/* Take the key of this name out; NULL when it is not there. */
static char *take_key(struct keys *k, const char *name)
{
    for (int i = 0; i < k->n; i++)
        if (!strcmp(k->key[i].name, name)) {
            char *value = k->key[i].value;
            k->key[i] = k->key[--k->n];
            return value;
        }
    return NULL;
}

static bool has_param(const struct pfs_op *op, const char *name)
{
    for (size_t i = 0; i < op->n_params; i++)
        if (!strcmp(op->params[i].name, name))
            return true;
    return false;
}

/* Does this step answer to the key: to its bare name, or to "operator.name"? Gives the parameter's name. */
static const char *answers(const struct pfs_step *s, const char *key)
{
    size_t n = strlen(s->op->name);
    const char *name = !strncmp(key, s->op->name, n) && key[n] == '.' ? key + n + 1 : key;
    return has_param(s->op, name) ? name : NULL;
}

static int unknown_key(const struct pfs_recipe_steps *r, const char *key, struct pfs_err *err)
{
    struct pfs_nearest near = {key, NULL, 0};
    char hint[HINT_MAX];
    const char *dot = strchr(key, '.');
    for (int i = 0; dot && i < r->n; i++)                  /* "operator.nmae": look among that operator's only */
        if (!strncmp(key, r->step[i].op->name, (size_t)(dot - key)) && !r->step[i].op->name[dot - key])
            return pfs_params_set(r->step[i].op, r->step[i].params, dot + 1, "", err);
    for (int i = 0; i < r->n; i++)
        for (size_t j = 0; j < r->step[i].op->n_params; j++)
            pfs_nearest_offer(&near, r->step[i].op->params[j].name);
    pfs_nearest_offer(&near, "roi");
    return pfs_fail(err, ENOENT, "no step here has a parameter \"%.60s\"%s", key,
                    pfs_nearest_hint(&near, hint, sizeof hint));
}

/* Two different operators that answer to one bare name need the longer form. */
static int check_single(const struct pfs_recipe_steps *r, const char *key, struct pfs_err *err)
{
    const struct pfs_op *first = NULL;
    for (int i = 0; i < r->n; i++) {
        const struct pfs_op *op = r->step[i].op;
        if (!answers(&r->step[i], key))
            continue;
        if (first && first != op)
            return pfs_fail(err, ENOENT, "both %s and %s have a parameter \"%.60s\": write %s.%.60s or %s.%.60s",
                            first->name, op->name, key, first->name, key, op->name, key);
        first = op;
    }
    return first ? 0 : unknown_key(r, key, err);
}

static int set_key(struct pfs_recipe_steps *r, const struct key *k, struct pfs_err *err)
{
    for (const char *const *word = reserved; *word; word++)
        if (!strcmp(*word, k->name))
            return pfs_fail(err, ENOENT, "\"%s\" cannot be a parameter: ImageJ reads it from paths itself", k->name);
    int e = check_single(r, k->name, err);
    for (int i = 0; i < r->n && !e; i++) {
        const char *name = answers(&r->step[i], k->name);
        if (name)
            e = pfs_params_set(r->step[i].op, r->step[i].params, name, k->value, err);
    }
    return e;
}

static int append_crop(struct pfs_recipe_steps *r, const char *roi, enum pfs_type source, struct pfs_err *err)
{
    const struct pfs_op *op = pfs_op_named("crop");
    if (!op)
        return pfs_fail(err, ENOENT, "roi needs the operator crop, which this build does not have");
    int e = append_default(r, op, source, err);
    return e ? e : pfs_params_set(op, r->step[r->n - 1].params, "roi", roi, err);
}

static bool any_has(const struct pfs_recipe_steps *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (has_param(r->step[i].op, name))
            return true;
    return false;
}

static int set_keys(struct pfs_recipe_steps *r, const struct keys *k, struct pfs_err *err)
{
    int e = 0;
    for (int i = 0; i < k->n && !e; i++)
        e = set_key(r, &k->key[i], err);
    return e;
}

/* `name`, the recipe's own keys and those of the path, all cut out of the view's text. */
static int resolve(struct pfs_recipe_steps *r, const char *name, const struct keys *own, struct keys *k,
                   const struct pfs_shape *source, struct pfs_err *err)
{
    const char *of = take_key(k, "of");
    int e = of ? append_view(r, of, source->type, err) : 0;
    if (!e)
        e = append_view(r, name, source->type, err);
    const char *roi = e || any_has(r, "roi") ? NULL : take_key(k, "roi");
    if (!e)
        e = set_keys(r, own, err);
    if (!e)
        e = set_keys(r, k, err);
    if (!e && roi)
        e = append_crop(r, roi, source->type, err);
    return e ? e : pfs_steps_settle(r, source, err);
}

int pfs_recipe_resolve(const char *view, const struct pfs_shape *source, struct pfs_recipe_steps **ret,
                       struct pfs_err *err)
{
    struct keys own = {0}, k = {0};
    if (strlen(view) > TEXT_MAX)
        return pfs_fail(err, ENOENT, "a view's text is at most %d bytes", TEXT_MAX);
    PFS_AUTO_FREE char *copy = strdup(view);
    struct pfs_recipe_steps *r = pfs_steps_create();
    char *rest = copy, *name = strsep(&rest, "@");
    char *first = copy && *name == '=' ? strsep(&rest, "@") : NULL;
    int e = copy && r ? 0 : pfs_fail(err, ENOMEM, "no memory for a recipe");
    if (!e && first && *first)
        e = cut_keys(first, &own, err);
    if (!e && rest && (!first || *rest))
        e = cut_keys(rest, &k, err);
    if (!e)
        e = resolve(r, name, &own, &k, source, err);
    if (e) {
        pfs_recipe_close(r);
        return e;
    }
    *ret = r;
    return 0;
}
