/* Sources of several files in the catalog: an ENVI raw file and its header are one dataset, of which either may change; and
 * series named by their paths in an HDF5 file. With real workers and a cache in a folder of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog/catalog.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { X = 6, Y = 5, C = 3, BYTES = X * Y * C };

static char base[64] = "/tmp/planefs-envi-XXXXXX";
static struct pfs_pool *pool;
static struct pfs_cache *cache;
static struct pfs_catalog *catalog;

static char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/source/%s", base, name);
    return path;
}

/* Old enough to be remembered: a file just written is not. */
static void put(const char *name, const void *bytes, size_t n, int minutes_old)
{
    char part[300];
    snprintf(part, sizeof part, "%s.part", path_of(name));
    FILE *f = fopen(part, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
    struct timespec t[2] = {{time(NULL) - 60 * minutes_old, 0}, {time(NULL) - 60 * minutes_old, 0}};
    assert_int_equal(utimensat(AT_FDCWD, part, t, 0), 0);
    assert_int_equal(rename(part, path_of(name)), 0);
}

static void put_header(const char *name, const char *interleave, int minutes_old)
{
    char text[200];
    int n = snprintf(text, sizeof text, "ENVI\nsamples=%d\nlines=%d\nbands=%d\ndata type=1\ninterleave=%s\n", X, Y, C,
                     interleave);
    put(name, text, (size_t)n, minutes_old);
}

static void put_raw(const char *name, int seed, size_t n, int minutes_old)
{
    uint8_t raw[2 * BYTES];
    for (int i = 0; i < 2 * BYTES; i++)
        raw[i] = (uint8_t)(i * 31 + seed);
    put(name, raw, n, minutes_old);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    char self[4096], cache_path[128];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    (void)state;
    self[n > 0 ? n : 0] = 0;
    for (int i = 0; i < 3; i++)
        *(strrchr(self, '/') ? strrchr(self, '/') : self) = 0;
    const char *given = getenv("PLANEFS_WORKER");
    PFS_AUTO_FREE char *worker = given ? strdup(given) : pfs_format("%s/planefs-worker", self);
    if (access(worker, X_OK)) {
        print_message("%s is not built\n", worker);
        return -1;
    }
    if (!mkdtemp(base) || mkdir(path_of(""), 0700))
        return -1;
    snprintf(cache_path, sizeof cache_path, "%s/cache", base);
    struct pfs_err err = {0};
    struct pfs_cache_options c = {.folder = cache_path, .limit = 16 << 20};
    struct pfs_pool_options p = {.worker = worker, .makers = 1, .readers = 1};
    return pfs_cache_open(&c, &cache, &err) || pfs_pool_create(&p, &pool, &err);
}

static int tear_down(void **state)
{
    (void)state;
    pfs_pool_destroy(pool);
    pfs_cache_close(cache);
    return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct pfs_folder *folder(void)
{
    struct pfs_folder *f;
    struct pfs_err err = {0};
    if (!catalog && pfs_catalog_open(path_of(""), NULL, cache, pool, &catalog, &err))
        fail_msg("%s", err.text);
    if (pfs_catalog_folder(catalog, "", true, &f, &err))
        fail_msg("%s", err.text);
    return f;
}

static void close_catalog(void)
{
    pfs_catalog_close(catalog);
    catalog = NULL;
}

static struct pfs_dataset *dataset(const struct pfs_folder *f, const char *name)
{
    const struct pfs_item *item = pfs_folder_item(f, name);
    if (!item || !item->dataset)
        fail_msg("no dataset %s", name);
    return item->dataset;
}

/* The content of a band, and where it was found. */
static struct pfs_hash content(struct pfs_dataset *d, int c, struct pfs_located *ret)
{
    struct pfs_hash h;
    struct pfs_err err = {0};
    if (pfs_catalog_locate(catalog, d, (struct pfs_at){0, 0, c}, true, ret, &err) ||
        pfs_catalog_content(catalog, d, ret, PFS_READ, &h, &err))
        fail_msg("%s", err.text);
    return h;
}

static int64_t probes(void)
{
    struct pfs_catalog_status s;
    pfs_catalog_status(catalog, &s);
    return s.probes;
}

/* ---- tests ---- */

static void one_dataset(void **state)
{
    (void)state;
    put_header("cube.hdr", "bsq", 5);
    put_raw("cube.raw", 1, BYTES, 3);
    struct pfs_folder *f = folder();
    struct pfs_located l;
    assert_int_equal(f->n_items, 1);
    struct pfs_dataset *d = dataset(f, "cube");
    assert_true(d->n_files == 1 && d->n_companions == 1 && d->shape.c == C && d->shape.x == X);
    assert_string_equal(d->file[0].path, "cube.hdr");
    assert_string_equal(d->companion[0].path, "cube.raw");
    assert_true(d->mtime == d->companion[0].id.mtime && d->mtime > d->file[0].id.mtime);
    assert_int_equal(d->files_bytes, d->file[0].id.size + BYTES);
    assert_true(pfs_dataset_mtime(d, (struct pfs_at){0}) == d->mtime);
    content(d, 1, &l);
    assert_true(l.file == &d->file[0] && l.data == &d->companion[0]);
    assert_int_equal(l.extent.raw, X * Y);
    assert_string_equal(pfs_folder_reason(f, "cube.raw"), "it is part of cube.hdr");
    pfs_folder_unref(f);
    close_catalog();
}

/* A raw file that changes under a header that does not: stale, another content, other pixels in the cache. */
static void the_raw_file_changes(void **state)
{
    struct pfs_located l;
    (void)state;
    for (int k = 0; k < 2; k++) {
        put_header("cube.hdr", k ? "bip" : "bsq", 5);
        put_raw("cube.raw", 1, BYTES, 3);
        struct pfs_folder *f = folder(), *again;
        struct pfs_dataset *d = dataset(f, "cube");
        struct pfs_hash before = content(d, 1, &l);
        uint64_t version = pfs_dataset_version(d, 0), codec = l.extent.codec;
        assert_false(pfs_dataset_stale(catalog, d, 0));
        put_raw("cube.raw", 2, BYTES, 3);          /* of the same size and time */
        assert_true(pfs_dataset_stale(catalog, d, 0));
        again = folder();
        struct pfs_dataset *e = dataset(again, "cube");
        assert_ptr_not_equal(d, e);
        struct pfs_hash after = content(e, 1, &l);
        assert_false(pfs_hash_same(before, after));
        assert_true(version != pfs_dataset_version(e, 0) && codec == l.extent.codec);
        pfs_folder_unref(f);
        pfs_folder_unref(again);
        close_catalog();
    }
}

/* A header that changes over a raw file that does not: what decoding depends on is in the codec. */
static void the_header_changes(void **state)
{
    struct pfs_located l;
    uint64_t codec[2];
    (void)state;
    put_raw("cube.raw", 1, BYTES, 3);
    for (int k = 0; k < 2; k++) {
        put_header("cube.hdr", k ? "bil" : "bip", 5);
        struct pfs_folder *f = folder();
        content(dataset(f, "cube"), 0, &l);
        codec[k] = l.extent.codec;
        pfs_folder_unref(f);
        close_catalog();
    }
    assert_true(codec[0] != codec[1]);
}

/* What is remembered holds as long as every file asked for is as it was: present, absent, of this version. */
static void what_is_remembered(void **state)
{
    (void)state;
    put_header("cube.hdr", "bsq", 5);
    assert_int_equal(unlink(path_of("cube.raw")), 0);
    struct pfs_folder *f = folder();
    assert_int_equal(f->n_items, 0);
    assert_non_null(strstr(pfs_folder_reason(f, "cube.hdr"), "no raw file"));
    pfs_folder_unref(f);
    close_catalog();
    put_raw("cube.raw", 1, BYTES, 3);
    nanosleep(&(struct timespec){2, 100000000}, NULL);      /* a change of status counts as young for that long */
    dataset(f = folder(), "cube");
    pfs_folder_unref(f);
    close_catalog();
    dataset(f = folder(), "cube");
    assert_int_equal(probes(), 0);                 /* neither of the header nor of the raw file, which is no image */
    pfs_folder_unref(f);
    close_catalog();
    put_raw("cube.img", 9, BYTES, 3);              /* asked for before cube.raw */
    f = folder();
    assert_string_equal(dataset(f, "cube")->companion[0].path, "cube.img");
    pfs_folder_unref(f);
    close_catalog();
    assert_int_equal(unlink(path_of("cube.img")), 0);
    put_raw("cube.raw", 1, BYTES - 1, 3);
    f = folder();
    assert_int_equal(f->n_items, 0);
    assert_non_null(strstr(pfs_folder_reason(f, "cube.hdr"), "its header needs"));
    pfs_folder_unref(f);
    close_catalog();
}

/* A raw file that looks like an image of its own is no dataset beside its header's. */
static void a_raw_file_like_an_image(void **state)
{
    char raw[BYTES + 40] = "planefs-synthetic 1\ny=3\nx=3\n#";
    (void)state;
    memset(raw + strlen(raw), '#', sizeof raw - strlen(raw));
    put_header("cube.hdr", "bsq", 5);
    put("cube.raw", raw, sizeof raw, 3);
    struct pfs_folder *f = folder();
    assert_int_equal(f->n_items, 1);
    assert_string_equal(dataset(f, "cube")->format, "ENVI BSQ");
    pfs_folder_unref(f);
    close_catalog();
    assert_int_equal(unlink(path_of("cube.hdr")), 0);
    f = folder();
    assert_string_equal(dataset(f, "cube")->format, "synthetic");
    pfs_folder_unref(f);
    close_catalog();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dataset), cmocka_unit_test(the_raw_file_changes), cmocka_unit_test(the_header_changes),
        cmocka_unit_test(what_is_remembered), cmocka_unit_test(a_raw_file_like_an_image),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
