/* Box and triangle filters as running sums, mirror boundary, any length (also longer than the image).
 *
 * box(n): mean over the n pixels i - n/2 .. i + (n-1)/2. tri(n): box(n) correlated with itself in full, 2n-1 taps,
 * symmetric for even n too. Sums run in float64, so there is no drift (relative error below 1e-7); results do not
 * depend on `threads`. `in` and `out` have one size and may be the same plane. Cost per pixel is independent of n. */
#ifndef PLANEFS_KERNELS_BOX_H
#define PLANEFS_KERNELS_BOX_H

#include <planefs/plane.h>

/* out[x] = (in[x - n/2] + ... + in[x + (n-1)/2]) * scale for x of 0 .. w-1; the row is padded, out does not overlap it.
 * scale 1.0/n gives the box. The piece for passes that do more in one go. */
void pfs_box_row(const float *in, float *out, int64_t w, int64_t n, double scale);

/* sum[x] += enter[x] - leave[x]; out[x] = sum[x] * scale: one row of a running sum down the columns. */
void pfs_slide_row(double *sum, const float *enter, const float *leave, float *out, double scale, int64_t w);

/* Along rows (x) and along columns (y). */
void pfs_box_x(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads);
void pfs_tri_x(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads);
void pfs_box_y(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads);
void pfs_tri_y(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads);

/* Floats of scratch for any of the four; scratch is 64-byte aligned (pfs_pixels). About 2 MB a thread for usual n. */
int64_t pfs_box_scratch(int64_t h, int64_t w, int64_t n, int threads);

#endif
