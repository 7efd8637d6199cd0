/* The directory walker: the bytes of a TIFF or BigTIFF file as directories, entries and pages.
 *
 * Reads with pread only, through a small window, and never more than a budget; follows the main chain (no SubIFDs),
 * ends at a loop, and looks at no value it does not need. It judges whether a page can be read from its own fields;
 * what the page means is for the other files. TIFF 6.0, Adobe 1992; BigTIFF, libtiff 4. */
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t pfs_tiff_pread(int fd, void *dst, int64_t n, int64_t at)
{
    int64_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)dst + done, (size_t)(n - done), at + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += got;
    }
    return done;
}

static int charge(struct pfs_tiff_file *f, int64_t n, struct pfs_err *err)
{
    f->budget -= n;
    if (f->budget < 0)
        return pfs_fail(err, EFBIG, "tiff: the headers take more than %d MiB to read", PFS_TIFF_BUDGET >> 20);
    return 0;
}

static int read_exactly(struct pfs_tiff_file *f, int64_t at, void *dst, int64_t n, struct pfs_err *err)
{
    int r = charge(f, n, err);
    if (r < 0)
        return r;
    int64_t got = pfs_tiff_pread(f->fd, dst, n, at);
    if (got < 0)
        return pfs_fail(err, EIO, "tiff: reading at offset %lld: %s", (long long)at, strerror((int)-got));
    if (got < n)
        return pfs_fail(err, EIO, "tiff: the file ended at offset %lld while it was read", (long long)(at + got));
    return 0;
}

/* Directories that follow each other closely are read 4 KiB at once, scattered ones 512 bytes at a time. */
static int fill_window(struct pfs_tiff_file *f, int64_t at, struct pfs_err *err)
{
    bool near = f->window_n && at >= f->window_at && at < f->window_at + f->window_n + 4096;
    int64_t n = near ? (int64_t)sizeof f->window : 512;
    if (n > f->size - at)
        n = f->size - at;
    f->window_n = 0;
    int r = read_exactly(f, at, f->window, n, err);
    if (r < 0)
        return r;
    f->window_at = at;
    f->window_n = (int)n;
    return 0;
}

int pfs_tiff_read(struct pfs_tiff_file *f, int64_t at, void *dst, int64_t n, struct pfs_err *err)
{
    if (at < 0 || at > f->size || n > f->size - at)
        return pfs_fail(err, EIO, "tiff: %lld bytes at offset %lld lie past the end of the file (%lld bytes)",
                        (long long)n, (long long)at, (long long)f->size);
    if (n > 256)
        return read_exactly(f, at, dst, n, err);
    if (at < f->window_at || at + n > f->window_at + f->window_n) {
        int r = fill_window(f, at, err);
        if (r < 0)
            return r;
    }
    memcpy(dst, f->window + (at - f->window_at), (size_t)n);
    return 0;
}

uint64_t pfs_tiff_integer(const struct pfs_tiff_file *f, const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[f->big_endian ? i : n - 1 - i];
    return v;
}

