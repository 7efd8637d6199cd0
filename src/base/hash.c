/* Hashes: XXH3 behind a small interface, so that the library's header stays here. */
#include <planefs/hash.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdio.h>
#include <string.h>

static struct pfs_hash of(XXH128_hash_t h)
{
    return (struct pfs_hash){h.high64, h.low64};
}

struct pfs_hash pfs_hash(const void *data, size_t n)
{
    return of(XXH3_128bits(data, n));
}

uint64_t pfs_hash64(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}

bool pfs_hash_same(struct pfs_hash a, struct pfs_hash b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

void pfs_hash_hex(struct pfs_hash h, char hex[33])
{
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
}

bool pfs_hash_parse(const char *hex, struct pfs_hash *ret)
{
    uint64_t v[2] = {0, 0};
    if (strlen(hex) != 32 || strspn(hex, "0123456789abcdef") != 32)
        return false;
    for (int i = 0; i < 32; i++)
        v[i / 16] = v[i / 16] << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    *ret = (struct pfs_hash){v[0], v[1]};
    return true;
}

struct pfs_hasher { XXH3_state_t *state; };

struct pfs_hasher *pfs_hasher_create(void)
{
    struct pfs_hasher *h = malloc(sizeof *h);
    if (h && !(h->state = XXH3_createState())) {
        free(h);
        return NULL;
    }
    if (h)
        XXH3_128bits_reset(h->state);
    return h;
}

void pfs_hasher_add(struct pfs_hasher *h, const void *data, size_t n)
{
    XXH3_128bits_update(h->state, data, n);
}

struct pfs_hash pfs_hasher_value(const struct pfs_hasher *h)
{
    return of(XXH3_128bits_digest(h->state));
}

void pfs_hasher_destroy(struct pfs_hasher *h)
{
    if (h)
        XXH3_freeState(h->state);
    free(h);
}
