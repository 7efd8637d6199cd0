/* The configuration in the engine: reading planefs.ini, the user's own views, and what [dataset] says of inversion.
 *
 * A user's view travels to the worker as "=recipe@its parameters@those of the path", so that the worker needs to know no
 * configuration. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MOST = 1 << 20, CHECK_TIMEOUT_MS = 10000 };

static int read_file(const char *path, bool must, struct pfs_blob *ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    *ret = (struct pfs_blob){0};
    if (fd < 0 && !must && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return pfs_fail(err, errno, "cannot read the configuration %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_MOST)
        return pfs_fail(err, EINVAL, "%s is no configuration file", path);
    ret->data = malloc((size_t)st.st_size + 1);
    ssize_t n = ret->data ? read(fd, ret->data, (size_t)st.st_size) : -1;
    if (n < 0) {
        free(ret->data);
        return pfs_fail(err, EIO, "cannot read the configuration %s", path);
    }
    ret->size = (size_t)n;
    return 0;
}

/* ---- the text a worker resolves ---- */

/* A value of the file as it stands in a path: "1, 2, 3" is "1:2:3". */
static void add_value(struct pfs_text *t, const char *value)
{
    for (const char *p = value; *p; p++)
        if (*p == ',')
            pfs_text_add(t, ":");
        else if (*p != ' ' && *p != '\t')
            pfs_text_bytes(t, p, 1);
}

static const char *recipe_of(const struct pfs_engine *e, const char *name)
{
    const struct pfs_config_section *s = pfs_config_view(e->config, name);
    if (s)
        return pfs_config_value(s, "recipe");
    for (int i = 0; i < e->registry.n_views; i++)
        if (!strcmp(e->registry.view[i].name, name))
            return e->registry.view[i].recipe;
    return NULL;
}

static bool has_step(const char *recipe, const char *op)
{
    size_t n = strlen(op);
    for (const char *at = recipe; (at = strstr(at, op)); at += n)
        if ((at == recipe || strchr(" |", at[-1])) && (!at[n] || strchr(" |", at[n])))
            return true;
    return false;
}

static void add_own_keys(const struct pfs_config_section *s, int invert, struct pfs_text *ret)
{
    const char *comma = "";
    bool says_invert = false;
    for (int i = 0; s && i < s->n; i++) {
        if (!strcmp(s->key[i].name, "recipe"))
            continue;
        says_invert |= !strcmp(s->key[i].name, "on") || !strcmp(s->key[i].name, "invert.on");
        pfs_text_addf(ret, "%s%s=", comma, s->key[i].name);
        add_value(ret, s->key[i].value);
        comma = ",";
    }
    if (invert >= 0 && !says_invert)
        pfs_text_addf(ret, "%sinvert.on=%d", comma, invert);
}

/* The value of `name` in "key=value,...", up to its comma; NULL when it is not given. */
static const char *key_value(const char *keys, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = keys; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, n) && at[n] == '=')
            return at + n + 1;
    return NULL;
}

/* All keys but `of`. */
static void add_other_keys(const char *keys, struct pfs_text *ret)
{
    const char *comma = "";
    while (keys && *keys) {
        size_t n = strcspn(keys, ",");
        if (strncmp(keys, "of=", 3)) {
            pfs_text_add(ret, comma);
            pfs_text_bytes(ret, keys, n);
            comma = ",";
        }
        keys += n + (keys[n] == ',');
    }
}

static bool op_has(const struct pfs_engine *e, const char *op, size_t n, const char *param)
{
    for (int i = 0; i < e->registry.n_ops; i++) {
        const struct pfs_registry_op *o = &e->registry.op[i];
        if (strlen(o->name) != n || memcmp(o->name, op, n))
            continue;
        for (int k = 0; k < o->n_params; k++)
            if (!strcmp(o->param[k].name, param))
                return true;
    }
    return false;
}

