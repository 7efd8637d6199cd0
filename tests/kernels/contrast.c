/* The contrast operator against its definition in double: random shapes, parameters, NaN, threads, both pixel types. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/ops.h>
#include "twins.h"

#include <stdio.h>

extern const struct pfs_op pfs_op_contrast;

enum redistribute { LEFTMOST, LEFT, FULL, NO_CLIP };

struct setting {
    int smoothing, minmax, redistribute, u16;
    double sigma, offset, ratio, c0, c1, hp_sigma, mean, low, high;
};

static double phi(double x) { return exp(-x * x / 2) / sqrt(2 * M_PI); }
static double Phi(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }

static double twin_curve(double u, const struct setting *s)
{
    double F = Phi(u), c0 = s->c0, c1 = s->c1, F0 = Phi(c0), F1 = Phi(c1), f0 = phi(c0), f1 = phi(c1);
    double delta = F1 - F0 - (f0 + f1) / 2 * (c1 - c0), v = fmin(fmax(u - c0, 0), c1 - c0);
    v = v / 2 * (2 * f0 + (f1 - f0) * v / (c1 - c0));
    switch (s->redistribute) {
    case LEFTMOST: return (delta / F0 + 1) * fmin(F, F0) + v + fmax(F - F1, 0);
    case LEFT: return (delta / (F0 + (f0 + f1) / 2 * (c1 - c0)) + 1) * (fmin(F, F0) + v) + fmax(F - F1, 0);
    case FULL: return (fmin(F, F0) + v + fmax(F - F1, 0)) / (1 - delta);
    default: return F;
    }
}

static double twin_mid(struct image a, int64_t y, int64_t x, int64_t n)
{
    double low = INFINITY, high = -INFINITY;
    for (int64_t j = -(n / 2); j <= n / 2; j++)
        for (int64_t i = -(n / 2); i <= n / 2; i++) {
            double v = a.px[twin_mirror(y + j, a.h) * a.w + twin_mirror(x + i, a.w)];
            low = fmin(low, v);
            high = fmax(high, v);
        }
    return (low + high) / 2;
}

/* The local mean; `m` is 0 where `raw` is NaN, `in` has the mean there. */
static struct image twin_mean(struct image in, struct image m, bool any, int64_t smoothing)
{
    if (!any)
        return twin_tri2(in, smoothing);
    struct image im = twin_combine(in, 0, m, 0), a = twin_tri2(im, smoothing), b = twin_tri2(m, smoothing);
    for (int64_t i = 0; i < in.h * in.w; i++)
        a.px[i] = in.px[i] - m.px[i] * (in.px[i] - a.px[i] / (b.px[i] + 0x1p-23));
    free(im.px);
    free(b.px);
    return a;
}

/* The result before truncation. */
static struct image contrast_twin(struct image raw, const struct setting *s)
{
    struct image in = copy_image(raw), m = new_image(raw.h, raw.w), out = new_image(raw.h, raw.w);
    bool any = false;
    for (int64_t i = 0; i < in.h * in.w; i++) {
        m.px[i] = !isnan(raw.px[i]);
        any |= isnan(raw.px[i]);
        in.px[i] = isnan(raw.px[i]) ? s->mean : raw.px[i];
    }
    struct image mean = twin_mean(in, m, any, s->smoothing);
    for (int64_t y = 0; y < in.h; y++)
        for (int64_t x = 0; x < in.w; x++) {
            int64_t i = y * in.w + x;
            double v = in.px[i], mul = m.px[i] * s->ratio * (1 - Phi((v - (mean.px[i] + s->offset)) / s->sigma));
            v += mul * (v - twin_mid(in, y, x, s->minmax));
            double g = s->low + (s->high - s->low + 1) * twin_curve((v - s->mean) / s->hp_sigma, s);
            out.px[i] = fmin(fmax(g, s->low), s->high);
        }
    free(in.px);
    free(m.px);
    free(mean.px);
    return out;
}

static void set(void *p, const char *name, double value)
{
    char text[40];
    struct pfs_err err;
    snprintf(text, sizeof text, "%.17g", value);
    if (pfs_params_set(&pfs_op_contrast, p, name, text, &err))
        fail_msg("%s", err.text);
}

