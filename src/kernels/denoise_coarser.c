/* Covariance-gated denoising of one coarser band, and the plane sums between bands.
 *
 * Tiles stream from top to bottom as in denoise.c, but nothing is filtered here and nothing read is overwritten within
 * a neighbourhood, so rows come straight from the planes, mirrored. Windows are wide (6 * 2^s + 1); tiles grow with
 * them. */
#include <planefs/kernels/denoise.h>

#include <planefs/kernels/cdf.h>
#include <planefs/kernels/clones.h>
#include <planefs/kernels/covariance.h>
#include <planefs/kernels/tiles.h>
#include "kernels/parallel.h"

enum { TILE_X = 256, TILE_Y = 256, LANE = 16 };

struct pass {
    struct pfs_plane high, low, detail, noise;
    struct pfs_gate gate;
    int64_t n, size_y, nx;
    int64_t row_floats, thread_floats;
    float *scratch;
};

static int64_t round_up(int64_t n)
{
    return (n + LANE - 1) / LANE * LANE;
}

static int64_t tile_rows(int64_t n)
{
    return 2 * n > TILE_Y ? 2 * n : TILE_Y;
}

static int64_t thread_floats(int64_t n)
{
    return 2 * round_up(TILE_X + n - 1) + round_up(2 * pfs_covariance_scratch(n, TILE_X));
}

int64_t pfs_denoise_coarser_scratch(int64_t h, int64_t w, int64_t n, int threads)
{
    (void)h, (void)w;
    return (threads > 1 ? threads : 1) * thread_floats(n);
}

PFS_CLONES
static void split_row(const float *high, const float *gate, float *noise, float *detail, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++) {
        noise[i] = high[i] * gate[i];
        detail[i] += high[i] - noise[i];
    }
}

static void finish(const struct pass *p, float *gate, int64_t y, int64_t x, int64_t w)
{
    pfs_logistic_row(gate, p->gate.gain, p->gate.offset, gate, w);
    split_row(p->high.px + y * p->high.row + x, gate, p->noise.px + y * p->noise.row + x,
              p->detail.px + y * p->detail.row + x, w);
}

static void coarser_tile(void *ctx, int64_t index, int thread)
{
    const struct pass *p = ctx;
    int64_t y0 = index / p->nx * p->size_y, x = index % p->nx * TILE_X, r = p->n / 2;
    int64_t h = p->high.h - y0 < p->size_y ? p->high.h - y0 : p->size_y;
    int64_t w = p->high.w - x < TILE_X ? p->high.w - x : TILE_X;
    float *high = p->scratch + thread * p->thread_floats, *low = high + p->row_floats;
    struct pfs_covariance cov = pfs_covariance(p->n, w, (double *)(low + p->row_floats));
    for (int64_t y = y0 - r; y < y0 + h + r; y++) {
        pfs_mirrored_row(p->high, y, x - r, w + p->n - 1, high);
        pfs_mirrored_row(p->low, y, x - r, w + p->n - 1, low);
        if (pfs_covariance_push(&cov, high, low, low))
            finish(p, low, y - r, x, w);
    }
}

void pfs_denoise_coarser(struct pfs_plane high, struct pfs_plane low, int64_t n, struct pfs_gate gate,
                         struct pfs_plane detail, struct pfs_plane noise, float *scratch, int threads)
{
    struct pass p = {.high = high, .low = low, .detail = detail, .noise = noise, .gate = gate, .n = n,
                     .size_y = tile_rows(n), .nx = (high.w + TILE_X - 1) / TILE_X,
                     .row_floats = round_up(TILE_X + n - 1), .thread_floats = thread_floats(n), .scratch = scratch};
    pfs_parallel(threads, (high.h + p.size_y - 1) / p.size_y * p.nx, coarser_tile, &p);
}

PFS_CLONES
static void add_row(float *to, const float *from, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        to[i] += from[i];
}

PFS_CLONES
static void subtract_row(float *to, const float *from, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        to[i] -= from[i];
}

struct pair { struct pfs_plane to, from; };

static void add_item(void *ctx, int64_t y, int thread)
{
    const struct pair *p = ctx;
    (void)thread;
    add_row(p->to.px + y * p->to.row, p->from.px + y * p->from.row, p->to.w);
}

static void subtract_item(void *ctx, int64_t y, int thread)
{
    const struct pair *p = ctx;
    (void)thread;
    subtract_row(p->to.px + y * p->to.row, p->from.px + y * p->from.row, p->to.w);
}

void pfs_plane_add(struct pfs_plane to, struct pfs_plane from, int threads)
{
    struct pair p = {to, from};
    pfs_parallel(threads, to.h, add_item, &p);
}

void pfs_plane_subtract(struct pfs_plane to, struct pfs_plane from, int threads)
{
    struct pair p = {to, from};
    pfs_parallel(threads, to.h, subtract_item, &p);
}
