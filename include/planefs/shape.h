/* Shapes: the five axes of a stack, its calibration, and the name of a plane in it. */
#ifndef PLANEFS_SHAPE_H
#define PLANEFS_SHAPE_H

#include <planefs/type.h>
#include <stdint.h>

struct pfs_calibration {
    double voxel[3];     /* z, y, x in `unit`; 0 where the source says nothing */
    char unit[16];       /* "um", "nm", "pixel"...; "" where the source says nothing */
    double interval;     /* seconds between time points; 0 unknown */
    double range[2];     /* display range carried from the source; range[0] == range[1] when unknown */
};

struct pfs_shape {
    int64_t t, z, c, y, x;
    enum pfs_type type;
    struct pfs_calibration cal;
};

struct pfs_at { int64_t t, z, c; };   /* a plane: ordinals 0 .. n-1 on each axis, whatever its number in a file name */

int64_t pfs_shape_planes(const struct pfs_shape *s);                     /* t*z*c, -1 on overflow */
int64_t pfs_shape_plane_bytes(const struct pfs_shape *s);                /* y*x*size, -1 on overflow */
int64_t pfs_at_index(const struct pfs_shape *s, struct pfs_at at);       /* C order over t, z, c */
struct pfs_at pfs_at_of(const struct pfs_shape *s, int64_t index);       /* the inverse */
bool pfs_at_inside(const struct pfs_shape *s, struct pfs_at at);

#endif
