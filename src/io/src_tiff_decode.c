/* Everything libtiff does for planefs: compressed strips and tiles, and conversion to RGB.
 *
 * One handle stands for one page. The header libtiff sees is made up: its first directory is the page's, so that a
 * page is reached at once however long the chain is. libtiff reads through pread with a budget, maps nothing, and any
 * word from its error handler fails the call: a decoder that complains has made pixels up (measured: it also drops
 * tags silently when memory is short). Warnings pass, but for those of JPEG and fax data that are not whole. */
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

struct pfs_tiff_decoder {
    TIFF *tif;
    const struct pfs_tiff_file *file;
    const struct pfs_tiff_page *page;
    int64_t at, budget;
    bool failed, over;            /* over: the budget was */
    char words[200];
    uint8_t head[16];
    int head_size;
};

bool pfs_tiff_has_codec(int compression)
{
    return compression >= 0 && compression <= UINT16_MAX && TIFFIsCODECConfigured((uint16_t)compression);
}

/* ---- what libtiff calls ---- */

static tmsize_t io_read(thandle_t handle, void *dst, tmsize_t n)
{
    struct pfs_tiff_decoder *d = handle;
    if (n < 0 || d->at < 0 || (d->budget -= n) < 0) {
        if (!d->failed)
            snprintf(d->words, sizeof d->words, "more is read than its headers and pixels may take");
        d->failed = d->over = true;
        return 0;
    }
    int64_t got = pfs_tiff_pread(d->file->fd, dst, n, d->at);
    for (int64_t i = d->at; got > 0 && i < d->head_size && i < d->at + got; i++)
        ((uint8_t *)dst)[i - d->at] = d->head[i];
    d->at += got > 0 ? got : 0;
    return got < 0 ? -1 : (tmsize_t)got;
}

static tmsize_t io_write(thandle_t handle, void *src, tmsize_t n)
{
    (void)handle;
    (void)src;
    (void)n;
    return -1;
}

static toff_t io_seek(thandle_t handle, toff_t to, int whence)
{
    struct pfs_tiff_decoder *d = handle;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? d->at : d->file->size, at;
    if (__builtin_add_overflow(base, (int64_t)to, &at) || at < 0)
        return (toff_t)-1;
    d->at = at;
    return (toff_t)at;
}

static int io_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t io_size(thandle_t handle)
{
    return (toff_t)((struct pfs_tiff_decoder *)handle)->file->size;
}

static void remember(struct pfs_tiff_decoder *d, const char *module, const char *format, va_list args)
{
    int n = snprintf(d->words, sizeof d->words, "%s: ", module ? module : "libtiff");
    n = n < 0 ? 0 : n < (int)sizeof d->words ? n : (int)sizeof d->words - 1;
    vsnprintf(d->words + n, sizeof d->words - (size_t)n, format, args);
}

static int on_error(TIFF *tif, void *user, const char *module, const char *format, va_list args)
{
    struct pfs_tiff_decoder *d = user;
    (void)tif;
    /* A tag that libtiff does not know, of a type it does not know: nothing that decoding depends on. */
    if (!strncmp(format, "Defined set_field_type of custom tag", 36))
        return 1;
    if (!d->failed)
        remember(d, module, format, args);
    d->failed = true;
    return 1;
}

/* Data ended early or could not be understood, and the decoder made up the rest. */
static bool made_up(const char *words)
{
    return strstr(words, "Premature end of JPEG") || strstr(words, "Premature EOF") ||
           (strstr(words, "Corrupt JPEG data") && !strstr(words, "extraneous bytes"));
}

/* The last warning is kept as the reason for codecs that fail without a word. */
static int on_warning(TIFF *tif, void *user, const char *module, const char *format, va_list args)
{
    struct pfs_tiff_decoder *d = user;
    (void)tif;
    if (d->failed)
        return 1;
    remember(d, module, format, args);
    d->failed = made_up(d->words);
    return 1;
}

/* ---- opening ---- */

static void make_head(struct pfs_tiff_decoder *d, int64_t ifd)
{
    const struct pfs_tiff_file *f = d->file;
    bool big = f->big_endian;
    int word = f->big_tiff ? 8 : 4;
    d->head_size = f->big_tiff ? 16 : 8;
    memset(d->head, 0, sizeof d->head);
    memcpy(d->head, big ? "MM" : "II", 2);
    d->head[big ? 3 : 2] = f->big_tiff ? 43 : 42;
    if (f->big_tiff)
        d->head[big ? 5 : 4] = 8;
    for (int i = 0; i < word; i++)
        d->head[d->head_size - word + (big ? word - 1 - i : i)] = (uint8_t)((uint64_t)ifd >> (8 * i));
}

static int said(const struct pfs_tiff_decoder *d, struct pfs_err *err)
{
    return pfs_fail(err, d->over ? EFBIG : EIO, "tiff: %s", d->words[0] ? d->words : "libtiff cannot decode it");
}

