/* The one file that knows BLAS and LAPACK. */
#include <planefs/kernels/linalg.h>

#include <cblas.h>
#include <lapacke.h>

#include <errno.h>

const char *pfs_linalg_name(void)
{
#ifdef OPENBLAS_VERSION
    return openblas_get_corename();
#else
    return "blas";
#endif
}

void pfs_linalg_syrk(int64_t n, int64_t k, const double *x, int64_t row, double *s)
{
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)n, (int)k, 1, x, (int)row, 1, s, (int)n);
}

void pfs_linalg_mul(int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1, a, (int)k, b, (int)k, 0, c, (int)n);
}

/* LAPACK gives rising values and vectors as columns of a column-major matrix, which are rows of ours: what is left is
 * to turn the order around. Our lower triangle is its upper one. */
int pfs_linalg_eigen(int64_t n, double *a, double *value, struct pfs_err *err)
{
    int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', (int)n, a, (int)n, value);
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return pfs_fail(err, ENOMEM, "no memory for the eigenvectors of %lld bands", (long long)n);
    if (info)
        return pfs_fail(err, EIO, "the eigenvalues of %lld bands cannot be found", (long long)n);
    for (int64_t i = 0, j = n - 1; i < j; i++, j--) {
        double v = value[i];
        value[i] = value[j];
        value[j] = v;
        for (int64_t k = 0; k < n; k++) {
            double x = a[i * n + k];
            a[i * n + k] = a[j * n + k];
            a[j * n + k] = x;
        }
    }
    return 0;
}
