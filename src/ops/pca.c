/* pca: principal components over the bands.
 *
 * From all pixels of all T and Z: the eigenvectors of the covariance (n - 1), or with `standardize` of the correlation,
 * or without `center` of the second moments about zero. A component's largest loading (the first of equal ones) is
 * positive. The model: mean, scale (by which a band is divided), explained_variance, explained_variance_ratio: a value
 * per band, components: a row of loadings each. Bands left out have no loading; as many components are missing: NaN.
 * Without a pixel everything is NaN; with one alone all variances are 0.
 * A plane is the score of a component, ((x - mean) / scale) . component, over the root of its variance with `whiten`. A
 * pixel that is not a number, or nodata, in a band that takes part has the score NaN. */
#include "ops/covariance.h"

#include <planefs/kernels/clones.h>
#include <planefs/kernels/linalg.h>
#include <planefs/mem.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024 };               /* pixels projected at a time */

struct pca_params { struct pfs_covariance_params of; int64_t components; int center, standardize, whiten; };

static const struct pfs_param params[] = {
    PFS_NODATA_PARAM,
    PFS_LEAVE_OUT_PARAM,
    {.name = "components", .doc = "how many", .kind = PFS_INT, .value = "3", .min = 1, .max = PFS_PCA_BANDS,
     .offset = offsetof(struct pca_params, components)},
    {.name = "center", .doc = "about the mean; 0: about zero", .kind = PFS_BOOL, .value = "1",
     .offset = offsetof(struct pca_params, center)},
    {.name = "standardize", .doc = "each band by its standard deviation", .kind = PFS_BOOL, .value = "0",
     .offset = offsetof(struct pca_params, standardize)},
    {.name = "whiten", .doc = "scores of variance 1", .kind = PFS_BOOL, .value = "0",
     .offset = offsetof(struct pca_params, whiten)},
};

/* ---- the model ---- */

struct fit {
    const struct pca_params *o;
    int64_t all, n;                  /* bands; those in use */
    struct pfs_scatter sum, part;    /* part: room for one */
    double *matrix, *value;          /* n x n, then its vectors; n */
    double *mean, *scale, *variance, *ratio, *component;     /* the columns */
};

static void fit_finish(struct fit *f)
{
    free(f->sum.mean);
    free(f->sum.scatter);
    free(f->part.mean);
    free(f->part.scatter);
    free(f->matrix);
    free(f->value);
    free(f->mean);
    free(f->scale);
    free(f->variance);
    free(f->ratio);
    free(f->component);
}

static double *filled(int64_t n)
{
    double *v = pfs_array(n, sizeof *v);
    for (int64_t i = 0; v && i < n; i++)
        v[i] = NAN;
    return v;
}

static int fit_begin(struct fit *f, const struct pca_params *o, int64_t bands, struct pfs_err *err)
{
    *f = (struct fit){.o = o, .all = bands};
    if (bands > PFS_PCA_BANDS)
        return pfs_fail(err, EFBIG, "pca: %lld bands, at most %d", (long long)bands, PFS_PCA_BANDS);
    for (int64_t b = 0; b < bands; b++)
        f->n += !pfs_band_left_out(&o->of.leave_out, b);
    f->sum = (struct pfs_scatter){0, pfs_array(f->n, 8), pfs_array(f->n * f->n, 8)};
    f->part = (struct pfs_scatter){0, pfs_array(f->n, 8), pfs_array(f->n * f->n, 8)};
    f->matrix = pfs_array(f->n * f->n, 8);
    f->value = pfs_array(f->n, 8);
    f->mean = filled(bands);
    f->scale = filled(bands);
    f->variance = filled(bands);
    f->ratio = filled(bands);
    f->component = filled(bands * bands);
    return f->sum.mean && f->sum.scatter && f->part.mean && f->part.scatter && f->matrix && f->value && f->mean &&
           f->scale && f->variance && f->ratio && f->component ? 0 : pfs_fail(err, ENOMEM, "pca: no memory for a model");
}

static int add_part(struct fit *f, struct pfs_blob part, struct pfs_err *err)
{
    struct pfs_column n, mean, scatter;
    if (!part.size)
        return 0;
    if (!pfs_table_valid(part) || !pfs_table_column(part, "count", &n) || !pfs_table_column(part, "mean", &mean) ||
        !pfs_table_column(part, "scatter", &scatter) || n.n != 1 || mean.n != f->n || scatter.n != f->n * (f->n + 1) / 2 ||
        pfs_column_i64(&n, 0) < 0 || pfs_column_i64(&n, 0) > pfs_plane_max)
        return pfs_fail(err, EIO, "pca: malformed partial");
    for (int64_t a = 0, k = 0; a < f->n; a++) {
        f->part.mean[a] = pfs_column_f64(&mean, a);
        for (int64_t b = 0; b <= a; b++)
            f->part.scatter[a * f->n + b] = pfs_column_f64(&scatter, k++);
    }
    pfs_scatter_join(f->n, &f->sum, pfs_column_i64(&n, 0), f->part.mean, f->part.scatter);
    return 0;
}

