/* Source drivers: how files become planes.
 *
 * A driver reads one kind of file (TIFF, HDF5, ENVI, synthetic). It is given descriptors and opens nothing itself.
 * To add one: src/io/src_NAME.c and a line in src/io/sources.def. */
#ifndef PLANEFS_IO_H
#define PLANEFS_IO_H

#include <planefs/err.h>
#include <planefs/shape.h>
#include <stddef.h>

/* One caller at a time: in the library, per source, no limit. */
enum pfs_threads { PFS_THREADS_LIBRARY, PFS_THREADS_HANDLE, PFS_THREADS_FREE };

struct pfs_files {          /* where a driver's files come from; lent for the call that is given it */
    int (*get)(void *ctx, const char *name, int *ret_fd, struct pfs_err *err);   /* gives a read-only descriptor */
    void *ctx;
};

struct pfs_extent {         /* where a plane lies in its file */
    int64_t raw;            /* offset of y*x packed samples in the series' type, -1 when it is not stored so */
    bool big_endian;        /* their byte order */
    int64_t stored;         /* the one contiguous range that holds all stored bytes of the plane ... */
    int64_t stored_size;    /* ... -1 when there is no such range */
    uint64_t codec;         /* fingerprint of every header field that decoding those bytes depends on */
    int file;               /* which file: 0 the source itself, k its companion k-1 */
};

struct pfs_piece {          /* a plane of a series that is spread over files, or not complete */
    int32_t file;           /* 0: the series' own file, k: its file[k - 1], -1: there is no such plane */
    int32_t page, sample;   /* in that file: which image of its chain, and which sample of a pixel */
};

struct pfs_series {         /* one stack in a file */
    char *name;                       /* as the file calls it, "" if it does not; "/a/b": shown at this path in the file */
    struct pfs_shape shape;           /* type: what `rows` delivers */
    int bits;                         /* bits a sample has in the file (12 of a uint16) */
    char format[24];                  /* "TIFF", "BigTIFF", "ImageJ TIFF", "OME-TIFF", "synthetic" */
    char compression[24];             /* "none", "lzw", "deflate" */
    char **band_name;                 /* shape.c names, NULL when unknown; single names may be NULL */
    double *wavelength;               /* shape.c wavelengths in nm, NULL when unknown */
    bool has_nodata;
    double nodata;
    uint8_t *geo;                     /* GeoTIFF tags to copy: each u16 tag, u16 type, u32 count, values; little-endian */
    size_t n_geo;
    struct pfs_piece *piece;          /* one a plane, C order over t, z, c; NULL: all are here, pages are not told apart */
    int n_files;                      /* other files with planes of the series: plain names, beside this one */
    char **file;
    char *master;                     /* plain name of the file that says whose planes these are; NULL without */
};

struct pfs_source {         /* an open file; a driver's own struct begins with this */
    const struct pfs_driver *driver;
    int n_series;                     /* >= 1 */
    struct pfs_series *series;
    int n_companions;                 /* other files that the series consist of, by the names they were asked for with */
    char **companion;
};

struct pfs_driver {
    const char *name, *doc;
    uint32_t rev;                     /* raised when any pixel it delivers changes; part of every key */
    enum pfs_threads threads;

    /* How sure the driver is that a file beginning with these n bytes (up to 4096) is one of its own:
     * 0 no .. 100 certain. `path` may help (its suffix); it is never opened. Pure. */
    int (*probe)(const uint8_t *head, size_t n, const char *path);

    /* Read the headers. No pixel is decoded. Costs O(headers), bounded by the driver's read budget.
     * EIO malformed, EOPNOTSUPP valid but not readable here, EFBIG over a limit. */
    int (*open)(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err);

    /* Rows y0 .. y0+n-1 of a plane into dst, packed (x samples a row), native byte order. */
    int (*rows)(struct pfs_source *s, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                struct pfs_err *err);

    /* Where a plane lies; reads headers only. */
    int (*extent)(struct pfs_source *s, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err);

    void (*close)(struct pfs_source *s);
};

extern const struct pfs_driver *const pfs_drivers[];    /* NULL-terminated, from sources.def */

/* Open `name` with the surest driver. EOPNOTSUPP "not an image planefs knows" when none claims it. gives */
int pfs_source_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err);
void pfs_source_close(struct pfs_source *s);             /* NULL is fine */

void pfs_series_finish(struct pfs_series *s);            /* for drivers: release what a series owns */

/* Background tables of a section folder (HDF5; MATLAB v7.3 layout as the field writes it). */
struct pfs_tables {
    int64_t n_offset;
    float *offset;                    /* info.h5 `offset`: one value a section; NULL without the file */
    int n_terms;
    double *coefficient;              /* polymodel.h5 `Coefficients` */
    int (*exponent)[3];               /* `ModelTerms`: exponents of x, y, z */
};

/* Either name may be NULL or "". EIO with the dataset's name when one is missing, of wrong rank, or a coefficient is not
 * finite; an offset that is not finite is kept, and fails its own section only. gives */
int pfs_tables_open(const struct pfs_files *files, const char *info, const char *model, struct pfs_tables **ret,
                    struct pfs_err *err);
void pfs_tables_close(struct pfs_tables *t);

#endif
