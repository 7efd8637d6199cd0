/* Where planes lie: contiguous datasets by arithmetic, chunked ones by looking their chunks up, compact ones nowhere.
 *
 * A plane of a chunked dataset is stored in a layer of chunks, which it may share with others. Its range goes from the
 * first byte of these chunks to the last; how they lie in it is part of the fingerprint. */
#include "src_hdf5.h"

#include <planefs/hash.h>
#include <planefs/mem.h>

#include <errno.h>
#include <string.h>

/* Bytes from one element to the next along each dimension. */
static int64_t strides(const int64_t *dim, int rank, int64_t size, int64_t stride[PFS_H5_RANK])
{
    for (int i = rank - 1; i >= 0; i--) {
        stride[i] = size;
        size *= dim[i];
    }
    return size;                         /* of the whole */
}

static void contiguous(const struct pfs_h5_block *b, const struct pfs_h5_slab *slab, int64_t base,
                       struct pfs_extent *ret)
{
    int64_t stride[PFS_H5_RANK], whole = strides(b->dim, b->rank, b->size, stride), at = base;
    for (int i = 0; i < b->rank; i++)
        at += stride[i] * (int64_t)slab->start[i];
    bool together = stride[slab->x] == b->size && stride[slab->y] == b->size * (int64_t)slab->count[slab->x];
    ret->raw = together && b->plain ? at : -1;
    ret->stored = together ? at : base;
    ret->stored_size = together ? stride[slab->y] * (int64_t)slab->count[slab->y] : whole;
}

/* ---- chunks ---- */

/* First chunk and number of chunks that a plane touches along each dimension. */
struct grid { int64_t first[PFS_H5_RANK], n[PFS_H5_RANK], all[PFS_H5_RANK]; };

static struct grid grid_of(const struct pfs_h5_block *b, const struct pfs_h5_slab *slab)
{
    struct grid g = {0};
    for (int i = 0; i < b->rank; i++) {
        g.first[i] = (int64_t)slab->start[i] / b->chunk[i];
        g.n[i] = ((int64_t)slab->start[i] + (int64_t)slab->count[i] - 1) / b->chunk[i] - g.first[i] + 1;
        g.all[i] = (b->dim[i] + b->chunk[i] - 1) / b->chunk[i];
    }
    return g;
}

struct bound { int64_t low, high; struct pfs_hasher *hash; };

static int see_chunk(hid_t dataset, const struct pfs_h5_block *b, const int64_t at[PFS_H5_RANK], struct bound *bound,
                     struct pfs_err *err)
{
    hsize_t offset[PFS_H5_RANK];
    int64_t place[3];
    uint32_t mask;
    for (int i = 0; i < b->rank; i++)
        offset[i] = (hsize_t)(at[i] * b->chunk[i]);
    int r = pfs_h5_chunk(dataset, offset, &place[0], &place[1], &mask, err);
    if (r)
        return r;
    int used = b->n_filters - __builtin_popcount(mask & ((1u << b->n_filters) - 1));
    if (place[1] && !used && place[1] < pfs_h5_chunk_bytes(b))
        return pfs_fail(err, EIO, "hdf5: a chunk has %lld bytes, %lld are expected", (long long)place[1],
                        (long long)pfs_h5_chunk_bytes(b));
    if (place[1]) {
        bound->low = bound->low < 0 || place[0] < bound->low ? place[0] : bound->low;
        bound->high = place[0] + place[1] > bound->high ? place[0] + place[1] : bound->high;
    }
    place[2] = mask;
    pfs_hasher_add(bound->hash, place, sizeof place);
    return 0;
}

/* All chunks of a layer, in order. The fingerprint holds their places as they are in the file: a copy finds the same,
 * a repacked file does not. */
