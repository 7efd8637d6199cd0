/* Convolution along the axes of a plane, mirror boundary: the seven-tap dilated low pass, and any separable kernel.
 *
 * The low pass goes row by row. Rows are visited in strides of the dilation, because rows y, y + step, y + 2 step ...
 * share six of their seven taps: the window of seven rows stays in the second-level cache at any dilation. Along x a
 * row is padded first, so that the inner loops know no border. Nothing here allocates. */
#include <planefs/kernels/conv.h>

#include <planefs/kernels/clones.h>
#include "kernels/parallel.h"

#include <string.h>

enum { ROWS_PER_ITEM = 64 };

int64_t pfs_mirror(int64_t i, int64_t n)
{
    if (n == 1)
        return 0;
    int64_t period = 2 * (n - 1);
    i %= period;
    if (i < 0)
        i += period;
    return i < n ? i : period - i;
}

void pfs_mirror_pad(float *row, int64_t n, int64_t before, int64_t after)
{
    for (int64_t i = 1; i <= before; i++)
        row[-i] = row[i < n ? i : pfs_mirror(-i, n)];
    for (int64_t i = 0; i < after; i++)
        row[n + i] = row[i + 1 < n ? n - 2 - i : pfs_mirror(n + i, n)];
}

int64_t pfs_strided(int64_t k, int64_t n, int64_t step)
{
    int64_t longer = n % step;              /* classes 0 .. longer-1 have one row more than the others */
    int64_t each = n / step;
    if (k < longer * (each + 1))
        return k / (each + 1) + k % (each + 1) * step;
    k -= longer * (each + 1);
    return longer + k / each + k % each * step;
}

#define LOWPASS(a, b, c, d, e, f, g) \
    ((((a) + (g)) + 6.0f * ((b) + (f)) + 15.0f * ((c) + (e)) + 20.0f * (d)) * (1.0f / 64))

PFS_CLONES
void pfs_lowpass_rows(const float *const in[PFS_LOWPASS_TAPS], float *out, int64_t n)
{
    const float *a = in[0], *b = in[1], *c = in[2], *d = in[3], *e = in[4], *f = in[5], *g = in[6];
    PFS_IVDEP
    for (int64_t x = 0; x < n; x++)
        out[x] = LOWPASS(a[x], b[x], c[x], d[x], e[x], f[x], g[x]);
}

PFS_CLONES
void pfs_lowpass_row(const float *in, float *restrict out, int64_t n, int64_t step)
{
    const float *a = in - 3 * step, *b = in - 2 * step, *c = in - step;
    const float *e = in + step, *f = in + 2 * step, *g = in + 3 * step;
    for (int64_t x = 0; x < n; x++)
        out[x] = LOWPASS(a[x], b[x], c[x], in[x], e[x], f[x], g[x]);
}

/* One low pass over a plane; items of rows in strided order. */
struct lowpass {
    struct pfs_plane in, out;
    int64_t step, pad, size;                /* pad, size: a thread's row in scratch */
    float *scratch;
};

static struct lowpass lowpass(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch)
{
    int64_t pad = PFS_LOWPASS_REACH * step;
    return (struct lowpass){in, out, step, pad, in.w + 2 * pad, scratch};
}

static void rows_at(const struct lowpass *l, int64_t y, const float *in[PFS_LOWPASS_TAPS])
{
    for (int k = 0; k < PFS_LOWPASS_TAPS; k++)
        in[k] = l->in.px + pfs_mirror(y + (k - PFS_LOWPASS_REACH) * l->step, l->in.h) * l->in.row;
}

