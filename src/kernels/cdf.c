/* Normal distribution and logistic curve over rows; the mathematics is in normal.h and exp2.h. */
#include <planefs/kernels/cdf.h>

#include "kernels/normal.h"

PFS_CLONES
void pfs_cdf_row(const float *x, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = pfs_normal_cdf(x[i]);
}

PFS_CLONES
void pfs_logistic_row(const float *v, double gain, double offset, float *out, int64_t n)
{
    const float log2e = 1.44269504f;
    const float a = (float)gain, b = (float)offset;
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++) {
        float g = 1.0f / (1.0f + pfs_exp2((a * v[i] + b) * log2e));
        out[i] = g >= 0.0f ? g : 0.0f;
    }
}
