/* The registry of source drivers, and opening a file with the surest of them.
 *
 * The first bytes decide, never the name alone. The descriptor that was asked for to see them is handed on to the
 * driver, so that opening a file asks for it once. */
#include <planefs/io.h>
#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PFS_DRIVER(name) extern const struct pfs_driver pfs_driver_##name;
#include "sources.def"
#undef PFS_DRIVER

#define PFS_DRIVER(name) &pfs_driver_##name,
const struct pfs_driver *const pfs_drivers[] = {
#include "sources.def"
    NULL
};
#undef PFS_DRIVER

enum { HEAD = 4096 };

struct handed {                   /* files, with one descriptor already at hand */
    const struct pfs_files *files;
    const char *name;
    int fd;
};

static int handed_get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct handed *h = ctx;
    if (h->fd < 0 || strcmp(name, h->name))
        return h->files->get(h->files->ctx, name, ret_fd, err);
    *ret_fd = PFS_TAKE_FD(h->fd);
    return 0;
}

static int read_head(int fd, uint8_t head[HEAD], size_t *ret_n, struct pfs_err *err)
{
    *ret_n = 0;
    while (*ret_n < HEAD) {
        ssize_t got = pread(fd, head + *ret_n, HEAD - *ret_n, (off_t)*ret_n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pfs_fail(err, EIO, "reading the first bytes: %s", strerror(errno));
        if (got == 0)
            break;
        *ret_n += (size_t)got;
    }
    return 0;
}

static const struct pfs_driver *surest(const uint8_t *head, size_t n, const char *name)
{
    const struct pfs_driver *best = NULL;
    int sure = 0;
    for (const struct pfs_driver *const *d = pfs_drivers; *d; d++) {
        int p = (*d)->probe(head, n, name);
        if (p > sure) {
            sure = p;
            best = *d;
        }
    }
    return best;
}

int pfs_source_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    uint8_t head[HEAD];
    size_t n;
    *ret = NULL;
    PFS_AUTO_CLOSE int fd = -1;
    int r = files->get(files->ctx, name, &fd, err);
    if (r < 0 || (r = read_head(fd, head, &n, err)) < 0)
        return r;
    const struct pfs_driver *driver = surest(head, n, name);
    if (!driver)
        return pfs_fail(err, EOPNOTSUPP, "not an image planefs knows");
    struct handed handed = {files, name, PFS_TAKE_FD(fd)};
    r = driver->open(&(struct pfs_files){handed_get, &handed}, name, ret, err);
    if (handed.fd >= 0)
        close(handed.fd);
    return r;
}

void pfs_source_close(struct pfs_source *s)
{
    if (s)
        s->driver->close(s);
}

void pfs_series_finish(struct pfs_series *s)
{
    for (int64_t c = 0; s->band_name && c < s->shape.c; c++)
        free(s->band_name[c]);
    free(s->band_name);
    for (int i = 0; s->file && i < s->n_files; i++)
        free(s->file[i]);
    free(s->file);
    free(s->piece);
    free(s->geo);
    free(s->master);
    free(s->wavelength);
    free(s->name);
    *s = (struct pfs_series){0};
}
