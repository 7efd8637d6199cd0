/* The TIFF driver on what libtiff writes: depths, formats, byte orders, strips, tiles, planar configurations and
 * compressions, read as a whole and in parts, and what it says of where planes lie. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

static const char *const modes[] = {"wl", "wb", "wl8", "wb8"};

static void check_raw(int fd, struct pfs_source *s, struct pfs_at at, const struct made *m, int sample)
{
    struct pfs_extent e;
    struct pfs_err err;
    const struct pfs_shape *shape = &s->series[0].shape;
    assert_int_equal(s->driver->extent(s, 0, at, &e, &err), 0);
    bool native = m->bits == 8 * (int)pfs_type_size(shape->type) && (m->samples == 1 || m->separate) &&
                  m->compression <= 1 && (!m->tile_w || m->tile_w == m->w);
    assert_int_equal(e.raw >= 0, native);
    assert_true(e.stored > 0 && e.stored_size > 0 && e.codec);
    if (e.raw < 0)
        return;
    size_t n = (size_t)pfs_shape_plane_bytes(shape), size = pfs_type_size(shape->type);
    uint8_t *px = malloc(n);
    assert_int_equal(pread(fd, px, n, e.raw), (ssize_t)n);
    for (size_t i = 0; i < n && e.big_endian; i += size)
        for (size_t a = 0; a < size / 2; a++) {
            uint8_t b = px[i + a];
            px[i + a] = px[i + size - 1 - a];
            px[i + size - 1 - a] = b;
        }
    for (uint32_t y = 0; y < m->h; y++)
        for (uint32_t x = 0; x < m->w; x++)
            assert_true(sample_is(m, shape->type, px, (int64_t)y * m->w + x, sample_bits(m, x, y, sample)));
    free(px);
}

static void check_page(const char *mode, const struct made *m)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    int fd = write_pages(mode, m, 1);
    if (open_fd(fd, &s, &err) < 0)
        fail_msg("%d bits, format %d: %s", m->bits, m->format, err.text);
    const struct pfs_shape *shape = &s->series[0].shape;
    assert_int_equal(s->n_series, 1);
    assert_int_equal(shape->type, type_to_come(m));
    assert_int_equal(shape->c, m->samples);
    assert_int_equal(shape->z, 1);
    assert_int_equal(shape->y, m->h);
    assert_int_equal(shape->x, m->w);
    assert_int_equal(s->series[0].bits, m->bits);
    for (int c = 0; c < m->samples; c++) {
        struct pfs_at at = {0, 0, c};
        check_rows(s, 0, at, m, c, 0, m->h);
        check_rows(s, 0, at, m, c, m->h - 1, 1);
        check_rows(s, 0, at, m, c, 3, m->h / 2);
        check_rows(s, 0, at, m, c, m->h / 3, 1);
        check_raw(fd, s, at, m, c);
    }
    pfs_source_close(s);
    close(fd);
}

static void uncompressed_depths(void **state)
{
    static const int depths[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
                                 14, 15, 16, 17, 20, 23, 24, 25, 31, 32, 48, 63, 64};
    (void)state;
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (int v = 0; v < 16; v++) {
            struct made m = {.w = 37, .h = 29, .bits = depths[i], .samples = v & 1 ? 3 : 1, .format = v & 2 ? 2 : 1,
                             .photometric = 1, .separate = v & 4, .seed = (uint32_t)v};
            if (v & 8)
                m.tile_w = m.tile_h = 16;
            else
                m.rows = v & 1 ? 29 : 5;
            check_page(modes[(i + (size_t)v) % 4], &m);
        }
}

static void floats(void **state)
{
    static const int depths[] = {16, 24, 32, 64};
    (void)state;
    for (int i = 0; i < 4; i++)
        for (int v = 0; v < 8; v++) {
            struct made m = {.w = 41, .h = 23, .bits = depths[i], .samples = v & 1 ? 2 : 1, .format = 3,
                             .photometric = 1, .separate = v & 2, .rows = 4, .seed = 7};
            check_page(modes[v / 2], &m);
            m.compression = COMPRESSION_ADOBE_DEFLATE;
            m.predictor = v & 4 ? 3 : 1;
            /* libtiff 4.5 writes wrong samples in a foreign byte order with this predictor */
            check_page(v & 4 ? modes[v & 2] : modes[v / 2], &m);
        }
}

static void compressions(void **state)
{
    static const int codecs[] = {COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE, COMPRESSION_PACKBITS,
                                 COMPRESSION_LZMA, COMPRESSION_ZSTD};
    static const int depths[] = {1, 4, 8, 12, 16, 24, 32, 64};
    (void)state;
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        for (int d = 0; d < 8; d++)
            for (int v = 0; v < 16; v++) {
                struct made m = {.w = 50, .h = 33, .bits = depths[d], .samples = v & 1 ? 3 : 1, .format = 1 + (v & 1),
                                 .photometric = 1, .compression = codecs[i], .separate = v & 2, .seed = 3};
                bool predicts = codecs[i] != COMPRESSION_PACKBITS && depths[d] % 8 == 0 && depths[d] != 24;
                m.predictor = predicts ? 1 + (v >> 2 & 1) : 0;
                m.tile_w = v & 8 ? 32 : 0;
                m.tile_h = 16;
                m.rows = v & 2 ? 7 : 33;
                if (TIFFIsCODECConfigured((uint16_t)codecs[i]))
                    check_page(modes[v % 4], &m);
            }
}

