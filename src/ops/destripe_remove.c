/* One scale of destriping: which pixels of the detail plane are too large, what each is worth, and out with the bands.
 *
 * Pixels over the threshold become bits; in `predict` their connected components are weighed by how much they look like
 * a line along the stripes (long, thin, upright) by their second moments. The rest is one pass of the stripe kernel. */
#include "ops/destripe.h"

#include "kernels/parallel.h"
#include "kernels/real.h"
#include <planefs/kernels/nearest.h>
#include <planefs/kernels/stripe.h>
#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_ITEM = 32 };

/* What the weight of a component depends on. */
struct judge {
    double sin_max_angle, max_ratio, length;    /* length: shorter ones are not judged */
};

/* cos and |sin| of the angle between the stripe axis and the longer axis of the component. */
static void axis_angle(double syy, double sxx, double sxy, double *ret_cos, double *ret_sin)
{
    double diff = syy - sxx, size = sqrt(diff * diff + 4 * sxy * sxy);
    if (diff == 0) {
        *ret_cos = *ret_sin = sqrt(0.5);
    } else if (diff > 0) {
        *ret_cos = sqrt((size + diff) / (2 * size));
        *ret_sin = fabs(sxy) / (size * *ret_cos);
    } else {
        *ret_sin = sqrt((size - diff) / (2 * size));
        *ret_cos = fabs(sxy) / (size * *ret_sin);
    }
}

static float weigh(const void *ctx, const struct pfs_moments *m)
{
    const struct judge *j = ctx;
    double syy, sxx, sxy, cosine, sine;
    pfs_moments_central(m, &syy, &sxx, &sxy);
    double middle = (syy + sxx) / 2, half = sqrt((syy - sxx) * (syy - sxx) + 4 * sxy * sxy) / 2;
    double major = 4 * sqrt(fmax(middle + half, 0)), minor = 4 * sqrt(fmax(middle - half, 0));
    if (major <= j->length)
        return 1.0f;
    axis_angle(syy, sxx, sxy, &cosine, &sine);
    double scale = fmax(major * j->max_ratio * (j->sin_max_angle - sine), 0x1p-23);
    double bandness = j->sin_max_angle * cosine * minor / scale;
    return (float)pfs_exp(-bandness * bandness / 2);
}

struct masks {                              /* pixels over the threshold, and below its negative */
    struct destripe_state *s;
    struct pfs_bits bits[2];
};

static void threshold_rows(void *ctx, int64_t item, int thread)
{
    const struct masks *m = ctx;
    const struct pfs_plane *d = &m->s->detail;
    int64_t end = (item + 1) * ROWS_PER_ITEM < d->h ? (item + 1) * ROWS_PER_ITEM : d->h;
    (void)thread;
    for (int64_t y = item * ROWS_PER_ITEM; y < end; y++) {
        int64_t at = y * m->bits[0].words;
        pfs_threshold_row(d->px + y * d->row, m->s->limit[y], m->bits[0].word + at, m->bits[1].word + at, d->w);
    }
}

