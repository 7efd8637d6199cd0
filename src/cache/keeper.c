/* The keeper: one thread that learns what lies in the folder and looks after its health.
 *
 * At the start it deletes what dead processes left in tmp/ and scans the entries; later, once a second, it looks
 * whether the folder is still there and ours, whether trouble has passed, and lets go of entries that others deleted.
 * It scans again when eviction asks for it, and when the folder was replaced. It runs at low priority. */
#include "cache/inner.h"
#include "cache/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool closing(struct pfs_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool r = c->closing;
    pthread_mutex_unlock(&c->lock);
    return r;
}

/* An entry's size and last use go into the index. One that lacks a file counts with what it has: its turn comes. */
static void learn(struct pfs_cache *c, int prefix, const char *first, const char *name)
{
    struct pfs_hash key;
    struct stat data = {0}, sums = {0};
    char hex[33], path[64];
    snprintf(hex, sizeof hex, "%.2s%.30s", first, name);
    if (strlen(name) != 30 || !pfs_hash_parse(hex, &key))
        return;
    snprintf(path, sizeof path, "%s/sums", name);
    if (fstatat(prefix, path, &sums, AT_SYMLINK_NOFOLLOW) && fstatat(prefix, name, &sums, AT_SYMLINK_NOFOLLOW))
        return;
    snprintf(path, sizeof path, "%s/data.tif", name);
    if (fstatat(prefix, path, &data, AT_SYMLINK_NOFOLLOW))
        data.st_size = 0;
    int64_t used = (int64_t)sums.st_mtim.tv_sec * 1000000000 + sums.st_mtim.tv_nsec, now = pfs_now();
    pthread_mutex_lock(&c->lock);
    pfs_index_put(&c->index, key, pfs_entry_disk(data.st_size, sums.st_size), used < now ? used : now);
    pthread_mutex_unlock(&c->lock);
}

static void scan_prefix(struct pfs_cache *c, int i)
{
    struct pfs_path p;
    char first[3];
    snprintf(first, sizeof first, "%02x", (unsigned)i & 0xff);
    pfs_home_path(&c->home, &p, "%s", first);
    DIR *d = opendir(p.s);
    for (struct dirent *e; d && (e = readdir(d));)
        learn(c, dirfd(d), first, e->d_name);
    if (d)
        closedir(d);
}

static void scan(struct pfs_cache *c)
{
    pthread_mutex_lock(&c->lock);
    pfs_index_begin(&c->index);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < 256 && pfs_home_usable(&c->home); i++) {
        if (closing(c))
            return;
        scan_prefix(c, i);
    }
    pthread_mutex_lock(&c->lock);
    pfs_index_end(&c->index);
    c->scanned = true;
    c->rescan = false;
    c->scanned_at = pfs_now();
    pthread_cond_broadcast(&c->scan_done);
    pthread_mutex_unlock(&c->lock);
}

/* The limit when none was given: a tenth of the file system, at most 50 GiB. */
static void set_limit(struct pfs_cache *c)
{
    const int64_t most = (int64_t)50 << 30;
    struct statvfs v;
    int64_t tenth = most;
    if (!statvfs(c->home.path, &v) && v.f_blocks && v.f_blocks / 10 < (uint64_t)most / (v.f_frsize ? v.f_frsize : 1))
        tenth = (int64_t)(v.f_blocks / 10 * v.f_frsize);
    atomic_store(&c->limit, c->asked > 0 ? c->asked : tenth);
}

/* False when it is time to end. *ret_rescan: somebody asked. */
static bool sleep_a_while(struct pfs_cache *c, bool *ret_rescan)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&c->lock);
    while (!c->closing && !c->rescan && !pthread_cond_timedwait(&c->wake, &c->lock, &until))
        ;
    *ret_rescan = c->rescan;
    bool go_on = !c->closing;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

static void *keep(void *arg)
{
    struct pfs_cache *c = arg;
    uint64_t id = 0, before = 0;
    bool rescan = true;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
    do {
        bool usable = pfs_home_check(&c->home, &id);
        if (usable && id != before) {
            set_limit(c);
            pfs_home_clean(&c->home);
            rescan = true;
        }
        before = usable ? id : 0;
        if (rescan || !usable)
            scan(c);                 /* of an unusable folder: forgets what was known */
        pfs_shelf_trim(c, false);
    } while (sleep_a_while(c, &rescan));
    return NULL;
}

int pfs_keeper_start(struct pfs_cache *c)
{
    sigset_t all, old;
    set_limit(c);
    clock_gettime(CLOCK_MONOTONIC, &c->patience);
    c->patience.tv_sec += 2;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);        /* signals are for the threads that know what to do with them */
    int e = pthread_create(&c->keeper, NULL, keep, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -e;
}

void pfs_keeper_stop(struct pfs_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->wake);
    pthread_cond_broadcast(&c->scan_done);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->keeper, NULL);
}
