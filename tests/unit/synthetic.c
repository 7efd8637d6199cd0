/* Synthetic volumes: the file's keys, the same bits on every machine and in any order of reading, values that fit the
 * type, and the parts a pixel is made of. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/hash.h>
#include <planefs/plane.h>

#include "tiff_make.h"

static struct pfs_source *open_text(const char *keys)
{
    char text[2000];
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    int n = snprintf(text, sizeof text, "planefs-synthetic 1\n%s", keys), fd = file_of(text, (size_t)n);
    if (open_fd(fd, &s, &err) < 0)
        fail_msg("open: %s", err.text);
    close(fd);
    return s;
}

static void refused(const char *text, int code, const char *words)
{
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    int fd = file_of(text, strlen(text));
    assert_int_equal(open_fd(fd, &s, &err), -code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    close(fd);
}

static void *plane(struct pfs_source *s, struct pfs_at at)
{
    struct pfs_err err;
    const struct pfs_shape *shape = &s->series[0].shape;
    void *px = malloc((size_t)pfs_shape_plane_bytes(shape));
    assert_int_equal(s->driver->rows(s, 0, at, 0, shape->y, px, &err), 0);
    return px;
}

static void keys(void **state)
{
    (void)state;
    struct pfs_source *s = open_text("# a comment\n\nt=2\r\nz=3\nc=4\ny=50\nx=60\ntype=uint16\nvoxel_z=30\nvoxel_y=8\n"
                                     "voxel_x=8\nunit=nm\ninterval=1.5");
    const struct pfs_shape *shape = &s->series[0].shape;
    assert_true(shape->t == 2 && shape->z == 3 && shape->c == 4 && shape->y == 50 && shape->x == 60);
    assert_int_equal(shape->type, PFS_U16);
    assert_true(shape->cal.voxel[0] == 30 && shape->cal.voxel[2] == 8 && shape->cal.interval == 1.5);
    assert_string_equal(shape->cal.unit, "nm");
    assert_string_equal(s->series[0].format, "synthetic");
    pfs_source_close(s);
    refused("planefs-synthetic 1\nz=0\n", EIO, "line 2: z (sections) must be 1 to 1048576");
    refused("planefs-synthetic 1\n\nzz=3\n", EIO, "line 3: unknown key \"zz\"");
    refused("planefs-synthetic 1\nnoise\n", EIO, "no \"=\"");
    refused("planefs-synthetic 1\nnoise=0.1x\n", EIO, "noise");
    refused("planefs-synthetic 1\nnoise=nan\n", EIO, "noise");
    refused("planefs-synthetic 1\ntype=int8\n", EIO, "int8");
    refused("planefs-synthetic 1\ntype=uint8\nscale=256\n", EIO, "does not fit");
    refused("planefs-synthetic 1\nx=1000000\ny=1000000\n", EFBIG, "2 GiB");
    refused("planefs-synthetic 2\n", EOPNOTSUPP, "not an image");
    refused("planefs-synthetic 12\n", EOPNOTSUPP, "not an image");
}

/* Known bits: made once, and to be made by every machine and compiler. */
static void same_bits_everywhere(void **state)
{
    static const struct { const char *type; uint64_t hash; } known[] = {
        {"uint8", 0x4db3d393b9324eab}, {"uint16", 0x22e9320b54b215c6}, {"float32", 0xdab3056fa3058f24},
        {"uint32", 0x4beacdadfb7d7028}, {"float64", 0xb0df7521be6115a2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[200];
        snprintf(text, sizeof text, "z=40\nc=2\ny=300\nx=501\nseed=7\ntype=%s\n", known[i].type);
        struct pfs_source *s = open_text(text);
        void *px = plane(s, (struct pfs_at){0, 17, 1});
        uint64_t h = pfs_hash64(px, (size_t)pfs_shape_plane_bytes(&s->series[0].shape), 0);
        if (h != known[i].hash)
            fail_msg("%s: 0x%016llx", known[i].type, (unsigned long long)h);
        free(px);
        pfs_source_close(s);
    }
}

/* Rows do not depend on what was read before. */
static void any_order(void **state)
{
    struct pfs_err err;
    uint16_t row[333];
    (void)state;
    struct pfs_source *s = open_text("t=2\nz=30\nc=2\ny=600\nx=333\ntype=uint16\n");
    uint16_t *a = plane(s, (struct pfs_at){1, 11, 0});
    for (int k = 0; k < 200; k++) {
        int64_t y = k * 7919 % 600;
        struct pfs_at other = {k % 2, k % 30, k / 2 % 2};
        assert_int_equal(s->driver->rows(s, 0, other, 599 - y, 1, row, &err), 0);
        assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){1, 11, 0}, y, 1, row, &err), 0);
        assert_memory_equal(row, a + y * 333, sizeof row);
    }
    free(a);
    pfs_source_close(s);
}

