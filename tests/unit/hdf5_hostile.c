/* Hostile HDF5: files that point at a canary, that promise too much, that go in circles, that are cut. Each is refused with
 * its errno and reason at once, and no byte of the canary is ever delivered. They are made before the driver is first
 * used, as it takes the links into other files from the library. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "hdf5_make.h"

#include <time.h>

enum { SIDE = 16 };
static const hsize_t plane[] = {SIDE, SIDE};
static const char secret[] = "THE CANARY SINGS";

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void refused_fast(const char *name, int code, const char *part)
{
    double start = now();
    int before = asked;
    refused(name, code, part);
    assert_int_equal(asked, before + 1);           /* nothing but the file itself was asked for */
    assert_true(now() - start < 2);
}

/* ---- the files ---- */

/* A text file and an HDF5 file, both full of the secret. */
static void make_canaries(void)
{
    char text[SIDE * SIDE];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = secret[i % (sizeof secret - 1)];
    FILE *f = fopen(path_of("canary"), "w");
    assert_int_equal(fwrite(text, 1, sizeof text, f), sizeof text);
    fclose(f);
    hid_t h = new_file("canary.h5");
    H5Dclose(put_dataset(h, "/v", H5T_STD_U8LE, H5T_NATIVE_UINT8, 2, plane, H5P_DEFAULT, text));
    H5Fclose(h);
}

static void make_external_storage(const char *name, const char *canary)
{
    hid_t f = new_file(name), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(p, canary, 0, SIDE * SIDE);
    H5Dclose(put_dataset(f, "/v", H5T_STD_U8LE, 0, 2, plane, p, NULL));
    H5Pclose(p);
    H5Fclose(f);
}

static void make_virtual(const char *name, const char *from, hsize_t rows)
{
    hid_t f = new_file(name), p = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(2, plane, NULL);
    H5Pset_virtual(p, space, from, "/v", space);
    if (rows)                                      /* a source of its own as well */
        H5Dclose(put_dataset(f, "/other", H5T_STD_U8LE, 0, 2, plane, H5P_DEFAULT, NULL));
    H5Dclose(put_dataset(f, "/w", H5T_STD_U8LE, 0, 2, plane, p, NULL));
    H5Sclose(space);
    H5Pclose(p);
    H5Fclose(f);
}

