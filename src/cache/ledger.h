/* Ledgers: small values by key, in append-only files of which each process writes only its own and reads all.
 *
 * No locks: a file has one writer, and readers skip what is not whole. Works on network file systems.
 * Threads: any. */
#ifndef PLANEFS_CACHE_LEDGER_H
#define PLANEFS_CACHE_LEDGER_H

#include "cache/home.h"

#include <planefs/blob.h>

enum { PFS_VALUE_MAX = 8 << 20, PFS_VALUE_SMALL = 512 };

struct pfs_ledger;

/* Reads all ledgers of the folder (home: lent until close), keeps them below `most` bytes together (at least 64 MiB).
 * NULL without memory or thread. An unusable folder: values live in memory until it can be used. */
struct pfs_ledger *pfs_ledger_open(struct pfs_home *home, int64_t most);
void pfs_ledger_close(struct pfs_ledger *l);                         /* writes what is not written yet; NULL is fine */
int pfs_ledger_read(struct pfs_ledger *l, struct pfs_hash key, struct pfs_blob *ret);   /* 0 (gives) or -ENOENT */
void pfs_ledger_write(struct pfs_ledger *l, struct pfs_hash key, const void *data, size_t n);
int64_t pfs_ledger_bytes(const struct pfs_ledger *l);                /* of all files, as far as known; 0 for NULL */

#endif
