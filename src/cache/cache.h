/* The cache: results on disk, found by key, never wrong.
 *
 * Planes are entries: a folder ab/cdef.../{data.tif,sums}, written under tmp/ and published by one rename. data.tif is a
 * finished TIFF; `sums` holds the canonical text, the length and a checksum per block. Small values (probes, content
 * hashes, partials, models) live in ledgers: append-only files under ledger/, one written by each process, all read.
 *
 * Every byte read from disk is verified against its block's checksum before it is handed out. Trouble with the cache
 * folder (full, read-only, gone) never fails a result: it is then held in an unnamed file and served uncached.
 * Threads: all functions may be called from any thread. */
#ifndef PLANEFS_CACHE_H
#define PLANEFS_CACHE_H

#include <planefs/blob.h>
#include <planefs/err.h>
#include <planefs/hash.h>

struct pfs_cache;
struct pfs_draft;      /* a plane being written */
struct pfs_entry;      /* a finished plane; reference-counted */

struct pfs_cache_options {
    const char *folder;       /* created 0700 with parents */
    int64_t limit;            /* bytes; 0: 10 % of the file system, at most 50 GiB */
};

struct pfs_cache_status {
    int64_t entries, bytes, limit, hits, misses, evicted, damaged;
    const char *state;        /* "ok", or in words why nothing is being kept: "no space", "read-only", "gone" */
};

/* An unusable folder is not an error: the cache opens degraded and says so in its status. ENOMEM only. */
int pfs_cache_open(const struct pfs_cache_options *o, struct pfs_cache **ret, struct pfs_err *err);
void pfs_cache_close(struct pfs_cache *c);
void pfs_cache_status(struct pfs_cache *c, struct pfs_cache_status *ret);

/* Start a plane of `head` header bytes (written at once) and `payload` pixel bytes, making room first. The descriptor
 * (lent until publish or discard) is a file of the full size; write the pixels behind the header. */
int pfs_draft_create(struct pfs_cache *c, const void *head, int64_t n_head, int64_t payload, struct pfs_draft **ret,
                     struct pfs_err *err);
int pfs_draft_fd(const struct pfs_draft *d);
/* The same held in memory only: for when writing into the folder failed with ENOSPC and the like. */
int pfs_draft_create_memory(struct pfs_cache *c, const void *head, int64_t n_head, int64_t payload,
                            struct pfs_draft **ret, struct pfs_err *err);
/* Checksum, name and publish it; takes the draft, gives the entry. If another process was first, its entry is kept.
 * Never fails for the cache's sake; EIO when the draft itself cannot be read back. Costs one pass over the bytes. */
int pfs_draft_publish(struct pfs_draft *d, struct pfs_hash key, const char *text, struct pfs_entry **ret,
                      struct pfs_err *err);
void pfs_draft_discard(struct pfs_draft *d);     /* takes it; NULL is fine */

/* 0 and a reference, or -ENOENT: not there, other text, other version, damaged. Counts a hit or miss and, on a hit,
 * marks the entry as used. */
int pfs_entry_find(struct pfs_cache *c, struct pfs_hash key, const char *text, struct pfs_entry **ret);
bool pfs_entry_exists(struct pfs_cache *c, struct pfs_hash key);      /* a hint: no text compared, nothing counted */
int64_t pfs_entry_size(const struct pfs_entry *e);                    /* header and pixels */
int64_t pfs_entry_head(const struct pfs_entry *e);                    /* bytes in front of the pixels */
/* n bytes at off into dst. EBADMSG: a block was damaged; the entry is set aside and must be computed anew. */
int pfs_entry_read(struct pfs_entry *e, int64_t off, int64_t n, void *dst, struct pfs_err *err);
int pfs_entry_fd(const struct pfs_entry *e);                          /* lent, for a worker to read a stage from */
struct pfs_entry *pfs_entry_ref(struct pfs_entry *e);
void pfs_entry_unref(struct pfs_entry *e);

/* Small values, at most 8 MiB. get: 0 and bytes (given), or -ENOENT. put: best effort; a value already there stays. */
int pfs_ledger_get(struct pfs_cache *c, struct pfs_hash key, struct pfs_blob *ret);
void pfs_ledger_put(struct pfs_cache *c, struct pfs_hash key, const void *data, size_t n);

#endif
