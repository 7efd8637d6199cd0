/* One plane: found, or made from the nearest stage that is there.
 *
 * prepare (a chore): where the plane lies, its content hash, its key; an entry, or the longest cached prefix of the
 * recipe as input, else the source; a draft; a job. finish (a chore, after the job): publish and tell the waiters. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STAGE_CHUNK = 4 << 20 };

struct plane_task {
    struct task t;
    struct admission job;
    struct pfs_located l;
    struct pfs_text text;            /* canonical, of the whole recipe */
    struct pfs_hash key;
    struct pfs_waiter model_waiter;
    struct pfs_blob model;           /* what one of the steps has learnt; data NULL: none needed, or not known yet */
    struct pfs_hash model_hash;
    int model_fd;
    struct pfs_entry *stage;         /* cached input, or NULL: the source */
    int from;                        /* first step still to run */
    struct pfs_draft *draft;
    bool in_memory;                  /* the folder refused once: the draft is held in memory */
    int code;                        /* of the job */
    char reason[240];
};

static void finish_with(struct plane_task *p, int code, const char *reason, struct pfs_pixels *pixels)
{
    struct pfs_engine *e = p->t.e;
    bool killed = code == -ECONNABORTED;
    if (code == -ECONNABORTED)
        code = -EIO;
    if (code < 0 && code != -ECANCELED && code != -ESTALE) {
        char name[PFS_NAME_MAX];
        pfs_dataset_name(p->t.view->dataset, p->t.at, name);
        PFS_AUTO_FREE char *path = pfs_format("%s%s%s/%s", p->t.view->dataset->path, *p->t.view->dataset->path ? "/" : "",
                                              p->t.view->text, name);
        pfs_failure_add(e, pfs_failure_of(p->t.view, p->t.at, NULL), -code, reason, killed);
        if (!p->t.background)
            pfs_engine_note_error(e, path ? path : "", -code, reason);
    }
    pfs_draft_discard(p->draft);
    pfs_entry_unref(p->stage);
    pfs_text_finish(&p->text);
    free(p->model.data);
    if (p->model_fd >= 0)
        close(p->model_fd);
    p->draft = NULL;
    p->stage = NULL;
    struct pfs_view_on *v = p->t.view;
    pfs_view_ref(v);
    pfs_task_end(&p->t, code, reason, pixels, (struct pfs_blob){0});
    pfs_pixels_unref(pixels);
    pfs_task_unref(&p->t);
    if (!code)
        pfs_ahead_made(e, v);
    pfs_view_unref(v);
}

static void give_entry(struct plane_task *p, struct pfs_entry *entry)
{
    struct pfs_pixels *pixels = pfs_pixels_of_entry(entry);
    finish_with(p, pixels ? 0 : -ENOMEM, pixels ? "" : "no memory for a plane", pixels);
}

/* ---- after the job ---- */

static int start_job(struct plane_task *p, struct pfs_err *err);

static bool disk_trouble(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EROFS;
}

static void finish(struct chore *c)
{
    struct plane_task *p = (struct plane_task *)((char *)c - offsetof(struct plane_task, t.chore));
    struct pfs_engine *e = p->t.e;
    struct pfs_err err = {0};
    struct pfs_entry *entry;
    if (disk_trouble(p->code) && !p->in_memory) {
        pfs_draft_discard(p->draft);
        p->draft = NULL;
        p->in_memory = true;
        int r = start_job(p, &err);
        if (r < 0)
            finish_with(p, r, err.text, NULL);
        return;
    }
    if (!p->code && pfs_dataset_stale(e->catalog, p->t.view->dataset, p->l.file - p->t.view->dataset->file)) {
        p->code = pfs_fail(&err, ESTALE, "%s changed while it was read", p->l.file->path);
        memcpy(p->reason, err.text, sizeof p->reason);
    }
    if (p->code < 0) {
        finish_with(p, p->code, p->reason, NULL);
        return;
    }
    int r = pfs_draft_publish(PFS_TAKE(p->draft), p->key, p->text.s, &entry, &err);
    if (r < 0)
        finish_with(p, r, err.text, NULL);
    else
        give_entry(p, entry);
}

