/* Listing by arithmetic: every branch has an extent, the number of cookies it takes, whether or not each names
 * something; a cookie is turned into a name, and the name is then entered as a lookup would. So whatever is listed is
 * found, and under the same node. */
#include "fs/list.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_NUMBERS = 10 };      /* {n} is listed from 1 to here */

/* The one variable of a part, PFS_LITERAL without any, -1 where there are several (never listed). */
static int only_variable(const struct pfs_part *part)
{
    int var = PFS_LITERAL;
    for (int i = 0; i < part->n; i++) {
        if (part->token[i].var == PFS_LITERAL)
            continue;
        if (var != PFS_LITERAL)
            return -1;
        var = part->token[i].var;
    }
    return var;
}

static bool is_shown(const struct pfs_branch *b, const struct pfs_dataset *d)
{
    bool times = d->shape.t > 1;
    return b->listed && !(b->times && !times) && !(b->timeless && times) && pfs_branch_applies(b, d);
}

static int64_t extent(const struct pfs_tree *t, const struct pfs_branch *b, const struct pfs_dataset *d)
{
    if (!is_shown(b, d))
        return 0;
    switch (only_variable(&b->part)) {
    case PFS_LITERAL: return 1;
    case PFS_VAR_VIEW: return t->registry->n_views;
    case PFS_VAR_N: return SMALL_NUMBERS;
    case PFS_VAR_T: return d->shape.t;
    case PFS_VAR_Z: return d->shape.z;
    case PFS_VAR_C: return d->shape.c;
    case PFS_VAR_NAME: return pfs_dataset_planes(d);
    default: return 0;
    }
}

static bool has_literal_twin(const struct pfs_branch *b, const char *name)
{
    for (int i = 0; i < b->parent->n_children; i++) {
        const struct pfs_part *part = &b->parent->child[i]->part;
        if (only_variable(part) == PFS_LITERAL && strlen(name) == part->n_s && !memcmp(name, part->s, part->n_s))
            return true;
    }
    return false;
}

/* Stages are listed for section stacks, the source and otsu for all; kmeans only in the segmentation's folder. */
static bool view_listed(const struct pfs_branch *b, const struct pfs_dataset *d, const struct pfs_registry_view *v)
{
    bool segment_folder = !pfs_view_belongs(b, "source", 6), otsu = !strcmp(v->name, "otsu");
    if (!pfs_view_belongs(b, v->name, strlen(v->name)))
        return false;
    if (segment_folder)
        return v->listed;
    return !strcmp(v->name, "source") || otsu || (v->listed && d->sections && strncmp(v->name, "kmeans", 6));
}

static int64_t number_of(const struct pfs_dataset *d, const struct pfs_token *token, int64_t i)
{
    if (token->var == PFS_VAR_N)
        return i + 1;
    return i + (token->bare ? 0 : d->first[token->var - PFS_VAR_T]);
}

static void add(char name[PFS_NAME_MAX], const char *s, size_t n)
{
    size_t have = strlen(name);
    snprintf(name + have, PFS_NAME_MAX - have, "%.*s", (int)n, s);
}

/* The i-th name of a branch; false where there is none. */
static bool name_of(const struct pfs_tree *t, const struct pfs_branch *b, const struct pfs_dataset *d, int64_t i,
                    char name[PFS_NAME_MAX])
{
    char text[PFS_NAME_MAX];
    name[0] = 0;
    for (int k = 0; k < b->part.n; k++) {
        const struct pfs_token *token = &b->part.token[k];
        if (token->var == PFS_LITERAL) {
            add(name, token->s, token->n);
            continue;
        }
        if (token->var == PFS_VAR_VIEW) {
            if (!view_listed(b, d, &t->registry->view[i]))
                return false;
            snprintf(text, sizeof text, "%s", t->registry->view[i].name);
        } else if (token->var == PFS_VAR_NAME) {
            pfs_dataset_name(d, pfs_dataset_plane(d, i), text);
        } else {
            snprintf(text, sizeof text, "%lld", (long long)number_of(d, token, i));
        }
        add(name, text, strlen(text));
    }
    return !pfs_part_has(&b->part, PFS_VAR_VIEW) || !has_literal_twin(b, name);
}

