/* TIFF files that lie: loops, floods, sizes without pixels, truncation at every byte, bombs. Each is answered with an
 * errno and a reason, in bounded memory and time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

#include <sys/resource.h>
#include <time.h>

struct builder { uint8_t b[8192]; uint32_t n; };      /* a little-endian classic file by hand */

static void put(struct builder *f, const void *p, uint32_t n)
{
    assert_true(f->n + n <= sizeof f->b);
    memcpy(f->b + f->n, p, n);
    f->n += n;
}

static void put16(struct builder *f, uint32_t v)
{
    uint16_t v16 = (uint16_t)v;
    put(f, &v16, 2);
}

static void put32(struct builder *f, uint32_t v)
{
    put(f, &v, 4);
}

static void tag(struct builder *f, uint32_t number, uint32_t type, uint32_t n, uint32_t v)
{
    put16(f, number);
    put16(f, type);
    put32(f, n);
    put32(f, v);
}

static void header(struct builder *f, uint32_t first)
{
    f->n = 0;
    put(f, "II*\0", 4);
    put32(f, first);
}

/* A page of w x h bytes in one strip at `at`. */
static void page(struct builder *f, uint32_t w, uint32_t h, uint32_t compression, uint32_t at, uint32_t size,
                 uint32_t next)
{
    put16(f, 8);
    tag(f, 256, 4, 1, w);
    tag(f, 257, 4, 1, h);
    tag(f, 258, 3, 1, 8);
    tag(f, 259, 3, 1, compression);
    tag(f, 262, 3, 1, 1);
    tag(f, 273, 4, 1, at);
    tag(f, 278, 4, 1, h);
    tag(f, 279, 4, 1, size);
    put32(f, next);
}

enum { PAGE = 2 + 8 * 12 + 4 };

static void refused(const struct builder *f, int code, const char *words)
{
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    int fd = file_of(f->b, f->n);
    assert_int_equal(open_fd(fd, &s, &err), -code);
    assert_int_equal(err.code, code);
    assert_null(s);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    close(fd);
}

static void rows_refused(const struct builder *f, int64_t h, int code, const char *words)
{
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    int fd = file_of(f->b, f->n);
    if (open_fd(fd, &s, &err) < 0)
        fail_msg("open: %s", err.text);
    void *px = malloc((size_t)pfs_shape_plane_bytes(&s->series[0].shape));
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, h, px, &err), -code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
    free(px);
    pfs_source_close(s);
    close(fd);
}

static void headers(void **state)
{
    struct builder f;
    (void)state;
    header(&f, 0);
    refused(&f, EIO, "no directory");
    header(&f, 8000);
    refused(&f, EIO, "directory at offset 8000 lies outside the file (8 bytes)");
    header(&f, 8);
    put16(&f, 0);
    refused(&f, EIO, "is empty");
    header(&f, 8);
    put16(&f, 513);
    refused(&f, EFBIG, "513 tags");
    header(&f, 8);
    put16(&f, 12);
    refused(&f, EIO, "cut off");
    f.n = 0;
    put(&f, "II+\0\4\0\0\0\20\0\0\0\0\0\0\0", 16);
    refused(&f, EIO, "offsets of 4 bytes");
    f.n = 0;
    put(&f, "not a TIFF", 10);
    refused(&f, EOPNOTSUPP, "not an image planefs knows");
    f.n = 0;
    refused(&f, EOPNOTSUPP, "not an image planefs knows");
}

static void loops_end_the_chain(void **state)
{
    struct builder f;
    struct pfs_source *s;
    struct pfs_err err;
    (void)state;
    header(&f, 8);
    page(&f, 4, 4, 1, 400, 16, 8 + PAGE);
    page(&f, 4, 4, 1, 400, 16, 8 + 2 * PAGE);
    page(&f, 4, 4, 1, 400, 16, 8 + PAGE);
    f.n = 500;
    int fd = file_of(f.b, f.n);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->series[0].shape.z, 3);
    pfs_source_close(s);
    close(fd);
}

static void impossible_pages(void **state)
{
    struct builder f;
    (void)state;
    header(&f, 8);
    page(&f, 0, 4, 1, 200, 16, 0);
    refused(&f, EIO, "page 0 is 0 x 4 pixels");
    header(&f, 8);
    page(&f, (1 << 20) + 1, 1, 1, 200, 16, 0);
    refused(&f, EFBIG, "larger than 1048576 a side");
    header(&f, 8);
    page(&f, 1 << 20, 4096, 1, 200, 16, 0);
    refused(&f, EFBIG, "larger than 2 GiB");
    header(&f, 8);
    page(&f, 1 << 16, 1 << 14, 8, 200, 16, 0);
    refused(&f, EFBIG, "in a file of");
    header(&f, 8);
    page(&f, 4, 4, 1, 200, 16, 4000);
    refused(&f, EIO, "directory at offset 4000 lies outside");
    header(&f, 8);
    page(&f, 4, 4, 34712, 100, 16, 0);
    refused(&f, EOPNOTSUPP, "compression jpeg2000 is not supported");
    header(&f, 8);
    page(&f, 4, 4, 4711, 100, 16, 0);
    refused(&f, EOPNOTSUPP, "compression 4711 is not supported");
}

