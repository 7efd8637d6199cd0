/* The ledger: small values by key, written in batches by a thread of its own.
 *
 * A value is in memory until it is written, and stays there when it is small. A batch that cannot be written stays
 * pending and is tried again: a folder that is full or gone for a while loses nothing but the oldest of a very large
 * backlog. Own files are written at known offsets, so that a torn batch is simply written over. */
#include "cache/ledger_inner.h"

#include <planefs/mem.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SOON = 1 << 20, BATCH = 4 << 20, BACKLOG = 256 << 20 };   /* bytes */

/* ---- files ---- */

uint32_t pfs_ledger_add_file_locked(struct pfs_ledger *l, struct pfs_ledger_file *f)
{
    struct pfs_ledger_file **file = realloc(l->file, (l->n_files + 1) * sizeof *file);
    if (!file) {
        pfs_ledger_file_close(f);
        return PFS_NO_FILE;
    }
    l->file = file;
    file[l->n_files] = f;
    return l->n_files++;
}

static void unref_file_locked(struct pfs_ledger_file *f)
{
    if (f && !--f->refs)
        pfs_ledger_file_close(f);
}

void pfs_ledger_drop_file_locked(struct pfs_ledger *l, uint32_t i)
{
    unref_file_locked(l->file[i]);
    l->file[i] = NULL;
}

/* The file to write to: a new one at first, when ours was deleted, and when it has grown long. */
static int own_file(struct pfs_ledger *l, struct pfs_ledger_file **ret)
{
    const int64_t longest = l->most / 8 > 8 << 20 ? l->most / 8 : 8 << 20;
    struct stat st;
    struct pfs_ledger_file *f = l->own == PFS_NO_FILE ? NULL : l->file[l->own];
    bool full = f && f->end > longest;
    if (f && !full && !fstat(f->fd, &st) && st.st_nlink) {
        *ret = f;
        return 0;
    }
    int e = pfs_ledger_file_create(l->home, &f);
    if (e)
        return e;
    pthread_mutex_lock(&l->lock);
    uint32_t i = pfs_ledger_add_file_locked(l, f);
    if (i != PFS_NO_FILE)
        l->own = i;
    pthread_mutex_unlock(&l->lock);
    if (i == PFS_NO_FILE)
        return -ENOMEM;
    if (full)
        pfs_ledger_bound(l);
    *ret = f;
    return 0;
}

/* ---- writing ---- */

bool pfs_ledger_pend_locked(struct pfs_ledger *l, uint32_t i)
{
    struct pfs_value *v = &l->values.value[i];
    if (l->first == l->n_pending)
        l->first = l->n_pending = 0;
    if (l->n_pending == l->cap_pending) {
        size_t cap = l->cap_pending ? 2 * l->cap_pending : 1024;
        uint32_t *p = realloc(l->pending, cap * sizeof *p);
        if (!p)
            return false;
        l->pending = p;
        l->cap_pending = cap;
    }
    int64_t before = l->pending_bytes;
    l->pending[l->n_pending++] = i;
    v->pending = 1;
    l->pending_bytes += PFS_RECORD_HEAD + v->n;
    if (!before || (before < SOON && l->pending_bytes >= SOON))
        pthread_cond_signal(&l->wake);
    return true;
}

static int write_at(int fd, const char *p, size_t n, int64_t off)
{
    while (n) {
        ssize_t got = pwrite(fd, p, n, off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : -EIO;
        p += got;
        off += got;
        n -= (size_t)got;
    }
    return 0;
}

/* The values first..last-1 of the pending ones have been written to our file from `off` on. */
static void written_locked(struct pfs_ledger *l, size_t last, int64_t off)
{
    for (; l->first < last; l->first++) {
        struct pfs_value *v = &l->values.value[l->pending[l->first]];
        v->file = l->own;
        v->off = off;
        v->pending = 0;
        off += PFS_RECORD_HEAD + v->n;
        l->pending_bytes -= PFS_RECORD_HEAD + v->n;
        pfs_values_unkeep(v);
    }
}

static int write_batch_locked(struct pfs_ledger *l)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_ledger_file *f;
    pthread_mutex_unlock(&l->lock);
    int e = pfs_home_usable(l->home) ? own_file(l, &f) : -EROFS;
    pthread_mutex_lock(&l->lock);
    if (e)
        return e;
    size_t last = l->first;
    while (last < l->n_pending && t.n < BATCH) {
        const struct pfs_value *v = &l->values.value[l->pending[last++]];
        pfs_record_put(&t, f->nonce, v->key, v->mem, v->n);
    }
    if (t.failed)
        return -ENOMEM;
    pthread_mutex_unlock(&l->lock);
    e = write_at(f->fd, t.s, t.n, f->end);
    pthread_mutex_lock(&l->lock);
    if (e)
        return e;
    written_locked(l, last, f->end);
    f->end += (int64_t)t.n;
    atomic_fetch_add(&l->bytes, (int64_t)t.n);
    return 0;
}