/* The matrix whose eigenvectors are wanted, from the scatter. */
static void set_matrix(struct fit *f, double *scale)
{
    double n = (double)f->sum.n, over = n > 1 ? n - 1 : 1;
    for (int64_t a = 0; a < f->n; a++)
        for (int64_t b = 0; b <= a; b++) {
            double s = f->sum.scatter[a * f->n + b];
            f->matrix[a * f->n + b] = (f->o->center ? s : s + n * f->sum.mean[a] * f->sum.mean[b]) / over;
        }
    for (int64_t a = 0; a < f->n; a++) {
        double v = f->o->standardize ? sqrt(f->sum.scatter[a * f->n + a] / over) : 1;
        scale[a] = v > 0 ? v : 1;
    }
    for (int64_t a = 0; a < f->n; a++)
        for (int64_t b = 0; b <= a; b++)
            f->matrix[a * f->n + b] /= scale[a] * scale[b];
}

/* +1 or -1, so that the largest loading becomes positive. */
static double sign_of(const double *v, int64_t n)
{
    int64_t at = 0;
    for (int64_t i = 1; i < n; i++)
        if (fabs(v[i]) > fabs(v[at]))
            at = i;
    return v[at] < 0 ? -1 : 1;
}

static void set_columns(struct fit *f, const double *scale)
{
    double total = 0;
    for (int64_t k = 0; k < f->n; k++)
        total += f->value[k] = f->value[k] > 0 ? f->value[k] : 0;
    for (int64_t k = 0; k < f->n; k++) {
        double *row = f->component + k * f->all, sign = sign_of(f->matrix + k * f->n, f->n);
        f->variance[k] = f->value[k];
        f->ratio[k] = total > 0 ? f->value[k] / total : NAN;
        for (int64_t b = 0, i = 0; b < f->all; b++)
            row[b] = pfs_band_left_out(&f->o->of.leave_out, b) ? 0 : sign * f->matrix[k * f->n + i++];
    }
    for (int64_t b = 0, i = 0; b < f->all; b++)
        if (!pfs_band_left_out(&f->o->of.leave_out, b)) {
            f->mean[b] = f->o->center ? f->sum.mean[i] : 0;
            f->scale[b] = scale[i++];
        }
}

static int solve(struct fit *f, struct pfs_err *err)
{
    PFS_AUTO_FREE double *scale = pfs_array(f->n + 1, sizeof *scale);
    if (!scale)
        return pfs_fail(err, ENOMEM, "pca: no memory for a model");
    if (!f->sum.n)
        return 0;
    set_matrix(f, scale);
    int e = pfs_linalg_eigen(f->n, f->matrix, f->value, err);
    if (!e)
        set_columns(f, scale);
    return e;
}

static int pca_merge(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                     struct pfs_blob *ret, struct pfs_err *err)
{
    struct fit f;
    struct pfs_text t = {0};
    int e = fit_begin(&f, p, in->c, err);
    (void)prior;
    for (int64_t i = 0; i < parts->n && !e; i++) {
        struct pfs_blob part;
        e = parts->next(parts, &part, err);
        if (!e)
            e = add_part(&f, part, err);
    }
    if (!e)
        e = solve(&f, err);
    if (!e) {
        pfs_table_begin(&t);
        pfs_table_i64(&t, "count", &f.sum.n, 1);
        pfs_table_f64(&t, "mean", f.mean, f.all);
        pfs_table_f64(&t, "scale", f.scale, f.all);
        pfs_table_f64(&t, "explained_variance", f.variance, f.all);
        pfs_table_f64(&t, "explained_variance_ratio", f.ratio, f.all);
        pfs_table_f64(&t, "components", f.component, f.all * f.all);
        e = pfs_text_take(&t, ret) ? 0 : pfs_fail(err, ENOMEM, "pca: no memory for a model");
    }
    fit_finish(&f);
    return e;
}

/* ---- the scores ---- */

struct projection { int64_t bands, n; double *mean, *weight; bool *used; double nodata; };