/* The limit itself is allowed. */
static void widest_page(void **state)
{
    struct builder f;
    struct pfs_source *s;
    struct pfs_err err;
    (void)state;
    header(&f, 8);
    page(&f, 1 << 20, 1, 1, 200, 1 << 20, 0);
    int fd = file_of(f.b, f.n);
    assert_int_equal(ftruncate(fd, 200 + (1 << 20)), 0);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    uint8_t *px = malloc(1 << 20);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, 1, px, &err), 0);
    free(px);
    pfs_source_close(s);
    close(fd);
}

static void complex_and_mixed(void **state)
{
    struct builder f;
    (void)state;
    header(&f, 8);
    put16(&f, 6);
    tag(&f, 256, 4, 1, 4);
    tag(&f, 257, 4, 1, 4);
    tag(&f, 258, 3, 1, 64);
    tag(&f, 273, 4, 1, 200);
    tag(&f, 279, 4, 1, 128);
    tag(&f, 339, 3, 1, 6);
    put32(&f, 0);
    refused(&f, EOPNOTSUPP, "complex");
    header(&f, 8);
    put16(&f, 6);
    tag(&f, 256, 4, 1, 4);
    tag(&f, 257, 4, 1, 4);
    tag(&f, 258, 3, 2, 8 | 16 << 16);
    tag(&f, 273, 4, 1, 200);
    tag(&f, 277, 3, 1, 2);
    tag(&f, 279, 4, 1, 128);
    put32(&f, 0);
    refused(&f, EOPNOTSUPP, "different depth");
}

static void strips_outside(void **state)
{
    struct builder f;
    (void)state;
    header(&f, 8);
    page(&f, 4, 4, 1, 4000, 16, 0);
    rows_refused(&f, 4, EIO, "strip 1 of 1 lies past the end of the file");
    header(&f, 8);
    page(&f, 4, 4, 1, 8 + PAGE - 10, 16, 0);
    rows_refused(&f, 4, EIO, "strip 1 of 1 lies past the end of the file");
    header(&f, 8);
    page(&f, 4, 4, 1, 0, 0, 0);
    rows_refused(&f, 4, EIO, "strip 1 of 1 was never written");
    header(&f, 8);
    page(&f, 4, 4, 5, 8, 4000, 0);
    rows_refused(&f, 4, EIO, "strip 1 of 1 lies past the end of the file");
    header(&f, 8);
    page(&f, 4, 4, 5, 20, 16, 0);
    rows_refused(&f, 4, EIO, "tiff: ");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss / 1024;
}

/* A million directories: refused at the limit. */
static void flood_of_pages(void **state)
{
    struct pfs_source *s;
    struct pfs_err err;
    uint32_t n = 66000;
    (void)state;
    uint8_t *b = calloc(n, PAGE);
    struct builder f;
    header(&f, 8);
    int fd = file_of(f.b, 8);
    for (uint32_t i = 0; i < n; i++) {
        f.n = 0;
        page(&f, 4, 4, 1, 8, 16, i + 1 < n ? 8 + (i + 1) * PAGE : 0);
        memcpy(b + (size_t)i * PAGE, f.b, PAGE);
    }
    assert_int_equal(pwrite(fd, b, (size_t)n * PAGE, 8), (ssize_t)n * PAGE);
    double start = now();
    assert_int_equal(open_fd(fd, &s, &err), -EFBIG);
    assert_non_null(strstr(err.text, "more than 65535 pages"));
    assert_true(now() - start < 5);
    memset(b + 65534 * (size_t)PAGE + PAGE - 4, 0, 4);      /* end at the limit */
    assert_int_equal(pwrite(fd, b, (size_t)n * PAGE, 8), (ssize_t)n * PAGE);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->series[0].shape.z, 65535);
    pfs_source_close(s);
    free(b);
    close(fd);
}

/* 500 private tags of a megabyte each, all the same megabyte: libtiff would read them all. */
static void flood_of_tags(void **state)
{
    struct pfs_source *s;
    struct pfs_err err;
    struct builder f;
    uint8_t px[16];
    (void)state;
    header(&f, 8);
    put16(&f, 508);
    tag(&f, 256, 4, 1, 4);
    tag(&f, 257, 4, 1, 4);
    tag(&f, 258, 3, 1, 8);
    tag(&f, 259, 3, 1, 8);
    tag(&f, 262, 3, 1, 1);
    tag(&f, 273, 4, 1, 7000);
    tag(&f, 278, 4, 1, 4);
    tag(&f, 279, 4, 1, 16);
    for (uint32_t i = 0; i < 500; i++)
        tag(&f, 60000 + i, 4, 250000, 8000);
    put32(&f, 0);
    int64_t before = peak_mib();
    int fd = file_of(f.b, f.n);
    assert_int_equal(ftruncate(fd, 1100000), 0);
    double start = now();
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, 4, px, &err), -EFBIG);
    assert_true(now() - start < 5);
    if (!getenv("ASAN_OPTIONS"))
        assert_true(peak_mib() - before < 200);
    pfs_source_close(s);
    close(fd);
}

