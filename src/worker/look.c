/* The verbs that compute no pixel: describe, probe, resolve. */
#include "worker/worker.h"

#include <planefs/hash.h>
#include <planefs/kernels/linalg.h>
#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- describe ---- */

/* The value behind "name=" in an operator's canonical text, which is cut there. */
static char *default_of(char *text, const char *name)
{
    PFS_AUTO_FREE char *key = pfs_format(" %s=", name);
    char *at = key ? strstr(text, key) : NULL;
    return at ? strndup(at + strlen(key), strcspn(at + strlen(key), " ")) : NULL;
}

static bool describe_op(const struct pfs_op *op, struct pfs_registry_op *ret)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    PFS_AUTO_FREE void *p = calloc(1, op->params_size ? op->params_size : 1);
    *ret = (struct pfs_registry_op){.name = strdup(op->name), .doc = strdup(op->doc ? op->doc : ""),
                                    .paper = strdup(op->paper ? op->paper : ""), .rev = op->rev,
                                    .param = pfs_array((int64_t)op->n_params, sizeof *ret->param)};
    if (!p || !ret->param || pfs_params_default(op, PFS_U16, p) || pfs_params_text(op, p, &text))
        return false;
    for (size_t i = 0; i < op->n_params; i++) {
        const struct pfs_param *d = &op->params[i];
        struct pfs_text limits = {0};
        pfs_param_limits(d, &limits);
        ret->param[ret->n_params++] = (struct pfs_registry_param){
            strdup(d->name), strdup(d->unit ? d->unit : ""), strdup(d->doc ? d->doc : ""), default_of(text.s, d->name),
            limits.failed ? NULL : limits.s};
    }
    return true;
}

static bool describe_ops(struct pfs_registry *r)
{
    int n = 0;
    while (pfs_ops[n])
        n++;
    if (!(r->op = pfs_array(n, sizeof *r->op)))
        return false;
    for (int i = 0; i < n; i++) {
        r->n_ops = i + 1;
        if (!describe_op(pfs_ops[i], &r->op[i]))
            return false;
    }
    return true;
}

static bool describe_views(struct pfs_registry *r)
{
    int n = 0;
    while (pfs_views[n].name)
        n++;
    if (!(r->view = pfs_array(n, sizeof *r->view)))
        return false;
    for (const struct pfs_view *v = pfs_views; v->name; v++)
        if (pfs_view_available(v))
            r->view[r->n_views++] = (struct pfs_registry_view){strdup(v->name), strdup(v->recipe), strdup(v->doc),
                                                               v->listed};
    return true;
}

static bool describe_drivers(struct pfs_registry *r)
{
    int n = 0;
    while (pfs_drivers[n])
        n++;
    if (!(r->driver = pfs_array(n, sizeof *r->driver)))
        return false;
    for (; r->n_drivers < n; r->n_drivers++) {
        const struct pfs_driver *d = pfs_drivers[r->n_drivers];
        r->driver[r->n_drivers] = (struct pfs_registry_driver){strdup(d->name), strdup(d->doc ? d->doc : ""), d->rev};
    }
    return true;
}

int worker_describe(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_registry r = {0};
    struct pfs_text t = {0};
    (void)request;
    bool ok = describe_ops(&r) && describe_views(&r) && describe_drivers(&r) && (r.algebra = strdup(pfs_linalg_name()));
    if (ok)
        pfs_registry_put(&t, &r);
    pfs_registry_finish(&r);
    return ok ? worker_answer(w, &t, ret_length, err) : pfs_fail(err, ENOMEM, "no memory for the registry");
}

/* ---- probe ---- */

/* Where every plane of a series lies. */
static int extents(struct worker *w, struct pfs_source *s, int series, struct pfs_probed_series *ret,
                   struct pfs_err *err)
{
    const struct pfs_shape *shape = &s->series[series].shape;
    int64_t n = pfs_shape_planes(shape);
    int e = 0;
    ret->s = s->series[series];
    if (n < 1 || !(ret->extent = pfs_array(n, sizeof *ret->extent)))
        return pfs_fail(err, n < 1 ? EIO : ENOMEM, "a series of %lld planes", (long long)n);
    for (int64_t i = 0; i < n && !e; i++) {
        e = s->driver->extent(s, series, pfs_at_of(shape, i), &ret->extent[i], err);
        if (i % 1024 == 0)
            worker_progress(w, (int)(1000 * i / n));
    }
    return e;
}

