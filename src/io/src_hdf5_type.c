/* What a dataset delivers: sample type, filters, chunks, limits.
 *
 * Integers go to the next wider type of their sign (i8 to i16, which programs read rightly), half floats to f32, an
 * enumeration to its integers. Only filters that the library has built in and that are known to give exact or bounded
 * results are let through: plugins are never loaded. */
#include "src_hdf5.h"

#include <planefs/hash.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int integer_type(hid_t type, struct pfs_h5_block *b)
{
    size_t bytes = H5Tget_size(type);
    bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    if (bytes < 1 || bytes > 8)
        return -1;
    const struct { enum pfs_type type; hid_t memory; size_t size; } to[2][4] = {
        {{PFS_U8, H5T_NATIVE_UINT8, 1}, {PFS_U16, H5T_NATIVE_UINT16, 2}, {PFS_U32, H5T_NATIVE_UINT32, 4},
         {PFS_U64, H5T_NATIVE_UINT64, 8}},
        {{PFS_I16, H5T_NATIVE_INT16, 2}, {PFS_I16, H5T_NATIVE_INT16, 2}, {PFS_I32, H5T_NATIVE_INT32, 4},
         {PFS_I64, H5T_NATIVE_INT64, 8}}};
    int k = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes <= 4 ? 2 : 3;
    b->type = to[is_signed][k].type;
    b->memory = to[is_signed][k].memory;
    b->plain = bytes == to[is_signed][k].size && H5Tget_precision(type) == 8 * bytes;
    return 0;
}

static int float_type(hid_t type, struct pfs_h5_block *b)
{
    size_t bytes = H5Tget_size(type);
    if (bytes < 2 || bytes > 8)
        return -1;
    bool wide = bytes > 4;
    b->type = wide ? PFS_F64 : PFS_F32;
    b->memory = wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
    b->plain = H5Tequal(type, wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE) > 0 ||
               H5Tequal(type, wide ? H5T_IEEE_F64BE : H5T_IEEE_F32BE) > 0;
    return 0;
}

/* h5py's bool: an enumeration of FALSE and TRUE over a signed byte. */
static bool is_bool(hid_t type)
{
    return H5Tget_class(type) == H5T_ENUM && H5Tget_nmembers(type) == 2 && H5Tget_size(type) == 1;
}

static void set_codec(hid_t type, struct pfs_h5_block *b)
{
    size_t spos = 0, epos = 0, esize = 0, mpos = 0, msize = 0, bias = 0;
    if (H5Tget_class(type) == H5T_FLOAT) {
        H5Tget_fields(type, &spos, &epos, &esize, &mpos, &msize);
        bias = H5Tget_ebias(type);
    }
    const int64_t depends[] = {H5Tget_class(type), b->size, H5Tget_order(type), (int64_t)H5Tget_precision(type),
                               H5Tget_offset(type), b->type, (int64_t)spos, (int64_t)epos, (int64_t)esize,
                               (int64_t)mpos, (int64_t)msize, (int64_t)bias};
    b->codec = pfs_hash64(depends, sizeof depends, 0);
    b->codec = pfs_hash64(b->dim, sizeof b->dim, b->codec);
}

/* 1: no number at all. */
static int set_type(hid_t dataset, const char *path, struct pfs_h5_block *b, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t whole = H5Dget_type(dataset);
    PFS_AUTO_H5 hid_t base = H5I_INVALID_HID;
    hid_t type = whole;
    if (whole < 0)
        return pfs_h5_fail(err, EIO, "hdf5: the type of '%s' cannot be read", path);
    H5T_class_t kind = H5Tget_class(whole);
    if (kind == H5T_COMPOUND || kind == H5T_ARRAY || kind == H5T_BITFIELD)
        return pfs_fail(err, EOPNOTSUPP, "hdf5: '%s' is %s, which is not supported", path,
                        kind == H5T_COMPOUND ? "complex or compound" : kind == H5T_ARRAY ? "an array type" : "a bit field");
    if (kind == H5T_ENUM)
        type = base = H5Tget_super(whole);
    if (H5Tget_class(type) != H5T_INTEGER && H5Tget_class(type) != H5T_FLOAT)
        return 1;
    b->size = (int)H5Tget_size(type);
    b->bits = (int)H5Tget_precision(type);
    b->big_endian = H5Tget_order(type) == H5T_ORDER_BE;
    if (H5Tget_class(type) == H5T_FLOAT ? float_type(type, b) : integer_type(type, b))
        return pfs_fail(err, EOPNOTSUPP, "hdf5: samples of '%s' have %d bytes", path, b->size);
    if (is_bool(whole)) {
        b->type = PFS_U8;
        b->memory = H5T_NATIVE_UINT8;
        b->plain = true;
    }
    set_codec(type, b);
    return 0;
}

/* ---- filters ---- */

static const char *filter_name(H5Z_filter_t id)
{
    switch (id) {
    case H5Z_FILTER_DEFLATE: return "deflate";
    case H5Z_FILTER_SZIP: return "szip";
    case H5Z_FILTER_SCALEOFFSET: return "scaleoffset";
    case H5Z_FILTER_SHUFFLE: case H5Z_FILTER_FLETCHER32: return "";
    default: return NULL;
    }
}

