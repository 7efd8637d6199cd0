/* What all handlers of one mount share. Private to the FUSE side of this floor. */
#ifndef PLANEFS_FS_SESSION_H
#define PLANEFS_FS_SESSION_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "fs/handle.h"
#include "fs/lane.h"
#include "fs/watch.h"

enum { PFS_MADE_MOST = 1024 };        /* user-made names kept; beyond, the kernel is asked to let go of the oldest */

struct pfs_mount {
    struct pfs_tree tree;
    struct pfs_lanes *lanes;          /* look-ups that read folders or headers, reads that touch a disk */
    struct pfs_lanes *scribes;        /* writing reports, which may take long */
    struct pfs_watch *watch;
    struct fuse_session *session;
    _Atomic int64_t open_files;
    _Atomic int64_t last_request;     /* seconds, monotonic */
    _Atomic bool answers;             /* INIT is done */
};

extern const struct fuse_lowlevel_ops pfs_operations;

/* At least n bytes, page-aligned, of the calling thread's own; kept until the thread ends. NULL without memory. */
char *pfs_thread_buffer(size_t n);

/* READ of an open file; replies now or later, exactly once. */
void pfs_read(struct pfs_mount *m, fuse_req_t req, struct pfs_handle *h, size_t size, off_t off,
              const struct fuse_file_info *fi);

#endif