static int64_t offset_of(const struct pfs_tiff_file *f, const uint8_t *p)
{
    uint64_t v = pfs_tiff_integer(f, p, f->big_tiff ? 8 : 4);
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

int pfs_tiff_file_init(struct pfs_tiff_file *f, int fd, struct pfs_err *err)
{
    uint8_t head[16];
    struct stat st;
    *f = (struct pfs_tiff_file){.fd = fd, .budget = PFS_TIFF_BUDGET};
    if (fstat(fd, &st) < 0)
        return pfs_fail(err, EIO, "tiff: %s", strerror(errno));
    f->size = st.st_size;
    int r = pfs_tiff_read(f, 0, head, 8, err);
    if (r < 0)
        return r;
    f->big_endian = head[0] == 'M';
    f->big_tiff = pfs_tiff_integer(f, head + 2, 2) == 43;
    if (f->big_tiff && (r = pfs_tiff_read(f, 0, head, 16, err)) < 0)
        return r;
    if (f->big_tiff && (pfs_tiff_integer(f, head + 4, 2) != 8 || pfs_tiff_integer(f, head + 6, 2)))
        return pfs_fail(err, EIO, "tiff: a BigTIFF with offsets of %d bytes", (int)pfs_tiff_integer(f, head + 4, 2));
    f->first = offset_of(f, head + (f->big_tiff ? 8 : 4));
    return f->first ? 0 : pfs_fail(err, EIO, "tiff: the file has no directory");
}

/* ---- entries ---- */

static int type_size(int type)
{
    static const uint8_t size[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type >= 0 && type < (int)sizeof size ? size[type] : 0;
}

int64_t pfs_tiff_entry_bytes(const struct pfs_tiff_entry *e)
{
    int size = type_size(e->type);
    return !size || e->count > (uint64_t)INT64_MAX / 8 ? -1 : (int64_t)e->count * size;
}

static void parse_entry(const struct pfs_tiff_file *f, const uint8_t *p, int64_t at, struct pfs_tiff_entry *e)
{
    int word = f->big_tiff ? 8 : 4;
    e->tag = (uint16_t)pfs_tiff_integer(f, p, 2);
    e->type = (uint16_t)pfs_tiff_integer(f, p + 2, 2);
    e->count = pfs_tiff_integer(f, p + 4, word);
    int64_t bytes = pfs_tiff_entry_bytes(e);
    e->at = bytes >= 0 && bytes <= word ? at + 4 + word : offset_of(f, p + 4 + word);
    if (bytes < 0 || e->at > f->size || bytes > f->size - e->at)
        e->at = -1;
}

int pfs_tiff_directory(struct pfs_tiff_file *f, int64_t at, struct pfs_tiff_directory *ret, struct pfs_err *err)
{
    int head = f->big_tiff ? 8 : 2, size = f->big_tiff ? 20 : 12, word = f->big_tiff ? 8 : 4;
    uint8_t b[PFS_TIFF_TAGS * 20];
    if (at < 8 || at > f->size - head)
        return pfs_fail(err, EIO, "tiff: the directory at offset %lld lies outside the file (%lld bytes)",
                        (long long)at, (long long)f->size);
    int r = pfs_tiff_read(f, at, b, head, err);
    if (r < 0)
        return r;
    uint64_t n = pfs_tiff_integer(f, b, head);
    if (n == 0)
        return pfs_fail(err, EIO, "tiff: the directory at offset %lld is empty", (long long)at);
    if (n > PFS_TIFF_TAGS)
        return pfs_fail(err, EFBIG, "tiff: the directory at offset %lld has %llu tags, more than %d", (long long)at,
                        (unsigned long long)n, PFS_TIFF_TAGS);
    if (at + head + (int64_t)n * size > f->size)
        return pfs_fail(err, EIO, "tiff: the directory at offset %lld is cut off by the end of the file",
                        (long long)at);
    if ((r = pfs_tiff_read(f, at + head, b, (int64_t)n * size, err)) < 0)
        return r;
    for (ret->n = 0; ret->n < (int)n; ret->n++)
        parse_entry(f, b + ret->n * size, at + head + ret->n * size, &ret->entry[ret->n]);
    /* Some writers leave out the last "next" pointer at the end of the file. */
    int64_t link = at + head + (int64_t)n * size;
    ret->next = 0;
    if (link + word <= f->size && (r = pfs_tiff_read(f, link, b, word, err)) == 0)
        ret->next = offset_of(f, b);
    return r;
}

const struct pfs_tiff_entry *pfs_tiff_entry(const struct pfs_tiff_directory *d, uint16_t tag, int nth)
{
    for (int i = 0; i < d->n; i++)
        if (d->entry[i].tag == tag && nth-- == 0)
            return &d->entry[i];
    return NULL;
}

static bool is_integer(int type)
{
    return type == 1 || type == 3 || type == 4 || type == 13 || type == 16 || type == 18;
}

static int check_values(const struct pfs_tiff_entry *e, uint64_t first, uint64_t n, struct pfs_err *err)
{
    if (e->at < 0)
        return pfs_fail(err, EIO, "tiff: the values of tag %d lie outside the file", e->tag);
    if (n > e->count || first > e->count - n)
        return pfs_fail(err, EIO, "tiff: tag %d has %llu values, %llu are needed", e->tag, (unsigned long long)e->count,
                        (unsigned long long)(first + n));
    return 0;
}

int pfs_tiff_numbers(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t first, uint64_t n, uint64_t *ret,
                     struct pfs_err *err)
{
    uint8_t b[4096];
    int size = type_size(e->type), r = check_values(e, first, n, err);
    if (r < 0)
        return r;
    if (!is_integer(e->type))
        return pfs_fail(err, EIO, "tiff: tag %d has values of type %d instead of integers", e->tag, e->type);
    for (uint64_t done = 0; done < n;) {
        uint64_t k = n - done < sizeof b / (size_t)size ? n - done : sizeof b / (size_t)size;
        if ((r = pfs_tiff_read(f, e->at + (int64_t)(first + done) * size, b, (int64_t)k * size, err)) < 0)
            return r;
        for (uint64_t i = 0; i < k; i++)
            ret[done + i] = pfs_tiff_integer(f, b + i * (size_t)size, size);
        done += k;
    }
    return 0;
}

int pfs_tiff_rational(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t ret[2], struct pfs_err *err)
{
    uint8_t b[8];
    int r = check_values(e, 0, 1, err);
    if (r < 0)
        return r;
    if (e->type != 5)
        return pfs_fail(err, EIO, "tiff: tag %d is not a rational number", e->tag);
    if ((r = pfs_tiff_read(f, e->at, b, 8, err)) < 0)
        return r;
    ret[0] = pfs_tiff_integer(f, b, 4);
    ret[1] = pfs_tiff_integer(f, b + 4, 4);
    return 0;
}

int pfs_tiff_text(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t first, uint64_t most, char **ret,
                  struct pfs_err *err)
{
    int r = check_values(e, first, 0, err);
    if (r < 0 || type_size(e->type) != 1)
        return r < 0 ? r : pfs_fail(err, EIO, "tiff: tag %d is not text", e->tag);
    uint64_t n = e->count - first < most ? e->count - first : most;
    PFS_AUTO_FREE char *s = malloc(n + 1);
    if (!s)
        return pfs_fail(err, ENOMEM, "tiff: no memory for tag %d", e->tag);
    if ((r = pfs_tiff_read(f, e->at + (int64_t)first, s, (int64_t)n, err)) < 0)
        return r;
    s[n] = 0;
    *ret = PFS_TAKE(s);
    return 0;
}
