/* Commands: `planefs COMMAND ...`, and `planefs SOURCE MOUNTPOINT` for the one used most. */
#ifndef PLANEFS_CLI_H
#define PLANEFS_CLI_H

#include "cli/options.h"
#include "engine/engine.h"

struct pfs_command {
    const char *name, *arguments, *doc;
    int (*run)(int argc, char **argv);      /* argv[0] is the command's name; returns the exit status */
};
extern const struct pfs_command pfs_commands[];   /* ends with a NULL name; from cmds.def */

/* One line on stderr, control bytes escaped. Returns `status`. */
int pfs_complain(int status, const struct pfs_err *err);

/* Where things are. All give malloc'd strings. */
/* The worker: $PLANEFS_WORKER, beside this program, or in PREFIX/libexec/planefs. ENOENT */
int pfs_worker_path(char **ret, struct pfs_err *err);
/* $XDG_CACHE_HOME/planefs, ~/.cache/planefs, for root without a home /var/cache/planefs. ENOENT */
int pfs_cache_path(char **ret, struct pfs_err *err);
/* An absolute path without symbolic links; of one that does not exist, as much of it as does. */
int pfs_absolute_path(const char *path, char **ret, struct pfs_err *err);
/* Is `path` the folder or beneath it? Both absolute. */
bool pfs_path_within(const char *path, const char *folder);

/* Engine options from a mount's, with all defaults filled in; strings are owned by `ret_strings`. */
struct pfs_paths { char *source, *cache, *config, *worker; };
int pfs_engine_options_fill(const struct pfs_options *o, struct pfs_paths *ret_strings, struct pfs_engine_options *ret,
                            struct pfs_err *err);
void pfs_paths_finish(struct pfs_paths *p);

#endif
