/* Operator invert: inverted contrast, as electron micrographs need it before correction. Any type, kept.
 *
 * An unsigned sample of b bits becomes (2^b - 1) - v. b is the depth in the source when that is less than the type's
 * (12 bits kept in uint16 invert within 0..4095), so the result keeps the source's range; else the type's own. */
#include <planefs/ops.h>

#include <planefs/kernels/pixelwise.h>
#include "kernels/parallel.h"

#include <stddef.h>

struct params { int on; };

static const struct pfs_param table[] = {
    {.name = "on", .doc = "invert the contrast", .kind = PFS_BOOL, .value = "1", .max = 1,
     .offset = offsetof(struct params, on)},
};

static int inverted_bits(enum pfs_type type, const struct pfs_context *cx)
{
    int all = 8 * (int)pfs_type_size(type);
    bool narrow = type == cx->source && cx->bits > 0 && cx->bits < all;
    return narrow && !pfs_type_is_signed(type) ? cx->bits : all;
}

static int shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    (void)p, (void)err;
    *ret = *in;
    return 0;
}

static int depends(const void *p, const struct pfs_context *cx, struct pfs_text *ret, struct pfs_err *err)
{
    const struct params *params = p;
    (void)err;
    if (params->on && inverted_bits(cx->source, cx) < 8 * (int)pfs_type_size(cx->source))
        pfs_text_addf(ret, "bits=%d", cx->bits);
    return 0;
}

struct job { struct pfs_typed in, out; int bits; };

static void invert_row(void *ctx, int64_t y, int thread)
{
    const struct job *j = ctx;
    (void)thread;
    pfs_invert_row(j->in.type, j->bits, (const char *)j->in.px + y * j->in.row, (char *)j->out.px + y * j->out.row,
                   j->in.w);
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct params *params = p;
    struct job job = {*in, out, inverted_bits(in->type, cx)};
    (void)model, (void)n, (void)err;
    if (params->on)
        pfs_parallel(cx->threads, in->h, invert_row, &job);
    else if (in->px != out.px)
        pfs_convert(*in, out);
    return 0;
}

const struct pfs_op pfs_op_invert = {
    .name = "invert",
    .doc = "inverted contrast: the largest value of the type minus the sample; 65535 minus the sample for floats",
    .rev = 1,
    .flags = PFS_OP_INPLACE,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .shape = shape,
    .depends = depends,
    .plane = plane,
};