static TIFF *client_open(struct pfs_tiff_decoder *d)
{
    TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
    if (!o)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)PFS_TIFF_PLANE_BYTES + PFS_TIFF_SMALL);
    TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, d);
    TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, d);
    /* m: do not map; c: leave strips as they are */
    TIFF *tif = TIFFClientOpenExt("page", "rmc", d, io_read, io_write, io_seek, io_close, io_size, NULL, NULL, o);
    TIFFOpenOptionsFree(o);
    return tif;
}

/* libtiff must see the page as planefs does, or buffers would not fit. */
static bool agrees(TIFF *tif, const struct pfs_tiff_page *p)
{
    uint32_t w = 0, h = 0;
    uint16_t compression = 0, planar = 1, samples = 1;
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &w);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &h);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(tif, TIFFTAG_PLANARCONFIG, &planar);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
    if (w != p->w || h != p->h || compression != p->compression || samples != p->samples)
        return false;
    if (p->colour == PFS_TIFF_RGBA)
        return true;
    bool separate = planar == PLANARCONFIG_SEPARATE && samples > 1, tiled = TIFFIsTiled(tif);
    uint64_t row = tiled ? TIFFTileRowSize64(tif) : TIFFScanlineSize64(tif);
    uint32_t blocks = tiled ? TIFFNumberOfTiles(tif) : TIFFNumberOfStrips(tif);
    return separate == p->separate && tiled == p->tiled && row == (uint64_t)pfs_tiff_row_bytes(p) &&
           blocks == pfs_tiff_blocks_sample(p) * (separate ? samples : 1);
}

int pfs_tiff_decoder_open(struct pfs_tiff_file *f, const struct pfs_tiff_page *p, int64_t encoded,
                          struct pfs_tiff_decoder **ret, struct pfs_err *err)
{
    struct pfs_tiff_decoder *d = pfs_array(1, sizeof *d);
    if (!d)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    d->file = f;
    d->page = p;
    d->budget = PFS_TIFF_BUDGET + encoded;
    make_head(d, p->ifd);
    d->tif = client_open(d);
    if (d->tif && !d->failed && p->colour == PFS_TIFF_JPEG)
        TIFFSetField(d->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (d->tif && !d->failed && p->colour == PFS_TIFF_LOG)
        TIFFSetField(d->tif, TIFFTAG_SGILOGDATAFMT, SGILOGDATAFMT_8BIT);
    int r = 0;
    if (!d->tif || d->failed)
        r = said(d, err);
    else if (!agrees(d->tif, p))
        r = pfs_fail(err, EIO, "tiff: the fields of the page contradict each other");
    if (r < 0)
        pfs_tiff_decoder_close(d);
    else
        *ret = d;
    return r;
}

void pfs_tiff_decoder_close(struct pfs_tiff_decoder *d)
{
    if (d && d->tif)
        TIFFClose(d->tif);
    free(d);
}

/* ---- decoding ---- */

int pfs_tiff_decode_block(struct pfs_tiff_decoder *d, int64_t block, int64_t encoded, void *dst, int64_t size,
                          struct pfs_err *err)
{
    d->failed = false;
    d->words[0] = 0;
    d->budget = PFS_TIFF_BUDGET + 2 * encoded;
    tmsize_t got = d->page->tiled ? TIFFReadEncodedTile(d->tif, (uint32_t)block, dst, size)
                                  : TIFFReadEncodedStrip(d->tif, (uint32_t)block, dst, size);
    if (got < 0 || d->failed)
        return said(d, err);
    if (got < size)
        return pfs_fail(err, EIO, "tiff: %s %lld decodes to %lld of %lld bytes", d->page->tiled ? "tile" : "strip",
                        (long long)block + 1, (long long)got, (long long)size);
    return 0;
}

static void split(const uint32_t *rgba, int64_t n, uint8_t *dst)
{
    for (int64_t i = 0; i < n; i++) {
        dst[i] = (uint8_t)TIFFGetR(rgba[i]);
        dst[n + i] = (uint8_t)TIFFGetG(rgba[i]);
        dst[2 * n + i] = (uint8_t)TIFFGetB(rgba[i]);
    }
}

int pfs_tiff_decode_rgb(struct pfs_tiff_decoder *d, int64_t encoded, uint8_t *dst, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = d->page;
    int64_t n = (int64_t)p->w * p->h;
    char words[1024] = "";
    TIFFRGBAImage image;
    PFS_AUTO_FREE uint32_t *rgba = pfs_array(n, sizeof *rgba);
    if (!rgba)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld pixels", (long long)n);
    d->failed = false;
    d->words[0] = 0;
    d->budget = PFS_TIFF_BUDGET + 4 * encoded;
    if (!TIFFRGBAImageOK(d->tif, words) || !TIFFRGBAImageBegin(&image, d->tif, 1, words))
        return d->failed ? said(d, err) : pfs_fail(err, EOPNOTSUPP, "tiff: %.200s", words);
    image.req_orientation = image.orientation;       /* rows as stored */
    int ok = TIFFRGBAImageGet(&image, rgba, p->w, p->h);
    TIFFRGBAImageEnd(&image);
    if (!ok || d->failed)
        return said(d, err);
    split(rgba, n, dst);
    return 0;
}
