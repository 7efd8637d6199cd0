/* The denoise operator against its definition in double: random shapes, bands and windows, NaN, threads, in place. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/kernels/tiles.h>
#include <planefs/ops.h>
#include "twins.h"

#include <stdio.h>

extern const struct pfs_op pfs_op_denoise;

struct setting { int scales, wsize, split, propagate; double gain[4], offset[4]; };

static void replace(struct image *a, struct image b)
{
    free(a->px);
    *a = b;
}

/* noise = high / (1 + exp(gain cov(high, low) + offset)), 0 where the covariance is not a number. */
static struct image twin_noise(struct image high, struct image low, int64_t n, double gain, double offset)
{
    struct image c = twin_covariance(high, low, n);
    for (int64_t i = 0; i < c.h * c.w; i++) {
        double g = 1 / (1 + exp(gain * c.px[i] + offset));
        c.px[i] = high.px[i] * (isnan(g) ? 0 : g);
    }
    return c;
}

static struct image twin_finest(struct image in, const struct setting *s, struct image *low, struct image *noise)
{
    *low = twin_lowpass(in, 1);
    struct image d = twin_combine(in, 1, *low, -1);
    if (!s->split) {
        *noise = twin_noise(d, *low, s->wsize, s->gain[0], s->offset[0]);
    } else {
        struct image sd = twin_lowpass(d, 1), sharp = twin_combine(d, 2, sd, -1), p = twin_lowpass(sharp, 1);
        struct image q = twin_combine(d, 1, p, -1), lp = twin_combine(*low, 1, p, 1);
        *noise = twin_noise(q, lp, s->wsize, s->gain[0], s->offset[0]);
        struct image np = twin_noise(p, *low, s->wsize, s->gain[1], s->offset[1]);
        if (s->scales > 0)
            replace(noise, twin_combine(*noise, 1, np, 1));
        free(sd.px), free(sharp.px), free(p.px), free(q.px), free(lp.px), free(np.px);
    }
    replace(&d, twin_combine(d, 1, *noise, -1));
    return d;
}

static struct image denoise_twin(struct image in, const struct setting *s)
{
    struct image low, noise, d = twin_finest(in, s, &low, &noise);
    for (int k = 1; k < s->scales; k++) {
        if (s->propagate) {
            struct image back = twin_lowpass(noise, 1 << (k - 1));
            replace(&low, twin_combine(low, 1, back, 1));
            free(back.px);
        }
        struct image lower = twin_lowpass(low, 1 << k), high = twin_combine(low, 1, lower, -1);
        int band = k + s->split;
        replace(&noise, twin_noise(high, lower, (s->wsize - 1) * (1 << k) + 1, s->gain[band], s->offset[band]));
        replace(&d, twin_combine(d, 1, high, 1));
        replace(&d, twin_combine(d, 1, noise, -1));
        replace(&low, lower);
        free(high.px);
    }
    replace(&d, twin_combine(d, 1, low, 1));
    free(low.px);
    free(noise.px);
    return d;
}

static void *params(const struct setting *s)
{
    char gain[128], offset[128], number[4][16];
    void *p = calloc(1, pfs_op_denoise.params_size);
    const char *names[] = {"scales", "wsize", "split_hipass", "propagate_noise"};
    int values[] = {s->scales, s->wsize, s->split, s->propagate};
    struct pfs_err err;
    assert_int_equal(pfs_params_default(&pfs_op_denoise, PFS_U16, p), 0);
    for (int i = 0; i < 4; i++) {
        snprintf(number[i], sizeof number[i], "%d", values[i]);
        assert_int_equal(pfs_params_set(&pfs_op_denoise, p, names[i], number[i], &err), 0);
    }
    snprintf(gain, sizeof gain, "%.17g:%.17g:%.17g:%.17g", s->gain[0], s->gain[1], s->gain[2], s->gain[3]);
    snprintf(offset, sizeof offset, "%.17g:%.17g:%.17g:%.17g", s->offset[0], s->offset[1], s->offset[2], s->offset[3]);
    assert_int_equal(pfs_params_set(&pfs_op_denoise, p, "gain", gain, &err), 0);
    assert_int_equal(pfs_params_set(&pfs_op_denoise, p, "offset", offset, &err), 0);
    return p;
}

