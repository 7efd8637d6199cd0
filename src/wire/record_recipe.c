/* The records around recipes: what a recipe works on, the question for one, and the answer. */
#include "wire/fields.h"

#include <errno.h>
#include <stdlib.h>

enum { STEP_BYTES = 5 + (5 * 8 + 1 + 6 * 8 + 5) + 1 + 2 + 5 + 5 + 1 + 8 };    /* at least */

void pfs_stack_info_put(struct pfs_text *t, const struct pfs_stack_info *s)
{
    pfs_put_shape(t, &s->shape);
    pfs_put_u32(t, (uint32_t)s->bits);
    for (int i = 0; i < 3; i++) {
        pfs_put_i64(t, s->first[i]);
        pfs_put_i64(t, s->full[i]);
        pfs_put_i64(t, s->origin[i]);
        pfs_put_u64(t, s->version[i]);
    }
    pfs_put_str(t, s->info);
    pfs_put_str(t, s->model);
    pfs_put_str(t, s->mask);
}

int pfs_stack_info_get(struct pfs_reader *r, struct pfs_stack_info *ret, struct pfs_err *err)
{
    *ret = (struct pfs_stack_info){0};
    ret->shape = pfs_get_shape(r);
    ret->bits = (int)pfs_get_u32(r);
    if (ret->bits < 1 || ret->bits > 64)
        r->bad = true;
    for (int i = 0; i < 3; i++) {
        ret->first[i] = pfs_get_within(r, 0, INT64_MAX / 4);
        ret->full[i] = pfs_get_within(r, 0, INT64_MAX / 4);
        ret->origin[i] = pfs_get_within(r, -INT64_MAX / 4, INT64_MAX / 4);
        ret->version[i] = pfs_get_u64(r);
    }
    ret->info = pfs_get_copy(r);
    ret->model = pfs_get_copy(r);
    ret->mask = pfs_get_copy(r);
    if (!r->bad)
        return 0;
    pfs_stack_info_finish(ret);
    return pfs_fail(err, EPROTO, "malformed stack record");
}

void pfs_stack_info_finish(struct pfs_stack_info *s)
{
    free(s->info);
    free(s->model);
    free(s->mask);
    *s = (struct pfs_stack_info){0};
}

void pfs_recipe_put(struct pfs_text *t, const struct pfs_recipe *r)
{
    pfs_put_u64(t, (uint64_t)r->n);
    for (int i = 0; i < r->n; i++) {
        pfs_put_str(t, r->step[i].text);
        pfs_put_shape(t, &r->step[i].out);
        pfs_put_u8(t, r->step[i].model);
        pfs_put_u8(t, (uint8_t)r->step[i].gather);
        pfs_put_u8(t, (uint8_t)r->step[i].scope);
        pfs_put_str(t, r->step[i].teacher);
        pfs_put_str(t, r->step[i].prior);
        pfs_put_u8(t, r->step[i].teacher_bands);
        pfs_put_i64(t, r->step[i].memory);
    }
    pfs_put_u64(t, (uint64_t)r->n_digest);
    for (int64_t i = 0; i < r->n_digest * r->n; i++)
        pfs_put_u64(t, r->digest[i]);
}

static void get_digests(struct pfs_reader *r, struct pfs_recipe *ret)
{
    int64_t n = pfs_get_count(r, 8 * (size_t)(ret->n ? ret->n : 1));
    if (n && !ret->n)
        r->bad = true;
    if (!n || !(ret->digest = pfs_get_room(r, n * ret->n, sizeof *ret->digest)))
        return;
    ret->n_digest = n;
    for (int64_t i = 0; i < n * ret->n; i++)
        ret->digest[i] = pfs_get_u64(r);
}

int pfs_recipe_get(struct pfs_blob b, struct pfs_recipe *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    *ret = (struct pfs_recipe){0};
    int64_t n = pfs_get_count(&r, STEP_BYTES);
    if ((ret->step = pfs_get_room(&r, n, sizeof *ret->step)))
        ret->n = (int)n;
    for (int i = 0; !r.bad && i < ret->n; i++) {
        struct pfs_recipe_step *s = &ret->step[i];
        s->text = pfs_get_copy(&r);
        s->out = pfs_get_shape(&r);
        s->model = pfs_get_bool(&r);
        s->gather = pfs_get_u8(&r);
        s->scope = pfs_get_u8(&r);
        if (s->gather > PFS_GATHER_MAX || s->scope > PFS_SCOPE_MAX)
            r.bad = true;
        s->teacher = pfs_get_copy(&r);
        s->prior = pfs_get_copy(&r);
        s->teacher_bands = pfs_get_bool(&r);
        s->memory = pfs_get_within(&r, 0, INT64_MAX);
    }
    get_digests(&r, ret);
    int e = pfs_record_end(&r, "recipe", err);
    if (e)
        pfs_recipe_finish(ret);
    return e;
}

void pfs_recipe_finish(struct pfs_recipe *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->step[i].text);
        free(r->step[i].teacher);
        free(r->step[i].prior);
    }
    free(r->step);
    free(r->digest);
    *r = (struct pfs_recipe){0};
}

void pfs_resolve_put(struct pfs_text *t, const struct pfs_stack_info *stack, const char *view)
{
    pfs_stack_info_put(t, stack);
    pfs_put_str(t, view);
}

int pfs_resolve_get(struct pfs_blob b, struct pfs_stack_info *stack, char **view, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    *view = NULL;
    int e = pfs_stack_info_get(&r, stack, err);
    if (e)
        return e;
    *view = pfs_get_copy(&r);
    if (!(e = pfs_record_end(&r, "resolve", err)))
        return 0;
    pfs_stack_info_finish(stack);
    free(*view);
    *view = NULL;
    return e;
}
