/* `info.json`: what is known of a dataset without its pixels.
 *
 * Everything but the bad sections and the key follows from the dataset's snapshot, and so does the size; those two are
 * written into room kept for them. `n_files`, `n_missing` and `n_bad` are exact; the lists stop at INFO_FILES,
 * INFO_MISSING and INFO_BAD entries. A section is missing when any of its files is. The key of a dataset with one plane
 * is that plane's, else a hash over all of them; null until every plane's is known, and over INFO_KEYS planes. */
#include "files/imagej.h"
#include "files/json.h"
#include "files/report.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INFO_FILES = 1000, INFO_MISSING = 1000, INFO_BAD = 100, INFO_REASON = 160, INFO_KEYS = 100000 };

struct bad { int64_t file; const char *error, *reason; };

struct live {                        /* what may change while the dataset stays the same */
    int64_t n_bad, n_listed;
    struct bad bad[INFO_BAD];
    char key[33];
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- missing sections ---- */

struct missing { int64_t n, list[INFO_MISSING]; };

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void gap(struct missing *m, int64_t from, int64_t to)
{
    for (int64_t z = from; z < to && m->n + (z - from) < INFO_MISSING; z++)
        m->list[m->n + (z - from)] = z;
    m->n += to - from;
}

/* The z at which a plane of a set is missing. */
static void find_missing_planes(const struct pfs_dataset *d, struct missing *m)
{
    const struct pfs_shape *s = &d->shape;
    for (int64_t z = 0; z < s->z; z++) {
        bool all = true;
        for (int64_t i = 0; all && i < s->t * s->c; i++)
            all = pfs_dataset_file(d, (struct pfs_at){i / s->c, z, i % s->c}) >= 0;
        if (!all)
            gap(m, z, z + 1);
    }
}

/* Sections of which fewer than all files are there; memory by the number of files, not of sections. */
static bool find_missing(const struct pfs_dataset *d, struct missing *m)
{
    int64_t whole = d->shape.t * (d->file_channels ? 1 : d->shape.c), next = 0;
    PFS_AUTO_FREE int64_t *z = NULL;
    m->n = 0;
    if (d->spread && !d->sections)
        find_missing_planes(d, m);
    if (!d->sections)
        return true;
    if (!(z = pfs_array(d->n_files, sizeof *z)))
        return false;
    for (int64_t i = 0; i < d->n_files; i++)
        z[i] = d->file[i].at.z;
    if (d->shape.t > 1)              /* else they are sorted already */
        qsort(z, (size_t)d->n_files, sizeof *z, compare);
    for (int64_t i = 0, end; i < d->n_files; i = end) {
        for (end = i + 1; end < d->n_files && z[end] == z[i];)
            end++;
        gap(m, next, end - i < whole ? z[i] + 1 : z[i]);
        next = z[i] + 1;
    }
    gap(m, next, d->shape.z);
    return true;
}

static void put_missing(struct pfs_text *t, const struct pfs_dataset *d, const struct missing *m)
{
    pfs_json_key(t, "n_missing");
    pfs_json_int(t, m->n);
    pfs_json_key(t, "missing");
    pfs_json_open(t, '[');
    for (int64_t i = 0; i < least(m->n, INFO_MISSING); i++) {
        pfs_json_comma(t);
        pfs_json_int(t, d->first[1] + m->list[i]);
    }
    pfs_json_close(t, ']');
}

/* ---- bad sections ---- */

static void put_bad_entry(struct pfs_text *t, const struct pfs_dataset *d, const struct bad *b)
{
    struct pfs_at at = b ? d->file[b->file].at : (struct pfs_at){0, 0, 0};
    const int64_t number[3] = {at.t + d->first[0], at.z + d->first[1], at.c + d->first[2]};
    const int64_t length[3] = {d->shape.t, d->shape.z, d->shape.c};
    static const char *const name[3] = {"t", "section", "c"};
    pfs_json_open(t, '{');
    for (int axis = 0; axis < 3; axis++)
        if (axis == 1 || (length[axis] > 1 && d->sections && !(axis == 2 && d->file_channels))) {
            pfs_json_key(t, name[axis]);
            pfs_text_addf(t, "%*lld", pfs_report_digits(d->first[axis], length[axis]), (long long)number[axis]);
        }
    pfs_json_key(t, "error");
    pfs_json_wide_str(t, b ? b->error : NULL, sizeof "\"ENAMETOOLONG\"" - 1);
    pfs_json_key(t, "reason");
    pfs_json_wide_str(t, b ? b->reason : NULL, INFO_REASON);
    pfs_json_close(t, '}');
}

static void put_bad(struct pfs_text *t, const struct pfs_dataset *d, const struct live *live)
{
    PFS_AUTO_TEXT struct pfs_text one = {0};
    put_bad_entry(&one, d, NULL);
    pfs_json_key(t, "n_bad");
    pfs_json_wide_int(t, live->n_bad);
    pfs_json_key(t, "bad");
    size_t start = t->n, room = (size_t)least(d->n_files, INFO_BAD) * (one.n + 2) + 1;
    pfs_json_open(t, '[');
    for (int64_t i = 0; i < live->n_listed; i++) {
        pfs_text_add(t, i ? ",\n" : "\n");
        put_bad_entry(t, d, &live->bad[i]);
    }
    pfs_json_pad(t, start, room);
    pfs_json_close(t, ']');
    t->failed = t->failed || one.failed;
}

/* ---- the rest ---- */

static void put_files(struct pfs_text *t, const struct pfs_dataset *d)
{
    pfs_json_key(t, "n_files");
    pfs_json_int(t, d->n_files + d->n_companions);
    pfs_json_key(t, "files_bytes");
    pfs_json_int(t, d->files_bytes);
    pfs_json_key(t, "files");
    pfs_json_open(t, '[');
    for (int64_t i = 0; i < least(d->n_files, INFO_FILES); i++) {
        pfs_json_comma(t);
        pfs_json_str(t, d->file[i].path);
    }
    for (int64_t i = 0; i < least(d->n_companions, INFO_FILES - least(d->n_files, INFO_FILES)); i++) {
        pfs_json_comma(t);
        pfs_json_str(t, d->companion[i].path);
    }
    pfs_json_close(t, ']');
}

static void put_shape(struct pfs_text *t, const struct pfs_dataset *d)
{
    pfs_report_shape(t, &d->shape);
    pfs_report_ints(t, "first", d->first, 3);
    pfs_json_key(t, "bits");
    pfs_json_int(t, d->bits);
    pfs_json_key(t, "nodata");
    pfs_json_real(t, d->has_nodata ? d->nodata : (double)NAN);
}

static void put_bands(struct pfs_text *t, const struct pfs_dataset *d)
{
    pfs_report_bands(t, d, d->shape.c, "band_name");
    pfs_json_key(t, "wavelength");
    pfs_json_open(t, '[');
    for (int64_t c = 0; c < d->shape.c; c++) {
        pfs_json_comma(t);
        pfs_json_real(t, d->wavelength ? d->wavelength[c] : (double)NAN);
    }
    pfs_json_close(t, ']');
}

static void put_calibration(struct pfs_text *t, const struct pfs_calibration *cal)
{
    pfs_json_key(t, "voxel");
    pfs_json_open(t, '[');
    for (int i = 0; i < 3; i++) {
        pfs_json_comma(t);
        pfs_json_real(t, cal->voxel[i] > 0 ? cal->voxel[i] : (double)NAN);
    }
    pfs_json_close(t, ']');
    pfs_json_key(t, "unit");
    pfs_json_str(t, *cal->unit ? pfs_imagej_unit(cal->unit) : NULL);
    pfs_json_key(t, "interval");
    pfs_json_real(t, cal->interval > 0 ? cal->interval : (double)NAN);
}

static void put_file_name(struct pfs_text *t, const char *key, const char *name)
{
    pfs_json_key(t, key);
    pfs_json_str(t, name && *name ? name : NULL);
}

static void put_origin(struct pfs_text *t, const struct pfs_dataset *d)
{
    put_file_name(t, "format", d->format);
    put_file_name(t, "compression", d->compression);
    pfs_json_key(t, "tables");
    pfs_json_open(t, '{');
    put_file_name(t, "info", d->info);
    put_file_name(t, "model", d->model);
    put_file_name(t, "mask", d->mask);
    pfs_json_close(t, '}');
}

static int compose(const struct pfs_dataset *d, const struct live *live, struct pfs_text *t, struct pfs_err *err)
{
    PFS_AUTO_FREE struct missing *m = malloc(sizeof *m);
    if (!m || !find_missing(d, m))
        return pfs_fail(err, ENOMEM, "no memory for a report");
    pfs_text_add(t, "{\"planefs\":1");
    pfs_json_key(t, "name");
    pfs_json_str(t, d->name);
    put_files(t, d);
    put_shape(t, d);
    put_bands(t, d);
    put_calibration(t, &d->shape.cal);
    put_origin(t, d);
    put_missing(t, d, m);
    put_bad(t, d, live);
    pfs_json_key(t, "key");
    pfs_json_wide_str(t, *live->key ? live->key : NULL, 34);
    pfs_text_add(t, "}\n");
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_FREE struct live *nothing = calloc(1, sizeof *nothing);
    PFS_AUTO_TEXT struct pfs_text t = {0};
    int r = nothing ? compose(n->dataset, nothing, &t, err) : pfs_fail(err, ENOMEM, "no memory for a report");
    *ret = (int64_t)t.n;
    return r;
}

/* ---- what may change ---- */

static void find_bad(const struct pfs_dataset *d, struct live *live)
{
    for (int64_t i = 0; i < d->n_files; i++) {
        int code = 0;
        const char *reason = pfs_dataset_bad(d, i, &code);
        if (reason && live->n_bad++ < INFO_BAD)
            live->bad[live->n_listed++] = (struct bad){i, pfs_errno_name(abs(code)), reason};
    }
}

/* false: the key of some plane is not known. */
static bool add_keys(struct pfs_engine *e, const struct pfs_name *n, struct pfs_hasher *h)
{
    int64_t planes = pfs_dataset_planes(n->dataset);
    for (int64_t i = 0; i < planes; i++) {
        char hex[33] = "";
        pfs_engine_key(e, n->view, pfs_dataset_plane(n->dataset, i), hex);
        if (!*hex)
            return false;
        pfs_hasher_add(h, hex, 32);
    }
    return true;
}

static bool find_key(struct pfs_engine *e, const struct pfs_name *n, char key[33])
{
    int64_t planes = pfs_dataset_planes(n->dataset);
    if (planes == 1)
        pfs_engine_key(e, n->view, pfs_dataset_plane(n->dataset, 0), key);
    if (planes <= 1 || planes > INFO_KEYS)
        return true;
    struct pfs_hasher *h = pfs_hasher_create();
    if (h && add_keys(e, n, h))
        pfs_hash_hex(pfs_hasher_value(h), key);
    pfs_hasher_destroy(h);
    return h != NULL;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    PFS_AUTO_FREE struct live *live = calloc(1, sizeof *live);
    (void)table;
    int r = pfs_catalog_sweep(pfs_engine_catalog(e), n->dataset, err);
    if (r)
        return r;
    if (!live || !find_key(e, n, live->key))
        return pfs_fail(err, ENOMEM, "no memory for a report");
    find_bad(n->dataset, live);
    return compose(n->dataset, live, ret, err);
}

const struct pfs_kind pfs_kind_info = {
    .pattern = "info.json",
    .doc = "what is known of the dataset without its pixels",
    .view = "source",
    .live = true,
    .listed = true,
    .size = size,
    .text = text,
};
