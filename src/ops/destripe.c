/* Destripe: stripes of several widths along one axis, found in a pyramid that is smooth along them, and taken out.
 *
 * Each scale splits off what is smooth along the stripe and not across it (split.h), judges the pixels over a threshold
 * (destripe_remove.c) and subtracts the rest, averaged along the stripe (stripe.h). Stripes along x are done on the
 * transposed plane. Pixels that are not finite, or outside the mask, take no part and stay as they are. */
#include "ops/destripe.h"

#include "kernels/parallel.h"
#include <planefs/hash.h>
#include <planefs/kernels/split.h>
#include <planefs/kernels/transpose.h>
#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIXELS_MAX = 1 << 30 };              /* what labels can number */

#define PARAM(field) .offset = offsetof(struct destripe_params, field)

static const struct pfs_param params[] = {
    {.name = "direction", .doc = "the axis that stripes run along", .kind = PFS_CHOICE, .value = "vertical",
     .choices = "vertical horizontal", PARAM(direction)},
    {.name = "scales", .doc = "stripe widths: each scale is twice as wide as the one before", .kind = PFS_INT,
     .value = "6", .min = 0, .max = 12, PARAM(scales)},
    {.name = "adjust_beta", .doc = "keep the share of noise that the averaging along the stripe takes out",
     .kind = PFS_BOOL, .value = "1", .min = 0, .max = 1, PARAM(adjust_beta)},
    {.name = "details_first", .doc = "threshold at the first row, in standard deviations of the scale's details",
     .kind = PFS_REAL, .value = "2.1", .min = 0, .max = 1000, PARAM(details_first)},
    {.name = "details_last", .doc = "threshold at the last row; none: the same everywhere", .kind = PFS_REAL,
     .value = "1.5", .min = 0, .max = 1000, .may_be_none = true, PARAM(details_last)},
    {.name = "details_middle", .doc = "where the threshold goes from one to the other, 0 first row, 1 last row; "
     "none: linearly", .kind = PFS_REAL, .value = "0.6", .min = -10, .max = 10, .may_be_none = true,
     PARAM(details_middle)},
    {.name = "details_mul", .doc = "how steeply", .kind = PFS_REAL, .value = "20", .min = -10000, .max = 10000,
     PARAM(details_mul)},
    {.name = "details_len", .unit = "rows", .doc = "window of the local deviation; 0: that of the whole plane",
     .kind = PFS_INT, .value = "187", .min = 0, .max = 100000, PARAM(details_len)},
    {.name = "method", .doc = "large details: predict (kept unless they look like a stripe), limit (clipped), ratio "
     "(weighted), nearest (replaced by their nearest small one)", .kind = PFS_CHOICES, .value = "predict",
     .choices = "predict limit ratio nearest", PARAM(method)},
    {.name = "bands_len", .unit = "pixels", .doc = "half length of the average along the stripe", .kind = PFS_INTS,
     .value = "161:161:161:201:251:301", .min = 2, .max = 10000, PARAM(bands_len)},
    {.name = "mask_len", .unit = "pixels", .doc = "smoothing of the weights; 0: none", .kind = PFS_INTS,
     .value = "5:9:13:19:43:75", .min = 0, .max = 10000, PARAM(mask_len)},
    {.name = "max_angle", .unit = "degrees", .doc = "how far from the stripe axis a stripe may point",
     .kind = PFS_REALS, .value = "4.8", .min = 0, .max = 90, PARAM(max_angle)},
    {.name = "max_ratio", .doc = "how wide a stripe may be, as part of its length", .kind = PFS_REALS, .value = "0.3",
     .min = 0, .max = 1000, PARAM(max_ratio)},
    {.name = "thresh_mul", .doc = "factor on the threshold", .kind = PFS_REALS, .value = "1.67:1:1:1:1:1", .min = 0,
     .max = 1000, PARAM(thresh_mul)},
    {.name = "weight", .doc = "ratio: what a large detail is worth", .kind = PFS_REALS, .value = "0.5", .min = 0,
     .max = 1, PARAM(weight)},
};

static int64_t pitch(int64_t w)
{
    return (w + 15) & ~(int64_t)15;
}

static struct pfs_plane plane_of(struct pfs_typed t)
{
    return (struct pfs_plane){t.px, t.row / (ptrdiff_t)sizeof(float), t.h, t.w};
}

/* Row by row work on the way in and out. */
struct rows {
    struct pfs_plane in, out;
    const struct pfs_typed *given;          /* the mask that came with the plane, NULL: none */
    bool turned;                            /* the plane is transposed, the given mask is not */
    uint8_t *mask;
    int64_t *count;
};

static void copy_row(void *ctx, int64_t y, int thread)
{
    const struct rows *r = ctx;
    (void)thread;
    memmove(r->out.px + y * r->out.row, r->in.px + y * r->in.row, (size_t)r->in.w * sizeof(float));
}

