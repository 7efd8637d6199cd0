/* Transposing a plane, in tiles of cache lines. */
#include <planefs/kernels/transpose.h>

#include "kernels/parallel.h"

enum { TILE = 16 };

struct transpose {
    struct pfs_plane in, out;
};

static void transpose_tile(const float *in, ptrdiff_t in_row, float *out, ptrdiff_t out_row)
{
    for (int x = 0; x < TILE; x++)
        for (int y = 0; y < TILE; y++)
            out[x * out_row + y] = in[y * in_row + x];
}

static void transpose_rows(void *ctx, int64_t item, int thread)
{
    const struct transpose *t = ctx;
    int64_t y0 = item * TILE, n = t->in.h - y0 < TILE ? t->in.h - y0 : TILE, x = 0;
    (void)thread;
    for (; n == TILE && x + TILE <= t->in.w; x += TILE)
        transpose_tile(t->in.px + y0 * t->in.row + x, t->in.row, t->out.px + x * t->out.row + y0, t->out.row);
    for (; x < t->in.w; x++)
        for (int64_t y = y0; y < y0 + n; y++)
            t->out.px[x * t->out.row + y] = t->in.px[y * t->in.row + x];
}

void pfs_transpose(struct pfs_plane in, struct pfs_plane out, int threads)
{
    struct transpose t = {in, out};
    pfs_parallel(threads, (in.h + TILE - 1) / TILE, transpose_rows, &t);
}
