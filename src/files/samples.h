/* Samples of planes as numbers: for reports made of pixels. The planes a report needs are ready when its text is asked
 * for; a plane that was evicted since is EIO, and the next read computes it again.
 * Threads: pure but for the engine. */
#ifndef PLANEFS_SAMPLES_H
#define PLANEFS_SAMPLES_H

#include "engine/engine.h"

/* The ready plane of a view. gives */
int pfs_samples_open(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_pixels **ret,
                     struct pfs_err *err);

/* n samples of the given type from sample `first` of the plane on, in native byte order. */
int pfs_samples_read(struct pfs_pixels *p, enum pfs_type type, int64_t first, int64_t n, void *dst,
                     struct pfs_err *err);

/* A sample in decimal, so that it reads back as the same value: integers as they are, floats as short as may be, "nan",
 * "inf" and "-inf". At most pfs_sample_width(type) characters. */
enum { PFS_SAMPLE_MAX = 32 };
void pfs_sample_text(enum pfs_type type, const void *sample, char text[PFS_SAMPLE_MAX]);
int pfs_sample_width(enum pfs_type type);

#endif
