/* moments: count, extremes, mean and deviation per band: the first pass, from which everything else is learnt.
 *
 * A plane of 8 or 16 bits is counted value by value; everything follows exactly from the counts, percentiles too. Other
 * types keep moments, and percentiles stay NaN (stats fills them in). A partial is a table with one value a column:
 * count, nan, min, max, mean, std, low (what the mean lost to rounding), m2 and, for 8 and 16 bits, `bins`
 * (stats_counts.c). The model joins planes in order (Chan's formula) or by adding counts, per band and over all bands. */
#include "ops/levels.h"

#include <planefs/mem.h>
#include <planefs/ops.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct moments_params { double nodata; };

static const struct pfs_param params[] = {
    {.name = "nodata", .doc = "pixels of this value take no part and are counted with the NaN ones", .kind = PFS_REAL,
     .value = "none", .min = -DBL_MAX, .max = DBL_MAX, .may_be_none = true,
     .offset = offsetof(struct moments_params, nodata)},
};

/* ---- the partial ---- */

static void put_extreme(struct pfs_text *t, const char *name, enum pfs_type type, const union pfs_extreme *v, int64_t n)
{
    if (pfs_type_is_float(type))
        pfs_table_f64(t, name, &v->f, n);
    else if (pfs_type_is_signed(type))
        pfs_table_i64(t, name, &v->i, n);
    else
        pfs_table_u64(t, name, &v->u, n);
}

static double deviation(const struct pfs_moments *m)
{
    return m->n ? sqrt(m->m2 / (double)m->n) : NAN;
}

static double mean(const struct pfs_moments *m)
{
    return m->n ? m->mean : NAN;
}

static void put_moments(struct pfs_text *t, enum pfs_type type, const struct pfs_moments *m)
{
    pfs_table_begin(t);
    pfs_table_i64(t, "count", &m->n, 1);
    pfs_table_i64(t, "nan", &m->nan, 1);
    put_extreme(t, "min", type, &m->min, 1);
    put_extreme(t, "max", type, &m->max, 1);
    pfs_table_f64(t, "mean", (double[]){mean(m)}, 1);
    pfs_table_f64(t, "std", (double[]){deviation(m)}, 1);
    pfs_table_f64(t, "low", &m->low, 1);
    pfs_table_f64(t, "m2", &m->m2, 1);
}

/* Copy the pixels of a row that are not nodata, close together; how many there are. */
#define KEEP(T) \
    { const T *s = from; T *d = to; T gap = (T)nodata; \
      for (int64_t i = 0; i < n; i++) { d[kept] = s[i]; kept += s[i] != gap; } } break

static int64_t keep_row(enum pfs_type type, double nodata, const void *from, void *to, int64_t n)
{
    int64_t kept = 0;
    switch (type) {
    case PFS_U32: KEEP(uint32_t);
    case PFS_U64: KEEP(uint64_t);
    case PFS_I32: KEEP(int32_t);
    case PFS_I64: KEEP(int64_t);
    case PFS_F32: KEEP(float);
    case PFS_F64: KEEP(double);
    default: break;
    }
    return kept;
}

/* Can a pixel of the type have this value at all? Between two floats it is the nearer one. */
static bool holds(enum pfs_type type, double v)
{
    switch (type) {
    case PFS_U32: return v == floor(v) && v >= 0 && v <= UINT32_MAX;
    case PFS_U64: return v == floor(v) && v >= 0 && v < 0x1p64;
    case PFS_I32: return v == floor(v) && v >= INT32_MIN && v <= INT32_MAX;
    case PFS_I64: return v == floor(v) && v >= -0x1p63 && v < 0x1p63;
    case PFS_F32: return fabs(v) <= FLT_MAX;
    case PFS_F64: return true;
    default: return false;
    }
}

static int measure_plane(struct pfs_typed in, double nodata, struct pfs_moments *ret, struct pfs_err *err)
{
    bool gaps = holds(in.type, nodata);
    PFS_AUTO_FREE char *kept = gaps ? pfs_pixels(in.w, pfs_type_size(in.type)) : NULL;
    if (gaps && !kept)
        return pfs_fail(err, ENOMEM, "moments: no memory for a row");
    for (int64_t y = 0; y < in.h; y++) {
        const char *row = (const char *)in.px + y * in.row;
        struct pfs_moments m;
        int64_t n = gaps ? keep_row(in.type, nodata, row, kept, in.w) : in.w;
        pfs_moments_row(in.type, gaps ? kept : row, n, &m);
        m.nan += in.w - n;
        pfs_moments_join(in.type, ret, &m);
    }
    return 0;
}