/* Both masks as numbered runs, in memory that the caller releases. */
static int make_runs(struct destripe_state *s, struct pfs_weighted_runs runs[2], void **ret_memory)
{
    int64_t h = s->detail.h, words = pfs_bits_words(s->detail.w);
    size_t mask_bytes = (size_t)(h * words) * sizeof(uint64_t);
    size_t first_bytes = (size_t)(h * words + 1) * sizeof(uint32_t);
    char *memory = pfs_pixels(2, mask_bytes + first_bytes);
    if (!memory)
        return -ENOMEM;
    struct masks masks = {.s = s};
    for (int i = 0; i < 2; i++) {
        masks.bits[i] = (struct pfs_bits){(uint64_t *)(memory + (size_t)i * mask_bytes), words, h, s->detail.w};
        runs[i] = (struct pfs_weighted_runs){.runs = {.bits = masks.bits[i]}, .same = 1.0f};
    }
    pfs_parallel(s->threads, (h + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, threshold_rows, &masks);
    for (int i = 0; i < 2; i++)
        pfs_runs_count(&runs[i].runs, (uint32_t *)(memory + 2 * mask_bytes + (size_t)i * first_bytes), s->threads);
    *ret_memory = memory;
    return 0;
}

static int weigh_runs(struct destripe_state *s, const struct destripe_scale *scale, struct pfs_weighted_runs *r,
                      void **ret_memory)
{
    struct judge judge = {pfs_sin(scale->max_angle * 0x1.1df46a2529d39p-6), scale->max_ratio,
                          0.1 * (double)scale->bands_len};
    int64_t n = pfs_runs_first(&r->runs, s->detail.h);
    union pfs_weight *weight = pfs_pixels(n, sizeof *weight);
    PFS_AUTO_FREE void *scratch = malloc(pfs_label_scratch(&r->runs, s->threads));
    *ret_memory = weight;
    if (!weight || !scratch)
        return -ENOMEM;
    pfs_label(&r->runs, weigh, &judge, weight, scratch, s->threads);
    r->weight = weight;
    return 0;
}

/* The plane whose large values give way to their neighbours', in memory that the caller releases. */
static int replace_large(struct destripe_state *s, struct pfs_plane *ret, void **ret_memory)
{
    struct pfs_plane small = s->detail;
    PFS_AUTO_FREE int32_t *scratch = pfs_pixels(pfs_nearest_scratch(small.w, s->threads), sizeof *scratch);
    small.px = pfs_pixels(small.h * small.row, sizeof *small.px);
    *ret_memory = small.px;
    if (!small.px || !scratch)
        return -ENOMEM;
    pfs_nearest_small(s->detail, s->limit, s->mask, small, scratch, s->threads);
    *ret = small;
    return 0;
}

/* What the method makes of the pixels over the threshold. */
static int choose(struct destripe_state *s, const struct destripe_scale *scale, struct pfs_stripe *stripe,
                  void *memory[3])
{
    bool runs = scale->mask_len > 0 || scale->method == DESTRIPE_PREDICT || scale->method == DESTRIPE_RATIO;
    int r = runs ? make_runs(s, stripe->runs, &memory[0]) : 0;
    if (r < 0)
        return r;
    if (scale->method == DESTRIPE_PREDICT) {
        r = weigh_runs(s, scale, &stripe->runs[0], &memory[1]);
        return r < 0 ? r : weigh_runs(s, scale, &stripe->runs[1], &memory[2]);
    }
    stripe->runs[0].same = stripe->runs[1].same = scale->method == DESTRIPE_RATIO ? (float)scale->weight : 0.0f;
    if (scale->method == DESTRIPE_LIMIT && !runs)
        stripe->clip = s->limit;
    return scale->method == DESTRIPE_NEAREST ? replace_large(s, &stripe->source, &memory[1]) : 0;
}

/* beta = sqrt(sum (delta - tri(B))^2), with tri(B)[k] = (B - |k|) / B^2 */
static double beta(int64_t bands_len)
{
    double b2 = (double)bands_len * (double)bands_len, sum = 0;
    for (int64_t k = 1; k < bands_len; k++)
        sum += 2 * ((double)k / b2) * ((double)k / b2);
    double centre = 1 - (double)bands_len / b2;
    return sqrt(sum + centre * centre);
}

struct destripe_scale destripe_scale(const struct destripe_params *p, int index)
{
    return (struct destripe_scale){
        .index = index,
        .method = (enum destripe_method)pfs_list_at(&p->method, index),
        .bands_len = (int64_t)pfs_list_at(&p->bands_len, index),
        .mask_len = (int64_t)pfs_list_at(&p->mask_len, index),
        .max_angle = pfs_list_at(&p->max_angle, index),
        .max_ratio = pfs_list_at(&p->max_ratio, index),
        .thresh_mul = pfs_list_at(&p->thresh_mul, index),
        .weight = pfs_list_at(&p->weight, index),
    };
}

int destripe_remove(struct destripe_state *s, const struct destripe_scale *scale, struct pfs_plane from,
                    struct pfs_plane out, struct pfs_err *err)
{
    double b = s->p->adjust_beta ? beta(scale->bands_len) : 1.0;
    struct pfs_stripe stripe = {.detail = s->detail, .source = s->detail, .mask = s->mask,
                                .bands_len = scale->bands_len, .mask_len = scale->mask_len,
                                .smooth = scale->mask_len > 0, .detail_gain = (b - 1) / b, .band_gain = 1 / b};
    void *memory[3] = {NULL};
    int r = choose(s, scale, &stripe, memory);
    PFS_AUTO_FREE void *scratch = r < 0 ? NULL : pfs_pixels(1, pfs_stripe_scratch(&stripe, s->threads));
    if (scratch)
        pfs_stripe_remove(&stripe, from, out, scratch, s->threads);
    for (int i = 0; i < 3; i++)
        free(memory[i]);
    return scratch ? 0 : pfs_fail(err, ENOMEM, "destripe: no memory for scale %d", scale->index);
}
