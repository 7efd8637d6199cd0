/* covariance: what all bands of one (t, z) teach about how they vary together; pca merges it.
 *
 * Pixels that are not finite, or nodata, in any band that takes part are left out in all. A partial is a table: count,
 * mean (a value per band) and scatter, the lower triangle of sum (x - mean)(x - mean)', in double precision. Pixels are
 * taken in blocks: a block's scatter about its own mean is one dsyrk; blocks are joined in lanes by Chan's formula, lanes
 * in order, so that the bits depend neither on the number of threads nor on the size of the mean. */
#include "ops/covariance.h"

#include "kernels/parallel.h"

#include <planefs/kernels/linalg.h>
#include <planefs/mem.h>
#include <planefs/table.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 4, STRIP = 16 << 20, BLOCK = 2 << 20 };   /* bytes of pixels read at once; of doubles in a block */

static const struct pfs_param params[] = {PFS_NODATA_PARAM, PFS_LEAVE_OUT_PARAM};

bool pfs_band_left_out(const struct pfs_list *ranges, int64_t band)
{
    for (int i = 0; i + 1 < ranges->n; i += 2)
        if (band >= ranges->v[i] && band <= ranges->v[i + 1])
            return true;
    return ranges->n % 2 && band == ranges->v[ranges->n - 1];
}

struct lane {
    int64_t n;
    double *mean, *scatter;          /* of the bands in use */
    double *x, *sum;                 /* a block: a row per band; its mean */
    bool *bad;
};

struct job {
    int64_t bands, block;            /* in use; pixels in a block */
    const int64_t *band;             /* their ordinals */
    double nodata;
    const struct pfs_typed *in;      /* windows on the strip */
    int64_t pixels, w;               /* of the strip */
    struct lane lane[LANES];
};

static void lanes_finish(struct job *j)
{
    for (int i = 0; i < LANES; i++) {
        free(j->lane[i].mean);
        free(j->lane[i].scatter);
        free(j->lane[i].x);
        free(j->lane[i].sum);
        free(j->lane[i].bad);
    }
}

static bool lanes_begin(struct job *j)
{
    bool ok = true;
    for (int i = 0; i < LANES; i++) {
        struct lane *l = &j->lane[i];
        l->mean = pfs_array(j->bands, sizeof *l->mean);
        l->scatter = pfs_array(j->bands * j->bands, sizeof *l->scatter);
        l->x = pfs_pixels(j->bands * j->block, sizeof *l->x);
        l->sum = pfs_array(j->bands, sizeof *l->sum);
        l->bad = pfs_array(j->block, sizeof *l->bad);
        ok = ok && l->mean && l->scatter && l->x && l->sum && l->bad;
    }
    return ok;
}

/* Pixels from .. from + n - 1 of a band's strip as doubles; whether any takes no part. Rows lie close together. */
static bool take_band(const struct job *j, const struct pfs_typed *in, int64_t from, int64_t n, double *x, bool *bad)
{
    size_t size = pfs_type_size(in->type);
    bool any = false;
    pfs_convert((struct pfs_typed){in->type, (char *)in->px + (size_t)from * size, 0, 1, n},
                (struct pfs_typed){PFS_F64, x, 0, 1, n});
    for (int64_t i = 0; i < n; i++)
        any |= !(x[i] - x[i] == 0) | (x[i] == j->nodata);
    for (int64_t i = 0; any && i < n; i++)
        bad[i] |= !(x[i] - x[i] == 0) | (x[i] == j->nodata);
    return any;
}

/* Close the gaps in every band's row; how many pixels are left. */
static int64_t compact(const struct job *j, struct lane *l, int64_t n)
{
    int64_t kept = 0;
    for (int64_t b = 0; b < j->bands; b++) {
        double *x = l->x + b * j->block;
        kept = 0;
        for (int64_t i = 0; i < n; i++) {
            x[kept] = x[i];
            kept += !l->bad[i];
        }
    }
    return kept;
}

/* Scatter of the block about its own mean, and the block joined to the lane. */
static void join_block(const struct job *j, struct lane *l, int64_t n)
{
    double share = (double)l->n * (double)n / (double)(l->n + n);
    for (int64_t b = 0; b < j->bands; b++) {
        double *x = l->x + b * j->block, sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += x[i];
        double mean = sum / (double)n;
        for (int64_t i = 0; i < n; i++)
            x[i] -= mean;
        l->sum[b] = mean - l->mean[b];
    }
    pfs_linalg_syrk(j->bands, n, l->x, j->block, l->scatter);
    for (int64_t a = 0; l->n && a < j->bands; a++)
        for (int64_t b = 0; b <= a; b++)
            l->scatter[a * j->bands + b] += l->sum[a] * l->sum[b] * share;
    for (int64_t b = 0; b < j->bands; b++)
        l->mean[b] += l->sum[b] * ((double)n / (double)(l->n + n));
    l->n += n;
}

