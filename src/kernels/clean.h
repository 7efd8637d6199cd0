/* Pixels made fit for sums: NaN replaced, absurd values held within +-1e12, so that no running sum loses its digits. */
#ifndef PLANEFS_KERNELS_CLEAN_H
#define PLANEFS_KERNELS_CLEAN_H

#include <stdint.h>

void pfs_clean_row(const float *in, float instead_of_nan, float *out, int64_t n);

#endif
