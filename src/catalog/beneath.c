/* Opening files under SOURCE and never outside it: the kernel resolves each path beneath SOURCE's descriptor. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int pfs_beneath_open(struct pfs_catalog *c, const char *path, int flags, int *ret_fd, struct pfs_err *err)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY | O_NONBLOCK)),   /* openat2 is strict */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    do
        fd = syscall(SYS_openat2, c->root, *path ? path : ".", &how, sizeof how);
    while (fd < 0 && errno == EAGAIN);   /* a concurrent rename made the kernel unsure */
    if (fd < 0 && (errno == EXDEV || errno == ELOOP))
        return pfs_fail(err, EPERM, "%s leads out of the source folder", path);
    if (fd < 0)
        return pfs_fail(err, errno == ENOENT || errno == EACCES ? errno : EIO, "cannot open %s: %s", path,
                        strerror(errno));
    *ret_fd = (int)fd;
    return 0;
}

struct pfs_ident pfs_ident_of(const struct stat *st)
{
    return (struct pfs_ident){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = st->st_size,
        .mtime = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
        .ctime = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
    };
}

bool pfs_ident_same(const struct pfs_ident *a, const struct pfs_ident *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime;
}

/* Two writes within one clock tick leave the same times: a file that has just changed is not to be remembered. */
bool pfs_ident_young(const struct pfs_ident *id)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t now = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
    return now - id->mtime < YOUNG_NS || now - id->ctime < YOUNG_NS;
}

uint64_t pfs_ident_version(const struct pfs_ident *id)
{
    return pfs_hash64(id, sizeof *id, 0);
}

int pfs_read_full(int fd, void *dst, int64_t n, int64_t off)
{
    while (n > 0) {
        ssize_t got = pread(fd, dst, (size_t)n, off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -EIO;
        dst = (char *)dst + got;
        n -= got;
        off += got;
    }
    return 0;
}

int pfs_ident_check(int fd, const struct pfs_ident *id, struct pfs_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return pfs_fail(err, EIO, "cannot stat the source");
    struct pfs_ident now = pfs_ident_of(&st);
    return pfs_ident_same(&now, id) ? 0 : pfs_fail(err, ESTALE, "the source has changed");
}

int pfs_catalog_open_path(struct pfs_catalog *c, const char *path, int *ret_fd, struct pfs_err *err)
{
    return pfs_beneath_open(c, path, 0, ret_fd, err);
}

int pfs_catalog_open_file(struct pfs_catalog *c, const struct pfs_file *f, int *ret_fd, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    int r = pfs_beneath_open(c, f->path, 0, &fd, err);
    if (r < 0)
        return r == -ENOENT ? pfs_fail(err, ESTALE, "%s is gone", f->path) : r;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return pfs_fail(err, EIO, "%s is not a regular file", f->path);
    struct pfs_ident now = pfs_ident_of(&st);
    if (!pfs_ident_same(&now, &f->id))
        return pfs_fail(err, ESTALE, "%s has changed", f->path);
    *ret_fd = PFS_TAKE_FD(fd);
    return 0;
}
