/* What reports have in common: shape, bands, and columns of a model's table. */
#include "files/report.h"

#include "files/json.h"

#include <errno.h>
#include <stdio.h>

void pfs_report_ints(struct pfs_text *t, const char *key, const int64_t *v, int64_t n)
{
    pfs_json_key(t, key);
    pfs_json_open(t, '[');
    for (int64_t i = 0; i < n; i++) {
        pfs_json_comma(t);
        pfs_json_int(t, v[i]);
    }
    pfs_json_close(t, ']');
}

void pfs_report_shape(struct pfs_text *t, const struct pfs_shape *s)
{
    const int64_t n[] = {s->t, s->z, s->c, s->y, s->x};
    pfs_json_key(t, "axes");
    pfs_json_str(t, "TZCYX");
    pfs_report_ints(t, "shape", n, 5);
    pfs_json_key(t, "dtype");
    pfs_json_str(t, pfs_type_name(s->type));
}

void pfs_report_bands(struct pfs_text *t, const struct pfs_dataset *d, int64_t bands, const char *key)
{
    pfs_json_key(t, "band");
    pfs_json_open(t, '[');
    for (int64_t c = 0; c < bands; c++) {
        pfs_json_comma(t);
        pfs_json_int(t, d->first[2] + c);
    }
    pfs_json_close(t, ']');
    pfs_json_key(t, key);
    pfs_json_open(t, '[');
    for (int64_t c = 0; c < bands; c++) {
        pfs_json_comma(t);
        pfs_json_str(t, d->band_name && bands == d->shape.c ? d->band_name[c] : NULL);
    }
    pfs_json_close(t, ']');
}

void pfs_report_list(struct pfs_text *t, int64_t *room, int width, int64_t first, int64_t n, pfs_cell *cell,
                     const void *ctx)
{
    pfs_json_open(t, '[');
    if (room)
        *room += n ? n * (width + 1) - 1 : 0;
    for (int64_t i = first; !room && i < first + n && !t->failed; i++) {
        if (i > first)
            pfs_text_add(t, ",");
        cell(t, ctx, i);
    }
    pfs_json_close(t, ']');
}

int pfs_report_digits(int64_t first, int64_t n)
{
    int a = snprintf(NULL, 0, "%lld", (long long)first), b = snprintf(NULL, 0, "%lld", (long long)(first + n - 1));
    return a > b ? a : b;
}

int pfs_column_find(struct pfs_blob table, const char *name, enum pfs_type type, int64_t n, struct pfs_column *ret,
                    struct pfs_err *err)
{
    if (!pfs_table_valid(table))
        return pfs_fail(err, EIO, "a model's table is damaged");
    if (!pfs_table_column(table, name, ret))
        return pfs_fail(err, EIO, "a model has no column `%s`", name);
    if (ret->n != n || ret->type != type)
        return pfs_fail(err, EIO, "a model's column `%s` has %lld values of type %s", name, (long long)ret->n,
                        pfs_type_name(ret->type));
    return 0;
}

void pfs_column_json(struct pfs_text *t, const struct pfs_column *c, enum pfs_type type, int64_t i)
{
    if (i >= c->n)
        pfs_json_wide_null(t, type == PFS_F64 ? PFS_JSON_REAL : PFS_JSON_INT);
    else if (type == PFS_F64)
        pfs_json_wide_real(t, pfs_column_f64(c, i));
    else if (type == PFS_U64)
        pfs_json_wide_uint(t, (uint64_t)pfs_column_i64(c, i));
    else
        pfs_json_wide_int(t, pfs_column_i64(c, i));
}

enum pfs_type pfs_column_type(enum pfs_type sample)
{
    return pfs_type_is_float(sample) ? PFS_F64 : pfs_type_is_signed(sample) ? PFS_I64 : PFS_U64;
}