static int moments_partial(const void *p, const struct pfs_lesson *l, const struct pfs_typed *in, struct pfs_blob *ret,
                           struct pfs_err *err)
{
    double nodata = ((const struct moments_params *)p)->nodata;
    PFS_AUTO_FREE uint64_t *count = NULL;
    struct pfs_text t = {0};
    struct pfs_moments m = {0};
    (void)l;
    if (pfs_counts_fit(in->type)) {
        if (!(count = pfs_array(PFS_COUNTS, sizeof *count)))
            return pfs_fail(err, ENOMEM, "moments: no memory for a histogram");
        int e = pfs_counts_plane(*in, count, err);
        if (e)
            return e;
        uint64_t out = pfs_counts_exclude(in->type, nodata, count);
        m = pfs_counts_moments(in->type, count);
        m.nan = (int64_t)out;
    } else {
        int e = measure_plane(*in, nodata, &m, err);
        if (e)
            return e;
    }
    put_moments(&t, in->type, &m);
    if (count)
        pfs_counts_pack(&t, count);
    return pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "moments: no memory for a partial");
}

/* ---- the model ---- */

struct sum {                         /* a band's, or everything's */
    struct pfs_moments m;
    uint64_t *count;                 /* NULL until the first part with bins */
};

struct model {                       /* the columns, bands + 1 values each */
    enum pfs_type type;
    int64_t n, *pixels, *nan;
    union pfs_extreme *min, *max;
    double *mean, *std, *p[PFS_PERCENTILES];
};

static bool same_class(enum pfs_type type, enum pfs_type column)
{
    return column == (pfs_type_is_float(type) ? PFS_F64 : pfs_type_is_signed(type) ? PFS_I64 : PFS_U64);
}

static bool read_part(struct pfs_blob part, enum pfs_type type, struct pfs_moments *ret, struct pfs_column *ret_bins,
                      bool *has_bins)
{
    struct pfs_column c[7];
    static const char *const names[] = {"count", "nan", "min", "max", "mean", "low", "m2"};
    if (!pfs_table_valid(part))
        return false;
    for (int i = 0; i < 7; i++)
        if (!pfs_table_column(part, names[i], &c[i]) || c[i].n != 1)
            return false;
    if (!same_class(type, c[2].type) || c[3].type != c[2].type)
        return false;
    *ret = (struct pfs_moments){.n = pfs_column_i64(&c[0], 0), .nan = pfs_column_i64(&c[1], 0),
                                .min.i = pfs_column_i64(&c[2], 0), .max.i = pfs_column_i64(&c[3], 0),
                                .mean = pfs_column_f64(&c[4], 0), .low = pfs_column_f64(&c[5], 0),
                                .m2 = pfs_column_f64(&c[6], 0)};
    if (ret->n == 0)
        ret->mean = 0;
    *has_bins = pfs_table_column(part, "bins", ret_bins);
    bool sane = ret->n >= 0 && ret->n <= pfs_plane_max && ret->nan >= 0 && ret->nan <= pfs_plane_max;
    return sane && *has_bins == pfs_counts_fit(type);
}

/* Add a part to a band's sum. */
static int add_part(struct sum *s, enum pfs_type type, struct pfs_blob part, struct pfs_err *err)
{
    struct pfs_moments m;
    struct pfs_column bins;
    bool has_bins;
    if (!part.size)
        return 0;
    if (!read_part(part, type, &m, &bins, &has_bins))
        return pfs_fail(err, EIO, "moments: malformed partial");
    if (has_bins && !s->count && !(s->count = pfs_array(PFS_COUNTS, sizeof *s->count)))
        return pfs_fail(err, ENOMEM, "moments: no memory for a histogram");
    if (has_bins && !pfs_counts_add(&bins, s->count))
        return pfs_fail(err, EIO, "moments: malformed partial");
    pfs_moments_join(type, &s->m, &m);
    return 0;
}

/* Fill in one value of each column from a sum. */
static void set_values(struct model *t, int64_t i, const struct sum *s)
{
    struct pfs_moments m = s->m;
    double p[PFS_PERCENTILES];
    for (int k = 0; k < PFS_PERCENTILES; k++)
        p[k] = NAN;
    if (s->count) {
        m = pfs_counts_moments(t->type, s->count);
        m.nan = s->m.nan;
        if (m.n > 0)
            pfs_counts_percentiles(t->type, s->count, m.n, p);
    }
    t->pixels[i] = m.n;
    t->nan[i] = m.nan;
    t->min[i] = m.min;
    t->max[i] = m.max;
    if (!m.n && pfs_type_is_float(t->type))
        t->min[i].f = t->max[i].f = NAN;
    t->mean[i] = mean(&m);
    t->std[i] = deviation(&m);
    for (int k = 0; k < PFS_PERCENTILES; k++)
        t->p[k][i] = p[k];
}

