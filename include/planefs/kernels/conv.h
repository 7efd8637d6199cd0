/* Convolution along the axes of a plane, mirror boundary.
 *
 * Mirror: reflect about the centre of the edge pixel, which is not repeated (index -1 is 1, n is n-2), with period
 * 2(n-1), so that any kernel fits any image. All functions are total on planes of at least one pixel; `in` and `out`
 * have one size and do not overlap unless said otherwise. Scratch is the caller's: as many floats as the function
 * named *_scratch says. `threads` never changes a bit of the result. */
#ifndef PLANEFS_KERNELS_CONV_H
#define PLANEFS_KERNELS_CONV_H

#include <planefs/plane.h>

/* Index i of an axis with n pixels, mirrored into 0 .. n-1. */
int64_t pfs_mirror(int64_t i, int64_t n);

/* Fill row[-before .. -1] and row[n .. n+after-1] from row[0 .. n-1] by mirroring. */
void pfs_mirror_pad(float *row, int64_t n, int64_t before, int64_t after);

/* The low pass h_s = [1 6 15 20 15 6 1] / 64 with 2^s - 1 zeros between taps; `step` is 2^s. Sums in float32,
 * outermost taps first: a last-bit error of about 2 ulp; exact for integers up to 18 bits. */
enum { PFS_LOWPASS_TAPS = 7, PFS_LOWPASS_REACH = 3 };

/* Pieces for passes that do more in one go: across seven rows, and along one row whose 3*step neighbours on both sides
 * are there (pfs_mirror_pad). out may be in[k], must not overlap the padded row. */
void pfs_lowpass_rows(const float *const in[PFS_LOWPASS_TAPS], float *out, int64_t n);
void pfs_lowpass_row(const float *in, float *out, int64_t n, int64_t step);

/* out = conv(in, h_s, y); conv(in, h_s, x); conv(conv(in, h_s, y), h_s, x) in one pass over memory. */
void pfs_lowpass_y(struct pfs_plane in, struct pfs_plane out, int64_t step, int threads);
void pfs_lowpass_x(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads);
void pfs_lowpass(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads);
int64_t pfs_lowpass_scratch(int64_t w, int64_t step, int threads);

/* out[i] = sum over j of k[j] in[i + j - n/2]: correlation with any taps, n odd, sums in float64, j upwards.
 * Cost n products a pixel. */
void pfs_conv_x(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, float *scratch, int threads);
void pfs_conv_y(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, int threads);
int64_t pfs_conv_scratch(int64_t w, int64_t n, int threads);

/* The k-th row to visit, k = 0 .. n-1, so that rows `step` apart follow each other and a window of dilated taps stays
 * in the near caches: 0, step, 2 step, ..., 1, 1 + step, ... */
int64_t pfs_strided(int64_t k, int64_t n, int64_t step);

#endif
