/* Open entries: references, the shelf on which they are found by key, and reading with verification.
 *
 * Every read is widened to whole blocks, and a block is copied out only when its checksum is right, each time anew:
 * pages of a file may be lost and read again from a failing disk at any moment. Nothing is ever mapped, so a file cut
 * short by somebody costs an error and not the process.
 * Many readers of an entry share one descriptor; the last 64 used stay open. */
#include "cache/inner.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pfs_entry *pfs_entry_create(struct pfs_cache *c, struct pfs_sums *sums, int fd, bool named)
{
    struct pfs_entry *e = pfs_array(1, sizeof *e);
    if (!e)
        return NULL;
    *e = (struct pfs_entry){.cache = c, .sums = *sums, .fd = fd, .named = named, .refs = 1};
    *sums = (struct pfs_sums){0};
    pthread_mutex_lock(&c->lock);
    c->holders++;
    pthread_mutex_unlock(&c->lock);
    return e;
}

static struct pfs_entry **chain(struct pfs_cache *c, struct pfs_hash key)
{
    return &c->shelf[key.lo % PFS_SHELF_CHAINS];
}

/* The functions named ..._locked are called with the cache's lock held. */

static void unshelve_locked(struct pfs_entry *e)
{
    struct pfs_entry **link = chain(e->cache, e->sums.key);
    while (e->shelved && *link != e)
        link = &(*link)->next;
    if (e->shelved)
        *link = e->next;
    e->shelved = false;
}

static void unlink_recent_locked(struct pfs_entry *e)
{
    struct pfs_cache *c = e->cache;
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
    e->recent = false;
    c->n_recent--;
}

static void link_newest_locked(struct pfs_entry *e)
{
    struct pfs_cache *c = e->cache;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
    e->recent = true;
    c->n_recent++;
}

/* Mark as used now. Gives an entry whose reference the caller must release after unlocking, or NULL. */
static struct pfs_entry *use_locked(struct pfs_entry *e)
{
    struct pfs_cache *c = e->cache;
    if (!e->named)
        return NULL;                 /* holding an unlinked one open would hold its space, too */
    if (e->recent)
        unlink_recent_locked(e);
    else
        e->refs++;
    link_newest_locked(e);
    struct pfs_entry *last = c->n_recent > PFS_SHELF_RECENT ? c->oldest : NULL;
    if (last)
        unlink_recent_locked(last);
    return last;
}

static struct pfs_entry *look_locked(struct pfs_cache *c, struct pfs_hash key)
{
    struct pfs_entry *e = *chain(c, key);
    while (e && !pfs_hash_same(e->sums.key, key))
        e = e->next;
    return e;
}

struct pfs_entry *pfs_shelf_find(struct pfs_cache *c, struct pfs_hash key, const char *text, bool *ret_other)
{
    struct pfs_entry *last = NULL;
    pthread_mutex_lock(&c->lock);
    struct pfs_entry *e = look_locked(c, key);
    *ret_other = e && strcmp(e->sums.text, text);
    if (*ret_other)
        e = NULL;
    if (e) {
        e->refs++;
        last = use_locked(e);
    }
    pthread_mutex_unlock(&c->lock);
    pfs_entry_unref(last);
    return e;
}

struct pfs_entry *pfs_shelf_add(struct pfs_entry *e)
{
    struct pfs_cache *c = e->cache;
    pthread_mutex_lock(&c->lock);
    struct pfs_entry *there = look_locked(c, e->sums.key), *gives = e;
    if (there && (there->named || !e->named) && !strcmp(there->sums.text, e->sums.text)) {
        there->refs++;
        gives = there;
    } else {
        if (there)
            unshelve_locked(there);
        e->next = *chain(c, e->sums.key);
        *chain(c, e->sums.key) = e;
        e->shelved = true;
    }
    struct pfs_entry *last = use_locked(gives);
    pthread_mutex_unlock(&c->lock);
    pfs_entry_unref(last);
    if (gives != e)
        pfs_entry_unref(e);
    return gives;
}

void pfs_shelf_forget(struct pfs_cache *c, struct pfs_hash key)
{
    pthread_mutex_lock(&c->lock);
    struct pfs_entry *e = look_locked(c, key);
    bool held = e && e->recent;
    if (held)
        unlink_recent_locked(e);
    if (e)
        unshelve_locked(e);
    pthread_mutex_unlock(&c->lock);
    if (held)
        pfs_entry_unref(e);
}

