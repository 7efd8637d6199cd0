/* The pool of workers: pre-started processes that each serve one job at a time.
 *
 * Two roles, so that a look at a header never waits behind a computation: readers (probe, resolve, describe) and makers
 * (plane, partial, merge). A worker that dies, hangs past its job's deadline, lies about a length or breaks the wire's
 * rules costs its one job and is replaced; a healthy one is replaced after many jobs or when it has grown. A worker can
 * write no more than its job was promised to, nor take more memory than it declared: the pool sets these limits.
 * Threads: all functions may be called from any thread. Callbacks come from the pool's thread and must not block. */
#ifndef PLANEFS_POOL_H
#define PLANEFS_POOL_H

#include "wire/wire.h"

struct pfs_pool;
struct pfs_job;

enum pfs_role { PFS_READER, PFS_MAKER, PFS_N_ROLES };

enum pfs_sandbox { PFS_SANDBOX_AUTO, PFS_SANDBOX_REQUIRED, PFS_SANDBOX_OFF };

struct pfs_pool_options {
    const char *worker;            /* path of planefs-worker */
    int makers, readers;           /* >= 1 */
    enum pfs_sandbox sandbox;
    int64_t room[PFS_N_ROLES];     /* address space of a worker beside its job's memory; 0: no limit */
    int64_t recycle_jobs;          /* replace a worker after that many; 0: 256 */
    int64_t recycle_bytes;         /* ... or when its resident size passes this; 0: 1 GiB */
};

struct pfs_order {                 /* a job as its orderer fills it in; copied by submit, but for `request` */
    uint64_t number;               /* from pfs_pool_number, or 0: submit chooses one */
    enum pfs_role role;
    enum pfs_verb verb;
    struct pfs_blob request;       /* taken by submit */
    int result_fd;                 /* lent until done; -1: the pool makes a memory file and hands the bytes to done */
    int64_t length;                /* exact length promised for result_fd; -1: up to `most` bytes */
    int64_t most;
    int64_t memory;                /* what the job declares to need beyond its worker's room; 0: nothing */
    int timeout_ms;                /* from the moment a worker starts on it */
    int priority;                  /* higher first; equal: first come, first served */
    /* Open a file the worker asks for: a descriptor (given) in *ret_fd. Called from an I/O thread of the pool. */
    int (*open)(void *ctx, const char *name, int *ret_fd, struct pfs_err *err);
    void (*progress)(void *ctx, int permille);                                        /* may be NULL */
    /* Exactly once, also after cancel. code: 0 or -errno; ECONNABORTED: the worker died or lied; bytes: lent, only with
     * result_fd == -1. */
    void (*done)(void *ctx, int code, const char *reason, struct pfs_blob bytes);
    void *ctx;
};

struct pfs_pool_status {
    int workers, running, queued;
    int64_t restarts;
    char sandbox[32];              /* layers in force: "landlock+seccomp", "seccomp", "off" */
};

/* EIO: the worker does not start. EPERM: a sandbox is required, and a layer of it is missing: the reason names it. */
int pfs_pool_create(const struct pfs_pool_options *o, struct pfs_pool **ret, struct pfs_err *err);
void pfs_pool_destroy(struct pfs_pool *p);          /* kills workers; unfinished jobs are done with ECANCELED */
uint64_t pfs_pool_number(struct pfs_pool *p);                     /* reserve a job's number, to cancel it by */
uint64_t pfs_pool_submit(struct pfs_pool *p, struct pfs_order *o);  /* the job's number */
void pfs_pool_cancel(struct pfs_pool *p, uint64_t job);             /* kill its worker or take it out of the queue */
void pfs_pool_status(struct pfs_pool *p, struct pfs_pool_status *ret);

/* Submit and wait: for readers' verbs, from threads that may block. Bytes are given. */
int pfs_pool_call(struct pfs_pool *p, struct pfs_order *o, struct pfs_blob *ret, struct pfs_err *err);

#endif
