/* Running a chain of steps on one plane with as few planes in memory as can be.
 *
 * A step either works in place or moves the pixels to another buffer; so does a conversion to float32. The last move
 * writes into the caller's result, the others alternate between the result (where it is large enough), the caller's
 * input and scratch planes, so that a chain of in-place steps needs none beyond input and result. */
#include "stack/steps.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

enum { BUFFERS = 4 };    /* input, output, two scratch planes */

struct buffer { void *px; size_t room; bool own; };

struct run {
    const struct pfs_recipe_steps *r;
    int first, moves_left;
    struct pfs_typed now;            /* where the pixels are */
    int at;                          /* which buffer they are in */
    struct pfs_typed out;
    struct buffer buffer[BUFFERS];
};

enum { IN, OUT };

static size_t plane_room(enum pfs_type type, int64_t h, int64_t w)
{
    return (size_t)h * (size_t)w * pfs_type_size(type);
}

static bool packed(struct pfs_typed p)
{
    return p.row == (ptrdiff_t)((size_t)p.w * pfs_type_size(p.type));
}

static enum pfs_type wanted(const struct pfs_step *s, enum pfs_type have)
{
    return s->op->flags & PFS_OP_FLOAT ? PFS_F32 : have;
}

/* Does step i work in place on pixels of this type and size? The last step without any move before it moves. */
static bool stays(const struct pfs_step *s, enum pfs_type type, int64_t h, int64_t w)
{
    return (s->op->flags & PFS_OP_INPLACE) && s->out.type == type && s->out.y == h && s->out.x == w;
}

/* How often the pixels change buffers in the chain. */
static int count_moves(const struct run *u)
{
    enum pfs_type type = u->now.type;
    int64_t h = u->now.h, w = u->now.w;
    int moves = 0;
    for (int i = u->first; i < u->r->n; i++) {
        const struct pfs_step *s = &u->r->step[i];
        enum pfs_type in = wanted(s, type);
        moves += in != type;
        moves += !stays(s, in, h, w);
        type = s->out.type;
        h = s->out.y;
        w = s->out.x;
    }
    return moves;
}

/* A buffer for the next move that the pixels are not in now. An even number of moves after this one: the result is free
 * to be used, because the one before the last will leave it again. */
static int next_buffer(struct run *u, size_t room)
{
    if (!u->moves_left)
        return OUT;
    if (u->moves_left % 2 == 0 && u->at != OUT && u->buffer[OUT].room >= room)
        return OUT;
    if (u->at != IN && u->buffer[IN].room >= room)
        return IN;
    int k = u->at == 2 ? 3 : 2;
    struct buffer *b = &u->buffer[k];
    if (b->room < room) {
        free(b->px);
        *b = (struct buffer){pfs_pixels((int64_t)room, 1), room, true};
        if (!b->px)
            b->room = 0;
    }
    return b->px ? k : -1;
}

/* Where a move of this type and size goes; on success *ret is it and the count goes down. */
static int target(struct run *u, enum pfs_type type, int64_t h, int64_t w, struct pfs_typed *ret, int *at,
                  struct pfs_err *err)
{
    u->moves_left--;
    *at = next_buffer(u, plane_room(type, h, w));
    if (*at < 0)
        return pfs_fail(err, ENOMEM, "no memory for a plane of %lld x %lld %s", (long long)h, (long long)w,
                        pfs_type_name(type));
    *ret = u->moves_left == 0 ? u->out
         : (struct pfs_typed){type, u->buffer[*at].px, (ptrdiff_t)((size_t)w * pfs_type_size(type)), h, w};
    return 0;
}

/* Free scratch that the pixels have left: the operators after this may need the room more. */
static void settle(struct run *u, struct pfs_typed now, int at)
{
    u->now = now;
    u->at = at;
    for (int k = 2; k < BUFFERS; k++)
        if (k != at && u->moves_left == 0) {
            free(u->buffer[k].px);
            u->buffer[k] = (struct buffer){0};
        }
}

static int convert(struct run *u, enum pfs_type type, struct pfs_err *err)
{
    struct pfs_typed to;
    int at, e = target(u, type, u->now.h, u->now.w, &to, &at, err);
    if (e)
        return e;
    pfs_convert(u->now, to);
    settle(u, to, at);
    return 0;
}

static int run_step(struct run *u, int i, bool must_move, const struct pfs_blob *model, const struct pfs_context *cx,
                    struct pfs_err *err)
{
    const struct pfs_step *s = &u->r->step[i];
    struct pfs_typed to = u->now;
    int at = u->at, e = 0;
    if (!s->op->plane)
        return pfs_fail(err, EOPNOTSUPP, "%s makes %s, not planes", s->op->name,
                        pfs_op_learns(s->op) ? "a model" : "a plane of many");
    if (wanted(s, u->now.type) != u->now.type)
        e = convert(u, PFS_F32, err);
    if (!e && (must_move || !stays(s, u->now.type, u->now.h, u->now.w)))
        e = target(u, s->out.type, s->out.y, s->out.x, &to, &at, err);
    else
        to = u->now, at = u->at;
    if (!e)
        e = s->op->plane(s->params, s->op->merge ? model : NULL, cx, &u->now, 1, to, err);
    if (!e)
        settle(u, to, at);
    if (!e && u->r->progress)
        u->r->progress(u->r->ctx, i);
    return e;
}

static void finish(struct run *u)
{
    for (int k = 0; k < BUFFERS; k++)
        if (u->buffer[k].own)
            free(u->buffer[k].px);
}

/* The result must be as the last step makes it: buffers are counted on it. */
static int check_result(const struct pfs_recipe_steps *r, int first, struct pfs_typed in, struct pfs_typed out,
                        struct pfs_err *err)
{
    struct pfs_shape s = {.y = in.h, .x = in.w, .type = in.type};
    if (first < r->n)
        s = r->step[r->n - 1].out;
    if (out.h == s.y && out.w == s.x && out.type == s.type)
        return 0;
    return pfs_fail(err, EINVAL, "the result of the steps is %lld x %lld %s, not %lld x %lld %s", (long long)s.y,
                    (long long)s.x, pfs_type_name(s.type), (long long)out.h, (long long)out.w, pfs_type_name(out.type));
}

int pfs_recipe_run(const struct pfs_recipe_steps *r, int first, const struct pfs_blob *model,
                   const struct pfs_context *cx, struct pfs_typed in, struct pfs_typed out, struct pfs_err *err)
{
    struct run u = {.r = r, .first = first, .now = in, .at = IN, .out = out};
    int e = check_result(r, first, in, out, err);
    u.buffer[IN] = (struct buffer){in.px, packed(in) ? plane_room(in.type, in.h, in.w) : 0, false};
    u.buffer[OUT] = (struct buffer){out.px, packed(out) ? plane_room(out.type, out.h, out.w) : 0, false};
    u.moves_left = count_moves(&u);
    bool still = u.moves_left == 0;
    if (still && first < r->n)
        u.moves_left = 1;                     /* all in place: the last step moves */
    for (int i = first; i < r->n && !e; i++)
        e = run_step(&u, i, still && i == r->n - 1, model, cx, err);
    if (!e && first >= r->n)
        pfs_convert(in, out);
    finish(&u);
    return e;
}
