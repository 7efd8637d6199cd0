/* Pages as axes: plain stacks, kinds of pages, ImageJ and tifffile texts, the form with one directory, calibration. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

enum { W = 20, H = 12 };

static struct made page(int seed)
{
    return (struct made){
        .w = W, .h = H, .bits = 16, .samples = 1, .format = 1, .photometric = 1, .seed = (uint32_t)seed};
}

/* n pages, the first with a description. */
static int stack_of(const char *mode, int n, const char *description)
{
    struct made m[64];
    assert_true(n <= 64);
    for (int i = 0; i < n; i++)
        m[i] = page(i);
    m[0].description = description;
    return write_pages(mode, m, n);
}

static struct pfs_source *open_ok(int fd)
{
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    if (open_fd(fd, &s, &err) < 0)
        fail_msg("open: %s", err.text);
    return s;
}

static void check_shape(const struct pfs_source *s, int series, int t, int z, int c)
{
    const struct pfs_shape *shape = &s->series[series].shape;
    assert_int_equal(shape->t, t);
    assert_int_equal(shape->z, z);
    assert_int_equal(shape->c, c);
}

static void check_plane(struct pfs_source *s, struct pfs_at at, int seed)
{
    struct made m = page(seed);
    check_rows(s, 0, at, &m, 0, 0, H);
}

static void pages_are_z(void **state)
{
    (void)state;
    int fd = stack_of("wb8", 5, NULL);
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 1, 5, 1);
    for (int z = 4; z >= 0; z--)
        check_plane(s, (struct pfs_at){0, z, 0}, z);
    assert_string_equal(s->series[0].format, "BigTIFF");
    pfs_source_close(s);
    close(fd);
}

static void kinds_are_series(void **state)
{
    (void)state;
    struct made m[6] = {page(0), page(1), page(2), page(3), page(4), page(5)};
    m[1].w = W / 2;
    m[2].bits = 8;
    m[4].w = W / 2;
    m[5].subfile = FILETYPE_REDUCEDIMAGE;
    int fd = write_pages("wl", m, 6);
    struct pfs_source *s = open_ok(fd);
    assert_int_equal(s->n_series, 3);
    check_shape(s, 0, 1, 2, 1);
    check_shape(s, 1, 1, 2, 1);
    check_shape(s, 2, 1, 1, 1);
    assert_int_equal(s->series[2].shape.type, PFS_U8);
    check_plane(s, (struct pfs_at){0, 1, 0}, 3);
    check_rows(s, 1, (struct pfs_at){0, 1, 0}, &m[4], 0, 0, H);
    check_rows(s, 2, (struct pfs_at){0, 0, 0}, &m[2], 0, 0, H);
    pfs_source_close(s);
    close(fd);
}

static void colour_pages(void **state)
{
    (void)state;
    struct made m[3];
    for (int i = 0; i < 3; i++) {
        m[i] = page(i);
        m[i].samples = 3;
        m[i].photometric = PHOTOMETRIC_RGB;
        m[i].separate = true;
    }
    m[0].description = "ImageJ=1.53t\nimages=9\nchannels=3\nslices=3\n";
    int fd = write_pages("wl", m, 3);
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 1, 3, 3);
    for (int z = 0; z < 3; z++)
        for (int c = 0; c < 3; c++)
            check_rows(s, 0, (struct pfs_at){0, z, c}, &m[z], c, 0, H);
    pfs_source_close(s);
    close(fd);
}

static void imagej_hyperstack(void **state)
{
    (void)state;
    int fd = stack_of("wb", 24,
                      "ImageJ=1.53t\nimages=24\nchannels=3\nslices=4\nframes=2\nhyperstack=true\nmode=grayscale\n"
                      "unit=\\u00B5m\nspacing=0.5\nfinterval=30.5\nloop=false\nmin=50.0\nmax=1579.0\n");
    struct pfs_source *s = open_ok(fd);
    const struct pfs_calibration *cal = &s->series[0].shape.cal;
    check_shape(s, 0, 2, 4, 3);
    for (int i = 0; i < 24; i++)
        check_plane(s, (struct pfs_at){i / 12, i / 3 % 4, i % 3}, i);
    assert_string_equal(cal->unit, "um");
    assert_true(cal->voxel[0] == 0.5 && cal->interval == 30.5 && cal->range[0] == 50 && cal->range[1] == 1579);
    assert_string_equal(s->series[0].format, "ImageJ TIFF");
    pfs_source_close(s);
    close(fd);
}