static int add_filter(hid_t list, unsigned i, const char *path, struct pfs_h5_block *b, struct pfs_err *err)
{
    unsigned flags, config, values[32] = {0};
    size_t n = 32, used = strlen(b->compression);
    char said[64] = "";
    H5Z_filter_t id = H5Pget_filter2(list, i, &flags, &n, values, sizeof said, said, &config);
    if (id < 0)
        return pfs_h5_fail(err, EIO, "hdf5: the filters of '%s' cannot be read", path);
    const char *name = filter_name(id);
    said[sizeof said - 1] = 0;
    if (!name)
        return pfs_fail(err, EOPNOTSUPP, "hdf5: '%s' is packed with filter %d%s%.40s%s: plugins are not loaded", path, id,
                        *said ? " (" : "", said, *said ? ")" : "");
    if (H5Zfilter_avail(id) <= 0)
        return pfs_fail(err, EOPNOTSUPP, "hdf5: this HDF5 library has no %s filter, which '%s' needs", name, path);
    b->first_filter = i ? b->first_filter : id;
    b->n_filters++;
    if (*name && used + strlen(name) + 2 <= sizeof b->compression)
        snprintf(b->compression + used, sizeof b->compression - used, "%s%s", used ? "+" : "", name);
    const int64_t of[] = {id, flags, (int64_t)n};
    b->codec = pfs_hash64(of, sizeof of, b->codec);
    b->codec = pfs_hash64(values, sizeof values, b->codec);
    return 0;
}

/* pfs_h5_dataset bounds their size. */
static int set_chunks(hid_t list, const char *path, struct pfs_h5_block *b, struct pfs_err *err)
{
    hsize_t chunk[PFS_H5_RANK];
    if (H5Pget_chunk(list, PFS_H5_RANK, chunk) != b->rank)
        return pfs_h5_fail(err, EIO, "hdf5: the chunks of '%s' cannot be read", path);
    for (int i = 0; i < b->rank; i++)
        b->chunk[i] = (int64_t)chunk[i];
    b->codec = pfs_hash64(b->chunk, sizeof b->chunk, b->codec);
    return 0;
}

/* Storage: how samples are laid down, and what stands where none were. */
static int set_storage(hid_t dataset, const char *path, struct pfs_h5_block *b, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t list = H5Dget_create_plist(dataset);
    uint64_t fill = 0;
    int r = 0, n = list < 0 ? -1 : H5Pget_nfilters(list);
    if (n < 0)
        return pfs_h5_fail(err, EIO, "hdf5: '%s' cannot be read", path);
    b->layout = H5Pget_layout(list);
    if (H5Pget_fill_value(list, b->memory, &fill) < 0)
        fill = 0;                        /* one that is not defined is never looked at */
    b->codec = pfs_hash64(&fill, sizeof fill, b->codec + (uint64_t)b->layout);
    for (int i = 0; i < n && !r; i++)
        r = add_filter(list, (unsigned)i, path, b, err);
    if (!r && b->layout == H5D_CHUNKED)
        r = set_chunks(list, path, b, err);
    if (!*b->compression)
        strcpy(b->compression, "none");
    return r;
}

/* The library takes a dataset's size from its shape, whatever there is of it: what lies behind is no samples. */
static int check_end(const struct pfs_h5 *h, hid_t dataset, const char *path, const struct pfs_h5_block *b,
                     struct pfs_err *err)
{
    int64_t at = pfs_h5_contiguous(dataset), bytes = b->size;
    for (int i = 0; i < b->rank; i++)
        if (__builtin_mul_overflow(bytes, b->dim[i], &bytes))
            return pfs_fail(err, EFBIG, "hdf5: '%s' is over every limit", path);
    if (b->layout == H5D_COMPACT && H5Dget_storage_size(dataset) < (hsize_t)bytes)
        return pfs_fail(err, EIO, "hdf5: '%s' is shorter than its shape", path);
    if (at < 0 || (at <= h->size && bytes <= h->size - at && H5Dget_storage_size(dataset) >= (hsize_t)bytes))
        return 0;
    return pfs_fail(err, EIO, "hdf5: the file ends before '%s' does", path);
}

/* ---- the block ---- */

static int set_shape(hid_t dataset, const char *path, struct pfs_h5_block *b, struct pfs_err *err)
{
    hsize_t dim[H5S_MAX_RANK];
    PFS_AUTO_H5 hid_t space = H5Dget_space(dataset);
    if (space < 0)
        return pfs_h5_fail(err, EIO, "hdf5: the shape of '%s' cannot be read", path);
    b->rank = H5Sget_simple_extent_type(space) == H5S_SIMPLE ? H5Sget_simple_extent_ndims(space) : 0;
    if (b->rank < 2 || b->rank > PFS_H5_RANK)
        return 1;
    if (H5Sget_simple_extent_dims(space, dim, NULL) < 0)
        return pfs_h5_fail(err, EIO, "hdf5: the shape of '%s' cannot be read", path);
    for (int i = 0; i < b->rank; i++) {
        if (!dim[i])
            return 1;
        if (dim[i] > PFS_H5_SIDE)
            return pfs_fail(err, EFBIG, "hdf5: '%s' is %llu long on an axis, %d is the limit", path,
                            (unsigned long long)dim[i], PFS_H5_SIDE);
        b->dim[i] = (int64_t)dim[i];
    }
    return 0;
}

int pfs_h5_block_of(struct pfs_h5 *h, hid_t dataset, const char *path, struct pfs_h5_block *ret, struct pfs_err *err)
{
    *ret = (struct pfs_h5_block){0};
    int r = set_shape(dataset, path, ret, err);
    if (!r)
        r = set_type(dataset, path, ret, err);
    if (!r)
        r = set_storage(dataset, path, ret, err);
    return r ? r : check_end(h, dataset, path, ret, err);
}
