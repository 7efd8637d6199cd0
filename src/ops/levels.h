/* Levels: a band's pixels as counts of values or of narrow bins, gathered from partials. What percentiles, histograms,
 * thresholds and clusters are made of. Threads: pure.
 *
 * 8 and 16 bits: counted value by value in the partials of `moments`. Other types: PFS_BINS bins between the extremes of
 * the band, in the partials of `counts`, which has the model of `moments` as its prior. */
#ifndef OPS_LEVELS_H
#define OPS_LEVELS_H

#include "ops/stats_counts.h"

#include <planefs/kernels/bins.h>
#include <planefs/ops.h>

struct pfs_levels {
    struct pfs_axis axis;
    uint64_t *count;                 /* PFS_COUNTS of them; owned */
    int64_t n;                       /* their sum */
};

int pfs_levels_begin(struct pfs_levels *l, struct pfs_err *err);
void pfs_levels_finish(struct pfs_levels *l);
/* The next band's parts (in->t * in->z of them). */
int pfs_levels_take(struct pfs_levels *l, const struct pfs_shape *in, struct pfs_blob prior, int64_t band,
                    struct pfs_parts *parts, struct pfs_err *err);
/* Add other levels: each bin as pixels at its centre. */
void pfs_levels_add(struct pfs_levels *l, const struct pfs_levels *other);
/* NumPy's linear rule; within one bin where a bin is more than one value. NaN without pixels. */
void pfs_levels_percentiles(const struct pfs_levels *l, double ret[PFS_PERCENTILES]);

/* A band's axis: of 8 and 16 bits that of the type, else between the extremes in a model of `moments`. EIO */
int pfs_levels_axis(enum pfs_type type, struct pfs_blob prior, int64_t band, struct pfs_axis *ret, struct pfs_err *err);
/* For the operators that are learnt from levels. */
const char *pfs_levels_teacher(const struct pfs_shape *in);
size_t pfs_levels_memory(const void *p, const struct pfs_shape *in);

/* The model of `moments`; parts as merge has them. */
int pfs_moments_merge(const struct pfs_shape *in, struct pfs_parts *parts, struct pfs_blob *ret, struct pfs_err *err);

/* The parameter that all of them have, first in their parameters' struct. */
struct pfs_nodata_params { double nodata; };
#define PFS_NODATA_PARAM \
    {.name = "nodata", .doc = "pixels of this value take no part and are counted with the NaN ones", .kind = PFS_REAL, \
     .value = "none", .min = -DBL_MAX, .max = DBL_MAX, .may_be_none = true, \
     .offset = offsetof(struct pfs_nodata_params, nodata)}

#endif
