/* Tasks: one for each result being made, shared by all who want it.
 *
 * The table and the waiters are guarded by the engine's lock; callbacks are made without it. A task holds a reference to
 * itself while it is being made and one for the table. */
#include "engine/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t pfs_engine_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static bool same_at(struct pfs_at a, struct pfs_at b)
{
    return a.t == b.t && a.z == b.z && a.c == b.c;
}

struct task *pfs_task_find(struct pfs_engine *e, enum task_kind kind, const struct pfs_view_on *v, struct pfs_at at,
                           const char *op)
{
    for (struct task *t = e->tasks; t; t = t->next)
        if (t->kind == kind && !t->cancelled && t->view->dataset == v->dataset && !strcmp(t->view->text, v->text) &&
            (kind == TASK_PLANE ? same_at(t->at, at) : !strcmp(t->op, op)))
            return t;
    return NULL;
}

struct task *pfs_task_create(struct pfs_engine *e, enum task_kind kind, struct pfs_view_on *v, size_t size)
{
    struct task *t = calloc(1, size);
    if (!t)
        return NULL;
    t->e = e;
    t->kind = kind;
    t->view = v;
    pfs_view_ref(v);
    t->refs = 2;
    t->started = pfs_engine_now();
    t->next = e->tasks;
    e->tasks = t;
    return t;
}

void pfs_task_join(struct task *t, struct pfs_waiter *w)
{
    w->task = t;
    w->next = t->waiters;
    t->waiters = w;
    t->n_waiters++;
}

void pfs_task_unref(struct task *t)
{
    struct pfs_engine *e = t->e;
    pthread_mutex_lock(&e->lock);
    bool last = --t->refs == 0;
    pthread_mutex_unlock(&e->lock);
    if (!last)
        return;
    pfs_view_unref(t->view);
    free(t->op);
    free(t);
}

int pfs_task_permille(const struct task *t)
{
    const struct task *before = t->before ? t->before->task : NULL;
    int share = t->before ? t->before_share : 0;
    return before ? share * pfs_task_permille(before) / 1000 : share + (1000 - share) * t->permille / 1000;
}

static void take_out(struct task *t)
{
    for (struct task **at = &t->e->tasks; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            return;
        }
}

bool pfs_task_unwanted(struct task *t)
{
    pthread_mutex_lock(&t->e->lock);
    bool unwanted = t->cancelled;
    pthread_mutex_unlock(&t->e->lock);
    return unwanted;
}

void pfs_task_end(struct task *t, int code, const char *reason, struct pfs_pixels *pixels, struct pfs_blob table)
{
    struct pfs_engine *e = t->e;
    pthread_mutex_lock(&e->lock);
    t->over = true;
    take_out(t);
    struct pfs_waiter *w = t->waiters;
    t->waiters = NULL;
    for (struct pfs_waiter *i = w; i; i = i->next)
        i->task = NULL;
    pthread_mutex_unlock(&e->lock);
    for (struct pfs_waiter *next; w; w = next) {
        next = w->next;
        struct pfs_pixels *part = pixels && t->part_bytes ? pfs_pixels_part(pixels, w->part * t->part_bytes, t->part_bytes)
                                                          : NULL;
        if (pixels && t->part_bytes && !part)
            w->done(w, -ENOMEM, "no memory for a plane", NULL, table);
        else
            w->done(w, code, reason, part ? part : pixels, table);
        pfs_pixels_unref(part);
    }
    pfs_task_unref(t);
}

bool pfs_task_leave(struct pfs_engine *e, struct pfs_waiter *w)
{
    struct task *t = w->task;
    if (!t)
        return false;
    for (struct pfs_waiter **at = &t->waiters; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    w->task = NULL;
    if (--t->n_waiters == 0 && !t->over) {
        t->cancelled = true;
        e->jobs_cancelled++;
        if (t->cancel)
            t->cancel(t);
    }
    return true;
}

bool pfs_engine_leave(struct pfs_engine *e, struct pfs_waiter *w)
{
    pthread_mutex_lock(&e->lock);
    bool left = pfs_task_leave(e, w);
    pthread_mutex_unlock(&e->lock);
    return left;
}
