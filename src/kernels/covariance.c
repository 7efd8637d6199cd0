/* Local covariance by sliding sums that only add.
 *
 * Down the columns, rows come in blocks of n; the window that ends at row k of a block is the sum of the last n-1-k
 * rows of the block before (a suffix, made when that block was full) and of the first k+1 of this one (a prefix, kept
 * running), as in the van Herk and Gil-Werman filters. Along a row windows double, by the binary digits of n. A slot
 * of the ring holds its row first and its suffix later. */
#include <planefs/kernels/covariance.h>

#include <planefs/kernels/clones.h>

/* Rows of scratch: n slots, the prefix, the column sums, the window sums; each for a, b and a*b. */
struct rows { double *a, *b, *ab; };

static struct rows rows(const struct pfs_covariance *c, int64_t i)
{
    int64_t w = c->w + c->n - 1;
    double *p = c->scratch + 3 * i * w;
    return (struct rows){p, p + w, p + 2 * w};
}

int64_t pfs_covariance_scratch(int64_t n, int64_t w)
{
    return 3 * (n + 3) * (w + n - 1);
}

struct pfs_covariance pfs_covariance(int64_t n, int64_t w, double *scratch)
{
    return (struct pfs_covariance){n, w, 0, scratch};
}

/* The row as doubles into its slot, and into the prefix: as its first row, or added. */
PFS_CLONES
static void begin_prefix(const float *a, const float *b, struct rows slot, struct rows prefix, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++) {
        slot.a[i] = prefix.a[i] = (double)a[i];
        slot.b[i] = prefix.b[i] = (double)b[i];
        slot.ab[i] = prefix.ab[i] = (double)a[i] * (double)b[i];
    }
}

PFS_CLONES
static void grow_prefix(const float *a, const float *b, struct rows slot, struct rows prefix, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++) {
        double ai = (double)a[i], bi = (double)b[i], ab = ai * bi;
        slot.a[i] = ai;
        slot.b[i] = bi;
        slot.ab[i] = ab;
        prefix.a[i] += ai;
        prefix.b[i] += bi;
        prefix.ab[i] += ab;
    }
}

PFS_CLONES
static void add(struct rows to, struct rows x, struct rows y, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++) {
        to.a[i] = x.a[i] + y.a[i];
        to.b[i] = x.b[i] + y.b[i];
        to.ab[i] = x.ab[i] + y.ab[i];
    }
}

/* From sums of m to sums of 2m (+ 1, of single pixels `one`), w of them; `to` may be `from`: only what lies ahead is
 * read. */
PFS_CLONES
static void widen(double *to, const double *from, const double *one, int64_t m, bool odd, int64_t w)
{
    if (odd) {
        PFS_IVDEP
        for (int64_t i = 0; i < w; i++)
            to[i] = from[i] + from[i + m] + one[i + 2 * m];
    } else {
        PFS_IVDEP
        for (int64_t i = 0; i < w; i++)
            to[i] = from[i] + from[i + m];
    }
}

PFS_INLINE float covariance(double a, double b, double ab, double scale)
{
    return (float)((ab - a * b * scale) * scale);
}

/* The last widening, from sums of m to sums of 2m + 1, and the covariance itself. n is odd, so 1 is always added. */
PFS_CLONES
static void finish_row(struct rows s, struct rows one, int64_t m, double scale, float *cov, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++)
        cov[i] = covariance(s.a[i] + s.a[i + m] + one.a[i + 2 * m], s.b[i] + s.b[i + m] + one.b[i + 2 * m],
                            s.ab[i] + s.ab[i + m] + one.ab[i + 2 * m], scale);
}

/* Covariances along a row of w + n - 1 column sums. */
static void along_row(const struct pfs_covariance *c, struct rows one, float *cov)
{
    const struct rows work = rows(c, c->n + 2);
    struct rows from = one;
    int64_t n = c->n, m = 1;
    for (int bit = 62 - __builtin_clzll((unsigned long long)n); bit > 0; bit--) {
        bool odd = n >> bit & 1;
        int64_t left = c->w + n - 2 * m - odd;
        widen(work.a, from.a, one.a, m, odd, left);
        widen(work.b, from.b, one.b, m, odd, left);
        widen(work.ab, from.ab, one.ab, m, odd, left);
        from = work;
        m = 2 * m + odd;
    }
    finish_row(from, one, m, 1.0 / (double)(n * n), cov, c->w);
}

bool pfs_covariance_push(struct pfs_covariance *c, const float *a, const float *b, float *cov)
{
    int64_t k = c->pushed % c->n, w = c->w + c->n - 1;
    struct rows prefix = rows(c, c->n), sums = rows(c, c->n + 1);
    bool full = ++c->pushed >= c->n;
    if (k == 0)
        begin_prefix(a, b, rows(c, k), prefix, w);
    else
        grow_prefix(a, b, rows(c, k), prefix, w);
    if (k + 1 == c->n) {
        along_row(c, prefix, cov);
        for (int64_t i = c->n - 2; i > 0; i--)
            add(rows(c, i), rows(c, i), rows(c, i + 1), w);
    } else if (full) {
        add(sums, prefix, rows(c, k + 1), w);
        along_row(c, sums, cov);
    }
    return full;
}