static void join(struct sum *all, const struct sum *band, enum pfs_type type)
{
    pfs_moments_join(type, &all->m, &band->m);
    for (int v = 0; band->count && v < PFS_COUNTS; v++)
        all->count[v] += band->count[v];
}

static bool model_create(struct model *t, enum pfs_type type, int64_t n)
{
    *t = (struct model){.type = type, .n = n, .pixels = pfs_array(n, 8), .nan = pfs_array(n, 8), .min = pfs_array(n, 8),
                        .max = pfs_array(n, 8), .mean = pfs_array(n, 8), .std = pfs_array(n, 8)};
    bool ok = t->pixels && t->nan && t->min && t->max && t->mean && t->std;
    for (int k = 0; k < PFS_PERCENTILES; k++)
        ok = (t->p[k] = pfs_array(n, 8)) && ok;
    return ok;
}

static void model_finish(struct model *t)
{
    free(t->pixels);
    free(t->nan);
    free(t->min);
    free(t->max);
    free(t->mean);
    free(t->std);
    for (int k = 0; k < PFS_PERCENTILES; k++)
        free(t->p[k]);
}

static void model_put(const struct model *t, struct pfs_text *ret)
{
    pfs_table_begin(ret);
    pfs_table_i64(ret, "count", t->pixels, t->n);
    pfs_table_i64(ret, "nan", t->nan, t->n);
    put_extreme(ret, "min", t->type, t->min, t->n);
    put_extreme(ret, "max", t->type, t->max, t->n);
    pfs_table_f64(ret, "mean", t->mean, t->n);
    pfs_table_f64(ret, "std", t->std, t->n);
    for (int k = 0; k < PFS_PERCENTILES; k++)
        pfs_table_f64(ret, pfs_percentile[k].name, t->p[k], t->n);
}

/* One band's sum from its planes' parts. */
static int sum_band(struct sum *band, const struct pfs_shape *in, struct pfs_parts *parts, struct pfs_err *err)
{
    int e = 0;
    band->m = (struct pfs_moments){0};
    if (band->count)
        memset(band->count, 0, PFS_COUNTS * sizeof *band->count);
    for (int64_t i = 0; i < in->t * in->z && !e; i++) {
        struct pfs_blob part;
        e = parts->next(parts, &part, err);
        if (!e)
            e = add_part(band, in->type, part, err);
    }
    return e;
}

static int fill(struct model *t, struct sum *band, struct sum *all, const struct pfs_shape *in, struct pfs_parts *parts,
                struct pfs_err *err)
{
    for (int64_t c = 0; c < in->c; c++) {
        int e = sum_band(band, in, parts, err);
        if (!e && band->count && !all->count && !(all->count = pfs_array(PFS_COUNTS, sizeof *all->count)))
            e = pfs_fail(err, ENOMEM, "moments: no memory for a histogram");
        if (e)
            return e;
        set_values(t, c, band);
        join(all, band, in->type);
    }
    set_values(t, in->c, all);
    return 0;
}

int pfs_moments_merge(const struct pfs_shape *in, struct pfs_parts *parts, struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_text text = {0};
    struct sum band = {0}, all = {0};
    struct model t;
    if (parts->n != pfs_shape_planes(in))
        return pfs_fail(err, EINVAL, "moments: %lld partials for %lld planes", (long long)parts->n,
                        (long long)pfs_shape_planes(in));
    int e = model_create(&t, in->type, in->c + 1) ? 0 : pfs_fail(err, ENOMEM, "moments: no memory for a model");
    if (!e)
        e = fill(&t, &band, &all, in, parts, err);
    if (!e) {
        model_put(&t, &text);
        e = pfs_text_take(&text, ret) ? 0 : pfs_fail(err, ENOMEM, "moments: no memory for a model");
    }
    model_finish(&t);
    free(band.count);
    free(all.count);
    return e;
}

static int moments_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                         struct pfs_blob *ret, struct pfs_err *err)
{
    (void)p;
    (void)prior;
    return pfs_moments_merge(in, parts, ret, err);
}

static size_t moments_memory(const void *p, const struct pfs_shape *in)
{
    (void)p;
    return (PFS_TALLY_LANES * sizeof(uint32_t) + sizeof(uint64_t)) * PFS_COUNTS + (size_t)in->x * 8;
}

const struct pfs_op pfs_op_moments = {
    .name = "moments", .doc = "count, extremes, mean and standard deviation per band: what one pass teaches",
    .paper = "Chan, Golub, LeVeque, The American Statistician 37 (1983) 242", .rev = 1,
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct moments_params),
    .partial = moments_partial, .merge = moments_merge, .memory = moments_memory,
};
