/* Reports: a model of all planes, merged from what each plane teaches.
 *
 * The planes are cut into batches; a few batches are under way at a time. What a plane teaches is looked for in the ledger
 * and learnt by a job otherwise, and kept there at once: a report that was interrupted goes on where it stopped, and one
 * more section costs one plane. The merge is a job of its own, in plane order. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BATCHES = 8, BATCH_PLANES = 64, BATCH_BYTES = 32 << 20, PART_MOST = 64 << 20, MERGE_MEMORY = 256 << 20 };

struct batch {
    struct report_task *r;
    struct chore chore;
    struct admission job;
    int n;                                   /* planes that must be learnt */
    int64_t plane[BATCH_PLANES];             /* which */
    struct pfs_hash key[BATCH_PLANES];
    struct pfs_located located[BATCH_PLANES];
    int code;
    struct pfs_err err;
    struct pfs_blob bytes;
};

struct report_task {
    struct task t;
    struct pfs_view_on *op_view;             /* the operator as a one-step view: its canonical text */
    struct batch batch[BATCHES];
    int under_way;                           /* batches */
    int64_t next, done, n, per_batch;        /* planes that exist */
    struct pfs_blob *part;                   /* per plane of the whole shape; empty: missing */
    struct pfs_hash *part_key;               /* their keys: the model's key is made of them */
    struct pfs_hash key;                     /* the model's */
    int64_t n_parts;
    int code;
    struct pfs_err err;
    struct admission merge;
    int parts_fd;
};

static const char *op_text(const struct report_task *r)
{
    return r->op_view->recipe.step[0].text;
}

/* ---- the end ---- */

static void keep_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, struct pfs_blob table)
{
    char *copy = strdup(op);
    if (!copy) {
        free(table.data);
        return;
    }
    pfs_view_ref(v);
    pthread_mutex_lock(&e->lock);
    struct report_kept last = {0};
    if (e->n_reports == REPORTS_KEPT)
        last = e->report[--e->n_reports];
    memmove(e->report + 1, e->report, (size_t)e->n_reports * sizeof *e->report);
    e->report[0] = (struct report_kept){v, copy, table};
    e->n_reports++;
    pthread_mutex_unlock(&e->lock);
    if (last.op) {
        pfs_view_unref(last.view);
        free(last.op);
        free(last.table.data);
    }
}

/* takes the table */
static void end(struct report_task *r, struct pfs_blob table)
{
    struct pfs_engine *e = r->t.e;
    struct pfs_view_on *v = r->t.view;
    int code = r->code == -ECONNABORTED ? -EIO : r->code;
    if (code < 0 && code != -ECANCELED && code != -ESTALE) {
        PFS_AUTO_FREE char *path = pfs_format("%s%s%s.json", v->dataset->path, *v->dataset->path ? "/" : "", r->t.op);
        pfs_failure_add(e, pfs_failure_of(v, (struct pfs_at){-1, -1, -1}, r->t.op), -code, r->err.text, false);
        pfs_engine_note_error(e, path ? path : "", -code, r->err.text);
    }
    for (int64_t i = 0; r->part && i < r->n_parts; i++)
        free(r->part[i].data);
    free(r->part);
    free(r->part_key);
    r->part = NULL;
    if (r->parts_fd >= 0)
        close(r->parts_fd);
    pfs_view_unref(r->op_view);
    struct pfs_blob kept = {malloc(table.size + 1), table.size};
    if (!code && kept.data) {
        memcpy(kept.data, table.data, table.size);
        keep_report(e, v, r->t.op, kept);
    } else
        free(kept.data);
    pfs_task_end(&r->t, code, r->err.text, NULL, table);
    free(table.data);
    pfs_task_unref(&r->t);
}

static struct pfs_blob copy_of(struct pfs_blob b)
{
    struct pfs_blob c = {malloc(b.size + 1), b.size};
    if (c.data)
        memcpy(c.data, b.data, b.size);
    return c;
}

