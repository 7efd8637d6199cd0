/* The ENVI driver: a header (NAME.hdr) and the raw file beside it (NAME, NAME.img, NAME.raw ...), as ENVI, GDAL, PlantCV
 * and camera makers write them, and the BIL, BIP and BSQ files of ArcGIS. Bands are channels.
 *
 * Bands marked bad (`bbl`) are delivered as the others. Compressed files and packed bits are refused. */
#include "src_envi.h"

#include <planefs/hash.h>
#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_MAX = 16 << 20, PIECE = 1 << 20 };

struct envi {
    struct pfs_source source;
    struct pfs_series series;
    struct pfs_envi_header h;
    int fd;                              /* of the raw file */
    char *raw;                           /* its name */
    char *piece;                         /* interleaved pixels: a piece of a row */
};

extern const struct pfs_driver pfs_driver_envi;

static bool is_header_name(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && !strcasecmp(name + n - 4, ".hdr");
}

static int envi_probe(const uint8_t *head, size_t n, const char *path)
{
    int form = pfs_envi_form(head, n);
    return form == 1 ? 95 : form == 2 && is_header_name(path) ? 60 : 0;
}

static void envi_close(struct pfs_source *s)
{
    struct envi *e = (struct envi *)s;
    pfs_envi_finish(&e->h);
    pfs_series_finish(&e->series);
    if (e->fd >= 0)
        close(e->fd);
    free(e->piece);
    free(e->raw);
    free(e);
}

/* ---- files ---- */

static int read_bytes(int fd, void *dst, int64_t n, int64_t at, struct pfs_err *err)
{
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)dst + done, (size_t)(n - done), at + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return pfs_fail(err, EIO, "envi: reading at %lld: %s", (long long)(at + done),
                            got ? strerror(errno) : "the file ends");
        done += got;
    }
    return 0;
}

static int read_header(const struct pfs_files *files, const char *name, struct pfs_envi_header *ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    int r = files->get(files->ctx, name, &fd, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0)
        return pfs_fail(err, EIO, "envi: %s", strerror(errno));
    if (st.st_size > HEADER_MAX)
        return pfs_fail(err, EFBIG, "envi: the header is longer than %d bytes", HEADER_MAX);
    PFS_AUTO_FREE char *text = pfs_array(st.st_size + 1, 1);
    if (!text)
        return pfs_fail(err, ENOMEM, "envi: no memory for a header");
    r = read_bytes(fd, text, st.st_size, 0, err);
    return r ? r : pfs_envi_parse(text, (size_t)st.st_size, ret, err);
}

/* One past the last byte of the last sample; -1 on overflow. */
static int64_t end_of(const struct pfs_envi_header *h)
{
    int64_t a, b, c, end;
    if (__builtin_mul_overflow(h->bands - 1, h->band, &a) || __builtin_mul_overflow(h->y - 1, h->row, &b) ||
        __builtin_mul_overflow(h->x - 1, h->pixel, &c) || __builtin_add_overflow(a, b, &end) ||
        __builtin_add_overflow(end, c, &end) ||
        __builtin_add_overflow(end, h->offset + (int64_t)pfs_type_size(h->type), &end))
        return -1;
    return end;
}

/* Is this file there, plain, and long enough? The first trouble other than absence stays in *ret_code and *err. */
static bool try_raw(const struct pfs_files *files, struct envi *e, char *name, int *ret_code, struct pfs_err *err)
{
    int fd = -1, code;
    struct stat st;
    struct pfs_err why = {0};
    int64_t need = end_of(&e->h);
    if (!name)
        code = pfs_fail(&why, ENOMEM, "envi: no memory for a name");
    else if (!(code = files->get(files->ctx, name, &fd, &why))) {
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
            code = -ENOENT;
        else if (need < 0 || st.st_size < need)
            code = pfs_fail(&why, EIO, "envi: the raw file %.80s has %lld bytes, its header needs %lld", name,
                            (long long)st.st_size, (long long)need);
    }
    if (!code) {
        e->fd = fd;
        e->raw = name;
        return true;
    }
    if (fd >= 0)
        close(fd);
    free(name);
    if (*ret_code == -ENOENT && code != -ENOENT) {
        *ret_code = code;
        *err = why;
    }
    return false;
}

