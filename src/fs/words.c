/* Texts about files: why one fails, how far it is, what its recipe is, and the live reports of the control folder.
 *
 * Nothing here starts a job. JSON is padded with blanks before its last newline, to a size that never shrinks, so that
 * what stat says is what a reader gets. */
#include "fs/words.h"
#include "files/header.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { JUDGED = 256, JSON_BLOCK = 4096 };

int64_t pfs_name_planes(const struct pfs_name *name)
{
    return name->kind->n_planes && name->kind->plane ? name->kind->n_planes(name) : 0;
}

bool pfs_name_missing(const struct pfs_name *name, struct pfs_at at)
{
    return !pfs_view_gathers(name->view) && name->dataset->spread && pfs_dataset_file(name->dataset, at) < 0;
}

static enum pfs_state report_state(struct pfs_tree *t, const struct pfs_name *name, bool wait, int *percent,
                                   struct pfs_err *err)
{
    struct pfs_blob table = {0};
    enum pfs_state s =
        pfs_engine_look_report(t->engine, name->view, name->model, wait, percent, &table, err);
    free(table.data);
    return s;
}

static enum pfs_state plane_state(struct pfs_tree *t, const struct pfs_name *name, int64_t i, bool wait, bool *unsure,
                                  int *percent, struct pfs_err *err)
{
    struct pfs_at at = name->kind->plane(name, i);
    struct pfs_pixels *pixels = NULL;
    if (pfs_name_missing(name, at))
        return PFS_READY;
    enum pfs_state s = pfs_engine_look(t->engine, name->view, at, wait, unsure, percent, &pixels, err);
    if (pixels)
        pfs_pixels_unref(pixels);
    return s;
}

static enum pfs_state planes_state(struct pfs_tree *t, const struct pfs_name *name, int64_t n, bool wait, bool *unsure,
                                   int *percent, struct pfs_err *err)
{
    int64_t judged = n < JUDGED ? n : JUDGED, done = 0;
    bool running = false;
    for (int64_t k = 0; k < judged; k++) {
        int one = 0;
        enum pfs_state s = plane_state(t, name, k * n / judged, wait, unsure, &one, err);
        if (s == PFS_ERROR || *unsure)
            return s;
        running |= s == PFS_RUNNING;
        done += s == PFS_READY ? 100 : one;
    }
    *percent = (int)(done / judged);
    return done == 100 * judged ? PFS_READY : running || (done && n > 1) ? PFS_RUNNING : PFS_COLD;
}

enum pfs_state pfs_words_state(struct pfs_tree *t, const struct pfs_name *name, bool wait, bool *unsure, int *percent,
                               struct pfs_err *err)
{
    int64_t n = pfs_name_planes(name);
    *unsure = false;
    *percent = 0;
    if (name->kind->line)
        return PFS_COLD;
    if (!name->kind->planes && name->kind->model)
        return report_state(t, name, wait, percent, err);
    return n > 0 ? planes_state(t, name, n, wait, unsure, percent, err) : PFS_READY;
}

static void say(struct pfs_text *ret, const struct pfs_err *why)
{
    pfs_text_addf(ret, "%s: ", pfs_errno_name(why->code));
    pfs_text_plain(ret, why->text);
    pfs_text_add(ret, "\n");
}

static int file_reason(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_text *ret)
{
    struct pfs_name name;
    struct pfs_err why = {0};
    int percent, r = pfs_tree_name(t, node, wait, &name, &why);
    if (r == -EAGAIN)
        return r;
    bool unsure = false, bad = r < 0;
    int64_t size;
    if (!bad) {
        bad = name.kind->size(&name, &size, &why) < 0 ||
              pfs_words_state(t, &name, wait, &unsure, &percent, &why) == PFS_ERROR;
        pfs_name_release(&name);
    }
    if (unsure && !wait)
        return -EAGAIN;
    if (bad)
        say(ret, &why);
    return 0;
}

static int reason(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_text *ret)
{
    struct pfs_err why = {0};
    struct pfs_node folder = pfs_node_parent(node), of;
    int r = pfs_tree_lookup(t, folder, node.place->name, wait, &of, &why);
    if (r == -EAGAIN)
        return r;
    if (r < 0) {
        say(ret, &why);
        return 0;
    }
    r = of.place->kind == PFS_PLACE_BRANCH && of.place->branch->kind ? file_reason(t, of, wait, ret) : 0;
    pfs_node_drop(t, of);
    return r;
}

