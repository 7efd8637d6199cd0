/* Names inside a data set: a path part is matched against the branches, its numbers become digits of the index, and
 * what it says of view, small number and parameters becomes a place.
 *
 * A view's text is put together here and understood by the worker: fs only moves `of` in front, and knows which views
 * stand in which folder. */
#include "fs/tree.h"

#include <planefs/mem.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>


/* Views of the segmentation stand in their own folder, all others do not. */
bool pfs_view_belongs(const struct pfs_branch *b, const char *view, size_t n)
{
    static const char *const segmenting[] = {"otsu", "kmeans"};
    bool segments = false;
    for (size_t i = 0; i < sizeof segmenting / sizeof *segmenting; i++)
        segments |= n >= strlen(segmenting[i]) && !memcmp(view, segmenting[i], strlen(segmenting[i]));
    if (!b->parent->parent && !b->kind)
        return !segments;
    const struct pfs_part *above = &b->parent->part;
    return segments || above->n_s != 7 || memcmp(above->s, "segment", 7);
}

bool pfs_vars_exist(const struct pfs_dataset *d, const struct pfs_vars *vars)
{
    unsigned z = 1u << PFS_VAR_Z, t = 1u << PFS_VAR_T, c = 1u << PFS_VAR_C;
    if (!d->spread || !(vars->have & z) || (vars->bare & z))
        return true;
    int64_t t0 = vars->have & t ? vars->v[PFS_VAR_T] : 0, t1 = vars->have & t ? t0 + 1 : d->shape.t;
    int64_t c0 = vars->have & c ? vars->v[PFS_VAR_C] : 0, c1 = vars->have & c ? c0 + 1 : d->shape.c;
    for (int64_t i = t0; i < t1; i++)
        for (int64_t k = c0; k < c1; k++)
            if (pfs_dataset_file(d, (struct pfs_at){i, vars->v[PFS_VAR_Z], k}) >= 0)
                return true;
    return false;
}

static int push(uint64_t *index, uint64_t radix, uint64_t digit, struct pfs_err *err)
{
    if (*index > (((UINT64_C(1) << PFS_INDEX_BITS) - 1) - digit) / radix)
        return pfs_fail(err, EFBIG, "this stack has more pixels than names can count");
    *index = *index * radix + digit;
    return 0;
}

static int push_name(const struct pfs_dataset *d, struct pfs_span name, uint64_t *index, struct pfs_err *err)
{
    struct pfs_at at;
    if (!pfs_dataset_named(d, name.s, name.n, &at) || !pfs_at_inside(&d->shape, at))
        return pfs_fail(err, ENOENT, "no plane is named %.*s", (int)name.n, name.s);
    return push(index, (uint64_t)pfs_shape_planes(&d->shape), (uint64_t)pfs_at_index(&d->shape, at), err);
}

static int push_number(const struct pfs_dataset *d, const struct pfs_token *token, int64_t number, uint64_t *index,
                       struct pfs_err *err)
{
    static const char letter[] = "tzcyx";
    int64_t first = token->var <= PFS_VAR_C && !token->bare ? d->first[token->var - PFS_VAR_T] : 0;
    int64_t radix = (int64_t)pfs_part_radix(d, token);
    if (number < first || number - first >= radix)
        return pfs_fail(err, ENOENT, "%c goes from %lld to %lld", letter[token->var], (long long)first,
                        (long long)(first + radix - 1));
    return push(index, (uint64_t)radix, (uint64_t)(number - first), err);
}

static int push_part(const struct pfs_dataset *d, const struct pfs_part *part, const struct pfs_match *m,
                     uint64_t *index, struct pfs_err *err)
{
    int r = 0;
    for (int i = 0; i < part->n && !r; i++) {
        const struct pfs_token *token = &part->token[i];
        if (token->var == PFS_VAR_NAME)
            r = push_name(d, m->text, index, err);
        else if (token->var < PFS_VAR_N)
            r = push_number(d, token, m->number[token->var], index, err);
    }
    return r;
}

/* The parameters of all parts above, those further up first; NULL: none. gives */
static int all_params(const struct pfs_place *place, const char **base, char **ret)
{
    *ret = NULL;
    for (const struct pfs_place *p = place; p->kind == PFS_PLACE_BRANCH; p = p->parent) {
        if (p->view_text && base)
            *base = p->view_text;
        if (!p->params)
            continue;
        char *joined = *ret ? pfs_format("%s,%s", p->params, *ret) : strdup(p->params);
        free(*ret);
        if (!(*ret = joined))
            return -ENOMEM;
    }
    return 0;
}

static const struct pfs_registry_op *op_named(const struct pfs_tree *t, const char *name)
{
    for (int i = 0; i < t->registry->n_ops; i++)
        if (!strcmp(t->registry->op[i].name, name))
            return &t->registry->op[i];
    return NULL;
}

static bool op_has(const struct pfs_registry_op *op, const char *key, size_t n)
{
    for (int i = 0; op && i < op->n_params; i++)
        if (strlen(op->param[i].name) == n && !memcmp(op->param[i].name, key, n))
            return true;
    return false;
}

