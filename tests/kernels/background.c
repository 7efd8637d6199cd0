/* The background operator against its definition, what it puts into keys, and every way tables can fail it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/kernels/pixelwise.h>
#include <planefs/ops.h>
#include "sample.h"

#include <errno.h>
#include <math.h>

extern const struct pfs_op pfs_op_background;

static float offsets[] = {100, 22000.5f, NAN, 300};
static double coefficients[] = {500, -2500.25, 800, -40, 12.5, 1e9, 77};
static int exponents[][3] = {{3, 0, 0}, {1, 2, 1}, {0, 0, 2}, {0, 3, 0}, {2, 1, 1}, {0, 0, 0}, {1, 0, 0}};

static struct pfs_tables tables(void)
{
    return (struct pfs_tables){4, offsets, 7, coefficients, exponents};
}

static double coordinate(int64_t i, int64_t n)
{
    return n > 1 ? (double)i / (double)(n - 1) : 0;
}

static double twin(const struct pfs_tables *t, const struct pfs_context *cx, int64_t y, int64_t x)
{
    double s = t->offset ? (double)t->offset[cx->z] : 0, zn = coordinate(cx->z, cx->full[0]);
    double yn = coordinate(cx->y0 + y, cx->full[1]), xn = coordinate(cx->x0 + x, cx->full[2]);
    for (int i = 0; i < t->n_terms; i++) {
        const int *e = t->exponent[i];
        if (e[0] || e[1] || e[2])
            s += t->coefficient[i] * pow(xn, e[0]) * pow(yn, e[1]) * pow(zn, e[2]);
    }
    return s;
}

static void *params(const char *offset, const char *polynomial)
{
    struct pfs_err err;
    void *p = calloc(1, pfs_op_background.params_size);
    assert_int_equal(pfs_params_default(&pfs_op_background, PFS_U16, p), 0);
    assert_int_equal(pfs_params_set(&pfs_op_background, p, "offsets", offset, &err), 0);
    assert_int_equal(pfs_params_set(&pfs_op_background, p, "polynomial", polynomial, &err), 0);
    return p;
}

static void one_case(const struct pfs_tables *t, int64_t h, int64_t w, int64_t row)
{
    struct pfs_context cx = {.full = {sample_int(1, 4), h + sample_int(0, 500), w + sample_int(0, 500)}, .z = 1,
                             .y0 = sample_int(0, 90), .x0 = sample_int(0, 90), .tables = t, .threads = 2};
    struct pfs_err err;
    size_t n = (size_t)(h * row);
    float *in = malloc(n * sizeof *in), *out = guarded(n * sizeof *out);
    void *p = params("1", "1");
    for (size_t i = 0; i < n; i++)
        in[i] = sample_int(0, 30) ? (float)sample_real(0, 65535) : NAN;
    struct pfs_typed a = {PFS_F32, in, row * 4, h, w}, b = {PFS_F32, out, row * 4, h, w};
    assert_int_equal(pfs_op_background.plane(p, NULL, &cx, &a, 1, b, &err), 0);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double want = (double)in[y * row + x] - twin(t, &cx, y, x), got = (double)out[y * row + x];
            if (isnan(want) != isnan(got) || fabs(want - got) > 1e-7 * fabs(want) + 1e-6)
                fail_msg("%.9g at %d, %d, expected %.9g", got, (int)y, (int)x, want);
        }
    assert_true(guard_intact(out, n * sizeof *out));
    assert_int_equal(pfs_op_background.plane(p, NULL, &cx, &a, 1, a, &err), 0);
    for (int64_t y = 0; y < h; y++)
        assert_memory_equal(in + y * row, out + y * row, (size_t)w * sizeof *in);
    free(in);
    free(p);
    guarded_free(out);
}

static void test_definition(void **state)
{
    (void)state;
    struct pfs_tables all = tables(), no_offset = all, no_model = all, steep = all;
    int powers[7][3] = {{9, 0, 0}, {1, 7, 1}, {0, 0, 2}, {0, 3, 0}, {2, 1, 1}, {0, 0, 0}, {1, 0, 0}};
    no_offset.offset = NULL;
    no_offset.n_offset = 0;
    no_model.n_terms = 0;
    steep.exponent = powers;
    for (int k = 0; k < 10; k++) {
        int64_t h = sample_int(1, 40), w = sample_int(1, 90);
        one_case(&all, h, w, w + 3);
        one_case(&no_offset, h, w, w);
        one_case(&no_model, h, w, w);
        one_case(&steep, h, w, w);
    }
    one_case(&all, 1, 1, 1);
}

/* Rows of every degree, long enough for several parts, against Horner in double. */
static void test_polynomial_row(void **state)
{
    (void)state;
    enum { N = (1 << 20) + 77 };
    float *in = malloc(N * sizeof *in), *out = guarded(N * sizeof *out);
    double c[12];
    for (int degree = 0; degree < 12; degree++) {
        for (int k = 0; k <= degree; k++)
            c[k] = sample_real(-1000, 1000);
        for (int i = 0; i < N; i++)
            in[i] = (float)sample_real(0, 1000);
        pfs_subtract_polynomial_row(in, out, N, c, degree, 17, 1.0 / (N + 100));
        for (int i = 0; i < N; i += 1 + i % 13) {
            double u = (17.0 + i) * (1.0 / (N + 100)), p = 0;
            for (int k = degree; k >= 0; k--)
                p = p * u + c[k];
            assert_true(fabs((double)out[i] - ((double)in[i] - p)) <= 1e-7 * fabs((double)in[i] - p) + 1e-9);
        }
    }
    assert_true(guard_intact(out, N * sizeof *out));
    guarded_free(out);
    free(in);
}

