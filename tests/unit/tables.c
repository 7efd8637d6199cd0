/* Background tables: good files in every layout, wrong ones with the reason, files that point outside, cut files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/io.h>
#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int opened;      /* descriptors given so far */

static int get(void *folder, const char *name, int *ret_fd, struct pfs_err *err)
{
    PFS_AUTO_FREE char *path = pfs_format("%s/%s", (const char *)folder, name);
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC);
    opened++;
    return *ret_fd < 0 ? pfs_fail(err, errno, "%s: %s", name, strerror(errno)) : 0;
}

static struct pfs_files folder(const char *path)
{
    return (struct pfs_files){get, (void *)(uintptr_t)path};
}

#define DATA "tests/unit/data/tables"

static int open_tables(const char *info, const char *model, struct pfs_tables **t, struct pfs_err *err)
{
    struct pfs_files files = folder(DATA);
    *t = NULL;
    return pfs_tables_open(&files, info, model, t, err);
}

static void good_offsets(const char *name)
{
    struct pfs_tables *t;
    struct pfs_err err = {0};
    static const float want[] = {20.5f, -3, 7, 0, 11};
    int code = open_tables(name, NULL, &t, &err);
    if (code)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(t->n_offset, 5);
    for (int i = 0; i < 5; i++)
        assert_true(i == 3 ? isnan(t->offset[i]) : t->offset[i] == want[i]);
    assert_int_equal(t->n_terms, 0);
    assert_null(t->coefficient);
    pfs_tables_close(t);
}

static void test_offsets(void **state)
{
    (void)state;
    good_offsets("info.h5");
    good_offsets("info_column_f64.h5");
    good_offsets("info_soft_link.h5");
    struct pfs_tables *t;
    struct pfs_err err;
    assert_int_equal(open_tables("info_integers.h5", "", &t, &err), 0);
    assert_int_equal(t->n_offset, 2);
    assert_true(t->offset[0] == 3 && t->offset[1] == -4);
    pfs_tables_close(t);
}

static void good_model(const char *name)
{
    static const double c[] = {2.5, -1, 100, 7};
    static const int e[4][3] = {{1, 0, 1}, {0, 3, 0}, {2, 1, 0}, {0, 0, 0}};
    struct pfs_tables *t;
    struct pfs_err err = {0};
    int code = open_tables(NULL, name, &t, &err);
    if (code)
        fail_msg("%s: %s", name, err.text);
    assert_int_equal(t->n_terms, 4);
    assert_memory_equal(t->coefficient, c, sizeof c);
    assert_memory_equal(t->exponent, e, sizeof e);
    assert_null(t->offset);
    pfs_tables_close(t);
}

static void test_model(void **state)
{
    (void)state;
    good_model("model.h5");
    good_model("model_plain.h5");
}

static void test_both_and_none(void **state)
{
    (void)state;
    struct pfs_tables *t;
    struct pfs_err err;
    assert_int_equal(open_tables("info.h5", "model.h5", &t, &err), 0);
    assert_int_equal(t->n_offset, 5);
    assert_int_equal(t->n_terms, 4);
    pfs_tables_close(t);
    assert_int_equal(open_tables("", NULL, &t, &err), 0);
    assert_true(!t->offset && !t->coefficient && !t->exponent);
    pfs_tables_close(t);
    pfs_tables_close(NULL);
}

