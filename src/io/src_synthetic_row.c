/* Rows of synthetic volumes: hashes, lattice noise, and the sum of all parts, piece by piece.
 *
 * Lattice noise: random values on a grid (a hash of seed and place), smoothly interpolated along z, y and x; after
 * Perlin, An image synthesizer, 1985. The rows of values at both edges of a cell are expanded along x once and kept, so
 * that a row costs one interpolation a layer. Floats are only added, multiplied and rounded, in one order. */
#include "src_synthetic.h"

#include <planefs/sanitizer.h>
#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = PFS_SYNTHETIC_LAYERS, STRIPES = 4 };

/* ---- hashes ---- */

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

static uint64_t chain(uint64_t seed, int64_t v)
{
    return mix(seed + 0x9e3779b97f4a7c15u + (uint64_t)v * 0xd1342543de82ef95u);
}

static float signed_unit(uint64_t h)      /* -1 .. 1 */
{
    return (float)(int32_t)(h >> 32) * (1.0f / 2147483648.0f);
}

/* ---- lattice noise ---- */

static float smooth(int64_t k, int64_t cell)
{
    float f = (float)k / (float)cell;
    return f * f * (3.0f - 2.0f * f);
}

struct layer { int64_t x, y, z; float weight; };       /* cell sizes */

/* A line of lattice noise at lattice row `ly`, interpolated along z and x, added to out. */
static void expand(uint64_t seed, struct layer l, int64_t ly, int64_t z, float *out, int64_t n)
{
    int64_t lz = z / l.z;
    float wz = smooth(z % l.z, l.z);
    uint64_t a = chain(chain(seed, lz), ly), b = chain(chain(seed, lz + 1), ly);
    float right = 0;
    for (int64_t lx = -1; lx * l.x < n; lx++) {
        float left = right, va = signed_unit(chain(a, lx + 1)), vb = signed_unit(chain(b, lx + 1));
        right = l.weight * (va + (vb - va) * wz);
        int64_t x0 = lx * l.x, end = n - x0 < l.x ? n - x0 : l.x;
        for (int64_t k = 0; lx >= 0 && k < end; k++)
            out[x0 + k] += left + (right - left) * smooth(k, l.x);
    }
}

static void hold(struct pfs_lattice *g, uint64_t seed, const struct layer *layers, int n_layers, struct pfs_at at,
                 int64_t y, int64_t n)
{
    int64_t row = y / g->cell_y;
    if (g->row == row && g->at.t == at.t && g->at.z == at.z && g->at.c == at.c)
        return;
    g->row = row;
    g->at = at;
    memset(g->low, 0, (size_t)n * sizeof *g->low);
    memset(g->high, 0, (size_t)n * sizeof *g->high);
    for (int i = 0; i < n_layers; i++) {
        uint64_t own = chain(seed, i);
        expand(own, layers[i], row, at.z, g->low, n);
        expand(own, layers[i], row + 1, at.z, g->high, n);
    }
}

static const struct layer textures[LAYERS] = {{160, 160, 24, 0.35f}, {40, 40, 8, 1.0f}, {9, 9, 3, 0.25f}};
static const struct layer stripe_layers[STRIPES] = {
    {1, 512, 1, 0.2f}, {4, 512, 1, 0.3f}, {14, 512, 1, 0.3f}, {48, 512, 1, 0.2f},
};

/* ---- a row ----
 * In pieces of PIECE pixels: loops of a fixed length become vector code at -O2, and a piece stays in the first cache.
 */

enum { PIECE = 64 };
#if PFS_HAS_SANITIZER            /* whose code cannot run yet when the loader picks a clone */
#define PIECEWISE static
#else
#define PIECEWISE __attribute__((target_clones("avx2", "default"))) static
#endif

struct row {                     /* what all pieces of a row have in common */
    float a, b, c;               /* level and background: a + b i + c i^2 */
    struct { const float *low, *high; float w; } part[LAYERS + 1];
    float texture, stripes, noise;
    uint32_t seed;
};

