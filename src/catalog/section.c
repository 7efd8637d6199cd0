/* Sections: what is known of each file of a dataset, learnt when it is first needed, and where its planes lie. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void describe(const struct pfs_shape *s, char text[96])
{
    int n = 0;
    if (s->t * s->z * s->c != 1)
        n = snprintf(text, 96, "%lld x %lld x %lld planes of ", (long long)s->t, (long long)s->z, (long long)s->c);
    snprintf(text + n, (size_t)(96 - n), "%lld x %lld %s", (long long)s->x, (long long)s->y, pfs_type_name(s->type));
}

static bool fits(const struct pfs_dataset *d, const struct pfs_probe *p)
{
    if (d->series >= p->n_series || strcmp(p->driver, d->own->driver) || p->n_companions != d->n_companions)
        return false;
    const struct pfs_shape *a = &p->series[d->series].s.shape, *b = &d->own->file_shape;
    return a->t == b->t && a->z == b->z && a->c == b->c && a->y == b->y && a->x == b->x && a->type == b->type;
}

static void learn_good(struct pfs_dataset *d, struct section *s, const struct pfs_probe *p)
{
    size_t bytes = (size_t)d->own->file_planes * sizeof *s->extent;
    s->extent = malloc(bytes);
    s->content = calloc((size_t)d->own->file_planes, sizeof *s->content);
    if (s->extent && s->content)
        memcpy(s->extent, p->series[d->series].extent, bytes);
    else {
        free(s->extent);
        free(s->content);
        s->extent = NULL;
        s->content = NULL;
        s->code = ENOMEM;
        s->reason = NULL;
    }
}

void pfs_section_learn(struct pfs_dataset *d, int64_t file, const struct pfs_probe *p, int code, const char *reason)
{
    char found[96] = "", expected[96], text[240];
    if (d->own->set) {
        pfs_set_learn(d, file, p, code, reason);
        return;
    }
    pthread_mutex_lock(&d->own->lock);
    struct section *s = &d->own->section[file];
    if (!s->known) {
        s->known = true;
        if (p && fits(d, p))
            learn_good(d, s, p);
        else if (p) {
            describe(&p->series[d->series < p->n_series ? d->series : 0].s.shape, found);
            describe(&d->own->file_shape, expected);
            snprintf(text, sizeof text, "this section is %s, its stack is %s", found, expected);
            s->code = EIO;
            s->reason = strdup(text);
        } else {
            s->code = code == EFBIG || code == EPERM ? code : EIO;   /* in a stack, what no driver knows is malformed */
            s->reason = reason ? strdup(reason) : NULL;
        }
    }
    pthread_mutex_unlock(&d->own->lock);
}

static bool lasting(int code)
{
    return code == -EIO || code == -EOPNOTSUPP || code == -EFBIG || code == -EPERM;
}

static int learn(struct pfs_catalog *c, struct pfs_dataset *d, int64_t file, struct pfs_err *err)
{
    struct pfs_probed p;
    int r = pfs_probe_file(c, d->file[file].path, &d->file[file].id, &p, err);
    if (!r)
        pfs_section_learn(d, file, &p.p, 0, NULL);
    else if (lasting(r))
        pfs_section_learn(d, file, NULL, -r, err->text);
    if (r == -ESTALE)
        pfs_dataset_stale(c, d, file);
    pfs_probed_finish(&p);
    return lasting(r) ? 0 : r;
}

static int64_t plane_in_file(const struct pfs_dataset *d, struct pfs_at at, struct pfs_at *ret)
{
    const bool *numbered = d->own->numbered;
    *ret = (struct pfs_at){numbered[0] ? 0 : at.t, numbered[1] ? 0 : at.z, numbered[2] ? 0 : at.c};
    return pfs_at_index(&d->own->file_shape, *ret);
}

int pfs_catalog_locate(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_at at, bool wait,
                       struct pfs_located *ret, struct pfs_err *err)
{
    int64_t file = pfs_dataset_file(d, at);
    if (file < 0 && d->own->set)
        return pfs_fail(err, ENOENT, "plane t%lld z%lld c%lld is missing", (long long)at.t, (long long)at.z,
                        (long long)at.c);
    if (file < 0)
        return pfs_fail(err, ENOENT, "section %lld is missing", (long long)(d->first[1] + at.z));
    struct section *s = &d->own->section[file];
    pthread_mutex_lock(&d->own->lock);
    bool known = s->known;
    pthread_mutex_unlock(&d->own->lock);
    if (!known) {
        if (!wait)
            return -EAGAIN;
        int r = learn(c, d, file, err);
        if (r < 0)
            return r;
    }
    pthread_mutex_lock(&d->own->lock);
    int r = s->code ? pfs_fail(err, s->code, "%s: %s", d->file[file].path, s->reason ? s->reason : "no memory") : 0;
    if (!r && d->own->set)
        r = pfs_set_locate(d, at, ret, err);
    else if (!r) {
        *ret = (struct pfs_located){.file = &d->file[file], .series = d->series, .rev = d->own->rev};
        ret->index = plane_in_file(d, at, &ret->at);
        ret->extent = s->extent[ret->index];
        ret->data = ret->extent.file ? &d->companion[ret->extent.file - 1] : ret->file;
        memcpy(ret->driver, d->own->driver, sizeof ret->driver);
    }
    pthread_mutex_unlock(&d->own->lock);
    return r;
}