static void copy_plane(struct pfs_plane in, struct pfs_plane out, int threads)
{
    struct rows r = {.in = in, .out = out};
    if (in.px != out.px)
        pfs_parallel(threads, in.h, copy_row, &r);
}

static bool given(const struct rows *r, int64_t y, int64_t x)
{
    if (!r->given)
        return true;
    const uint8_t *px = r->given->px;
    return r->turned ? px[x * r->given->row + y] : px[y * r->given->row + x];
}

static void mask_row(void *ctx, int64_t y, int thread)
{
    const struct rows *r = ctx;
    const float *in = r->in.px + y * r->in.row;
    uint8_t *mask = r->mask + y * r->in.w;
    (void)thread;
    r->count[y] = 0;
    for (int64_t x = 0; x < r->in.w; x++)
        r->count[y] += mask[x] = isfinite(in[x]) && given(r, y, x);
}

static void masked_row(void *ctx, int64_t y, int thread)
{
    const struct rows *r = ctx;
    const float *in = r->in.px + y * r->in.row;
    const uint8_t *mask = r->mask + y * r->in.w;
    (void)thread;
    for (int64_t x = 0; x < r->in.w; x++)
        r->out.px[y * r->out.row + x] = mask[x] ? in[x] : 0.0f;
}

/* The mask, and how many pixels take part; -ENOMEM. Without a given mask it is kept only if a pixel is not finite. */
static int64_t make_mask(struct destripe_state *s, struct pfs_plane in, const struct pfs_typed *mask, bool turned)
{
    int64_t n = 0;
    s->mask = pfs_pixels(in.h * in.w, 1);
    if (!s->mask)
        return -ENOMEM;
    struct rows r = {.in = in, .given = mask, .turned = turned, .mask = s->mask, .count = s->count};
    pfs_parallel(s->threads, in.h, mask_row, &r);
    for (int64_t y = 0; y < in.h; y++)
        n += s->count[y];
    if (n == in.h * in.w) {
        free(s->mask);
        s->mask = NULL;
    }
    return n;
}

static int split(struct destripe_state *s, struct pfs_plane from, int scale)
{
    struct pfs_plane low = s->low;
    int64_t step = (int64_t)1 << scale;
    PFS_AUTO_FREE float *scratch = pfs_pixels(pfs_split_scratch(from.h, from.w, step, s->threads), sizeof *scratch);
    if (!scratch)
        return -ENOMEM;
    if (scale + 1 == s->p->scales)
        low.px = NULL;
    pfs_split(from, low, s->detail, step, s->mask, s->squares, scratch, s->threads);
    return 0;
}

static bool finite_sums(const struct destripe_state *s)
{
    double sum = 0;
    for (int64_t y = 0; y < s->detail.h; y++)
        sum += s->squares[y];
    return isfinite(sum);
}

static int split_masked(struct destripe_state *s, struct pfs_plane in)
{
    struct rows r = {.in = in, .out = s->low, .mask = s->mask};
    pfs_parallel(s->threads, in.h, masked_row, &r);
    return split(s, s->low, 0);
}

/* The first split. A pixel that is not finite shows in the sums, so planes without such pay nothing for looking.
 * Returns 1 when no pixel takes part. */
static int first_split(struct destripe_state *s, struct pfs_plane in, const struct pfs_typed *mask, bool turned)
{
    if (!mask) {
        int r = split(s, in, 0);
        if (r < 0 || finite_sums(s))
            return r;
    }
    int64_t n = make_mask(s, in, mask, turned);
    if (n <= 0)
        return n < 0 ? (int)n : 1;
    return s->mask ? split_masked(s, in) : mask ? split(s, in, 0) : 0;
}

/* Stripes along y. */
static int run(struct destripe_state *s, struct pfs_plane in, struct pfs_plane out, const struct pfs_typed *mask,
               bool turned, struct pfs_err *err)
{
    int r = first_split(s, in, mask, turned);
    if (r > 0) {
        copy_plane(in, out, s->threads);
        return 0;
    }
    for (int i = 0; i < s->p->scales && r >= 0; i++) {
        struct destripe_scale scale = destripe_scale(s->p, i);
        r = i > 0 ? split(s, s->low, i) : 0;
        if (r < 0)
            break;
        destripe_thresholds(s, &scale);
        r = destripe_remove(s, &scale, i > 0 ? out : in, out, err);
    }
    return r == -ENOMEM ? pfs_fail(err, ENOMEM, "destripe: no memory for a plane of %lld x %lld",
                                   (long long)in.w, (long long)in.h) : r;
}

