/* One growing buffer for each thread that copies pixels or names: replies are built in it and sent from it. */
#include "fs/session.h"

#include <pthread.h>
#include <stdlib.h>

struct buffer { size_t size; char *bytes; };

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void release(void *arg)
{
    struct buffer *b = arg;
    free(b->bytes);
    free(b);
}

static void create_key(void)
{
    if (pthread_key_create(&key, release))
        abort();                      /* only when a process has more than 1024 keys */
}

char *pfs_thread_buffer(size_t n)
{
    pthread_once(&once, create_key);
    struct buffer *b = pthread_getspecific(key);
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b || pthread_setspecific(key, b)) {
            free(b);
            return NULL;
        }
    }
    if (b->size >= n && b->bytes)
        return b->bytes;
    free(b->bytes);
    b->size = (n + 4095) / 4096 * 4096;
    b->bytes = aligned_alloc(4096, b->size ? b->size : 4096);
    if (!b->bytes)
        b->size = 0;
    return b->bytes;
}
