/* Walking the cache's folder from outside. Each thing found is handed to a visitor; counting, verifying and deleting are
 * three visitors. Names decide what a thing is; whatever has none of the cache's names makes the folder foreign. */
#include "cache/survey.h"

#include "cache/home.h"
#include "cache/index.h"
#include "cache/inner.h"
#include "cache/ledger_file.h"

#include <planefs/mem.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { ENTRY, LEDGER, UNFINISHED };

struct walk {
    struct pfs_home home;
    struct pfs_survey s;
    bool verify;
    void (*found)(void *ctx, const char *path, const char *why);
    void *ctx;
    struct pfs_index *index;         /* trim: entries by last use */
};

/* ---- is it a cache? ---- */

static bool is_hex(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

static int refuse_foreign(const char *folder, struct pfs_err *err)
{
    DIR *d = opendir(folder);
    int rooms = 0, r = d ? 0 : pfs_fail(err, errno, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; !r && (e = readdir(d));) {
        bool room = !strcmp(e->d_name, "tmp") || !strcmp(e->d_name, "ledger");
        rooms += room;
        if (!room && !is_hex(e->d_name, 2) && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            r = pfs_fail(err, EINVAL, "%s is not a cache of planefs: it holds %s", folder, e->d_name);
    }
    if (d)
        closedir(d);
    return r || rooms == 2 ? r : pfs_fail(err, EINVAL, "%s is not a cache of planefs", folder);
}

static int begin(struct walk *w, const char *folder, struct pfs_err *err)
{
    struct stat st;
    if (stat(folder, &st))
        return pfs_fail(err, errno, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return pfs_fail(err, ENOTDIR, "%s is not a folder", folder);
    if (st.st_uid != geteuid())
        return pfs_fail(err, EPERM, "%s belongs to somebody else", folder);
    int r = refuse_foreign(folder, err);
    if (!r && pfs_home_init(&w->home, folder))
        r = pfs_fail(err, ENOMEM, "no memory for a path");
    return r;
}

/* ---- verifying ---- */

static void damaged(struct walk *w, const char *path, const char *why)
{
    w->s.damaged++;
    if (w->found)
        w->found(w->ctx, path, why);
}

/* A regular file of the entry; what is wrong in *ret_why otherwise. */
static int open_part(const char *entry, const char *name, struct stat *ret, const char **ret_why)
{
    struct pfs_path p;
    snprintf(p.s, sizeof p.s, "%.4000s/%s", entry, name);
    int fd = open(p.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret) || !S_ISREG(ret->st_mode)) {
        *ret_why = fd < 0 ? strerror(errno) : "not a regular file";
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* 0, or why the sums cannot be trusted; *ret_foreign: they are of another version. */
static const char *read_sums(const char *entry, struct pfs_sums *ret, bool *ret_foreign)
{
    const char *why = NULL;
    struct stat st;
    PFS_AUTO_CLOSE int fd = open_part(entry, "sums", &st, &why);
    if (fd < 0)
        return why;
    PFS_AUTO_FREE uint8_t *data = st.st_size <= PFS_SUMS_MAX ? pfs_pixels(st.st_size + 1, 1) : NULL;
    ssize_t n = data ? pread(fd, data, (size_t)st.st_size, 0) : 0;
    int e = data && n >= 0 ? pfs_sums_get((struct pfs_blob){data, (size_t)n}, ret) : -EBADMSG;
    *ret_foreign = e == -EOPNOTSUPP;
    return e && !*ret_foreign ? "its checksums are damaged" : NULL;
}

static const char *compare(const char *entry, const struct pfs_sums *s, struct pfs_hash key)
{
    const char *why = NULL;
    struct stat st;
    struct pfs_sums now;
    if (!pfs_hash_same(s->key, key))
        return "it is another entry";
    PFS_AUTO_CLOSE int fd = open_part(entry, "data.tif", &st, &why);
    if (fd < 0)
        return why;
    if (st.st_size != s->head + s->payload)
        return "its length is wrong";
    if (pfs_sums_init(&now, key, s->text, s->head, s->payload))
        return "no memory to verify it";
    if (pfs_sums_compute(&now, fd))
        why = "it cannot be read";
    else if (memcmp(now.block, s->block, (size_t)s->n * sizeof *s->block))
        why = "its bytes are not those that were written";
    pfs_sums_finish(&now);
    return why;
}

static void verify_entry(struct walk *w, const char *path, const char *beneath, struct pfs_hash key)
{
    struct pfs_sums s = {0};
    bool foreign = false;
    const char *why = read_sums(path, &s, &foreign);
    w->s.foreign += foreign;
    if (!why && !foreign)
        why = compare(path, &s, key);
    pfs_sums_finish(&s);
    if (why)
        damaged(w, beneath, why);
}

struct ledger_walk { struct walk *w; struct pfs_ledger_file *f; int64_t end; bool bad; };

static void verify_record(void *ctx, struct pfs_hash key, uint32_t n, int64_t off, const void *data)
{
    struct ledger_walk *l = ctx;
    struct pfs_blob value = {0};
    if (!data && n)
        l->bad |= pfs_ledger_file_value(&l->w->home, l->f, key, n, off, &value) != 0;
    free(value.data);
    l->bad |= off != l->end;                 /* something between the records */
    l->end = off + PFS_RECORD_HEAD + n;
}

/* The end of a ledger that somebody writes to may be on its way. */
static void verify_ledger(struct walk *w, const char *name, const char *beneath)
{
    struct ledger_walk l = {.w = w, .end = PFS_LEDGER_HEAD};
    int e = pfs_ledger_file_open(&w->home, name, &l.f);
    w->s.foreign += e == -EOPNOTSUPP;
    if (e) {
        if (e == -EBADMSG)
            damaged(w, beneath, "its head is damaged");
        return;
    }
    e = pfs_ledger_file_scan(&w->home, l.f, verify_record, &l);
    bool cut = l.end != l.f->end && pfs_home_owner(&w->home, name) == PFS_OWNER_DEAD;
    if (e || l.bad || cut)
        damaged(w, beneath, e ? "it cannot be read" : "some of its values are damaged");
    pfs_ledger_file_close(l.f);
}

/* ---- walking ---- */

static void visit_entry(struct walk *w, const char *path, const char *beneath)
{
    struct pfs_path p;
    struct stat data = {0}, sums = {0};
    struct pfs_hash key;
    char hex[33];
    snprintf(hex, sizeof hex, "%.2s%.30s", beneath, beneath + 3);
    if (!is_hex(beneath + 3, 30) || !pfs_hash_parse(hex, &key))
        return;
    snprintf(p.s, sizeof p.s, "%.4000s/sums", path);
    if (lstat(p.s, &sums))
        lstat(path, &sums);
    snprintf(p.s, sizeof p.s, "%.4000s/data.tif", path);
    if (lstat(p.s, &data))
        data.st_size = 0;
    int64_t used = (int64_t)sums.st_mtim.tv_sec * 1000000000 + sums.st_mtim.tv_nsec;
    int64_t bytes = pfs_entry_disk(data.st_size, sums.st_size);
    w->s.oldest = !w->s.entries || used < w->s.oldest ? used : w->s.oldest;
    w->s.newest = used > w->s.newest ? used : w->s.newest;
    w->s.entries++;
    w->s.bytes += bytes;
    if (w->verify)
        verify_entry(w, path, beneath, key);
    if (w->index)
        pfs_index_put(w->index, key, bytes, used);
}

static void visit(struct walk *w, enum kind kind, const char *room, const char *name)
{
    struct pfs_path p;
    struct stat st;
    char beneath[PFS_LEDGER_NAME + 16];
    snprintf(beneath, sizeof beneath, "%s/%.*s", room, PFS_LEDGER_NAME, name);
    pfs_home_path(&w->home, &p, "%s", beneath);
    if (kind == ENTRY)
        visit_entry(w, p.s, beneath);
    else if (kind == UNFINISHED)
        w->s.unfinished++;
    else if (!lstat(p.s, &st)) {
        w->s.ledgers++;
        w->s.ledger_bytes += st.st_size;
        if (w->verify)
            verify_ledger(w, name, beneath);
    }
}

static void walk_room(struct walk *w, enum kind kind, const char *room)
{
    struct pfs_path p;
    pfs_home_path(&w->home, &p, "%s", room);
    DIR *d = opendir(p.s);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            visit(w, kind, room, e->d_name);
    if (d)
        closedir(d);
}

static void walk(struct walk *w)
{
    walk_room(w, LEDGER, "ledger");
    walk_room(w, UNFINISHED, "tmp");
    for (unsigned i = 0; i < 256; i++) {
        char room[3];
        snprintf(room, sizeof room, "%02x", i & 0xff);
        walk_room(w, ENTRY, room);
    }
}

int pfs_survey_look(const char *folder, struct pfs_survey *ret, struct pfs_err *err)
{
    struct walk w = {0};
    int r = begin(&w, folder, err);
    if (!r)
        walk(&w);
    *ret = w.s;
    pfs_home_finish(&w.home);
    return r;
}

int pfs_survey_verify(const char *folder, void (*found)(void *ctx, const char *path, const char *why), void *ctx,
                      struct pfs_survey *ret, struct pfs_err *err)
{
    struct walk w = {.verify = true, .found = found, .ctx = ctx};
    int r = begin(&w, folder, err);
    if (!r)
        walk(&w);
    *ret = w.s;
    pfs_home_finish(&w.home);
    return r;
}

/* ---- deleting ---- */

static void empty_room(const struct walk *w, const char *room)
{
    struct pfs_path p;
    pfs_home_path(&w->home, &p, "%s", room);
    pfs_remove_tree(p.s);
    if (!is_hex(room, 2))
        mkdir(p.s, 0700);
}

static void empty(const struct walk *w)
{
    for (unsigned i = 0; i < 256; i++) {
        char room[3];
        snprintf(room, sizeof room, "%02x", i & 0xff);
        empty_room(w, room);
    }
    empty_room(w, "ledger");
    empty_room(w, "tmp");
}

int pfs_survey_trim(const char *folder, int64_t most, int64_t *ret, struct pfs_err *err)
{
    struct pfs_index index = {0};
    struct walk w = {.index = &index};
    struct pfs_index_item oldest;
    struct pfs_path p;
    int r = begin(&w, folder, err);
    *ret = 0;
    if (!r)
        walk(&w);
    int64_t total = w.s.bytes + w.s.ledger_bytes, failed = 0;
    while (!r && total - *ret > most && pfs_index_oldest(&index, &oldest)) {
        pfs_home_entry(&w.home, oldest.key, &p);
        int e = pfs_home_remove(&w.home, p.s);
        failed = e && e != -ENOENT ? e : failed;
        *ret += e ? 0 : oldest.bytes;
    }
    if (!r && failed)
        r = pfs_fail(err, (int)-failed, "%s: %s", folder, strerror((int)-failed));
    if (!r && most < 0) {
        empty(&w);
        *ret += w.s.ledger_bytes;
    }
    pfs_index_finish(&index);
    pfs_home_finish(&w.home);
    return r;
}
