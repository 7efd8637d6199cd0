/* For kernel tests: planes with gaps between rows and guard bytes around. */
#ifndef TESTS_KERNELS_PLANES_H
#define TESTS_KERNELS_PLANES_H

#include <planefs/plane.h>
#include "sample.h"

#include <math.h>
#include <stdio.h>

static inline size_t plane_bytes(struct pfs_plane p)
{
    return (size_t)(p.h * p.row) * sizeof(float);
}

/* All pixels and gaps are 0xa5 bytes. */
static inline struct pfs_plane plane_empty(int64_t h, int64_t w)
{
    struct pfs_plane p = {NULL, w + sample_int(0, 5), h, w};
    p.px = guarded(plane_bytes(p));
    return p;
}

static inline struct pfs_plane plane_random(int64_t h, int64_t w, double low, double high)
{
    struct pfs_plane p = plane_empty(h, w);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++)
            p.px[y * p.row + x] = (float)sample_real(low, high);
    return p;
}

static inline struct pfs_plane plane_copy(struct pfs_plane a)
{
    struct pfs_plane p = plane_empty(a.h, a.w);
    for (int64_t y = 0; y < a.h; y++)
        memcpy(p.px + y * p.row, a.px + y * a.row, (size_t)a.w * sizeof(float));
    return p;
}

/* Nothing was written before, after or between the rows. */
static inline int plane_intact(struct pfs_plane p)
{
    int intact = guard_intact(p.px, plane_bytes(p));
    for (int64_t y = 0; y < p.h; y++)
        for (int64_t i = p.w * 4; i < p.row * 4; i++)
            intact &= ((const unsigned char *)(p.px + y * p.row))[i] == 0xa5;
    return intact;
}

static inline int plane_same(struct pfs_plane a, struct pfs_plane b)
{
    int same = 1;
    for (int64_t y = 0; y < a.h; y++)
        same &= !memcmp(a.px + y * a.row, b.px + y * b.row, (size_t)a.w * sizeof(float));
    return same;
}

static inline void plane_free(struct pfs_plane p)
{
    guarded_free(p.px);
}

/* A kernel in double along one axis of an array of h * w doubles, mirrored as numpy does: by walking. */
static inline int64_t walk_mirror(int64_t i, int64_t n)
{
    while (n > 1 && (i < 0 || i >= n))
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return n > 1 ? i : 0;
}

static inline double *twin_conv(const double *in, int64_t h, int64_t w, const double *k, int64_t n, int64_t before,
                                bool along_y)
{
    double *out = malloc((size_t)(h * w) * sizeof *out);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double sum = 0;
            for (int64_t j = 0; j < n; j++) {
                int64_t at = (along_y ? y : x) + j - before;
                sum += k[j] * (along_y ? in[walk_mirror(at, h) * w + x] : in[y * w + walk_mirror(at, w)]);
            }
            out[y * w + x] = sum;
        }
    return out;
}

static inline double *twin_of(struct pfs_plane a)
{
    double *d = malloc((size_t)(a.h * a.w) * sizeof *d);
    for (int64_t y = 0; y < a.h; y++)
        for (int64_t x = 0; x < a.w; x++)
            d[y * a.w + x] = (double)a.px[y * a.row + x];
    return d;
}

/* Largest distance of a plane from its twin. */
static inline double twin_error(struct pfs_plane a, const double *twin)
{
    double worst = 0;
    for (int64_t y = 0; y < a.h; y++)
        for (int64_t x = 0; x < a.w; x++)
            worst = fmax(worst, fabs((double)a.px[y * a.row + x] - twin[y * a.w + x]));
    return worst;
}

/* h dilated by `step`: 6 * step + 1 taps. gives */
static inline double *twin_lowpass_taps(int64_t step)
{
    static const double h[7] = {1, 6, 15, 20, 15, 6, 1};
    double *k = calloc((size_t)(6 * step + 1), sizeof *k);
    for (int i = 0; i < 7; i++)
        k[i * step] = h[i] / 64;
    return k;
}

/* gives n taps of 1/n */
static inline double *twin_box_taps(int64_t n)
{
    double *k = malloc((size_t)n * sizeof *k);
    for (int64_t i = 0; i < n; i++)
        k[i] = 1.0 / (double)n;
    return k;
}

/* gives 2n - 1 taps of a triangle */
static inline double *twin_tri_taps(int64_t n)
{
    double *k = malloc((size_t)(2 * n - 1) * sizeof *k);
    for (int64_t i = 0; i < 2 * n - 1; i++)
        k[i] = (double)(i < n ? i + 1 : 2 * n - 1 - i) / ((double)n * (double)n);
    return k;
}

/* Heights or widths worth trying: 1, tiny, odd, across the lanes of vectors. */
static inline int64_t sample_side(void)
{
    switch (sample_int(0, 4)) {
    case 0: return 1;
    case 1: return sample_int(2, 9);
    case 2: return sample_int(15, 33);
    default: return sample_int(2, 150);
    }
}

#endif