/* Of "key=value,...", the keys that are parameters of the operator, or those that are not. */
static void pick_params(const char *params, const struct pfs_registry_op *op, bool own, struct pfs_text *ret)
{
    while (params && *params) {
        size_t n = strcspn(params, ",");
        if (op_has(op, params, strcspn(params, "=,")) == own) {
            pfs_text_add(ret, ret->n ? "," : "");
            pfs_text_bytes(ret, params, n);
        }
        params += n + (params[n] == ',');
    }
}

/* The view text a file of this kind has at this place: the {view} part or the kind's own view, with the parameters of
 * all parts above behind it, but for those of a report's own operator. `of` of a kind on the source puts another view in
 * the source's stead. */
static int view_text(const struct pfs_tree *t, const struct pfs_place *place, const struct pfs_kind *kind,
                     struct pfs_text *ret)
{
    PFS_AUTO_FREE char *params = NULL, *of = NULL;
    PFS_AUTO_TEXT struct pfs_text mine = {0};
    const char *base = kind->view ? kind->view : "source";
    if (all_params(place, &base, &params))
        return -ENOMEM;
    pick_params(params, kind->model ? op_named(t, kind->model) : NULL, false, &mine);
    if (kind->number && place->n >= 0)
        pfs_text_addf(&mine, "%s%s=%lld", mine.n ? "," : "", kind->number, (long long)place->n);
    if (mine.failed)
        return -ENOMEM;
    char *rest;
    if (mine.n && !strcmp(base, "source") && pfs_params_take(mine.s, "of", &of, &rest)) {
        pfs_text_finish(&mine);
        pfs_text_add(&mine, rest);
        free(rest);
        base = of;
    }
    pfs_text_add(ret, base);
    if (mine.n) {
        pfs_text_add(ret, strchr(base, '@') ? "," : "@");
        pfs_text_add(ret, mine.s);
    }
    return ret->failed || mine.failed ? -ENOMEM : 0;
}

int pfs_tree_model(struct pfs_tree *t, struct pfs_node node, const struct pfs_kind *kind, bool wait, char **ret,
                   struct pfs_err *err)
{
    PFS_AUTO_FREE char *params = NULL;
    PFS_AUTO_TEXT struct pfs_text mine = {0};
    struct pfs_view_on *view;
    *ret = NULL;
    if (!kind->model)
        return 0;
    int r = all_params(node.place, NULL, &params);
    pick_params(params, op_named(t, kind->model), true, &mine);
    if (!r && !mine.failed)
        *ret = mine.n ? pfs_format("%s@%s", kind->model, mine.s) : strdup(kind->model);
    if (!*ret)
        return pfs_fail(err, ENOMEM, "no memory for a report");
    r = mine.n ? pfs_engine_view(t->engine, node.dataset, *ret, wait, &view, err) : 0;
    if (!r && mine.n)
        pfs_view_unref(view);
    if (r) {
        free(*ret);
        *ret = NULL;
    }
    return r;
}

int pfs_tree_view(struct pfs_tree *t, struct pfs_node node, const struct pfs_kind *kind, bool wait,
                  struct pfs_view_on **ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    if ((*ret = pfs_place_view(t->places, node.place)))
        return 0;
    if (view_text(t, node.place, kind, &text))
        return pfs_fail(err, ENOMEM, "no memory for a view");
    int r = pfs_engine_view(t->engine, node.dataset, text.s, wait, ret, err);
    if (!r && node.place->dataset)         /* of this snapshot for good */
        pfs_place_set_view(t->places, node.place, *ret);
    return r;
}

/* A folder named by parameters or an unlisted view exists only if they are right. */
static int check(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_err *err)
{
    struct pfs_view_on *view;
    const struct pfs_kind *kind = pfs_branch_kind(node.place->branch, node.dataset);
    if (!node.place->made || node.place->branch->kind || !(node.place->params || node.place->view_text))
        return 0;
    int r = pfs_tree_view(t, node, kind, wait, &view, err);
    if (!r)
        pfs_view_unref(view);
    return r;
}

static const struct pfs_registry_view *listed_view(const struct pfs_tree *t, const char *s, size_t n)
{
    for (int i = 0; i < t->registry->n_views; i++) {
        const struct pfs_registry_view *v = &t->registry->view[i];
        if (strlen(v->name) == n && !memcmp(v->name, s, n))
            return v;
    }
    return NULL;
}

/* Operators resolve as views of one step; they are not names of folders. */
static int refuse_view(struct pfs_tree *t, struct pfs_dataset *d, const char *text, bool wait, struct pfs_err *err)
{
    struct pfs_view_on *view;
    int r = pfs_engine_view(t->engine, d, text, wait, &view, err);
    if (r)
        return r;
    pfs_view_unref(view);
    return pfs_fail(err, ENOENT, "%s is an operator, not a view", text);
}

