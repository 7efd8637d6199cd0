/* Numbers of single pixels, rows and planes, found by lookup and never listed:
 *
 *     values/[tT/]zZ/cC.json          {"slice":[[..],..]}: a plane, row by row; up to VALUES_MAX pixels
 *     row/[tT/]zZ/cC/yY.csv           x,value
 *     column/[tT/]zZ/cC/xX.csv        x,value: the same, x being the position along the column
 *     spectrum/[tT/]zZ/yY/xX.csv      band,wavelength,value: all bands of a pixel
 *     profile/cC/yY/xX.csv            t,z,value: a pixel through time and depth; missing sections are left out
 *
 * A CSV line is right-justified to one width, without padding inside it; what is not known is nan. */
#include "files/json.h"
#include "files/report.h"
#include "files/samples.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 4 << 20, PROFILE_MAX = 1 << 20, READ_BYTES = 1 << 20 };

static int inside(const struct pfs_name *n, bool y, bool x, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    if (!pfs_at_inside(s, n->at) || (y && (n->y < 0 || n->y >= s->y)) || (x && (n->x < 0 || n->x >= s->x)))
        return pfs_fail(err, ENOENT, "the planes of this view have %lld x %lld pixels", (long long)s->y,
                        (long long)s->x);
    return 0;
}

static int64_t one(const struct pfs_name *n)
{
    (void)n;
    return 1;
}

static struct pfs_at here(const struct pfs_name *n, int64_t i)
{
    (void)i;
    return n->at;
}

static int done(const struct pfs_text *t, struct pfs_err *err)
{
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

/* Call `use` for blocks of whole rows of the plane, as many at a time as fit into READ_BYTES. */
typedef void use_rows(struct pfs_text *t, const struct pfs_name *n, const char *px, int64_t y, int64_t rows);

static int each_rows(struct pfs_engine *e, const struct pfs_name *n, int64_t y0, int64_t n_rows, use_rows *use,
                     struct pfs_text *t, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int64_t row = s->x * (int64_t)pfs_type_size(s->type), most = row < READ_BYTES ? READ_BYTES / row : 1;
    PFS_AUTO_FREE char *px = malloc((size_t)(most * row));
    struct pfs_pixels *p = NULL;
    int r = px ? pfs_samples_open(e, n->view, n->at, &p, err) : pfs_fail(err, ENOMEM, "no memory for a report");
    for (int64_t y = y0; !r && y < y0 + n_rows && !t->failed; y += most) {
        int64_t rows = y0 + n_rows - y < most ? y0 + n_rows - y : most;
        r = pfs_samples_read(p, s->type, y * s->x, rows * s->x, px, err);
        if (!r)
            use(t, n, px, y, rows);
    }
    if (p)
        pfs_pixels_unref(p);
    return r ? r : done(t, err);
}

/* ---- a plane ---- */

static int cell_width(enum pfs_type type)
{
    int width = pfs_sample_width(type);
    return pfs_type_is_float(type) && width < 4 ? 4 : width;         /* "null" */
}

static int values_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    int64_t pixels;
    if (__builtin_mul_overflow(s->y, s->x, &pixels) || pixels > VALUES_MAX)
        return pfs_fail(err, EFBIG, "%lld x %lld pixels are too many to write as text", (long long)s->y,
                        (long long)s->x);
    /* {"slice":[\n then [cells,],\n per row; the last row's comma is not there */
    *ret = (int64_t)strlen("{\"slice\":[\n") + pixels * (cell_width(s->type) + 1) + s->y * 3 - 1 +
           (int64_t)strlen("]}\n");
    return inside(n, false, false, err);
}

static void cell(struct pfs_text *t, char before, int width, const char *text)
{
    char padded[1 + PFS_SAMPLE_MAX];
    size_t n = strlen(text), all = (size_t)width + 1;
    memset(padded, ' ', all);
    padded[0] = before;
    memcpy(padded + all - n, text, n);
    pfs_text_bytes(t, padded, all);
}

static void values_rows(struct pfs_text *t, const struct pfs_name *n, const char *px, int64_t y, int64_t rows)
{
    const struct pfs_shape *s = &n->view->shape;
    int width = cell_width(s->type);
    char text[PFS_SAMPLE_MAX];
    for (int64_t i = 0; i < rows; i++, y++) {
        for (int64_t x = 0; x < s->x; x++, px += pfs_type_size(s->type)) {
            pfs_sample_text(s->type, px, text);
            cell(t, x ? ',' : '[', width, text[strspn(text, "-")] <= '9' ? text : "null");
        }
        pfs_text_add(t, y + 1 < s->y ? "],\n" : "]\n");
    }
}