static void run_lane(void *ctx, int64_t i, int thread)
{
    struct job *j = ctx;
    struct lane *l = &j->lane[i];
    int64_t from = j->pixels * i / LANES, to = j->pixels * (i + 1) / LANES;
    (void)thread;
    for (; from < to; from += j->block) {
        int64_t n = to - from < j->block ? to - from : j->block;
        bool any = false;
        memset(l->bad, 0, (size_t)n * sizeof *l->bad);
        for (int64_t b = 0; b < j->bands; b++)
            any |= take_band(j, &j->in[j->band[b]], from, n, l->x + b * j->block, l->bad);
        int64_t kept = any ? compact(j, l, n) : n;
        if (kept)
            join_block(j, l, kept);
    }
}

void pfs_scatter_join(int64_t bands, struct pfs_scatter *a, int64_t n, const double *mean, const double *scatter)
{
    double share = n ? (double)a->n * (double)n / (double)(a->n + n) : 0, part = n ? (double)n / (double)(a->n + n) : 0;
    if (!n)
        return;
    for (int64_t i = 0; i < bands; i++)
        for (int64_t k = 0; k <= i; k++)
            a->scatter[i * bands + k] += scatter[i * bands + k] +
                                         (mean[i] - a->mean[i]) * (mean[k] - a->mean[k]) * share;
    for (int64_t i = 0; i < bands; i++)
        a->mean[i] += (mean[i] - a->mean[i]) * part;
    a->n += n;
}

static int run(struct job *j, struct pfs_bands *in, int threads, struct pfs_err *err)
{
    int64_t row = in->n * in->w * (int64_t)pfs_type_size(in->type), most = row < STRIP ? STRIP / row : 1;
    int e = 0;
    for (int64_t y = 0; y < in->h && !e; y += most) {
        int64_t rows = in->h - y < most ? in->h - y : most;
        e = in->rows(in, y, rows, &j->in, err);
        j->pixels = rows * in->w;
        if (!e)
            pfs_parallel(threads, LANES, run_lane, j);
    }
    return e;
}

static int put(const struct job *j, struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_scatter all = {0, j->lane[0].mean, j->lane[0].scatter};
    struct pfs_text t = {0};
    int64_t n = 0;
    all.n = j->lane[0].n;
    for (int i = 1; i < LANES; i++)
        pfs_scatter_join(j->bands, &all, j->lane[i].n, j->lane[i].mean, j->lane[i].scatter);
    PFS_AUTO_FREE double *packed = pfs_array(j->bands * (j->bands + 1) / 2 + 1, sizeof *packed);
    if (!packed)
        return pfs_fail(err, ENOMEM, "covariance: no memory for a partial");
    for (int64_t a = 0; a < j->bands; a++)
        for (int64_t b = 0; b <= a; b++)
            packed[n++] = all.scatter[a * j->bands + b];
    pfs_table_begin(&t);
    pfs_table_i64(&t, "count", &all.n, 1);
    pfs_table_f64(&t, "mean", all.mean, j->bands);
    pfs_table_f64(&t, "scatter", packed, n);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "covariance: no memory for a partial");
}

static int covariance_partial(const void *p, const struct pfs_lesson *l, struct pfs_bands *in, struct pfs_blob *ret,
                              struct pfs_err *err)
{
    const struct pfs_covariance_params *o = p;
    struct job j = {.nodata = o->of.nodata, .w = in->w};
    PFS_AUTO_FREE int64_t *band = pfs_array(in->n, sizeof *band);
    for (int64_t b = 0; band && b < in->n; b++)
        if (!pfs_band_left_out(&o->leave_out, b))
            band[j.bands++] = b;
    if (!j.bands)
        return band ? pfs_fail(err, EINVAL, "all bands are left out") : pfs_fail(err, ENOMEM, "no memory for bands");
    j.band = band;
    j.block = BLOCK / (j.bands * (int64_t)sizeof(double));
    j.block = j.block < 64 ? 64 : j.block;
    int e = lanes_begin(&j) ? 0 : pfs_fail(err, ENOMEM, "covariance: no memory for %lld bands", (long long)j.bands);
    if (!e)
        e = run(&j, in, l->threads, err);
    if (!e)
        e = put(&j, ret, err);
    lanes_finish(&j);
    return e;
}

const struct pfs_op pfs_op_covariance = {
    .name = "covariance", .doc = "how the bands vary together: what pca is learnt from", .rev = 1,
    .paper = "Chan, Golub, LeVeque, The American Statistician 37 (1983) 242",
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct pfs_covariance_params),
    .partial_bands = covariance_partial,
};
