/* The same bits at every level of vectors: kernels as the library has them (this machine's best) against the same
 * sources compiled here without clones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define PFS_NO_CLONES
#define pfs_cdf_row plain_cdf_row
#define pfs_logistic_row plain_logistic_row
#define pfs_covariance plain_covariance
#define pfs_covariance_scratch plain_covariance_scratch
#define pfs_covariance_push plain_covariance_push
#define pfs_denoise_finest plain_denoise_finest
#define pfs_denoise_finest_scratch plain_denoise_finest_scratch
#define pfs_subtract_polynomial_row plain_subtract_polynomial_row
#define pfs_invert_row plain_invert_row
#define pfs_reverse_row plain_reverse_row
#include "kernels/cdf.c"
#include "kernels/covariance.c"
#include "kernels/denoise.c"
#include "kernels/pixelwise.c"
#undef pfs_cdf_row
#undef pfs_logistic_row
#undef pfs_denoise_finest
#undef pfs_subtract_polynomial_row

#include "sample.h"

/* The library's; the headers were read under the other names. */
void pfs_cdf_row(const float *x, float *out, int64_t n);
void pfs_logistic_row(const float *v, double gain, double offset, float *out, int64_t n);
void pfs_denoise_finest(struct pfs_plane in, struct pfs_plane out, const struct pfs_finest *f, struct pfs_plane low,
                        struct pfs_plane noise, float *scratch, int threads);
void pfs_subtract_polynomial_row(const float *in, float *out, int64_t n, const double *c, int degree, double first,
                                 double step);

enum { H = 300, W = 333 };
static float in[H * W], a[H * W], b[H * W];

static void fill(double low, double high)
{
    for (int i = 0; i < H * W; i++)
        in[i] = (float)sample_real(low, high);
}

static void test_curves(void **state)
{
    (void)state;
    fill(-7, 7);
    pfs_cdf_row(in, a, H * W);
    plain_cdf_row(in, b, H * W);
    assert_memory_equal(a, b, sizeof a);
    fill(-4e6, 4e6);
    pfs_logistic_row(in, 3.4e-6, -1.1, a, H * W);
    plain_logistic_row(in, 3.4e-6, -1.1, b, H * W);
    assert_memory_equal(a, b, sizeof a);
}

static void test_polynomial(void **state)
{
    (void)state;
    static const double c[] = {20000.5, -3777.1, 2900.7, -811.3, 55, 7};
    fill(0, 65535);
    for (int degree = 0; degree < 6; degree++) {
        pfs_subtract_polynomial_row(in, a, H * W, c, degree, 77, 1.0 / 99999);
        plain_subtract_polynomial_row(in, b, H * W, c, degree, 77, 1.0 / 99999);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void test_denoise(void **state)
{
    (void)state;
    struct pfs_plane none = {0};
    for (int split = 0; split < 2; split++) {
        struct pfs_finest f = {split, true, 7, {{3.4e-6, -1.1}, {4.1e-6, 4.4}}};
        float *scratch = aligned_alloc(64, (size_t)(plain_denoise_finest_scratch(H, W, &f, 2) + 16) / 16 * 64);
        fill(26000, 30000);
        struct pfs_plane from = {in, W, H, W}, fast = {a, W, H, W}, plain = {b, W, H, W};
        pfs_denoise_finest(from, fast, &f, none, none, scratch, 2);
        plain_denoise_finest(from, plain, &f, none, none, scratch, 1);
        assert_memory_equal(a, b, sizeof a);
        free(scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves),
        cmocka_unit_test(test_polynomial),
        cmocka_unit_test(test_denoise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
