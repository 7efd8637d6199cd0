/* A plane made of several: all bands of one (t, z), or all planes along an axis.
 *
 * prepare (a chore): the planes that take part, their content hashes, the model where the step needs one, the key; an
 * entry, else a draft and its jobs. A gathering step alone works pixel by pixel: its rows are shared out to as many jobs
 * as there are cores, which write into the same draft. What comes of all bands are several planes: they are one entry. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOBS = 8, ROWS_LEAST = 16, STRIPS_MEMORY = 96 << 20 };

struct gather_task;
struct share { struct gather_task *g; struct admission job; int permille; };

struct gather_task {
    struct task t;
    struct pfs_located *l;
    struct pfs_at *plane;
    int64_t n;                       /* planes that take part */
    struct pfs_text text;
    struct pfs_hash key;
    struct pfs_waiter model_waiter;
    struct pfs_blob model;
    struct pfs_hash model_hash;
    int model_fd;
    struct pfs_draft *draft;
    struct share share[JOBS];
    int shares, pending;
    bool in_memory;
    int code;
    char reason[240];
};

static struct gather_task *of_chore(struct chore *c)
{
    return (struct gather_task *)((char *)c - offsetof(struct gather_task, t.chore));
}

static const struct pfs_recipe_step *gathering(const struct pfs_view_on *v)
{
    return &v->recipe.step[pfs_gather_step(&v->recipe)];
}

static bool of_bands(const struct pfs_view_on *v)
{
    return gathering(v)->gather == 1;
}

static uint64_t identity(const struct pfs_view_on *v, struct pfs_at at)
{
    return pfs_failure_of(v, (struct pfs_at){at.t, at.z, of_bands(v) ? 0 : at.c}, NULL);
}

/* ---- the end ---- */

static void finish_with(struct gather_task *g, int code, const char *reason, struct pfs_pixels *pixels)
{
    bool killed = code == -ECONNABORTED;
    if (killed)
        code = -EIO;
    if (code < 0 && code != -ECANCELED && code != -ESTALE) {
        const struct pfs_dataset *d = g->t.view->dataset;
        PFS_AUTO_FREE char *path = pfs_format("%s%s%s", d->path, *d->path ? "/" : "", g->t.view->text);
        pfs_failure_add(g->t.e, identity(g->t.view, g->t.at), -code, reason, killed);
        pfs_engine_note_error(g->t.e, path ? path : "", -code, reason);
    }
    pfs_draft_discard(g->draft);
    pfs_text_finish(&g->text);
    free(g->model.data);
    free(g->l);
    free(g->plane);
    if (g->model_fd >= 0)
        close(g->model_fd);
    pfs_task_end(&g->t, code, reason, pixels, (struct pfs_blob){0});
    pfs_pixels_unref(pixels);
    pfs_task_unref(&g->t);
}

/* So that the next look need not find out again what the plane is made of. */
static void remember(struct gather_task *g)
{
    struct pfs_engine *e = g->t.e;
    char *text = strdup(g->text.s);
    if (!text)
        return;
    pthread_mutex_lock(&e->lock);
    struct gathered *slot = &e->gathered[e->next_gathered++ % GATHERED_KEPT];
    free(slot->text);
    *slot = (struct gathered){identity(g->t.view, g->t.at), text};
    pthread_mutex_unlock(&e->lock);
}

static void give_entry(struct gather_task *g, struct pfs_entry *entry)
{
    struct pfs_pixels *pixels = pfs_pixels_of_entry(entry);
    remember(g);
    finish_with(g, pixels ? 0 : -ENOMEM, pixels ? "" : "no memory for a plane", pixels);
}

static int start_jobs(struct gather_task *g, struct pfs_err *err);

static bool changed(struct gather_task *g, struct pfs_err *err)
{
    const struct pfs_dataset *d = g->t.view->dataset;
    for (int64_t i = 0; i < g->n; i++)
        if ((!i || g->l[i].file != g->l[i - 1].file) && pfs_dataset_stale(g->t.e->catalog, d, g->l[i].file - d->file)) {
            pfs_fail(err, ESTALE, "%s changed while it was read", g->l[i].file->path);
            return true;
        }
    return false;
}

