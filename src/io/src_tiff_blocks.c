/* Where the strips or tiles of a page lie, where a plane lies raw, and the fingerprint of what decoding depends on.
 *
 * The arrays of one page are kept. A block must lie in the file, and what it decodes to must be in proportion to what
 * is stored: a few kilobytes that claim to be gigabytes are refused before they are decoded. */
#include "src_tiff.h"

#include <planefs/hash.h>
#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *block_name(const struct pfs_tiff_page *p)
{
    return p->tiled ? "tile" : "strip";
}

static int64_t block_need(const struct pfs_tiff_page *p, int64_t i)
{
    int64_t row = i / pfs_tiff_blocks_across(p) % pfs_tiff_blocks_down(p);
    return pfs_tiff_row_bytes(p) * pfs_tiff_block_rows(p, row * p->block_h) * (p->tiled ? p->block_d : 1);
}

/* Byte counts may be missing, and a lone strip's is often wrong: uncompressed blocks are as long as their pixels. */
static int load_sizes(struct pfs_tiff *t, const struct pfs_tiff_page *p, uint64_t *size, int64_t n, struct pfs_err *err)
{
    if (p->count.count && !(n == 1 && pfs_tiff_is_raw(p)))
        return pfs_tiff_numbers(&t->file, &p->count, 0, (uint64_t)n, size, err);
    if (n > 1 && !pfs_tiff_is_raw(p))
        return pfs_fail(err, EIO, "tiff: %lld compressed %ss without their lengths", (long long)n, block_name(p));
    for (int64_t i = 0; i < n; i++)
        size[i] = pfs_tiff_is_raw(p) ? (uint64_t)block_need(p, i) : 0;
    return 0;
}

static void forget(struct pfs_tiff_blocks *b)
{
    free(b->offset);
    free(b->size);
    *b = (struct pfs_tiff_blocks){0};
}

int pfs_tiff_load_blocks(struct pfs_tiff *t, const struct pfs_tiff_page *p, struct pfs_err *err)
{
    if (t->blocks.page == p)
        return 0;
    forget(&t->blocks);
    int64_t n = pfs_tiff_blocks_sample(p) * (p->separate ? p->samples : 1);
    if (!p->offset.count && p->compression == 6)
        n = 0;                   /* old JPEG may lie at tags of its own */
    if (n && p->offset.count < (uint64_t)n && !(p->depth > 1 && !p->tiled))
        return pfs_fail(err, EIO, "tiff: %llu %s offsets where %lld are needed", (unsigned long long)p->offset.count,
                        block_name(p), (long long)n);
    PFS_AUTO_FREE uint64_t *offset = pfs_array(n, sizeof *offset), *size = pfs_array(n, sizeof *size);
    if (!offset || !size)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld %ss", (long long)n, block_name(p));
    int r = n ? pfs_tiff_numbers(&t->file, &p->offset, 0, (uint64_t)n, offset, err) : 0;
    if (r < 0 || (n && (r = load_sizes(t, p, size, n, err)) < 0))
        return r;
    if (p->wrap >= 0)
        pfs_tiff_lsm_offsets(p, offset, n);
    t->blocks = (struct pfs_tiff_blocks){p, n, PFS_TAKE(offset), PFS_TAKE(size)};
    return 0;
}

static int outside(const struct pfs_tiff *t, const struct pfs_tiff_page *p, int64_t block, struct pfs_err *err)
{
    return pfs_fail(err, EIO, "tiff: %s %lld of %lld lies past the end of the file (%lld bytes)", block_name(p),
                    (long long)block + 1, (long long)t->blocks.n, (long long)t->file.size);
}

