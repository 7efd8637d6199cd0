/* Otsu's threshold, and k-means on a line solved exactly.
 *
 * In one dimension clusters are contiguous, so D[k][j], the least cost of the first j values in k groups, is the minimum
 * over i of D[k-1][i] + cost(i, j); the best i rises with j, which divide and conquer uses. Costs come from prefix sums
 * of the values less their mean, so that they lose no digits to a common offset. */
#include <planefs/kernels/cluster.h>

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

double pfs_otsu(const double *centre, const uint64_t *count, int64_t n, double *scratch)
{
    int64_t first = 0, last = n - 1, best = -1;
    double *weight = scratch, *mean = scratch + n, *above = scratch + 2 * n, w = 0, s = 0, most = 0;
    while (first < n && !count[first])
        first++;
    while (last > first && !count[last])
        last--;
    if (first >= n)
        return NAN;
    for (int64_t i = first; i <= last; i++) {
        weight[i] = w += (double)count[i];
        mean[i] = (s += (double)count[i] * centre[i]) / w;
    }
    w = s = 0;
    for (int64_t i = last; i > first; i--) {
        w += (double)count[i];
        above[i] = (s += (double)count[i] * centre[i]) / w;
        mean[i - 1] -= above[i];
        above[i] = w;
    }
    for (int64_t i = first; i < last; i++) {
        double v = weight[i] * above[i + 1] * (mean[i] * mean[i]);
        if (best < 0 || v > most) {
            best = i;
            most = v;
        }
    }
    return centre[best < 0 ? first : best];
}

struct line {
    int64_t n;
    double shift, *w, *s, *q;        /* prefix sums of weights, of weighted values less the shift, and of their squares */
    double *before, *now;            /* D of the layer below and of this one */
    int32_t **from;                  /* per layer: where the last group of the first j values begins */
};

static double cost(const struct line *l, int64_t i, int64_t j)
{
    double w = l->w[j] - l->w[i], s = l->s[j] - l->s[i];
    double c = l->q[j] - l->q[i] - s * s / w;
    return c > 0 ? c : 0;
}

/* D of this layer for j = a .. b, knowing that the best beginnings lie in lo .. hi. */
static void solve(struct line *l, int32_t *from, int64_t a, int64_t b, int64_t lo, int64_t hi)
{
    while (a <= b) {
        int64_t j = a + (b - a) / 2, best = lo, last = j - 1 < hi ? j - 1 : hi;
        double least = INFINITY;
        for (int64_t i = lo; i <= last; i++) {
            double d = l->before[i] + cost(l, i, j);
            if (d < least) {
                least = d;
                best = i;
            }
        }
        l->now[j] = least;
        from[j] = (int32_t)best;
        solve(l, from, a, j - 1, lo, best);
        a = j + 1;
        lo = best;
    }
}

static void line_finish(struct line *l, int most)
{
    free(l->w);
    free(l->s);
    free(l->q);
    free(l->before);
    free(l->now);
    for (int k = 0; l->from && k <= most; k++)
        free(l->from[k]);
    free(l->from);
}

static int line_begin(struct line *l, const double *value, const double *weight, int64_t n, int most)
{
    double w = 0, s = 0;
    *l = (struct line){.n = n, .w = pfs_array(n + 1, 8), .s = pfs_array(n + 1, 8), .q = pfs_array(n + 1, 8),
                       .before = pfs_array(n + 1, 8), .now = pfs_array(n + 1, 8),
                       .from = pfs_array(most + 1, sizeof *l->from)};
    bool ok = l->w && l->s && l->q && l->before && l->now && l->from && n < INT32_MAX;
    for (int k = 1; ok && k <= most; k++)
        ok = (l->from[k] = pfs_array(n + 1, sizeof **l->from)) != NULL;
    if (!ok)
        return -ENOMEM;
    for (int64_t i = 0; i < n; i++) {
        w += weight[i];
        s += weight[i] * (value[i] - value[0]);
    }
    l->shift = n ? value[0] + s / w : 0;
    for (int64_t i = 0; i < n; i++) {
        double v = value[i] - l->shift;
        l->w[i + 1] = l->w[i] + weight[i];
        l->s[i + 1] = l->s[i] + weight[i] * v;
        l->q[i + 1] = l->q[i] + weight[i] * v * v;
    }
    for (int64_t j = 1; j <= n; j++)
        l->now[j] = cost(l, 0, j);
    return 0;
}

/* The centres of k groups: back along where each begins. */
static void read_centres(const struct line *l, int k, double *centre)
{
    int64_t j = l->n;
    int groups = k < l->n ? k : (int)l->n;
    for (int g = groups; g < k; g++)
        centre[g] = NAN;
    for (int g = groups; g >= 1; g--) {
        int64_t i = g > 1 ? l->from[g][j] : 0;
        centre[g - 1] = l->shift + (l->s[j] - l->s[i]) / (l->w[j] - l->w[i]);
        j = i;
    }
}

static int cluster(const double *value, const double *weight, int64_t n, int least, int most, double *const *centre,
                   struct pfs_err *err)
{
    struct line l;
    if (line_begin(&l, value, weight, n, most)) {
        line_finish(&l, most);
        return pfs_fail(err, ENOMEM, "no memory to cluster %lld values", (long long)n);
    }
    for (int k = 1; k <= most; k++) {
        if (k > 1 && k <= n) {
            double *d = l.before;
            l.before = l.now;
            l.now = d;
            solve(&l, l.from[k], k, n, k - 1, n - 1);
        }
        if (k >= least)
            read_centres(&l, k, centre[k - least]);
    }
    line_finish(&l, most);
    return 0;
}

int pfs_kmeans_line(const double *value, const double *weight, int64_t n, int k, double *centre, struct pfs_err *err)
{
    return cluster(value, weight, n, k, k, &centre, err);
}

int pfs_kmeans_lines(const double *value, const double *weight, int64_t n, int most, double *const *centre,
                     struct pfs_err *err)
{
    return cluster(value, weight, n, 2, most, centre, err);
}
