/* Reading ahead: who reads a view section by section finds the next ones ready.
 *
 * When a plane of a view is asked for right after the one below it, the next two are computed in the background once
 * nobody waits for anything. A background job never delays what someone waits for: it is cancelled as soon as another
 * plane is asked for, unless that is the very one it makes. */
#include "engine/own.h"

#include <stdlib.h>
#include <string.h>

enum { AHEAD = 2 };

/* lock held; somebody waits for a plane or a report */
static bool busy(const struct pfs_engine *e)
{
    for (const struct task *t = e->tasks; t; t = t->next)
        if (t->n_waiters && !t->cancelled)
            return true;
    return false;
}

/* lock held */
void pfs_ahead_give_way(struct pfs_engine *e)
{
    for (struct task *t = e->tasks; t; t = t->next)
        if (t->background && !t->n_waiters && !t->cancelled) {
            t->cancelled = true;
            if (t->cancel)
                t->cancel(t);
        }
}

/* The next plane along z (along t where z is 1) that has a file; false at the end. */
static bool next_plane(const struct pfs_dataset *d, struct pfs_at *at)
{
    do {
        if (d->shape.z > 1)
            at->z++;
        else
            at->t++;
        if (!pfs_at_inside(&d->shape, *at))
            return false;
    } while (pfs_dataset_file(d, *at) < 0);
    return true;
}

static bool follows(const struct pfs_dataset *d, struct pfs_at last, struct pfs_at at)
{
    return next_plane(d, &last) && last.t == at.t && last.z == at.z && last.c == at.c;
}

/* lock held */
static bool same_reading(const struct reading_on *r, const struct pfs_view_on *v)
{
    return r->dataset == v->dataset->serial && r->view == pfs_hash64(v->text, strlen(v->text), 0);
}

static void note(struct pfs_engine *e, const struct pfs_view_on *v, struct pfs_at at)
{
    pthread_mutex_lock(&e->lock);
    struct reading_on *r = &e->reading;
    bool known = same_reading(r, v), again = known && !memcmp(&r->at, &at, sizeof at);
    if (!again) {
        *r = (struct reading_on){.dataset = v->dataset->serial, .view = pfs_hash64(v->text, strlen(v->text), 0),
                                 .at = at, .steady = known && follows(v->dataset, r->at, at)};
    }
    pthread_mutex_unlock(&e->lock);
}

bool pfs_ahead_wanted(struct pfs_engine *e, const struct pfs_view_on *v)
{
    return !e->stopping && e->reading.steady && e->reading.made < AHEAD && same_reading(&e->reading, v) && !busy(e);
}

struct ahead { struct chore chore; struct pfs_engine *e; struct pfs_view_on *v; };

static void look_ahead(struct chore *c)
{
    struct ahead *a = (struct ahead *)c;
    struct pfs_engine *e = a->e;
    pthread_mutex_lock(&e->lock);
    struct pfs_at at = e->reading.at;
    bool go = pfs_ahead_wanted(e, a->v);
    pthread_mutex_unlock(&e->lock);
    for (int i = 0; go && i < AHEAD && next_plane(a->v->dataset, &at); i++) {
        enum pfs_state state = pfs_plane_state(e, a->v, at);
        go = state != PFS_ERROR;
        if (state == PFS_COLD)
            pfs_plane_in_background(e, a->v, at);
    }
    pfs_view_unref(a->v);
    free(a);
}

static void go_on(struct pfs_engine *e, struct pfs_view_on *v)
{
    pthread_mutex_lock(&e->lock);
    bool go = pfs_ahead_wanted(e, v);
    pthread_mutex_unlock(&e->lock);
    struct ahead *a = go ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return;
    *a = (struct ahead){.chore.run = look_ahead, .e = e, .v = v};
    pfs_view_ref(v);
    pfs_chore_add(e, &a->chore);
}

void pfs_ahead_asked(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at)
{
    if (v->recipe.n && pfs_gather_step(&v->recipe) < 0)
        note(e, v, at);
}

void pfs_engine_was_read(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at)
{
    pfs_ahead_asked(e, v, at);
    pfs_ahead_made(e, v);
}

void pfs_ahead_made(struct pfs_engine *e, struct pfs_view_on *v)
{
    if (v->recipe.n)
        go_on(e, v);
}
