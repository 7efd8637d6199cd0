/* Learning: what every plane, or all bands of a (t, z), teaches.
 *
 * Units are taken batch by batch; a few batches are under way at a time. A unit's partial is looked for in the ledger,
 * left to whoever is learning it at this moment, or learnt by a job and kept in the ledger at once: a report that was
 * interrupted goes on where it stopped, and one more section costs one partial. A batch that fails is tried again unit by
 * unit, so that the plane at fault is known by name, and can be left out where the configuration says so. */
#include "engine/report.h"

#include <planefs/mem.h>
#include <planefs/table.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES_MOST = 1 << 24, BANDS_MEMORY = 192 << 20, SLACK = 4 << 20 };

static void batch_run(struct chore *c);

static struct batch *of_chore(struct chore *c)
{
    return (struct batch *)((char *)c - offsetof(struct batch, chore));
}

static int64_t part_of(const struct report_task *r, struct pfs_at at)
{
    const struct pfs_shape *s = &r->shape;
    if (r->l.alone)
        return 0;
    int64_t t = r->l.t < 0 ? at.t : 0, z = r->l.z < 0 ? at.z : 0;
    return ((r->l.bands ? 0 : at.c) * s->t + t) * s->z + z;
}

static struct pfs_at unit_at(const struct report_task *r, int64_t unit, int64_t k)
{
    struct pfs_at at = pfs_dataset_plane(r->t.view->dataset, unit);
    at.c += k;
    return at;
}

/* ---- others who learn ---- */

/* lock held: all batches that wait look again */
static void wake_parked(struct pfs_engine *e)
{
    for (struct batch *b = e->parked, *next; b; b = next) {
        next = b->next_parked;
        pfs_chore_add(e, &b->chore);
    }
    e->parked = NULL;
}

/* lock held */
static bool learning_elsewhere(struct pfs_engine *e, struct pfs_hash key)
{
    for (const struct batch *b = e->learning; b; b = b->next_learning)
        for (int i = 0; i < b->n; i++)
            if (pfs_hash_same(b->key[i], key))
                return true;
    return false;
}

/* Announce that this batch learns the key; false when another one does. */
static bool announce(struct batch *b, struct pfs_hash key)
{
    struct pfs_engine *e = b->r->t.e;
    pthread_mutex_lock(&e->lock);
    bool mine = !learning_elsewhere(e, key);
    if (mine)
        b->key[b->n++] = key;
    pthread_mutex_unlock(&e->lock);
    return mine;
}

static void forget(struct batch *b, int n)
{
    pthread_mutex_lock(&b->r->t.e->lock);
    b->n = n;
    wake_parked(b->r->t.e);
    pthread_mutex_unlock(&b->r->t.e->lock);
}

static void defer(struct report_task *r, int64_t unit)
{
    pthread_mutex_lock(&r->t.e->lock);
    r->deferred[r->n_deferred++] = unit;
    pthread_mutex_unlock(&r->t.e->lock);
}

/* ---- the result of a batch ---- */

/* takes the bytes */
static void put_part(struct report_task *r, int64_t unit, struct pfs_hash key, struct pfs_blob bytes)
{
    int64_t at = part_of(r, unit_at(r, unit, 0));
    pthread_mutex_lock(&r->t.e->lock);
    bool hold = r->hold || r->held + (int64_t)bytes.size <= PARTS_HELD;
    r->held += hold ? (int64_t)bytes.size : 0;
    r->part_key[at] = key;
    r->part[at] = hold ? bytes : (struct pfs_blob){0};
    r->done++;
    r->t.permille = (int)(r->done * 1000 / r->total);
    pthread_mutex_unlock(&r->t.e->lock);
    if (!hold)
        free(bytes.data);
}