static int probe(struct worker *w, struct pfs_source *s, struct pfs_text *t, struct pfs_err *err)
{
    struct pfs_probe p = {.rev = s->driver->rev, .n_companions = s->n_companions, .companion = s->companion};
    strncpy(p.driver, s->driver->name, sizeof p.driver - 1);
    int e = (p.series = pfs_array(s->n_series, sizeof *p.series)) ? 0 : pfs_fail(err, ENOMEM, "no memory for a probe");
    for (int i = 0; i < s->n_series && !e; i++, p.n_series++)
        e = extents(w, s, i, &p.series[i], err);
    if (!e)
        pfs_probe_put(t, &p);
    for (int i = 0; p.series && i < s->n_series; i++)
        free(p.series[i].extent);                    /* the series themselves are the source's */
    free(p.series);
    return e;
}

/* A probe answers for the file as it is now: it is opened afresh, never kept. */
int worker_probe(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(request.data, request.size);
    struct pfs_source *s;
    struct pfs_text t = {0};
    const char *name = pfs_get_str(&r);
    if (!pfs_reader_end(&r))
        return pfs_fail(err, EPROTO, "malformed probe request");
    int e = pfs_source_open(&w->files, name, &s, err);
    if (e)
        return e;
    e = probe(w, s, &t, err);
    pfs_source_close(s);
    if (!e)
        return worker_answer(w, &t, ret_length, err);
    pfs_text_finish(&t);
    return e;
}

/* ---- resolve ---- */

static bool any_depends(const struct pfs_recipe_steps *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->step[i].op->depends)
            return true;
    return false;
}

struct common { uint64_t mask, trouble; };       /* hashes; 0: none */

/* What a step adds at a section. The mask is the same for all of them: it enters by its hash, not through the step. A
 * section that cannot be made gets a digest too: its own job will say why. */
static uint64_t digest(const struct pfs_step *s, const struct pfs_context *cx, struct common all)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_err err = {0};
    if (all.trouble)
        pfs_text_addf(&t, "trouble=%016llx ", (unsigned long long)all.trouble);
    if (all.mask && s->op->flags & PFS_OP_MASK)
        pfs_text_addf(&t, "mask=%016llx ", (unsigned long long)all.mask);
    if (s->op->depends && s->op->depends(s->params, cx, &t, &err))
        pfs_text_addf(&t, "error=%d %s", err.code, err.text);
    return t.n ? pfs_hash64(t.s, t.n, 0) : 0;
}

static int digests(struct worker *w, const struct pfs_stack_info *stack, const struct pfs_recipe_steps *steps,
                   struct pfs_recipe *r, struct pfs_err *err)
{
    struct worker_context c;
    struct common all = {0};
    if (!any_depends(steps))
        return 0;
    struct pfs_err why = {0};
    int e = worker_context(w, stack, steps, 1, &c, &why);   /* bad tables: the planes themselves will say so */
    if (e)
        all.trouble = pfs_hash64(why.text, strlen(why.text), 2) | 1;
    else if (c.cx.mask)
        all.mask = pfs_hash64(c.cx.mask->px, (size_t)c.cx.mask->h * (size_t)c.cx.mask->row, 1) | 1;
    c.cx.mask = NULL;
    if (!(r->digest = pfs_array(stack->shape.z * steps->n, sizeof *r->digest)))
        return pfs_fail(err, ENOMEM, "no memory for digests");
    uint64_t any = 0;
    for (int64_t z = 0; z < stack->shape.z; z++) {
        worker_context_at(&c, (struct pfs_at){.z = z});
        for (int i = 0; i < steps->n; i++)
            any |= r->digest[z * steps->n + i] = digest(&steps->step[i], &c.cx, all);
        worker_progress(w, (int)(1000 * z / stack->shape.z));
    }
    r->n_digest = any ? stack->shape.z : 0;
    return 0;
}

