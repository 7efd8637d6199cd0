/* OME-XML: what it says of images, and where it says their planes lie. Shared by the TIFF driver and by the driver of
 * companion files; neither libtiff nor a file is touched here.
 *
 *   src_ome_xml.c       the text -> images, channels, runs of planes
 *   src_ome_units.c     units of length and time
 *   src_ome_planes.c    an image -> a series: axes, calibration, names, and a piece per plane
 *   src_ome.c           the driver of companion files */
#ifndef PLANEFS_SRC_OME_H
#define PLANEFS_SRC_OME_H

#include <planefs/io.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PFS_OME_BYTES = 16 << 20,            /* of XML */
    PFS_OME_DEPTH = 64,
    PFS_OME_IMAGES = 1024,
    PFS_OME_CHANNELS = 1 << 16,          /* of an image */
    PFS_OME_PLANES = 1 << 20,            /* of an image */
};

struct pfs_ome_channel {
    char *name;                          /* NULL: none */
    int64_t samples;                     /* of a pixel; 0: not said */
    double wavelength;                   /* of emission, nm; 0: not said */
};

struct pfs_ome_run {                     /* TiffData: planes that follow each other */
    int64_t ifd, count;                  /* -1: not said */
    int64_t z, c, t;                     /* of the first */
    char *file, *uuid;                   /* NULL: this file */
};

struct pfs_ome_image {
    char *name;
    bool pixels;                         /* it has a Pixels element */
    char order[4];                       /* "ZCT": fastest first */
    enum pfs_type type;
    int bits;                            /* significant ones; 0: not said */
    int64_t x, y, z, c, t;
    struct pfs_calibration cal;
    int n_channels, n_runs;
    struct pfs_ome_channel *channel;
    struct pfs_ome_run *run;
};

struct pfs_ome {
    char *uuid;                          /* of the file it stands in; NULL: none */
    char *master;                        /* BinaryOnly: the file that describes this one; NULL: this one does */
    int n_images;
    struct pfs_ome_image *image;
    const char *self;                    /* name of the TIFF file it stands in, lent; NULL: in a companion */
    bool renamed;                        /* what it says of one other file is meant for this one */
};

/* Parse n bytes. EIO in words for what is no well-formed OME-XML, has a document type, or nests too deep; EFBIG over a
 * limit. gives */
int pfs_ome_parse(const char *text, size_t n, struct pfs_ome *ret, struct pfs_err *err);
void pfs_ome_finish(struct pfs_ome *o);
const char *pfs_ome_base(const char *path);                          /* behind the last slash or backslash; lent */

/* A unit's usual name, "um" for micrometres in any spelling, cut to 15 bytes; "" when it is empty or too long. */
void pfs_unit_name(const char *text, size_t n, char ret[16]);
/* How many micrometres it is, 0 when it is no unit of length. */
double pfs_unit_um(const char *name);
double pfs_unit_seconds(const char *text, size_t n);                 /* 1 where it is not known */
/* The decimal with the fewest digits that is within a fraction `within` of v. */
double pfs_short_decimal(double v, double within);

/* Set self and renamed. */
void pfs_ome_know(struct pfs_ome *o, const char *self);
bool pfs_ome_is_own(const struct pfs_ome *o, const struct pfs_ome_run *r);       /* is it in the file that says so? */
/* Fill a zeroed series with what the image says: shape, calibration, names, and its pieces. `samples`: of a pixel of
 * its pages; n_pages: pages in the file itself. ENOENT when no plane lies anywhere, EIO when it contradicts itself. */
int pfs_ome_series(const struct pfs_ome *o, const struct pfs_ome_image *im, int64_t n_pages, int64_t samples,
                   struct pfs_series *s, struct pfs_err *err);

#endif
