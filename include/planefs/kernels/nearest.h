/* Large values replaced by their nearest small one. */
#ifndef PLANEFS_KERNELS_NEAREST_H
#define PLANEFS_KERNELS_NEAREST_H

#include <planefs/plane.h>

/* A pixel is small when |in| <= t[y] (and its mask byte, rows of in.w bytes, is 1). out = in where it is small, else in
 * at the small pixel of the least Euclidean distance; of equally near ones the leftmost, of those the upper one.
 * Outside the mask 0. Without any small pixel out = in. `out` does not overlap. Exact (integer arithmetic); sides below
 * 2^30. scratch: pfs_nearest_scratch values. Meijster, Roerdink, Hesselink, A general algorithm for computing distance
 * transforms in linear time, 2000. Four passes over memory. */
void pfs_nearest_small(struct pfs_plane in, const float *t, const uint8_t *mask, struct pfs_plane out, int32_t *scratch,
                       int threads);
int64_t pfs_nearest_scratch(int64_t w, int threads);

#endif
