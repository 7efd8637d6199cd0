/* Pages: the fields of a directory that say where its pixels lie and how they are packed, and the chain of all pages.
 *
 * Fields that are absent get the defaults of TIFF 6.0 (and, for old JPEG, of its technical notes). A page whose
 * fields contradict each other fails; nothing is guessed. */
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {                     /* one directory being read */
    struct pfs_tiff_file *f;
    const struct pfs_tiff_directory *d;
    struct pfs_err *err;
    int failed;                   /* first -errno */
};

/* The first value of a tag, `otherwise` when it is absent. */
static uint32_t number(struct walk *w, uint16_t tag, uint32_t otherwise)
{
    const struct pfs_tiff_entry *e = pfs_tiff_entry(w->d, tag, 0);
    uint64_t v;
    if (!e || w->failed)
        return otherwise;
    w->failed = pfs_tiff_numbers(w->f, e, 0, 1, &v, w->err);
    if (w->failed)
        return otherwise;
    if (v > UINT32_MAX)
        w->failed = pfs_fail(w->err, EIO, "tiff: tag %d is %llu", tag, (unsigned long long)v);
    return (uint32_t)v;
}

static uint16_t small_number(struct walk *w, uint16_t tag, uint16_t otherwise)
{
    uint32_t v = number(w, tag, otherwise);
    if (v > UINT16_MAX && !w->failed)
        w->failed = pfs_fail(w->err, EIO, "tiff: tag %d is %lu", tag, (unsigned long)v);
    return (uint16_t)v;
}

/* A value every sample has (bits, format): one for all, or one each. 0 when they differ. */
static uint16_t common(struct walk *w, uint16_t tag, uint16_t samples, uint16_t otherwise)
{
    const struct pfs_tiff_entry *e = pfs_tiff_entry(w->d, tag, 0);
    uint64_t v[256], first = 0;
    if (!e || w->failed)
        return otherwise;
    uint64_t n = e->count < samples ? e->count : samples;
    for (uint64_t i = 0; i < n || i == 0; i += 256) {
        uint64_t k = n - i < 256 && n ? n - i : n ? 256 : 1;
        if ((w->failed = pfs_tiff_numbers(w->f, e, i, k, v, w->err)) < 0)
            return otherwise;
        first = i ? first : v[0];
        for (uint64_t j = 0; j < k; j++)
            if (v[j] != first)
                return 0;
    }
    return first > UINT16_MAX ? 0 : (uint16_t)first;
}

static void blocks(struct walk *w, struct pfs_tiff_page *p)
{
    const struct pfs_tiff_entry none = {0}, *e;
    uint32_t tile_w = number(w, TAG_TILE_W, 0), tile_h = number(w, TAG_TILE_H, 0);
    p->tiled = tile_w && tile_h;
    p->block_w = p->tiled ? tile_w : p->w;
    p->block_h = p->tiled ? tile_h : number(w, TAG_ROWS_PER_STRIP, UINT32_MAX);
    p->block_d = p->tiled ? number(w, TAG_TILE_DEPTH, 1) : 1;
    if (!p->tiled && (p->block_h == 0 || p->block_h > p->h))
        p->block_h = p->h;
    /* Some writers put tiles under the tags of strips, and the other way round. */
    e = pfs_tiff_entry(w->d, p->tiled ? TAG_TILE_OFFSETS : TAG_STRIP_OFFSETS, 0);
    e = e ? e : pfs_tiff_entry(w->d, p->tiled ? TAG_STRIP_OFFSETS : TAG_TILE_OFFSETS, 0);
    p->offset = e ? *e : none;
    e = pfs_tiff_entry(w->d, p->tiled ? TAG_TILE_COUNTS : TAG_STRIP_COUNTS, 0);
    e = e ? e : pfs_tiff_entry(w->d, p->tiled ? TAG_STRIP_COUNTS : TAG_TILE_COUNTS, 0);
    p->count = e ? *e : none;
}

