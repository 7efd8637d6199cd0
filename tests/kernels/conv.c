/* Low pass and convolution against naive twins in double; thread counts and CPU levels against each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The same code without clones, under other names. */
#define PFS_NO_CLONES
#define pfs_mirror base_mirror
#define pfs_mirror_pad base_mirror_pad
#define pfs_lowpass_rows base_lowpass_rows
#define pfs_lowpass_row base_lowpass_row
#define pfs_lowpass_y base_lowpass_y
#define pfs_lowpass_x base_lowpass_x
#define pfs_lowpass base_lowpass
#define pfs_lowpass_scratch base_lowpass_scratch
#define pfs_conv_x base_conv_x
#define pfs_conv_y base_conv_y
#define pfs_conv_scratch base_conv_scratch
#define pfs_strided base_strided
#include "../../src/kernels/conv.c"
#undef pfs_lowpass
#undef pfs_lowpass_x
#undef pfs_lowpass_y
#undef pfs_conv_x
#undef pfs_conv_y
void pfs_lowpass_y(struct pfs_plane in, struct pfs_plane out, int64_t step, int threads);
void pfs_lowpass_x(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads);
void pfs_lowpass(struct pfs_plane in, struct pfs_plane out, int64_t step, float *scratch, int threads);
void pfs_conv_x(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, float *scratch, int threads);
void pfs_conv_y(struct pfs_plane in, struct pfs_plane out, const double *k, int64_t n, int threads);

#include "planes.h"

static void test_mirror(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 8; n++)
        for (int64_t i = -40; i < 40; i++)
            assert_int_equal(pfs_mirror(i, n), walk_mirror(i, n));
    assert_int_equal(pfs_mirror(-1, 10), 1);
    assert_int_equal(pfs_mirror(10, 10), 8);
}

static void test_strided(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 40; n++)
        for (int64_t step = 1; step < 50; step++) {
            uint64_t seen = 0;
            for (int64_t k = 0; k < n; k++) {
                int64_t y = pfs_strided(k, n, step);
                assert_in_range(y, 0, n - 1);
                seen |= 1ull << y;
                if (y >= step)
                    assert_int_equal(pfs_strided(k - 1, n, step), y - step);
            }
            assert_true(seen == (1ull << n) - 1);
        }
}

enum { ALONG_Y, ALONG_X, BOTH };

static void run_lowpass(int what, struct pfs_plane in, struct pfs_plane out, int64_t step, int threads, bool base)
{
    size_t bytes = (size_t)pfs_lowpass_scratch(in.w, step, threads) * sizeof(float);
    float *scratch = guarded(bytes);
    if (what == ALONG_Y)
        (base ? base_lowpass_y : pfs_lowpass_y)(in, out, step, threads);
    else
        (what == ALONG_X ? base ? base_lowpass_x : pfs_lowpass_x : base ? base_lowpass : pfs_lowpass)
            (in, out, step, scratch, threads);
    assert_true(guard_intact(scratch, bytes) && plane_intact(out));
    guarded_free(scratch);
}

static double *lowpass_twin(int what, struct pfs_plane in, int64_t step)
{
    double *k = twin_lowpass_taps(step), *a = twin_of(in);
    for (int axis = ALONG_Y; axis <= ALONG_X; axis++)
        if (what == axis || what == BOTH) {
            double *b = twin_conv(a, in.h, in.w, k, 6 * step + 1, 3 * step, axis == ALONG_Y);
            free(a);
            a = b;
        }
    free(k);
    return a;
}

static void lowpass_case(int what, int64_t h, int64_t w, int64_t step)
{
    struct pfs_plane in = plane_random(h, w, 0, 65535), one = plane_empty(h, w), many = plane_empty(h, w);
    struct pfs_plane base = plane_empty(h, w);
    double *twin = lowpass_twin(what, in, step);
    run_lowpass(what, in, one, step, 1, false);
    run_lowpass(what, in, many, step, 3, false);
    run_lowpass(what, in, base, step, 2, true);
    if (!(twin_error(one, twin) < 0.03))
        fail_msg("kind %d, %d x %d, step %d: off by %g", what, (int)h, (int)w, (int)step, twin_error(one, twin));
    assert_true(plane_same(one, many) && plane_same(one, base));
    free(twin);
    plane_free(in);
    plane_free(one);
    plane_free(many);
    plane_free(base);
}

static void test_lowpass(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++)
        lowpass_case((int)sample_int(0, 2), sample_side(), sample_side(), (int64_t)1 << sample_int(0, 6));
}

/* Whole numbers of up to 18 bits come out as the exact 64ths. */
static void test_lowpass_exact(void **state)
{
    (void)state;
    struct pfs_plane in = plane_empty(1, 100), out = plane_empty(1, 100);
    for (int x = 0; x < 100; x++)
        in.px[x] = (float)sample_int(0, 65535);
    double *twin = lowpass_twin(ALONG_X, in, 4);
    run_lowpass(ALONG_X, in, out, 4, 1, false);
    for (int x = 0; x < 100; x++)
        assert_true(out.px[x] == (float)twin[x]);
    free(twin);
    plane_free(in);
    plane_free(out);
}

static void conv_case(int64_t h, int64_t w, int64_t n)
{
    struct pfs_plane in = plane_random(h, w, -1000, 1000), out = plane_empty(h, w), many = plane_empty(h, w);
    struct pfs_plane base = plane_empty(h, w);
    double *k = malloc((size_t)n * sizeof *k), *a = twin_of(in);
    size_t bytes = (size_t)pfs_conv_scratch(w, n, 2) * sizeof(float);
    float *scratch = guarded(bytes);
    for (int64_t i = 0; i < n; i++)
        k[i] = sample_real(-1, 1);
    for (int along_y = 0; along_y < 2; along_y++) {
        double *twin = twin_conv(a, h, w, k, n, n / 2, along_y);
        if (along_y) {
            pfs_conv_y(in, out, k, n, 1);
            pfs_conv_y(in, many, k, n, 2);
            base_conv_y(in, base, k, n, 1);
        } else {
            pfs_conv_x(in, out, k, n, scratch, 1);
            pfs_conv_x(in, many, k, n, scratch, 2);
            base_conv_x(in, base, k, n, scratch, 1);
        }
        assert_true(twin_error(out, twin) < 1e-3 * (double)n);
        assert_true(plane_same(out, many) && plane_same(out, base));
        assert_true(plane_intact(out) && plane_intact(many) && guard_intact(scratch, bytes));
        free(twin);
    }
    free(k);
    free(a);
    guarded_free(scratch);
    plane_free(in);
    plane_free(out);
    plane_free(many);
    plane_free(base);
}

static void test_conv(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        conv_case(sample_side(), sample_side(), 2 * sample_int(0, 60) + 1);
    conv_case(3, 1200, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirror),  cmocka_unit_test(test_strided), cmocka_unit_test(test_lowpass),
        cmocka_unit_test(test_lowpass_exact), cmocka_unit_test(test_conv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
