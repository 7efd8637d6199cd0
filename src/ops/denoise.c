/* Operator denoise: shrink what varies locally without the structure below it.
 *
 * Each band is gated by the covariance of the band and of what is coarser, in a moving window: noise covaries with
 * nothing, structure does. The finest band is one fused pass; coarser bands (scales > 1) take three more planes. */
#include <planefs/ops.h>

#include <planefs/kernels/conv.h>
#include <planefs/kernels/denoise.h>
#include <planefs/mem.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

enum { WINDOW_MAX = 1025 };       /* a thread's sums for it take 32 MB */

struct params {
    int64_t scales, wsize;
    int split_hipass, propagate_noise;
    struct pfs_list gain, offset;
};

static const struct pfs_param table[] = {
    {.name = "scales", .doc = "bands of detail, each twice as coarse as the one before", .kind = PFS_INT, .value = "1",
     .min = 0, .max = 8, .offset = offsetof(struct params, scales)},
    {.name = "wsize", .unit = "pixels",
     .doc = "side of the window in which covariance is taken, odd; it doubles with every scale", .kind = PFS_INT,
     .value = "7", .min = 3, .max = 31, .offset = offsetof(struct params, wsize)},
    {.name = "split_hipass", .doc = "part the finest band in two", .kind = PFS_BOOL, .value = "1", .max = 1,
     .offset = offsetof(struct params, split_hipass)},
    {.name = "propagate_noise", .doc = "return noise taken from a band to the coarser one, to be judged again",
     .kind = PFS_BOOL, .value = "1", .max = 1, .offset = offsetof(struct params, propagate_noise)},
    {.name = "gain", .unit = "1/intensity^2", .doc = "slope of the gate over the covariance, one per band",
     .kind = PFS_REALS, .value = "3.418e-6:4.114e-6", .min = -1e12, .max = 1e12, .power = -2,
     .offset = offsetof(struct params, gain)},
    {.name = "offset", .doc = "where the gate stands at covariance 0, one per band", .kind = PFS_REALS,
     .value = "-1.123:4.394", .min = -1e6, .max = 1e6, .offset = offsetof(struct params, offset)},
};

static struct pfs_gate gate(const struct params *p, int band)
{
    return (struct pfs_gate){pfs_list_at(&p->gain, band), pfs_list_at(&p->offset, band)};
}

static struct pfs_finest finest(const struct params *p)
{
    return (struct pfs_finest){p->split_hipass, p->scales > 0, p->wsize, {gate(p, 0), gate(p, 1)}};
}

static int64_t window(const struct params *p, int scale)
{
    return (p->wsize - 1) * ((int64_t)1 << scale) + 1;
}

/* The widest window of all bands. */
static int64_t widest(const struct params *p)
{
    return window(p, p->scales > 1 ? (int)p->scales - 1 : 0);
}

/* Floats of scratch that the largest step needs. */
static int64_t scratch_floats(const struct params *p, int64_t h, int64_t w, int threads)
{
    struct pfs_finest f = finest(p);
    int64_t most = pfs_denoise_finest_scratch(h, w, &f, threads);
    for (int s = 1; s < p->scales; s++) {
        int64_t low = pfs_lowpass_scratch(w, (int64_t)1 << s, threads);
        int64_t band = pfs_denoise_coarser_scratch(h, w, window(p, s), threads);
        most = low > most ? low : most;
        most = band > most ? band : most;
    }
    return most;
}

static int shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    const struct params *params = p;
    *ret = *in;
    ret->type = PFS_F32;
    if (params->wsize % 2 == 0)
        return pfs_fail(err, ENOENT, "denoise: wsize=%" PRId64 " is even, an odd window has a middle", params->wsize);
    if (widest(params) > WINDOW_MAX)
        return pfs_fail(err, ENOENT, "denoise: wsize=%" PRId64 " grows to %" PRId64 " pixels in %" PRId64
                        " scales, %d is the most", params->wsize, widest(params), params->scales, WINDOW_MAX);
    if (params->gain.n < 1 || params->offset.n < 1)
        return pfs_fail(err, ENOENT, "denoise: gain and offset need at least one value");
    return 0;
}

static struct pfs_plane as_plane(struct pfs_typed t)
{
    return (struct pfs_plane){t.px, t.row / (ptrdiff_t)sizeof(float), t.h, t.w};
}

static struct pfs_plane new_plane(int64_t h, int64_t w)
{
    return (struct pfs_plane){pfs_pixels(h * w, sizeof(float)), w, h, w};
}

/* The bands from scale 1 on; `detail` holds the finest one without its noise. */
static void coarser_bands(const struct params *p, struct pfs_plane detail, struct pfs_plane low, struct pfs_plane noise,
                          struct pfs_plane spare, float *scratch, int threads)
{
    for (int s = 1; s < p->scales; s++) {
        int64_t step = (int64_t)1 << s;
        if (p->propagate_noise) {
            pfs_lowpass(noise, spare, step / 2, scratch, threads);
            pfs_plane_add(low, spare, threads);
        }
        pfs_lowpass(low, spare, step, scratch, threads);
        pfs_plane_subtract(low, spare, threads);
        pfs_denoise_coarser(low, spare, window(p, s), gate(p, s + (p->split_hipass ? 1 : 0)), detail, noise, scratch,
                            threads);
        struct pfs_plane high = low;
        low = spare;
        spare = high;
    }
    pfs_plane_add(detail, low, threads);
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct params *params = p;
    struct pfs_finest f = finest(params);
    bool coarser = params->scales > 1;
    int64_t h = in->h, w = in->w;
    PFS_AUTO_FREE float *scratch = pfs_pixels(scratch_floats(params, h, w, cx->threads), sizeof *scratch);
    struct pfs_plane none = {0}, low = coarser ? new_plane(h, w) : none;
    struct pfs_plane noise = coarser ? new_plane(h, w) : none, spare = coarser ? new_plane(h, w) : none;
    PFS_AUTO_FREE float *own1 = low.px, *own2 = noise.px, *own3 = spare.px;
    (void)model, (void)n;
    if (!scratch || (coarser && (!own1 || !own2 || !own3)))
        return pfs_fail(err, ENOMEM, "denoise: no memory for a plane of %" PRId64 " x %" PRId64, h, w);
    pfs_denoise_finest(as_plane(*in), as_plane(out), &f, low, noise, scratch, cx->threads);
    if (coarser)
        coarser_bands(params, as_plane(out), low, noise, spare, scratch, cx->threads);
    return 0;
}

static size_t memory(const void *p, const struct pfs_shape *in)
{
    const struct params *params = p;
    int64_t planes = params->scales > 1 ? 3 * in->y * in->x : 0;
    return (size_t)(planes + scratch_floats(params, in->y, in->x, 8)) * sizeof(float);
}

const struct pfs_op pfs_op_denoise = {
    .name = "denoise",
    .doc = "noise out, structure kept: bands gated by their local covariance with what is coarser",
    .paper = "Kreinin et al., High-fidelity image restoration of large 3D electron microscopy volume, "
             "bioRxiv 2023.09.14.557785",
    .rev = 1,
    .flags = PFS_OP_FLOAT | PFS_OP_INPLACE,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .shape = shape,
    .plane = plane,
    .memory = memory,
};
