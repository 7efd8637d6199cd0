/* Tables: named columns of numbers. What operators learn (moments, histograms, loadings) leaves the worker as a table,
 * so that the daemon can write a report without knowing the operator.
 *
 * Layout, a blob: u32 'PFT1', then per column: str name, u8 type (PFS_I64, PFS_U64 or PFS_F64), u64 n, n * 8 bytes. */
#ifndef PLANEFS_TABLE_H
#define PLANEFS_TABLE_H

#include <planefs/blob.h>
#include <planefs/type.h>

struct pfs_column {
    enum pfs_type type;       /* PFS_I64, PFS_U64, PFS_F64 */
    int64_t n;
    const uint8_t *data;      /* lent by the table; unaligned: use pfs_column_* */
};

void pfs_table_begin(struct pfs_text *t);
void pfs_table_f64(struct pfs_text *t, const char *name, const double *v, int64_t n);
void pfs_table_i64(struct pfs_text *t, const char *name, const int64_t *v, int64_t n);
void pfs_table_u64(struct pfs_text *t, const char *name, const uint64_t *v, int64_t n);

bool pfs_table_valid(struct pfs_blob table);                                          /* whole and well-formed */
bool pfs_table_column(struct pfs_blob table, const char *name, struct pfs_column *ret);  /* false: no such column */
double pfs_column_f64(const struct pfs_column *c, int64_t i);                         /* any type, as a double */
int64_t pfs_column_i64(const struct pfs_column *c, int64_t i);                        /* bits of an I64 or U64 column */

#endif
