/* Rows of a plane: block by block, uncompressed ones with pread, the others through libtiff.
 *
 * Blocks that hold nothing but rows of the plane in its own type go straight into the caller's memory; others pass
 * through a buffer. Of compressed pages with several samples a pixel the whole decoded page is kept when it is small,
 * so that its channels cost one decoding. */
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4 << 20, KEEP = 64 << 20 };

struct target {                   /* where samples go: n channels from the first, each `plane` bytes after the other */
    const struct pfs_tiff_plane *from;
    int64_t y0, n;                /* rows wanted */
    int first, channels;
    uint8_t *px;
    int64_t row, plane;
};

static int scratch(struct pfs_tiff *t, int64_t size, struct pfs_err *err)
{
    if (t->scratch_size >= size)
        return 0;
    t->scratch_page = NULL;
    t->scratch_size = 0;
    free(t->scratch);
    t->scratch = pfs_pixels(size, 1);
    if (!t->scratch)
        return pfs_fail(err, ENOMEM, "tiff: no memory for a block of %lld bytes", (long long)size);
    t->scratch_size = size;
    return 0;
}

static int read_raw(struct pfs_tiff *t, void *dst, int64_t n, int64_t at, struct pfs_err *err)
{
    int64_t got = pfs_tiff_pread(t->file.fd, dst, n, at);
    if (got < 0)
        return pfs_fail(err, EIO, "tiff: reading at offset %lld: %s", (long long)at, strerror((int)-got));
    if (got < n)
        return pfs_fail(err, EIO, "tiff: the file ended at offset %lld while it was read", (long long)(at + got));
    return 0;
}

static bool swapped(const struct pfs_tiff *t)
{
    return t->file.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

/* Rows of a block, in memory at `rows`, that begin at row y and column x of the page. */
static void unpack_rows(const struct pfs_tiff *t, const struct target *to, const uint8_t *rows, int64_t x, int64_t y,
                        int64_t n)
{
    const struct pfs_tiff_page *p = to->from->page;
    int64_t w = p->w - x < p->block_w ? p->w - x : p->block_w, step = pfs_tiff_block_samples(p);
    int64_t size = (int64_t)pfs_type_size(p->type), bytes = pfs_tiff_row_bytes(p);
    bool swap = pfs_tiff_is_raw(p) && swapped(t);
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < to->channels; c++)
            pfs_tiff_unpack(p, swap, rows + i * bytes, step == 1 ? 0 : to->first + c, step, w,
                            to->px + c * to->plane + (y - to->y0 + i) * to->row + x * size);
}

/* Rows r .. r+n-1 of an uncompressed block, a few at a time. */
static int raw_block(struct pfs_tiff *t, const struct target *to, int64_t block, int64_t r, int64_t n, int64_t x,
                     int64_t y, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = to->from->page;
    int64_t bytes = pfs_tiff_row_bytes(p), most = bytes < CHUNK ? CHUNK / bytes : 1, at;
    int e = pfs_tiff_block_at(t, to->from, block, (r + n) * bytes, &at, err);
    if (e < 0 || (e = scratch(t, bytes * (most < n ? most : n), err)) < 0)
        return e;
    t->scratch_page = NULL;
    for (int64_t i = 0; i < n; i += most) {
        int64_t k = n - i < most ? n - i : most;
        if ((e = read_raw(t, t->scratch, k * bytes, at + (r + i) * bytes, err)) < 0)
            return e;
        unpack_rows(t, to, t->scratch, x, y + i, k);
    }
    return 0;
}

/* ---- through libtiff ---- */

static int64_t encoded_bytes(const struct pfs_tiff *t)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < t->blocks.n; i++)
        sum += t->blocks.size[i] < (uint64_t)t->file.size ? t->blocks.size[i] : (uint64_t)t->file.size;
    return sum && sum < (uint64_t)t->file.size ? (int64_t)sum : t->file.size;
}

static int need_decoder(struct pfs_tiff *t, const struct pfs_tiff_page *p, struct pfs_err *err)
{
    const char *name = pfs_tiff_compression(p->compression);
    if (t->decoder && t->decoder_page == p)
        return 0;
    if (!pfs_tiff_has_codec(p->compression))
        return pfs_fail(err, EOPNOTSUPP, "tiff: compression %d%s%s%s is not supported", p->compression,
                        name ? " (" : "", name ? name : "", name ? ")" : "");
    pfs_tiff_decoder_close(t->decoder);
    t->decoder = NULL;
    t->decoder_page = p;
    return pfs_tiff_decoder_open(&t->file, p, encoded_bytes(t), &t->decoder, err);
}

static int64_t encoded_block(const struct pfs_tiff *t, int64_t block)
{
    uint64_t size = t->blocks.size[block];
    return size ? (int64_t)size : t->file.size;
}

static int decode(struct pfs_tiff *t, int64_t block, void *dst, int64_t size, struct pfs_err *err)
{
    int r = pfs_tiff_decode_block(t->decoder, block, encoded_block(t, block), dst, size, err);
    if (r < 0) {                 /* a decoder that failed is not trusted again */
        pfs_tiff_decoder_close(t->decoder);
        t->decoder = NULL;
    }
    return r;
}

