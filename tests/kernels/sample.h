/* For kernel tests: reproducible random numbers, and arrays between guard bytes. */
#ifndef TESTS_KERNELS_SAMPLE_H
#define TESTS_KERNELS_SAMPLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static uint64_t sample_state = 0x9e3779b97f4a7c15u;

static inline uint64_t sample_bits(void)
{
    sample_state ^= sample_state << 13;
    sample_state ^= sample_state >> 7;
    return sample_state ^= sample_state << 17;
}

static inline double sample_real(double low, double high)
{
    return low + (high - low) * (double)(sample_bits() >> 11) * 0x1p-53;
}

static inline int64_t sample_int(int64_t low, int64_t high)      /* both inclusive */
{
    return low + (int64_t)(sample_bits() % (uint64_t)(high - low + 1));
}

enum { GUARD = 64 };

/* n bytes with GUARD bytes of 0xa5 on both sides; filled with 0xa5 too. */
static inline void *guarded(size_t n)
{
    char *p = malloc(n + 2 * GUARD);
    memset(p, 0xa5, n + 2 * GUARD);
    return p + GUARD;
}

static inline int guard_intact(const void *array, size_t n)
{
    const unsigned char *p = array;
    int intact = 1;
    for (int i = 1; i <= GUARD; i++)
        intact &= p[-i] == 0xa5 && p[n + (size_t)i - 1] == 0xa5;
    return intact;
}

static inline void guarded_free(void *array)
{
    free((char *)array - GUARD);
}

#endif
