/* Bit masks of planes: made by a threshold, read as runs. */
#include <planefs/kernels/bits.h>

#include <planefs/kernels/clones.h>
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

/* Set bits of a word: the compiler's own needs an instruction that not every x86-64 has. */
static uint32_t bit_count(uint64_t v)
{
    v -= v >> 1 & 0x5555555555555555;
    v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return (uint32_t)(v * 0x0101010101010101 >> 56);
}

struct count {
    const struct pfs_bits *bits;
    uint32_t *first;
};

PFS_CLONES
static void count_words(const uint64_t *restrict row, uint32_t *restrict count, int64_t words)
{
    count[0] = bit_count(row[0] & ~(row[0] << 1));
    for (int64_t i = 1; i < words; i++)
        count[i] = bit_count(row[i] & ~(row[i] << 1 | row[i - 1] >> 63));
}

static void count_row(void *ctx, int64_t y, int thread)
{
    const struct count *c = ctx;
    (void)thread;
    count_words(c->bits->word + y * c->bits->words, c->first + y * c->bits->words + 1, c->bits->words);
}

int64_t pfs_runs_count(struct pfs_runs *runs, uint32_t *first, int threads)
{
    struct count c = {&runs->bits, first};
    int64_t n = runs->bits.h * runs->bits.words;
    int64_t all = 0;
    pfs_parallel(threads, runs->bits.h, count_row, &c);
    first[0] = 0;
    for (int64_t i = 1; i <= n; i++) {
        all += first[i];
        first[i] = (uint32_t)all;
    }
    runs->first = first;
    return all;
}