static void imagej_order(void **state)
{
    (void)state;
    int fd = stack_of("wl", 24, "ImageJ=1.53t\nimages=24\nchannels=3\nslices=4\nframes=2\norder=ztc\n");
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 2, 4, 3);
    for (int i = 0; i < 24; i++)
        check_plane(s, (struct pfs_at){i / 4 % 2, i % 4, i / 8}, i);
    pfs_source_close(s);
    close(fd);
}

/* Numbers that do not agree with the pages are not believed. */
static void imagej_lies(void **state)
{
    static const char *const texts[] = {
        "ImageJ=1.53t\nimages=6\nchannels=4\nslices=2\n", "ImageJ=1.53t\nimages=1000000\n",
        "ImageJ=1.53t\nimages=-3\nslices=nan\nchannels=1e300\n", "ImageJ=", "SCIFIO=2\nslices=99999999999999999999\n",
        "ImageJ=1.5\nchannels=1000000000\nslices=1000000000\nframes=1000000000\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = stack_of("wl", 6, texts[i]);
        struct pfs_source *s = open_ok(fd);
        check_shape(s, 0, 1, 6, 1);
        check_plane(s, (struct pfs_at){0, 5, 0}, 5);
        pfs_source_close(s);
        close(fd);
    }
}

/* ---- one directory, many images ---- */

static void put_image(int fd, int64_t at, int seed, bool big)
{
    struct made m = page(seed);
    uint16_t px[W * H];
    for (uint32_t y = 0; y < H; y++)
        for (uint32_t x = 0; x < W; x++) {
            px[y * W + x] = (uint16_t)sample_bits(&m, x, y, 0);
            if (big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
                px[y * W + x] = __builtin_bswap16(px[y * W + x]);
        }
    assert_int_equal(pwrite(fd, px, sizeof px, at), (ssize_t)sizeof px);
}

/* ImageJ's form: a header, one directory, then the images, of which `written` are there. */
static int one_directory(int64_t images, int64_t written, bool big, bool stk)
{
    char text[200];
    uint8_t f[1024] = {0};
    int n = snprintf(text, sizeof text, "ImageJ=1.53t\nimages=%lld\nchannels=2\nslices=%lld\nhyperstack=true\n",
                     (long long)images, (long long)images / 2) + 1;
    struct { uint16_t tag, type; uint32_t n, v; } tags[] = {
        {256, 4, 1, W}, {257, 4, 1, H}, {258, 3, 1, 16}, {259, 3, 1, 1}, {262, 3, 1, 1}, {270, 2, 100, 300},
        {273, 4, 1, 1024}, {277, 3, 1, 1}, {278, 4, 1, H}, {279, 4, 1, W * H * 2},
        {stk ? 33629 : 65000, stk ? 5 : 4, stk ? (uint32_t)images : 1, 600},       /* MetaMorph's UIC2 */
    };
    if (stk)
        n = snprintf(text, sizeof text, "Acquired from somewhere") + 1;
    memcpy(f, big ? "MM\0*\0\0\0\10" : "II*\0\10\0\0\0", 8);
    f[big ? 9 : 8] = sizeof tags / sizeof *tags;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        uint8_t *p = f + 10 + 12 * i;
        uint32_t v = tags[i].type == 3 && big ? tags[i].v << 16 : tags[i].v;
        uint16_t h[2] = {big ? __builtin_bswap16(tags[i].tag) : tags[i].tag,
                         big ? __builtin_bswap16(tags[i].type) : tags[i].type};
        uint32_t w[2] = {big ? __builtin_bswap32(tags[i].n) : tags[i].n, big ? __builtin_bswap32(v) : v};
        memcpy(p, h, 4);
        memcpy(p + 4, w, 8);
    }
    memcpy(f + 300, text, (size_t)n);
    int fd = file_of(f, sizeof f);
    assert_int_equal(ftruncate(fd, 1024 + written * W * H * 2), 0);
    return fd;
}

