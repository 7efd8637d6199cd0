/* Local covariance of two planes, row after row: A(a b) - A(a) A(b), where A is the mean over n x n pixels.
 *
 * Rows go in from top to bottom, already mirrored and padded by the caller; the first n - 1 pushes give nothing, each
 * later one the row in the middle of the last n. Products and sums are float64. Nothing is ever subtracted from a sum,
 * so that a NaN or an absurd value reaches no further than its own windows. Cost per pixel: log n along the row,
 * constant down the columns. Scratch: 24 (n + 3) bytes a pixel of a row. */
#ifndef PLANEFS_KERNELS_COVARIANCE_H
#define PLANEFS_KERNELS_COVARIANCE_H

#include <stdbool.h>
#include <stdint.h>

struct pfs_covariance { int64_t n, w, pushed; double *scratch; };

/* A new window of n x n (n odd, >= 3) for results w pixels wide; scratch: as many doubles as the second one says. */
struct pfs_covariance pfs_covariance(int64_t n, int64_t w, double *scratch);
int64_t pfs_covariance_scratch(int64_t n, int64_t w);

/* Take a row of w + n - 1 pixels of either plane; true when `cov` (w pixels) was written. */
bool pfs_covariance_push(struct pfs_covariance *c, const float *a, const float *b, float *cov);

#endif
