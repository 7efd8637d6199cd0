/* Counting pixels in bins of equal width. The bin comes from one multiplication and is then corrected against the edges
 * themselves, as numpy.histogram does it. */
#include <planefs/kernels/bins.h>

#include <math.h>
#include <string.h>

static double as_double(enum pfs_type type, const void *extreme)
{
    double f;
    int64_t i;
    uint64_t u;
    memcpy(&f, extreme, sizeof f);
    memcpy(&i, extreme, sizeof i);
    memcpy(&u, extreme, sizeof u);
    return pfs_type_is_float(type) ? f : pfs_type_is_signed(type) ? (double)i : (double)u;
}

struct pfs_axis pfs_axis(enum pfs_type type, const void *min, const void *max)
{
    struct pfs_axis a = {.type = type, .lo = as_double(type, min), .hi = as_double(type, max)};
    uint64_t first, last;
    memcpy(&first, min, sizeof first);
    memcpy(&last, max, sizeof last);
    if (!isfinite(a.lo) || !isfinite(a.hi) || a.hi < a.lo || !isfinite(a.hi - a.lo))
        return a;
    if (!pfs_type_is_float(type) && last - first < PFS_BINS) {
        a.whole = true;
        a.first = first;
        a.n = (int64_t)(last - first) + 1;
        a.step = 1;
    } else {
        a.n = PFS_BINS;
        a.step = (a.hi - a.lo) / PFS_BINS;
    }
    return a;
}

static double edge_of(enum pfs_type type, double lo, double hi, double step, int64_t n, int64_t i)
{
    double e = i == n ? hi : (double)i * step + lo;
    return type == PFS_F32 ? (double)(float)e : e;
}

double pfs_axis_edge(const struct pfs_axis *a, int64_t i)
{
    return a->whole ? a->lo + (double)i : edge_of(a->type, a->lo, a->hi, a->step, a->n, i);
}

double pfs_axis_centre(const struct pfs_axis *a, int64_t i)
{
    if (a->whole)
        return a->lo + (double)i;
    if (a->type == PFS_F32)
        return (double)(((float)pfs_axis_edge(a, i) + (float)pfs_axis_edge(a, i + 1)) / 2.0f);
    return (pfs_axis_edge(a, i) + pfs_axis_edge(a, i + 1)) / 2;
}

static int64_t bin_of(enum pfs_type type, double lo, double hi, double step, int64_t n, double v)
{
    double at = step > 0 ? (v - lo) / step : 0;
    int64_t i = at > 0 ? at < (double)n ? (int64_t)at : n - 1 : 0;
    while (i > 0 && v < edge_of(type, lo, hi, step, n, i))
        i--;
    while (i < n - 1 && v >= edge_of(type, lo, hi, step, n, i + 1))
        i++;
    return i;
}

#define COUNT(T) { const T *p = px; T gap = (T)hole; \
    for (int64_t i = 0; i < n; i++) \
        if (p[i] == p[i] && !(gaps && p[i] == gap)) \
            count[bin_of(a->type, a->lo, a->hi, a->step, a->n, (double)p[i])]++; } break

#define COUNT_WHOLE(T, WIDE) { const T *p = px; T gap = (T)hole; \
    for (int64_t i = 0; i < n; i++) { \
        uint64_t at = (uint64_t)(WIDE)p[i] - a->first; \
        if (!(gaps && p[i] == gap)) \
            count[at < last ? at : last]++; } } break

static void count_whole(const struct pfs_axis *a, const void *px, int64_t n, double hole, bool gaps, uint64_t *count)
{
    uint64_t last = (uint64_t)a->n - 1;
    switch (a->type) {
    case PFS_U32: COUNT_WHOLE(uint32_t, uint64_t);
    case PFS_U64: COUNT_WHOLE(uint64_t, uint64_t);
    case PFS_I32: COUNT_WHOLE(int32_t, int64_t);
    case PFS_I64: COUNT_WHOLE(int64_t, int64_t);
    default: break;
    }
}

/* Can a pixel of the type have this value? Else the conversion to the type would be undefined. */
static bool holds(enum pfs_type type, double v)
{
    switch (type) {
    case PFS_U32: return v == floor(v) && v >= 0 && v <= UINT32_MAX;
    case PFS_U64: return v == floor(v) && v >= 0 && v < 0x1p64;
    case PFS_I32: return v == floor(v) && v >= INT32_MIN && v <= INT32_MAX;
    case PFS_I64: return v == floor(v) && v >= -0x1p63 && v < 0x1p63;
    case PFS_F32: return fabs(v) <= 0x1.fffffep127;
    default: return isfinite(v);
    }
}

void pfs_axis_count(const struct pfs_axis *a, const void *px, int64_t n, double nodata, uint64_t *count)
{
    bool gaps = holds(a->type, nodata);
    double hole = gaps ? nodata : 0;
    if (a->n < 1)
        return;
    if (a->whole) {
        count_whole(a, px, n, hole, gaps, count);
        return;
    }
    switch (a->type) {
    case PFS_U32: COUNT(uint32_t);
    case PFS_U64: COUNT(uint64_t);
    case PFS_I32: COUNT(int32_t);
    case PFS_I64: COUNT(int64_t);
    case PFS_F32: COUNT(float);
    case PFS_F64: COUNT(double);
    default: break;
    }
}

void pfs_axis_regroup(const struct pfs_axis *a, const uint64_t *count, int64_t bins, uint64_t *ret, double *edge)
{
    double step = (a->hi - a->lo) / (double)bins;
    memset(ret, 0, (size_t)bins * sizeof *ret);
    for (int64_t i = 0; edge && i <= bins; i++)
        edge[i] = edge_of(a->type, a->lo, a->hi, step, bins, i);
    for (int64_t i = 0; i < a->n; i++)
        if (count[i])
            ret[a->whole ? bin_of(a->type, a->lo, a->hi, step, bins, pfs_axis_centre(a, i)) : i * bins / a->n] += count[i];
}
