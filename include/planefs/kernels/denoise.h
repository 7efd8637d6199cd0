/* The two passes of the covariance-gated denoiser, fused so that each reads and writes memory once.
 *
 * S is the low pass h along both axes, g(v) = 1 / (1 + exp(gain v + offset)) with 0 for NaN, cov_n the covariance over
 * n x n pixels; mirror boundary. Any plane and any odd window. Results do not depend on `threads`. A NaN spreads as
 * far as the low passes reach (9 pixels) and no further. */
#ifndef PLANEFS_KERNELS_DENOISE_H
#define PLANEFS_KERNELS_DENOISE_H

#include <planefs/plane.h>

struct pfs_gate { double gain, offset; };

struct pfs_finest {
    bool split;                     /* the finest band in two: Q above and P below */
    bool gate_second;               /* with split: take noise from P too */
    int64_t window;                 /* n, odd */
    struct pfs_gate gate[2];
};

/* The finest band:  L = S(in), D = in - L
 *     split:        P = S(2D - S(D)), Q = D - P, N = Q g0(cov(Q, L + P)), plus P g1(cov(P, L)) if gate_second
 *     else:         N = D g0(cov(D, L))
 * With low.px NULL: out = in - N, the whole result where no coarser band follows. Otherwise out = D - N, low = L and
 * noise = N. `out` may be `in`. Scratch: floats, 64-byte aligned; 0.3 MB a thread for usual windows, and a sixth of a
 * plane. Cost: some 11 ns a pixel. */
void pfs_denoise_finest(struct pfs_plane in, struct pfs_plane out, const struct pfs_finest *f, struct pfs_plane low,
                        struct pfs_plane noise, float *scratch, int threads);
int64_t pfs_denoise_finest_scratch(int64_t h, int64_t w, const struct pfs_finest *f, int threads);

/* A coarser band: noise = high g(cov_n(high, low)), detail += high - noise. No two of the planes overlap. */
void pfs_denoise_coarser(struct pfs_plane high, struct pfs_plane low, int64_t n, struct pfs_gate gate,
                         struct pfs_plane detail, struct pfs_plane noise, float *scratch, int threads);
int64_t pfs_denoise_coarser_scratch(int64_t h, int64_t w, int64_t n, int threads);

/* to += from, to -= from. */
void pfs_plane_add(struct pfs_plane to, struct pfs_plane from, int threads);
void pfs_plane_subtract(struct pfs_plane to, struct pfs_plane from, int threads);

#endif
