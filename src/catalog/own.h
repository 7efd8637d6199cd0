/* The catalog's inner structs and functions, shared by its files. */
#ifndef PLANEFS_CATALOG_OWN_H
#define PLANEFS_CATALOG_OWN_H

#include "catalog/catalog.h"

#include <pthread.h>
#include <sys/stat.h>

enum { PROBE_TIMEOUT_MS = 10000, YOUNG_NS = 2000000000, FOLDER_FRESH_MS = 1000 };

struct pfs_catalog {
    pthread_mutex_t lock;        /* guards the table of folders */
    pthread_mutex_t reading;     /* one folder is read at a time */
    int root;                    /* SOURCE, or the folder it lies in */
    char *single;                /* SOURCE is this file in root; else NULL */
    char *name;                  /* SOURCE's own name */
    const struct pfs_config *config;
    struct pfs_cache *cache;
    struct pfs_pool *pool;
    struct pfs_folder **folder;  /* newest snapshot per path */
    int64_t n_folders, room;
    uint64_t serial;
    int64_t probes, hashes;
};

/* ---- beneath.c: files under SOURCE, never outside it ---- */
int pfs_beneath_open(struct pfs_catalog *c, const char *path, int flags, int *ret_fd, struct pfs_err *err);
struct pfs_ident pfs_ident_of(const struct stat *st);
bool pfs_ident_same(const struct pfs_ident *a, const struct pfs_ident *b);
bool pfs_ident_young(const struct pfs_ident *id);
uint64_t pfs_ident_version(const struct pfs_ident *id);
int pfs_read_full(int fd, void *dst, int64_t n, int64_t off);      /* 0, or -EIO at an early end */

/* ---- memo.c: what is remembered about a version of a file ---- */
/* A ledger key from `what` and the file's identity and first 64 KiB. */
int pfs_memo_key(int fd, const struct pfs_ident *id, const char *what, struct pfs_hash *ret, struct pfs_err *err);

/* ---- probe.c ---- */
struct pfs_asked {               /* a file besides the probed one that the worker asked for */
    char *path;
    bool there;
    struct pfs_ident id;         /* when it is there */
};
struct pfs_probed {
    struct pfs_probe p;
    int64_t n_asked;
    struct pfs_asked *asked;
};
/* What is in the file: from the ledger, else from a reader worker. A refusal is remembered as well, and which other files
 * the answer came from: it holds as long as none of them changes, comes or goes. */
int pfs_probe_file(struct pfs_catalog *c, const char *path, const struct pfs_ident *id, struct pfs_probed *ret,
                   struct pfs_err *err);
void pfs_probed_finish(struct pfs_probed *p);
const struct pfs_asked *pfs_probed_asked(const struct pfs_probed *p, const char *path);   /* lent; NULL: not asked for */

/* ---- names.c: which files of a folder are sections of one stack ---- */
struct pfs_candidate {           /* a file of a folder */
    char *name;
    struct pfs_ident id;
    bool tiff_name;              /* .tif .tiff .btf in any case */
    enum pfs_in_set { PFS_SET_NONE, PFS_SET_MASTER, PFS_SET_MEMBER } set;
};
enum { AXIS_T, AXIS_Z, AXIS_C, AXIS_NONE };
struct pfs_group {               /* files equal but for their numbers */
    char *title;                 /* text before the first varying number, "" without */
    bool varies[3];              /* which of t, z, c are numbered */
    int64_t n;
    struct pfs_group_member { int64_t candidate; int64_t number[3]; } *member;   /* sorted by t, z, c */
};
/* Group the TIFF-named candidates; in_group[i] says which group candidate i went to, -1 none. gives */
int pfs_group_sections(const struct pfs_candidate *c, int64_t n, struct pfs_group **ret, int64_t *ret_n,
                       int64_t *in_group);
void pfs_groups_free(struct pfs_group *g, int64_t n);
int pfs_natural_compare(const char *a, const char *b);
bool pfs_tiff_suffix(const char *name, size_t *ret_stem);    /* length of the name without its TIFF suffix */

