/* OME-XML read with expat: images, their channels, and the runs of planes (TiffData) they are made of.
 *
 * Element names count without their prefix and only in their place below OME, so that foreign XML in annotations is
 * nothing to us; schemas from 2008 to 2016 are the same in what is read here. A document type ends the reading, so
 * there are no entities to expand. Text that is not UTF-8, though it says so, is read once more as Latin-1: some
 * writers put a bare micro sign. */
#include "src_ome.h"

#include <planefs/mem.h>

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum element { NONE, OME, BINARY_ONLY, IMAGE, PIXELS, CHANNEL, TIFF_DATA, UUID };

struct parse {
    XML_Parser parser;
    struct pfs_ome *o;
    struct pfs_err *err;
    int failed;                          /* first -errno */
    int depth;
    enum element path[PFS_OME_DEPTH];
    int room_images, room_channels, room_runs;
    char uuid[80];                       /* text of the UUID element being read */
    size_t n_uuid;
};

static void fail(struct parse *p, int code, const char *what)
{
    if (!p->failed)
        p->failed = pfs_fail(p->err, code, "ome: %s", what);
    XML_StopParser(p->parser, XML_FALSE);
}

/* ---- attributes ---- */

static const char *local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon ? colon + 1 : name;
}

static const char *attribute(const XML_Char **a, const char *name)
{
    for (; a && a[0]; a += 2)
        if (!strcmp(local(a[0]), name))
            return a[1];
    return NULL;
}

static int64_t whole(const XML_Char **a, const char *name, int64_t otherwise)
{
    const char *s = attribute(a, name);
    char *end;
    errno = 0;
    long long v = s ? strtoll(s, &end, 10) : 0;
    return s && end != s && !errno && v >= 0 ? v : otherwise;
}

static double real(const XML_Char **a, const char *name)
{
    const char *s = attribute(a, name);
    char *end;
    double v = s ? strtod(s, &end) : 0;
    return s && end != s && v > 0 && v < 1e18 ? v : 0;
}

static char *copy(struct parse *p, const char *s)
{
    char *c = s && *s ? strdup(s) : NULL;
    if (s && *s && !c)
        fail(p, ENOMEM, "no memory");
    return c;
}

/* Room for one more, zeroed; NULL when there is none. */
static void *more(struct parse *p, void *array, int *n, int *room, size_t size, int most)
{
    void *old;
    memcpy(&old, array, sizeof old);
    if (*n >= most) {
        fail(p, EFBIG, "too many images, channels or planes");
        return NULL;
    }
    if (*n == *room) {
        int bigger = *room ? *room * 2 : 8;
        void *grown = realloc(old, (size_t)bigger * size);
        if (!grown) {
            fail(p, ENOMEM, "no memory");
            return NULL;
        }
        memcpy(array, &grown, sizeof grown);
        old = grown;
        *room = bigger;
    }
    return memset((char *)old + (size_t)(*n)++ * size, 0, size);
}

/* The plain name of a file beside this one; a name that is none cannot be this file's either. */
static char *plain_name(struct parse *p, const char *path)
{
    const char *base = pfs_ome_base(path);
    return copy(p, *base && *base != '.' ? base : "?");
}

/* ---- elements ---- */

static struct pfs_ome_image *image_of(struct parse *p)
{
    return &p->o->image[p->o->n_images - 1];
}

static void begin_image(struct parse *p, const XML_Char **a)
{
    struct pfs_ome_image *im = more(p, &p->o->image, &p->o->n_images, &p->room_images, sizeof *im, PFS_OME_IMAGES);
    p->room_channels = p->room_runs = 0;
    if (im)
        im->name = copy(p, attribute(a, "Name"));
}

static enum pfs_type type_of(const char *name)
{
    static const struct { const char *name; enum pfs_type type; } types[] = {
        {"bit", PFS_U8}, {"uint8", PFS_U8}, {"int8", PFS_I16}, {"int16", PFS_I16}, {"uint16", PFS_U16},
        {"int32", PFS_I32}, {"uint32", PFS_U32}, {"float", PFS_F32}, {"double", PFS_F64},
    };
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name))
            return types[i].type;
    return PFS_NONE;
}

/* Sizes of the three axes in one unit: their own when it is the same one, else micrometres; a size in pixels says
 * nothing beside one that is measured. */
