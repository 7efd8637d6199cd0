/* Connected components of a bit mask, by runs: He, Chao, Suzuki, A run-based two-scan labeling algorithm, IEEE TIP
 * 2008; moments from run ends as they are found. */
#ifndef PLANEFS_KERNELS_LABEL_H
#define PLANEFS_KERNELS_LABEL_H

#include <planefs/kernels/bits.h>

/* Exact sums over the pixels of one component: count, y, x, y^2, x^2, x*y. */
struct pfs_moments {
    int64_t n, y, x;
    __int128 yy, xx, xy;
};

/* Central second moments divided by the count: variances and covariance of the pixel centres. */
void pfs_moments_central(const struct pfs_moments *m, double *ret_yy, double *ret_xx, double *ret_xy);

union pfs_weight {                          /* what one run is worth; `node` is the labelling's own while it works */
    float w;
    uint32_t node;
};

/* 8-connected components; weight[i].w of run i becomes the value that `weigh` gives to
 * its component, which must lie in 0 .. 1 and depend on nothing but its arguments: it is called on any thread, in any
 * order. There are less than 2^30 runs. Results do not depend on `threads`, since
 * bands of rows are labelled on their own and joined by exact sums.
 * weight: one a run. scratch: pfs_label_scratch bytes, 16-byte aligned. Cost: some 50 ns a run. */
void pfs_label(const struct pfs_runs *runs,
               float (*weigh)(const void *ctx, const struct pfs_moments *m), const void *ctx,
               union pfs_weight *weight, void *scratch, int threads);
size_t pfs_label_scratch(const struct pfs_runs *runs, int threads);

#endif
