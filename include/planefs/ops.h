/* Operators: pure functions of planes. No I/O, no locks, no globals.
 *
 * An operator says what its parameters are in a table; parsing, limits, help, manual and the canonical text in keys all
 * come from it. To add one: src/ops/NAME.c and a line in src/ops/ops.def. */
#ifndef PLANEFS_OPS_H
#define PLANEFS_OPS_H

#include <planefs/blob.h>
#include <planefs/err.h>
#include <planefs/io.h>
#include <planefs/plane.h>

enum pfs_param_kind { PFS_BOOL, PFS_INT, PFS_REAL, PFS_CHOICE, PFS_REALS, PFS_INTS, PFS_CHOICES };

enum { PFS_LIST_MAX = 16 };
struct pfs_list { int n; double v[PFS_LIST_MAX]; };   /* REALS, INTS; one value serves all: use pfs_list_at */

/* The value for scale or band i: the last one serves the rest; NAN for a value given as `none` or an empty list. */
double pfs_list_at(const struct pfs_list *list, int i);

struct pfs_param {
    const char *name, *unit, *doc;
    enum pfs_param_kind kind;
    const char *value;        /* default as text: "6", "161:161:201", "none" */
    double min, max;          /* inclusive limits of every number */
    const char *choices;      /* CHOICE, CHOICES: "predict limit ratio nearest"; stored as index */
    bool may_be_none;         /* `none` allowed: stored as NAN (REAL), n = 0 (lists) */
    int power;                /* for 8-bit sources the default is multiplied by (1/257)^power: 1 intensity, -2 gain */
    size_t offset;            /* offsetof in the params struct: int for BOOL, CHOICE; int64_t INT; double REAL; pfs_list */
};

struct pfs_context {          /* what a plane may depend on besides its pixels */
    int64_t full[3];          /* NZ, NY, NX of the whole stack that the tables speak of */
    int64_t z, y0, x0;        /* this plane's section number in it, and where its corner lies */
    int64_t band;             /* this plane's ordinal on the axis of channels */
    enum pfs_type source;     /* type of the stack's source, before any operator */
    int bits;                 /* bits a source sample has */
    const struct pfs_tables *tables;   /* NULL: none */
    const struct pfs_typed *mask;      /* u8, non-zero = takes part; NULL: everything does */
    int threads;              /* how many cores the operator may use */
};

enum {
    PFS_OP_FLOAT   = 1,       /* `plane` wants float32 input (else the input's own type) */
    PFS_OP_INPLACE = 2,       /* `plane` may be called with out == in[0] (same type and shape) */
    PFS_OP_TABLES  = 4,       /* uses context->tables */
    PFS_OP_MASK    = 8,       /* uses context->mask */
};

/* What a result is made of: single planes, all bands of one (t, z), or all planes along an axis. */
enum pfs_gather { PFS_SINGLE, PFS_BANDS, PFS_ALONG };

/* Of which planes a plane's model is learnt: all (of its band, unless bands are gathered), those of its time point, the
 * plane itself. */
enum pfs_scope { PFS_SCOPE_ALL, PFS_SCOPE_TIME, PFS_SCOPE_PLANE };

struct pfs_lesson {           /* what a partial is taken from besides pixels */
    struct pfs_blob prior;    /* model of the operator that `prior` names; empty without one */
    int64_t band;             /* the plane's */
    int threads;
};

struct pfs_bands {            /* all bands of one (t, z), some rows at a time */
    int64_t n, h, w;
    enum pfs_type type;
    /* Windows on rows y .. y + rows - 1 of the n bands, lent until the next call. One caller at a time. */
    int (*rows)(struct pfs_bands *b, int64_t y, int64_t rows, const struct pfs_typed **ret, struct pfs_err *err);
};

struct pfs_parts {            /* partials in the order they are merged: band by band, in each by t and z */
    int64_t n;                /* shape's planes; gathered bands: one for each (t, z) */
    /* Lent until the next call; size 0: a plane that is missing. */
    int (*next)(struct pfs_parts *p, struct pfs_blob *ret, struct pfs_err *err);
};

/* Folding the planes along an axis, in order; pixels lie close together, the same ones each time. */
struct pfs_along {
    size_t (*room)(enum pfs_type type);               /* bytes of state a pixel */
    void (*begin)(const void *p, enum pfs_type type, void *state, int64_t pixels);
    void (*add)(const void *p, enum pfs_type type, void *state, const void *px, int64_t pixels);
    void (*end)(const void *p, enum pfs_type type, const void *state, int64_t planes, void *out, int64_t pixels);
};

