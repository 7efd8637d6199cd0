/* The context of planes: where they lie in the whole stack, tables, mask. Tables and mask are only asked for when the
 * steps can use them. */
#include "worker/worker.h"

static bool any_step(const struct pfs_recipe_steps *r, unsigned flag)
{
    for (int i = 0; i < r->n; i++)
        if (r->step[i].op->flags & flag)
            return true;
    return false;
}

int worker_context(struct worker *w, const struct pfs_stack_info *s, const struct pfs_recipe_steps *r, int threads,
                   struct worker_context *ret, struct pfs_err *err)
{
    struct pfs_context *cx = &ret->cx;
    const struct pfs_tables *tables = NULL;
    const struct pfs_typed *mask = NULL;
    int e = any_step(r, PFS_OP_TABLES) ? worker_tables(w, s, &tables, err) : 0;
    if (!e && any_step(r, PFS_OP_MASK))
        e = worker_mask(w, s, &mask, err);
    *cx = (struct pfs_context){.y0 = s->origin[1], .x0 = s->origin[2], .source = s->shape.type, .bits = s->bits,
                               .tables = tables, .mask = mask, .threads = threads > 0 ? threads : 1};
    ret->first_z = s->origin[0] + s->first[1];
    cx->full[0] = s->full[0] ? s->full[0] : tables && tables->offset ? tables->n_offset : ret->first_z + s->shape.z;
    cx->full[1] = s->full[1] ? s->full[1] : s->shape.y;
    cx->full[2] = s->full[2] ? s->full[2] : s->shape.x;
    cx->z = ret->first_z;
    return e;
}

void worker_context_at(struct worker_context *c, struct pfs_at at)
{
    c->cx.z = c->first_z + at.z;
    c->cx.band = at.c;
}
