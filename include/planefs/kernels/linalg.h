/* Linear algebra, in double precision. Threads: pure. */
#ifndef PLANEFS_KERNELS_LINALG_H
#define PLANEFS_KERNELS_LINALG_H

#include <planefs/err.h>
#include <stdint.h>

/* Whose routines: their results may differ in the last bits from those of others. Static text. */
const char *pfs_linalg_name(void);

/* s += x x', the lower triangle of an n x n matrix (row by row), x: n rows of k values, `row` apart. Cost: n^2 k flops. */
void pfs_linalg_syrk(int64_t n, int64_t k, const double *x, int64_t row, double *s);
/* c = a b', a: m rows of k values, b: n rows of k values; c: m x n. */
void pfs_linalg_mul(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c);

/* Eigenvalues in falling order and their vectors, a row each, of a symmetric n x n matrix given by its lower triangle,
 * which is overwritten by the vectors. ENOMEM, EIO where it does not converge. Cost: some 9 n^3 flops. */
int pfs_linalg_eigen(int64_t n, double *a, double *value, struct pfs_err *err);

#endif
