/* The catalog: which datasets lie under SOURCE, and of which files, axes and planes each consists.
 *
 * Folders and datasets are immutable snapshots, reference-counted: a change on disk makes a new snapshot, and whoever
 * holds the old one keeps it. Folders are read when first asked for; a file in one is probed by a reader worker, a section
 * stack by a few of its sections; probes and content hashes are remembered in the ledger.
 * Functions that may have to read take `wait`: when false they answer -EAGAIN instead of waiting.
 * Threads: any. */
#ifndef PLANEFS_CATALOG_H
#define PLANEFS_CATALOG_H

#include "cache/cache.h"
#include "catalog/config.h"
#include "pool/pool.h"
#include "wire/record.h"

struct pfs_catalog;

struct pfs_ident {                   /* one version of a file */
    uint64_t dev, ino;
    int64_t size, mtime, ctime;      /* times in ns */
};

struct pfs_file {                    /* a source file of a dataset */
    char *path;                      /* beneath SOURCE */
    char *stem;                      /* sections: NAME of its plane; else NULL, as in companions */
    struct pfs_ident id;
    struct pfs_at at;                /* ordinal of its plane, or of its first where it has several */
};

struct pfs_dataset {
    char *path;                      /* as shown in the mount, "" when SOURCE is the dataset itself */
    char *name;                      /* last part of the path; SOURCE's own name at the top */
    struct pfs_shape shape;
    int64_t first[3];                /* number of ordinal 0 on t, z, c */
    int bits;
    char format[24], compression[24];
    char **band_name;                /* shape.c or NULL; single names may be NULL */
    double *wavelength;
    bool has_nodata;
    double nodata;
    uint8_t *geo;                    /* GeoTIFF tags as in struct pfs_series */
    size_t n_geo;
    bool spread;                     /* planes lie in several files, and some may be missing */
    bool sections;                   /* a section stack: every file holds one (t, z) or one (t, z, c) */
    bool file_channels;              /* sections whose files each hold all channels */
    int series;                      /* which series of the files */
    int64_t n_files;
    struct pfs_file *file;           /* sections: sorted by t, z, c */
    int64_t n_companions;            /* files that file[0] consists of besides: an ENVI header's raw file */
    struct pfs_file *companion;
    char *info, *model, *mask;       /* paths of the tables, "" without */
    int64_t full[3], origin[3];      /* of the whole stack that the tables speak of; 0: as this one */
    bool skip_bad;                   /* the configuration's word on bad sections: left out of reports, zeros in volumes */
    int invert;                      /* the configuration's word on `invert`: -1 none, 0, 1 */
    int64_t mtime;                   /* newest of all files and tables, ns */
    int64_t files_bytes;             /* sum of the files' sizes */
    uint64_t serial;                 /* of this snapshot: unique in this process */
    struct pfs_dataset_private *own;
};

void pfs_dataset_ref(struct pfs_dataset *d);
void pfs_dataset_unref(struct pfs_dataset *d);

/* Planes that exist, in order (missing sections are left out). */
int64_t pfs_dataset_planes(const struct pfs_dataset *d);
struct pfs_at pfs_dataset_plane(const struct pfs_dataset *d, int64_t i);
int64_t pfs_dataset_file(const struct pfs_dataset *d, struct pfs_at at);       /* index into file[], -1: missing */
int64_t pfs_dataset_mtime(const struct pfs_dataset *d, struct pfs_at at);      /* ns: of the file and the tables */
int64_t pfs_dataset_mtime_raw(const struct pfs_dataset *d, struct pfs_at at);  /* ns: of the file alone */

/* NAME of a plane ("05600", "z00005", "t0003_z0005_c0002") and back. */
enum { PFS_NAME_MAX = 256 };
void pfs_dataset_name(const struct pfs_dataset *d, struct pfs_at at, char name[PFS_NAME_MAX]);
bool pfs_dataset_named(const struct pfs_dataset *d, const char *name, size_t n, struct pfs_at *ret);

enum pfs_item_kind { PFS_ITEM_FOLDER, PFS_ITEM_DATASET };

struct pfs_folder;
struct pfs_item {                    /* a name in a folder of the mount */
    char *name;
    enum pfs_item_kind kind;
    char *path;                      /* FOLDER: as pfs_catalog_folder takes it */
    struct pfs_dataset *dataset;     /* DATASET: lent by the folder */
    struct pfs_folder *series;       /* FOLDER of the series of one file: lent; else NULL */
    int64_t mtime;
};

