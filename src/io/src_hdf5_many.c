/* Stacks of many datasets: BigDataViewer (a dataset per time point and setup) and Imaris (per time point and channel).
 *
 * Full resolution only. Setups of one shape and type are the channels of one series. BigDataViewer stores u16 as I16LE;
 * Imaris pads its datasets to whole chunks and says the true size in attributes, which are lists of single characters. */
#include "src_hdf5.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 65536 };

#define IMARIS "/DataSet/ResolutionLevel 0"

char *pfs_h5_path(const struct pfs_h5_stack *s, struct pfs_at at)
{
    if (s->layout == PFS_H5_BDV)
        return pfs_format("/t%05d/s%02d/0/cells", s->t[at.t], s->c[at.c]);
    if (s->layout == PFS_H5_IMARIS)
        return pfs_format(IMARIS "/TimePoint %d/Channel %d/Data", (int)at.t, (int)at.c);
    return strdup(s->path);
}

static void set_zyx(struct pfs_h5_stack *s)
{
    const uint8_t axis[] = {PFS_H5_Z, PFS_H5_Y, PFS_H5_X};
    memcpy(s->axis, axis, sizeof axis);
}

/* The block at a path, which must be of three dimensions. */
static int block_at(struct pfs_h5 *h, const char *path, struct pfs_h5_block *ret, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t dataset = H5I_INVALID_HID;
    int r = pfs_h5_dataset(h->file, "hdf5", path, &dataset, err);
    if (!r)
        r = pfs_h5_block_of(h, dataset, path, ret, err);
    if (r > 0 || (!r && ret->rank != 3))
        return pfs_fail(err, EIO, "hdf5: '%s' is no volume of numbers", path);
    return r;
}

/* Does every link of the path exist? */
static bool exists(hid_t file, const char *path)
{
    PFS_AUTO_FREE char *part = strdup(path);
    for (char *p = part; p && *p; ) {
        char *slash = strchr(p + 1, '/'), *next = slash ? slash : p + strlen(p);
        char was = *next;
        *next = 0;
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0)
            return false;
        *next = was;
        p = next;
    }
    return part != NULL;
}

/* ---- BigDataViewer ---- */

struct numbers { int n, room, *v; bool failed; };

