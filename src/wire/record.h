/* Records that cross the wall: what a file holds, what a recipe is, what a job is to do. Plain data, encoded as blobs.
 *
 * Every record has put (append to a text) and get (from a blob, all bounds checked: EPROTO). What get fills is owned
 * by the record and released by finish. */
#ifndef PLANEFS_RECORD_H
#define PLANEFS_RECORD_H

#include <planefs/blob.h>
#include <planefs/io.h>
#include <planefs/shape.h>

/* ---- probe: what a file holds ---- */

struct pfs_probed_series {
    struct pfs_series s;
    struct pfs_extent *extent;       /* one per plane, C order over t, z, c */
};

struct pfs_probe {
    char driver[24];
    uint32_t rev;
    int n_companions;                /* names of the source's other files */
    char **companion;
    int n_series;
    struct pfs_probed_series *series;
};

void pfs_probe_put(struct pfs_text *t, const struct pfs_probe *p);
int pfs_probe_get(struct pfs_blob b, struct pfs_probe *ret, struct pfs_err *err);
void pfs_probe_finish(struct pfs_probe *p);

/* ---- stack: what a recipe works on ---- */

struct pfs_stack_info {
    struct pfs_shape shape;
    int64_t first[3];                /* number of ordinal 0 on t, z, c */
    int bits;
    int64_t full[3];                 /* NZ, NY, NX; 0: as the shape, NZ as the offset table is long */
    int64_t origin[3];               /* z, y, x of the stack's corner in it; z is added to the section's number */
    char *info, *model, *mask;       /* names of the tables and the mask, "" without */
    uint64_t version[3];             /* of those files, so that a worker may keep them open */
};

void pfs_stack_info_put(struct pfs_text *t, const struct pfs_stack_info *s);
int pfs_stack_info_get(struct pfs_reader *r, struct pfs_stack_info *ret, struct pfs_err *err);
void pfs_stack_info_finish(struct pfs_stack_info *s);

/* ---- resolve ---- */

struct pfs_recipe_step {
    char *text;                      /* canonical: "destripe/1 adjust_beta=1 ..." */
    struct pfs_shape out;
    bool model;                      /* needs a model learnt from the stack */
    int gather;                      /* 0 a plane from a plane, 1 all bands of a (t, z), 2 all planes along an axis */
    int scope;                       /* model: of 0 all planes (of the band), 1 those of a time point, 2 the plane */
    char *teacher;                   /* model: canonical step whose partials are merged; "" without a model */
    char *prior;                     /* model: canonical step whose model the teacher needs; "" for none */
    bool teacher_bands;              /* its partials are of all bands of a (t, z) */
    int64_t memory;                  /* peak bytes beyond input and output */
};
enum { PFS_GATHER_MAX = 2, PFS_SCOPE_MAX = 2 };

struct pfs_recipe {                  /* zero steps: the source itself */
    int n;
    struct pfs_recipe_step *step;
    int64_t n_digest;                /* shape.z when a result depends on its section beyond its pixels, else 0 */
    uint64_t *digest;                /* of what section z adds, per z ordinal and per step: [z * n + step] */
};

void pfs_recipe_put(struct pfs_text *t, const struct pfs_recipe *r);
int pfs_recipe_get(struct pfs_blob b, struct pfs_recipe *ret, struct pfs_err *err);
void pfs_recipe_finish(struct pfs_recipe *r);

void pfs_resolve_put(struct pfs_text *t, const struct pfs_stack_info *stack, const char *view);
int pfs_resolve_get(struct pfs_blob b, struct pfs_stack_info *stack, char **view, struct pfs_err *err);

/* ---- jobs on planes ---- */

struct pfs_input {                   /* one plane, as the worker is to read it */
    char *name;                      /* the file to ask for */
    uint64_t version;                /* changes when the file does: a worker may keep it open under (name, version) */
    int series;                      /* -1: packed samples at `offset` in `shape`'s type (a cached stage) */
    struct pfs_at at;                /* in that file's series */
    struct pfs_at plane;             /* in the stack */
    int64_t offset;
    struct pfs_shape shape;          /* expected of the plane (y, x, type); EIO when the file disagrees */
};

struct pfs_work {                    /* PLANE, PARTIAL and MERGE */
    struct pfs_stack_info stack;
    int n_steps;
    char **step;                     /* canonical texts of the steps still to run */
    struct pfs_at at;                /* PLANE: in the stack */
    int64_t offset;                  /* PLANE: where in the result descriptor the pixels go */
    int64_t row, rows;               /* PLANE of a gathering step alone: rows to make; rows == 0: all */
    int threads;
    bool model;                      /* a model is to be asked for as file "model" */
    bool prior;                      /* PARTIAL, MERGE: the teacher's prior model is to be asked for as file "prior" */
    int64_t n_parts;                 /* MERGE: how many byte strings the files "parts" hold */
    int64_t n_inputs;
    struct pfs_input *input;
};

void pfs_work_put(struct pfs_text *t, const struct pfs_work *w);
int pfs_work_get(struct pfs_blob b, struct pfs_work *ret, struct pfs_err *err);
void pfs_work_finish(struct pfs_work *w);

/* ---- registry: what can be asked for, as `describe` answers ---- */

struct pfs_registry_param { char *name, *unit, *doc, *value, *limits; };   /* limits in words: "0.1 to 10" */
struct pfs_registry_op { char *name, *doc, *paper; uint32_t rev; int n_params; struct pfs_registry_param *param; };
struct pfs_registry_view { char *name, *recipe, *doc; bool listed; };
struct pfs_registry_driver { char *name, *doc; uint32_t rev; };

struct pfs_registry {
    int n_ops, n_views, n_drivers;
    struct pfs_registry_op *op;
    struct pfs_registry_view *view;
    struct pfs_registry_driver *driver;
    char *algebra;                   /* whose linear algebra: results may differ in their last bits between two of them */
};

void pfs_registry_put(struct pfs_text *t, const struct pfs_registry *r);
int pfs_registry_get(struct pfs_blob b, struct pfs_registry *ret, struct pfs_err *err);
void pfs_registry_finish(struct pfs_registry *r);

#endif
