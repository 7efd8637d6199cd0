/* The cache's folder: where it is, whether it can be used, unique names in it, and who left what behind.
 *
 * Everything goes by path, so that a folder that was removed, unmounted or replaced is simply found again.
 * Threads: any, after pfs_home_init. */
#ifndef PLANEFS_CACHE_HOME_H
#define PLANEFS_CACHE_HOME_H

#include <planefs/hash.h>

#include <stdatomic.h>
#include <sys/types.h>

enum pfs_trouble {
    PFS_FINE, PFS_NO_SPACE, PFS_READ_ONLY, PFS_DENIED, PFS_IO_ERROR,       /* what is there may still be read */
    PFS_GONE, PFS_FOREIGN, PFS_WORLD_WRITABLE, PFS_NAME_TOO_LONG           /* nothing in it is to be touched */
};

enum { PFS_HOST_MAX = 64, PFS_HOME_MAX = 3500 };

struct pfs_home {
    char *path;                      /* absolute; owned */
    char host[PFS_HOST_MAX + 1];
    pid_t pid;
    uid_t uid;
    _Atomic uint64_t seq;            /* starts at the clock, so that two caches of one process differ */
    _Atomic int trouble;             /* enum pfs_trouble */
    _Atomic int64_t wanted;          /* bytes that did not fit last */
};

struct pfs_path { char s[4096]; };

int pfs_home_init(struct pfs_home *h, const char *folder);            /* ENOMEM */
void pfs_home_finish(struct pfs_home *h);
/* Create what is missing, look whether the folder is ours and takes files, set the trouble. False when it is not to be
 * touched. *ret_id changes when the folder was replaced by another one. Costs a few system calls. */
bool pfs_home_check(struct pfs_home *h, uint64_t *ret_id);
enum pfs_trouble pfs_home_look(const struct pfs_home *h, uint64_t *ret_id);   /* the same without remembering it */
bool pfs_home_usable(const struct pfs_home *h);
void pfs_home_note(struct pfs_home *h, int code, int64_t wanted);     /* a write failed with this (positive) errno */
void pfs_home_fine(struct pfs_home *h);                               /* a result was published */
const char *pfs_home_words(const struct pfs_home *h);                 /* "ok", "no space", ... */

void pfs_home_path(const struct pfs_home *h, struct pfs_path *p, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pfs_home_entry(const struct pfs_home *h, struct pfs_hash key, struct pfs_path *p);   /* ab/cdef... */
int pfs_home_temp(struct pfs_home *h, struct pfs_path *ret);          /* a new folder under tmp/; 0 or -errno */
/* Move what lies at path into tmp/ and delete it there, so that nobody meets it half deleted. 0 or -errno. */
int pfs_home_remove(struct pfs_home *h, const char *path);
void pfs_remove_tree(const char *path);

enum pfs_owner { PFS_OWNER_ALIVE, PFS_OWNER_DEAD, PFS_OWNER_ELSEWHERE };
/* Of a name "<host>.<pid>.<anything without a dot>": is that process alive, as far as this host can tell? */
enum pfs_owner pfs_home_owner(const struct pfs_home *h, const char *name);
void pfs_home_clean(struct pfs_home *h);                              /* delete what dead processes left in tmp/ */

int64_t pfs_now(void);                                                /* wall clock, ns */

#endif
