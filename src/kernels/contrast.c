/* Sharpening and redistribution, tile by tile in one pass.
 *
 * A tile streams from top to bottom through the sliding minimum and maximum; each row that comes out is finished on the
 * spot, in short loops over pixels that stay in the nearest cache. */
#include <planefs/kernels/contrast.h>

#include <planefs/kernels/cdf.h>
#include <planefs/kernels/clones.h>
#include <planefs/kernels/minmax.h>
#include <planefs/kernels/tiles.h>
#include "kernels/clean.h"
#include "kernels/parallel.h"
#include "kernels/prefetch.h"

enum { TILE_Y = 256, TILE_X = 512, LANE = 16 };

struct pass {
    struct pfs_plane in, local_mean;
    const struct pfs_sharpening *s;
    const struct pfs_curve *curve;
    struct pfs_typed out;
    int64_t nx, thread_floats;
    float *scratch;
};

/* The argument of the first cdf, 1 - Phi(z) = Phi(-z). */
PFS_CLONES
static void shade_row(const float *in, const float *mean, const struct pfs_sharpening *s, float *out, int64_t n)
{
    const float offset = s->offset, slope = 1.0f / s->sigma;
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = (mean[i] + offset - in[i]) * slope;
}

PFS_CLONES
static void sharpen_row(float *in, const float *mid, const float *shade, float ratio, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        in[i] += ratio * shade[i] * (in[i] - mid[i]);
}

PFS_CLONES
static void standardise_row(float *in, const struct pfs_curve *curve, int64_t n)
{
    const float mean = curve->mean, slope = curve->slope;
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        in[i] = (in[i] - mean) * slope;
}

PFS_INLINE float redistribute(float u, float F, const struct pfs_curve *c)
{
    float part = u - c->c0, low = F < c->F0 ? F : c->F0, high = F - c->F1;
    part = part > c->span ? c->span : part;
    part = part > 0.0f ? part : 0.0f;
    high = high > 0.0f ? high : 0.0f;
    float G = c->below * low + c->between * part * (c->f0 + 0.5f * c->bend * part) + c->above * high;
    float out = c->base + c->scale * G;
    out = out > c->top ? c->top : out;
    return out > c->base ? out : c->base;       /* also what is not a number */
}

#define CURVE(T) \
PFS_CLONES \
static void curve_##T(const float *u, const float *F, const struct pfs_curve *curve, T *restrict out, int64_t n) \
{ \
    const struct pfs_curve c = *curve; \
    for (int64_t i = 0; i < n; i++) \
        out[i] = (T)(int32_t)redistribute(u[i], F[i], &c); \
}
CURVE(uint8_t)
CURVE(uint16_t)

PFS_CLONES
static void spare_nan_row(const float *in, float mean, float *mid, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        mid[i] = in[i] == in[i] ? mid[i] : mean;
}

static int64_t round_up(int64_t n)
{
    return (n + LANE - 1) / LANE * LANE;
}

static int64_t padded(const struct pfs_sharpening *s)
{
    return round_up(TILE_X + (s ? s->minmax - 1 : 0));
}

static int64_t thread_floats(const struct pfs_sharpening *s)
{
    return 2 * padded(s) + 2 * TILE_X + (s ? round_up(pfs_midrange_scratch(s->minmax, TILE_X)) : 0);
}

int64_t pfs_contrast_scratch(const struct pfs_sharpening *s, int threads)
{
    return (threads > 1 ? threads : 1) * thread_floats(s);
}

/* A row of the result; `mid` is used up. */
static void finish(const struct pass *p, float *row, float *mid, int64_t y, int64_t x, int64_t w)
{
    const float *in = p->in.px + y * p->in.row + x;
    void *out = (char *)p->out.px + y * p->out.row + x * (int64_t)pfs_type_size(p->out.type);
    float *cdf = mid + TILE_X;
    pfs_clean_row(in, p->curve->mean, row, w);
    if (p->s) {
        spare_nan_row(in, p->curve->mean, mid, w);
        shade_row(row, p->local_mean.px + y * p->local_mean.row + x, p->s, cdf, w);
        pfs_cdf_row(cdf, cdf, w);
        sharpen_row(row, mid, cdf, p->s->ratio, w);
    }
    standardise_row(row, p->curve, w);
    pfs_cdf_row(row, cdf, w);
    if (p->out.type == PFS_U8)
        curve_uint8_t(row, cdf, p->curve, out, w);
    else
        curve_uint16_t(row, cdf, p->curve, out, w);
}

static void contrast_tile(void *ctx, int64_t index, int thread)
{
    const struct pass *p = ctx;
    int64_t y0 = index / p->nx * TILE_Y, x = index % p->nx * TILE_X, r = p->s ? p->s->minmax / 2 : 0;
    int64_t h = p->in.h - y0 < TILE_Y ? p->in.h - y0 : TILE_Y;
    int64_t w = p->in.w - x < TILE_X ? p->in.w - x : TILE_X;
    float *wide = p->scratch + thread * p->thread_floats, *row = wide + padded(p->s), *mid = row + padded(p->s);
    struct pfs_midrange m = {0};
    if (p->s)
        m = pfs_midrange(p->s->minmax, w, mid + 2 * TILE_X);
    for (int64_t y = y0 - r; y < y0 + h + r; y++) {
        if (y >= 0 && y + PFS_ROWS_AHEAD < p->in.h)
            pfs_prefetch(p->in.px + (y + PFS_ROWS_AHEAD) * p->in.row + x, w);
        if (p->s) {
            if (y >= 0 && y < p->in.h)
                pfs_prefetch(p->local_mean.px + y * p->local_mean.row + x, w);
            pfs_mirrored_row(p->in, y, x - r, w + 2 * r, wide);
            pfs_clean_row(wide, p->curve->mean, wide, w + 2 * r);
        }
        if (!p->s || pfs_midrange_push(&m, wide, mid))
            finish(p, row, mid, y - r, x, w);
    }
}

void pfs_contrast(struct pfs_plane in, struct pfs_plane local_mean, const struct pfs_sharpening *s,
                  const struct pfs_curve *curve, struct pfs_typed out, float *scratch, int threads)
{
    struct pass p = {.in = in, .local_mean = local_mean, .s = s, .curve = curve, .out = out,
                     .nx = (in.w + TILE_X - 1) / TILE_X, .thread_floats = thread_floats(s), .scratch = scratch};
    pfs_parallel(threads, (in.h + TILE_Y - 1) / TILE_Y * p.nx, contrast_tile, &p);
}