static int find_raw(const struct pfs_files *files, const char *name, struct envi *e, struct pfs_err *err)
{
    static const char *const suffix[] = {
        "", ".img", ".raw", ".dat", ".bsq", ".bil", ".bip", ".bin", ".IMG", ".RAW", ".DAT", ".BSQ", ".BIL", ".BIP", ".BIN"};
    int n = (int)strlen(name) - 4, code = -ENOENT;
    if (!is_header_name(name))
        return pfs_fail(err, EOPNOTSUPP, "envi: a header's name must end in .hdr, so that its raw file can be found");
    pfs_fail(err, EIO, "envi: no raw file beside the header: %.*s, or that with .img .raw .dat .bsq .bil .bip .bin", n,
             name);
    for (size_t i = 0; i < sizeof suffix / sizeof *suffix; i++)
        if (try_raw(files, e, pfs_format("%.*s%s", n, name, suffix[i]), &code, err))
            return 0;
    return code == -ENOENT ? -EIO : code;
}

/* ---- open ---- */

/* What is delivered; the bands' names and wavelengths change hands. */
static int set_series(struct envi *e, struct pfs_err *err)
{
    struct pfs_envi_header *h = &e->h;
    struct pfs_series *s = &e->series;
    *s = (struct pfs_series){
        .name = strdup(""), .bits = 8 * (int)pfs_type_size(h->type), .has_nodata = h->has_nodata, .nodata = h->nodata,
        .shape = {.t = 1, .z = 1, .c = h->bands, .y = h->y, .x = h->x, .type = h->type == PFS_I8 ? PFS_I16 : h->type},
        .band_name = PFS_TAKE(h->band_name), .wavelength = PFS_TAKE(h->wavelength), .compression = "none"};
    snprintf(s->format, sizeof s->format, "%s %s", h->esri ? "ESRI" : "ENVI", h->layout);
    e->source.n_series = 1;
    e->source.series = s;
    e->source.n_companions = 1;
    e->source.companion = &e->raw;
    if (h->pixel > PIECE / 2)
        return pfs_fail(err, EFBIG, "envi: pixels of %lld bytes", (long long)h->pixel);
    return s->name && (e->piece = malloc(PIECE)) ? 0 : pfs_fail(err, ENOMEM, "envi: no memory");
}

static int envi_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    struct envi *e = pfs_array(1, sizeof *e);
    if (!e)
        return pfs_fail(err, ENOMEM, "envi: no memory");
    e->source.driver = &pfs_driver_envi;
    e->fd = -1;
    int r = read_header(files, name, &e->h, err);
    if (!r)
        r = find_raw(files, name, e, err);
    if (!r)
        r = set_series(e, err);
    if (r)
        envi_close(&e->source);
    else
        *ret = &e->source;
    return r;
}

/* ---- rows ---- */

static void swap_samples(void *px, int64_t n, size_t size)
{
    for (int64_t i = 0; size == 2 && i < n; i++)
        ((uint16_t *)px)[i] = __builtin_bswap16(((uint16_t *)px)[i]);
    for (int64_t i = 0; size == 4 && i < n; i++)
        ((uint32_t *)px)[i] = __builtin_bswap32(((uint32_t *)px)[i]);
    for (int64_t i = 0; size == 8 && i < n; i++)
        ((uint64_t *)px)[i] = __builtin_bswap64(((uint64_t *)px)[i]);
}