static int look_up(hid_t dataset, const struct pfs_h5_block *b, const struct grid *g, struct pfs_h5_place *ret,
                   struct pfs_err *err)
{
    struct bound bound = {-1, -1, pfs_hasher_create()};
    int64_t at[PFS_H5_RANK];
    int r = bound.hash ? 0 : pfs_fail(err, ENOMEM, "hdf5: no memory");
    memcpy(at, g->first, sizeof at);
    for (int i = 0; !r && i >= 0;) {
        r = see_chunk(dataset, b, at, &bound, err);
        for (i = b->rank - 1; i >= 0 && ++at[i] == g->first[i] + g->n[i]; i--)
            at[i] = g->first[i];
    }
    if (!r) {
        struct pfs_hash h = pfs_hasher_value(bound.hash);
        int64_t low = bound.low < 0 ? 0 : bound.low, high = bound.low < 0 ? 0 : bound.high;
        *ret = (struct pfs_h5_place){low, high - low, h.lo, true};
    }
    pfs_hasher_destroy(bound.hash);
    return r;
}

/* Which layer the plane is in: over all dimensions but y and x. -1: too many chunks to look at each. */
static int64_t layer_of(const struct pfs_h5_block *b, const struct pfs_h5_slab *slab, const struct grid *g,
                        int64_t *ret_layers)
{
    int64_t layer = 0, chunks = 1;
    *ret_layers = 1;
    for (int i = 0; i < b->rank; i++) {
        chunks *= g->all[i];
        if (chunks > PFS_H5_CHUNKS)
            return -1;
        if (i == slab->y || i == slab->x)
            continue;
        layer = layer * g->all[i] + g->first[i];
        *ret_layers *= g->all[i];
    }
    return layer;
}

int pfs_h5_check_chunks(struct pfs_h5_open *o, const struct pfs_h5_block *b, const struct pfs_h5_slab *slab,
                        struct pfs_err *err)
{
    struct grid g = grid_of(b, slab);
    struct pfs_h5_place place;
    int64_t layers, layer = layer_of(b, slab, &g, &layers);
    if (layer < 0)
        return look_up(o->dataset, b, &g, &place, err);
    if (!o->layer && !(o->layer = pfs_array(layers, sizeof *o->layer)))
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    return o->layer[layer].known ? 0 : look_up(o->dataset, b, &g, &o->layer[layer], err);
}

static int chunked(struct pfs_h5_open *o, const struct pfs_h5_block *b, const struct pfs_h5_slab *slab,
                   struct pfs_extent *ret, struct pfs_err *err)
{
    struct grid g = grid_of(b, slab);
    int64_t layers, layer = layer_of(b, slab, &g, &layers);
    if (layer < 0)
        return 0;
    int r = pfs_h5_check_chunks(o, b, slab, err);
    if (r)
        return r;
    const struct pfs_h5_place *p = &o->layer[layer];
    ret->stored = p->at;
    ret->stored_size = p->size;
    ret->codec ^= p->codec;
    return 0;
}

/* A dataset that a stack lacks fails when its planes are read; its neighbours must not. */
int pfs_h5_extent(struct pfs_h5 *h, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err)
{
    const struct pfs_h5_stack *s = &h->stack[series];
    struct pfs_h5_slab slab = pfs_h5_slab(h, series, at);
    struct pfs_h5_open *o;
    *ret = (struct pfs_extent){.raw = -1, .stored = -1, .stored_size = -1, .codec = s->block.codec};
    int r = pfs_h5_open_plane(h, series, at, &o, err);
    if (r)
        return s->layout == PFS_H5_ONE || r == -ENOMEM ? r : 0;
    const struct pfs_h5_block *b = &o->block;
    ret->big_endian = b->big_endian;
    ret->codec = b->codec;
    int64_t base = pfs_h5_contiguous(o->dataset);
    if (base >= 0)
        contiguous(b, &slab, base, ret);
    else if (b->layout == H5D_CHUNKED)
        return chunked(o, b, &slab, ret, err);
    return 0;
}