static void merged(struct chore *c)
{
    struct batch *b = (struct batch *)((char *)c - offsetof(struct batch, chore));
    struct report_task *r = b->r;
    if (b->code < 0) {
        r->code = b->code;
        r->err = b->err;
    } else if (!b->bytes.data || !pfs_table_valid(b->bytes))
        r->code = pfs_fail(&r->err, EIO, "the worker's answer makes no sense");
    else
        pfs_ledger_put(r->t.e->cache, r->key, b->bytes.data, b->bytes.size);
    struct pfs_blob table = b->bytes;
    b->bytes = (struct pfs_blob){0};
    end(r, table);
}

static void job_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct batch *b = ctx;
    pfs_job_over(&b->job, code);
    b->code = code < 0 ? pfs_fail(&b->err, -code, "%s", reason) : 0;
    b->bytes = code < 0 ? (struct pfs_blob){0} : copy_of(bytes);
    pfs_chore_add(b->r->t.e, &b->chore);
}

static int merge_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct batch *b = ctx;
    if (strcmp(name, "parts"))
        return pfs_fail(err, EPERM, "%s is not to be had", name);
    *ret_fd = fcntl(b->r->parts_fd, F_DUPFD_CLOEXEC, 0);
    return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for the parts") : 0;
}

static bool write_parts(struct report_task *r)
{
    r->parts_fd = memfd_create("planefs-parts", MFD_CLOEXEC);
    FILE *f = r->parts_fd < 0 ? NULL : fdopen(dup(r->parts_fd), "w");
    if (!f)
        return false;
    bool good = true;
    for (int64_t i = 0; good && i < r->n_parts; i++) {
        uint32_t n = (uint32_t)r->part[i].size;
        uint8_t length[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};
        good = fwrite(length, 4, 1, f) == 1 && (!n || fwrite(r->part[i].data, n, 1, f) == 1);
        free(r->part[i].data);
        r->part[i] = (struct pfs_blob){0};
    }
    return (fclose(f) == 0) && good;
}

static int submit(struct batch *b, enum pfs_verb verb, struct pfs_work *w, int64_t memory, struct pfs_err *err)
{
    struct report_task *r = b->r;
    struct pfs_engine *e = r->t.e;
    struct pfs_text text = {0};
    struct pfs_blob request;
    pfs_work_put(&text, w);
    if (!pfs_text_take(&text, &request))
        return pfs_fail(err, ENOMEM, "no memory for a job");
    b->job.e = e;
    b->job.memory = memory;
    b->job.order.role = PFS_MAKER;
    b->job.order.verb = verb;
    b->job.order.request = request;
    b->job.order.result_fd = -1;
    b->job.order.length = -1;
    b->job.order.timeout_ms = e->o.timeout_ms * (b->n ? b->n : 1);
    b->job.order.done = job_done;
    b->job.order.ctx = b;
    pthread_mutex_lock(&e->lock);
    bool cancelled = r->t.cancelled;
    pthread_mutex_unlock(&e->lock);
    if (cancelled) {
        free(request.data);
        return pfs_fail(err, ECANCELED, "cancelled");
    }
    pfs_job_submit(&b->job);
    return 0;
}

/* The same parts have the same model: it may be known. */
static bool merged_before(struct report_task *r, struct pfs_blob *ret)
{
    const struct pfs_shape *s = &r->t.view->shape;
    PFS_AUTO_TEXT struct pfs_text text = {0};
    pfs_text_addf(&text, "planefs 1\nmodel %s\nshape %" PRId64 " %" PRId64 " %" PRId64 "\n", op_text(r), s->t, s->z, s->c);
    pfs_text_bytes(&text, r->part_key, (size_t)r->n_parts * sizeof *r->part_key);
    if (text.failed)
        return false;
    r->key = pfs_hash(text.s, text.n);
    return !pfs_ledger_get(r->t.e->cache, r->key, ret) && pfs_table_valid(*ret);
}

