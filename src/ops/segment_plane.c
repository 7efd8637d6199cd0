/* Labels of pixels by rising bounds. 8 and 16 bits go through a table of all values. */
#include "ops/segment_plane.h"

#include "ops/stats_counts.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

static uint8_t label_of(double v, const double *bound, int n, int step, double nodata)
{
    int label = 0;
    for (int i = 0; i < n; i++)
        label += v > bound[i];
    return v == nodata ? 0 : (uint8_t)(label * step);
}

#define TABLE(T, LOW) \
    for (int64_t y = 0; y < in.h; y++) { \
        const T *s = (const T *)(const void *)((const char *)in.px + y * in.row); \
        uint8_t *d = (uint8_t *)out.px + y * out.row; \
        for (int64_t x = 0; x < in.w; x++) \
            d[x] = table[s[x] - (LOW)]; \
    } break

static int by_table(struct pfs_typed in, const double *bound, int n, int step, double nodata, struct pfs_typed out,
                    struct pfs_err *err)
{
    int values = pfs_type_size(in.type) == 1 ? 256 : PFS_COUNTS, low = pfs_type_is_signed(in.type) ? -values / 2 : 0;
    PFS_AUTO_FREE uint8_t *table = malloc(PFS_COUNTS);
    if (!table)
        return pfs_fail(err, ENOMEM, "no memory for a table of labels");
    for (int v = 0; v < values; v++)
        table[v] = label_of(v + low, bound, n, step, nodata);
    switch (in.type) {
    case PFS_U8: TABLE(uint8_t, 0);
    case PFS_I8: TABLE(int8_t, INT8_MIN);
    case PFS_U16: TABLE(uint16_t, 0);
    default: TABLE(int16_t, INT16_MIN);
    }
    return 0;
}

#define COMPARE(T) \
    for (int64_t y = 0; y < in.h; y++) { \
        const T *s = (const T *)(const void *)((const char *)in.px + y * in.row); \
        uint8_t *d = (uint8_t *)out.px + y * out.row; \
        for (int64_t x = 0; x < in.w; x++) \
            d[x] = label_of((double)s[x], bound, n, step, nodata); \
    } break

int pfs_label_plane(struct pfs_typed in, const double *bound, int n, int step, double nodata, struct pfs_typed out,
                    struct pfs_err *err)
{
    if (pfs_counts_fit(in.type))
        return by_table(in, bound, n, step, nodata, out, err);
    switch (in.type) {
    case PFS_U32: COMPARE(uint32_t);
    case PFS_U64: COMPARE(uint64_t);
    case PFS_I32: COMPARE(int32_t);
    case PFS_I64: COMPARE(int64_t);
    case PFS_F32: COMPARE(float);
    default: COMPARE(double);
    }
    return 0;
}

int pfs_label_shape(const struct pfs_shape *in, double top, struct pfs_shape *ret)
{
    *ret = *in;
    ret->type = PFS_U8;
    ret->cal.range[0] = 0;
    ret->cal.range[1] = top;
    return 0;
}
