/* 2^y in float32 arithmetic that a compiler can turn into vectors: relative error below 1.3e-7. */
#ifndef PLANEFS_KERNELS_EXP2_H
#define PLANEFS_KERNELS_EXP2_H

#include <planefs/kernels/clones.h>

#include <stdint.h>

/* y is held within -125 .. 125; NaN stays NaN. The whole part n goes into the exponent, and 2^f with |f| <= 1/2 is a
 * minimax polynomial (error 2e-9). Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
PFS_INLINE float pfs_exp2(float y)
{
    const float magic = 12582912.0f;
    y = y > 125.0f ? 125.0f : y;
    y = y < -125.0f ? -125.0f : y;
    union { float f; uint32_t u; } whole = {y + magic}, scale;
    float f = y - (whole.f - magic);
    float p = 1.5353362e-4f;
    p = p * f + 1.3398875e-3f;
    p = p * f + 9.618437e-3f;
    p = p * f + 5.5503324e-2f;
    p = p * f + 0.24022648f;
    p = p * f + 0.6931472f;
    scale.u = (whole.u + 127u) << 23;
    return (p * f + 1.0f) * scale.f;
}

#endif
