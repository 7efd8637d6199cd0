/* One READ on its way: how far it is, and what it waits for. Private to reading.c and waiting.c. */
#ifndef PLANEFS_FS_READING_H
#define PLANEFS_FS_READING_H

#include "fs/session.h"

#include <pthread.h>
#include <stdatomic.h>

enum { BATCH = 64, NO_PLANE = -1, REPORT = -2 };      /* planes asked for at a time; no plane's ordinals */
enum pfs_step { DONE, FAILED, REFUSED, TO_LANE, TO_SCRIBE, WAIT_PLANES, WAIT_REPORT };

struct pfs_slot {
    struct pfs_waiter waiter;
    struct pfs_reading *reading;
    int64_t plane;
    struct pfs_pixels *pixels;
    struct pfs_blob table;            /* of a line: what its plane teaches */
    bool here;
    struct pfs_err err;               /* code: 0, or why there are no pixels */
};

struct pfs_reading {
    struct pfs_task task;
    struct pfs_waiting waiting;
    struct pfs_mount *m;
    struct pfs_handle *h;
    fuse_req_t req;
    int64_t off, end, pos;            /* of the file; pos: done up to here */
    bool nonblock, fault;             /* fault: from the page cache, not from read(2) */
    bool whole;                       /* a short answer would be taken for the end */
    struct pfs_err err;
    int damaged;                      /* how often a cached plane turned out damaged */
    int64_t next_source;              /* report of planes: the next one to have computed */

    /* Only once it goes on its own: */
    char *kept;                       /* what has been read, when there was some */
    struct pfs_blob table;
    bool has_table;
    atomic_int refs, pending;
    atomic_bool answered;
    pthread_mutex_t lock;             /* slots against cancelling */
    int n_slots;
    struct pfs_slot *slot;
};

/* Carry it forward into buf (which begins at `off`) as far as it goes; with `wait` disks may be waited for, jobs never.
 * Touches neither the request nor what is shared with cancelling. */
enum pfs_step pfs_reading_advance(struct pfs_reading *r, char *buf, bool wait);

#endif
