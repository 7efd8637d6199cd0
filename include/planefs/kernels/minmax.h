/* Mid-range of a square window, row after row: (max + min) / 2 over n x n pixels.
 *
 * Rows go in from top to bottom, already mirrored and padded by the caller; the first n - 1 pushes give nothing, each
 * later one the row in the middle of the last n. Cost per pixel grows with log n along the row and not at all down the
 * columns. Exact. A NaN makes the windows around it unspecified. */
#ifndef PLANEFS_KERNELS_MINMAX_H
#define PLANEFS_KERNELS_MINMAX_H

#include <stdbool.h>
#include <stdint.h>

struct pfs_midrange { int64_t n, w, pushed; float *scratch; };

/* A new window of n x n (n odd, >= 1) for results w pixels wide; scratch: as many floats as the second one says. */
struct pfs_midrange pfs_midrange(int64_t n, int64_t w, float *scratch);
int64_t pfs_midrange_scratch(int64_t n, int64_t w);

/* Take a row of w + n - 1 pixels; true when `mid` (w pixels) was written. */
bool pfs_midrange_push(struct pfs_midrange *m, const float *row, float *mid);

#endif
