/* Counts of 8- and 16-bit values, and what follows from them. For the operator stats. Threads: pure. */
#ifndef OPS_STATS_COUNTS_H
#define OPS_STATS_COUNTS_H

#include "kernels/tally.h"

#include <planefs/err.h>
#include <planefs/table.h>

enum { PFS_COUNTS = 65536, PFS_PERCENTILES = 7 };

struct pfs_percentile { const char *name; double q; };
extern const struct pfs_percentile pfs_percentile[PFS_PERCENTILES];   /* in rising order */
extern const int64_t pfs_plane_max;                  /* pixels; more in a partial is a lie */

bool pfs_counts_fit(enum pfs_type type);             /* is it a type that is counted? */
/* Add a plane to the counts (PFS_COUNTS of them). */
int pfs_counts_plane(struct pfs_typed in, uint64_t *count, struct pfs_err *err);
/* Take a value out of the counts; how many there were. */
uint64_t pfs_counts_exclude(enum pfs_type type, double value, uint64_t *count);
struct pfs_moments pfs_counts_moments(enum pfs_type type, const uint64_t *count);
/* NumPy's default (linear) rule: value (n-1) q of the n sorted pixels, n >= 1 being the sum of the counts. */
void pfs_counts_percentiles(enum pfs_type type, const uint64_t *count, int64_t n, double ret[PFS_PERCENTILES]);

/* As the column "bins" of a table: the length in bytes, then the packed bins. */
void pfs_counts_pack(struct pfs_text *t, const uint64_t *count);
/* Add such a column to the counts; false when it is malformed. */
bool pfs_counts_add(const struct pfs_column *c, uint64_t *count);

#endif