static struct setting random_setting(int scales_max)
{
    struct setting s = {(int)sample_int(0, scales_max), 2 * (int)sample_int(1, 4) + 1, (int)sample_int(0, 1),
                        (int)sample_int(0, 1), {0}, {0}};
    for (int i = 0; i < 4; i++) {
        s.gain[i] = sample_real(1e-6, 6e-6);
        s.offset[i] = sample_real(-2, 5);
    }
    return s;
}

static void run(const struct setting *s, struct pfs_typed in, struct pfs_typed out, int threads)
{
    void *p = params(s);
    struct pfs_context cx = {.threads = threads};
    struct pfs_err err;
    struct pfs_shape from = {.y = in.h, .x = in.w, .type = PFS_F32}, to;
    assert_int_equal(pfs_op_denoise.shape(p, &from, &to, &err), 0);
    assert_int_equal(pfs_op_denoise.plane(p, NULL, &cx, &in, 1, out, &err), 0);
    free(p);
}

/* Against the twin, not in place with padded rows and guards, then in place with threads: the same bits. */
static void one_case(int64_t h, int64_t w, const struct setting *s, int n_nan)
{
    int64_t row = w + 5;
    size_t bytes = (size_t)(h * row) * sizeof(float);
    float *px = malloc((size_t)(h * w) * sizeof *px), *out = guarded(bytes);
    struct image in = sample_image(h, w, px);
    for (int i = 0; i < n_nan; i++) {
        int64_t at = sample_int(0, h * w - 1);
        px[at] = NAN;
        in.px[at] = NAN;
    }
    struct pfs_typed a = {PFS_F32, px, w * 4, h, w}, b = {PFS_F32, out, row * 4, h, w};
    run(s, a, b, 1);
    assert_true(guard_intact(out, bytes));
    struct image want = denoise_twin(in, s);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            double got = out[y * row + x], expect = want.px[y * w + x];
            if (isnan(got) != isnan(expect) || fabs(got - expect) > 0.02)
                fail_msg("%d x %d, scales %d wsize %d split %d propagate %d: %.9g at %d, %d, expected %.9g", (int)h,
                         (int)w, s->scales, s->wsize, s->split, s->propagate, got, (int)y, (int)x, expect);
        }
    run(s, a, a, 3);
    for (int64_t y = 0; y < h; y++)
        assert_memory_equal(px + y * w, out + y * row, (size_t)w * sizeof *px);
    free(in.px);
    free(want.px);
    free(px);
    guarded_free(out);
}

static void test_shapes(void **state)
{
    (void)state;
    static const int64_t odd[][2] = {{1, 1}, {1, 40}, {40, 1}, {2, 2}, {3, 300}, {13, 7}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct setting s = random_setting(2);
        one_case(odd[i][0], odd[i][1], &s, 0);
    }
    for (int k = 0; k < 12; k++) {
        struct setting s = random_setting(3);
        one_case(sample_int(2, 60), sample_int(2, 70), &s, 0);
    }
}

/* More than one tile in both directions. */
static void test_tiles(void **state)
{
    (void)state;
    for (int split = 0; split < 2; split++) {
        struct setting s = random_setting(1);
        s.split = split;
        s.scales = 1 + split;
        one_case(262, 523, &s, 0);
    }
}

static void test_nan(void **state)
{
    (void)state;
    for (int k = 0; k < 6; k++) {
        struct setting s = random_setting(2);
        one_case(sample_int(60, 90), sample_int(60, 300), &s, 1 + k);
    }
}