static void job_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct plane_task *p = ctx;
    (void)bytes;
    pfs_job_over(&p->job, code);
    p->code = code;
    strncpy(p->reason, reason ? reason : "", sizeof p->reason - 1);
    p->t.chore.run = finish;
    pfs_chore_add(p->t.e, &p->t.chore);
}

static void job_progress(void *ctx, int permille)
{
    struct plane_task *p = ctx;
    pthread_mutex_lock(&p->t.e->lock);
    p->t.permille = permille;
    pthread_mutex_unlock(&p->t.e->lock);
}

static int job_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct plane_task *p = ctx;
    if (p->model_fd >= 0 && !strcmp(name, "model")) {
        *ret_fd = fcntl(p->model_fd, F_DUPFD_CLOEXEC, 0);
        return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for a model") : 0;
    }
    if (p->stage && !strcmp(name, "stage")) {
        *ret_fd = fcntl(pfs_entry_fd(p->stage), F_DUPFD_CLOEXEC, 0);
        return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for a stage") : 0;
    }
    if (!strcmp(name, p->l.file->path))
        return pfs_catalog_open_file(p->t.e->catalog, p->l.file, ret_fd, err);
    return pfs_open_source(p->t.e, p->t.view->dataset, name, ret_fd, err);
}

static void prepare(struct chore *c);

static void cancel(struct task *t)
{
    struct plane_task *p = (struct plane_task *)t;
    if (pfs_task_leave(t->e, &p->model_waiter)) {
        t->chore.run = prepare;
        pfs_chore_add(t->e, &t->chore);
    } else if (p->job.e)
        pfs_job_cancel(&p->job);
}

/* ---- before the job ---- */

static int64_t memory_needed(const struct plane_task *p)
{
    const struct pfs_recipe *r = &p->t.view->recipe;
    int64_t most = 0, in = pfs_shape_plane_bytes(&p->t.view->dataset->shape);
    for (int i = p->from; i < r->n; i++)
        if (r->step[i].memory > most)
            most = r->step[i].memory;
    return in + pfs_shape_plane_bytes(&p->t.view->shape) + most;
}

/* One big plane alone gets all cores; when others run or wait, each gets one. */
static int threads_for(struct pfs_engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool alone = !e->jobs_running && !e->waiting;
    pthread_mutex_unlock(&e->lock);
    return alone && e->o.cores > 1 ? e->o.cores : 1;
}

static bool make_request(struct plane_task *p, int64_t offset, struct pfs_blob *ret)
{
    const struct pfs_dataset *d = p->t.view->dataset;
    const struct pfs_recipe *r = &p->t.view->recipe;
    struct pfs_text text = {0};
    struct pfs_input input = {.name = p->l.file->path, .series = p->l.series, .at = p->l.at, .shape = d->shape,
                              .plane = p->t.at, .version = pfs_dataset_version(d, p->l.file - d->file)};
    if (p->stage)
        input = (struct pfs_input){.name = "stage", .series = -1, .offset = pfs_entry_head(p->stage), .plane = p->t.at,
                                   .shape = p->from ? r->step[p->from - 1].out : d->shape};
    PFS_AUTO_FREE char **steps = pfs_array(r->n + 1, sizeof *steps);
    if (!steps)
        return false;
    for (int i = p->from; i < r->n; i++)
        steps[i - p->from] = r->step[i].text;
    struct pfs_work w = {.n_steps = r->n - p->from, .step = steps, .at = p->t.at, .offset = offset,
                         .threads = threads_for(p->t.e), .n_inputs = 1, .input = &input,
                         .model = p->model_fd >= 0};
    pfs_dataset_info(d, &w.stack);
    pfs_work_put(&text, &w);
    return pfs_text_take(&text, ret);
}

