/* counts: the second pass over pixels of more than 16 bits: PFS_BINS bins between the extremes of the pixel's band, which
 * the model of moments tells. A partial is a table with the column `bins` (stats_counts.c); its own model is only how
 * many pixels each band has: others merge its partials. */
#include "ops/levels.h"

#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <stdlib.h>

static const struct pfs_param params[] = {PFS_NODATA_PARAM};

static int counts_partial(const void *p, const struct pfs_lesson *l, const struct pfs_typed *in, struct pfs_blob *ret,
                          struct pfs_err *err)
{
    double nodata = ((const struct pfs_nodata_params *)p)->nodata;
    struct pfs_axis axis;
    struct pfs_text t = {0};
    int e = pfs_levels_axis(in->type, l->prior, l->band, &axis, err);
    PFS_AUTO_FREE uint64_t *count = e ? NULL : pfs_array(PFS_COUNTS, sizeof *count);
    if (e)
        return e;
    if (!count)
        return pfs_fail(err, ENOMEM, "counts: no memory for a histogram");
    for (int64_t y = 0; y < in->h; y++)
        pfs_axis_count(&axis, (const char *)in->px + y * in->row, in->w, nodata, count);
    pfs_table_begin(&t);
    pfs_counts_pack(&t, count);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "counts: no memory for a partial");
}

static int counts_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                        struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_levels l;
    struct pfs_text t = {0};
    PFS_AUTO_FREE int64_t *n = pfs_array(in->c, sizeof *n);
    int e = pfs_levels_begin(&l, err);
    (void)p;
    if (!n && !e)
        e = pfs_fail(err, ENOMEM, "counts: no memory for a model");
    for (int64_t c = 0; c < in->c && !e; c++) {
        e = pfs_levels_take(&l, in, prior, c, parts, err);
        n[c] = l.n;
    }
    pfs_levels_finish(&l);
    if (e)
        return e;
    pfs_table_begin(&t);
    pfs_table_i64(&t, "count", n, in->c);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "counts: no memory for a model");
}

static const char *moments(const struct pfs_shape *in)
{
    (void)in;
    return "moments";
}

const struct pfs_op pfs_op_counts = {
    .name = "counts", .doc = "pixels counted in narrow bins between the extremes of their band: what a second pass teaches",
    .rev = 1, .params = params, .n_params = 1, .params_size = sizeof(struct pfs_nodata_params),
    .partial = counts_partial, .merge = counts_merge, .prior = moments, .memory = pfs_levels_memory,
};
