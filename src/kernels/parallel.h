/* A parallel for on plain threads. */
#ifndef PLANEFS_KERNELS_PARALLEL_H
#define PLANEFS_KERNELS_PARALLEL_H

#include <stdint.h>

/* fn(ctx, i, thread) for every i of 0 .. n-1, on the caller (thread 0) and up to threads-1 helpers that live as long as
 * this call; items are handed out in order, each once. `thread` is < max(threads, 1): use it to pick scratch. When a
 * helper cannot be started the others do its share. Threads: any number of callers. Cost: some 30 us a helper. */
void pfs_parallel(int threads, int64_t n, void (*fn)(void *ctx, int64_t i, int thread), void *ctx);

#endif
