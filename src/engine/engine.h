/* The engine: get(plane) and get(report), each computed once however many ask.
 *
 * A want is looked up (source bytes as they lie, or an entry by its key); else a job is queued for the workers, one per
 * result, and everybody who wants it is called back. The last one to leave cancels the job.
 * Threads: any. `look` and the getters never wait; callbacks come from engine threads and must not block. */
#ifndef PLANEFS_ENGINE_H
#define PLANEFS_ENGINE_H

#include "catalog/catalog.h"

struct pfs_engine;

struct pfs_view_on {                 /* a view of a dataset: its recipe resolved; reference-counted */
    struct pfs_dataset *dataset;     /* held */
    char *text;                      /* "corrected@mean=26000" */
    struct pfs_recipe recipe;
    struct pfs_shape shape;          /* of the view's planes: the source's when the recipe is empty */
    int refs;
};

/* Resolve a view's text on a dataset. ENOENT with the reason; EAGAIN when !wait and not resolved before. gives */
int pfs_engine_view(struct pfs_engine *e, struct pfs_dataset *d, const char *text, bool wait,
                    struct pfs_view_on **ret, struct pfs_err *err);
void pfs_view_ref(struct pfs_view_on *v);
bool pfs_view_gathers(const struct pfs_view_on *v);   /* its planes are made of several: their ordinals are its own */
void pfs_view_unref(struct pfs_view_on *v);

struct pfs_pixels;                   /* a plane ready to be read; reference-counted */
/* n bytes at off of the plane into dst. With `nowait`, -EAGAIN when the disk would have to be waited for.
 * ESTALE: the source changed. EBADMSG: the cached copy was damaged; ask the engine for the plane again. */
int pfs_pixels_read(struct pfs_pixels *p, int64_t off, int64_t n, void *dst, bool nowait, struct pfs_err *err);
bool pfs_pixels_big_endian(const struct pfs_pixels *p);
struct pfs_pixels *pfs_pixels_ref(struct pfs_pixels *p);
void pfs_pixels_unref(struct pfs_pixels *p);

enum pfs_state { PFS_COLD, PFS_RUNNING, PFS_READY, PFS_ERROR };

/* What is known of a plane now, without any job. READY gives the pixels. ERROR fills err (a recent failure, a bad
 * section). With wait == false, COLD may also mean "not known without reading a header": *unsure is then true.
 * With wait == true headers and remembered hashes are read. `percent` of a RUNNING one. */
enum pfs_state pfs_engine_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err);

struct pfs_waiter {
    /* Called exactly once unless pfs_engine_leave returned true. pixels (PLANE) or table (REPORT): lent. */
    void (*done)(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels, struct pfs_blob table);
    struct pfs_waiter *next;         /* the engine's */
    void *task;                      /* the engine's */
    int64_t part;                    /* the engine's: which plane of a result of several */
};

void pfs_engine_plane(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_waiter *w);
/* The model of operator step `op` ("stats") over all planes of the view. */
void pfs_engine_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, struct pfs_waiter *w);
enum pfs_state pfs_engine_look_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, bool wait,
                                      int *percent, struct pfs_blob *ret_table, struct pfs_err *err);
/* What one plane (by its number in the data set) teaches the operator that `op` learns from, as its table. */
void pfs_engine_lesson(struct pfs_engine *e, struct pfs_view_on *v, const char *op, int64_t plane,
                       struct pfs_waiter *w);
/* true: the waiter was taken off and will not be called. false: it has been or is being called. */
bool pfs_engine_leave(struct pfs_engine *e, struct pfs_waiter *w);

/* A ready plane has been read to its end: whoever reads section by section finds the next ones ready. */
void pfs_engine_was_read(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at);

/* Key of a plane's result as 32 hex digits, "" while unknown. */
void pfs_engine_key(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, char hex[33]);

struct pfs_engine_options {
    const char *source;              /* absolute path of SOURCE */
    const char *config;              /* of the configuration; NULL: planefs.ini in SOURCE, if there */
    struct pfs_cache_options cache;
    struct pfs_pool_options pool;
    int64_t memory;                  /* budget of the workers, bytes */
    int timeout_ms;                  /* one plane or partial */
    int cores;                       /* threads a single big plane may use */
    /* The header that makes a cached plane a finished TIFF: bytes in front of its pixels. */
    int (*head)(const struct pfs_shape *shape, const char *text, struct pfs_text *ret, struct pfs_err *err);
    bool (*taken)(const char *name);   /* names no view can have, because files or folders do; NULL: none */
};

int pfs_engine_create(const struct pfs_engine_options *o, struct pfs_engine **ret, struct pfs_err *err);
void pfs_engine_destroy(struct pfs_engine *e);
struct pfs_catalog *pfs_engine_catalog(struct pfs_engine *e);
const struct pfs_registry *pfs_engine_registry(struct pfs_engine *e);

/* Reports for the control folder: JSON text, live. */
void pfs_engine_status_json(struct pfs_engine *e, struct pfs_text *ret);
void pfs_engine_errors_json(struct pfs_engine *e, struct pfs_text *ret);
void pfs_engine_jobs_json(struct pfs_engine *e, struct pfs_text *ret);
/* Remember a failure a user met, for errors.json. */
void pfs_engine_note_error(struct pfs_engine *e, const char *path, int code, const char *reason);

#endif