static void sizes(struct pfs_calibration *cal, const XML_Char **a)
{
    static const char *const size[3] = {"PhysicalSizeZ", "PhysicalSizeY", "PhysicalSizeX"};
    static const char *const unit[3] = {"PhysicalSizeZUnit", "PhysicalSizeYUnit", "PhysicalSizeXUnit"};
    char name[3][16], first[16] = "";
    bool same = true;
    for (int i = 2; i >= 0; i--) {
        const char *u = attribute(a, unit[i]);
        pfs_unit_name(u ? u : "um", u ? strlen(u) : 2, name[i]);
        cal->voxel[i] = real(a, size[i]);
        if (!cal->voxel[i])
            continue;
        if (!*first)
            memcpy(first, name[i], sizeof first);
        same = same && !strcmp(first, name[i]);
    }
    bool kept = same && (!strcmp(first, "nm") || !strcmp(first, "mm") || !pfs_unit_um(first));
    for (int i = 0; i < 3 && !kept; i++)
        if (cal->voxel[i] > 0 && strcmp(name[i], "um"))
            cal->voxel[i] = pfs_short_decimal(cal->voxel[i] * pfs_unit_um(name[i]), 1e-12);
    bool any = cal->voxel[0] > 0 || cal->voxel[1] > 0 || cal->voxel[2] > 0;
    strcpy(cal->unit, !any ? "" : kept ? first : "um");
}

static void begin_pixels(struct parse *p, const XML_Char **a)
{
    struct pfs_ome_image *im = image_of(p);
    const char *order = attribute(a, "DimensionOrder"), *unit = attribute(a, "TimeIncrementUnit");
    if (im->pixels)
        return;
    im->pixels = true;
    im->x = whole(a, "SizeX", 0);
    im->y = whole(a, "SizeY", 0);
    im->z = whole(a, "SizeZ", 0);
    im->c = whole(a, "SizeC", 0);
    im->t = whole(a, "SizeT", 0);
    const char *type = attribute(a, "Type");
    im->type = type_of(type ? type : attribute(a, "PixelType"));
    int64_t bits = whole(a, "SignificantBits", 0);
    im->bits = bits <= 64 ? (int)bits : 0;
    if (!order || strlen(order) != 5 || strncmp(order, "XY", 2) || !strchr(order, 'Z') || !strchr(order, 'C') ||
        !strchr(order, 'T'))
        fail(p, EIO, "an image without an order of its planes");
    else
        strcpy(im->order, order + 2);
    sizes(&im->cal, a);
    im->cal.interval = real(a, "TimeIncrement") * (unit ? pfs_unit_seconds(unit, strlen(unit)) : 1);
}

static void begin_channel(struct parse *p, const XML_Char **a)
{
    struct pfs_ome_image *im = image_of(p);
    const char *unit = attribute(a, "EmissionWavelengthUnit");
    char name[16];
    struct pfs_ome_channel *c =
        more(p, &im->channel, &im->n_channels, &p->room_channels, sizeof *c, PFS_OME_CHANNELS);
    if (!c)
        return;
    pfs_unit_name(unit ? unit : "nm", unit ? strlen(unit) : 2, name);
    c->name = copy(p, attribute(a, "Name"));
    c->samples = whole(a, "SamplesPerPixel", 0);
    c->wavelength = pfs_short_decimal(real(a, "EmissionWavelength") * pfs_unit_um(name) * 1000, 1e-12);
}

static void begin_run(struct parse *p, const XML_Char **a)
{
    struct pfs_ome_image *im = image_of(p);
    struct pfs_ome_run *r = more(p, &im->run, &im->n_runs, &p->room_runs, sizeof *r, PFS_OME_PLANES);
    if (!r)
        return;
    r->ifd = whole(a, "IFD", -1);
    r->count = whole(a, "PlaneCount", whole(a, "NumPlanes", -1));
    r->z = whole(a, "FirstZ", 0);
    r->c = whole(a, "FirstC", 0);
    r->t = whole(a, "FirstT", 0);
}

static void begin_uuid(struct parse *p, const XML_Char **a)
{
    struct pfs_ome_run *r = &image_of(p)->run[image_of(p)->n_runs - 1];
    const char *file = attribute(a, "FileName");
    p->n_uuid = 0;
    if (!r->file && file)
        r->file = plain_name(p, file);
}

static void end_uuid(struct parse *p)
{
    struct pfs_ome_run *r = &image_of(p)->run[image_of(p)->n_runs - 1];
    p->uuid[p->n_uuid] = 0;
    if (!r->uuid)
        r->uuid = copy(p, p->uuid);
}

static enum element element_of(const struct parse *p, const char *name)
{
    static const struct { const char *name; enum element parent, element; } known[] = {
        {"OME", NONE, OME}, {"BinaryOnly", OME, BINARY_ONLY}, {"Image", OME, IMAGE}, {"Pixels", IMAGE, PIXELS},
        {"Channel", PIXELS, CHANNEL}, {"TiffData", PIXELS, TIFF_DATA}, {"UUID", TIFF_DATA, UUID},
    };
    enum element parent = p->depth ? p->path[p->depth - 1] : NONE;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].parent == parent && (p->depth > 0) == (known[i].element != OME) && !strcmp(known[i].name, name))
            return known[i].element;
    return NONE;
}

