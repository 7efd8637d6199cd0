/* Running a chain in which one step takes several planes at once.
 *
 * The steps in front of it run plane by plane; their results, and planes in another type than it wants, are held in
 * buffers of their own, all others are handed on as they are. */
#include "stack/steps.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bands_step(const struct pfs_recipe_steps *r, int first)
{
    for (int i = first; i < r->n; i++)
        if (r->step[i].op->flags & PFS_OP_BANDS)
            return i;
    return -1;
}

static int make_plane(enum pfs_type type, int64_t h, int64_t w, struct pfs_typed *ret, struct pfs_err *err)
{
    size_t row = (size_t)w * pfs_type_size(type);
    *ret = (struct pfs_typed){type, pfs_pixels(h, row), (ptrdiff_t)row, h, w};
    return ret->px ? 0 : pfs_fail(err, ENOMEM, "no memory for a plane of %lld x %lld %s", (long long)h, (long long)w,
                                  pfs_type_name(type));
}

static void replace(struct pfs_typed *plane, bool *own, struct pfs_typed by)
{
    if (*own)
        free(plane->px);
    *plane = by;
    *own = true;
}

/* Bring one plane to where the step at `bands` can take it; *own when it lies in a buffer of its own then. */
static int prepare(const struct pfs_recipe_steps *r, int first, int bands, const struct pfs_context *cx,
                   struct pfs_typed *plane, bool *own, struct pfs_err *err)
{
    const struct pfs_recipe_steps head = {.n = bands, .step = r->step};
    struct pfs_typed made;
    int e;
    if (bands > first) {
        const struct pfs_shape *s = &r->step[bands - 1].out;
        if ((e = make_plane(s->type, s->y, s->x, &made, err)))
            return e;
        e = pfs_recipe_run(&head, first, NULL, cx, *plane, made, err);
        replace(plane, own, made);
        if (e)
            return e;
    }
    if (!(r->step[bands].op->flags & PFS_OP_FLOAT) || plane->type == PFS_F32)
        return 0;
    if ((e = make_plane(PFS_F32, plane->h, plane->w, &made, err)))
        return e;
    pfs_convert(*plane, made);
    replace(plane, own, made);
    return 0;
}

/* The step itself, and whatever follows it. */
static int combine(const struct pfs_recipe_steps *r, int bands, const struct pfs_blob *model,
                   const struct pfs_context *cx, const struct pfs_typed *in, int64_t n, struct pfs_typed out,
                   struct pfs_err *err)
{
    const struct pfs_step *s = &r->step[bands];
    struct pfs_typed middle;
    if (!s->op->plane)
        return pfs_fail(err, EOPNOTSUPP, "%s makes a model, not planes", s->op->name);
    if (bands == r->n - 1)
        return s->op->plane(s->params, s->op->merge ? model : NULL, cx, in, n, out, err);
    int e = make_plane(s->out.type, s->out.y, s->out.x, &middle, err);
    if (e)
        return e;
    e = s->op->plane(s->params, s->op->merge ? model : NULL, cx, in, n, middle, err);
    if (!e)
        e = pfs_recipe_run(r, bands + 1, NULL, cx, middle, out, err);
    free(middle.px);
    return e;
}

int pfs_recipe_combine(const struct pfs_recipe_steps *r, int first, const struct pfs_blob *model,
                       const struct pfs_context *cx, const struct pfs_typed *in, int64_t n, struct pfs_typed out,
                       struct pfs_err *err)
{
    int bands = bands_step(r, first), e = 0;
    if (bands < 0 && n == 1)
        return pfs_recipe_run(r, first, model, cx, in[0], out, err);
    if (bands < 0 || n < 1)
        return pfs_fail(err, EINVAL, "%lld planes for steps that take one", (long long)n);
    PFS_AUTO_FREE struct pfs_typed *plane = pfs_array(n, sizeof *plane);
    PFS_AUTO_FREE bool *own = pfs_array(n, sizeof *own);
    if (!plane || !own)
        return pfs_fail(err, ENOMEM, "no memory for %lld planes", (long long)n);
    memcpy(plane, in, (size_t)n * sizeof *plane);
    for (int64_t i = 0; i < n && !e; i++)
        e = prepare(r, first, bands, cx, &plane[i], &own[i], err);
    if (!e)
        e = combine(r, bands, model, cx, plane, n, out, err);
    for (int64_t i = 0; i < n; i++)
        if (own[i])
            free(plane[i].px);
    return e;
}
