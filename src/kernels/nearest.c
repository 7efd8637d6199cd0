/* Large values replaced by their nearest small one: an exact Euclidean feature transform in two phases.
 *
 * First, for every pixel, the row of the nearest small pixel in its own column; these row numbers are kept as bytes in
 * the rows of `out`. Then along each row the column i with the least (x - i)^2 + g(i)^2 is looked for, and the row's
 * values take the place of its row numbers. Large pixels are usually few and near small ones, so each looks around
 * itself; a row where that takes too many steps gets the lower envelope of all its parabolas, whose cost is bounded. */
#include <planefs/kernels/nearest.h>

#include <planefs/kernels/clones.h>
#include "kernels/parallel.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 1024, STEPS_PER_PIXEL = 16 };
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

/* last = y where the row is small. */
PFS_CLONES
static void note_small(const float *restrict in, float t, const uint8_t *restrict mask, int32_t *restrict last,
                       int32_t y, int64_t w)
{
    if (!mask) {
        for (int64_t x = 0; x < w; x++)
            last[x] = fabsf(in[x]) <= t ? y : last[x];
        return;
    }
    for (int64_t x = 0; x < w; x++)
        last[x] = ((fabsf(in[x]) <= t) & (mask[x] != 0)) ? y : last[x];
}

/* Upwards: `above` is the nearest row above or here; `below` follows, and takes its place where it is nearer. */
PFS_CLONES
static void nearer(int32_t *restrict above, int32_t *restrict below, int32_t y, int64_t w)
{
    for (int64_t x = 0; x < w; x++) {
        below[x] = above[x] == y ? y : below[x];
        bool closer = (below[x] != NONE) & ((above[x] == NONE) | (below[x] - y < y - above[x]));
        above[x] = closer ? below[x] : above[x];
    }
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
        const uint8_t *mask = n->mask ? n->mask + y * n->in.w + x0 : NULL;
        note_small(n->in.px + y * n->in.row + x0, n->t[y], mask, last, (int32_t)y, w);
        memcpy(n->out.px + y * n->out.row + x0, last, bytes);
    }
    memset(last, 0xff, sizeof last);
    for (int64_t y = h - 1; y >= 0; y--) {
        memcpy(here, n->out.px + y * n->out.row + x0, bytes);
        nearer(here, last, (int32_t)y, w);
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

/* The nearest column of x, by looking further and further to both sides; NONE when it takes more than *steps. */
static int64_t look_around(int64_t y, int64_t w, const int32_t *row, int64_t x, int64_t *steps)
{
    int64_t best = row[x] == NONE ? INT64_MAX : square(row[x] - y), found = x;
    for (int64_t d = 1; d < w && d * d <= best; d++) {
        int64_t left = x - d, right = x + d;
        if (--*steps < 0)
            return NONE;
        if (left >= 0 && row[left] != NONE && d * d + square(row[left] - y) <= best) {
            best = d * d + square(row[left] - y);
            found = left;
        }
        if (right < w && row[right] != NONE && d * d + square(row[right] - y) < best) {
            best = d * d + square(row[right] - y);
            found = right;
        }
    }
    return found;
}

static float value(const struct nearest *n, const int32_t *row, int64_t column)
{
    return n->in.px[row[column] * n->in.row + column];
}

/* A row by looking around its large pixels; false when that would take too long. */
static bool row_by_looking(const struct nearest *n, int64_t y, const int32_t *row, float *out)
{
    int64_t w = n->in.w, steps = STEPS_PER_PIXEL * w;
    for (int64_t x = 0; x < w; x++) {
        if (row[x] == y || !inside(n, y, x)) {
            out[x] = row[x] == y ? n->in.px[y * n->in.row + x] : 0;
            continue;
        }
        int64_t column = look_around(y, w, row, x, &steps);
        if (column == NONE)
            return false;
        out[x] = row[column] == NONE ? n->in.px[y * n->in.row + x] : value(n, row, column);
    }
    return true;
}

static void row_by_envelope(const struct nearest *n, int64_t y, const int32_t *row, int32_t *scratch, float *out)
{
    int64_t w = n->in.w, k = 0;
    int32_t *owner = scratch, *from = scratch + w;
    int64_t owners = envelope(y, w, row, owner, from);
    for (int64_t x = 0; x < w; x++) {
        while (k + 1 < owners && from[k + 1] <= x)
            k++;
        out[x] = owners ? value(n, row, owner[k]) : n->in.px[y * n->in.row + x];
        if (!inside(n, y, x))
            out[x] = 0;
    }
}

static void search_row(void *ctx, int64_t y, int thread)
{
    const struct nearest *n = ctx;
    int64_t w = n->in.w;
    int32_t *row = n->scratch + thread * 3 * w;
    float *out = n->out.px + y * n->out.row;
    memcpy(row, out, (size_t)w * sizeof *row);
    if (!row_by_looking(n, y, row, out))
        row_by_envelope(n, y, row, row + w, out);
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