static void finish(struct chore *c)
{
    struct gather_task *g = of_chore(c);
    struct pfs_err err = {0};
    struct pfs_entry *entry;
    int r = g->code;
    memcpy(err.text, g->reason, sizeof err.text);
    if ((r == -ENOSPC || r == -EDQUOT || r == -EROFS) && !g->in_memory) {
        pfs_draft_discard(PFS_TAKE(g->draft));
        g->in_memory = true;
        g->code = 0;
        if ((r = start_jobs(g, &err)) < 0)
            finish_with(g, r, err.text, NULL);
        return;
    }
    if (!r && changed(g, &err))
        r = -ESTALE;
    if (!r)
        r = pfs_draft_publish(PFS_TAKE(g->draft), g->key, g->text.s, &entry, &err);
    if (r < 0)
        finish_with(g, r, err.text, NULL);
    else
        give_entry(g, entry);
}

/* ---- the jobs ---- */

static void job_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct share *s = ctx;
    struct gather_task *g = s->g;
    (void)bytes;
    pfs_job_over(&s->job, code);
    pthread_mutex_lock(&g->t.e->lock);
    if (code < 0 && !g->code) {
        g->code = code;
        strncpy(g->reason, reason ? reason : "", sizeof g->reason - 1);
        for (int i = 0; i < g->shares; i++)
            pfs_job_cancel(&g->share[i].job);
    }
    bool last = --g->pending == 0;
    pthread_mutex_unlock(&g->t.e->lock);
    if (!last)
        return;
    g->t.chore.run = finish;
    pfs_chore_add(g->t.e, &g->t.chore);
}

static void job_progress(void *ctx, int permille)
{
    struct share *s = ctx;
    struct gather_task *g = s->g;
    int sum = 0;
    pthread_mutex_lock(&g->t.e->lock);
    s->permille = permille;
    for (int i = 0; i < g->shares; i++)
        sum += g->share[i].permille;
    g->t.permille = sum / g->shares;
    pthread_mutex_unlock(&g->t.e->lock);
}

static int job_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct gather_task *g = ((struct share *)ctx)->g;
    if (g->model_fd >= 0 && !strcmp(name, "model")) {
        *ret_fd = fcntl(g->model_fd, F_DUPFD_CLOEXEC, 0);
        return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for a model") : 0;
    }
    return pfs_open_source(g->t.e, g->t.view->dataset, name, ret_fd, err);
}

static int64_t planes_made(const struct pfs_view_on *v)
{
    return of_bands(v) ? v->shape.c : 1;
}

static int64_t memory_needed(const struct gather_task *g, int64_t rows)
{
    const struct pfs_view_on *v = g->t.view;
    const struct pfs_recipe *r = &v->recipe;
    int at = pfs_gather_step(r);
    int64_t in = pfs_shape_plane_bytes(&v->dataset->shape), out = pfs_shape_plane_bytes(&r->step[at].out), most = 0;
    for (int i = 0; i < r->n; i++)
        most = r->step[i].memory > most ? r->step[i].memory : most;
    if (r->n == 1)
        return out * planes_made(v) * rows / v->shape.y + (of_bands(v) ? 0 : most * rows / v->shape.y) + STRIPS_MEMORY;
    return in + most + out * planes_made(v) + (of_bands(v) && at ? g->n * in : in) + STRIPS_MEMORY;
}

static bool make_request(struct gather_task *g, int64_t head, int64_t row, int64_t rows, struct pfs_blob *ret)
{
    const struct pfs_dataset *d = g->t.view->dataset;
    const struct pfs_recipe *r = &g->t.view->recipe;
    struct pfs_text text = {0};
    PFS_AUTO_FREE struct pfs_input *input = pfs_array(g->n, sizeof *input);
    PFS_AUTO_FREE char **steps = pfs_array(r->n, sizeof *steps);
    if (!input || !steps)
        return false;
    for (int i = 0; i < r->n; i++)
        steps[i] = r->step[i].text;
    for (int64_t i = 0; i < g->n; i++)
        input[i] = (struct pfs_input){.name = g->l[i].file->path, .series = g->l[i].series, .at = g->l[i].at,
                                      .plane = g->plane[i], .shape = d->shape,
                                      .version = pfs_dataset_version(d, g->l[i].file - d->file)};
    struct pfs_work w = {.n_steps = r->n, .step = steps, .at = g->t.at, .offset = head, .threads = 1, .n_inputs = g->n,
                         .input = input, .model = g->model_fd >= 0, .row = row, .rows = rows};
    pfs_dataset_info(d, &w.stack);
    pfs_work_put(&text, &w);
    return pfs_text_take(&text, ret);
}

