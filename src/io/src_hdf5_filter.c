/* HDF5's own filters, watched: a chunk that unpacks to less than a chunk is an error.
 *
 * HDF5 1.10 takes a damaged chunk as it comes: it copies as many bytes as a chunk has from a buffer that may be
 * shorter, and so delivers what else lies in memory as pixels; scale-offset reads beyond its input in the same way. The
 * filters are therefore registered again under their own numbers, each with a function that calls the library's and
 * looks at what it makes. H5Zregister refuses these numbers and the headers do not tell of the filters, so this stands
 * on symbols that the library exports but does not promise; where one is missing, HDF5 stays as it is. */
#include "src_hdf5.h"

#include <errno.h>
#include <string.h>

extern herr_t H5Z_register(const H5Z_class2_t *filter) __attribute__((weak));
extern const H5Z_class2_t H5Z_DEFLATE[1] __attribute__((weak));
extern const H5Z_class2_t H5Z_SZIP[1] __attribute__((weak));
extern const H5Z_class2_t H5Z_SCALEOFFSET[1] __attribute__((weak));

enum { SCALEOFFSET_ELEMENTS = 2, SCALEOFFSET_SIZE = 4, SCALEOFFSET_HEAD = 21 };

/* What the dataset being read must unpack to; one reader at a time. 0: nobody is reading. */
static struct { size_t bytes; H5Z_filter_t first; bool scaled; } wanted;

/* The filter that unpacks last, and a deflate that nothing shrinks before it, must give a whole chunk. */
static size_t checked(H5Z_filter_t id, unsigned flags, size_t n)
{
    bool last = id == wanted.first || (id == H5Z_FILTER_DEFLATE && !wanted.scaled);
    return flags & H5Z_FLAG_REVERSE && last && n < wanted.bytes ? 0 : n;
}

static size_t deflate(unsigned flags, size_t n_values, const unsigned *values, size_t n, size_t *room, void **buf)
{
    return checked(H5Z_FILTER_DEFLATE, flags, H5Z_DEFLATE[0].filter(flags, n_values, values, n, room, buf));
}

static size_t szip(unsigned flags, size_t n_values, const unsigned *values, size_t n, size_t *room, void **buf)
{
    if (flags & H5Z_FLAG_REVERSE && n < 4)
        return 0;
    return checked(H5Z_FILTER_SZIP, flags, H5Z_SZIP[0].filter(flags, n_values, values, n, room, buf));
}

/* Packed samples have as many bits as their head says, and as many of them as the dataset's chunks. */
static bool scaled_whole(size_t n_values, const unsigned *values, size_t n, const uint8_t *buf)
{
    if (n_values <= SCALEOFFSET_SIZE || n < SCALEOFFSET_HEAD)
        return false;
    uint64_t bits = buf[0] | (uint64_t)buf[1] << 8 | (uint64_t)buf[2] << 16 | (uint64_t)buf[3] << 24;
    uint64_t most = 8ull * values[SCALEOFFSET_SIZE];
    return most <= 64 && bits <= most && buf[4] <= 8 &&
           (n - SCALEOFFSET_HEAD) * 8ull >= bits * values[SCALEOFFSET_ELEMENTS];
}

static size_t scaleoffset(unsigned flags, size_t n_values, const unsigned *values, size_t n, size_t *room, void **buf)
{
    if (flags & H5Z_FLAG_REVERSE && !scaled_whole(n_values, values, n, *buf))
        return 0;
    return checked(H5Z_FILTER_SCALEOFFSET, flags, H5Z_SCALEOFFSET[0].filter(flags, n_values, values, n, room, buf));
}

static void watch(const H5Z_class2_t *of, H5Z_func_t by)
{
    H5Z_class2_t c;
    if (!of || !H5Z_register || of->version != H5Z_CLASS_T_VERS)
        return;
    memcpy(&c, of, sizeof c);
    c.filter = by;
    H5Z_register(&c);
}

void pfs_h5_filters_watch(void)
{
    static bool watched;
    if (watched)
        return;
    watch(H5Z_DEFLATE, deflate);
    watch(H5Z_SZIP, szip);
    watch(H5Z_SCALEOFFSET, scaleoffset);
    watched = true;
}

int64_t pfs_h5_chunk_bytes(const struct pfs_h5_block *b)
{
    int64_t n = b->size;
    for (int i = 0; i < b->rank; i++)
        n *= b->chunk[i];
    return n;
}

void pfs_h5_filters_expect(const struct pfs_h5_block *b)
{
    wanted.bytes = b && b->layout == H5D_CHUNKED && b->n_filters ? (size_t)pfs_h5_chunk_bytes(b) : 0;
    wanted.first = b ? b->first_filter : 0;
    wanted.scaled = b && strstr(b->compression, "scaleoffset");
}