/* All NaN, infinities and huge values: no trap, and far pixels keep their bits. */
static void test_stray_values(void **state)
{
    (void)state;
    enum { H = 80, W = 300 };
    static const float odd[] = {NAN, INFINITY, 3e38f, -1e20f};
    static float clean[H * W], dirty[H * W], in[H * W];
    struct setting s = {1, 7, 1, 1, {3e-6, 4e-6, 1e-6, 1e-6}, {-1, 4, 1, 1}};
    struct image sample = sample_image(H, W, in);
    free(sample.px);
    run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_F32, clean, W * 4, H, W}, 2);
    for (int k = 0; k < 4; k++) {
        float was = in[40 * W + 100];
        in[40 * W + 100] = odd[k];
        run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_F32, dirty, W * 4, H, W}, 2);
        in[40 * W + 100] = was;
        for (int64_t y = 0; y < H; y++)
            for (int64_t x = 0; x < W; x++)
                if (llabs(y - 40) > 12 || llabs(x - 100) > 12)
                    assert_memory_equal(&clean[y * W + x], &dirty[y * W + x], sizeof(float));
    }
    for (int i = 0; i < H * W; i++)
        in[i] = NAN;
    run(&s, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, (struct pfs_typed){PFS_F32, in, W * 4, H, W}, 2);
    assert_true(isnan(in[0]) && isnan(in[H * W - 1]));
}

static void test_parameters(void **state)
{
    (void)state;
    struct setting s = {1, 6, 1, 1, {1, 1, 1, 1}, {0}};
    struct pfs_shape from = {.y = 4, .x = 4, .type = PFS_F32}, to;
    struct pfs_err err;
    void *p = params(&s);
    assert_int_equal(pfs_op_denoise.shape(p, &from, &to, &err), -2);
    assert_non_null(strstr(err.text, "wsize=6"));
    free(p);
    s.wsize = 31;
    s.scales = 8;
    p = params(&s);
    assert_int_equal(pfs_op_denoise.shape(p, &from, &to, &err), -2);
    assert_non_null(strstr(err.text, "3841"));
    assert_int_equal(pfs_params_default(&pfs_op_denoise, PFS_U8, p), 0);      /* gains grow for 8 bits */
    struct pfs_text t = {0};
    pfs_params_text(&pfs_op_denoise, p, &t);
    assert_non_null(strstr(t.s, "gain=0.225755"));
    pfs_text_finish(&t);
    free(p);
}

/* Saved surroundings: every row of every tile as it was, in any order, whatever was overwritten since. */
static void test_tile_rows(void **state)
{
    (void)state;
    for (int k = 0; k < 60; k++) {
        int64_t h = sample_int(1, 40), w = sample_int(1, 40), halo = sample_int(0, 15);
        int64_t sy = sample_int(1, 20), sx = sample_int(1, 20), n = h * w;
        size_t bytes = (size_t)pfs_tiles_scratch(h, w, sy, sx, halo) * sizeof(float);
        float *px = malloc((size_t)n * sizeof *px), *was = malloc((size_t)n * sizeof *px);
        float row[80], *scratch = guarded(bytes);
        for (int64_t i = 0; i < n; i++)
            px[i] = was[i] = (float)sample_real(0, 1);
        struct pfs_tiles t = pfs_tiles_save((struct pfs_plane){px, w, h, w}, sy, sx, halo, scratch, 2);
        for (int64_t i = t.ny * t.nx - 1; i >= 0; i--) {
            struct pfs_tile tile = pfs_tiles_at(&t, i);
            for (int64_t y = -halo; y < tile.h + halo; y++) {
                pfs_tiles_row(&t, &tile, y, row);
                for (int64_t x = -halo; x < tile.w + halo; x++)
                    assert_true(row[x + halo] == was[twin_mirror(tile.y + y, h) * w + twin_mirror(tile.x + x, w)]);
                if (y >= 0 && y < tile.h)
                    memset(px + (tile.y + y) * w + tile.x, 0xff, (size_t)tile.w * sizeof *px);
            }
        }
        assert_true(guard_intact(scratch, bytes));
        guarded_free(scratch);
        free(px);
        free(was);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile_rows),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_stray_values),
        cmocka_unit_test(test_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
