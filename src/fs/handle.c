/* Opening a file: is its source still the one that was looked up, is it ready, and in which byte order.
 *
 * A ready file's pages may be kept by the kernel. One that is not is opened for direct I/O, where waits can be
 * interrupted. The byte order of a header is that of its first plane when that lies raw in the source, else ours. */
#include "fs/handle.h"
#include "fs/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_AT_ONCE = 4 };           /* so many may be looked at by a thread that should not wait */

struct pfs_handle *pfs_handle_ref(struct pfs_handle *h)
{
    __atomic_add_fetch(&h->refs, 1, __ATOMIC_RELAXED);
    return h;
}

static void destroy(struct pfs_handle *h)
{
    if (h->pixels)
        pfs_pixels_unref(h->pixels);
    pfs_text_finish(&h->head);
    pfs_text_finish(&h->text);
    pfs_name_release(&h->name);
    pfs_node_drop(h->tree, h->node);
    pthread_mutex_destroy(&h->lock);
    pthread_mutex_destroy(&h->making);
    free(h);
}

void pfs_handle_unref(struct pfs_handle *h)
{
    if (__atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL) == 0)
        destroy(h);
}

/* ---- has the source changed? ---- */

static bool stale_at(struct pfs_handle *h, struct pfs_at at)
{
    struct pfs_dataset *d = h->name.dataset;
    int64_t i = pfs_dataset_file(d, at);
    return i >= 0 && pfs_dataset_stale(h->tree->catalog, d, i);
}

static bool stale_section(struct pfs_handle *h, const struct pfs_vars *vars)
{
    struct pfs_dataset *d = h->name.dataset;
    struct pfs_at at = h->name.at;
    bool one = vars->have & 1u << PFS_VAR_C || d->file_channels || !d->spread;
    for (at.c = one ? at.c : 0; at.c < d->shape.c; at.c++) {
        if (stale_at(h, at))
            return true;
        if (one)
            break;
    }
    return false;
}

static int check_stale(struct pfs_handle *h, bool wait, struct pfs_err *err)
{
    struct pfs_dataset *d = h->name.dataset;
    struct pfs_vars vars;
    pfs_node_vars(h->node, &vars);
    bool section = d->spread && vars.have & 1u << PFS_VAR_Z, stale = false;
    if (!section && d->n_files + d->n_companions > FILES_AT_ONCE && !wait)
        return -EAGAIN;
    if (section)
        stale = stale_section(h, &vars);
    for (int64_t i = 0; !section && i < d->n_files && !stale; i++)
        stale = pfs_dataset_stale(h->tree->catalog, d, i);
    return stale ? pfs_fail(err, ESTALE, "the source changed since it was looked up") : 0;
}

/* ---- is it ready? ---- */

/* The first plane that is there tells the byte order, and of a single-plane file it is all there is. */
static int look_first(struct pfs_handle *h, bool wait, bool *ready)
{
    struct pfs_pixels *pixels = NULL;
    struct pfs_err why;
    bool unsure = false;
    int percent;
    int64_t i = 0;
    while (i < h->planes && pfs_name_missing(&h->name, h->name.kind->plane(&h->name, i)))
        i++;
    if (i == h->planes) {
        *ready = true;
        return 0;
    }
    enum pfs_state s = pfs_engine_look(h->tree->engine, h->name.view, h->name.kind->plane(&h->name, i), wait, &unsure,
                                       &percent, &pixels, &why);
    if (unsure && !wait)
        return -EAGAIN;
    *ready = s == PFS_READY;
    if (!pixels)
        return 0;
    h->big_endian = h->name.kind->head && pfs_pixels_big_endian(pixels);
    if (h->planes == 1)
        pfs_handle_set_pixels(h, pixels);
    pfs_pixels_unref(pixels);
    return 0;
}

static int look_all(struct pfs_handle *h, bool wait, bool *ready)
{
    struct pfs_err why;
    bool unsure;
    int percent;
    enum pfs_state s = pfs_words_state(h->tree, &h->name, wait, &unsure, &percent, &why);
    *ready = s == PFS_READY;
    return unsure && !wait ? -EAGAIN : 0;
}

static int look(struct pfs_handle *h, bool wait)
{
    bool ready = true;
    if (h->name.kind->line)
        return 0;                        /* lines are made as they are read */
    int r = h->name.kind->planes ? look_first(h, wait, &ready) : 0;
    if (!r && ready && (h->planes > 1 || !h->name.kind->planes))
        r = look_all(h, wait, &ready);
    h->ready = ready;
    h->cached = ready && !h->name.kind->live;
    return r;
}

