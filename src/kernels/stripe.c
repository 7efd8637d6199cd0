/* Taking the bands of one scale out of a plane, in one pass over memory.
 *
 * A strip of columns slides down the plane. For a new row the weights' box sum is brought up to date from the runs of
 * the rows that enter and leave the window (sparse, in whole numbers of 2^-24, so exact), and summed along x. Source
 * and weight of the row go into rings; two running sums down the columns, the second one through a ring of its own,
 * make the triangle of their product, which lags by bands_len - 1 rows; there the row is finished. The rings fit the
 * third-level cache. With a mask the same two sums run over the mask. */
#include <planefs/kernels/stripe.h>

#include <planefs/kernels/clones.h>
#include <planefs/kernels/conv.h>
#include "kernels/parallel.h"

#include <string.h>

enum { LANE = 16, STRIP_BYTES = 8192 << 10, STRIP_MIN = 64, STRIP_MAX = 2048, PREFETCH_ROWS = 8 };

static const double ONE = 0x1p24;           /* weight 1 in the sums */

struct layout {                             /* floats of a thread's scratch, by part */
    int64_t columns, ring;                  /* a strip's width; rows of pixels kept */
    int64_t window, sums;                   /* columns of the weights' window sums; doubles of running sums */
    int64_t rows, bytes;                    /* rows of floats; all in all */
};

struct remove {
    const struct pfs_stripe *s;
    struct pfs_plane from, out;
    struct layout l;
    int64_t lower, upper, left, right;      /* windows: i - lower .. i + upper rows, x - left .. x + right */
    char *scratch;
};

struct strip {
    const struct remove *r;
    int64_t x0, w;                          /* columns of the plane */
    int64_t lo, hi;                         /* columns with a window sum: those and their neighbours */
    int64_t live;                           /* pieces of runs in the window */
    int64_t read;                           /* rows read so far */
    int64_t *window, *box;                  /* window[c - x0 + left] for column c; their sums along x */
    double *sum, *sum2, *msum, *msum2;
    float *ones, *source, *weight, *boxes, *mask, *mboxes;
};

static int64_t round_up(int64_t n)
{
    return (n + LANE - 1) / LANE * LANE;
}

static int64_t window_len(const struct pfs_stripe *s)
{
    return s->mask_len > 0 ? s->mask_len : 1;
}

static int64_t rings(const struct pfs_stripe *s, int64_t ring)
{
    return (s->mask ? 3 : 2) * ring + (s->mask ? 2 : 1) * (s->bands_len + 1);
}

static struct layout lay_out(const struct pfs_stripe *s, int threads)
{
    int64_t h = s->detail.h, w = s->detail.w;
    struct layout l = {.ring = s->bands_len < h ? s->bands_len + 1 : h};
    int64_t share = round_up(w / (threads > 1 ? threads : 1) + 1);
    l.columns = STRIP_BYTES / 4 / rings(s, l.ring) / LANE * LANE;
    l.columns = l.columns < share ? l.columns : share;
    l.columns = l.columns < STRIP_MIN ? STRIP_MIN : l.columns > STRIP_MAX ? STRIP_MAX : l.columns;
    if (l.columns > round_up(w) || window_len(s) > w)
        l.columns = round_up(w);
    l.window = round_up(l.columns + window_len(s));
    l.sums = 4 * l.columns;
    l.rows = rings(s, l.ring) + 1;
    l.bytes = (l.window + l.columns + l.sums) * 8 + l.rows * l.columns * 4;
    return l;
}

size_t pfs_stripe_scratch(const struct pfs_stripe *s, int threads)
{
    return (size_t)(threads > 1 ? threads : 1) * (size_t)lay_out(s, threads).bytes;
}

/* Add the runs of row y, times sign, to the window sums. */
static void add_runs(struct strip *p, const struct pfs_weighted_runs *r, int64_t y, int sign)
{
    const struct pfs_bits *bits = &r->runs.bits;
    if (!bits->word)
        return;
    const uint64_t *row = bits->word + y * bits->words;
    int64_t word = p->lo / 64, begin, end, id = r->runs.first[y * bits->words + word];
    if (word > 0 && row[word - 1] >> 63 && row[word] & 1)
        id--;                               /* a run from the left reaches in */
    struct pfs_run_walk walk = pfs_run_walk(row, bits->words, word);
    int64_t *window = p->window - p->x0 + p->r->left;
    for (; pfs_run_next(&walk, &begin, &end) && begin < p->hi; id++) {
        float weight = r->weight ? r->weight[id].w : r->same;
        int64_t lack = sign * (int64_t)((1.0 - (double)weight) * ONE + 0.5);
        begin = begin < p->lo ? p->lo : begin;
        end = end > p->hi ? p->hi : end;
        if (begin >= end || lack == 0)
            continue;
        for (int64_t x = begin; x < end; x++)
            window[x] += lack;
        p->live += sign;
    }
}

static void move_window(struct strip *p, int64_t y, int sign)
{
    int64_t at = pfs_mirror(y, p->r->out.h);
    add_runs(p, &p->r->s->runs[0], at, sign);
    add_runs(p, &p->r->s->runs[1], at, sign);
}