static int make_draft(struct plane_task *p, int64_t *ret_head, struct pfs_err *err)
{
    struct pfs_engine *e = p->t.e;
    struct pfs_shape one = p->t.view->shape, *shape = &one;
    PFS_AUTO_TEXT struct pfs_text head = {0};
    one.t = one.z = one.c = 1;
    int r = e->o.head(shape, p->text.s, &head, err);
    if (r < 0)
        return r;
    *ret_head = (int64_t)head.n;
    return (p->in_memory ? pfs_draft_create_memory : pfs_draft_create)(e->cache, head.s, (int64_t)head.n,
                                                                       pfs_shape_plane_bytes(shape), &p->draft, err);
}

static int start_job(struct plane_task *p, struct pfs_err *err)
{
    struct pfs_engine *e = p->t.e;
    int64_t head;
    int r = make_draft(p, &head, err);
    if (r < 0)
        return r;
    p->job = (struct admission){.e = e, .memory = memory_needed(p), .order = {
        .role = PFS_MAKER, .verb = PFS_PLANE, .result_fd = pfs_draft_fd(p->draft), .timeout_ms = e->o.timeout_ms,
        .length = pfs_shape_plane_bytes(&p->t.view->shape), .open = job_open, .progress = job_progress,
        .done = job_done, .ctx = p,
        .priority = p->t.background ? -10 : 0}};
    if (!make_request(p, head, &p->job.order.request))
        return pfs_fail(err, ENOMEM, "no memory for a job");
    pthread_mutex_lock(&e->lock);
    bool cancelled = p->t.cancelled;
    if (!cancelled)
        p->t.cancel = cancel;
    pthread_mutex_unlock(&e->lock);
    if (cancelled) {
        free(p->job.order.request.data);
        return pfs_fail(err, ECANCELED, "cancelled");
    }
    pfs_job_submit(&p->job);
    return 0;
}

/* A stage goes to the worker as it lies on disk, so it is checked here, whole. */
static bool sound(struct pfs_entry *entry)
{
    int64_t size = pfs_entry_size(entry);
    PFS_AUTO_FREE char *buffer = malloc(STAGE_CHUNK);
    for (int64_t off = 0; buffer && off < size; off += STAGE_CHUNK) {
        int64_t n = size - off < STAGE_CHUNK ? size - off : STAGE_CHUNK;
        if (pfs_entry_read(entry, off, n, buffer, NULL) < 0)
            return false;
    }
    return buffer;
}

/* The longest prefix of the recipe that is in the cache, the whole of it included. */
static struct pfs_entry *find_stage(struct plane_task *p, struct pfs_hash content, struct pfs_err *err)
{
    struct pfs_engine *e = p->t.e;
    int n = p->t.view->recipe.n;
    for (int steps = n; steps >= 0; steps--) {
        PFS_AUTO_TEXT struct pfs_text text = {0};
        struct pfs_entry *entry;
        const struct pfs_hash *model = p->model.data ? &p->model_hash : NULL;
        if (pfs_plane_text(p->t.view, &p->l, content, p->t.at, steps, model, &text, err) < 0)
            return NULL;
        struct pfs_hash key = pfs_hash(text.s, text.n);
        bool found = (steps == n || pfs_entry_exists(e->cache, key)) && !pfs_entry_find(e->cache, key, text.s, &entry);
        if (steps == n) {
            p->key = key;
            p->text = text;
            text = (struct pfs_text){0};
        }
        if (found && (steps == n || sound(entry))) {
            p->from = steps;
            return entry;
        }
        if (found)
            pfs_entry_unref(entry);
    }
    return NULL;
}