/* A bad plane: left out where the configuration says so, else the end, under the plane's name. */
static void bad(struct report_task *r, int64_t unit, int code, const struct pfs_err *err)
{
    const struct pfs_dataset *d = r->t.view->dataset;
    struct pfs_at at = unit_at(r, unit, 0);
    bool planes_own = code != -ENOMEM && code != -ESTALE && code != -ECANCELED && code != -EMFILE;
    if (planes_own && d->skip_bad && !r->l.alone) {
        pthread_mutex_lock(&r->t.e->lock);
        r->skipped[r->n_skipped++] = at.z;
        r->done++;
        pthread_mutex_unlock(&r->t.e->lock);
        return;
    }
    struct pfs_err named;
    char name[PFS_NAME_MAX];
    pfs_dataset_name(d, at, name);
    if (code == -ECANCELED || strstr(err->text, name))
        named = *err;
    else
        pfs_fail(&named, -code, "%.60s: %.170s", name, err->text);
    pfs_report_fail(r, code, &named);
}

static bool stale(const struct batch *b, int i, struct pfs_err *err)
{
    const struct report_task *r = b->r;
    const struct pfs_dataset *d = r->t.view->dataset;
    for (int64_t k = 0; k < r->per_unit; k++) {
        const struct pfs_file *f = b->located[i * r->per_unit + k].file;
        if ((k == 0 || f != b->located[i * r->per_unit + k - 1].file) &&
            pfs_dataset_stale(r->t.e->catalog, d, f - d->file)) {
            pfs_fail(err, ESTALE, "%s changed while it was read", f->path);
            return true;
        }
    }
    return false;
}

static void take_parts(struct batch *b)
{
    struct report_task *r = b->r;
    struct pfs_reader in = pfs_reader(b->bytes.data, b->bytes.size);
    for (int i = 0; i < b->n; i++) {
        struct pfs_blob part = pfs_blob_copy(pfs_get_bytes(&in));
        int code = 0;
        if (in.bad || !part.data)
            code = pfs_fail(&b->err, EIO, "the worker's answer makes no sense");
        else if (stale(b, i, &b->err))
            code = -ESTALE;
        if (code) {
            free(part.data);
            pfs_report_fail(r, code, &b->err);
            return;
        }
        pfs_ledger_put(r->t.e->cache, b->key[i], part.data, part.size);
        put_part(r, b->unit[i], b->key[i], part);
    }
}

static void batch_learnt(struct chore *c)
{
    struct batch *b = of_chore(c);
    struct report_task *r = b->r;
    if (!b->code)
        take_parts(b);
    else if (b->n > 1 && b->code != -ECANCELED) {
        for (int i = 0; i < b->n; i++)
            defer(r, b->unit[i]);
        r->per_batch = 1;
    } else
        bad(r, b->unit[0], b->code, &b->err);
    free(b->bytes.data);
    b->bytes = (struct pfs_blob){0};
    b->code = 0;
    forget(b, 0);
    b->chore.run = batch_run;
    batch_run(&b->chore);
}

static void job_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct batch *b = ctx;
    pfs_job_over(&b->job, code);
    b->code = code < 0 ? pfs_fail(&b->err, -code, "%s", reason) : 0;
    b->bytes = code < 0 ? (struct pfs_blob){0} : pfs_blob_copy(bytes);
    pfs_chore_add(b->r->t.e, &b->chore);
}

/* ---- a batch as a job ---- */

static int batch_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct batch *b = ctx;
    struct report_task *r = b->r;
    if (!strcmp(name, "prior") && r->prior_fd >= 0) {
        *ret_fd = fcntl(r->prior_fd, F_DUPFD_CLOEXEC, 0);
        return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for a model") : 0;
    }
    for (int64_t i = 0; i < b->n * r->per_unit; i++)
        if (!strcmp(b->located[i].file->path, name))
            return pfs_catalog_open_file(r->t.e->catalog, b->located[i].file, ret_fd, err);
    return pfs_open_source(r->t.e, r->t.view->dataset, name, ret_fd, err);
}

static int64_t memory_of(const struct report_task *r)
{
    const struct pfs_recipe *recipe = &r->t.view->recipe;
    int64_t in = pfs_shape_plane_bytes(&r->t.view->dataset->shape), out = pfs_shape_plane_bytes(&r->shape), most = 0;
    for (int i = 0; i < r->l.steps; i++)
        most = recipe->step[i].memory > most ? recipe->step[i].memory : most;
    if (r->l.bands)
        return (r->l.steps ? in + most + out * r->per_unit : 0) + r->memory + BANDS_MEMORY;
    return in + (r->l.steps ? out + most : 0) + r->memory + SLACK;
}

