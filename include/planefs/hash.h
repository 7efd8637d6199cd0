/* Hashes: XXH3, 128 bits for keys and contents, 64 bits for checksums and inode numbers. */
#ifndef PLANEFS_HASH_H
#define PLANEFS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pfs_hash { uint64_t hi, lo; };

struct pfs_hash pfs_hash(const void *data, size_t n);
uint64_t pfs_hash64(const void *data, size_t n, uint64_t seed);
bool pfs_hash_same(struct pfs_hash a, struct pfs_hash b);
void pfs_hash_hex(struct pfs_hash h, char hex[33]);             /* 32 lower-case digits and a NUL */
bool pfs_hash_parse(const char *hex, struct pfs_hash *ret);     /* exactly 32 digits */

struct pfs_hasher;                                               /* the same hash, piece by piece */
struct pfs_hasher *pfs_hasher_create(void);                      /* gives; NULL without memory */
void pfs_hasher_add(struct pfs_hasher *h, const void *data, size_t n);
struct pfs_hash pfs_hasher_value(const struct pfs_hasher *h);
void pfs_hasher_destroy(struct pfs_hasher *h);

#endif
