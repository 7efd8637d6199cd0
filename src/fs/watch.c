/* The list of waiting requests and the thread that looks after them.
 *
 * A pending signal counts when it is not blocked and not ignored: INT, TERM, HUP and QUIT in any case (a program that
 * catches them wants to hear of them), others only where their default is to end the process. SIGKILL counts always;
 * the kernel sets it on every thread of a process that a signal ends. */
#include "fs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_MS = 100, ROUND = 64 };

struct pfs_watch {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct pfs_waiting list;         /* circular, a head */
    int n, n_looked_at;
    bool poked, closing;
};

static uint64_t mask_after(const char *status, const char *key)
{
    const char *p = strstr(status, key);
    return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

static uint64_t bits(const int *signals)
{
    uint64_t mask = 0;
    for (; *signals; signals++)
        mask |= UINT64_C(1) << (*signals - 1);
    return mask;
}

bool pfs_status_leaves(const char *status)
{
    static const int kill_it[] = {SIGKILL, 0}, asked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0};
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH, 0};
    const char *state = strstr(status, "\nState:\t");
    if (!state || state[8] == 'Z' || state[8] == 'X')
        return true;
    uint64_t pending = mask_after(status, "\nSigPnd:\t") | mask_after(status, "\nShdPnd:\t");
    if (pending & bits(kill_it))
        return true;
    pending &= ~(mask_after(status, "\nSigBlk:\t") | mask_after(status, "\nSigIgn:\t"));
    uint64_t caught = mask_after(status, "\nSigCgt:\t");
    return pending & (bits(asked) | (~caught & ~bits(harmless)));
}

static bool leaves(pid_t thread)
{
    char path[48], status[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH;
    ssize_t n = read(fd, status, sizeof status - 1);
    int code = errno;
    close(fd);
    if (n <= 0)
        return n < 0 && code == ESRCH;
    status[n] = 0;
    return pfs_status_leaves(status);
}

static bool to_look_at(const struct pfs_waiting *r)
{
    return r->thread > 0 && (r->always || atomic_load(&r->interrupted));
}

/* Up to ROUND requests to look at, held; the list is turned so that the next round meets the others. */
static int collect(struct pfs_watch *w, struct pfs_waiting *ret[ROUND])
{
    int n = 0, seen = 0;
    for (int total = w->n; seen < total && n < ROUND; seen++) {
        struct pfs_waiting *r = w->list.next;
        w->list.next = r->next;
        r->next->prev = &w->list;
        r->prev = w->list.prev;
        r->next = &w->list;
        w->list.prev->next = r;
        w->list.prev = r;
        if (to_look_at(r)) {
            r->hold(r, 1);
            ret[n++] = r;
        }
    }
    return n;
}

static void look(struct pfs_waiting *const *found, int n)
{
    for (int i = 0; i < n; i++) {
        if (leaves(found[i]->thread))
            found[i]->cancel(found[i], EINTR);
        found[i]->hold(found[i], -1);
    }
}

static void nap(struct pfs_watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PERIOD_MS * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    int r = 0;
    while (!w->poked && !w->closing && !r)
        r = w->n_looked_at ? pthread_cond_timedwait(&w->wake, &w->lock, &until)
                           : pthread_cond_wait(&w->wake, &w->lock);
    w->poked = false;
}

static void *watch(void *arg)
{
    struct pfs_watch *w = arg;
    struct pfs_waiting *found[ROUND];
    pthread_mutex_lock(&w->lock);
    while (!w->closing) {
        int n = collect(w, found);
        pthread_mutex_unlock(&w->lock);
        look(found, n);
        pthread_mutex_lock(&w->lock);
        nap(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int pfs_watch_open(struct pfs_watch **ret, struct pfs_err *err)
{
    struct pfs_watch *w = calloc(1, sizeof *w);
    if (!w)
        return pfs_fail(err, ENOMEM, "no memory for a thread");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    w->list.next = w->list.prev = &w->list;
    int r = pthread_create(&w->thread, NULL, watch, w);
    if (r) {
        free(w);
        return pfs_fail(err, r, "cannot start a thread");
    }
    *ret = w;
    return 0;
}

void pfs_watch_close(struct pfs_watch *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void poke(struct pfs_watch *w)
{
    w->poked = true;
    pthread_cond_signal(&w->wake);
}

void pfs_watch_add(struct pfs_watch *w, struct pfs_waiting *r)
{
    pthread_mutex_lock(&w->lock);
    r->next = &w->list;
    r->prev = w->list.prev;
    w->list.prev->next = r;
    w->list.prev = r;
    w->n++;
    bool looked_at = to_look_at(r);
    w->n_looked_at += looked_at;
    r->always = looked_at;               /* remembered for the way out, and until then looked at each round */
    if (looked_at && (w->n_looked_at == 1 || atomic_load(&r->interrupted)))
        poke(w);
    pthread_mutex_unlock(&w->lock);
}

void pfs_watch_remove(struct pfs_watch *w, struct pfs_waiting *r)
{
    pthread_mutex_lock(&w->lock);
    if (r->next) {
        r->next->prev = r->prev;
        r->prev->next = r->next;
        r->next = r->prev = NULL;
        w->n--;
        w->n_looked_at -= r->always;
    }
    pthread_mutex_unlock(&w->lock);
}

void pfs_watch_interrupted(struct pfs_watch *w, struct pfs_waiting *r)
{
    pthread_mutex_lock(&w->lock);
    atomic_store(&r->interrupted, true);
    if (r->next && r->thread > 0) {
        w->n_looked_at += !r->always;
        r->always = true;
        poke(w);
    }
    pthread_mutex_unlock(&w->lock);
}

void pfs_watch_cancel_all(struct pfs_watch *w, int code)
{
    for (;;) {
        pthread_mutex_lock(&w->lock);
        struct pfs_waiting *r = w->list.next;
        bool none = r == &w->list;
        if (!none) {
            r->hold(r, 1);
            r->next->prev = r->prev;
            r->prev->next = r->next;
            r->next = r->prev = NULL;
            w->n--;
            w->n_looked_at -= r->always;
        }
        pthread_mutex_unlock(&w->lock);
        if (none)
            return;
        r->cancel(r, code);
        r->hold(r, -1);
    }
}
