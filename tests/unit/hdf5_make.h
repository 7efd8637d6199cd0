/* For the tests of the HDF5 driver: files made by the library in a folder of their own, sources opened on them. */
#ifndef PLANEFS_HDF5_MAKE_H
#define PLANEFS_HDF5_MAKE_H

#include <planefs/io.h>
#include <planefs/mem.h>

#ifndef H5_USE_110_API
#define H5_USE_110_API
#endif
#include <hdf5.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED_OK __attribute__((unused))

static char folder[64] = "/tmp/planefs-hdf5-XXXXXX";
static int asked;                        /* descriptors given so far */

static UNUSED_OK int make_folder(void **state)
{
    (void)state;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static UNUSED_OK int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static UNUSED_OK char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)ctx;
    asked++;
    *ret_fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? pfs_fail(err, errno, "%s: %s", name, strerror(errno)) : 0;
}

static UNUSED_OK int open_source(const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    return pfs_source_open(&(struct pfs_files){get, NULL}, name, ret, err);
}

static UNUSED_OK struct pfs_source *opened(const char *name)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    if (open_source(name, &s, &err))
        fail_msg("%s: %s", name, err.text);
    assert_string_equal(s->driver->name, "hdf5");
    return s;
}

static UNUSED_OK void refused(const char *name, int code, const char *part)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    int r = open_source(name, &s, &err);
    if (r != -code || !strstr(err.text, part))
        fail_msg("%s: %d \"%s\" is not %s \"%s\"", name, r, err.text, pfs_errno_name(code), part);
    assert_null(s);
}

static UNUSED_OK hid_t new_file(const char *name)
{
    hid_t f = H5Fcreate(path_of(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(f >= 0);
    return f;
}

/* A dataset at a path, its groups made on the way; `data` (may be NULL) as `memory`. Open. */
static UNUSED_OK hid_t put_dataset(hid_t file, const char *path, hid_t stored, hid_t memory, int rank,
                                   const hsize_t *dim, hid_t create, const void *data)
{
    hid_t space = H5Screate_simple(rank, dim, NULL), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t d = H5Dcreate2(file, path, stored, space, links, create, H5P_DEFAULT);
    if (d < 0)
        fail_msg("%s cannot be made", path);
    if (data)
        assert_true(H5Dwrite(d, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Pclose(links);
    H5Sclose(space);
    return d;
}

static UNUSED_OK void put_numbers(hid_t object, const char *name, int n, const double *v)
{
    hid_t space = H5Screate_simple(1, (hsize_t[]){(hsize_t)n}, NULL);
    hid_t a = H5Acreate2(object, name, H5T_IEEE_F64BE, space, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Awrite(a, H5T_NATIVE_DOUBLE, v) >= 0);
    H5Aclose(a);
    H5Sclose(space);
}

enum text_kind { FIXED, VARIABLE, LETTERS, LIST };    /* LIST: a variable text per letter; LETTERS: a fixed one */

static UNUSED_OK void put_text(hid_t object, const char *name, const char *text, enum text_kind kind)
{
    size_t n = strlen(text);
    bool many = kind == LETTERS || kind == LIST, variable = kind == VARIABLE || kind == LIST;
    hid_t type = H5Tcopy(H5T_C_S1), space = many ? H5Screate_simple(1, (hsize_t[]){n}, NULL) : H5Screate(H5S_SCALAR);
    H5Tset_size(type, variable ? H5T_VARIABLE : many ? 1 : n);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    char letter[64][2] = {{0}};
    const char *item[64];
    for (size_t i = 0; i < 64; i++) {
        letter[i][0] = i < n ? text[i] : 0;
        item[i] = letter[i];
    }
    const void *data = kind == VARIABLE ? (const void *)&text : kind == LIST ? (const void *)item : (const void *)text;
    assert_true(H5Awrite(a, type, data) >= 0);
    H5Aclose(a);
    H5Tclose(type);
    H5Sclose(space);
}

#endif
