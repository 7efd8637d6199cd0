/* The FUSE operations on names, attributes and open files. Each is a step (call.h) that never computes; READ has a file
 * of its own, and so have folders. Whatever would change something is refused with EROFS. */
#include "fs/call.h"
#include "fs/folders.h"
#include "fs/words.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

static const double KEPT_S = 1.0;     /* how long the kernel may keep names and attributes */

static struct pfs_mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool is_words(struct pfs_node node)
{
    return !pfs_node_is_folder(node) && node.place->kind != PFS_PLACE_BRANCH;
}

void pfs_entry_fill(struct pfs_node node, const struct stat *st, struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){.ino = pfs_node_id(node), .attr = *st, .entry_timeout = KEPT_S,
                                     .attr_timeout = is_words(node) ? 0 : KEPT_S};
}

/* The node a request is about; ESTALE for a number the kernel should not know any more. */
static int node_of(struct pfs_call *c, struct pfs_node *ret, struct pfs_err *err)
{
    *ret = pfs_node_of(&c->m->tree, c->ino);
    return ret->place ? 0 : pfs_fail(err, ESTALE, "no such node");
}

/* ---- lookup, forget, getattr ---- */

static int lookup_in(struct pfs_call *c, struct pfs_node folder, bool wait, struct pfs_err *err)
{
    struct pfs_tree *t = &c->m->tree;
    struct pfs_node found;
    struct fuse_entry_param entry;
    struct stat st;
    int r = pfs_tree_lookup(t, folder, c->name, wait, &found, err);
    if (r)
        return r;
    r = pfs_tree_stat(t, found, wait, &st, err);
    if (r) {
        pfs_node_drop(t, found);
        return r;
    }
    pfs_entry_fill(found, &st, &entry);
    if (fuse_reply_entry(c->req, &entry))
        pfs_node_drop(t, found);         /* the kernel no longer waits, and so counts no look-up */
    else
        pfs_node_hand_over(found);
    return 0;
}

static int step_lookup(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    struct pfs_node folder;
    int r = node_of(c, &folder, err);
    if (r)
        return r;
    r = pfs_tree_current(&c->m->tree, &folder, wait, err);
    if (!r)
        r = lookup_in(c, folder, wait, err);
    pfs_node_drop(&c->m->tree, folder);
    if (r != -ENOENT)
        return r;
    struct fuse_entry_param none = {.entry_timeout = KEPT_S};
    fuse_reply_entry(c->req, &none);
    return 0;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    pfs_call(&(struct pfs_call){.m = mount_of(req), .req = req, .step = step_lookup, .ino = parent,
                                .name = (char *)name});
}