int pfs_ledger_flush_locked(struct pfs_ledger *l)
{
    int e = 0;
    while (!e && l->first < l->n_pending)
        e = write_batch_locked(l);
    if (e && pfs_home_usable(l->home)) {
        int64_t wanted = l->pending_bytes;
        pthread_mutex_unlock(&l->lock);
        pfs_home_note(l->home, -e, wanted);
        pthread_mutex_lock(&l->lock);
    }
    return e;
}

static void wait_locked(struct pfs_ledger *l, int64_t ms, bool for_more)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!l->closing && !(for_more && l->pending_bytes >= SOON))
        if (pthread_cond_timedwait(&l->wake, &l->lock, &until))
            break;
}

static void *write_on(void *arg)
{
    struct pfs_ledger *l = arg;
    pfs_ledger_merge(l);
    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        if (l->first == l->n_pending) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        wait_locked(l, 100, true);
        if (pfs_ledger_flush_locked(l))
            wait_locked(l, 1000, false);
    }
    pfs_ledger_flush_locked(l);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

void pfs_ledger_write(struct pfs_ledger *l, struct pfs_hash key, const void *data, size_t n)
{
    if (n > PFS_VALUE_MAX)
        return;
    pthread_mutex_lock(&l->lock);
    uint32_t i = pfs_values_find(&l->values, key);
    const struct pfs_value *v = i == UINT32_MAX ? NULL : &l->values.value[i];
    bool there = v && (v->mem || (v->file != PFS_NO_FILE && l->file[v->file]));
    if (!there && l->pending_bytes + (int64_t)n < BACKLOG) {
        if (!v)
            i = pfs_values_add(&l->values, key);
        if (i != UINT32_MAX && pfs_values_keep(&l->values, i, data, (uint32_t)n))
            pfs_ledger_pend_locked(l, i);
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- reading ---- */

static int read_file_locked(struct pfs_ledger *l, uint32_t i, struct pfs_blob *ret)
{
    struct pfs_value v = l->values.value[i];
    struct pfs_ledger_file *f = v.file == PFS_NO_FILE ? NULL : l->file[v.file];
    if (!f)
        return -ENOENT;
    f->refs++;
    pthread_mutex_unlock(&l->lock);
    int e = pfs_ledger_file_value(l->home, f, v.key, v.n, v.off, ret);
    pthread_mutex_lock(&l->lock);
    unref_file_locked(f);
    struct pfs_value *now = &l->values.value[i];
    if ((e == -EBADMSG || e == -ENOENT) && now->file == v.file && now->off == v.off)
        now->file = PFS_NO_FILE;     /* lost: the next put writes it anew */
    return e ? -ENOENT : 0;
}

int pfs_ledger_read(struct pfs_ledger *l, struct pfs_hash key, struct pfs_blob *ret)
{
    int e = -ENOENT;
    pthread_mutex_lock(&l->lock);
    uint32_t i = pfs_values_find(&l->values, key);
    const struct pfs_value *v = i == UINT32_MAX ? NULL : &l->values.value[i];
    if (v && v->mem) {
        void *copy = malloc(v->n ? v->n : 1);
        if (copy) {
            memcpy(copy, v->mem, v->n);
            *ret = (struct pfs_blob){copy, v->n};
            e = 0;
        }
    } else if (v) {
        e = read_file_locked(l, i, ret);
    }
    pthread_mutex_unlock(&l->lock);
    return e;
}

int64_t pfs_ledger_bytes(const struct pfs_ledger *l)
{
    return l ? atomic_load(&l->bytes) : 0;
}

/* ---- opening, closing ---- */

static void finish(struct pfs_ledger *l)
{
    for (uint32_t i = 0; i < l->n_files; i++)
        pfs_ledger_drop_file_locked(l, i);
    free(l->file);
    free(l->pending);
    pfs_values_finish(&l->values);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static int start_writer(struct pfs_ledger *l)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = pthread_create(&l->writer, NULL, write_on, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return e;
}

struct pfs_ledger *pfs_ledger_open(struct pfs_home *home, int64_t most)
{
    pthread_condattr_t a;
    struct pfs_ledger *l = pfs_array(1, sizeof *l);
    if (!l)
        return NULL;
    l->home = home;
    l->most = most > 64 << 20 ? most : 64 << 20;
    l->own = PFS_NO_FILE;
    atomic_init(&l->bytes, 0);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &a);
    pthread_condattr_destroy(&a);
    pthread_mutex_init(&l->lock, NULL);
    if (pfs_home_usable(home))
        pfs_ledger_load(l);
    if (start_writer(l)) {
        finish(l);
        return NULL;
    }
    return l;
}

void pfs_ledger_close(struct pfs_ledger *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->writer, NULL);
    finish(l);
}