static int make_draft(struct gather_task *g, int64_t *ret_head, struct pfs_err *err)
{
    struct pfs_engine *e = g->t.e;
    struct pfs_shape s = g->t.view->shape;
    PFS_AUTO_TEXT struct pfs_text head = {0};
    s.t = s.z = 1;
    s.c = planes_made(g->t.view);
    int r = e->o.head(&s, g->text.s, &head, err);
    if (r < 0)
        return r;
    *ret_head = (int64_t)head.n;
    return (g->in_memory ? pfs_draft_create_memory : pfs_draft_create)(
        e->cache, head.s, (int64_t)head.n, pfs_shape_plane_bytes(&s) * s.c, &g->draft, err);
}

static void cancel(struct task *t);

static int prepare_share(struct gather_task *g, int i, int64_t head, struct pfs_err *err)
{
    const struct pfs_shape *s = &g->t.view->shape;
    struct pfs_engine *e = g->t.e;
    int64_t row = s->y * i / g->shares, rows = s->y * (i + 1) / g->shares - row;
    int64_t row_bytes = s->x * (int64_t)pfs_type_size(s->type);
    g->share[i] = (struct share){.g = g, .job = {.e = e, .memory = memory_needed(g, rows), .order = {
        .role = PFS_MAKER, .verb = PFS_PLANE, .result_fd = pfs_draft_fd(g->draft), .length = rows * row_bytes *
        planes_made(g->t.view), .timeout_ms = e->o.timeout_ms, .open = job_open, .progress = job_progress,
        .done = job_done, .ctx = &g->share[i]}}};
    return make_request(g, head, g->shares > 1 ? row : 0, g->shares > 1 ? rows : 0, &g->share[i].job.order.request)
               ? 0 : pfs_fail(err, ENOMEM, "no memory for a job");
}

static int start_jobs(struct gather_task *g, struct pfs_err *err)
{
    struct pfs_engine *e = g->t.e;
    int64_t head = 0;
    int r = make_draft(g, &head, err), most = e->o.pool.makers < e->o.cores ? e->o.pool.makers : e->o.cores;
    most = most < JOBS ? most : JOBS;
    g->shares = g->t.view->recipe.n == 1 && g->t.view->shape.y >= most * ROWS_LEAST && most > 0 ? most : 1;
    for (int i = 0; i < g->shares && !r; i++)
        r = prepare_share(g, i, head, err);
    pthread_mutex_lock(&e->lock);
    if (!r && g->t.cancelled)
        r = pfs_fail(err, ECANCELED, "cancelled");
    g->pending = g->shares;
    g->t.cancel = cancel;
    pthread_mutex_unlock(&e->lock);
    int n = g->shares;               /* the task may be over before the last one is handed over */
    for (int i = 0; i < n; i++)
        if (r)
            free(g->share[i].job.order.request.data);
        else
            pfs_job_submit(&g->share[i].job);
    return r;
}

/* ---- before the jobs ---- */

/* The planes a result is made of, as ordinals; how many. */
static int64_t list_planes(const struct pfs_view_on *v, struct pfs_at at, struct pfs_at *ret)
{
    const struct pfs_dataset *d = v->dataset;
    struct pfs_shape in = pfs_shape_before(v, pfs_gather_step(&v->recipe));
    bool along_z = in.z > gathering(v)->out.z;
    int64_t n = 0, all = of_bands(v) ? in.c : along_z ? in.z : in.t;
    for (int64_t i = 0; i < all; i++) {
        struct pfs_at p = at;
        *(of_bands(v) ? &p.c : along_z ? &p.z : &p.t) = i;
        if (d->spread && pfs_dataset_file(d, p) < 0)
            continue;
        if (ret)
            ret[n] = p;
        n++;
    }
    return n;
}

static int plane_text(struct gather_task *g, struct pfs_hasher *h, int64_t i, enum pfs_effort effort,
                      struct pfs_err *err)
{
    struct pfs_engine *e = g->t.e;
    struct pfs_view_on *v = g->t.view;
    struct pfs_hash content;
    PFS_AUTO_TEXT struct pfs_text text = {0};
    int r = pfs_catalog_locate(e->catalog, v->dataset, g->plane[i], true, &g->l[i], err);
    if (!r)
        r = pfs_catalog_content(e->catalog, v->dataset, &g->l[i], effort, &content, err);
    if (!r)
        r = pfs_plane_text(v, &g->l[i], content, g->plane[i], pfs_gather_step(&v->recipe), NULL, &text, err);
    if (!r)
        pfs_hasher_add(h, text.s, text.n);
    return r;
}

