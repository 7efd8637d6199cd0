/* The verbs that learn: what planes teach, and the model of all that. */
#include "worker/making.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- partial ---- */

static int teacher(const struct making *m, const struct pfs_step **ret, struct pfs_err *err)
{
    int n = m->steps->n;
    if (n < 1 || !(m->steps->step[n - 1].op->partial || m->steps->step[n - 1].op->partial_bands))
        return pfs_fail(err, EPROTO, "the last step teaches nothing");
    *ret = &m->steps->step[n - 1];
    return 0;
}

/* Append a partial to the result; takes it. */
static int put_partial(struct making *m, struct pfs_blob b, int64_t *length, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_bytes(&t, b.data, b.size);
    free(b.data);
    int e = t.failed ? pfs_fail(err, ENOMEM, "no memory for a partial") : worker_write(m->w, t.s, t.n, *length, err);
    *length += (int64_t)t.n;
    return e;
}

static int of_planes(struct making *m, const struct pfs_step *s, int64_t *length, struct pfs_err *err)
{
    struct pfs_typed in = {0}, ready = {0};
    int64_t n = m->work.n_inputs;
    int e = 0, before = m->steps->n - 1;
    for (int64_t i = 0; i < n && !e; i++) {
        struct pfs_lesson l = {m->prior, m->work.input[i].plane.c, m->c.cx.threads};
        struct pfs_blob b;
        e = making_prepare(m, i, before, &in, &ready, err);
        if (!e)
            e = s->op->partial(s->params, &l, before ? &ready : &in, &b, err);
        if (!e)
            e = put_partial(m, b, length, err);
        worker_progress(m->w, (int)(1000 * (i + 1) / n));
    }
    free(in.px);
    free(ready.px);
    return e;
}

static int of_bands(struct making *m, const struct pfs_step *s, int64_t *length, struct pfs_err *err)
{
    int64_t per = m->work.stack.shape.c, n = m->work.n_inputs;
    int e = n % per ? pfs_fail(err, EPROTO, "%lld inputs for groups of %lld", (long long)n, (long long)per) : 0;
    for (int64_t i = 0; i < n && !e; i += per) {
        struct pfs_lesson l = {m->prior, 0, m->c.cx.threads};
        struct worker_bands bands;
        struct pfs_blob b;
        e = worker_bands_open(&bands, m, i, per, m->steps->n - 1, err);
        if (!e)
            e = s->op->partial_bands(s->params, &l, &bands.b, &b, err);
        worker_bands_close(&bands);
        if (!e)
            e = put_partial(m, b, length, err);
        worker_progress(m->w, (int)(1000 * (i + per) / n));
    }
    return e;
}

int worker_partial(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    const struct pfs_step *s = NULL;
    int e = making_begin(&m, w, request, err);
    if (!e)
        e = teacher(&m, &s, err);
    if (!e)
        e = s->op->partial_bands ? of_bands(&m, s, ret_length, err) : of_planes(&m, s, ret_length, err);
    making_end(&m);
    return e;
}

/* ---- merge ---- */

/* Partials as they come from the daemon: files of some of them, asked for one after the other. */
struct arriving {
    struct pfs_parts parts;
    struct worker *w;
    struct pfs_blob file;
    struct pfs_reader r;
    int64_t next, files;
};

static int next_file(struct arriving *a, struct pfs_err *err)
{
    char name[32];
    making_unmap(a->file);
    a->file = (struct pfs_blob){0};
    snprintf(name, sizeof name, "parts%lld", (long long)a->files++);
    int e = making_map(a->w, name, &a->file, err);
    a->r = pfs_reader(a->file.data, a->file.size);
    if (!e && !a->file.size)
        e = pfs_fail(err, EPROTO, "malformed parts: an empty file");
    return e;
}

static int next_part(struct pfs_parts *p, struct pfs_blob *ret, struct pfs_err *err)
{
    struct arriving *a = (struct arriving *)p;
    int e = 0;
    if (a->next == p->n)
        return pfs_fail(err, EPROTO, "malformed parts: there are only %lld", (long long)p->n);
    if (a->r.p == a->r.end)
        e = next_file(a, err);
    if (e)
        return e;
    *ret = pfs_get_bytes(&a->r);
    if (a->r.bad)
        return pfs_fail(err, EPROTO, "malformed parts");
    worker_progress(a->w, (int)(1000 * ++a->next / (p->n + 1)));
    return 0;
}

static int merge(struct making *m, struct pfs_blob *ret, struct pfs_err *err)
{
    struct arriving a = {{m->work.n_parts, next_part}, m->w, {0}, {0}, 0, 0};
    struct pfs_shape in = making_input_shape(&m->work);
    int n = m->steps->n;
    const struct pfs_step *s = n ? &m->steps->step[n - 1] : NULL;
    if (!s || !s->op->merge)
        return pfs_fail(err, EPROTO, "the last step learns nothing");
    if (n > 1)
        in = m->steps->step[n - 2].out;
    int e = s->op->merge(s->params, &in, m->prior, &a.parts, ret, err);
    if (!e && (a.next != a.parts.n || a.r.p != a.r.end)) {
        free(ret->data);
        *ret = (struct pfs_blob){0};
        e = pfs_fail(err, EPROTO, "malformed parts: some are left over");
    }
    making_unmap(a.file);
    return e;
}

int worker_merge(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    struct pfs_blob model = {0};
    int e = making_begin(&m, w, request, err);
    if (!e)
        e = merge(&m, &model, err);
    if (!e)
        e = worker_write(w, model.data, model.size, 0, err);
    *ret_length = (int64_t)model.size;
    free(model.data);
    making_end(&m);
    return e;
}
