/* Sample files of others, where they are at hand: every pixel against a table, and hostile files against the clock.
 *
 * tests/unit/tiff_shared.txt has a line per file: path below data/, series, and per series shape, type and a hash of
 * all planes. The hashes were written after each plane had been compared with tifffile (uncompressed) or with what
 * libtiff's own tools make of the file. Files without a line must be refused or fail with a reason, at once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/hash.h>

#include "tiff_make.h"

#include <ftw.h>
#include <time.h>

static char root[1024];
static int n_files, slow;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* All planes of a series that are in the file, chained; 0 and the reason when one fails. */
static uint64_t series_hash(struct pfs_source *s, int series, struct pfs_err *err)
{
    const struct pfs_shape *shape = &s->series[series].shape;
    int64_t n = pfs_shape_planes(shape), bytes = pfs_shape_plane_bytes(shape);
    uint64_t h = 1;
    struct pfs_extent e;
    void *px = malloc((size_t)bytes);
    assert_non_null(px);
    for (int64_t i = 0; i < n && h; i++) {
        struct pfs_at at = pfs_at_of(shape, i);
        if (s->series[series].piece && s->series[series].piece[i].file)
            continue;
        h = s->driver->rows(s, series, at, 0, shape->y, px, err) < 0 ? 0 : pfs_hash64(px, (size_t)bytes, h);
        if (h)
            assert_int_equal(s->driver->extent(s, series, at, &e, err), 0);
    }
    free(px);
    return h;
}

/* "2 1,17,2,88,89,uint16,0123456789abcdef ..." */
static int describe(const char *path, char *line, size_t size, struct pfs_err *err)
{
    struct pfs_source *s;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int r = open_fd(fd, &s, err), n = 0;
    close(fd);
    if (r < 0)
        return r;
    n = snprintf(line, size, "%d", s->n_series);
    for (int i = 0; i < s->n_series && r == 0; i++) {
        const struct pfs_shape *h = &s->series[i].shape;
        uint64_t hash = series_hash(s, i, err);
        r = hash ? 0 : -err->code;
        if ((size_t)n < size)
            n += snprintf(line + n, size - (size_t)n, " %d,%d,%d,%d,%d,%s,%016llx", (int)h->t, (int)h->z, (int)h->c,
                          (int)h->y, (int)h->x, pfs_type_name(h->type), (unsigned long long)hash);
    }
    pfs_source_close(s);
    return r;
}

static bool find_data(void)
{
    const char *env = getenv("PLANEFS_SHARED");
    snprintf(root, sizeof root, "%s/data", env ? env : "../shared");
    return access(root, R_OK) == 0;
}

static void good_files(void **state)
{
    char line[1024], path[2200], want[1024], got[2048];
    int n = 0, absent = 0;
    (void)state;
    if (!find_data()) {
        print_message("sample files are not at hand (PLANEFS_SHARED): skipped\n");
        skip();
    }
    FILE *table = fopen("tests/unit/tiff_shared.txt", "r");
    assert_non_null(table);
    while (fgets(line, sizeof line, table)) {
        struct pfs_err err = {0};
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        *tab = 0;
        snprintf(path, sizeof path, "%s/%s", root, line);
        snprintf(want, sizeof want, "%.*s", (int)strcspn(tab + 1, "\n"), tab + 1);
        n++;
        if (access(path, R_OK)) {
            absent++;
            continue;
        }
        if (describe(path, got, sizeof got, &err) < 0)
            fail_msg("%s: %s", line, err.text);
        if (strcmp(got, want))
            fail_msg("%s:\n got %s\nwant %s", line, got, want);
    }
    fclose(table);
    print_message("%d files, %d of them absent\n", n, absent);
    assert_true(n > 400 && absent < n);
}

static int hostile_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    char line[8192];
    struct pfs_err err = {0};
    (void)st;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    n_files++;
    double start = now();
    int r = describe(path, line, sizeof line, &err);
    slow += now() - start > 5;
    if (r < 0 && ((r != -EIO && r != -EOPNOTSUPP && r != -EFBIG) || !err.text[0]))
        fail_msg("%s: %d \"%s\"", path, r, err.text);
    return 0;
}

static void hostile_files(void **state)
{
    (void)state;
    if (!find_data())
        skip();
    strcat(root, "/malformed");
    nftw(root, hostile_file, 8, FTW_PHYS);
    print_message("%d files\n", n_files);
    assert_int_equal(slow, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good_files), cmocka_unit_test(hostile_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