static inline float positive(float v)     /* max(v, 0), without a branch */
{
    return 0.5f * (v + __builtin_fabsf(v));
}

PIECEWISE void begin_piece(const struct row *r, int64_t x0, float *restrict sum)
{
    int32_t from = (int32_t)x0;
    for (int32_t i = 0; i < PIECE; i++) {
        float x = (float)(from + i);
        sum[i] = r->a + (r->b + r->c * x) * x;
    }
}

PIECEWISE void add_blobs(const float *restrict low, const float *restrict high, float w, float amplitude,
                         float *restrict sum)
{
    for (int i = 0; i < PIECE; i++)
        sum[i] += amplitude * (low[i] + (high[i] - low[i]) * w);
}

/* Membranes: dark lines where the noise changes sign. */
PIECEWISE void add_membranes(const float *restrict low, const float *restrict high, float w, float amplitude,
                          float *restrict sum)
{
    for (int i = 0; i < PIECE; i++) {
        float v = low[i] + (high[i] - low[i]) * w;
        sum[i] += amplitude * (0.4f - 0.8f * positive(1.0f - 10.0f * __builtin_fabsf(v)));
    }
}

/* The sum of four bytes of a hash: nearly normal, sigma 0.29. */
PIECEWISE void add_noise(const struct row *r, int64_t x0, float *restrict sum)
{
    uint32_t from = r->seed + (uint32_t)x0 * 0x9e3779b9u;
    float amplitude = r->noise;
    for (uint32_t i = 0; i < PIECE; i++) {
        uint32_t h = from + i * 0x9e3779b9u;
        h = (h ^ h >> 16) * 0x85ebca6bu;
        h = (h ^ h >> 13) * 0xc2b2ae35u;
        h ^= h >> 16;
        uint32_t pairs = (h & 0x00ff00ffu) + (h >> 8 & 0x00ff00ffu);
        sum[i] += amplitude * (float)((int32_t)((pairs & 0xffff) + (pairs >> 16)) - 510);
    }
}

static void begin_row(struct pfs_synthetic *s, struct pfs_at at, int64_t y, struct row *r)
{
    const struct pfs_shape *shape = &s->series.shape;
    double v = 2.0 * (double)y / (double)shape->y - 1, u = 2.0 * (double)at.z / (double)shape->z - 1;
    double k[3] = {-0.2 + 0.25 * v - 0.15 * v * v + 0.1 * u, 0.15 + 0.1 * v - 0.05 * u, 0.2};
    double d = 2.0 / (double)shape->x, amplitude = s->r.background;
    uint64_t seed = chain(chain(chain(mix((uint64_t)s->r.seed), 1), at.t), at.c);
    r->a = (float)(s->r.level + amplitude * (k[0] - k[1] + k[2]));
    r->b = (float)(amplitude * (k[1] - 2 * k[2]) * d);
    r->c = (float)(amplitude * k[2] * d * d);
    for (int i = 0; i <= LAYERS; i++) {
        struct pfs_lattice *g = i < LAYERS ? &s->texture[i] : &s->stripes;
        hold(g, chain(seed, 100 + i), i < LAYERS ? &textures[i] : stripe_layers, i < LAYERS ? 1 : STRIPES, at, y,
             shape->x);
        r->part[i].low = g->low;
        r->part[i].high = g->high;
        r->part[i].w = smooth(y % g->cell_y, g->cell_y);
    }
    r->texture = (float)s->r.texture;
    r->stripes = (float)s->r.stripes;
    r->noise = (float)s->r.noise * (1.0f / 510.0f);
    r->seed = (uint32_t)chain(chain(chain(seed, 300), at.z), y);
}

static void make_piece(const struct row *r, int64_t x0, float *sum)
{
    begin_piece(r, x0, sum);
    for (int i = 0; i < LAYERS; i++)
        (i == 1 ? add_membranes : add_blobs)(r->part[i].low + x0, r->part[i].high + x0, r->part[i].w, r->texture, sum);
    add_blobs(r->part[LAYERS].low + x0, r->part[LAYERS].high + x0, r->part[LAYERS].w, r->stripes, sum);
    add_noise(r, x0, sum);
}