static void merge(struct report_task *r)
{
    struct pfs_blob known = {0};
    if (merged_before(r, &known)) {
        end(r, known);
        return;
    }
    free(known.data);
    struct batch *b = &r->batch[0];
    const char *step[] = {op_text(r)};
    struct pfs_work w = {.n_steps = 1, .step = (char **)(uintptr_t)step, .threads = 1, .n_parts = r->n_parts};
    pfs_dataset_info(r->t.view->dataset, &w.stack);
    w.stack.shape = r->t.view->shape;
    b->job = (struct admission){.order = {.open = merge_open, .most = PART_MOST}};
    b->n = 0;
    b->chore.run = merged;
    if (!write_parts(r))
        r->code = pfs_fail(&r->err, ENOMEM, "no memory for %" PRId64 " parts", r->n_parts);
    else
        r->code = submit(b, PFS_MERGE, &w, MERGE_MEMORY, &r->err);
    if (r->code < 0)
        end(r, (struct pfs_blob){0});
}

/* ---- batches ---- */

static void batch_run(struct chore *c);

/* The last batch to stop merges, or ends the report with the first failure. */
static void batch_stop(struct batch *b)
{
    struct report_task *r = b->r;
    pthread_mutex_lock(&r->t.e->lock);
    bool last = --r->under_way == 0;
    pthread_mutex_unlock(&r->t.e->lock);
    if (last && !r->code)
        merge(r);
    else if (last)
        end(r, (struct pfs_blob){0});
}

static void fail(struct report_task *r, int code, const struct pfs_err *err)
{
    pthread_mutex_lock(&r->t.e->lock);
    if (!r->code) {
        r->code = code;
        r->err = *err;
    }
    pthread_mutex_unlock(&r->t.e->lock);
}

static void put_part(struct report_task *r, int64_t plane, struct pfs_blob bytes)
{
    struct pfs_at at = pfs_dataset_plane(r->t.view->dataset, plane);
    r->part[pfs_at_index(&r->t.view->dataset->shape, at)] = bytes;
    pthread_mutex_lock(&r->t.e->lock);
    r->done++;
    r->t.permille = (int)(r->done * 1000 / r->n);
    pthread_mutex_unlock(&r->t.e->lock);
}

static void batch_learnt(struct chore *c)
{
    struct batch *b = (struct batch *)((char *)c - offsetof(struct batch, chore));
    struct report_task *r = b->r;
    struct pfs_reader in = pfs_reader(b->bytes.data, b->bytes.size);
    for (int i = 0; !b->code && i < b->n; i++) {
        struct pfs_blob part = copy_of(pfs_get_bytes(&in));
        if (in.bad || !part.data) {
            b->code = pfs_fail(&b->err, EIO, "the worker's answer makes no sense");
            free(part.data);
        } else if (pfs_catalog_stale(r->t.e->catalog, b->located[i].file)) {
            b->code = pfs_fail(&b->err, ESTALE, "%s changed while it was read", b->located[i].file->path);
            free(part.data);
        } else {
            pfs_ledger_put(r->t.e->cache, b->key[i], part.data, part.size);
            put_part(r, b->plane[i], part);
        }
    }
    free(b->bytes.data);
    b->bytes = (struct pfs_blob){0};
    if (b->code < 0)
        fail(r, b->code, &b->err);
    b->chore.run = batch_run;
    batch_run(&b->chore);
}

static int batch_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct batch *b = ctx;
    struct report_task *r = b->r;
    for (int i = 0; i < b->n; i++)
        if (!strcmp(b->located[i].file->path, name))
            return pfs_catalog_open_file(r->t.e->catalog, b->located[i].file, ret_fd, err);
    return pfs_open_source(r->t.e, r->t.view->dataset, name, ret_fd, err);
}

