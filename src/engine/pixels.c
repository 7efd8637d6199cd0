/* Pixels ready to be read: lying raw in a source file, or in a cached entry. */
#include "engine/own.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct pfs_pixels {
    int refs;
    struct pfs_entry *entry;         /* NULL: the source file */
    int fd;
    int64_t off, size;
    bool big_endian;
    struct pfs_ident id;             /* the version of the file that is served */
};

struct pfs_pixels *pfs_pixels_of_file(int fd, const struct pfs_located *l, const struct pfs_shape *shape)
{
    struct pfs_pixels *p = calloc(1, sizeof *p);
    if (!p) {
        close(fd);
        return NULL;
    }
    *p = (struct pfs_pixels){.refs = 1, .fd = fd, .off = l->extent.raw, .size = pfs_shape_plane_bytes(shape),
                             .big_endian = l->extent.big_endian, .id = l->data->id};
    return p;
}

struct pfs_pixels *pfs_pixels_of_entry(struct pfs_entry *entry)
{
    struct pfs_pixels *p = calloc(1, sizeof *p);
    if (!p) {
        pfs_entry_unref(entry);
        return NULL;
    }
    *p = (struct pfs_pixels){.refs = 1, .entry = entry, .fd = -1, .off = pfs_entry_head(entry),
                             .size = pfs_entry_size(entry) - pfs_entry_head(entry)};
    return p;
}

struct pfs_pixels *pfs_pixels_part(struct pfs_pixels *whole, int64_t off, int64_t size)
{
    struct pfs_pixels *p = whole->entry && off >= 0 && size <= whole->size - off ? calloc(1, sizeof *p) : NULL;
    if (p)
        *p = (struct pfs_pixels){.refs = 1, .entry = pfs_entry_ref(whole->entry), .fd = -1, .off = whole->off + off,
                                 .size = size};
    return p;
}

struct pfs_entry *pfs_pixels_entry(const struct pfs_pixels *p)
{
    return p->entry;
}

struct pfs_pixels *pfs_pixels_ref(struct pfs_pixels *p)
{
    __atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

void pfs_pixels_unref(struct pfs_pixels *p)
{
    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
        return;
    pfs_entry_unref(p->entry);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

bool pfs_pixels_big_endian(const struct pfs_pixels *p)
{
    return p->big_endian;
}

/* A file system that cannot say whether it would wait is simply read. */
static ssize_t read_some(int fd, struct iovec *v, int64_t off, bool nowait)
{
    if (nowait) {
        ssize_t n = preadv2(fd, v, 1, off, RWF_NOWAIT);
        if (n >= 0 || errno != EOPNOTSUPP)
            return n;
    }
    return preadv(fd, v, 1, off);
}

static int read_file(struct pfs_pixels *p, int64_t off, int64_t n, void *dst, bool nowait, struct pfs_err *err)
{
    for (int64_t done = 0; done < n;) {
        struct iovec v = {(char *)dst + done, (size_t)(n - done)};
        ssize_t got = read_some(p->fd, &v, p->off + off + done, nowait);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && nowait && errno == EAGAIN)
            return -EAGAIN;
        if (got < 0)
            return pfs_fail(err, EIO, "reading the source failed");
        if (got == 0)
            return pfs_fail(err, ESTALE, "the source was truncated");
        done += got;
    }
    return pfs_ident_check(p->fd, &p->id, err);
}

int pfs_pixels_read(struct pfs_pixels *p, int64_t off, int64_t n, void *dst, bool nowait, struct pfs_err *err)
{
    if (off < 0 || n < 0 || off > p->size || n > p->size - off)
        return pfs_fail(err, EIO, "a plane has no bytes at %lld", (long long)off);
    return p->entry ? pfs_entry_read(p->entry, p->off + off, n, dst, err) : read_file(p, off, n, dst, nowait, err);
}
