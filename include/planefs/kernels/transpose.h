/* out[x,y] = in[y,x]. `out` has in.w rows of in.h pixels and does not overlap. One pass over memory. */
#ifndef PLANEFS_KERNELS_TRANSPOSE_H
#define PLANEFS_KERNELS_TRANSPOSE_H

#include <planefs/plane.h>

void pfs_transpose(struct pfs_plane in, struct pfs_plane out, int threads);

#endif
