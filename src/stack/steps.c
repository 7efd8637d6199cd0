/* Recipes as lists of steps: building, reading from canonical texts, shapes through the operators. */
#include "stack/steps.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

struct pfs_recipe_steps *pfs_steps_create(void)
{
    struct pfs_recipe_steps *r = calloc(1, sizeof *r);
    if (r && !(r->step = pfs_array(PFS_STEPS_MAX, sizeof *r->step)))
        pfs_recipe_close(PFS_TAKE(r));
    return r;
}

void pfs_recipe_close(struct pfs_recipe_steps *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->n; i++) {
        free(r->step[i].params);
        free(r->step[i].text);
    }
    free(r->step);
    free(r);
}

int pfs_steps_append(struct pfs_recipe_steps *r, const struct pfs_op *op, void *params, struct pfs_err *err)
{
    if (params && r->n < PFS_STEPS_MAX) {
        r->step[r->n++] = (struct pfs_step){.op = op, .params = params};
        return 0;
    }
    free(params);
    return params ? pfs_fail(err, EFBIG, "a recipe of more than %d steps", PFS_STEPS_MAX)
                  : pfs_fail(err, ENOMEM, "no memory for a recipe");
}

/* What comes out of a step: the operator's word, or the same shape in float32. A step that only makes a model leaves
 * the shape alone. */
static int step_shape(const struct pfs_step *s, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    *ret = *in;
    if (s->op->shape)
        return s->op->shape(s->params, in, ret, err);
    if (s->op->plane) {
        ret->type = PFS_F32;
        ret->cal.range[0] = ret->cal.range[1] = 0;
    }
    return 0;
}

int pfs_steps_settle(struct pfs_recipe_steps *r, const struct pfs_shape *source, struct pfs_err *err)
{
    const struct pfs_shape *in = source;
    for (int i = 0; i < r->n; i++) {
        struct pfs_step *s = &r->step[i];
        struct pfs_text text = {0};
        struct pfs_blob taken;
        int e = step_shape(s, in, &s->out, err);
        if (e)
            return e;
        pfs_params_text(s->op, s->params, &text);
        if (!pfs_text_take(&text, &taken))
            return pfs_fail(err, ENOMEM, "no memory for a recipe");
        free(s->text);
        s->text = taken.data;
        in = &s->out;
    }
    return 0;
}

int pfs_recipe_read(const char *const *texts, int n, const struct pfs_shape *source, struct pfs_recipe_steps **ret,
                    struct pfs_err *err)
{
    struct pfs_recipe_steps *r = pfs_steps_create();
    int e = r ? 0 : pfs_fail(err, ENOMEM, "no memory for a recipe");
    for (int i = 0; i < n && !e; i++) {
        const struct pfs_op *op;
        void *params;
        e = pfs_params_parse(texts[i], &op, &params, err);
        if (!e)
            e = pfs_steps_append(r, op, params, err);
    }
    if (!e)
        e = pfs_steps_settle(r, source, err);
    if (e) {
        pfs_recipe_close(r);
        return e;
    }
    *ret = r;
    return 0;
}