static void many_images(void **state)
{
    int64_t n = 4000000, last = 1024 + (n - 1) * W * H * 2;
    struct pfs_extent e;
    struct pfs_err err;
    (void)state;
    int fd = one_directory(n, n, true, false);
    put_image(fd, 1024, 1, true);
    put_image(fd, last, 2, true);
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 1, (int)(n / 2), 2);
    check_plane(s, (struct pfs_at){0, 0, 0}, 1);
    check_plane(s, (struct pfs_at){0, n / 2 - 1, 1}, 2);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, n / 2 - 1, 1}, &e, &err), 0);
    assert_true(e.raw == last && e.raw > 1 << 30 && e.stored == last && e.big_endian);
    pfs_source_close(s);
    close(fd);
}

static void beyond_4_gib(void **state)
{
    struct pfs_err err;
    struct pfs_extent e;
    struct made m = {.w = 4096, .h = 4096, .bits = 32, .samples = 1, .format = 3, .photometric = 1,
                     .description = "ImageJ=1.53t\nimages=100\nslices=100\n"};
    (void)state;
    int fd = memory_file();
    TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
    set_fields(t, &m);
    TIFFSetWarningHandler(NULL);
    float *zero = calloc((size_t)m.w * m.h, 4);
    assert_int_equal(TIFFWriteEncodedStrip(t, 0, zero, (tmsize_t)m.w * m.h * 4), (tmsize_t)m.w * m.h * 4);
    free(zero);
    TIFFClose(t);
    int64_t bytes = (int64_t)m.w * m.h * 4, last = 8 + 99 * bytes;
    /* the directory lies behind the first image: the second begins inside it, which is none of the reader's business */
    assert_int_equal(ftruncate(fd, 8 + 100 * bytes), 0);
    float one = 1.5f, got[4096];
    assert_int_equal(pwrite(fd, &one, 4, last + 5 * 4096 * 4 + 8), 4);
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 1, 100, 1);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, 99, 0}, &e, &err), 0);
    assert_true(e.raw == last && last > 6000000000);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 99, 0}, 5, 1, got, &err), 0);
    assert_true(got[2] == 1.5f && got[1] == 0);
    pfs_source_close(s);
    close(fd);
}

/* A page whose text was kept from a larger stack is a page; a stack that is cut off is an error. */
static void one_directory_cut(void **state)
{
    struct pfs_source *s;
    struct pfs_err err;
    (void)state;
    int fd = stack_of("wl", 1, "ImageJ=1.53t\nimages=50\nslices=50\n");
    s = open_ok(fd);
    check_shape(s, 0, 1, 1, 1);
    pfs_source_close(s);
    close(fd);
    fd = one_directory(50, 30, false, false);
    assert_int_equal(open_fd(fd, &s, &err), -EIO);
    assert_string_equal(err.text, "tiff: 50 images are promised, the file ends after 30");
    close(fd);
}

static void metamorph(void **state)
{
    struct pfs_source *s;
    struct pfs_err err;
    (void)state;
    int fd = one_directory(9, 9, false, true);
    put_image(fd, 1024 + 7 * W * H * 2, 3, false);
    s = open_ok(fd);
    check_shape(s, 0, 1, 9, 1);
    check_plane(s, (struct pfs_at){0, 7, 0}, 3);
    pfs_source_close(s);
    close(fd);
    fd = one_directory(9, 1, false, true);
    assert_int_equal(open_fd(fd, &s, &err), -EIO);
    close(fd);
}

/* NIH Image: the number of slices stands in its record. */
static void nih_image(void **state)
{
    const struct { uint16_t tag, type; uint32_t n, v; } nih = {43314, 7, 300, 600};
    const uint16_t slices[3] = {9, 1, 0xffff};
    (void)state;
    for (int i = 0; i < 3; i++) {
        int fd = one_directory(9, 9, false, true);
        assert_int_equal(pwrite(fd, &nih, sizeof nih, 10 + 12 * 10), (ssize_t)sizeof nih);
        assert_int_equal(pwrite(fd, &slices[i], 2, 600 + 260), 2);
        put_image(fd, 1024 + 7 * W * H * 2, 3, false);
        struct pfs_source *s = open_ok(fd);
        check_shape(s, 0, 1, i ? 1 : 9, 1);
        if (!i)
            check_plane(s, (struct pfs_at){0, 7, 0}, 3);
        pfs_source_close(s);
        close(fd);
    }
}

