/* Listing: the names of a folder, one after the other, from any offset on, without a table of them.
 *
 * A cookie says where the next name is looked for; it depends only on the folder's snapshot, so offsets are stable.
 * One walk belongs to one thread. */
#ifndef PLANEFS_FS_LIST_H
#define PLANEFS_FS_LIST_H

#include "fs/tree.h"

struct pfs_listed {
    char name[PFS_NAME_MAX];
    struct pfs_node node;            /* one reference, the caller's */
    struct stat st;
};

struct pfs_walk {
    struct pfs_tree *tree;
    struct pfs_node folder;          /* lent */
    struct pfs_folder *items;        /* FOLDER: its snapshot, lent; else NULL */
    bool wait;
};

/* The next name at or behind *cookie (from 0 on), which is moved behind it. 1: there is one. 0: the end. EAGAIN when
 * it takes waiting and !wait; *cookie then still names it. Names whose file cannot be (a view that does not fit the
 * data set) are left out. */
int pfs_walk_next(const struct pfs_walk *w, int64_t *cookie, struct pfs_listed *ret, struct pfs_err *err);

#endif
