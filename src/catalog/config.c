/* The configuration, read with inih.
 *
 * inih cuts lines at 200 bytes and section names at 50 without a word, so the reader below refuses long lines and hands
 * inih a short stand-in for each section's title. Values that continue on indented lines are joined. */
#include "catalog/config.h"

#include <planefs/mem.h>

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 198 };

struct parsing {
    struct pfs_config *c;
    const char *at, *end;
    int line;
    bool indented;                   /* the line goes on with the last key's value */
    struct pfs_err *err;
    bool failed;
};

static int fail(struct parsing *p, const char *what, const char *detail)
{
    if (!p->failed)
        pfs_fail(p->err, EINVAL, "%s:%d: %s%s%s", p->c->file, p->line, what, *detail ? " " : "", detail);
    p->failed = true;
    return 0;
}

/* `dataset "GLOB"` or `view "NAME"`. */
static void begin_section(struct parsing *p, const char *title, size_t n)
{
    char kind[16] = "", name[LINE_MAX_BYTES + 1] = "", rest;
    PFS_AUTO_FREE char *text = strndup(title, n);
    struct pfs_config_section *more = realloc(p->c->section, (size_t)(p->c->n + 1) * sizeof *more);
    if (!text || !more) {
        fail(p, "no memory", "");
        return;
    }
    p->c->section = more;
    int got = sscanf(text, "%15[a-z] \"%198[^\"]\" %c", kind, name, &rest);
    bool view = !strcmp(kind, "view");
    if (got != 2 || (!view && strcmp(kind, "dataset")))
        fail(p, "a section is [dataset \"GLOB\"] or [view \"NAME\"], not", text);
    more[p->c->n++] = (struct pfs_config_section){.view = view, .name = strdup(name), .line = p->line};
}

/* inih's reader: one line, with a section's title replaced by its number. */
static char *next_line(char *out, int room, void *parsing)
{
    struct parsing *p = parsing;
    if (p->at >= p->end || p->failed)
        return NULL;
    const char *eol = memchr(p->at, '\n', (size_t)(p->end - p->at));
    size_t n = (size_t)((eol ? eol : p->end) - p->at);
    const char *line = p->at, *close = memchr(line, ']', n);
    p->at = eol ? eol + 1 : p->end;
    p->line++;
    p->indented = n && isspace((unsigned char)*line);
    if (n > LINE_MAX_BYTES || memchr(line, 0, n)) {
        fail(p, n > LINE_MAX_BYTES ? "the line is too long: continue a list on indented lines" : "a NUL byte", "");
        return NULL;
    }
    if (n && *line == '[' && close) {
        begin_section(p, line + 1, (size_t)(close - line - 1));
        snprintf(out, (size_t)room, "[%d]\n", p->c->n);
    } else
        snprintf(out, (size_t)room, "%.*s\n", (int)n, line);
    return out;
}

/* A line more of the last key: appended with a comma where none is. */
static int continue_value(struct parsing *p, struct pfs_config_key *k, const char *value)
{
    size_t n = strlen(k->value);
    bool comma = (n && k->value[n - 1] == ',') || *value == ',' || *value == '|' || (n && k->value[n - 1] == '|');
    char *joined = pfs_format("%s%s%s", k->value, comma ? " " : ", ", value);
    if (!joined)
        return fail(p, "no memory", "");
    free(k->value);
    k->value = joined;
    return 1;
}

static int take_key(void *parsing, const char *section, const char *name, const char *value)
{
    struct parsing *p = parsing;
    if (!*section)
        return fail(p, "a key outside any section:", name);
    struct pfs_config_section *s = &p->c->section[p->c->n - 1];
    if (p->indented && s->n && !strcmp(s->key[s->n - 1].name, name))
        return continue_value(p, &s->key[s->n - 1], value);
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->key[i].name, name))
            return fail(p, "given twice:", name);
    struct pfs_config_key *more = realloc(s->key, (size_t)(s->n + 1) * sizeof *more);
    if (!more)
        return fail(p, "no memory", "");
    s->key = more;
    s->key[s->n++] = (struct pfs_config_key){strdup(name), strdup(value), p->line};
    return 1;
}

/* ---- what the keys mean ---- */

static const char *const dataset_keys[] = {"shape", "origin", "invert", "mask", "info", "model", "voxel", "unit", "names",
                                           "stack", "on_bad", NULL};

static bool numbers(const char *text, int n, double least, double *ret)
{
    char *end;
    for (int i = 0; i < n; i++) {
        ret[i] = strtod(text, &end);
        if (end == text || !(ret[i] >= least))
            return false;
        text = end + strspn(end, " \t");
        if (*text == ',' && i + 1 < n)
            text++;
        else if (*text || i + 1 < n)
            return false;
    }
    return true;
}

static bool valid(const struct pfs_config_key *k)
{
    double v[3];
    if (!strcmp(k->name, "shape"))
        return numbers(k->value, 3, 1, v);
    if (!strcmp(k->name, "origin"))
        return numbers(k->value, 3, 0, v);
    if (!strcmp(k->name, "voxel"))
        return numbers(k->value, 3, 1e-30, v);
    if (!strcmp(k->name, "invert"))
        return !strcmp(k->value, "0") || !strcmp(k->value, "1");
    if (!strcmp(k->name, "stack"))
        return !strcmp(k->value, "yes") || !strcmp(k->value, "no");
    if (!strcmp(k->name, "on_bad"))
        return !strcmp(k->value, "error") || !strcmp(k->value, "zeros");
    if (!strcmp(k->name, "unit"))
        return strlen(k->value) > 0 && strlen(k->value) < 16;
    return *k->value;
}

