/* The engine's beginning and end, and what it says of itself. */
#include "engine/own.h"

#include <planefs/mem.h>
#include <planefs/version.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIBE_TIMEOUT_MS = 10000 };

static int describe(struct pfs_engine *e, struct pfs_err *err)
{
    struct pfs_blob answer = {0};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_DESCRIBE, .most = 8 << 20, .timeout_ms = DESCRIBE_TIMEOUT_MS};
    int r = pfs_pool_call(e->pool, &o, &answer, err);
    if (!r)
        r = pfs_registry_get(answer, &e->registry, err);
    free(answer.data);
    return r;
}

int pfs_engine_create(const struct pfs_engine_options *o, struct pfs_engine **ret, struct pfs_err *err)
{
    struct pfs_engine *e = calloc(1, sizeof *e);
    *ret = NULL;
    if (!e)
        return pfs_fail(err, ENOMEM, "no memory for the engine");
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->chores_lock, NULL);
    pthread_cond_init(&e->chores_here, NULL);
    e->o = *o;
    e->started_ms = pfs_engine_now();
    int r = pfs_cache_open(&o->cache, &e->cache, err);
    if (!r)
        r = pfs_pool_create(&o->pool, &e->pool, err);
    if (!r)
        r = describe(e, err);
    if (!r)
        r = pfs_configure(e, err);
    if (!r)
        r = pfs_catalog_open(o->source, e->config, e->cache, e->pool, &e->catalog, err);
    if (!r)
        r = pfs_chores_start(e, err);
    if (r < 0)
        pfs_engine_destroy(e);
    else
        *ret = e;
    return r;
}

/* Jobs that still wait for memory are ended as cancelled. */
static void refuse_waiting(struct pfs_engine *e)
{
    for (;;) {
        pthread_mutex_lock(&e->lock);
        struct admission *a = e->waiting;
        if (a) {
            e->waiting = a->next;
            e->memory_used += a->memory;
            e->jobs_running++;
        }
        pthread_mutex_unlock(&e->lock);
        if (!a)
            return;
        free(a->order.request.data);
        a->order.done(a->order.ctx, -ECANCELED, "stopping", (struct pfs_blob){0});
    }
}

void pfs_engine_destroy(struct pfs_engine *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    for (struct task *t = e->tasks; t; t = t->next) {
        t->cancelled = true;
        if (t->cancel)
            t->cancel(t);
    }
    pthread_mutex_unlock(&e->lock);
    refuse_waiting(e);
    pfs_chores_stop(e);
    pfs_pool_destroy(e->pool);
    pfs_chores_drain(e);
    while (e->n_reports) {
        struct report_kept *k = &e->report[--e->n_reports];
        pfs_view_unref(k->view);
        free(k->op);
        free(k->table.data);
    }
    while (e->n_views)
        pfs_view_unref(e->view[--e->n_views]);
    for (int i = 0; i < SETTLED_KEPT; i++)
        pfs_settled_finish(&e->settled[i]);
    for (int i = 0; i < GATHERED_KEPT; i++)
        free(e->gathered[i].text);
    for (int i = 0; i < ERRORS_KEPT; i++) {
        free(e->noted[i].path);
        free(e->noted[i].reason);
    }
    pfs_catalog_close(e->catalog);
    pfs_registry_finish(&e->registry);
    pfs_config_free(e->config);
    pfs_cache_close(e->cache);
    pthread_mutex_destroy(&e->lock);
    pthread_mutex_destroy(&e->chores_lock);
    pthread_cond_destroy(&e->chores_here);
    free(e);
}

struct pfs_catalog *pfs_engine_catalog(struct pfs_engine *e)
{
    return e->catalog;
}

const struct pfs_registry *pfs_engine_registry(struct pfs_engine *e)
{
    return &e->registry;
}

/* ---- the control folder's reports ---- */

