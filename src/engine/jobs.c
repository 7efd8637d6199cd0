/* Jobs within the budget: a job declares its memory before it starts and waits its turn when others hold it. A job that
 * alone exceeds the budget is refused. */
#include "engine/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* lock held; jobs that fit now, in order, unlinked */
static struct admission *admitted(struct pfs_engine *e)
{
    struct admission *list = NULL, **end = &list;
    while (e->waiting && (!e->memory_used || e->memory_used + e->waiting->memory <= e->o.memory)) {
        struct admission *a = e->waiting;
        e->waiting = a->next;
        a->next = NULL;
        e->memory_used += a->memory;
        e->jobs_started += !a->cancelled;
        e->jobs_running++;
        a->order.number = a->job = pfs_pool_number(e->pool);
        *end = a;
        end = &a->next;
    }
    return list;
}

static void refuse(struct admission *a, int code, const char *reason)
{
    free(a->order.request.data);
    a->order.done(a->order.ctx, code, reason, (struct pfs_blob){0});
}

static void submit_all(struct pfs_engine *e)
{
    pthread_mutex_lock(&e->lock);
    struct admission *list = admitted(e);
    pthread_mutex_unlock(&e->lock);
    for (struct admission *a = list, *next; a; a = next) {
        next = a->next;              /* `a` may be gone once it is handed over */
        pthread_mutex_lock(&e->lock);
        bool cancelled = a->cancelled;
        pthread_mutex_unlock(&e->lock);
        if (cancelled)
            refuse(a, -ECANCELED, "cancelled");
        else
            pfs_pool_submit(e->pool, &a->order);
    }
}

void pfs_job_submit(struct admission *a)
{
    struct pfs_engine *e = a->e;
    a->order.memory = a->memory;
    pthread_mutex_lock(&e->lock);
    bool fits = a->memory <= e->o.memory;
    if (fits) {
        struct admission **end = &e->waiting;
        while (*end && (*end)->order.priority >= a->order.priority)
            end = &(*end)->next;
        a->next = *end;
        *end = a;
    }
    pthread_mutex_unlock(&e->lock);
    if (fits) {
        submit_all(e);
        return;
    }
    struct pfs_err err;
    pfs_fail(&err, ENOMEM, "needs %lld MB, the budget is %lld MB (-o memory=)", (long long)(a->memory >> 20),
             (long long)(e->o.memory >> 20));
    pthread_mutex_lock(&e->lock);
    e->memory_used += a->memory;   /* pfs_job_over gives it back */
    e->jobs_running++;
    pthread_mutex_unlock(&e->lock);
    refuse(a, -ENOMEM, err.text);
}

void pfs_job_over(struct admission *a, int code)
{
    struct pfs_engine *e = a->e;
    pthread_mutex_lock(&e->lock);
    a->ended = true;
    e->memory_used -= a->memory;
    e->jobs_running--;
    e->jobs_failed += code < 0 && code != -ECANCELED;
    pthread_mutex_unlock(&e->lock);
    submit_all(e);
}

void pfs_job_cancel(struct admission *a)
{
    a->cancelled = true;
    if (a->job && !a->ended)
        pfs_pool_cancel(a->e->pool, a->job);
}

int pfs_open_source(struct pfs_engine *e, const struct pfs_dataset *d, const char *name, int *ret_fd,
                    struct pfs_err *err)
{
    for (int64_t i = 0; i < d->n_files; i++)
        if (!strcmp(d->file[i].path, name))
            return pfs_catalog_open_file(e->catalog, &d->file[i], ret_fd, err);
    for (int64_t i = 0; i < d->n_companions; i++)
        if (!strcmp(d->companion[i].path, name))
            return pfs_catalog_open_file(e->catalog, &d->companion[i], ret_fd, err);
    if (*name && (!strcmp(name, d->info) || !strcmp(name, d->model) || !strcmp(name, d->mask)))
        return pfs_catalog_open_path(e->catalog, name, ret_fd, err);
    return pfs_fail(err, EPERM, "%s is no file of this dataset", name);
}
