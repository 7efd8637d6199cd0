/* Inside the HDF5 driver: datasets as blocks of planes, and stacks made of one or many of them.
 *
 *   src_hdf5_walk.c     the file's tree -> datasets that are images, and why others are not
 *   src_hdf5_type.c     what a dataset delivers: sample type, filters, limits
 *   src_hdf5_filter.c   HDF5's filters, watched
 *   src_hdf5_attr.c     attributes as numbers and text
 *   src_hdf5_axes.c     attributes -> axes and calibration
 *   src_hdf5_many.c     stacks of many datasets: BigDataViewer, Imaris
 *   src_hdf5_xml.c      the XML file beside a BigDataViewer file
 *   src_hdf5_extent.c   where planes lie, fingerprints
 *   src_hdf5_rows.c     datasets kept open, rows of a plane
 *   src_hdf5.c          the driver */
#ifndef PLANEFS_SRC_HDF5_H
#define PLANEFS_SRC_HDF5_H

#include "io/hdf5_file.h"

#include <planefs/io.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PFS_H5_RANK = 5,
    PFS_H5_SIDE = 1 << 20,
    PFS_H5_PLANES = 1 << 20,             /* of a series */
    PFS_H5_SERIES = 4096,
    PFS_H5_OBJECTS = 1 << 17,            /* looked at in one file */
    PFS_H5_DEPTH = 32,
    PFS_H5_CHUNKS = 1 << 21,             /* of a dataset, to be looked up one by one */
    PFS_H5_OPEN = 8,                     /* datasets kept open */
    PFS_H5_TEXT = 1 << 20,               /* bytes of an attribute */
};
#define PFS_H5_PLANE_BYTES ((int64_t)2 << 30)

enum pfs_h5_axis { PFS_H5_T, PFS_H5_Z, PFS_H5_C, PFS_H5_Y, PFS_H5_X, PFS_H5_AXES };

struct pfs_h5_block {                    /* a dataset as it is stored */
    int rank;
    int64_t dim[PFS_H5_RANK];
    enum pfs_type type;                  /* what is delivered */
    hid_t memory;                        /* as HDF5 delivers it; lent by the library */
    int bits;
    bool plain;                          /* samples lie in the file as they are delivered, but for their byte order */
    bool big_endian;
    int size;                            /* bytes a stored sample */
    H5D_layout_t layout;
    int64_t chunk[PFS_H5_RANK];          /* chunked */
    int n_filters, first_filter;         /* the first when packing unpacks last */
    char compression[24];
    uint64_t codec;                      /* of all that decoding depends on, but for where chunks lie */
};

enum pfs_h5_layout { PFS_H5_ONE, PFS_H5_BDV, PFS_H5_IMARIS };

struct pfs_h5_stack {                    /* a series: which dataset a plane lies in, and which axis each dimension is */
    enum pfs_h5_layout layout;
    char *path;                          /* ONE */
    int *t, *c;                          /* BDV: numbers of time points and setups */
    struct pfs_h5_block block;           /* of the first dataset; the others must agree */
    uint8_t axis[PFS_H5_RANK];           /* enum pfs_h5_axis of each dimension */
};

struct pfs_h5_place { int64_t at, size; uint64_t codec; bool known; };

struct pfs_h5_open {                     /* a dataset kept open */
    int series;
    int64_t t, c;                        /* which of a stack of many */
    hid_t dataset;                       /* negative: none */
    struct pfs_h5_block block;           /* as it is itself: padding and chunks may differ from the first one's */
    uint64_t used;
    struct pfs_h5_place *layer;          /* where the chunks of a plane lie, per group of planes that share them */
};

struct pfs_h5 {
    struct pfs_source source;
    hid_t file;
    int64_t size;                        /* of the file */
    char *xml;                           /* companion of a BigDataViewer file, or NULL */
    int room;
    struct pfs_h5_stack *stack;          /* n_series of them */
    struct pfs_h5_open open[PFS_H5_OPEN];
    uint64_t clock;
};

extern const struct pfs_driver pfs_driver_hdf5;

/* A new series and its stack, zeroed; NULL with EFBIG or ENOMEM. */
struct pfs_h5_stack *pfs_h5_add(struct pfs_h5 *h, const char *name, struct pfs_series **ret, struct pfs_err *err);

