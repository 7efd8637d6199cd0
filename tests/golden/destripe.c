/* Destripe against the reference results, in place and not, with one and more threads; its symmetries, masks, and what
 * it does with odd planes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"

extern const struct pfs_op pfs_op_destripe;

#define PREDICT "scales=3 details_len=31 bands_len=61:61:81 mask_len=5:9:13 "

static float *pixel(struct pfs_typed p, int64_t y, int64_t x)
{
    return (float *)p.px + y * (p.row / 4) + x;
}

static struct pfs_typed inverted(const char *file)
{
    struct pfs_typed raw = golden_read(file);
    if (!raw.px)
        return raw;
    struct pfs_typed in = copy_as(raw, PFS_F32);
    free(raw.px);
    for (int64_t i = 0; i < in.h * in.w; i++)
        ((float *)in.px)[i] = 65535 - ((float *)in.px)[i];
    return in;
}

static struct pfs_typed transposed(struct pfs_typed in)
{
    struct pfs_typed out = new_typed(PFS_F32, in.w, in.h);
    for (int64_t y = 0; y < in.h; y++)
        for (int64_t x = 0; x < in.w; x++)
            *pixel(out, x, y) = *pixel(in, y, x);
    return out;
}

static bool same(struct pfs_typed a, struct pfs_typed b)
{
    return a.h == b.h && a.w == b.w && !memcmp(a.px, b.px, (size_t)(a.h * a.row));
}

static struct pfs_typed run(const char *settings, struct pfs_typed in, const struct pfs_typed *mask, int threads)
{
    struct pfs_context cx = golden_context(threads);
    cx.mask = mask;
    return golden_run(&pfs_op_destripe, settings, &cx, in);
}

/* Two threads must give the bits of one, and working in place those of working aside; releases `in`. */
static void compare(const char *file, const char *settings, struct pfs_typed in, const struct pfs_typed *mask)
{
    struct pfs_context cx = golden_context(2);
    struct pfs_typed want = golden_read(file), out = run(settings, in, mask, 1);
    assert_true(want.px);
    golden_within(file, golden_difference(out, want), 0.15, 0.3, 6);
    cx.mask = mask;
    golden_run_in_place(&pfs_op_destripe, settings, &cx, in);
    assert_true(same(in, out));
    free(in.px);
    free(out.px);
    free(want.px);
}

static void test_reference(void **state)
{
    (void)state;
    struct pfs_typed raw = inverted("s_raw.tif"), mask = golden_read("s_mask.tif");
    assert_true(raw.px && mask.px);
    compare("s_destripe_predict_vertical.tif", PREDICT, copy_as(raw, PFS_F32), NULL);
    compare("s_destripe_predict_horizontal.tif", PREDICT "direction=horizontal", transposed(raw), NULL);
    compare("s_destripe_predict_nobeta_nolen.tif",
            PREDICT "adjust_beta=0 details_first=1.2 details_last=none details_len=0", copy_as(raw, PFS_F32), NULL);
    compare("s_destripe_limit.tif", "scales=4 details_len=31 method=limit bands_len=61 mask_len=0 thresh_mul=1",
            copy_as(raw, PFS_F32), NULL);
    compare("s_destripe_limit_mask.tif", "scales=2 details_len=31 method=limit bands_len=61 mask_len=7 thresh_mul=1",
            copy_as(raw, PFS_F32), NULL);
    compare("s_destripe_ratio.tif", "scales=2 details_len=0 details_first=2 details_last=1 details_middle=none "
            "adjust_beta=0 method=ratio bands_len=61 mask_len=5 weight=0.25 thresh_mul=1", copy_as(raw, PFS_F32), NULL);
    compare("s_destripe_predict_roi.tif", PREDICT, copy_as(raw, PFS_F32), &mask);
    free(raw.px);
    free(mask.px);
}

/* The preset on whole planes. */
static void test_preset(void **state)
{
    (void)state;
    struct pfs_typed g1 = inverted("g1_raw.tif"), g2 = inverted("g2_raw.tif");
    if (!g1.px || !g2.px) {
        print_message("    sample data absent: set PLANEFS_SHARED\n");
        skip();
    }
    compare("g1_destriped.tif", "", g1, NULL);
    compare("g2_destriped.tif", "", g2, NULL);
}