static void make_links(const char *canary)
{
    hid_t f = new_file("external_link.h5");
    H5Lcreate_external(canary, "/v", f, "/v", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
    f = new_file("external_group.h5");
    H5Lcreate_external(canary, "/", f, "/g", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/g/v", f, "/a", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
    f = new_file("bdv_link.h5");                   /* the layout is there, its cells are not */
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Dclose(put_dataset(f, "/s00/resolutions", H5T_IEEE_F64LE, 0, 2, (hsize_t[]){1, 3}, H5P_DEFAULT, NULL));
    H5Lcreate_external(canary, "/v", f, "/t00000/s00/0/cells", links, H5P_DEFAULT);
    H5Pclose(links);
    H5Fclose(f);
    f = new_file("loop.h5");
    H5Lcreate_soft("/b", f, "/a", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/a", f, "/b", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
    f = new_file("dangling.h5");
    H5Lcreate_soft("/not/there", f, "/a", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
}

/* One good dataset beside every bad one. */
static void make_mixed(const char *text, const char *h5)
{
    uint8_t good[SIDE * SIDE];
    memset(good, 42, sizeof good);
    hid_t f = new_file("mixed.h5"), p = H5Pcreate(H5P_DATASET_CREATE), q = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, plane, NULL);
    H5Pset_external(p, text, 0, SIDE * SIDE);
    H5Pset_virtual(q, space, h5, "/v", space);
    H5Dclose(put_dataset(f, "/a", H5T_STD_U8LE, 0, 2, plane, p, NULL));
    H5Dclose(put_dataset(f, "/b", H5T_STD_U8LE, 0, 2, plane, q, NULL));
    H5Lcreate_external(h5, "/v", f, "/c", H5P_DEFAULT, H5P_DEFAULT);
    H5Dclose(put_dataset(f, "/d", H5T_STD_U8LE, H5T_NATIVE_UINT8, 2, plane, H5P_DEFAULT, good));
    H5Sclose(space);
    H5Pclose(p);
    H5Pclose(q);
    H5Fclose(f);
}

static void make_shape(const char *name, hid_t type, int rank, const hsize_t *dim, const hsize_t *chunk)
{
    hid_t f = new_file(name), p = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk)
        H5Pset_chunk(p, rank, chunk);
    H5Dclose(put_dataset(f, "/v", type, 0, rank, dim, p, NULL));
    H5Pclose(p);
    H5Fclose(f);
}

static void make_bombs(void)
{
    const hsize_t k = 1024;
    make_shape("long.h5", H5T_STD_U8LE, 2, (hsize_t[]){k * k * k * k, 4}, (hsize_t[]){16, 4});
    make_shape("wide.h5", H5T_IEEE_F64LE, 2, (hsize_t[]){k * k, k * k}, (hsize_t[]){16, 16});
    make_shape("many.h5", H5T_STD_U8LE, 5, (hsize_t[]){k, k, 8, 8, k}, (hsize_t[]){1, 1, 8, 8, 1});
    make_shape("whole.h5", H5T_IEEE_F64LE, 3, (hsize_t[]){k, k * k, k * k}, NULL);
    make_shape("chunk.h5", H5T_STD_U8LE, 2, (hsize_t[]){64 * k, 32 * k}, (hsize_t[]){64 * k, 32 * k});
    make_shape("five.h5", H5T_STD_U8LE, 5, (hsize_t[]){k * k, k * k, k * k, 1, 1}, (hsize_t[]){16, 16, 16, 1, 1});
}

static void make_types(void)
{
    hid_t complex = H5Tcreate(H5T_COMPOUND, 8), array = H5Tarray_create2(H5T_STD_U8LE, 1, (hsize_t[]){4});
    H5Tinsert(complex, "r", 0, H5T_IEEE_F32LE);
    H5Tinsert(complex, "i", 4, H5T_IEEE_F32LE);
    make_shape("complex.h5", complex, 2, plane, NULL);
    make_shape("array.h5", array, 2, plane, NULL);
    make_shape("bits.h5", H5T_STD_B16LE, 2, plane, NULL);
    make_shape("ldouble.h5", H5T_NATIVE_LDOUBLE, 2, plane, NULL);
    make_shape("text.h5", H5T_C_S1, 2, plane, NULL);
    make_shape("reference.h5", H5T_STD_REF_OBJ, 2, plane, NULL);
    H5Tclose(complex);
    H5Tclose(array);
}

static void make_filter(const char *name, H5Z_filter_t id)
{
    hid_t f = new_file(name), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 2, plane);
    H5Pset_filter(p, id, H5Z_FLAG_OPTIONAL, 2, (unsigned[]){1, 2});
    H5Dclose(put_dataset(f, "/v", H5T_STD_U8LE, 0, 2, plane, p, NULL));
    H5Pclose(p);
    H5Fclose(f);
}

static void make_deep(void)
{
    char path[512] = "";
    for (int i = 0; i < 60; i++)
        strcat(path, "/g");
    strcat(path, "/v");
    hid_t f = new_file("deep.h5");
    H5Dclose(put_dataset(f, path, H5T_STD_U8LE, 0, 2, plane, H5P_DEFAULT, NULL));
    H5Fclose(f);
    f = new_file("rings.h5");                      /* groups that hold each other, and nothing else */
    H5Gclose(H5Gcreate2(f, "/a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_hard(f, "/", f, "/a/up", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(f, "/a", f, "/a/self", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
}

static int make_all(void **state)
{
    char text[256], h5[256];
    if (make_folder(state))
        return -1;
    make_canaries();
    strcpy(text, path_of("canary"));
    strcpy(h5, path_of("canary.h5"));
    make_external_storage("storage.h5", text);
    make_external_storage("storage_beside.h5", "canary");
    make_virtual("virtual.h5", h5, 0);
    make_virtual("virtual_beside.h5", "canary.h5", 0);
    make_links(h5);
    make_mixed(text, h5);
    make_bombs();
    make_types();
    make_filter("blosc.h5", 32001);
    make_filter("nbit.h5", H5Z_FILTER_NBIT);
    make_deep();
    return 0;
}

/* ---- the tests ---- */

static void nothing_outside(void **state)
{
    (void)state;
    refused_fast("storage.h5", EPERM, "lie in another file");
    refused_fast("storage_beside.h5", EPERM, "lie in another file");
    refused_fast("virtual.h5", EOPNOTSUPP, "virtual dataset");
    refused_fast("virtual_beside.h5", EOPNOTSUPP, "virtual dataset");
    refused_fast("external_link.h5", EPERM, "link into another file");
    refused_fast("loop.h5", EOPNOTSUPP, "'/a' is a link that leads nowhere, in a circle or out of the file");
    refused_fast("dangling.h5", EOPNOTSUPP, "leads nowhere");
    struct pfs_source *s;
    struct pfs_err err = {0};
    int r = open_source("external_group.h5", &s, &err);
    assert_true(r == -EPERM || r == -EOPNOTSUPP);
    assert_true(err.text[0]);
    r = open_source("bdv_link.h5", &s, &err);
    assert_int_equal(r, -EPERM);
    assert_non_null(strstr(err.text, "link into another file"));
}

static void the_good_one_among_them(void **state)
{
    uint8_t px[SIDE * SIDE];
    struct pfs_err err;
    (void)state;
    struct pfs_source *s = opened("mixed.h5");
    assert_int_equal(s->n_series, 1);
    assert_string_equal(s->series[0].name, "/d");
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, SIDE, px, &err), 0);
    for (int i = 0; i < SIDE * SIDE; i++)
        assert_int_equal(px[i], 42);
    pfs_source_close(s);
}

/* The canary's own file is a good one: what is refused above is the way to it. */
static void the_canary_sings(void **state)
{
    uint8_t px[SIDE * SIDE];
    struct pfs_err err;
    (void)state;
    struct pfs_source *s = opened("canary.h5");
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, SIDE, px, &err), 0);
    assert_memory_equal(px, secret, sizeof secret - 1);
    pfs_source_close(s);
}

