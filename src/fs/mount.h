/* Mounting: from a source and a mount point to a running file system, and out again. */
#ifndef PLANEFS_FS_MOUNT_H
#define PLANEFS_FS_MOUNT_H

#include "engine/engine.h"

#include <sys/types.h>

struct pfs_mount_options {
    const char *mountpoint;                 /* absolute */
    struct pfs_engine_options engine;       /* source: absolute */
    bool foreground, debug, single;
    bool allow_other;
    uid_t uid;
    gid_t gid;
    mode_t umask;
    int idle_s;                             /* unmount after so long without a request and an open file; 0: never */
};

/* What a process that mounted ends with. */
enum { PFS_EXIT_OK = 0, PFS_EXIT_USAGE = 1, PFS_EXIT_SOURCE = 2, PFS_EXIT_MOUNT = 32 };

/* Mount and serve until unmounted or ended by INT, TERM or HUP. In the foreground it returns after that; otherwise it
 * returns in the caller's process as soon as the mount answers, and the daemon process ends by itself. Must be called
 * before any thread is started. Speaks on stderr: one line when it fails. Returns the exit status. */
int pfs_mount_run(const struct pfs_mount_options *o);

const char *pfs_fuse_version(void);      /* of the FUSE library in use */

#endif