static void learnt(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels, struct pfs_blob table)
{
    struct plane_task *p = (struct plane_task *)((char *)w - offsetof(struct plane_task, model_waiter));
    (void)pixels;
    p->code = code;
    strncpy(p->reason, reason ? reason : "", sizeof p->reason - 1);
    if (!code) {
        p->model = pfs_blob_copy(table);
        p->model_hash = pfs_hash(table.data, table.size);
    }
    pfs_chore_add(p->t.e, &p->t.chore);
}

/* The model of the step that needs one: true when it is here, or there is no such step; else prepare comes again. */
static bool have_model(struct plane_task *p)
{
    struct pfs_engine *e = p->t.e;
    struct learning l;
    if (p->model.data || pfs_model_of(p->t.view, p->t.at, &l) ||
        pfs_model_known(e, p->t.view, p->t.at, &p->model, &p->model_hash))
        return true;
    p->model_waiter.done = learnt;
    pthread_mutex_lock(&e->lock);
    p->t.before = &p->model_waiter;
    p->t.before_share = 950;
    p->t.cancel = cancel;
    pthread_mutex_unlock(&e->lock);
    pfs_engine_learn(e, p->t.view, &l, &p->model_waiter);
    return false;
}

static void prepare(struct chore *c)
{
    struct plane_task *p = (struct plane_task *)((char *)c - offsetof(struct plane_task, t.chore));
    struct pfs_engine *e = p->t.e;
    struct pfs_dataset *d = p->t.view->dataset;
    struct pfs_hash content;
    struct pfs_err err = {0};
    if (pfs_task_unwanted(&p->t)) {
        finish_with(p, -ECANCELED, "cancelled", NULL);
        return;
    }
    if (p->code < 0) {
        finish_with(p, p->code, p->reason, NULL);
        return;
    }
    int r = pfs_catalog_locate(e->catalog, d, p->t.at, true, &p->l, &err);
    if (!r && !have_model(p))
        return;
    if (!r && p->model.data && p->model_fd < 0 && (p->model_fd = pfs_memory_file("planefs-model", p->model)) < 0)
        r = pfs_fail(&err, EMFILE, "no descriptor for a model");
    if (!r && !p->t.view->recipe.n && p->l.extent.raw >= 0) {
        int fd = -1;
        struct pfs_pixels *pixels = NULL;
        r = pfs_catalog_open_file(e->catalog, p->l.data, &fd, &err);
        if (!r && !(pixels = pfs_pixels_of_file(fd, &p->l, &d->shape)))
            r = pfs_fail(&err, ENOMEM, "no memory for a plane");
        finish_with(p, r, err.text, pixels);
        return;
    }
    if (!r)
        r = pfs_catalog_content(e->catalog, d, &p->l, PFS_READ, &content, &err);
    if (!r) {
        p->stage = find_stage(p, content, &err);
        if (p->stage && p->from == p->t.view->recipe.n) {
            give_entry(p, PFS_TAKE(p->stage));
            return;
        }
        r = p->text.s ? start_job(p, &err) : -ENOMEM;
    }
    if (r < 0)
        finish_with(p, r, err.text, NULL);
}

/* The task that makes the plane: the one there is, or a new one. lock held */
static struct task *plane_task(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool *ret_fresh)
{
    struct task *t = pfs_task_find(e, TASK_PLANE, v, at, NULL);
    *ret_fresh = !t && (t = pfs_task_create(e, TASK_PLANE, v, sizeof(struct plane_task)));
    if (*ret_fresh) {
        t->at = at;
        ((struct plane_task *)t)->model_fd = -1;
        t->chore.run = prepare;
    }
    return t;
}

void pfs_plane_in_background(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at)
{
    bool fresh = false;
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_ahead_wanted(e, v) ? plane_task(e, v, at, &fresh) : NULL;
    if (fresh) {
        t->background = true;
        e->reading.made++;
    }
    pthread_mutex_unlock(&e->lock);
    if (fresh)
        pfs_chore_add(e, &t->chore);
}

