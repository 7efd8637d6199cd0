/* For golden tests: reference images, operators by name with parameters as text, and error figures.
 *
 * Files come from tests/golden/data, the large ones from $PLANEFS_SHARED/golden (default ../shared/golden). */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <planefs/mem.h>
#include <planefs/ops.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>

static inline char *golden_shared(const char *name)
{
    const char *shared = getenv("PLANEFS_SHARED");
    return pfs_format("%s/%s", shared ? shared : "../shared", name);
}

static inline struct pfs_typed new_typed(enum pfs_type type, int64_t h, int64_t w)
{
    int64_t row = w * (int64_t)pfs_type_size(type);
    return (struct pfs_typed){type, pfs_pixels(h * row, 1), row, h, w};
}

static inline struct pfs_typed copy_as(struct pfs_typed in, enum pfs_type type)
{
    struct pfs_typed out = new_typed(type, in.h, in.w);
    pfs_convert(in, out);
    return out;
}

/* px is NULL where the file is not there. */
static inline struct pfs_typed golden_read(const char *name)
{
    PFS_AUTO_FREE char *near = pfs_format("tests/golden/data/%s", name), *with = pfs_format("golden/%s", name);
    PFS_AUTO_FREE char *far = golden_shared(with);
    TIFF *t = access(near, R_OK) ? access(far, R_OK) ? NULL : TIFFOpen(far, "r") : TIFFOpen(near, "r");
    uint32_t w, h;
    uint16_t bits = 0, format = SAMPLEFORMAT_UINT;
    if (!t)
        return (struct pfs_typed){0};
    TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h);
    TIFFGetField(t, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetField(t, TIFFTAG_SAMPLEFORMAT, &format);
    struct pfs_typed p = new_typed(format == SAMPLEFORMAT_IEEEFP ? PFS_F32 : bits == 16 ? PFS_U16 : PFS_U8, h, w);
    for (uint32_t y = 0; y < h; y++)
        if (TIFFReadScanline(t, (char *)p.px + y * p.row, y, 0) != 1)
            abort();
    TIFFClose(t);
    return p;
}

/* Default parameters with some set from text; `settings` is "name=value name=value". gives */
static inline void *golden_params(const struct pfs_op *op, const char *settings)
{
    struct pfs_err err = {0};
    char text[512], *place;
    void *p = calloc(1, op->params_size);
    snprintf(text, sizeof text, "%s", settings);
    if (pfs_params_default(op, PFS_U16, p))
        fail_msg("%s: bad defaults", op->name);
    for (char *word = strtok_r(text, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        if (pfs_params_set(op, p, word, value, &err))
            fail_msg("%s", err.text);
    }
    return p;
}

static inline struct pfs_context golden_context(int threads)
{
    return (struct pfs_context){.source = PFS_U16, .bits = 16, .threads = threads};
}

/* One operator on a plane; the result is new. */
static inline struct pfs_typed golden_run(const struct pfs_op *op, const char *settings, const struct pfs_context *cx,
                                          struct pfs_typed in)
{
    struct pfs_err err = {0};
    struct pfs_shape from = {.t = 1, .z = 1, .c = 1, .y = in.h, .x = in.w, .type = in.type}, to = from;
    PFS_AUTO_FREE void *p = golden_params(op, settings);
    to.type = PFS_F32;
    if (op->shape && op->shape(p, &from, &to, &err))
        fail_msg("%s", err.text);
    struct pfs_typed out = new_typed(to.type, to.y, to.x);
    if (op->plane(p, NULL, cx, &in, 1, out, &err))
        fail_msg("%s", err.text);
    return out;
}

/* The same in place, for operators that can. */
static inline void golden_run_in_place(const struct pfs_op *op, const char *settings, const struct pfs_context *cx,
                                       struct pfs_typed in)
{
    struct pfs_err err = {0};
    PFS_AUTO_FREE void *p = golden_params(op, settings);
    assert_true(op->flags & PFS_OP_INPLACE);
    if (op->plane(p, NULL, cx, &in, 1, in, &err))
        fail_msg("%s", err.text);
}

struct difference { double rms, p99, max, same; };      /* same: fraction of equal pixels */

static inline int by_value(const void *a, const void *b)
{
    double u = *(const double *)a, v = *(const double *)b;
    return (u > v) - (u < v);
}

static inline double golden_pixel(struct pfs_typed p, int64_t y, int64_t x)
{
    const char *row = (const char *)p.px + y * p.row;
    switch (p.type) {
    case PFS_U8: return ((const uint8_t *)row)[x];
    case PFS_U16: return ((const uint16_t *)(const void *)row)[x];
    default: return (double)((const float *)(const void *)row)[x];
    }
}

static inline struct difference golden_difference(struct pfs_typed a, struct pfs_typed b)
{
    struct difference d = {0};
    assert_true(a.h == b.h && a.w == b.w);
    size_t n = (size_t)(a.h * a.w), i = 0;
    PFS_AUTO_FREE double *e = malloc(n * sizeof *e);
    for (int64_t y = 0; y < a.h; y++)
        for (int64_t x = 0; x < a.w; x++, i++) {
            e[i] = fabs(golden_pixel(a, y, x) - golden_pixel(b, y, x));
            d.rms += e[i] * e[i];
            d.same += e[i] == 0;
        }
    qsort(e, n, sizeof *e, by_value);
    d.rms = sqrt(d.rms / (double)n);
    d.same /= (double)n;
    d.p99 = e[n * 99 / 100];
    d.max = e[n - 1];
    return d;
}

static inline void golden_within(const char *what, struct difference d, double rms, double p99, double max)
{
    print_message("    %-40s rms %.5f  p99 %.5f  max %.5f  equal %.5f\n", what, d.rms, d.p99, d.max, d.same);
    if (!(d.rms <= rms && d.p99 <= p99 && d.max <= max))
        fail_msg("%s: outside rms %g, p99 %g, max %g", what, rms, p99, max);
}

#endif
