/* The pyramid split and the removal of bands against naive twins in double. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* The same code without clones, under other names. */
#define PFS_NO_CLONES
#define pfs_split base_split
#define pfs_split_scratch base_split_scratch
#define LANE SPLIT_LANE
#define band_count split_band_count
#include "../../src/kernels/split.c"
#undef LANE
#define pfs_stripe_remove base_stripe_remove
#define pfs_stripe_scratch base_stripe_scratch
#define strip stripe_strip
#include "../../src/kernels/stripe.c"
#undef strip
#undef pfs_split
#undef pfs_stripe_remove
void pfs_split(struct pfs_plane from, struct pfs_plane low, struct pfs_plane detail, int64_t step, const uint8_t *mask,
               double *squares, float *scratch, int threads);
void pfs_stripe_remove(const struct pfs_stripe *s, struct pfs_plane from, struct pfs_plane out, void *scratch,
                       int threads);

#include "planes.h"

#define EPS 0x1p-23

/* NULL one time in two; never all zero. gives */
static uint8_t *random_mask(int64_t n, bool wanted)
{
    if (!wanted)
        return NULL;
    uint8_t *m = malloc((size_t)n);
    double density = sample_real(0.1, 1);
    for (int64_t i = 0; i < n; i++)
        m[i] = sample_real(0, 1) < density;
    m[sample_int(0, n - 1)] = 1;
    return m;
}

/* conv, or m conv(a m) / (conv(m) + eps); a is released. */
static double *masked_conv(double *a, const uint8_t *m, int64_t h, int64_t w, const double *k, int64_t n,
                           int64_t before, bool along_y)
{
    double *flat = malloc((size_t)(h * w) * sizeof *flat);
    for (int64_t i = 0; i < h * w; i++) {
        flat[i] = m ? m[i] : 1;
        a[i] *= flat[i];
    }
    double *top = twin_conv(a, h, w, k, n, before, along_y), *bottom = twin_conv(flat, h, w, k, n, before, along_y);
    for (int64_t i = 0; m && i < h * w; i++)
        top[i] = m[i] ? top[i] / (bottom[i] + EPS) : 0;
    free(a);
    free(flat);
    free(bottom);
    return top;
}

static double *copy(const double *a, int64_t n)
{
    double *b = malloc((size_t)n * sizeof *b);
    memcpy(b, a, (size_t)n * sizeof *b);
    return b;
}

static void check_squares(struct pfs_plane detail, const double *squares)
{
    for (int64_t y = 0; y < detail.h; y++) {
        double sum = 0;
        for (int64_t x = 0; x < detail.w; x++)
            sum += (double)detail.px[y * detail.row + x] * (double)detail.px[y * detail.row + x];
        assert_true(fabs(squares[y] - sum) <= 1e-12 * sum);
    }
}

/* One split: new detail plane, low in `low` (which may be `from`, or have no pixels). */
static struct pfs_plane split_run(struct pfs_plane from, struct pfs_plane low, int64_t step, const uint8_t *m,
                                  int threads, bool base)
{
    struct pfs_plane detail = plane_empty(from.h, from.w);
    size_t bytes = (size_t)base_split_scratch(from.h, from.w, step, threads) * sizeof(float);
    size_t rows = (size_t)from.h * sizeof(double);
    float *scratch = guarded(bytes);
    double *squares = guarded(rows);
    (base ? base_split : pfs_split)(from, low, detail, step, m, squares, scratch, threads);
    assert_true(guard_intact(scratch, bytes) && guard_intact(squares, rows) && plane_intact(detail));
    assert_true(!low.px || plane_intact(low));
    check_squares(detail, squares);
    guarded_free(scratch);
    guarded_free(squares);
    return detail;
}

