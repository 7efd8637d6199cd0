/* `histogram.json`: how often values occur, per band.
 *
 *     "exact": true    8 and 16 bits: one bin per value; bin i holds value i of the type, counted from its lowest
 *     "exact": false   other types: HISTOGRAM_BINS bins of equal width between the band's extremes, the last one closed
 *     "counts": [[..] per band], "edges": [[..] per band], one edge more than bins, as numpy.histogram gives them
 *
 * From the table of the operator "histogram":
 *     counts0, counts1, ...   u64   one column per band, as long as there are bins
 *     lo, hi                  f64   one value per band, not needed where exact: the outer edges; NaN without any sample
 * Edges of a band without samples are null. */
#include "files/json.h"
#include "files/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { HISTOGRAM_BINS = 1024, EDGE = 6 };           /* columns of -32768 .. 65536 */

struct histogram {
    const struct pfs_name *n;
    bool exact;
    int64_t bins, lowest, samples;                  /* samples of a band: no count is higher */
    int width;                                      /* columns of a count */
    struct pfs_blob table;
    struct pfs_column lo, hi, counts;               /* counts: of the band being written */
    double from, to;
};

static void begin(struct histogram *h, const struct pfs_name *n)
{
    const struct pfs_shape *s = &n->view->shape;
    size_t bytes = pfs_type_size(s->type);
    *h = (struct histogram){.n = n, .exact = bytes <= 2};
    h->bins = h->exact ? (int64_t)1 << 8 * bytes : HISTOGRAM_BINS;
    h->lowest = pfs_type_is_signed(s->type) ? -h->bins / 2 : 0;
    if (__builtin_mul_overflow(s->t, s->z, &h->samples) || __builtin_mul_overflow(h->samples, s->y, &h->samples) ||
        __builtin_mul_overflow(h->samples, s->x, &h->samples))
        h->samples = INT64_MAX;
    h->width = snprintf(NULL, 0, "%lld", (long long)h->samples);
}

static void count_cell(struct pfs_text *t, const void *ctx, int64_t i)
{
    const struct histogram *h = ctx;
    pfs_text_addf(t, "%*llu", h->width, (unsigned long long)pfs_column_i64(&h->counts, i));
}

static void value_cell(struct pfs_text *t, const void *ctx, int64_t i)
{
    const struct histogram *h = ctx;
    pfs_text_addf(t, "%*lld", EDGE, (long long)(h->lowest + i));
}

static void edge_cell(struct pfs_text *t, const void *ctx, int64_t i)
{
    const struct histogram *h = ctx;
    double part = (double)i / (double)h->bins;
    pfs_json_wide_real(t, h->from * (1 - part) + h->to * part);   /* right at both ends, and for a range of 2e308 */
}

static void put_edges(struct pfs_text *t, struct histogram *h, int64_t *room, int64_t band)
{
    if (h->table.size && !h->exact) {
        h->from = pfs_column_f64(&h->lo, band);
        h->to = pfs_column_f64(&h->hi, band);
    }
    pfs_report_list(t, room, h->exact ? EDGE : PFS_JSON_REAL, 0, h->bins + 1, h->exact ? value_cell : edge_cell, h);
}

static int find_counts(struct histogram *h, int64_t band, struct pfs_err *err)
{
    char name[32];
    snprintf(name, sizeof name, "counts%lld", (long long)band);
    int r = pfs_column_find(h->table, name, PFS_U64, h->bins, &h->counts, err);
    for (int64_t i = 0; !r && i < h->bins; i++)
        if ((uint64_t)pfs_column_i64(&h->counts, i) > (uint64_t)h->samples)
            r = pfs_fail(err, EIO, "a model counts more samples than there are");
    return r;
}

static int put_counts(struct pfs_text *t, struct histogram *h, int64_t *room, int64_t band, struct pfs_err *err)
{
    int r = h->table.size ? find_counts(h, band, err) : 0;
    if (!r)
        pfs_report_list(t, room, h->width, 0, h->bins, count_cell, h);
    return r;
}

/* The report, or with `room` its text without the long lists, whose length is added to *room. */
static int compose(struct histogram *h, struct pfs_text *t, int64_t *room, struct pfs_err *err)
{
    int64_t bands = h->n->view->shape.c;
    pfs_text_add(t, "{\"planefs\":1");
    pfs_report_shape(t, &h->n->view->shape);
    pfs_json_key(t, "exact");
    pfs_text_add(t, h->exact ? "true" : "false");
    pfs_json_key(t, "bins");
    pfs_json_int(t, h->bins);
    pfs_report_bands(t, h->n->dataset, bands, "name");
    pfs_json_key(t, "counts");
    pfs_json_open(t, '[');
    for (int64_t b = 0; b < bands && !t->failed; b++) {
        pfs_json_comma(t);
        int r = put_counts(t, h, room, b, err);
        if (r)
            return r;
    }
    pfs_json_close(t, ']');
    pfs_json_key(t, "edges");
    pfs_json_open(t, '[');
    for (int64_t b = 0; b < bands && !t->failed; b++) {
        pfs_json_comma(t);
        put_edges(t, h, room, b);
    }
    pfs_text_add(t, "]}\n");
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct histogram h;
    int64_t room = 0;
    begin(&h, n);
    int r = compose(&h, &t, &room, err);
    *ret = (int64_t)t.n + room;
    return r;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    struct histogram h;
    int r = 0;
    (void)e;
    begin(&h, n);
    h.table = table;
    if (!table.size)
        r = pfs_fail(err, EIO, "a model's table is empty");
    if (!r && !h.exact)
        r = pfs_column_find(table, "lo", PFS_F64, n->view->shape.c, &h.lo, err);
    if (!r && !h.exact)
        r = pfs_column_find(table, "hi", PFS_F64, n->view->shape.c, &h.hi, err);
    return r ? r : compose(&h, ret, NULL, err);
}

const struct pfs_kind pfs_kind_histogram = {
    .pattern = "histogram.json",
    .doc = "how often values occur in every band",
    .view = "source",
    .listed = true,
    .model = "histogram",
    .size = size,
    .text = text,
};
