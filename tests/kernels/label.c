/* Bit masks, runs and connected components against flood fill. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The same code without clones, under other names. */
#define PFS_NO_CLONES
#define pfs_threshold_row base_threshold_row
#define pfs_runs_count base_runs_count
#include "../../src/kernels/bits.c"
#undef pfs_threshold_row
#undef pfs_runs_count
void pfs_threshold_row(const float *in, float t, uint64_t *over, uint64_t *under, int64_t w);
int64_t pfs_runs_count(struct pfs_runs *runs, uint32_t *first, int threads);

#include <planefs/kernels/label.h>
#include "planes.h"

static void test_threshold(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        int64_t w = sample_int(1, 300), words = pfs_bits_words(w);
        struct pfs_plane in = plane_random(1, w, -2, 2);
        size_t bytes = (size_t)words * 8;
        uint64_t *over = guarded(bytes), *under = guarded(bytes);
        float t = i % 10 ? (float)sample_real(0, 2) : 0;
        if (w > 3) {
            in.px[0] = NAN;
            in.px[1] = t;
            in.px[2] = -t;
            in.px[3] = -INFINITY;
        }
        pfs_threshold_row(in.px, t, over, under, w);
        for (int64_t x = 0; x < words * 64; x++) {
            assert_int_equal(over[x / 64] >> x % 64 & 1, x < w && in.px[x] > t);
            assert_int_equal(under[x / 64] >> x % 64 & 1, x < w && in.px[x] < -t);
        }
        assert_true(guard_intact(over, bytes) && guard_intact(under, bytes));
        guarded_free(over);
        guarded_free(under);
        plane_free(in);
    }
}

/* A mask as one byte a pixel, and as bits with their runs. */
struct mask {
    int64_t h, w;
    uint8_t *px;
    struct pfs_runs runs;
    int64_t n;
};

static struct mask mask(int64_t h, int64_t w)
{
    struct mask m = {.h = h, .w = w, .px = calloc((size_t)(h * w), 1)};
    m.runs.bits = (struct pfs_bits){NULL, pfs_bits_words(w), h, w};
    return m;
}

static void mask_runs(struct mask *m, int threads)
{
    int64_t words = m->runs.bits.words;
    m->runs.bits.word = calloc((size_t)(m->h * words), 8);
    for (int64_t y = 0; y < m->h; y++)
        for (int64_t x = 0; x < m->w; x++)
            m->runs.bits.word[y * words + x / 64] |= (uint64_t)(m->px[y * m->w + x] != 0) << x % 64;
    m->n = pfs_runs_count(&m->runs, malloc((size_t)(m->h * words + 1) * 4), threads);
}

static void mask_free(struct mask *m)
{
    free(m->px);
    free(m->runs.bits.word);
    free((uint32_t *)(uintptr_t)m->runs.first);
}

static bool begins(const struct mask *m, int64_t y, int64_t x)
{
    return m->px[y * m->w + x] && (x == 0 || !m->px[y * m->w + x - 1]);
}

static void check_runs(const struct mask *m)
{
    int64_t n = 0;
    for (int64_t y = 0; y < m->h; y++) {
        struct pfs_run_walk walk = pfs_run_walk(m->runs.bits.word + y * m->runs.bits.words, m->runs.bits.words, 0);
        int64_t begin, end;
        for (int64_t x = 0; x < m->w; x++) {
            if (x % 64 == 0)
                assert_int_equal(m->runs.first[y * m->runs.bits.words + x / 64], n);
            if (!begins(m, y, x))
                continue;
            assert_true(pfs_run_next(&walk, &begin, &end));
            assert_int_equal(begin, x);
            for (n++; x + 1 < m->w && m->px[y * m->w + x + 1]; x++)
                if ((x + 1) % 64 == 0)
                    assert_int_equal(m->runs.first[y * m->runs.bits.words + (x + 1) / 64], n);
            assert_int_equal(end, x + 1);
        }
        assert_false(pfs_run_next(&walk, &begin, &end));
    }
    assert_int_equal(m->n, n);
    assert_int_equal(m->runs.first[m->h * m->runs.bits.words], n);
}

/* A fingerprint of the exact moments, and of ctx, in 0 .. 1. */
static float weigh(const void *ctx, const struct pfs_moments *m)
{
    uint64_t v = (uint64_t)m->n * 0x9e3779b97f4a7c15 ^ (uint64_t)m->y * 0xc2b2ae3d27d4eb4f ^
                 (uint64_t)m->x * 0x165667b19e3779f9 ^ (uint64_t)m->yy * 0x85ebca77c2b2ae63 ^
                 (uint64_t)m->xx * 0x27d4eb2f165667c5 ^ (uint64_t)m->xy * 0xff51afd7ed558ccd ^ *(const uint64_t *)ctx;
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccd;
    return (float)(v >> 40) * 0x1p-24f;
}

