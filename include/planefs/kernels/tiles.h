/* Tiles of a plane with a mirrored halo, safe to overwrite: a pass that reads a neighbourhood can work in place.
 *
 * Before the pass, what lies around every tile is saved: `halo` rows above and below each strip of tiles and `halo`
 * columns beside each band, mirrored at the plane's edges. Each tile may then be replaced from top to bottom, in any
 * order of tiles and on any thread. Tiles depend on the plane's shape alone, never on threads. Total on any plane and
 * halo. */
#ifndef PLANEFS_KERNELS_TILES_H
#define PLANEFS_KERNELS_TILES_H

#include <planefs/plane.h>

struct pfs_tiles {
    struct pfs_plane in;
    int64_t size_y, size_x;         /* of a tile; the last ones are smaller */
    int64_t halo;
    int64_t ny, nx;                 /* tiles down and across */
    float *rows, *columns;          /* what was saved */
};

struct pfs_tile { int64_t iy, ix, y, x, h, w; };

/* Floats of scratch that pfs_tiles_save needs: 2 halo (ny w + nx h). */
int64_t pfs_tiles_scratch(int64_t h, int64_t w, int64_t size_y, int64_t size_x, int64_t halo);

struct pfs_tiles pfs_tiles_save(struct pfs_plane in, int64_t size_y, int64_t size_x, int64_t halo, float *scratch,
                                int threads);
struct pfs_tile pfs_tiles_at(const struct pfs_tiles *t, int64_t index);     /* 0 .. ny*nx-1 */

/* Row y of the tile, -halo <= y < h + halo, as it was when saved: w + 2*halo pixels, from column -halo. Rows 0 .. h-1
 * must not have been overwritten. */
void pfs_tiles_row(const struct pfs_tiles *t, const struct pfs_tile *tile, int64_t y, float *out);

/* n pixels of row y from column x on, both mirrored into the plane. */
void pfs_mirrored_row(struct pfs_plane in, int64_t y, int64_t x, int64_t n, float *out);

#endif
