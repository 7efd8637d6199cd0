/* TIFF headers: sizes, places and alignment against a small reader of this file's own; rationals; descriptions.
 *
 * `tiff_header DIR` writes sample files into DIR instead, for the tests that open them with other programs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "files/imagej.h"
#include "files/tiff_header.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a reader ---- */

static uint64_t number(const struct pfs_text *f, bool be, uint64_t at, int n)
{
    uint64_t v = 0;
    assert_true(at + (uint64_t)n <= f->n);
    for (int i = 0; i < n; i++)
        v |= (uint64_t)(uint8_t)f->s[at + (uint64_t)i] << 8 * (be ? n - 1 - i : i);
    return v;
}

struct tag { int type; uint64_t count, value, at; };     /* at: of the value or offset field */

static bool find(const struct pfs_text *f, bool be, bool big, uint64_t ifd, int wanted, struct tag *ret)
{
    uint64_t n = number(f, be, ifd, big ? 8 : 2), step = big ? 20 : 12, last = 0;
    bool found = false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t e = ifd + (big ? 8 : 2) + i * step, tag = number(f, be, e, 2);
        assert_true(tag > last);                          /* ascending, none twice */
        last = tag;
        if ((int)tag != wanted)
            continue;
        int type = (int)number(f, be, e + 2, 2);
        uint64_t at = e + (big ? 12 : 8);
        *ret = (struct tag){type, number(f, be, e + 4, big ? 8 : 4),
                            number(f, be, at, type == 3 ? 2 : type == 16 || (big && type != 4) ? 8 : 4), at};
        found = true;
    }
    return found;
}

static uint64_t value(const struct pfs_text *f, bool be, bool big, uint64_t ifd, int wanted)
{
    struct tag t = {0};
    if (!find(f, be, big, ifd, wanted, &t))
        fail_msg("no tag %d", wanted);
    return t.value;
}

/* Check one header in full against its layout. */
static void check(const struct pfs_tiff *t)
{
    struct pfs_tiff_layout at;
    struct pfs_err err;
    PFS_AUTO_TEXT struct pfs_text f = {0};
    struct tag tag;
    assert_int_equal(pfs_tiff_header_layout(t, &at, &err), 0);
    assert_int_equal(pfs_tiff_header(t, &f, &err), 0);
    assert_int_equal(f.n, at.head);
    assert_int_equal(at.head % 4096, 0);
    assert_int_equal(at.size, at.head + t->n * at.plane);
    for (int64_t i = at.head - 4096; i < at.head; i++)
        assert_int_equal(f.s[i], 0);
    bool be = t->big_endian, big = at.big;
    assert_memory_equal(f.s, be ? "MM" : "II", 2);
    assert_int_equal(number(&f, be, 2, 2), big ? 43 : 42);
    uint64_t ifd = number(&f, be, big ? 8 : 4, big ? 8 : 4);
    for (int64_t i = 0; i < at.n_ifds; i++) {
        assert_true(ifd != 0 && ifd % 2 == 0);
        assert_int_equal(value(&f, be, big, ifd, 256), t->x);
        assert_int_equal(value(&f, be, big, ifd, 257), t->y);
        assert_int_equal(value(&f, be, big, ifd, 278), t->y);
        assert_int_equal(value(&f, be, big, ifd, 258), 8 * pfs_type_size(t->type));
        assert_int_equal(value(&f, be, big, ifd, 259), 1);
        assert_int_equal(value(&f, be, big, ifd, 262), 1);
        assert_int_equal(value(&f, be, big, ifd, 277), 1);
        assert_int_equal(value(&f, be, big, ifd, 273), at.head + i * at.plane);
        assert_int_equal(value(&f, be, big, ifd, 279), at.plane);
        assert_int_equal(value(&f, be, big, ifd, 339),
                         pfs_type_is_float(t->type) ? 3 : pfs_type_is_signed(t->type) ? 2 : 1);
        assert_false(find(&f, be, big, ifd, 274, &tag));
        assert_true(find(&f, be, big, ifd, 273, &tag));
        assert_int_equal(tag.type, big ? 16 : 4);
        assert_int_equal(find(&f, be, big, ifd, 270, &tag), i == 0 && t->description && *t->description);
        if (i == 0 && t->description && *t->description) {
            assert_int_equal(tag.count, strlen(t->description) + 1);
            assert_string_equal(f.s + tag.value, t->description);
        }
        if (find(&f, be, big, ifd, 282, &tag)) {
            uint64_t where = big ? tag.at : tag.value;
            double per_unit = (double)number(&f, be, where, 4) / (double)number(&f, be, where + 4, 4);
            assert_true(fabs(1 / per_unit - t->pixel[1]) <= 1e-6 * t->pixel[1]);
            find(&f, be, big, ifd, 283, &tag);
            where = big ? tag.at : tag.value;
            per_unit = (double)number(&f, be, where, 4) / (double)number(&f, be, where + 4, 4);
            assert_true(fabs(1 / per_unit - t->pixel[0]) <= 1e-6 * t->pixel[0]);
            assert_int_equal(value(&f, be, big, ifd, 296), 1);
        } else
            assert_true(t->pixel[0] < 1e-9 || t->pixel[1] < 1e-9);
        ifd = number(&f, be, ifd + (big ? 8 : 2) + number(&f, be, ifd, big ? 8 : 2) * (big ? 20 : 12), big ? 8 : 4);
    }
    assert_int_equal(ifd, 0);
}

