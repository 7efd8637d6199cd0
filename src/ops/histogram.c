/* histogram: how often values occur, per band, as histogram.json shows them.
 *
 * The model: columns counts0, counts1, ... one per band: of 8 and 16 bits a bin per value, else PFS_BINS_COARSE bins of
 * equal width between the band's extremes lo and hi (NaN without samples or with infinite ones). */
#include "ops/levels.h"

#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct pfs_param params[] = {PFS_NODATA_PARAM};

static void put_band(struct pfs_text *t, const struct pfs_levels *l, int64_t band, double *lo, double *hi)
{
    uint64_t coarse[PFS_BINS_COARSE];
    char name[32];
    snprintf(name, sizeof name, "counts%lld", (long long)band);
    *lo = l->axis.n ? l->axis.lo : NAN;
    *hi = l->axis.n ? l->axis.hi : NAN;
    if (pfs_counts_fit(l->axis.type)) {
        pfs_table_u64(t, name, l->count, l->axis.n);
        return;
    }
    pfs_axis_regroup(&l->axis, l->count, PFS_BINS_COARSE, coarse, NULL);
    pfs_table_u64(t, name, coarse, PFS_BINS_COARSE);
}

static int histogram_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                           struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_levels l;
    struct pfs_text t = {0};
    PFS_AUTO_FREE double *edge = pfs_array(2 * in->c, sizeof *edge);
    int e = pfs_levels_begin(&l, err);
    (void)p;
    if (!edge && !e)
        e = pfs_fail(err, ENOMEM, "histogram: no memory for a model");
    pfs_table_begin(&t);
    for (int64_t c = 0; c < in->c && !e; c++) {
        e = pfs_levels_take(&l, in, prior, c, parts, err);
        if (!e)
            put_band(&t, &l, c, &edge[c], &edge[in->c + c]);
    }
    pfs_levels_finish(&l);
    if (e) {
        pfs_text_finish(&t);
        return e;
    }
    pfs_table_f64(&t, "lo", edge, in->c);
    pfs_table_f64(&t, "hi", edge + in->c, in->c);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "histogram: no memory for a model");
}

const struct pfs_op pfs_op_histogram = {
    .name = "histogram", .doc = "how often values occur in every band", .rev = 1,
    .params = params, .n_params = 1, .params_size = sizeof(struct pfs_nodata_params),
    .merge = histogram_merge, .learns_from = pfs_levels_teacher, .memory = pfs_levels_memory,
};
