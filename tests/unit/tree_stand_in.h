/* A catalog, an engine and file kinds of the test's own for tests/unit/tree.c, and the tree itself: fs is in no test
 * library, so its files are included; everything of catalog and engine that they use is defined here. */
#ifndef TREE_STAND_IN_H
#define TREE_STAND_IN_H

#include "fs/list.h"
#include "fs/words.h"

#include <planefs/mem.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a catalog: folder "" holds "sub", "em" (sections 3 4 6 of 5600 ..) and "hyper" (2 x 3 x 2) ---- */

static struct pfs_dataset em, em_later, hyper;
static struct pfs_file em_file[3] = {{.at = {0, 0, 0}}, {.at = {0, 1, 0}}, {.at = {0, 3, 0}}};
static struct pfs_item items[3], sub_items[1];
static struct pfs_folder top, sub;
static int folder_refs, dataset_refs, view_refs;
static char last_view[256];
static bool cold;                            /* folders and views would have to be waited for */

int pfs_catalog_folder(struct pfs_catalog *c, const char *path, bool wait, struct pfs_folder **ret,
                       struct pfs_err *err)
{
    (void)c;
    if (cold && !wait)
        return pfs_fail(err, EAGAIN, "not read yet");
    *ret = !*path ? &top : !strcmp(path, "sub") ? &sub : NULL;
    if (!*ret)
        return pfs_fail(err, ENOENT, "gone");
    folder_refs++;
    return 0;
}

void pfs_folder_unref(struct pfs_folder *f)
{
    (void)f;
    folder_refs--;
}

const struct pfs_item *pfs_folder_item(const struct pfs_folder *f, const char *name)
{
    for (int64_t i = 0; i < f->n_items; i++)
        if (!strcmp(f->item[i].name, name))
            return &f->item[i];
    return f == &top && !strcmp(name, "hyper.ome.tif") ? &f->item[1] : NULL;
}

const char *pfs_folder_reason(const struct pfs_folder *f, const char *name)
{
    (void)f;
    return strcmp(name, "bad.tif") ? NULL : "tiff: no directory";
}

void pfs_dataset_ref(struct pfs_dataset *d)
{
    (void)d;
    dataset_refs++;
}

void pfs_dataset_unref(struct pfs_dataset *d)
{
    (void)d;
    dataset_refs--;
}

int64_t pfs_dataset_planes(const struct pfs_dataset *d)
{
    return d->sections ? d->n_files : pfs_shape_planes(&d->shape);
}

struct pfs_at pfs_dataset_plane(const struct pfs_dataset *d, int64_t i)
{
    return d->sections ? d->file[i].at : pfs_at_of(&d->shape, i);
}

int64_t pfs_dataset_file(const struct pfs_dataset *d, struct pfs_at at)
{
    for (int64_t i = 0; d->sections && i < d->n_files; i++)
        if (d->file[i].at.z == at.z)
            return i;
    return d->sections ? -1 : 0;
}

int64_t pfs_dataset_mtime_raw(const struct pfs_dataset *d, struct pfs_at at)
{
    return d->mtime - 100 + at.z;
}

int64_t pfs_dataset_mtime(const struct pfs_dataset *d, struct pfs_at at)
{
    return d->mtime - 50 + at.z;
}

void pfs_dataset_name(const struct pfs_dataset *d, struct pfs_at at, char name[PFS_NAME_MAX])
{
    if (d->sections)
        snprintf(name, PFS_NAME_MAX, "%05d", (int)(d->first[1] + at.z));
    else
        snprintf(name, PFS_NAME_MAX, "t%04d_z%04d_c%04d", (int)at.t, (int)at.z, (int)at.c);
}

bool pfs_dataset_named(const struct pfs_dataset *d, const char *name, size_t n, struct pfs_at *ret)
{
    char own[PFS_NAME_MAX];
    for (int64_t i = 0; i < pfs_dataset_planes(d); i++) {
        *ret = pfs_dataset_plane(d, i);
        pfs_dataset_name(d, *ret, own);
        if (strlen(own) == n && !memcmp(own, name, n))
            return true;
    }
    return false;
}

/* ---- an engine: views by name, "raise@by=N" with a parameter ---- */

static struct pfs_registry_view views[] = {
    {"source", "", "", true}, {"corrected", "invert | contrast", "", true}, {"otsu", "otsu", "", true},
    {"kmeans2", "kmeans", "", true}, {"raise", "raise", "", false}, {"slice", "slice", "", true}
};
static struct pfs_registry registry = {.view = views, .n_views = 6};
static struct pfs_recipe_step steps[1] = {{.text = "step/1"}};

struct pfs_catalog *pfs_engine_catalog(struct pfs_engine *e)
{
    (void)e;
    return NULL;
}

const struct pfs_registry *pfs_engine_registry(struct pfs_engine *e)
{
    (void)e;
    return &registry;
}

