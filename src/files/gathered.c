/* Hyperstacks of planes that are made of several: `pca/N.tif`, the first N components over the bands as channels, and
 * `projection/max.tif` and its like, along Z, or along T where Z is 1. Opened as a volume is; no display range is given,
 * so that ImageJ scales each channel by itself. */
#include "files/header.h"

#include <errno.h>

static int64_t n_planes(const struct pfs_name *n)
{
    return pfs_shape_planes(&n->view->shape);
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    return pfs_at_of(&n->view->shape, i);
}

static int check(const struct pfs_name *n, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    if (n->kind->number && n->n != s->c)
        return pfs_fail(err, ENOENT, "there are 1 to %lld components", (long long)n->dataset->shape.c);
    if (s->type == PFS_I64 || s->type == PFS_U64)
        return pfs_fail(err, EOPNOTSUPP, "ImageJ reads no %s samples", pfs_type_name(s->type));
    return 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int r = check(n, err);
    return r ? r : pfs_header_size(n, s->t, s->z, s->c, ret, err);
}

static int head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int r = check(n, err);
    return r ? r : pfs_header(n, s->t, s->z, s->c, big_endian, ret, err);
}

static bool has_bands(const struct pfs_dataset *d)
{
    return d->shape.c > 1;
}

static bool has_depth(const struct pfs_dataset *d)
{
    return d->shape.z > 1 || d->shape.t > 1;
}

const struct pfs_kind pfs_kind_pca_tif = {
    .pattern = "pca/{n}.tif",
    .doc = "the first components over the bands, a channel each",
    .view = "pca",
    .number = "components",
    .planes = true,
    .listed = true,
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
    .applies = has_bands,
};

#define PROJECTION(NAME, DOC) \
    .pattern = "projection/" NAME ".tif", .doc = DOC, .view = NAME, .planes = true, .listed = true, .size = size, \
    .head = head, .n_planes = n_planes, .plane = plane, .applies = has_depth

const struct pfs_kind pfs_kind_projection_max = {PROJECTION("max", "the largest value along Z, or T")};
const struct pfs_kind pfs_kind_projection_min = {PROJECTION("min", "the smallest value along Z, or T")};
const struct pfs_kind pfs_kind_projection_mean = {PROJECTION("mean", "the mean along Z, or T")};
const struct pfs_kind pfs_kind_projection_sum = {PROJECTION("sum", "the sum along Z, or T")};
const struct pfs_kind pfs_kind_projection_std = {PROJECTION("std", "the standard deviation along Z, or T")};
