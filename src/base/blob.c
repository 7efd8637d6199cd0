/* Blobs: little-endian fields, read back with bounds checked. */
#include <planefs/blob.h>

#include <stdlib.h>
#include <string.h>

static void put(struct pfs_text *t, uint64_t v, size_t n)
{
    uint8_t b[8];
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    pfs_text_bytes(t, b, n);
}

void pfs_put_u8(struct pfs_text *t, uint8_t v)   { put(t, v, 1); }
void pfs_put_u32(struct pfs_text *t, uint32_t v) { put(t, v, 4); }
void pfs_put_u64(struct pfs_text *t, uint64_t v) { put(t, v, 8); }
void pfs_put_i64(struct pfs_text *t, int64_t v)  { put(t, (uint64_t)v, 8); }

void pfs_put_f64(struct pfs_text *t, double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    put(t, u, 8);
}

void pfs_put_bytes(struct pfs_text *t, const void *p, size_t n)
{
    if (n > UINT32_MAX) {
        t->failed = true;
        return;
    }
    put(t, n, 4);
    pfs_text_bytes(t, p, n);
}

void pfs_put_str(struct pfs_text *t, const char *s)
{
    pfs_put_bytes(t, s ? s : "", s ? strlen(s) + 1 : 1);
}

struct pfs_reader pfs_reader(const void *data, size_t n)
{
    return (struct pfs_reader){data, data ? (const uint8_t *)data + n : data, false};
}

static const uint8_t *take(struct pfs_reader *r, size_t n)
{
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return NULL;
    }
    r->p += n;
    return r->p - n;
}

static uint64_t get(struct pfs_reader *r, size_t n)
{
    const uint8_t *b = take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; b && i < n; i++)
        v |= (uint64_t)b[i] << (8 * i);
    return v;
}

uint8_t pfs_get_u8(struct pfs_reader *r)   { return (uint8_t)get(r, 1); }
uint32_t pfs_get_u32(struct pfs_reader *r) { return (uint32_t)get(r, 4); }
uint64_t pfs_get_u64(struct pfs_reader *r) { return get(r, 8); }
int64_t pfs_get_i64(struct pfs_reader *r)  { return (int64_t)get(r, 8); }

double pfs_get_f64(struct pfs_reader *r)
{
    uint64_t u = get(r, 8);
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

struct pfs_blob pfs_get_bytes(struct pfs_reader *r)
{
    size_t n = pfs_get_u32(r);
    const uint8_t *p = take(r, n);
    return (struct pfs_blob){(void *)(uintptr_t)p, p ? n : 0};
}

const char *pfs_get_str(struct pfs_reader *r)
{
    struct pfs_blob b = pfs_get_bytes(r);
    if (!b.size || memchr(b.data, 0, b.size) != (char *)b.data + b.size - 1) {
        r->bad = true;
        return "";
    }
    return b.data;
}

int64_t pfs_get_count(struct pfs_reader *r, size_t item)
{
    uint64_t n = pfs_get_u64(r);
    if (r->bad || n > (size_t)(r->end - r->p) / (item ? item : 1)) {
        r->bad = true;
        return 0;
    }
    return (int64_t)n;
}

bool pfs_reader_end(const struct pfs_reader *r)
{
    return !r->bad && r->p == r->end;
}

bool pfs_text_take(struct pfs_text *t, struct pfs_blob *ret)
{
    if (t->failed) {
        pfs_text_finish(t);
        *ret = (struct pfs_blob){0};
        return false;
    }
    *ret = (struct pfs_blob){t->s, t->n};
    *t = (struct pfs_text){0};
    return true;
}
