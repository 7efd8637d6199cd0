/* Reports: a model of all planes, or of some, merged from what each of them teaches.
 *
 * start (a chore): which operator merges whose partials; then the model that the teacher needs first, a report of its
 * own; then all that must be learnt (learn.c) and the merge (merge.c). */
#include "engine/report.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESOLVE_TIMEOUT_MS = 10000 };

struct pfs_blob pfs_blob_copy(struct pfs_blob b)
{
    struct pfs_blob c = {malloc(b.size + 1), b.size};
    if (c.data)
        memcpy(c.data, b.data, b.size);
    return c;
}

/* ---- the end ---- */

static void keep_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, struct pfs_blob table)
{
    char *copy = strdup(op);
    if (!copy) {
        free(table.data);
        return;
    }
    pfs_view_ref(v);
    pthread_mutex_lock(&e->lock);
    struct report_kept last = {0};
    if (e->n_reports == REPORTS_KEPT)
        last = e->report[--e->n_reports];
    memmove(e->report + 1, e->report, (size_t)e->n_reports * sizeof *e->report);
    e->report[0] = (struct report_kept){v, copy, table};
    e->n_reports++;
    pthread_mutex_unlock(&e->lock);
    if (last.op) {
        pfs_view_unref(last.view);
        free(last.op);
        free(last.table.data);
    }
}

static void note_failure(struct report_task *r, int code)
{
    struct pfs_engine *e = r->t.e;
    struct pfs_view_on *v = r->t.view;
    PFS_AUTO_FREE char *path = pfs_format("%s%s%s.json", v->dataset->path, *v->dataset->path ? "/" : "", r->t.op);
    pfs_failure_add(e, pfs_failure_of(v, (struct pfs_at){-1, -1, -1}, r->t.op), -code, r->err.text, false);
    if (r->asked && !r->alone)       /* whoever asked for the others has a better name for them */
        pfs_engine_note_error(e, path ? path : "", -code, r->err.text);
}

void pfs_report_end(struct report_task *r, struct pfs_blob table)
{
    int code = r->code == -ECONNABORTED ? -EIO : r->code;
    if (code < 0 && code != -ECANCELED && code != -ESTALE)
        note_failure(r, code);
    pfs_learn_finish(r);
    free(r->l.op);
    free(r->l.teacher);
    free(r->l.prior);
    free(r->prior.data);
    free(r->asked);
    if (r->prior_fd >= 0)
        close(r->prior_fd);
    if (!code && !r->l.alone) {
        struct pfs_blob kept = pfs_blob_copy(table);
        if (kept.data)
            keep_report(r->t.e, r->t.view, r->t.op, kept);
    }
    pfs_task_end(&r->t, code, r->err.text, NULL, table);
    free(table.data);
    pfs_task_unref(&r->t);
}

void pfs_report_fail(struct report_task *r, int code, const struct pfs_err *err)
{
    pthread_mutex_lock(&r->t.e->lock);
    if (!r->code) {
        r->code = code;
        r->err = *err;
    }
    pthread_mutex_unlock(&r->t.e->lock);
}

static struct report_task *of_chore(struct chore *c)
{
    return (struct report_task *)((char *)c - offsetof(struct report_task, t.chore));
}

/* ---- the prior model ---- */

static void learn(struct chore *c)
{
    struct report_task *r = of_chore(c);
    if (!r->code && pfs_task_unwanted(&r->t))
        r->code = pfs_fail(&r->err, ECANCELED, "cancelled");
    if (!r->code && r->prior.data && (r->prior_fd = pfs_memory_file("planefs-prior", r->prior)) < 0)
        r->code = pfs_fail(&r->err, EMFILE, "no descriptor for a model");
    if (!r->code)
        r->code = pfs_learn_begin(r);
    if (r->code < 0)
        pfs_report_end(r, (struct pfs_blob){0});
    else
        pfs_learn_start(r);
}

static void prior_done(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels,
                       struct pfs_blob table)
{
    struct report_task *r = (struct report_task *)((char *)w - offsetof(struct report_task, prior_waiter));
    (void)pixels;
    if (code)
        r->code = pfs_fail(&r->err, -code, "%s", reason);
    else if (!(r->prior = pfs_blob_copy(table)).data)
        r->code = pfs_fail(&r->err, ENOMEM, "no memory for a model");
    r->t.chore.run = learn;
    pfs_chore_add(r->t.e, &r->t.chore);
}

static void ask_prior(struct report_task *r)
{
    struct learning l = r->l;
    int percent;
    struct pfs_err err;
    l.op = l.teacher = r->l.prior;
    l.prior = (char[]){""};
    PFS_AUTO_FREE char *name = pfs_learning_name(&l);
    r->prior_waiter.done = prior_done;
    r->t.before = &r->prior_waiter;
    r->t.before_share = 500;
    if (name && pfs_engine_look_report(r->t.e, r->t.view, name, false, &percent, &r->prior, &err) == PFS_READY)
        learn(&r->t.chore);
    else
        pfs_engine_learn(r->t.e, r->t.view, &l, &r->prior_waiter);
}

