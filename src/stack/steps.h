/* Building a list of steps: shared by the two ways to a recipe (a view's text, and canonical texts). */
#ifndef STACK_STEPS_H
#define STACK_STEPS_H

#include <planefs/stack.h>

enum { PFS_STEPS_MAX = 64 };

struct pfs_recipe_steps *pfs_steps_create(void);
/* Append a step; takes params (also when it fails). ENOMEM, or EFBIG beyond PFS_STEPS_MAX. */
int pfs_steps_append(struct pfs_recipe_steps *r, const struct pfs_op *op, void *params, struct pfs_err *err);
/* Texts and shapes of all steps, from the shape that goes into the first. */
int pfs_steps_settle(struct pfs_recipe_steps *r, const struct pfs_shape *source, struct pfs_err *err);

#endif