/* LSM: every second directory is a thumbnail. */
static void lsm(void **state)
{
    static const TIFFFieldInfo info[] = {{34412, -1, -1, TIFF_BYTE, FIELD_CUSTOM, 1, 1, (char *)"CZ_LSMINFO"}};
    uint8_t what[64] = {0};
    (void)state;
    int fd = memory_file();
    TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
    TIFFMergeFieldInfo(t, info, 1);
    for (int i = 0; i < 6; i++) {
        struct made m = page(i);
        m.bits = i % 2 ? 8 : 16;
        if (i == 0)
            TIFFSetField(t, 34412, 64, what);
        write_page(t, &m);
    }
    TIFFClose(t);
    struct pfs_source *s = open_ok(fd);
    assert_int_equal(s->n_series, 1);
    check_shape(s, 0, 1, 3, 1);
    assert_string_equal(s->series[0].format, "LSM");
    for (int z = 0; z < 3; z++)
        check_plane(s, (struct pfs_at){0, z, 0}, 2 * z);
    pfs_source_close(s);
    close(fd);
}

/* An SGI volume of three slices in two tiles of 32 x 16 x 2. */
static void volume(void **state)
{
    enum { TW = 32, TH = 16, TD = 2, AT = 512 };
    uint8_t f[AT + 2 * TW * TH * TD] = {0}, px[W * H];
    uint32_t where[2] = {AT, AT + TW * TH * TD}, sizes[2] = {TW * TH * TD, TW * TH * TD};
    struct { uint16_t tag, type; uint32_t n, v; } tags[] = {
        {256, 4, 1, W},  {257, 4, 1, H},   {258, 3, 1, 8},   {259, 3, 1, 1},   {262, 3, 1, 1},    {322, 4, 1, TW},
        {323, 4, 1, TH}, {324, 4, 2, 400}, {325, 4, 2, 408}, {32997, 4, 1, 3}, {32998, 4, 1, TD},
    };
    struct pfs_err err;
    (void)state;
    memcpy(f, "II*\0\10\0\0\0\13", 9);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        memcpy(f + 10 + 12 * i, &tags[i].tag, 2);
        memcpy(f + 12 + 12 * i, &tags[i].type, 2);
        memcpy(f + 14 + 12 * i, &tags[i].n, 4);
        memcpy(f + 18 + 12 * i, &tags[i].v, 4);
    }
    memcpy(f + 400, where, 8);
    memcpy(f + 408, sizes, 8);
    for (int z = 0; z < 4; z++)
        for (int y = 0; y < TH; y++)
            for (int x = 0; x < TW; x++)
                f[AT + (z * TH + y) * TW + x] = (uint8_t)(50 * z + 3 * y + x);
    int fd = file_of(f, sizeof f);
    struct pfs_source *s = open_ok(fd);
    check_shape(s, 0, 1, 3, 1);
    for (int z = 2; z >= 0; z--) {
        assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, z, 0}, 0, H, px, &err), 0);
        for (int i = 0; i < W * H; i++)
            assert_int_equal(px[i], (uint8_t)(50 * z + 3 * (i / W) + i % W));
    }
    pfs_source_close(s);
    close(fd);
}

static void shaped(void **state)
{
    static const struct { const char *text; int t, z, c; } cases[] = {
        {"{\"shape\": [2, 3, 4, 12, 20], \"axes\": \"TZCYX\"}", 2, 3, 4},
        {"{\"axes\": \"TZCYX\", \"shape\": [2, 3, 4, 12, 20]}", 2, 3, 4},
        {"{\"shape\": [24, 12, 20]}", 1, 24, 1},
        {"{\"shape\": [4, 6, 12, 20]}", 1, 4, 6},
        {"{\"shape\": [24, 12, 20], \"axes\": \"TYX\"}", 24, 1, 1},
        {"{\"shape\": [3, 8, 12, 20], \"axes\": \"CZYX\"}", 1, 8, 3},
        {"shape=(2, 12, 12, 20)", 1, 2, 12},
        {"{\"shape\": [2, 3, 5, 12, 20], \"axes\": \"TZCYX\"}", 1, 24, 1},
        {"{\"shape\": [24, 12, 21]}", 1, 24, 1},
        {"{\"shape\": [", 1, 24, 1},
        {"{\"shape\": [-1, 99999999999999999999999, 12, 20]}", 1, 24, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int fd = stack_of("wl", 24, cases[i].text);
        struct pfs_source *s = open_ok(fd);
        check_shape(s, 0, cases[i].t, cases[i].z, cases[i].c);
        if (i == 5)
            for (int k = 0; k < 24; k++)
                check_plane(s, (struct pfs_at){0, k % 8, k / 8}, k);
        else
            for (int k = 0; k < 24; k++)
                check_plane(s, pfs_at_of(&s->series[0].shape, k), k);
        pfs_source_close(s);
        close(fd);
    }
}

/* ---- calibration ---- */

static struct pfs_calibration calibration(const char *text, int unit, float x, float y)
{
    struct made m = page(0);
    m.description = text;
    int fd = memory_file();
    TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
    TIFFSetField(t, TIFFTAG_XRESOLUTION, x);
    TIFFSetField(t, TIFFTAG_YRESOLUTION, y);
    if (unit)
        TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, unit);
    write_page(t, &m);
    TIFFClose(t);
    struct pfs_source *s = open_ok(fd);
    struct pfs_calibration cal = s->series[0].shape.cal;
    pfs_source_close(s);
    close(fd);
    return cal;
}