void pfs_shelf_trim(struct pfs_cache *c, bool all)
{
    struct pfs_entry *held[PFS_SHELF_RECENT + 1];
    int n = 0;
    pthread_mutex_lock(&c->lock);
    for (struct pfs_entry *e = c->oldest; e; e = e->newer, n++) {
        held[n] = e;
        e->refs++;
    }
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < n; i++) {
        struct stat st;
        bool gone = all || (!fstat(held[i]->fd, &st) && !st.st_nlink);
        pthread_mutex_lock(&c->lock);
        bool drop = gone && held[i]->recent;
        if (drop)
            unlink_recent_locked(held[i]);
        pthread_mutex_unlock(&c->lock);
        if (drop)
            pfs_entry_unref(held[i]);
        pfs_entry_unref(held[i]);
    }
}

struct pfs_entry *pfs_entry_ref(struct pfs_entry *e)
{
    pthread_mutex_lock(&e->cache->lock);
    e->refs++;
    pthread_mutex_unlock(&e->cache->lock);
    return e;
}

void pfs_entry_unref(struct pfs_entry *e)
{
    if (!e)
        return;
    struct pfs_cache *c = e->cache;
    pthread_mutex_lock(&c->lock);
    bool last = !--e->refs;
    if (last)
        unshelve_locked(e);
    pthread_mutex_unlock(&c->lock);
    if (!last)
        return;
    close(e->fd);
    pfs_sums_finish(&e->sums);
    free(e);
    pfs_cache_release(c);
}

int64_t pfs_entry_size(const struct pfs_entry *e)
{
    return e->sums.head + e->sums.payload;
}

int64_t pfs_entry_head(const struct pfs_entry *e)
{
    return e->sums.head;
}

int pfs_entry_fd(const struct pfs_entry *e)
{
    return e->fd;
}

/* ---- reading ---- */

static int damaged(struct pfs_entry *e, int64_t block, const char *how, bool count, struct pfs_err *err)
{
    struct pfs_cache *c = e->cache;
    char hex[33];
    pthread_mutex_lock(&c->lock);
    bool first = !e->bad, held = e->recent;
    e->bad = true;
    unshelve_locked(e);
    if (held)
        unlink_recent_locked(e);
    if (first && count && !e->named)
        c->damaged++;
    pthread_mutex_unlock(&c->lock);
    if (held)
        pfs_entry_unref(e);          /* never the last one: the caller has his own */
    if (first && count && e->named)
        pfs_entry_set_aside(c, e->sums.key, e->folder, true);
    pfs_hash_hex(e->sums.key, hex);
    return pfs_fail(err, EBADMSG, "cache: entry %s: block %lld %s", hex, (long long)block, how);
}

/* One whole block into dst, verified. */
static int read_block(struct pfs_entry *e, int64_t i, uint8_t *dst, struct pfs_err *err)
{
    int64_t want = pfs_sums_length(&e->sums, i), n = 0;
    while (n < want) {
        ssize_t got = pread(e->fd, dst + n, (size_t)(want - n), i * PFS_BLOCK + n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == ESTALE)
            return damaged(e, i, "was deleted by another host", false, err);
        if (got < 0)
            return damaged(e, i, "cannot be read", true, err);
        if (!got)
            return damaged(e, i, "is cut short", true, err);
        n += got;
    }
    if (pfs_block_sum(dst, want) != e->sums.block[i])
        return damaged(e, i, "has a wrong checksum", true, err);
    return 0;
}

int pfs_entry_read(struct pfs_entry *e, int64_t off, int64_t n, void *dst, struct pfs_err *err)
{
    PFS_AUTO_FREE uint8_t *scratch = NULL;
    uint8_t *to = dst;
    if (off < 0 || n < 0 || off > pfs_entry_size(e) || n > pfs_entry_size(e) - off)
        return pfs_fail(err, EINVAL, "cache: read of %lld at %lld, beyond %lld", (long long)n, (long long)off,
                        (long long)pfs_entry_size(e));
    while (n) {
        int64_t i = off / PFS_BLOCK, skip = off % PFS_BLOCK, length = pfs_sums_length(&e->sums, i);
        int64_t part = length - skip < n ? length - skip : n;
        bool whole = part == length;
        if (!whole && !scratch && !(scratch = pfs_pixels(1, PFS_BLOCK)))
            return pfs_fail(err, ENOMEM, "cache: no memory for a block");
        int r = read_block(e, i, whole ? to : scratch, err);
        if (r)
            return r;
        if (!whole)
            memcpy(to, scratch + skip, (size_t)part);
        to += part;
        off += part;
        n -= part;
    }
    return 0;
}