/* 300 megapixels of nothing in a few hundred kilobytes of deflate, and in LZMA. */
static void bombs(void **state)
{
    static const int codecs[] = {COMPRESSION_LZMA, COMPRESSION_ZSTD};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pfs_source *s;
        struct pfs_err err;
        int fd = memory_file();
        TIFFSetWarningHandler(NULL);
        TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
        struct made m = {.w = 10000, .h = 30000, .bits = 8, .samples = 1, .format = 1, .photometric = 1,
                         .compression = codecs[i]};
        set_fields(t, &m);
        uint8_t *zero = calloc(m.w, m.h);
        assert_true(TIFFWriteEncodedStrip(t, 0, zero, (tmsize_t)m.w * m.h) > 0);
        TIFFClose(t);
        int r = open_fd(fd, &s, &err);
        if (r == 0) {
            r = s->driver->rows(s, 0, (struct pfs_at){0}, 0, m.h, zero, &err);
            pfs_source_close(s);
        }
        assert_int_equal(r, -EFBIG);
        free(zero);
        close(fd);
    }
}

/* Cut after every byte: an error or the right pixels, never others. */
static void truncation(void **state)
{
    static const int codecs[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS};
    (void)state;
    for (int k = 0; k < 4; k++) {
        struct made m = {.w = 23, .h = 17, .bits = 16, .samples = 1, .format = 1, .photometric = 1, .rows = 6,
                         .compression = codecs[k]};
        int fd = write_pages(k % 2 ? "wl" : "wb8", &m, 1), opened = 0;
        off_t size = lseek(fd, 0, SEEK_END);
        for (off_t n = size; n >= 0; n--) {
            struct pfs_source *s;
            struct pfs_err err = {0};
            uint16_t px[23 * 17];
            assert_int_equal(ftruncate(fd, n), 0);
            if (open_fd(fd, &s, &err) < 0) {
                assert_true(err.text[0]);
                continue;
            }
            opened++;
            if (s->driver->rows(s, 0, (struct pfs_at){0}, 0, 17, px, &err) == 0)
                check_rows(s, 0, (struct pfs_at){0}, &m, 0, 0, 17);
            else
                assert_true(err.text[0]);
            pfs_source_close(s);
        }
        assert_true(opened >= 1);
        close(fd);
    }
}

/* Every bit of the header and directory flipped: no crash, and an answer. */
static void flipped_bits(void **state)
{
    (void)state;
    struct made m = {.w = 23, .h = 17, .bits = 8, .samples = 3, .format = 1, .photometric = 2, .rows = 6,
                     .compression = COMPRESSION_LZW, .predictor = 2};
    int fd = write_pages("wl", &m, 1);
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *b = malloc((size_t)size);
    uint32_t ifd;
    assert_int_equal(pread(fd, b, (size_t)size, 0), size);
    memcpy(&ifd, b + 4, 4);
    for (off_t i = 0; i < size; i = i == 7 ? (off_t)ifd : i + 1)
        for (int bit = 0; bit < 8; bit++) {
            struct pfs_source *s;
            struct pfs_err err = {0};
            uint8_t x = b[i] ^ (uint8_t)(1 << bit);
            assert_int_equal(pwrite(fd, &x, 1, i), 1);
            if (open_fd(fd, &s, &err) == 0) {
                int64_t n = pfs_shape_plane_bytes(&s->series[0].shape);
                void *px = n < 1 << 26 ? malloc((size_t)n) : NULL;
                if (px && s->driver->rows(s, 0, (struct pfs_at){0}, 0, s->series[0].shape.y, px, &err) < 0)
                    assert_true(err.text[0]);
                free(px);
                pfs_source_close(s);
            } else {
                assert_true(err.text[0]);
            }
            assert_int_equal(pwrite(fd, &b[i], 1, i), 1);
        }
    free(b);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers), cmocka_unit_test(loops_end_the_chain), cmocka_unit_test(impossible_pages),
        cmocka_unit_test(widest_page), cmocka_unit_test(complex_and_mixed), cmocka_unit_test(strips_outside),
        cmocka_unit_test(flood_of_tags), cmocka_unit_test(flood_of_pages), cmocka_unit_test(bombs),
        cmocka_unit_test(truncation), cmocka_unit_test(flipped_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