static bool make_request(const struct batch *b, struct pfs_blob *ret)
{
    const struct report_task *r = b->r;
    const struct pfs_dataset *d = r->t.view->dataset;
    int64_t n = b->n * r->per_unit;
    PFS_AUTO_FREE struct pfs_input *input = pfs_array(n, sizeof *input);
    PFS_AUTO_FREE char **step = pfs_array(r->l.steps + 1, sizeof *step);
    struct pfs_text text = {0};
    if (!input || !step)
        return false;
    for (int i = 0; i < r->l.steps; i++)
        step[i] = r->t.view->recipe.step[i].text;
    step[r->l.steps] = r->l.teacher;
    for (int64_t i = 0; i < n; i++) {
        const struct pfs_located *l = &b->located[i];
        input[i] = (struct pfs_input){.name = l->file->path, .series = l->series, .at = l->at, .shape = d->shape,
                                      .plane = unit_at(r, b->unit[i / r->per_unit], i % r->per_unit),
                                      .version = pfs_dataset_version(d, l->file - d->file)};
    }
    struct pfs_work w = {.n_steps = r->l.steps + 1, .step = step, .threads = r->l.bands ? r->t.e->o.cores : 1,
                         .n_inputs = n, .input = input, .at = input[0].plane, .prior = r->prior_fd >= 0};
    pfs_dataset_info(d, &w.stack);
    pfs_work_put(&text, &w);
    return pfs_text_take(&text, ret);
}

static int batch_submit(struct batch *b, struct pfs_err *err)
{
    struct report_task *r = b->r;
    struct pfs_engine *e = r->t.e;
    b->job = (struct admission){.e = e, .memory = memory_of(r), .order = {
        .role = PFS_MAKER, .verb = PFS_PARTIAL, .result_fd = -1, .length = -1, .open = batch_open, .done = job_done,
        .most = (int64_t)PART_MOST * b->n, .priority = -1, .timeout_ms = e->o.timeout_ms * b->n, .ctx = b}};
    b->chore.run = batch_learnt;
    if (!make_request(b, &b->job.order.request))
        return pfs_fail(err, ENOMEM, "no memory for a job");
    if (pfs_task_unwanted(&r->t)) {
        free(b->job.order.request.data);
        return pfs_fail(err, ECANCELED, "cancelled");
    }
    pfs_job_submit(&b->job);
    return 0;
}

/* ---- what a batch is of ---- */

/* All that a partial depends on: the planes, the teacher, and of the prior model the extremes of the band. */
static int part_text(struct report_task *r, int64_t unit, struct pfs_located *l, struct pfs_text *ret,
                     struct pfs_err *err)
{
    struct pfs_engine *e = r->t.e;
    struct pfs_view_on *v = r->t.view;
    static const char *const extremes[] = {"min", "max"};
    int code = 0;
    for (int64_t k = 0; k < r->per_unit && !code; k++) {
        struct pfs_at at = unit_at(r, unit, k);
        struct pfs_hash content;
        code = pfs_catalog_locate(e->catalog, v->dataset, at, true, &l[k], err);
        if (!code)
            code = pfs_catalog_content(e->catalog, v->dataset, &l[k], PFS_READ, &content, err);
        if (!code)
            code = pfs_plane_text(v, &l[k], content, at, r->l.steps, NULL, ret, err);
    }
    if (code < 0)
        return code;
    pfs_text_addf(ret, "partial %s\n", r->l.teacher);
    if (r->l.bands)
        pfs_text_addf(ret, "algebra %s\n", e->registry.algebra ? e->registry.algebra : "");
    for (int i = 0; i < 2 && r->prior.data; i++) {
        struct pfs_column c;
        int64_t band = unit_at(r, unit, 0).c;
        if (pfs_table_column(r->prior, extremes[i], &c) && band < c.n)
            pfs_text_addf(ret, "%s %a %" PRId64 "\n", extremes[i], pfs_column_f64(&c, band), pfs_column_i64(&c, band));
    }
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a key") : 0;
}

