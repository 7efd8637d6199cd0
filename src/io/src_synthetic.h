/* Inside the synthetic driver: a recipe, and rows made from it. */
#ifndef PLANEFS_SRC_SYNTHETIC_H
#define PLANEFS_SRC_SYNTHETIC_H

#include <planefs/io.h>

struct pfs_synthetic_recipe {
    double t, z, c, y, x, seed;
    double level, texture, stripes, background, noise, scale;
    double voxel[3], interval;
    char type[12], unit[16];
};

enum { PFS_SYNTHETIC_LAYERS = 3 };

struct pfs_lattice {             /* rows of lattice noise at the two edges of the cell row that holds y */
    int64_t cell_y, row;         /* row: which cell row is held, -1 none */
    struct pfs_at at;
    float *low, *high;
};

struct pfs_synthetic {
    struct pfs_source source;
    struct pfs_series series;
    struct pfs_synthetic_recipe r;
    int64_t file_size;
    struct pfs_lattice texture[PFS_SYNTHETIC_LAYERS], stripes;
};

int pfs_synthetic_init(struct pfs_synthetic *s, struct pfs_err *err);      /* scratch for rows, once the series is set */
void pfs_synthetic_finish(struct pfs_synthetic *s);
/* Row y of a plane, shape.x samples. Cost: about 4 ns a pixel. */
void pfs_synthetic_row(struct pfs_synthetic *s, struct pfs_at at, int64_t y, char *dst);

#endif
