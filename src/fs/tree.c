/* Lookup: a name in a folder becomes a node, by the catalog above datasets and by the patterns inside.
 *
 * A name is tried against the branches in order, literal ones first; the first that fits, applies to the dataset and has
 * its numbers in range is it. NAME.error is always found; what it says is worked out when it is read. */
#include "fs/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <planefs/mem.h>

static const char ERROR_SUFFIX[] = ".error";

int pfs_tree_open(struct pfs_engine *e, uid_t uid, gid_t gid, mode_t umask, struct pfs_tree *ret, struct pfs_err *err)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct pfs_tree){.engine = e, .catalog = pfs_engine_catalog(e), .registry = pfs_engine_registry(e),
                             .uid = uid, .gid = gid, .umask = umask,
                             .started = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    int r = pfs_branches_create(pfs_kinds, &ret->branches, err);
    return r ? r : pfs_places_create(&ret->places, err);
}

void pfs_tree_close(struct pfs_tree *t)
{
    pfs_places_destroy(t->places);
    pfs_branches_destroy(t->branches);
}

/* The length of NAME in NAME.error; 0: this is no such name. An error has no error of its own. */
static size_t reason_of(const char *name)
{
    size_t n = strlen(name), n_suffix = sizeof ERROR_SUFFIX - 1;
    if (n <= n_suffix || strcmp(name + n - n_suffix, ERROR_SUFFIX))
        return 0;
    n -= n_suffix;
    return n > n_suffix && !memcmp(name + n - n_suffix, ERROR_SUFFIX, n_suffix) ? 0 : n;
}

static int give(struct pfs_tree *t, struct pfs_place *wanted, uint64_t index, struct pfs_node *ret,
                struct pfs_err *err)
{
    ret->index = index;
    int r = pfs_place_intern(t->places, wanted, &ret->place, err);
    if (!r)
        ret->place->last_index = index;
    return r;
}

static int give_dataset(struct pfs_tree *t, struct pfs_place *folder, const char *name, struct pfs_dataset *d,
                        struct pfs_node *ret, struct pfs_err *err)
{
    struct pfs_place wanted = {.kind = PFS_PLACE_DATASET, .parent = folder, .name = (char *)name, .dataset = d,
                               .branch = t->branches, .n = -1};
    return give(t, &wanted, 0, ret, err);
}

/* ---- inside a dataset ---- */

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

/* The view text a file of this kind has at this place: the {view} part or the kind's own view, with the parameters of
 * all parts above behind it. `of` of a kind on the source puts another view in the source's stead. */
static int view_text(const struct pfs_place *place, const struct pfs_kind *kind, struct pfs_text *ret)
{
    PFS_AUTO_FREE char *params = NULL;
    PFS_AUTO_FREE char *of = NULL;
    const char *base = kind->view ? kind->view : "source";
    for (const struct pfs_place *p = place; p->kind == PFS_PLACE_BRANCH; p = p->parent) {
        if (p->view_text)
            base = p->view_text;
        if (!p->params)
            continue;
        char *joined = params ? pfs_format("%s,%s", p->params, params) : strdup(p->params);
        if (!joined)
            return -ENOMEM;
        free(params);
        params = joined;
    }
    char *rest;
    if (params && !strcmp(base, "source") && pfs_params_take(params, "of", &of, &rest)) {
        free(params);
        params = rest;
        base = of;
    }
    pfs_text_add(ret, base);
    if (params && *params) {
        pfs_text_add(ret, strchr(base, '@') ? "," : "@");
        pfs_text_add(ret, params);
    }
    return ret->failed ? -ENOMEM : 0;
}

static int resolve(struct pfs_tree *t, struct pfs_place *place, const struct pfs_kind *kind, bool wait,
                   struct pfs_view_on **ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    if ((*ret = pfs_place_view(t->places, place)))
        return 0;
    if (view_text(place, kind, &text))
        return pfs_fail(err, ENOMEM, "no memory for a view");
    int r = pfs_engine_view(t->engine, place->dataset, text.s, wait, ret, err);
    if (!r)
        pfs_place_set_view(t->places, place, *ret);
    return r;
}