/* The canonical text: a hash over those of all planes that take part, then the steps from the gathering one on. */
static int make_text(struct gather_task *g, enum pfs_effort effort, struct pfs_err *err)
{
    const struct pfs_recipe *r = &g->t.view->recipe;
    struct pfs_hasher *h = pfs_hasher_create();
    char hex[33];
    int e = h ? 0 : pfs_fail(err, ENOMEM, "no memory for a key");
    for (int64_t i = 0; i < g->n && !e; i++)
        e = plane_text(g, h, i, effort, err);
    if (!e) {
        pfs_hash_hex(pfs_hasher_value(h), hex);
        pfs_text_addf(&g->text, "planefs 1\ngathered %lld planes %s at %lld %lld %lld\n", (long long)g->n, hex,
                      (long long)g->t.at.t, (long long)g->t.at.z, (long long)g->t.at.c);
        for (int i = pfs_gather_step(r); i < r->n; i++)
            pfs_text_addf(&g->text, "step %s\n", r->step[i].text);
        pfs_hash_hex(g->model_hash, hex);
        if (g->model.data)
            pfs_text_addf(&g->text, "model %s\n", hex);
        e = g->text.failed ? pfs_fail(err, ENOMEM, "no memory for a key") : 0;
    }
    if (!e)
        g->key = pfs_hash(g->text.s, g->text.n);
    pfs_hasher_destroy(h);
    return e;
}

static int take_part(struct gather_task *g, struct pfs_err *err)
{
    g->n = list_planes(g->t.view, g->t.at, NULL);
    g->l = pfs_array(g->n + 1, sizeof *g->l);
    g->plane = pfs_array(g->n + 1, sizeof *g->plane);
    if (!g->l || !g->plane)
        return pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)g->n);
    list_planes(g->t.view, g->t.at, g->plane);
    if (!g->n || (of_bands(g->t.view) && g->n < g->t.view->dataset->shape.c))
        return pfs_fail(err, EIO, "planes are missing that this is made of");
    return 0;
}

static void prepare(struct chore *c);

static void learnt(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels, struct pfs_blob table)
{
    struct gather_task *g = (struct gather_task *)((char *)w - offsetof(struct gather_task, model_waiter));
    (void)pixels;
    g->code = code;
    strncpy(g->reason, reason ? reason : "", sizeof g->reason - 1);
    if (!code) {
        g->model = pfs_blob_copy(table);
        g->model_hash = pfs_hash(table.data, table.size);
    }
    pfs_chore_add(g->t.e, &g->t.chore);
}

static bool have_model(struct gather_task *g)
{
    struct pfs_engine *e = g->t.e;
    struct learning l;
    if (g->model.data || pfs_model_of(g->t.view, g->t.at, &l) ||
        pfs_model_known(e, g->t.view, g->t.at, &g->model, &g->model_hash))
        return true;
    g->model_waiter.done = learnt;
    pthread_mutex_lock(&e->lock);
    g->t.before = &g->model_waiter;
    g->t.before_share = 800;
    g->t.cancel = cancel;
    pthread_mutex_unlock(&e->lock);
    pfs_engine_learn(e, g->t.view, &l, &g->model_waiter);
    return false;
}

static void cancel(struct task *t)
{
    struct gather_task *g = (struct gather_task *)t;
    if (pfs_task_leave(t->e, &g->model_waiter)) {
        t->chore.run = prepare;
        pfs_chore_add(t->e, &t->chore);
    }
    for (int i = 0; i < g->shares; i++)
        if (g->share[i].job.e)
            pfs_job_cancel(&g->share[i].job);
}

