/* Box and triangle filters as running sums, mirror boundary.
 *
 * Along x a row is padded and summed eight pixels at a time: differences, their prefix sums in a register, and one
 * carry. Down the columns a strip of columns slides over the plane with the rows it still needs in a ring that fits the
 * second-level cache; the ring also makes working in place possible, because what the window leaves behind and what the
 * mirror brings back is read from it and not from the plane. A triangle is a box whose results go through a second ring
 * in the same slide. Nothing here allocates. */
#include <planefs/kernels/box.h>

#include <planefs/kernels/clones.h>
#include <planefs/kernels/conv.h>
#include "kernels/parallel.h"

#include <string.h>

typedef double v8 __attribute__((vector_size(64)));

/* a moved up by k places, zeros from below */
#define UP(a, k) __builtin_shufflevector((a), (v8){0}, \
    (k) > 0 ? 8 : 0, (k) > 1 ? 8 : 1 - (k), (k) > 2 ? 8 : 2 - (k), (k) > 3 ? 8 : 3 - (k), \
    (k) > 4 ? 8 : 4 - (k), (k) > 5 ? 8 : 5 - (k), (k) > 6 ? 8 : 6 - (k), 7 - (k))

static double window_sum(const float *in, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)in[i];
    return sum;
}

/* out[i] = (carry + prefix sum of enter - leave up to i) * scale for 8 pixels; the new carry. */
PFS_INLINE double slide8(const float *enter, const float *leave, float *out, double carry, double scale)
{
    v8 d;
    for (int i = 0; i < 8; i++)
        d[i] = (double)enter[i] - (double)leave[i];
    d += UP(d, 1);
    d += UP(d, 2);
    d += UP(d, 4);
    for (int i = 0; i < 8; i++)
        out[i] = (float)((carry + d[i]) * scale);
    return carry + d[7];
}

PFS_CLONES
void pfs_box_row(const float *in, float *restrict out, int64_t w, int64_t n, double scale)
{
    const float *leave = in - n / 2 - 1, *enter = in + (n - 1) / 2;
    double carry = window_sum(in - n / 2, n);
    out[0] = (float)(carry * scale);
    int64_t x = 1;
    for (; x + 8 <= w; x += 8)
        carry = slide8(enter + x, leave + x, out + x, carry, scale);
    for (; x < w; x++) {
        carry += (double)enter[x] - (double)leave[x];
        out[x] = (float)(carry * scale);
    }
}

PFS_CLONES
void pfs_slide_row(double *restrict sum, const float *enter, const float *leave, float *out, double scale, int64_t w)
{
    PFS_IVDEP
    for (int64_t x = 0; x < w; x++) {
        sum[x] += (double)enter[x] - (double)leave[x];
        out[x] = (float)(sum[x] * scale);
    }
}

PFS_CLONES
static void add_row(double *restrict sum, const float *restrict in, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        sum[x] += (double)in[x];
}

PFS_CLONES
static void scale_row(const double *restrict sum, float *restrict out, double scale, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        out[x] = (float)(sum[x] * scale);
}

/* One filter over a plane. */
struct box {
    struct pfs_plane in, out;
    int64_t n, lower, upper;                /* the window: i - lower .. i + upper */
    bool twice;                             /* tri */
    int64_t columns, ring;                  /* y: a strip's width; rows of pixels kept */
    int64_t size;                           /* floats of scratch a thread has */
    float *scratch;
};

enum { STRIP_BYTES = 512 << 10, STRIP_MAX = 256, LANE = 16 };

/* Columns of a strip, so that its rings fit the cache. */
static int64_t strip_columns(int64_t w, int64_t n)
{
    int64_t columns = STRIP_BYTES / 8 / (n + 1) / LANE * LANE;
    int64_t all = (w + LANE - 1) / LANE * LANE;
    columns = columns < LANE ? LANE : columns > STRIP_MAX ? STRIP_MAX : columns;
    return columns < all ? columns : all;
}

static int64_t ring_rows(int64_t h, int64_t n)
{
    return n < h ? n + 1 : h;
}

/* Pixels and box results in rings, two sums of doubles and one row for what nobody keeps. */
static int64_t strip_floats(int64_t h, int64_t w, int64_t n)
{
    return strip_columns(w, n) * (ring_rows(h, n) + n + 1 + 5);
}

static int64_t row_floats(int64_t w, int64_t n)
{
    return (2 * w + 3 * n + LANE - 1) / LANE * LANE;
}

static int64_t thread_floats(int64_t h, int64_t w, int64_t n)
{
    int64_t strip = strip_floats(h, w, n), row = row_floats(w, n);
    return strip > row ? strip : row;
}

int64_t pfs_box_scratch(int64_t h, int64_t w, int64_t n, int threads)
{
    return (threads > 1 ? threads : 1) * thread_floats(h, w, n);
}

static struct box box(struct pfs_plane in, struct pfs_plane out, int64_t n, bool twice, float *scratch)
{
    return (struct box){.in = in, .out = out, .n = n, .lower = n / 2, .upper = (n - 1) / 2, .twice = twice,
                        .columns = strip_columns(in.w, n), .ring = ring_rows(in.h, n),
                        .size = thread_floats(in.h, in.w, n), .scratch = scratch};
}