/* The data set's nodata is known to an operator that works on the source itself. */
static bool needs_nodata(const struct pfs_engine *e, const struct pfs_dataset *d, const char *recipe, const char *keys)
{
    return d->has_nodata && op_has(e, recipe, strcspn(recipe, " |:@"), "nodata") && !key_value(keys, "nodata");
}

struct wanted { const char *recipe; const struct pfs_config_section *own; };

static struct wanted find_view(const struct pfs_engine *e, const char *name)
{
    struct wanted w = {recipe_of(e, name), pfs_config_view(e->config, name)};
    for (int i = 0; i < e->registry.n_ops && !w.recipe; i++)
        if (!strcmp(e->registry.op[i].name, name))
            w.recipe = e->registry.op[i].name;
    return w;
}

/* The view's recipe behind that of the view it is `of`, with the keys that belong to them. */
static void put_view(const struct pfs_engine *e, const struct pfs_dataset *d, struct wanted of, struct wanted view,
                     const char *keys, struct pfs_text *ret)
{
    PFS_AUTO_FREE char *recipe = pfs_format("%s%s%s", of.recipe, *of.recipe && *view.recipe ? " | " : "", view.recipe);
    PFS_AUTO_TEXT struct pfs_text own = {0}, more = {0};
    if (!recipe) {
        ret->failed = true;
        return;
    }
    add_own_keys(of.own, has_step(of.recipe, "invert") ? d->invert : -1, &own);
    add_own_keys(view.own, has_step(view.recipe, "invert") && !has_step(of.recipe, "invert") ? d->invert : -1, &more);
    if (needs_nodata(e, d, recipe, keys))
        pfs_text_addf(&more, "%s%.*s.nodata=%.17g", more.n ? "," : "", (int)strcspn(recipe, " |:"), recipe, d->nodata);
    pfs_text_addf(ret, "=%s@%s%s%s@", recipe, own.s ? own.s : "", own.n && more.n ? "," : "", more.s ? more.s : "");
    add_other_keys(keys, ret);
    ret->failed |= own.failed || more.failed;
}

int pfs_view_text(const struct pfs_engine *e, const struct pfs_dataset *d, const char *text, struct pfs_text *ret,
                  struct pfs_err *err)
{
    size_t n = strcspn(text, "@");
    const char *keys = text[n] ? text + n + 1 : "", *of = key_value(keys, "of");
    PFS_AUTO_FREE char *name = strndup(text, n), *of_name = of ? strndup(of, strcspn(of, ",")) : strdup("source");
    if (!name || !of_name)
        return pfs_fail(err, ENOMEM, "no memory for a view");
    if (*name == '=')
        return pfs_fail(err, ENOENT, "no view is named \"%s\"", name);
    struct wanted view = find_view(e, name), base = find_view(e, of_name);
    bool known = view.recipe && base.recipe;
    if (known && (of || view.own || (d->invert >= 0 && has_step(view.recipe, "invert")) ||
                  needs_nodata(e, d, view.recipe, keys)))
        put_view(e, d, base, view, keys, ret);
    else
        pfs_text_add(ret, text);
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a view") : 0;
}

int pfs_operator_text(const struct pfs_engine *e, const struct pfs_view_on *v, const char *text, struct pfs_text *ret,
                      struct pfs_err *err)
{
    size_t n = strcspn(text, "@");
    pfs_text_add(ret, text);
    if (!v->recipe.n && needs_nodata(e, v->dataset, text, text[n] ? text + n + 1 : ""))
        pfs_text_addf(ret, "%snodata=%.17g", text[n] ? "," : "@", v->dataset->nodata);
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

/* ---- checking views at the start ---- */

static int try_view(struct pfs_engine *e, const struct pfs_config_section *s, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text view = {0};
    struct pfs_text request = {0};
    struct pfs_blob answer = {0};
    struct pfs_stack_info stack = {.shape = {1, 1, 1, 4096, 4096, PFS_U16, {{0}, "", 0, {0}}}, .bits = 16,
                                   .info = "", .model = "", .mask = ""};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_RESOLVE, .most = 1 << 20, .timeout_ms = CHECK_TIMEOUT_MS};
    pfs_text_addf(&view, "=%s@", pfs_config_value(s, "recipe"));
    add_own_keys(s, -1, &view);
    if (view.failed)
        return pfs_fail(err, ENOMEM, "no memory for a view");
    pfs_resolve_put(&request, &stack, view.s);
    if (!pfs_text_take(&request, &o.request))
        return pfs_fail(err, ENOMEM, "no memory for a view");
    int r = pfs_pool_call(e->pool, &o, &answer, err);
    free(answer.data);
    return r;
}