static bool read_model(const struct pca_params *o, struct pfs_blob model, int64_t bands, int64_t n,
                       struct projection *ret)
{
    struct pfs_column mean, scale, variance, component;
    if (!pfs_table_valid(model) || !pfs_table_column(model, "mean", &mean) || !pfs_table_column(model, "scale", &scale) ||
        !pfs_table_column(model, "explained_variance", &variance) || !pfs_table_column(model, "components", &component) ||
        mean.n != bands || scale.n != bands || variance.n != bands || component.n != bands * bands || n > bands)
        return false;
    for (int64_t b = 0; b < bands; b++) {
        ret->used[b] = !pfs_band_left_out(&o->of.leave_out, b);
        ret->mean[b] = pfs_column_f64(&mean, b);
        for (int64_t k = 0; k < n; k++) {
            double v = pfs_column_f64(&variance, k), by = o->whiten ? v > 0 ? sqrt(v) : INFINITY : 1;
            ret->weight[k * bands + b] = pfs_column_f64(&component, k * bands + b) / pfs_column_f64(&scale, b) / by;
        }
    }
    return true;
}

PFS_CLONES
static void center(double *x, int64_t n, double mean, double nodata)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] == nodata ? (double)NAN : x[i] - mean;
}

PFS_CLONES
static void add_scaled(double *sum, const double *x, int64_t n, double by)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++)
        sum[i] += by * x[i];
}

/* Pixels from .. from + n - 1 of a row. */
static void project(const struct projection *p, const struct pfs_typed *in, const struct pfs_typed *out, int64_t y,
                    int64_t from, int64_t n, double *sum)
{
    double x[CHUNK];
    memset(sum, 0, (size_t)(p->n * CHUNK) * sizeof *sum);
    for (int64_t b = 0; b < p->bands; b++) {
        if (!p->used[b])
            continue;
        char *row = (char *)in[b].px + y * in[b].row + (size_t)from * pfs_type_size(in[b].type);
        pfs_convert((struct pfs_typed){in[b].type, row, 0, 1, n}, (struct pfs_typed){PFS_F64, x, 0, 1, n});
        center(x, n, p->mean[b], p->nodata);
        for (int64_t k = 0; k < p->n; k++)
            add_scaled(sum + k * CHUNK, x, n, p->weight[k * p->bands + b]);
    }
    for (int64_t k = 0; k < p->n; k++) {
        float *to = (float *)(void *)((char *)out[k].px + y * out[k].row) + from;
        for (int64_t i = 0; i < n; i++)
            to[i] = (float)sum[k * CHUNK + i];
    }
}

static int pca_bands(const void *params_, struct pfs_blob model, const struct pfs_typed *in, int64_t n,
                     const struct pfs_typed *out, int64_t n_out, struct pfs_err *err)
{
    const struct pca_params *o = params_;
    PFS_AUTO_FREE double *mean = pfs_array(n, 8), *weight = pfs_array(n * n_out, 8), *sum = pfs_array(n_out, 8 * CHUNK);
    PFS_AUTO_FREE bool *used = pfs_array(n, sizeof *used);
    struct projection p = {n, n_out, mean, weight, used, o->of.of.nodata};
    if (!mean || !weight || !sum || !used)
        return pfs_fail(err, ENOMEM, "pca: no memory for %lld components", (long long)n_out);
    if (!read_model(o, model, n, n_out, &p))
        return pfs_fail(err, EIO, "pca: malformed model");
    for (int64_t y = 0; y < in[0].h; y++)
        for (int64_t x = 0; x < in[0].w; x += CHUNK)
            project(&p, in, out, y, x, in[0].w - x < CHUNK ? in[0].w - x : CHUNK, sum);
    return 0;
}

/* ---- the operator ---- */

static int pca_shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    int64_t n = ((const struct pca_params *)p)->components;
    if (in->c < 2)
        return pfs_fail(err, ENOENT, "there is only one band");
    *ret = *in;
    ret->c = n < in->c ? n : in->c;
    ret->type = PFS_F32;
    ret->cal.range[0] = ret->cal.range[1] = 0;
    return 0;
}

static const char *covariance(const struct pfs_shape *in)
{
    (void)in;
    return "covariance";
}

static size_t pca_memory(const void *p, const struct pfs_shape *in)
{
    size_t n = (size_t)in->c;
    (void)p;
    return n < PFS_PCA_BANDS ? 8 * 8 * n * n : (size_t)64 * PFS_PCA_BANDS * PFS_PCA_BANDS;
}

const struct pfs_op pfs_op_pca = {
    .name = "pca", .doc = "principal components over the bands", .rev = 1,
    .paper = "Hotelling, J. Educ. Psych. 24 (1933) 417",
    .params = params, .n_params = sizeof params / sizeof *params, .params_size = sizeof(struct pca_params),
    .shape = pca_shape, .merge = pca_merge, .learns_from = covariance, .bands = pca_bands, .memory = pca_memory,
};
