/* Mid-range by sliding minimum and maximum.
 *
 * Down the columns: van Herk and Gil-Werman. Rows come in blocks of n; a window that ends at row k of a block is the
 * last n-1-k rows of the block before (a suffix, made when that block was full) and the first k+1 of this one (a
 * prefix, kept running): three comparisons a pixel whatever n is. Along a row windows double: 1, 2, 4, ..., and two
 * overlapping ones make n. A slot of the ring holds its row first and its suffix later. */
#include <planefs/kernels/minmax.h>

#include <planefs/kernels/clones.h>

#include <string.h>

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
#define MOST(a, b) ((a) > (b) ? (a) : (b))

/* Rows of scratch: n slots and the prefix, each w + n - 1 wide, for minimum and maximum. */
struct rows { float *low, *high; };

static struct rows rows(const struct pfs_midrange *m, int64_t i)
{
    int64_t w = m->w + m->n - 1;
    return (struct rows){m->scratch + 2 * i * w, m->scratch + (2 * i + 1) * w};
}

int64_t pfs_midrange_scratch(int64_t n, int64_t w)
{
    return 2 * (n + 1) * (w + n - 1);
}

struct pfs_midrange pfs_midrange(int64_t n, int64_t w, float *scratch)
{
    return (struct pfs_midrange){n, w, 0, scratch};
}

/* The window from i to i + step, of windows that start at i: in place, because only what lies ahead is read. */
PFS_CLONES
static void widen(float *low, float *high, int64_t step, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++)
        low[i] = LEAST(low[i], low[i + step]);
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++)
        high[i] = MOST(high[i], high[i + step]);
}

static void along_row(const float *row, struct rows to, int64_t n, int64_t w)
{
    int64_t have = 1, left = w + n - 1;
    memcpy(to.low, row, (size_t)left * sizeof *row);
    memcpy(to.high, row, (size_t)left * sizeof *row);
    for (; 2 * have <= n; have *= 2)
        widen(to.low, to.high, have, left -= have);
    if (have < n)
        widen(to.low, to.high, n - have, w);
}

PFS_CLONES
static void join(struct rows a, struct rows b, int64_t w)
{
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++)
        a.low[i] = LEAST(a.low[i], b.low[i]);
    PFS_IVDEP
    for (int64_t i = 0; i < w; i++)
        a.high[i] = MOST(a.high[i], b.high[i]);
}

PFS_CLONES
static void middle(struct rows a, struct rows b, float *mid, int64_t w)
{
    for (int64_t i = 0; i < w; i++)
        mid[i] = (MOST(a.high[i], b.high[i]) + LEAST(a.low[i], b.low[i])) * 0.5f;
}

static void copy(struct rows to, struct rows from, int64_t w)
{
    memcpy(to.low, from.low, (size_t)w * sizeof *to.low);
    memcpy(to.high, from.high, (size_t)w * sizeof *to.high);
}

bool pfs_midrange_push(struct pfs_midrange *m, const float *row, float *mid)
{
    int64_t k = m->pushed % m->n;
    struct rows new = rows(m, k), prefix = rows(m, m->n);
    bool full = ++m->pushed >= m->n;
    along_row(row, new, m->n, m->w);
    if (k == 0)
        copy(prefix, new, m->w);
    else
        join(prefix, new, m->w);
    if (full)
        middle(prefix, k + 1 < m->n ? rows(m, k + 1) : prefix, mid, m->w);
    if (k + 1 == m->n)
        for (int64_t i = m->n - 2; i > 0; i--)
            join(rows(m, i), rows(m, i + 1), m->w);
    return full;
}
