/* The work record: planes to read and steps to run on them. */
#include "wire/fields.h"

#include <stdlib.h>

enum {
    TEXT_BYTES = 4 + 1,
    INPUT_BYTES = 5 + 8 + 8 + 6 * 8 + 8 + (5 * 8 + 1 + 6 * 8 + 5),    /* at least */
    THREADS_MAX = 4096,
};

static void put_input(struct pfs_text *t, const struct pfs_input *in)
{
    pfs_put_str(t, in->name);
    pfs_put_u64(t, in->version);
    pfs_put_i64(t, in->series);
    pfs_put_at(t, in->at);
    pfs_put_at(t, in->plane);
    pfs_put_i64(t, in->offset);
    pfs_put_shape(t, &in->shape);
}

static void get_input(struct pfs_reader *r, struct pfs_input *in)
{
    in->name = pfs_get_copy(r);
    in->version = pfs_get_u64(r);
    in->series = (int)pfs_get_within(r, -1, INT32_MAX);
    in->at = pfs_get_at(r);
    in->plane = pfs_get_at(r);
    in->offset = pfs_get_within(r, 0, INT64_MAX / 4);
    in->shape = pfs_get_shape(r);
}

void pfs_work_put(struct pfs_text *t, const struct pfs_work *w)
{
    pfs_stack_info_put(t, &w->stack);
    pfs_put_u64(t, (uint64_t)w->n_steps);
    for (int i = 0; i < w->n_steps; i++)
        pfs_put_str(t, w->step[i]);
    pfs_put_at(t, w->at);
    pfs_put_i64(t, w->offset);
    pfs_put_i64(t, w->row);
    pfs_put_i64(t, w->rows);
    pfs_put_i64(t, w->threads);
    pfs_put_u8(t, w->model);
    pfs_put_u8(t, w->prior);
    pfs_put_i64(t, w->n_parts);
    pfs_put_u64(t, (uint64_t)w->n_inputs);
    for (int64_t i = 0; i < w->n_inputs; i++)
        put_input(t, &w->input[i]);
}

int pfs_work_get(struct pfs_blob b, struct pfs_work *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    *ret = (struct pfs_work){0};
    int e = pfs_stack_info_get(&r, &ret->stack, err);
    if (e)
        return e;
    int64_t n = pfs_get_count(&r, TEXT_BYTES);
    if ((ret->step = pfs_get_room(&r, n, sizeof *ret->step)))
        ret->n_steps = (int)n;
    for (int i = 0; !r.bad && i < ret->n_steps; i++)
        ret->step[i] = pfs_get_copy(&r);
    ret->at = pfs_get_at(&r);
    ret->offset = pfs_get_within(&r, 0, INT64_MAX / 4);
    ret->row = pfs_get_within(&r, 0, INT64_MAX / 4);
    ret->rows = pfs_get_within(&r, 0, INT64_MAX / 4);
    ret->threads = (int)pfs_get_within(&r, 0, THREADS_MAX);
    ret->model = pfs_get_bool(&r);
    ret->prior = pfs_get_bool(&r);
    ret->n_parts = pfs_get_within(&r, 0, INT64_MAX / 4);
    n = pfs_get_count(&r, INPUT_BYTES);
    if ((ret->input = pfs_get_room(&r, n, sizeof *ret->input)))
        ret->n_inputs = n;
    for (int64_t i = 0; !r.bad && i < ret->n_inputs; i++)
        get_input(&r, &ret->input[i]);
    if ((e = pfs_record_end(&r, "work", err)))
        pfs_work_finish(ret);
    return e;
}

void pfs_work_finish(struct pfs_work *w)
{
    for (int i = 0; i < w->n_steps; i++)
        free(w->step[i]);
    for (int64_t i = 0; i < w->n_inputs; i++)
        free(w->input[i].name);
    free(w->step);
    free(w->input);
    pfs_stack_info_finish(&w->stack);
    *w = (struct pfs_work){0};
}
