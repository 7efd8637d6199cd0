/* A job at work: what plane, partial and merge have in common. */
#ifndef WORKER_MAKING_H
#define WORKER_MAKING_H

#include "worker/worker.h"

struct making {
    struct worker *w;
    struct pfs_work work;
    struct pfs_recipe_steps *steps;
    struct worker_context c;
    struct pfs_blob model, prior;    /* mapped; empty without */
};

/* end also after a begin that failed */
int making_begin(struct making *m, struct worker *w, struct pfs_blob request, struct pfs_err *err);
void making_end(struct making *m);
struct pfs_shape making_input_shape(const struct pfs_work *k);   /* of the stack as the first step sees it */
/* Map a file the daemon lends, without a copy of its pages. gives a mapping for making_unmap */
int making_map(struct worker *w, const char *name, struct pfs_blob *ret, struct pfs_err *err);
void making_unmap(struct pfs_blob b);

/* Read input i and run the first n steps on it. Buffers are kept from input to input, the result lies in *ready (or *in,
 * when n is 0). */
int making_prepare(struct making *m, int64_t i, int n, struct pfs_typed *in, struct pfs_typed *ready,
                   struct pfs_err *err);

/* gather.c: a plane, or several, of a recipe with a gathering step (at index `step`) */
int worker_gather(struct making *m, int step, int64_t *ret_length, struct pfs_err *err);
/* bands.c: the inputs as bands of which rows are read when they are asked for; those that steps must run on are made
 * whole at the beginning. */
struct worker_bands {
    struct pfs_bands b;
    struct making *m;
    int64_t first, most;             /* the first input; rows held */
    bool whole;
    struct pfs_typed *plane, *window;
};
int worker_bands_open(struct worker_bands *b, struct making *m, int64_t first, int64_t n, int steps,
                      struct pfs_err *err);
void worker_bands_close(struct worker_bands *b);

#endif