static const enum pfs_type all_types[] = {PFS_U8, PFS_U16, PFS_U32, PFS_U64, PFS_I8, PFS_I16, PFS_I32, PFS_I64,
                                          PFS_F32, PFS_F64};
enum { N_TYPES = sizeof all_types / sizeof *all_types };

static void every_type_and_order(void **state)
{
    (void)state;
    char text[9000];
    for (int i = 0; i < N_TYPES; i++)
        for (int bits = 0; bits < 8; bits++)
            for (int length = 0; length < 9; length++) {
                memset(text, 'x', sizeof text);
                text[length < 8 ? length : 8999] = 0;      /* short, empty and longer than a page */
                check(&(struct pfs_tiff){.n = bits & 4 ? 5 : 1, .y = 3, .x = 70000, .type = all_types[i],
                                         .big_endian = bits & 1, .big = bits & 2, .description = text,
                                         .pixel = {0.0656, length & 1 ? 0.1 : 0}});
            }
    check(&(struct pfs_tiff){.n = 1, .y = 1, .x = 1, .type = PFS_U8});
    check(&(struct pfs_tiff){.n = 11260, .y = 9000, .x = 13750, .type = PFS_U16, .big = true, .pixel = {8, 8}});
    check(&(struct pfs_tiff){.n = 11260, .y = 100, .x = 100, .type = PFS_U16, .big_endian = true, .pixel = {1e-12, 8}});
}

static struct pfs_tiff_layout layout(int64_t n, int64_t y, int64_t x, bool big, int expected)
{
    struct pfs_tiff t = {.n = n, .y = y, .x = x, .type = PFS_U8, .description = "d", .big = big};
    struct pfs_tiff_layout at;
    struct pfs_err err;
    int r = pfs_tiff_header_layout(&t, &at, &err);
    if (r != expected)
        fail_msg("%lld x %lld x %lld: %d, not %d", (long long)n, (long long)y, (long long)x, r, expected);
    return at;
}

/* Which form a file takes around 4 GiB, and what cannot be written at all. */
static void forms(void **state)
{
    (void)state;
    const int64_t gib4 = (int64_t)1 << 32;
    struct pfs_tiff_layout a = layout(2, 1, (gib4 - 8192) / 2, false, 0);
    assert_true(a.size == gib4 && !a.big && a.n_ifds == 2);
    a = layout(2, 1, (gib4 - 8192) / 2 + 1, false, 0);
    assert_true(a.size == gib4 + 2 && !a.big && a.n_ifds == 1);
    a = layout(1, 1, gib4 - 1, false, 0);
    assert_true(!a.big && a.n_ifds == 1 && a.plane == gib4 - 1);
    a = layout(3, 65536, 65536, false, 0);                 /* one plane of exactly 4 GiB */
    assert_true(a.big && a.n_ifds == 3);
    a = layout(11260, 9000, 13750, false, 0);
    assert_true(!a.big && a.n_ifds == 1 && a.head == 8192);
    a = layout(11260, 9000, 13750, true, 0);
    assert_true(a.big && a.n_ifds == 11260);
    a = layout(PFS_TIFF_MAX_IFDS, 1, 1, false, 0);
    assert_int_equal(a.n_ifds, PFS_TIFF_MAX_IFDS);
    a = layout(PFS_TIFF_MAX_IFDS + 1, 1, 1, false, 0);
    assert_int_equal(a.n_ifds, 1);
    layout(PFS_TIFF_MAX_IFDS + 1, 1, 1, true, -EFBIG);
    layout(1, gib4, 1, false, -EFBIG);
    layout(1, 1, gib4, true, -EFBIG);
    layout(INT64_MAX / 2, 2, 2, false, -EFBIG);
    layout(INT64_MAX, 1, 1, false, -EFBIG);                /* the header tips it over */
    layout(0, 1, 1, false, -EIO);
    layout(1, 0, 1, false, -EIO);
    layout(1, 1, -1, false, -EIO);
    struct pfs_tiff none = {.n = 1, .y = 1, .x = 1, .type = PFS_NONE};
    assert_int_equal(pfs_tiff_header_layout(&none, &a, NULL), -EIO);
}

