/* Counting and moments of pixels, at the speed of memory.
 *
 * Moments follow the two-pass formula with its correction term (Chan, Golub, LeVeque 1983): the mean of a block, then
 * the squares about it less (sum of deviations)^2 / n. So a large common offset costs no digits; the mean is
 * carried in two parts, so that joining blocks costs none either. */
#include "kernels/tally.h"

#include <planefs/kernels/clones.h>

#include <math.h>
#include <string.h>

enum { LANES = 8, BLOCK = 2048 };

void pfs_tally_u8(const uint8_t *px, int64_t n, uint32_t *bins)
{
    uint32_t *a = bins, *b = bins + 256, *c = bins + 512, *d = bins + 768;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, px + i, 8);
        a[v & 255]++;
        b[v >> 8 & 255]++;
        c[v >> 16 & 255]++;
        d[v >> 24 & 255]++;
        a[v >> 32 & 255]++;
        b[v >> 40 & 255]++;
        c[v >> 48 & 255]++;
        d[v >> 56]++;
    }
    for (; i < n; i++)
        a[px[i]]++;
}

void pfs_tally_u16(const uint16_t *px, int64_t n, uint32_t *bins)
{
    uint32_t *a = bins, *b = bins + 65536, *c = b + 65536, *d = c + 65536;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t v, w;
        memcpy(&v, px + i, 8);
        memcpy(&w, px + i + 4, 8);
        a[v & 65535]++;
        b[v >> 16 & 65535]++;
        c[v >> 32 & 65535]++;
        d[v >> 48]++;
        a[w & 65535]++;
        b[w >> 16 & 65535]++;
        c[w >> 32 & 65535]++;
        d[w >> 48]++;
    }
    for (; i < n; i++)
        a[px[i]]++;
}

/* Move the mean by a little, keeping what its last digit loses (Dekker's fast two-sum). */
static void add_to_mean(struct pfs_moments *m, double d)
{
    double low = m->low + d, mean = m->mean + low;
    m->low = low - (mean - m->mean);
    m->mean = mean;
}

/* Fold the lanes of the two passes into moments; `class` is the member of the extremes. */
static void close_block(const int64_t *count, const double *sum, int64_t n, struct pfs_moments *ret)
{
    double s = 0;
    ret->n = 0;
    for (int l = 0; l < LANES; l++) {
        ret->n += count[l];
        s += sum[l];
    }
    ret->nan = n - ret->n;
    ret->mean = ret->n ? s / (double)ret->n : 0;
}

static void close_squares(const double *square, const double *rest, struct pfs_moments *ret)
{
    double m2 = 0, r = 0;
    for (int l = 0; l < LANES; l++) {
        m2 += square[l];
        r += rest[l];
    }
    if (!ret->n)
        return;
    ret->m2 = m2 - r * r / (double)ret->n;
    if (ret->m2 < 0)
        ret->m2 = 0;
    if (isfinite(r))
        add_to_mean(ret, r / (double)ret->n);
}

