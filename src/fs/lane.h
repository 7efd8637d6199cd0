/* Lanes: the threads that may wait. Handlers hand them what cannot be answered at once. Threads: any. */
#ifndef PLANEFS_FS_LANE_H
#define PLANEFS_FS_LANE_H

#include <planefs/err.h>
#include <stdbool.h>

struct pfs_task {                    /* embedded in what is to be done */
    struct pfs_task *next;
    void (*run)(struct pfs_task *task, bool drop);   /* drop: the lanes are closing, answer without working */
};

struct pfs_lanes;

int pfs_lanes_open(int threads, int most, struct pfs_lanes **ret, struct pfs_err *err);
/* false: the queue is full (or closing) and the task was not taken. */
bool pfs_lanes_offer(struct pfs_lanes *l, struct pfs_task *task);
/* For what must go on, such as a request whose planes have arrived: never refused; when closing it is run with drop
 * in the caller's thread. */
void pfs_lanes_push(struct pfs_lanes *l, struct pfs_task *task);
/* Drop what is queued and let what runs end, for at most `patience_ms`. false: something still runs; then the lanes
 * must not be closed. */
bool pfs_lanes_drain(struct pfs_lanes *l, int patience_ms);
void pfs_lanes_close(struct pfs_lanes *l);    /* after a drain */

#endif