static void rationals(void **state)
{
    (void)state;
    static const struct { double v; uint32_t num, den; } exact[] = {
        {1, 1, 1}, {0.1, 1, 10}, {65.6, 328, 5}, {0.0656, 41, 625}, {0.3, 3, 10}, {1e9, 1000000000, 1},
        {1e-9, 1, 1000000000}, {0.004, 1, 250}, {1.0 / 3, 1, 3}, {2147483647, 2147483647, 1}
    };
    uint32_t num, den;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        assert_true(pfs_tiff_rational(exact[i].v, &num, &den));
        assert_int_equal(num, exact[i].num);
        assert_int_equal(den, exact[i].den);
    }
    static const double no[] = {0, -1, NAN, INFINITY, 1e-12, 1e12, 4e-320, 1.7e308};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(pfs_tiff_rational(no[i], &num, &den));
    uint32_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        double v = exp(((double)seed / UINT32_MAX - 0.5) * 20);
        assert_true(pfs_tiff_rational(v, &num, &den));
        assert_true(num <= INT32_MAX && den <= INT32_MAX && den > 0);
        assert_true(fabs((double)num / den - v) <= 1e-9 * v);
    }
}

static void described(const struct pfs_shape *s, const char *recipe, const char *expected)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_imagej_describe(&t, s, recipe);
    assert_string_equal(t.s, expected);
}

static void descriptions(void **state)
{
    (void)state;
    struct pfs_shape s = {.t = 1, .z = 1, .c = 1, .y = 4, .x = 5, .type = PFS_U16};
    described(&s, "source", "ImageJ=1.53t\nplanefs=0.1.0 source");
    s.cal = (struct pfs_calibration){{0.16, 0.0656, 0.0656}, "\xc2\xb5m", 30, {50, 1579}};
    described(&s, "invert/1",
              "ImageJ=1.53t\nunit=um\nspacing=0.16\nfinterval=30\nmin=50\nmax=1579\nplanefs=0.1.0 invert/1");
    s.type = PFS_I16;
    s.t = 4, s.z = 8, s.c = 3;
    s.cal.range[0] = -100;
    described(&s, "a\nb\\u00zz\xff", "ImageJ=1.53t\nimages=96\nchannels=3\nslices=8\nframes=4\nhyperstack=true\n"
              "mode=grayscale\nunit=um\nspacing=0.16\nfinterval=30\nmin=32668\nmax=34347\nplanefs=0.1.0 a?b?u00zz?");
    s = (struct pfs_shape){.t = 1, .z = 7, .c = 1, .y = 4, .x = 5, .type = PFS_F32,
                           .cal = {{NAN, 2, 3}, "\xc3\x85\"=\n\\", -1, {NAN, 1}}};
    described(&s, "source", "ImageJ=1.53t\nimages=7\nslices=7\nhyperstack=true\nunit=\\u00c5\\\"=\\u000a\\\\\n"
              "planefs=0.1.0 source");
    s.cal = (struct pfs_calibration){{0.3, 0, 0.1}, "um", 0, {3, 3}};      /* half a calibration is none */
    described(&s, "source", "ImageJ=1.53t\nimages=7\nslices=7\nhyperstack=true\nplanefs=0.1.0 source");
    s.cal = (struct pfs_calibration){{0, 1, 1}, "", 0, {-INFINITY, INFINITY}};
    described(&s, "source", "ImageJ=1.53t\nimages=7\nslices=7\nhyperstack=true\nplanefs=0.1.0 source");
}

