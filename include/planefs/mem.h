/* Memory and descriptors that release themselves at the end of a scope. */
#ifndef PLANEFS_MEM_H
#define PLANEFS_MEM_H

#include <stddef.h>
#include <stdint.h>

void *pfs_array(int64_t n, size_t size);    /* zeroed n*size bytes, NULL on overflow or lack of memory; gives */
/* n*size bytes, 64-byte aligned, not zeroed, big ones in huge pages; release with free; gives */
void *pfs_pixels(int64_t n, size_t size);
char *pfs_format(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* malloc'd text or NULL; gives */

void pfs_free_at(void *pointer_to_pointer);
void pfs_close_at(int *fd);

#define PFS_AUTO_FREE  __attribute__((cleanup(pfs_free_at)))    /* on a pointer: free(3) at scope end */
#define PFS_AUTO_CLOSE __attribute__((cleanup(pfs_close_at)))   /* on an int: close(2) at scope end when >= 0 */

/* Hand the pointer or descriptor over and disarm its cleanup. */
#define PFS_TAKE(p)  __extension__({ __typeof__(p) pfs_taken_ = (p); (p) = NULL; pfs_taken_; })
#define PFS_TAKE_FD(fd) __extension__({ int pfs_taken_ = (fd); (fd) = -1; pfs_taken_; })

#endif
