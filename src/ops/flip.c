/* Operator flip: the plane mirrored along y, x or both. Any type, kept. */
#include <planefs/ops.h>

#include <planefs/kernels/pixelwise.h>
#include "kernels/parallel.h"

#include <stddef.h>
#include <string.h>

enum axes { ALONG_Y, ALONG_X, ALONG_BOTH };

struct params { int axes; };

static const struct pfs_param table[] = {
    {.name = "axes", .doc = "the axes whose direction is reversed", .kind = PFS_CHOICE, .value = "y",
     .choices = "y x yx", .offset = offsetof(struct params, axes)},
};

static int shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    (void)p, (void)err;
    *ret = *in;
    return 0;
}

struct job { struct pfs_typed in, out; bool y, x; };

static void flip_row(void *ctx, int64_t y, int thread)
{
    const struct job *j = ctx;
    const void *from = (const char *)j->in.px + (j->y ? j->in.h - 1 - y : y) * j->in.row;
    void *to = (char *)j->out.px + y * j->out.row;
    (void)thread;
    if (j->x)
        pfs_reverse_row(j->in.type, from, to, j->in.w);
    else
        memcpy(to, from, (size_t)j->in.w * pfs_type_size(j->in.type));
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct params *params = p;
    struct job job = {*in, out, params->axes != ALONG_X, params->axes != ALONG_Y};
    (void)model, (void)n, (void)err;
    pfs_parallel(cx->threads, in->h, flip_row, &job);
    return 0;
}

const struct pfs_op pfs_op_flip = {
    .name = "flip",
    .doc = "the plane mirrored along y, x or both",
    .rev = 1,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .shape = shape,
    .plane = plane,
};