static void fax(void **state)
{
    static const int codecs[] = {COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4};
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int white = 0; white < 2; white++) {
            struct made m = {.w = 70, .h = 40, .bits = 1, .samples = 1, .format = 1, .compression = codecs[i],
                             .photometric = white ? PHOTOMETRIC_MINISWHITE : PHOTOMETRIC_MINISBLACK, .rows = 16};
            check_page("wl", &m);
        }
}

/* A tile as wide as the page is a strip by another name. */
static void wide_tiles_are_raw(void **state)
{
    (void)state;
    struct made m = {
        .w = 64, .h = 50, .bits = 16, .samples = 1, .format = 1, .photometric = 1, .tile_w = 64, .tile_h = 16};
    check_page("wb", &m);
}

static void palette_and_white(void **state)
{
    (void)state;
    struct made white = {.w = 30, .h = 20, .bits = 8, .samples = 1, .format = 1, .photometric = PHOTOMETRIC_MINISWHITE};
    check_page("wl", &white);
    struct made cmyk = {.w = 30, .h = 20, .bits = 8, .samples = 4, .format = 1, .photometric = PHOTOMETRIC_SEPARATED,
                        .compression = COMPRESSION_LZW};
    check_page("wl", &cmyk);
}

/* Strips that lie about in the file, in any order, still make the plane; it is not raw then. */
static void scattered_strips(void **state)
{
    uint32_t offset[4], header[] = {0x2a4949, 8}, w = 8, h = 8;
    uint8_t file[1024] = {0}, *p;
    struct pfs_source *s;
    struct pfs_err err;
    struct pfs_extent e;
    uint8_t px[64];
    (void)state;
    memcpy(file, header, 8);
    struct { uint16_t tag, type; uint32_t n, v; } tags[] = {
        {256, 4, 1, w}, {257, 4, 1, h},   {258, 3, 1, 8}, {259, 3, 1, 1},
        {262, 3, 1, 1}, {273, 4, 4, 300}, {278, 4, 1, 2}, {279, 4, 4, 320},
    };
    file[8] = 8;
    for (int i = 0; i < 8; i++) {
        p = file + 10 + 12 * i;
        memcpy(p, &tags[i].tag, 2);
        memcpy(p + 2, &tags[i].type, 2);
        memcpy(p + 4, &tags[i].n, 4);
        memcpy(p + 8, &tags[i].v, 4);
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t size = 16;
        offset[i] = 700 - 50 * i;
        memcpy(file + 300 + 4 * i, &offset[i], 4);
        memcpy(file + 320 + 4 * i, &size, 4);
        for (uint32_t k = 0; k < 16; k++)
            file[offset[i] + k] = (uint8_t)(16 * i + k);
    }
    int fd = file_of(file, sizeof file);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, 8, px, &err), 0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(px[i], i);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0}, &e, &err), 0);
    assert_int_equal(e.raw, -1);
    assert_int_equal(e.stored, 550);
    assert_int_equal(e.stored_size, 166);
    pfs_source_close(s);
    close(fd);
}

static struct pfs_extent extent_of(const char *mode, const struct made *m)
{
    struct pfs_source *s;
    struct pfs_err err;
    struct pfs_extent e;
    int fd = write_pages(mode, m, 1);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0}, &e, &err), 0);
    pfs_source_close(s);
    close(fd);
    return e;
}

/* Equal stored bytes that decode to different pixels must not share a fingerprint; equal pixels elsewhere must. */
static void fingerprints(void **state)
{
    (void)state;
    struct made m = {.w = 32, .h = 32, .bits = 8, .samples = 1, .format = 1, .photometric = 1, .compression = 8};
    uint64_t plain = extent_of("wl", &m).codec;
    m.description = "pushes everything to other offsets";
    assert_true(extent_of("wl", &m).codec == plain);
    m.predictor = 2;
    assert_true(extent_of("wl", &m).codec != plain);
    m.predictor = 0;
    m.photometric = 0;
    assert_true(extent_of("wl", &m).codec != plain);
    m.photometric = 1;
    m.w = 16, m.h = 64;
    assert_true(extent_of("wl", &m).codec != plain);
    /* raw: neither strips nor descriptions matter, byte order does */
    struct made r = {.w = 32, .h = 32, .bits = 16, .samples = 1, .format = 1, .photometric = 1};
    uint64_t raw = extent_of("wl", &r).codec;
    r.rows = 5;
    assert_true(extent_of("wl", &r).codec == raw);
    assert_true(extent_of("wl8", &r).codec == raw);
    assert_true(extent_of("wb", &r).codec != raw);
    r.format = 2;
    assert_true(extent_of("wl", &r).codec != raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncompressed_depths), cmocka_unit_test(floats), cmocka_unit_test(compressions),
        cmocka_unit_test(fax), cmocka_unit_test(wide_tiles_are_raw), cmocka_unit_test(palette_and_white),
        cmocka_unit_test(scattered_strips), cmocka_unit_test(fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