/* Look one unit's partial up, or note that it must be learnt. */
static int look_up(struct batch *b, int64_t unit, struct pfs_err *err)
{
    struct report_task *r = b->r;
    struct pfs_blob part;
    PFS_AUTO_TEXT struct pfs_text text = {0};
    int code = part_text(r, unit, b->located + b->n * r->per_unit, &text, err);
    if (code < 0)
        return code;
    struct pfs_hash key = pfs_hash(text.s, text.n);
    if (!announce(b, key))
        defer(r, unit);
    else if (!pfs_ledger_get(r->t.e->cache, key, &part)) {
        forget(b, b->n - 1);
        put_part(r, unit, key, part);
    } else
        b->unit[b->n - 1] = unit;
    return 0;
}

/* ---- batch after batch ---- */

static void take_off(struct batch *b)
{
    for (struct batch **at = &b->r->t.e->learning; *at; at = &(*at)->next_learning)
        if (*at == b) {
            *at = b->next_learning;
            break;
        }
}

/* What comes next for a batch that found nothing more: true when it goes on with what was put off. */
static bool go_on(struct batch *b, bool *last)
{
    struct report_task *r = b->r;
    struct pfs_engine *e = r->t.e;
    bool again = false, wait = false;
    pthread_mutex_lock(&e->lock);
    *last = false;
    if (!r->code && r->n_deferred && r->under_way == 1) {
        int64_t *spare = r->unit;
        r->unit = r->deferred;
        r->n = r->n_deferred;
        r->next = r->n_deferred = 0;
        r->deferred = spare;
        again = true;
        for (const struct batch *o = e->learning; o; o = o->next_learning)
            wait |= o != b && o->n > 0;
        if (wait) {
            b->next_parked = e->parked;
            e->parked = b;
        }
    } else {
        *last = --r->under_way == 0;
        take_off(b);
        wake_parked(e);
    }
    pthread_mutex_unlock(&e->lock);
    return again && !wait;
}

static bool take_units(struct report_task *r, int64_t *from, int64_t *to)
{
    pthread_mutex_lock(&r->t.e->lock);
    if (r->t.cancelled && !r->code)
        r->code = pfs_fail(&r->err, ECANCELED, "cancelled");
    *from = r->next;
    *to = *from + r->per_batch < r->n ? *from + r->per_batch : r->n;
    bool some = !r->code && *from < r->n;
    if (some)
        r->next = *to;
    pthread_mutex_unlock(&r->t.e->lock);
    return some;
}

static struct pfs_blob take_only(struct report_task *r)
{
    struct pfs_blob part = r->part[0];
    r->part[0] = (struct pfs_blob){0};
    return part;
}

static void batch_run(struct chore *c)
{
    struct batch *b = of_chore(c);
    struct report_task *r = b->r;
    int64_t from, to;
    bool last = false;
    do {
        while (take_units(r, &from, &to)) {
            struct pfs_err err = {0};
            for (int64_t i = from; i < to && !r->code; i++) {
                int code = look_up(b, r->unit[i], &err);
                if (code < 0)
                    bad(r, r->unit[i], code, &err);
            }
            bool learns = b->n && !r->code;
            int code = learns ? batch_submit(b, &err) : 0;
            if (learns && !code)
                return;              /* handed over: batch and report may be gone */
            if (code < 0)
                pfs_report_fail(r, code, &err);
            forget(b, 0);
        }
    } while (go_on(b, &last));
    if (last && !r->code && r->l.alone)
        pfs_report_end(r, take_only(r));
    else if (last && !r->code)
        pfs_report_merge(r);
    else if (last)
        pfs_report_end(r, (struct pfs_blob){0});
}

/* ---- the beginning ---- */

void pfs_learn_cancel(struct report_task *r)
{
    for (int i = 0; i < BATCHES; i++)
        if (r->batch[i].job.e)
            pfs_job_cancel(&r->batch[i].job);
    wake_parked(r->t.e);
}

