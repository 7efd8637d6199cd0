/* Memory and descriptors that release themselves. */
#include <planefs/mem.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20, BIG = 2 * HUGE_PAGE };

void *pfs_array(int64_t n, size_t size)
{
    return n < 0 ? NULL : calloc(n ? (size_t)n : 1, size);
}

void *pfs_pixels(int64_t n, size_t size)
{
    int64_t bytes;
    if (n < 0 || __builtin_mul_overflow(n, (int64_t)size, &bytes) || bytes > INT64_MAX - 64)
        return NULL;
    if (bytes < BIG)
        return aligned_alloc(64, ((size_t)bytes + 64) & ~(size_t)63);
    size_t room = ((size_t)bytes + HUGE_PAGE) & ~(size_t)(HUGE_PAGE - 1);
    void *p = aligned_alloc(HUGE_PAGE, room);
    if (p)
        madvise(p, room, MADV_HUGEPAGE);   /* touching 0.5 GB page by page costs 0.2 s */
    return p;
}

char *pfs_format(const char *format, ...)
{
    char *s = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&s, format, args) < 0)
        s = NULL;
    va_end(args);
    return s;
}

void pfs_free_at(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
}

void pfs_close_at(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