/* ---- the beginning ---- */

static void cancel(struct task *t)
{
    struct report_task *r = (struct report_task *)t;
    if (pfs_task_leave(t->e, &r->prior_waiter)) {
        r->code = pfs_fail(&r->err, ECANCELED, "cancelled");
        t->chore.run = learn;
        pfs_chore_add(t->e, &t->chore);
    }
    pfs_learn_cancel(r);
}

static int open_table(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct report_task *r = ctx;
    return pfs_open_source(r->t.e, r->t.view->dataset, name, ret_fd, err);
}

/* An operator by its text ("pca@standardize=1"), as one step behind all of the view's. */
static int resolve(struct report_task *r, struct pfs_recipe *ret)
{
    struct pfs_engine *e = r->t.e;
    struct pfs_view_on *v = r->t.view;
    struct pfs_text request = {0};
    struct pfs_stack_info info;
    struct pfs_blob answer = {0};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_RESOLVE, .most = 64 << 20, .timeout_ms = RESOLVE_TIMEOUT_MS,
                          .open = open_table, .ctx = r};
    PFS_AUTO_TEXT struct pfs_text text = {0};
    pfs_dataset_info(v->dataset, &info);
    info.shape = v->shape;
    int code = pfs_operator_text(e, v, r->asked, &text, &r->err);
    if (code < 0)
        return code;
    pfs_resolve_put(&request, &info, text.s);
    if (!pfs_text_take(&request, &o.request))
        return pfs_fail(&r->err, ENOMEM, "no memory for a report");
    code = pfs_pool_call(e->pool, &o, &answer, &r->err);
    if (!code && pfs_recipe_get(answer, ret, &r->err) < 0)
        code = pfs_fail(&r->err, EIO, "the worker's answer makes no sense");
    free(answer.data);
    if (!code && (ret->n != 1 || !ret->step[0].model)) {
        pfs_recipe_finish(ret);
        code = pfs_fail(&r->err, ENOENT, "%.60s is not an operator that learns", r->asked);
    }
    return code;
}

void pfs_settled_finish(struct settled *s)
{
    pfs_view_unref(s->view);
    free(s->op);
    free(s->l.op);
    free(s->l.teacher);
    free(s->l.prior);
    *s = (struct settled){0};
}

static bool copy_learning(struct learning *to, const struct learning *from)
{
    *to = *from;
    to->op = strdup(from->op);
    to->teacher = strdup(from->teacher);
    to->prior = strdup(from->prior);
    return to->op && to->teacher && to->prior;
}

/* The operator's text on this view, settled before. */
static bool settled_before(struct report_task *r)
{
    struct pfs_engine *e = r->t.e;
    bool found = false;
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < SETTLED_KEPT && !found; i++) {
        const struct settled *s = &e->settled[i];
        if (s->view == r->t.view && !strcmp(s->op, r->asked)) {
            found = copy_learning(&r->l, &s->l);
            r->memory = s->memory;
        }
    }
    pthread_mutex_unlock(&e->lock);
    return found;
}

static void keep_settled(struct report_task *r)
{
    struct pfs_engine *e = r->t.e;
    struct settled s = {.view = r->t.view, .op = strdup(r->asked), .memory = r->memory};
    pfs_view_ref(s.view);
    if (!copy_learning(&s.l, &r->l) || !s.op) {
        pfs_settled_finish(&s);
        return;
    }
    pthread_mutex_lock(&e->lock);
    struct settled last = e->settled[e->next_settled % SETTLED_KEPT];
    e->settled[e->next_settled++ % SETTLED_KEPT] = s;
    pthread_mutex_unlock(&e->lock);
    pfs_settled_finish(&last);
}

static int settle(struct report_task *r)
{
    struct pfs_recipe recipe;
    if (pfs_gather_step(&r->t.view->recipe) >= 0)
        return pfs_fail(&r->err, EOPNOTSUPP, "there are no reports on %.80s", r->t.view->text);
    if (pfs_model_step(&r->t.view->recipe) >= 0)
        return pfs_fail(&r->err, EOPNOTSUPP, "there are no reports on %.80s, which is learnt itself", r->t.view->text);
    if (settled_before(r))
        return 0;
    int code = resolve(r, &recipe);
    if (code < 0)
        return code;
    struct pfs_recipe_step *s = &recipe.step[0];
    r->l = (struct learning){s->text, s->teacher, s->prior, s->teacher_bands, r->t.view->recipe.n, -1, -1, -1, false};
    r->memory = s->memory;
    s->text = s->teacher = s->prior = NULL;
    pfs_recipe_finish(&recipe);
    keep_settled(r);
    return 0;
}

