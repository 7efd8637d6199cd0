/* Writes the header of an uncompressed TIFF or BigTIFF file: the numbers of tiff_header.h, in either byte order.
 *
 * Every IFD but the first has the same length, so the place of each follows from its index and nothing is written
 * twice. Knows nothing of what the description says, and of no tag beyond those that grey planes need. */
#include "files/tiff_header.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum field { SHORT = 3, LONG = 4, LONG8 = 16, ASCII = 2, RATIONAL = 5 };

enum tag {
    IMAGE_WIDTH = 256, IMAGE_LENGTH = 257, BITS_PER_SAMPLE = 258, COMPRESSION = 259, PHOTOMETRIC = 262,
    IMAGE_DESCRIPTION = 270, STRIP_OFFSETS = 273, SAMPLES_PER_PIXEL = 277, ROWS_PER_STRIP = 278,
    STRIP_BYTE_COUNTS = 279, X_RESOLUTION = 282, Y_RESOLUTION = 283, PLANAR_CONFIGURATION = 284,
    RESOLUTION_UNIT = 296, SAMPLE_FORMAT = 339
};

struct header {                      /* a header being written */
    const struct pfs_tiff *t;
    struct pfs_tiff_layout at;
    bool resolution;
    uint32_t ratio[2][2];            /* numerator and denominator of pixels per unit, along y and x */
    int64_t first, text, ratios, rest, stride, end;   /* offsets: IFD 0, strings, rationals, IFD 1; IFD distance; end */
};

bool pfs_tiff_rational(double v, uint32_t *num, uint32_t *den)
{
    double p0 = 0, q0 = 1, p = 1, q = 0, rest = v;
    if (!(v > 0) || !isfinite(v))
        return false;
    for (int i = 0; i < 64; i++) {
        double a = floor(rest), p1 = a * p + p0, q1 = a * q + q0;
        if (p1 > INT32_MAX || q1 > INT32_MAX)
            break;
        p0 = p, q0 = q, p = p1, q = q1;
        if (p / q == v || rest == a)
            break;
        rest = 1 / (rest - a);
    }
    if (p < 1 || q < 1 || fabs(p / q - v) > 1e-6 * v)
        return false;
    *num = (uint32_t)p;
    *den = (uint32_t)q;
    return true;
}

static int64_t up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static bool described(const struct pfs_tiff *t)
{
    return t->description && *t->description;
}

static int64_t ifd_entries(const struct header *h, bool first)
{
    return 11 + (h->resolution ? 3 : 0) + (first && described(h->t) ? 1 : 0);
}

static int64_t ifd_bytes(const struct header *h, bool first)
{
    int64_t n = ifd_entries(h, first);
    return h->at.big ? 8 + 20 * n + 8 : 2 + 12 * n + 4;
}

/* The rationals lie behind the text, but inside their entries in a BigTIFF. */
static int64_t lay(struct header *h, bool big, bool every_ifd)
{
    h->at.big = big;
    h->at.n_ifds = every_ifd ? h->t->n : 1;
    h->first = big ? 16 : 8;
    h->text = up(h->first + ifd_bytes(h, true), 8);
    h->ratios = up(h->text + (described(h->t) ? (int64_t)strlen(h->t->description) + 1 : 0), 8);
    h->rest = h->ratios + (h->resolution && !big ? 16 : 0);
    h->stride = up(ifd_bytes(h, false), 8);
    h->end = h->rest + (h->at.n_ifds - 1) * h->stride;
    h->at.head = up(h->end + PFS_TIFF_PAGE, PFS_TIFF_PAGE);
    int64_t pixels;
    if (__builtin_mul_overflow(h->t->n, h->at.plane, &pixels) ||
        __builtin_add_overflow(h->at.head, pixels, &h->at.size))
        return -1;
    return h->at.size;
}

static int choose(struct header *h, struct pfs_err *err)
{
    const struct pfs_tiff *t = h->t;
    bool every = t->n <= PFS_TIFF_MAX_IFDS, big = t->big || h->at.plane > UINT32_MAX;
    if (big && !every)
        return pfs_fail(err, EFBIG, "tiff: %lld planes are more than %d directories", (long long)t->n,
                        PFS_TIFF_MAX_IFDS);
    int64_t size = lay(h, big, every);
    if (!big && every && (size < 0 || size > (int64_t)1 << 32))
        size = lay(h, false, false);
    return size < 0 ? pfs_fail(err, EFBIG, "tiff: the file would be longer than 2^63 bytes") : 0;
}

static int plan(const struct pfs_tiff *t, struct header *h, struct pfs_err *err)
{
    *h = (struct header){.t = t};
    if (t->n < 1 || t->y < 1 || t->x < 1 || !pfs_type_size(t->type))
        return pfs_fail(err, EIO, "tiff: a plane without pixels");
    struct pfs_shape s = {.t = 1, .z = 1, .c = 1, .y = t->y, .x = t->x, .type = t->type};
    h->at.plane = pfs_shape_plane_bytes(&s);
    if (t->y > UINT32_MAX || t->x > UINT32_MAX || h->at.plane < 0)
        return pfs_fail(err, EFBIG, "tiff: %lld x %lld pixels", (long long)t->y, (long long)t->x);
    h->resolution = pfs_tiff_rational(t->pixel[0], &h->ratio[0][1], &h->ratio[0][0]) &&
                    pfs_tiff_rational(t->pixel[1], &h->ratio[1][1], &h->ratio[1][0]);
    return choose(h, err);
}

int pfs_tiff_header_layout(const struct pfs_tiff *t, struct pfs_tiff_layout *ret, struct pfs_err *err)
{
    struct header h;
    int r = plan(t, &h, err);
    *ret = h.at;
    return r;
}

