/* segment: thresholds and cluster centres per band, as segment.json shows them.
 *
 * The model: `otsu`, a value per band, and `kmeans2` ... `kmeans8`, k rising centres per band, one band behind the other.
 * Everything comes from counts: exactly where a bin is one value, within one bin else. */
#include "ops/segment.h"

#include <planefs/kernels/cluster.h>
#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>

enum { OTSU_BINS = 256 };                        /* scikit-image's default for floats */

void pfs_segmenter_finish(struct pfs_segmenter *s)
{
    pfs_levels_finish(&s->levels);
    free(s->value);
    free(s->weight);
    free(s->scratch);
}

int pfs_segmenter_begin(struct pfs_segmenter *s, struct pfs_err *err)
{
    *s = (struct pfs_segmenter){.value = pfs_array(PFS_COUNTS, 8), .weight = pfs_array(PFS_COUNTS, 8),
                                .scratch = pfs_array(3 * PFS_COUNTS, 8)};
    int e = pfs_levels_begin(&s->levels, err);
    if (!e && (!s->value || !s->weight || !s->scratch))
        e = pfs_fail(err, ENOMEM, "no memory for a segmentation");
    if (e)
        pfs_segmenter_finish(s);
    return e;
}

static double otsu_of_float(struct pfs_segmenter *s)
{
    uint64_t count[OTSU_BINS];
    double edge[OTSU_BINS + 1];
    bool single = s->levels.axis.type == PFS_F32;
    if (s->levels.axis.lo == s->levels.axis.hi)
        return s->levels.axis.lo;
    pfs_axis_regroup(&s->levels.axis, s->levels.count, OTSU_BINS, count, edge);
    for (int i = 0; i < OTSU_BINS; i++)
        s->value[i] = single ? (double)(((float)edge[i] + (float)edge[i + 1]) / 2.0f) : (edge[i] + edge[i + 1]) / 2;
    return pfs_otsu(s->value, count, OTSU_BINS, s->scratch);
}

double pfs_segmenter_otsu(struct pfs_segmenter *s)
{
    const struct pfs_axis *a = &s->levels.axis;
    if (s->levels.n && pfs_type_is_float(a->type))
        return otsu_of_float(s);
    for (int64_t i = 0; i < a->n; i++)
        s->value[i] = pfs_axis_centre(a, i);
    return pfs_otsu(s->value, s->levels.count, a->n, s->scratch);
}

/* The bins that hold pixels. */
static int64_t values(struct pfs_segmenter *s)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->levels.axis.n; i++)
        if (s->levels.count[i]) {
            s->value[n] = pfs_axis_centre(&s->levels.axis, i);
            s->weight[n++] = (double)s->levels.count[i];
        }
    return n;
}

int pfs_segmenter_kmeans(struct pfs_segmenter *s, int most, double *const *centre, struct pfs_err *err)
{
    return pfs_kmeans_lines(s->value, s->weight, values(s), most, centre, err);
}

int pfs_segmenter_kmeans_one(struct pfs_segmenter *s, int k, double *centre, struct pfs_err *err)
{
    return pfs_kmeans_line(s->value, s->weight, values(s), k, centre, err);
}

/* ---- the operator ---- */

static const struct pfs_param params[] = {PFS_NODATA_PARAM};

/* All centres of a band lie one behind the other, for k = 2, 3, ... */
enum { PER_BAND = (PFS_KMEANS_MAX * (PFS_KMEANS_MAX + 1) - PFS_KMEANS_MIN * (PFS_KMEANS_MIN - 1)) / 2 };

static int offset_of(int k)
{
    return (k * (k - 1) - PFS_KMEANS_MIN * (PFS_KMEANS_MIN - 1)) / 2;
}

static void put_model(struct pfs_text *t, const double *otsu, const double *centre, double *column, int64_t bands)
{
    pfs_table_begin(t);
    pfs_table_f64(t, "otsu", otsu, bands);
    for (int k = PFS_KMEANS_MIN; k <= PFS_KMEANS_MAX; k++) {
        char name[16];
        snprintf(name, sizeof name, "kmeans%d", k);
        for (int64_t i = 0; i < bands * k; i++)
            column[i] = centre[i / k * PER_BAND + offset_of(k) + i % k];
        pfs_table_f64(t, name, column, bands * k);
    }
}

static int one_band(struct pfs_segmenter *s, double *otsu, double *centre, struct pfs_err *err)
{
    double *at[PFS_KMEANS_MAX - PFS_KMEANS_MIN + 1];
    for (int k = PFS_KMEANS_MIN; k <= PFS_KMEANS_MAX; k++)
        at[k - PFS_KMEANS_MIN] = centre + offset_of(k);
    *otsu = pfs_segmenter_otsu(s);
    return pfs_segmenter_kmeans(s, PFS_KMEANS_MAX, at, err);
}

static int segment_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                         struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_segmenter s;
    struct pfs_text t = {0};
    PFS_AUTO_FREE double *otsu = pfs_array(in->c, 8);
    PFS_AUTO_FREE double *centre = pfs_array(in->c, 8 * PER_BAND);
    PFS_AUTO_FREE double *column = pfs_array(in->c, 8 * PFS_KMEANS_MAX);
    (void)p;
    if (!otsu || !centre || !column)
        return pfs_fail(err, ENOMEM, "segment: no memory for a model");
    int e = pfs_segmenter_begin(&s, err);
    if (e)
        return e;
    for (int64_t c = 0; c < in->c && !e; c++) {
        e = pfs_levels_take(&s.levels, in, prior, c, parts, err);
        if (!e)
            e = one_band(&s, &otsu[c], centre + c * PER_BAND, err);
    }
    pfs_segmenter_finish(&s);
    if (e)
        return e;
    put_model(&t, otsu, centre, column, in->c);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "segment: no memory for a model");
}

const struct pfs_op pfs_op_segment = {
    .name = "segment", .doc = "thresholds and cluster centres of every band", .rev = 1,
    .paper = "Otsu, IEEE Trans. SMC 9 (1979) 62; Gronlund et al., arXiv:1701.07204",
    .params = params, .n_params = 1, .params_size = sizeof(struct pfs_nodata_params),
    .merge = segment_merge, .learns_from = pfs_levels_teacher, .memory = pfs_levels_memory,
};
