/* Row kernels that touch each pixel once, on samples of any type. Pure; `out` may be `in` unless said otherwise. */
#ifndef PLANEFS_KERNELS_PIXELWISE_H
#define PLANEFS_KERNELS_PIXELWISE_H

#include <planefs/type.h>
#include <stdint.h>

/* Inverted contrast: unsigned (2^bits - 1) - v, where v above 2^bits - 1 gives 0; signed -1 - v; float 65535 - v. */
void pfs_invert_row(enum pfs_type type, int bits, const void *in, void *out, int64_t n);

/* The samples in reverse order; `out` does not overlap `in`. */
void pfs_reverse_row(enum pfs_type type, const void *in, void *out, int64_t n);

/* out[x] = in[x] - (c[0] + c[1] u + ... + c[degree] u^degree), u = (first + x) * step, in float64. NaN stays NaN.
 * Cost: degree multiplications and additions. */
void pfs_subtract_polynomial_row(const float *in, float *out, int64_t n, const double *c, int degree, double first,
                                 double step);

#endif
