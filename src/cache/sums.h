/* The file `sums` beside an entry's data.tif: what the data is, how long, and a checksum for each of its blocks.
 *
 * Layout, little-endian: 8 bytes magic, u32 version, u32 block size, u64 key hi, u64 key lo, i64 head, i64 payload,
 * str canonical text, u64 n, n * u64 XXH3-64 of each block of data.tif, u64 XXH3-64 of all that precedes.
 * The last field is the same in every version, so that a damaged file and one of another version are told apart. */
#ifndef PLANEFS_CACHE_SUMS_H
#define PLANEFS_CACHE_SUMS_H

#include <planefs/blob.h>
#include <planefs/hash.h>

enum { PFS_BLOCK = 64 * 1024, PFS_SUMS_VERSION = 1, PFS_SUMS_MAX = 64 << 20 };

struct pfs_sums {
    struct pfs_hash key;
    int64_t head, payload;           /* bytes; their sum is the length of data.tif */
    char *text;                      /* owned */
    int64_t n;                       /* blocks: ceil((head + payload) / PFS_BLOCK) */
    uint64_t *block;                 /* owned */
};

/* Lengths fine, text copied, block[] allocated and zeroed. EINVAL (lengths), ENOMEM. */
int pfs_sums_init(struct pfs_sums *s, struct pfs_hash key, const char *text, int64_t head, int64_t payload);
void pfs_sums_finish(struct pfs_sums *s);
void pfs_sums_put(struct pfs_text *t, const struct pfs_sums *s);      /* t must be empty */
int64_t pfs_sums_size(const struct pfs_sums *s);                      /* bytes put adds */
/* 0, EBADMSG (damaged), EOPNOTSUPP (sound, but of another version or block size), ENOMEM. */
int pfs_sums_get(struct pfs_blob b, struct pfs_sums *ret);

/* Bytes in block i, and its checksum given those bytes. */
int64_t pfs_sums_length(const struct pfs_sums *s, int64_t i);
uint64_t pfs_block_sum(const void *data, int64_t n);
/* Compute all block checksums from the file. 0 or -errno; -EIO also when the file's length is another. One pass. */
int pfs_sums_compute(struct pfs_sums *s, int fd);

#endif
