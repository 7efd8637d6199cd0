/* One ledger file: records one after another, found again behind any damage.
 *
 * Layout, little-endian. File: 8 bytes magic with version, u64 nonce, u64 XXH3-64 of both. Record: u32 magic, u32 n,
 * u64 key hi, u64 key lo, u64 XXH3-64 of the value, u64 XXH3-64 of the 32 bytes before it (seed: the nonce), n bytes.
 * The nonce keeps a value that looks like a record (values come from foreign files) from ever being taken for one. */
#ifndef PLANEFS_CACHE_LEDGER_FILE_H
#define PLANEFS_CACHE_LEDGER_FILE_H

#include "cache/ledger.h"

enum { PFS_LEDGER_HEAD = 24, PFS_RECORD_HEAD = 40, PFS_LEDGER_NAME = 160 };

struct pfs_ledger_file {             /* reference-counted by the ledger */
    int refs;
    int fd;                          /* -1: opened for each read */
    uint64_t nonce;
    int64_t end;                     /* bytes; of our own one: where the next record goes */
    bool dead;                       /* its writer is gone */
    char name[PFS_LEDGER_NAME];
};

/* A new one of our own. 0 or -errno. */
int pfs_ledger_file_create(struct pfs_home *h, struct pfs_ledger_file **ret);
/* 0; EBADMSG: not a ledger, or its head is damaged; EOPNOTSUPP: of another version; other -errno. */
int pfs_ledger_file_open(const struct pfs_home *h, const char *name, struct pfs_ledger_file **ret);
void pfs_ledger_file_close(struct pfs_ledger_file *f);

void pfs_record_put(struct pfs_text *t, uint64_t nonce, struct pfs_hash key, const void *data, uint32_t n);

/* Every whole record in order. Small values come verified with their bytes; of larger ones only the head is verified
 * and `data` is NULL. Off is where the record begins. Reads in pieces of 1 MiB, skipping large values. */
typedef void pfs_record_found(void *ctx, struct pfs_hash key, uint32_t n, int64_t off, const void *data);
int pfs_ledger_file_scan(const struct pfs_home *h, const struct pfs_ledger_file *f, pfs_record_found *found, void *ctx);
/* The value of the record at off, verified. gives. 0, -EBADMSG or another -errno. */
int pfs_ledger_file_value(const struct pfs_home *h, const struct pfs_ledger_file *f, struct pfs_hash key, uint32_t n,
                          int64_t off, struct pfs_blob *ret);

#endif