static void promises(void **state)
{
    (void)state;
    refused_fast("long.h5", EFBIG, "1099511627776 long");
    refused_fast("wide.h5", EFBIG, "a plane of '/v' is 1048576 x 1048576");
    refused_fast("many.h5", EFBIG, "more than 1048576 planes");
    refused_fast("whole.h5", EFBIG, "'/v'");
    refused_fast("chunk.h5", EFBIG, "'/v' has chunks of more than");
    refused_fast("five.h5", EFBIG, "'/v'");
    refused_fast("deep.h5", EFBIG, "nested more than");
    refused_fast("rings.h5", EOPNOTSUPP, "no numeric dataset");
}

static void kinds(void **state)
{
    (void)state;
    refused_fast("complex.h5", EOPNOTSUPP, "complex or compound");
    refused_fast("array.h5", EOPNOTSUPP, "array type");
    refused_fast("bits.h5", EOPNOTSUPP, "bit field");
    refused_fast("ldouble.h5", EOPNOTSUPP, "16 bytes");
    refused_fast("text.h5", EOPNOTSUPP, "no numeric dataset of 2 to 5 dimensions");
    refused_fast("reference.h5", EOPNOTSUPP, "no numeric dataset");
    refused_fast("blosc.h5", EOPNOTSUPP, "filter 32001");
    refused_fast("blosc.h5", EOPNOTSUPP, "plugins are not loaded");
    refused_fast("nbit.h5", EOPNOTSUPP, "filter 5");
}