/* Each pixel's component by flood fill, and what it weighs. */
static float *twin(const struct mask *m, const void *ctx)
{
    int64_t n = m->h * m->w, *stack = malloc((size_t)n * sizeof *stack), *member = malloc((size_t)n * sizeof *member);
    float *weight = calloc((size_t)n, sizeof *weight);
    uint8_t *left = malloc((size_t)n);
    memcpy(left, m->px, (size_t)n);
    for (int64_t start = 0; start < n; start++) {
        struct pfs_moments sum = {0};
        int64_t depth = 0, members = 0;
        if (!left[start])
            continue;
        left[stack[depth++] = start] = 0;
        while (depth > 0) {
            int64_t at = stack[--depth], y = at / m->w, x = at % m->w;
            member[members++] = at;
            sum.n++;
            sum.y += y;
            sum.x += x;
            sum.yy += y * y;
            sum.xx += x * x;
            sum.xy += x * y;
            for (int64_t v = y > 0 ? y - 1 : 0; v <= y + 1 && v < m->h; v++)
                for (int64_t u = x > 0 ? x - 1 : 0; u <= x + 1 && u < m->w; u++)
                    if (left[v * m->w + u])
                        left[stack[depth++] = v * m->w + u] = 0;
        }
        float w = weigh(ctx, &sum);
        for (int64_t i = 0; i < members; i++)
            weight[member[i]] = w;
    }
    free(stack);
    free(member);
    free(left);
    return weight;
}

/* Labels with several thread counts; releases the mask. */
static void check(struct mask m)
{
    uint64_t salt = sample_bits();
    mask_runs(&m, 2);
    check_runs(&m);
    float *want = twin(&m, &salt);
    for (int threads = 1; threads < 6; threads += 2) {
        size_t bytes = (size_t)m.n * sizeof(union pfs_weight), scratch_bytes = pfs_label_scratch(&m.runs, threads);
        union pfs_weight *weight = guarded(bytes);
        void *scratch = guarded(scratch_bytes);
        pfs_label(&m.runs, weigh, &salt, weight, scratch, threads);
        assert_true(guard_intact(weight, bytes) && guard_intact(scratch, scratch_bytes));
        int64_t i = 0;
        for (int64_t at = 0; at < m.h * m.w; at++)
            if (begins(&m, at / m.w, at % m.w) && weight[i++].w != want[at])
                fail_msg("%d x %d, %d threads: run at %d, %d", (int)m.h, (int)m.w, threads, (int)(at / m.w),
                         (int)(at % m.w));
        guarded_free(weight);
        guarded_free(scratch);
    }
    free(want);
    mask_free(&m);
}

static void test_random(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        struct mask m = mask(i % 3 ? sample_side() : sample_int(120, 500), sample_side());
        double density = sample_real(0, 1);
        for (int64_t k = 0; k < m.h * m.w; k++)
            m.px[k] = sample_real(0, 1) < density;
        check(m);
    }
}

/* Shapes that join late, many times, or across the borders between bands of rows. */
static void test_shapes(void **state)
{
    (void)state;
    for (int shape = 0; shape < 7; shape++) {
        struct mask m = mask(330, 130);
        for (int64_t y = 0; y < m.h; y++)
            for (int64_t x = 0; x < m.w; x++) {
                int64_t ring = llabs(y - 165) > llabs(x - 65) + 100 ? llabs(y - 165) - 100 : llabs(x - 65);
                bool on[7] = {true, false, (x + y) % 2 == 0, x % 2 == 0 || y == m.h - 1, x % 2 == 0 || y == 0,
                              ring % 2 == 0, y % 2 == 0 || x == (y / 2 % 2 ? 0 : m.w - 1)};
                m.px[y * m.w + x] = on[shape];
            }
        check(m);
    }
}

static void test_moments(void **state)
{
    (void)state;
    double yy, xx, xy;
    struct pfs_moments one = {.n = 1, .y = 1000000, .x = 2000000, .yy = (__int128)1000000 * 1000000,
                              .xx = (__int128)2000000 * 2000000, .xy = (__int128)1000000 * 2000000};
    pfs_moments_central(&one, &yy, &xx, &xy);
    assert_true(yy == 0 && xx == 0 && xy == 0);
    struct pfs_moments line = {0};
    for (int64_t i = 0; i < 10; i++) {
        int64_t y = 100000000 + i, x = 300000000 + 2 * i;
        line = (struct pfs_moments){line.n + 1, line.y + y, line.x + x, line.yy + (__int128)y * y,
                                    line.xx + (__int128)x * x, line.xy + (__int128)y * x};
    }
    pfs_moments_central(&line, &yy, &xx, &xy);
    assert_true(yy == 8.25 && xx == 33 && xy == 16.5);
}

/* Sums stay exact where a pixel's squared coordinate has 41 bits. */
static void test_wide(void **state)
{
    (void)state;
    struct mask m = mask(2, 1500000);
    memset(m.px + 3, 1, 1400000);
    memset(m.px + 1500000 + 1400010, 1, 99000);
    check(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold), cmocka_unit_test(test_random), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_moments),   cmocka_unit_test(test_wide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