static void XMLCALL begin(void *parse, const XML_Char *name, const XML_Char **a)
{
    struct parse *p = parse;
    if (p->depth >= PFS_OME_DEPTH) {
        fail(p, EIO, "elements are nested too deep");
        return;
    }
    enum element e = element_of(p, local(name));
    p->path[p->depth++] = e;
    switch (e) {
    case OME: p->o->uuid = copy(p, attribute(a, "UUID")); break;
    case BINARY_ONLY:
        if (!p->o->master && attribute(a, "MetadataFile"))
            p->o->master = plain_name(p, attribute(a, "MetadataFile"));
        break;
    case IMAGE: begin_image(p, a); break;
    case PIXELS: begin_pixels(p, a); break;
    case CHANNEL: begin_channel(p, a); break;
    case TIFF_DATA: begin_run(p, a); break;
    case UUID: begin_uuid(p, a); break;
    case NONE:
        if (p->depth == 1)
            fail(p, EIO, "the outermost element is not OME");
    }
}

static void XMLCALL end(void *parse, const XML_Char *name)
{
    struct parse *p = parse;
    (void)name;
    if (p->path[--p->depth] == UUID)
        end_uuid(p);
}

static void XMLCALL text(void *parse, const XML_Char *s, int n)
{
    struct parse *p = parse;
    if (p->depth && p->path[p->depth - 1] == UUID)
        for (int i = 0; i < n && p->n_uuid + 1 < sizeof p->uuid; i++)
            if ((unsigned char)s[i] > ' ')
                p->uuid[p->n_uuid++] = s[i];
}

static void XMLCALL document_type(void *parse, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                                  int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    fail(parse, EIO, "a document type is not allowed");
}

/* ---- the text ---- */

static int parse_as(const char *encoding, const char *s, size_t n, struct pfs_ome *ret, bool *ret_encoding,
                    struct pfs_err *err)
{
    struct parse p = {.parser = XML_ParserCreate(encoding), .o = ret, .err = err};
    *ret_encoding = false;
    if (!p.parser)
        return pfs_fail(err, ENOMEM, "ome: no memory");
    XML_SetUserData(p.parser, &p);
    XML_SetElementHandler(p.parser, begin, end);
    XML_SetCharacterDataHandler(p.parser, text);
    XML_SetStartDoctypeDeclHandler(p.parser, document_type);
    if (XML_Parse(p.parser, s, (int)n, 1) != XML_STATUS_OK && !p.failed) {
        enum XML_Error code = XML_GetErrorCode(p.parser);
        *ret_encoding = code == XML_ERROR_INVALID_TOKEN || code == XML_ERROR_UNKNOWN_ENCODING;
        p.failed = pfs_fail(err, code == XML_ERROR_NO_MEMORY ? ENOMEM : EIO, "ome: line %lu: %s",
                            (unsigned long)XML_GetCurrentLineNumber(p.parser), XML_ErrorString(code));
    }
    XML_ParserFree(p.parser);
    return p.failed;
}

int pfs_ome_parse(const char *s, size_t n, struct pfs_ome *ret, struct pfs_err *err)
{
    bool encoding;
    *ret = (struct pfs_ome){0};
    if (n > PFS_OME_BYTES)
        return pfs_fail(err, EFBIG, "ome: more than %d MiB of XML", PFS_OME_BYTES >> 20);
    int r = parse_as(NULL, s, n, ret, &encoding, err);
    if (encoding) {
        pfs_ome_finish(ret);
        r = parse_as("ISO-8859-1", s, n, ret, &encoding, err);
    }
    if (r < 0)
        pfs_ome_finish(ret);
    return r;
}

void pfs_ome_finish(struct pfs_ome *o)
{
    for (int i = 0; i < o->n_images; i++) {
        struct pfs_ome_image *im = &o->image[i];
        for (int k = 0; k < im->n_channels; k++)
            free(im->channel[k].name);
        for (int k = 0; k < im->n_runs; k++) {
            free(im->run[k].file);
            free(im->run[k].uuid);
        }
        free(im->channel);
        free(im->run);
        free(im->name);
    }
    free(o->image);
    free(o->uuid);
    free(o->master);
    *o = (struct pfs_ome){0};
}

const char *pfs_ome_base(const char *path)
{
    for (const char *p = path; *p; p++)
        if (*p == '/' || *p == '\\')
            path = p + 1;
    return path;
}
