/* The model from its parts: a job of its own, which is handed the parts a few megabytes at a time, in the order of the
 * merge. The same parts have the same model: it may be known. */
#include "engine/report.h"

#include <planefs/mem.h>
#include <planefs/table.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MERGE_MEMORY = 96 << 20 };

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The sections left out, each once, as they are numbered. */
static void sort_skipped(struct report_task *r)
{
    int64_t n = 0, first = r->t.view->dataset->first[1];
    if (r->n_skipped)
        qsort(r->skipped, (size_t)r->n_skipped, sizeof *r->skipped, compare);
    for (int64_t i = 0; i < r->n_skipped; i++)
        if (!i || r->skipped[i] + first != r->skipped[n - 1])
            r->skipped[n++] = r->skipped[i] + first;
    r->n_skipped = n;
}

static bool merged_before(struct report_task *r, struct pfs_blob *ret)
{
    const struct pfs_shape *s = &r->shape;
    PFS_AUTO_TEXT struct pfs_text text = {0};
    pfs_text_addf(&text, "planefs 1\nmodel %s\nshape %" PRId64 " %" PRId64 " %" PRId64 "\n", r->l.op, s->t, s->z, s->c);
    pfs_text_bytes(&text, r->part_key, (size_t)r->n_parts * sizeof *r->part_key);
    pfs_text_bytes(&text, r->skipped, (size_t)r->n_skipped * sizeof *r->skipped);
    if (text.failed)
        return false;
    r->key = pfs_hash(text.s, text.n);
    return !pfs_ledger_get(r->t.e->cache, r->key, ret) && pfs_table_valid(*ret);
}

/* ---- after the job ---- */

/* What the operator does not know: which sections were left out. takes the table */
static struct pfs_blob with_skipped(const struct report_task *r, struct pfs_blob table)
{
    struct pfs_text t = {0};
    struct pfs_blob ret = {0};
    pfs_text_bytes(&t, table.data, table.size);
    pfs_table_i64(&t, "skipped", r->skipped, r->n_skipped);
    free(table.data);
    return pfs_text_take(&t, &ret) ? ret : (struct pfs_blob){0};
}

static void merged(struct chore *c)
{
    struct batch *b = (struct batch *)((char *)c - offsetof(struct batch, chore));
    struct report_task *r = b->r;
    struct pfs_blob table = {0};
    if (b->code < 0) {
        r->code = b->code;
        r->err = b->err;
    } else if (!b->bytes.data || !pfs_table_valid(b->bytes)) {
        r->code = pfs_fail(&r->err, EIO, "the worker's answer makes no sense");
    } else {
        table = with_skipped(r, b->bytes);
        b->bytes = (struct pfs_blob){0};
        if (table.data)
            pfs_ledger_put(r->t.e->cache, r->key, table.data, table.size);
        else
            r->code = pfs_fail(&r->err, ENOMEM, "no memory for a model");
    }
    free(b->bytes.data);
    pfs_report_end(r, table);
}

static void job_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct batch *b = ctx;
    pfs_job_over(&b->job, code);
    b->code = code < 0 ? pfs_fail(&b->err, -code, "%s", reason) : 0;
    b->bytes = code < 0 ? (struct pfs_blob){0} : pfs_blob_copy(bytes);
    pfs_chore_add(b->r->t.e, &b->chore);
}

/* ---- the parts ---- */

static void put_length(struct pfs_text *t, size_t n)
{
    pfs_put_u32(t, (uint32_t)n);
}

static int add_part(struct report_task *r, int64_t i, struct pfs_text *t, struct pfs_err *err)
{
    struct pfs_blob part = r->part[i];
    bool missing = !r->part_key[i].hi && !r->part_key[i].lo;
    if (missing) {
        put_length(t, 0);
        return 0;
    }
    bool held = part.data != NULL;
    if (!held && pfs_ledger_get(r->t.e->cache, r->part_key[i], &part))
        return pfs_fail(err, EIO, "the cache is too small for what %" PRId64 " planes teach (-o cache_size=)", r->n_parts);
    pfs_put_bytes(t, part.data, part.size);
    if (!held)
        free(part.data);
    return 0;
}

/* The next file of parts. The worker asks for them in order. */
static int parts_file(struct report_task *r, int *ret_fd, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    int e = 0;
    while (r->sent < r->n_parts && t.n < PARTS_FILE && !e)
        e = add_part(r, r->sent++, &t, err);
    if (e)
        return e;
    *ret_fd = t.failed ? -1 : pfs_memory_file("planefs-parts", (struct pfs_blob){t.s, t.n});
    return *ret_fd < 0 ? pfs_fail(err, ENOMEM, "no memory for parts") : 0;
}

static int merge_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct report_task *r = ((struct batch *)ctx)->r;
    if (!strcmp(name, "prior") && r->prior_fd >= 0) {
        *ret_fd = fcntl(r->prior_fd, F_DUPFD_CLOEXEC, 0);
        return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor for a model") : 0;
    }
    PFS_AUTO_FREE char *wanted = pfs_format("parts%" PRId64, r->files);
    if (!wanted || strcmp(name, wanted))
        return pfs_fail(err, EPERM, "%s is not to be had", name);
    r->files++;
    return parts_file(r, ret_fd, err);
}

static int submit(struct report_task *r)
{
    struct batch *b = &r->batch[0];
    struct pfs_engine *e = r->t.e;
    const char *step[] = {r->l.op};
    struct pfs_work w = {.n_steps = 1, .step = (char **)(uintptr_t)step, .threads = e->o.cores, .n_parts = r->n_parts,
                         .prior = r->prior_fd >= 0};
    struct pfs_text text = {0};
    pfs_dataset_info(r->t.view->dataset, &w.stack);
    w.stack.shape = r->shape;
    pfs_work_put(&text, &w);
    b->r = r;
    b->chore.run = merged;
    b->job = (struct admission){.e = e, .memory = MERGE_MEMORY + r->memory, .order = {
        .role = PFS_MAKER, .verb = PFS_MERGE, .result_fd = -1, .length = -1, .most = MODEL_MOST, .open = merge_open,
        .done = job_done, .ctx = b, .timeout_ms = e->o.timeout_ms}};
    if (!pfs_text_take(&text, &b->job.order.request))
        return pfs_fail(&r->err, ENOMEM, "no memory for a job");
    if (pfs_task_unwanted(&r->t)) {
        free(b->job.order.request.data);
        return pfs_fail(&r->err, ECANCELED, "cancelled");
    }
    pfs_job_submit(&b->job);
    return 0;
}

void pfs_report_merge(struct report_task *r)
{
    struct pfs_blob known = {0};
    sort_skipped(r);
    if (merged_before(r, &known)) {
        pfs_report_end(r, known);
        return;
    }
    free(known.data);
    r->sent = r->files = 0;
    int code = submit(r);            /* once it is handed over, the report may end at any moment */
    if (code < 0) {
        r->code = code;
        pfs_report_end(r, (struct pfs_blob){0});
    }
}
