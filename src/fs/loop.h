/* The threads that take requests from the kernel, and the one that tidies up. */
#ifndef PLANEFS_FS_LOOP_H
#define PLANEFS_FS_LOOP_H

#include "fs/session.h"

struct pfs_loop;

/* Serve with so many threads. `answers` is called once, from one of them, when INIT has been answered. When the kernel
 * ends the session SIGUSR2 is sent to the calling thread. SIGUSR1 is used to wake threads. */
int pfs_loop_start(struct pfs_mount *m, int threads, void (*answers)(void *arg), void *arg, struct pfs_loop **ret,
                   struct pfs_err *err);
void pfs_loop_stop(struct pfs_loop *l);

struct pfs_tidy;
/* Once a second: ask the kernel to let go of the oldest user-made names; unmount when idle for idle_s (0: never). */
int pfs_tidy_start(struct pfs_mount *m, const char *mountpoint, int idle_s, struct pfs_tidy **ret,
                   struct pfs_err *err);
void pfs_tidy_stop(struct pfs_tidy *t);

#endif
