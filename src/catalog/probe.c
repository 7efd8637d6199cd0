/* Probes: what is in a file, as a reader worker tells it, remembered in the ledger.
 *
 * A worker may ask for files beside the probed one (the raw file of an ENVI header). Which it asked for, and whether they
 * were there, is part of what is remembered. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASKED_MAX = 1 << 20 };

struct probing {
    struct pfs_catalog *c;
    const char *path;
    const struct pfs_ident *id;
    struct pfs_probed *ret;
    int64_t room;
};

const struct pfs_asked *pfs_probed_asked(const struct pfs_probed *p, const char *path)
{
    for (int64_t i = p->n_asked - 1; i >= 0; i--)
        if (!strcmp(p->asked[i].path, path))
            return &p->asked[i];
    return NULL;
}

void pfs_probed_finish(struct pfs_probed *p)
{
    for (int64_t i = 0; i < p->n_asked; i++)
        free(p->asked[i].path);
    free(p->asked);
    pfs_probe_finish(&p->p);
    *p = (struct pfs_probed){0};
}

/* ---- files the worker asks for ---- */

static int note(struct probing *p, const char *path, const struct stat *st, struct pfs_err *err)
{
    struct pfs_probed *d = p->ret;
    if (d->n_asked == p->room) {
        int64_t room = p->room ? 2 * p->room : 16;
        struct pfs_asked *more = room <= ASKED_MAX ? realloc(d->asked, (size_t)room * sizeof *more) : NULL;
        if (!more)
            return pfs_fail(err, ENOMEM, "too many files asked for by one probe");
        d->asked = more;
        p->room = room;
    }
    struct pfs_asked *a = &d->asked[d->n_asked];
    *a = (struct pfs_asked){.path = strdup(path), .there = st};
    if (!a->path)
        return pfs_fail(err, ENOMEM, "no memory for a probe");
    if (st)
        a->id = pfs_ident_of(st);
    d->n_asked++;
    return 0;
}

/* The worker may ask for the probed file and for others beside it; nothing outside SOURCE, nothing but plain files. */
static int open_for_worker(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct probing *p = ctx;
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    if (!strcmp(name, p->path))
        return pfs_catalog_open_file(p->c, &(struct pfs_file){.path = (char *)p->path, .id = *p->id}, ret_fd, err);
    int r = pfs_beneath_open(p->c, name, 0, &fd, err);
    if (!r && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
        r = pfs_fail(err, ENOENT, "%s is not a file", name);
    int noted = note(p, name, r ? NULL : &st, r ? NULL : err);
    if (!r && !noted)
        *ret_fd = PFS_TAKE_FD(fd);
    return r ? r : noted;
}

/* Is it there, or not there, as it was then? */
static bool still(struct pfs_catalog *c, struct pfs_asked *a)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    bool there = !pfs_beneath_open(c, a->path, O_PATH, &fd, NULL) && !fstat(fd, &st) && S_ISREG(st.st_mode);
    if (!there || !a->there)
        return there == a->there;
    struct pfs_ident now = pfs_ident_of(&st);
    a->id.dev = now.dev;                          /* which is another on every node of a cluster */
    return pfs_ident_same(&now, &a->id);
}

/* ---- what is remembered ---- */

static void put_asked(struct pfs_text *t, const struct pfs_probed *p)
{
    pfs_put_u64(t, (uint64_t)p->n_asked);
    for (int64_t i = 0; i < p->n_asked; i++) {
        const struct pfs_asked *a = &p->asked[i];
        pfs_put_str(t, a->path);
        pfs_put_u8(t, a->there);
        pfs_put_u64(t, a->id.ino);
        pfs_put_i64(t, a->id.size);
        pfs_put_i64(t, a->id.mtime);
        pfs_put_i64(t, a->id.ctime);
    }
}

static bool get_asked(struct pfs_reader *r, struct pfs_probed *p)
{
    int64_t n = pfs_get_count(r, 5 + 1 + 4 * 8);
    if (r->bad || !(p->asked = pfs_array(n + 1, sizeof *p->asked)))
        return false;
    for (; p->n_asked < n; p->n_asked++) {
        struct pfs_asked *a = &p->asked[p->n_asked];
        if (!(a->path = strdup(pfs_get_str(r))))
            return false;
        a->there = pfs_get_u8(r);
        a->id.ino = pfs_get_u64(r);
        a->id.size = pfs_get_i64(r);
        a->id.mtime = pfs_get_i64(r);
        a->id.ctime = pfs_get_i64(r);
    }
    return !r->bad;
}

