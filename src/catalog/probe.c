/* Probes: what is in a file, as a reader worker tells it, remembered in the ledger. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probing { struct pfs_catalog *c; const char *path; const struct pfs_ident *id; };

/* The worker may ask for the probed file and, later, for others beside it; nothing outside SOURCE. */
static int open_for_worker(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct probing *p = ctx;
    if (!strcmp(name, p->path))
        return pfs_catalog_open_file(p->c, &(struct pfs_file){.path = (char *)p->path, .id = *p->id}, ret_fd, err);
    return pfs_beneath_open(p->c, name, 0, ret_fd, err);
}

/* Ledger value: u32 errno, reason, then the probe when errno is 0. */
static int decode(struct pfs_blob value, struct pfs_probe *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(value.data, value.size);
    int code = (int)pfs_get_u32(&r);
    const char *reason = pfs_get_str(&r);
    if (r.bad)
        return pfs_fail(err, EPROTO, "a remembered probe is damaged");
    if (code)
        return pfs_fail(err, code, "%s", reason);
    return pfs_probe_get((struct pfs_blob){(void *)(uintptr_t)r.p, (size_t)(r.end - r.p)}, ret, err);
}

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

static bool worth_remembering(int code)
{
    return !code || code == -EIO || code == -EOPNOTSUPP || code == -EFBIG;
}

int pfs_probe_file(struct pfs_catalog *c, const char *path, const struct pfs_ident *id, struct pfs_probe *ret,
                   struct pfs_err *err)
{
    struct probing p = {c, path, id};
    PFS_AUTO_CLOSE int fd = -1;
    struct pfs_hash key;
    struct pfs_blob value;
    *ret = (struct pfs_probe){0};
    int r = pfs_catalog_open_file(c, &(struct pfs_file){.path = (char *)path, .id = *id}, &fd, err);
    if (r < 0 || (r = pfs_memo_key(fd, id, "probe 2", &key, err)) < 0)
        return r;
    if (!pfs_ident_young(id) && !pfs_ledger_get(c->cache, key, &value)) {
        r = decode(value, ret, err);
        free(value.data);
        if (r != -EPROTO)
            return r;
    }
    __atomic_add_fetch(&c->probes, 1, __ATOMIC_RELAXED);
    struct pfs_blob answer = {0};
    struct pfs_err why = {0};
    r = ask(&p, &answer, &why);
    PFS_AUTO_TEXT struct pfs_text record = {0};
    pfs_put_u32(&record, (uint32_t)-r);
    pfs_put_str(&record, why.text);
    if (!r)
        pfs_text_bytes(&record, answer.data, answer.size);
    free(answer.data);
    if (record.failed)
        return pfs_fail(err, ENOMEM, "no memory for a probe");
    int decoded = decode((struct pfs_blob){record.s, record.n}, ret, err);
    if (worth_remembering(r) && decoded != -EPROTO && !pfs_ident_young(id))
        pfs_ledger_put(c->cache, key, record.s, record.n);
    return decoded == -EPROTO ? pfs_fail(err, EIO, "the worker's answer makes no sense") : decoded;
}
