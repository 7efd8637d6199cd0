/* Companion files of OME-TIFF: XML alone, whose images lie in TIFF files beside it.
 *
 * The series have a piece for every plane and no pixel of their own: `rows` fails with ENOENT. */
#include "src_ome.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const struct pfs_driver pfs_driver_ome;

static int ome_probe(const uint8_t *head, size_t n, const char *path)
{
    size_t i = n >= 3 && !memcmp(head, "\xef\xbb\xbf", 3) ? 3 : 0;
    (void)path;
    while (i < n && (head[i] == ' ' || head[i] == '\n' || head[i] == '\r' || head[i] == '\t'))
        i++;
    if (i >= n || head[i] != '<')
        return 0;
    const uint8_t *found = memmem(head + i, n - i, "<OME", 4);
    found = found ? found : memmem(head + i, n - i, ":OME", 4);
    return found && found + 4 < head + n && strchr(" \t\r\n>", found[4]) ? 80 : 0;
}

static void ome_close(struct pfs_source *s)
{
    for (int i = 0; i < s->n_series; i++)
        pfs_series_finish(&s->series[i]);
    free(s->series);
    free(s);
}

static int read_all(int fd, char **ret, size_t *ret_n, struct pfs_err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return pfs_fail(err, EIO, "ome: %s", strerror(errno));
    if (st.st_size > PFS_OME_BYTES)
        return pfs_fail(err, EFBIG, "ome: more than %d MiB of XML", PFS_OME_BYTES >> 20);
    size_t n = (size_t)st.st_size;
    PFS_AUTO_FREE char *text = malloc(n + 1);
    if (!text)
        return pfs_fail(err, ENOMEM, "ome: no memory");
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, text + done, n - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return pfs_fail(err, EIO, "ome: the file ended while it was read");
        done += (size_t)got;
    }
    *ret = PFS_TAKE(text);
    *ret_n = n;
    return 0;
}

static int add_image(struct pfs_source *s, const struct pfs_ome *o, const struct pfs_ome_image *im,
                     struct pfs_err *err)
{
    struct pfs_series *series = &s->series[s->n_series];
    int64_t samples = im->n_channels && im->channel[0].samples > 1 ? im->channel[0].samples : 1;
    if (samples > UINT16_MAX || im->c % samples)
        samples = 1;
    int r = pfs_ome_series(o, im, 0, samples, series, err);
    if (r == 0 && im->type == PFS_NONE)
        r = pfs_fail(err, EOPNOTSUPP, "ome: an image of complex or unknown samples");
    if (r == 0 && !series->bits)
        series->bits = 8 * (int)pfs_type_size(im->type);
    if (r < 0)
        pfs_series_finish(series);
    else
        s->n_series++;
    return r == -ENOENT ? 0 : r;
}

static int add_images(struct pfs_source *s, const struct pfs_ome *o, struct pfs_err *err)
{
    int r = (s->series = pfs_array(o->n_images + 1, sizeof *s->series)) ? 0 : pfs_fail(err, ENOMEM, "ome: no memory");
    for (int i = 0; r == 0 && i < o->n_images; i++)
        if (o->image[i].pixels)
            r = add_image(s, o, &o->image[i], err);
    return r < 0 || s->n_series ? r : pfs_fail(err, EOPNOTSUPP, "ome: the text names no file with planes");
}

static int ome_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    PFS_AUTO_FREE char *text = NULL;
    size_t n = 0;
    struct pfs_ome o;
    int r = files->get(files->ctx, name, &fd, err);
    if (r < 0 || (r = read_all(fd, &text, &n, err)) < 0 || (r = pfs_ome_parse(text, n, &o, err)) < 0)
        return r;
    struct pfs_source *s = calloc(1, sizeof *s);
    r = s ? add_images(s, &o, err) : pfs_fail(err, ENOMEM, "ome: no memory");
    pfs_ome_finish(&o);
    if (r < 0 && s)
        ome_close(s);
    if (r == 0) {
        s->driver = &pfs_driver_ome;
        *ret = s;
    }
    return r;
}

static int ome_rows(struct pfs_source *s, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                    struct pfs_err *err)
{
    (void)s;
    (void)series;
    (void)y0;
    (void)n;
    (void)dst;
    return pfs_fail(err, ENOENT, "ome: plane t%lld z%lld c%lld is not in this file", (long long)at.t, (long long)at.z,
                    (long long)at.c);
}

static int ome_extent(struct pfs_source *s, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err)
{
    *ret = (struct pfs_extent){.raw = -1, .stored = -1, .stored_size = -1};
    if (series < 0 || series >= s->n_series || !pfs_at_inside(&s->series[series].shape, at))
        return pfs_fail(err, ENOENT, "ome: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                        (long long)at.c, series);
    return 0;
}

const struct pfs_driver pfs_driver_ome = {
    .name = "ome",
    .doc = "OME-XML companion files of OME-TIFF sets",
    .rev = 1,
    .threads = PFS_THREADS_FREE,
    .probe = ome_probe,
    .open = ome_open,
    .rows = ome_rows,
    .extent = ome_extent,
    .close = ome_close,
};
