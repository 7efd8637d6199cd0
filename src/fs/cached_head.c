/* One plane, one IFD, described by the text of its key. Served headers are never read from here: they carry what is no
 * part of a key (calibration, names) and are put together anew each time. */
#include "fs/cached_head.h"

#include "files/tiff_header.h"

int pfs_cached_head(const struct pfs_shape *shape, const char *text, struct pfs_text *ret, struct pfs_err *err)
{
    struct pfs_tiff tiff = {.n = 1, .y = shape->y, .x = shape->x, .type = shape->type, .description = text};
    return pfs_tiff_header(&tiff, ret, err);
}