static void start(struct chore *c)
{
    struct report_task *r = of_chore(c);
    if (!r->code && !r->l.op)
        r->code = settle(r);
    r->l.alone = r->alone;
    pthread_mutex_lock(&r->t.e->lock);
    if (!r->code && r->t.cancelled)
        r->code = pfs_fail(&r->err, ECANCELED, "cancelled");
    r->t.cancel = cancel;
    pthread_mutex_unlock(&r->t.e->lock);
    if (r->code < 0)
        pfs_report_end(r, (struct pfs_blob){0});
    else if (*r->l.prior)
        ask_prior(r);
    else
        learn(c);
}

static void take_learning(struct report_task *r, const struct learning *l)
{
    r->memory = l->steps < r->t.view->recipe.n ? r->t.view->recipe.step[l->steps].memory : 0;
    if (!copy_learning(&r->l, l))
        r->code = pfs_fail(&r->err, ENOMEM, "no memory for a model");
}

struct wanted { const char *name, *op; const struct learning *l; int64_t plane; };   /* plane -1: all */

static void want(struct pfs_engine *e, struct pfs_view_on *v, struct wanted what, struct pfs_waiter *w)
{
    const char *op = what.name;
    struct pfs_err err = {0};
    struct pfs_at nowhere = {-1, -1, -1};
    char *name = op ? strdup(op) : NULL;
    int code;
    w->task = NULL;
    if (name && pfs_failure_known(e, pfs_failure_of(v, nowhere, op), &code, &err)) {
        free(name);
        w->done(w, code, err.text, NULL, (struct pfs_blob){0});
        return;
    }
    pthread_mutex_lock(&e->lock);
    struct task *t = name ? pfs_task_find(e, TASK_REPORT, v, nowhere, op) : NULL;
    bool fresh = !t && name;
    if (fresh && (t = pfs_task_create(e, TASK_REPORT, v, sizeof(struct report_task)))) {
        struct report_task *r = (struct report_task *)t;
        r->prior_fd = -1;
        t->op = PFS_TAKE(name);
        t->chore.run = start;
        r->alone = what.plane >= 0;
        r->only = what.plane;
        r->asked = what.op ? strdup(what.op) : NULL;
        if (what.l)
            take_learning(r, what.l);
        else if (!r->asked)
            r->code = pfs_fail(&r->err, ENOMEM, "no memory for a report");
    }
    if (t)
        pfs_task_join(t, w);
    pfs_ahead_give_way(e);
    pthread_mutex_unlock(&e->lock);
    free(name);
    if (!t)
        w->done(w, -ENOMEM, "no memory for a report", NULL, (struct pfs_blob){0});
    else if (fresh)
        pfs_chore_add(e, &t->chore);
}

void pfs_engine_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, struct pfs_waiter *w)
{
    want(e, v, (struct wanted){op, op, NULL, -1}, w);
}

void pfs_engine_lesson(struct pfs_engine *e, struct pfs_view_on *v, const char *op, int64_t plane,
                       struct pfs_waiter *w)
{
    PFS_AUTO_FREE char *name = pfs_format("%s of plane %lld", op, (long long)plane);
    want(e, v, (struct wanted){name, op, NULL, plane}, w);
}

void pfs_engine_learn(struct pfs_engine *e, struct pfs_view_on *v, const struct learning *l, struct pfs_waiter *w)
{
    PFS_AUTO_FREE char *name = pfs_learning_name(l);
    want(e, v, (struct wanted){name, NULL, l, -1}, w);
}

enum pfs_state pfs_engine_look_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, bool wait,
                                      int *percent, struct pfs_blob *ret_table, struct pfs_err *err)
{
    struct pfs_at nowhere = {-1, -1, -1};
    enum pfs_state state = PFS_COLD;
    int code;
    (void)wait;
    *ret_table = (struct pfs_blob){0};
    *percent = 0;
    if (pfs_failure_known(e, pfs_failure_of(v, nowhere, op), &code, err))
        return PFS_ERROR;
    pthread_mutex_lock(&e->lock);
    struct task *t = pfs_task_find(e, TASK_REPORT, v, nowhere, op);
    if (t) {
        state = PFS_RUNNING;
        *percent = pfs_task_permille(t) / 10;
    }
    for (int i = 0; i < e->n_reports && state == PFS_COLD; i++)
        if (e->report[i].view->dataset == v->dataset && !strcmp(e->report[i].view->text, v->text) &&
            !strcmp(e->report[i].op, op)) {
            *ret_table = pfs_blob_copy(e->report[i].table);
            state = ret_table->data ? PFS_READY : PFS_COLD;
        }
    pthread_mutex_unlock(&e->lock);
    return state;
}
