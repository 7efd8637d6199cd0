/* The catalog: opening SOURCE, and the newest snapshot of each of its folders. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t pfs_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* ---- SOURCE ---- */

static int open_root(struct pfs_catalog *c, const char *source, struct pfs_err *err)
{
    struct stat st;
    PFS_AUTO_FREE char *path = realpath(source, NULL);
    if (!path || stat(path, &st) < 0)
        return pfs_fail(err, errno, "cannot open %s: %s", source, strerror(errno));
    char *slash = strrchr(path, '/');
    c->name = strdup(slash[1] ? slash + 1 : "root");
    if (S_ISREG(st.st_mode)) {
        c->single = strdup(slash + 1);
        slash[slash == path] = 0;
    } else if (!S_ISDIR(st.st_mode))
        return pfs_fail(err, ENOTDIR, "%s is neither a folder nor a file", source);
    if (!c->name || (S_ISREG(st.st_mode) && !c->single))
        return pfs_fail(err, ENOMEM, "no memory for the catalog");
    c->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return c->root < 0 ? pfs_fail(err, errno, "cannot open %s: %s", path, strerror(errno)) : 0;
}

int pfs_catalog_open(const char *source, const struct pfs_config *config, struct pfs_cache *cache,
                     struct pfs_pool *pool, struct pfs_catalog **ret, struct pfs_err *err)
{
    struct pfs_catalog *c = calloc(1, sizeof *c);
    *ret = NULL;
    if (!c)
        return pfs_fail(err, ENOMEM, "no memory for the catalog");
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->reading, NULL);
    c->config = config;
    c->cache = cache;
    c->pool = pool;
    c->root = -1;
    int r = open_root(c, source, err);
    if (r < 0)
        pfs_catalog_close(c);
    else
        *ret = c;
    return r;
}

void pfs_catalog_close(struct pfs_catalog *c)
{
    if (!c)
        return;
    for (int64_t i = 0; i < c->n_folders; i++)
        pfs_folder_unref(c->folder[i]);
    if (c->root >= 0)
        close(c->root);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->reading);
    free(c->folder);
    free(c->single);
    free(c->name);
    free(c);
}

/* ---- snapshots ---- */

/* lock held; the slot of a path, NULL when it was never read */
static struct pfs_folder **slot(struct pfs_catalog *c, const char *path)
{
    for (int64_t i = 0; i < c->n_folders; i++)
        if (!strcmp(c->folder[i]->path, path))
            return &c->folder[i];
    return NULL;
}

static bool fresh(const struct pfs_folder *f)
{
    return !__atomic_load_n(&f->own->expired, __ATOMIC_RELAXED) && pfs_now_ms() - f->own->checked < FOLDER_FRESH_MS;
}

/* Put a snapshot in the place of the last one; takes a reference of its own. */
static bool keep(struct pfs_catalog *c, struct pfs_folder *f)
{
    struct pfs_folder **at = slot(c, f->path);
    if (!at && c->n_folders == c->room) {
        int64_t room = c->room ? c->room * 2 : 16;
        struct pfs_folder **more = realloc(c->folder, (size_t)room * sizeof *more);
        if (!more)
            return false;
        c->folder = more;
        c->room = room;
    }
    pfs_folder_ref(f);
    if (at) {
        pfs_folder_unref(*at);
        *at = f;
    } else
        c->folder[c->n_folders++] = f;
    return true;
}

static bool unchanged(struct pfs_catalog *c, const struct pfs_folder *f)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    const char *path = c->single ? c->single : f->path;
    bool expired = __atomic_load_n(&f->own->expired, __ATOMIC_RELAXED);
    if (expired || pfs_beneath_open(c, path, O_PATH, &fd, NULL) < 0 || fstat(fd, &st) < 0)
        return false;
    struct pfs_ident now = pfs_ident_of(&st), then = pfs_ident_of(&f->own->st);
    return pfs_ident_same(&now, &then) && !f->own->young;
}

/* reading held */
static int refresh(struct pfs_catalog *c, const char *path, struct pfs_folder *old, struct pfs_folder **ret,
                   struct pfs_err *err)
{
    struct pfs_folder *f = NULL;
    if (old && unchanged(c, old)) {
        pfs_folder_ref(old);
        f = old;
    } else {
        int r = pfs_folder_read(c, path, old, &f, err);
        if (r < 0)
            return r;
    }
    pthread_mutex_lock(&c->lock);
    f->own->checked = pfs_now_ms();
    bool kept = f == old || keep(c, f);
    pthread_mutex_unlock(&c->lock);
    if (!kept) {
        pfs_folder_unref(f);
        return pfs_fail(err, ENOMEM, "no memory for the folder %s", path);
    }
    *ret = f;
    return 0;
}

