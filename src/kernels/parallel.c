/* A parallel for on plain threads: no pool, no globals, nothing left behind when the call returns.
 *
 * Items are taken from one atomic counter, so uneven ones balance themselves. Helpers block all signals: those belong
 * to the program's own threads. */
#include "kernels/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { HELPERS_MAX = 255, STACK_BYTES = 1 << 20 };

struct work {
    void (*fn)(void *ctx, int64_t i, int thread);
    void *ctx;
    int64_t n;
    _Atomic int64_t next;
};

struct helper {
    pthread_t id;
    struct work *work;
    int thread;
};

static void run(struct work *work, int thread)
{
    for (;;) {
        int64_t i = atomic_fetch_add(&work->next, 1);
        if (i >= work->n)
            return;
        work->fn(work->ctx, i, thread);
    }
}

static void *helper_main(void *arg)
{
    struct helper *helper = arg;
    run(helper->work, helper->thread);
    return NULL;
}

/* How many of the wanted helpers could be started. */
static int start(struct helper *helper, int wanted, struct work *work)
{
    pthread_attr_t attr;
    if (wanted < 1 || pthread_attr_init(&attr) != 0)
        return 0;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int n = 0;
    for (; n < wanted; n++) {
        helper[n].work = work;
        helper[n].thread = n + 1;
        if (pthread_create(&helper[n].id, &attr, helper_main, &helper[n]) != 0)
            break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return n;
}

void pfs_parallel(int threads, int64_t n, void (*fn)(void *ctx, int64_t i, int thread), void *ctx)
{
    struct work work = {.fn = fn, .ctx = ctx, .n = n};
    struct helper helper[HELPERS_MAX];
    int64_t wanted = threads < n ? threads : n;
    if (wanted > HELPERS_MAX + 1)
        wanted = HELPERS_MAX + 1;
    int started = start(helper, (int)wanted - 1, &work);
    run(&work, 0);
    for (int i = 0; i < started; i++)
        pthread_join(helper[i].id, NULL);
}
