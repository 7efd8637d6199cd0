/* Background tables: the per-section offsets (info.h5) and the polynomial (polymodel.h5, MATLAB v7.3).
 *
 * Only reads and checks them; what they mean stands in the background operator. A MATLAB file is HDF5 behind a user
 * block of 512 bytes, with matrices transposed: ModelTerms is 3 x n here, its rows the exponents of x, y and z. */
#include "io/hdf5_file.h"

#include <planefs/io.h>
#include <planefs/mem.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSETS_MAX = 1 << 24, TERMS_MAX = 4096, EXPONENT_MAX = 32 };

struct matrix { int64_t rows, columns; };

static int64_t elements(struct matrix m)
{
    return m.rows * m.columns;
}

/* Rank 1 counts as one column. */
static int matrix_size(hid_t dataset, int64_t limit, const char *name, const char *path, struct matrix *ret,
                       struct pfs_err *err)
{
    hsize_t n[2] = {1, 1};
    PFS_AUTO_H5 hid_t space = H5Dget_space(dataset);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (rank < 0)
        return pfs_h5_fail(err, EIO, "%s: the shape of '%s' cannot be read", name, path);
    if (rank < 1 || rank > 2)
        return pfs_fail(err, EIO, "%s: '%s' has rank %d, 1 or 2 is expected", name, path, rank);
    if (H5Sget_simple_extent_dims(space, n, NULL) < 0)
        return pfs_h5_fail(err, EIO, "%s: the shape of '%s' cannot be read", name, path);
    if (n[0] < 1 || n[1] < 1)
        return pfs_fail(err, EIO, "%s: '%s' is empty", name, path);
    if (n[0] > (hsize_t)limit || n[1] > (hsize_t)limit / n[0])
        return pfs_fail(err, EFBIG, "%s: '%s' holds more than %" PRId64 " values", name, path, limit);
    *ret = (struct matrix){(int64_t)n[0], (int64_t)n[1]};
    return 0;
}

static int check_numeric(hid_t dataset, const char *name, const char *path, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t type = H5Dget_type(dataset);
    H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    return kind == H5T_INTEGER || kind == H5T_FLOAT ? 0 : pfs_fail(err, EIO, "%s: '%s' is not numeric", name, path);
}

/* Read a whole dataset as `memory_type`. gives */
static int read_matrix(hid_t file, const char *name, const char *path, int64_t limit, hid_t memory_type, size_t size,
                       struct matrix *ret_size, void **ret, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t dataset = H5I_INVALID_HID;
    int code = pfs_h5_dataset(file, name, path, &dataset, err);
    if (!code)
        code = matrix_size(dataset, limit, name, path, ret_size, err);
    if (!code)
        code = check_numeric(dataset, name, path, err);
    if (code)
        return code;
    PFS_AUTO_FREE void *v = pfs_array(elements(*ret_size), size);
    if (!v)
        return pfs_fail(err, ENOMEM, "%s: no memory for '%s'", name, path);
    if (H5Dread(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) < 0)
        return pfs_h5_fail(err, EIO, "%s: '%s' cannot be read", name, path);
    *ret = PFS_TAKE(v);
    return 0;
}

static int vector_only(struct matrix m, const char *name, const char *path, struct pfs_err *err)
{
    if (m.rows == 1 || m.columns == 1)
        return 0;
    return pfs_fail(err, EIO, "%s: '%s' is %" PRId64 " x %" PRId64 ", one column is expected", name, path, m.rows,
                    m.columns);
}

static int read_offsets(hid_t file, const char *name, struct pfs_tables *t, struct pfs_err *err)
{
    struct matrix m;
    PFS_AUTO_FREE void *v = NULL;
    int code = read_matrix(file, name, "offset", OFFSETS_MAX, H5T_NATIVE_FLOAT, sizeof *t->offset, &m, &v, err);
    if (!code)
        code = vector_only(m, name, "offset", err);
    if (code)
        return code;
    t->offset = PFS_TAKE(v);
    t->n_offset = elements(m);
    return 0;
}

static int read_coefficients(hid_t file, const char *name, struct pfs_tables *t, struct pfs_err *err)
{
    struct matrix m;
    PFS_AUTO_FREE void *v = NULL;
    int code = read_matrix(file, name, "Coefficients", TERMS_MAX, H5T_NATIVE_DOUBLE, sizeof(double), &m, &v, err);
    if (!code)
        code = vector_only(m, name, "Coefficients", err);
    for (int64_t i = 0; !code && i < elements(m); i++)
        if (!isfinite(((double *)v)[i]))
            code = pfs_fail(err, EIO, "%s: value %" PRId64 " of 'Coefficients' is not finite", name, i);
    if (code)
        return code;
    t->coefficient = PFS_TAKE(v);
    t->n_terms = (int)elements(m);
    return 0;
}

static int read_terms(hid_t file, const char *name, struct pfs_tables *t, struct pfs_err *err)
{
    struct matrix m;
    PFS_AUTO_FREE void *v = NULL;
    int code = read_matrix(file, name, "ModelTerms", 3 * TERMS_MAX, H5T_NATIVE_DOUBLE, sizeof(double), &m, &v, err);
    if (code)
        return code;
    if (m.rows != 3 || m.columns != t->n_terms)
        return pfs_fail(err, EIO, "%s: 'ModelTerms' is %" PRId64 " x %" PRId64 ", 3 x %d is expected", name, m.rows,
                        m.columns, t->n_terms);
    if (!(t->exponent = pfs_array(t->n_terms, sizeof *t->exponent)))
        return pfs_fail(err, ENOMEM, "%s: no memory for 'ModelTerms'", name);
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < t->n_terms; i++) {
            double e = ((const double *)v)[axis * t->n_terms + i];
            if (!(e >= 0 && e <= EXPONENT_MAX) || e != floor(e))
                return pfs_fail(err, EIO, "%s: exponent %g in 'ModelTerms' is not a whole number from 0 to %d", name, e,
                                EXPONENT_MAX);
            t->exponent[i][axis] = (int)e;
        }
    return 0;
}

static int open_file(const struct pfs_files *files, const char *name, hid_t *ret, struct pfs_err *err)
{
    int fd = -1;
    int code = files->get(files->ctx, name, &fd, err);
    return code ? code : pfs_h5_open(fd, name, ret, err);
}

static int read_info(const struct pfs_files *files, const char *name, struct pfs_tables *t, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t file = H5I_INVALID_HID;
    int code = open_file(files, name, &file, err);
    return code ? code : read_offsets(file, name, t, err);
}

static int read_model(const struct pfs_files *files, const char *name, struct pfs_tables *t, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t file = H5I_INVALID_HID;
    int code = open_file(files, name, &file, err);
    if (!code)
        code = read_coefficients(file, name, t, err);
    return code ? code : read_terms(file, name, t, err);
}

int pfs_tables_open(const struct pfs_files *files, const char *info, const char *model, struct pfs_tables **ret,
                    struct pfs_err *err)
{
    struct pfs_tables *t = pfs_array(1, sizeof *t);
    int code = t ? 0 : pfs_fail(err, ENOMEM, "no memory for background tables");
    if (!code && info && *info)
        code = read_info(files, info, t, err);
    if (!code && model && *model)
        code = read_model(files, model, t, err);
    if (code) {
        pfs_tables_close(t);
        return code;
    }
    *ret = t;
    return 0;
}

void pfs_tables_close(struct pfs_tables *t)
{
    if (!t)
        return;
    free(t->offset);
    free(t->coefficient);
    free(t->exponent);
    free(t);
}
