/* Stacks and recipes in the worker: sources and operators as one lazy array.
 *
 * A view is a named recipe; a recipe is a chain of operators with parameters. Its canonical form is one line a step,
 * as pfs_params_text writes it. */
#ifndef PLANEFS_STACK_H
#define PLANEFS_STACK_H

#include <planefs/ops.h>

struct pfs_view {
    const char *name;         /* "corrected" */
    const char *recipe;       /* "invert | destripe | background | denoise | contrast", "" for the source itself */
    const char *doc;
    bool listed;              /* shown in the folders of section stacks */
};
extern const struct pfs_view pfs_views[];    /* ends with a NULL name; from views.def */
bool pfs_view_available(const struct pfs_view *v);    /* every operator of its recipe is registered */

struct pfs_step {
    const struct pfs_op *op;
    void *params;
    char *text;               /* canonical */
    struct pfs_shape out;     /* after this step */
};

struct pfs_recipe_steps {
    int n;
    struct pfs_step *step;
    void (*progress)(void *ctx, int step);   /* called after each step that ran; NULL: nobody asks */
    void *ctx;
};

/* `view` is "NAME" or "NAME@key=value,...", or an operator's name as a one-step view ("stats"). A key is a parameter's
 * name, or operator.name where two steps share it; roi=y:x:h:w adds a crop at the end; of=VIEW puts that view's steps
 * in front.
 * ENOENT with a sentence (and the nearest names) for anything unknown. gives */
int pfs_recipe_resolve(const char *view, const struct pfs_shape *source, struct pfs_recipe_steps **ret,
                       struct pfs_err *err);
/* From canonical step texts, as a job carries them. gives */
int pfs_recipe_read(const char *const *texts, int n, const struct pfs_shape *source, struct pfs_recipe_steps **ret,
                    struct pfs_err *err);
void pfs_recipe_close(struct pfs_recipe_steps *r);

/* Run steps first .. n-1 on the input (step `first`'s input; overwritten when steps work in place) and leave the result
 * in `out`, whose type and size are those of the last step. At most one more plane than the operators themselves
 * need is held. */
int pfs_recipe_run(const struct pfs_recipe_steps *r, int first, const struct pfs_blob *model,
                   const struct pfs_context *cx, struct pfs_typed in, struct pfs_typed out, struct pfs_err *err);

#endif
