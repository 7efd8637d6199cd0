/* The local mean of a plane: a triangle filter in x and y, with or without pixels that are not numbers. */
#include <planefs/kernels/contrast.h>

#include <planefs/kernels/box.h>
#include <planefs/kernels/clones.h>
#include <planefs/kernels/conv.h>
#include "kernels/clean.h"
#include "kernels/parallel.h"

#include <stdatomic.h>

enum { LANE = 16 };

struct pass {
    struct pfs_plane in, out;
    bool share;                     /* filter the 0/1 plane of numbers, not the pixels */
    int64_t n, row_floats;
    float *scratch;
    atomic_bool nan;
};

static int64_t row_floats(int64_t w, int64_t n)
{
    return (2 * w + 4 * n + LANE - 1) / LANE * LANE;
}

int64_t pfs_local_mean_scratch(int64_t h, int64_t w, int64_t smoothing, int threads)
{
    int64_t rows = (threads > 1 ? threads : 1) * row_floats(w, smoothing);
    int64_t columns = pfs_box_scratch(h, w, smoothing, threads);
    return rows > columns ? rows : columns;
}

PFS_CLONES
static void number_row(const float *in, float *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i] == in[i] ? 1.0f : 0.0f;
}

/* How many pixels of a row are not numbers. */
PFS_CLONES
static int64_t count_nan(const float *in, int64_t n)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += in[i] != in[i];
    return count;
}

static void mean_row(void *ctx, int64_t y, int thread)
{
    struct pass *p = ctx;
    int64_t w = p->in.w, r = p->n / 2;
    const float *in = p->in.px + y * p->in.row;
    float *row = p->scratch + thread * p->row_floats + 2 * r, *once = row + w + 3 * r;
    if (p->share)
        number_row(in, row, w);
    else
        pfs_clean_row(in, 0.0f, row, w);
    if (!p->share && count_nan(in, w))
        atomic_store_explicit(&p->nan, true, memory_order_relaxed);
    pfs_mirror_pad(row, w, 2 * r, 2 * r);
    pfs_box_row(row - r, once - r, w + 2 * r, p->n, 1.0 / (double)p->n);
    pfs_box_row(once, p->out.px + y * p->out.row, w, p->n, 1.0 / (double)p->n);
}

static bool triangle(struct pfs_plane in, struct pfs_plane out, bool share, int64_t n, float *scratch, int threads)
{
    struct pass p = {.in = in, .out = out, .share = share, .n = n, .row_floats = row_floats(in.w, n),
                     .scratch = scratch};
    pfs_parallel(threads, in.h, mean_row, &p);
    pfs_tri_y(out, out, n, scratch, threads);
    return atomic_load(&p.nan);
}

bool pfs_local_mean(struct pfs_plane in, struct pfs_plane mean, int64_t smoothing, float *scratch, int threads)
{
    return triangle(in, mean, false, smoothing, scratch, threads);
}

PFS_CLONES
static void divide(float *mean, const float *share, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        mean[i] /= share[i] + 0x1p-23f;
}

static void divide_row(void *ctx, int64_t y, int thread)
{
    const struct pass *p = ctx;
    (void)thread;
    divide(p->out.px + y * p->out.row, p->in.px + y * p->in.row, p->in.w);
}

void pfs_local_mean_of_numbers(struct pfs_plane in, struct pfs_plane mean, struct pfs_plane share, int64_t smoothing,
                               float *scratch, int threads)
{
    struct pass p = {.in = share, .out = mean};
    triangle(in, share, true, smoothing, scratch, threads);
    pfs_parallel(threads, in.h, divide_row, &p);
}