int pfs_tiff_block_at(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, int64_t block, int64_t need, int64_t *ret,
                      struct pfs_err *err)
{
    const struct pfs_tiff_page *p = plane->page;
    uint64_t at = t->blocks.offset[block], size = t->blocks.size[block], end = (uint64_t)t->file.size;
    bool raw = pfs_tiff_is_raw(p);
    if (!at)
        return pfs_fail(err, EIO, "tiff: %s %lld of %lld was never written", block_name(p), (long long)block + 1,
                        (long long)t->blocks.n);
    if (raw && size < (uint64_t)need)
        return pfs_fail(err, EIO, "tiff: %s %lld of %lld has %llu bytes, its pixels take %lld", block_name(p),
                        (long long)block + 1, (long long)t->blocks.n, (unsigned long long)size, (long long)need);
    if (at >= end || (uint64_t)plane->shift > end - at)
        return outside(t, p, block, err);
    at += (uint64_t)plane->shift;
    if (at > end || (raw ? (uint64_t)need : size) > end - at)
        return outside(t, p, block, err);
    if (!size && t->blocks.n == 1)
        size = end - at;
    if (!raw && need > PFS_TIFF_SMALL && (uint64_t)(need / PFS_TIFF_RATIO) > size)
        return pfs_fail(err, EFBIG, "tiff: %s %lld would decode %llu bytes to %lld", block_name(p),
                        (long long)block + 1, (unsigned long long)size, (long long)need);
    *ret = (int64_t)at;
    return 0;
}

/* ---- raw planes ---- */

static int64_t first_block(const struct pfs_tiff_plane *plane)
{
    return plane->page->separate ? plane->sample * pfs_tiff_blocks_sample(plane->page) : 0;
}

int64_t pfs_tiff_together(const struct pfs_tiff *t, const struct pfs_tiff_plane *plane)
{
    const struct pfs_tiff_page *p = plane->page;
    if (!pfs_tiff_is_raw(p) || !pfs_tiff_is_native(p) || pfs_tiff_block_samples(p) != 1 || p->block_w != p->w)
        return -1;
    if (p->depth > 1 && (p->tiled || p->separate))
        return -1;
    int64_t first = first_block(plane), n = pfs_tiff_blocks_down(p);
    for (int64_t i = first; i + 1 < first + n; i++)
        if (t->blocks.offset[i] + (uint64_t)block_need(p, i) != t->blocks.offset[i + 1] ||
            t->blocks.size[i] < (uint64_t)block_need(p, i))
            return -1;
    uint64_t at = t->blocks.offset[first], end = (uint64_t)t->file.size;
    uint64_t bytes = (uint64_t)p->w * p->h * pfs_type_size(p->type);
    bool inside = at && at < end && (uint64_t)plane->shift < end - at && bytes <= end - at - (uint64_t)plane->shift;
    return inside ? (int64_t)at + plane->shift : -1;
}

/* ---- stored ranges ---- */

static void stored_range(const struct pfs_tiff *t, const struct pfs_tiff_plane *plane, struct pfs_extent *ret)
{
    const struct pfs_tiff_page *p = plane->page;
    int64_t first = first_block(plane), n = p->separate ? pfs_tiff_blocks_sample(p) : t->blocks.n;
    uint64_t low = UINT64_MAX, high = 0, sum = 0, file = (uint64_t)t->file.size;
    if (p->compression == 6 || !t->blocks.n)
        return;                  /* old JPEG: its tables lie elsewhere */
    for (int64_t i = first; i < first + n; i++) {
        uint64_t at = t->blocks.offset[i], size = t->blocks.size[i];
        if (!at || !size || at > file || size > file - at || (uint64_t)plane->shift > file - at - size)
            return;
        low = at < low ? at : low;
        high = at + size > high ? at + size : high;
        sum += size;
    }
    if (high - low > sum + sum / 4 + 65536)
        return;                  /* scattered among other things */
    ret->stored = (int64_t)low + plane->shift;
    ret->stored_size = (int64_t)(high - low);
}

/* ---- fingerprints ---- */