/* Integers are clamped as integers: sums beyond 0 .. 1 are few, and never far beyond. */
#define STORE(NAME, TYPE, WORK, WHOLE) \
    PIECEWISE void store_##NAME(const float *restrict sum, double scale, TYPE *restrict dst) \
    { \
        WORK by = (WORK)scale; \
        WHOLE most = (WHOLE)scale; \
        for (int i = 0; i < PIECE; i++) { \
            WHOLE v = (WHOLE)((WORK)sum[i] * by + (WORK)0.5); \
            v = v < 0 ? 0 : v; \
            dst[i] = (TYPE)(v > most ? most : v); \
        } \
    }
#define STORE_REAL(NAME, TYPE) \
    PIECEWISE void store_##NAME(const float *restrict sum, double scale, TYPE *restrict dst) \
    { \
        for (int i = 0; i < PIECE; i++) \
            dst[i] = (TYPE)(1.0f - positive(1.0f - positive(sum[i]))) * (TYPE)scale; \
    }
STORE(u8, uint8_t, float, int32_t)
STORE(u16, uint16_t, float, int32_t)
STORE(u32, uint32_t, double, int64_t)
STORE(u64, uint64_t, double, int64_t)
STORE_REAL(f32, float)
STORE_REAL(f64, double)

static void store_piece(enum pfs_type type, const float *sum, double scale, void *dst)
{
    switch (type) {
    case PFS_U8: store_u8(sum, scale, dst); break;
    case PFS_U16: case PFS_I16: store_u16(sum, scale, dst); break;
    case PFS_U32: case PFS_I32: store_u32(sum, scale, dst); break;
    case PFS_F32: store_f32(sum, scale, dst); break;
    case PFS_F64: store_f64(sum, scale, dst); break;
    default: store_u64(sum, scale, dst); break;
    }
}

void pfs_synthetic_row(struct pfs_synthetic *s, struct pfs_at at, int64_t y, char *dst)
{
    enum pfs_type type = s->series.shape.type;
    int64_t n = s->series.shape.x, size = (int64_t)pfs_type_size(type);
    struct row r;
    float sum[PIECE];
    uint64_t last[PIECE];
    begin_row(s, at, y, &r);
    for (int64_t x = 0; x < n; x += PIECE) {
        make_piece(&r, x, sum);
        bool whole = n - x >= PIECE;
        store_piece(type, sum, s->r.scale, whole ? (void *)(dst + x * size) : last);
        if (!whole)
            memcpy(dst + x * size, last, (size_t)((n - x) * size));
    }
}

/* ---- scratch ---- */

static bool lattice_init(struct pfs_lattice *g, int64_t cell_y, int64_t n)
{
    g->cell_y = cell_y;
    g->row = -1;
    g->low = pfs_array(n + PIECE, sizeof *g->low);       /* a last piece may reach beyond the row */
    g->high = pfs_array(n + PIECE, sizeof *g->high);
    return g->low && g->high;
}

int pfs_synthetic_init(struct pfs_synthetic *s, struct pfs_err *err)
{
    int64_t n = s->series.shape.x;
    bool ok = lattice_init(&s->stripes, stripe_layers[0].y, n);
    for (int i = 0; i < LAYERS; i++)
        ok = ok && lattice_init(&s->texture[i], textures[i].y, n);
    return ok ? 0 : pfs_fail(err, ENOMEM, "synthetic: no memory for rows of %lld pixels", (long long)n);
}

void pfs_synthetic_finish(struct pfs_synthetic *s)
{
    for (int i = 0; i < LAYERS; i++) {
        free(s->texture[i].low);
        free(s->texture[i].high);
    }
    free(s->stripes.low);
    free(s->stripes.high);
}
