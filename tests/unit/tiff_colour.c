/* Colour that libtiff converts: JPEG, YCbCr, CIELab, LogLuv. The oracle is libtiff's own RGBA interface (for JPEG its
 * RGB scanlines), called in the plain way on the same file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

enum { W = 64, H = 48 };

static uint8_t smooth_sample(uint32_t x, uint32_t y, int s)
{
    return (uint8_t)(128 + 60 * sin(x * 0.1 + s) + 50 * cos(y * 0.13 * (s + 1)));
}

static TIFF *begin(int fd, const char *mode, int compression, int photometric)
{
    TIFFSetWarningHandler(NULL);
    TIFF *t = TIFFFdOpen(dup(fd), "made", mode);
    assert_non_null(t);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(t, TIFFTAG_COMPRESSION, compression);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 16);
    return t;
}

static void write_rgb(TIFF *t)
{
    uint8_t row[W * 3];
    for (uint32_t y = 0; y < H; y++) {
        for (uint32_t i = 0; i < W * 3; i++)
            row[i] = smooth_sample(i / 3, y, (int)(i % 3));
        assert_int_equal(TIFFWriteScanline(t, row, y, 0), 1);
    }
    TIFFClose(t);
}

/* The pixels as an ordinary program gets them from libtiff. */
static void oracle(int fd, uint32_t *rgba)
{
    lseek(fd, 0, SEEK_SET);
    TIFF *t = TIFFFdOpen(dup(fd), "made", "r");
    assert_non_null(t);
    assert_int_equal(TIFFReadRGBAImageOriented(t, W, H, rgba, ORIENTATION_TOPLEFT, 1), 1);
    TIFFClose(t);
}

static void check(int fd, int channels)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    uint32_t rgba[W * H];
    uint8_t px[W * H];
    oracle(fd, rgba);
    if (open_fd(fd, &s, &err) < 0)
        fail_msg("open: %s", err.text);
    assert_int_equal(s->series[0].shape.c, channels);
    assert_int_equal(s->series[0].shape.type, PFS_U8);
    for (int c = 0; c < channels; c++)
        for (int from = 0; from < H; from += 13) {
            int n = H - from < 13 ? H - from : 13;
            if (s->driver->rows(s, 0, (struct pfs_at){0, 0, c}, from, n, px, &err) < 0)
                fail_msg("rows: %s", err.text);
            for (int i = 0; i < n * W; i++)
                assert_int_equal(px[i], rgba[from * W + i] >> (8 * c) & 255);
        }
    pfs_source_close(s);
    close(fd);
}

static void jpeg_ycbcr(void **state)
{
    (void)state;
    for (int sub = 1; sub <= 2; sub++) {
        int fd = memory_file();
        TIFF *t = begin(fd, sub == 1 ? "wl" : "wb8", COMPRESSION_JPEG, PHOTOMETRIC_YCBCR);
        TIFFSetField(t, TIFFTAG_YCBCRSUBSAMPLING, sub, sub);
        TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        write_rgb(t);
        check(fd, 3);
    }
}

static void jpeg_rgb(void **state)
{
    (void)state;
    int fd = memory_file();
    write_rgb(begin(fd, "wl", COMPRESSION_JPEG, PHOTOMETRIC_RGB));
    check(fd, 3);
}

/* YCbCr without JPEG: 2 x 2 luminances and one pair of colours a clump, two rows of pixels at once. */
static void plain_ycbcr(void **state)
{
    static const int codecs[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE};
    (void)state;
    for (int k = 0; k < 3; k++) {
        int fd = memory_file();
        TIFF *t = begin(fd, "wl", codecs[k], PHOTOMETRIC_YCBCR);
        float black_white[6] = {0, 255, 128, 255, 128, 255};
        TIFFSetField(t, TIFFTAG_YCBCRSUBSAMPLING, 2, 2);
        TIFFSetField(t, TIFFTAG_REFERENCEBLACKWHITE, black_white);
        uint8_t strip[W / 2 * 8 * 6];
        for (uint32_t b = 0; b < H / 16; b++) {
            for (uint32_t i = 0; i < sizeof strip; i++)
                strip[i] = smooth_sample(i / 6 % (W / 2), 8 * b + i / 6 / (W / 2), (int)(i % 6));
            assert_int_equal(TIFFWriteEncodedStrip(t, b, strip, sizeof strip), sizeof strip);
        }
        TIFFClose(t);
        check(fd, 3);
    }
}

static void cielab(void **state)
{
    (void)state;
    int fd = memory_file();
    TIFF *t = begin(fd, "wl", COMPRESSION_LZW, PHOTOMETRIC_CIELAB);
    write_rgb(t);
    check(fd, 3);
}

static void logluv(void **state)
{
    (void)state;
    int fd = memory_file();
    TIFF *t = begin(fd, "wl", COMPRESSION_SGILOG, PHOTOMETRIC_LOGLUV);
    TIFFSetField(t, TIFFTAG_SGILOGDATAFMT, SGILOGDATAFMT_FLOAT);
    float row[W * 3];
    for (uint32_t y = 0; y < H; y++) {
        for (uint32_t i = 0; i < W * 3; i++)
            row[i] = smooth_sample(i / 3, y, (int)(i % 3)) / 255.0f;
        assert_int_equal(TIFFWriteScanline(t, row, y, 0), 1);
    }
    TIFFClose(t);
    check(fd, 3);
}

/* A JPEG strip that is cut short would come out grey: it is an error. */
static void jpeg_cut_short(void **state)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    uint8_t px[W * H];
    uint64_t *counts, *offsets;
    (void)state;
    int fd = memory_file();
    TIFF *t = begin(fd, "wl", COMPRESSION_JPEG, PHOTOMETRIC_RGB);
    write_rgb(t);
    lseek(fd, 0, SEEK_SET);
    t = TIFFFdOpen(dup(fd), "made", "r+");
    TIFFGetField(t, TIFFTAG_STRIPBYTECOUNTS, &counts);
    TIFFGetField(t, TIFFTAG_STRIPOFFSETS, &offsets);
    int64_t half = (int64_t)(offsets[1] + counts[1] / 2);
    uint8_t end[2] = {0xff, 0xd9};
    TIFFClose(t);
    assert_int_equal(pwrite(fd, end, 2, half), 2);
    assert_int_equal(open_fd(fd, &s, &err), 0);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 0, H, px, &err), -EIO);
    assert_non_null(strstr(err.text, "premature end"));
    pfs_source_close(s);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpeg_ycbcr), cmocka_unit_test(jpeg_rgb), cmocka_unit_test(plain_ycbcr),
        cmocka_unit_test(cielab),     cmocka_unit_test(logluv),   cmocka_unit_test(jpeg_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
