/* Planes made of several: all bands of one (t, z), or all planes along an axis.
 *
 * The gathering step works on some rows of its inputs at a time, so that memory does not grow with their number. Steps in
 * front of it run on whole planes, one after the other along an axis; steps behind it on each resulting plane. */
#include "worker/making.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

enum { CACHED = 256 << 10, STRIP = 16 << 20 };   /* bytes of an input's rows that stay in the cache; of all bands' rows */

struct gathering {
    struct making *m;
    int step;
    const struct pfs_step *s;
    struct pfs_shape in;                         /* of the step's input */
    int64_t row, rows;                           /* to be made */
    struct pfs_typed *out;                       /* n_out windows of the rows, or whole planes */
    int64_t n_out;
};

/* ---- along an axis ---- */

/* Does a plane lie raw, so that reading few rows of it costs no more? */
static bool raw(struct gathering *g)
{
    const struct pfs_input *in = &g->m->work.input[0];
    struct pfs_source *s;
    struct pfs_extent x;
    return in->series >= 0 && !worker_source(g->m->w, in->name, in->version, &s, NULL) && in->series < s->n_series &&
           pfs_at_inside(&s->series[in->series].shape, in->at) &&
           !s->driver->extent(s, in->series, in->at, &x, NULL) && x.raw >= 0;
}

/* Fold rows of all inputs into n rows of the result. */
static int fold_rows(struct gathering *g, int64_t y, int64_t n, struct pfs_typed in, void *state, struct pfs_err *err)
{
    const struct pfs_along *a = g->s->op->along;
    int64_t pixels = n * in.w;
    int e = 0;
    in.h = n;
    a->begin(g->s->params, in.type, state, pixels);
    for (int64_t i = 0; i < g->m->work.n_inputs && !e; i++) {
        e = worker_read_rows(g->m->w, &g->m->work.input[i], y, in, err);
        if (!e)
            a->add(g->s->params, in.type, state, in.px, pixels);
    }
    if (!e)
        a->end(g->s->params, in.type, state, g->m->work.n_inputs, (char *)g->out->px + (y - g->row) * g->out->row, pixels);
    return e;
}

static int along_rows(struct gathering *g, struct pfs_err *err)
{
    const struct pfs_along *a = g->s->op->along;
    size_t row = (size_t)g->in.x * pfs_type_size(g->in.type);
    int64_t most = raw(g) && row < CACHED ? CACHED / (int64_t)row : raw(g) ? 1 : g->rows;
    most = most < g->rows ? most : g->rows;
    PFS_AUTO_FREE void *px = pfs_pixels(most, row), *state = pfs_pixels(most * g->in.x, a->room(g->in.type));
    struct pfs_typed in = {g->in.type, px, (ptrdiff_t)row, most, g->in.x};
    int e = px && state ? 0 : pfs_fail(err, ENOMEM, "no memory to fold planes");
    for (int64_t y = g->row; y < g->row + g->rows && !e; y += most) {
        int64_t left = g->row + g->rows - y;
        e = fold_rows(g, y, left < most ? left : most, in, state, err);
        worker_progress(g->m->w, (int)(1000 * (y - g->row) / g->rows));
    }
    return e;
}

/* With steps in front: whole planes. */
static int along_planes(struct gathering *g, struct pfs_err *err)
{
    const struct pfs_along *a = g->s->op->along;
    int64_t pixels = g->in.y * g->in.x, n = g->m->work.n_inputs;
    struct pfs_typed in = {0}, ready = {0};
    PFS_AUTO_FREE void *state = pfs_pixels(pixels, a->room(g->in.type));
    int e = state ? 0 : pfs_fail(err, ENOMEM, "no memory to fold planes");
    if (!e)
        a->begin(g->s->params, g->in.type, state, pixels);
    for (int64_t i = 0; i < n && !e; i++) {
        e = making_prepare(g->m, i, g->step, &in, &ready, err);
        if (!e)
            a->add(g->s->params, g->in.type, state, ready.px, pixels);
        worker_progress(g->m->w, (int)(1000 * (i + 1) / (n + 1)));
    }
    if (!e)
        a->end(g->s->params, g->in.type, state, n, g->out->px, pixels);
    free(in.px);
    free(ready.px);
    return e;
}

/* ---- all bands ---- */

