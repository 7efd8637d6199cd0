/* What covariance and pca have in common. Threads: pure. */
#ifndef OPS_COVARIANCE_H
#define OPS_COVARIANCE_H

#include "ops/levels.h"

enum { PFS_PCA_BANDS = 1024 };

struct pfs_covariance_params { struct pfs_nodata_params of; struct pfs_list leave_out; };

#define PFS_LEAVE_OUT_PARAM \
    {.name = "leave_out", .doc = "bands that take no part, from 0: first and last of each range, a single one last", \
     .kind = PFS_INTS, .value = "none", .min = 0, .max = PFS_PCA_BANDS - 1, .may_be_none = true, \
     .offset = offsetof(struct pfs_covariance_params, leave_out)}

bool pfs_band_left_out(const struct pfs_list *ranges, int64_t band);

struct pfs_scatter { int64_t n; double *mean, *scatter; };   /* scatter: bands x bands, its lower triangle */
/* a <- a and another one together. Chan, Golub, LeVeque 1979. */
void pfs_scatter_join(int64_t bands, struct pfs_scatter *a, int64_t n, const double *mean, const double *scatter);

#endif