/* ---- walk ---- */
struct pfs_h5_found { char *path; struct pfs_h5_block block; bool tagged; };
struct pfs_h5_finds {
    int n, room;
    struct pfs_h5_found *found;
    struct pfs_err why;                  /* the first refusal; code 0: none */
};
int pfs_h5_walk(struct pfs_h5 *h, struct pfs_h5_finds *ret, struct pfs_err *err);
void pfs_h5_finds_finish(struct pfs_h5_finds *f);

/* ---- types ---- */
/* EOPNOTSUPP for what is no number of a known kind or needs a filter of others, EFBIG over a limit, EIO damaged.
 * 1: of no interest (a text, a reference, a rank that is no image's). */
int pfs_h5_block_of(struct pfs_h5 *h, hid_t dataset, const char *path, struct pfs_h5_block *ret, struct pfs_err *err);

/* ---- filters ---- */
void pfs_h5_filters_watch(void);                                     /* once per process; again is harmless */
/* From now on chunks of this block are read; NULL: none are. One too short fails the read. */
void pfs_h5_filters_expect(const struct pfs_h5_block *b);
int64_t pfs_h5_chunk_bytes(const struct pfs_h5_block *b);

/* ---- attributes ---- */
/* Numbers of an attribute, up to `most`: how many, 0 when it is absent, no numbers, or more than that. */
int pfs_h5_numbers(hid_t object, const char *name, double *ret, int most);
/* Text of an attribute; the items of a list of texts one behind the other. NULL when there is none. gives */
char *pfs_h5_text(hid_t object, const char *name);
/* Numbers, texts behind "key" in JSON: how many. The texts are joined with commas in ret. */
int pfs_h5_json_numbers(const char *json, const char *key, double *ret, int most);
int pfs_h5_json_texts(const char *json, const char *key, char *ret, size_t room);

/* ---- axes ---- */
bool pfs_h5_axes_tagged(hid_t dataset);
void pfs_h5_axes(hid_t dataset, const struct pfs_h5_block *b, uint8_t axis[PFS_H5_RANK]);
/* Lengths of the axes; those that are not there are 1. */
void pfs_h5_lengths(const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK], struct pfs_shape *ret);
void pfs_h5_calibrate(hid_t dataset, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK], bool cremi,
                      struct pfs_calibration *cal);
/* EFBIG over a limit. */
int pfs_h5_check_shape(const struct pfs_shape *s, const char *path, struct pfs_err *err);

/* ---- stacks of many ---- */
/* 1: the file is laid out so, and its series were added; 0: it is not. */
int pfs_h5_bdv(struct pfs_h5 *h, const struct pfs_files *files, const char *name, struct pfs_err *err);
int pfs_h5_imaris(struct pfs_h5 *h, struct pfs_err *err);
/* The path of the dataset that holds a plane. gives */
char *pfs_h5_path(const struct pfs_h5_stack *s, struct pfs_at at);

struct pfs_h5_setup { int id; char *name; double voxel[3]; char unit[16]; };   /* voxel: z, y, x */
struct pfs_h5_setups { int n, room; struct pfs_h5_setup *setup; };
/* Setups of the XML file beside NAME.h5; nothing when there is none, or it speaks of another file. */
int pfs_h5_xml(const struct pfs_files *files, const char *name, struct pfs_h5_setups *ret, char **ret_xml,
               struct pfs_err *err);
void pfs_h5_setups_finish(struct pfs_h5_setups *s);

/* ---- planes ---- */
/* Which element of the dataset the plane begins at, and how many rows and columns of which dimensions it has. */
struct pfs_h5_slab { int y, x; hsize_t start[PFS_H5_RANK], count[PFS_H5_RANK]; };
int pfs_h5_open_plane(struct pfs_h5 *h, int series, struct pfs_at at, struct pfs_h5_open **ret, struct pfs_err *err);
void pfs_h5_close_plane(struct pfs_h5_open *o);
int pfs_h5_rows(struct pfs_h5 *h, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst, struct pfs_err *err);
/* EIO when a chunk that the plane lies in is shorter than it must be. */
int pfs_h5_check_chunks(struct pfs_h5_open *o, const struct pfs_h5_block *b, const struct pfs_h5_slab *slab,
                        struct pfs_err *err);
int pfs_h5_extent(struct pfs_h5 *h, int series, struct pfs_at at, struct pfs_extent *ret, struct pfs_err *err);
struct pfs_h5_slab pfs_h5_slab(const struct pfs_h5 *h, int series, struct pfs_at at);

#endif
