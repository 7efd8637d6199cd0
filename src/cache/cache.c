/* The cache as a whole: opening, closing, status. */
#include "cache/inner.h"
#include "cache/ledger.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void init_conditions(struct pfs_cache *c)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &a);
    pthread_cond_init(&c->scan_done, &a);
    pthread_condattr_destroy(&a);
    pthread_mutex_init(&c->lock, NULL);
}

void pfs_cache_release(struct pfs_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool last = !--c->holders;
    pthread_mutex_unlock(&c->lock);
    if (!last)
        return;
    pfs_index_finish(&c->index);
    pfs_home_finish(&c->home);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->scan_done);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int pfs_cache_open(const struct pfs_cache_options *o, struct pfs_cache **ret, struct pfs_err *err)
{
    uint64_t id;
    struct pfs_cache *c = pfs_array(1, sizeof *c);
    if (!c)
        return pfs_fail(err, ENOMEM, "cache: no memory");
    init_conditions(c);
    c->holders = 1;
    c->asked = o->limit;
    atomic_init(&c->limit, 0);
    int e = pfs_home_init(&c->home, o->folder);
    if (!e) {
        pfs_home_check(&c->home, &id);
        e = pfs_keeper_start(c);
    }
    if (e) {
        pfs_cache_release(c);
        return pfs_fail(err, ENOMEM, "cache: no memory or no thread");
    }
    c->ledger = pfs_ledger_open(&c->home, atomic_load(&c->limit) / 10);
    if (!c->ledger) {
        pfs_cache_close(c);
        return pfs_fail(err, ENOMEM, "cache: no memory or no thread");
    }
    *ret = c;
    return 0;
}

void pfs_cache_close(struct pfs_cache *c)
{
    if (!c)
        return;
    pfs_keeper_stop(c);
    pfs_ledger_close(c->ledger);
    c->ledger = NULL;
    pfs_shelf_trim(c, true);
    pfs_cache_release(c);
}

void pfs_cache_status(struct pfs_cache *c, struct pfs_cache_status *ret)
{
    pthread_mutex_lock(&c->lock);
    *ret = (struct pfs_cache_status){
        .entries = c->index.n, .bytes = c->index.bytes, .limit = atomic_load(&c->limit), .hits = c->hits,
        .misses = c->misses, .evicted = c->evicted, .damaged = c->damaged,
    };
    pthread_mutex_unlock(&c->lock);
    ret->bytes += pfs_ledger_bytes(c->ledger);
    ret->state = pfs_home_words(&c->home);
}

int pfs_ledger_get(struct pfs_cache *c, struct pfs_hash key, struct pfs_blob *ret)
{
    return pfs_ledger_read(c->ledger, key, ret);
}

void pfs_ledger_put(struct pfs_cache *c, struct pfs_hash key, const void *data, size_t n)
{
    pfs_ledger_write(c->ledger, key, data, n);
}
