/* The worker: one job at a time, everything it reads asked for over the wire.
 *
 * It keeps opened sources, the background tables and the mask between jobs, each under its name and version. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "wire/record.h"
#include "wire/wire.h"

#include <planefs/stack.h>

enum { WORKER_SOURCES = 8 };

struct kept_source { char *name; uint64_t version, used; struct pfs_source *source; };

struct worker {
    int sock, result;                /* result: where the job's bytes go */
    struct pfs_files files;          /* by NEED and FILE */
    uint64_t job;
    bool gone, broken;               /* the socket closed; the daemon broke the protocol: no further job */
    int statm;                       /* /proc/self/statm, opened while that is allowed */
    int permille;                    /* last progress sent */
    int64_t progress_ms;
    uint64_t clock;                  /* counts uses of sources */
    struct kept_source source[WORKER_SOURCES];
    char *info, *model;              /* names of the kept tables */
    uint64_t tables_version[2];
    struct pfs_tables *tables;
    char *mask_name;
    uint64_t mask_version;
    struct pfs_typed mask;
};

/* wire.c: talking to the daemon */
void worker_connect(struct worker *w, int sock);                 /* sock, files, statm of a zeroed worker */
void worker_progress(struct worker *w, int permille);            /* at most a few a second reach the wire */
int64_t worker_resident(const struct worker *w);                 /* bytes */
/* Write n bytes at offset of the job's result. ENOSPC and the like are passed on as they are. */
int worker_write(struct worker *w, const void *data, size_t n, int64_t offset, struct pfs_err *err);

/* keep.c: what stays open between jobs; lent until the next call */
int worker_source(struct worker *w, const char *name, uint64_t version, struct pfs_source **ret, struct pfs_err *err);
void worker_forget(struct worker *w, struct pfs_source *s);      /* after a failure: open it anew next time */
int worker_tables(struct worker *w, const struct pfs_stack_info *s, const struct pfs_tables **ret, struct pfs_err *err);
int worker_mask(struct worker *w, const struct pfs_stack_info *s, const struct pfs_typed **ret, struct pfs_err *err);
void worker_close_kept(struct worker *w);

/* planes.c */
int worker_plane_alloc(enum pfs_type type, int64_t h, int64_t w, struct pfs_typed *ret, struct pfs_err *err);
/* Read an input into `plane`, which has its size and type. EIO when the file disagrees with them. */
int worker_read(struct worker *w, const struct pfs_input *in, struct pfs_typed plane, struct pfs_err *err);
/* Rows y .. y + rows.h - 1 of an input. */
int worker_read_rows(struct worker *w, const struct pfs_input *in, int64_t y, struct pfs_typed rows,
                     struct pfs_err *err);
int worker_read_at(struct pfs_source *s, int series, struct pfs_at at, struct pfs_typed plane, struct pfs_err *err);

/* context.c: what planes depend on besides their pixels */
struct worker_context { struct pfs_context cx; int64_t first_z; };
int worker_context(struct worker *w, const struct pfs_stack_info *s, const struct pfs_recipe_steps *r, int threads,
                   struct worker_context *ret, struct pfs_err *err);
void worker_context_at(struct worker_context *c, struct pfs_at at);

/* The verbs: each answers its request with *ret_length bytes in the result. */
int worker_describe(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
int worker_probe(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
int worker_resolve(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
int worker_plane(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
int worker_partial(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
int worker_merge(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);
/* Write a whole text as the result; takes it. */
int worker_answer(struct worker *w, struct pfs_text *t, int64_t *ret_length, struct pfs_err *err);

#endif