struct pfs_op {
    const char *name, *doc, *paper;
    uint32_t rev;             /* raised by hand when any output pixel changes; part of every key */
    unsigned flags;
    const struct pfs_param *params;
    size_t n_params, params_size;

    /* Shape and type of the result; NULL: same shape, float32. ENOENT with the reason for impossible parameters. */
    int (*shape)(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err);

    /* What a plane's result depends on besides source pixels and parameters (a section's offset, folded polynomial
     * coefficients, mask, corner): appended as canonical text. NULL: nothing. */
    int (*depends)(const void *p, const struct pfs_context *cx, struct pfs_text *ret, struct pfs_err *err);

    /* Models: what one plane teaches (in its own type), or all bands of one (t, z), and the model, a table, from all of
     * them. All NULL for operators that need no model. `ret` is given.
     * An operator may merge what another one's partials say, so that both cost one pass: `learns_from` names that teacher
     * for this input, NULL: itself. The teacher's `prior` names an operator whose model is made first and handed to
     * partial and merge. Both others get the parameters of the same names. */
    int (*partial)(const void *p, const struct pfs_lesson *l, const struct pfs_typed *in, struct pfs_blob *ret,
                   struct pfs_err *err);
    int (*partial_bands)(const void *p, const struct pfs_lesson *l, struct pfs_bands *in, struct pfs_blob *ret,
                         struct pfs_err *err);
    int (*merge)(const void *p, const struct pfs_shape *in, struct pfs_blob prior, struct pfs_parts *parts,
                 struct pfs_blob *ret, struct pfs_err *err);
    const char *(*learns_from)(const struct pfs_shape *in);
    const char *(*prior)(const struct pfs_shape *in);
    enum pfs_scope (*scope)(const void *p);           /* NULL: all */

    /* The plane. NULL for operators that only make a model. */
    int (*plane)(const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in,
                 int64_t n, struct pfs_typed out, struct pfs_err *err);

    /* Gathering operators, instead of `plane`. Both work pixel by pixel, so any rows may be asked for.
     * bands: out[0 .. n_out-1], the planes of one (t, z) of the result's shape, from n input bands.
     * along: `begin` for the first plane, `add` for each one, `end` for the result; `room` bytes of state a pixel. */
    int (*bands)(const void *p, struct pfs_blob model, const struct pfs_typed *in, int64_t n,
                 const struct pfs_typed *out, int64_t n_out, struct pfs_err *err);
    const struct pfs_along *along;

    size_t (*memory)(const void *p, const struct pfs_shape *in);   /* peak bytes beyond input and output; NULL: 0 */
};

extern const struct pfs_op *const pfs_ops[];          /* NULL-terminated, from ops.def */
const struct pfs_op *pfs_op_named(const char *name);  /* NULL: no such operator */
enum pfs_gather pfs_op_gathers(const struct pfs_op *op);
bool pfs_op_learns(const struct pfs_op *op);          /* has a model */
/* The operator whose partials `op` merges on this input (itself, mostly), and the one whose model a teacher needs: NULL
 * for none. */
const struct pfs_op *pfs_op_teacher(const struct pfs_op *op, const struct pfs_shape *in);
const struct pfs_op *pfs_op_prior(const struct pfs_op *teacher, const struct pfs_shape *in);

/* Parameters. `p` is a zeroed struct of params_size bytes. */
int pfs_params_default(const struct pfs_op *op, enum pfs_type source, void *p);
/* Set one parameter from text. ENOENT with limits, unit and a suggestion in words when name or value is wrong. */
int pfs_params_set(const struct pfs_op *op, void *p, const char *name, const char *value, struct pfs_err *err);
/* What a value may be, in words: "a number from 0 to 65535, or none". */
void pfs_param_limits(const struct pfs_param *d, struct pfs_text *ret);
/* Parameters for another operator: its defaults, and of `op`'s the ones it knows by the same name. `to` as above. */
int pfs_params_hand(const struct pfs_op *op, const void *p, const struct pfs_op *other, enum pfs_type source, void *to);
/* "destripe/3 adjust_beta=1 bands_len=161:201 ...": every parameter written out, in table order, one form per value. */
int pfs_params_text(const struct pfs_op *op, const void *p, struct pfs_text *ret);
/* The reverse of pfs_params_text: the operator, and params in a malloc'd struct. gives */
int pfs_params_parse(const char *text, const struct pfs_op **ret_op, void **ret_p, struct pfs_err *err);

#endif
