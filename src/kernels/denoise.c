/* Covariance-gated denoising, tile by tile and row by row.
 *
 * A tile streams from top to bottom: each row that comes in lets one row of every later stage come out, some rows
 * further up, and rings of rows hold what a stage still needs. With a mirrored input every stage may run past the
 * plane's edges: the mirror extension survives symmetric kernels and pixelwise operations, so no stage knows a border.
 * All columns of a row lie at the same index in every ring; a stage is valid 3 pixels further in than the one before.
 *
 * D, P, Q and the covariances do not change when a constant is subtracted from the plane. Each tile subtracts a
 * typical value of its own first, so that the float32 low passes round at the size of the details, not of the level;
 * and in - N is taken for L + D - N, which are equal, so the level never meets a rounding. */
#include <planefs/kernels/denoise.h>

#include <planefs/kernels/cdf.h>
#include <planefs/kernels/clones.h>
#include <planefs/kernels/conv.h>
#include <planefs/kernels/covariance.h>
#include <planefs/kernels/tiles.h>
#include "kernels/parallel.h"

#include <string.h>

enum { TILE_Y = 256, TILE_X = 256, REACH = PFS_LOWPASS_REACH, LANE = 16 };

/* Rings of rows, and rows for the moment. */
enum { IN, CENTRED, LOW, DETAIL, ALONG1, ALONG2, ALONG3, SECOND, FIRST, N_RINGS };
enum { WORK1, WORK2, GATE1, GATE2, N_WORK };

struct pass {
    const struct pfs_finest *f;
    struct pfs_tiles tiles;
    struct pfs_plane out, low, noise;
    int64_t stride, slots;          /* floats of a row, rows of a ring */
    int64_t halo;
    int64_t thread_floats;
    float *scratch;
};

struct stream {                     /* one tile */
    const struct pass *p;
    struct pfs_tile tile;
    float typical;
    float *rings, *work;
    struct pfs_covariance cov[2];
};

static int64_t round_up(int64_t n)
{
    return (n + LANE - 1) / LANE * LANE;
}

static int64_t halo_of(const struct pfs_finest *f)
{
    return (f->split ? 3 : 1) * REACH + f->window / 2;
}

/* Rows a ring keeps: those of a low pass, or all from a row that comes in to the one that leaves. */
static int64_t slots_of(const struct pfs_finest *f)
{
    return halo_of(f) + 1 > PFS_LOWPASS_TAPS ? halo_of(f) + 1 : PFS_LOWPASS_TAPS;
}

static int64_t covariance_width(const struct pfs_finest *f, int64_t w)
{
    return w + f->window - 1;
}

static int64_t thread_floats(const struct pfs_finest *f)
{
    int64_t halo = halo_of(f), stride = round_up(TILE_X + 2 * halo);
    return (N_RINGS * slots_of(f) + N_WORK) * stride + round_up(4 * pfs_covariance_scratch(f->window, TILE_X));
}

int64_t pfs_denoise_finest_scratch(int64_t h, int64_t w, const struct pfs_finest *f, int threads)
{
    return (threads > 1 ? threads : 1) * thread_floats(f) + pfs_tiles_scratch(h, w, TILE_Y, TILE_X, halo_of(f));
}

static float *ring(const struct stream *s, int which, int64_t row)
{
    return s->rings + (which * s->p->slots + row % s->p->slots) * s->p->stride;
}

static float *work(const struct stream *s, int which)
{
    return s->work + which * s->p->stride;
}

PFS_CLONES
static void shift_row(const float *in, float by, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i] + by;
}

PFS_CLONES
static void subtract_row(const float *a, const float *b, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] - b[i];
}

