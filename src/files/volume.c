/* All planes of a view in one file: `volume/VIEW.tif` as an ImageJ hyperstack, `volume/VIEW.npy` for NumPy.
 *
 * Planes stand in C order over t, z, c: channels fastest, as ImageJ wants them. The TIFF is for ImageJ, which reads no
 * 64-bit samples; the .npy has five axes always and a header of 8192 bytes, so that planes are aligned to pages and
 * Python's buffered read of the header ends in front of the first.
 * Format: numpy.lib.format, version 1.0. */
#include "files/header.h"

#include <errno.h>

enum { NPY_HEAD = 8192, NPY_PREFIX = 10 };

static int64_t n_planes(const struct pfs_name *n)
{
    return pfs_shape_planes(&n->view->shape);
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    return pfs_at_of(&n->view->shape, i);
}

static int for_imagej(const struct pfs_name *n, struct pfs_err *err)
{
    if (pfs_type_size(n->view->shape.type) <= 4)
        return 0;
    return pfs_fail(err, EOPNOTSUPP, "ImageJ reads no %s samples; volume/%s.npy has them",
                    pfs_type_name(n->view->shape.type), n->view->text);
}

static int tif_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int r = for_imagej(n, err);
    return r ? r : pfs_header_size(n, s->t, s->z, s->c, ret, err);
}

static int tif_head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int r = for_imagej(n, err);
    return r ? r : pfs_header(n, s->t, s->z, s->c, big_endian, ret, err);
}

static int npy_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int64_t one = pfs_shape_plane_bytes(&n->view->shape), many = n_planes(n);
    if (one < 0 || many < 0 || __builtin_mul_overflow(one, many, ret) || __builtin_add_overflow(*ret, NPY_HEAD, ret))
        return pfs_fail(err, EFBIG, "npy: the file would be longer than 2^63 bytes");
    return 0;
}

static int npy_head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    size_t start = ret->n, bytes = pfs_type_size(s->type);
    char kind = pfs_type_is_float(s->type) ? 'f' : pfs_type_is_signed(s->type) ? 'i' : 'u';
    char order = bytes == 1 ? '|' : big_endian ? '>' : '<';
    const uint8_t length[2] = {(NPY_HEAD - NPY_PREFIX) & 255, (NPY_HEAD - NPY_PREFIX) >> 8};
    pfs_text_bytes(ret, "\x93NUMPY\x01\x00", 8);
    pfs_text_bytes(ret, length, 2);
    pfs_text_addf(ret, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': (%lld, %lld, %lld, %lld, %lld), }", order,
                  kind, bytes, (long long)s->t, (long long)s->z, (long long)s->c, (long long)s->y, (long long)s->x);
    if (!ret->failed)
        pfs_text_fill(ret, ' ', start + NPY_HEAD - 1 - ret->n);
    pfs_text_add(ret, "\n");
    return ret->failed ? pfs_fail(err, ENOMEM, "npy: no memory for the header") : 0;
}

const struct pfs_kind pfs_kind_volume_tif = {
    .pattern = "volume/{view}.tif",
    .doc = "all planes of a view as one ImageJ hyperstack",
    .planes = true,
    .listed = true,
    .size = tif_size,
    .head = tif_head,
    .n_planes = n_planes,
    .plane = plane,
};

const struct pfs_kind pfs_kind_volume_npy = {
    .pattern = "volume/{view}.npy",
    .doc = "all planes of a view as a NumPy array (t, z, c, y, x)",
    .planes = true,
    .listed = true,
    .size = npy_size,
    .head = npy_head,
    .n_planes = n_planes,
    .plane = plane,
};
