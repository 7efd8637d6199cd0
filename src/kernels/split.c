/* One scale of the pyramid, in one pass over memory and in place.
 *
 * Bands of rows go to threads. Within a band rows are visited in strides of the dilation (conv.c), so that the seven
 * rows of a window are near; what a row was before it was overwritten stays in a ring of three, and what lies outside
 * the band, its neighbours' rows or mirrored ones, is copied before any band begins. An image too low for one band of
 * 6 * step rows is done in two passes through `detail` instead, with the same arithmetic. */
#include <planefs/kernels/split.h>

#include <planefs/kernels/clones.h>
#include <planefs/kernels/conv.h>
#include "kernels/parallel.h"

#include <string.h>

enum { LANE = 16, RING = 3, TAPS = PFS_LOWPASS_TAPS, REACH = PFS_LOWPASS_REACH, BANDS_PER_THREAD = 2 };

struct split {
    struct pfs_plane from, low, detail;
    int64_t step;
    const uint8_t *mask;
    double *squares;
    int64_t bands, pad, row, thread_size;   /* row: floats of a row in scratch */
    float *halo, *thread;                   /* bands * 2 * pad rows; a thread's rows */
};

static int64_t padded(int64_t w, int64_t pad)
{
    return (w + 2 * pad + 2 * LANE - 1) / LANE * LANE;
}

/* A ring of three, two padded rows and two plain ones. */
static int64_t thread_floats(int64_t w, int64_t pad)
{
    return (RING + 4) * padded(w, pad);
}

static int64_t band_count(int64_t h, int64_t step, int threads)
{
    int64_t most = h / (2 * REACH * step), wanted = threads > 1 ? threads * BANDS_PER_THREAD : 1;
    return wanted < most ? wanted : most;
}

int64_t pfs_split_scratch(int64_t h, int64_t w, int64_t step, int threads)
{
    int64_t pad = REACH * step;
    return band_count(h, step, threads) * 2 * pad * padded(w, 0) + (threads > 1 ? threads : 1) * thread_floats(w, pad);
}

/* low = h_s over the padded row, detail = row - low. */
PFS_CLONES
static void high_pass(const float *in, float *restrict low, float *restrict detail, int64_t w, int64_t step)
{
    const float *a = in - 3 * step, *b = in - 2 * step, *c = in - step;
    const float *e = in + step, *f = in + 2 * step, *g = in + 3 * step;
    for (int64_t x = 0; x < w; x++) {
        low[x] = ((a[x] + g[x]) + 6.0f * (b[x] + f[x]) + 15.0f * (c[x] + e[x]) + 20.0f * in[x]) * (1.0f / 64);
        detail[x] = in[x] - low[x];
    }
}

/* Eight partial sums, pixels dealt out in turn; then the partial sums in order. */
PFS_CLONES
static double sum_squares(const float *in, int64_t w)
{
    double sum[8] = {0}, all = 0;
    int64_t x = 0;
    for (; x + 8 <= w; x += 8)
        for (int i = 0; i < 8; i++)
            sum[i] += (double)in[x + i] * (double)in[x + i];
    for (; x < w; x++)
        sum[x % 8] += (double)in[x] * (double)in[x];
    for (int i = 0; i < 8; i++)
        all += sum[i];
    return all;
}

PFS_CLONES
static void mask_rows(const uint8_t *const m[TAPS], float *restrict out, int64_t w)
{
    const uint8_t *a = m[0], *b = m[1], *c = m[2], *d = m[3], *e = m[4], *f = m[5], *g = m[6];
    for (int64_t x = 0; x < w; x++)
        out[x] = (float)(a[x] + g[x] + 6 * (b[x] + f[x]) + 15 * (c[x] + e[x]) + 20 * d[x]) * (1.0f / 64);
}

/* row = m row / (weight + eps) */
PFS_CLONES
static void normalise(float *restrict row, const float *restrict weight, const uint8_t *restrict m, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        row[x] = m[x] ? (float)((double)row[x] / ((double)weight[x] + 0x1p-23)) : 0.0f;
}

static const uint8_t *mask_row(const struct split *s, int64_t y)
{
    return s->mask + pfs_mirror(y, s->from.h) * s->from.w;
}

static float *thread_row(const struct split *s, int thread, int i)
{
    return s->thread + thread * s->thread_size + i * s->row;
}

/* A row of conv(from, h_s, y) from its seven rows. */
static void down(const struct split *s, const float *const in[TAPS], int64_t y, float *out, int thread)
{
    pfs_lowpass_rows(in, out, s->from.w);
    if (!s->mask)
        return;
    const uint8_t *m[TAPS];
    float *weight = thread_row(s, thread, 6);
    for (int k = 0; k < TAPS; k++)
        m[k] = mask_row(s, y + (k - REACH) * s->step);
    mask_rows(m, weight, s->from.w);
    normalise(out, weight, m[REACH], s->from.w);
}

