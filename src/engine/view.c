/* Views of datasets: recipes resolved by a reader worker, the recent ones kept. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RESOLVE_TIMEOUT_MS = 10000 };

void pfs_view_ref(struct pfs_view_on *v)
{
    __atomic_add_fetch(&v->refs, 1, __ATOMIC_RELAXED);
}

void pfs_view_unref(struct pfs_view_on *v)
{
    if (!v || __atomic_sub_fetch(&v->refs, 1, __ATOMIC_ACQ_REL))
        return;
    pfs_recipe_finish(&v->recipe);
    pfs_dataset_unref(v->dataset);
    free(v->text);
    free(v);
}

static struct pfs_view_on *view_create(struct pfs_dataset *d, const char *text)
{
    struct pfs_view_on *v = calloc(1, sizeof *v);
    if (!v || !(v->text = strdup(text))) {
        free(v);
        return NULL;
    }
    v->refs = 1;
    v->dataset = d;
    pfs_dataset_ref(d);
    v->shape = d->shape;
    return v;
}

/* lock held; a reference is given */
static struct pfs_view_on *known(struct pfs_engine *e, const struct pfs_dataset *d, const char *text)
{
    for (int i = 0; i < e->n_views; i++) {
        struct pfs_view_on *v = e->view[i];
        if (v->dataset == d && !strcmp(v->text, text)) {
            memmove(e->view + 1, e->view, (size_t)i * sizeof *e->view);
            e->view[0] = v;
            pfs_view_ref(v);
            return v;
        }
    }
    return NULL;
}

static void keep(struct pfs_engine *e, struct pfs_view_on *v)
{
    struct pfs_view_on *last = NULL;
    pfs_view_ref(v);
    pthread_mutex_lock(&e->lock);
    if (e->n_views == VIEWS_KEPT)
        last = e->view[--e->n_views];
    memmove(e->view + 1, e->view, (size_t)e->n_views * sizeof *e->view);
    e->view[0] = v;
    e->n_views++;
    pthread_mutex_unlock(&e->lock);
    pfs_view_unref(last);
}

struct resolving { struct pfs_engine *e; struct pfs_dataset *d; };

static int open_table(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct resolving *r = ctx;
    return pfs_open_source(r->e, r->d, name, ret_fd, err);
}

static int resolve(struct pfs_engine *e, struct pfs_dataset *d, struct pfs_view_on *v, struct pfs_err *err)
{
    struct resolving ctx = {e, d};
    struct pfs_text text = {0};
    struct pfs_stack_info info;
    struct pfs_blob answer = {0};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_RESOLVE, .most = 64 << 20, .timeout_ms = RESOLVE_TIMEOUT_MS,
                          .open = open_table, .ctx = &ctx};
    pfs_dataset_info(d, &info);
    PFS_AUTO_TEXT struct pfs_text asked = {0};
    int r = pfs_view_text(e, d, v->text, &asked, err);
    if (r < 0)
        return r;
    pfs_resolve_put(&text, &info, asked.s);
    if (!pfs_text_take(&text, &o.request))
        return pfs_fail(err, ENOMEM, "no memory for a view");
    r = pfs_pool_call(e->pool, &o, &answer, err);
    if (!r && pfs_recipe_get(answer, &v->recipe, err) < 0)
        r = pfs_fail(err, EIO, "the worker's answer makes no sense");
    free(answer.data);
    if (!r && v->recipe.n)
        v->shape = v->recipe.step[v->recipe.n - 1].out;
    return r;
}

int pfs_engine_view(struct pfs_engine *e, struct pfs_dataset *d, const char *text, bool wait,
                    struct pfs_view_on **ret, struct pfs_err *err)
{
    pthread_mutex_lock(&e->lock);
    struct pfs_view_on *v = *ret = known(e, d, text);
    pthread_mutex_unlock(&e->lock);
    if (v)
        return 0;
    bool source = !strcmp(text, "source");
    if (!source && !wait)
        return -EAGAIN;
    if (!(v = view_create(d, text)))
        return pfs_fail(err, ENOMEM, "no memory for a view");
    int r = source ? 0 : resolve(e, d, v, err);
    if (r < 0) {
        pfs_view_unref(v);
        return r;
    }
    keep(e, v);
    *ret = v;
    return 0;
}
