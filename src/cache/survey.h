/* The cache's folder looked at by its owner: what lies in it, whether it is sound, making it smaller or empty.
 *
 * No cache is open here and none is in the way: entries are renamed away before they are deleted, and a daemon that
 * still reads one keeps its bytes. Only a folder that holds what caches hold, and nothing else, is looked at: ENOTDIR,
 * ENOENT, EPERM (somebody else's), EINVAL (no cache, or it holds something foreign: the reason names it).
 * Costs: one stat per entry; verify reads all bytes. */
#ifndef PLANEFS_CACHE_SURVEY_H
#define PLANEFS_CACHE_SURVEY_H

#include <planefs/err.h>

#include <stdint.h>

struct pfs_survey {
    int64_t entries, bytes;              /* results with a folder of their own, and what they take on disk */
    int64_t ledgers, ledger_bytes;       /* files of small values */
    int64_t unfinished;                  /* being made, or left behind */
    int64_t oldest, newest;              /* last use, ns; 0 without entries */
    int64_t damaged;                     /* verify: entries and ledgers */
    int64_t foreign;                     /* verify: sound, but of another version of planefs */
};

int pfs_survey_look(const char *folder, struct pfs_survey *ret, struct pfs_err *err);
/* Also read every byte. Of each damaged thing `found` is told the path beneath the folder and why. */
int pfs_survey_verify(const char *folder, void (*found)(void *ctx, const char *path, const char *why), void *ctx,
                      struct pfs_survey *ret, struct pfs_err *err);
/* Delete least recently used entries until all of it takes no more than `most` bytes. *ret: what was freed. Ledgers stay:
 * with most < 0, they and what is unfinished go too, and the folder is empty but for its two rooms. */
int pfs_survey_trim(const char *folder, int64_t most, int64_t *ret, struct pfs_err *err);

#endif