static int run_with_memory(const struct destripe_params *p, const struct pfs_context *cx, struct pfs_plane in,
                           struct pfs_plane out, bool turned, struct pfs_err *err)
{
    int64_t row = pitch(in.w);
    PFS_AUTO_FREE float *low = pfs_pixels(in.h * row, sizeof(float));
    PFS_AUTO_FREE float *detail = pfs_pixels(in.h * row, sizeof(float));
    PFS_AUTO_FREE int64_t *count = pfs_array(in.h, sizeof *count);
    PFS_AUTO_FREE double *squares = pfs_array(in.h, sizeof *squares);
    PFS_AUTO_FREE float *limit = pfs_array(in.h, sizeof *limit);
    if (!low || !detail || !count || !squares || !limit)
        return pfs_fail(err, ENOMEM, "destripe: no memory for a plane of %lld x %lld", (long long)in.w,
                        (long long)in.h);
    struct destripe_state s = {.p = p, .threads = cx->threads, .low = {low, row, in.h, in.w},
                               .detail = {detail, row, in.h, in.w}, .count = count, .squares = squares,
                               .limit = limit};
    for (int64_t y = 0; y < in.h; y++)
        count[y] = in.w;
    int r = run(&s, in, out, cx->mask, turned, err);
    free(s.mask);
    return r;
}

static int run_turned(const struct destripe_params *p, const struct pfs_context *cx, struct pfs_plane in,
                      struct pfs_plane out, struct pfs_err *err)
{
    int64_t row = pitch(in.h);
    PFS_AUTO_FREE float *px = pfs_pixels(in.w * row, sizeof(float));
    if (!px)
        return pfs_fail(err, ENOMEM, "destripe: no memory for a plane of %lld x %lld", (long long)in.w,
                        (long long)in.h);
    struct pfs_plane turned = {px, row, in.w, in.h};
    pfs_transpose(in, turned, cx->threads);
    int r = run_with_memory(p, cx, turned, turned, true, err);
    if (r == 0)
        pfs_transpose(turned, out, cx->threads);
    return r;
}

/* The mask, as its hash. */
static int destripe_depends(const void *p, const struct pfs_context *cx, struct pfs_text *ret, struct pfs_err *err)
{
    const struct pfs_typed *mask = cx->mask;
    char hex[33];
    (void)p;
    if (!mask)
        return 0;
    struct pfs_hasher *hasher = pfs_hasher_create();
    if (!hasher)
        return pfs_fail(err, ENOMEM, "destripe: no memory to hash the mask");
    for (int64_t y = 0; y < mask->h; y++)
        pfs_hasher_add(hasher, (const char *)mask->px + y * mask->row, (size_t)mask->w);
    pfs_hash_hex(pfs_hasher_value(hasher), hex);
    pfs_hasher_destroy(hasher);
    pfs_text_addf(ret, "mask=%s", hex);
    return 0;
}

static int destripe_plane(const void *params_, const struct pfs_blob *model, const struct pfs_context *cx,
                          const struct pfs_typed *in, int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct destripe_params *p = params_;
    struct pfs_plane from = plane_of(in[0]), to = plane_of(out);
    (void)model;
    (void)n;
    if (from.h < 1 || from.w < 1)
        return 0;
    if (from.h > PIXELS_MAX / from.w)
        return pfs_fail(err, EFBIG, "destripe: a plane of %lld x %lld has too many pixels", (long long)from.w,
                        (long long)from.h);
    if (p->scales == 0)
        copy_plane(from, to, cx->threads);
    else if (p->direction == DESTRIPE_HORIZONTAL)
        return run_turned(p, cx, from, to, err);
    else
        return run_with_memory(p, cx, from, to, false, err);
    return 0;
}

/* Two planes and the bit masks; half a plane for labels, though noise at a very low threshold may need a whole one; the
 * mask of pixels; rings; a plane for the nearest values, and the transposed plane. */
static size_t destripe_memory(const void *params_, const struct pfs_shape *in)
{
    const struct destripe_params *p = params_;
    size_t pixels = (size_t)in->y * (size_t)pitch(in->x), plane = pixels * sizeof(float);
    size_t bytes = 2 * plane + plane / 2 + plane / 8 + pixels + (64u << 20);
    for (int i = 0; i < p->method.n; i++)
        if ((int)p->method.v[i] == DESTRIPE_NEAREST)
            return bytes + plane + (p->direction == DESTRIPE_HORIZONTAL ? plane : 0);
    return bytes + (p->direction == DESTRIPE_HORIZONTAL ? plane : 0);
}

const struct pfs_op pfs_op_destripe = {
    .name = "destripe", .doc = "takes out stripes of several widths along one axis",
    .paper = "Kreinin, Gunn, Chklovskii, Wu: High-fidelity image restoration of large 3D electron microscopy volume, "
             "bioRxiv 2023.09.14.557785",
    .rev = 1, .flags = PFS_OP_FLOAT | PFS_OP_INPLACE | PFS_OP_MASK,
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct destripe_params),
    .depends = destripe_depends, .plane = destripe_plane, .memory = destripe_memory,
};