static int batch_submit(struct batch *b, struct pfs_err *err)
{
    struct report_task *r = b->r;
    const struct pfs_recipe *recipe = &r->t.view->recipe;
    const struct pfs_dataset *d = r->t.view->dataset;
    struct pfs_input input[BATCH_PLANES];
    PFS_AUTO_FREE char **step = pfs_array(recipe->n + 1, sizeof *step);
    if (!step)
        return pfs_fail(err, ENOMEM, "no memory for a job");
    for (int i = 0; i < recipe->n; i++)
        step[i] = recipe->step[i].text;
    step[recipe->n] = r->op_view->recipe.step[0].text;
    for (int i = 0; i < b->n; i++)
        input[i] = (struct pfs_input){.name = b->located[i].file->path, .series = b->located[i].series,
                                      .at = b->located[i].at, .shape = d->shape,
                                      .version = pfs_hash64(&b->located[i].file->id, sizeof(struct pfs_ident), 0)};
    struct pfs_work w = {.n_steps = recipe->n + 1, .step = step, .threads = 1, .n_inputs = b->n, .input = input,
                         .at = pfs_dataset_plane(d, b->plane[0])};
    pfs_dataset_info(d, &w.stack);
    b->job = (struct admission){.order = {.open = batch_open, .most = (int64_t)PART_MOST * b->n, .priority = -1}};
    b->chore.run = batch_learnt;
    int64_t plane = pfs_shape_plane_bytes(&d->shape);
    return submit(b, PFS_PARTIAL, &w, plane + plane / 4 + PART_MOST, err);
}

/* Look one plane's part up, or note that it must be learnt. */
static int look_up(struct batch *b, int64_t plane, struct pfs_err *err)
{
    struct report_task *r = b->r;
    struct pfs_engine *e = r->t.e;
    struct pfs_dataset *d = r->t.view->dataset;
    struct pfs_at at = pfs_dataset_plane(d, plane);
    struct pfs_located *l = &b->located[b->n];
    struct pfs_hash content;
    struct pfs_blob part;
    PFS_AUTO_TEXT struct pfs_text text = {0};
    int code = pfs_catalog_locate(e->catalog, d, at, true, l, err);
    if (!code)
        code = pfs_catalog_content(e->catalog, d, l, PFS_READ, &content, err);
    if (!code)
        code = pfs_plane_text(r->t.view, l, content, at, r->t.view->recipe.n, &text, err);
    if (code < 0)
        return code;
    pfs_text_addf(&text, "partial %s\n", op_text(r));
    if (text.failed)
        return pfs_fail(err, ENOMEM, "no memory for a key");
    b->key[b->n] = r->part_key[pfs_at_index(&d->shape, at)] = pfs_hash(text.s, text.n);
    if (!pfs_ledger_get(e->cache, b->key[b->n], &part))
        put_part(r, plane, part);
    else
        b->plane[b->n++] = plane;
    return 0;
}

/* Batch after batch until the planes are used up or something failed. */
static void batch_run(struct chore *c)
{
    struct batch *b = (struct batch *)((char *)c - offsetof(struct batch, chore));
    struct report_task *r = b->r;
    for (;;) {
        pthread_mutex_lock(&r->t.e->lock);
        if (r->t.cancelled && !r->code)
            r->code = pfs_fail(&r->err, ECANCELED, "cancelled");
        int64_t from = r->next, to = from + r->per_batch < r->n ? from + r->per_batch : r->n;
        bool stop = r->code || from == r->n;
        if (!stop)
            r->next = to;
        pthread_mutex_unlock(&r->t.e->lock);
        if (stop)
            break;
        struct pfs_err err = {0};
        int code = 0;
        b->n = 0;
        for (int64_t i = from; !code && i < to; i++)
            code = look_up(b, i, &err);
        if (!code && b->n && !(code = batch_submit(b, &err)))
            return;
        if (code < 0)
            fail(r, code, &err);
    }
    batch_stop(b);
}

/* ---- the beginning ---- */

static void cancel(struct task *t)
{
    struct report_task *r = (struct report_task *)t;
    for (int i = 0; i < BATCHES; i++)
        if (r->batch[i].job.e)
            pfs_job_cancel(&r->batch[i].job);
}

