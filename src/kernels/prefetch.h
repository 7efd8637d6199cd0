/* Asking for a row of a tile before it is needed: rows of tiles are too short and too far apart to be guessed. */
#ifndef PLANEFS_KERNELS_PREFETCH_H
#define PLANEFS_KERNELS_PREFETCH_H

#include <stdint.h>

enum { PFS_ROWS_AHEAD = 3 };

static inline void pfs_prefetch(const float *row, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16)
        __builtin_prefetch(row + i);
}

#endif