static bool decodes(uint16_t tag)
{
    static const uint16_t tags[] = {
        256, 257, 258, 259, 262, 266, 277, 278, 284, 292, 293, 317, 318, 319, 322, 323, 332, 338, 339, 347, 512,
        529, 530, 531, 532, 32997, 32998, 37439, 50674,
    };
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

static int hash_entry(struct pfs_tiff *t, const struct pfs_tiff_entry *e, struct pfs_hasher *h, struct pfs_err *err)
{
    int64_t bytes = pfs_tiff_entry_bytes(e);
    if (bytes < 0 || e->at < 0)
        return 0;                /* neither planefs nor libtiff can read it */
    if (bytes > PFS_TIFF_VALUE)
        return pfs_fail(err, EFBIG, "tiff: tag %d has %lld bytes", e->tag, (long long)bytes);
    PFS_AUTO_FREE uint8_t *value = malloc((size_t)bytes + 1);
    int r = value ? pfs_tiff_read(&t->file, e->at, value, bytes, err) : pfs_fail(err, ENOMEM, "tiff: no memory");
    if (r < 0)
        return r;
    pfs_hasher_add(h, &e->tag, sizeof e->tag);
    pfs_hasher_add(h, &e->type, sizeof e->type);
    pfs_hasher_add(h, &e->count, sizeof e->count);
    pfs_hasher_add(h, value, (size_t)bytes);
    return 0;
}

static int hash_page(struct pfs_tiff *t, const struct pfs_tiff_page *p, struct pfs_hasher *h, struct pfs_err *err)
{
    PFS_AUTO_FREE struct pfs_tiff_directory *d = malloc(sizeof *d);
    int r = d ? pfs_tiff_directory(&t->file, p->ifd, d, err) : pfs_fail(err, ENOMEM, "tiff: no memory");
    for (int i = 0; r == 0 && i < d->n; i++)
        if (decodes(d->entry[i].tag))
            r = hash_entry(t, &d->entry[i], h, err);
    for (int64_t i = 0; r == 0 && i < t->blocks.n; i++) {     /* where blocks end within the stored range */
        uint64_t where[2] = {t->blocks.offset[i] - t->blocks.offset[0], t->blocks.size[i]};
        pfs_hasher_add(h, where, sizeof where);
    }
    return r;
}

static int page_codec(struct pfs_tiff *t, const struct pfs_tiff_page *p, struct pfs_err *err)
{
    if (t->codec_page == p)
        return 0;
    struct pfs_hasher *h = pfs_hasher_create();
    if (!h)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    pfs_hasher_add(h, t->file.big_endian ? "MM" : "II", 2);
    int r = hash_page(t, p, h, err);
    t->codec = pfs_hasher_value(h).lo;
    t->codec_page = r == 0 ? p : NULL;
    pfs_hasher_destroy(h);
    return r;
}

/* Of a raw plane only its geometry matters: the same pixels in other strips, or in ENVI, are the same. */
static uint64_t raw_codec(const struct pfs_tiff *t, const struct pfs_tiff_page *p)
{
    uint32_t what[4] = {p->w, p->h, p->type, t->file.big_endian && pfs_type_size(p->type) > 1};
    return pfs_hash64(what, sizeof what, 0);
}

int pfs_tiff_extent(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, struct pfs_extent *ret, struct pfs_err *err)
{
    const struct pfs_tiff_page *p = plane->page;
    *ret = (struct pfs_extent){.raw = -1, .big_endian = t->file.big_endian, .stored = -1, .stored_size = -1};
    int r = pfs_tiff_load_blocks(t, p, err);
    if (r < 0)
        return r;
    ret->raw = pfs_tiff_together(t, plane);
    if (ret->raw >= 0) {
        ret->stored = ret->raw;
        ret->stored_size = (int64_t)p->w * p->h * (int64_t)pfs_type_size(p->type);
        ret->codec = raw_codec(t, p);
        return 0;
    }
    stored_range(t, plane, ret);
    if ((r = page_codec(t, p, err)) < 0)
        return r;
    uint64_t which[2] = {(uint64_t)plane->sample, (uint64_t)plane->slice};
    ret->codec = pfs_hash64(which, sizeof which, t->codec);
    return 0;
}