int pfs_engine_view(struct pfs_engine *e, struct pfs_dataset *d, const char *text, bool wait, struct pfs_view_on **ret,
                    struct pfs_err *err)
{
    (void)e;
    size_t n = strcspn(text, "@");
    if (cold && !wait)
        return pfs_fail(err, EAGAIN, "not resolved yet");
    snprintf(last_view, sizeof last_view, "%s", text);
    bool known = (n == 5 && !memcmp(text, "stats", 5)) || (n == 7 && !memcmp(text, "kmeans5", 7));
    for (int i = 0; i < registry.n_views; i++)
        known |= strlen(views[i].name) == n && !memcmp(views[i].name, text, n);
    if (!known || strstr(text, "wrong="))
        return pfs_fail(err, ENOENT, "no view is named %.100s; did you mean corrected?", text);
    struct pfs_view_on *v = calloc(1, sizeof *v);
    *v = (struct pfs_view_on){.dataset = d, .shape = d->shape, .refs = 1,
                              .recipe = {.n = strncmp(text, "source", 6) != 0, .step = steps}};
    view_refs++;
    *ret = v;
    return 0;
}

void pfs_view_ref(struct pfs_view_on *v)
{
    v->refs++;
}

void pfs_view_unref(struct pfs_view_on *v)
{
    if (--v->refs)
        return;
    view_refs--;
    free(v);
}

enum pfs_state pfs_engine_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err)
{
    (void)e, (void)v, (void)wait, (void)ret;
    *unsure = false;
    *percent = 40;
    if (at.z == 1)
        pfs_fail(err, EIO, "strip 3\n is short");
    return at.z == 1 ? PFS_ERROR : at.z == 0 ? PFS_RUNNING : PFS_COLD;
}

enum pfs_state pfs_engine_look_report(struct pfs_engine *e, struct pfs_view_on *v, const char *op, bool wait,
                                      int *percent, struct pfs_blob *ret_table, struct pfs_err *err)
{
    (void)e, (void)v, (void)op, (void)wait, (void)percent, (void)ret_table, (void)err;
    return PFS_COLD;
}

void pfs_pixels_unref(struct pfs_pixels *p)
{
    (void)p;
}

void pfs_engine_key(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, char hex[33])
{
    (void)e, (void)v, (void)at;
    strcpy(hex, "0123");
}

void pfs_engine_status_json(struct pfs_engine *e, struct pfs_text *ret)
{
    (void)e;
    pfs_text_add(ret, "{}\n");
}

static size_t errors_length = 2;

void pfs_engine_errors_json(struct pfs_engine *e, struct pfs_text *ret)
{
    (void)e;
    pfs_text_fill(ret, '1', errors_length);
}

void pfs_engine_jobs_json(struct pfs_engine *e, struct pfs_text *ret)
{
    pfs_engine_status_json(e, ret);
}

/* ---- kinds ---- */

static int size_of(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    if (n->n > 3)
        return pfs_fail(err, ENOENT, "only three components");
    *ret = 1000 + n->at.t * 100 + n->at.z * 10 + n->at.c;
    return 0;
}

static int64_t one(const struct pfs_name *n)
{
    (void)n;
    return 1;
}

static struct pfs_at here(const struct pfs_name *n, int64_t i)
{
    (void)i;
    return n->at;
}

#define IMAGE .planes = true, .size = size_of, .n_planes = one, .plane = here
static const struct pfs_kind own_kinds[] = {
    {.pattern = "slice/[t{t}/]z{z}/c{c}.tif", .view = "source", .listed = true, IMAGE},
    {.pattern = "{view}/{name}.tif", .listed = true, IMAGE},
    {.pattern = "segment/{view}/{name}.tif", .listed = true, IMAGE},
    {.pattern = "volume/{view}.tif", .listed = true, IMAGE},
    {.pattern = "volume/{view}.ome.tif", .listed = true, IMAGE},
    {.pattern = "volume/{view}.ome.zarr/{n}/{t}/{c}/{z}/{y}/{x}", IMAGE},
    {.pattern = "stats.json", .view = "source", .listed = true, .model = "stats", .size = size_of},
    {.pattern = "pca/{n}.tif", .view = "raise", .listed = true, IMAGE},
    {.pattern = "spectrum/[t{t}/]z{z}/y{y}/x{x}.csv", .view = "source", .size = size_of},
};
const struct pfs_kind *const pfs_kinds[] = {&own_kinds[0], &own_kinds[1], &own_kinds[2], &own_kinds[3],
                                            &own_kinds[4], &own_kinds[5],
                                            &own_kinds[6], &own_kinds[7], &own_kinds[8], NULL};

bool pfs_kind_applies(const struct pfs_kind *k, const struct pfs_dataset *d)
{
    return k != &own_kinds[7] || d->shape.c > 1;
}

#include "fs/branch.c"
#include "fs/pattern.c"
#include "fs/place.c"
#include "fs/node.c"
#include "fs/inside.c"
#include "fs/tree.c"
#include "fs/stat.c"
#include "fs/list.c"
#include "fs/readme.c"
#include "fs/words.c"

#endif
