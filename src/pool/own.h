/* The pool's inner structs, shared by its files. */
#ifndef PLANEFS_POOL_OWN_H
#define PLANEFS_POOL_OWN_H

#include "pool/pool.h"

#include <pthread.h>
#include <sys/types.h>

struct pfs_job {
    uint64_t id;
    struct pfs_order order;
    int memory_fd;              /* result of an order without a descriptor, -1 */
    bool cancelled;
    bool retried;               /* handed out anew after its worker had spoken out of turn */
    bool opening;               /* an I/O thread is in order.open: the job must outlive it */
    bool finished;              /* its end has come, but `opening` holds it */
    int code;                   /* that end */
    char reason[240];
    int64_t length;
    struct pfs_job *next;
};

enum worker_state { WORKER_NONE, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

struct worker {
    enum worker_state state;
    enum pfs_role role;
    pid_t pid;
    int sock, pidfd;
    struct pfs_job *job;
    int64_t served;             /* jobs it has done */
    int64_t deadline;           /* ms, of its job or its start */
    bool late;                  /* killed for passing the deadline */
    int64_t retry_at;           /* NONE: when to start it again */
    int64_t backoff;            /* ms until the next try after a failed start */
};

struct need {                   /* a file a worker asked for, until an I/O thread has answered */
    struct worker *worker;
    struct pfs_job *job;
    char *name;
    struct need *next;
};

struct pfs_pool {
    pthread_mutex_t lock;
    pthread_cond_t needs_here, started;
    struct pfs_pool_options o;
    char *worker_path;
    struct worker *worker;
    int n_workers;
    struct pfs_job *queue[PFS_N_ROLES];
    struct pfs_job *ended;      /* to be called back by the pool's thread */
    struct need *needs;
    uint64_t last_id;
    int64_t restarts, failed_starts;
    char layers[32];            /* of the sandbox, as the last worker said */
    char refused[240];          /* what is missing of a required one */
    int wake, epoll;
    bool stopping, needs_stopping;
    pthread_t thread, io[2];
    pid_t dead[64];             /* killed, not yet reaped */
    int n_dead;
};

int64_t pfs_pool_now(void);                                              /* monotonic ms */
void pfs_pool_wake(struct pfs_pool *p);

/* worker.c: starting and burying processes. Called by the pool's thread with the lock held. */
void pfs_worker_start(struct pfs_pool *p, struct worker *w);
void pfs_worker_bury(struct pfs_pool *p, struct worker *w, char how[64]);  /* kill, reap, say how it ended */
void pfs_worker_reap(struct pfs_pool *p);

/* needs.c: answering workers that ask for files, on threads that may wait for a disk. */
void *pfs_needs_loop(void *pool);
void pfs_needs_add(struct pfs_pool *p, struct worker *w, const struct pfs_packet *packet);   /* lock held */

void *pfs_pool_loop(void *pool);
void pfs_pool_call_back_all(struct pfs_pool *p);   /* lock not held */

/* pool.c: a job's end. Lock held; the callback follows from the pool's thread. */
void pfs_job_end(struct pfs_pool *p, struct pfs_job *j, int code, const char *reason, int64_t length);

#endif
