/* Places: interned records of what node numbers speak of.
 *
 * A node number is place << 44 | index. A place stands for a folder of the mount, a dataset's snapshot, or one pattern
 * part in one of those with its view, small number and parameters; all files that differ only in t, z, c, y, x share a
 * place and are told apart by the index. So 11,260 files cost one record, and a spectrum for each of 10^12 pixels too.
 *
 * Files, and folders with numbers in their path, belong to one snapshot: a change makes new ones, and with them fresh
 * page caches. All other folders outlive it, so that whoever sits in one stays where he is.
 *
 * A place lives as long as somebody holds it: the kernel (lookups counted until they are forgotten), its children,
 * handles and handlers. Threads: any; one lock inside. */
#ifndef PLANEFS_FS_PLACE_H
#define PLANEFS_FS_PLACE_H

#include "engine/engine.h"
#include "fs/branch.h"

enum { PFS_INDEX_BITS = 44, PFS_PLACES_MAX = 1 << 20 };

enum pfs_place_kind {
    PFS_PLACE_FOLDER,       /* a folder of the mount; index 0 (the mount point: place 0, index 1) */
    PFS_PLACE_DATASET,      /* a dataset's folder */
    PFS_PLACE_BRANCH,       /* a path part inside a dataset */
    PFS_PLACE_CONTROL,      /* .planefs: index 0; its files: 1 .. */
    PFS_PLACE_REASON        /* NAME.error: `name` is NAME, the index is the folder's */
};

struct pfs_place {
    uint32_t id;
    enum pfs_place_kind kind;
    struct pfs_place *parent;            /* held; NULL for the mount point */
    char *name;                          /* this part's text; NULL where it has {t} {z} {c} {y} {x} or {name} */
    char *path;                          /* FOLDER: beneath SOURCE */
    struct pfs_dataset *dataset;         /* held. DATASET: its newest snapshot, guarded by the lock; BRANCH: the snapshot
                                            it belongs to, NULL where it belongs to all of them */
    const struct pfs_branch *branch;     /* BRANCH; DATASET: the root of the branches */
    char *view_text;                     /* the part's {view}; NULL: it has none */
    char *params;                        /* the part's parameters; NULL: none */
    int64_t n;                           /* the part's {n}; -1: it has none */
    bool made;                           /* named by the user's own text: may be many */

    struct pfs_view_on *view;            /* resolved, once known; guarded by the lock of the places */
    _Atomic uint64_t last_index;         /* of the node last given out */
    int64_t refs;
    uint64_t key;
    struct pfs_place *same_key;          /* hash chain */
    struct pfs_place *older, *newer;     /* among the made ones */
};

struct pfs_places;

int pfs_places_create(struct pfs_places **ret, struct pfs_err *err);   /* with the mount point as place 0 */
void pfs_places_destroy(struct pfs_places *p);

/* The place equal to `wanted` (kind, parent, name, branch, dataset), made if there is none; what it owns is copied.
 * gives a reference. ENOMEM, ENFILE when all numbers are taken. */
int pfs_place_intern(struct pfs_places *p, const struct pfs_place *wanted, struct pfs_place **ret, struct pfs_err *err);
struct pfs_place *pfs_place_numbered(struct pfs_places *p, uint32_t id);   /* gives a reference; NULL: unknown */
void pfs_place_hold(struct pfs_places *p, struct pfs_place *place, int64_t n);
void pfs_place_drop(struct pfs_places *p, struct pfs_place *place, int64_t n);

/* The resolved view: gives a reference or NULL; and remember one (referenced again). */
struct pfs_view_on *pfs_place_view(struct pfs_places *p, struct pfs_place *place);
void pfs_place_set_view(struct pfs_places *p, struct pfs_place *place, struct pfs_view_on *view);

/* The snapshot a place is in: its own or that of the data set above. gives a reference; NULL outside of data sets. */
struct pfs_dataset *pfs_place_dataset(struct pfs_places *p, struct pfs_place *place);
/* DATASET: there is a newer snapshot. */
void pfs_place_renew(struct pfs_places *p, struct pfs_place *place, struct pfs_dataset *d);

/* Where there are more than `most` made places: the oldest one, held, and moved to the young end; else NULL. */
struct pfs_place *pfs_place_oldest(struct pfs_places *p, int64_t most);
int64_t pfs_places_made(struct pfs_places *p);        /* how many made ones there are */

#endif