/* Names of views; whatever else programs look for (.git, desktop.ini) needs no worker to say no. */
static bool plain_word(const char *s, size_t n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t i = 0;
    while (i < n && memchr(letters, s[i], sizeof letters - 1))
        i++;
    return n > 0 && i == n;
}

static int view_of(struct pfs_tree *t, struct pfs_dataset *d, const struct pfs_branch *b, struct pfs_span text,
                   bool wait, struct pfs_place *wanted, struct pfs_err *err)
{
    size_t n_name = strlen(d->name);
    if (b->kind && text.n > n_name + 1 && !memcmp(text.s, d->name, n_name) && text.s[n_name] == '-') {
        text.s += n_name + 1;              /* DATASET-VIEW.tif: the same under a title that tells more */
        text.n -= n_name + 1;
    }
    const char *at = memchr(text.s, '@', text.n);
    size_t n = at ? (size_t)(at - text.s) : text.n;
    if (!plain_word(text.s, n))
        return pfs_fail(err, ENOENT, "nothing here is named %.*s", (int)text.n, text.s);
    if (!pfs_view_belongs(b, text.s, n))
        return pfs_fail(err, ENOENT, "the view %.*s does not stand here", (int)n, text.s);
    if (!(wanted->view_text = strndup(text.s, text.n)))
        return pfs_fail(err, ENOMEM, "no memory for a name");
    const struct pfs_registry_view *v = listed_view(t, text.s, n);
    bool segments = pfs_view_belongs(b, "otsu", 4) && !pfs_view_belongs(b, "source", 6);
    wanted->made = at || !v;
    if (v || segments || b->kind || (n == 6 && !memcmp(text.s, "source", 6)))
        return 0;
    return refuse_view(t, d, wanted->view_text, wait, err);
}

static int describe(struct pfs_tree *t, struct pfs_node folder, const struct pfs_branch *b, const struct pfs_match *m,
                    bool wait, struct pfs_place *wanted, struct pfs_err *err)
{
    struct pfs_dataset *d = folder.dataset;
    if (b->timeless && d->shape.t > 1)
        return pfs_fail(err, ENOENT, "there are %lld time points: name one, as in t%lld/", (long long)d->shape.t,
                        (long long)d->first[0]);
    if (!pfs_branch_applies(b, d))
        return pfs_fail(err, ENOENT, "this data set has no such file");
    if (pfs_part_has(&b->part, PFS_VAR_N)) {
        wanted->n = m->number[PFS_VAR_N];
        wanted->made = true;
    }
    if (m->params.n) {
        wanted->made = true;
        if (!(wanted->params = strndup(m->params.s, m->params.n)))
            return pfs_fail(err, ENOMEM, "no memory for a name");
    }
    return m->text.n && pfs_part_has(&b->part, PFS_VAR_VIEW) ? view_of(t, d, b, m->text, wait, wanted, err) : 0;
}

int pfs_tree_enter(struct pfs_tree *t, struct pfs_node folder, const struct pfs_branch *b, const char *name, bool wait,
                   struct pfs_node *ret, struct pfs_err *err)
{
    struct pfs_match m;
    if (!pfs_part_match(&b->part, name, &m))
        return pfs_fail(err, ENOENT, "no such name");
    bool counted = pfs_part_has_place(&b->part);
    bool bound = counted || b->kind || (folder.place->kind == PFS_PLACE_BRANCH && folder.place->dataset);
    struct pfs_place wanted = {.kind = PFS_PLACE_BRANCH, .parent = folder.place, .branch = b, .n = -1,
                               .name = counted ? NULL : (char *)name,
                               .dataset = bound ? folder.dataset : NULL};
    uint64_t index = folder.index;
    int r = describe(t, folder, b, &m, wait, &wanted, err);
    if (!r)
        r = push_part(folder.dataset, &b->part, &m, &index, err);
    if (!r)
        r = pfs_tree_give(t, &wanted, index, folder.dataset, ret, err);
    free(wanted.params);
    free(wanted.view_text);
    if (r)
        return r;
    struct pfs_vars vars;
    pfs_node_vars(*ret, &vars);
    r = pfs_vars_exist(folder.dataset, &vars) ? check(t, *ret, wait, err)
                                              : pfs_fail(err, ENOENT, "this section is missing");
    if (r)
        pfs_node_drop(t, *ret);
    return r;
}

int pfs_tree_lookup_inside(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait,
                           struct pfs_node *ret, struct pfs_err *err)
{
    const struct pfs_branch *above = folder.place->branch;
    struct pfs_match m;
    bool tried = false;
    for (int i = 0; i < above->n_children; i++) {
        const struct pfs_branch *b = above->child[i];
        if (!pfs_part_match(&b->part, name, &m))
            continue;
        struct pfs_err why;
        int r = pfs_tree_enter(t, folder, b, name, wait, ret, &why);
        if (!tried && r && err)
            *err = why;                    /* the first to fit knows best what is wrong */
        tried = true;
        if (r != -ENOENT)
            return r;
    }
    return tried ? -ENOENT : pfs_fail(err, ENOENT, "nothing here is named %s", name);
}
