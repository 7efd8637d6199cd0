/* Request threads. libfuse's own loop forks helpers, waits on a semaphore that only a signal in the right thread ends,
 * and starts before anybody can be told that the mount answers; this one does none of that. */
#include "fs/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct pfs_loop {
    struct pfs_mount *m;
    pthread_t owner;
    void (*answers)(void *arg);
    void *arg;
    int n, most;
    bool announced;
    pthread_t thread[];
};

static void *serve(void *arg);

/* The first thread is alone until INIT is answered; only then are buffer sizes settled. */
static void announce(struct pfs_loop *l)
{
    l->announced = true;
    while (l->n < l->most && !pthread_create(&l->thread[l->n], NULL, serve, l))
        l->n++;
    l->answers(l->arg);
}

static void *serve(void *arg)
{
    struct pfs_loop *l = arg;
    struct fuse_session *se = l->m->session;
    struct fuse_buf buf = {0};
    bool first = !l->announced;
    while (!fuse_session_exited(se)) {
        int r = fuse_session_receive_buf(se, &buf);
        if (r == -EINTR || r == -EAGAIN)
            continue;
        if (r <= 0)
            break;
        fuse_session_process_buf(se, &buf);
        if (first && l->m->answers) {
            announce(l);
            first = false;
        }
    }
    free(buf.mem);
    if (first)
        l->announced = true;
    pthread_kill(l->owner, SIGUSR2);
    return NULL;
}

static void wake(int sig)
{
    (void)sig;
}

int pfs_loop_start(struct pfs_mount *m, int threads, void (*answers)(void *arg), void *arg, struct pfs_loop **ret,
                   struct pfs_err *err)
{
    struct pfs_loop *l = calloc(1, sizeof *l + (size_t)threads * sizeof l->thread[0]);
    if (!l)
        return pfs_fail(err, ENOMEM, "no memory for threads");
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGUSR1, &action, NULL);
    *l = (struct pfs_loop){.m = m, .owner = pthread_self(), .answers = answers, .arg = arg, .most = threads, .n = 1};
    int r = pthread_create(&l->thread[0], NULL, serve, l);
    if (r) {
        free(l);
        return pfs_fail(err, r, "cannot start a thread");
    }
    *ret = l;
    return 0;
}

/* A thread may be anywhere between looking at the flag and reading, so it is woken until it has ended. */
static void join(pthread_t thread)
{
    struct timespec pause = {0, 2000000};
    while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
        pthread_kill(thread, SIGUSR1);
        nanosleep(&pause, NULL);
    }
}

void pfs_loop_stop(struct pfs_loop *l)
{
    fuse_session_exit(l->m->session);
    join(l->thread[0]);               /* which starts the others, so their number is final now */
    for (int i = 1; i < l->n; i++)
        join(l->thread[i]);
    free(l);
}
