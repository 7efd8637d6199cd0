/* Naive twins in double of what the correction operators are made of: mirrored convolutions, boxes, covariances. */
#ifndef TESTS_KERNELS_TWINS_H
#define TESTS_KERNELS_TWINS_H

#include "sample.h"

#include <math.h>
#include <stdbool.h>

struct image { int64_t h, w; double *px; };

static inline struct image new_image(int64_t h, int64_t w)
{
    return (struct image){h, w, calloc((size_t)(h * w), sizeof(double))};
}

static inline struct image copy_image(struct image a)
{
    struct image b = new_image(a.h, a.w);
    memcpy(b.px, a.px, (size_t)(a.h * a.w) * sizeof *a.px);
    return b;
}

static inline int64_t twin_mirror(int64_t i, int64_t n)
{
    while (n > 1 && (i < 0 || i >= n))
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return n > 1 ? i : 0;
}

/* sum of k[j] a[i + (j - n/2) * step]: along x or along y. gives */
static inline struct image twin_conv(struct image a, const double *k, int64_t n, int64_t step, bool along_y)
{
    struct image b = new_image(a.h, a.w);
    for (int64_t y = 0; y < a.h; y++)
        for (int64_t x = 0; x < a.w; x++)
            for (int64_t j = 0; j < n; j++) {
                int64_t d = (j - n / 2) * step;
                int64_t at = along_y ? twin_mirror(y + d, a.h) * a.w + x : y * a.w + twin_mirror(x + d, a.w);
                b.px[y * a.w + x] += k[j] * a.px[at];
            }
    return b;
}

/* The same along both axes. */
static inline struct image twin_conv2(struct image a, const double *k, int64_t n, int64_t step)
{
    struct image x = twin_conv(a, k, n, step, false), y = twin_conv(x, k, n, step, true);
    free(x.px);
    return y;
}

static inline struct image twin_lowpass(struct image a, int64_t step)
{
    static const double h[] = {1 / 64.0, 6 / 64.0, 15 / 64.0, 20 / 64.0, 15 / 64.0, 6 / 64.0, 1 / 64.0};
    return twin_conv2(a, h, 7, step);
}

static inline struct image twin_box2(struct image a, int64_t n)
{
    double *k = calloc((size_t)n, sizeof *k);
    for (int64_t i = 0; i < n; i++)
        k[i] = 1.0 / (double)n;
    struct image b = twin_conv2(a, k, n, 1);
    free(k);
    return b;
}

static inline struct image twin_tri2(struct image a, int64_t n)
{
    struct image once = twin_box2(a, n), again = twin_box2(once, n);
    free(once.px);
    return again;
}

/* ca*a + cb*b, or a*b when both factors are 0. gives */
static inline struct image twin_combine(struct image a, double ca, struct image b, double cb)
{
    struct image c = new_image(a.h, a.w);
    for (int64_t i = 0; i < a.h * a.w; i++)
        c.px[i] = ca == 0 && cb == 0 ? a.px[i] * b.px[i] : ca * a.px[i] + cb * b.px[i];
    return c;
}

static inline struct image twin_covariance(struct image a, struct image b, int64_t n)
{
    struct image ab = twin_combine(a, 0, b, 0), c = twin_box2(ab, n), ma = twin_box2(a, n), mb = twin_box2(b, n);
    for (int64_t i = 0; i < a.h * a.w; i++)
        c.px[i] -= ma.px[i] * mb.px[i];
    free(ab.px);
    free(ma.px);
    free(mb.px);
    return c;
}

/* Synthetic tissue: level, shading, edges and noise. As floats in ret too. */
static inline struct image sample_image(int64_t h, int64_t w, float *ret)
{
    struct image a = new_image(h, w);
    double fy = sample_real(0.02, 0.3), fx = sample_real(0.02, 0.3), edge = sample_real(0.1, 0.9) * (double)w;
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double v = 28000 + 1500 * sin(fy * (double)y) * cos(fx * (double)x) + sample_real(-900, 900) +
                       ((double)x > edge ? 2000 : 0);
            ret[y * w + x] = (float)v;
            a.px[y * w + x] = (double)ret[y * w + x];
        }
    return a;
}

#endif