static void forget(struct pfs_mount *m, fuse_ino_t ino, uint64_t n)
{
    struct pfs_node node = pfs_node_of(&m->tree, ino);
    if (node.place && ino != FUSE_ROOT_ID)
        pfs_place_drop(m->tree.places, node.place, (int64_t)n);
    pfs_node_drop(&m->tree, node);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
    forget(mount_of(req), ino, n);
    fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        forget(mount_of(req), forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

static int step_getattr(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    struct pfs_node node;
    struct stat st;
    int r = node_of(c, &node, err);
    if (r)
        return r;
    r = pfs_tree_stat(&c->m->tree, node, wait, &st, err);
    if (!r)
        fuse_reply_attr(c->req, &st, is_words(node) ? 0 : KEPT_S);
    pfs_node_drop(&c->m->tree, node);
    return r;
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)fi;
    pfs_call(&(struct pfs_call){.m = mount_of(req), .req = req, .step = step_getattr, .ino = ino});
}

/* ---- open files ---- */

static int step_open(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    struct pfs_node node;
    struct pfs_handle *h;
    if ((c->fi.flags & O_ACCMODE) != O_RDONLY)
        return pfs_fail(err, EROFS, "read-only");
    int r = node_of(c, &node, err);
    if (r)
        return r;
    r = pfs_handle_open(&c->m->tree, node, wait, &h, err);
    if (r) {
        pfs_node_drop(&c->m->tree, node);
        return r;
    }
    c->fi.fh = (uint64_t)(uintptr_t)h;
    c->fi.keep_cache = h->cached;
    c->fi.direct_io = !h->cached;
    c->fi.noflush = 1;
    c->m->open_files++;
    if (fuse_reply_open(c->req, &c->fi)) {
        c->m->open_files--;
        pfs_handle_unref(h);
    }
    return 0;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    pfs_call(&(struct pfs_call){.m = mount_of(req), .req = req, .step = step_open, .ino = ino, .fi = *fi});
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
    (void)ino;
    pfs_read(mount_of(req), req, (struct pfs_handle *)(uintptr_t)fi->fh, size, off, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    (void)ino;
    mount_of(req)->open_files--;
    pfs_handle_unref((struct pfs_handle *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

/* ---- attributes ---- */

static int step_getxattr(struct pfs_call *c, bool wait, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text value = {0};
    struct pfs_node node;
    int r = node_of(c, &node, err);
    if (r)
        return r;
    r = pfs_words_attribute(&c->m->tree, node, c->name, wait, &value, err);
    pfs_node_drop(&c->m->tree, node);
    if (r)
        return r;
    if (value.failed)
        return pfs_fail(err, ENOMEM, "no memory for an attribute");
    if (c->size == 0)
        fuse_reply_xattr(c->req, value.n);
    else if (value.n > c->size)
        fuse_reply_err(c->req, ERANGE);
    else
        fuse_reply_buf(c->req, value.s, value.n);
    return 0;
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    static const char ours[] = "user.planefs.";
    if (strncmp(name, ours, sizeof ours - 1)) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    pfs_call(&(struct pfs_call){.m = mount_of(req), .req = req, .step = step_getxattr, .ino = ino, .size = size,
                                .name = (char *)name + sizeof ours - 1});
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    (void)ino;
    if (size == 0)
        fuse_reply_xattr(req, 0);
    else
        fuse_reply_buf(req, NULL, 0);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    (void)ino;
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255, .f_flag = ST_RDONLY};
    fuse_reply_statfs(req, &st);
}

static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    (void)ino;
    fuse_reply_err(req, mask & W_OK ? EROFS : 0);
}

/* ---- what a read-only file system refuses ---- */

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set, struct fuse_file_info *fi)
{
    (void)ino, (void)st, (void)set, (void)fi;
    fuse_reply_err(req, EROFS);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    (void)parent, (void)name, (void)mode, (void)dev;
    fuse_reply_err(req, EROFS);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)parent, (void)name, (void)mode;
    fuse_reply_err(req, EROFS);
}

static void op_remove(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent, (void)name;
    fuse_reply_err(req, EROFS);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    (void)link, (void)parent, (void)name;
    fuse_reply_err(req, EROFS);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *new_name,
                      unsigned flags)
{
    (void)parent, (void)name, (void)to, (void)new_name, (void)flags;
    fuse_reply_err(req, EROFS);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    (void)ino, (void)parent, (void)name;
    fuse_reply_err(req, EROFS);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                     struct fuse_file_info *fi)
{
    (void)ino, (void)buf, (void)size, (void)off, (void)fi;
    fuse_reply_err(req, EROFS);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
    (void)ino, (void)name, (void)value, (void)size, (void)flags;
    fuse_reply_err(req, EROFS);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    (void)parent, (void)name, (void)mode, (void)fi;
    fuse_reply_err(req, EROFS);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t n, struct fuse_file_info *fi)
{
    (void)ino, (void)mode, (void)off, (void)n, (void)fi;
    fuse_reply_err(req, EROFS);
}

/* ---- the session ---- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct pfs_mount *m = userdata;
    conn->want |= conn->capable & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_ASYNC_READ |
                                   FUSE_CAP_ASYNC_DIO | FUSE_CAP_AUTO_INVAL_DATA);
    conn->want &= ~(unsigned)(FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
                              FUSE_CAP_SPLICE_MOVE);
    conn->max_background = 512;
    conn->congestion_threshold = 384;
    conn->max_readahead = 1 << 20;
    m->answers = true;
}

const struct fuse_lowlevel_ops pfs_operations = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .open = op_open,
    .read = op_read,
    .release = op_release,
    .opendir = pfs_op_opendir,
    .readdir = pfs_op_readdir,
    .readdirplus = pfs_op_readdirplus,
    .releasedir = pfs_op_releasedir,
    .getxattr = op_getxattr,
    .listxattr = op_listxattr,
    .statfs = op_statfs,
    .access = op_access,
    .setattr = op_setattr,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_remove,
    .rmdir = op_remove,
    .symlink = op_symlink,
    .rename = op_rename,
    .link = op_link,
    .write = op_write,
    .setxattr = op_setxattr,
    .removexattr = op_remove,
    .create = op_create,
    .fallocate = op_fallocate,
};