static void split_case(int64_t h, int64_t w, int64_t step, bool masked)
{
    struct pfs_plane from = plane_random(h, w, 0, 65535), low = plane_empty(h, w), place, base, none = {0};
    uint8_t *m = random_mask(h * w, masked);
    for (int64_t i = 0; m && i < h * w; i++)
        from.px[i / w * from.row + i % w] *= m[i];
    double *k = twin_lowpass_taps(step), *a = masked_conv(twin_of(from), m, h, w, k, 6 * step + 1, 3 * step, true);
    double *b = masked_conv(copy(a, h * w), m, h, w, k, 6 * step + 1, 3 * step, false);
    place = plane_copy(from);
    base = plane_copy(from);
    struct pfs_plane detail[4] = {
        split_run(from, low, step, m, 1, false), split_run(place, place, step, m, 3, false),
        split_run(base, base, step, m, 2, true), split_run(from, none, step, m, 2, false),
    };
    for (int64_t i = 0; i < h * w; i++)
        a[i] -= b[i];
    if (!(twin_error(low, b) < 0.05 && twin_error(detail[0], a) < 0.05))
        fail_msg("%d x %d, step %d, mask %d: off by %g, %g", (int)h, (int)w, (int)step, m != NULL, twin_error(low, b),
                 twin_error(detail[0], a));
    assert_true(plane_same(low, place) && plane_same(low, base));
    for (int i = 1; i < 4; i++) {
        assert_true(plane_same(detail[0], detail[i]));
        plane_free(detail[i]);
    }
    plane_free(detail[0]);
    free(k);
    free(a);
    free(b);
    free(m);
    plane_free(from);
    plane_free(low);
    plane_free(place);
    plane_free(base);
}

static void test_split(void **state)
{
    (void)state;
    for (int i = 0; i < 160; i++)
        split_case(sample_side(), sample_side(), (int64_t)1 << sample_int(0, 6), i % 2);
    split_case(400, 20, 4, false);
    split_case(400, 20, 8, true);
}

/* Random runs with weights, and the same as one weight a pixel. */
struct weights {
    struct pfs_weighted_runs runs[2];
    double *pixel;
};

static struct weights random_weights(int64_t h, int64_t w)
{
    struct weights s = {.pixel = malloc((size_t)(h * w) * sizeof(double))};
    double density = sample_int(0, 3) ? sample_real(0, 0.4) : 0;
    int64_t words = pfs_bits_words(w);
    uint64_t *word[2] = {calloc((size_t)(h * words), 8), calloc((size_t)(h * words), 8)};
    for (int64_t i = 0; i < h * w; i++)
        if (sample_real(0, 1) < density)
            word[sample_int(0, 1)][i / w * words + i % w / 64] |= 1ull << i % w % 64;
    for (int64_t i = 0; i < h * w; i++)
        s.pixel[i] = 1;
    for (int sign = 0; sign < 2; sign++) {
        struct pfs_weighted_runs *r = &s.runs[sign];
        r->runs.bits = (struct pfs_bits){word[sign], words, h, w};
        int64_t n = pfs_runs_count(&r->runs, malloc((size_t)(h * words + 1) * 4), 1), i = -1;
        union pfs_weight *weight = malloc((size_t)(n + 1) * sizeof *weight);
        bool same = sample_int(0, 2) == 0;
        r->same = (float)sample_int(0, 16) / 16;
        for (int64_t k = 0; k < n; k++)
            weight[k].w = (float)sample_int(0, 1 << 20) * 0x1p-20f;
        for (int64_t at = 0; at < h * w; at++) {
            int64_t y = at / w, x = at % w;
            if (!(word[sign][y * words + x / 64] >> x % 64 & 1))
                continue;
            i += x == 0 || !(word[sign][y * words + (x - 1) / 64] >> (x - 1) % 64 & 1);
            s.pixel[at] = same ? (double)r->same : (double)weight[i].w;
        }
        r->weight = same ? NULL : weight;
        if (same)
            free(weight);
    }
    return s;
}

static void weights_free(struct weights *s)
{
    for (int i = 0; i < 2; i++) {
        free(s->runs[i].runs.bits.word);
        free((uint32_t *)(uintptr_t)s->runs[i].runs.first);
        free((union pfs_weight *)(uintptr_t)s->runs[i].weight);
    }
    free(s->pixel);
}

static double *remove_twin(const struct pfs_stripe *s, const double *weight, struct pfs_plane from)
{
    int64_t h = from.h, w = from.w, n = h * w;
    double *wt = copy(weight, n), *product = twin_of(s->source), *out = twin_of(from), *detail = twin_of(s->detail);
    double *tri = twin_tri_taps(s->bands_len);
    if (s->mask_len) {
        double *box = twin_box_taps(s->mask_len), *x = twin_conv(wt, h, w, box, s->mask_len, s->mask_len / 2, false);
        free(wt);
        wt = twin_conv(x, h, w, box, s->mask_len, s->mask_len / 2, true);
        free(x);
        free(box);
    }
    for (int64_t i = 0; i < n; i++) {
        double t = s->clip ? (double)s->clip[i / w] : (double)INFINITY;
        product[i] = fmin(fmax(product[i], -t), t) * wt[i];
    }
    double *band = masked_conv(product, s->mask, h, w, tri, 2 * s->bands_len - 1, s->bands_len - 1, true);
    for (int64_t i = 0; i < n; i++)
        if (!s->mask || s->mask[i])
            out[i] -= s->detail_gain * detail[i] + s->band_gain * (s->smooth ? wt[i] : 1) * band[i];
    free(wt);
    free(detail);
    free(tri);
    free(band);
    return out;
}

