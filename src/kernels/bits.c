/* Bit masks of planes: made by a threshold, read as runs. */
#include <planefs/kernels/bits.h>

#include "kernels/parallel.h"

#ifdef __SSE2__
#include <emmintrin.h>

/* 16 comparisons to 16 bits: every x86-64 has this, and a comparison has no rounding that could differ. */
static inline uint64_t pack16(__m128 a, __m128 b, __m128 c, __m128 d)
{
    __m128i ab = _mm_packs_epi32(_mm_castps_si128(a), _mm_castps_si128(b));
    __m128i cd = _mm_packs_epi32(_mm_castps_si128(c), _mm_castps_si128(d));
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_packs_epi16(ab, cd));
}

static void threshold64(const float *in, float t, uint64_t *over, uint64_t *under)
{
    __m128 high = _mm_set1_ps(t), low = _mm_set1_ps(-t);
    uint64_t o = 0, u = 0;
    for (int i = 0; i < 64; i += 16) {
        __m128 a = _mm_loadu_ps(in + i), b = _mm_loadu_ps(in + i + 4);
        __m128 c = _mm_loadu_ps(in + i + 8), d = _mm_loadu_ps(in + i + 12);
        o |= pack16(_mm_cmpgt_ps(a, high), _mm_cmpgt_ps(b, high), _mm_cmpgt_ps(c, high), _mm_cmpgt_ps(d, high)) << i;
        u |= pack16(_mm_cmplt_ps(a, low), _mm_cmplt_ps(b, low), _mm_cmplt_ps(c, low), _mm_cmplt_ps(d, low)) << i;
    }
    *over = o;
    *under = u;
}
#else
static void threshold64(const float *in, float t, uint64_t *over, uint64_t *under)
{
    uint64_t o = 0, u = 0;
    for (int i = 0; i < 64; i++) {
        o |= (uint64_t)(in[i] > t) << i;
        u |= (uint64_t)(in[i] < -t) << i;
    }
    *over = o;
    *under = u;
}
#endif

void pfs_threshold_row(const float *in, float t, uint64_t *over, uint64_t *under, int64_t w)
{
    int64_t x = 0;
    for (; x + 64 <= w; x += 64)
        threshold64(in + x, t, over++, under++);
    if (x == w)
        return;
    *over = *under = 0;
    for (int64_t i = 0; x + i < w; i++) {
        *over |= (uint64_t)(in[x + i] > t) << i;
        *under |= (uint64_t)(in[x + i] < -t) << i;
    }
}

int64_t pfs_runs_begun(const uint64_t *row, int64_t from, int64_t to)
{
    int64_t runs = 0;
    uint64_t before = from > 0 ? row[from - 1] >> 63 : 0;
    for (int64_t i = from; i < to; i++) {
        runs += __builtin_popcountll(row[i] & ~(row[i] << 1 | before));
        before = row[i] >> 63;
    }
    return runs;
}

struct count {
    const struct pfs_runs *runs;
    uint32_t *first;
};

static void count_row(void *ctx, int64_t y, int thread)
{
    const struct count *c = ctx;
    const struct pfs_bits *b = &c->runs->bits;
    uint32_t *first = c->first + y * c->runs->granules + 1;
    (void)thread;
    for (int64_t g = 0; g < c->runs->granules; g++) {
        int64_t from = g * PFS_GRANULE, to = from + PFS_GRANULE;
        first[g] = (uint32_t)pfs_runs_begun(b->word + y * b->words, from, to < b->words ? to : b->words);
    }
}

int64_t pfs_runs_count(struct pfs_runs *runs, uint32_t *first, int threads)
{
    struct count c = {runs, first};
    int64_t n = runs->bits.h * runs->granules;
    int64_t all = 0;
    pfs_parallel(threads, runs->bits.h, count_row, &c);
    for (int64_t i = 0; i < n; i++) {
        int64_t here = first[i + 1];
        first[i] = (uint32_t)all;
        all += here;
        first[i + 1] = (uint32_t)all;
    }
    first[n] = (uint32_t)all;
    runs->first = first;
    return all;
}
