/* The verb that makes planes, and what it has in common with those that learn. */
#include "worker/making.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { READ_SHARE = 250, RUN_SHARE = 700 };      /* of 1000, for progress */

struct pfs_shape making_input_shape(const struct pfs_work *k)
{
    struct pfs_shape s = k->stack.shape;
    if (k->n_inputs > 0) {
        s.y = k->input[0].shape.y;
        s.x = k->input[0].shape.x;
        s.type = k->input[0].shape.type;
    }
    return s;
}

int making_map(struct worker *w, const char *name, struct pfs_blob *ret, struct pfs_err *err)
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

void making_unmap(struct pfs_blob b)
{
    if (b.size)
        munmap(b.data, b.size);
}

static void step_done(void *ctx, int step)
{
    struct making *m = ctx;
    worker_progress(m->w, READ_SHARE + RUN_SHARE * (step + 1) / m->steps->n);
}

int making_begin(struct making *m, struct worker *w, struct pfs_blob request, struct pfs_err *err)
{
    *m = (struct making){.w = w};
    int e = pfs_work_get(request, &m->work, err);
    if (e)
        return e;
    struct pfs_shape in = making_input_shape(&m->work);
    e = pfs_recipe_read((const char *const *)m->work.step, m->work.n_steps, &in, &m->steps, err);
    if (!e)
        e = worker_context(w, &m->work.stack, m->steps, m->work.threads, &m->c, err);
    if (!e && m->work.model)
        e = making_map(w, "model", &m->model, err);
    if (!e && m->work.prior)
        e = making_map(w, "prior", &m->prior, err);
    return e;
}

void making_end(struct making *m)
{
    making_unmap(m->model);
    making_unmap(m->prior);
    pfs_recipe_close(m->steps);
    pfs_work_finish(&m->work);
}

int making_prepare(struct making *m, int64_t i, int n, struct pfs_typed *in, struct pfs_typed *ready,
                   struct pfs_err *err)
{
    const struct pfs_recipe_steps before = {.n = n, .step = m->steps->step};
    const struct pfs_shape *s = &m->work.input[i].shape;
    int e = 0;
    if (!in->px || in->h != s->y || in->w != s->x || in->type != s->type) {
        free(in->px);
        e = worker_plane_alloc(s->type, s->y, s->x, in, err);
    }
    if (!e)
        e = worker_read(m->w, &m->work.input[i], *in, err);
    if (e || n == 0)
        return e;
    const struct pfs_shape *o = &before.step[n - 1].out;
    if (!ready->px && (e = worker_plane_alloc(o->type, o->y, o->x, ready, err)))
        return e;
    worker_context_at(&m->c, m->work.input[i].plane);
    return pfs_recipe_run(&before, 0, m->work.model ? &m->model : NULL, &m->c.cx, *in, *ready, err);
}

/* ---- plane ---- */

static int write_plane(struct making *m, struct pfs_typed p, int64_t *ret_length, struct pfs_err *err)
{
    size_t n = (size_t)p.h * (size_t)p.row;
    int e = worker_write(m->w, p.px, n, m->work.offset, err);
    *ret_length = (int64_t)n;
    return e;
}

static int make_plane(struct making *m, struct pfs_typed in, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_typed out;
    int n = m->steps->n;
    if (n == 0)
        return write_plane(m, in, ret_length, err);
    const struct pfs_shape *s = &m->steps->step[n - 1].out;
    int e = worker_plane_alloc(s->type, s->y, s->x, &out, err);
    if (e)
        return e;
    worker_context_at(&m->c, m->work.at);
    m->steps->progress = step_done;
    m->steps->ctx = m;
    e = pfs_recipe_run(m->steps, 0, &m->model, &m->c.cx, in, out, err);
    if (!e)
        e = write_plane(m, out, ret_length, err);
    free(out.px);
    return e;
}

static int single(struct making *m, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_typed in = {0};
    if (m->work.n_inputs != 1)
        return pfs_fail(err, EPROTO, "%lld inputs for one plane", (long long)m->work.n_inputs);
    int e = making_prepare(m, 0, 0, &in, NULL, err);
    worker_progress(m->w, READ_SHARE);
    if (!e)
        e = make_plane(m, in, ret_length, err);
    free(in.px);
    return e;
}

static int gathering_step(const struct making *m)
{
    for (int i = 0; i < m->steps->n; i++)
        if (pfs_op_gathers(m->steps->step[i].op) != PFS_SINGLE)
            return i;
    return -1;
}

int worker_plane(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct making m;
    int e = making_begin(&m, w, request, err);
    if (!e && m.work.n_inputs < 1)
        e = pfs_fail(err, EPROTO, "a plane without inputs");
    if (!e) {
        int step = gathering_step(&m);
        e = step < 0 ? single(&m, ret_length, err) : worker_gather(&m, step, ret_length, err);
    }
    making_end(&m);
    return e;
}