static void check_voxel(struct pfs_calibration cal, double z, double y, double x, const char *unit)
{
    assert_string_equal(cal.unit, unit);
    assert_true(cal.voxel[0] == z);
    assert_true(fabs(cal.voxel[1] - y) <= 1e-6 * y);
    assert_true(fabs(cal.voxel[2] - x) <= 1e-6 * x);
}

static void calibrations(void **state)
{
    (void)state;
    check_voxel(calibration("ImageJ=1.5\nunit=micron\nspacing=-2\n", 1, 10, 4), 2, 0.25, 0.1, "um");
    check_voxel(calibration("ImageJ=1.5\nunit=\xc2\xb5m\n", 1, 10, 4), 0, 0.25, 0.1, "um");
    check_voxel(calibration("ImageJ=1.5\nunit=\xb5m\n", 1, 10, 4), 0, 0.25, 0.1, "um");
    check_voxel(calibration("ImageJ=1.5\nunit=\\u03BCm\n", 1, 10, 4), 0, 0.25, 0.1, "um");
    check_voxel(calibration("ImageJ=1.5\nunit=nm\n", 1, 0.125f, 0.125f), 0, 8, 8, "nm");
    check_voxel(calibration("ImageJ=1.5\nunit=a unit of more than sixteen letters\n", 1, 2, 2), 0, 0, 0, "");
    check_voxel(calibration(NULL, RESUNIT_CENTIMETER, 100000, 50000), 0, 0.2, 0.1, "um");
    check_voxel(calibration(NULL, RESUNIT_INCH, 25400, 25400), 0, 1, 1, "um");
    check_voxel(calibration(NULL, RESUNIT_INCH, 300, 300), 0, 0, 0, "");
    check_voxel(calibration(NULL, RESUNIT_NONE, 1, 1), 0, 0, 0, "");
    check_voxel(calibration("ImageJ=1.5\nunit=nm\nspacing=0.39999999999999974\n", 1, 1, 1), 0.4, 1, 1, "nm");
    assert_true(calibration("ImageJ=1.5\nfinterval=250\ntunit=ms\n", 1, 1, 1).interval == 0.25);
    assert_true(calibration("ImageJ=1.5\nmin=5\nmax=5\n", 1, 1, 1).range[1] == 0);
    assert_true(calibration("ImageJ=1.5\nmin=inf\nmax=5\n", 1, 1, 1).range[1] == 0);
}

/* A directory whose resolution is that fraction: the decimal that was meant. */
static void rationals(void **state)
{
    static const struct { uint32_t fraction[2]; double voxel; } cases[] = {
        {{65472062, 4294967295u}, 65.6}, {{4294967295u, 429496730}, 0.1}, {{15243, 1000000}, 65.6},
        {{2857142, 1000000}, 0.35},      {{1911899, 1000}, 0.00052304},   {{10623103, 1000000}, 0.09413445},
        {{1, 3}, 3},                     {{3, 1}, 1.0 / 3},               {{12345, 6789}, 6789.0 / 12345},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = page(0);
        m.description = "ImageJ=1.5\nunit=mm\n";
        int fd = memory_file();
        TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
        TIFFSetField(t, TIFFTAG_XRESOLUTION, 77.0);
        TIFFSetField(t, TIFFTAG_YRESOLUTION, 77.0);
        write_page(t, &m);
        TIFFClose(t);
        uint32_t at, where;
        uint16_t n, tag;
        assert_int_equal(pread(fd, &at, 4, 4), 4);
        assert_int_equal(pread(fd, &n, 2, at), 2);
        for (at += 2; n--; at += 12) {
            assert_int_equal(pread(fd, &tag, 2, at), 2);
            assert_int_equal(pread(fd, &where, 4, at + 8), 4);
            if (tag == TIFFTAG_XRESOLUTION || tag == TIFFTAG_YRESOLUTION)
                assert_int_equal(pwrite(fd, cases[i].fraction, 8, where), 8);
        }
        struct pfs_source *s = open_ok(fd);
        double voxel = s->series[0].shape.cal.voxel[2];
        if (fabs(voxel - cases[i].voxel) > 1e-11 * voxel || (i < 7 && voxel != cases[i].voxel))
            fail_msg("%u / %u is %.17g", cases[i].fraction[0], cases[i].fraction[1], voxel);
        pfs_source_close(s);
        close(fd);
    }
}

