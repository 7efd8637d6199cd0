/* Operator contrast: sharpen dark structure, then map intensities through the normal distribution to 8 or 16 bits.
 *
 * The redistribution is contrast-limited: between c0 and c1 (in standard deviations) the cdf is replaced by the
 * integral of the chord of its density, and what that saves (delta) goes to the darkest part, the part below c1, or
 * everything. All three are one formula with different weights; the kernel knows only the weights. */
#include <planefs/ops.h>

#include <planefs/kernels/contrast.h>
#include <planefs/mem.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>

enum pixel { PIXEL_U8, PIXEL_U16 };
enum redistribute { LEFTMOST, LEFT, FULL };

struct params {
    double low, high;
    int pixel;
    int64_t smoothing;
    double sigma, offset, ratio;
    int64_t minmax_size;
    struct pfs_list clip;
    int redistribute;
    double hp_sigma, mean;
};

static const struct pfs_param table[] = {
    {.name = "low", .doc = "smallest value of the result", .kind = PFS_REAL, .value = "0", .min = 0, .max = 65535,
     .offset = offsetof(struct params, low)},
    {.name = "high", .doc = "largest value of the result", .kind = PFS_REAL, .value = "255", .min = 0, .max = 65535,
     .offset = offsetof(struct params, high)},
    {.name = "pixel", .doc = "type of the result", .kind = PFS_CHOICE, .value = "u8", .choices = "u8 u16",
     .offset = offsetof(struct params, pixel)},
    {.name = "smoothing", .unit = "pixels", .doc = "box, used twice, of the local mean; odd", .kind = PFS_INT,
     .value = "501", .min = 1, .max = 10001, .offset = offsetof(struct params, smoothing)},
    {.name = "sigma", .unit = "intensity", .doc = "over which sharpening fades from dark to bright", .kind = PFS_REAL,
     .value = "2000", .min = 1e-6, .max = 1e9, .power = 1, .offset = offsetof(struct params, sigma)},
    {.name = "offset", .unit = "intensity", .doc = "from the local mean to where sharpening is half", .kind = PFS_REAL,
     .value = "-2000", .min = -1e9, .max = 1e9, .power = 1, .offset = offsetof(struct params, offset)},
    {.name = "ratio", .doc = "strength of sharpening; 0 leaves it out", .kind = PFS_REAL, .value = "2", .min = 0,
     .max = 1000, .offset = offsetof(struct params, ratio)},
    {.name = "minmax_size", .unit = "pixels", .doc = "window of the mid-range that sharpening moves away from; odd",
     .kind = PFS_INT, .value = "5", .min = 1, .max = 255, .offset = offsetof(struct params, minmax_size)},
    {.name = "clip", .unit = "standard deviations", .doc = "where contrast is limited, from:to", .kind = PFS_REALS,
     .value = "-0.8:0.8", .min = -5, .max = 5, .may_be_none = true, .offset = offsetof(struct params, clip)},
    {.name = "redistribute", .doc = "who gets the contrast that clipping saves: darkest part, all below, everything",
     .kind = PFS_CHOICE, .value = "leftmost", .choices = "leftmost left full",
     .offset = offsetof(struct params, redistribute)},
    {.name = "hp_sigma", .unit = "intensity", .doc = "standard deviation of the intensities", .kind = PFS_REAL,
     .value = "1250", .min = 1e-6, .max = 1e9, .power = 1, .offset = offsetof(struct params, hp_sigma)},
    {.name = "mean", .unit = "intensity", .doc = "mean of the intensities; also stands for NaN", .kind = PFS_REAL,
     .value = "28000", .min = -1e9, .max = 1e9, .power = 1, .offset = offsetof(struct params, mean)},
};

static double cdf(double x)
{
    return 0.5 * erfc(-x / sqrt(2));
}

static double density(double x)
{
    return exp(-x * x / 2) / sqrt(8 * atan(1));
}

/* Weights of the parts below c0, between and above c1. */
static void weigh(const struct params *p, double F0, double area, double delta, double ret[3])
{
    double left = delta / (F0 + area) + 1;
    ret[0] = p->redistribute == LEFTMOST ? delta / F0 + 1 : p->redistribute == LEFT ? left : 1 / (1 - delta);
    ret[1] = p->redistribute == LEFTMOST ? 1 : ret[0];
    ret[2] = p->redistribute == FULL ? ret[0] : 1;
}

static struct pfs_curve curve(const struct params *p)
{
    struct pfs_curve c = {.mean = (float)p->mean, .slope = (float)(1 / p->hp_sigma), .base = (float)p->low,
                          .scale = (float)(p->high - p->low + 1), .top = (float)p->high};
    if (p->clip.n == 0) {                 /* F itself: all of it lies below */
        c.F0 = c.F1 = 2;
        c.below = 1;
        return c;
    }
    double c0 = p->clip.v[0], c1 = p->clip.v[1], weight[3];
    double F0 = cdf(c0), F1 = cdf(c1), f0 = density(c0), f1 = density(c1), area = (f0 + f1) / 2 * (c1 - c0);
    weigh(p, F0, area, F1 - F0 - area, weight);
    c.c0 = (float)c0;
    c.span = (float)(c1 - c0);
    c.f0 = (float)f0;
    c.bend = (float)((f1 - f0) / (c1 - c0));
    c.F0 = (float)F0;
    c.F1 = (float)F1;
    c.below = (float)weight[0];
    c.between = (float)weight[1];
    c.above = (float)weight[2];
    return c;
}

