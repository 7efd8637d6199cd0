/* The header under which the engine keeps a computed plane, so that the cache is full of ordinary TIFF files. */
#ifndef PLANEFS_FS_CACHED_HEAD_H
#define PLANEFS_FS_CACHED_HEAD_H

#include "engine/engine.h"

/* As struct pfs_engine_options wants it: one plane of that shape, `text` (what the key stands for) as description. */
int pfs_cached_head(const struct pfs_shape *shape, const char *text, struct pfs_text *ret, struct pfs_err *err);

#endif
