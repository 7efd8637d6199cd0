/* The ledgers that are there already: reading them at open, keeping them few and within bounds.
 *
 * Files of dead processes may be rewritten or dropped by anybody. Two processes doing so at once leave values twice or
 * lose some: both cost work, never a wrong byte. */
#include "cache/ledger_inner.h"

#include <planefs/mem.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 8, OPEN_FILES = 64 };
static const int64_t day = 86400 * (int64_t)1000000000;

struct listed { char name[PFS_LEDGER_NAME]; int64_t size, mtime; bool dead; };
struct listing { struct listed *file; size_t n; int64_t bytes; };

static int older_first(const void *a, const void *b)
{
    const struct listed *p = a, *q = b;
    return p->mtime != q->mtime ? (p->mtime < q->mtime ? -1 : 1) : strcmp(p->name, q->name);
}

/* A file whose writer is known to be gone, or on another host and silent for a day. */
static bool dead(const struct pfs_home *h, const struct listed *f)
{
    char owner[PFS_LEDGER_NAME];
    snprintf(owner, sizeof owner, "%.*s", (int)strlen(f->name) - 4, f->name);
    enum pfs_owner o = pfs_home_owner(h, owner);
    return o == PFS_OWNER_DEAD || (o == PFS_OWNER_ELSEWHERE && pfs_now() - f->mtime > day);
}

