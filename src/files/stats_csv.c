/* `stats.csv`: t,z,c,count,nan,min,max,mean,std,error, a line per plane that is there.
 *
 * A line says what its plane alone teaches; that of a bad plane has nan and the name of its errno, a good one `ok`. Lines
 * are right-justified to one width, which follows from shape and type. Numbers of sections are those users see. */
#include "files/json.h"
#include "files/report.h"
#include "files/samples.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_WIDTH = 15, COLUMNS = 10, LINE_MAX = 400 };     /* the longest name of an errno */

static const char header[] = "t,z,c,count,nan,min,max,mean,std,error\n";

static int digits(int64_t v)
{
    return snprintf(NULL, 0, "%lld", (long long)v);
}

static int64_t width(const struct pfs_name *n)
{
    const struct pfs_dataset *d = n->dataset;
    const struct pfs_shape *s = &n->view->shape;
    int count = digits(s->y * s->x), value = pfs_type_is_float(s->type) ? PFS_NUMBER_MAX - 1 : pfs_sample_width(s->type);
    count = count < 3 ? 3 : count;
    return pfs_report_digits(d->first[0], d->shape.t) + pfs_report_digits(d->first[1], d->shape.z) +
           pfs_report_digits(d->first[2], d->shape.c) + 2 * count + 2 * (value < 3 ? 3 : value) +
           2 * (PFS_NUMBER_MAX - 1) + ERROR_WIDTH + COLUMNS;
}

static void real(double v, char text[PFS_NUMBER_MAX])
{
    if (isfinite(v))
        pfs_number(v, text);
    else
        strcpy(text, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
}

/* An extreme: integers as they are. */
static void extreme(const struct pfs_column *c, char text[PFS_SAMPLE_MAX])
{
    if (c->type == PFS_F64)
        real(pfs_column_f64(c, 0), text);
    else if (c->type == PFS_U64)
        snprintf(text, PFS_SAMPLE_MAX, "%llu", (unsigned long long)pfs_column_i64(c, 0));
    else
        snprintf(text, PFS_SAMPLE_MAX, "%lld", (long long)pfs_column_i64(c, 0));
}

static bool find(const struct pfs_name *n, struct pfs_blob table, struct pfs_column c[6])
{
    static const char *const names[] = {"count", "nan", "min", "max", "mean", "std"};
    for (int i = 0; i < 6; i++) {
        enum pfs_type type = i < 2 ? PFS_I64 : i < 4 ? pfs_column_type(n->view->shape.type) : PFS_F64;
        if (pfs_column_find(table, names[i], type, 1, &c[i], NULL))
            return false;
    }
    return true;
}

static void numbers(const struct pfs_column c[6], char ret[LINE_MAX])
{
    char low[PFS_SAMPLE_MAX] = "nan", high[PFS_SAMPLE_MAX] = "nan", mean[PFS_NUMBER_MAX], std[PFS_NUMBER_MAX];
    if (pfs_column_i64(&c[0], 0)) {
        extreme(&c[2], low);
        extreme(&c[3], high);
    }
    real(pfs_column_f64(&c[4], 0), mean);
    real(pfs_column_f64(&c[5], 0), std);
    snprintf(ret, LINE_MAX, "%lld,%lld,%s,%s,%s,%s", (long long)pfs_column_i64(&c[0], 0),
             (long long)pfs_column_i64(&c[1], 0), low, high, mean, std);
}

static void line(const struct pfs_name *n, int64_t i, struct pfs_blob table, int code, char *ret)
{
    const struct pfs_dataset *d = n->dataset;
    struct pfs_at at = pfs_dataset_plane(d, i);
    struct pfs_column c[6];
    char text[LINE_MAX], values[LINE_MAX] = "nan,nan,nan,nan,nan,nan";
    int64_t w = width(n);
    if (!code && !find(n, table, c))
        code = EIO;
    if (!code)
        numbers(c, values);
    int length = snprintf(text, sizeof text, "%lld,%lld,%lld,%s,%.*s", (long long)(d->first[0] + at.t),
                          (long long)(d->first[1] + at.z), (long long)(d->first[2] + at.c), values, ERROR_WIDTH,
                          code ? pfs_errno_name(code) : "ok");
    memset(ret, ' ', (size_t)w);
    if (length < w)
        memcpy(ret + w - 1 - length, text, (size_t)length);
    ret[w - 1] = '\n';
}

static int64_t n_planes(const struct pfs_name *n)
{
    return pfs_dataset_planes(n->dataset);
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    return pfs_dataset_plane(n->dataset, i);
}

static int head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    (void)n;
    (void)big_endian;
    pfs_text_add(ret, header);
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a header") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    if (__builtin_mul_overflow(width(n), n_planes(n), ret))
        return pfs_fail(err, EFBIG, "too many planes");
    *ret += (int64_t)sizeof header - 1;
    return 0;
}

const struct pfs_kind pfs_kind_stats_csv = {
    .pattern = "stats.csv",
    .doc = "count, extremes, mean and deviation of every plane",
    .view = "source",
    .listed = true,
    .model = "moments",
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
    .width = width,
    .line = line,
};
