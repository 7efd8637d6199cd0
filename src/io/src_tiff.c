/* The TIFF driver: TIFF, BigTIFF, ImageJ, tifffile's and LSM files as stacks of planes.
 *
 * Directories are read by planefs itself, uncompressed pixels too; libtiff decodes the rest. Orientation is not
 * applied, palettes are not looked up: planes are as stored. SubIFDs (pyramids) are not followed. */
#include "src_ome.h"
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tiff_probe(const uint8_t *head, size_t n, const char *path)
{
    (void)path;
    if (n < 8)
        return 0;
    if (!memcmp(head, "II*\0", 4) || !memcmp(head, "MM\0*", 4))
        return 90;
    return !memcmp(head, "II+\0", 4) || !memcmp(head, "MM\0+", 4) ? 90 : 0;
}

static void tiff_close(struct pfs_source *s)
{
    struct pfs_tiff *t = (struct pfs_tiff *)s;
    pfs_tiff_drop_stacks(t, 0);
    pfs_tiff_decoder_close(t->decoder);
    free(s->series);
    free(t->stack);
    free(t->page);
    free(t->blocks.offset);
    free(t->blocks.size);
    free(t->scratch);
    free(t->whole);
    if (t->file.fd >= 0)
        close(t->file.fd);
    free(t);
}

/* A file none of whose images can be decoded is better refused at once. */
static int check_codecs(const struct pfs_tiff *t, struct pfs_err *err)
{
    for (int i = 0; i < t->source.n_series; i++)
        if (!t->stack[i].n_pages || pfs_tiff_has_codec(t->page[t->stack[i].page[0]].compression))
            return 0;
    return pfs_fail(err, EOPNOTSUPP, "tiff: compression %s is not supported", t->source.series[0].compression);
}

static int tiff_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    struct pfs_tiff *t = pfs_array(1, sizeof *t);
    int fd = -1;
    if (!t)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    t->source.driver = &pfs_driver_tiff;
    t->file.fd = -1;
    int r = files->get(files->ctx, name, &fd, err);
    if (r == 0) {
        r = pfs_tiff_file_init(&t->file, fd, err);
        t->file.fd = fd;
    }
    if (r == 0)
        r = pfs_tiff_pages(&t->file, &t->page, &t->n_pages, err);
    if (r == 0)
        r = pfs_tiff_axes(t, pfs_ome_base(name), err);
    if (r == 0)
        r = check_codecs(t, err);
    if (r < 0)
        tiff_close(&t->source);
    else
        *ret = &t->source;
    return r;
}

/* Without a page: the plane is not in this file. */
static int find_plane(struct pfs_tiff *t, int series, struct pfs_at at, struct pfs_tiff_plane *ret, struct pfs_err *err)
{
    if (series < 0 || series >= t->source.n_series || !pfs_at_inside(&t->source.series[series].shape, at))
        return pfs_fail(err, ENOENT, "tiff: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                        (long long)at.c, series);
    const struct pfs_shape *shape = &t->source.series[series].shape;
    const struct pfs_tiff_stack *s = &t->stack[series];
    int64_t c = shape->c / s->channels;
    int64_t frame = s->frame[(at.t * shape->z + at.z) * c + at.c / s->channels], sub = frame % s->subs;
    if (frame < 0) {
        *ret = (struct pfs_tiff_plane){0};
        return 0;
    }
    const struct pfs_tiff_page *p = &t->page[s->page[frame / s->subs]];
    *ret = (struct pfs_tiff_plane){.page = p, .sample = (int)(at.c % s->channels)};
    if (p->tiled && p->depth > 1)
        ret->slice = sub;
    else
        ret->shift = sub * ((int64_t)p->w * p->h * p->samples * (p->bits / 8));
    t->file.budget = PFS_TIFF_BUDGET;
    return 0;
}

static int tiff_rows(struct pfs_source *s, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                     struct pfs_err *err)
{
    struct pfs_tiff *t = (struct pfs_tiff *)s;
    struct pfs_tiff_plane plane;
    int r = find_plane(t, series, at, &plane, err);
    if (r < 0)
        return r;
    if (!plane.page)
        return pfs_fail(err, ENOENT, "tiff: plane t%lld z%lld c%lld is not in this file", (long long)at.t,
                        (long long)at.z, (long long)at.c);
    if (y0 < 0 || n < 0 || n > plane.page->h || y0 > plane.page->h - n)
        return pfs_fail(err, ENOENT, "tiff: no rows %lld to %lld in a plane of %u", (long long)y0,
                        (long long)(y0 + n - 1), plane.page->h);
    return n ? pfs_tiff_rows(t, &plane, y0, n, dst, err) : 0;
}

static int tiff_extent(struct pfs_source *s, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err)
{
    struct pfs_tiff *t = (struct pfs_tiff *)s;
    struct pfs_tiff_plane plane;
    int r = find_plane(t, series, at, &plane, err);
    *ret = (struct pfs_extent){.raw = -1, .stored = -1, .stored_size = -1};
    return r < 0 || !plane.page ? r : pfs_tiff_extent(t, &plane, ret, err);
}

const struct pfs_driver pfs_driver_tiff = {
    .name = "tiff",
    .doc = "TIFF, BigTIFF, OME-TIFF, ImageJ hyperstacks, LSM: every compression libtiff was built with",
    .rev = 2,
    .threads = PFS_THREADS_HANDLE,
    .probe = tiff_probe,
    .open = tiff_open,
    .rows = tiff_rows,
    .extent = tiff_extent,
    .close = tiff_close,
};