static void number(const struct header *h, struct pfs_text *o, uint64_t v, int bytes)
{
    uint8_t b[8];
    for (int i = 0; i < bytes; i++)
        b[i] = (uint8_t)(v >> 8 * (h->t->big_endian ? bytes - 1 - i : i));
    pfs_text_bytes(o, b, (size_t)bytes);
}

/* Tag, type and count of an entry; the value follows. */
static void entry(const struct header *h, struct pfs_text *o, enum tag tag, enum field type, uint64_t count)
{
    number(h, o, tag, 2);
    number(h, o, type, 2);
    number(h, o, count, h->at.big ? 8 : 4);
}

/* A value that stands in its entry, filled up with zeros behind it. */
static void scalar(const struct header *h, struct pfs_text *o, enum tag tag, enum field type, uint64_t v)
{
    int bytes = type == SHORT ? 2 : type == LONG ? 4 : 8;
    entry(h, o, tag, type, 1);
    number(h, o, v, bytes);
    pfs_text_fill(o, 0, (size_t)((h->at.big ? 8 : 4) - bytes));
}

static void offset(const struct header *h, struct pfs_text *o, enum tag tag, enum field type, uint64_t v)
{
    if (h->at.big && type == LONG)
        type = LONG8;
    scalar(h, o, tag, type, v);
}

static void ratio(const struct header *h, struct pfs_text *o, int axis)
{
    number(h, o, h->ratio[axis][0], 4);
    number(h, o, h->ratio[axis][1], 4);
}

static void resolution(const struct header *h, struct pfs_text *o, enum tag tag, int axis)
{
    entry(h, o, tag, RATIONAL, 1);
    if (h->at.big)
        ratio(h, o, axis);
    else
        number(h, o, (uint64_t)(h->ratios + 8 * (1 - axis)), 4);
}

static void description(const struct header *h, struct pfs_text *o)
{
    entry(h, o, IMAGE_DESCRIPTION, ASCII, strlen(h->t->description) + 1);
    number(h, o, (uint64_t)h->text, h->at.big ? 8 : 4);
}

static void ifd(const struct header *h, struct pfs_text *o, int64_t i, bool last)
{
    const struct pfs_tiff *t = h->t;
    bool first = i == 0;
    int64_t start = first ? h->first : h->rest + (i - 1) * h->stride;
    uint64_t sample = pfs_type_is_float(t->type) ? 3 : pfs_type_is_signed(t->type) ? 2 : 1;
    pfs_text_fill(o, 0, (size_t)start - o->n);
    number(h, o, (uint64_t)ifd_entries(h, first), h->at.big ? 8 : 2);
    scalar(h, o, IMAGE_WIDTH, LONG, (uint64_t)t->x);
    scalar(h, o, IMAGE_LENGTH, LONG, (uint64_t)t->y);
    scalar(h, o, BITS_PER_SAMPLE, SHORT, 8 * pfs_type_size(t->type));
    scalar(h, o, COMPRESSION, SHORT, 1);
    scalar(h, o, PHOTOMETRIC, SHORT, 1);
    if (first && described(t))
        description(h, o);
    offset(h, o, STRIP_OFFSETS, LONG, (uint64_t)(h->at.head + i * h->at.plane));
    scalar(h, o, SAMPLES_PER_PIXEL, SHORT, 1);
    scalar(h, o, ROWS_PER_STRIP, LONG, (uint64_t)t->y);
    offset(h, o, STRIP_BYTE_COUNTS, LONG, (uint64_t)h->at.plane);
    if (h->resolution) {
        resolution(h, o, X_RESOLUTION, 1);
        resolution(h, o, Y_RESOLUTION, 0);
    }
    scalar(h, o, PLANAR_CONFIGURATION, SHORT, 1);
    if (h->resolution)
        scalar(h, o, RESOLUTION_UNIT, SHORT, 1);
    scalar(h, o, SAMPLE_FORMAT, SHORT, sample);
    number(h, o, last ? 0 : (uint64_t)(h->rest + i * h->stride), h->at.big ? 8 : 4);
}

static void file_header(const struct header *h, struct pfs_text *o)
{
    pfs_text_add(o, h->t->big_endian ? "MM" : "II");
    number(h, o, h->at.big ? 43 : 42, 2);
    if (h->at.big) {
        number(h, o, 8, 2);          /* bytes of an offset */
        number(h, o, 0, 2);
    }
    number(h, o, (uint64_t)h->first, h->at.big ? 8 : 4);
}

/* What the first IFD points to. */
static void values(const struct header *h, struct pfs_text *o)
{
    pfs_text_fill(o, 0, (size_t)h->text - o->n);
    if (described(h->t))
        pfs_text_bytes(o, h->t->description, strlen(h->t->description) + 1);
    pfs_text_fill(o, 0, (size_t)h->ratios - o->n);
    if (h->resolution && !h->at.big) {
        ratio(h, o, 1);
        ratio(h, o, 0);
    }
}

int pfs_tiff_header(const struct pfs_tiff *t, struct pfs_text *ret, struct pfs_err *err)
{
    struct header h;
    PFS_AUTO_TEXT struct pfs_text o = {0};
    int r = plan(t, &h, err);
    if (r)
        return r;
    file_header(&h, &o);
    for (int64_t i = 0; i < h.at.n_ifds && !o.failed; i++) {
        ifd(&h, &o, i, i == h.at.n_ifds - 1);
        if (i == 0)
            values(&h, &o);
    }
    if (!o.failed)
        pfs_text_fill(&o, 0, (size_t)h.at.head - o.n);
    if (!o.failed)
        pfs_text_bytes(ret, o.s, o.n);
    return o.failed || ret->failed ? pfs_fail(err, ENOMEM, "tiff: no memory for the header") : 0;
}