PFS_CLONES
static void add_row(const float *a, const float *b, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

PFS_CLONES
static void twice_minus_row(const float *a, const float *b, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = 2.0f * a[i] - b[i];
}

PFS_CLONES
static void product_row(const float *a, const float *b, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

PFS_CLONES
static void products_row(const float *a, const float *b, const float *c, const float *d, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = a[i] * b[i] + c[i] * d[i];
}

/* Low pass across the rows around `row` of a ring, `in` columns off the left and right ends. */
static void across(const struct stream *s, int which, int64_t row, int64_t in, float *out)
{
    const float *rows[PFS_LOWPASS_TAPS];
    for (int k = 0; k < PFS_LOWPASS_TAPS; k++)
        rows[k] = ring(s, which, row - REACH + k) + in;
    pfs_lowpass_rows(rows, out + in, s->tile.w + 2 * (s->p->halo - in));
}

static void along(const struct stream *s, const float *row, int64_t in, float *out)
{
    pfs_lowpass_row(row + in, out + in, s->tile.w + 2 * (s->p->halo - in), 1);
}

/* A row of the result, from the row whose gates are there. */
static void finish(const struct stream *s, int64_t row)
{
    const struct pass *p = s->p;
    int64_t y = s->tile.y + row - p->halo, w = s->tile.w, x = s->tile.x;
    float *noise = work(s, WORK1);
    const float *first = ring(s, p->f->split ? FIRST : DETAIL, row) + p->halo, *second = ring(s, SECOND, row) + p->halo;
    if (p->f->split && p->f->gate_second)
        products_row(first, work(s, GATE1), second, work(s, GATE2), noise, w);
    else
        product_row(first, work(s, GATE1), noise, w);
    subtract_row(ring(s, p->low.px ? DETAIL : IN, row) + p->halo, noise, p->out.px + y * p->out.row + x, w);
    if (p->low.px) {
        shift_row(ring(s, LOW, row) + p->halo, s->typical, p->low.px + y * p->low.row + x, w);
        memcpy(p->noise.px + y * p->noise.row + x, noise, (size_t)w * sizeof *noise);
    }
}

/* The gate of a pair of rows; true when a row came out. */
static bool gate(struct stream *s, int k, const float *a, const float *b)
{
    const struct pfs_gate *g = &s->p->f->gate[k];
    float *out = work(s, GATE1 + k);
    if (!pfs_covariance_push(&s->cov[k], a, b, out))
        return false;
    pfs_logistic_row(out, g->gain, g->offset, out, s->tile.w);
    return true;
}

static void gate_whole(struct stream *s, int64_t row)
{
    if (gate(s, 0, ring(s, DETAIL, row) + REACH, ring(s, LOW, row) + REACH))
        finish(s, row - s->p->f->window / 2);
}

static void gate_split(struct stream *s, int64_t row)
{
    const int64_t in = 3 * REACH, n = covariance_width(s->p->f, s->tile.w);
    float *second = ring(s, SECOND, row), *first = ring(s, FIRST, row), *lower = work(s, WORK1);
    const float *low = ring(s, LOW, row);
    across(s, ALONG3, row, in, second);
    subtract_row(ring(s, DETAIL, row) + in, second + in, first + in, n);
    add_row(low + in, second + in, lower + in, n);
    bool full = gate(s, 0, first + in, lower + in);
    if (s->p->f->gate_second)
        gate(s, 1, second + in, low + in);
    if (full)
        finish(s, row - s->p->f->window / 2);
}

/* 2D - S(D) and its low pass along the row. */
static void sharpen(struct stream *s, int64_t row)
{
    const int64_t in = 2 * REACH, n = s->tile.w + 2 * (s->p->halo - in);
    float *smooth = work(s, WORK1), *sharp = work(s, WORK2);
    across(s, ALONG2, row, in, smooth);
    twice_minus_row(ring(s, DETAIL, row) + in, smooth + in, sharp + in, n);
    along(s, sharp, in + REACH, ring(s, ALONG3, row));
}

static void detail(struct stream *s, int64_t row)
{
    const int64_t n = s->tile.w + 2 * (s->p->halo - REACH);
    float *low = ring(s, LOW, row), *d = ring(s, DETAIL, row);
    across(s, ALONG1, row, REACH, low);
    subtract_row(ring(s, CENTRED, row) + REACH, low + REACH, d + REACH, n);
    if (s->p->f->split)
        along(s, d, 2 * REACH, ring(s, ALONG2, row));
}

static void take_row(struct stream *s, int64_t row)
{
    const struct pass *p = s->p;
    float *in = ring(s, IN, row), *centred = ring(s, CENTRED, row);
    pfs_tiles_row(&p->tiles, &s->tile, row - p->halo, in);
    shift_row(in, -s->typical, centred, s->tile.w + 2 * p->halo);
    along(s, centred, REACH, ring(s, ALONG1, row));
    if (row < 2 * REACH)
        return;
    detail(s, row - REACH);
    if (!p->f->split) {
        gate_whole(s, row - REACH);
        return;
    }
    if (row >= 4 * REACH)
        sharpen(s, row - 2 * REACH);
    if (row >= 6 * REACH)
        gate_split(s, row - 3 * REACH);
}

/* The median of up to 64 pixels of a tile, 0 when none is finite: near the level, whatever stray values there are. */
static float typical_value(struct pfs_plane in, const struct pfs_tile *tile)
{
    float v[64];
    int n = 0;
    for (int k = 0; k < 64; k++) {
        float f = in.px[(tile->y + tile->h * (k / 8) / 8) * in.row + tile->x + tile->w * (k % 8) / 8];
        if (!(f - f == 0.0f))
            continue;
        int i = n++;
        for (; i > 0 && v[i - 1] > f; i--)
            v[i] = v[i - 1];
        v[i] = f;
    }
    return n ? v[n / 2] : 0.0f;
}

static void finest_tile(void *ctx, int64_t index, int thread)
{
    const struct pass *p = ctx;
    struct stream s = {.p = p, .tile = pfs_tiles_at(&p->tiles, index)};
    s.rings = p->scratch + thread * p->thread_floats;
    s.work = s.rings + N_RINGS * p->slots * p->stride;
    double *sums = (double *)(s.work + N_WORK * p->stride);
    int64_t each = pfs_covariance_scratch(p->f->window, TILE_X);
    s.typical = typical_value(p->tiles.in, &s.tile);
    s.cov[0] = pfs_covariance(p->f->window, s.tile.w, sums);
    s.cov[1] = pfs_covariance(p->f->window, s.tile.w, sums + each);
    for (int64_t row = 0; row < s.tile.h + 2 * p->halo; row++)
        take_row(&s, row);
}

void pfs_denoise_finest(struct pfs_plane in, struct pfs_plane out, const struct pfs_finest *f, struct pfs_plane low,
                        struct pfs_plane noise, float *scratch, int threads)
{
    struct pass p = {.f = f, .out = out, .low = low, .noise = noise, .halo = halo_of(f), .scratch = scratch};
    p.stride = round_up(TILE_X + 2 * p.halo);
    p.slots = slots_of(f);
    p.thread_floats = thread_floats(f);
    p.tiles = pfs_tiles_save(in, TILE_Y, TILE_X, p.halo, scratch + (threads > 1 ? threads : 1) * p.thread_floats,
                             threads);
    pfs_parallel(threads, p.tiles.ny * p.tiles.nx, finest_tile, &p);
}
