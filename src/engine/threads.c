/* A few threads for work that may wait for a disk: looking for entries, hashing, publishing. */
#include "engine/own.h"

#include <errno.h>

void pfs_chore_add(struct pfs_engine *e, struct chore *c)
{
    c->next = NULL;
    pthread_mutex_lock(&e->chores_lock);
    *e->chores_end = c;
    e->chores_end = &c->next;
    pthread_cond_signal(&e->chores_here);
    pthread_mutex_unlock(&e->chores_lock);
}

static void *chores_loop(void *engine)
{
    struct pfs_engine *e = engine;
    pthread_mutex_lock(&e->chores_lock);
    for (;;) {
        struct chore *c = e->chores;
        if (!c && e->chores_stopping)
            break;
        if (!c) {
            pthread_cond_wait(&e->chores_here, &e->chores_lock);
            continue;
        }
        if (!(e->chores = c->next))
            e->chores_end = &e->chores;
        pthread_mutex_unlock(&e->chores_lock);
        c->run(c);
        pthread_mutex_lock(&e->chores_lock);
    }
    pthread_mutex_unlock(&e->chores_lock);
    return NULL;
}

int pfs_chores_start(struct pfs_engine *e, struct pfs_err *err)
{
    e->chores_end = &e->chores;
    for (e->n_io = 0; e->n_io < IO_THREADS; e->n_io++)
        if (pthread_create(&e->io[e->n_io], NULL, chores_loop, e))
            return pfs_fail(err, EAGAIN, "no thread for the engine");
    return 0;
}

void pfs_chores_stop(struct pfs_engine *e)
{
    pthread_mutex_lock(&e->chores_lock);
    e->chores_stopping = true;
    pthread_cond_broadcast(&e->chores_here);
    pthread_mutex_unlock(&e->chores_lock);
    for (int i = 0; i < e->n_io; i++)
        pthread_join(e->io[i], NULL);
    e->n_io = 0;
}

void pfs_chores_drain(struct pfs_engine *e)
{
    while (e->chores) {
        struct chore *c = e->chores;
        if (!(e->chores = c->next))
            e->chores_end = &e->chores;
        c->run(c);
    }
}
