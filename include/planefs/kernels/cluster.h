/* Thresholds and clusters of values on a line, from their histogram. Threads: pure. */
#ifndef PLANEFS_KERNELS_CLUSTER_H
#define PLANEFS_KERNELS_CLUSTER_H

#include <planefs/err.h>
#include <stdint.h>

/* Otsu's threshold as scikit-image computes it: the centre c[i] that maximises w1 w2 (m1 - m2)^2, where class 1 is all
 * values up to it; of equal ones the first. Bins beyond the outermost non-empty ones are left out. NaN without counts;
 * the only value where there is one. N. Otsu, IEEE Trans. SMC 9 (1979) 62. scratch: 3 n doubles. Cost: O(n). */
double pfs_otsu(const double *centre, const uint64_t *count, int64_t n, double *scratch);

/* k centres (rising) that minimise the sum of squared distances of weighted values to their nearest centre: the global
 * optimum, by dynamic programming over contiguous groups with divide and conquer (Gronlund et al., arXiv:1701.07204).
 * value rises, weights are positive. Fewer than k values: each its own centre, the rest NaN. Cost: O(k n log n) time,
 * (k + 4) n words of memory. ENOMEM. */
int pfs_kmeans_line(const double *value, const double *weight, int64_t n, int k, double *centre, struct pfs_err *err);

/* The same for every k of 2 .. most at once, which costs no more than the largest: centre[k - 2] has k values. */
int pfs_kmeans_lines(const double *value, const double *weight, int64_t n, int most, double *const *centre,
                     struct pfs_err *err);

#endif
