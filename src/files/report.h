/* What reports have in common: the lines on shape and bands, and columns of a model's table as fixed-width JSON.
 *
 * Without a table (no values) every number is null and takes the same room: that is how a report's size is found.
 * Threads: pure. */
#ifndef PLANEFS_REPORT_H
#define PLANEFS_REPORT_H

#include "files/files.h"

#include <planefs/table.h>

/* "key":[v, ...] as long as they are. */
void pfs_report_ints(struct pfs_text *t, const char *key, const int64_t *v, int64_t n);
/* "axes","shape","dtype" */
void pfs_report_shape(struct pfs_text *t, const struct pfs_shape *s);
/* "band":[numbers as users see them], then their names under `key`; null where the bands are not the source's. */
void pfs_report_bands(struct pfs_text *t, const struct pfs_dataset *d, int64_t bands, const char *key);

/* A column of exactly n values of the wanted type. EIO when it is not there or looks otherwise. */
int pfs_column_find(struct pfs_blob table, const char *name, enum pfs_type type, int64_t n, struct pfs_column *ret,
                    struct pfs_err *err);
/* Value i, in PFS_JSON_INT columns for 64-bit integers and PFS_JSON_REAL for f64, as `type` says. i >= c->n: null. */
void pfs_column_json(struct pfs_text *t, const struct pfs_column *c, enum pfs_type type, int64_t i);
/* A list of n cells of `width` bytes, written by `cell`, i = first .. first + n - 1, or, with `room`, only counted into
 * *room: the size of a long list costs nothing. */
typedef void pfs_cell(struct pfs_text *t, const void *ctx, int64_t i);
void pfs_report_list(struct pfs_text *t, int64_t *room, int width, int64_t first, int64_t n, pfs_cell *cell,
                     const void *ctx);
/* The type of the column that holds exact values of samples of this type: PFS_I64, PFS_U64 or PFS_F64. */
enum pfs_type pfs_column_type(enum pfs_type sample);

/* Digits and sign of the widest number of an axis of n that begins with `first`. */
int pfs_report_digits(int64_t first, int64_t n);

#endif
