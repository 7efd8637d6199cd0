/* What lies in the cache: size and last use of each entry, and which is the oldest.
 *
 * In memory only, plain data, no locks: the cache guards it. 48 bytes and two words of heap and hash per entry. */
#ifndef PLANEFS_CACHE_INDEX_H
#define PLANEFS_CACHE_INDEX_H

#include <planefs/hash.h>

struct pfs_index_item {
    struct pfs_hash key;
    int64_t bytes, used;             /* used: ns, wall clock */
    uint32_t generation, next, place;  /* next in its chain or in the unused ones; place in the heap */
};

struct pfs_index {                   /* {0} is an empty one */
    struct pfs_index_item *item;
    uint32_t *bucket, *heap;         /* item numbers; heap by `used`, oldest first */
    uint32_t n, cap, unused;         /* items in the heap; room (buckets as many); first unused item */
    uint32_t generation;
    int64_t bytes;                   /* of all items */
};

void pfs_index_finish(struct pfs_index *x);
/* Add or correct. `used` never goes back. False without memory: the entry is then not accounted for. */
bool pfs_index_put(struct pfs_index *x, struct pfs_hash key, int64_t bytes, int64_t used);
bool pfs_index_has(const struct pfs_index *x, struct pfs_hash key);
void pfs_index_drop(struct pfs_index *x, struct pfs_hash key);
/* Take the least recently used item out. False when empty. */
bool pfs_index_oldest(struct pfs_index *x, struct pfs_index_item *ret);
/* A scan: what is not put between begin and end is dropped at its end. */
void pfs_index_begin(struct pfs_index *x);
void pfs_index_end(struct pfs_index *x);

#endif
