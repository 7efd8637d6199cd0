/* Puts together the TIFF header of planes of a view. */
#include "files/header.h"

#include "files/imagej.h"
#include "files/tiff_header.h"

#include <errno.h>
#include <string.h>

void pfs_header_recipe(const struct pfs_recipe *r, struct pfs_text *ret)
{
    if (!r->n)
        pfs_text_add(ret, "source");
    for (int i = 0; i < r->n; i++) {
        pfs_text_add(ret, i ? " | " : "");
        pfs_text_add(ret, r->step[i].text);
    }
}

static bool is_step(const struct pfs_recipe_step *s, const char *op)
{
    size_t n = strlen(op);
    return !strncmp(s->text, op, n) && s->text[n] == '/';
}

void pfs_header_range(const struct pfs_name *n, double range[2])
{
    const struct pfs_recipe *r = &n->view->recipe;
    const double *source = n->dataset->shape.cal.range, *own = n->view->shape.cal.range;
    int last = r->n - 1;
    while (last >= 0 && is_step(&r->step[last], "crop"))
        last--;
    range[0] = range[1] = 0;
    if (last < 0 || own[0] != source[0] || own[1] != source[1]) {
        memcpy(range, own, 2 * sizeof *range);
    } else if (n->view->shape.type == PFS_U8) {
        range[1] = is_step(&r->step[last], "contrast") || is_step(&r->step[last], "otsu") ? 255 : 0;
    }
}

/* The header's numbers; the description is written into `text`, which must outlive them. */
static int fill(const struct pfs_name *n, int64_t t, int64_t z, int64_t c, struct pfs_text *text, struct pfs_tiff *ret,
                struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text recipe = {0};
    struct pfs_shape s = n->view->shape;
    s.t = t;
    s.z = z;
    s.c = c;
    if (pfs_shape_planes(&s) < 0)
        return pfs_fail(err, EFBIG, "more than 2^63 planes");
    pfs_header_range(n, s.cal.range);
    pfs_header_recipe(&n->view->recipe, &recipe);
    if (!recipe.failed)
        pfs_imagej_describe(text, &s, recipe.s);
    if (recipe.failed || text->failed)
        return pfs_fail(err, ENOMEM, "no memory for a header");
    *ret = (struct pfs_tiff){
        .n = pfs_shape_planes(&s), .y = s.y, .x = s.x, .type = s.type, .description = text->s,
        .pixel = {s.cal.voxel[1], s.cal.voxel[2]},
    };
    return 0;
}

int pfs_header_size(const struct pfs_name *n, int64_t t, int64_t z, int64_t c, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct pfs_tiff tiff;
    struct pfs_tiff_layout at;
    int r = fill(n, t, z, c, &text, &tiff, err);
    if (!r)
        r = pfs_tiff_header_layout(&tiff, &at, err);
    if (!r)
        *ret = at.size;
    return r;
}

int pfs_header(const struct pfs_name *n, int64_t t, int64_t z, int64_t c, bool big_endian, struct pfs_text *ret,
               struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct pfs_tiff tiff;
    int r = fill(n, t, z, c, &text, &tiff, err);
    tiff.big_endian = big_endian;
    return r ? r : pfs_tiff_header(&tiff, ret, err);
}
