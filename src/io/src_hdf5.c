/* The HDF5 driver: BigDataViewer, Imaris, CREMI and ilastik files, and any file with numeric datasets of 2 to 5
 * dimensions, each of which is a series named by its path.
 *
 * HDF5 reads through a descriptor of ours and opens nothing else (hdf5_file.c): no plugins, no external links or storage,
 * no virtual datasets. Full resolution only. */
#include "src_hdf5.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The signature stands at the beginning, or behind a user block of 512, 1024, 2048 ... bytes. */
static int hdf5_probe(const uint8_t *head, size_t n, const char *path)
{
    (void)path;
    for (size_t at = 0; at + 8 <= n; at = at ? 2 * at : 512)
        if (!memcmp(head + at, "\x89HDF\r\n\x1a\n", 8))
            return 90;
    return 0;
}

static void hdf5_close(struct pfs_source *source)
{
    struct pfs_h5 *h = (struct pfs_h5 *)source;
    for (int i = 0; i < PFS_H5_OPEN; i++)
        pfs_h5_close_plane(&h->open[i]);
    for (int i = 0; i < source->n_series; i++) {
        pfs_series_finish(&source->series[i]);
        free(h->stack[i].path);
        free(h->stack[i].t);
        free(h->stack[i].c);
    }
    free(source->series);
    free(h->stack);
    free(h->xml);
    if (h->file >= 0)
        H5Fclose(h->file);
    free(h);
}

struct pfs_h5_stack *pfs_h5_add(struct pfs_h5 *h, const char *name, struct pfs_series **ret, struct pfs_err *err)
{
    struct pfs_source *s = &h->source;
    if (s->n_series == PFS_H5_SERIES) {
        pfs_fail(err, EFBIG, "hdf5: more than %d series", PFS_H5_SERIES);
        return NULL;
    }
    if (s->n_series == h->room) {
        int room = h->room ? 2 * h->room : 8;
        struct pfs_series *series = realloc(s->series, (size_t)room * sizeof *series);
        s->series = series ? series : s->series;
        struct pfs_h5_stack *stack = series ? realloc(h->stack, (size_t)room * sizeof *stack) : NULL;
        h->stack = stack ? stack : h->stack;
        h->room = stack ? room : h->room;
    }
    char *copy = s->n_series < h->room ? strdup(name) : NULL;
    if (!copy) {
        pfs_fail(err, ENOMEM, "hdf5: no memory");
        return NULL;
    }
    *ret = &s->series[s->n_series];
    **ret = (struct pfs_series){.name = copy};
    h->stack[s->n_series] = (struct pfs_h5_stack){0};
    return &h->stack[s->n_series++];
}

/* ---- single datasets ---- */

enum { PLAIN, CREMI, ILASTIK };

static bool below_volumes(const char *path)
{
    return !strncmp(path, "/volumes/", 9);
}

/* CREMI: images lie below /volumes, annotations beside it. ilastik: what has axistags is an image. */
static int layout_of(const struct pfs_h5 *h, const struct pfs_h5_finds *f)
{
    bool volumes = false, tagged = false;
    for (int i = 0; i < f->n; i++) {
        volumes |= below_volumes(f->found[i].path);
        tagged |= f->found[i].tagged;
    }
    if (volumes && (H5Aexists(h->file, "file_format") > 0 || H5Lexists(h->file, "/volumes/raw", H5P_DEFAULT) > 0))
        return CREMI;
    return tagged ? ILASTIK : PLAIN;
}

static int add_dataset(struct pfs_h5 *h, const struct pfs_h5_found *found, int layout, struct pfs_err *err)
{
    static const char *const format[] = {"HDF5", "CREMI HDF5", "ilastik HDF5"};
    PFS_AUTO_H5 hid_t dataset = H5I_INVALID_HID;
    struct pfs_series *series;
    struct pfs_h5_stack *s = pfs_h5_add(h, found->path, &series, err);
    if (!s)
        return -err->code;
    s->block = found->block;
    if (!(s->path = strdup(found->path)))
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    int r = pfs_h5_dataset(h->file, "hdf5", s->path, &dataset, err);
    if (r)
        return r;
    pfs_h5_axes(dataset, &s->block, s->axis);
    pfs_h5_lengths(&s->block, s->axis, &series->shape);
    pfs_h5_calibrate(dataset, &s->block, s->axis, layout == CREMI, &series->shape.cal);
    strcpy(series->format, format[layout]);
    return 0;
}

