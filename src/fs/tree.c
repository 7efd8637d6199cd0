/* Lookup: a name in a folder becomes a node, by the catalog above data sets, by the patterns inside (inside.c).
 *
 * NAME.error is always found; what it says is worked out when it is read. */
#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

int pfs_tree_give(struct pfs_tree *t, const struct pfs_place *wanted, uint64_t index, struct pfs_dataset *d,
                  struct pfs_node *ret, struct pfs_err *err)
{
    *ret = (struct pfs_node){.index = index, .dataset = d};
    int r = pfs_place_intern(t->places, wanted, &ret->place, err);
    if (r)
        return r;
    ret->place->last_index = index;
    if (d)
        pfs_dataset_ref(d);
    return 0;
}

int pfs_tree_give_dataset(struct pfs_tree *t, struct pfs_place *folder, const char *name, struct pfs_dataset *d,
                          struct pfs_node *ret, struct pfs_err *err)
{
    struct pfs_place wanted = {.kind = PFS_PLACE_DATASET, .parent = folder, .name = (char *)name, .dataset = d,
                               .branch = t->branches, .n = -1};
    int r = pfs_tree_give(t, &wanted, 0, d, ret, err);
    if (!r)
        pfs_place_renew(t->places, ret->place, d);
    return r;
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
        return pfs_tree_give_dataset(t, node.place, name, item->dataset, ret, err);
    struct pfs_place wanted = {.kind = PFS_PLACE_FOLDER, .parent = node.place, .name = (char *)name,
                               .path = item->path, .n = -1};
    return pfs_tree_give(t, &wanted, 0, NULL, ret, err);
}

static int lookup_folder(struct pfs_tree *t, struct pfs_node node, const char *name, bool wait, struct pfs_node *ret,
                         struct pfs_err *err)
{
    struct pfs_folder *folder;
    if (!node.place->parent && !strcmp(name, ".planefs")) {
        struct pfs_place wanted = {.kind = PFS_PLACE_CONTROL, .parent = node.place, .name = ".planefs", .n = -1};
        return pfs_tree_give(t, &wanted, 0, NULL, ret, err);
    }
    int r = pfs_catalog_folder(t->catalog, node.place->path, wait, &folder, err);
    if (r)
        return r;
    if (folder->self && reason_of(name)) {
        r = -ENOENT;
    } else if (folder->self) {
        struct pfs_node self;
        r = pfs_tree_give_dataset(t, node.place, "", folder->self, &self, err);
        if (!r) {
            r = pfs_tree_lookup_inside(t, self, name, wait, ret, err);
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
            *ret = pfs_node_copy(t, node);
            ret->index = i;
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
    default: return pfs_tree_lookup_inside(t, folder, name, wait, ret, err);
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
    return pfs_tree_give(t, &wanted, folder.index, folder.dataset, ret, err);
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
    r = d ? pfs_tree_give_dataset(t, old->parent, old->name, d, ret, err) : pfs_fail(err, ENOENT, "the source is gone");
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
        *ret = pfs_node_copy(t, old);
        return 0;
    }
    struct pfs_node parent = pfs_node_parent(old);
    int r = newest(t, parent, wait, &above, err);
    if (r)
        return r;
    char name[PFS_NAME_MAX];
    if (above.dataset == old.dataset) {
        *ret = pfs_node_copy(t, old);
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
    *ret = (struct pfs_name){.kind = node.place->branch->kind, .dataset = node.dataset};
    int r = pfs_tree_model(t, node, ret->kind, wait, &ret->model, err);
    if (!r)
        r = pfs_tree_view(t, node, ret->kind, wait, &ret->view, err);
    if (r) {
        free(ret->model);
        return r;
    }
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
    free(name->model);
    if (name->view)
        pfs_view_unref(name->view);
    if (name->dataset)
        pfs_dataset_unref(name->dataset);
    *name = (struct pfs_name){0};
}
