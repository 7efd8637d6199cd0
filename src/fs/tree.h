/* The tree of names: from a folder and a name to a node, from a node to what it is.
 *
 * A node is a place and an index (place.h). Everything here is arithmetic on patterns and shapes; where a folder of
 * SOURCE has to be read or a view resolved first, functions answer -EAGAIN when `wait` is false. No pixel is read and
 * no job is started. Threads: any. */
#ifndef PLANEFS_FS_TREE_H
#define PLANEFS_FS_TREE_H

#include "fs/place.h"

#include <sys/stat.h>

struct pfs_tree {                        /* read-only once created */
    struct pfs_engine *engine;
    struct pfs_catalog *catalog;
    const struct pfs_registry *registry;
    struct pfs_branch *branches;
    struct pfs_places *places;
    uid_t uid;
    gid_t gid;
    mode_t umask;
    int64_t started;                     /* ns since the epoch */
};

struct pfs_node {                        /* a reference on the place and one on the snapshot */
    struct pfs_place *place;
    uint64_t index;
    struct pfs_dataset *dataset;         /* the snapshot it is seen in; NULL outside of data sets */
};

struct pfs_vars {                        /* the numbers in a node's path, as ordinals */
    int64_t v[PFS_N_VARS];
    unsigned have;                       /* bit 1 << PFS_VAR_x */
    unsigned bare;                       /* of those that count from 0 by themselves (zarr) */
};

enum pfs_control { PFS_CONTROL_FOLDER, PFS_README, PFS_STATUS_JSON, PFS_ERRORS_JSON, PFS_JOBS_JSON, PFS_N_CONTROL };
extern const char *const pfs_control_names[PFS_N_CONTROL];

int pfs_tree_open(struct pfs_engine *e, uid_t uid, gid_t gid, mode_t umask, struct pfs_tree *ret, struct pfs_err *err);
void pfs_tree_close(struct pfs_tree *t);

/* Node numbers. pfs_node_of gives; place == NULL for a number never handed out. */
uint64_t pfs_node_id(struct pfs_node node);
struct pfs_node pfs_node_of(struct pfs_tree *t, uint64_t id);
void pfs_node_drop(struct pfs_tree *t, struct pfs_node node);
struct pfs_node pfs_node_copy(struct pfs_tree *t, struct pfs_node node);
/* As drop, but the reference on the place goes on: the kernel counts it as a look-up. */
void pfs_node_hand_over(struct pfs_node node);
struct pfs_node pfs_node_parent(struct pfs_node node);       /* lent: no reference; the mount point is its own */
bool pfs_node_is_folder(struct pfs_node node);
uint64_t pfs_node_ino(struct pfs_node node);                 /* the same at every mount: a hash of the path */
int pfs_node_name(struct pfs_node node, char name[PFS_NAME_MAX]);
void pfs_node_path(struct pfs_node node, struct pfs_text *ret);
void pfs_node_vars(struct pfs_node node, struct pfs_vars *ret);

/* The node as the newest snapshot of its dataset has it: replaces *node when there is a newer one. A shell that sits in
 * a folder thus sees changes. ESTALE when the folder is gone. */
int pfs_tree_current(struct pfs_tree *t, struct pfs_node *node, bool wait, struct pfs_err *err);

/* gives. ENOENT with the reason in words. */
int pfs_tree_lookup(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait, struct pfs_node *ret,
                    struct pfs_err *err);

/* What a file's node names; ret->view and ret->dataset are referenced: release with pfs_name_release. */
int pfs_tree_name(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_name *ret, struct pfs_err *err);
void pfs_name_release(struct pfs_name *name);

int pfs_tree_stat(struct pfs_tree *t, struct pfs_node node, bool wait, struct stat *ret, struct pfs_err *err);
/* The same for a file whose name is known. */
int pfs_tree_stat_name(struct pfs_tree *t, struct pfs_node node, const struct pfs_name *name, struct stat *ret,
                       struct pfs_err *err);

/* For the files of the tree itself. */
int pfs_tree_give(struct pfs_tree *t, const struct pfs_place *wanted, uint64_t index, struct pfs_dataset *d,
                  struct pfs_node *ret, struct pfs_err *err);
int pfs_tree_give_dataset(struct pfs_tree *t, struct pfs_place *folder, const char *name, struct pfs_dataset *d,
                          struct pfs_node *ret, struct pfs_err *err);
/* A name in a folder of a data set, tried against the branches in order. */
int pfs_tree_lookup_inside(struct pfs_tree *t, struct pfs_node folder, const char *name, bool wait,
                           struct pfs_node *ret, struct pfs_err *err);
/* The view a file of this kind shows at this node. gives a reference */
int pfs_tree_view(struct pfs_tree *t, struct pfs_node node, const struct pfs_kind *kind, bool wait,
                  struct pfs_view_on **ret, struct pfs_err *err);
/* The operator a report's numbers come from, with its parameters: gives; NULL for kinds without one. ENOENT, EAGAIN */
int pfs_tree_model(struct pfs_tree *t, struct pfs_node node, const struct pfs_kind *kind, bool wait, char **ret,
                   struct pfs_err *err);
bool pfs_vars_exist(const struct pfs_dataset *d, const struct pfs_vars *vars);
bool pfs_view_belongs(const struct pfs_branch *b, const char *view, size_t n);
int pfs_tree_enter(struct pfs_tree *t, struct pfs_node folder, const struct pfs_branch *b, const char *name, bool wait,
                   struct pfs_node *ret, struct pfs_err *err);
uint64_t pfs_part_radix(const struct pfs_dataset *d, const struct pfs_token *token);

#endif
