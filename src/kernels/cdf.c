/* Normal distribution and logistic curve over rows.
 *
 * The tail q(a) = 1 - Phi(a) is exp(-a^2/2) R(a). R falls smoothly from 1/2, so that a polynomial of degree 7 in
 * t = a/(a + k) gives q to 2e-10 (fitted by Lawson's algorithm with weight exp(-a^2/2)); what remains is float32
 * rounding, least near 0, where q is largest. W. J. Cody's and M. Shepherd's erfc use similar changes of variable. */
#include <planefs/kernels/cdf.h>

#include "kernels/exp2.h"

PFS_INLINE float tail(float a)
{
    float t = a / (a + 4.25f);
    float r = 0.15365763f;
    r = r * t - 0.32994089f;
    r = r * t - 0.18871449f;
    r = r * t + 1.61597576f;
    r = r * t - 2.87251353f;
    r = r * t + 2.82011700f;
    r = r * t - 1.69550467f;
    r = r * t + 0.5f;
    return pfs_exp2(a * a * -0.72134752f) * r;
}

PFS_INLINE float cdf(float x)
{
    float a = x < 0.0f ? -x : x;
    a = a > 9.0f ? 9.0f : a;             /* 1 - Phi(9) is 1e-19 */
    float q = tail(a);
    return x < 0.0f ? q : 1.0f - q;
}

PFS_CLONES
void pfs_cdf_row(const float *x, float *out, int64_t n)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        out[i] = cdf(x[i]);
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
