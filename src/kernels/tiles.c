/* Tiles with saved, mirrored surroundings. The saved rows are as wide as the plane, so that corners come from them. */
#include <planefs/kernels/tiles.h>

#include <planefs/kernels/conv.h>
#include "kernels/parallel.h"
#include "kernels/prefetch.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t parts(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

int64_t pfs_tiles_scratch(int64_t h, int64_t w, int64_t size_y, int64_t size_x, int64_t halo)
{
    return 2 * halo * (parts(h, size_y) * w + parts(w, size_x) * h);
}

/* n pixels of a row w long, from column x on, mirrored. */
static void mirrored(const float *row, int64_t w, int64_t x, int64_t n, float *out)
{
    int64_t i = 0;
    for (; i < n && x + i < 0; i++)
        out[i] = row[pfs_mirror(x + i, w)];
    if (i < n && x + i < w) {
        int64_t inside = least(n - i, w - x - i);
        memcpy(out + i, row + x + i, (size_t)inside * sizeof *out);
        i += inside;
    }
    for (; i < n; i++)
        out[i] = row[pfs_mirror(x + i, w)];
}

void pfs_mirrored_row(struct pfs_plane in, int64_t y, int64_t x, int64_t n, float *out)
{
    mirrored(in.px + pfs_mirror(y, in.h) * in.row, in.w, x, n, out);
}

static void save_rows(void *ctx, int64_t iy, int thread)
{
    const struct pfs_tiles *t = ctx;
    int64_t above = iy * t->size_y, below = least(above + t->size_y, t->in.h);
    float *to = t->rows + iy * 2 * t->halo * t->in.w;
    (void)thread;
    for (int64_t i = 0; i < 2 * t->halo; i++) {
        int64_t y = i < t->halo ? above - t->halo + i : below + i - t->halo;
        memcpy(to + i * t->in.w, t->in.px + pfs_mirror(y, t->in.h) * t->in.row, (size_t)t->in.w * sizeof *to);
    }
}

static void save_columns(void *ctx, int64_t y, int thread)
{
    const struct pfs_tiles *t = ctx;
    const float *row = t->in.px + y * t->in.row;
    (void)thread;
    for (int64_t ix = 0; ix < t->nx; ix++) {
        int64_t left = ix * t->size_x, right = least(left + t->size_x, t->in.w);
        float *to = t->columns + (ix * t->in.h + y) * 2 * t->halo;
        mirrored(row, t->in.w, left - t->halo, t->halo, to);
        mirrored(row, t->in.w, right, t->halo, to + t->halo);
    }
}

struct pfs_tiles pfs_tiles_save(struct pfs_plane in, int64_t size_y, int64_t size_x, int64_t halo, float *scratch,
                                int threads)
{
    struct pfs_tiles t = {in, size_y, size_x, halo, parts(in.h, size_y), parts(in.w, size_x), scratch, NULL};
    t.columns = scratch + 2 * halo * t.ny * in.w;
    pfs_parallel(threads, t.ny, save_rows, &t);
    pfs_parallel(threads, in.h, save_columns, &t);
    return t;
}

struct pfs_tile pfs_tiles_at(const struct pfs_tiles *t, int64_t index)
{
    struct pfs_tile tile = {.iy = index / t->nx, .ix = index % t->nx};
    tile.y = tile.iy * t->size_y;
    tile.x = tile.ix * t->size_x;
    tile.h = least(t->size_y, t->in.h - tile.y);
    tile.w = least(t->size_x, t->in.w - tile.x);
    return tile;
}

void pfs_tiles_row(const struct pfs_tiles *t, const struct pfs_tile *tile, int64_t y, float *out)
{
    if (y < 0 || y >= tile->h) {
        int64_t i = y < 0 ? y + t->halo : t->halo + y - tile->h;
        const float *row = t->rows + (tile->iy * 2 * t->halo + i) * t->in.w;
        mirrored(row, t->in.w, tile->x - t->halo, tile->w + 2 * t->halo, out);
        return;
    }
    if (y + PFS_ROWS_AHEAD < tile->h)
        pfs_prefetch(t->in.px + (tile->y + y + PFS_ROWS_AHEAD) * t->in.row + tile->x, tile->w);
    const float *side = t->columns + (tile->ix * t->in.h + tile->y + y) * 2 * t->halo;
    memcpy(out, side, (size_t)t->halo * sizeof *out);
    memcpy(out + t->halo, t->in.px + (tile->y + y) * t->in.row + tile->x, (size_t)tile->w * sizeof *out);
    memcpy(out + t->halo + tile->w, side + t->halo, (size_t)t->halo * sizeof *out);
}
