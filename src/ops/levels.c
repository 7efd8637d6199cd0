/* Levels of a band from its partials, and percentiles of levels. */
#include "ops/levels.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int pfs_levels_begin(struct pfs_levels *l, struct pfs_err *err)
{
    *l = (struct pfs_levels){.count = pfs_array(PFS_COUNTS, sizeof *l->count)};
    return l->count ? 0 : pfs_fail(err, ENOMEM, "no memory for a histogram");
}

void pfs_levels_finish(struct pfs_levels *l)
{
    free(l->count);
    l->count = NULL;
}

static struct pfs_axis whole_axis(enum pfs_type type)
{
    int64_t n = pfs_type_size(type) == 1 ? 256 : PFS_COUNTS, lo = pfs_type_is_signed(type) ? -n / 2 : 0;
    int64_t hi = lo + n - 1;
    return pfs_axis(type, &lo, &hi);
}

int pfs_levels_axis(enum pfs_type type, struct pfs_blob prior, int64_t band, struct pfs_axis *ret, struct pfs_err *err)
{
    struct pfs_column c[2];
    static const char *const names[2] = {"min", "max"};
    if (pfs_counts_fit(type)) {
        *ret = whole_axis(type);
        return 0;
    }
    enum pfs_type want = pfs_type_is_float(type) ? PFS_F64 : pfs_type_is_signed(type) ? PFS_I64 : PFS_U64;
    uint64_t bits[2];
    for (int i = 0; i < 2; i++) {
        if (!pfs_table_valid(prior) || !pfs_table_column(prior, names[i], &c[i]) || c[i].type != want || band >= c[i].n)
            return pfs_fail(err, EIO, "malformed model of moments");
        double f = pfs_column_f64(&c[i], band);
        int64_t v = pfs_column_i64(&c[i], band);
        memcpy(&bits[i], want == PFS_F64 ? (void *)&f : (void *)&v, sizeof bits[i]);
    }
    *ret = pfs_axis(type, &bits[0], &bits[1]);
    return 0;
}

static int add(struct pfs_levels *l, struct pfs_blob part, struct pfs_err *err)
{
    struct pfs_column bins;
    if (!part.size)
        return 0;
    if (!pfs_table_valid(part) || !pfs_table_column(part, "bins", &bins) || !pfs_counts_add(&bins, l->count))
        return pfs_fail(err, EIO, "malformed partial: no counts");
    return 0;
}

int pfs_levels_take(struct pfs_levels *l, const struct pfs_shape *in, struct pfs_blob prior, int64_t band,
                    struct pfs_parts *parts, struct pfs_err *err)
{
    int e = pfs_levels_axis(in->type, prior, band, &l->axis, err);
    memset(l->count, 0, PFS_COUNTS * sizeof *l->count);
    l->n = 0;
    for (int64_t i = 0; i < in->t * in->z && !e; i++) {
        struct pfs_blob part;
        e = parts->next(parts, &part, err);
        if (!e)
            e = add(l, part, err);
    }
    for (int64_t i = 0; i < PFS_COUNTS && !e; i++) {
        l->n += (int64_t)l->count[i];
        if (l->count[i] && i >= l->axis.n)
            e = pfs_fail(err, EIO, "malformed partial: counts outside of the band's extremes");
    }
    return e;
}

void pfs_levels_add(struct pfs_levels *l, const struct pfs_levels *other)
{
    const struct pfs_axis *a = &l->axis;
    for (int64_t i = 0; i < other->axis.n && a->n; i++) {
        double at = (pfs_axis_centre(&other->axis, i) - a->lo) / a->step;
        if (!other->count[i])
            continue;
        l->count[at > 0 ? at < (double)a->n ? (int64_t)at : a->n - 1 : 0] += other->count[i];
        l->n += (int64_t)other->count[i];
    }
}

struct walk { int64_t bin, below; };             /* pixels in the bins before it */

/* The value of the pixel of this rank: in a bin of several values they are taken as evenly spread. */
static double value_at(const struct pfs_levels *l, struct walk *w, int64_t rank)
{
    while (w->below + (int64_t)l->count[w->bin] <= rank)
        w->below += (int64_t)l->count[w->bin++];
    if (l->axis.whole)
        return pfs_axis_centre(&l->axis, w->bin);
    if (rank == 0 || rank == l->n - 1)
        return rank ? l->axis.hi : l->axis.lo;
    double part = ((double)(rank - w->below) + 0.5) / (double)l->count[w->bin];
    return pfs_axis_edge(&l->axis, w->bin) * (1 - part) + pfs_axis_edge(&l->axis, w->bin + 1) * part;
}

void pfs_levels_percentiles(const struct pfs_levels *l, double ret[PFS_PERCENTILES])
{
    struct walk w = {0};
    for (int i = 0; i < PFS_PERCENTILES; i++) {
        if (!l->n) {
            ret[i] = NAN;
            continue;
        }
        double at = (double)(l->n - 1) * pfs_percentile[i].q, part = at - floor(at);
        int64_t rank = (int64_t)at;
        double a = value_at(l, &w, rank);
        struct walk next = w;
        double b = rank + 1 < l->n ? value_at(l, &next, rank + 1) : a;
        ret[i] = part >= 0.5 ? b - (b - a) * (1 - part) : a + (b - a) * part;
    }
}

const char *pfs_levels_teacher(const struct pfs_shape *in)
{
    return pfs_counts_fit(in->type) ? "moments" : "counts";
}

size_t pfs_levels_memory(const void *p, const struct pfs_shape *in)
{
    (void)p;
    (void)in;
    return (PFS_TALLY_LANES * sizeof(uint32_t) + sizeof(uint64_t)) * PFS_COUNTS;
}
