/* libFuzzer target: the parser of an entry's checksum file, on raw bytes and on the same with a right checksum behind.
 *
 * What it accepts must encode to the same bytes again.
 * clang -g -O1 -std=c17 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -Iinclude -Isrc tests/fuzz/sums.c \
 *     src/cache/sums.c src/base/blob.c src/base/hash.c src/base/mem.c src/base/text.c */
#include "cache/sums.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try(const void *data, size_t n)
{
    struct pfs_sums s;
    struct pfs_text again = {0};
    if (!pfs_sums_get((struct pfs_blob){(void *)(uintptr_t)data, n}, &s)) {
        pfs_sums_put(&again, &s);
        if (again.failed || again.n != n || memcmp(again.s, data, n) || (int64_t)n != pfs_sums_size(&s))
            abort();
    }
    pfs_text_finish(&again);
    pfs_sums_finish(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pfs_text mended = {0};
    try(data, n);
    pfs_text_bytes(&mended, data, n);
    pfs_put_u64(&mended, pfs_hash64(data, n, 0));
    if (!mended.failed)
        try(mended.s, mended.n);
    pfs_text_finish(&mended);
    return 0;
}