/* The canonical text of another operator with the parameters it shares with the step. gives */
static char *handed_text(const struct pfs_step *s, const struct pfs_op *other, enum pfs_type source)
{
    struct pfs_text t = {0};
    PFS_AUTO_FREE void *p = calloc(1, other->params_size ? other->params_size : 1);
    if (!p || pfs_params_hand(s->op, s->params, other, source, p) || pfs_params_text(other, p, &t)) {
        pfs_text_finish(&t);
        return NULL;
    }
    return t.s;
}

static int fill_lesson(const struct pfs_step *s, const struct pfs_shape *in, struct pfs_recipe_step *ret,
                       struct pfs_err *err)
{
    ret->model = pfs_op_learns(s->op);
    if (!ret->model) {
        ret->teacher = strdup("");
        ret->prior = strdup("");
    } else {
        const struct pfs_op *teacher = pfs_op_teacher(s->op, in), *prior = teacher ? pfs_op_prior(teacher, in) : NULL;
        if (!teacher)
            return pfs_fail(err, EINVAL, "%s learns from an operator that is not there", s->op->name);
        ret->teacher = handed_text(s, teacher, in->type);
        ret->prior = prior ? handed_text(s, prior, in->type) : strdup("");
        ret->teacher_bands = teacher->partial_bands != NULL;
        ret->scope = s->op->scope ? (int)s->op->scope(s->params) : 0;
    }
    return ret->teacher && ret->prior ? 0 : pfs_fail(err, ENOMEM, "no memory for a recipe");
}

static int fill_steps(const struct pfs_recipe_steps *steps, const struct pfs_shape *source, struct pfs_recipe *r,
                      struct pfs_err *err)
{
    const struct pfs_shape *in = source;
    int e = 0, models = 0, gathering = 0;
    for (int i = 0; i < steps->n && !e; i++) {
        const struct pfs_step *s = &steps->step[i];
        size_t memory = s->op->memory ? s->op->memory(s->params, in) : 0;
        r->step[r->n++] = (struct pfs_recipe_step){.text = s->text, .out = s->out, .gather = (int)pfs_op_gathers(s->op),
                                                   .memory = memory < INT64_MAX ? (int64_t)memory : INT64_MAX};
        e = fill_lesson(s, in, &r->step[i], err);
        models += r->step[i].model;
        gathering += r->step[i].gather > 0;
        in = &s->out;
    }
    if (!e && (models > 1 || gathering > 1))
        e = pfs_fail(err, ENOENT, "a recipe can have one step that %s", models > 1 ? "learns" : "takes several planes");
    return e;
}

static int resolve(struct worker *w, const struct pfs_stack_info *stack, const char *view, struct pfs_text *t,
                   struct pfs_err *err)
{
    struct pfs_recipe_steps *steps;
    struct pfs_recipe r = {0};
    int e = pfs_recipe_resolve(view, &stack->shape, &steps, err);
    if (e)
        return e;
    if (!(r.step = pfs_array(steps->n, sizeof *r.step)))
        e = pfs_fail(err, ENOMEM, "no memory for a recipe");
    if (!e)
        e = fill_steps(steps, &stack->shape, &r, err);
    if (!e)
        e = digests(w, stack, steps, &r, err);
    if (!e)
        pfs_recipe_put(t, &r);
    for (int i = 0; i < r.n; i++) {
        free(r.step[i].teacher);
        free(r.step[i].prior);
    }
    free(r.digest);
    free(r.step);                                    /* the texts are the steps' */
    pfs_recipe_close(steps);
    return e;
}

int worker_resolve(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err)
{
    struct pfs_stack_info stack;
    struct pfs_text t = {0};
    char *view;
    int e = pfs_resolve_get(request, &stack, &view, err);
    if (e)
        return e;
    e = resolve(w, &stack, view, &t, err);
    pfs_stack_info_finish(&stack);
    free(view);
    if (!e)
        return worker_answer(w, &t, ret_length, err);
    pfs_text_finish(&t);
    return e;
}
