/* `volume/VIEW.bsq` and `volume/VIEW.hdr`: all planes of a view as an ENVI image, band sequential, little-endian.
 *
 * The planes of t, z, c are the bands of one image; names and wavelengths of bands are given where the bands are the
 * channels of a single (t, z).
 * Format: ENVI header files (NV5 Geospatial). */
#include "files/header.h"
#include "files/imagej.h"
#include "files/json.h"

#include <planefs/version.h>

#include <errno.h>
#include <math.h>
#include <string.h>

static const int data_type[PFS_N_TYPES] = {
    [PFS_U8] = 1, [PFS_U16] = 12, [PFS_U32] = 13, [PFS_U64] = 15, [PFS_I16] = 2, [PFS_I32] = 3, [PFS_I64] = 14,
    [PFS_F32] = 4, [PFS_F64] = 5
};

static int readable(const struct pfs_name *n, struct pfs_err *err)
{
    enum pfs_type type = n->view->shape.type;
    return data_type[type] ? 0 : pfs_fail(err, EOPNOTSUPP, "ENVI has no %s samples", pfs_type_name(type));
}

static int64_t n_planes(const struct pfs_name *n)
{
    return pfs_shape_planes(&n->view->shape);
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    return pfs_at_of(&n->view->shape, i);
}

static int bsq_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int64_t one = pfs_shape_plane_bytes(&n->view->shape), many = n_planes(n);
    if (one < 0 || many < 0 || __builtin_mul_overflow(one, many, ret))
        return pfs_fail(err, EFBIG, "envi: the file would be longer than 2^63 bytes");
    return readable(n, err);
}

/* Text inside braces: what would end or part it becomes '_', as do bytes beyond ASCII. */
static void plain(struct pfs_text *t, const char *s)
{
    for (; *s; s++)
        pfs_text_bytes(t, *s >= 0x20 && *s < 0x7f && !strchr("{},;", *s) ? s : "_", 1);
}

static void number(struct pfs_text *t, double v)
{
    char text[PFS_NUMBER_MAX];
    pfs_number(v, text);
    pfs_text_add(t, text);
}

static void names(struct pfs_text *t, const struct pfs_dataset *d)
{
    pfs_text_add(t, "band names = {");
    for (int64_t c = 0; c < d->shape.c; c++) {
        pfs_text_add(t, c ? ", " : "");
        if (d->band_name[c])
            plain(t, d->band_name[c]);
        else
            pfs_text_addf(t, "Band %lld", (long long)(d->first[2] + c));
    }
    pfs_text_add(t, "}\n");
}

static void wavelengths(struct pfs_text *t, const struct pfs_dataset *d)
{
    for (int64_t c = 0; c < d->shape.c; c++)
        if (!isfinite(d->wavelength[c]))
            return;
    pfs_text_add(t, "wavelength units = Nanometers\nwavelength = {");
    for (int64_t c = 0; c < d->shape.c; c++) {
        pfs_text_add(t, c ? ", " : "");
        number(t, d->wavelength[c]);
    }
    pfs_text_add(t, "}\n");
}

static void compose(const struct pfs_name *n, struct pfs_text *t)
{
    const struct pfs_dataset *d = n->dataset;
    const struct pfs_shape *s = &n->view->shape;
    PFS_AUTO_TEXT struct pfs_text recipe = {0};
    pfs_header_recipe(&n->view->recipe, &recipe);
    pfs_text_add(t, "ENVI\ndescription = {planefs=" PLANEFS_VERSION " ");
    plain(t, recipe.failed ? "" : recipe.s);
    pfs_text_addf(t, "}\nsamples = %lld\nlines = %lld\nbands = %lld\nheader offset = 0\nfile type = ENVI Standard\n"
                  "data type = %d\ninterleave = bsq\nbyte order = 0\n", (long long)s->x, (long long)s->y,
                  (long long)n_planes(n), data_type[s->type]);
    if (n_planes(n) == s->c && s->c == d->shape.c) {
        if (d->band_name)
            names(t, d);
        if (d->wavelength)
            wavelengths(t, d);
    }
    if (d->has_nodata && isfinite(d->nodata) && !n->view->recipe.n) {
        pfs_text_add(t, "data ignore value = ");
        number(t, d->nodata);
        pfs_text_add(t, "\n");
    }
    t->failed = t->failed || recipe.failed;
}

static int hdr_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    int r = readable(n, err);
    if (r)
        return r;
    compose(n, &t);
    *ret = (int64_t)t.n;
    return t.failed ? pfs_fail(err, ENOMEM, "no memory for a header") : 0;
}

static int hdr_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                    struct pfs_err *err)
{
    (void)e;
    (void)table;
    compose(n, ret);
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a header") : 0;
}

const struct pfs_kind pfs_kind_volume_bsq = {
    .pattern = "volume/{view}.bsq",
    .doc = "all planes of a view as raw samples, for ENVI and others",
    .planes = true,
    .listed = true,
    .size = bsq_size,
    .n_planes = n_planes,
    .plane = plane,
};

const struct pfs_kind pfs_kind_volume_hdr = {
    .pattern = "volume/{view}.hdr",
    .doc = "the ENVI header of the .bsq beside it",
    .listed = true,
    .size = hdr_size,
    .text = hdr_text,
};
