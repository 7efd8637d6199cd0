/* Cached planes are ordinary files: a header whose description is the canonical text of the plane. */
#include "files/entry_head.h"

#include "files/tiff_header.h"

int pfs_entry_header(const struct pfs_shape *shape, const char *text, struct pfs_text *ret, struct pfs_err *err)
{
    return pfs_tiff_header(&(struct pfs_tiff){.n = pfs_shape_planes(shape), .y = shape->y, .x = shape->x,
                                              .type = shape->type,
                                              .description = text}, ret, err);
}