static const char *const methods[] = {"predict", "limit", "ratio", "nearest"};

/* Every method, with and without smoothed weights: stripes along x are those along y of the transposed plane, and a
 * pixel that is NaN, or infinite, is a pixel outside the mask. */
static void test_symmetries(void **state)
{
    (void)state;
    struct pfs_typed in = inverted("s_raw.tif"), holes = copy_as(in, PFS_F32), mask = new_typed(PFS_U8, in.h, in.w);
    memset(mask.px, 1, (size_t)(in.h * in.row / 4));
    for (int64_t i = 0; i < 9000; i++) {
        int64_t y = 40 + i / 90, x = 100 + i % 90;
        *pixel(holes, y, x) = i % 7 ? NAN : INFINITY;
        ((uint8_t *)mask.px)[y * mask.row + x] = 0;
    }
    for (int i = 0; i < 8; i++) {
        char text[2][128];
        for (int k = 0; k < 2; k++)
            snprintf(text[k], sizeof text[k], "direction=%s method=%s mask_len=%d scales=3 bands_len=31 thresh_mul=1",
                     k ? "horizontal" : "vertical", methods[i / 2], i % 2 * 9);
        struct pfs_typed a = run(text[0], in, NULL, 1), turned = transposed(in), b = run(text[1], turned, NULL, 2);
        struct pfs_typed back = transposed(b), c = run(text[0], in, &mask, 1), d = run(text[0], holes, NULL, 2);
        assert_true(same(a, back));
        assert_false(same(a, in));
        for (int64_t y = 0; y < in.h; y++)
            for (int64_t x = 0; x < in.w; x++) {
                bool inside = ((uint8_t *)mask.px)[y * mask.row + x];
                float masked = *pixel(c, y, x), hole = *pixel(d, y, x);
                assert_true(masked == (inside ? hole : *pixel(in, y, x)));
                if (!inside)
                    assert_memory_equal(pixel(holes, y, x), pixel(d, y, x), sizeof(float));
            }
        free(a.px);
        free(turned.px);
        free(b.px);
        free(back.px);
        free(c.px);
        free(d.px);
    }
    free(in.px);
    free(holes.px);
    free(mask.px);
}

/* A mask in which all pixels take part changes nothing; one in which none does returns the plane. */
static void test_masks(void **state)
{
    (void)state;
    struct pfs_typed in = inverted("s_raw.tif"), mask = new_typed(PFS_U8, in.h, in.w);
    memset(mask.px, 1, (size_t)(in.h * mask.row));
    struct pfs_typed a = run(PREDICT, in, NULL, 1), b = run(PREDICT, in, &mask, 1);
    memset(mask.px, 0, (size_t)(in.h * mask.row));
    struct pfs_typed c = run(PREDICT, in, &mask, 2), none = run("scales=0", in, NULL, 1);
    assert_true(same(a, b));
    assert_true(same(c, in) && same(none, in));
    for (int64_t i = 0; i < in.h * in.w; i++)
        ((float *)in.px)[i] = NAN;
    struct pfs_typed d = run(PREDICT "direction=horizontal", in, NULL, 2);
    assert_true(same(d, in));
    free(in.px);
    free(mask.px);
    free(a.px);
    free(b.px);
    free(c.px);
    free(d.px);
    free(none.px);
}

/* Any size, with kernels far longer than the plane; flat planes stay flat; results are finite. */
static void test_sizes(void **state)
{
    (void)state;
    static const int64_t sides[] = {1, 2, 3, 7, 64, 65, 200};
    for (int i = 0; i < 7 * 7 * 4; i++) {
        int64_t h = sides[i % 7], w = sides[i / 7 % 7];
        struct pfs_typed in = new_typed(PFS_F32, h, w), flat = new_typed(PFS_F32, h, w);
        char text[64];
        snprintf(text, sizeof text, "scales=%d method=%s", i % 3 ? 6 : 9, methods[i / 49]);
        for (int64_t k = 0; k < h * w; k++) {
            ((float *)in.px)[k] = (float)(k * 7919 % 1000);
            ((float *)flat.px)[k] = 1234;
        }
        struct pfs_typed a = run(text, in, NULL, 1), b = run(text, in, NULL, 3), c = run(text, flat, NULL, 1);
        assert_true(same(a, b) && same(c, flat));
        for (int64_t k = 0; k < h * w; k++)
            assert_true(isfinite(((float *)a.px)[k]));
        free(in.px);
        free(flat.px);
        free(a.px);
        free(b.px);
        free(c.px);
    }
}

