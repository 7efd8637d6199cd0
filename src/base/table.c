/* Tables: named columns of numbers in a blob. */
#include <planefs/table.h>

#include <string.h>

static const uint32_t magic = 0x31544650;   /* "PFT1" */

void pfs_table_begin(struct pfs_text *t)
{
    pfs_put_u32(t, magic);
}

static void head(struct pfs_text *t, const char *name, enum pfs_type type, int64_t n)
{
    pfs_put_str(t, name);
    pfs_put_u8(t, (uint8_t)type);
    pfs_put_u64(t, (uint64_t)n);
}

void pfs_table_f64(struct pfs_text *t, const char *name, const double *v, int64_t n)
{
    head(t, name, PFS_F64, n);
    for (int64_t i = 0; i < n; i++)
        pfs_put_f64(t, v[i]);
}

void pfs_table_i64(struct pfs_text *t, const char *name, const int64_t *v, int64_t n)
{
    head(t, name, PFS_I64, n);
    for (int64_t i = 0; i < n; i++)
        pfs_put_i64(t, v[i]);
}

void pfs_table_u64(struct pfs_text *t, const char *name, const uint64_t *v, int64_t n)
{
    head(t, name, PFS_U64, n);
    for (int64_t i = 0; i < n; i++)
        pfs_put_u64(t, v[i]);
}

static const char *next_column(struct pfs_reader *r, struct pfs_column *ret)
{
    const char *name = pfs_get_str(r);
    ret->type = (enum pfs_type)pfs_get_u8(r);
    ret->n = pfs_get_count(r, 8);
    ret->data = r->p;
    if (ret->type != PFS_I64 && ret->type != PFS_U64 && ret->type != PFS_F64)
        r->bad = true;
    if (!r->bad)
        r->p += ret->n * 8;
    return name;
}

bool pfs_table_valid(struct pfs_blob table)
{
    struct pfs_reader r = pfs_reader(table.data, table.size);
    struct pfs_column c;
    if (pfs_get_u32(&r) != magic)
        return false;
    while (!r.bad && r.p < r.end)
        next_column(&r, &c);
    return pfs_reader_end(&r);
}

bool pfs_table_column(struct pfs_blob table, const char *name, struct pfs_column *ret)
{
    struct pfs_reader r = pfs_reader(table.data, table.size);
    pfs_get_u32(&r);
    while (!r.bad && r.p < r.end) {
        const char *found = next_column(&r, ret);
        if (!r.bad && !strcmp(found, name))
            return true;
    }
    *ret = (struct pfs_column){0};
    return false;
}

int64_t pfs_column_i64(const struct pfs_column *c, int64_t i)
{
    struct pfs_reader r = pfs_reader(c->data + i * 8, 8);
    return pfs_get_i64(&r);
}

double pfs_column_f64(const struct pfs_column *c, int64_t i)
{
    struct pfs_reader r = pfs_reader(c->data + i * 8, 8);
    if (c->type == PFS_F64)
        return pfs_get_f64(&r);
    return c->type == PFS_U64 ? (double)pfs_get_u64(&r) : (double)pfs_get_i64(&r);
}