static void across_masked(const struct split *s, int64_t y, float *low, float *detail, const float *row, int thread)
{
    float *m = thread_row(s, thread, 4) + s->pad, *weight = thread_row(s, thread, 6);
    const uint8_t *bytes = mask_row(s, y);
    for (int64_t x = 0; x < s->from.w; x++)
        m[x] = bytes[x];
    pfs_mirror_pad(m, s->from.w, s->pad, s->pad);
    pfs_lowpass_row(m, weight, s->from.w, s->step);
    pfs_lowpass_row(row, low, s->from.w, s->step);
    normalise(low, weight, bytes, s->from.w);
    for (int64_t x = 0; x < s->from.w; x++)
        detail[x] = row[x] - low[x];
}

/* From a row of conv(from, h_s, y), padded in place, to the row's results. */
static void across(const struct split *s, int64_t y, float *row, int thread)
{
    float *low = s->low.px ? s->low.px + y * s->low.row : thread_row(s, thread, 5);
    float *detail = s->detail.px + y * s->detail.row;
    pfs_mirror_pad(row, s->from.w, s->pad, s->pad);
    if (s->mask)
        across_masked(s, y, low, detail, row, thread);
    else
        high_pass(row, low, detail, s->from.w, s->step);
    s->squares[y] = sum_squares(detail, s->from.w);
}

static int64_t band_begin(const struct split *s, int64_t band)
{
    return s->from.h * band / s->bands;
}

/* Row k of the 2 * pad rows kept for a band: pad rows above it, then pad rows below. */
static float *halo_row(const struct split *s, int64_t band, int64_t k)
{
    return s->halo + (band * 2 * s->pad + k) * padded(s->from.w, 0);
}

static void keep_halo(void *ctx, int64_t band, int thread)
{
    const struct split *s = ctx;
    (void)thread;
    for (int64_t k = 0; k < 2 * s->pad; k++) {
        int64_t y = k < s->pad ? band_begin(s, band) - s->pad + k : band_begin(s, band + 1) + k - s->pad;
        memcpy(halo_row(s, band, k), s->from.px + pfs_mirror(y, s->from.h) * s->from.row,
               (size_t)s->from.w * sizeof(float));
    }
}

/* The seven rows around row y of a band as they were; j counts the rows of y's class in this band. */
static void rows_before(const struct split *s, int64_t band, int64_t y, int64_t j, const float *in[TAPS], int thread)
{
    int64_t y0 = band_begin(s, band), y1 = band_begin(s, band + 1);
    for (int k = 0; k < TAPS; k++) {
        int64_t at = y + (k - REACH) * s->step;
        if (at < y0)
            in[k] = halo_row(s, band, at - y0 + s->pad);
        else if (at >= y1)
            in[k] = halo_row(s, band, at - y1 + s->pad);
        else if (k < REACH)
            in[k] = thread_row(s, thread, (int)((j + k) % RING));
        else
            in[k] = s->from.px + at * s->from.row;
    }
}

static void split_band(void *ctx, int64_t band, int thread)
{
    const struct split *s = ctx;
    int64_t y0 = band_begin(s, band), y1 = band_begin(s, band + 1);
    float *row = thread_row(s, thread, 3) + s->pad;
    for (int64_t y_first = y0; y_first < y0 + s->step; y_first++) {
        for (int64_t y = y_first, j = 0; y < y1; y += s->step, j++) {
            const float *in[TAPS];
            rows_before(s, band, y, j, in, thread);
            down(s, in, y, row, thread);
            memcpy(thread_row(s, thread, (int)(j % RING)), in[REACH], (size_t)s->from.w * sizeof *row);
            across(s, y, row, thread);
        }
    }
}

/* For low images: conv(from, h_s, y) goes to `detail` first. */
static void down_plane(void *ctx, int64_t y, int thread)
{
    const struct split *s = ctx;
    const float *in[TAPS];
    for (int k = 0; k < TAPS; k++)
        in[k] = s->from.px + pfs_mirror(y + (k - REACH) * s->step, s->from.h) * s->from.row;
    down(s, in, y, s->detail.px + y * s->detail.row, thread);
}

static void across_plane(void *ctx, int64_t y, int thread)
{
    const struct split *s = ctx;
    float *row = thread_row(s, thread, 3) + s->pad;
    memcpy(row, s->detail.px + y * s->detail.row, (size_t)s->from.w * sizeof *row);
    across(s, y, row, thread);
}

void pfs_split(struct pfs_plane from, struct pfs_plane low, struct pfs_plane detail, int64_t step, const uint8_t *mask,
               double *squares, float *scratch, int threads)
{
    struct split s = {.from = from, .low = low, .detail = detail, .step = step, .mask = mask, .squares = squares,
                      .bands = band_count(from.h, step, threads), .pad = REACH * step};
    s.row = padded(from.w, s.pad);
    s.thread_size = thread_floats(from.w, s.pad);
    s.halo = scratch;
    s.thread = scratch + s.bands * 2 * s.pad * padded(from.w, 0);
    if (s.bands) {
        pfs_parallel(threads, s.bands, keep_halo, &s);
        pfs_parallel(threads, s.bands, split_band, &s);
    } else {
        pfs_parallel(threads, from.h, down_plane, &s);
        pfs_parallel(threads, from.h, across_plane, &s);
    }
}
