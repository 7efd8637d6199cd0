/* Mid-range and local covariance in sliding windows against their naive twins in double. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/kernels/covariance.h>
#include <planefs/kernels/minmax.h>
#include "sample.h"

#include <math.h>

/* A padded image of h + n - 1 rows of w + n - 1 pixels. */
struct image { int64_t n, h, w, row; float *px; };

static struct image image(int64_t n, int64_t h, int64_t w, double low, double high)
{
    struct image a = {n, h, w, w + n - 1, NULL};
    a.px = malloc((size_t)((h + n - 1) * a.row) * sizeof *a.px);
    for (int64_t i = 0; i < (h + n - 1) * a.row; i++)
        a.px[i] = (float)sample_real(low, high);
    return a;
}

static float midrange_twin(struct image a, int64_t y, int64_t x)
{
    float low = a.px[y * a.row + x], high = low;
    for (int64_t j = 0; j < a.n; j++)
        for (int64_t i = 0; i < a.n; i++) {
            low = fminf(low, a.px[(y + j) * a.row + x + i]);
            high = fmaxf(high, a.px[(y + j) * a.row + x + i]);
        }
    return (low + high) * 0.5f;
}

static void midrange_case(int64_t n, int64_t h, int64_t w)
{
    struct image a = image(n, h, w, -1e5, 1e5);
    size_t scratch_bytes = (size_t)pfs_midrange_scratch(n, w) * sizeof(float), bytes = (size_t)w * sizeof(float);
    float *scratch = guarded(scratch_bytes), *out = guarded(bytes);
    struct pfs_midrange m = pfs_midrange(n, w, scratch);
    for (int64_t j = 0; j < h + n - 1; j++) {
        assert_int_equal(pfs_midrange_push(&m, a.px + j * a.row, out), j >= n - 1);
        for (int64_t x = 0; j >= n - 1 && x < w; x++)
            if (out[x] != midrange_twin(a, j - n + 1, x))
                fail_msg("n %d, %d x %d: wrong at row %d, column %d", (int)n, (int)h, (int)w, (int)(j - n + 1), (int)x);
    }
    assert_true(guard_intact(scratch, scratch_bytes) && guard_intact(out, bytes));
    guarded_free(scratch);
    guarded_free(out);
    free(a.px);
}

static void test_midrange(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 21; n += 2)
        for (int k = 0; k < 6; k++)
            midrange_case(n, sample_int(1, 40), sample_int(1, 70));
}

static double covariance_twin(struct image a, struct image b, int64_t y, int64_t x)
{
    double sa = 0, sb = 0, sab = 0, m = (double)(a.n * a.n);
    for (int64_t j = 0; j < a.n; j++)
        for (int64_t i = 0; i < a.n; i++) {
            double u = a.px[(y + j) * a.row + x + i], v = b.px[(y + j) * a.row + x + i];
            sa += u;
            sb += v;
            sab += u * v;
        }
    return sab / m - sa / m * (sb / m);
}

static void covariance_rows(struct image a, struct image b, float *out)
{
    size_t scratch_bytes = (size_t)pfs_covariance_scratch(a.n, a.w) * sizeof(double);
    size_t bytes = (size_t)a.w * sizeof(float);
    double *scratch = guarded(scratch_bytes);
    float *row = guarded(bytes);
    struct pfs_covariance c = pfs_covariance(a.n, a.w, scratch);
    for (int64_t j = 0; j < a.h + a.n - 1; j++) {
        assert_int_equal(pfs_covariance_push(&c, a.px + j * a.row, b.px + j * a.row, row), j >= a.n - 1);
        if (j >= a.n - 1)
            memcpy(out + (j - a.n + 1) * a.w, row, bytes);
    }
    assert_true(guard_intact(scratch, scratch_bytes) && guard_intact(row, bytes));
    guarded_free(scratch);
    guarded_free(row);
}

static void covariance_case(int64_t n, int64_t h, int64_t w)
{
    struct image a = image(n, h, w, -3000, 3000), b = image(n, h, w, 25000, 31000);
    float *out = malloc((size_t)(h * w) * sizeof *out);
    covariance_rows(a, b, out);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double want = covariance_twin(a, b, y, x);
            if (!(fabs(out[y * w + x] - want) <= 1e-3 + 1e-7 * fabs(want)))
                fail_msg("n %d: %.9g, expected %.9g", (int)n, (double)out[y * w + x], want);
        }
    free(out);
    free(a.px);
    free(b.px);
}

static void test_covariance(void **state)
{
    (void)state;
    for (int64_t n = 3; n <= 25; n += 2)
        for (int k = 0; k < 5; k++)
            covariance_case(n, sample_int(1, 40), sample_int(1, 60));
    covariance_case(97, 12, 30);
}

/* A NaN or an absurd value spoils the windows that hold it and not a bit of any other. */
static void test_covariance_is_local(void **state)
{
    (void)state;
    static const float odd[] = {NAN, INFINITY, 3e38f, -1e30f};
    enum { M = 7, H = 40, W = 50 };
    struct image a = image(M, H, W, -100, 100), b = image(M, H, W, 0, 30000);
    static float clean[H * W], dirty[H * W];
    covariance_rows(a, b, clean);
    for (int k = 0; k < 4; k++) {
        int64_t y = sample_int(0, H + M - 2), x = sample_int(0, W + M - 2);
        float was = a.px[y * a.row + x];
        a.px[y * a.row + x] = odd[k];
        covariance_rows(a, b, dirty);
        a.px[y * a.row + x] = was;
        for (int64_t j = 0; j < H; j++)
            for (int64_t i = 0; i < W; i++)
                if (y < j || y >= j + M || x < i || x >= i + M)
                    assert_memory_equal(&clean[j * W + i], &dirty[j * W + i], sizeof(float));
    }
    free(a.px);
    free(b.px);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_midrange),
        cmocka_unit_test(test_covariance),
        cmocka_unit_test(test_covariance_is_local),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
