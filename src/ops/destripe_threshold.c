/* The rows' thresholds of one scale: local energy of the detail plane, times a profile over the rows. */
#include "ops/destripe.h"

#include "kernels/real.h"
#include <planefs/kernels/conv.h>

#include <math.h>

static double ratio(double sum, double count)
{
    return count > 0 ? sum / count : 0.0;
}

/* X[y]: constant, linear, or a smooth step from first to last around `middle`. */
static double profile(const struct destripe_params *p, int64_t y, int64_t h)
{
    double at = h > 1 ? (double)y / (double)(h - 1) : 0.0;
    if (isnan(p->details_last))
        return p->details_first;
    if (isnan(p->details_middle))
        return p->details_first + (p->details_last - p->details_first) * at;
    double step = 1.0 + pfs_exp(p->details_mul * (at - p->details_middle));
    return p->details_last - (p->details_last - p->details_first) / step;
}

/* The largest float that is not above t: a float exceeds the one exactly when it exceeds the other. */
static float float_below(double t)
{
    float f = (float)t;
    return (double)f > t ? nextafterf(f, 0.0f) : f;
}

/* Mean of detail^2 over the details_len rows centred at y, mirrored. */
static double local_mean(const struct destripe_state *s, int64_t y)
{
    int64_t n = s->p->details_len;
    double sum = 0, pixels = 0;
    for (int64_t k = y - n / 2; k <= y + (n - 1) / 2; k++) {
        int64_t at = pfs_mirror(k, s->detail.h);
        sum += s->squares[at];
        pixels += (double)s->count[at];
    }
    return ratio(sum, pixels);
}

void destripe_thresholds(struct destripe_state *s, const struct destripe_scale *scale)
{
    int64_t h = s->detail.h;
    double sum = 0, pixels = 0;
    for (int64_t y = 0; y < h; y++) {
        sum += s->squares[y];
        pixels += (double)s->count[y];
    }
    double mean = ratio(sum, pixels);
    for (int64_t y = 0; y < h; y++) {
        double energy = s->p->details_len > 0 ? fmax(mean / 2, local_mean(s, y)) : mean;
        s->limit[y] = float_below(sqrt(energy) * profile(s->p, y, h) * scale->thresh_mul);
    }
}