/* ---- samples ---- */

static void put(FILE *f, const void *native, size_t n, bool be)
{
    const uint8_t *p = native;
    for (size_t i = 0; i < n; i++)
        fputc(p[be ? n - 1 - i : i], f);
}

/* The pixels: (1000 plane + 31 y + 7 x) mod 251, less 100 in signed types, a quarter more in floats. */
static void sample(FILE *f, enum pfs_type type, bool be, int64_t plane, int64_t y, int64_t x)
{
    int64_t i = (1000 * plane + 31 * y + 7 * x) % 251;
    if (type != PFS_F32 && type != PFS_F64 && pfs_type_is_signed(type))
        i -= type == PFS_I8 ? 125 : 100;
    float f32 = (float)i + 0.25f;
    double f64 = (double)i + 0.25;
    const void *native = type == PFS_F32 ? (void *)&f32 : type == PFS_F64 ? (void *)&f64 : (void *)&i;
    put(f, native, pfs_type_size(type), be);     /* the low bytes of i come first on this machine */
}

/* A file with its header only; the pixels are the caller's. */
static FILE *begin_sample(const char *path, const struct pfs_shape *s, bool be, bool big)
{
    PFS_AUTO_TEXT struct pfs_text description = {0}, head = {0};
    struct pfs_err err;
    pfs_imagej_describe(&description, s, "source");
    struct pfs_tiff t = {pfs_shape_planes(s), s->y, s->x, s->type, be, big, description.s,
                         {s->cal.voxel[1], s->cal.voxel[2]}};
    FILE *f = pfs_tiff_header(&t, &head, &err) ? NULL : fopen(path, "wb");
    if (!f)
        perror(path);
    else
        fwrite(head.s, 1, head.n, f);
    return f;
}

static int write_sample(const char *folder, const struct pfs_shape *s, bool be, bool big)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s_%s_%lldx%lldx%lld%s.tif", folder, pfs_type_name(s->type), be ? "be" : "le",
             (long long)s->t, (long long)s->z, (long long)s->c, big ? "_big" : "");
    FILE *f = begin_sample(path, s, be, big);
    if (!f)
        return 1;
    for (int64_t i = 0; i < pfs_shape_planes(s); i++)
        for (int64_t y = 0; y < s->y; y++)
            for (int64_t x = 0; x < s->x; x++)
                sample(f, s->type, be, i, y, x);
    return fclose(f) != 0;
}

/* 6 planes, 5 GiB and more, almost all of it a hole: only the last pixel is not zero. */
static int write_huge(const char *folder, bool big)
{
    const struct pfs_shape s = {.t = 2, .z = 3, .c = 1, .y = 30000, .x = 30000, .type = PFS_U8};
    char path[4096];
    snprintf(path, sizeof path, "%s/huge%s.tif", folder, big ? "_big" : "");
    FILE *f = begin_sample(path, &s, false, big);
    if (!f)
        return 1;
    fseeko(f, 6 * 30000L * 30000 - 1, SEEK_CUR);
    fputc(77, f);
    return fclose(f) != 0;
}

static int write_samples(const char *folder)
{
    static const int64_t dims[][3] = {{1, 1, 1}, {2, 3, 2}, {1, 5, 1}};
    for (int i = 0; i < N_TYPES; i++)
        for (int d = 0; d < 3; d++)
            for (int bits = 0; bits < 4; bits++) {
                struct pfs_shape s = {.t = dims[d][0], .z = dims[d][1], .c = dims[d][2], .y = 13, .x = 37,
                                      .type = all_types[i],
                                      .cal = {{0.3, 0.0656, 0.1}, "\xc2\xb5m", 5, {10, 200}}};
                if (write_sample(folder, &s, bits & 1, bits & 2))
                    return 1;
            }
    return write_huge(folder, false) || write_huge(folder, true);
}

int main(int n, char **arg)
{
    if (n > 1)
        return write_samples(arg[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_order), cmocka_unit_test(forms), cmocka_unit_test(rationals),
        cmocka_unit_test(descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