/* One block of one type. A NaN fails x == x, and every comparison with the extremes. */
#define BLOCK_OF(NAME, T, CLASS, LOW, HIGH) \
PFS_CLONES static void NAME(const T *px, int64_t n, struct pfs_moments *ret) \
{ \
    double sum[LANES] = {0}, square[LANES] = {0}, rest[LANES] = {0}; \
    int64_t count[LANES] = {0}, whole = n - n % LANES; \
    T lo[LANES], hi[LANES]; \
    for (int l = 0; l < LANES; l++) { lo[l] = HIGH; hi[l] = LOW; } \
    for (int64_t i = 0; i < whole; i += LANES) \
        for (int l = 0; l < LANES; l++) { \
            T x = px[i + l]; \
            sum[l] += x == x ? (double)x : 0.0; \
            count[l] += x == x; \
            lo[l] = x < lo[l] ? x : lo[l]; \
            hi[l] = x > hi[l] ? x : hi[l]; \
        } \
    for (int64_t i = whole; i < n; i++) { \
        T x = px[i]; \
        sum[i - whole] += x == x ? (double)x : 0.0; \
        count[i - whole] += x == x; \
        lo[0] = x < lo[0] ? x : lo[0]; \
        hi[0] = x > hi[0] ? x : hi[0]; \
    } \
    close_block(count, sum, n, ret); \
    double mean = ret->mean; \
    for (int64_t i = 0; i < whole; i += LANES) \
        for (int l = 0; l < LANES; l++) { \
            T x = px[i + l]; \
            double d = x == x ? (double)x - mean : 0.0; \
            square[l] += d * d; \
            rest[l] += d; \
        } \
    for (int64_t i = whole; i < n; i++) { \
        T x = px[i]; \
        double d = x == x ? (double)x - mean : 0.0; \
        square[i - whole] += d * d; \
        rest[i - whole] += d; \
    } \
    close_squares(square, rest, ret); \
    for (int l = 1; l < LANES; l++) { \
        lo[0] = lo[l] < lo[0] ? lo[l] : lo[0]; \
        hi[0] = hi[l] > hi[0] ? hi[l] : hi[0]; \
    } \
    ret->min.CLASS = lo[0]; \
    ret->max.CLASS = hi[0]; \
}

BLOCK_OF(block_u32, uint32_t, u, 0, UINT32_MAX)
BLOCK_OF(block_u64, uint64_t, u, 0, UINT64_MAX)
BLOCK_OF(block_i32, int32_t, i, INT32_MIN, INT32_MAX)
BLOCK_OF(block_i64, int64_t, i, INT64_MIN, INT64_MAX)
BLOCK_OF(block_f64, double, f, -INFINITY, INFINITY)

/* Widened first: loops of one width run four times as fast as mixed ones, and every float is a double. */
PFS_CLONES static void block_f32(const float *px, int64_t n, struct pfs_moments *ret)
{
    double wide[BLOCK];
    for (int64_t i = 0; i < n; i++)
        wide[i] = (double)px[i];
    block_f64(wide, n, ret);
}

static void block(enum pfs_type type, const char *px, int64_t n, struct pfs_moments *ret)
{
    const void *p = px;
    switch (type) {
    case PFS_U32: block_u32(p, n, ret); break;
    case PFS_U64: block_u64(p, n, ret); break;
    case PFS_I32: block_i32(p, n, ret); break;
    case PFS_I64: block_i64(p, n, ret); break;
    case PFS_F32: block_f32(p, n, ret); break;
    case PFS_F64: block_f64(p, n, ret); break;
    default: break;
    }
}

void pfs_moments_row(enum pfs_type type, const void *px, int64_t n, struct pfs_moments *ret)
{
    size_t size = pfs_type_size(type);
    *ret = (struct pfs_moments){0};
    for (int64_t i = 0; i < n; i += BLOCK) {
        struct pfs_moments m = {0};
        block(type, (const char *)px + (size_t)i * size, n - i < BLOCK ? n - i : BLOCK, &m);
        pfs_moments_join(type, ret, &m);
    }
}

static bool less(enum pfs_type type, union pfs_extreme a, union pfs_extreme b)
{
    if (pfs_type_is_float(type))
        return a.f < b.f;
    return pfs_type_is_signed(type) ? a.i < b.i : a.u < b.u;
}

void pfs_moments_join(enum pfs_type type, struct pfs_moments *a, const struct pfs_moments *b)
{
    int64_t nan = a->nan + b->nan, n = a->n + b->n;
    if (!a->n)
        *a = *b;
    else if (b->n) {
        double delta = b->mean - a->mean + (b->low - a->low), share = (double)b->n / (double)n;
        a->m2 += b->m2 + delta * delta * (double)a->n * share;
        if (isfinite(delta))
            add_to_mean(a, delta * share);
        else
            a->mean += b->mean;
        if (less(type, b->min, a->min))
            a->min = b->min;
        if (less(type, a->max, b->max))
            a->max = b->max;
    }
    a->n = n;
    a->nan = nan;
}
