/* What stat says: exact sizes from the kinds' arithmetic, and the newest mtime of what takes part in a file. */
#include "fs/words.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 4096 };      /* stdio and Python read ahead by this much: headers are padded so that it is harmless */

static void set_times(struct stat *st, int64_t ns)
{
    st->st_mtim = (struct timespec){ns / 1000000000, ns % 1000000000};
    st->st_ctim = st->st_atim = st->st_mtim;
}

static void base(const struct pfs_tree *t, struct pfs_node node, struct stat *ret)
{
    bool folder = pfs_node_is_folder(node);
    memset(ret, 0, sizeof *ret);
    ret->st_mode = folder ? S_IFDIR | (0555 & ~t->umask) : S_IFREG | (0444 & ~t->umask);
    ret->st_nlink = folder ? 2 : 1;
    ret->st_uid = t->uid;
    ret->st_gid = t->gid;
    ret->st_blksize = BLOCK;
    ret->st_ino = pfs_node_ino(node);
}

static void set_size(struct stat *st, int64_t size)
{
    st->st_size = size;
    st->st_blocks = (size + 511) / 512;
}

/* Files that depend on one section have its time; all others that of the whole data set. */
static int64_t plane_time(const struct pfs_name *name, const struct pfs_vars *vars)
{
    const struct pfs_dataset *d = name->dataset;
    bool raw = name->view->recipe.n == 0, has_c = vars->have & 1u << PFS_VAR_C;
    int64_t newest = -1, c0 = has_c ? name->at.c : 0, c1 = has_c ? c0 + 1 : d->shape.c;
    for (int64_t c = c0; c < c1; c++) {
        struct pfs_at at = {name->at.t, name->at.z, c};
        if (pfs_name_missing(name, at))
            continue;
        int64_t one = raw ? pfs_dataset_mtime_raw(d, at) : pfs_dataset_mtime(d, at);
        newest = one > newest ? one : newest;
        if (!d->spread || d->file_channels)
            break;
    }
    return newest < 0 ? d->mtime : newest;
}

static int64_t file_time(struct pfs_node node, const struct pfs_name *name)
{
    struct pfs_vars vars;
    pfs_node_vars(node, &vars);
    bool whole = name->kind->model || !(vars.have & 1u << PFS_VAR_Z);
    for (int i = 0; i < name->view->recipe.n; i++)
        whole |= name->view->recipe.step[i].model;
    return whole ? name->dataset->mtime : plane_time(name, &vars);
}

int pfs_tree_stat_name(struct pfs_tree *t, struct pfs_node node, const struct pfs_name *name, struct stat *ret,
                       struct pfs_err *err)
{
    int64_t size;
    int r = name->kind->size(name, &size, err);
    if (r)
        return r;
    base(t, node, ret);
    set_size(ret, size);
    set_times(ret, file_time(node, name));
    return 0;
}

static int stat_file(struct pfs_tree *t, struct pfs_node node, bool wait, struct stat *ret, struct pfs_err *err)
{
    struct pfs_name name;
    int r = pfs_tree_name(t, node, wait, &name, err);
    if (r)
        return r;
    r = pfs_tree_stat_name(t, node, &name, ret, err);
    pfs_name_release(&name);
    return r;
}

static int stat_words(struct pfs_tree *t, struct pfs_node node, bool wait, struct stat *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct timespec now;
    int r = pfs_words(t, node, wait, &text, err);
    if (r)
        return r;
    bool live = node.place->kind == PFS_PLACE_CONTROL && node.index != PFS_README;
    clock_gettime(CLOCK_REALTIME, &now);
    base(t, node, ret);
    set_size(ret, (int64_t)text.n);
    set_times(ret, live ? (int64_t)now.tv_sec * 1000000000 : t->started);
    return 0;
}

/* The time of a folder stands in the folder above. EAGAIN when that one must be looked at again and may not be now. */
static int folder_time(struct pfs_tree *t, struct pfs_node node, bool wait, int64_t *ret)
{
    struct pfs_place *above = node.place->parent;
    struct pfs_folder *folder;
    *ret = t->started;
    int r = pfs_catalog_folder(t->catalog, above ? above->path : "", wait, &folder, NULL);
    if (r)
        return r == -EAGAIN ? r : 0;
    const struct pfs_item *item = above ? pfs_folder_item(folder, node.place->name) : NULL;
    *ret = !above ? folder->mtime : item ? item->mtime : *ret;
    pfs_folder_unref(folder);
    return 0;
}

int pfs_tree_stat(struct pfs_tree *t, struct pfs_node node, bool wait, struct stat *ret, struct pfs_err *err)
{
    const struct pfs_place *p = node.place;
    if (!pfs_node_is_folder(node))
        return p->kind == PFS_PLACE_BRANCH ? stat_file(t, node, wait, ret, err) : stat_words(t, node, wait, ret, err);
    int64_t ns = node.dataset ? node.dataset->mtime : t->started;
    int r = !node.dataset && p->kind == PFS_PLACE_FOLDER ? folder_time(t, node, wait, &ns) : 0;
    if (r)
        return r;
    base(t, node, ret);
    set_times(ret, ns);
    return 0;
}
