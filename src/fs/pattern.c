/* Parts of patterns: parsing, and matching a name against one.
 *
 * A part holds at most one text variable, and behind it only literal text, so matching never has to go back: a text
 * is what remains between the front and the suffix. Parameters are cut out of a literal name before it is matched:
 * "stats@of=corrected.json" is "stats.json" with "of=corrected". Values may hold dots, so the suffix comes from the
 * pattern and not from the name. */
#include "fs/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const var_names[PFS_N_VARS] = {"t", "z", "c", "y", "x", "n", "name", "view"};

static int var_named(const char *s, size_t n)
{
    for (int v = 0; v < PFS_N_VARS; v++)
        if (strlen(var_names[v]) == n && !memcmp(var_names[v], s, n))
            return v;
    return -1;
}

static bool is_text(int var)
{
    return var == PFS_VAR_NAME || var == PFS_VAR_VIEW;
}

static bool add_token(struct pfs_part *part, struct pfs_token token)
{
    for (int i = 0; i < part->n; i++)
        if (is_text(part->token[i].var) && token.var != PFS_LITERAL)
            return false;
    if (part->n == PFS_PART_TOKENS)
        return false;
    token.bare = part->n == 0;
    part->token[part->n++] = token;
    return true;
}

static bool parse_part(const char *s, size_t n, struct pfs_part *ret)
{
    *ret = (struct pfs_part){.s = s, .n_s = n};
    const char *end = s + n;
    while (s < end) {
        struct pfs_token token = {.var = PFS_LITERAL, .s = s};
        if (*s == '{') {
            const char *close = memchr(s, '}', (size_t)(end - s));
            if (!close || (token.var = var_named(s + 1, (size_t)(close - s - 1))) < 0)
                return false;
            s = close + 1;
        } else {
            while (s < end && *s != '{')
                s++;
            token.n = (size_t)(s - token.s);
        }
        if (!add_token(ret, token))
            return false;
    }
    return n > 0;
}

int pfs_pattern_parts(const char *pattern, bool with_optional, struct pfs_part parts[PFS_PATTERN_PARTS],
                      int *ret_optional)
{
    int n = 0;
    *ret_optional = -1;
    while (*pattern) {
        bool optional = *pattern == '[';
        if (optional) {
            pattern++;
            *ret_optional = n;
        }
        size_t len = strcspn(pattern, "/");
        bool wanted = !optional || with_optional;
        if (wanted && (n == PFS_PATTERN_PARTS || !parse_part(pattern, len, &parts[n++])))
            return -EINVAL;
        pattern += len;
        if (optional ? strncmp(pattern, "/]", 2) : *pattern && pattern[1] == 0)
            return -EINVAL;
        pattern += optional ? 2 : *pattern == '/';
    }
    return n ? n : -EINVAL;
}

bool pfs_part_has(const struct pfs_part *part, enum pfs_var var)
{
    for (int i = 0; i < part->n; i++)
        if (part->token[i].var == (int)var)
            return true;
    return false;
}

bool pfs_part_has_place(const struct pfs_part *part)
{
    for (int i = 0; i < part->n; i++)
        if (part->token[i].var < PFS_VAR_N || part->token[i].var == PFS_VAR_NAME)
            return true;
    return false;
}

size_t pfs_part_literal(const struct pfs_part *part)
{
    size_t n = 0;
    for (int i = 0; i < part->n; i++)
        n += part->token[i].n;
    return n;
}

static bool match_number(const char **s, const char *end, int64_t *ret)
{
    const char *p = *s;
    int64_t v = 0;
    while (p < end && *p >= '0' && *p <= '9' && p - *s < 18)
        v = v * 10 + (*p++ - '0');
    bool canonical = p > *s && (**s != '0' || p - *s == 1);
    if (!canonical || (p < end && *p >= '0' && *p <= '9'))
        return false;
    *s = p;
    *ret = v;
    return true;
}

static bool match_text(const struct pfs_part *part, int i, const char **s, const char *end, struct pfs_span *ret)
{
    size_t behind = 0;
    for (int k = i + 1; k < part->n; k++)
        behind += part->token[k].n;
    if ((size_t)(end - *s) <= behind)
        return false;
    *ret = (struct pfs_span){*s, (size_t)(end - *s) - behind};
    *s += ret->n;
    return true;
}

static bool match_tokens(const struct pfs_part *part, const char *s, size_t n, struct pfs_match *ret)
{
    const char *end = s + n;
    for (int i = 0; i < part->n; i++) {
        const struct pfs_token *t = &part->token[i];
        if (t->var == PFS_LITERAL) {
            if ((size_t)(end - s) < t->n || memcmp(s, t->s, t->n))
                return false;
            s += t->n;
        } else if (is_text(t->var)) {
            if (!match_text(part, i, &s, end, &ret->text))
                return false;
        } else if (!match_number(&s, end, &ret->number[t->var])) {
            return false;
        }
    }
    return s == end;
}

/* What follows parameters in this part: its last literal from the first dot on. */
static struct pfs_span suffix_of(const struct pfs_part *part)
{
    const struct pfs_token *last = &part->token[part->n - 1];
    const char *dot = last->var == PFS_LITERAL ? memchr(last->s, '.', last->n) : NULL;
    return dot ? (struct pfs_span){dot, last->n - (size_t)(dot - last->s)} : (struct pfs_span){"", 0};
}

static bool match_params(const struct pfs_part *part, const char *name, struct pfs_match *ret)
{
    const char *at = strchr(name, '@');
    struct pfs_span suffix = suffix_of(part);
    size_t n = strlen(name);
    if (!at || at == name || pfs_part_has_place(part) || pfs_part_has(part, PFS_VAR_VIEW))
        return false;
    size_t front = (size_t)(at - name);
    if (n < front + 1 + suffix.n + 1 || memcmp(name + n - suffix.n, suffix.s, suffix.n))
        return false;
    ret->params = (struct pfs_span){at + 1, n - front - 1 - suffix.n};
    char plain[256];
    if (front + suffix.n > sizeof plain)
        return false;
    memcpy(plain, name, front);
    memcpy(plain + front, suffix.s, suffix.n);
    return match_tokens(part, plain, front + suffix.n, ret);
}

bool pfs_part_match(const struct pfs_part *part, const char *name, struct pfs_match *ret)
{
    *ret = (struct pfs_match){0};
    if (match_tokens(part, name, strlen(name), ret))
        return true;
    *ret = (struct pfs_match){0};
    return match_params(part, name, ret);
}

bool pfs_params_take(const char *params, const char *key, char **ret_value, char **ret_rest)
{
    size_t n_key = strlen(key);
    for (const char *p = params; *p; p += strcspn(p, ","), p += *p == ',') {
        if (strncmp(p, key, n_key) || p[n_key] != '=')
            continue;
        size_t n = strcspn(p, ",");
        char *value = strndup(p + n_key + 1, n - n_key - 1), *rest = malloc(strlen(params) + 1);
        if (!value || !rest) {
            free(value);
            free(rest);
            return false;
        }
        size_t front = (size_t)(p - params);
        const char *behind = p[n] == ',' ? p + n + 1 : p + n;
        if (!*behind && front)
            front--;                         /* the comma that stood before the last key */
        memcpy(rest, params, front);
        strcpy(rest + front, behind);
        *ret_value = value;
        *ret_rest = rest;
        return true;
    }
    return false;
}