static int some_bands(struct gathering *g, struct worker_bands *b, int64_t y, int64_t n, struct pfs_typed *part,
                      struct pfs_err *err)
{
    const struct pfs_typed *in;
    int e = b->b.rows(&b->b, y, n, &in, err);
    for (int64_t k = 0; k < g->n_out; k++) {
        part[k] = g->out[k];
        part[k].h = n;
        part[k].px = (char *)g->out[k].px + (y - g->row) * g->out[k].row;
    }
    return e ? e : g->s->op->bands(g->s->params, g->m->model, in, b->b.n, part, g->n_out, err);
}

static int bands(struct gathering *g, struct pfs_err *err)
{
    struct worker_bands b;
    int64_t n = g->m->work.n_inputs, bytes = n * g->in.x * (int64_t)pfs_type_size(g->in.type);
    int64_t most = bytes < STRIP ? STRIP / bytes : 1;
    PFS_AUTO_FREE struct pfs_typed *part = pfs_array(g->n_out, sizeof *part);
    int e = worker_bands_open(&b, g->m, 0, n, g->step, err);
    if (!e && !part)
        e = pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)g->n_out);
    for (int64_t y = g->row; y < g->row + g->rows && !e; y += most) {
        int64_t left = g->row + g->rows - y;
        e = some_bands(g, &b, y, left < most ? left : most, part, err);
        worker_progress(g->m->w, (int)(1000 * (y - g->row) / g->rows));
    }
    worker_bands_close(&b);
    return e;
}

/* ---- the result ---- */

static int write_plane(struct gathering *g, int64_t k, struct pfs_typed p, int64_t *length, struct pfs_err *err)
{
    const struct pfs_shape *s = &g->m->steps->step[g->m->steps->n - 1].out;
    size_t n = (size_t)p.h * (size_t)p.row;
    int64_t first = g->m->steps->n - 1 > g->step ? 0 : g->row;
    *length += (int64_t)n;
    return worker_write(g->m->w, p.px, n, g->m->work.offset + k * pfs_shape_plane_bytes(s) + first * p.row, err);
}

/* What follows the gathering step, plane by plane. */
static int finish_plane(struct gathering *g, int64_t k, int64_t *length, struct pfs_err *err)
{
    struct making *m = g->m;
    struct pfs_typed out;
    struct pfs_at at = m->work.at;
    if (m->steps->n - 1 == g->step)
        return write_plane(g, k, g->out[k], length, err);
    const struct pfs_shape *s = &m->steps->step[m->steps->n - 1].out;
    int e = worker_plane_alloc(s->type, s->y, s->x, &out, err);
    if (e)
        return e;
    at.c += k;
    worker_context_at(&m->c, at);
    e = pfs_recipe_run(m->steps, g->step + 1, NULL, &m->c.cx, g->out[k], out, err);
    if (!e)
        e = write_plane(g, k, out, length, err);
    free(out.px);
    return e;
}

static int make(struct gathering *g, int64_t *ret_length, struct pfs_err *err)
{
    const struct pfs_shape *o = &g->s->out;
    int e = 0;
    for (int64_t k = 0; k < g->n_out && !e; k++)
        e = worker_plane_alloc(o->type, g->rows, o->x, &g->out[k], err);
    if (!e && g->s->op->bands)
        e = bands(g, err);
    else if (!e)
        e = g->step ? along_planes(g, err) : along_rows(g, err);
    for (int64_t k = 0; k < g->n_out && !e; k++)
        e = finish_plane(g, k, ret_length, err);
    for (int64_t k = 0; k < g->n_out; k++)
        free(g->out[k].px);
    return e;
}

int worker_gather(struct making *m, int step, int64_t *ret_length, struct pfs_err *err)
{
    struct gathering g = {.m = m, .step = step, .s = &m->steps->step[step], .row = m->work.row, .rows = m->work.rows};
    g.in = step ? m->steps->step[step - 1].out : making_input_shape(&m->work);
    g.n_out = g.s->op->bands ? g.s->out.c : 1;
    if (!g.rows)
        g.rows = g.s->out.y - g.row;
    if (g.rows < 1 || g.row > g.s->out.y - g.rows || (m->steps->n > 1 && g.rows != g.s->out.y))
        return pfs_fail(err, EPROTO, "rows %lld to %lld cannot be made alone", (long long)g.row,
                        (long long)(g.row + g.rows));
    if (g.s->op->bands && m->work.n_inputs != m->work.stack.shape.c)
        return pfs_fail(err, EPROTO, "%lld inputs for %lld bands", (long long)m->work.n_inputs,
                        (long long)m->work.stack.shape.c);
    PFS_AUTO_FREE struct pfs_typed *out = pfs_array(g.n_out, sizeof *out);
    if (!out)
        return pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)g.n_out);
    g.out = out;
    return make(&g, ret_length, err);
}