static const char *expected(const char *name)
{
    return !strcmp(name, "shape") ? "three sizes: NZ, NY, NX" :
           !strcmp(name, "origin") ? "three numbers: z, y, x" :
           !strcmp(name, "voxel") ? "three sizes: z, y, x" :
           !strcmp(name, "invert") ? "0 or 1" :
           !strcmp(name, "stack") ? "yes or no" :
           !strcmp(name, "on_bad") ? "error or zeros" :
           !strcmp(name, "unit") ? "a unit of at most 15 letters" : "a value";
}

static void check_dataset(struct parsing *p, const struct pfs_config_section *s)
{
    for (int i = 0; i < s->n && !p->failed; i++) {
        const struct pfs_config_key *k = &s->key[i];
        int known = 0;
        while (dataset_keys[known] && strcmp(dataset_keys[known], k->name))
            known++;
        p->line = k->line;
        if (!dataset_keys[known])
            fail(p, "a dataset has no key", k->name);
        else if (!valid(k)) {
            PFS_AUTO_FREE char *what = pfs_format("%s = %s: must be %s", k->name, k->value, expected(k->name));
            fail(p, what ? what : "no memory", "");
        }
    }
}

static void check_view(struct parsing *p, const struct pfs_config_section *s)
{
    p->line = s->line;
    const char *recipe = pfs_config_value(s, "recipe");
    if (!recipe || !*recipe)
        fail(p, "a view needs recipe = invert | destripe | ... :", s->name);
    else if (!*s->name || strpbrk(s->name, "/@=,") || *s->name == '.' || strlen(s->name) > 64)
        fail(p, "a view's name has no '/', '@', '=' or ',' and at most 64 letters:", s->name);
}

int pfs_config_parse(const char *file, const char *text, size_t n, struct pfs_config **ret, struct pfs_err *err)
{
    struct parsing p = {.at = text, .end = text + n, .err = err};
    *ret = NULL;
    if (!(p.c = calloc(1, sizeof *p.c)) || !(p.c->file = strdup(file))) {
        free(p.c);
        return pfs_fail(err, ENOMEM, "no memory for the configuration");
    }
    int line = ini_parse_stream(next_line, &p, take_key, &p);
    if (line && !p.failed) {
        p.line = line;
        fail(&p, "not of the form key = value", "");
    }
    for (int i = 0; i < p.c->n && !p.failed; i++)
        (p.c->section[i].view ? check_view : check_dataset)(&p, &p.c->section[i]);
    if (p.failed) {
        pfs_config_free(p.c);
        return -EINVAL;
    }
    *ret = p.c;
    return 0;
}

void pfs_config_free(struct pfs_config *c)
{
    for (int i = 0; c && i < c->n; i++) {
        for (int k = 0; k < c->section[i].n; k++) {
            free(c->section[i].key[k].name);
            free(c->section[i].key[k].value);
        }
        free(c->section[i].key);
        free(c->section[i].name);
    }
    if (c) {
        free(c->section);
        free(c->file);
    }
    free(c);
}

/* ---- asking ---- */

const char *pfs_config_value(const struct pfs_config_section *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->key[i].name, name))
            return s->key[i].value;
    return NULL;
}

const struct pfs_config_section *pfs_config_view(const struct pfs_config *c, const char *name)
{
    for (int i = c ? c->n : 0; i-- > 0;)
        if (c->section[i].view && !strcmp(c->section[i].name, name))
            return &c->section[i];
    return NULL;
}

static void apply(const struct pfs_config_section *s, struct pfs_dataset_config *ret)
{
    double v[3];
    const char *text;
    if ((text = pfs_config_value(s, "shape")) && numbers(text, 3, 1, v))
        for (int k = 0; k < 3; k++)
            ret->full[k] = (int64_t)v[k];
    if ((text = pfs_config_value(s, "origin")) && numbers(text, 3, 0, v))
        for (int k = 0; k < 3; k++)
            ret->origin[k] = (int64_t)v[k];
    if ((text = pfs_config_value(s, "voxel")))
        numbers(text, 3, 1e-30, ret->voxel);
    if ((text = pfs_config_value(s, "invert")))
        ret->invert = *text - '0';
    const struct { const char *name, **value; } texts[] = {{"mask", &ret->mask}, {"info", &ret->info},
        {"model", &ret->model}, {"unit", &ret->unit}, {"names", &ret->names}, {"stack", &ret->stack},
        {"on_bad", &ret->on_bad}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if ((text = pfs_config_value(s, texts[i].name)))
            *texts[i].value = text;
}

void pfs_config_dataset(const struct pfs_config *c, const char *path, const char *name, struct pfs_dataset_config *ret)
{
    *ret = (struct pfs_dataset_config){.invert = -1};
    for (int i = 0; c && i < c->n; i++)
        if (!c->section[i].view && !fnmatch(c->section[i].name, *path ? path : name, 0))
            apply(&c->section[i], ret);
}
