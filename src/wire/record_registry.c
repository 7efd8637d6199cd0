/* The registry record: operators with their parameters, views and drivers, as `describe` answers. */
#include "wire/fields.h"

#include <stdlib.h>

enum { EMPTY = 5, PARAM_BYTES = 5 * EMPTY, OP_BYTES = 3 * EMPTY + 4 + 8, VIEW_BYTES = 3 * EMPTY + 1,
       DRIVER_BYTES = 2 * EMPTY + 4 };

static void put_op(struct pfs_text *t, const struct pfs_registry_op *op)
{
    pfs_put_str(t, op->name);
    pfs_put_str(t, op->doc);
    pfs_put_str(t, op->paper);
    pfs_put_u32(t, op->rev);
    pfs_put_u64(t, (uint64_t)op->n_params);
    for (int i = 0; i < op->n_params; i++) {
        pfs_put_str(t, op->param[i].name);
        pfs_put_str(t, op->param[i].unit);
        pfs_put_str(t, op->param[i].doc);
        pfs_put_str(t, op->param[i].value);
        pfs_put_str(t, op->param[i].limits);
    }
}

static void get_op(struct pfs_reader *r, struct pfs_registry_op *op)
{
    op->name = pfs_get_copy(r);
    op->doc = pfs_get_copy(r);
    op->paper = pfs_get_copy(r);
    op->rev = pfs_get_u32(r);
    int64_t n = pfs_get_count(r, PARAM_BYTES);
    if ((op->param = pfs_get_room(r, n, sizeof *op->param)))
        op->n_params = (int)n;
    for (int i = 0; !r->bad && i < op->n_params; i++) {
        op->param[i].name = pfs_get_copy(r);
        op->param[i].unit = pfs_get_copy(r);
        op->param[i].doc = pfs_get_copy(r);
        op->param[i].value = pfs_get_copy(r);
        op->param[i].limits = pfs_get_copy(r);
    }
}

static void get_view(struct pfs_reader *r, struct pfs_registry_view *v)
{
    v->name = pfs_get_copy(r);
    v->recipe = pfs_get_copy(r);
    v->doc = pfs_get_copy(r);
    v->listed = pfs_get_bool(r);
}

static void get_driver(struct pfs_reader *r, struct pfs_registry_driver *d)
{
    d->name = pfs_get_copy(r);
    d->doc = pfs_get_copy(r);
    d->rev = pfs_get_u32(r);
}

void pfs_registry_put(struct pfs_text *t, const struct pfs_registry *r)
{
    pfs_put_u64(t, (uint64_t)r->n_ops);
    for (int i = 0; i < r->n_ops; i++)
        put_op(t, &r->op[i]);
    pfs_put_u64(t, (uint64_t)r->n_views);
    for (int i = 0; i < r->n_views; i++) {
        pfs_put_str(t, r->view[i].name);
        pfs_put_str(t, r->view[i].recipe);
        pfs_put_str(t, r->view[i].doc);
        pfs_put_u8(t, r->view[i].listed);
    }
    pfs_put_u64(t, (uint64_t)r->n_drivers);
    for (int i = 0; i < r->n_drivers; i++) {
        pfs_put_str(t, r->driver[i].name);
        pfs_put_str(t, r->driver[i].doc);
        pfs_put_u32(t, r->driver[i].rev);
    }
    pfs_put_str(t, r->algebra);
}

int pfs_registry_get(struct pfs_blob b, struct pfs_registry *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    *ret = (struct pfs_registry){0};
    int64_t n = pfs_get_count(&r, OP_BYTES);
    if ((ret->op = pfs_get_room(&r, n, sizeof *ret->op)))
        ret->n_ops = (int)n;
    for (int i = 0; !r.bad && i < ret->n_ops; i++)
        get_op(&r, &ret->op[i]);
    n = pfs_get_count(&r, VIEW_BYTES);
    if ((ret->view = pfs_get_room(&r, n, sizeof *ret->view)))
        ret->n_views = (int)n;
    for (int i = 0; !r.bad && i < ret->n_views; i++)
        get_view(&r, &ret->view[i]);
    n = pfs_get_count(&r, DRIVER_BYTES);
    if ((ret->driver = pfs_get_room(&r, n, sizeof *ret->driver)))
        ret->n_drivers = (int)n;
    for (int i = 0; !r.bad && i < ret->n_drivers; i++)
        get_driver(&r, &ret->driver[i]);
    ret->algebra = pfs_get_copy(&r);
    int e = pfs_record_end(&r, "registry", err);
    if (e)
        pfs_registry_finish(ret);
    return e;
}

static void finish_op(struct pfs_registry_op *op)
{
    for (int i = 0; i < op->n_params; i++) {
        free(op->param[i].name);
        free(op->param[i].unit);
        free(op->param[i].doc);
        free(op->param[i].value);
        free(op->param[i].limits);
    }
    free(op->param);
    free(op->name);
    free(op->doc);
    free(op->paper);
}

void pfs_registry_finish(struct pfs_registry *r)
{
    for (int i = 0; i < r->n_ops; i++)
        finish_op(&r->op[i]);
    for (int i = 0; i < r->n_views; i++) {
        free(r->view[i].name);
        free(r->view[i].recipe);
        free(r->view[i].doc);
    }
    for (int i = 0; i < r->n_drivers; i++) {
        free(r->driver[i].name);
        free(r->driver[i].doc);
    }
    free(r->op);
    free(r->view);
    free(r->driver);
    free(r->algebra);
    *r = (struct pfs_registry){0};
}
