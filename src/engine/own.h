/* The engine's inner structs and functions, shared by its files. */
#ifndef PLANEFS_ENGINE_OWN_H
#define PLANEFS_ENGINE_OWN_H

#include "engine/engine.h"

#include <planefs/table.h>

#include <pthread.h>

enum {
    IO_THREADS = 4, VIEWS_KEPT = 128, REPORTS_KEPT = 64, GATHERED_KEPT = 256, SETTLED_KEPT = 8, FAILURES_KEPT = 256,
    ERRORS_KEPT = 1000
};

/* ---- threads.c: work that may wait for a disk ---- */
struct chore { void (*run)(struct chore *c); struct chore *next; };
void pfs_chore_add(struct pfs_engine *e, struct chore *c);
int pfs_chores_start(struct pfs_engine *e, struct pfs_err *err);
void pfs_chores_stop(struct pfs_engine *e);
void pfs_chores_drain(struct pfs_engine *e);    /* run what is left, in the caller's thread */

/* ---- configure.c ---- */
int pfs_configure(struct pfs_engine *e, struct pfs_err *err);
/* A view's text as the worker is to resolve it for this dataset. */
int pfs_view_text(const struct pfs_engine *e, const struct pfs_dataset *d, const char *text, struct pfs_text *ret,
                  struct pfs_err *err);

/* The same for an operator that learns from the view: it is told of the data set's nodata. */
int pfs_operator_text(const struct pfs_engine *e, const struct pfs_view_on *v, const char *text, struct pfs_text *ret,
                      struct pfs_err *err);

/* ---- what is to be learnt of a stack ---- */
struct learning {                    /* a model; strings are owned */
    char *op;                        /* canonical step that merges */
    char *teacher, *prior;           /* canonical steps: whose partials; whose model comes first ("": none) */
    bool bands;                      /* a partial is of all bands of a (t, z) */
    int steps;                       /* of the view's recipe that run before */
    int64_t t, z, c;                 /* only the planes of these ordinals; -1: all */
    bool alone;                      /* a single plane: what it teaches is the answer, nothing is merged */
};
struct settled { struct pfs_view_on *view; char *op; struct learning l; int64_t memory; };   /* an operator on a view */

/* ---- tasks ---- */
enum task_kind { TASK_PLANE, TASK_REPORT };

struct task {                        /* a result being made; in the engine's table while it is */
    struct pfs_engine *e;
    enum task_kind kind;
    struct pfs_view_on *view;        /* held */
    struct pfs_at at;                /* PLANE */
    char *op;                        /* REPORT */
    struct pfs_waiter *waiters;
    int64_t part_bytes;              /* PLANE: the result is several planes, of so many bytes each; 0: it is one */
    int n_waiters, refs;
    bool cancelled, over;
    bool background;                 /* nobody asked for it yet: ahead.c */
    int permille;
    struct pfs_waiter *before;       /* on another task that must be over first ... */
    int before_share;                /* ... and is so many permille of this one */
    int64_t started;                 /* ms */
    struct chore chore;
    struct task *next;               /* in the table */
    void (*cancel)(struct task *t);  /* stop its jobs; lock held */
};

struct reading_on {                  /* the view that is being read section by section */
    uint64_t dataset, view;
    struct pfs_at at;                /* last one asked for */
    bool steady;                     /* it followed the one before */
    int made;                        /* planes made ahead of it */
};

struct failure { uint64_t what; int code; char reason[240]; int64_t until; int kills; };
struct noted { int64_t when; int code; char *path, *reason; };
struct gathered { uint64_t what; char *text; };          /* canonical text of a plane made of several */
struct report_kept { struct pfs_view_on *view; char *op; struct pfs_blob table; };

struct pfs_engine {
    pthread_mutex_t lock;            /* guards all below */
    struct pfs_engine_options o;
    struct pfs_cache *cache;
    struct pfs_pool *pool;
    struct pfs_catalog *catalog;
    struct pfs_registry registry;
    struct pfs_config *config;       /* NULL: none */
    struct task *tasks;
    struct pfs_view_on *view[VIEWS_KEPT];      /* most recent first */
    int n_views;
    struct report_kept report[REPORTS_KEPT];   /* most recent first */
    int n_reports;
    struct settled settled[SETTLED_KEPT];
    int next_settled;
    struct gathered gathered[GATHERED_KEPT];
    int next_gathered;
    struct failure failure[FAILURES_KEPT];
    int next_failure;
    struct noted noted[ERRORS_KEPT];
    int64_t n_noted;
    int64_t started_ms, jobs_started, jobs_failed, jobs_cancelled, jobs_running;
    int64_t memory_used;             /* of jobs handed to the pool */
    struct admission *waiting;       /* jobs that wait for memory */
    struct reading_on reading;
    bool stopping;
    struct batch *learning, *parked; /* batches at work; those that wait for what others learn */

    pthread_mutex_t chores_lock;
    pthread_cond_t chores_here;
    struct chore *chores, **chores_end;
    bool chores_stopping;
    pthread_t io[IO_THREADS];
    int n_io;
};

int64_t pfs_engine_now(void);        /* monotonic ms */

