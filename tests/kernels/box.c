/* Box and triangle filters against naive twins in double; thread counts and CPU levels against each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The same code without clones, under other names. */
#define PFS_NO_CLONES
#define pfs_box_row base_box_row
#define pfs_slide_row base_slide_row
#define pfs_box_x base_box_x
#define pfs_tri_x base_tri_x
#define pfs_box_y base_box_y
#define pfs_tri_y base_tri_y
#define pfs_box_scratch base_box_scratch
#include "../../src/kernels/box.c"
#undef pfs_box_x
#undef pfs_tri_x
#undef pfs_box_y
#undef pfs_tri_y
typedef void filter(struct pfs_plane in, struct pfs_plane out, int64_t n, float *scratch, int threads);
filter pfs_box_x, pfs_tri_x, pfs_box_y, pfs_tri_y;

#include "planes.h"

static filter *const filters[4] = {pfs_box_x, pfs_tri_x, pfs_box_y, pfs_tri_y};
static filter *const base_filters[4] = {base_box_x, base_tri_x, base_box_y, base_tri_y};

static double *twin(struct pfs_plane in, int64_t n, int kind)
{
    bool tri = kind % 2, along_y = kind > 1;
    double *k = tri ? twin_tri_taps(n) : twin_box_taps(n), *a = twin_of(in);
    double *out = twin_conv(a, in.h, in.w, k, tri ? 2 * n - 1 : n, tri ? n - 1 : n / 2, along_y);
    free(k);
    free(a);
    return out;
}

static void run(filter *f, struct pfs_plane in, struct pfs_plane out, int64_t n, int threads)
{
    size_t bytes = (size_t)base_box_scratch(in.h, in.w, n, threads) * sizeof(float);
    float *scratch = guarded(bytes);
    f(in, out, n, scratch, threads);
    assert_true(guard_intact(scratch, bytes) && plane_intact(out));
    guarded_free(scratch);
}

static void filter_case(int kind, int64_t h, int64_t w, int64_t n)
{
    struct pfs_plane in = plane_random(h, w, 0, 65535), one = plane_empty(h, w), place = plane_copy(in);
    struct pfs_plane base = plane_empty(h, w);
    double *want = twin(in, n, kind);
    run(filters[kind], in, one, n, 1);
    run(filters[kind], place, place, n, 3);
    run(base_filters[kind], in, base, n, 2);
    if (!(twin_error(one, want) < 0.008))
        fail_msg("filter %d of %d on %d x %d: off by %g", kind, (int)n, (int)h, (int)w, twin_error(one, want));
    assert_true(plane_same(one, place) && plane_same(one, base));
    free(want);
    plane_free(in);
    plane_free(one);
    plane_free(place);
    plane_free(base);
}

static void test_filters(void **state)
{
    (void)state;
    for (int i = 0; i < 400; i++)
        filter_case(i % 4, sample_side(), sample_side(), sample_side());
}

/* Kernels many times as long as the image, and strips narrower than it. */
static void test_long(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        filter_case(kind, 3, 5, 1000);
        filter_case(kind, 1, 1, 77);
        filter_case(kind, 2, 2, 200);
        filter_case(kind, 40, 700, 11);
        filter_case(kind, 700, 40, 300);
    }
}

/* A large value that came and went leaves nothing behind, however long the line. */
static void test_drift(void **state)
{
    (void)state;
    int64_t n = 300000;
    for (int along_y = 0; along_y < 2; along_y++) {
        struct pfs_plane in = plane_random(along_y ? n : 1, along_y ? 1 : n, 0, 1), out = plane_empty(in.h, in.w);
        in.px[20 * (along_y ? in.row : 1)] = 1e9f;
        run(filters[along_y ? 3 : 1], in, out, 51, 1);
        for (int64_t i = n - 500; i < n - 100; i++) {
            double sum = 0;
            for (int64_t j = -50; j <= 50; j++)
                sum += (double)(51 - llabs(j)) * (double)in.px[(i + j) * (along_y ? in.row : 1)];
            assert_true(fabs(sum / (51.0 * 51.0) - (double)out.px[i * (along_y ? out.row : 1)]) < 1e-6);
        }
        plane_free(in);
        plane_free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
