/* Bins of equal width between two extremes, and counting pixels in them.
 *
 * Bin i holds values from edge i up to, not including, edge i + 1; the last one includes its upper edge. Edges are those
 * of numpy.linspace, rounded to float32 for float32 pixels, so that counts are numpy.histogram's. Where whole numbers
 * of fewer values than there are bins are counted, a bin is one value and the axis is as long as there are values.
 * Threads: pure. */
#ifndef PLANEFS_KERNELS_BINS_H
#define PLANEFS_KERNELS_BINS_H

#include <planefs/type.h>
#include <stdint.h>

enum { PFS_BINS = 65536, PFS_BINS_COARSE = 1024 };    /* as finely as pixels are counted; as reports show them */

struct pfs_axis {
    enum pfs_type type;
    bool whole;              /* one value a bin */
    int64_t n;               /* bins; 0: no finite extremes, nothing is counted */
    double lo, hi, step;
    uint64_t first;          /* whole: bits of the lowest value */
};

/* The axis for pixels of a type between extremes: bits of an i64 or u64, or a double, as pfs_moments has them. */
struct pfs_axis pfs_axis(enum pfs_type type, const void *min, const void *max);
double pfs_axis_edge(const struct pfs_axis *a, int64_t i);      /* 0 <= i <= n */
double pfs_axis_centre(const struct pfs_axis *a, int64_t i);    /* whole: the value; else midway between the edges */

/* Add n pixels to the counts (PFS_BINS of them). NaN and pixels equal to `nodata` (NAN: none) take no part. Pixels
 * outside of the axis are counted in its nearest bin. Cost: some 2 ns a pixel. */
void pfs_axis_count(const struct pfs_axis *a, const void *px, int64_t n, double nodata, uint64_t *count);

/* Fine counts as `bins` bins of equal width between the axis's extremes: numpy.histogram(bins=bins). bins divides
 * PFS_BINS. edge: bins + 1 values, may be NULL. */
void pfs_axis_regroup(const struct pfs_axis *a, const uint64_t *count, int64_t bins, uint64_t *ret, double *edge);

#endif