static bool list_one(const struct pfs_home *h, int dir, const char *name, struct listing *ls)
{
    struct stat st;
    size_t n = strlen(name);
    if (n < 5 || n >= PFS_LEDGER_NAME || strcmp(name + n - 4, ".log") || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
        return true;
    struct listed *file = realloc(ls->file, (ls->n + 1) * sizeof *file);
    if (!file)
        return false;
    ls->file = file;
    struct listed *f = &file[ls->n++];
    *f = (struct listed){.size = st.st_size, .mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
    memcpy(f->name, name, n + 1);
    f->dead = dead(h, f);
    ls->bytes += f->size;
    return true;
}

static void list(const struct pfs_home *h, struct listing *ls)
{
    struct pfs_path p;
    *ls = (struct listing){0};
    pfs_home_path(h, &p, "ledger");
    DIR *d = opendir(p.s);
    for (struct dirent *e; d && (e = readdir(d));)
        if (!list_one(h, dirfd(d), e->d_name, ls))
            break;
    if (d)
        closedir(d);
    if (ls->n)
        qsort(ls->file, ls->n, sizeof *ls->file, older_first);
}

/* Delete a file and let go of it. The name may be the file's own. */
static void forget(struct pfs_ledger *l, const char *of)
{
    char name[PFS_LEDGER_NAME];
    struct pfs_path p;
    snprintf(name, sizeof name, "%s", of);
    pfs_home_path(l->home, &p, "ledger/%s", name);
    unlink(p.s);
    pthread_mutex_lock(&l->lock);
    for (uint32_t i = 0; i < l->n_files; i++)
        if (l->file[i] && i != l->own && !strcmp(l->file[i]->name, name))
            pfs_ledger_drop_file_locked(l, i);
    pthread_mutex_unlock(&l->lock);
}

static bool ours(const struct pfs_ledger *l, const char *name, bool current)
{
    char start[PFS_LEDGER_NAME];
    if (l->own != PFS_NO_FILE && !strcmp(l->file[l->own]->name, name))
        return current;
    int n = snprintf(start, sizeof start, "%s.%d.", l->home->host, (int)l->home->pid);
    return !current && !strncmp(name, start, (size_t)n);
}

/* Drop the oldest files until the rest is within the bound; of living processes only our own former ones. */
static void bound(struct pfs_ledger *l, struct listing *ls)
{
    size_t kept = 0;
    for (size_t i = 0; i < ls->n; i++) {
        struct listed *f = &ls->file[i];
        if (ls->bytes > l->most && (f->dead || (l->own != PFS_NO_FILE && ours(l, f->name, false)))) {
            ls->bytes -= f->size;
            forget(l, f->name);
        } else {
            ls->file[kept++] = *f;
        }
    }
    ls->n = kept;
    atomic_store(&l->bytes, ls->bytes);
}

void pfs_ledger_bound(struct pfs_ledger *l)
{
    struct listing ls;
    list(l->home, &ls);
    bound(l, &ls);
    free(ls.file);
}

/* ---- reading ---- */

struct loading { struct pfs_ledger *l; uint32_t file; };

static void learn(void *ctx, struct pfs_hash key, uint32_t n, int64_t off, const void *data)
{
    struct loading *ld = ctx;
    struct pfs_values *vs = &ld->l->values;
    if (pfs_values_find(vs, key) != UINT32_MAX)
        return;
    uint32_t i = pfs_values_add(vs, key);
    if (i == UINT32_MAX)
        return;
    struct pfs_value *v = &vs->value[i];
    v->file = ld->file;
    v->off = off;
    v->n = n & 0xffffff;
    if (data && pfs_values_small(vs, n))
        pfs_values_keep(vs, i, data, n);
}

static bool loaded(const struct pfs_ledger *l, const char *name)
{
    for (uint32_t i = 0; i < l->n_files; i++)
        if (l->file[i] && !strcmp(l->file[i]->name, name))
            return true;
    return false;
}

/* Only the first files stay open: a cluster may leave thousands. The others are opened for each read. */
static int load_one(struct pfs_ledger *l, const struct listed *from)
{
    struct pfs_ledger_file *f;
    if (loaded(l, from->name))
        return 0;
    int e = pfs_ledger_file_open(l->home, from->name, &f);
    if (e)
        return e;
    f->dead = from->dead;
    struct loading ld = {l, pfs_ledger_add_file_locked(l, f)};
    if (ld.file == PFS_NO_FILE)
        return -ENOMEM;
    e = pfs_ledger_file_scan(l->home, f, learn, &ld);
    if (ld.file >= OPEN_FILES) {
        close(f->fd);
        f->fd = -1;
    }
    return e;
}

void pfs_ledger_load(struct pfs_ledger *l)
{
    /* A file that vanishes between listing and opening was merged into one that is not in the list: look again. */
    for (int attempt = 0, again = 1; again && attempt < 3; attempt++) {
        struct listing ls;
        again = 0;
        list(l->home, &ls);
        bound(l, &ls);
        for (size_t i = 0; i < ls.n; i++)
            if (load_one(l, &ls.file[i]) == -ENOENT)
                again = 1;
        free(ls.file);
    }
}

/* ---- merging ---- */

static bool to_merge(const struct pfs_ledger *l, uint32_t i)
{
    const struct pfs_ledger_file *f = i < l->n_files ? l->file[i] : NULL;
    return f && f->dead && f->end < l->most / 16;
}

/* Make value i pending again, with its bytes in memory. Its old copy counts until it is written. */
static void rewrite_locked(struct pfs_ledger *l, uint32_t i)
{
    struct pfs_value v = l->values.value[i];
    struct pfs_ledger_file *f = l->file[v.file];
    struct pfs_blob b = {0};
    if (!v.mem) {
        pthread_mutex_unlock(&l->lock);
        int e = pfs_ledger_file_value(l->home, f, v.key, v.n, v.off, &b);
        pthread_mutex_lock(&l->lock);
        if (e || l->values.value[i].pending || l->values.value[i].mem) {
            free(b.data);
            return;
        }
        if (!pfs_values_keep(&l->values, i, b.data, v.n)) {
            free(b.data);
            return;
        }
        free(b.data);
    }
    pfs_ledger_pend_locked(l, i);
}

/* Write the values of the files to be merged into our own. 0, or why not all could be. */
static int rewrite_all_locked(struct pfs_ledger *l)
{
    int e = 0;
    uint32_t n = l->values.n;
    for (uint32_t i = 0; i < n && !e && !l->closing; i++) {
        const struct pfs_value *v = &l->values.value[i];
        if (!v->pending && v->file != PFS_NO_FILE && to_merge(l, v->file))
            rewrite_locked(l, i);
        if (l->pending_bytes > 4 << 20)
            e = pfs_ledger_flush_locked(l);
    }
    if (!e)
        e = pfs_ledger_flush_locked(l);
    return e ? e : l->closing ? -ECANCELED : 0;
}

void pfs_ledger_merge(struct pfs_ledger *l)
{
    int many = 0;
    uint32_t n = l->n_files;
    for (uint32_t i = 0; i < n; i++)
        many += to_merge(l, i);
    if (many <= MANY)
        return;
    pthread_mutex_lock(&l->lock);
    int e = rewrite_all_locked(l);
    pthread_mutex_unlock(&l->lock);
    for (uint32_t i = 0; !e && i < n; i++)
        if (to_merge(l, i)) {
            atomic_fetch_sub(&l->bytes, l->file[i]->end);
            forget(l, l->file[i]->name);
        }
}