static bool whole_group(const struct pfs_dataset *d, struct pfs_at at)
{
    for (at.c = 1; d->spread && !d->file_channels && at.c < d->shape.c; at.c++)
        if (pfs_dataset_file(d, at) < 0)
            return false;
    return true;
}

static void list_units(struct report_task *r)
{
    const struct pfs_dataset *d = r->t.view->dataset;
    int64_t n = pfs_dataset_planes(d);
    r->n = 0;
    if (r->l.alone) {
        r->unit[r->n++] = r->only;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        struct pfs_at at = pfs_dataset_plane(d, i);
        bool wanted = (r->l.t < 0 || at.t == r->l.t) && (r->l.z < 0 || at.z == r->l.z) && (r->l.c < 0 || at.c == r->l.c);
        if (wanted && (!r->l.bands || (at.c == 0 && whole_group(d, at))))
            r->unit[r->n++] = i;
    }
}

int pfs_learn_begin(struct report_task *r)
{
    const struct pfs_dataset *d = r->t.view->dataset;
    int64_t bytes = pfs_shape_plane_bytes(&d->shape), planes = r->l.alone ? 1 : pfs_dataset_planes(d);
    r->shape = pfs_shape_before(r->t.view, r->l.steps);
    r->shape.t = r->l.t < 0 ? r->shape.t : 1;
    r->shape.z = r->l.z < 0 ? r->shape.z : 1;
    r->per_unit = r->l.bands ? d->shape.c : 1;
    r->n_parts = r->l.alone ? 1 : r->l.bands ? r->shape.t * r->shape.z : pfs_shape_planes(&r->shape);
    if (r->n_parts < 0 || r->n_parts > PLANES_MOST)
        return pfs_fail(&r->err, EFBIG, "a stack of %" PRId64 " planes, most of them missing", r->n_parts);
    r->per_batch = r->l.bands || r->l.steps || bytes <= 0 ? 1 : BATCH_BYTES / bytes;
    r->per_batch = r->per_batch < 1 ? 1 : r->per_batch > BATCH_PLANES ? BATCH_PLANES : r->per_batch;
    r->unit = pfs_array(planes, sizeof *r->unit);
    r->deferred = pfs_array(planes, sizeof *r->deferred);
    r->skipped = pfs_array(planes, sizeof *r->skipped);
    r->part = pfs_array(r->n_parts, sizeof *r->part);
    r->part_key = pfs_array(r->n_parts, sizeof *r->part_key);
    bool ok = r->unit && r->deferred && r->skipped && r->part && r->part_key;
    for (int i = 0; i < BATCHES && ok; i++)
        ok = (r->batch[i].located = pfs_array(r->per_batch * r->per_unit, sizeof(struct pfs_located))) != NULL;
    if (!ok)
        return pfs_fail(&r->err, ENOMEM, "no memory for %" PRId64 " parts", r->n_parts);
    list_units(r);
    r->total = r->n ? r->n : 1;
    return 0;
}

void pfs_learn_start(struct report_task *r)
{
    struct pfs_engine *e = r->t.e;
    int n = r->l.alone ? 1 : e->o.pool.makers * 2 < BATCHES ? e->o.pool.makers * 2 : BATCHES;
    pthread_mutex_lock(&e->lock);
    r->under_way = n;
    for (int i = 0; i < n; i++) {
        struct batch *b = &r->batch[i];
        b->r = r;
        b->chore.run = batch_run;
        b->next_learning = e->learning;
        e->learning = b;
    }
    pthread_mutex_unlock(&e->lock);
    for (int i = 0; i < n; i++)
        pfs_chore_add(e, &r->batch[i].chore);
}

void pfs_learn_finish(struct report_task *r)
{
    for (int64_t i = 0; r->part && i < r->n_parts; i++)
        free(r->part[i].data);
    for (int i = 0; i < BATCHES; i++)
        free(r->batch[i].located);
    free(r->part);
    free(r->part_key);
    free(r->unit);
    free(r->deferred);
    free(r->skipped);
    r->part = NULL;
}