/* A companion must have been asked for, and given. */
static bool companions_known(const struct pfs_probed *p)
{
    for (int i = 0; i < p->p.n_companions; i++) {
        const struct pfs_asked *a = pfs_probed_asked(p, p->p.companion[i]);
        if (!a || !a->there)
            return false;
    }
    return true;
}

/* What the worker said: u32 errno, reason, then the probe when errno is 0. */
static int decode(struct pfs_reader r, struct pfs_probed *ret, struct pfs_err *err)
{
    int code = (int)pfs_get_u32(&r);
    const char *reason = pfs_get_str(&r);
    if (r.bad)
        return pfs_fail(err, EPROTO, "a probe is damaged");
    if (code)
        return pfs_fail(err, code, "%s", reason);
    code = pfs_probe_get((struct pfs_blob){(void *)(uintptr_t)r.p, (size_t)(r.end - r.p)}, &ret->p, err);
    return code || companions_known(ret) ? code : pfs_fail(err, EPROTO, "a probe names files it never saw");
}

/* -EPROTO: nothing that can be used is remembered. */
static int remembered(struct pfs_catalog *c, struct pfs_hash key, struct pfs_probed *ret, struct pfs_err *err)
{
    struct pfs_blob value;
    if (pfs_ledger_get(c->cache, key, &value))
        return -EPROTO;
    struct pfs_reader r = pfs_reader(value.data, value.size);
    bool good = get_asked(&r, ret);
    for (int64_t i = 0; good && i < ret->n_asked; i++)
        good = still(c, &ret->asked[i]);
    int code = good ? decode(r, ret, err) : -EPROTO;
    free(value.data);
    if (code < 0)
        pfs_probed_finish(ret);
    return code;
}

static bool worth_remembering(int code, const struct pfs_ident *id, const struct pfs_probed *p)
{
    for (int64_t i = 0; i < p->n_asked; i++)
        if (p->asked[i].there && pfs_ident_young(&p->asked[i].id))
            return false;
    return (!code || code == -EIO || code == -EOPNOTSUPP || code == -EFBIG) && !pfs_ident_young(id);
}

/* ---- asking ---- */

static int ask(struct probing *p, struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_text request = {0};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_PROBE, .most = 64 << 20, .timeout_ms = PROBE_TIMEOUT_MS,
                          .open = open_for_worker, .ctx = p, .result_fd = -1, .length = -1};
    pfs_put_str(&request, p->path);
    if (!pfs_text_take(&request, &o.request))
        return pfs_fail(err, ENOMEM, "no memory for a probe");
    return pfs_pool_call(p->c->pool, &o, ret, err);
}

/* Ledger value: the files asked for, then what the worker said. */
static int probe_now(struct probing *p, struct pfs_hash key, struct pfs_err *err)
{
    struct pfs_blob answer = {0};
    struct pfs_err why = {0};
    PFS_AUTO_TEXT struct pfs_text said = {0}, record = {0};
    int r = ask(p, &answer, &why);
    pfs_put_u32(&said, (uint32_t)-r);
    pfs_put_str(&said, why.text);
    if (!r)
        pfs_text_bytes(&said, answer.data, answer.size);
    free(answer.data);
    put_asked(&record, p->ret);
    pfs_text_bytes(&record, said.s, said.n);
    if (said.failed || record.failed)
        return pfs_fail(err, ENOMEM, "no memory for a probe");
    int decoded = decode(pfs_reader(said.s, said.n), p->ret, err);
    if (decoded == -EPROTO)
        return pfs_fail(err, EIO, "the worker's answer makes no sense");
    if (worth_remembering(r, p->id, p->ret))
        pfs_ledger_put(p->c->cache, key, record.s, record.n);
    return decoded;
}

int pfs_probe_file(struct pfs_catalog *c, const char *path, const struct pfs_ident *id, struct pfs_probed *ret,
                   struct pfs_err *err)
{
    struct probing p = {.c = c, .path = path, .id = id, .ret = ret};
    PFS_AUTO_CLOSE int fd = -1;
    struct pfs_hash key;
    *ret = (struct pfs_probed){0};
    int r = pfs_catalog_open_file(c, &(struct pfs_file){.path = (char *)path, .id = *id}, &fd, err);
    if (r < 0 || (r = pfs_memo_key(fd, id, "probe 3", &key, err)) < 0)
        return r;
    if (!pfs_ident_young(id) && (r = remembered(c, key, ret, err)) != -EPROTO)
        return r;
    __atomic_add_fetch(&c->probes, 1, __ATOMIC_RELAXED);
    r = probe_now(&p, key, err);
    if (r < 0)
        pfs_probed_finish(ret);
    return r;
}
