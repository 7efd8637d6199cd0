/* Thresholds and centres from levels: what segment.json, otsu and kmeans have in common. Threads: pure. */
#ifndef OPS_SEGMENT_H
#define OPS_SEGMENT_H

#include "ops/levels.h"

enum { PFS_KMEANS_MIN = 2, PFS_KMEANS_MAX = 8 };

struct pfs_segmenter {               /* room for one band at a time */
    struct pfs_levels levels;
    double *value, *weight, *scratch;
};

int pfs_segmenter_begin(struct pfs_segmenter *s, struct pfs_err *err);
void pfs_segmenter_finish(struct pfs_segmenter *s);

/* Otsu's threshold of the band in `levels`: one bin per value where a bin is a value, 256 bins for floats as
 * scikit-image has them, PFS_BINS for whole numbers that span more. NaN without pixels. */
double pfs_segmenter_otsu(struct pfs_segmenter *s);
/* The optimal centres for k = 2 .. most (centre[k - 2] has k, rising), or for k alone. NaN: not needed. */
int pfs_segmenter_kmeans(struct pfs_segmenter *s, int most, double *const *centre, struct pfs_err *err);
int pfs_segmenter_kmeans_one(struct pfs_segmenter *s, int k, double *centre, struct pfs_err *err);

#endif
