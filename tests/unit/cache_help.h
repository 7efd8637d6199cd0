/* Helpers of the cache's tests: a fresh folder per test, planes with recognisable bytes, files under the cache. */
#ifndef CACHE_HELP_H
#define CACHE_HELP_H

#include "cache/cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/cache-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "chmod -R u+rwx %s && rm -rf %s", folder, folder);
    return system(command);
}

static inline struct pfs_cache *open_cache(int64_t limit)
{
    struct pfs_cache *c;
    struct pfs_err err = {0};
    struct pfs_cache_options o = {folder, limit};
    assert_int_equal(pfs_cache_open(&o, &c, &err), 0);
    return c;
}

static inline struct pfs_hash key_of(uint64_t i)
{
    return pfs_hash(&i, sizeof i);
}

/* Byte p of plane i: depends on both. */
static inline uint8_t byte_of(uint64_t i, int64_t p)
{
    return (uint8_t)((uint64_t)p * 2654435761u >> 13 ^ (uint64_t)p >> 16 ^ i * 77);
}

static inline void fill(uint64_t i, int64_t off, int64_t n, uint8_t *to)
{
    for (int64_t p = 0; p < n; p++)
        to[p] = byte_of(i, off + p);
}

/* A draft of plane i with all its bytes. */
static inline struct pfs_draft *draft_of(struct pfs_cache *c, uint64_t i, int64_t head, int64_t payload)
{
    struct pfs_draft *d;
    struct pfs_err err = {0};
    uint8_t *b = malloc((size_t)(head + payload + 1));
    fill(i, 0, head + payload, b);
    assert_int_equal(pfs_draft_create(c, b, head, payload, &d, &err), 0);
    if (pwrite(pfs_draft_fd(d), b + head, (size_t)payload, head) != payload) {   /* a full disk, without fallocate */
        pfs_draft_discard(d);
        assert_int_equal(pfs_draft_create_memory(c, b, head, payload, &d, &err), 0);
        assert_int_equal(pwrite(pfs_draft_fd(d), b + head, (size_t)payload, head), payload);
    }
    free(b);
    return d;
}

static inline struct pfs_entry *publish(struct pfs_cache *c, uint64_t i, int64_t head, int64_t payload)
{
    struct pfs_entry *e = NULL;
    struct pfs_err err = {0};
    assert_int_equal(pfs_draft_publish(draft_of(c, i, head, payload), key_of(i), "text", &e, &err), 0);
    assert_int_equal(pfs_entry_size(e), head + payload);
    assert_int_equal(pfs_entry_head(e), head);
    return e;
}

/* Does [off, off + n) read as plane i's bytes? -errno when the read fails. */
static inline int reads(struct pfs_entry *e, uint64_t i, int64_t off, int64_t n)
{
    struct pfs_err err = {0};
    uint8_t *b = malloc((size_t)n + 1);
    b[n] = 0xa5;
    int r = pfs_entry_read(e, off, n, b, &err);
    for (int64_t p = 0; !r && p < n; p++)
        if (b[p] != byte_of(i, off + p))
            r = 1;
    if (b[n] != 0xa5)
        r = 2;
    if (r < 0)
        assert_int_equal(err.code, -r);
    free(b);
    return r;
}

static inline void path_of(uint64_t i, const char *name, char path[256])
{
    char hex[33];
    pfs_hash_hex(key_of(i), hex);
    snprintf(path, 256, "%s/%.2s/%s%s%s", folder, hex, hex + 2, *name ? "/" : "", name);
}

static inline struct pfs_cache_status status_of(struct pfs_cache *c)
{
    struct pfs_cache_status s;
    pfs_cache_status(c, &s);
    return s;
}

static inline void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Wait until the condition holds, at most so long. */
#define EVENTUALLY(condition, ms) \
    do { \
        for (int waited_ = 0; !(condition) && waited_ < (ms); waited_ += 20) \
            sleep_ms(20); \
        assert_true(condition); \
    } while (0)

/* Number of names in a folder under the cache. */
static inline int count_in(const char *name)
{
    char command[256];
    int n = -1;
    snprintf(command, sizeof command, "ls -A %s/%s 2>/dev/null | wc -l", folder, name);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%d", &n) != 1)
        n = -1;
    if (p)
        pclose(p);
    return n;
}

#endif