static int entry(const struct pfs_walk *w, struct pfs_node folder, const struct pfs_branch *b, int64_t i,
                 struct pfs_listed *ret, struct pfs_err *err)
{
    if (!name_of(w->tree, b, folder.dataset, i, ret->name))
        return -ENOENT;
    int r = pfs_tree_enter(w->tree, folder, b, ret->name, w->wait, &ret->node, err);
    if (r)
        return r;
    r = pfs_tree_stat(w->tree, ret->node, w->wait, &ret->st, err);
    if (r)
        pfs_node_drop(w->tree, ret->node);
    return r;
}

static int next_in_branch(const struct pfs_walk *w, struct pfs_node folder, int64_t *cookie, struct pfs_listed *ret,
                          struct pfs_err *err)
{
    const struct pfs_branch *above = folder.place->branch;
    int64_t before = 0;
    for (int k = 0; k < above->n_children; k++) {
        int64_t n = extent(w->tree, above->child[k], folder.dataset);
        while (*cookie < before + n) {
            int r = entry(w, folder, above->child[k], *cookie - before, ret, err);
            if (r == -EAGAIN || r == -ENOMEM)
                return r;
            ++*cookie;
            if (!r)
                return 1;
        }
        before += n;
    }
    return 0;
}

static int found(const struct pfs_walk *w, const char *name, struct pfs_listed *ret, struct pfs_err *err)
{
    snprintf(ret->name, sizeof ret->name, "%s", name);
    int r = pfs_tree_lookup(w->tree, w->folder, name, w->wait, &ret->node, err);
    if (r)
        return r;
    r = pfs_tree_stat(w->tree, ret->node, w->wait, &ret->st, err);
    if (r)
        pfs_node_drop(w->tree, ret->node);
    return r;
}

static int next_named(const struct pfs_walk *w, const char *name, int64_t *cookie, struct pfs_listed *ret,
                      struct pfs_err *err)
{
    int r = found(w, name, ret, err);
    if (r != -EAGAIN)
        ++*cookie;
    return r ? r : 1;
}

static int next_in_self(const struct pfs_walk *w, int64_t *cookie, struct pfs_listed *ret, struct pfs_err *err)
{
    struct pfs_node self;
    int64_t inside = *cookie - 1;
    int r = pfs_tree_give_dataset(w->tree, w->folder.place, "", w->items->self, &self, err);
    if (r)
        return r;
    r = next_in_branch(w, self, &inside, ret, err);
    pfs_node_drop(w->tree, self);
    *cookie = inside + 1;
    return r;
}

static int next_in_folder(const struct pfs_walk *w, int64_t *cookie, struct pfs_listed *ret, struct pfs_err *err)
{
    if (*cookie == 0) {
        if (!w->folder.place->parent)
            return next_named(w, ".planefs", cookie, ret, err);
        *cookie = 1;
    }
    if (w->items->self)
        return next_in_self(w, cookie, ret, err);
    while (*cookie <= w->items->n_items) {
        int r = next_named(w, w->items->item[*cookie - 1].name, cookie, ret, err);
        if (r != -ENOENT)                 /* gone since the snapshot: the next one */
            return r;
    }
    return 0;
}

static int next_in_control(const struct pfs_walk *w, int64_t *cookie, struct pfs_listed *ret, struct pfs_err *err)
{
    return *cookie + 1 < PFS_N_CONTROL ? next_named(w, pfs_control_names[*cookie + 1], cookie, ret, err) : 0;
}

int pfs_walk_next(const struct pfs_walk *w, int64_t *cookie, struct pfs_listed *ret, struct pfs_err *err)
{
    switch (w->folder.place->kind) {
    case PFS_PLACE_FOLDER: return next_in_folder(w, cookie, ret, err);
    case PFS_PLACE_CONTROL: return next_in_control(w, cookie, ret, err);
    default: return next_in_branch(w, w->folder, cookie, ret, err);
    }
}