static void pad(struct pfs_text *t, _Atomic size_t *announced)
{
    while (t->n && !t->failed && (t->s[t->n - 1] == '\n' || t->s[t->n - 1] == ' '))
        t->n--;
    size_t want = (t->n + 1 + JSON_BLOCK - 1) / JSON_BLOCK * JSON_BLOCK, before = atomic_load(announced);
    while (before < want && !atomic_compare_exchange_weak(announced, &before, want))
        ;
    want = before > want ? before : want;
    pfs_text_fill(t, ' ', want - 1 - t->n);
    pfs_text_add(t, "\n");
}

static void control(struct pfs_tree *t, uint64_t index, struct pfs_text *ret)
{
    static _Atomic size_t announced[PFS_N_CONTROL];
    switch (index) {
    case PFS_README: pfs_readme(t->registry, ret); return;
    case PFS_STATUS_JSON: pfs_engine_status_json(t->engine, ret); break;
    case PFS_ERRORS_JSON: pfs_engine_errors_json(t->engine, ret); break;
    default: pfs_engine_jobs_json(t->engine, ret); break;
    }
    pad(ret, &announced[index]);
}

int pfs_words(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_text *ret, struct pfs_err *err)
{
    int r = 0;
    if (node.place->kind == PFS_PLACE_REASON)
        r = reason(t, node, wait, ret);
    else
        control(t, node.index, ret);
    if (r)
        return pfs_fail(err, -r, "not known without waiting");
    if (!ret->s)
        pfs_text_add(ret, "");
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a text") : 0;
}

/* ---- attributes ---- */

static void state_words(enum pfs_state s, int percent, struct pfs_text *ret)
{
    static const char *const words[] = {[PFS_COLD] = "cold", [PFS_READY] = "ready", [PFS_ERROR] = "error"};
    if (s == PFS_RUNNING)
        pfs_text_addf(ret, "running %d%%", percent);
    else
        pfs_text_add(ret, words[s]);
}

static void key_words(struct pfs_tree *t, const struct pfs_name *name, struct pfs_text *ret)
{
    char hex[33] = "";
    if (name->kind->planes && pfs_name_planes(name) == 1)
        pfs_engine_key(t->engine, name->view, name->kind->plane(name, 0), hex);
    pfs_text_add(ret, hex);
}

enum attribute { STATE, REASON, RECIPE, KEY, N_ATTRIBUTES };

static int attribute_named(const char *key)
{
    static const char *const names[N_ATTRIBUTES] = {"state", "error", "recipe", "key"};
    for (int i = 0; i < N_ATTRIBUTES; i++)
        if (!strcmp(key, names[i]))
            return i;
    return -1;
}

static int file_attribute(struct pfs_tree *t, const struct pfs_name *name, int which, bool wait, struct pfs_text *ret)
{
    struct pfs_err why = {0};
    bool unsure;
    int percent;
    if (which == RECIPE) {
        pfs_header_recipe(&name->view->recipe, ret);
    } else if (which == KEY) {
        key_words(t, name, ret);
    } else {
        enum pfs_state s = pfs_words_state(t, name, wait, &unsure, &percent, &why);
        if (unsure && !wait)
            return -EAGAIN;
        if (which == STATE)
            state_words(s, percent, ret);
        else if (s == PFS_ERROR)
            say(ret, &why);
    }
    while (ret->n && ret->s[ret->n - 1] == '\n')
        ret->s[--ret->n] = 0;
    return 0;
}

int pfs_words_attribute(struct pfs_tree *t, struct pfs_node node, const char *key, bool wait, struct pfs_text *ret,
                        struct pfs_err *err)
{
    struct pfs_name name;
    int which = attribute_named(key);
    if (which < 0)
        return pfs_fail(err, EOPNOTSUPP, "no such attribute");
    if (node.place->kind != PFS_PLACE_BRANCH || !node.place->branch->kind) {
        pfs_text_add(ret, which == STATE ? "ready" : "");
        return 0;
    }
    int r = pfs_tree_name(t, node, wait, &name, err);
    if (r)
        return r;
    r = file_attribute(t, &name, which, wait, ret);
    pfs_name_release(&name);
    return r ? pfs_fail(err, -r, "not known without waiting") : 0;
}
