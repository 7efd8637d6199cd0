/* What stays open between jobs: sources, the tables and the mask, each found again by name and version.
 *
 * Opening a large multi-page file costs far more than reading one of its planes. A source that failed is forgotten, so
 * that the next job sees the file afresh. */
#include "worker/worker.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void drop(struct kept_source *k)
{
    pfs_source_close(k->source);
    free(k->name);
    *k = (struct kept_source){0};
}

int worker_source(struct worker *w, const char *name, uint64_t version, struct pfs_source **ret, struct pfs_err *err)
{
    struct kept_source *oldest = &w->source[0];
    for (int i = 0; i < WORKER_SOURCES; i++) {
        struct kept_source *k = &w->source[i];
        if (k->source && k->version == version && !strcmp(k->name, name)) {
            k->used = ++w->clock;
            *ret = k->source;
            return 0;
        }
        if (k->used < oldest->used)
            oldest = k;
    }
    drop(oldest);
    if (!(oldest->name = strdup(name)))
        return pfs_fail(err, ENOMEM, "no memory for a source");
    int e = pfs_source_open(&w->files, name, &oldest->source, err);
    if (e) {
        oldest->source = NULL;
        drop(oldest);
        return e;
    }
    oldest->version = version;
    oldest->used = ++w->clock;
    *ret = oldest->source;
    return 0;
}

void worker_forget(struct worker *w, struct pfs_source *s)
{
    for (int i = 0; i < WORKER_SOURCES; i++)
        if (w->source[i].source == s)
            drop(&w->source[i]);
}

static void drop_tables(struct worker *w)
{
    pfs_tables_close(w->tables);
    free(w->info);
    free(w->model);
    w->tables = NULL;
    w->info = w->model = NULL;
}

/* A table or mask that is not there: the view is, so reading it fails and finding it does not. */
static int absent(int e, const char *what, struct pfs_err *err)
{
    struct pfs_err why = err ? *err : (struct pfs_err){0};
    return e == -ENOENT ? pfs_fail(err, EIO, "%s: %.180s", what, why.text) : e;
}

int worker_tables(struct worker *w, const struct pfs_stack_info *s, const struct pfs_tables **ret, struct pfs_err *err)
{
    *ret = NULL;
    if (!*s->info && !*s->model)
        return 0;
    if (!w->tables || strcmp(w->info, s->info) || strcmp(w->model, s->model) || w->tables_version[0] != s->version[0] ||
        w->tables_version[1] != s->version[1]) {
        drop_tables(w);
        w->info = strdup(s->info);
        w->model = strdup(s->model);
        int e = w->info && w->model ? pfs_tables_open(&w->files, s->info, s->model, &w->tables, err)
                                    : pfs_fail(err, ENOMEM, "no memory for tables");
        if (e) {
            w->tables = NULL;
            drop_tables(w);
            return absent(e, "background tables", err);
        }
        memcpy(w->tables_version, s->version, sizeof w->tables_version);
    }
    *ret = w->tables;
    return 0;
}

static void drop_mask(struct worker *w)
{
    free(w->mask.px);
    free(w->mask_name);
    w->mask = (struct pfs_typed){0};
    w->mask_name = NULL;
}

/* 255 where any byte of a sample is not zero; in place, as bytes are never wider than samples. */
static void to_bytes(struct pfs_typed *plane)
{
    size_t size = pfs_type_size(plane->type);
    const uint8_t *from = plane->px;
    uint8_t *to = plane->px;
    for (int64_t i = 0; i < plane->h * plane->w; i++, from += size) {
        uint8_t any = 0;
        for (size_t k = 0; k < size; k++)
            any |= from[k];
        to[i] = any ? 255 : 0;
    }
    *plane = (struct pfs_typed){PFS_U8, plane->px, (ptrdiff_t)plane->w, plane->h, plane->w};
}

/* The first plane of the mask's file, which must be as large as the stack's planes. */
static int read_mask(struct worker *w, const struct pfs_stack_info *s, struct pfs_err *err)
{
    struct pfs_source *source;
    int e = pfs_source_open(&w->files, s->mask, &source, err);
    if (e)
        return e;
    const struct pfs_shape *m = &source->series[0].shape;
    if (m->y != s->shape.y || m->x != s->shape.x)
        e = pfs_fail(err, EIO, "the mask is %lld x %lld, its stack is %lld x %lld", (long long)m->y, (long long)m->x,
                     (long long)s->shape.y, (long long)s->shape.x);
    if (!e)
        e = worker_plane_alloc(m->type, m->y, m->x, &w->mask, err);
    if (!e)
        e = worker_read_at(source, 0, (struct pfs_at){0}, w->mask, err);
    if (!e)
        to_bytes(&w->mask);
    pfs_source_close(source);
    return e;
}

int worker_mask(struct worker *w, const struct pfs_stack_info *s, const struct pfs_typed **ret, struct pfs_err *err)
{
    *ret = NULL;
    if (!*s->mask)
        return 0;
    if (!w->mask_name || strcmp(w->mask_name, s->mask) || w->mask_version != s->version[2] ||
        w->mask.h != s->shape.y || w->mask.w != s->shape.x) {
        drop_mask(w);
        int e = read_mask(w, s, err);
        if (!e && !(w->mask_name = strdup(s->mask)))
            e = pfs_fail(err, ENOMEM, "no memory for a mask");
        if (e) {
            drop_mask(w);
            return absent(e, "mask", err);
        }
        w->mask_version = s->version[2];
    }
    *ret = &w->mask;
    return 0;
}

void worker_close_kept(struct worker *w)
{
    for (int i = 0; i < WORKER_SOURCES; i++)
        drop(&w->source[i]);
    drop_tables(w);
    drop_mask(w);
}