static int begin(struct report_task *r)
{
    struct pfs_engine *e = r->t.e;
    struct pfs_dataset *d = r->t.view->dataset;
    int code = pfs_engine_view(e, d, r->t.op, true, &r->op_view, &r->err);
    if (code < 0)
        return code;
    if (r->op_view->recipe.n != 1)
        return pfs_fail(&r->err, ENOENT, "%s is not an operator", r->t.op);
    r->n = pfs_dataset_planes(d);
    r->n_parts = pfs_shape_planes(&d->shape);
    if (r->n_parts > 1 << 24)
        return pfs_fail(&r->err, EFBIG, "a stack of %" PRId64 " planes, most of them missing", r->n_parts);
    r->part = calloc((size_t)r->n_parts, sizeof *r->part);
    r->part_key = calloc((size_t)r->n_parts, sizeof *r->part_key);
    if (!r->part || !r->part_key)
        return pfs_fail(&r->err, ENOMEM, "no memory for %" PRId64 " parts", r->n_parts);
    int64_t bytes = pfs_shape_plane_bytes(&d->shape);
    r->per_batch = bytes > 0 && BATCH_BYTES / bytes < BATCH_PLANES ? BATCH_BYTES / bytes : BATCH_PLANES;
    if (r->per_batch < 1 || r->t.view->recipe.n)   /* a recipe may depend on the section: a job knows its first plane's */
        r->per_batch = 1;
    return 0;
}

static void start(struct chore *c)
{
    struct report_task *r = (struct report_task *)((char *)c - offsetof(struct report_task, t.chore));
    r->parts_fd = -1;
    r->code = begin(r);
    if (r->code < 0) {
        end(r, (struct pfs_blob){0});
        return;
    }
    int n = r->t.e->o.pool.makers * 2 < BATCHES ? r->t.e->o.pool.makers * 2 : BATCHES;
    pthread_mutex_lock(&r->t.e->lock);
    r->under_way = n;
    r->t.cancel = cancel;
    pthread_mutex_unlock(&r->t.e->lock);
    for (int i = 0; i < n; i++) {
        r->batch[i].r = r;
        r->batch[i].chore.run = batch_run;
    }
    for (int i = 0; i < n; i++)
        pfs_chore_add(r->t.e, &r->batch[i].chore);
}

void pfs_engine_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, struct pfs_waiter *w)
{
    struct pfs_err err = {0};
    struct pfs_at nowhere = {-1, -1, -1};
    char *name = strdup(op);
    int code;
    w->task = NULL;
    if (pfs_failure_known(e, pfs_failure_of(v, nowhere, op), &code, &err)) {
        free(name);
        w->done(w, code, err.text, NULL, (struct pfs_blob){0});
        return;
    }
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_REPORT, v, nowhere, op);
    bool fresh = !t && name;
    if (fresh && (t = pfs_task_create(e, TASK_REPORT, v, sizeof(struct report_task)))) {
        t->op = PFS_TAKE(name);
        t->chore.run = start;
    }
    if (t)
        pfs_task_join(t, w);
    pfs_ahead_give_way(e);
    pthread_mutex_unlock(&e->lock);
    free(name);
    if (!t)
        w->done(w, -ENOMEM, "no memory for a report", NULL, (struct pfs_blob){0});
    else if (fresh)
        pfs_chore_add(e, &t->chore);
}

enum pfs_state pfs_engine_look_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, bool wait,
                                      int *percent, struct pfs_blob *ret_table, struct pfs_err *err)
{
    struct pfs_at nowhere = {-1, -1, -1};
    enum pfs_state state = PFS_COLD;
    int code;
    (void)wait;
    *ret_table = (struct pfs_blob){0};
    *percent = 0;
    if (pfs_failure_known(e, pfs_failure_of(v, nowhere, op), &code, err))
        return PFS_ERROR;
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_REPORT, v, nowhere, op);
    if (t) {
        state = PFS_RUNNING;
        *percent = t->permille / 10;
    }
    for (int i = 0; i < e->n_reports && state == PFS_COLD; i++)
        if (e->report[i].view->dataset == v->dataset && !strcmp(e->report[i].view->text, v->text) &&
            !strcmp(e->report[i].op, op)) {
            *ret_table = copy_of(e->report[i].table);
            state = ret_table->data ? PFS_READY : PFS_COLD;
        }
    pthread_mutex_unlock(&e->lock);
    return state;
}
