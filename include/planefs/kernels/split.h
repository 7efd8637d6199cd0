/* One scale of the anisotropic pyramid that stripes are looked for in. */
#ifndef PLANEFS_KERNELS_SPLIT_H
#define PLANEFS_KERNELS_SPLIT_H

#include <planefs/plane.h>

/* With h_s the low pass of conv.h, step = 2^s, mirror boundary:
 *     A = conv(from, h_s, y);  low = conv(A, h_s, x);  detail = A - low;  squares[y] = sum over x of detail[y,x]^2
 * `low` may be `from` itself; low.px NULL: it is not kept. With a mask (one byte a pixel, 0 or 1, rows of from.w bytes)
 * every conv(P) is m conv(P m) / (conv(m) + 2^-23), and `from` must be 0 where the mask is 0.
 * scratch: pfs_split_scratch floats, 64-byte aligned. Sums of squares in float64. Bits do not depend on `threads`.
 * One pass over memory: reads `from`, writes `low` and `detail`. (Two passes for images of less than 6 * step rows.) */
void pfs_split(struct pfs_plane from, struct pfs_plane low, struct pfs_plane detail, int64_t step, const uint8_t *mask,
               double *squares, float *scratch, int threads);
int64_t pfs_split_scratch(int64_t h, int64_t w, int64_t step, int threads);

#endif