static void *params(const struct setting *s)
{
    static const char *const words[] = {"leftmost", "left", "full"};
    char clip[80] = "none";
    struct pfs_err err;
    void *p = calloc(1, pfs_op_contrast.params_size);
    assert_int_equal(pfs_params_default(&pfs_op_contrast, PFS_U16, p), 0);
    set(p, "low", s->low);
    set(p, "high", s->high);
    set(p, "smoothing", s->smoothing);
    set(p, "minmax_size", s->minmax);
    set(p, "sigma", s->sigma);
    set(p, "offset", s->offset);
    set(p, "ratio", s->ratio);
    set(p, "hp_sigma", s->hp_sigma);
    set(p, "mean", s->mean);
    if (s->redistribute != NO_CLIP) {
        snprintf(clip, sizeof clip, "%.17g:%.17g", s->c0, s->c1);
        assert_int_equal(pfs_params_set(&pfs_op_contrast, p, "redistribute", words[s->redistribute], &err), 0);
    }
    assert_int_equal(pfs_params_set(&pfs_op_contrast, p, "clip", clip, &err), 0);
    assert_int_equal(pfs_params_set(&pfs_op_contrast, p, "pixel", s->u16 ? "u16" : "u8", &err), 0);
    return p;
}

static struct setting random_setting(void)
{
    struct setting s = {
        .smoothing = 2 * (int)sample_int(0, 30) + 1, .minmax = 2 * (int)sample_int(0, 4) + 1,
        .redistribute = (int)sample_int(0, 3), .u16 = (int)sample_int(0, 1), .sigma = sample_real(500, 4000),
        .offset = sample_real(-3000, 1000), .ratio = sample_int(0, 4) ? sample_real(0.1, 3) : 0,
        .c0 = sample_real(-1.5, -0.3), .c1 = sample_real(0.1, 1.5), .hp_sigma = sample_real(800, 2500),
        .mean = sample_real(27000, 29500)};
    s.low = s.u16 ? 100 : (double)sample_int(0, 20);
    s.high = s.u16 ? 60000 : (double)sample_int(200, 255);
    return s;
}

static void run(const struct setting *s, struct pfs_typed in, struct pfs_typed out, int threads)
{
    struct pfs_context cx = {.threads = threads};
    struct pfs_shape from = {.y = in.h, .x = in.w, .type = PFS_F32}, to;
    struct pfs_err err;
    void *p = params(s);
    assert_int_equal(pfs_op_contrast.shape(p, &from, &to, &err), 0);
    assert_int_equal(to.type, out.type);
    assert_int_equal(pfs_op_contrast.plane(p, NULL, &cx, &in, 1, out, &err), 0);
    free(p);
}

/* How far the truncated `got` is from a value: 0 inside [got, got + 1). */
static double off(double got, double exact)
{
    return exact < got ? got - exact : exact >= got + 1 ? exact - got - 1 : 0;
}

static void one_case(int64_t h, int64_t w, const struct setting *s, int n_nan)
{
    enum pfs_type type = s->u16 ? PFS_U16 : PFS_U8;
    int64_t size = s->u16 ? 2 : 1, row = (w + 3) * size;
    float *px = malloc((size_t)(h * w) * sizeof *px);
    char *out = guarded((size_t)(h * row)), *again = guarded((size_t)(h * row));
    struct image in = sample_image(h, w, px);
    for (int i = 0; i < n_nan; i++) {
        int64_t at = sample_int(0, h * w - 1);
        in.px[at] = px[at] = NAN;
    }
    run(s, (struct pfs_typed){PFS_F32, px, w * 4, h, w}, (struct pfs_typed){type, out, row, h, w}, 1);
    run(s, (struct pfs_typed){PFS_F32, px, w * 4, h, w}, (struct pfs_typed){type, again, row, h, w}, 3);
    assert_memory_equal(out, again, (size_t)(h * row));
    assert_true(guard_intact(out, (size_t)(h * row)));
    struct image want = contrast_twin(in, s);
    double tolerance = s->u16 ? 0.6 : 0.003;
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double got = s->u16 ? ((uint16_t *)(void *)(out + y * row))[x] : ((uint8_t *)out + y * row)[x];
            if (off(got, want.px[y * w + x]) > tolerance)
                fail_msg("%d x %d: %g at %d, %d, expected %.9g", (int)h, (int)w, got, (int)y, (int)x,
                         want.px[y * w + x]);
        }
    free(in.px);
    free(want.px);
    free(px);
    guarded_free(out);
    guarded_free(again);
}