/* A folder named by parameters or an unlisted view exists only if they are right. */
static int check(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_err *err)
{
    struct pfs_view_on *view;
    const struct pfs_kind *kind = pfs_branch_kind(node.place->branch, node.place->dataset);
    if (!node.place->made || node.place->branch->kind || !(node.place->params || node.place->view_text))
        return 0;
    int r = resolve(t, node.place, kind, wait, &view, err);
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
    struct pfs_dataset *d = folder.place->dataset;
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
    struct pfs_place wanted = {.kind = PFS_PLACE_BRANCH, .parent = folder.place, .branch = b, .n = -1,
                               .name = pfs_part_has_place(&b->part) ? NULL : (char *)name,
                               .dataset = folder.place->dataset};
    uint64_t index = folder.index;
    int r = describe(t, folder, b, &m, wait, &wanted, err);
    if (!r)
        r = push_part(wanted.dataset, &b->part, &m, &index, err);
    if (!r)
        r = give(t, &wanted, index, ret, err);
    free(wanted.params);
    free(wanted.view_text);
    if (r)
        return r;
    struct pfs_vars vars;
    pfs_node_vars(*ret, &vars);
    r = pfs_vars_exist(wanted.dataset, &vars) ? check(t, *ret, wait, err)
                                              : pfs_fail(err, ENOENT, "this section is missing");
    if (r)
        pfs_node_drop(t, *ret);
    return r;
}

static int lookup_branch(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait, struct pfs_node *ret,
                         struct pfs_err *err)
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

/* ---- above datasets ---- */

static int lookup_item(struct pfs_tree *t, struct pfs_node node, const struct pfs_folder *folder, const char *name,
                       struct pfs_node *ret, struct pfs_err *err)
{
    const struct pfs_item *item = pfs_folder_item(folder, name);
    if (!item) {
        const char *reason = pfs_folder_reason(folder, name);
        return pfs_fail(err, ENOENT, "%s", reason ? reason : "there is no such file in SOURCE");
    }
    if (item->kind == PFS_ITEM_DATASET)
        return give_dataset(t, node.place, name, item->dataset, ret, err);
    struct pfs_place wanted = {.kind = PFS_PLACE_FOLDER, .parent = node.place, .name = (char *)name,
                               .path = item->path, .n = -1};
    return give(t, &wanted, 0, ret, err);
}

static int lookup_folder(struct pfs_tree *t, struct pfs_node node, const char *name, bool wait, struct pfs_node *ret,
                         struct pfs_err *err)
{
    struct pfs_folder *folder;
    if (!node.place->parent && !strcmp(name, ".planefs")) {
        struct pfs_place wanted = {.kind = PFS_PLACE_CONTROL, .parent = node.place, .name = ".planefs", .n = -1};
        return give(t, &wanted, 0, ret, err);
    }
    int r = pfs_catalog_folder(t->catalog, node.place->path, wait, &folder, err);
    if (r)
        return r;
    if (folder->self && reason_of(name)) {
        r = -ENOENT;
    } else if (folder->self) {
        struct pfs_node self;
        r = give_dataset(t, node.place, "", folder->self, &self, err);
        if (!r) {
            r = lookup_branch(t, self, name, wait, ret, err);
            pfs_node_drop(t, self);
        }
    } else {
        r = lookup_item(t, node, folder, name, ret, err);
    }
    pfs_folder_unref(folder);
    return r;
}

static int lookup_control(struct pfs_tree *t, struct pfs_node node, const char *name, struct pfs_node *ret,
                          struct pfs_err *err)
{
    for (uint64_t i = 1; i < PFS_N_CONTROL; i++) {
        if (!strcmp(name, pfs_control_names[i])) {
            pfs_place_hold(t->places, node.place, 1);
            *ret = (struct pfs_node){node.place, i};
            return 0;
        }
    }
    return pfs_fail(err, ENOENT, "the control folder holds README.txt, status.json, errors.json and jobs.json");
}

static int lookup_plain(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait, struct pfs_node *ret,
                        struct pfs_err *err)
{
    switch (folder.place->kind) {
    case PFS_PLACE_FOLDER: return lookup_folder(t, folder, name, wait, ret, err);
    case PFS_PLACE_CONTROL: return lookup_control(t, folder, name, ret, err);
    default: return lookup_branch(t, folder, name, wait, ret, err);
    }
}