static int encoded_block_rows(struct pfs_tiff *t, const struct target *to, int64_t block, int64_t r, int64_t n,
                              int64_t x, int64_t y, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = to->from->page;
    int64_t bytes = pfs_tiff_row_bytes(p), rows = pfs_tiff_block_rows(p, y - r), size = bytes * rows, at;
    int e = pfs_tiff_block_at(t, to->from, block, size, &at, err);
    if (e < 0)
        return e;
    if (size > PFS_TIFF_PLANE_BYTES)
        return pfs_fail(err, EFBIG, "tiff: a block of %lld bytes is larger than 2 GiB", (long long)size);
    if ((e = need_decoder(t, p, err)) < 0)
        return e;
    if (pfs_tiff_is_native(p) && pfs_tiff_block_samples(p) == 1 && p->block_w == p->w && n == rows)
        return decode(t, block, to->px + (y - to->y0) * to->row, size, err);
    if (t->scratch_page != p || t->scratch_block != block) {
        if ((e = scratch(t, size, err)) < 0)
            return e;
        t->scratch_page = NULL;
        if ((e = decode(t, block, t->scratch, size, err)) < 0)
            return e;
        t->scratch_page = p;
        t->scratch_block = block;
    }
    unpack_rows(t, to, t->scratch + r * bytes, x, y, n);
    return 0;
}

/* ---- planes ---- */

static int each_block(struct pfs_tiff *t, const struct target *to, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = to->from->page;
    int64_t across = pfs_tiff_blocks_across(p), down = pfs_tiff_blocks_down(p);
    int64_t start = p->separate ? to->first * pfs_tiff_blocks_sample(p) : 0, inside = 0;
    if (p->tiled) {
        start += to->from->slice / p->block_d * across * down;
        inside = to->from->slice % p->block_d * p->block_h;
    }
    for (int64_t y = to->y0; y < to->y0 + to->n;) {
        int64_t b = y / p->block_h, r = y - b * p->block_h, n = p->block_h - r;
        n = n < to->y0 + to->n - y ? n : to->y0 + to->n - y;
        for (int64_t i = 0; i < across; i++) {
            int64_t block = start + b * across + i, x = i * p->block_w;
            int e = pfs_tiff_is_raw(p) ? raw_block(t, to, block, inside + r, n, x, y, err)
                                       : encoded_block_rows(t, to, block, r, n, x, y, err);
            if (e < 0)
                return e;
        }
        y += n;
    }
    return 0;
}

static int whole_page(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = plane->page;
    int64_t row = (int64_t)p->w * (int64_t)pfs_type_size(p->type), size = row * p->h;
    if (t->whole_page == p)
        return 0;
    t->whole_page = NULL;
    free(t->whole);
    t->whole = pfs_pixels(size * p->channels, 1);
    if (!t->whole)
        return pfs_fail(err, ENOMEM, "tiff: no memory for a page of %lld bytes", (long long)size * p->channels);
    struct target to = {plane, 0, p->h, 0, p->channels, t->whole, row, size};
    int r = p->colour == PFS_TIFF_RGBA ? need_decoder(t, p, err) : 0;
    if (r == 0)
        r = p->colour == PFS_TIFF_RGBA ? pfs_tiff_decode_rgb(t->decoder, encoded_bytes(t), t->whole, err)
                                       : each_block(t, &to, err);
    if (r == 0)
        t->whole_page = p;
    return r;
}

/* Blocks of pages that libtiff converts are not looked at one by one: check that they are there. */
static int check_rgba(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = plane->page;
    int64_t pixels = (int64_t)p->w * p->h, at;
    if (pixels > PFS_TIFF_PLANE_BYTES / 4)
        return pfs_fail(err, EFBIG, "tiff: %lld pixels are too many to convert to RGB", (long long)pixels);
    if (pixels > PFS_TIFF_SMALL && pixels / PFS_TIFF_RATIO > encoded_bytes(t))
        return pfs_fail(err, EFBIG, "tiff: a page would decode %lld bytes to %lld pixels", (long long)encoded_bytes(t),
                        (long long)pixels);
    for (int64_t i = 0; i < t->blocks.n; i++) {
        int r = pfs_tiff_block_at(t, plane, i, 0, &at, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int pfs_tiff_rows(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, int64_t y0, int64_t n, void *dst,
                  struct pfs_err *err)
{
    const struct pfs_tiff_page *p = plane->page;
    int64_t row = (int64_t)p->w * (int64_t)pfs_type_size(p->type), at;
    bool rgba = p->colour == PFS_TIFF_RGBA;
    int r = pfs_tiff_load_blocks(t, p, err);
    if (r < 0 || (rgba && (r = check_rgba(t, plane, err)) < 0))
        return r;
    if ((at = pfs_tiff_together(t, plane)) >= 0) {
        if ((r = read_raw(t, dst, n * row, at + y0 * row, err)) == 0 && swapped(t))
            pfs_tiff_swap(p->type, dst, n * p->w);
        return r;
    }
    bool keep = !pfs_tiff_is_raw(p) && !p->separate && p->channels > 1 && row * p->h <= KEEP / p->channels &&
                p->depth == 1;
    if (rgba || keep) {
        if ((r = whole_page(t, plane, err)) == 0)
            memcpy(dst, (uint8_t *)t->whole + (plane->sample * (int64_t)p->h + y0) * row, (size_t)(n * row));
        return r;
    }
    struct target to = {plane, y0, n, plane->sample, 1, dst, row, 0};
    return each_block(t, &to, err);
}
