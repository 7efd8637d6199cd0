/* Synthetic volumes: a small text file becomes a stack of any size, computed where it is read.
 *
 * The file is a first line `planefs-synthetic 1`, then lines `key=value`, empty lines, and lines that begin with #.
 * The keys stand in the table below. A pixel is
 *
 *     scale * clamp(level + texture * T + stripes * S + background * B + noise * N, 0, 1)
 *
 * T: membranes and blobs of three sizes that continue through z; S: vertical stripes of four widths that change slowly
 * along y and from section to section; B: a quadratic in x, y, z; N: independent, nearly normal. All lie in -1 .. 1.
 * Everything comes from integer hashes and from sums and products of floats in one order,
 * so that every machine makes the same bits. Here are the file and the driver; rows are made in src_synthetic_row.c. */
#include "src_synthetic.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct pfs_driver pfs_driver_synthetic;

enum { FILE_MAX = 65536, SIDE = 1 << 20 };
static const char magic[] = "planefs-synthetic 1";

static const struct key {
    const char *name, *doc;
    double value, min, max;      /* value: default; min > max: text */
    size_t offset, size;
} keys[] = {
#define FIELD(field) offsetof(struct pfs_synthetic_recipe, field), sizeof(((struct pfs_synthetic_recipe *)0)->field)
#define NUMBER(field, doc, value, min, max) {#field, doc, value, min, max, FIELD(field)}
#define TEXT(field, doc) {#field, doc, 0, 1, 0, FIELD(field)}
    NUMBER(t, "time points", 1, 1, SIDE),
    NUMBER(z, "sections", 1, 1, SIDE),
    NUMBER(c, "channels", 1, 1, SIDE),
    NUMBER(y, "rows", 512, 1, SIDE),
    NUMBER(x, "columns", 512, 1, SIDE),
    TEXT(type, "sample type as NumPy names it, default uint8; no int8"),
    NUMBER(seed, "another seed, another volume", 1, 0, 4294967295.0),
    NUMBER(level, "grey level in fractions of the scale", 0.5, 0, 1),
    NUMBER(texture, "amplitude of membranes and blobs", 0.2, 0, 1),
    NUMBER(stripes, "amplitude of vertical stripes", 0.05, 0, 1),
    NUMBER(background, "amplitude of the smooth background", 0.1, 0, 1),
    NUMBER(noise, "amplitude of the noise", 0.05, 0, 1),
    NUMBER(scale, "largest value, 0: the type's (1 for floats)", 0, 0, 1e15),
    {"voxel_z", "voxel depth in units, 0: unknown", 0, 0, 1e9, FIELD(voxel[0])},
    {"voxel_y", "voxel height in units", 0, 0, 1e9, FIELD(voxel[1])},
    {"voxel_x", "voxel width in units", 0, 0, 1e9, FIELD(voxel[2])},
    TEXT(unit, "unit of the voxel size"),
    NUMBER(interval, "seconds between time points, 0: unknown", 0, 0, 1e9),
};
enum { N_KEYS = sizeof keys / sizeof *keys };

/* ---- the file ---- */

static int set_key(struct pfs_synthetic_recipe *r, const char *name, const char *value, int line, struct pfs_err *err)
{
    const struct key *k = keys;
    while (k < keys + N_KEYS && strcmp(k->name, name))
        k++;
    if (k == keys + N_KEYS)
        return pfs_fail(err, EIO, "synthetic: line %d: unknown key \"%.40s\"", line, name);
    char *field = (char *)r + k->offset, *end;
    if (k->min > k->max) {
        if (strlen(value) >= k->size)
            return pfs_fail(err, EIO, "synthetic: line %d: %s (%s) is too long", line, name, k->doc);
        strcpy(field, value);
        return 0;
    }
    double v = strtod(value, &end);
    if (end == value || *end || !(v >= k->min && v <= k->max))
        return pfs_fail(err, EIO, "synthetic: line %d: %s (%s) must be %.10g to %.10g", line, name, k->doc, k->min,
                        k->max);
    memcpy(field, &v, sizeof v);
    return 0;
}

static int parse(char *text, struct pfs_synthetic_recipe *r, struct pfs_err *err)
{
    int line = 1;
    char *rest = text;
    for (char *p = strsep(&rest, "\n"); p; p = strsep(&rest, "\n"), line++) {
        p[strcspn(p, "\r")] = 0;
        if (line == 1 && strcmp(p, magic))
            return pfs_fail(err, EIO, "synthetic: the first line is not \"%s\"", magic);
        if (line == 1 || !*p || *p == '#')
            continue;
        char *eq = strchr(p, '=');
        if (!eq)
            return pfs_fail(err, EIO, "synthetic: line %d: no \"=\"", line);
        *eq = 0;
        int e = set_key(r, p, eq + 1, line, err);
        if (e < 0)
            return e;
    }
    return 0;
}