int pfs_tree_lookup(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait, struct pfs_node *ret,
                    struct pfs_err *err)
{
    size_t n = reason_of(name);
    if (!pfs_node_is_folder(folder))
        return pfs_fail(err, ENOTDIR, "not a folder");
    if (strlen(name) >= PFS_NAME_MAX)
        return pfs_fail(err, ENAMETOOLONG, "a name has at most 255 bytes");
    if (!n || folder.place->kind == PFS_PLACE_FOLDER) {      /* a data set may be named so */
        int r = lookup_plain(t, folder, name, wait, ret, err);
        if (!n || r != -ENOENT)
            return r;
    }
    char of[PFS_NAME_MAX];
    memcpy(of, name, n);
    of[n] = 0;
    struct pfs_place wanted = {.kind = PFS_PLACE_REASON, .parent = folder.place, .name = of, .n = -1, .made = true};
    return give(t, &wanted, folder.index, ret, err);
}

/* ---- snapshots ---- */

static int newest_dataset(struct pfs_tree *t, struct pfs_place *old, bool wait, struct pfs_node *ret,
                          struct pfs_err *err)
{
    struct pfs_folder *folder;
    int r = pfs_catalog_folder(t->catalog, old->parent->path, wait, &folder, err);
    if (r)
        return r;
    const struct pfs_item *item = *old->name ? pfs_folder_item(folder, old->name) : NULL;
    struct pfs_dataset *d = !*old->name ? folder->self : item && item->kind == PFS_ITEM_DATASET ? item->dataset : NULL;
    r = d ? give_dataset(t, old->parent, old->name, d, ret, err) : pfs_fail(err, ENOENT, "the source is gone");
    pfs_folder_unref(folder);
    return r;
}

static int newest(struct pfs_tree *t, struct pfs_node old, bool wait, struct pfs_node *ret, struct pfs_err *err)
{
    struct pfs_node above;
    bool inside = old.place->kind == PFS_PLACE_BRANCH || old.place->kind == PFS_PLACE_REASON;
    if (old.place->kind == PFS_PLACE_DATASET)
        return newest_dataset(t, old.place, wait, ret, err);
    if (!inside) {
        pfs_place_hold(t->places, old.place, 1);
        *ret = old;
        return 0;
    }
    struct pfs_node parent = pfs_node_parent(old);
    int r = newest(t, parent, wait, &above, err);
    if (r)
        return r;
    char name[PFS_NAME_MAX];
    if (above.place == parent.place) {
        pfs_place_hold(t->places, old.place, 1);
        *ret = old;
    } else if (pfs_node_name(old, name) < 0) {
        r = pfs_fail(err, ENAMETOOLONG, "a name has at most 255 bytes");
    } else {
        r = pfs_tree_lookup(t, above, name, wait, ret, err);
    }
    pfs_node_drop(t, above);
    return r;
}

int pfs_tree_current(struct pfs_tree *t, struct pfs_node *node, bool wait, struct pfs_err *err)
{
    struct pfs_node now;
    int r = newest(t, *node, wait, &now, err);
    if (r)
        return r;
    pfs_node_drop(t, *node);
    *node = now;
    return 0;
}

/* ---- what a file is ---- */

int pfs_tree_name(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_name *ret, struct pfs_err *err)
{
    struct pfs_vars vars;
    struct pfs_place *place = node.place;
    *ret = (struct pfs_name){.kind = place->branch->kind, .dataset = place->dataset};
    int r = resolve(t, place, ret->kind, wait, &ret->view, err);
    if (r)
        return r;
    pfs_dataset_ref(ret->dataset);
    pfs_node_vars(node, &vars);
    ret->at = (struct pfs_at){vars.v[PFS_VAR_T], vars.v[PFS_VAR_Z], vars.v[PFS_VAR_C]};
    ret->y = vars.v[PFS_VAR_Y];
    ret->x = vars.v[PFS_VAR_X];
    ret->n = vars.v[PFS_VAR_N];
    return 0;
}

void pfs_name_release(struct pfs_name *name)
{
    if (name->view)
        pfs_view_unref(name->view);
    if (name->dataset)
        pfs_dataset_unref(name->dataset);
    *name = (struct pfs_name){0};
}