void pfs_engine_status_json(struct pfs_engine *e, struct pfs_text *ret)
{
    struct pfs_cache_status cache = {0};
    struct pfs_pool_status pool = {0};
    struct pfs_catalog_status catalog = {0};
    pfs_cache_status(e->cache, &cache);
    pfs_pool_status(e->pool, &pool);
    pfs_catalog_status(e->catalog, &catalog);
    pthread_mutex_lock(&e->lock);
    struct { const char *name; int64_t value; } numbers[] = {
        {"uptime_s", (pfs_engine_now() - e->started_ms) / 1000}, {"datasets", catalog.datasets},
        {"entries", cache.entries}, {"cache_bytes", cache.bytes}, {"cache_limit_bytes", cache.limit},
        {"hits", cache.hits}, {"misses", cache.misses}, {"evicted", cache.evicted}, {"damaged", cache.damaged},
        {"probes", catalog.probes}, {"hashes", catalog.hashes}, {"jobs_started", e->jobs_started},
        {"jobs_running", e->jobs_running}, {"jobs_failed", e->jobs_failed}, {"jobs_cancelled", e->jobs_cancelled},
        {"workers", pool.workers}, {"worker_restarts", pool.restarts}, {"memory_bytes", e->memory_used},
        {"memory_limit_bytes", e->o.memory},
    };
    pthread_mutex_unlock(&e->lock);
    pfs_text_addf(ret, "{\n  \"version\": \"%s\",\n  \"cache_state\": ", PLANEFS_VERSION);
    pfs_text_json(ret, cache.state ? cache.state : "ok");
    pfs_text_add(ret, ",\n  \"sandbox\": ");
    pfs_text_json(ret, pool.sandbox);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        pfs_text_addf(ret, ",\n  \"%s\": %lld", numbers[i].name, (long long)numbers[i].value);
    pfs_text_add(ret, "\n}\n");
}

void pfs_engine_errors_json(struct pfs_engine *e, struct pfs_text *ret)
{
    pthread_mutex_lock(&e->lock);
    int64_t from = e->n_noted > ERRORS_KEPT ? e->n_noted - ERRORS_KEPT : 0;
    pfs_text_add(ret, "[");
    for (int64_t i = from; i < e->n_noted; i++) {
        const struct noted *n = &e->noted[i % ERRORS_KEPT];
        pfs_text_addf(ret, "%s\n  {\"time\": %lld, \"errno\": \"%s\", \"path\": ", i > from ? "," : "",
                      (long long)n->when, pfs_errno_name(n->code));
        pfs_text_json(ret, n->path ? n->path : "");
        pfs_text_add(ret, ", \"reason\": ");
        pfs_text_json(ret, n->reason ? n->reason : "");
        pfs_text_add(ret, "}");
    }
    pfs_text_add(ret, "\n]\n");
    pthread_mutex_unlock(&e->lock);
}

static void job_json(const struct task *t, struct pfs_text *ret)
{
    char name[PFS_NAME_MAX] = "";
    const struct pfs_dataset *d = t->view->dataset;
    int64_t ran = pfs_engine_now() - t->started;
    int permille = pfs_task_permille(t);
    if (t->kind == TASK_PLANE)
        pfs_dataset_name(d, t->at, name);
    bool plane = t->kind == TASK_PLANE;
    int n = plane ? 0 : (int)strcspn(t->op, "/ ");
    PFS_AUTO_FREE char *path = plane ? pfs_format("%s/%s/%s.tif", d->path, t->view->text, name) :
                                       pfs_format("%s/%.*s.json", d->path, n, t->op);
    pfs_text_add(ret, "{\"path\": ");
    pfs_text_json(ret, path ? path + (*path == '/') : "");
    pfs_text_addf(ret, ", \"phase\": \"%s\", \"percent\": %.1f, \"waiters\": %d, \"eta\": ",
                  t->cancel ? "running" : "queued", permille / 10.0, t->n_waiters);
    if (permille > 0)
        pfs_text_addf(ret, "%.1f}", (double)ran * (1000 - permille) / permille / 1000.0);
    else
        pfs_text_add(ret, "null}");
}

void pfs_engine_jobs_json(struct pfs_engine *e, struct pfs_text *ret)
{
    pthread_mutex_lock(&e->lock);
    pfs_text_add(ret, "[");
    for (const struct task *t = e->tasks; t; t = t->next) {
        pfs_text_addf(ret, "%s\n  ", t == e->tasks ? "" : ",");
        job_json(t, ret);
    }
    pfs_text_add(ret, "\n]\n");
    pthread_mutex_unlock(&e->lock);
}
