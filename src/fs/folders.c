/* Open folders: one snapshot each, read by offset. Offset 0 is ".", 1 is "..", then the walk's cookies.
 *
 * Names come with their attributes (READDIRPLUS), so that `ls -l` of a whole stack is a few requests. The kernel is not
 * asked to keep listings: it would then look every name up alone once its attributes have run out. */
#include "fs/folders.h"
#include "fs/call.h"
#include "fs/list.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

struct folder {
    struct pfs_node node;             /* held */
    struct pfs_folder *items;         /* held; NULL inside data sets */
};

static struct folder *folder_of(const struct fuse_file_info *fi)
{
    return (struct folder *)(uintptr_t)fi->fh;
}

static void close_folder(struct pfs_mount *m, struct folder *f)
{
    if (f->items)
        pfs_folder_unref(f->items);
    pfs_node_drop(&m->tree, f->node);
    free(f);
}

static int open_folder(struct pfs_call *c, bool wait, struct folder *f, struct pfs_err *err)
{
    struct pfs_tree *t = &c->m->tree;
    f->node = pfs_node_of(t, c->ino);
    if (!f->node.place)
        return pfs_fail(err, ESTALE, "no such node");
    int r = pfs_tree_current(t, &f->node, wait, err);
    if (!r && f->node.place->kind == PFS_PLACE_FOLDER)
        r = pfs_catalog_folder(t->catalog, f->node.place->path, wait, &f->items, err);
    return r;
}

static int step_opendir(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    struct folder *f = calloc(1, sizeof *f);
    if (!f)
        return pfs_fail(err, ENOMEM, "no memory for an open folder");
    int r = open_folder(c, wait, f, err);
    if (r) {
        close_folder(c->m, f);
        return r;
    }
    c->fi.fh = (uint64_t)(uintptr_t)f;
    c->m->open_files++;
    if (fuse_reply_open(c->req, &c->fi)) {
        c->m->open_files--;
        close_folder(c->m, f);
    }
    return 0;
}

void pfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    pfs_call(&(struct pfs_call){.m = fuse_req_userdata(req), .req = req, .step = step_opendir, .ino = ino,
                                .fi = *fi});
}

void pfs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct pfs_mount *m = fuse_req_userdata(req);
    (void)ino;
    m->open_files--;
    close_folder(m, folder_of(fi));
    fuse_reply_err(req, 0);
}

/* One READDIR reply as it fills. */
struct listing {
    struct pfs_call *c;
    bool plus;
    char *buf;
    size_t n;
};

static bool put(struct listing *l, const char *name, const struct fuse_entry_param *entry, int64_t next)
{
    size_t room = l->c->size - l->n;
    size_t n = l->plus ? fuse_add_direntry_plus(l->c->req, l->buf + l->n, room, name, entry, next)
                       : fuse_add_direntry(l->c->req, l->buf + l->n, room, name, &entry->attr, next);
    if (n > room)
        return false;
    l->n += n;
    return true;
}

/* "." and "..": known to the kernel, so without a node number that would count as a lookup. */
static bool put_dots(struct listing *l, struct pfs_node node, off_t *off)
{
    for (; *off < 2; ++*off) {
        struct pfs_node which = *off ? pfs_node_parent(node) : node;
        struct fuse_entry_param entry = {.attr = {.st_ino = pfs_node_ino(which), .st_mode = S_IFDIR | 0555}};
        if (!put(l, *off ? ".." : ".", &entry, *off + 1))
            return false;
    }
    return true;
}

static int put_names(struct listing *l, const struct pfs_walk *walk, int64_t cookie, struct pfs_err *err)
{
    struct pfs_listed listed;
    struct fuse_entry_param entry;
    int r;
    while ((r = pfs_walk_next(walk, &cookie, &listed, err)) == 1) {
        pfs_entry_fill(listed.node, &listed.st, &entry);
        bool fits = put(l, listed.name, &entry, 2 + cookie);
        if (fits && l->plus)
            pfs_node_hand_over(listed.node);
        else
            pfs_node_drop(walk->tree, listed.node);
        if (!fits)
            return 0;
    }
    return r;
}

/* The kernel did not take the reply: none of its lookups count. */
static void take_back(struct pfs_mount *m, const struct listing *l)
{
    struct fuse_direntplus entry;
    for (size_t at = 0; l->plus && at + FUSE_NAME_OFFSET_DIRENTPLUS <= l->n; at += FUSE_DIRENTPLUS_SIZE(&entry)) {
        memcpy(&entry, l->buf + at, FUSE_NAME_OFFSET_DIRENTPLUS);
        struct pfs_node node = pfs_node_of(&m->tree, entry.entry_out.nodeid);
        if (entry.entry_out.nodeid && node.place)
            pfs_place_drop(m->tree.places, node.place, 1);
        pfs_node_drop(&m->tree, node);
    }
}

static int step_list(struct pfs_call *c, bool wait, bool plus, struct pfs_err *err)
{
    struct folder *f = folder_of(&c->fi);
    struct listing l = {.c = c, .plus = plus, .buf = pfs_thread_buffer(c->size)};
    struct pfs_walk walk = {.tree = &c->m->tree, .folder = f->node, .items = f->items, .wait = wait};
    off_t off = c->off;
    if (!l.buf)
        return pfs_fail(err, ENOMEM, "no memory for a listing");
    int r = put_dots(&l, f->node, &off) ? put_names(&l, &walk, off - 2, err) : 0;
    if (r && l.n == 0)
        return r;
    if (fuse_reply_buf(c->req, l.buf, l.n))
        take_back(c->m, &l);
    return 0;
}

static int step_readdir(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    return step_list(c, wait, false, err);
}

static int step_readdirplus(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    return step_list(c, wait, true, err);
}

void pfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    pfs_call(&(struct pfs_call){.m = fuse_req_userdata(req), .req = req, .step = step_readdir, .ino = ino,
                                .size = size, .off = off, .fi = *fi});
}

void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    pfs_call(&(struct pfs_call){.m = fuse_req_userdata(req), .req = req, .step = step_readdirplus, .ino = ino,
                                .size = size, .off = off, .fi = *fi});
}
