/* One ledger file: writing records, and reading them back whatever happened to the file.
 *
 * A torn or flipped record is skipped: from there on, bytes are searched for the next head whose checksum is right. */
#include "cache/ledger_file.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const char file_magic[8] = "PFSledg1";
static const char record_magic[4] = "\xe7PFr";

struct record { struct pfs_hash key; uint32_t n; uint64_t sum; };

static void put_le(uint8_t *p, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void pfs_record_put(struct pfs_text *t, uint64_t nonce, struct pfs_hash key, const void *data, uint32_t n)
{
    uint8_t h[PFS_RECORD_HEAD];
    memcpy(h, record_magic, 4);
    put_le(h + 4, n, 4);
    put_le(h + 8, key.hi, 8);
    put_le(h + 16, key.lo, 8);
    put_le(h + 24, pfs_hash64(data, n, 0), 8);
    put_le(h + 32, pfs_hash64(h, 32, nonce), 8);
    pfs_text_bytes(t, h, sizeof h);
    pfs_text_bytes(t, data, n);
}

static bool get_record(const uint8_t *h, uint64_t nonce, struct record *ret)
{
    if (memcmp(h, record_magic, 4) || get_le(h + 32, 8) != pfs_hash64(h, 32, nonce))
        return false;
    *ret = (struct record){{get_le(h + 8, 8), get_le(h + 16, 8)}, (uint32_t)get_le(h + 4, 4), get_le(h + 24, 8)};
    return ret->n <= PFS_VALUE_MAX;
}

static struct pfs_ledger_file *new_file(const char *name)
{
    struct pfs_ledger_file *f = pfs_array(1, sizeof *f);
    if (!f)
        return NULL;
    f->refs = 1;
    f->fd = -1;
    snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

void pfs_ledger_file_close(struct pfs_ledger_file *f)
{
    if (f && f->fd >= 0)
        close(f->fd);
    free(f);
}

static int write_head(struct pfs_ledger_file *f)
{
    uint8_t h[PFS_LEDGER_HEAD];
    memcpy(h, file_magic, 8);
    if (getrandom(h + 8, 8, 0) != 8)
        return -EIO;
    put_le(h + 16, pfs_hash64(h, 16, 0), 8);
    f->nonce = get_le(h + 8, 8);
    f->end = sizeof h;
    ssize_t n = pwrite(f->fd, h, sizeof h, 0);
    return n == sizeof h ? 0 : n < 0 ? -errno : -ENOSPC;
}

int pfs_ledger_file_create(struct pfs_home *h, struct pfs_ledger_file **ret)
{
    char name[PFS_LEDGER_NAME];
    struct pfs_path p;
    unsigned long long start = atomic_fetch_add(&h->seq, 1);
    snprintf(name, sizeof name, "%s.%d.%llx.log", h->host, (int)h->pid, start);
    struct pfs_ledger_file *f = new_file(name);
    if (!f)
        return -ENOMEM;
    pfs_home_path(h, &p, "ledger/%s", name);
    f->fd = open(p.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int e = f->fd < 0 ? -errno : write_head(f);
    if (e && f->fd >= 0)
        unlink(p.s);
    if (e) {
        pfs_ledger_file_close(f);
        return e;
    }
    *ret = f;
    return 0;
}

static int open_file(const struct pfs_home *h, const char *name, struct stat *st)
{
    struct pfs_path p;
    pfs_home_path(h, &p, "ledger/%s", name);
    int fd = open(p.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int e = fstat(fd, st) ? -errno : S_ISREG(st->st_mode) && st->st_uid == h->uid ? 0 : -EBADMSG;
    if (!e)
        return fd;
    close(fd);
    return e;
}

int pfs_ledger_file_open(const struct pfs_home *h, const char *name, struct pfs_ledger_file **ret)
{
    uint8_t head[PFS_LEDGER_HEAD];
    struct stat st;
    struct pfs_ledger_file *f = new_file(name);
    if (!f)
        return -ENOMEM;
    f->fd = open_file(h, name, &st);
    int e = f->fd < 0 ? f->fd : 0;
    if (!e) {
        ssize_t n = pread(f->fd, head, sizeof head, 0);
        e = n < 0 ? -errno : n < (ssize_t)sizeof head || memcmp(head, file_magic, 7) ? -EBADMSG : 0;
    }
    if (!e && get_le(head + 16, 8) != pfs_hash64(head, 16, 0))
        e = -EBADMSG;
    if (!e && head[7] != file_magic[7])
        e = -EOPNOTSUPP;
    if (e) {
        pfs_ledger_file_close(f);
        return e;
    }
    f->nonce = get_le(head + 8, 8);
    f->end = st.st_size;
    *ret = f;
    return 0;
}

/* ---- scanning ---- */

enum { WINDOW = 1 << 20 };

struct window { int fd; uint8_t *data; int64_t at, n; };

/* `need` bytes at off, or NULL when the file ends before. Lent until the next call. */
static const uint8_t *view(struct window *w, int64_t off, int64_t need)
{
    if (off >= w->at && off + need <= w->at + w->n)
        return w->data + (off - w->at);
    w->at = off;
    w->n = 0;
    while (w->n < need) {
        ssize_t got = pread(w->fd, w->data + w->n, (size_t)(WINDOW - w->n), off + w->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return NULL;
        w->n += got;
    }
    return w->data;
}

/* Where the next record may begin, at or behind off; the end when nowhere. The file may have grown behind `end`. */
static int64_t next_record(struct window *w, int64_t off, int64_t end)
{
    const uint8_t *p;
    while (off < end && (p = view(w, off, sizeof record_magic))) {
        int64_t left = w->at + w->n - off;
        const uint8_t *hit = memmem(p, (size_t)left, record_magic, sizeof record_magic);
        if (hit)
            return off + (hit - p);
        off += left - (int64_t)sizeof record_magic + 1;
    }
    return end;
}

static void scan(struct window *w, const struct pfs_ledger_file *f, pfs_record_found *found, void *ctx)
{
    int64_t off = PFS_LEDGER_HEAD;
    const uint8_t *p;
    while (off + PFS_RECORD_HEAD <= f->end && (p = view(w, off, PFS_RECORD_HEAD))) {
        struct record r;
        const uint8_t *data = NULL;
        bool good = get_record(p, f->nonce, &r) && r.n <= f->end - off - PFS_RECORD_HEAD;
        if (good && r.n <= PFS_VALUE_SMALL) {
            data = view(w, off + PFS_RECORD_HEAD, r.n);
            good = data && pfs_hash64(data, r.n, 0) == r.sum;
        }
        if (!good) {
            off = next_record(w, off + 1, f->end);
            continue;
        }
        found(ctx, r.key, r.n, off, data);
        off += PFS_RECORD_HEAD + (int64_t)r.n;
    }
}

int pfs_ledger_file_scan(const struct pfs_home *h, const struct pfs_ledger_file *f, pfs_record_found *found, void *ctx)
{
    struct stat st;
    PFS_AUTO_FREE uint8_t *data = pfs_pixels(WINDOW, 1);
    PFS_AUTO_CLOSE int fd = f->fd < 0 ? open_file(h, f->name, &st) : -1;
    if (!data || (f->fd < 0 && fd < 0))
        return data ? fd : -ENOMEM;
    struct window w = {.fd = f->fd < 0 ? fd : f->fd, .data = data};
    scan(&w, f, found, ctx);
    return 0;
}

int pfs_ledger_file_value(const struct pfs_home *h, const struct pfs_ledger_file *f, struct pfs_hash key, uint32_t n,
                          int64_t off, struct pfs_blob *ret)
{
    struct stat st;
    struct record r;
    uint8_t head[PFS_RECORD_HEAD];
    PFS_AUTO_CLOSE int own = f->fd < 0 ? open_file(h, f->name, &st) : -1;
    PFS_AUTO_FREE uint8_t *data = pfs_array(n, 1);
    if (!data || (f->fd < 0 && own < 0))
        return data ? own : -ENOMEM;
    struct iovec v[2] = {{head, sizeof head}, {data, n}};
    ssize_t got = preadv(f->fd < 0 ? own : f->fd, v, 2, off);
    if (got < 0)
        return -errno;
    if (got != (ssize_t)(sizeof head + n) || !get_record(head, f->nonce, &r) || r.n != n ||
        !pfs_hash_same(r.key, key) || pfs_hash64(data, n, 0) != r.sum)
        return -EBADMSG;
    *ret = (struct pfs_blob){PFS_TAKE(data), n};
    return 0;
}