/* ImageJ writes the display range of signed samples with 32768 added. */
static void signed_range(void **state)
{
    struct made m = page(0);
    (void)state;
    m.format = SAMPLEFORMAT_INT;
    m.description = "ImageJ=1.53t\nmin=32668.0\nmax=33768.0\n";
    int fd = write_pages("wl", &m, 1);
    struct pfs_source *s = open_ok(fd);
    assert_true(s->series[0].shape.cal.range[0] == -100 && s->series[0].shape.cal.range[1] == 1000);
    pfs_source_close(s);
    close(fd);
    m.format = SAMPLEFORMAT_UINT;
    fd = write_pages("wl", &m, 1);
    s = open_ok(fd);
    assert_true(s->series[0].shape.cal.range[0] == 32668);
    pfs_source_close(s);
    close(fd);
}

/* Georeferencing is carried as it is, in little-endian order; tags of another type than GeoTIFF's are not. */
static void georeference(void **state)
{
    static const TIFFFieldInfo info[] = {
        {33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, (char *)"scale"},
        {33922, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, (char *)"tie of a wrong type"},
        {34735, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, (char *)"keys"},
        {34737, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, (char *)"text"},
        {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, (char *)"nodata"}};
    static const uint8_t want[] = "\x0e\x83\x0c\0\3\0\0\0" "\0\0\0\0\0\0\xe0\x3f" "\0\0\0\0\0\0\xe0\x3f"
        "\0\0\0\0\0\0\0\0" "\xaf\x87\3\0\4\0\0\0\1\0\1\0\0\0\0\4" "\xb1\x87\2\0\4\0\0\0WGS\0"
        "\x81\xa4\2\0\6\0\0\0-9999";
    const double scale[3] = {0.5, 0.5, 0};
    const uint16_t keys[4] = {1, 1, 0, 1024}, tie[2] = {1, 2};
    (void)state;
    for (int big = 0; big < 2; big++) {
        int fd = memory_file();
        struct made m = page(0);
        TIFFSetWarningHandler(NULL);
        TIFF *t = TIFFFdOpen(dup(fd), "made", big ? "wb" : "wl");
        TIFFMergeFieldInfo(t, info, 5);
        TIFFSetField(t, 33550, 3, scale);
        TIFFSetField(t, 33922, 2, tie);
        TIFFSetField(t, 34735, 4, keys);
        TIFFSetField(t, 34737, "WGS");
        TIFFSetField(t, 42113, "-9999");
        write_page(t, &m);
        TIFFClose(t);
        struct pfs_source *s = open_ok(fd);
        assert_int_equal(s->series[0].n_geo, sizeof want);
        assert_memory_equal(s->series[0].geo, want, sizeof want);
        assert_true(s->series[0].has_nodata && s->series[0].nodata == -9999);
        pfs_source_close(s);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_z), cmocka_unit_test(kinds_are_series), cmocka_unit_test(colour_pages),
        cmocka_unit_test(imagej_hyperstack), cmocka_unit_test(imagej_order), cmocka_unit_test(imagej_lies),
        cmocka_unit_test(many_images), cmocka_unit_test(beyond_4_gib), cmocka_unit_test(one_directory_cut),
        cmocka_unit_test(shaped), cmocka_unit_test(metamorph), cmocka_unit_test(nih_image),
        cmocka_unit_test(lsm), cmocka_unit_test(volume), cmocka_unit_test(calibrations),
        cmocka_unit_test(rationals), cmocka_unit_test(signed_range), cmocka_unit_test(georeference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