static void expect_depends(const char *offset, const char *polynomial, const struct pfs_context *cx, const char *want)
{
    struct pfs_text t = {0};
    struct pfs_err err;
    void *p = params(offset, polynomial);
    assert_int_equal(pfs_op_background.depends(p, cx, &t, &err), 0);
    assert_string_equal(t.s ? t.s : "", want);
    pfs_text_finish(&t);
    free(p);
}

static void test_depends(void **state)
{
    (void)state;
    double c[] = {2, 4, 8};
    int e[][3] = {{1, 0, 1}, {0, 1, 0}, {1, 0, 0}};
    struct pfs_tables t = {4, offsets, 3, c, e};
    struct pfs_context cx = {.full = {3, 100, 200}, .z = 1, .y0 = 5, .x0 = 6, .tables = &t};
    expect_depends("1", "1", &cx, "offset=22000.5 y0=5 x0=6 ny=100 nx=200 polynomial=0:9,4:0");
    expect_depends("1", "0", &cx, "offset=22000.5");
    expect_depends("0", "1", &cx, "y0=5 x0=6 ny=100 nx=200 polynomial=0:9,4:0");
    expect_depends("0", "0", &cx, "");
    cx.tables = NULL;
    expect_depends("1", "1", &cx, "");
}

static void expect_failure(const struct pfs_context *cx, const char *says)
{
    float px[4] = {1, 2, 3, 4}, was[4];
    struct pfs_typed a = {PFS_F32, px, 8, 2, 2};
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    void *p = params("1", "1");
    memcpy(was, px, sizeof px);
    assert_int_equal(pfs_op_background.plane(p, NULL, cx, &a, 1, a, &err), -EIO);
    assert_memory_equal(px, was, sizeof px);
    assert_non_null(strstr(err.text, says));
    assert_int_equal(pfs_op_background.depends(p, cx, &t, &err), -EIO);
    pfs_text_finish(&t);
    free(p);
}

static void test_failures(void **state)
{
    (void)state;
    struct pfs_tables t = tables(), nan = t, steep = t;
    double c[] = {1, NAN, 1, 1, 1, 1, 1};
    int e[7][3] = {{33, 0, 0}};
    struct pfs_context cx = {.full = {4, 2, 2}, .z = 4, .tables = &t, .threads = 1};
    expect_failure(&cx, "no offset for section 4");
    cx.z = -1;
    expect_failure(&cx, "no offset for section -1");
    cx.z = 2;
    expect_failure(&cx, "offset of section 2");
    cx.z = 1;
    nan.coefficient = c;
    cx.tables = &nan;
    expect_failure(&cx, "coefficient");
    steep.exponent = e;
    cx.tables = &steep;
    expect_failure(&cx, "x^33");
}

static void test_identity(void **state)
{
    (void)state;
    float in[6] = {1, NAN, 3, -4, 5e9f, 6}, out[6];
    struct pfs_context cx = {.full = {1, 2, 3}, .threads = 1};
    struct pfs_err err;
    void *p = params("1", "1");
    assert_int_equal(pfs_op_background.plane(p, NULL, &cx, &(struct pfs_typed){PFS_F32, in, 12, 2, 3}, 1,
                                             (struct pfs_typed){PFS_F32, out, 12, 2, 3}, &err), 0);
    assert_memory_equal(in, out, sizeof in);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_polynomial_row),
        cmocka_unit_test(test_depends),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