static double mean(const uint16_t *px, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += px[i];
    return sum / (double)n;
}

static double deviation(const uint16_t *px, int64_t n)
{
    double m = mean(px, n), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (px[i] - m) * (px[i] - m);
    return sqrt(sum / (double)n);
}

static double correlation(const uint16_t *a, const uint16_t *b, int64_t n)
{
    double ma = mean(a, n), mb = mean(b, n), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - ma) * (b[i] - mb);
    return sum / (double)n / deviation(a, n) / deviation(b, n);
}

enum { N = 512, ALL = N * N };
static const char none[] =
    "y=512\nx=512\nz=64\nseed=3\ntype=uint16\ntexture=0\nstripes=0\nbackground=0\nnoise=0\nlevel=0.5\n";

static uint16_t *part(const char *more, int64_t z)
{
    char text[400];
    snprintf(text, sizeof text, "%s%s", none, more);
    struct pfs_source *s = open_text(text);
    uint16_t *px = plane(s, (struct pfs_at){0, z, 0});
    pfs_source_close(s);
    return px;
}

static void parts(void **state)
{
    (void)state;
    uint16_t *flat = part("", 5), *noise = part("noise=0.1\n", 5), *noise2 = part("noise=0.1\n", 6);
    uint16_t *tex = part("texture=0.2\n", 5), *tex2 = part("texture=0.2\n", 6), *tex3 = part("texture=0.2\n", 60);
    uint16_t *stripe = part("stripes=0.1\n", 5);
    for (int i = 0; i < ALL; i++)
        assert_int_equal(flat[i], 32768);
    assert_true(fabs(mean(noise, ALL) - 32768) < 20);
    assert_true(fabs(deviation(noise, ALL) - 6553.5 * 0.2898) < 30);
    assert_true(fabs(correlation(noise, noise2, ALL)) < 0.01);
    assert_true(fabs(correlation(noise, noise + 1, ALL - 1)) < 0.01);
    assert_true(correlation(tex, tex2, ALL) > 0.6);          /* continues to the next section */
    assert_true(correlation(tex, tex3, ALL) < 0.3);
    assert_true(correlation(stripe, stripe + N, ALL - N) > 0.99);          /* along y */
    assert_true(correlation(stripe, stripe + 100, ALL - 100) < 0.5);       /* not along x */
    free(flat), free(noise), free(noise2), free(tex), free(tex2), free(tex3), free(stripe);
}

/* However large the amplitudes, values stay within 0 and the scale. */
static void values_fit(void **state)
{
    static const char *const types[] = {"uint8",  "uint16", "int16",   "uint32", "int32",
                                        "uint64", "int64",  "float32", "float64"};
    (void)state;
    for (int i = 0; i < 9; i++) {
        char text[300];
        snprintf(text, sizeof text, "y=200\nx=200\ntexture=1\nstripes=1\nbackground=1\nnoise=1\nscale=%s\ntype=%s\n",
                 i == 0 ? "200" : "1000", types[i]);
        struct pfs_source *s = open_text(text);
        const struct pfs_shape *shape = &s->series[0].shape;
        void *px = plane(s, (struct pfs_at){0});
        double *d = malloc(200 * 200 * sizeof *d), low = 1e9, high = -1e9;
        ptrdiff_t row = 200 * (ptrdiff_t)pfs_type_size(shape->type);
        pfs_convert((struct pfs_typed){shape->type, px, row, 200, 200}, (struct pfs_typed){PFS_F64, d, 1600, 200, 200});
        for (int k = 0; k < 200 * 200; k++) {
            low = d[k] < low ? d[k] : low;
            high = d[k] > high ? d[k] : high;
        }
        assert_true(low == 0 && high == (i == 0 ? 200 : 1000));
        free(d);
        free(px);
        pfs_source_close(s);
    }
}

static void bounds(void **state)
{
    struct pfs_err err;
    struct pfs_extent e;
    uint8_t px[64];
    (void)state;
    struct pfs_source *s = open_text("z=2\ny=8\nx=8\n");
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 2, 0}, 0, 8, px, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 1, (struct pfs_at){0, 0, 0}, 0, 8, px, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 1, 0}, 1, 8, px, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 1, 0}, 8, 0, px, &err), 0);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, 1, 0}, &e, &err), 0);
    assert_int_equal(e.raw, -1);
    assert_true(e.stored == 0 && e.stored_size == (int64_t)strlen("planefs-synthetic 1\nz=2\ny=8\nx=8\n"));
    pfs_source_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys), cmocka_unit_test(same_bits_everywhere), cmocka_unit_test(any_order),
        cmocka_unit_test(parts), cmocka_unit_test(values_fit), cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
