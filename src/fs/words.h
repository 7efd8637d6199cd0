/* What planefs says in words: NAME.error, the control folder, and the state of a file. Threads: any. */
#ifndef PLANEFS_FS_WORDS_H
#define PLANEFS_FS_WORDS_H

#include "fs/tree.h"

/* The text of a REASON or CONTROL node as of now. EAGAIN when !wait. */
int pfs_words(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_text *ret, struct pfs_err *err);

/* The state of a file, with the percentage done of a running one and the reason of an error in err (err->code set).
 * A file of many planes is judged by 256 of them. `*unsure` when it cannot be told without waiting. */
enum pfs_state pfs_words_state(struct pfs_tree *t, const struct pfs_name *name, bool wait, bool *unsure, int *percent,
                               struct pfs_err *err);

/* Planes a file is made of, and those of them that are there at all. */
int64_t pfs_name_planes(const struct pfs_name *name);
bool pfs_name_missing(const struct pfs_name *name, struct pfs_at at);

/* The value of an attribute user.planefs.KEY. ENOTSUP: no such key. EAGAIN when !wait. */
int pfs_words_attribute(struct pfs_tree *t, struct pfs_node node, const char *key, bool wait, struct pfs_text *ret,
                        struct pfs_err *err);

/* What can be asked for: views, operators and parameters, file kinds. */
void pfs_readme(const struct pfs_registry *r, struct pfs_text *ret);
/* One table of it each, for the command line. */
void pfs_readme_views(const struct pfs_registry *r, struct pfs_text *ret);
void pfs_readme_operators(const struct pfs_registry *r, struct pfs_text *ret);

#endif
