/* Drafts: a plane from its first byte to its name.
 *
 * A draft is a file of the full size in a folder of its own under tmp/; its space is claimed at once, so that a full
 * disk shows before work is done. Publishing reads it back once for the checksums and renames the folder to its key:
 * the entry is there whole or not at all. Two processes that make the same entry differ only in who is first.
 * No trouble with the folder reaches the caller: the result then stays in the nameless file it was written to. */
#include "cache/inner.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 4 };                  /* evict and try again, when the disk is full */

static int write_all(int fd, const void *data, int64_t n)
{
    const char *p = data;
    for (int64_t at = 0; at < n;) {
        ssize_t got = pwrite(fd, p + at, (size_t)(n - at), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : -EIO;
        at += got;
    }
    return 0;
}

static bool full(int code)
{
    return code == -ENOSPC || code == -EDQUOT;
}

static void part(const struct pfs_path *folder, const char *name, struct pfs_path *ret)
{
    snprintf(ret->s, sizeof ret->s, "%.4000s/%s", folder->s, name);
}

/* ---- create ---- */

static struct pfs_draft *new_draft(struct pfs_cache *c, int64_t head, int64_t payload)
{
    struct pfs_draft *d = pfs_array(1, sizeof *d);
    if (!d)
        return NULL;
    d->cache = c;
    d->fd = -1;
    d->head = head;
    d->payload = payload;
    pthread_mutex_lock(&c->lock);
    c->holders++;
    pthread_mutex_unlock(&c->lock);
    return d;
}

/* The file under tmp/, at its full size. */
static int open_file(struct pfs_draft *d, const void *head)
{
    struct pfs_path file;
    int64_t n = d->head + d->payload;
    int e = pfs_home_temp(&d->cache->home, &d->temp);
    if (e) {
        *d->temp.s = 0;
        return e;
    }
    part(&d->temp, "data.tif", &file);
    d->fd = open(file.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->fd < 0)
        return -errno;
    if (n && fallocate(d->fd, 0, 0, n) && (errno != EOPNOTSUPP || ftruncate(d->fd, n)))
        return -errno;
    return write_all(d->fd, head, d->head);
}

static void drop_file(struct pfs_draft *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    if (*d->temp.s)
        pfs_remove_tree(d->temp.s);
    *d->temp.s = 0;
}

static int create_file(struct pfs_draft *d, const void *head)
{
    struct pfs_cache *c = d->cache;
    int64_t need = pfs_entry_disk(d->head + d->payload, 0);
    int e = -ENOSPC;
    pfs_evict_reserve(c, need);
    for (int i = 0; i < TRIES && full(e); i++) {
        if (i && !pfs_evict_bytes(c, need))
            break;
        e = open_file(d, head);
        if (e)
            drop_file(d);
    }
    if (e) {
        pfs_evict_release(c, need);
        pfs_home_note(&c->home, -e, need);
        return e;
    }
    d->reserved = need;
    return 0;
}

static int check(int64_t n_head, int64_t payload, struct pfs_err *err)
{
    const int64_t most = (int64_t)1 << 40;
    if (n_head < 0 || payload < 0 || n_head > most || payload > most - n_head)
        return pfs_fail(err, EINVAL, "cache: an entry of %lld + %lld bytes", (long long)n_head, (long long)payload);
    return 0;
}

int pfs_draft_create(struct pfs_cache *c, const void *head, int64_t n_head, int64_t payload, struct pfs_draft **ret,
                     struct pfs_err *err)
{
    int e = check(n_head, payload, err);
    if (e)
        return e;
    if (!pfs_home_usable(&c->home))
        return pfs_draft_create_memory(c, head, n_head, payload, ret, err);
    struct pfs_draft *d = new_draft(c, n_head, payload);
    if (!d)
        return pfs_fail(err, ENOMEM, "cache: no memory for a draft");
    if (create_file(d, head)) {
        pfs_draft_discard(d);
        return pfs_draft_create_memory(c, head, n_head, payload, ret, err);
    }
    *ret = d;
    return 0;
}

int pfs_draft_create_memory(struct pfs_cache *c, const void *head, int64_t n_head, int64_t payload,
                            struct pfs_draft **ret, struct pfs_err *err)
{
    int e = check(n_head, payload, err);
    if (e)
        return e;
    struct pfs_draft *d = new_draft(c, n_head, payload);
    if (!d)
        return pfs_fail(err, ENOMEM, "cache: no memory for a draft");
    d->fd = memfd_create("planefs", MFD_CLOEXEC);
    if (d->fd < 0 || ftruncate(d->fd, n_head + payload) || write_all(d->fd, head, n_head)) {
        e = pfs_fail(err, ENOMEM, "cache: no memory for a plane of %lld bytes", (long long)payload);
        pfs_draft_discard(d);
        return e;
    }
    *ret = d;
    return 0;
}

int pfs_draft_fd(const struct pfs_draft *d)
{
    return d->fd;
}

void pfs_draft_discard(struct pfs_draft *d)
{
    if (!d)
        return;
    struct pfs_cache *c = d->cache;
    drop_file(d);
    if (d->reserved)
        pfs_evict_release(c, d->reserved);
    free(d);
    pfs_cache_release(c);
}

/* ---- publish ---- */

static int write_sums(const struct pfs_draft *d, const struct pfs_sums *sums)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_path p;
    pfs_sums_put(&t, sums);
    if (t.failed)
        return -ENOMEM;
    part(&d->temp, "sums", &p);
    int fd = open(p.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    if (fd < 0)
        return -errno;
    int e = write_all(fd, t.s, (int64_t)t.n);
    if (close(fd) && !e)
        e = -errno;
    if (e)
        unlink(p.s);
    return e;
}

static int rename_to(const struct pfs_draft *d, struct pfs_hash key)
{
    struct pfs_path p;
    char hex[33];
    pfs_hash_hex(key, hex);
    pfs_home_path(&d->cache->home, &p, "%.2s", hex);
    if (mkdir(p.s, 0700) && errno != EEXIST)
        return -errno;
    pfs_home_entry(&d->cache->home, key, &p);
    return rename(d->temp.s, p.s) ? -errno : 0;
}

/* Name the draft. 0; -EEXIST with *theirs when an equal entry was there; -errno when it stays without a name. */
static int place(const struct pfs_draft *d, const struct pfs_sums *sums, struct pfs_entry **theirs)
{
    struct pfs_cache *c = d->cache;
    uint64_t folder;
    int e = -ENOSPC;
    for (int i = 0; i < TRIES && full(e) && (!i || pfs_evict_bytes(c, 1)); i++)
        e = write_sums(d, sums);
    for (int i = 0; !e && i < TRIES; i++) {
        e = rename_to(d, sums->key);
        if (full(e) && pfs_evict_bytes(c, 1)) {
            e = 0;
            continue;
        }
        if (e != -ENOTEMPTY && e != -EEXIST && e != -ENOTDIR)
            return e;
        enum pfs_found f = pfs_entry_load(c, sums->key, sums->text, theirs, &folder);
        if (f == PFS_FOUND)
            return -EEXIST;
        if (f == PFS_OTHER || f == PFS_TROUBLED)
            return -EBUSY;           /* somebody else's: it stays, ours is served without a name */
        if (f == PFS_DAMAGED)
            pfs_entry_set_aside(c, sums->key, folder, false);
        e = 0;
    }
    return e ? e : -EBUSY;
}

/* After the rename: the draft has become the entry's folder. */
static void named(struct pfs_draft *d, struct pfs_entry *e)
{
    struct pfs_cache *c = d->cache;
    pthread_mutex_lock(&c->lock);
    pfs_index_put(&c->index, e->sums.key, pfs_entry_disk(pfs_entry_size(e), pfs_sums_size(&e->sums)), pfs_now());
    c->reserved -= d->reserved;
    d->reserved = 0;
    pthread_mutex_unlock(&c->lock);
    e->named = true;
    e->touched = pfs_now();
    *d->temp.s = 0;
    pfs_home_fine(&c->home);
}

/* Give the draft a name, or find out that somebody did so before. Gives the entry to be used; takes e. */
static struct pfs_entry *settle(struct pfs_draft *d, struct pfs_entry *e)
{
    struct pfs_entry *theirs = NULL;
    struct stat st;
    if (!*d->temp.s)
        return e;
    if (fchmod(e->fd, 0400) || stat(d->temp.s, &st)) {
        pfs_home_note(&d->cache->home, errno, 0);
        return e;
    }
    e->folder = pfs_hash64(&st.st_ino, sizeof st.st_ino, st.st_dev);
    int r = place(d, &e->sums, &theirs);
    if (r == 0)
        named(d, e);
    else if (r != -EEXIST && r != -EBUSY)
        pfs_home_note(&d->cache->home, -r, d->reserved);
    if (!theirs)
        return e;
    pfs_entry_unref(e);
    return theirs;
}

/* From here on the file is only read: whoever is lent the entry's descriptor must not be able to write through it, and
 * an open writer would keep the file system from being remounted read-only. Without /proc it stays as it is. */
static void shut(struct pfs_draft *d)
{
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", d->fd);
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    close(d->fd);
    d->fd = fd;
}

int pfs_draft_publish(struct pfs_draft *d, struct pfs_hash key, const char *text, struct pfs_entry **ret,
                      struct pfs_err *err)
{
    struct pfs_sums sums;
    shut(d);
    int e = pfs_sums_init(&sums, key, text, d->head, d->payload);
    if (!e)
        e = pfs_sums_compute(&sums, d->fd);
    struct pfs_entry *entry = e ? NULL : pfs_entry_create(d->cache, &sums, d->fd, false);
    pfs_sums_finish(&sums);
    if (entry) {
        d->fd = -1;                  /* the entry's now */
        entry = settle(d, entry);
        *ret = pfs_shelf_add(entry);
    }
    pfs_draft_discard(d);
    if (entry)
        return 0;
    if (e && e != -ENOMEM)
        return pfs_fail(err, EIO, "cache: a result cannot be read back (%s)", pfs_errno_name(-e));
    return pfs_fail(err, ENOMEM, "cache: no memory for an entry");
}
