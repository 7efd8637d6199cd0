/* Rows of a plane: a hyperslab of its dataset, converted by HDF5.
 *
 * A few datasets stay open, each with its cache of decompressed chunks, so that planes read one after the other
 * decompress a chunk that is many planes thick once. */
#include "src_hdf5.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void pfs_h5_close_plane(struct pfs_h5_open *o)
{
    pfs_h5_close_at(&o->dataset);
    free(o->layer);
    *o = (struct pfs_h5_open){.dataset = H5I_INVALID_HID};
}

/* A dataset of a stack of many must be as the first one is; padding may differ. */
static int check_block(struct pfs_h5 *h, const struct pfs_h5_stack *s, hid_t dataset, const char *path,
                       struct pfs_h5_block *ret, struct pfs_err *err)
{
    int r = pfs_h5_block_of(h, dataset, path, ret, err);
    if (r < 0)
        return r;
    bool same = !r && ret->rank == s->block.rank && ret->memory == s->block.memory;
    for (int i = 0; same && i < ret->rank; i++)
        same = s->layout == PFS_H5_IMARIS ? ret->dim[i] >= s->block.dim[i] : ret->dim[i] == s->block.dim[i];
    return same ? 0 : pfs_fail(err, EIO, "hdf5: '%s' is not as the first dataset of its stack", path);
}

int pfs_h5_open_plane(struct pfs_h5 *h, int series, struct pfs_at at, struct pfs_h5_open **ret, struct pfs_err *err)
{
    const struct pfs_h5_stack *s = &h->stack[series];
    bool many = s->layout != PFS_H5_ONE;
    int64_t t = many ? at.t : 0, c = many ? at.c : 0;
    struct pfs_h5_open *oldest = &h->open[0];
    for (int i = 0; i < PFS_H5_OPEN; i++) {
        struct pfs_h5_open *o = &h->open[i];
        if (o->dataset >= 0 && o->series == series && o->t == t && o->c == c) {
            o->used = ++h->clock;
            *ret = o;
            return 0;
        }
        oldest = o->used < oldest->used ? o : oldest;
    }
    pfs_h5_close_plane(oldest);
    PFS_AUTO_FREE char *path = pfs_h5_path(s, at);
    hid_t dataset = H5I_INVALID_HID;
    struct pfs_h5_block block;
    int r = path ? pfs_h5_dataset(h->file, "hdf5", path, &dataset, err) : pfs_fail(err, ENOMEM, "hdf5: no memory");
    if (!r)
        r = check_block(h, s, dataset, path, &block, err);
    if (r) {
        pfs_h5_close_at(&dataset);
        return r;
    }
    *oldest = (struct pfs_h5_open){.series = series, .t = t, .c = c, .dataset = dataset, .block = block,
                                   .used = ++h->clock};
    *ret = oldest;
    return 0;
}

struct pfs_h5_slab pfs_h5_slab(const struct pfs_h5 *h, int series, struct pfs_at at)
{
    const struct pfs_h5_stack *s = &h->stack[series];
    const struct pfs_shape *shape = &h->source.series[series].shape;
    const int64_t start[PFS_H5_AXES] = {at.t, at.z, at.c, 0, 0}, count[PFS_H5_AXES] = {1, 1, 1, shape->y, shape->x};
    struct pfs_h5_slab ret = {0};
    for (int i = 0; i < s->block.rank; i++) {
        ret.start[i] = (hsize_t)start[s->axis[i]];
        ret.count[i] = (hsize_t)count[s->axis[i]];
        if (s->axis[i] == PFS_H5_Y)
            ret.y = i;
        else if (s->axis[i] == PFS_H5_X)
            ret.x = i;
    }
    return ret;
}

/* The memory has the slab's own rank: HDF5 copies rows where the shapes agree, and single elements where they do not. */
static int read_slab(struct pfs_h5_open *o, const struct pfs_h5_slab *slab, void *dst, struct pfs_err *err)
{
    const struct pfs_h5_block *b = &o->block;
    PFS_AUTO_H5 hid_t space = H5Dget_space(o->dataset);
    PFS_AUTO_H5 hid_t packed = H5Screate_simple(b->rank, slab->count, NULL);
    if (space < 0 || packed < 0 ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, slab->start, NULL, slab->count, NULL) < 0)
        return pfs_h5_fail(err, EIO, "hdf5: a plane cannot be read");
    pfs_h5_filters_expect(b);
    herr_t r = H5Dread(o->dataset, b->memory, packed, space, H5P_DEFAULT, dst);
    pfs_h5_filters_expect(NULL);
    return r < 0 ? pfs_h5_fail(err, EIO, "hdf5: a plane cannot be read") : 0;
}

/* x rows of n samples to n rows of x. */
static void transpose(const char *from, int64_t n, int64_t x, size_t size, char *to)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < x; k++)
            memcpy(to + (size_t)(i * x + k) * size, from + (size_t)(k * n + i) * size, size);
}

static int read_rows(struct pfs_h5_open *o, const struct pfs_h5_slab *slab, void *dst, struct pfs_err *err)
{
    int r = o->block.layout == H5D_CHUNKED ? pfs_h5_check_chunks(o, &o->block, slab, err) : 0;
    if (r || slab->y < slab->x)
        return r ? r : read_slab(o, slab, dst, err);
    size_t size = pfs_type_size(o->block.type);
    int64_t n = (int64_t)slab->count[slab->y], x = (int64_t)slab->count[slab->x];
    PFS_AUTO_FREE char *turned = pfs_array(n * x, size);
    if (!turned)
        return pfs_fail(err, ENOMEM, "hdf5: no memory for a plane");
    if (!(r = read_slab(o, slab, turned, err)))
        transpose(turned, n, x, size, dst);
    return r;
}

/* After a failed read HDF5 takes what it meant to read for read: the dataset is closed, and its buffers with it. */
int pfs_h5_rows(struct pfs_h5 *h, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst, struct pfs_err *err)
{
    struct pfs_h5_slab slab = pfs_h5_slab(h, series, at);
    struct pfs_h5_open *o;
    int r = pfs_h5_open_plane(h, series, at, &o, err);
    if (r)
        return r;
    slab.start[slab.y] = (hsize_t)y0;
    slab.count[slab.y] = (hsize_t)n;
    if ((r = read_rows(o, &slab, dst, err)))
        pfs_h5_close_plane(o);
    return r;
}