static void add_number(struct numbers *s, int v)
{
    if (s->n == s->room) {
        int room = s->room ? 2 * s->room : 64;
        int *more = room <= NUMBERS_MAX ? realloc(s->v, (size_t)room * sizeof *more) : NULL;
        if (!more) {
            s->failed = true;
            return;
        }
        s->v = more;
        s->room = room;
    }
    s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

struct names { struct numbers t, s; };

/* "t00012" and "s03", written as BigDataViewer does. */
static herr_t see_name(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    struct names *n = ctx;
    char again[32];
    int v;
    (void)group, (void)info;
    if (sscanf(name, "t%d", &v) == 1 && v >= 0 && snprintf(again, sizeof again, "t%05d", v) && !strcmp(again, name))
        add_number(&n->t, v);
    else if (sscanf(name, "s%d", &v) == 1 && v >= 0 && snprintf(again, sizeof again, "s%02d", v) && !strcmp(again, name))
        add_number(&n->s, v);
    return n->t.failed || n->s.failed;
}

static char *cells(int t, int s)
{
    return pfs_format("/t%05d/s%02d/0/cells", t, s);
}

/* The first time point at which a setup is there decides about it. */
static int setup_block(struct pfs_h5 *h, const struct names *n, int setup, struct pfs_h5_block *ret, struct pfs_err *err)
{
    for (int i = 0; i < n->t.n; i++) {
        PFS_AUTO_FREE char *path = cells(n->t.v[i], setup);
        if (path && exists(h->file, path))
            return block_at(h, path, ret, err);
    }
    return pfs_fail(err, EIO, "hdf5: no time point of setup s%02d is there", setup);
}

static bool same_block(const struct pfs_h5_block *a, const struct pfs_h5_block *b)
{
    return a->type == b->type && !memcmp(a->dim, b->dim, sizeof a->dim);
}

static const struct pfs_h5_setup *setup_of(const struct pfs_h5_setups *x, int id)
{
    for (int i = 0; i < x->n; i++)
        if (x->setup[i].id == id)
            return &x->setup[i];
    return NULL;
}

/* Names other than the number, voxels of the first setup. */
static int describe_setups(const struct pfs_h5_setups *x, const struct pfs_h5_stack *s, struct pfs_series *series,
                           struct pfs_err *err)
{
    const struct pfs_h5_setup *first = setup_of(x, s->c[0]);
    if (first) {
        memcpy(series->shape.cal.voxel, first->voxel, sizeof first->voxel);
        memcpy(series->shape.cal.unit, first->unit, sizeof first->unit);
    }
    for (int64_t c = 0; c < series->shape.c; c++) {
        const struct pfs_h5_setup *u = setup_of(x, s->c[c]);
        char id[16];
        snprintf(id, sizeof id, "%d", s->c[c]);
        if (!u || !u->name || !*u->name || !strcmp(u->name, id))
            continue;
        if (!series->band_name && !(series->band_name = pfs_array(series->shape.c, sizeof(char *))))
            return pfs_fail(err, ENOMEM, "hdf5: no memory");
        if (!(series->band_name[c] = strdup(u->name)))
            return pfs_fail(err, ENOMEM, "hdf5: no memory");
    }
    return 0;
}

/* A series of all setups that are as the first one not yet taken. */
static int add_setups(struct pfs_h5 *h, const struct names *n, const struct pfs_h5_block *block, bool *taken, int first,
                      const struct pfs_h5_setups *x, struct pfs_err *err)
{
    struct pfs_series *series;
    char name[32];
    snprintf(name, sizeof name, "/s%02d", n->s.v[first]);
    struct pfs_h5_stack *s = pfs_h5_add(h, name, &series, err);
    if (!s)
        return -err->code;
    s->layout = PFS_H5_BDV;
    s->block = block[first];
    set_zyx(s);
    s->t = pfs_array(n->t.n, sizeof *s->t);
    s->c = pfs_array(n->s.n, sizeof *s->c);
    if (!s->t || !s->c)
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    memcpy(s->t, n->t.v, (size_t)n->t.n * sizeof *s->t);
    pfs_h5_lengths(&s->block, s->axis, &series->shape);
    series->shape.t = n->t.n;
    series->shape.c = 0;
    for (int i = first; i < n->s.n; i++)
        if (!taken[i] && same_block(&block[i], &block[first])) {
            taken[i] = true;
            s->c[series->shape.c++] = n->s.v[i];
        }
    if (s->block.type == PFS_I16)
        series->shape.type = s->block.type = PFS_U16;
    strcpy(series->format, "BigDataViewer");
    int r = pfs_h5_check_shape(&series->shape, name, err);
    return r ? r : describe_setups(x, s, series, err);
}

static int add_all(struct pfs_h5 *h, const struct names *n, const struct pfs_h5_setups *x, struct pfs_err *err)
{
    PFS_AUTO_FREE struct pfs_h5_block *block = pfs_array(n->s.n, sizeof *block);
    PFS_AUTO_FREE bool *taken = pfs_array(n->s.n, sizeof *taken);
    int r = block && taken ? 0 : pfs_fail(err, ENOMEM, "hdf5: no memory");
    for (int i = 0; i < n->s.n && !r; i++)
        r = setup_block(h, n, n->s.v[i], &block[i], err);
    for (int i = 0; i < n->s.n && !r; i++)
        if (!taken[i])
            r = add_setups(h, n, block, taken, i, x, err);
    return r ? r : 1;
}

int pfs_h5_bdv(struct pfs_h5 *h, const struct pfs_files *files, const char *name, struct pfs_err *err)
{
    struct names n = {0};
    struct pfs_h5_setups x = {0};
    int r = 0;
    H5Literate(h->file, H5_INDEX_NAME, H5_ITER_INC, NULL, see_name, &n);
    if (n.t.failed || n.s.failed)
        r = pfs_fail(err, EFBIG, "hdf5: more than %d time points or setups", NUMBERS_MAX);
    else if (n.t.n && n.s.n) {
        qsort(n.t.v, (size_t)n.t.n, sizeof(int), compare);
        qsort(n.s.v, (size_t)n.s.n, sizeof(int), compare);
        PFS_AUTO_FREE char *path = cells(n.t.v[0], n.s.v[0]);
        PFS_AUTO_FREE char *table = pfs_format("/s%02d/resolutions", n.s.v[0]);
        r = path && table && (exists(h->file, path) || exists(h->file, table));
    }
    if (r > 0 && !(r = pfs_h5_xml(files, name, &x, &h->xml, err)))
        r = add_all(h, &n, &x, err);
    pfs_h5_setups_finish(&x);
    free(n.t.v);
    free(n.s.v);
    return r;
}

/* ---- Imaris ---- */

static bool imaris_number(hid_t object, const char *name, double *ret)
{
    PFS_AUTO_FREE char *s = pfs_h5_text(object, name);
    char *end;
    *ret = s ? strtod(s, &end) : 0;
    return s && end != s && isfinite(*ret);
}

static int count(hid_t file, const char *format)
{
    for (int n = 0; n < NUMBERS_MAX; n++) {
        char path[128];
        snprintf(path, sizeof path, "%s %d", format, n);
        if (!exists(file, path))
            return n;
    }
    return NUMBERS_MAX;
}

/* The true size, no longer than what is stored. */
static void crop(hid_t file, struct pfs_h5_block *b)
{
    static const char *const names[] = {"ImageSizeZ", "ImageSizeY", "ImageSizeX"};
    PFS_AUTO_H5 hid_t group = H5Gopen2(file, IMARIS "/TimePoint 0/Channel 0", H5P_DEFAULT);
    double v;
    for (int i = 0; group >= 0 && i < 3; i++)
        if (imaris_number(group, names[i], &v) && v >= 1 && v < (double)b->dim[i])
            b->dim[i] = (int64_t)v;
}

static void imaris_voxels(hid_t file, const struct pfs_shape *s, struct pfs_calibration *cal)
{
    PFS_AUTO_H5 hid_t image = exists(file, "/DataSetInfo/Image") ? H5Gopen2(file, "/DataSetInfo/Image", H5P_DEFAULT)
                                                                 : H5I_INVALID_HID;
    const int64_t n[] = {s->z, s->y, s->x};
    for (int i = 0; image >= 0 && i < 3; i++) {
        char low[16], high[16];
        double a, b;
        snprintf(low, sizeof low, "ExtMin%d", 2 - i);
        snprintf(high, sizeof high, "ExtMax%d", 2 - i);
        if (imaris_number(image, low, &a) && imaris_number(image, high, &b) && b > a)
            cal->voxel[i] = (b - a) / (double)n[i];
    }
    PFS_AUTO_FREE char *unit = image >= 0 ? pfs_h5_text(image, "Unit") : NULL;
    if (cal->voxel[1] > 0)
        snprintf(cal->unit, sizeof cal->unit, "%.15s", unit && *unit ? unit : "um");
}

static int imaris_names(hid_t file, struct pfs_series *s, struct pfs_err *err)
{
    if (!(s->band_name = pfs_array(s->shape.c, sizeof *s->band_name)))
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    for (int64_t c = 0; c < s->shape.c; c++) {
        char path[64];
        snprintf(path, sizeof path, "/DataSetInfo/Channel %d", (int)c);
        PFS_AUTO_H5 hid_t group = exists(file, path) ? H5Gopen2(file, path, H5P_DEFAULT) : H5I_INVALID_HID;
        s->band_name[c] = group >= 0 ? pfs_h5_text(group, "Name") : NULL;
    }
    return 0;
}

int pfs_h5_imaris(struct pfs_h5 *h, struct pfs_err *err)
{
    struct pfs_series *series;
    if (!exists(h->file, IMARIS "/TimePoint 0/Channel 0/Data"))
        return 0;
    struct pfs_h5_stack *s = pfs_h5_add(h, "", &series, err);
    int r = s ? block_at(h, IMARIS "/TimePoint 0/Channel 0/Data", &s->block, err) : -err->code;
    if (r)
        return r;
    s->layout = PFS_H5_IMARIS;
    set_zyx(s);
    crop(h->file, &s->block);
    pfs_h5_lengths(&s->block, s->axis, &series->shape);
    series->shape.t = count(h->file, IMARIS "/TimePoint");
    series->shape.c = count(h->file, IMARIS "/TimePoint 0/Channel");
    strcpy(series->format, "Imaris");
    imaris_voxels(h->file, &series->shape, &series->shape.cal);
    if ((r = pfs_h5_check_shape(&series->shape, "/DataSet", err)) || (r = imaris_names(h->file, series, err)))
        return r;
    return 1;
}