static void prepare(struct chore *c)
{
    struct gather_task *g = of_chore(c);
    struct pfs_err err = {0};
    struct pfs_entry *entry;
    int r = g->code;
    memcpy(err.text, g->reason, sizeof err.text);
    if (!r && pfs_task_unwanted(&g->t))
        r = pfs_fail(&err, ECANCELED, "cancelled");
    if (!r && !have_model(g))
        return;
    if (!r && g->model.data && (g->model_fd = pfs_memory_file("planefs-model", g->model)) < 0)
        r = pfs_fail(&err, EMFILE, "no descriptor for a model");
    if (!r)
        r = take_part(g, &err);
    if (!r)
        r = make_text(g, PFS_READ, &err);
    if (!r && !pfs_entry_find(g->t.e->cache, g->key, g->text.s, &entry)) {
        give_entry(g, entry);
        return;
    }
    if (!r)
        r = start_jobs(g, &err);
    if (r < 0)
        finish_with(g, r, err.text, NULL);
}

void pfs_gather_plane(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_waiter *w)
{
    struct pfs_err err = {0};
    int code;
    w->part = of_bands(v) ? at.c : 0;
    at.c -= w->part;
    if (pfs_failure_known(e, identity(v, at), &code, &err)) {
        w->done(w, code, err.text, NULL, (struct pfs_blob){0});
        return;
    }
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_PLANE, v, at, NULL);
    bool fresh = !t;
    if (fresh && (t = pfs_task_create(e, TASK_PLANE, v, sizeof(struct gather_task)))) {
        t->at = at;
        t->part_bytes = of_bands(v) ? pfs_shape_plane_bytes(&v->shape) : 0;
        t->chore.run = prepare;
        ((struct gather_task *)t)->model_fd = -1;
    }
    if (t)
        pfs_task_join(t, w);
    pthread_mutex_unlock(&e->lock);
    if (!t)
        w->done(w, -ENOMEM, "no memory for a task", NULL, (struct pfs_blob){0});
    else if (fresh)
        pfs_chore_add(e, &t->chore);
}

/* ---- what is known now ---- */

static enum pfs_state entry_of(struct pfs_engine *e, struct pfs_view_on *v, const char *text, int64_t part,
                               struct pfs_pixels **ret)
{
    struct pfs_entry *entry;
    struct pfs_hash key = pfs_hash(text, strlen(text));
    if (!pfs_entry_exists(e->cache, key) || pfs_entry_find(e->cache, key, text, &entry))
        return PFS_COLD;
    struct pfs_pixels *whole = pfs_pixels_of_entry(entry);
    int64_t bytes = pfs_shape_plane_bytes(&v->shape);
    *ret = whole;
    if (whole && of_bands(v)) {
        *ret = pfs_pixels_part(whole, part * bytes, bytes);
        pfs_pixels_unref(whole);
    }
    return *ret ? PFS_READY : PFS_COLD;
}

/* Of a single file it is quickly found out what the plane is made of. */
static enum pfs_state look_in_file(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, int64_t part,
                                   struct pfs_pixels **ret)
{
    struct gather_task g = {.t = {.e = e, .view = v, .at = at}, .model_fd = -1};
    struct pfs_err err;
    enum pfs_state state = PFS_COLD;
    bool learns = pfs_model_step(&v->recipe) >= 0;
    if (v->dataset->n_files == 1 && (!learns || pfs_model_known(e, v, at, &g.model, &g.model_hash)) &&
        !take_part(&g, &err) && !make_text(&g, PFS_REMEMBERED, &err)) {
        state = entry_of(e, v, g.text.s, part, ret);
        if (state == PFS_READY)
            remember(&g);
    }
    pfs_text_finish(&g.text);
    free(g.model.data);
    free(g.l);
    free(g.plane);
    return state;
}

enum pfs_state pfs_gather_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err)
{
    int64_t part = of_bands(v) ? at.c : 0;
    int code;
    char *text = NULL;
    at.c -= part;
    uint64_t what = identity(v, at);
    if (pfs_failure_known(e, what, &code, err))
        return PFS_ERROR;
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_PLANE, v, at, NULL);
    *percent = t ? pfs_task_permille(t) / 10 : 0;
    for (int i = 0; i < GATHERED_KEPT && !t && !text; i++)
        if (e->gathered[i].text && e->gathered[i].what == what)
            text = strdup(e->gathered[i].text);
    pthread_mutex_unlock(&e->lock);
    if (t)
        return PFS_RUNNING;
    if (!wait) {
        free(text);
        *unsure = true;
        return PFS_COLD;
    }
    enum pfs_state state = text ? entry_of(e, v, text, part, ret) : look_in_file(e, v, at, part, ret);
    free(text);
    return state;
}