/* Every `pixel` bytes one sample of `size`: through the piece, as many pixels as it holds. */
static int gather(struct envi *e, char *dst, int64_t n, int64_t at, struct pfs_err *err)
{
    int64_t pixel = e->h.pixel, size = (int64_t)pfs_type_size(e->h.type), most = PIECE / pixel;
    for (int64_t done = 0; done < n;) {
        int64_t m = n - done < most ? n - done : most;
        int r = read_bytes(e->fd, e->piece, (m - 1) * pixel + size, at + done * pixel, err);
        if (r)
            return r;
        for (int64_t i = 0; i < m; i++)
            memcpy(dst + (done + i) * size, e->piece + i * pixel, (size_t)size);
        done += m;
    }
    return 0;
}

/* Rows as stored, packed. */
static int read_rows(struct envi *e, int64_t c, int64_t y0, int64_t n, char *dst, struct pfs_err *err)
{
    const struct pfs_envi_header *h = &e->h;
    int64_t size = (int64_t)pfs_type_size(h->type), bytes = h->x * size, at = h->offset + c * h->band + y0 * h->row;
    int r = 0;
    if (h->pixel == size && h->row == bytes)
        return read_bytes(e->fd, dst, n * bytes, at, err);
    for (int64_t i = 0; i < n && !r; i++, at += h->row)
        r = h->pixel == size ? read_bytes(e->fd, dst + i * bytes, bytes, at, err)
                             : gather(e, dst + i * bytes, h->x, at, err);
    return r;
}

/* Signed bytes lie behind their room: widened from the front, none is overwritten before it is read. */
static void widen(char *px, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int16_t v = (int8_t)px[n + i];
        memcpy(px + 2 * i, &v, 2);
    }
}

static int check_plane(const struct envi *e, int series, struct pfs_at at, struct pfs_err *err)
{
    if (series == 0 && pfs_at_inside(&e->series.shape, at))
        return 0;
    return pfs_fail(err, ENOENT, "envi: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                    (long long)at.c, series);
}

static int envi_rows(struct pfs_source *source, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                     struct pfs_err *err)
{
    struct envi *e = (struct envi *)source;
    const struct pfs_envi_header *h = &e->h;
    bool narrow = h->type == PFS_I8;
    int r = check_plane(e, series, at, err);
    if (r)
        return r;
    if (y0 < 0 || n < 0 || n > h->y || y0 > h->y - n)
        return pfs_fail(err, ENOENT, "envi: no rows %lld to %lld", (long long)y0, (long long)(y0 + n - 1));
    r = read_rows(e, at.c, y0, n, (char *)dst + (narrow ? n * h->x : 0), err);
    if (r)
        return r;
    if (narrow)
        widen(dst, n * h->x);
    else if (h->big_endian == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
        swap_samples(dst, n * h->x, pfs_type_size(h->type));
    return 0;
}

/* ---- where planes lie ---- */

static int envi_extent(struct pfs_source *source, int series, struct pfs_at at, struct pfs_extent *ret,
                       struct pfs_err *err)
{
    struct envi *e = (struct envi *)source;
    const struct pfs_envi_header *h = &e->h;
    int64_t size = (int64_t)pfs_type_size(h->type), start = h->offset + at.c * h->band;
    int r = check_plane(e, series, at, err);
    if (r)
        return r;
    const int64_t depends[] = {h->type, h->big_endian, h->band, h->row, h->pixel, h->x, h->y, h->bands};
    bool together = h->pixel == size && h->row == h->x * size;
    *ret = (struct pfs_extent){
        .raw = together && h->type != PFS_I8 ? start : -1,
        .big_endian = h->big_endian,
        .stored = together ? start : h->offset,                     /* else the bands share their bytes */
        .stored_size = together ? h->row * h->y : end_of(h) - h->offset,
        .codec = pfs_hash64(depends, sizeof depends, 0),
        .file = 1,
    };
    return 0;
}

const struct pfs_driver pfs_driver_envi = {
    .name = "envi",
    .doc = "ENVI header and raw file: BSQ, BIL, BIP, with wavelengths and band names; ArcGIS raw grids",
    .rev = 1,
    .threads = PFS_THREADS_HANDLE,
    .probe = envi_probe,
    .open = envi_open,
    .rows = envi_rows,
    .extent = envi_extent,
    .close = envi_close,
};
