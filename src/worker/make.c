/* The verbs that compute: plane, partial, merge. */
#include "worker/worker.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { READ_SHARE = 250, RUN_SHARE = 700 };      /* of 1000, for progress */

struct making {                  /* a job at work */
    struct worker *w;
    struct pfs_work work;
    struct pfs_recipe_steps *steps;
    struct worker_context c;
    struct pfs_blob model;       /* mapped; empty without */
};

/* Shape of the stack as the first step sees it. */
static struct pfs_shape input_shape(const struct pfs_work *k)
{
    struct pfs_shape s = k->stack.shape;
    if (k->n_inputs > 0) {
        s.y = k->input[0].shape.y;
        s.x = k->input[0].shape.x;
        s.type = k->input[0].shape.type;
    }
    return s;
}

/* Map a file the daemon lends; its pages are not copied. gives a mapping */
static int map_file(struct worker *w, const char *name, struct pfs_blob *ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    *ret = (struct pfs_blob){0};
    int e = w->files.get(w->files.ctx, name, &fd, err);
    if (e)
        return e;
    if (fstat(fd, &st) < 0 || st.st_size < 0)
        return pfs_fail(err, EIO, "cannot see how long the %s are", name);
    if (st.st_size == 0)
        return 0;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return pfs_fail(err, EIO, "cannot map the %s: %s", name, strerror(errno));
    *ret = (struct pfs_blob){p, (size_t)st.st_size};
    return 0;
}

static void unmap(struct pfs_blob b)
{
    if (b.size)
        munmap(b.data, b.size);
}

static void step_done(void *ctx, int step)
{
    struct making *m = ctx;
    worker_progress(m->w, READ_SHARE + RUN_SHARE * (step + 1) / m->steps->n);
}

static int begin(struct making *m, struct worker *w, struct pfs_blob request, struct pfs_err *err)
{
    *m = (struct making){.w = w};
    int e = pfs_work_get(request, &m->work, err);
    if (e)
        return e;
    struct pfs_shape in = input_shape(&m->work);
    e = pfs_recipe_read((const char *const *)m->work.step, m->work.n_steps, &in, &m->steps, err);
    if (!e)
        e = worker_context(w, &m->work.stack, m->steps, m->work.threads, &m->c, err);
    if (!e && m->work.model)
        e = map_file(w, "model", &m->model, err);
    return e;
}

static void end(struct making *m)
{
    unmap(m->model);
    pfs_recipe_close(m->steps);
    pfs_work_finish(&m->work);
}

/* ---- plane ---- */

static int read_inputs(struct making *m, struct pfs_typed *in, struct pfs_err *err)
{
    int64_t n = m->work.n_inputs;
    int e = 0;
    for (int64_t i = 0; i < n && !e; i++) {
        const struct pfs_shape *s = &m->work.input[i].shape;
        e = worker_plane_alloc(s->type, s->y, s->x, &in[i], err);
        if (!e)
            e = worker_read(m->w, &m->work.input[i], in[i], err);
        worker_progress(m->w, (int)(READ_SHARE * (i + 1) / n));
    }
    return e;
}

static int write_plane(struct making *m, struct pfs_typed p, int64_t *ret_length, struct pfs_err *err)
{
    size_t n = (size_t)p.h * (size_t)p.row;
    int e = worker_write(m->w, p.px, n, m->work.offset, err);
    *ret_length = (int64_t)n;
    return e;
}

static int make_plane(struct making *m, const struct pfs_typed *in, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_typed out = in[0];
    int n = m->steps->n;
    if (n == 0)
        return write_plane(m, out, ret_length, err);
    const struct pfs_shape *s = &m->steps->step[n - 1].out;
    int e = worker_plane_alloc(s->type, s->y, s->x, &out, err);
    if (e)
        return e;
    worker_context_at(&m->c, m->work.at);
    m->steps->progress = step_done;
    m->steps->ctx = m;
    e = pfs_recipe_combine(m->steps, 0, &m->model, &m->c.cx, in, m->work.n_inputs, out, err);
    if (!e)
        e = write_plane(m, out, ret_length, err);
    free(out.px);
    return e;
}

int worker_plane(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    int e = begin(&m, w, request, err);
    int64_t n = m.work.n_inputs;
    PFS_AUTO_FREE struct pfs_typed *in = e ? NULL : pfs_array(n, sizeof *in);
    if (!e && n < 1)
        e = pfs_fail(err, EPROTO, "a plane without inputs");
    if (!e && n > 1 && m.steps->n == 0)
        e = pfs_fail(err, EPROTO, "several inputs without a step");
    if (!e && !in)
        e = pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)n);
    if (!e)
        e = read_inputs(&m, in, err);
    if (!e)
        e = make_plane(&m, in, ret_length, err);
    for (int64_t i = 0; in && i < n; i++)
        free(in[i].px);
    end(&m);
    return e;
}

/* ---- partial ---- */

/* The step that learns: the last. */
static int learner(const struct making *m, const struct pfs_step **ret, struct pfs_err *err)
{
    int n = m->steps->n;
    if (n < 1 || !m->steps->step[n - 1].op->partial || !m->steps->step[n - 1].op->merge)
        return pfs_fail(err, EPROTO, "the last step learns nothing");
    *ret = &m->steps->step[n - 1];
    return 0;
}

