/* The TIFF header of planes of a view: shape, calibration, display range and recipe, put together for tiff_header.h.
 * Threads: pure. */
#ifndef PLANEFS_HEADER_H
#define PLANEFS_HEADER_H

#include "files/files.h"

/* Size of a TIFF of t * z * c planes of the name's view, and the bytes in front of them. EFBIG as
 * pfs_tiff_header_layout says. */
int pfs_header_size(const struct pfs_name *n, int64_t t, int64_t z, int64_t c, int64_t *ret, struct pfs_err *err);
int pfs_header(const struct pfs_name *n, int64_t t, int64_t z, int64_t c, bool big_endian, struct pfs_text *ret,
               struct pfs_err *err);

/* The canonical recipe on one line: its steps joined by " | ", "source" when there is none. */
void pfs_header_recipe(const struct pfs_recipe *r, struct pfs_text *ret);

/* The display range of a view where it is known without pixels, else 0 and 0: of the source itself its own; of a recipe
 * what its operator set, 0..255 for a mask and for the u8 result of contrast. Cropping changes nothing. */
void pfs_header_range(const struct pfs_name *n, double range[2]);

#endif
