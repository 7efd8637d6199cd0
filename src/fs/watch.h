/* Watching over waiting requests: who waits in vain is sent home.
 *
 * FUSE_INTERRUPT comes for every signal, once per request, and never for page-cache reads. So a request that was
 * interrupted, and every page-cache read, has the state of its caller looked at each 100 ms; it is cancelled when the
 * caller is dying or has INT, TERM, HUP or QUIT pending. Other signals do not disturb a read. Threads: any. */
#ifndef PLANEFS_FS_WATCH_H
#define PLANEFS_FS_WATCH_H

#include <planefs/err.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct pfs_waiting {                 /* embedded in a request */
    struct pfs_waiting *next, *prev;
    pid_t thread;                    /* who waits; 0: not to be seen from here */
    bool always;                     /* look even without an interrupt: page-cache reads */
    atomic_bool interrupted;
    void (*hold)(struct pfs_waiting *w, int n);   /* take (1) or release (-1) a reference on the request */
    void (*cancel)(struct pfs_waiting *w, int code);
};

struct pfs_watch;

int pfs_watch_open(struct pfs_watch **ret, struct pfs_err *err);
void pfs_watch_close(struct pfs_watch *w);
void pfs_watch_add(struct pfs_watch *w, struct pfs_waiting *request);
void pfs_watch_remove(struct pfs_watch *w, struct pfs_waiting *request);
void pfs_watch_interrupted(struct pfs_watch *w, struct pfs_waiting *request);
void pfs_watch_cancel_all(struct pfs_watch *w, int code);

/* Does a thread's /proc status text say that it is to leave? Also true of a dead one. Pure. */
bool pfs_status_leaves(const char *status);

#endif