/* task.c. A reference is the caller's until pfs_task_unref. */
struct task *pfs_task_find(struct pfs_engine *e, enum task_kind kind, const struct pfs_view_on *v, struct pfs_at at,
                           const char *op);                                     /* lock held; lent */
void pfs_task_join(struct task *t, struct pfs_waiter *w);                       /* lock held */
void pfs_task_end(struct task *t, int code, const char *reason, struct pfs_pixels *pixels, struct pfs_blob table);
void pfs_task_unref(struct task *t);
struct task *pfs_task_create(struct pfs_engine *e, enum task_kind kind, struct pfs_view_on *v, size_t size);
bool pfs_task_unwanted(struct task *t);
int pfs_task_permille(const struct task *t);                                    /* lock held */
bool pfs_task_leave(struct pfs_engine *e, struct pfs_waiter *w);                /* lock held; as pfs_engine_leave */

/* model.c: models of steps inside recipes. */
int pfs_model_step(const struct pfs_recipe *r);         /* the step that needs one, -1: none */
int pfs_gather_step(const struct pfs_recipe *r);        /* the step that takes several planes, -1: none */
struct pfs_shape pfs_shape_before(const struct pfs_view_on *v, int steps);      /* what goes into step `steps` */
/* The name under which a report on a model is kept, also what tasks and kept reports know it by. gives */
char *pfs_learning_name(const struct learning *l);
/* The model that the view's plane needs; lent parts of the view, the name is given. */
int pfs_model_of(const struct pfs_view_on *v, struct pfs_at at, struct learning *ret);
/* What is known of it now: true and its table (given) and hash. */
bool pfs_model_known(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_blob *ret,
                     struct pfs_hash *hash);

/* report.c: make a model known as pfs_engine_report does; the learning is copied. */
void pfs_engine_learn(struct pfs_engine *e, struct pfs_view_on *v, const struct learning *l, struct pfs_waiter *w);
struct pfs_blob pfs_blob_copy(struct pfs_blob b);                               /* gives; data NULL without memory */
void pfs_settled_finish(struct settled *s);                                     /* report.c: release */
int pfs_memory_file(const char *name, struct pfs_blob b);                       /* a descriptor, or -1 */

/* plane.c. What a plane's state is, headers and remembered hashes read; the pixels are let go. */
enum pfs_state pfs_plane_state(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at);
void pfs_plane_in_background(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at);

/* ahead.c: reading ahead. */
void pfs_ahead_asked(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at);   /* a plane is to be made */
void pfs_ahead_made(struct pfs_engine *e, struct pfs_view_on *v);                      /* a plane was made or read */
bool pfs_ahead_wanted(struct pfs_engine *e, const struct pfs_view_on *v);   /* lock held: one more plane may be made */
void pfs_ahead_give_way(struct pfs_engine *e);                              /* lock held: somebody wants something else */

/* failures.c: what failed a moment ago fails again at once. */
uint64_t pfs_failure_of(const struct pfs_view_on *v, struct pfs_at at, const char *op);
bool pfs_failure_known(struct pfs_engine *e, uint64_t what, int *code, struct pfs_err *err);
void pfs_failure_add(struct pfs_engine *e, uint64_t what, int code, const char *reason, bool killed);

/* key.c: the canonical text of the first `steps` steps of a view's plane. model: the hash of what the step that needs
 * one has learnt; NULL where that step is not among them. */
int pfs_plane_text(const struct pfs_view_on *v, const struct pfs_located *l, struct pfs_hash content, struct pfs_at at,
                   int steps, const struct pfs_hash *model, struct pfs_text *ret, struct pfs_err *err);

/* pixels.c. raw: takes the descriptor. */
struct pfs_pixels *pfs_pixels_of_file(int fd, const struct pfs_located *l, const struct pfs_shape *shape);
struct pfs_pixels *pfs_pixels_of_entry(struct pfs_entry *entry);                /* takes the reference */
struct pfs_pixels *pfs_pixels_part(struct pfs_pixels *whole, int64_t off, int64_t size);   /* gives; of an entry */
struct pfs_entry *pfs_pixels_entry(const struct pfs_pixels *p);                 /* lent; NULL of a file */

/* gather.c: planes made of several, as pfs_engine_plane and pfs_engine_look */
void pfs_gather_plane(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_waiter *w);
enum pfs_state pfs_gather_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err);
/* jobs.c: handing work to the pool within the budget of memory. */
struct admission {
    struct pfs_engine *e;
    struct pfs_order order;          /* request, verb, open, done, ctx ... */
    int64_t memory;
    uint64_t job;                    /* the pool's number once submitted, 0 before */
    bool cancelled, ended;
    struct admission *next;
};
void pfs_job_submit(struct admission *a);                /* lock not held */
void pfs_job_over(struct admission *a, int code);        /* from done: releases its memory. lock not held */
void pfs_job_cancel(struct admission *a);                /* lock held */
/* Open what a worker asks for: a source file of the dataset, one of its tables. */
int pfs_open_source(struct pfs_engine *e, const struct pfs_dataset *d, const char *name, int *ret_fd,
                    struct pfs_err *err);

#endif
