/* What the destripe operator's files share. */
#ifndef PLANEFS_OPS_DESTRIPE_H
#define PLANEFS_OPS_DESTRIPE_H

#include <planefs/ops.h>

enum destripe_direction { DESTRIPE_VERTICAL, DESTRIPE_HORIZONTAL };
enum destripe_method { DESTRIPE_PREDICT, DESTRIPE_LIMIT, DESTRIPE_RATIO, DESTRIPE_NEAREST };

struct destripe_params {
    int direction, adjust_beta;
    int64_t scales, details_len;
    double details_first, details_last, details_middle, details_mul;
    struct pfs_list method, bands_len, mask_len, max_angle, max_ratio, thresh_mul, weight;
};

struct destripe_scale {                     /* the parameters of one scale */
    int index;
    enum destripe_method method;
    int64_t bands_len, mask_len;            /* mask_len 0: weights are not smoothed */
    double max_angle, max_ratio, thresh_mul, weight;
};

struct destripe_state {                     /* of one plane, stripes along y */
    const struct destripe_params *p;
    int threads;
    struct pfs_plane low, detail;
    uint8_t *mask;                          /* h * w bytes, NULL: every pixel takes part */
    int64_t *count;                         /* how many of a row's pixels take part */
    double *squares;                        /* a row's sum of detail^2 */
    float *limit;                           /* a row's threshold */
};

struct destripe_scale destripe_scale(const struct destripe_params *p, int index);

/* Fill s->limit from s->squares and s->count. */
void destripe_thresholds(struct destripe_state *s, const struct destripe_scale *scale);

/* Estimate the bands in s->detail and take them out: from -> out, which may be one plane. -ENOMEM. */
int destripe_remove(struct destripe_state *s, const struct destripe_scale *scale, struct pfs_plane from,
                    struct pfs_plane out, struct pfs_err *err);

#endif