static void remove_run(const struct pfs_stripe *s, struct pfs_plane from, struct pfs_plane out, int threads, bool base)
{
    size_t bytes = base_stripe_scratch(s, threads);
    void *scratch = guarded(bytes);
    (base ? base_stripe_remove : pfs_stripe_remove)(s, from, out, scratch, threads);
    assert_true(guard_intact(scratch, bytes) && plane_intact(out));
    guarded_free(scratch);
}

static void remove_case(int64_t h, int64_t w, int64_t bands_len, int64_t mask_len, bool masked, bool clipped,
                        bool other)
{
    struct pfs_plane detail = plane_random(h, w, -1000, 1000), source = plane_random(h, w, -1000, 1000);
    struct pfs_plane from = plane_random(h, w, 0, 65535), one = plane_empty(h, w), place = plane_copy(from);
    struct pfs_plane base = plane_empty(h, w);
    struct weights weights = random_weights(h, w);
    uint8_t *m = random_mask(h * w, masked);
    float *clip = malloc((size_t)h * sizeof *clip);
    for (int64_t i = 0; m && i < h * w; i++) {
        detail.px[i / w * detail.row + i % w] *= m[i];
        source.px[i / w * source.row + i % w] *= m[i];
    }
    for (int64_t y = 0; y < h; y++)
        clip[y] = (float)sample_real(0, 900);
    struct pfs_stripe s = {.detail = detail, .source = other ? source : detail, .clip = clipped ? clip : NULL,
                           .mask = m, .runs = {weights.runs[0], weights.runs[1]}, .bands_len = bands_len,
                           .mask_len = mask_len, .smooth = mask_len > 0, .detail_gain = sample_real(0, 1),
                           .band_gain = sample_real(0, 1)};
    double *want = remove_twin(&s, weights.pixel, from);
    remove_run(&s, from, one, 1, false);
    remove_run(&s, place, place, 3, false);
    remove_run(&s, from, base, 2, true);
    if (!(twin_error(one, want) < 0.01))
        fail_msg("%d x %d, bands %d, weights %d, mask %d: off by %g", (int)h, (int)w, (int)bands_len,
                 (int)mask_len, masked, twin_error(one, want));
    assert_true(plane_same(one, place) && plane_same(one, base));
    free(want);
    free(m);
    free(clip);
    weights_free(&weights);
    plane_free(detail);
    plane_free(source);
    plane_free(from);
    plane_free(one);
    plane_free(place);
    plane_free(base);
}

static void test_remove(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        remove_case(sample_side(), sample_side(), sample_side(), sample_int(0, 2) ? sample_int(1, 40) : 0, i % 2,
                    i % 5 == 0, i % 7 == 0);
}

/* Kernels longer than the image in either direction, several strips, windows wider than a strip. */
static void test_remove_long(void **state)
{
    (void)state;
    remove_case(1, 1, 1000, 500, false, false, false);
    remove_case(3, 200, 500, 301, true, false, false);
    remove_case(200, 3, 100, 100, false, false, true);
    remove_case(20, 1100, 9, 7, false, false, false);
    remove_case(20, 700, 9, 130, true, false, false);
    remove_case(40, 5000, 3, 31, false, false, false);
    remove_case(20, 200, 9, 150, false, false, false);
    remove_case(20, 200, 9, 200, true, false, false);
}

/* No runs at all: bits may be missing. */
static void test_remove_plain(void **state)
{
    (void)state;
    struct pfs_plane detail = plane_random(50, 70, -10, 10), from = plane_random(50, 70, 0, 10);
    struct pfs_plane out = plane_empty(50, 70);
    double ones[50 * 70];
    for (int i = 0; i < 50 * 70; i++)
        ones[i] = 1;
    struct pfs_stripe s = {.detail = detail, .source = detail, .bands_len = 21, .band_gain = 1};
    double *want = remove_twin(&s, ones, from);
    remove_run(&s, from, out, 2, false);
    assert_true(twin_error(out, want) < 1e-5);
    free(want);
    plane_free(detail);
    plane_free(from);
    plane_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_remove_long),
        cmocka_unit_test(test_remove_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