void pfs_engine_plane(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_waiter *w)
{
    struct pfs_err err = {0};
    int code;
    w->task = NULL;
    if (pfs_gather_step(&v->recipe) >= 0) {
        pfs_gather_plane(e, v, at, w);
        return;
    }
    if (pfs_failure_known(e, pfs_failure_of(v, at, NULL), &code, &err)) {
        w->done(w, code, err.text, NULL, (struct pfs_blob){0});
        return;
    }
    bool fresh;
    pfs_ahead_asked(e, v, at);
    pthread_mutex_lock(&e->lock);
    struct task *t = plane_task(e, v, at, &fresh);
    if (t)
        pfs_task_join(t, w);
    pfs_ahead_give_way(e);
    pthread_mutex_unlock(&e->lock);
    if (!t)
        w->done(w, -ENOMEM, "no memory for a task", NULL, (struct pfs_blob){0});
    else if (fresh)
        pfs_chore_add(e, &t->chore);
}

/* ---- what is known now ---- */

static enum pfs_state no_memory(struct pfs_err *err)
{
    pfs_fail(err, ENOMEM, "no memory for a plane");
    return PFS_ERROR;
}

static enum pfs_state look_entry(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at,
                                 const struct pfs_located *l, struct pfs_pixels **ret, struct pfs_err *err)
{
    struct pfs_hash content, model;
    struct pfs_entry *entry;
    struct pfs_blob table = {0};
    PFS_AUTO_TEXT struct pfs_text text = {0};
    bool learns = pfs_model_step(&v->recipe) >= 0;
    if (learns && !pfs_model_known(e, v, at, &table, &model))
        return PFS_COLD;
    free(table.data);
    int r = pfs_catalog_content(e->catalog, v->dataset, l, PFS_REMEMBERED, &content, err);
    if (r == -EAGAIN)
        return PFS_COLD;
    if (r < 0 || pfs_plane_text(v, l, content, at, v->recipe.n, learns ? &model : NULL, &text, err) < 0)
        return PFS_ERROR;
    struct pfs_hash key = pfs_hash(text.s, text.n);
    if (!pfs_entry_exists(e->cache, key) || pfs_entry_find(e->cache, key, text.s, &entry))
        return PFS_COLD;
    *ret = pfs_pixels_of_entry(entry);
    return *ret ? PFS_READY : no_memory(err);
}

enum pfs_state pfs_engine_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err)
{
    struct pfs_located l;
    int code, fd = -1;
    *unsure = false;
    *ret = NULL;
    if (pfs_gather_step(&v->recipe) >= 0)
        return pfs_gather_look(e, v, at, wait, unsure, percent, ret, err);
    if (pfs_failure_known(e, pfs_failure_of(v, at, NULL), &code, err))
        return PFS_ERROR;
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_PLANE, v, at, NULL);
    *percent = t ? pfs_task_permille(t) / 10 : 0;
    pthread_mutex_unlock(&e->lock);
    if (t)
        return PFS_RUNNING;
    int r = pfs_catalog_locate(e->catalog, v->dataset, at, wait, &l, err);
    if (r == -EAGAIN) {
        *unsure = true;
        return PFS_COLD;
    }
    if (r < 0)
        return PFS_ERROR;
    bool raw = !v->recipe.n && l.extent.raw >= 0;
    if (!raw && !wait) {
        *unsure = true;
        return PFS_COLD;
    }
    if (!raw)
        return look_entry(e, v, at, &l, ret, err);
    if (pfs_catalog_open_file(e->catalog, l.data, &fd, err) < 0)
        return PFS_ERROR;
    *ret = pfs_pixels_of_file(fd, &l, &v->dataset->shape);
    return *ret ? PFS_READY : no_memory(err);
}

enum pfs_state pfs_plane_state(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at)
{
    struct pfs_pixels *pixels;
    bool unsure;
    int percent;
    enum pfs_state state = pfs_engine_look(e, v, at, true, &unsure, &percent, &pixels, NULL);
    pfs_pixels_unref(pixels);
    return state;
}
