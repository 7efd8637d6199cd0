/* Making the pool, waiting until its workers have answered, and ending it. */
#include "pool/own.h"

#include <planefs/mem.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_HELLO_S = 10 };

static int count(const struct pfs_pool *p, enum pfs_role role)
{
    int n = 0;
    for (int i = 0; i < p->n_workers; i++)
        n += p->worker[i].role == role && p->worker[i].state >= WORKER_IDLE;
    return n;
}

static int wait_for_first(struct pfs_pool *p, struct pfs_err *err)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += FIRST_HELLO_S;
    int r = 0;
    pthread_mutex_lock(&p->lock);
    while (!r && (!count(p, PFS_READER) || !count(p, PFS_MAKER)) && p->failed_starts < 4 && !*p->refused)
        r = pthread_cond_timedwait(&p->started, &p->lock, &until);
    bool good = count(p, PFS_READER) && count(p, PFS_MAKER);
    PFS_AUTO_FREE char *refused = *p->refused ? strdup(p->refused) : NULL;
    pthread_mutex_unlock(&p->lock);
    if (refused)
        return pfs_fail(err, EPERM, "%s (sandbox=auto does without)", refused);
    return good ? 0 : pfs_fail(err, EIO, "the worker %s does not start", p->worker_path);
}

static int start_threads(struct pfs_pool *p, struct pfs_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->wake < 0 || p->epoll < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->wake, &event) < 0)
        return pfs_fail(err, errno, "no descriptors for the pool of workers");
    for (int i = 0; i < 2; i++)
        if (pthread_create(&p->io[i], NULL, pfs_needs_loop, p))
            return pfs_fail(err, EAGAIN, "no thread for the pool of workers");
    if (pthread_create(&p->thread, NULL, pfs_pool_loop, p))
        return pfs_fail(err, EAGAIN, "no thread for the pool of workers");
    return 0;
}

int pfs_pool_create(const struct pfs_pool_options *o, struct pfs_pool **ret, struct pfs_err *err)
{
    struct pfs_pool *p = calloc(1, sizeof *p);
    *ret = NULL;
    if (!p || !(p->worker = calloc((size_t)(o->makers + o->readers), sizeof *p->worker)) ||
        !(p->worker_path = strdup(o->worker))) {
        if (p)
            free(p->worker);
        free(p);
        return pfs_fail(err, ENOMEM, "no memory for the pool of workers");
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->needs_here, NULL);
    pthread_cond_init(&p->started, NULL);
    p->o = *o;
    if (!p->o.recycle_jobs)
        p->o.recycle_jobs = 256;
    if (!p->o.recycle_bytes)
        p->o.recycle_bytes = (int64_t)1 << 30;
    p->n_workers = o->makers + o->readers;
    for (int i = 0; i < p->n_workers; i++)
        p->worker[i] = (struct worker){.role = i < o->readers ? PFS_READER : PFS_MAKER, .sock = -1, .pidfd = -1};
    int r = start_threads(p, err);
    if (!r && (r = wait_for_first(p, err)) < 0)
        pfs_pool_destroy(p);
    else if (!r)
        *ret = p;
    return r;
}

static void end_jobs(struct pfs_pool *p)
{
    for (int role = 0; role < PFS_N_ROLES; role++)
        while (p->queue[role]) {
            struct pfs_job *j = p->queue[role];
            p->queue[role] = j->next;
            pfs_job_end(p, j, -ECANCELED, "stopping", 0);
        }
    for (int i = 0; i < p->n_workers; i++)
        if (p->worker[i].state != WORKER_NONE) {
            struct pfs_job *j = p->worker[i].job;
            char how[64];
            p->worker[i].job = NULL;
            p->worker[i].late = true;   /* do not wait for it */
            kill(p->worker[i].pid, SIGKILL);
            pfs_worker_bury(p, &p->worker[i], how);
            if (j)
                pfs_job_end(p, j, -ECANCELED, "stopping", 0);
        }
}

void pfs_pool_destroy(struct pfs_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pfs_pool_wake(p);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_mutex_lock(&p->lock);
    end_jobs(p);
    p->needs_stopping = true;
    pthread_cond_broadcast(&p->needs_here);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < 2; i++)
        pthread_join(p->io[i], NULL);
    pfs_pool_call_back_all(p);
    for (int i = 0; i < p->n_dead; i++)
        waitpid(p->dead[i], NULL, 0);
    close(p->wake);
    close(p->epoll);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->needs_here);
    pthread_cond_destroy(&p->started);
    free(p->worker_path);
    free(p->worker);
    free(p);
}
