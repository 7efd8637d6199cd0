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

/* Sums over the details_len rows centred at a row, mirrored, as the window slides down. */
struct window {
    double squares, count;
};

static void move(const struct destripe_state *s, struct window *w, int64_t y, int sign)
{
    int64_t at = pfs_mirror(y, s->detail.h);
    w->squares += sign * s->squares[at];
    w->count += sign * (double)s->count[at];
}

/* Mean of detail^2 over the plane. */
static double plane_mean(const struct destripe_state *s)
{
    struct window w = {0};
    for (int64_t y = 0; y < s->detail.h; y++)
        move(s, &w, y, 1);
    return ratio(w.squares, w.count);
}

void destripe_thresholds(struct destripe_state *s, const struct destripe_scale *scale)
{
    int64_t h = s->detail.h, above = s->p->details_len / 2, below = (s->p->details_len - 1) / 2;
    double mean = plane_mean(s), energy = mean;
    struct window w = {0};
    for (int64_t y = -above; y < below; y++)
        move(s, &w, y, 1);
    for (int64_t y = 0; y < h; y++) {
        if (s->p->details_len > 0) {
            move(s, &w, y + below, 1);
            energy = fmax(mean / 2, ratio(w.squares, w.count));
            move(s, &w, y - above, -1);
        }
        s->limit[y] = float_below(sqrt(energy) * profile(s->p, y, h) * scale->thresh_mul);
    }
}