int pfs_catalog_sweep(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_err *err)
{
    for (int64_t i = 0; i < d->n_files; i++) {
        pthread_mutex_lock(&d->own->lock);
        bool known = d->own->section[i].known;
        pthread_mutex_unlock(&d->own->lock);
        int r = known ? 0 : learn(c, d, i, err);
        if (r < 0)
            return r;
    }
    return 0;
}

const char *pfs_dataset_bad(const struct pfs_dataset *d, int64_t file, int *ret_code)
{
    pthread_mutex_lock(&d->own->lock);
    const struct section *s = &d->own->section[file];
    *ret_code = s->code;
    const char *reason = s->known && s->code ? (s->reason ? s->reason : "no memory") : NULL;
    pthread_mutex_unlock(&d->own->lock);
    return reason;
}

/* ---- content hashes ---- */

enum { CHUNK = 1 << 20 };

static int hash_range(int fd, int64_t off, int64_t n, struct pfs_hash *ret, struct pfs_err *err)
{
    PFS_AUTO_FREE char *buffer = malloc(CHUNK);
    struct pfs_hasher *h = pfs_hasher_create();
    int r = buffer && h ? 0 : pfs_fail(err, ENOMEM, "no memory to hash a plane");
    while (!r && n > 0) {
        int64_t m = n < CHUNK ? n : CHUNK;
        if (pfs_read_full(fd, buffer, m, off) < 0)
            r = pfs_fail(err, EIO, "cannot read %lld bytes at %lld", (long long)m, (long long)off);
        else
            pfs_hasher_add(h, buffer, (size_t)m);
        off += m;
        n -= m;
    }
    if (!r)
        *ret = pfs_hasher_value(h);
    pfs_hasher_destroy(h);
    return r;
}

/* The hash of n bytes of a file, from the ledger or by one pass over them. */
static int content_of_range(struct pfs_catalog *c, const struct pfs_file *f, int64_t off, int64_t n, bool read,
                            struct pfs_hash *ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct pfs_hash key;
    struct pfs_blob value;
    char what[96];
    snprintf(what, sizeof what, "content %lld %lld", (long long)off, (long long)n);
    int r = pfs_catalog_open_file(c, f, &fd, err);
    if (r < 0 || (r = pfs_memo_key(fd, &f->id, what, &key, err)) < 0)
        return r;
    bool young = pfs_ident_young(&f->id);
    if (!young && !pfs_ledger_get(c->cache, key, &value)) {
        bool good = value.size == sizeof *ret;
        if (good)
            memcpy(ret, value.data, sizeof *ret);
        free(value.data);
        if (good)
            return 0;
    }
    if (!read)
        return -EAGAIN;
    __atomic_add_fetch(&c->hashes, 1, __ATOMIC_RELAXED);
    r = hash_range(fd, off, n, ret, err);
    if (!r && !young)
        pfs_ledger_put(c->cache, key, ret, sizeof *ret);
    return r;
}

/* The stored bytes' hash; whole files, companions too, where a plane has no range of its own. */
static int content_of(struct pfs_catalog *c, const struct pfs_dataset *d, const struct pfs_located *l, bool read,
                      struct pfs_hash *ret, struct pfs_err *err)
{
    if (l->extent.stored >= 0)
        return content_of_range(c, l->data, l->extent.stored, l->extent.stored_size, read, ret, err);
    int r = content_of_range(c, l->file, 0, l->file->id.size, read, ret, err);
    for (int64_t i = 0; !r && i < d->n_companions; i++) {
        struct pfs_hash both[2] = {*ret};
        r = content_of_range(c, &d->companion[i], 0, d->companion[i].id.size, read, &both[1], err);
        *ret = pfs_hash(both, sizeof both);
    }
    return r;
}

int pfs_catalog_content(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_located *l,
                        enum pfs_effort effort, struct pfs_hash *ret, struct pfs_err *err)
{
    struct section *s = &d->own->section[l->file - d->file];
    struct pfs_hash *content = d->own->set ? &d->own->set->plane[l->index].content : &s->content[l->index];
    pthread_mutex_lock(&d->own->lock);
    *ret = *content;
    pthread_mutex_unlock(&d->own->lock);
    if (ret->hi | ret->lo)
        return 0;
    if (effort == PFS_KNOWN)
        return -EAGAIN;
    int r = content_of(c, d, l, effort == PFS_READ, ret, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&d->own->lock);
    *content = *ret;
    pthread_mutex_unlock(&d->own->lock);
    return 0;
}
