/* Nearest small pixel and transposition against brute force. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/kernels/nearest.h>
#include <planefs/kernels/transpose.h>
#include "planes.h"

/* The leftmost, then upmost, of the nearest pixels that may be taken. */
static float twin(struct pfs_plane in, const uint8_t *ok, int64_t y, int64_t x)
{
    int64_t best = INT64_MAX;
    float value = in.px[y * in.row + x];
    for (int64_t u = 0; u < in.w; u++)
        for (int64_t v = 0; v < in.h; v++) {
            int64_t d = (u - x) * (u - x) + (v - y) * (v - y);
            if (ok[v * in.w + u] && d < best) {
                best = d;
                value = in.px[v * in.row + u];
            }
        }
    return value;
}

static void nearest_case(int64_t h, int64_t w, double density, bool masked)
{
    struct pfs_plane in = plane_random(h, w, -1, 1), out = plane_empty(h, w), many = plane_empty(h, w);
    uint8_t *ok = malloc((size_t)(h * w)), *mask = malloc((size_t)(h * w));
    float *t = malloc((size_t)h * sizeof *t);
    size_t bytes = (size_t)pfs_nearest_scratch(w, 2) * sizeof(int32_t);
    int32_t *scratch = guarded(bytes);
    for (int64_t y = 0; y < h; y++)
        t[y] = (float)fmax(0, density * sample_real(0.5, 1.5));
    for (int64_t i = 0; i < h * w; i++) {
        mask[i] = !masked || sample_int(0, 3) > 0;
        ok[i] = mask[i] && fabsf(in.px[i / w * in.row + i % w]) <= t[i / w];
    }
    pfs_nearest_small(in, t, masked ? mask : NULL, out, scratch, 1);
    pfs_nearest_small(in, t, masked ? mask : NULL, many, scratch, 2);
    for (int64_t i = 0; i < h * w; i++) {
        float want = mask[i] ? twin(in, ok, i / w, i % w) : 0;
        if (out.px[i / w * out.row + i % w] != want)
            fail_msg("%d x %d: wrong at %d, %d", (int)h, (int)w, (int)(i / w), (int)(i % w));
    }
    assert_true(plane_same(out, many) && plane_intact(out) && plane_intact(many) && guard_intact(scratch, bytes));
    free(ok);
    free(mask);
    free(t);
    guarded_free(scratch);
    plane_free(in);
    plane_free(out);
    plane_free(many);
}

static void test_nearest(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        nearest_case(sample_side() % 50 + 1, sample_side() % 50 + 1, i % 4 ? sample_real(0, 0.2) : 0.9, i % 2);
    nearest_case(5, 600, 0.001, false);
    nearest_case(20, 20, -1, false);
    for (int i = 0; i < 20; i++)
        nearest_case(sample_int(1, 12), 300, 0.003 * i, i % 2);
}

static void test_transpose(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct pfs_plane in = plane_random(sample_side(), sample_side(), 0, 1), out = plane_empty(in.w, in.h);
        pfs_transpose(in, out, 1 + i % 3);
        for (int64_t y = 0; y < in.h; y++)
            for (int64_t x = 0; x < in.w; x++)
                assert_true(out.px[x * out.row + y] == in.px[y * in.row + x]);
        assert_true(plane_intact(out));
        plane_free(in);
        plane_free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_transpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