static void test_shapes(void **state)
{
    (void)state;
    static const int64_t odd[][2] = {{1, 1}, {1, 50}, {50, 1}, {2, 3}, {300, 9}, {4, 600}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct setting s = random_setting();
        one_case(odd[i][0], odd[i][1], &s, 0);
    }
    for (int k = 0; k < 40; k++) {
        struct setting s = random_setting();
        one_case(sample_int(2, 60), sample_int(2, 80), &s, 0);
    }
}

static void test_tiles(void **state)
{
    (void)state;
    struct setting s = random_setting();
    s.ratio = 2;
    s.minmax = 5;
    one_case(270, 540, &s, 0);
}

static void test_nan(void **state)
{
    (void)state;
    for (int k = 0; k < 12; k++) {
        struct setting s = random_setting();
        one_case(sample_int(1, 50), sample_int(1, 50), &s, (int)sample_int(1, 400));
    }
}

/* Infinite and absurd values are the darkest or the brightest, and neither traps nor spoils the rest. */
static void test_stray_values(void **state)
{
    (void)state;
    enum { H = 60, W = 70 };
    static float in[H * W];
    static uint8_t clean[H * W], dirty[H * W];
    struct setting s = {.smoothing = 5, .minmax = 5, .redistribute = LEFTMOST, .sigma = 2000, .offset = -2000,
                        .ratio = 2, .c0 = -0.8, .c1 = 0.8, .hp_sigma = 1250, .mean = 28000, .low = 0, .high = 255};
    static const struct { float v; int want; } odd[] = {{INFINITY, 255}, {-INFINITY, 0}, {3e38f, 255}, {-3e38f, 0}};
    struct image sample = sample_image(H, W, in);
    free(sample.px);
    run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_U8, clean, W, H, W}, 1);
    for (int k = 0; k < 4; k++) {
        float was = in[30 * W + 30];
        in[30 * W + 30] = odd[k].v;
        run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_U8, dirty, W, H, W}, 1);
        in[30 * W + 30] = was;
        assert_int_equal(dirty[30 * W + 30], odd[k].want);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                if (abs(y - 30) > 4 || abs(x - 30) > 4)
                    assert_true(abs(clean[y * W + x] - dirty[y * W + x]) <= 1);
    }
    for (int i = 0; i < H * W; i++)
        in[i] = NAN;
    run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_U8, dirty, W, H, W}, 2);
    for (int i = 1; i < H * W; i++)
        assert_int_equal(dirty[i], dirty[0]);
}

static void refuse(const char *name, const char *value, const char *says)
{
    struct pfs_shape from = {.y = 4, .x = 4, .type = PFS_F32}, to;
    struct pfs_err err = {0};
    void *p = calloc(1, pfs_op_contrast.params_size);
    assert_int_equal(pfs_params_default(&pfs_op_contrast, PFS_U16, p), 0);
    assert_int_equal(pfs_params_set(&pfs_op_contrast, p, name, value, &err), 0);
    assert_int_equal(pfs_op_contrast.shape(p, &from, &to, &err), -2);
    if (!strstr(err.text, says))
        fail_msg("%s=%s: '%s' does not say '%s'", name, value, err.text, says);
    free(p);
}

static void test_parameters(void **state)
{
    (void)state;
    refuse("high", "256", "high=256");
    refuse("low", "256", "low=256");
    refuse("smoothing", "500", "odd");
    refuse("minmax_size", "4", "odd");
    refuse("clip", "0.5:-0.5", "rising");
    refuse("clip", "0.5", "from:to");
    refuse("clip", "-1:0:1", "from:to");
    struct pfs_text t = {0};
    void *p = calloc(1, pfs_op_contrast.params_size);
    assert_int_equal(pfs_params_default(&pfs_op_contrast, PFS_U8, p), 0);      /* intensities shrink for 8 bits */
    pfs_params_text(&pfs_op_contrast, p, &t);
    assert_non_null(strstr(t.s, "mean=108.949"));
    assert_non_null(strstr(t.s, "low=0 high=255"));
    pfs_text_finish(&t);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_stray_values),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