/* ---- dataset.c, section.c ---- */
struct section {                 /* what is known of one file of a dataset */
    bool known;
    int code;                    /* 0, or errno why it cannot be read */
    char *reason;
    struct pfs_extent *extent;   /* per plane of the file's series */
    struct pfs_hash *content;    /* per plane, NULL while none is known; zero: that one is not known */
};
struct pfs_set_plane {
    int32_t file;                /* of the dataset, -1: missing */
    int32_t page, sample;        /* in that file */
    int series;                  /* of it, once the file is known; -1: it has no such page */
    struct pfs_at at;
    struct pfs_extent extent;
    struct pfs_hash content;     /* zero: not known */
};
struct pfs_set {                 /* a dataset whose planes are found one by one */
    struct pfs_set_plane *plane; /* all, C order over t, z, c; what is learnt is guarded by the dataset's lock */
    int64_t n, *there;           /* those that are not missing, in order */
    int64_t *by_file, *start;    /* planes of file i: by_file[start[i]] .. by_file[start[i + 1] - 1] */
};

struct pfs_dataset_private {
    struct pfs_set *set;         /* NULL: the files hold blocks of one shape */
    int refs;
    pthread_mutex_t lock;        /* guards section[] */
    struct section *section;     /* one per file */
    struct pfs_shape file_shape; /* of one file's series */
    struct pfs_ident table[3];   /* identities of info, model, mask */
    char driver[24];
    uint32_t rev;
    int64_t file_planes;         /* planes in one file */
    bool numbered[3];            /* which of t, z, c come from file names */
    int64_t *by_stem;            /* sections: file indices in the order of their stems */
};

/* A dataset from one series of one file, or of the files the series names. */
struct pfs_dataset *pfs_dataset_of_file(struct pfs_catalog *c, const char *path, const struct pfs_ident *id,
                                        const struct pfs_probed *probed, int series);
/* A dataset from a group of sections; its first readable section decides. NULL and the reason when none can be read, or
 * when the files hold axes that are numbered as well (-EINVAL: show them singly). */
int pfs_dataset_of_group(struct pfs_catalog *c, const char *folder, const struct pfs_candidate *candidates,
                         const struct pfs_group *g, struct pfs_dataset **ret, struct pfs_err *err);
void pfs_dataset_add_tables(struct pfs_dataset *d, const char *folder, const struct pfs_candidate *info,
                            const struct pfs_candidate *model);
/* What the configuration says of it; its path must be known. */
int pfs_dataset_configure(struct pfs_catalog *c, struct pfs_dataset *d);
bool pfs_dataset_same(const struct pfs_dataset *a, const struct pfs_dataset *b);   /* same files, same versions */
void pfs_section_learn(struct pfs_dataset *d, int64_t file, const struct pfs_probe *probe, int code, const char *reason);

/* ---- set.c ---- */
bool pfs_series_is_spread(const struct pfs_series *s);
/* Is any plane of the series in a file that is there? `path`: of the file that was probed. */
bool pfs_series_is_here(struct pfs_catalog *c, const char *path, const struct pfs_series *s);
/* Make a dataset of one file, with room for all files the series names, a set. */
int pfs_set_fill(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_probe *probe, int series,
                 struct pfs_err *err);
void pfs_set_learn(struct pfs_dataset *d, int64_t file, const struct pfs_probe *p, int code, const char *reason);
/* The lock is held and the file known. */
int pfs_set_locate(struct pfs_dataset *d, struct pfs_at at, struct pfs_located *ret, struct pfs_err *err);
void pfs_set_finish(struct pfs_set *set);

/* ---- find_sets.c ---- */
/* Which files make OME-TIFF sets: sets `set`; those in one are no longer sections. */
void pfs_find_sets(struct pfs_catalog *c, const char *folder, struct pfs_candidate *candidate, int64_t n);

/* ---- folder.c ---- */
/* ---- snapshot.c ---- */
const char *pfs_path_last(const char *path);                 /* its last part; lent */
void pfs_item_release(struct pfs_item *item);
/* The name that tells an item from all others: the full file name, of a section stack its first section's stem. lent */
const char *pfs_item_full_name(const struct pfs_item *item);

struct pfs_absent { char *name; int code; char *reason; };   /* a file that is not shown, and why */
struct pfs_folder_private {
    int refs;
    int64_t checked;             /* ms, when it was last compared with the disk */
    struct stat st;              /* of the folder when it was read */
    bool expired;                /* a file of it is known to have changed */
    bool young;                  /* it had just changed when it was read: times do not tell whether it did again */
    struct pfs_absent *absent;
    int64_t n_absent;
};
int pfs_folder_read(struct pfs_catalog *c, const char *path, const struct pfs_folder *old, struct pfs_folder **ret,
                    struct pfs_err *err);
char *pfs_path_join(const char *folder, const char *name);   /* "" and "a" is "a"; gives */
int64_t pfs_now_ms(void);

#endif
