/* All patterns of all file kinds as one tree: what can stand inside a dataset's folder.
 *
 * A branch is one path part beneath another; kinds that begin alike share branches. Built once at the start from
 * pfs_kinds, then only read. Threads: any. */
#ifndef PLANEFS_FS_BRANCH_H
#define PLANEFS_FS_BRANCH_H

#include "files/files.h"
#include "fs/pattern.h"

struct pfs_branch {
    struct pfs_part part;
    struct pfs_branch *parent;            /* NULL: the dataset's own folder */
    struct pfs_branch **child;            /* literal ones first, then those with more literal text first */
    int n_children;
    const struct pfs_kind *kind;          /* a file of this kind; NULL: a folder */
    bool listed;                          /* something listed lies here or beneath */
    bool times;                           /* the optional time part: listed where T > 1 */
    bool timeless;                        /* stands in for a time part left out: only where T == 1 */
};

int pfs_branches_create(const struct pfs_kind *const *kinds, struct pfs_branch **ret, struct pfs_err *err);
void pfs_branches_destroy(struct pfs_branch *root);

/* Does any kind here or beneath apply to the dataset? */
bool pfs_branch_applies(const struct pfs_branch *b, const struct pfs_dataset *d);
/* The first kind here or beneath that does; NULL: none. */
const struct pfs_kind *pfs_branch_kind(const struct pfs_branch *b, const struct pfs_dataset *d);

#endif
