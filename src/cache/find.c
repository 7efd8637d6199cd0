/* Finding entries on disk: opening, comparing what they promise with what is wanted, setting damaged ones aside.
 *
 * Folders, links, pipes and the like in the place of a file are damage; they are never followed nor waited for.
 * A failure that says nothing of the entry (no descriptors left, network) is a miss, and the entry stays. */
#include "cache/inner.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

static const int64_t minute = 60 * (int64_t)1000000000;

int64_t pfs_entry_disk(int64_t data, int64_t sums)
{
    return ((data + 4095) & ~(int64_t)4095) + ((sums + 4095) & ~(int64_t)4095) + 4096;
}

static uint64_t identity(const struct stat *st)
{
    return pfs_hash64(&st->st_ino, sizeof st->st_ino, st->st_dev);
}

/* What a failed open says. Inside an entry's folder, a file that is missing or forbidden is damage. */
static enum pfs_found judge(int code, bool inside)
{
    switch (code) {
    case ENOTDIR: case ELOOP: case ENXIO: case EISDIR: return PFS_DAMAGED;
    case ENOENT: return inside ? PFS_DAMAGED : PFS_ABSENT;
    case EACCES: case EPERM: return inside ? PFS_DAMAGED : PFS_TROUBLED;
    default: return PFS_TROUBLED;
    }
}

/* Open a regular file of ours in the entry's folder. */
static enum pfs_found open_part(const struct pfs_cache *c, int folder, const char *name, int *ret, struct stat *ret_st)
{
    *ret = openat(folder, name, OPEN_FLAGS);
    if (*ret < 0)
        return judge(errno, true);
    if (fstat(*ret, ret_st))
        return PFS_TROUBLED;
    return S_ISREG(ret_st->st_mode) && ret_st->st_uid == c->home.uid ? PFS_FOUND : PFS_DAMAGED;
}

static enum pfs_found read_sums(int fd, int64_t n, struct pfs_sums *ret)
{
    if (n > PFS_SUMS_MAX)
        return PFS_DAMAGED;
    PFS_AUTO_FREE uint8_t *data = pfs_pixels(n, 1);
    if (!data)
        return PFS_TROUBLED;
    ssize_t got = pread(fd, data, (size_t)n, 0);
    if (got < 0)
        return PFS_TROUBLED;
    int e = pfs_sums_get((struct pfs_blob){data, (size_t)got}, ret);
    return e == -EBADMSG ? PFS_DAMAGED : e == -EOPNOTSUPP ? PFS_OTHER : e ? PFS_TROUBLED : PFS_FOUND;
}

static enum pfs_found load_sums(struct pfs_cache *c, int folder, struct pfs_hash key, const char *text,
                                struct pfs_sums *ret, int64_t *ret_used)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    enum pfs_found f = open_part(c, folder, "sums", &fd, &st);
    if (f != PFS_FOUND)
        return f;
    *ret_used = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    f = read_sums(fd, st.st_size, ret);
    if (f != PFS_FOUND)
        return f;
    if (!pfs_hash_same(ret->key, key))
        return PFS_DAMAGED;          /* another entry was put in this one's place */
    return strcmp(ret->text, text) ? PFS_OTHER : PFS_FOUND;
}

enum pfs_found pfs_entry_load(struct pfs_cache *c, struct pfs_hash key, const char *text, struct pfs_entry **ret,
                              uint64_t *ret_folder)
{
    PFS_AUTO_CLOSE int folder = -1;
    PFS_AUTO_CLOSE int fd = -1;
    struct pfs_sums sums = {0};
    struct pfs_path p;
    struct stat st;
    int64_t used = 0;
    *ret_folder = 0;                 /* no folder at all lies there */
    pfs_home_entry(&c->home, key, &p);
    folder = open(p.s, OPEN_FLAGS | O_DIRECTORY);
    if (folder < 0)
        return judge(errno, false);
    if (fstat(folder, &st))
        return PFS_TROUBLED;
    *ret_folder = identity(&st);
    enum pfs_found f = load_sums(c, folder, key, text, &sums, &used);
    if (f == PFS_FOUND)
        f = open_part(c, folder, "data.tif", &fd, &st);
    if (f == PFS_FOUND && st.st_size != sums.head + sums.payload)
        f = PFS_DAMAGED;
    if (f == PFS_FOUND && !(*ret = pfs_entry_create(c, &sums, fd, true)))
        f = PFS_TROUBLED;
    pfs_sums_finish(&sums);
    if (f != PFS_FOUND)
        return f;
    (*ret)->folder = *ret_folder;
    (*ret)->touched = used;
    PFS_TAKE_FD(fd);
    return PFS_FOUND;
}

void pfs_entry_set_aside(struct pfs_cache *c, struct pfs_hash key, uint64_t folder, bool certain)
{
    struct pfs_path p;
    struct stat st;
    pfs_home_entry(&c->home, key, &p);
    bool same = !lstat(p.s, &st) && (S_ISDIR(st.st_mode) ? identity(&st) == folder : !folder);
    if (same)
        pfs_home_remove(&c->home, p.s);
    pthread_mutex_lock(&c->lock);
    if (same)
        pfs_index_drop(&c->index, key);
    c->damaged += same || certain;
    pthread_mutex_unlock(&c->lock);
}

/* Remember the use: in memory always, on disk at most once a minute. */
static void mark_used(struct pfs_entry *e)
{
    struct pfs_cache *c = e->cache;
    int64_t now = pfs_now();
    struct pfs_path p;
    pthread_mutex_lock(&c->lock);
    bool write = e->named && (now - e->touched > minute || now < e->touched);
    if (write)
        e->touched = now;
    if (e->named && !e->bad)
        pfs_index_put(&c->index, e->sums.key, pfs_entry_disk(pfs_entry_size(e), pfs_sums_size(&e->sums)), now);
    pthread_mutex_unlock(&c->lock);
    if (!write)
        return;
    pfs_home_entry(&c->home, e->sums.key, &p);
    size_t n = strlen(p.s);
    snprintf(p.s + n, sizeof p.s - n, "/sums");
    utimensat(AT_FDCWD, p.s, NULL, AT_SYMLINK_NOFOLLOW);
}

int pfs_entry_find(struct pfs_cache *c, struct pfs_hash key, const char *text, struct pfs_entry **ret)
{
    bool other;
    uint64_t folder;
    struct pfs_entry *e = pfs_shelf_find(c, key, text, &other);
    if (!e && !other && pfs_home_usable(&c->home)) {
        enum pfs_found f = pfs_entry_load(c, key, text, &e, &folder);
        if (f == PFS_FOUND)
            e = pfs_shelf_add(e);
        else if (f == PFS_DAMAGED)
            pfs_entry_set_aside(c, key, folder, false);
    }
    pthread_mutex_lock(&c->lock);
    *(e ? &c->hits : &c->misses) += 1;
    pthread_mutex_unlock(&c->lock);
    if (!e)
        return -ENOENT;
    mark_used(e);
    *ret = e;
    return 0;
}

bool pfs_entry_exists(struct pfs_cache *c, struct pfs_hash key)
{
    struct pfs_path p;
    if (!pfs_home_usable(&c->home))
        return false;
    pfs_home_entry(&c->home, key, &p);
    size_t n = strlen(p.s);
    snprintf(p.s + n, sizeof p.s - n, "/sums");
    return !faccessat(AT_FDCWD, p.s, F_OK, AT_SYMLINK_NOFOLLOW);
}
