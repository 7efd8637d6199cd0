/* Planes in memory: borrowed windows on pixels, passed by value. */
#ifndef PLANEFS_PLANE_H
#define PLANEFS_PLANE_H

#include <planefs/shape.h>

struct pfs_plane {          /* float pixels: what the correction kernels work on */
    float *px;
    ptrdiff_t row;          /* distance between rows, in pixels */
    int64_t h, w;
};

struct pfs_typed {          /* pixels in a type of their own, native byte order */
    enum pfs_type type;
    void *px;
    ptrdiff_t row;          /* distance between rows, in bytes */
    int64_t h, w;
};

/* Copy `in` to `out` of the same size, converting each sample as C does for in-range values; a float target
 * rounds to nearest. Threads: pure. */
void pfs_convert(struct pfs_typed in, struct pfs_typed out);

#endif
