/* A request that can be answered at once or has to go to a lane: one function tries both ways. */
#ifndef PLANEFS_FS_CALL_H
#define PLANEFS_FS_CALL_H

#include "fs/session.h"

struct pfs_call {
    struct pfs_task task;
    struct pfs_mount *m;
    fuse_req_t req;
    /* Answers the request and returns 0, or returns -errno for an error reply; -EAGAIN: it takes waiting. */
    int (*step)(struct pfs_call *c, bool wait, struct pfs_err *err);
    fuse_ino_t ino;
    off_t off;
    size_t size;
    struct fuse_file_info fi;
    char *name;
};

/* Try without waiting; if that does not do, let a lane repeat it. Takes nothing: what lasts is copied. */
void pfs_call(const struct pfs_call *c);

#endif
