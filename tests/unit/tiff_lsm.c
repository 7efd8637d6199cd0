/* LSM files made by hand: axes, voxel size, time and names of their block; offsets that start over beyond 4 GiB. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

enum { W = 8, H = 4, PLANE = W * H * 2, BLOCK_AT = 4096, NAMES_AT = 8192, VALUES_AT = 16384, DIR_AT = 65536, DIR = 256 };
#define GIB ((int64_t)1 << 30)

static void put(int fd, int64_t at, const void *p, size_t n)
{
    assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
}

static void put_u32(int fd, int64_t at, uint32_t v)
{
    put(fd, at, &v, 4);
}

static void put_real(int fd, int64_t at, double v)
{
    put(fd, at, &v, 8);
}

struct entry { uint16_t tag, type; uint32_t n, v; };

/* Directory k: two samples of 16 bits in planes of their own, at two offsets; a thumbnail is smaller. */
static void put_page(int fd, int k, int n, const int64_t at[2], int compression)
{
    bool thumb = k % 2;
    uint32_t w = thumb ? 4 : W, h = thumb ? 2 : H;
    const struct entry e[] = {
        {254, 4, 1, thumb}, {256, 4, 1, w}, {257, 4, 1, h}, {258, 3, 2, 16 | 16u << 16},
        {259, 3, 1, (uint32_t)compression}, {262, 3, 1, 1}, {273, 4, 2, (uint32_t)(VALUES_AT + 16 * k)}, {277, 3, 1, 2},
        {279, 4, 2, (uint32_t)(VALUES_AT + 16 * k + 8)}, {284, 3, 1, 2}, {34412, 1, 200, BLOCK_AT},
    };
    uint16_t count = sizeof e / sizeof *e;
    put(fd, DIR_AT + k * DIR, &count, 2);
    put(fd, DIR_AT + k * DIR + 2, e, sizeof e);
    put_u32(fd, DIR_AT + k * DIR + 2 + (int64_t)sizeof e, k + 1 < n ? (uint32_t)(DIR_AT + (k + 1) * DIR) : 0);
    for (int s = 0; s < 2; s++) {
        put_u32(fd, VALUES_AT + 16 * k + 4 * s, (uint32_t)at[s]);         /* the upper half is lost */
        put_u32(fd, VALUES_AT + 16 * k + 8 + 4 * s, w * h * 2);
        for (uint16_t i = 0; i < w * h; i++) {
            uint16_t v = (uint16_t)(k * 1000 + s * 500 + i);
            put(fd, at[s] + 2 * i, &v, 2);
        }
    }
}

static void put_block(int fd, uint32_t z, uint32_t t)
{
    static const char names[] = "\4\0\0\0Ch1\0\6\0\0\0ChS-2\0";
    put_u32(fd, BLOCK_AT, 0x0400494c);
    put_u32(fd, BLOCK_AT + 8, W);
    put_u32(fd, BLOCK_AT + 12, H);
    put_u32(fd, BLOCK_AT + 16, z);
    put_u32(fd, BLOCK_AT + 20, 2);
    put_u32(fd, BLOCK_AT + 24, t);
    put_real(fd, BLOCK_AT + 40, 1.0378e-7);
    put_real(fd, BLOCK_AT + 48, 1.0378e-7);
    put_real(fd, BLOCK_AT + 56, 5e-7);
    put_u32(fd, BLOCK_AT + 108, NAMES_AT);
    put_real(fd, BLOCK_AT + 112, 2.5);
    put_u32(fd, NAMES_AT, 24 + sizeof names - 1);
    put_u32(fd, NAMES_AT + 4, 2);
    put_u32(fd, NAMES_AT + 8, 2);
    put_u32(fd, NAMES_AT + 12, 24);
    put_u32(fd, NAMES_AT + 16, 24);
    put(fd, NAMES_AT + 24, names, sizeof names - 1);
}

/* n pages and their thumbnails, a plane every `step` bytes. */
static int make(int n, uint32_t z, uint32_t t, int64_t step, int compression)
{
    int fd = memory_file();
    int64_t at = 1 << 20;
    put(fd, 0, "II*\0", 4);
    put_u32(fd, 4, DIR_AT);
    put_block(fd, z, t);
    for (int k = 0; k < 2 * n; k++) {
        put_page(fd, k, 2 * n, (int64_t[2]){at, at + step / 2}, compression);
        at += step;
    }
    return fd;
}

static void check_plane(struct pfs_source *s, struct pfs_at at, int page)
{
    uint16_t px[W * H];
    struct pfs_err err = {0};
    if (s->driver->rows(s, 0, at, 0, H, px, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(px[i], 2 * page * 1000 + at.c * 500 + i);
}

static void axes(void **state)
{
    (void)state;
    int fd = make(6, 3, 2, 4096, 1);
    struct pfs_source *s;
    assert_int_equal(open_fd(fd, &s, NULL), 0);
    const struct pfs_shape *h = &s->series[0].shape;
    assert_int_equal(s->n_series, 1);
    assert_true(h->t == 2 && h->z == 3 && h->c == 2 && h->y == H && h->x == W && h->type == PFS_U16);
    assert_true(h->cal.voxel[0] == 0.5 && h->cal.voxel[1] == 0.10378 && h->cal.voxel[2] == 0.10378);
    assert_string_equal(h->cal.unit, "um");
    assert_true(h->cal.interval == 2.5);
    assert_string_equal(s->series[0].band_name[0], "Ch1");
    assert_string_equal(s->series[0].band_name[1], "ChS-2");
    for (int i = 0; i < 12; i++)
        check_plane(s, (struct pfs_at){i / 6, i / 2 % 3, i % 2}, i / 2);
    pfs_source_close(s);
    close(fd);
}

/* Numbers that do not agree with the pages: pages are Z. */
static void lies(void **state)
{
    (void)state;
    int fd = make(5, 3, 2, 4096, 1);
    struct pfs_source *s;
    assert_int_equal(open_fd(fd, &s, NULL), 0);
    assert_true(s->series[0].shape.z == 5 && s->series[0].shape.t == 1);
    pfs_source_close(s);
    put_u32(fd, NAMES_AT + 24, 0xffffffff);
    put_u32(fd, BLOCK_AT + 16, 0xffffffff);
    put_real(fd, BLOCK_AT + 40, NAN);
    assert_int_equal(open_fd(fd, &s, NULL), 0);
    assert_true(s->series[0].shape.z == 5 && s->series[0].shape.cal.voxel[2] == 0);
    assert_null(s->series[0].band_name[0]);
    pfs_source_close(s);
    close(fd);
}

static void beyond_4_gib(void **state)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    struct pfs_extent e;
    (void)state;
    int fd = make(10, 10, 1, GIB / 2 + 4096, 1);        /* 20 steps: the offsets start over twice */
    assert_int_equal(open_fd(fd, &s, NULL), 0);
    for (int z = 0; z < 10; z++)
        for (int c = 0; c < 2; c++) {
            check_plane(s, (struct pfs_at){0, z, c}, z);
            assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, z, c}, &e, &err), 0);
            assert_true(e.raw == (1 << 20) + (2 * z) * (GIB / 2 + 4096) + c * (GIB / 2 + 4096) / 2);
        }
    pfs_source_close(s);
    close(fd);
    fd = make(10, 10, 1, GIB / 2 + 4096, 5);
    assert_int_equal(open_fd(fd, &s, &err), -EOPNOTSUPP);
    assert_string_equal(err.text, "tiff: compressed LSM files beyond 4 GiB are not supported");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(axes), cmocka_unit_test(lies), cmocka_unit_test(beyond_4_gib)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
