/* Planes of labels from boundaries on a line: for the operators otsu and kmeans. Threads: pure. */
#ifndef OPS_SEGMENT_PLANE_H
#define OPS_SEGMENT_PLANE_H

#include <planefs/ops.h>

/* Label of a pixel: how many of the n rising bounds lie below it, times `step`. NaN and nodata: 0. `out` is u8. ENOMEM */
int pfs_label_plane(struct pfs_typed in, const double *bound, int n, int step, double nodata, struct pfs_typed out,
                    struct pfs_err *err);
/* The same shape in u8, with the display range 0 .. top. */
int pfs_label_shape(const struct pfs_shape *in, double top, struct pfs_shape *ret);

#define PFS_SCOPE_PARAM(place) \
    {.name = "scope", .doc = "what is learnt from: the whole channel, its time point, or the plane alone", \
     .kind = PFS_CHOICE, .value = "channel", .choices = "channel time plane", .offset = (place)}

#endif