static void box_x_row(void *ctx, int64_t y, int thread)
{
    const struct box *b = ctx;
    int64_t w = b->in.w, pad = b->twice ? b->n - 1 : b->lower;
    float *row = b->scratch + thread * b->size + pad, *once = row + w + pad + b->upper;
    memcpy(row, b->in.px + y * b->in.row, (size_t)w * sizeof *row);
    pfs_mirror_pad(row, w, pad, pad);
    if (b->twice)
        pfs_box_row(row - b->upper, once - b->upper, w + b->n - 1, b->n, 1.0 / (double)b->n);
    /* the second window is the first one reversed, so that the two together are symmetric */
    pfs_box_row(b->twice ? once + b->lower - b->upper : row, b->out.px + y * b->out.row, w, b->n, 1.0 / (double)b->n);
}

/* Where row i of the mirrored plane lies: in the ring of pixels, which holds the last rows read. */
static float *kept(const struct box *b, float *ring, int64_t i)
{
    return ring + pfs_mirror(i, b->in.h) % b->ring * b->columns;
}

/* Rows of the plane read into the ring: up to row `until`, if there is such a one. */
static void read_rows(const struct box *b, float *ring, int64_t x, int64_t w, int64_t *read, int64_t until)
{
    for (; *read <= until && *read < b->in.h; ++*read)
        memcpy(kept(b, ring, *read), b->in.px + *read * b->in.row + x, (size_t)w * sizeof *ring);
}

/* Down a strip, one box: i is the row of the result. */
static void box_strip(const struct box *b, float *ring, int64_t x, int64_t w)
{
    double *sum = (double *)(ring + b->ring * b->columns), scale = 1.0 / (double)b->n;
    int64_t read = 0;
    memset(sum, 0, (size_t)b->columns * sizeof *sum);
    read_rows(b, ring, x, w, &read, b->ring - 1);
    for (int64_t k = -b->lower; k <= b->upper; k++)
        add_row(sum, kept(b, ring, k), w);
    scale_row(sum, b->out.px + x, scale, w);
    for (int64_t i = 1; i < b->in.h; i++) {
        read_rows(b, ring, x, w, &read, i + b->upper);
        pfs_slide_row(sum, kept(b, ring, i + b->upper), kept(b, ring, i - 1 - b->lower),
                      b->out.px + i * b->out.row + x, scale, w);
    }
}

/* Down a strip, two boxes: i is the row of the first one's result, which runs beyond the plane on both sides; the
 * second one lags by `lower` rows. */
static void tri_strip(const struct box *b, float *ring, int64_t x, int64_t w)
{
    float *boxes = ring + b->ring * b->columns, *unused = boxes + (b->n + 1) * b->columns;
    double *sum = (double *)(unused + b->columns), *sum2 = sum + b->columns, scale = 1.0 / (double)b->n;
    int64_t read = 0;
    memset(boxes, 0, (size_t)((b->n + 2) * b->columns) * sizeof *boxes);
    memset(sum, 0, (size_t)(2 * b->columns) * sizeof *sum);
    read_rows(b, ring, x, w, &read, b->ring - 1);
    for (int64_t k = 0; k < b->n; k++)
        add_row(sum, kept(b, ring, k), w);
    for (int64_t i = -b->upper; i < b->in.h + b->lower; i++) {
        float *new = boxes + (i + b->upper) % (b->n + 1) * b->columns;
        const float *old = boxes + (i + b->upper + 1) % (b->n + 1) * b->columns;
        if (i == -b->upper) {
            scale_row(sum, new, scale, w);
        } else {
            read_rows(b, ring, x, w, &read, i + b->upper);
            pfs_slide_row(sum, kept(b, ring, i + b->upper), kept(b, ring, i - 1 - b->lower), new, scale, w);
        }
        float *out = i >= b->lower ? b->out.px + (i - b->lower) * b->out.row + x : unused;
        pfs_slide_row(sum2, new, old, out, scale, w);
    }
}

static void box_y_item(void *ctx, int64_t item, int thread)
{
    const struct box *b = ctx;
    int64_t x = item * b->columns, w = b->in.w - x < b->columns ? b->in.w - x : b->columns;
    float *ring = b->scratch + thread * b->size;
    if (b->twice)
        tri_strip(b, ring, x, w);
    else
        box_strip(b, ring, x, w);
}

void pfs_box_x(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads)
{
    struct box b = box(in, out, n, false, scratch);
    pfs_parallel(threads, in.h, box_x_row, &b);
}

void pfs_tri_x(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads)
{
    struct box b = box(in, out, n, true, scratch);
    pfs_parallel(threads, in.h, box_x_row, &b);
}

void pfs_box_y(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads)
{
    struct box b = box(in, out, n, false, scratch);
    pfs_parallel(threads, (in.w + b.columns - 1) / b.columns, box_y_item, &b);
}

void pfs_tri_y(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads)
{
    struct box b = box(in, out, n, true, scratch);
    pfs_parallel(threads, (in.w + b.columns - 1) / b.columns, box_y_item, &b);
}
