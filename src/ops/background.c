/* Operator background: subtract a section's offset and the smooth background polynomial of the whole stack.
 *
 * The model is a polynomial in (zn, yn, xn), coordinates 0..1 over the stack. For one section zn is a number: it is
 * folded into coefficients over (yn, xn) first; each row folds yn in, and a pixel costs one Horner step per power of
 * xn. The constant term is left out on purpose: offsets carry the level. Without tables the plane passes unchanged. */
#include <planefs/ops.h>

#include <planefs/kernels/pixelwise.h>
#include "kernels/parallel.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

struct params { int offsets, polynomial; };

static const struct pfs_param table[] = {
    {.name = "offsets", .doc = "subtract the section's offset (info.h5)", .kind = PFS_BOOL, .value = "1", .max = 1,
     .offset = offsetof(struct params, offsets)},
    {.name = "polynomial", .doc = "subtract the background polynomial (polymodel.h5)", .kind = PFS_BOOL, .value = "1",
     .max = 1, .offset = offsetof(struct params, polynomial)},
};

enum { POWERS = 33 };             /* exponents 0 .. 32, as the tables allow */

/* What is subtracted from one section: offset + sum of c[b][a] yn^b xn^a. */
struct section {
    bool has_offset, has_polynomial;
    double offset;
    int degree_y, degree_x;
    double c[POWERS][POWERS];
};

static double power(double v, int n)
{
    double p = 1;
    for (; n > 0; n--)
        p *= v;
    return p;
}

/* The length of one pixel in coordinates that run from 0 to 1 over n of them. */
static double unit(int64_t n)
{
    return n > 1 ? 1.0 / (double)(n - 1) : 0.0;
}

static int fold_offset(const struct pfs_context *cx, struct section *s, struct pfs_err *err)
{
    const struct pfs_tables *t = cx->tables;
    if (cx->z < 0 || cx->z >= t->n_offset)
        return pfs_fail(err, EIO, "background: no offset for section %" PRId64 ", the table has %" PRId64 " (from 0)",
                        cx->z, t->n_offset);
    if (!isfinite(t->offset[cx->z]))
        return pfs_fail(err, EIO, "background: the offset of section %" PRId64 " is not a number", cx->z);
    s->has_offset = true;
    s->offset = (double)t->offset[cx->z];
    return 0;
}

static int fold_term(const int exponent[3], double c, double zn, struct section *s, struct pfs_err *err)
{
    int a = exponent[0], b = exponent[1], z = exponent[2];
    if (!isfinite(c))
        return pfs_fail(err, EIO, "background: a coefficient of the polynomial is not a number");
    if (a < 0 || b < 0 || z < 0 || a >= POWERS || b >= POWERS || z >= POWERS)
        return pfs_fail(err, EIO, "background: exponents x^%d y^%d z^%d are not within 0..%d", a, b, z, POWERS - 1);
    if (a == 0 && b == 0 && z == 0)
        return 0;
    s->c[b][a] += c * power(zn, z);
    s->degree_x = a > s->degree_x ? a : s->degree_x;
    s->degree_y = b > s->degree_y ? b : s->degree_y;
    return 0;
}

static int fold(const struct params *p, const struct pfs_context *cx, struct section *s, struct pfs_err *err)
{
    const struct pfs_tables *t = cx->tables;
    int code = 0;
    memset(s, 0, sizeof *s);
    if (!t)
        return 0;
    if (p->offsets && t->offset)
        code = fold_offset(cx, s, err);
    s->has_polynomial = p->polynomial && t->n_terms > 0;
    double zn = (double)cx->z * unit(cx->full[0] > 0 ? cx->full[0] : t->n_offset);
    for (int i = 0; !code && s->has_polynomial && i < t->n_terms; i++)
        code = fold_term(t->exponent[i], t->coefficient[i], zn, s, err);
    return code;
}

static int depends(const void *p, const struct pfs_context *cx, struct pfs_text *ret, struct pfs_err *err)
{
    struct section s;
    int code = fold(p, cx, &s, err);
    if (code)
        return code;
    if (s.has_offset)
        pfs_text_addf(ret, "offset=%.17g", s.offset);
    if (!s.has_polynomial)
        return 0;
    pfs_text_addf(ret, "%sy0=%" PRId64 " x0=%" PRId64 " ny=%" PRId64 " nx=%" PRId64 " polynomial=",
                  s.has_offset ? " " : "", cx->y0, cx->x0, cx->full[1], cx->full[2]);
    for (int b = 0; b <= s.degree_y; b++)
        for (int a = 0; a <= s.degree_x; a++)
            pfs_text_addf(ret, "%s%.17g", a ? ":" : b ? "," : "", s.c[b][a] + 0.0);
    return 0;
}

struct job {
    const struct section *s;
    const struct pfs_context *cx;
    struct pfs_typed in, out;
};

static void subtract_row(void *ctx, int64_t y, int thread)
{
    const struct job *j = ctx;
    const struct section *s = j->s;
    double yn = (double)(j->cx->y0 + y) * unit(j->cx->full[1]), c[POWERS];
    (void)thread;
    for (int a = 0; a <= s->degree_x; a++) {
        c[a] = s->c[s->degree_y][a];
        for (int b = s->degree_y - 1; b >= 0; b--)
            c[a] = c[a] * yn + s->c[b][a];
    }
    c[0] += s->offset;
    pfs_subtract_polynomial_row((const float *)((const char *)j->in.px + y * j->in.row),
                                (float *)((char *)j->out.px + y * j->out.row), j->in.w, c, s->degree_x,
                                (double)j->cx->x0, unit(j->cx->full[2]));
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    struct section s;
    struct job job = {&s, cx, *in, out};
    (void)model, (void)n;
    int code = fold(p, cx, &s, err);
    if (code)
        return code;
    if (s.has_offset || s.has_polynomial)
        pfs_parallel(cx->threads, in->h, subtract_row, &job);
    else if (in->px != out.px)
        pfs_convert(*in, out);
    return 0;
}

const struct pfs_op pfs_op_background = {
    .name = "background",
    .doc = "subtract the section's offset and the background polynomial; unchanged where there are no tables",
    .paper = "Kreinin et al., High-fidelity image restoration of large 3D electron microscopy volume, "
             "bioRxiv 2023.09.14.557785",
    .rev = 1,
    .flags = PFS_OP_FLOAT | PFS_OP_INPLACE | PFS_OP_TABLES,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .depends = depends,
    .plane = plane,
};
