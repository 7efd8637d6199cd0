/* Large values replaced by their nearest small one: an exact Euclidean feature transform in two phases.
 *
 * First, for every pixel, the row of the nearest small pixel in its own column; these row numbers are kept as bytes in the
 * rows of `out`. Then along each row the lower envelope of the parabolas (x - i)^2 + g(i)^2, whose owner i is the column
 * of the nearest one, and the row's values take the place of its row numbers. */
#include <planefs/kernels/nearest.h>

#include "kernels/parallel.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 256 };
#define NONE (-1)

struct nearest {
    struct pfs_plane in, out;
    const float *t;
    const uint8_t *mask;
    int32_t *scratch;
};

static bool inside(const struct nearest *n, int64_t y, int64_t x)
{
    return !n->mask || n->mask[y * n->in.w + x];
}

static bool small(const struct nearest *n, int64_t y, int64_t x)
{
    return fabsf(n->in.px[y * n->in.row + x]) <= n->t[y] && inside(n, y, x);
}

/* The nearest small pixel's row in the same column, from both sides; the upper one of two. */
static void search_columns(void *ctx, int64_t item, int thread)
{
    const struct nearest *n = ctx;
    int64_t x0 = item * COLUMNS, w = n->in.w - x0 < COLUMNS ? n->in.w - x0 : COLUMNS, h = n->in.h;
    int32_t last[COLUMNS], here[COLUMNS];
    size_t bytes = (size_t)w * sizeof *last;
    (void)thread;
    memset(last, 0xff, sizeof last);
    for (int64_t y = 0; y < h; y++) {
        for (int64_t x = 0; x < w; x++)
            last[x] = small(n, y, x0 + x) ? (int32_t)y : last[x];
        memcpy(n->out.px + y * n->out.row + x0, last, bytes);
    }
    memset(last, 0xff, sizeof last);
    for (int64_t y = h - 1; y >= 0; y--) {
        memcpy(here, n->out.px + y * n->out.row + x0, bytes);
        for (int64_t x = 0; x < w; x++) {
            last[x] = here[x] == y ? (int32_t)y : last[x];
            if (here[x] == NONE || (last[x] != NONE && last[x] - y < y - here[x]))
                here[x] = last[x];
        }
        memcpy(n->out.px + y * n->out.row + x0, here, bytes);
    }
}

static int64_t square(int64_t v)
{
    return v * v;
}

/* The last x at which column i is at least as near as column u > i; rows are their nearest rows. */
static int64_t boundary(int64_t y, int64_t i, int64_t row_i, int64_t u, int64_t row_u)
{
    int64_t above = u * u - i * i + square(row_u - y) - square(row_i - y), below = 2 * (u - i);
    return above >= 0 ? above / below : -((-above + below - 1) / below);
}

/* Owners of the envelope, from[k] being the first x of owner[k]; how many. */
static int64_t envelope(int64_t y, int64_t w, const int32_t *row, int32_t *owner, int32_t *from)
{
    int64_t n = 0;
    for (int64_t u = 0; u < w; u++) {
        if (row[u] == NONE)
            continue;
        while (n > 0 && square(from[n - 1] - owner[n - 1]) + square(row[owner[n - 1]] - y) >
                        square(from[n - 1] - u) + square(row[u] - y))
            n--;
        int64_t begin = n ? boundary(y, owner[n - 1], row[owner[n - 1]], u, row[u]) + 1 : 0;
        if (begin >= w)
            continue;
        owner[n] = (int32_t)u;
        from[n++] = (int32_t)begin;
    }
    return n;
}

static void search_row(void *ctx, int64_t y, int thread)
{
    const struct nearest *n = ctx;
    int64_t w = n->in.w;
    int32_t *row = n->scratch + thread * 3 * w, *owner = row + w, *from = owner + w;
    float *out = n->out.px + y * n->out.row;
    memcpy(row, out, (size_t)w * sizeof *row);
    int64_t owners = envelope(y, w, row, owner, from), k = 0;
    for (int64_t x = 0; x < w; x++) {
        while (k + 1 < owners && from[k + 1] <= x)
            k++;
        if (!owners)
            out[x] = n->in.px[y * n->in.row + x];
        else
            out[x] = n->in.px[row[owner[k]] * n->in.row + owner[k]];
        if (!inside(n, y, x))
            out[x] = 0;
    }
}

void pfs_nearest_small(struct pfs_plane in, const float *t, const uint8_t *mask, struct pfs_plane out, int32_t *scratch,
                       int threads)
{
    struct nearest n = {in, out, t, mask, scratch};
    pfs_parallel(threads, (in.w + COLUMNS - 1) / COLUMNS, search_columns, &n);
    pfs_parallel(threads, in.h, search_row, &n);
}

int64_t pfs_nearest_scratch(int64_t w, int threads)
{
    return (threads > 1 ? threads : 1) * 3 * w;
}