static int64_t items(int64_t h)
{
    return (h + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM;
}

static int64_t item_end(int64_t i, int64_t h)
{
    return (i + 1) * ROWS_PER_ITEM < h ? (i + 1) * ROWS_PER_ITEM : h;
}

static void lowpass_y_item(void *ctx, int64_t item, int thread)
{
    const struct lowpass *l = ctx;
    (void)thread;
    for (int64_t k = item * ROWS_PER_ITEM; k < item_end(item, l->in.h); k++) {
        int64_t y = pfs_strided(k, l->in.h, l->step);
        const float *in[PFS_LOWPASS_TAPS];
        rows_at(l, y, in);
        pfs_lowpass_rows(in, l->out.px + y * l->out.row, l->in.w);
    }
}

static void lowpass_x_item(void *ctx, int64_t item, int thread)
{
    const struct lowpass *l = ctx;
    float *row = l->scratch + thread * l->size + l->pad;
    for (int64_t y = item * ROWS_PER_ITEM; y < item_end(item, l->in.h); y++) {
        memcpy(row, l->in.px + y * l->in.row, (size_t)l->in.w * sizeof *row);
        pfs_mirror_pad(row, l->in.w, l->pad, l->pad);
        pfs_lowpass_row(row, l->out.px + y * l->out.row, l->in.w, l->step);
    }
}

static void lowpass_item(void *ctx, int64_t item, int thread)
{
    const struct lowpass *l = ctx;
    float *row = l->scratch + thread * l->size + l->pad;
    for (int64_t k = item * ROWS_PER_ITEM; k < item_end(item, l->in.h); k++) {
        int64_t y = pfs_strided(k, l->in.h, l->step);
        const float *in[PFS_LOWPASS_TAPS];
        rows_at(l, y, in);
        pfs_lowpass_rows(in, row, l->in.w);
        pfs_mirror_pad(row, l->in.w, l->pad, l->pad);
        pfs_lowpass_row(row, l->out.px + y * l->out.row, l->in.w, l->step);
    }
}

void pfs_lowpass_y(struct pfs_plane in, struct pfs_plane out, int64_t step, int threads)
{
    struct lowpass l = lowpass(in, out, step, NULL);
    pfs_parallel(threads, items(in.h), lowpass_y_item, &l);
}

void pfs_lowpass_x(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads)
{
    struct lowpass l = lowpass(in, out, step, scratch);
    pfs_parallel(threads, items(in.h), lowpass_x_item, &l);
}

void pfs_lowpass(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads)
{
    struct lowpass l = lowpass(in, out, step, scratch);
    pfs_parallel(threads, items(in.h), lowpass_item, &l);
}

int64_t pfs_lowpass_scratch(int64_t w, int64_t step, int threads)
{
    return (threads > 1 ? threads : 1) * (w + 2 * PFS_LOWPASS_REACH * step);
}

/* Any kernel: a double accumulator row, taps one after the other over it. */
struct conv {
    struct pfs_plane in, out;
    const double *k;
    int64_t n, size;
    float *scratch;
};

PFS_CLONES
static void add_scaled(double *restrict sum, const float *restrict in, double k, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        sum[x] += k * (double)in[x];
}

PFS_CLONES
static void narrow(const double *restrict in, float *restrict out, int64_t n)
{
    for (int64_t x = 0; x < n; x++)
        out[x] = (float)in[x];
}

enum { SUM_COLUMNS = 512 };                 /* accumulators on the stack, in the nearest cache */

static void conv_x_item(void *ctx, int64_t y, int thread)
{
    const struct conv *c = ctx;
    int64_t w = c->in.w;
    float *row = c->scratch + thread * c->size + c->n / 2;
    double sum[SUM_COLUMNS];
    memcpy(row, c->in.px + y * c->in.row, (size_t)w * sizeof *row);
    pfs_mirror_pad(row, w, c->n / 2, c->n / 2);
    for (int64_t x = 0; x < w; x += SUM_COLUMNS) {
        int64_t n = w - x < SUM_COLUMNS ? w - x : SUM_COLUMNS;
        memset(sum, 0, sizeof sum);
        for (int64_t j = 0; j < c->n; j++)
            add_scaled(sum, row + x + j - c->n / 2, c->k[j], n);
        narrow(sum, c->out.px + y * c->out.row + x, n);
    }
}

static void conv_y_item(void *ctx, int64_t y, int thread)
{
    const struct conv *c = ctx;
    (void)thread;
    double sum[SUM_COLUMNS];
    for (int64_t x = 0; x < c->in.w; x += SUM_COLUMNS) {
        int64_t n = c->in.w - x < SUM_COLUMNS ? c->in.w - x : SUM_COLUMNS;
        memset(sum, 0, sizeof sum);
        for (int64_t j = 0; j < c->n; j++)
            add_scaled(sum, c->in.px + pfs_mirror(y + j - c->n / 2, c->in.h) * c->in.row + x, c->k[j], n);
        narrow(sum, c->out.px + y * c->out.row + x, n);
    }
}

void pfs_conv_x(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, float *scratch, int threads)
{
    struct conv c = {in, out, k, n, in.w + n, scratch};
    pfs_parallel(threads, in.h, conv_x_item, &c);
}

void pfs_conv_y(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, int threads)
{
    struct conv c = {in, out, k, n, 0, NULL};
    pfs_parallel(threads, in.h, conv_y_item, &c);
}

int64_t pfs_conv_scratch(int64_t w, int64_t n, int threads)
{
    return (threads > 1 ? threads : 1) * (w + n);
}