/* Noise at a threshold near zero, where every other pixel is a component of its own; and values that overflow. */
static void test_hostile(void **state)
{
    (void)state;
    struct pfs_typed in = new_typed(PFS_F32, 300, 333);
    for (int64_t i = 0; i < in.h * in.w; i++)
        ((float *)in.px)[i] = (float)((uint64_t)i * 2654435761u % 65536);
    struct pfs_typed a = run("thresh_mul=1e-9", in, NULL, 1), b = run("thresh_mul=1e-9", in, NULL, 4);
    assert_true(same(a, b));
    for (int64_t i = 0; i < in.h * in.w; i += 3)
        ((float *)in.px)[i] = i % 2 ? 3e38f : -3e38f;
    for (int i = 0; i < 4; i++) {
        char text[64];
        snprintf(text, sizeof text, "method=%s scales=4", methods[i]);
        struct pfs_typed c = run(text, in, NULL, 2);
        assert_true(c.px);
        free(c.px);
    }
    free(in.px);
    free(a.px);
    free(b.px);
}

/* The stripes go, what is under them stays. */
static void test_effect(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pfs_typed in = new_typed(PFS_F32, 400, 300);
        char text[64];
        double before = 0, after = 0, mean = 0;
        snprintf(text, sizeof text, "method=%s bands_len=41", methods[i]);
        for (int64_t y = 0; y < in.h; y++)
            for (int64_t x = 0; x < in.w; x++)
                *pixel(in, y, x) = (float)(1000 + x * 37 % 11 * 10 + (y * 7919 + x * 104729) % 97);
        struct pfs_typed out = run(text, in, NULL, 2);
        for (int64_t x = 0; x < in.w; x++) {
            double sum[2] = {0};
            for (int64_t y = 0; y < in.h; y++) {
                sum[0] += (double)*pixel(in, y, x) / (double)in.h;
                sum[1] += (double)*pixel(out, y, x) / (double)in.h;
            }
            before += fabs(sum[0] - 1098) / (double)in.w;
            after += fabs(sum[1] - 1098) / (double)in.w;
            mean += sum[1] / (double)in.w;
        }
        print_message("    %s: columns off by %.2f before, %.2f after\n", methods[i], before, after);
        assert_true(after < before / 5 && fabs(mean - 1098) < 5);
        free(in.px);
        free(out.px);
    }
}

static void test_depends(void **state)
{
    (void)state;
    struct pfs_context cx = golden_context(1);
    struct pfs_err err = {0};
    uint8_t bytes[6] = {1, 0, 1, 1, 1, 1};
    struct pfs_typed mask = {PFS_U8, bytes, 3, 2, 3};
    PFS_AUTO_TEXT struct pfs_text none = {0}, a = {0}, b = {0};
    assert_int_equal(pfs_op_destripe.depends(NULL, &cx, &none, &err), 0);
    assert_int_equal(none.n, 0);
    cx.mask = &mask;
    assert_int_equal(pfs_op_destripe.depends(NULL, &cx, &a, &err), 0);
    bytes[5] = 0;
    assert_int_equal(pfs_op_destripe.depends(NULL, &cx, &b, &err), 0);
    assert_int_equal(a.n, strlen("mask=") + 32);
    assert_string_not_equal(a.s, b.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference), cmocka_unit_test(test_preset), cmocka_unit_test(test_symmetries),
        cmocka_unit_test(test_masks),     cmocka_unit_test(test_sizes),  cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_effect),    cmocka_unit_test(test_depends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
