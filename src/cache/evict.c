/* Eviction: the folder stays within its limit by deleting the least recently used entries before a new one is made.
 *
 * The order is kept in memory; before an entry is deleted its `sums` is looked at once more, since another process that
 * shares the folder may have used it meanwhile. An entry that somebody still reads loses its name, not its bytes. */
#include "cache/inner.h"
#include "cache/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const int64_t second = 1000000000;

/* Delete one; give the bytes that frees: 0 when it was used meanwhile or is gone already, -errno when it cannot be. */
static int64_t evict(struct pfs_cache *c, const struct pfs_index_item *it)
{
    struct pfs_path p, sums;
    struct stat st;
    pfs_home_entry(&c->home, it->key, &p);
    snprintf(sums.s, sizeof sums.s, "%.4000s/sums", p.s);
    int64_t used = 0;
    if (!lstat(sums.s, &st))
        used = (int64_t)st.st_mtim.tv_sec * second + st.st_mtim.tv_nsec;
    if (used > it->used + second && used <= pfs_now()) {
        pthread_mutex_lock(&c->lock);
        pfs_index_put(&c->index, it->key, it->bytes, used);
        pthread_mutex_unlock(&c->lock);
        return 0;
    }
    pfs_shelf_forget(c, it->key);
    int e = pfs_home_remove(&c->home, p.s);
    if (e == -ENOENT || e == -ENOTDIR)
        return 0;
    pthread_mutex_lock(&c->lock);
    if (e)
        pfs_index_put(&c->index, it->key, it->bytes, it->used);
    else
        c->evicted++;
    pthread_mutex_unlock(&c->lock);
    return e ? e : it->bytes;
}

/* What entries may take: the ledgers take their share of the limit, but never more than a tenth. */
static int64_t room(struct pfs_cache *c)
{
    int64_t limit = atomic_load(&c->limit), ledger = pfs_ledger_bytes(c->ledger);
    return limit - (ledger < limit / 10 ? ledger : limit / 10);
}

/* Wait for the first scan, but only in the cache's first seconds: on a slow network what is known by then must do. */
static void await_scan_locked(struct pfs_cache *c)
{
    while (!c->scanned && !c->closing && !pthread_cond_timedwait(&c->scan_done, &c->lock, &c->patience))
        ;
}

/* Ask for a new scan when it may matter that other processes put entries here, too. */
static void refresh_locked(struct pfs_cache *c, int64_t most)
{
    bool near = c->index.bytes + c->reserved > most - most / 10;
    if (near && c->scanned && pfs_now() - c->scanned_at > 60 * second) {
        c->rescan = true;
        pthread_cond_signal(&c->wake);
    }
}

void pfs_evict_reserve(struct pfs_cache *c, int64_t bytes)
{
    struct pfs_index_item it;
    int64_t most = room(c), freed = 0;
    pthread_mutex_lock(&c->lock);
    await_scan_locked(c);
    c->reserved += bytes;
    refresh_locked(c, most);
    while (freed >= 0 && c->index.bytes + c->reserved > most && pfs_index_oldest(&c->index, &it)) {
        pthread_mutex_unlock(&c->lock);
        freed = evict(c, &it);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}

void pfs_evict_release(struct pfs_cache *c, int64_t bytes)
{
    pthread_mutex_lock(&c->lock);
    c->reserved -= bytes;
    pthread_mutex_unlock(&c->lock);
}

bool pfs_evict_bytes(struct pfs_cache *c, int64_t bytes)
{
    struct pfs_index_item it;
    int64_t freed = 0;
    while (freed < bytes) {
        pthread_mutex_lock(&c->lock);
        bool any = pfs_index_oldest(&c->index, &it);
        pthread_mutex_unlock(&c->lock);
        int64_t n = any ? evict(c, &it) : -ENOENT;
        if (n < 0)
            break;
        freed += n;
    }
    return freed > 0;
}
