/* Taking the bands of one scale out of a plane. */
#ifndef PLANEFS_KERNELS_STRIPE_H
#define PLANEFS_KERNELS_STRIPE_H

#include <planefs/kernels/label.h>

struct pfs_weighted_runs {                  /* what pixels in runs of a mask are worth */
    struct pfs_runs runs;                   /* bits.word NULL: none */
    const union pfs_weight *weight;         /* one a run; NULL: `same` for all */
    float same;
};

/* With w[y,x] the weight of the run that holds the pixel (1 outside runs, rounded to 2^-24), box2 and tri as in box.h,
 * mirror boundary, M = mask_len and B = bands_len:
 *     w = box2(w, M)  when M > 0;    T = conv(source * w, tri(B), y);    b = w T  when `smooth`, else T
 *     out = from - detail_gain * detail - band_gain * b
 * `source` is `detail` or another plane of its size; with clip (one t >= 0 a row) it is clipped to +-t first. With a
 * mask (bytes 0 or 1, rows of w bytes; source and detail are 0 where it is 0) T = conv(source w, tri(B)) / (conv(m,
 * tri(B)) + 2^-23), and out is `from` where it is 0. */
struct pfs_stripe {
    struct pfs_plane detail, source;
    const float *clip;
    const uint8_t *mask;
    struct pfs_weighted_runs runs[2];
    int64_t bands_len, mask_len;            /* 1 .. ; 0 .. 10000 */
    bool smooth;
    double detail_gain, band_gain;
};

/* out may be `from`. scratch: pfs_stripe_scratch bytes, 64-byte aligned. One pass over memory: reads detail, source (if
 * it is another plane) and from, writes out. Sums in float64, those of the weights exact. Bits do not depend on
 * `threads`. */
void pfs_stripe_remove(const struct pfs_stripe *s, struct pfs_plane from, struct pfs_plane out, void *scratch,
                       int threads);
size_t pfs_stripe_scratch(const struct pfs_stripe *s, int threads);

#endif