static void samples(struct walk *w, struct pfs_tiff_page *p)
{
    bool old_jpeg = p->compression == 6;
    p->photometric = small_number(w, TAG_PHOTOMETRIC, old_jpeg ? 6 : 1);
    p->samples = small_number(w, TAG_SAMPLES, old_jpeg && (p->photometric == 2 || p->photometric == 6) ? 3 : 1);
    p->bits = common(w, TAG_BITS, p->samples, old_jpeg ? 8 : 1);
    p->format = common(w, TAG_FORMAT, p->samples, 1);
    p->separate = small_number(w, TAG_PLANAR, 1) == 2 && p->samples > 1;
}

static int check_page(const struct pfs_tiff_page *p, int64_t nth, struct pfs_err *err)
{
    long long i = nth;
    if (!p->w || !p->h)
        return pfs_fail(err, EIO, "tiff: page %lld is %u x %u pixels", i, p->w, p->h);
    if (!p->samples)
        return pfs_fail(err, EIO, "tiff: page %lld has no samples", i);
    if (!p->offset.count && p->compression != 6)
        return pfs_fail(err, EIO, "tiff: page %lld does not say where its pixels lie", i);
    if (!p->depth || !p->block_d)
        return pfs_fail(err, EIO, "tiff: page %lld has a depth of 0", i);
    return 0;
}

static int parse_page(struct pfs_tiff_file *f, const struct pfs_tiff_directory *d, int64_t nth, struct pfs_tiff_page *p,
                      struct pfs_err *err)
{
    struct walk w = {f, d, err, 0};
    p->w = number(&w, TAG_WIDTH, 0);
    p->h = number(&w, TAG_HEIGHT, 0);
    p->depth = number(&w, TAG_DEPTH, 1);
    p->compression = small_number(&w, TAG_COMPRESSION, 1);
    p->fill_order = small_number(&w, TAG_FILL_ORDER, 1);
    uint32_t kind = number(&w, TAG_SUBFILE, 0);
    p->reduced = kind & 1 || number(&w, TAG_OLD_SUBFILE, 0) == 2;
    p->mask = kind & 4;
    samples(&w, p);
    blocks(&w, p);
    return w.failed ? w.failed : check_page(p, nth, err);
}

/* ---- the chain ---- */

enum { SEEN = 1 << 17 };          /* slots; at least twice PFS_TIFF_PAGES */

static bool seen_before(int64_t *seen, int64_t at)
{
    uint64_t i = (uint64_t)at * 0x9e3779b97f4a7c15u >> 47;
    for (; seen[i]; i = (i + 1) % SEEN)
        if (seen[i] == at)
            return true;
    seen[i] = at;
    return false;
}

static int more_room(struct pfs_tiff_page **page, int64_t n, int64_t *cap, struct pfs_err *err)
{
    if (n >= PFS_TIFF_PAGES)
        return pfs_fail(err, EFBIG, "tiff: the file has more than %d pages", PFS_TIFF_PAGES);
    if (n < *cap)
        return 0;
    int64_t bigger = *cap ? *cap * 2 : 4;
    void *p = realloc(*page, (size_t)bigger * sizeof **page);
    if (!p)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld pages", (long long)bigger);
    *page = p;
    *cap = bigger;
    return 0;
}

int pfs_tiff_pages(struct pfs_tiff_file *f, struct pfs_tiff_page **ret, int64_t *ret_n, struct pfs_err *err)
{
    PFS_AUTO_FREE int64_t *seen = pfs_array(SEEN, sizeof *seen);
    PFS_AUTO_FREE struct pfs_tiff_directory *d = malloc(sizeof *d);
    PFS_AUTO_FREE struct pfs_tiff_page *page = NULL;
    int64_t n = 0, cap = 0;
    if (!seen || !d)
        return pfs_fail(err, ENOMEM, "tiff: no memory to read the directories");
    /* A loop ends the chain: every page has been met by then. */
    for (int64_t at = f->first; at && !seen_before(seen, at); at = d->next) {
        int r = pfs_tiff_directory(f, at, d, err);
        if (r < 0 || (r = more_room(&page, n, &cap, err)) < 0)
            return r;
        page[n] = (struct pfs_tiff_page){.ifd = at, .wrap = -1};
        if ((r = parse_page(f, d, n, &page[n], err)) < 0)
            return r;
        n++;
    }
    *ret = PFS_TAKE(page);
    *ret_n = n;
    return 0;
}