static int shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    const struct params *params = p;
    double most = params->pixel == PIXEL_U8 ? 255 : 65535;
    *ret = *in;
    ret->type = params->pixel == PIXEL_U8 ? PFS_U8 : PFS_U16;
    ret->cal.range[0] = params->low;
    ret->cal.range[1] = params->high;
    if (params->low > params->high || params->high > most)
        return pfs_fail(err, ENOENT, "contrast: low=%g, high=%g must rise and fit the pixels (0 to %g)", params->low,
                        params->high, most);
    if (params->smoothing % 2 == 0 || params->minmax_size % 2 == 0)
        return pfs_fail(err, ENOENT, "contrast: smoothing=%" PRId64 ", minmax_size=%" PRId64
                        ": both must be odd, an odd window has a middle", params->smoothing, params->minmax_size);
    if (params->clip.n != 0 && (params->clip.n != 2 || !(params->clip.v[0] < params->clip.v[1])))
        return pfs_fail(err, ENOENT, "contrast: clip takes two rising numbers, from:to, or none");
    return 0;
}

static struct pfs_plane as_plane(struct pfs_typed t)
{
    return (struct pfs_plane){t.px, t.row / (ptrdiff_t)sizeof(float), t.h, t.w};
}

static int no_memory(const struct pfs_typed *in, struct pfs_err *err)
{
    return pfs_fail(err, ENOMEM, "contrast: no memory for a plane of %" PRId64 " x %" PRId64, in->h, in->w);
}

/* The local mean into `mean`; where some pixels are not numbers, a second plane is needed meanwhile. */
static int local_mean(const struct params *p, const struct pfs_typed *in, struct pfs_plane mean, int threads,
                      struct pfs_err *err)
{
    int64_t floats = pfs_local_mean_scratch(in->h, in->w, p->smoothing, threads);
    PFS_AUTO_FREE float *scratch = pfs_pixels(floats, sizeof *scratch);
    if (!scratch || !mean.px)
        return no_memory(in, err);
    if (!pfs_local_mean(as_plane(*in), mean, p->smoothing, scratch, threads))
        return 0;
    PFS_AUTO_FREE float *px = pfs_pixels(in->h * in->w, sizeof *px);
    struct pfs_plane share = {px, in->w, in->h, in->w};
    if (!px)
        return no_memory(in, err);
    pfs_local_mean_of_numbers(as_plane(*in), mean, share, p->smoothing, scratch, threads);
    return 0;
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct params *params = p;
    const struct pfs_curve c = curve(params);
    struct pfs_sharpening s = {params->minmax_size, (float)params->sigma, (float)params->offset, (float)params->ratio};
    const struct pfs_sharpening *sharpening = params->ratio > 0 ? &s : NULL;
    PFS_AUTO_FREE float *scratch = pfs_pixels(pfs_contrast_scratch(sharpening, cx->threads), sizeof *scratch);
    PFS_AUTO_FREE float *px = sharpening ? pfs_pixels(in->h * in->w, sizeof *px) : NULL;
    struct pfs_plane mean = {px, in->w, in->h, in->w};
    (void)model, (void)n;
    int code = scratch ? 0 : no_memory(in, err);
    if (!code && sharpening)
        code = local_mean(params, in, mean, cx->threads, err);
    if (!code)
        pfs_contrast(as_plane(*in), mean, sharpening, &c, out, scratch, cx->threads);
    return code;
}

static size_t memory(const void *p, const struct pfs_shape *in)
{
    const struct params *params = p;
    enum { THREADS = 8, PLANES = 2 };        /* the mean, and the share of numbers where there is a NaN */
    struct pfs_sharpening s = {.minmax = params->minmax_size};
    int64_t mean = PLANES * in->y * in->x + pfs_local_mean_scratch(in->y, in->x, params->smoothing, THREADS);
    int64_t work = pfs_contrast_scratch(&s, THREADS) + (params->ratio > 0 ? mean : 0);
    return (size_t)work * sizeof(float);
}

const struct pfs_op pfs_op_contrast = {
    .name = "contrast",
    .doc = "local sharpening and contrast-limited mapping to 8 or 16 bits through the normal distribution",
    .paper = "Kreinin et al., High-fidelity image restoration of large 3D electron microscopy volume, "
             "bioRxiv 2023.09.14.557785",
    .rev = 1,
    .flags = PFS_OP_FLOAT,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .shape = shape,
    .plane = plane,
    .memory = memory,
};
