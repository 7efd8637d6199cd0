/* The two S-shaped curves of the correction pipeline, over rows of pixels.
 *
 * Float32 arithmetic without library calls, the same bits on every machine. Pure; `out` may be `x`. */
#ifndef PLANEFS_KERNELS_CDF_H
#define PLANEFS_KERNELS_CDF_H

#include <stdint.h>

/* out = Phi(x), the standard normal cumulative distribution; absolute error <= 1e-7, NaN for NaN.
 * The tail exp(-a^2/2) R(a), a = |x|, with R a polynomial. Below 1 ns a pixel with
 * wide vectors, 4 ns without. */
void pfs_cdf_row(const float *x, float *out, int64_t n);

/* out = 1 / (1 + exp(gain * v + offset)); 0 where that is not a number. Absolute error <= 1e-6 for |gain * v| < 20. */
void pfs_logistic_row(const float *v, double gain, double offset, float *out, int64_t n);

#endif