/* Window sums left and right of the plane, by mirroring. */
static void mirror_window(struct strip *p)
{
    int64_t *window = p->window - p->x0 + p->r->left, w = p->r->out.w;
    for (int64_t x = p->x0 - p->r->left; x < 0; x++)
        window[x] = window[pfs_mirror(x, w)];
    for (int64_t x = w; x < p->x0 + p->w + p->r->right; x++)
        window[x] = window[pfs_mirror(x, w)];
}

static void sum_along(const int64_t *in, int64_t *restrict out, int64_t w, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += in[i];
    out[0] = sum;
    for (int64_t x = 1; x < w; x++) {
        sum += in[x + n - 1] - in[x - 1];
        out[x] = sum;
    }
}

/* weight = 1 - box * scale; whole numbers below 2^51 become doubles by their place in the mantissa. */
PFS_CLONES
static void to_weight(const int64_t *restrict box, float *restrict weight, double scale, int64_t w)
{
    for (int64_t x = 0; x < w; x++) {
        union { int64_t i; double d; } n = {.i = box[x] + 0x4330000000000000};
        weight[x] = (float)(1.0 - (n.d - 0x1p52) * scale);
    }
}

static void make_weight(struct strip *p, float *weight)
{
    int64_t n = window_len(p->r->s);
    if (!p->live) {
        memcpy(weight, p->ones, (size_t)p->w * sizeof *weight);
        return;
    }
    mirror_window(p);
    sum_along(p->window, p->box, p->w, n);
    to_weight(p->box, weight, 1.0 / (ONE * (double)n * (double)n), p->w);
}

PFS_CLONES
static void clip_row(float *row, float t, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        row[x] = row[x] > t ? t : row[x] < -t ? -t : row[x];
}

static void prefetch_row(const struct pfs_plane *plane, int64_t y, int64_t x, int64_t w)
{
    if (y >= plane->h)
        return;
    for (int64_t i = 0; i < w; i += LANE)
        __builtin_prefetch(plane->px + y * plane->row + x + i);
}

/* A row of a ring of pixels, which holds the last rows read; y may lie outside the plane. */
static float *kept(const struct strip *p, float *ring, int64_t y)
{
    return ring + pfs_mirror(y, p->r->out.h) % p->r->l.ring * p->r->l.columns;
}

static void read_row(struct strip *p)
{
    const struct remove *r = p->r;
    int64_t y = p->read++;
    float *source = kept(p, p->source, y);
    prefetch_row(&r->s->source, y + PREFETCH_ROWS, p->x0, p->w);
    memcpy(source, r->s->source.px + y * r->s->source.row + p->x0, (size_t)p->w * sizeof *source);
    if (r->s->clip)
        clip_row(source, r->s->clip[y], p->w);
    if (y > 0) {
        move_window(p, y + r->right, 1);
        move_window(p, y - 1 - r->left, -1);
    }
    make_weight(p, kept(p, p->weight, y));
    if (r->s->mask) {
        float *mask = kept(p, p->mask, y);
        for (int64_t x = 0; x < p->w; x++)
            mask[x] = r->s->mask[y * r->out.w + p->x0 + x];
    }
}

static void read_rows(struct strip *p, int64_t until)
{
    while (p->read <= until && p->read < p->r->out.h)
        read_row(p);
}

/* sum += enter weight - leave weight, kept in box_new for as long as the second sum needs it. */
PFS_CLONES
static void slide(double *restrict sum, double *restrict sum2, const float *enter, const float *enter_weight,
                  const float *leave, const float *leave_weight, float *box_new, const float *box_old, int64_t w)
{
    PFS_IVDEP
    for (int64_t x = 0; x < w; x++) {
        float in = enter[x] * enter_weight[x], gone = leave[x] * leave_weight[x];
        double once = sum[x] + ((double)in - (double)gone);
        float box = (float)once;
        sum[x] = once;
        sum2[x] += (double)box - (double)box_old[x];
        box_new[x] = box;
    }
}

PFS_CLONES
static void add_product(double *restrict sum, const float *a, const float *b, int64_t w)
{
    for (int64_t x = 0; x < w; x++)
        sum[x] += (double)(a[x] * b[x]);
}

PFS_CLONES
static void finish(float *out, const float *from, const float *detail, const float *weight,
                   const double *restrict sum2, double detail_gain, double band_gain, int64_t w)
{
    PFS_IVDEP
    for (int64_t x = 0; x < w; x++)
        out[x] = (float)((double)from[x] - detail_gain * (double)detail[x] - band_gain * (double)weight[x] * sum2[x]);
}

PFS_CLONES
static void finish_masked(float *out, const float *from, const float *detail, const float *weight, const float *mask,
                          const double *restrict sum2, const double *restrict msum2, double detail_gain,
                          double band_gain, double scale, int64_t w)
{
    PFS_IVDEP
    for (int64_t x = 0; x < w; x++) {
        double band = sum2[x] * scale / (msum2[x] * scale + 0x1p-23);
        double less = detail_gain * (double)detail[x] + band_gain * (double)weight[x] * band;
        out[x] = mask[x] > 0 ? (float)((double)from[x] - less) : from[x];
    }
}

