/* Counting and moments of pixels: what reports about a plane are made of.
 *
 * Counting adds to four histograms in turn (pixel i to number i mod 4), because two equal neighbours would otherwise wait
 * for each other's store; add them up at the end. Moments run in double over fixed lanes, so the bits do not depend on
 * the machine. Threads: pure. */
#ifndef KERNELS_TALLY_H
#define KERNELS_TALLY_H

#include <planefs/plane.h>

enum { PFS_TALLY_LANES = 4 };

/* bins: lanes * 256 or lanes * 65536 counts, lane after lane; at most 2^32 pixels may be counted before they are read.
 * Cost: about one cycle a pixel. */
void pfs_tally_u8(const uint8_t *px, int64_t n, uint32_t *bins);
void pfs_tally_u16(const uint16_t *px, int64_t n, uint32_t *bins);

union pfs_extreme { uint64_t u; int64_t i; double f; };   /* by the class of the type: unsigned, signed, float */

struct pfs_moments {
    int64_t n;                   /* pixels that are numbers */
    int64_t nan;
    union pfs_extreme min, max;  /* exact in the type's class; meaningless while n is 0 */
    double mean, low, m2;        /* the mean is mean + low, low < one step of mean; m2 = sum (x - mean - low)^2 */
};

/* Moments of n pixels of a row (not of 8 or 16 bits: those are counted). Two passes over blocks that stay in the first
 * cache, blocks joined by pfs_moments_join. Relative error of m2 below 1e-9 whatever the size of the mean. */
void pfs_moments_row(enum pfs_type type, const void *px, int64_t n, struct pfs_moments *ret);
/* a <- a and b together. Chan, Golub, LeVeque 1979. The extremes are compared in the type's class. */
void pfs_moments_join(enum pfs_type type, struct pfs_moments *a, const struct pfs_moments *b);

#endif
