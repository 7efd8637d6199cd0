/* What the files of the ledger share: its values, files, and what is still to be written. */
#ifndef PLANEFS_CACHE_LEDGER_INNER_H
#define PLANEFS_CACHE_LEDGER_INNER_H

#include "cache/ledger_file.h"

#include <pthread.h>

enum { PFS_NO_FILE = UINT32_MAX };

struct pfs_value {
    struct pfs_hash key;
    int64_t off;                     /* of its record in its file */
    void *mem;                       /* its bytes, or NULL when they are in the file only */
    uint32_t file;                   /* PFS_NO_FILE: not written yet; without mem: lost */
    uint32_t n : 24, kept : 1, pending : 1;   /* kept: mem lies in the arena and stays */
};

struct pfs_values {                  /* all values, numbered, and a table from keys to numbers; {0} is empty */
    struct pfs_value *value;
    uint32_t n, cap;
    uint32_t *slot, n_slots;         /* open addressing; value number + 1, 0 is free */
    struct pfs_arena { struct pfs_arena *next; uint8_t bytes[]; } *arena;
    size_t arena_used;
    int64_t arena_bytes;             /* of all */
};

/* The value's number, or UINT32_MAX. */
uint32_t pfs_values_find(const struct pfs_values *v, struct pfs_hash key);
/* Add one that is not there; its number, or UINT32_MAX without memory. */
uint32_t pfs_values_add(struct pfs_values *v, struct pfs_hash key);
/* Keep the bytes in memory: small ones for good, as long as there are not too many. False without memory. */
bool pfs_values_keep(struct pfs_values *v, uint32_t i, const void *data, uint32_t n);
void pfs_values_unkeep(struct pfs_value *v);     /* the bytes are in the file now: release what need not stay */
bool pfs_values_small(const struct pfs_values *v, uint32_t n);   /* would be kept for good */
void pfs_values_finish(struct pfs_values *v);

struct pfs_ledger {
    struct pfs_home *home;
    int64_t most;
    _Atomic int64_t bytes;
    pthread_t writer;
    pthread_mutex_t lock;            /* guards what follows; not held while files are read or written */
    pthread_cond_t wake;
    bool closing;
    struct pfs_values values;
    struct pfs_ledger_file **file;   /* NULL: dropped. Only the writer adds and drops, once there is one */
    uint32_t n_files;
    uint32_t own;                    /* number of the file being written, PFS_NO_FILE: none yet */
    uint32_t *pending;               /* numbers of the values to be written */
    size_t first, n_pending, cap_pending;
    int64_t pending_bytes;
};

/* ledger.c, for the writer's thread and under the lock as said: */
bool pfs_ledger_pend_locked(struct pfs_ledger *l, uint32_t i);       /* value i is to be written; false: no memory */
int pfs_ledger_flush_locked(struct pfs_ledger *l);                   /* write all that is pending; unlocks meanwhile */
uint32_t pfs_ledger_add_file_locked(struct pfs_ledger *l, struct pfs_ledger_file *f);   /* takes; PFS_NO_FILE: ENOMEM */
void pfs_ledger_drop_file_locked(struct pfs_ledger *l, uint32_t i);

/* ledger_old.c: the files that are there already */
void pfs_ledger_load(struct pfs_ledger *l);      /* drop the oldest beyond the bound, read the rest */
void pfs_ledger_merge(struct pfs_ledger *l);     /* many small ones of dead processes: into our own */
void pfs_ledger_bound(struct pfs_ledger *l);     /* drop the oldest beyond the bound */

#endif
