/* The normal distribution in float32 arithmetic that a compiler can turn into vectors.
 *
 * The tail q(a) = 1 - Phi(a) is exp(-a^2/2) R(a). R falls smoothly from 1/2, so that a polynomial of degree 7 in
 * t = a/(a + k) gives q to 2e-10 (fitted by Lawson's algorithm with weight exp(-a^2/2)); what remains is float32
 * rounding, least near 0, where q is largest. W. J. Cody's and M. Shepherd's erfc use similar changes of variable. */
#ifndef PLANEFS_KERNELS_NORMAL_H
#define PLANEFS_KERNELS_NORMAL_H

#include "kernels/exp2.h"

/* 1 - Phi(a), a >= 0. */
PFS_INLINE float pfs_normal_tail(float a)
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

/* Phi(x): absolute error below 1e-7, NaN for NaN. */
PFS_INLINE float pfs_normal_cdf(float x)
{
    float a = x < 0.0f ? -x : x;
    a = a > 9.0f ? 9.0f : a;             /* 1 - Phi(9) is 1e-19 */
    float q = pfs_normal_tail(a);
    return x < 0.0f ? q : 1.0f - q;
}

#endif
