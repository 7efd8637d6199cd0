/* `volume/VIEW.ome.tif`: all planes of a view as an OME-TIFF, every IFD in the chain; a BigTIFF beyond 4 GiB.
 *
 * The OME-XML is plain ASCII. Pixel sizes are given in the units OME knows, otherwise left out; the recipe stands in
 * the image's Description. OME has no 64-bit integers.
 * Format: OME schema 2016-06, ome-tiff specification. */
#include "files/header.h"
#include "files/imagej.h"
#include "files/json.h"
#include "files/tiff_header.h"

#include <planefs/version.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char schema[] = "http://www.openmicroscopy.org/Schemas/OME/2016-06";

static const char *const types[PFS_N_TYPES] = {
    [PFS_U8] = "uint8", [PFS_U16] = "uint16", [PFS_U32] = "uint32", [PFS_I8] = "int8", [PFS_I16] = "int16",
    [PFS_I32] = "int32", [PFS_F32] = "float", [PFS_F64] = "double"
};

/* Text as XML in ASCII; characters that XML cannot hold become '?'. The decoding is left to the JSON escapes of text.h:
 * \uXXXX, in pairs beyond 0xffff. */
static void xml(struct pfs_text *t, const char *s)
{
    PFS_AUTO_TEXT struct pfs_text json = {0};
    pfs_text_json(&json, s);
    for (const char *p = json.failed ? "" : json.s + 1; *p && p[1]; p++) {
        unsigned u = (unsigned char)*p, low;
        if (*p == '\\' && p[1] != 'u') {
            u = (unsigned char)*++p;
        } else if (*p == '\\' && sscanf(p, "\\u%4x", &u) == 1) {
            p += 5;
            if (u >= 0xd800 && u < 0xdc00 && sscanf(p + 1, "\\u%4x", &low) == 1) {
                u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
                p += 6;
            }
        }
        if (u < 0x20 || u == 0x7f || u == 0xfffe || u == 0xffff)
            pfs_text_add(t, "?");
        else if (u > 0x7e || u == '<' || u == '>' || u == '&' || u == '"')
            pfs_text_addf(t, "&#%u;", u);
        else
            pfs_text_addf(t, "%c", (int)u);
    }
    t->failed = t->failed || json.failed;
}

static void attribute(struct pfs_text *t, const char *name, double v)
{
    char number[PFS_NUMBER_MAX];
    if (!isfinite(v) || v <= 0)
        return;
    pfs_number(v, number);
    pfs_text_addf(t, " %s=\"%s\"", name, number);
}

/* OME's name of a unit of length; "" for micrometres, its default; NULL when it has none. */
static const char *ome_unit(const char *unit)
{
    static const char *const same[] = {"pm", "nm", "mm", "cm", "m", "km", "pixel"};
    if (!strcmp(pfs_imagej_unit(unit), "um"))
        return "";
    if (!strcmp(unit, "inch") || !strcmp(unit, "in"))
        return "in";
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(unit, same[i]))
            return same[i];
    return NULL;
}

static void calibration(struct pfs_text *t, const struct pfs_calibration *cal)
{
    static const char axes[] = "ZYX";
    const char *unit = ome_unit(cal->unit);
    for (int i = 2; unit && i >= 0; i--) {
        const char name[] = {'P', 'h', 'y', 's', 'i', 'c', 'a', 'l', 'S', 'i', 'z', 'e', axes[i], 0};
        attribute(t, name, cal->voxel[i]);
        if (*unit && cal->voxel[i] > 0 && isfinite(cal->voxel[i]))
            pfs_text_addf(t, " %sUnit=\"%s\"", name, unit);
    }
    attribute(t, "TimeIncrement", cal->interval);
}

static void channels(struct pfs_text *t, const struct pfs_name *n)
{
    const struct pfs_dataset *d = n->dataset;
    bool named = d->band_name && n->view->shape.c == d->shape.c;
    for (int64_t c = 0; c < n->view->shape.c; c++) {
        pfs_text_addf(t, "<Channel ID=\"Channel:0:%lld\" SamplesPerPixel=\"1\"", (long long)c);
        if (named && d->band_name[c]) {
            pfs_text_add(t, " Name=\"");
            xml(t, d->band_name[c]);
            pfs_text_add(t, "\"");
        }
        pfs_text_add(t, "/>");
    }
}

/* As long for either byte order. */
static void document(struct pfs_text *t, const struct pfs_name *n, bool big_endian)
{
    PFS_AUTO_TEXT struct pfs_text recipe = {0};
    const struct pfs_shape *s = &n->view->shape;
    pfs_header_recipe(&n->view->recipe, &recipe);
    pfs_text_addf(t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OME xmlns=\"%s\" "
                  "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"%s %s/ome.xsd\">",
                  schema, schema, schema);
    pfs_text_add(t, "<Image ID=\"Image:0\" Name=\"");
    xml(t, n->dataset->name);
    pfs_text_add(t, "\"><Description>planefs=" PLANEFS_VERSION " ");
    xml(t, recipe.failed ? "" : recipe.s);
    pfs_text_addf(t, "</Description><Pixels ID=\"Pixels:0\" DimensionOrder=\"XYCZT\" Type=\"%s\" SizeX=\"%lld\" "
                  "SizeY=\"%lld\" SizeC=\"%lld\" SizeZ=\"%lld\" SizeT=\"%lld\" BigEndian=\"%s",
                  types[s->type], (long long)s->x, (long long)s->y, (long long)s->c, (long long)s->z, (long long)s->t,
                  big_endian ? "true\" " : "false\"");
    calibration(t, &s->cal);
    pfs_text_add(t, ">");
    channels(t, n);
    pfs_text_add(t, "<TiffData/></Pixels></Image></OME>");
    t->failed = t->failed || recipe.failed;
}

/* The document is written into `text`, which must outlive the numbers. */
static int fill(const struct pfs_name *n, bool big_endian, struct pfs_text *text, struct pfs_tiff *ret,
                struct pfs_tiff_layout *at, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    if (!types[s->type])
        return pfs_fail(err, EOPNOTSUPP, "OME has no %s samples; volume/%s.npy has them", pfs_type_name(s->type),
                        n->view->text);
    if (pfs_shape_planes(s) < 0)
        return pfs_fail(err, EFBIG, "more than 2^63 planes");
    document(text, n, big_endian);
    if (text->failed)
        return pfs_fail(err, ENOMEM, "no memory for a header");
    *ret = (struct pfs_tiff){.n = pfs_shape_planes(s), .y = s->y, .x = s->x, .type = s->type,
                             .big_endian = big_endian, .description = text->s};
    int r = pfs_tiff_header_layout(ret, at, err);
    if (r || at->n_ifds == ret->n)
        return r;
    ret->big = true;
    return pfs_tiff_header_layout(ret, at, err);
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct pfs_tiff tiff;
    struct pfs_tiff_layout at;
    int r = fill(n, false, &text, &tiff, &at, err);
    if (!r)
        *ret = at.size;
    return r;
}

static int head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct pfs_tiff tiff;
    struct pfs_tiff_layout at;
    int r = fill(n, big_endian, &text, &tiff, &at, err);
    return r ? r : pfs_tiff_header(&tiff, ret, err);
}

static int64_t n_planes(const struct pfs_name *n)
{
    return pfs_shape_planes(&n->view->shape);
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    return pfs_at_of(&n->view->shape, i);
}

const struct pfs_kind pfs_kind_volume_ome = {
    .pattern = "volume/{view}.ome.tif",
    .doc = "all planes of a view as an OME-TIFF",
    .planes = true,
    .listed = true,
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
};
