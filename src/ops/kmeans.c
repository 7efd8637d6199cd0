/* kmeans: labels 0 .. K-1 by rising centre, each pixel to the nearest one (the lower of two as near). NaN and nodata
 * are 0. The model: a column `centre`, K per band, the global optimum; NaN where there are fewer values than centres. */
#include "ops/segment.h"
#include "ops/segment_plane.h"

#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct kmeans_params { struct pfs_nodata_params of; int64_t k; int scope; };

static const struct pfs_param params[] = {
    PFS_NODATA_PARAM,
    {.name = "k", .doc = "clusters", .kind = PFS_INT, .value = "2", .min = PFS_KMEANS_MIN, .max = PFS_KMEANS_MAX,
     .offset = offsetof(struct kmeans_params, k)},
    PFS_SCOPE_PARAM(offsetof(struct kmeans_params, scope)),
};

static int kmeans_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                        struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_segmenter s;
    struct pfs_text t = {0};
    int64_t k = ((const struct kmeans_params *)p)->k;
    PFS_AUTO_FREE double *centre = pfs_array(in->c * k, 8);
    int e = centre ? pfs_segmenter_begin(&s, err) : pfs_fail(err, ENOMEM, "kmeans: no memory for a model");
    if (e)
        return e;
    for (int64_t c = 0; c < in->c && !e; c++) {
        e = pfs_levels_take(&s.levels, in, prior, c, parts, err);
        if (!e)
            e = pfs_segmenter_kmeans_one(&s, (int)k, centre + c * k, err);
    }
    pfs_segmenter_finish(&s);
    if (e)
        return e;
    pfs_table_begin(&t);
    pfs_table_f64(&t, "centre", centre, in->c * k);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "kmeans: no memory for a model");
}

static int kmeans_plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx,
                        const struct pfs_typed *in, int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct kmeans_params *o = p;
    struct pfs_column c;
    double bound[PFS_KMEANS_MAX];
    (void)n;
    if (!model || !pfs_table_valid(*model) || !pfs_table_column(*model, "centre", &c) || cx->band >= c.n / o->k)
        return pfs_fail(err, EIO, "kmeans: malformed model");
    for (int64_t i = 0; i + 1 < o->k; i++)
        bound[i] = (pfs_column_f64(&c, cx->band * o->k + i) + pfs_column_f64(&c, cx->band * o->k + i + 1)) / 2;
    return pfs_label_plane(in[0], bound, (int)o->k - 1, 1, o->of.nodata, out, err);
}

static int kmeans_shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    (void)err;
    return pfs_label_shape(in, (double)(((const struct kmeans_params *)p)->k - 1), ret);
}

static enum pfs_scope kmeans_scope(const void *p)
{
    return (enum pfs_scope)((const struct kmeans_params *)p)->scope;
}

const struct pfs_op pfs_op_kmeans = {
    .name = "kmeans", .doc = "labels: the nearest of K centres, rising; the best K there are", .rev = 1,
    .paper = "Gronlund et al., arXiv:1701.07204",
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct kmeans_params),
    .shape = kmeans_shape, .merge = kmeans_merge, .learns_from = pfs_levels_teacher,
    .scope = kmeans_scope, .plane = kmeans_plane, .memory = pfs_levels_memory,
};
