/* A queue and a few threads. Nothing but that: what a task does and whom it answers is its own affair. */
#include "fs/lane.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct pfs_lanes {
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    struct pfs_task *first, **last;
    int queued, most, running, n_threads;
    bool closing;
    pthread_t thread[];
};

static void *serve(void *arg)
{
    struct pfs_lanes *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->first && !l->closing)
            pthread_cond_wait(&l->work, &l->lock);
        struct pfs_task *task = l->first;
        if (!task)
            break;
        if (!(l->first = task->next))
            l->last = &l->first;
        l->queued--;
        l->running++;
        bool drop = l->closing;
        pthread_mutex_unlock(&l->lock);
        task->run(task, drop);
        pthread_mutex_lock(&l->lock);
        if (--l->running == 0)
            pthread_cond_broadcast(&l->idle);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

int pfs_lanes_open(int threads, int most, struct pfs_lanes **ret, struct pfs_err *err)
{
    struct pfs_lanes *l = calloc(1, sizeof *l + (size_t)threads * sizeof l->thread[0]);
    if (!l)
        return pfs_fail(err, ENOMEM, "no memory for threads");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->idle, &attr);
    pthread_condattr_destroy(&attr);
    l->last = &l->first;
    l->most = most;
    while (l->n_threads < threads && !pthread_create(&l->thread[l->n_threads], NULL, serve, l))
        l->n_threads++;
    if (l->n_threads == 0) {
        pfs_lanes_close(l);
        return pfs_fail(err, EAGAIN, "cannot start a thread");
    }
    *ret = l;
    return 0;
}

static void append(struct pfs_lanes *l, struct pfs_task *task)
{
    task->next = NULL;
    *l->last = task;
    l->last = &task->next;
    l->queued++;
    pthread_cond_signal(&l->work);
}

bool pfs_lanes_offer(struct pfs_lanes *l, struct pfs_task *task)
{
    pthread_mutex_lock(&l->lock);
    bool taken = !l->closing && l->queued < l->most;
    if (taken)
        append(l, task);
    pthread_mutex_unlock(&l->lock);
    return taken;
}

void pfs_lanes_push(struct pfs_lanes *l, struct pfs_task *task)
{
    pthread_mutex_lock(&l->lock);
    bool closing = l->closing;
    if (!closing)
        append(l, task);
    pthread_mutex_unlock(&l->lock);
    if (closing)
        task->run(task, true);
}

bool pfs_lanes_drain(struct pfs_lanes *l, int patience_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += patience_ms / 1000;
    until.tv_nsec += patience_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->work);
    int r = 0;
    while ((l->running || l->first) && !r)
        r = pthread_cond_timedwait(&l->idle, &l->lock, &until);
    bool done = !l->running && !l->first;
    pthread_mutex_unlock(&l->lock);
    return done;
}

void pfs_lanes_close(struct pfs_lanes *l)
{
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->thread[i], NULL);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->idle);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