/* The folder as it was last seen, if that is recent enough; a reference is given. */
static struct pfs_folder *recent(struct pfs_catalog *c, const char *path, bool *ret_fresh)
{
    pthread_mutex_lock(&c->lock);
    struct pfs_folder **at = slot(c, path), *f = at ? *at : NULL;
    *ret_fresh = f && fresh(f);
    if (f)
        pfs_folder_ref(f);
    pthread_mutex_unlock(&c->lock);
    return f;
}

/* A folder that is none on disk may be the series of a file beside it. */
static int series_folder(struct pfs_catalog *c, const char *path, bool wait, struct pfs_folder **ret,
                         struct pfs_err *err)
{
    const char *slash = strrchr(path, '/');
    PFS_AUTO_FREE char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
    struct pfs_folder *f;
    if (!parent)
        return pfs_fail(err, ENOMEM, "no memory for a path");
    int r = pfs_catalog_folder(c, parent, wait, &f, err);
    if (r < 0)
        return r;
    const struct pfs_item *item = pfs_folder_item(f, slash ? slash + 1 : path);
    r = item && item->series ? 0 : pfs_fail(err, ENOENT, "no folder %s", path);
    if (!r) {
        pfs_folder_ref(item->series);
        *ret = item->series;
    }
    pfs_folder_unref(f);
    return r;
}

int pfs_catalog_folder(struct pfs_catalog *c, const char *path, bool wait, struct pfs_folder **ret,
                       struct pfs_err *err)
{
    bool is_fresh;
    struct pfs_folder *f = recent(c, path, &is_fresh);
    if (is_fresh) {
        *ret = f;
        return 0;
    }
    if (!f && *path && !series_folder(c, path, false, ret, NULL))
        return 0;
    if (!wait) {
        pfs_folder_unref(f);
        return -EAGAIN;
    }
    pfs_folder_unref(f);
    pthread_mutex_lock(&c->reading);
    f = recent(c, path, &is_fresh);
    int r = 0;
    if (is_fresh)
        pfs_folder_ref(*ret = f);
    else
        r = refresh(c, path, f, ret, err);
    pthread_mutex_unlock(&c->reading);
    pfs_folder_unref(f);
    if ((r == -ENOENT || r == -EIO) && *path && !series_folder(c, path, true, ret, NULL))
        r = 0;
    return r;
}

static bool changed(struct pfs_catalog *c, const struct pfs_file *f)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    if (pfs_beneath_open(c, f->path, O_PATH, &fd, NULL) < 0 || fstat(fd, &st) < 0)
        return true;
    struct pfs_ident now = pfs_ident_of(&st);
    return !pfs_ident_same(&now, &f->id);
}

/* The folder that shows this file is to be read again. */
static void expire(struct pfs_catalog *c, const char *path)
{
    const char *slash = c->single ? NULL : strrchr(path, '/');
    PFS_AUTO_FREE char *folder = strndup(path, slash ? (size_t)(slash - path) : 0);
    pthread_mutex_lock(&c->lock);
    struct pfs_folder **at = folder ? slot(c, folder) : NULL;
    if (at)
        __atomic_store_n(&(*at)->own->expired, true, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->lock);
}

bool pfs_catalog_stale(struct pfs_catalog *c, const struct pfs_file *f)
{
    bool is = changed(c, f);
    if (is)
        expire(c, f->path);
    return is;
}

bool pfs_dataset_stale(struct pfs_catalog *c, const struct pfs_dataset *d, int64_t file)
{
    bool is = changed(c, &d->file[file]);
    for (int64_t i = 0; i < d->n_companions && !is; i++)
        is = changed(c, &d->companion[i]);
    if (is)
        expire(c, d->file[file].path);
    return is;
}

static int64_t datasets_in(const struct pfs_folder *f)
{
    int64_t n = f->self != NULL;
    for (int64_t i = 0; i < f->n_items; i++)
        n += f->item[i].dataset ? 1 : f->item[i].series ? datasets_in(f->item[i].series) : 0;
    return n;
}

void pfs_catalog_status(struct pfs_catalog *c, struct pfs_catalog_status *ret)
{
    *ret = (struct pfs_catalog_status){.probes = __atomic_load_n(&c->probes, __ATOMIC_RELAXED),
                                       .hashes = __atomic_load_n(&c->hashes, __ATOMIC_RELAXED)};
    pthread_mutex_lock(&c->lock);
    for (int64_t i = 0; i < c->n_folders; i++)
        ret->datasets += datasets_in(c->folder[i]);
    pthread_mutex_unlock(&c->lock);
}
