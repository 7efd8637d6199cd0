/* otsu: masks, 255 where a pixel lies above the threshold of its band, else 0. NaN and nodata are 0; so is everything
 * where there is nothing to learn from. The model: a column `otsu`, one threshold per band. */
#include "ops/segment.h"
#include "ops/segment_plane.h"

#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct otsu_params { struct pfs_nodata_params of; int scope; };

static const struct pfs_param params[] = {PFS_NODATA_PARAM, PFS_SCOPE_PARAM(offsetof(struct otsu_params, scope))};

static int otsu_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                      struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_segmenter s;
    struct pfs_text t = {0};
    PFS_AUTO_FREE double *otsu = pfs_array(in->c, 8);
    (void)p;
    int e = otsu ? pfs_segmenter_begin(&s, err) : pfs_fail(err, ENOMEM, "otsu: no memory for a model");
    if (e)
        return e;
    for (int64_t c = 0; c < in->c && !e; c++) {
        e = pfs_levels_take(&s.levels, in, prior, c, parts, err);
        otsu[c] = e ? NAN : pfs_segmenter_otsu(&s);
    }
    pfs_segmenter_finish(&s);
    if (e)
        return e;
    pfs_table_begin(&t);
    pfs_table_f64(&t, "otsu", otsu, in->c);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "otsu: no memory for a model");
}

static int otsu_plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx,
                      const struct pfs_typed *in, int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct otsu_params *o = p;
    struct pfs_column c;
    (void)n;
    if (!model || !pfs_table_valid(*model) || !pfs_table_column(*model, "otsu", &c) || cx->band >= c.n)
        return pfs_fail(err, EIO, "otsu: malformed model");
    double bound = pfs_column_f64(&c, cx->band);
    return pfs_label_plane(in[0], &bound, 1, 255, o->of.nodata, out, err);
}

static int otsu_shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    (void)p;
    (void)err;
    return pfs_label_shape(in, 255, ret);
}

static enum pfs_scope otsu_scope(const void *p)
{
    return (enum pfs_scope)((const struct otsu_params *)p)->scope;
}

const struct pfs_op pfs_op_otsu = {
    .name = "otsu", .doc = "masks: 255 above the threshold that parts the values best, 0 below", .rev = 1,
    .paper = "Otsu, IEEE Trans. SMC 9 (1979) 62",
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct otsu_params),
    .shape = otsu_shape, .merge = otsu_merge, .learns_from = pfs_levels_teacher,
    .scope = otsu_scope, .plane = otsu_plane, .memory = pfs_levels_memory,
};