static int read_text(int fd, char **ret, int64_t *ret_n, struct pfs_err *err)
{
    PFS_AUTO_FREE char *s = pfs_array(FILE_MAX + 1, 1);
    int64_t n = 0;
    if (!s)
        return pfs_fail(err, ENOMEM, "synthetic: no memory");
    while (n < FILE_MAX) {
        ssize_t got = pread(fd, s + n, (size_t)(FILE_MAX - n), n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pfs_fail(err, EIO, "synthetic: %s", strerror(errno));
        if (got == 0)
            break;
        n += got;
    }
    if (n >= FILE_MAX)
        return pfs_fail(err, EFBIG, "synthetic: the file is longer than %d bytes", FILE_MAX);
    if (memchr(s, 0, (size_t)n))
        return pfs_fail(err, EIO, "synthetic: the file holds a zero byte");
    *ret = PFS_TAKE(s);
    *ret_n = n;
    return 0;
}

static double largest(enum pfs_type type)
{
    switch (type) {
    case PFS_U8: return 255;
    case PFS_U16: return 65535;
    case PFS_I16: return 32767;
    case PFS_U32: return 4294967295.0;
    case PFS_I32: return 2147483647.0;
    case PFS_F32: case PFS_F64: return 1;
    default: return 4503599627370496.0;
    }
}

static int set_series(struct pfs_synthetic *s, struct pfs_err *err)
{
    struct pfs_synthetic_recipe *r = &s->r;
    struct pfs_shape *shape = &s->series.shape;
    enum pfs_type type = pfs_type_named(r->type);
    if (type == PFS_NONE || type == PFS_I8)
        return pfs_fail(err, EIO, "synthetic: \"%s\" is not a sample type", r->type);
    *shape = (struct pfs_shape){.t = (int64_t)r->t, .z = (int64_t)r->z, .c = (int64_t)r->c, .y = (int64_t)r->y,
                                .x = (int64_t)r->x, .type = type};
    memcpy(shape->cal.voxel, r->voxel, sizeof r->voxel);
    memcpy(shape->cal.unit, r->unit, sizeof r->unit);
    shape->cal.interval = r->interval;
    if (pfs_shape_plane_bytes(shape) > (int64_t)2 << 30 || pfs_shape_planes(shape) > 4 << 20)
        return pfs_fail(err, EFBIG, "synthetic: planes over 2 GiB, or more than 4194304 of them");
    if (!pfs_type_is_float(type) && r->scale > largest(type))
        return pfs_fail(err, EIO, "synthetic: a scale of %.10g does not fit %s", r->scale, r->type);
    r->scale = r->scale > 0 ? r->scale : largest(type);
    s->series.bits = 8 * (int)pfs_type_size(type);
    strcpy(s->series.format, "synthetic");
    strcpy(s->series.compression, "none");
    s->series.name = strdup("");
    return s->series.name ? 0 : pfs_fail(err, ENOMEM, "synthetic: no memory");
}

/* ---- the driver ---- */

static int synthetic_probe(const uint8_t *head, size_t n, const char *path)
{
    size_t k = sizeof magic - 1;
    (void)path;
    return n >= k && !memcmp(head, magic, k) && (n == k || head[k] == '\n' || head[k] == '\r') ? 100 : 0;
}

static void synthetic_close(struct pfs_source *source)
{
    struct pfs_synthetic *s = (struct pfs_synthetic *)source;
    pfs_synthetic_finish(s);
    pfs_series_finish(&s->series);
    free(s);
}

static void set_defaults(struct pfs_synthetic_recipe *r)
{
    for (int i = 0; i < N_KEYS; i++)
        if (keys[i].min <= keys[i].max)
            memcpy((char *)r + keys[i].offset, &keys[i].value, sizeof(double));
    strcpy(r->type, "uint8");
}

static int synthetic_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    PFS_AUTO_FREE char *text = NULL;
    int r = files->get(files->ctx, name, &fd, err);
    if (r < 0)
        return r;
    struct pfs_synthetic *s = pfs_array(1, sizeof *s);
    if (!s)
        return pfs_fail(err, ENOMEM, "synthetic: no memory");
    s->source = (struct pfs_source){.driver = &pfs_driver_synthetic, .n_series = 1, .series = &s->series};
    set_defaults(&s->r);
    if ((r = read_text(fd, &text, &s->file_size, err)) < 0 || (r = parse(text, &s->r, err)) < 0 ||
        (r = set_series(s, err)) < 0 || (r = pfs_synthetic_init(s, err)) < 0)
        synthetic_close(&s->source);
    else
        *ret = &s->source;
    return r;
}

static int check_plane(const struct pfs_synthetic *s, int series, struct pfs_at at, struct pfs_err *err)
{
    if (series == 0 && pfs_at_inside(&s->series.shape, at))
        return 0;
    return pfs_fail(err, ENOENT, "synthetic: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                    (long long)at.c, series);
}

static int synthetic_rows(struct pfs_source *source, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                          struct pfs_err *err)
{
    struct pfs_synthetic *s = (struct pfs_synthetic *)source;
    const struct pfs_shape *shape = &s->series.shape;
    int64_t row = shape->x * (int64_t)pfs_type_size(shape->type);
    int r = check_plane(s, series, at, err);
    if (r < 0)
        return r;
    if (y0 < 0 || n < 0 || n > shape->y || y0 > shape->y - n)
        return pfs_fail(err, ENOENT, "synthetic: no rows %lld to %lld", (long long)y0, (long long)(y0 + n - 1));
    for (int64_t i = 0; i < n; i++)
        pfs_synthetic_row(s, at, y0 + i, (char *)dst + i * row);
    return 0;
}

/* What is stored of a plane is the recipe; which plane it is stands in the key anyway. */
static int synthetic_extent(struct pfs_source *source, int series, struct pfs_at at, struct pfs_extent *ret,
                            struct pfs_err *err)
{
    struct pfs_synthetic *s = (struct pfs_synthetic *)source;
    *ret = (struct pfs_extent){.raw = -1, .stored = 0, .stored_size = s->file_size};
    return check_plane(s, series, at, err);
}

const struct pfs_driver pfs_driver_synthetic = {
    .name = "synthetic",
    .doc = "volumes from a formula, for tests and measurements",
    .rev = 1,
    .threads = PFS_THREADS_HANDLE,
    .probe = synthetic_probe,
    .open = synthetic_open,
    .rows = synthetic_rows,
    .extent = synthetic_extent,
    .close = synthetic_close,
};