static bool in_name(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Is the name a word of the reason, hints at other names left aside? */
static bool says(const char *reason, const char *name)
{
    const char *hint = strstr(reason, "; did you mean"), *end = hint ? hint : reason + strlen(reason);
    size_t n = strlen(name);
    for (const char *at = reason; n && (at = strstr(at, name)) && at < end; at += n)
        if ((at == reason || !in_name(at[-1])) && !in_name(at[n]))
            return true;
    return false;
}

/* The line to blame: that of the key which the reason names, else that of the recipe. */
static int line_of(const struct pfs_config_section *s, const char *reason)
{
    int line = s->line;
    for (int i = 0; i < s->n; i++) {
        const char *dot = strchr(s->key[i].name, '.');
        if (says(reason, dot ? dot + 1 : s->key[i].name))
            return s->key[i].line;
        if (!strcmp(s->key[i].name, "recipe"))
            line = s->key[i].line;
    }
    return line;
}

static int check_view(struct pfs_engine *e, const struct pfs_config_section *s, struct pfs_err *err)
{
    struct pfs_err why = {0};
    for (int i = 0; i < e->registry.n_views; i++)
        if (!strcmp(e->registry.view[i].name, s->name))
            return pfs_fail(err, EINVAL, "%s:%d: %.64s is the name of a built-in view", e->config->file, s->line, s->name);
    if (e->o.taken && e->o.taken(s->name))
        return pfs_fail(err, EINVAL, "%s:%d: %.64s is what other files are named", e->config->file, s->line, s->name);
    if (try_view(e, s, &why) < 0)
        return pfs_fail(err, EINVAL, "%s:%d: %.180s", e->config->file, line_of(s, why.text), why.text);
    return 0;
}

/* The user's views join the registry's, so that folders list them and the help names them. */
static int add_views(struct pfs_engine *e, struct pfs_err *err)
{
    int n = e->registry.n_views;
    struct pfs_registry_view *more = realloc(e->registry.view, (size_t)(n + e->config->n) * sizeof *more);
    if (!more)
        return pfs_fail(err, ENOMEM, "no memory for views");
    e->registry.view = more;
    for (int i = 0; i < e->config->n; i++) {
        const struct pfs_config_section *s = &e->config->section[i];
        if (s->view && pfs_config_view(e->config, s->name) == s)
            more[e->registry.n_views++] = (struct pfs_registry_view){
                strdup(s->name), strdup(pfs_config_value(s, "recipe")), pfs_format("from %s", e->config->file), true};
    }
    return 0;
}

int pfs_configure(struct pfs_engine *e, struct pfs_err *err)
{
    PFS_AUTO_FREE char *path = e->o.config ? strdup(e->o.config) : pfs_format("%s/planefs.ini", e->o.source);
    struct pfs_blob text;
    if (!path)
        return pfs_fail(err, ENOMEM, "no memory for the configuration");
    int r = read_file(path, e->o.config != NULL, &text, err);
    if (r < 0 || !text.data)
        return r;
    const char *slash = strrchr(path, '/');
    r = pfs_config_parse(slash ? slash + 1 : path, text.data, text.size, &e->config, err);
    free(text.data);
    for (int i = 0; !r && i < e->config->n; i++)
        if (e->config->section[i].view)
            r = check_view(e, &e->config->section[i], err);
    return r ? r : add_views(e, err);
}