struct pfs_folder {
    char *path;
    int64_t n_items;
    struct pfs_item *item;           /* sorted by name */
    int64_t mtime;                   /* of the folder itself, as its item in the folder above has it */
    struct pfs_dataset *self;        /* the folder is one dataset itself: a section folder, or SOURCE is one file */
    struct pfs_folder_private *own;
};

/* `config` is lent, NULL for none. */
int pfs_catalog_open(const char *source, const struct pfs_config *config, struct pfs_cache *cache,
                     struct pfs_pool *pool, struct pfs_catalog **ret, struct pfs_err *err);
void pfs_catalog_close(struct pfs_catalog *c);

/* The folder at a path ("" is the mount point). gives a reference. EAGAIN with wait == false. */
int pfs_catalog_folder(struct pfs_catalog *c, const char *path, bool wait, struct pfs_folder **ret,
                       struct pfs_err *err);
void pfs_folder_ref(struct pfs_folder *f);
void pfs_folder_unref(struct pfs_folder *f);
const struct pfs_item *pfs_folder_item(const struct pfs_folder *f, const char *name);   /* also by full name; lent */
/* Why a file of this name is not shown: text in *ret (lent by the folder), or NULL when there is no such file. */
const char *pfs_folder_reason(const struct pfs_folder *f, const char *name);

/* Has the file, or a companion of it, changed since the snapshot? As pfs_catalog_stale. */
bool pfs_dataset_stale(struct pfs_catalog *c, const struct pfs_dataset *d, int64_t file);
/* Changes when the file or a companion does: what a worker may keep it open under. */
uint64_t pfs_dataset_version(const struct pfs_dataset *d, int64_t file);

/* Where a plane's stored samples lie: its file, series and position in it. EIO when the section is missing, malformed
 * or differs from its stack; ESTALE when the file changed since the snapshot. */
struct pfs_located {
    const struct pfs_file *file;     /* lent by the dataset: what the driver opens */
    const struct pfs_file *data;     /* lent by the dataset: where the extent lies, `file` or a companion of it */
    int series;
    struct pfs_at at;                /* in the file */
    int64_t index;                   /* the catalog's own */
    struct pfs_extent extent;
    char driver[24];
    uint32_t rev;
};
int pfs_catalog_locate(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_at at, bool wait,
                       struct pfs_located *ret, struct pfs_err *err);
/* Content hash of the plane's stored bytes. How much may be done for it: nothing, a look into the ledger, or one pass
 * over the bytes. EAGAIN when that was not enough. */
enum pfs_effort { PFS_KNOWN, PFS_REMEMBERED, PFS_READ };
int pfs_catalog_content(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_located *l,
                        enum pfs_effort effort, struct pfs_hash *ret, struct pfs_err *err);
/* Open a source file beneath SOURCE and check that it is still that version (ESTALE). gives the descriptor. */
int pfs_catalog_open_file(struct pfs_catalog *c, const struct pfs_file *f, int *ret_fd, struct pfs_err *err);
/* Is the open file still that version? 0 or ESTALE. */
int pfs_ident_check(int fd, const struct pfs_ident *id, struct pfs_err *err);
/* Open any file of SOURCE by its path beneath it. gives the descriptor. */
int pfs_catalog_open_path(struct pfs_catalog *c, const char *path, int *ret_fd, struct pfs_err *err);
/* Has the file changed since the snapshot? One open and fstat; if so its folder is read again when next asked for. */
bool pfs_catalog_stale(struct pfs_catalog *c, const struct pfs_file *f);
/* What a recipe needs to know of the stack; filled with lent strings, nothing to release. */
void pfs_dataset_info(const struct pfs_dataset *d, struct pfs_stack_info *ret);
/* Probe every section not probed yet; then bad ones can be listed. */
int pfs_catalog_sweep(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_err *err);
/* Known reason why a section cannot be read; NULL when it is fine or not probed yet. lent by the dataset */
const char *pfs_dataset_bad(const struct pfs_dataset *d, int64_t file, int *ret_code);

struct pfs_catalog_status { int64_t datasets, probes, hashes; };
void pfs_catalog_status(struct pfs_catalog *c, struct pfs_catalog_status *ret);

#endif
