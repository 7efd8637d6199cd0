/* Local sharpening and contrast-limited redistribution of intensities through the normal distribution.
 *
 *     L   = tri2(I, smoothing)
 *     mul = ratio (1 - Phi((I - (L + offset)) / sigma))
 *     mid = (max + min) / 2 over minmax x minmax pixels
 *     u   = (I + mul (I - mid) - mean) slope,  F = Phi(u)
 *     v   = clip(u - c0, 0, span),  v <- v (f0 + bend v / 2)
 *     G   = below min(F, F0) + between v + above max(F - F1, 0)
 *     out = clip(base + scale G, base, top), truncated
 *
 * Mirror boundary. NaN pixels count as `mean`, are not sharpened and take no part in L; values beyond 1e12 count as
 * 1e12. Results do not depend on `threads`. */
#ifndef PLANEFS_KERNELS_CONTRAST_H
#define PLANEFS_KERNELS_CONTRAST_H

#include <planefs/plane.h>

struct pfs_curve { float mean, slope, c0, span, f0, bend, F0, F1, below, between, above, base, scale, top; };

struct pfs_sharpening { int64_t minmax; float sigma, offset, ratio; };    /* minmax odd */

/* mean = tri2(in, smoothing) with NaN counted as 0; true when there was one. Then the second function makes a mean of
 * the numbers alone: mean / (tri2(m) + 2^-23), m being 1 where `in` is a number and 0 elsewhere; `share` is a spare
 * plane. Scratch: floats, 64-byte aligned. Cost: three passes over memory each. */
bool pfs_local_mean(struct pfs_plane in, struct pfs_plane mean, int64_t smoothing, float *scratch, int threads);
void pfs_local_mean_of_numbers(struct pfs_plane in, struct pfs_plane mean, struct pfs_plane share, int64_t smoothing,
                               float *scratch, int threads);
int64_t pfs_local_mean_scratch(int64_t h, int64_t w, int64_t smoothing, int threads);

/* The result as uint8 or uint16 (out.type) from the plane and its local mean, in one pass; s NULL: no sharpening, and
 * local_mean is not read. Scratch: floats. */
void pfs_contrast(struct pfs_plane in, struct pfs_plane local_mean, const struct pfs_sharpening *s,
                  const struct pfs_curve *curve, struct pfs_typed out, float *scratch, int threads);
int64_t pfs_contrast_scratch(const struct pfs_sharpening *s, int threads);

#endif
