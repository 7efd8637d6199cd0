/* The configuration: planefs.ini in SOURCE, or the file given with -o config=.
 *
 *   [dataset "GLOB"]      what the files do not say of the datasets whose path in the mount matches
 *   [view "NAME"]         a view of the user's own: recipe = invert | destripe | ..., and parameters
 *
 * Later sections win over earlier ones. A list may continue on indented lines. A mistake is an error with file and line. */
#ifndef PLANEFS_CONFIG_H
#define PLANEFS_CONFIG_H

#include <planefs/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pfs_config_key { char *name, *value; int line; };

struct pfs_config_section {
    bool view;                       /* else a dataset */
    char *name;                      /* NAME or GLOB */
    int line, n;
    struct pfs_config_key *key;
};

struct pfs_config {
    char *file;                      /* as errors name it */
    int n;
    struct pfs_config_section *section;
};

/* What a [dataset] says, with the defaults where nothing matches. Strings are lent by the configuration. */
struct pfs_dataset_config {
    int64_t full[3], origin[3];      /* NZ, NY, NX (0: as the stack) and z, y, x of its corner */
    int invert;                      /* -1 unset, 0, 1 */
    const char *mask, *info, *model; /* paths beneath SOURCE; NULL unset */
    double voxel[3];                 /* z, y, x; 0 unset */
    const char *unit;                /* NULL unset */
    const char *names;               /* band names separated by commas; NULL unset */
    const char *stack;               /* "yes", "no"; NULL unset */
    const char *on_bad;              /* "error", "zeros"; NULL unset */
};

/* Parse a whole file. EINVAL "FILE:LINE: what is wrong". gives */
int pfs_config_parse(const char *file, const char *text, size_t n, struct pfs_config **ret, struct pfs_err *err);
void pfs_config_free(struct pfs_config *c);      /* NULL is fine */

/* What holds for the dataset at `path` ("" for the mount point itself, matched as its name). `c` may be NULL. */
void pfs_config_dataset(const struct pfs_config *c, const char *path, const char *name, struct pfs_dataset_config *ret);
/* The section of a user's view; NULL when there is none of that name. */
const struct pfs_config_section *pfs_config_view(const struct pfs_config *c, const char *name);
const char *pfs_config_value(const struct pfs_config_section *s, const char *name);    /* NULL: not given */

#endif
