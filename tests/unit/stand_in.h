/* For tests of file kinds: catalog and engine as the kinds see them, and a dataset to work on.
 *
 * All of the catalog's and engine's functions that src/files uses are defined here, so that a test needs neither. */
#ifndef STAND_IN_H
#define STAND_IN_H

#include "files/files.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_bad, sweep_fails;               /* how many files are bad; whether looking for them fails */
static int64_t unknown_key = -1;             /* the z whose key is not known */
static const char *bad_reason = "tiff: strip 0 is not there";

struct pfs_catalog *pfs_engine_catalog(struct pfs_engine *e)
{
    (void)e;
    return NULL;
}

int pfs_catalog_sweep(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_err *err)
{
    (void)c;
    (void)d;
    return sweep_fails ? pfs_fail(err, EIO, "no worker") : 0;
}

const char *pfs_dataset_bad(const struct pfs_dataset *d, int64_t file, int *ret_code)
{
    (void)d;
    *ret_code = -EOPNOTSUPP;
    return file < n_bad ? bad_reason : NULL;
}

int64_t pfs_dataset_planes(const struct pfs_dataset *d)
{
    return d->n_files;
}

struct pfs_at pfs_dataset_plane(const struct pfs_dataset *d, int64_t i)
{
    return d->file[i].at;
}

void pfs_engine_key(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, char hex[33])
{
    (void)e;
    (void)v;
    if (at.z == unknown_key)
        *hex = 0;
    else
        snprintf(hex, 33, "%032llx", (unsigned long long)at.z + 10);
}

/* ---- a dataset ---- */

int64_t pfs_dataset_file(const struct pfs_dataset *d, struct pfs_at at)
{
    for (int64_t i = 0; i < d->n_files; i++)
        if (d->file[i].at.z == at.z && d->file[i].at.t == at.t)
            return i;
    return -1;
}

/* Pixels: every plane is `stand_in_plane`, the first sample replaced by 10 t + z + c / 10 where it is f32. */
struct pfs_pixels {
    const char *px;
    int64_t n;
    bool big_endian;
};
static struct pfs_pixels stand_in_plane;
static int stand_in_state = PFS_READY, stand_in_open;

enum pfs_state pfs_engine_look(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, bool wait, bool *unsure,
                               int *percent, struct pfs_pixels **ret, struct pfs_err *err)
{
    (void)e;
    (void)wait;
    *unsure = false;
    *percent = 0;
    if (stand_in_state == PFS_ERROR)
        pfs_fail(err, ETIMEDOUT, "too slow");
    if (stand_in_state != PFS_READY)
        return (enum pfs_state)stand_in_state;
    if (v->shape.type == PFS_F32 && stand_in_plane.n >= 4) {
        float f = (float)at.t * 10 + (float)at.z + (float)at.c / 10;
        memcpy((char *)(uintptr_t)stand_in_plane.px, &f, sizeof f);
    }
    stand_in_open++;
    *ret = &stand_in_plane;
    return PFS_READY;
}

int pfs_pixels_read(struct pfs_pixels *p, int64_t off, int64_t n, void *dst, bool nowait, struct pfs_err *err)
{
    (void)nowait;
    if (off < 0 || n < 0 || off + n > p->n)
        return pfs_fail(err, EINVAL, "read over the plane's end");
    memcpy(dst, p->px + off, (size_t)n);
    return 0;
}

bool pfs_pixels_big_endian(const struct pfs_pixels *p)
{
    return p->big_endian;
}

void pfs_pixels_unref(struct pfs_pixels *p)
{
    (void)p;
    stand_in_open--;
}

struct sample {
    struct pfs_dataset d;
    struct pfs_view_on view;
    struct pfs_name name;
    char *band[3];
    double wavelength[3];
};

/* n files, one per section, from section `first` on with `step` between. */
static void make(struct sample *s, int64_t n, int64_t first, int64_t step)
{
    *s = (struct sample){.band = {"red \"1\"", NULL, "\xc3\xa9"}, .wavelength = {650, NAN, 430.5}};
    s->d = (struct pfs_dataset){
        .path = "", .name = "stack", .first = {0, first, 1}, .bits = 12, .format = "TIFF", .compression = "none",
        .shape = {1, (n - 1) * step + 1, 3, 9000, 13750, PFS_U16, {{0.03, 0.008, 0.008}, "\xc2\xb5m", 0, {0, 0}}},
        .band_name = s->band, .wavelength = s->wavelength, .sections = true, .spread = true, .file_channels = true,
        .n_files = n,
        .info = "info.h5", .model = "", .mask = "", .files_bytes = n * 1000,
    };
    s->d.file = calloc((size_t)n, sizeof *s->d.file);
    assert_non_null(s->d.file);
    for (int64_t i = 0; i < n; i++) {
        char name[40];
        snprintf(name, sizeof name, "%05lld.tif", (long long)(first + i * step));
        s->d.file[i] = (struct pfs_file){.path = strdup(name), .at = {0, i * step, 0}};
    }
    s->view = (struct pfs_view_on){.dataset = &s->d, .text = "source", .shape = s->d.shape};
    s->name = (struct pfs_name){.dataset = &s->d, .view = &s->view};
}

static void drop(struct sample *s)
{
    for (int64_t i = 0; i < s->d.n_files; i++)
        free(s->d.file[i].path);
    free(s->d.file);
}

static const struct pfs_kind *kind(const char *pattern)
{
    for (int i = 0; pfs_kinds[i]; i++)
        if (!strcmp(pfs_kinds[i]->pattern, pattern))
            return pfs_kinds[i];
    fail_msg("no kind %s", pattern);
    return NULL;
}

/* The report's text, checked against its promised size. */
static inline char *report(struct sample *s, const char *pattern, struct pfs_blob table)
{
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    int64_t size;
    s->name.kind = kind(pattern);
    assert_int_equal(s->name.kind->size(&s->name, &size, &err), 0);
    if (s->name.kind->text(NULL, &s->name, table, &t, &err))
        fail_msg("%s: %s", pattern, err.text);
    assert_int_equal(t.n, size);
    assert_int_equal(t.s[t.n - 1], '\n');
    for (size_t i = 0; i < t.n; i++)
        assert_true((t.s[i] >= 0x20 && t.s[i] < 0x7f) || t.s[i] == '\n');
    return t.s;
}

#endif
