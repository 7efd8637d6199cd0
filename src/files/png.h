/* PNG without compression: 8-bit grey, stored blocks, so that the length follows from the size of the image.
 * Format: PNG (W3C 2003), zlib (RFC 1950), deflate (RFC 1951). Threads: pure. */
#ifndef PLANEFS_PNG_H
#define PLANEFS_PNG_H

#include <planefs/text.h>
#include <stdint.h>

/* Bytes of an h x w image, h and w >= 1; -1 when it is over 1 GiB. */
int64_t pfs_png_size(int64_t h, int64_t w);

/* Append the image; px: h rows of w bytes, packed. Nothing is appended when pfs_png_size is -1. */
void pfs_png(struct pfs_text *t, const uint8_t *px, int64_t h, int64_t w);

#endif