static int add_datasets(struct pfs_h5 *h, struct pfs_err *err)
{
    struct pfs_h5_finds f = {0};
    int r = pfs_h5_walk(h, &f, err), layout = r ? PLAIN : layout_of(h, &f);
    for (int i = 0; i < f.n && !r; i++)
        if (layout == PLAIN || (layout == CREMI ? below_volumes(f.found[i].path) : f.found[i].tagged))
            r = add_dataset(h, &f.found[i], layout, err);
    if (!r && !f.n && f.why.code) {
        *err = f.why;
        r = -f.why.code;
    } else if (!r && !f.n)
        r = pfs_fail(err, EOPNOTSUPP, "hdf5: no numeric dataset of 2 to 5 dimensions");
    pfs_h5_finds_finish(&f);
    return r;
}

/* ---- the driver ---- */

static int open_file(const struct pfs_files *files, const char *name, struct pfs_h5 *h, struct pfs_err *err)
{
    struct stat st;
    int fd = -1, r = files->get(files->ctx, name, &fd, err);
    if (r < 0)
        return r;
    if (fstat(fd, &st) < 0) {
        close(fd);
        return pfs_fail(err, EIO, "hdf5: %s", strerror(errno));
    }
    h->size = st.st_size;
    pfs_h5_filters_watch();
    return pfs_h5_open(fd, "hdf5", &h->file, err);
}

static void finish_series(struct pfs_h5 *h)
{
    for (int i = 0; i < h->source.n_series; i++) {
        struct pfs_series *s = &h->source.series[i];
        s->bits = h->stack[i].block.bits;
        memcpy(s->compression, h->stack[i].block.compression, sizeof s->compression);
    }
    h->source.n_companions = h->xml != NULL;
    h->source.companion = &h->xml;
}

static int hdf5_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    struct pfs_h5 *h = pfs_array(1, sizeof *h);
    if (!h)
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    h->source.driver = &pfs_driver_hdf5;
    h->file = H5I_INVALID_HID;
    for (int i = 0; i < PFS_H5_OPEN; i++)
        h->open[i].dataset = H5I_INVALID_HID;
    int r = open_file(files, name, h, err);
    if (!r && !(r = pfs_h5_bdv(h, files, name, err)) && !(r = pfs_h5_imaris(h, err)))
        r = add_datasets(h, err);
    if (r < 0)
        hdf5_close(&h->source);
    else {
        finish_series(h);
        *ret = &h->source;
    }
    return r < 0 ? r : 0;
}

static int check_plane(const struct pfs_h5 *h, int series, struct pfs_at at, struct pfs_err *err)
{
    if (series >= 0 && series < h->source.n_series && pfs_at_inside(&h->source.series[series].shape, at))
        return 0;
    return pfs_fail(err, ENOENT, "hdf5: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                    (long long)at.c, series);
}

static int hdf5_rows(struct pfs_source *s, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                     struct pfs_err *err)
{
    struct pfs_h5 *h = (struct pfs_h5 *)s;
    int r = check_plane(h, series, at, err);
    if (r)
        return r;
    if (y0 < 0 || n < 0 || n > s->series[series].shape.y || y0 > s->series[series].shape.y - n)
        return pfs_fail(err, ENOENT, "hdf5: no rows %lld to %lld", (long long)y0, (long long)(y0 + n - 1));
    return n ? pfs_h5_rows(h, series, at, y0, n, dst, err) : 0;
}

static int hdf5_extent(struct pfs_source *s, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err)
{
    struct pfs_h5 *h = (struct pfs_h5 *)s;
    int r = check_plane(h, series, at, err);
    return r ? r : pfs_h5_extent(h, series, at, ret, err);
}

const struct pfs_driver pfs_driver_hdf5 = {
    .name = "hdf5",
    .doc = "HDF5: BigDataViewer, Imaris, CREMI, ilastik, any dataset of 2 to 5 dimensions; gzip, szip, scale-offset",
    .rev = 1,
    .threads = PFS_THREADS_LIBRARY,
    .probe = hdf5_probe,
    .open = hdf5_open,
    .rows = hdf5_rows,
    .extent = hdf5_extent,
    .close = hdf5_close,
};