static int values_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                       struct pfs_err *err)
{
    (void)table;
    pfs_text_add(ret, "{\"slice\":[\n");
    int r = each_rows(e, n, 0, n->view->shape.y, values_rows, ret, err);
    pfs_text_add(ret, "]}\n");
    return r;
}

/* ---- lines ---- */

static int digits(int64_t v)
{
    return pfs_report_digits(0, v + 1);
}

/* A line right-justified to `width`. */
static void put_line(struct pfs_text *t, int width, const char *line)
{
    pfs_text_addf(t, "%*s\n", width, line);
}

static int index_width(const struct pfs_name *n, int64_t length)
{
    return digits(length - 1) + 1 + pfs_sample_width(n->view->shape.type);
}

/* Size of an index,value table of n lines under its head. */
static int index_size(const struct pfs_name *n, const char *head, int64_t length, int64_t *ret, struct pfs_err *err)
{
    if (length > VALUES_MAX)
        return pfs_fail(err, EFBIG, "%lld pixels are too many to write as text", (long long)length);
    *ret = (int64_t)strlen(head) + length * (index_width(n, length) + 1);
    return 0;
}

static void index_line(struct pfs_text *t, const struct pfs_name *n, int64_t length, int64_t i, const char *px)
{
    char value[PFS_SAMPLE_MAX], line[64];
    pfs_sample_text(n->view->shape.type, px, value);
    snprintf(line, sizeof line, "%lld,%s", (long long)i, value);
    put_line(t, index_width(n, length), line);
}

static int row_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int r = inside(n, true, false, err);
    return r ? r : index_size(n, "x,value\n", n->view->shape.x, ret, err);
}

static void row_lines(struct pfs_text *t, const struct pfs_name *n, const char *px, int64_t y, int64_t rows)
{
    const struct pfs_shape *s = &n->view->shape;
    (void)y;
    (void)rows;
    for (int64_t x = 0; x < s->x; x++)
        index_line(t, n, s->x, x, px + x * (int64_t)pfs_type_size(s->type));
}

static int row_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                    struct pfs_err *err)
{
    (void)table;
    pfs_text_add(ret, "x,value\n");
    return each_rows(e, n, n->y, 1, row_lines, ret, err);
}

static int column_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int r = inside(n, false, true, err);
    return r ? r : index_size(n, "x,value\n", n->view->shape.y, ret, err);
}

static void column_lines(struct pfs_text *t, const struct pfs_name *n, const char *px, int64_t y, int64_t rows)
{
    const struct pfs_shape *s = &n->view->shape;
    for (int64_t i = 0; i < rows; i++)
        index_line(t, n, s->y, y + i, px + (i * s->x + n->x) * (int64_t)pfs_type_size(s->type));
}

static int column_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                       struct pfs_err *err)
{
    (void)table;
    pfs_text_add(ret, "x,value\n");
    return each_rows(e, n, 0, n->view->shape.y, column_lines, ret, err);
}

/* ---- a pixel of several planes ---- */

static int pixel(struct pfs_engine *e, const struct pfs_name *n, struct pfs_at at, char text[PFS_SAMPLE_MAX],
                 struct pfs_err *err)
{
    const struct pfs_shape *s = &n->view->shape;
    struct pfs_pixels *p;
    uint64_t sample = 0;
    int r = pfs_samples_open(e, n->view, at, &p, err);
    if (r)
        return r;
    r = pfs_samples_read(p, s->type, n->y * s->x + n->x, 1, &sample, err);
    pfs_pixels_unref(p);
    if (!r)
        pfs_sample_text(s->type, &sample, text);
    return r;
}

static int64_t bands(const struct pfs_name *n)
{
    return n->view->shape.c;
}

static struct pfs_at band(const struct pfs_name *n, int64_t i)
{
    return (struct pfs_at){n->at.t, n->at.z, i};
}

static void wavelength(const struct pfs_name *n, int64_t c, char text[PFS_NUMBER_MAX])
{
    const struct pfs_dataset *d = n->dataset;
    strcpy(text, "nan");
    if (d->wavelength && d->shape.c == bands(n) && isfinite(d->wavelength[c]))
        pfs_number(d->wavelength[c], text);
}