/* ---- opening ---- */

static int open_file(struct pfs_handle *h, bool wait, struct pfs_err *err)
{
    int r = pfs_tree_name(h->tree, h->node, wait, &h->name, err);
    if (!r)
        r = h->name.kind->size(&h->name, &h->size, err);
    if (!r)
        r = check_stale(h, wait, err);
    if (r)
        return r;
    h->planes = pfs_name_planes(&h->name);
    h->plane_bytes = h->name.kind->line ? h->name.kind->width(&h->name) : pfs_shape_plane_bytes(&h->name.view->shape);
    if (h->name.kind->planes && h->plane_bytes <= 0)
        return pfs_fail(err, EIO, "planes of no bytes");
    r = look(h, wait);
    return r ? pfs_fail(err, -r, "not known without waiting") : 0;
}

static int open_words(struct pfs_handle *h, bool wait, struct pfs_err *err)
{
    int r = pfs_words(h->tree, h->node, wait, &h->text, err);
    h->size = (int64_t)h->text.n;
    return r;
}

int pfs_handle_open(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_handle **ret, struct pfs_err *err)
{
    struct pfs_handle *h = calloc(1, sizeof *h);
    if (!h)
        return pfs_fail(err, ENOMEM, "no memory for an open file");
    h->tree = t;
    h->node = node;
    h->refs = 1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->making, NULL);
    int r = node.place->kind == PFS_PLACE_BRANCH ? open_file(h, wait, err) : open_words(h, wait, err);
    if (r) {
        h->node = pfs_node_copy(t, node);            /* the caller keeps its own */
        destroy(h);
        return r;
    }
    *ret = h;
    return 0;
}

/* ---- what it holds ---- */

static int make_head(struct pfs_handle *h, struct pfs_err *err)
{
    int r = h->name.kind->head ? h->name.kind->head(&h->name, h->big_endian, &h->head, err) : 0;
    if (!r && !h->head.s)
        pfs_text_add(&h->head, "");
    if (!r && h->head.failed)
        r = pfs_fail(err, ENOMEM, "no memory for a header");
    if (!r && (int64_t)h->head.n > h->size - h->planes * h->plane_bytes)
        r = pfs_fail(err, EIO, "the header is longer than promised");
    if (r)
        pfs_text_finish(&h->head);
    return r;
}

int pfs_handle_head(struct pfs_handle *h, const struct pfs_text **ret, struct pfs_err *err)
{
    pthread_mutex_lock(&h->lock);
    int r = h->head.s ? 0 : make_head(h, err);
    pthread_mutex_unlock(&h->lock);
    *ret = &h->head;
    return r;
}

struct pfs_pixels *pfs_handle_pixels(struct pfs_handle *h)
{
    pthread_mutex_lock(&h->lock);
    struct pfs_pixels *p = h->pixels ? pfs_pixels_ref(h->pixels) : NULL;
    pthread_mutex_unlock(&h->lock);
    return p;
}

void pfs_handle_set_pixels(struct pfs_handle *h, struct pfs_pixels *pixels)
{
    pthread_mutex_lock(&h->lock);
    struct pfs_pixels *old = h->pixels;
    h->pixels = pixels ? pfs_pixels_ref(pixels) : NULL;
    pthread_mutex_unlock(&h->lock);
    if (old)
        pfs_pixels_unref(old);
}

bool pfs_handle_text(struct pfs_handle *h, const char **ret)
{
    pthread_mutex_lock(&h->lock);
    *ret = h->text.s;
    pthread_mutex_unlock(&h->lock);
    return *ret;
}

static int write_text(struct pfs_handle *h, struct pfs_blob table, struct pfs_err *err)
{
    struct pfs_text text = {0};
    int r = h->name.kind->text(h->tree->engine, &h->name, table, &text, err);
    if (!r && text.failed)
        r = pfs_fail(err, ENOMEM, "no memory for a report");
    if (!r && (int64_t)text.n != h->size)
        r = pfs_fail(err, EIO, "the report has %lld bytes instead of %lld", (long long)text.n, (long long)h->size);
    if (r) {
        pfs_text_finish(&text);
        return r;
    }
    pthread_mutex_lock(&h->lock);
    h->text = text;
    pthread_mutex_unlock(&h->lock);
    return 0;
}

int pfs_handle_write(struct pfs_handle *h, struct pfs_blob table, struct pfs_err *err)
{
    const char *made;
    pthread_mutex_lock(&h->making);
    int r = pfs_handle_text(h, &made) ? 0 : write_text(h, table, err);
    pthread_mutex_unlock(&h->making);
    return r;
}
