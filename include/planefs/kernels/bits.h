/* Bit masks of planes: one bit a pixel, rows of whole 64-bit words, bit 0 leftmost, bits beyond the width clear. */
#ifndef PLANEFS_KERNELS_BITS_H
#define PLANEFS_KERNELS_BITS_H

#include <planefs/plane.h>

struct pfs_bits {
    uint64_t *word;                         /* row y begins at word[y * words] */
    int64_t words, h, w;
};

static inline int64_t pfs_bits_words(int64_t w)
{
    return (w + 63) / 64;
}

/* Bits of one row: over where in > t, under where in < -t. NaN is neither. t >= 0. */
void pfs_threshold_row(const float *in, float t, uint64_t *over, uint64_t *under, int64_t w);

/* A walk along the runs of set bits in one row. */
struct pfs_run_walk {
    const uint64_t *word;
    int64_t words, at;                      /* at: the word that `rest` comes from */
    uint64_t rest;                          /* its bits not yet walked over */
};

static inline struct pfs_run_walk pfs_run_walk(const uint64_t *row, int64_t words, int64_t from_word)
{
    return (struct pfs_run_walk){row, words, from_word, from_word < words ? row[from_word] : 0};
}

/* The next run [*ret_begin, *ret_end); false when there is none. Cost: some ten instructions a run, two a word. */
static inline bool pfs_run_next(struct pfs_run_walk *walk, int64_t *ret_begin, int64_t *ret_end)
{
    while (!walk->rest) {
        if (++walk->at >= walk->words)
            return false;
        walk->rest = walk->word[walk->at];
    }
    int begin = __builtin_ctzll(walk->rest);
    *ret_begin = walk->at * 64 + begin;
    uint64_t gaps = ~(walk->rest | ((1ull << begin) - 1));    /* clear bits above the run's begin */
    while (!gaps) {                                           /* the run goes on in the next word */
        if (++walk->at >= walk->words) {
            walk->rest = 0;
            *ret_end = walk->words * 64;
            return true;
        }
        walk->rest = walk->word[walk->at];
        gaps = ~walk->rest;
    }
    int end = __builtin_ctzll(gaps);
    *ret_end = walk->at * 64 + end;
    walk->rest &= ~((1ull << end) - 1);
    return true;
}

/* The runs of a mask, numbered downwards by rows and rightwards in a row. first[y * words + i] is the number of the
 * first run that begins in word i of row y or after it; one more value holds their count. */
struct pfs_runs {
    struct pfs_bits bits;
    const uint32_t *first;                  /* h * words + 1 values */
};

static inline uint32_t pfs_runs_first(const struct pfs_runs *runs, int64_t y)
{
    return runs->first[y * runs->bits.words];
}

/* Fill `first` (h * words + 1 values) and lend it to runs; returns the number of runs, of which 2^32 - 1 fit. */
int64_t pfs_runs_count(struct pfs_runs *runs, uint32_t *first, int threads);

#endif
