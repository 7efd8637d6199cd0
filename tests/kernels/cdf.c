/* Normal cdf and logistic rows against libm in double, over their whole range and every row length's tail. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/kernels/cdf.h>
#include "sample.h"

#include <math.h>

enum { N = 1 << 16 };
static float x[N], y[N];

static double phi_twin(double v)
{
    return 0.5 * erfc(-v * M_SQRT1_2);
}

static void test_cdf_error(void **state)
{
    (void)state;
    for (double low = -12; low < 12; low += 0.25) {
        for (int i = 0; i < N; i++)
            x[i] = (float)(low + 0.25 * i / N);
        pfs_cdf_row(x, y, N);
        for (int i = 0; i < N; i++)
            if (!(fabs(y[i] - phi_twin(x[i])) <= 1e-7))
                fail_msg("Phi(%.9g) = %.9g, expected %.9g", (double)x[i], (double)y[i], phi_twin(x[i]));
    }
}

static void test_cdf_tail_and_specials(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++)
        x[i] = -5 + 5 * (float)i / N;
    pfs_cdf_row(x, y, N);
    for (int i = 0; i < N; i++)
        assert_true(fabs(y[i] / phi_twin(x[i]) - 1) < 2e-5);
    float special[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 3e38f, -3e38f, 1e-40f};
    pfs_cdf_row(special, special, 8);
    assert_true(isnan(special[0]));
    assert_true(special[1] == 1 && special[5] == 1);
    assert_true(special[2] >= 0 && special[2] < 1e-18f && special[6] == special[2]);
    assert_true(special[3] == 0.5f && special[4] == 0.5f && special[7] == 0.5f);
}

static void test_logistic_error(void **state)
{
    (void)state;
    for (int k = 0; k < 40; k++) {
        double gain = sample_real(-5e-6, 5e-6), offset = sample_real(-5, 5);
        for (int i = 0; i < N; i++)
            x[i] = (float)sample_real(-4e6, 4e6);
        pfs_logistic_row(x, gain, offset, y, N);
        for (int i = 0; i < N; i++) {
            double want = 1 / (1 + exp(gain * (double)x[i] + offset));
            if (!(fabs(y[i] - want) <= 1e-6))
                fail_msg("g(%.9g) = %.9g, expected %.9g", (double)x[i], (double)y[i], want);
        }
    }
    float special[] = {NAN, INFINITY, -INFINITY, 0};
    pfs_logistic_row(special, 1, 0, special, 4);
    assert_true(special[0] == 0 && special[1] >= 0 && special[1] < 1e-30f && special[2] == 1 && special[3] == 0.5f);
}

static void test_lengths_and_guards(void **state)
{
    (void)state;
    float all[80], twin[80];
    for (int i = 0; i < 80; i++)
        all[i] = (float)sample_real(-5, 5);
    pfs_cdf_row(all, twin, 80);
    for (int64_t n = 0; n <= 80; n++) {
        float *out = guarded((size_t)n * sizeof *out);
        pfs_cdf_row(all, out, n);
        assert_memory_equal(out, twin, (size_t)n * sizeof *out);
        pfs_logistic_row(all, 1, 0, out, n);
        assert_true(guard_intact(out, (size_t)n * sizeof *out));
        guarded_free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cdf_error),
        cmocka_unit_test(test_cdf_tail_and_specials),
        cmocka_unit_test(test_logistic_error),
        cmocka_unit_test(test_lengths_and_guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
