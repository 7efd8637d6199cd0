/* The header that makes a cached plane a finished TIFF of its own. */
#ifndef PLANEFS_ENTRY_HEAD_H
#define PLANEFS_ENTRY_HEAD_H

#include <planefs/err.h>
#include <planefs/shape.h>
#include <planefs/text.h>

/* The bytes in front of the pixels of one little-endian plane; `text`, its canonical text, becomes the description.
 * Calibration is left out: it is no part of the key. EFBIG as pfs_tiff_header_layout says. Threads: pure. */
int pfs_entry_header(const struct pfs_shape *shape, const char *text, struct pfs_text *ret, struct pfs_err *err);

#endif