static int open_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_wrong_files(void **state)
{
    (void)state;
    static const struct { const char *info, *model; int code; const char *says; } cases[] = {
        {"info_missing.h5", NULL, EIO, "no dataset 'offset'"},
        {"info_group.h5", NULL, EIO, "'offset'"},
        {"info_rank3.h5", NULL, EIO, "rank 3"},
        {"info_matrix.h5", NULL, EIO, "2 x 3"},
        {"info_scalar.h5", NULL, EIO, "rank 0"},
        {"info_empty.h5", NULL, EIO, "empty"},
        {"info_text.h5", NULL, EIO, "not numeric"},
        {"info_huge.h5", NULL, EFBIG, "more than"},
        {"info_huge_matrix.h5", NULL, EFBIG, "more than"},
        {"info_external_storage.h5", NULL, EPERM, "another file"},
        {"info_external_link.h5", NULL, EPERM, "another file"},
        {"info_external_group.h5", NULL, EIO, "offset"},
        {"info_dangling.h5", NULL, EIO, "offset"},
        {"info_loop.h5", NULL, EIO, "offset"},
        {"info_virtual.h5", NULL, EOPNOTSUPP, "virtual"},
        {"make.py", NULL, EIO, "not a readable HDF5 file"},
        {"absent.h5", NULL, ENOENT, "absent.h5"},
        {NULL, "info.h5", EIO, "no dataset 'Coefficients'"},
        {NULL, "model_nan.h5", EIO, "value 1 of 'Coefficients' is not finite"},
        {NULL, "model_two_rows.h5", EIO, "2 x 4, 3 x 4 is expected"},
        {NULL, "model_short.h5", EIO, "3 x 3, 3 x 4 is expected"},
        {NULL, "model_negative.h5", EIO, "exponent -1"},
        {NULL, "model_fraction.h5", EIO, "exponent 0.5"},
        {NULL, "model_steep.h5", EIO, "exponent"},
        {"info.h5", "model_nan.h5", EIO, "model_nan.h5"},
    };
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pfs_tables *t;
        struct pfs_err err = {0};
        opened = 0;
        int code = open_tables(cases[i].info, cases[i].model, &t, &err);
        if (code != -cases[i].code || err.code != cases[i].code || !strstr(err.text, cases[i].says) || t)
            fail_msg("%s %s: %d '%s', expected %d '%s'", cases[i].info, cases[i].model, code, err.text, cases[i].code,
                     cases[i].says);
        assert_int_equal(opened, (cases[i].info != NULL) + (cases[i].model != NULL));
    }
    assert_int_equal(open_descriptors(), before);
}

struct cut { int fd; };

static int get_copy(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)name, (void)err;
    *ret_fd = fcntl(((struct cut *)ctx)->fd, F_DUPFD_CLOEXEC, 3);
    return 0;
}

/* A file cut anywhere is an error or, past the last byte that matters, whole. */
static void test_cut_files(void **state)
{
    (void)state;
    struct pfs_err err;
    struct stat st;
    char *bytes = NULL;
    int fd = open(DATA "/model.h5", O_RDONLY | O_CLOEXEC), failures = 0;
    assert_int_equal(fstat(fd, &st), 0);
    bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    for (off_t n = 0; n < st.st_size; n += 7) {
        struct cut cut = {memfd_create("cut", MFD_CLOEXEC)};
        struct pfs_files files = {get_copy, &cut};
        struct pfs_tables *t = NULL;
        assert_int_equal(write(cut.fd, bytes, (size_t)n), n);
        int code = pfs_tables_open(&files, NULL, "model.h5", &t, &err);
        assert_true(code == 0 || code == -EIO);
        failures += code != 0;
        if (!code)
            assert_int_equal(t->n_terms, 4);
        pfs_tables_close(t);
        close(cut.fd);
    }
    assert_true(failures > 100);
    free(bytes);
}

/* The tables of a real data set. */
static void test_field_files(void **state)
{
    (void)state;
    const char *shared = getenv("PLANEFS_SHARED");
    PFS_AUTO_FREE char *path = pfs_format("%s/data/hifiem", shared ? shared : "../shared");
    struct pfs_files files = folder(path);
    struct pfs_tables *t;
    struct pfs_err err = {0};
    if (access(path, R_OK)) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    if (pfs_tables_open(&files, "info.h5", "polymodel.h5", &t, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t->n_offset, 11260);
    assert_true(t->offset[5600] > 20285 && t->offset[5600] < 20286);
    assert_int_equal(t->n_terms, 20);
    assert_true(t->exponent[0][0] == 3 && t->exponent[1][0] == 2 && t->exponent[1][1] == 1 && t->exponent[16][2] == 3);
    assert_true(t->coefficient[0] > 2964 && t->coefficient[0] < 2965);
    pfs_tables_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_both_and_none),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_field_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