static int spectrum_width(const struct pfs_name *n)
{
    int number = pfs_report_digits(n->dataset->first[2], bands(n));
    return number + 1 + PFS_JSON_REAL + 1 + pfs_sample_width(n->view->shape.type);
}

static int spectrum_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    *ret = (int64_t)strlen("band,wavelength,value\n") + bands(n) * (spectrum_width(n) + 1);
    return inside(n, true, true, err);
}

static int spectrum_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                         struct pfs_err *err)
{
    int r = 0;
    (void)table;
    pfs_text_add(ret, "band,wavelength,value\n");
    for (int64_t c = 0; !r && c < bands(n); c++) {
        char value[PFS_SAMPLE_MAX], nm[PFS_NUMBER_MAX], line[96];
        r = pixel(e, n, band(n, c), value, err);
        if (r)
            break;
        wavelength(n, c, nm);
        snprintf(line, sizeof line, "%lld,%s,%s", (long long)(n->dataset->first[2] + c), nm, value);
        put_line(ret, spectrum_width(n), line);
    }
    return r ? r : done(ret, err);
}

static int64_t depths(const struct pfs_name *n)
{
    const struct pfs_shape *s = &n->view->shape;
    int64_t many;
    return __builtin_mul_overflow(s->t, s->z, &many) ? INT64_MAX : many;
}

static struct pfs_at depth(const struct pfs_name *n, int64_t i)
{
    return (struct pfs_at){i / n->view->shape.z, i % n->view->shape.z, n->at.c};
}

static bool missing(const struct pfs_name *n, int64_t i)
{
    return n->dataset->spread && pfs_dataset_file(n->dataset, depth(n, i)) < 0;
}

static int profile_width(const struct pfs_name *n)
{
    const struct pfs_shape *s = &n->view->shape;
    const int64_t *first = n->dataset->first;
    return pfs_report_digits(first[0], s->t) + 1 + pfs_report_digits(first[1], s->z) + 1 + pfs_sample_width(s->type);
}

static int profile_size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    int64_t lines = 0;
    if (depths(n) > PROFILE_MAX)
        return pfs_fail(err, EFBIG, "%lld planes are too many to write as text", (long long)depths(n));
    for (int64_t i = 0; i < depths(n); i++)
        lines += !missing(n, i);
    *ret = (int64_t)strlen("t,z,value\n") + lines * (profile_width(n) + 1);
    return inside(n, true, true, err);
}

static int profile_text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                        struct pfs_err *err)
{
    const int64_t *first = n->dataset->first;
    int r = 0;
    (void)table;
    pfs_text_add(ret, "t,z,value\n");
    for (int64_t i = 0; !r && i < depths(n); i++) {
        char value[PFS_SAMPLE_MAX], line[96];
        struct pfs_at at = depth(n, i);
        if (missing(n, i))
            continue;
        r = pixel(e, n, at, value, err);
        if (r)
            break;
        snprintf(line, sizeof line, "%lld,%lld,%s", (long long)(first[0] + at.t), (long long)(first[1] + at.z), value);
        put_line(ret, profile_width(n), line);
    }
    return r ? r : done(ret, err);
}

/* ---- the kinds ---- */

const struct pfs_kind pfs_kind_values = {
    .pattern = "values/[t{t}/]z{z}/c{c}.json", .doc = "a plane as numbers", .view = "source",
    .size = values_size, .n_planes = one, .plane = here, .text = values_text,
};

const struct pfs_kind pfs_kind_row = {
    .pattern = "row/[t{t}/]z{z}/c{c}/y{y}.csv", .doc = "a row of a plane", .view = "source",
    .size = row_size, .n_planes = one, .plane = here, .text = row_text,
};

const struct pfs_kind pfs_kind_column = {
    .pattern = "column/[t{t}/]z{z}/c{c}/x{x}.csv", .doc = "a column of a plane", .view = "source",
    .size = column_size, .n_planes = one, .plane = here, .text = column_text,
};

const struct pfs_kind pfs_kind_spectrum = {
    .pattern = "spectrum/[t{t}/]z{z}/y{y}/x{x}.csv", .doc = "all bands of a pixel", .view = "source",
    .size = spectrum_size, .n_planes = bands, .plane = band, .text = spectrum_text,
};

const struct pfs_kind pfs_kind_profile = {
    .pattern = "profile/c{c}/y{y}/x{x}.csv", .doc = "a pixel through time and depth", .view = "source",
    .size = profile_size, .n_planes = depths, .plane = depth, .text = profile_text,
};
