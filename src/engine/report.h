/* The inside of a report being made: what must be learnt, by whom, and the model merged from it. */
#ifndef PLANEFS_ENGINE_REPORT_H
#define PLANEFS_ENGINE_REPORT_H

#include "engine/own.h"

enum {
    BATCHES = 8, BATCH_PLANES = 64, BATCH_BYTES = 32 << 20, PART_MOST = 64 << 20, MODEL_MOST = 256 << 20,
    PARTS_HELD = 64 << 20, PARTS_FILE = 8 << 20,
};

struct report_task;

struct batch {                       /* some units on their way through a worker */
    struct report_task *r;
    struct chore chore;
    struct admission job;
    int n;                           /* units that must be learnt */
    int64_t unit[BATCH_PLANES];
    struct pfs_hash key[BATCH_PLANES];
    struct pfs_located *located;     /* of their planes: per_unit each; owned */
    int code;
    struct pfs_err err;
    struct pfs_blob bytes;
    bool learning;                   /* on the engine's list of batches whose keys others wait for */
    struct batch *next_learning, *next_parked;
};

struct report_task {
    struct task t;
    struct learning l;
    char *asked;                     /* the operator's text, where it is to be settled */
    bool alone;
    int64_t only;                    /* l.alone: the data set's number of the plane */
    int64_t memory;                  /* of the step that learns */
    struct pfs_shape shape;          /* as the merge sees the stack: of the planes in question */
    int64_t per_unit;                /* planes a partial is of */
    int64_t *unit;                   /* units to be learnt: the dataset's plane number of their first plane */
    int64_t n, next;
    int64_t *deferred, n_deferred;   /* learnt elsewhere at this moment, or failed in company: once more */
    int64_t total, done, per_batch;

    struct batch batch[BATCHES];
    int under_way;                   /* batches */

    int64_t n_parts;                 /* places of partials, in the order of the merge */
    struct pfs_blob *part;           /* held while they are few; else they are in the ledger */
    struct pfs_hash *part_key;       /* zero: a plane that is missing */
    int64_t held;                    /* bytes */
    bool hold;                       /* hold them all: the ledger lost one */
    int64_t *skipped, n_skipped;     /* bad sections left out, as ordinals of z */

    struct pfs_waiter prior_waiter;
    struct pfs_blob prior;           /* the model that the teacher needs; data NULL: none yet */
    int prior_fd;
    struct pfs_hash key;             /* the model's */
    int64_t sent, files;             /* parts handed to the merge so far */
    int code;
    struct pfs_err err;
};

/* learn.c: all units, batch by batch, then pfs_report_merge */
int pfs_learn_begin(struct report_task *r);
void pfs_learn_start(struct report_task *r);
void pfs_learn_finish(struct report_task *r);        /* release */
void pfs_learn_cancel(struct report_task *r);        /* lock held */

/* merge.c: the model from the parts, then pfs_report_end */
void pfs_report_merge(struct report_task *r);

/* report.c. takes the table */
void pfs_report_end(struct report_task *r, struct pfs_blob table);
void pfs_report_fail(struct report_task *r, int code, const struct pfs_err *err);   /* the first one counts */

#endif
