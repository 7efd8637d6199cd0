/* `stats.json`: count, extremes, mean, deviation and percentiles of every band and of all bands together.
 *
 * From the table of the operator "stats". Its columns have one value per band and a last one for all bands:
 *     count, nan                  i64   samples that take part, samples that are NaN or nodata
 *     min, max                    i64 for signed integers, u64 for unsigned ones, f64 for floats
 *     mean, std                   f64   std with ddof = 0
 *     p0_1 p2 p25 p50 p75 p98 p99_9   f64   may be absent: null
 *     skipped                     i64   section numbers left out as bad; any length, may be absent
 * Everything but the counts is null where count is 0. The list of skipped sections has room for one per (t, z), at most
 * STATS_SKIPPED; a longer one is cut. */
#include "files/json.h"
#include "files/report.h"

#include <errno.h>

enum { STATS_SKIPPED = 100000 };

enum { COUNT, NAN_COUNT, MIN, MAX, MEAN, STD, P0_1, P2, P25, P50, P75, P98, P99_9, N_COLUMNS };

static const char *const names[N_COLUMNS] = {
    "count", "nan", "min", "max", "mean", "std", "p0_1", "p2", "p25", "p50", "p75", "p98", "p99_9"
};

struct stats {
    const struct pfs_name *n;
    enum pfs_type type[N_COLUMNS];
    struct pfs_column column[N_COLUMNS], skipped;
};

static void begin(struct stats *s, const struct pfs_name *n)
{
    *s = (struct stats){.n = n};
    for (int i = 0; i < N_COLUMNS; i++)
        s->type[i] = i <= NAN_COUNT ? PFS_I64 : i <= MAX ? pfs_column_type(n->view->shape.type) : PFS_F64;
}

static int find_skipped(struct stats *s, struct pfs_blob table, struct pfs_err *err)
{
    int64_t first = s->n->dataset->first[1];
    if (pfs_table_column(table, "skipped", &s->skipped) && s->skipped.type != PFS_I64)
        return pfs_fail(err, EIO, "a model's column `skipped` has type %s", pfs_type_name(s->skipped.type));
    for (int64_t i = 0; i < s->skipped.n; i++) {
        int64_t z = pfs_column_i64(&s->skipped, i);
        if (z < first || z - first >= s->n->view->shape.z)
            return pfs_fail(err, EIO, "a model skipped section %lld, which is none", (long long)z);
    }
    return 0;
}

static int find(struct stats *s, struct pfs_blob table, struct pfs_err *err)
{
    struct pfs_column any;
    for (int i = 0; i < N_COLUMNS; i++) {
        bool optional = i >= P0_1 && !pfs_table_column(table, names[i], &any);
        int64_t n = s->n->view->shape.c + 1;
        int r = optional ? 0 : pfs_column_find(table, names[i], s->type[i], n, &s->column[i], err);
        if (r)
            return r;
    }
    return find_skipped(s, table, err);
}

static void value(struct pfs_text *t, const struct stats *s, int column, int64_t i)
{
    static const struct pfs_column none;
    bool empty = s->column[COUNT].n && !pfs_column_i64(&s->column[COUNT], i);
    pfs_column_json(t, empty && column >= MIN ? &none : &s->column[column], s->type[column], i);
}

static void put_skipped(struct pfs_text *t, const struct stats *s)
{
    const struct pfs_shape *shape = &s->n->view->shape;
    int64_t most = shape->t * shape->z;
    if (most > STATS_SKIPPED)
        most = STATS_SKIPPED;
    size_t width = (size_t)pfs_report_digits(s->n->dataset->first[1], shape->z) + 1;
    pfs_json_key(t, "skipped");
    size_t start = t->n;
    pfs_json_open(t, '[');
    for (int64_t i = 0; i < s->skipped.n && i < most; i++) {
        pfs_json_comma(t);
        pfs_json_int(t, pfs_column_i64(&s->skipped, i));
    }
    pfs_json_pad(t, start, (size_t)most * width + 1);
    pfs_json_close(t, ']');
}

static int compose(const struct stats *s, struct pfs_text *t, struct pfs_err *err)
{
    int64_t bands = s->n->view->shape.c;
    pfs_text_add(t, "{\"planefs\":1");
    pfs_report_shape(t, &s->n->view->shape);
    pfs_json_key(t, "ddof");
    pfs_json_int(t, 0);
    pfs_report_bands(t, s->n->dataset, bands, "name");
    for (int i = 0; i < N_COLUMNS; i++) {
        pfs_json_key(t, names[i]);
        pfs_json_open(t, '[');
        for (int64_t c = 0; c < bands; c++) {
            pfs_json_comma(t);
            value(t, s, i, c);
        }
        pfs_json_close(t, ']');
    }
    pfs_json_key(t, "all");
    pfs_json_open(t, '{');
    for (int i = 0; i < N_COLUMNS; i++) {
        pfs_json_key(t, names[i]);
        value(t, s, i, bands);
    }
    pfs_json_close(t, '}');
    put_skipped(t, s);
    pfs_text_add(t, "}\n");
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct stats s;
    begin(&s, n);
    int r = compose(&s, &t, err);
    *ret = (int64_t)t.n;
    return r;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    struct stats s;
    (void)e;
    begin(&s, n);
    int r = find(&s, table, err);
    return r ? r : compose(&s, ret, err);
}

const struct pfs_kind pfs_kind_stats = {
    .pattern = "stats.json",
    .doc = "count, extremes, mean, deviation and percentiles of every band",
    .view = "source",
    .listed = true,
    .model = "stats",
    .size = size,
    .text = text,
};
