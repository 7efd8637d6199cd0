/* What the files of the cache floor share: the cache itself, open entries, drafts. */
#ifndef PLANEFS_CACHE_INNER_H
#define PLANEFS_CACHE_INNER_H

#include "cache/cache.h"
#include "cache/home.h"
#include "cache/index.h"
#include "cache/sums.h"

#include <pthread.h>
#include <time.h>

enum { PFS_SHELF_CHAINS = 1024, PFS_SHELF_RECENT = 64 };

struct pfs_ledger;

struct pfs_entry {
    struct pfs_cache *cache;
    struct pfs_sums sums;
    int fd;                          /* data.tif, a draft's unlinked file, or a memory file */
    bool named;                      /* lies in the folder under its key */
    uint64_t folder;                 /* identity of that folder when it was opened */
    int64_t touched;                 /* last time its last use was written to disk, ns */
    /* guarded by the cache's lock: */
    int refs;
    bool shelved, recent, bad;
    struct pfs_entry *next;          /* in its chain of the shelf */
    struct pfs_entry *newer, *older; /* among the recent ones */
};

struct pfs_draft {
    struct pfs_cache *cache;
    int fd;
    int64_t head, payload;
    int64_t reserved;                /* bytes of the limit held for it */
    struct pfs_path temp;            /* its folder under tmp/; "" when in memory */
};

struct pfs_cache {
    struct pfs_home home;
    int64_t asked;                   /* limit as given: 0 means by the file system's size */
    _Atomic int64_t limit;
    struct pfs_ledger *ledger;
    pthread_t keeper;
    pthread_mutex_t lock;            /* guards what follows; never held over a system call on files */
    pthread_cond_t wake;             /* the keeper: closing or rescan asked for */
    pthread_cond_t scan_done;
    bool closing, scanned, rescan;
    int64_t scanned_at;
    struct timespec patience;        /* until then drafts wait for the first scan; monotonic */
    struct pfs_index index;
    int64_t reserved;                /* of all drafts */
    struct pfs_entry *shelf[PFS_SHELF_CHAINS];   /* open entries by key */
    struct pfs_entry *newest, *oldest;           /* recently used ones, held open */
    int n_recent;
    int64_t holders;                 /* the opener, entries and drafts: the last one frees the memory */
    int64_t hits, misses, evicted, damaged;
};

void pfs_cache_release(struct pfs_cache *c);     /* one holder less */

/* ---- entry.c: open entries and the shelf they stand on ---- */

/* An entry holding one reference; takes the sums and the descriptor. NULL without memory: nothing was taken. */
struct pfs_entry *pfs_entry_create(struct pfs_cache *c, struct pfs_sums *sums, int fd, bool named);
/* Put an entry where others find it, and among the recent ones when it lies on disk. Gives what is to be used: the
 * entry, or an equal one that was there before (the argument is then released). */
struct pfs_entry *pfs_shelf_add(struct pfs_entry *e);
/* A new reference to an open, sound entry, or NULL. *ret_other: there is one, but with another text. */
struct pfs_entry *pfs_shelf_find(struct pfs_cache *c, struct pfs_hash key, const char *text, bool *ret_other);
/* Nobody is to find it any more: it was evicted or is damaged. */
void pfs_shelf_forget(struct pfs_cache *c, struct pfs_hash key);
void pfs_shelf_trim(struct pfs_cache *c, bool all);      /* let go of recent ones: the deleted ones, or all */

/* ---- find.c: entries on disk ---- */

enum pfs_found { PFS_FOUND, PFS_ABSENT, PFS_OTHER, PFS_DAMAGED, PFS_TROUBLED };
/* Open an entry from disk; not yet on the shelf. OTHER: sound, but another text or version: kept. TROUBLED: cannot be
 * told now (too many open files, network): kept. DAMAGED: *ret_folder is the identity of what lies there. */
enum pfs_found pfs_entry_load(struct pfs_cache *c, struct pfs_hash key, const char *text, struct pfs_entry **ret,
                              uint64_t *ret_folder);
/* Delete a damaged entry, if what lies there is still that folder, and count it. When it is not, it may have looked
 * damaged because somebody was just deleting it: it then counts only when the damage is certain. */
void pfs_entry_set_aside(struct pfs_cache *c, struct pfs_hash key, uint64_t folder, bool certain);
int64_t pfs_entry_disk(int64_t data, int64_t sums);      /* bytes an entry takes on disk */

/* ---- evict.c ---- */

void pfs_evict_reserve(struct pfs_cache *c, int64_t bytes);     /* make room within the limit; release when done */
void pfs_evict_release(struct pfs_cache *c, int64_t bytes);
bool pfs_evict_bytes(struct pfs_cache *c, int64_t bytes);       /* the disk is full: delete that much; false: nothing */

/* ---- keeper.c ---- */

int pfs_keeper_start(struct pfs_cache *c);
void pfs_keeper_stop(struct pfs_cache *c);

#endif