static void finish_row(struct strip *p, int64_t y)
{
    const struct remove *r = p->r;
    const struct pfs_stripe *s = r->s;
    const float *from = r->from.px + y * r->from.row + p->x0;
    const float *detail = s->detail.px + y * s->detail.row + p->x0;
    const float *weight = s->smooth ? kept(p, p->weight, y) : p->ones;
    float *out = r->out.px + y * r->out.row + p->x0;
    double scale = 1.0 / ((double)s->bands_len * (double)s->bands_len);
    prefetch_row(&r->from, y + PREFETCH_ROWS, p->x0, p->w);
    if (s->source.px == s->detail.px && !s->clip)
        detail = kept(p, p->source, y);
    if (s->mask)
        finish_masked(out, from, detail, weight, kept(p, p->mask, y), p->sum2, p->msum2, s->detail_gain, s->band_gain,
                      scale, p->w);
    else
        finish(out, from, detail, weight, p->sum2, s->detail_gain, s->band_gain * scale, p->w);
}

/* i: row of the first running sum, from -upper to h - 1 + lower. */
static void slide_to(struct strip *p, int64_t i)
{
    const struct remove *r = p->r;
    int64_t enter = i + r->upper, leave = i - 1 - r->lower, kept_boxes = r->s->bands_len + 1;
    int64_t new = (i + r->upper) % kept_boxes * r->l.columns, old = (i + r->upper + 1) % kept_boxes * r->l.columns;
    slide(p->sum, p->sum2, kept(p, p->source, enter), kept(p, p->weight, enter), kept(p, p->source, leave),
          kept(p, p->weight, leave), p->boxes + new, p->boxes + old, p->w);
    if (r->s->mask)
        slide(p->msum, p->msum2, kept(p, p->mask, enter), p->ones, kept(p, p->mask, leave), p->ones,
              p->mboxes + new, p->mboxes + old, p->w);
}

/* The first running sum before its first row, -upper: the window of the row above it, -upper - 1. */
static void first_sums(struct strip *p)
{
    const struct remove *r = p->r;
    for (int64_t k = -r->upper - 1 - r->lower; k < 0; k++) {
        add_product(p->sum, kept(p, p->source, k), kept(p, p->weight, k), p->w);
        if (r->s->mask)
            add_product(p->msum, kept(p, p->mask, k), p->ones, p->w);
    }
}

static void first_window(struct strip *p)
{
    for (int64_t y = -p->r->left; y <= p->r->right; y++)
        move_window(p, y, 1);
}

static struct strip strip(const struct remove *r, int64_t item, char *scratch)
{
    const struct layout *l = &r->l;
    struct strip p = {.r = r, .x0 = item * l->columns, .w = l->columns};
    if (p.x0 + p.w > r->out.w)
        p.w = r->out.w - p.x0;
    p.lo = p.x0 > r->left ? p.x0 - r->left : 0;
    p.hi = p.x0 + p.w + r->right < r->out.w ? p.x0 + p.w + r->right : r->out.w;
    memset(scratch, 0, (size_t)l->bytes);
    p.sum = (double *)scratch;
    p.sum2 = p.sum + l->columns;
    p.msum = p.sum2 + l->columns;
    p.msum2 = p.msum + l->columns;
    p.window = (int64_t *)(p.msum2 + l->columns);
    p.box = p.window + l->window;
    p.ones = (float *)(p.box + l->columns);
    p.source = p.ones + l->columns;
    p.weight = p.source + l->ring * l->columns;
    p.boxes = p.weight + l->ring * l->columns;
    p.mask = p.boxes + (r->s->bands_len + 1) * l->columns;
    p.mboxes = p.mask + l->ring * l->columns;
    for (int64_t x = 0; x < l->columns; x++)
        p.ones[x] = 1.0f;
    return p;
}

static void remove_strip(void *ctx, int64_t item, int thread)
{
    const struct remove *r = ctx;
    struct strip p = strip(r, item, r->scratch + thread * r->l.bytes);
    first_window(&p);
    read_rows(&p, r->l.ring - 1);
    first_sums(&p);
    for (int64_t i = -r->upper; i < r->out.h + r->lower; i++) {
        read_rows(&p, i + r->upper);
        slide_to(&p, i);
        if (i >= r->lower)
            finish_row(&p, i - r->lower);
    }
}

void pfs_stripe_remove(const struct pfs_stripe *s, struct pfs_plane from, struct pfs_plane out, void *scratch,
                       int threads)
{
    struct remove r = {.s = s, .from = from, .out = out, .l = lay_out(s, threads),
                       .lower = s->bands_len / 2, .upper = (s->bands_len - 1) / 2,
                       .left = window_len(s) / 2, .right = (window_len(s) - 1) / 2, .scratch = scratch};
    pfs_parallel(threads, (out.w + r.l.columns - 1) / r.l.columns, remove_strip, &r);
}
