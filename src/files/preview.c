/* `preview/NAME.png`: a plane at a glance, at most PREVIEW_SIDE pixels long, 8-bit.
 *
 * A pixel is the mean of the box of samples it covers; boxes part the plane without gaps. Contrast is stretched so that
 * 0.35 % of the preview's pixels saturate, half of them at each end (as ImageJ's Enhance Contrast does). NaN takes no
 * part and is black. */
#include "files/png.h"
#include "files/report.h"
#include "files/samples.h"

#include <planefs/mem.h>
#include <planefs/plane.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PREVIEW_SIDE = 512, READ_BYTES = 1 << 20 };
static const double saturated = 0.0035;

struct preview {
    const struct pfs_shape *s;
    int64_t h, w, most;              /* of the preview; rows read at a time */
    char *px;                        /* `most` rows of the plane */
    double *row;                     /* a row of it */
    double *sum, *count;             /* of the boxes of one preview row */
    double *mean;                    /* h * w */
};

/* Long side `side` at most, the other to scale. */
static void extent(const struct pfs_shape *s, int64_t *h, int64_t *w)
{
    double longer = (double)(s->y > s->x ? s->y : s->x), scale = longer > PREVIEW_SIDE ? PREVIEW_SIDE / longer : 1;
    *h = llround((double)s->y * scale);
    *w = llround((double)s->x * scale);
    *h = *h < 1 ? 1 : *h;
    *w = *w < 1 ? 1 : *w;
}

static void finish(struct preview *p)
{
    free(p->px);
    free(p->row);
    free(p->sum);
    free(p->count);
    free(p->mean);
}

static int begin(struct preview *p, const struct pfs_shape *s, struct pfs_err *err)
{
    int64_t bytes = s->x * (int64_t)pfs_type_size(s->type);
    *p = (struct preview){.s = s, .most = bytes < READ_BYTES ? READ_BYTES / bytes : 1};
    extent(s, &p->h, &p->w);
    p->px = malloc((size_t)(p->most * bytes));
    p->row = pfs_array(s->x, sizeof *p->row);
    p->sum = pfs_array(p->w, sizeof *p->sum);
    p->count = pfs_array(p->w, sizeof *p->count);
    p->mean = pfs_array(p->h * p->w, sizeof *p->mean);
    if (p->px && p->row && p->sum && p->count && p->mean)
        return 0;
    finish(p);
    return pfs_fail(err, ENOMEM, "no memory for a preview");
}

/* Add a row of the plane to the boxes it lies in. */
static void add_row(struct preview *p, char *px)
{
    const struct pfs_shape *s = p->s;
    pfs_convert((struct pfs_typed){s->type, px, 0, 1, s->x}, (struct pfs_typed){PFS_F64, p->row, 0, 1, s->x});
    for (int64_t i = 0, x = 0; i < p->w; i++)
        for (int64_t end = (i + 1) * s->x / p->w; x < end; x++)
            if (isfinite(p->row[x])) {
                p->sum[i] += p->row[x];
                p->count[i]++;
            }
}

static void end_boxes(struct preview *p, int64_t j)
{
    for (int64_t i = 0; i < p->w; i++) {
        p->mean[j * p->w + i] = p->count[i] > 0 ? p->sum[i] / p->count[i] : NAN;
        p->sum[i] = p->count[i] = 0;
    }
}

static int reduce(struct preview *p, struct pfs_pixels *pixels, struct pfs_err *err)
{
    const struct pfs_shape *s = p->s;
    int64_t bytes = s->x * (int64_t)pfs_type_size(s->type), j = 0;
    for (int64_t y = 0; y < s->y; y++) {
        int64_t at = y % p->most, left = s->y - y, rows = left < p->most ? left : p->most;
        int r = at ? 0 : pfs_samples_read(pixels, s->type, y * s->x, rows * s->x, p->px, err);
        if (r)
            return r;
        add_row(p, p->px + at * bytes);
        if (y + 1 == (j + 1) * s->y / p->h)
            end_boxes(p, j++);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Black and white of the stretch; both the same where the preview is of one value. */
static int levels(const struct preview *p, double *black, double *white)
{
    PFS_AUTO_FREE double *v = pfs_array(p->h * p->w, sizeof *v);
    int64_t n = 0;
    if (!v)
        return -ENOMEM;
    for (int64_t i = 0; i < p->h * p->w; i++)
        if (!isnan(p->mean[i]))
            v[n++] = p->mean[i];
    *black = *white = 0;
    if (!n)
        return 0;
    qsort(v, (size_t)n, sizeof *v, compare);
    int64_t cut = (int64_t)((double)n * saturated / 2);
    bool flat = v[cut] >= v[n - 1 - cut];           /* a few bright spots on one value: show them */
    *black = v[flat ? 0 : cut];
    *white = v[flat ? n - 1 : n - 1 - cut];
    return 0;
}

static int stretch(const struct preview *p, struct pfs_text *ret, struct pfs_err *err)
{
    double black, white;
    PFS_AUTO_FREE uint8_t *px = calloc((size_t)p->h, (size_t)p->w);
    if (!px || levels(p, &black, &white))
        return pfs_fail(err, ENOMEM, "no memory for a preview");
    for (int64_t i = 0; i < p->h * p->w && white > black; i++) {
        double v = (p->mean[i] - black) / (white - black) * 255;
        px[i] = v > 0 ? (uint8_t)(fmin(v, 255) + 0.5) : 0;
    }
    pfs_png(ret, px, p->h, p->w);
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a preview") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int64_t h, w;
    (void)err;
    extent(&n->view->shape, &h, &w);
    *ret = pfs_png_size(h, w);
    return 0;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    struct preview p;
    struct pfs_pixels *pixels;
    (void)table;
    int r = begin(&p, &n->view->shape, err);
    if (r)
        return r;
    r = pfs_samples_open(e, n->view, n->at, &pixels, err);
    if (!r) {
        r = reduce(&p, pixels, err);
        pfs_pixels_unref(pixels);
    }
    if (!r)
        r = stretch(&p, ret, err);
    finish(&p);
    return r;
}

static int64_t n_planes(const struct pfs_name *n)
{
    (void)n;
    return 1;
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    (void)i;
    return n->at;
}

const struct pfs_kind pfs_kind_preview = {
    .pattern = "preview/{name}.png",
    .doc = "a plane at a glance: at most 512 pixels long, contrast stretched",
    .view = "source",
    .listed = true,
    .size = size,
    .n_planes = n_planes,
    .plane = plane,
    .text = text,
};