/* Chunks shorter than a chunk: what lies behind them in memory is no pixels. The one beside each is whole. */
static void short_chunks(void **state)
{
    enum { N = SIDE * SIDE };
    static const unsigned char deflated[] = {0x78, 0x9c, 0x2b, 0xce, 0xc8, 0x2f, 0x2a, 0x01, 0x00, 0x06, 0x8c, 0x02, 0x31};
    static const unsigned char scaled[26] = {8, 0, 0, 0, 8}, many_bits[600] = {200, 0, 0, 0, 8};
    static const unsigned char bytes[8] = "8 bytes.", sized[12] = {8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct { const char *name; int filter; uint32_t mask; const void *chunk; size_t n; } cases[] = {
        {"deflate", H5Z_FILTER_DEFLATE, 0, deflated, sizeof deflated}, {"none", 0, 0, bytes, sizeof bytes},
        {"masked", H5Z_FILTER_DEFLATE, 1, bytes, sizeof bytes}, {"szip", H5Z_FILTER_SZIP, 0, sized, sizeof sized},
        {"szip head", H5Z_FILTER_SZIP, 0, bytes, 3}, {"scaled", H5Z_FILTER_SCALEOFFSET, 0, scaled, sizeof scaled},
        {"scaled bits", H5Z_FILTER_SCALEOFFSET, 0, many_bits, sizeof many_bits},
        {"scaled head", H5Z_FILTER_SCALEOFFSET, 0, bytes, sizeof bytes}};
    uint8_t good[2 * N], px[N];
    (void)state;
    memset(good, 9, sizeof good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t f = new_file("short.h5"), p = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(p, 3, (hsize_t[]){1, SIDE, SIDE});
        if (cases[i].filter == H5Z_FILTER_DEFLATE)
            H5Pset_deflate(p, 3);
        if (cases[i].filter == H5Z_FILTER_SZIP)
            H5Pset_szip(p, H5_SZIP_NN_OPTION_MASK, 8);
        if (cases[i].filter == H5Z_FILTER_SCALEOFFSET)
            H5Pset_scaleoffset(p, H5Z_SO_INT, 0);
        hid_t d = put_dataset(f, "/v", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, (hsize_t[]){2, SIDE, SIDE}, p, good);
        bool written = H5Dwrite_chunk(d, H5P_DEFAULT, cases[i].mask, (hsize_t[]){1, 0, 0}, cases[i].n, cases[i].chunk) >= 0;
        H5Dclose(d);
        H5Pclose(p);
        H5Fclose(f);
        assert_true(written || !cases[i].filter);
        struct pfs_source *s = opened("short.h5");
        struct pfs_err err = {0};
        assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, SIDE, px, &err), 0);
        assert_memory_equal(px, good, N);
        int r = s->driver->rows(s, 0, (struct pfs_at){0, 1, 0}, 0, SIDE, px, &err);
        if (written && (r != -EIO || !err.text[0]))
            fail_msg("%s: %d", cases[i].name, r);
        assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, SIDE, px, &err), 0);
        pfs_source_close(s);
    }
}

/* A file cut anywhere is refused or read, never half made up. */
static void cut_files(void **state)
{
    enum { D = 8 };
    uint8_t data[D * SIDE * SIDE], px[SIDE * SIDE];
    (void)state;
    memset(data, 7, sizeof data);
    hid_t f = new_file("cut.h5"), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 3, (hsize_t[]){2, SIDE, SIDE});
    H5Dclose(put_dataset(f, "/v", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, (hsize_t[]){D, SIDE, SIDE}, p, data));
    H5Dclose(put_dataset(f, "/w", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, (hsize_t[]){D, SIDE, SIDE}, H5P_DEFAULT, data));
    H5Pclose(p);
    H5Fclose(f);
    struct stat st;
    assert_int_equal(stat(path_of("cut.h5"), &st), 0);
    struct pfs_source *s = opened("cut.h5");       /* cut while it is open: an error, not zeros */
    struct pfs_err err;
    assert_int_equal(truncate(path_of("cut.h5"), st.st_size / 2), 0);
    int failed = 0;
    for (int i = 0; i < 2; i++)
        for (int z = 0; z < D; z++) {
            int r = s->driver->rows(s, i, (struct pfs_at){0, z, 0}, 0, SIDE, px, &err);
            assert_true(r == 0 || r == -EIO);
            failed += r < 0;
            for (int k = 0; !r && k < SIDE * SIDE; k++)
                assert_int_equal(px[k], 7);
        }
    assert_true(failed > 0);
    pfs_source_close(s);
    for (int64_t n = st.st_size / 2; n >= 0; n -= 97) {
        assert_int_equal(truncate(path_of("cut.h5"), n), 0);
        err.text[0] = 0;
        int r = open_source("cut.h5", &s, &err);
        assert_true((r == -EIO || r == -EOPNOTSUPP) && err.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_outside), cmocka_unit_test(the_good_one_among_them), cmocka_unit_test(the_canary_sings),
        cmocka_unit_test(promises), cmocka_unit_test(kinds),
        cmocka_unit_test(short_chunks), cmocka_unit_test(cut_files),
    };
    return cmocka_run_group_tests(tests, make_all, remove_folder);
}
