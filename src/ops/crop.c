/* Operator crop: a rectangle of the plane. Any type, kept. */
#include <planefs/ops.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>

struct params { struct pfs_list roi; };

static const struct pfs_param table[] = {
    {.name = "roi", .unit = "pixels", .doc = "the part to keep, as y:x:height:width", .kind = PFS_INTS, .value = "none",
     .max = 1e12, .may_be_none = true, .offset = offsetof(struct params, roi)},
};

struct rectangle { int64_t y, x, h, w; };

static struct rectangle rectangle(const struct pfs_list *roi)
{
    return (struct rectangle){(int64_t)roi->v[0], (int64_t)roi->v[1], (int64_t)roi->v[2], (int64_t)roi->v[3]};
}

static int shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    const struct params *params = p;
    *ret = *in;
    if (params->roi.n == 0)
        return 0;
    if (params->roi.n != 4)
        return pfs_fail(err, ENOENT, "crop: roi takes four numbers, y:x:height:width");
    struct rectangle r = rectangle(&params->roi);
    if (r.h < 1 || r.w < 1)
        return pfs_fail(err, ENOENT, "crop: a roi of %" PRId64 " x %" PRId64 " pixels is empty", r.h, r.w);
    if (r.y < 0 || r.x < 0 || r.y > in->y - r.h || r.x > in->x - r.w)
        return pfs_fail(err, ENOENT, "crop: roi %" PRId64 ":%" PRId64 ":%" PRId64 ":%" PRId64
                        " leaves the plane of %" PRId64 " x %" PRId64 " pixels", r.y, r.x, r.h, r.w, in->y, in->x);
    ret->y = r.h;
    ret->x = r.w;
    return 0;
}

static int plane(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err)
{
    const struct params *params = p;
    struct pfs_typed part = *in;
    (void)model, (void)cx, (void)n, (void)err;
    if (params->roi.n == 4) {
        struct rectangle r = rectangle(&params->roi);
        part.px = (char *)in->px + r.y * in->row + r.x * (int64_t)pfs_type_size(in->type);
        part.h = r.h;
        part.w = r.w;
    }
    pfs_convert(part, out);
    return 0;
}

const struct pfs_op pfs_op_crop = {
    .name = "crop",
    .doc = "a rectangle of the plane",
    .rev = 1,
    .params = table,
    .n_params = sizeof table / sizeof *table,
    .params_size = sizeof(struct params),
    .shape = shape,
    .plane = plane,
};
