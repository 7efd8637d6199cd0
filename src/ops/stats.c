/* stats: count, extremes, mean, deviation and percentiles per band, as stats.json shows them.
 *
 * 8 and 16 bits: the model of moments, all exact. Other types: that model with percentiles from the levels of a second
 * pass, exact where whole numbers span fewer values than there are bins, else within one bin of PFS_BINS. The columns
 * have one value per band and a last one for all bands. */
#include "ops/levels.h"

#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

static const struct pfs_param params[] = {PFS_NODATA_PARAM};

static int percentiles(const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts, double *ret,
                       struct pfs_err *err)
{
    struct pfs_levels one = {0}, all = {0};
    double p[PFS_PERCENTILES];
    int e = pfs_levels_begin(&one, err);
    if (!e)
        e = pfs_levels_begin(&all, err);
    if (!e)
        e = pfs_levels_axis(in->type, prior, in->c, &all.axis, err);
    for (int64_t c = 0; c <= in->c && !e; c++) {
        if (c < in->c && !(e = pfs_levels_take(&one, in, prior, c, parts, err)))
            pfs_levels_add(&all, &one);
        pfs_levels_percentiles(c < in->c ? &one : &all, p);
        for (int k = 0; k < PFS_PERCENTILES; k++)
            ret[k * (in->c + 1) + c] = p[k];
    }
    pfs_levels_finish(&one);
    pfs_levels_finish(&all);
    return e;
}

/* A column as it is in the model of moments. */
static bool copy_column(struct pfs_text *t, struct pfs_blob prior, const char *name, int64_t n)
{
    struct pfs_column c;
    PFS_AUTO_FREE int64_t *bits = pfs_array(n + 1, sizeof *bits);
    if (!bits || !pfs_table_column(prior, name, &c) || c.n != n)
        return false;
    for (int64_t i = 0; i < n; i++) {
        double f = pfs_column_f64(&c, i);
        bits[i] = pfs_column_i64(&c, i);
        if (c.type == PFS_F64)
            memcpy(&bits[i], &f, sizeof f);
    }
    if (c.type == PFS_F64)
        pfs_table_f64(t, name, (double *)(void *)bits, n);
    else if (c.type == PFS_I64)
        pfs_table_i64(t, name, bits, n);
    else
        pfs_table_u64(t, name, (uint64_t *)bits, n);
    return true;
}

static int complete(const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts, struct pfs_blob *ret,
                    struct pfs_err *err)
{
    static const char *const names[] = {"count", "nan", "min", "max", "mean", "std"};
    struct pfs_text t = {0};
    int64_t n = in->c + 1;
    PFS_AUTO_FREE double *p = pfs_array(n * PFS_PERCENTILES, sizeof *p);
    int e = p ? percentiles(in, prior, parts, p, err) : pfs_fail(err, ENOMEM, "stats: no memory for a model");
    if (e)
        return e;
    pfs_table_begin(&t);
    bool good = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        good = good && copy_column(&t, prior, names[i], n);
    for (int k = 0; k < PFS_PERCENTILES; k++)
        pfs_table_f64(&t, pfs_percentile[k].name, p + k * n, n);
    if (good)
        return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "stats: no memory for a model");
    pfs_text_finish(&t);
    return pfs_fail(err, EIO, "stats: malformed model of moments");
}

static int stats_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                       struct pfs_blob *ret, struct pfs_err *err)
{
    (void)p;
    return pfs_counts_fit(in->type) ? pfs_moments_merge(in, parts, ret, err) : complete(in, prior, parts, ret, err);
}

const struct pfs_op pfs_op_stats = {
    .name = "stats", .doc = "count, extremes, mean, standard deviation and percentiles per band", .rev = 1,
    .paper = "Chan, Golub, LeVeque, The American Statistician 37 (1983) 242",
    .params = params, .n_params = 1, .params_size = sizeof(struct pfs_nodata_params),
    .merge = stats_merge, .learns_from = pfs_levels_teacher, .memory = pfs_levels_memory,
};