/* Steps in front of the learner run as at the work's own plane. Where that matters, there can be only one group. */
static int check_single_plane(const struct making *m, int64_t per, struct pfs_err *err)
{
    for (int i = 0; i < m->steps->n - 1 && m->work.n_inputs > per; i++)
        if (m->steps->step[i].op->depends || m->steps->step[i].op->flags & PFS_OP_TABLES)
            return pfs_fail(err, EPROTO, "%s depends on the section: one at a time", m->steps->step[i].op->name);
    return 0;
}

/* Read input i and bring it to where the learner takes it. Buffers are kept from plane to plane. */
static int prepare(struct making *m, int64_t i, struct pfs_typed *in, struct pfs_typed *ready, struct pfs_err *err)
{
    const struct pfs_recipe_steps before = {.n = m->steps->n - 1, .step = m->steps->step};
    const struct pfs_shape *s = &m->work.input[i].shape;
    int e = 0;
    if (!in->px || in->h != s->y || in->w != s->x || in->type != s->type) {
        free(in->px);
        e = worker_plane_alloc(s->type, s->y, s->x, in, err);
    }
    if (!e)
        e = worker_read(m->w, &m->work.input[i], *in, err);
    if (e || before.n == 0)
        return e;
    const struct pfs_shape *o = &before.step[before.n - 1].out;
    if (!ready->px && (e = worker_plane_alloc(o->type, o->y, o->x, ready, err)))
        return e;
    return pfs_recipe_run(&before, 0, m->work.model ? &m->model : NULL, &m->c.cx, *in, *ready, err);
}

static int put_partial(struct making *m, const struct pfs_step *s, const struct pfs_typed *ready, int64_t n,
                       int64_t *length, struct pfs_err *err)
{
    struct pfs_blob b;
    PFS_AUTO_TEXT struct pfs_text t = {0};
    int e = s->op->partial(s->params, ready, n, &b, err);
    if (e)
        return e;
    pfs_put_bytes(&t, b.data, b.size);
    free(b.data);
    e = t.failed ? pfs_fail(err, ENOMEM, "no memory for a partial") : worker_write(m->w, t.s, t.n, *length, err);
    *length += (int64_t)t.n;
    return e;
}

/* Groups of `per` inputs, one partial each. */
static int partials(struct making *m, const struct pfs_step *s, int64_t per, int64_t *length, struct pfs_err *err)
{
    PFS_AUTO_FREE struct pfs_typed *in = pfs_array(per, sizeof *in), *ready = pfs_array(per, sizeof *ready);
    bool run = m->steps->n > 1;
    int64_t n = m->work.n_inputs;
    int e = in && ready ? 0 : pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)per);
    for (int64_t i = 0; i + per <= n && !e; i += per) {
        for (int64_t k = 0; k < per && !e; k++)
            e = prepare(m, i + k, &in[k], &ready[k], err);
        if (!e)
            e = put_partial(m, s, run ? ready : in, per, length, err);
        worker_progress(m->w, (int)(1000 * (i + per) / n));
    }
    for (int64_t k = 0; in && ready && k < per; k++) {
        free(in[k].px);
        free(ready[k].px);
    }
    return e;
}

int worker_partial(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    const struct pfs_step *s = NULL;
    int e = begin(&m, w, request, err);
    if (!e)
        e = learner(&m, &s, err);
    int64_t per = !e && s->op->flags & PFS_OP_BANDS ? m.work.stack.shape.c : 1;
    if (!e && m.work.n_inputs % per)
        e = pfs_fail(err, EPROTO, "%lld inputs for groups of %lld", (long long)m.work.n_inputs, (long long)per);
    if (!e)
        e = check_single_plane(&m, per, err);
    if (!e)
        worker_context_at(&m.c, m.work.at);
    if (!e)
        e = partials(&m, s, per, ret_length, err);
    end(&m);
    return e;
}

/* ---- merge ---- */

/* Cut the parts file into its byte strings, which stay where they are. */
static int cut_parts(struct pfs_blob file, int64_t n, struct pfs_blob *part, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(file.data, file.size);
    for (int64_t i = 0; i < n; i++)
        part[i] = pfs_get_bytes(&r);
    return pfs_reader_end(&r) ? 0 : pfs_fail(err, EPROTO, "malformed parts");
}

static int merge(struct making *m, struct pfs_blob file, struct pfs_blob *ret, struct pfs_err *err)
{
    const struct pfs_step *s;
    int64_t n = m->work.n_parts;
    struct pfs_shape in = input_shape(&m->work);
    if ((uint64_t)n > file.size / 4)
        return pfs_fail(err, EPROTO, "malformed parts");
    PFS_AUTO_FREE struct pfs_blob *part = pfs_array(n, sizeof *part);
    int e = part ? cut_parts(file, n, part, err) : pfs_fail(err, ENOMEM, "no memory for %lld parts", (long long)n);
    if (!e)
        e = learner(m, &s, err);
    if (e)
        return e;
    if (m->steps->n > 1)
        in = m->steps->step[m->steps->n - 2].out;
    return s->op->merge(s->params, &in, part, n, ret, err);
}

int worker_merge(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    struct pfs_blob file = {0}, model = {0};
    int e = begin(&m, w, request, err);
    if (!e)
        e = map_file(w, "parts", &file, err);
    if (!e)
        e = merge(&m, file, &model, err);
    if (!e)
        e = worker_write(w, model.data, model.size, 0, err);
    *ret_length = (int64_t)model.size;
    free(model.data);
    unmap(file);
    end(&m);
    return e;
}
