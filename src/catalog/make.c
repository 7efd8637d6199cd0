/* Making datasets: from one series of a file, or from a group of sections. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static struct pfs_dataset *dataset_create(struct pfs_catalog *c, const char *path, int64_t n_files)
{
    struct pfs_dataset *d = calloc(1, sizeof *d);
    if (!d || !(d->own = calloc(1, sizeof *d->own))) {
        free(d);
        return NULL;
    }
    d->own->refs = 1;
    d->invert = -1;
    pthread_mutex_init(&d->own->lock, NULL);
    d->n_files = n_files;
    d->path = strdup(path);
    d->name = strdup(*path ? last_part(path) : c->name);
    d->file = calloc((size_t)n_files, sizeof *d->file);
    d->own->section = calloc((size_t)n_files, sizeof *d->own->section);
    d->info = strdup("");
    d->model = strdup("");
    d->mask = strdup("");
    d->serial = __atomic_add_fetch(&c->serial, 1, __ATOMIC_RELAXED);
    if (d->path && d->name && d->file && d->own->section && d->info && d->model && d->mask)
        return d;
    pfs_dataset_unref(d);
    return NULL;
}

/* Names and wavelengths of the bands, when the series has them for every channel of the dataset. */
static bool copy_bands(struct pfs_dataset *d, const struct pfs_series *s)
{
    if (s->shape.c != d->shape.c)
        return true;
    if (s->band_name && !(d->band_name = calloc((size_t)d->shape.c, sizeof *d->band_name)))
        return false;
    for (int64_t i = 0; s->band_name && i < d->shape.c; i++)
        if (s->band_name[i] && !(d->band_name[i] = strdup(s->band_name[i])))
            return false;
    if (s->wavelength && !(d->wavelength = calloc((size_t)d->shape.c, sizeof *d->wavelength)))
        return false;
    if (s->wavelength)
        memcpy(d->wavelength, s->wavelength, (size_t)d->shape.c * sizeof *d->wavelength);
    return true;
}

static bool copy_geo(struct pfs_dataset *d, const struct pfs_series *s)
{
    if (!s->n_geo)
        return true;
    if (!(d->geo = malloc(s->n_geo)))
        return false;
    memcpy(d->geo, s->geo, s->n_geo);
    d->n_geo = s->n_geo;
    return true;
}

static bool take_series(struct pfs_dataset *d, const struct pfs_probe *probe, int series)
{
    const struct pfs_series *s = &probe->series[series].s;
    d->own->file_shape = d->shape = s->shape;
    d->own->file_planes = pfs_shape_planes(&s->shape);
    memcpy(d->own->driver, probe->driver, sizeof d->own->driver);
    d->own->rev = probe->rev;
    d->series = series;
    d->bits = s->bits;
    d->has_nodata = s->has_nodata;
    d->nodata = s->nodata;
    memcpy(d->format, s->format, sizeof d->format);
    memcpy(d->compression, s->compression, sizeof d->compression);
    return d->own->file_planes > 0 && copy_geo(d, s);
}

/* The versions of the companions that the probe saw. */
static bool take_companions(struct pfs_dataset *d, const struct pfs_probed *probed)
{
    int n = probed->p.n_companions;
    if (n && !(d->companion = calloc((size_t)n, sizeof *d->companion)))
        return false;
    for (int i = 0; i < n; i++) {
        const struct pfs_asked *a = pfs_probed_asked(probed, probed->p.companion[i]);
        struct pfs_file *f = &d->companion[d->n_companions++];
        if (!(f->path = strdup(probed->p.companion[i])))
            return false;
        f->id = a->id;
        d->files_bytes += f->id.size;
        if (f->id.mtime > d->mtime)
            d->mtime = f->id.mtime;
    }
    return true;
}

struct pfs_dataset *pfs_dataset_of_file(struct pfs_catalog *c, const char *path, const struct pfs_ident *id,
                                        const struct pfs_probed *probed, int series)
{
    const struct pfs_probe *probe = &probed->p;
    const struct pfs_series *s = &probe->series[series].s;
    bool set = pfs_series_is_spread(s);
    struct pfs_dataset *d = dataset_create(c, path, 1 + (set ? s->n_files : 0));
    if (!d)
        return NULL;
    d->n_files = 1;
    d->file[0].id = *id;
    d->mtime = id->mtime;
    d->files_bytes = id->size;
    if (!(d->file[0].path = strdup(path)) || !take_companions(d, probed) || !take_series(d, probe, series) ||
        !copy_bands(d, s) || (set && pfs_set_fill(c, d, probe, series, NULL) < 0)) {
        pfs_dataset_unref(d);
        return NULL;
    }
    if (!set)
        pfs_section_learn(d, 0, probe, 0, NULL);
    return d;
}

/* ---- groups ---- */

static int compare_stems(const void *a, const void *b, void *files)
{
    const struct pfs_file *f = files;
    return strcmp(f[*(const int64_t *)a].stem, f[*(const int64_t *)b].stem);
}

static bool index_stems(struct pfs_dataset *d)
{
    d->own->by_stem = calloc((size_t)d->n_files, sizeof *d->own->by_stem);
    for (int64_t i = 0; d->own->by_stem && i < d->n_files; i++)
        d->own->by_stem[i] = i;
    if (d->own->by_stem)
        qsort_r(d->own->by_stem, (size_t)d->n_files, sizeof *d->own->by_stem, compare_stems, d->file);
    return d->own->by_stem;
}

/* Numbers to ordinals: each numbered axis runs from its lowest number to its highest. */
static void number_axes(struct pfs_dataset *d, const struct pfs_group *g)
{
    int64_t low[3], high[3], *length[3] = {&d->shape.t, &d->shape.z, &d->shape.c};
    memcpy(low, g->member[0].number, sizeof low);
    memcpy(high, low, sizeof high);
    for (int64_t i = 1; i < g->n; i++)
        for (int k = 0; k < 3; k++) {
            int64_t v = g->member[i].number[k];
            low[k] = v < low[k] ? v : low[k];
            high[k] = v > high[k] ? v : high[k];
        }
    for (int k = 0; k < 3; k++) {
        d->own->numbered[k] = g->varies[k];
        d->first[k] = g->varies[k] ? low[k] : 0;
        if (g->varies[k])
            *length[k] = high[k] - low[k] + 1;
    }
    for (int64_t i = 0; i < g->n; i++) {
        const int64_t *v = g->member[i].number;
        d->file[i].at = (struct pfs_at){v[0] - d->first[0], v[1] - d->first[1], v[2] - d->first[2]};
    }
}

static bool take_files(struct pfs_dataset *d, const char *folder, const struct pfs_candidate *candidates,
                       const struct pfs_group *g)
{
    for (int64_t i = 0; i < g->n; i++) {
        const struct pfs_candidate *from = &candidates[g->member[i].candidate];
        struct pfs_file *f = &d->file[i];
        size_t stem;
        pfs_tiff_suffix(from->name, &stem);
        f->path = pfs_path_join(folder, from->name);
        f->stem = strndup(from->name, stem);
        f->id = from->id;
        if (!f->path || !f->stem)
            return false;
        d->files_bytes += f->id.size;
        if (f->id.mtime > d->mtime)
            d->mtime = f->id.mtime;
    }
    d->sections = d->spread = true;
    return index_stems(d);
}

/* The lowest section that can be read sets shape and type. Its index, or -1 with the last reason. */
static int64_t first_readable(struct pfs_catalog *c, struct pfs_dataset *d, struct pfs_probed *ret, struct pfs_err *err)
{
    for (int64_t i = 0; i < d->n_files; i++) {
        int r = pfs_probe_file(c, d->file[i].path, &d->file[i].id, ret, err);
        if (!r)
            return i;
        pfs_section_learn(d, i, NULL, -r, err->text);
    }
    return -1;
}

static bool overlaps(const struct pfs_group *g, const struct pfs_probe *p)
{
    const struct pfs_shape *s = &p->series[0].s.shape;
    bool stack = !g->varies[AXIS_T] && !g->varies[AXIS_C] && (s->z > 1 || s->t > 1);
    return p->n_series != 1 || p->n_companions || stack || (g->varies[AXIS_T] && s->t > 1) ||
           (g->varies[AXIS_Z] && s->z > 1) || (g->varies[AXIS_C] && s->c > 1);
}

int pfs_dataset_of_group(struct pfs_catalog *c, const char *folder, const struct pfs_candidate *candidates,
                         const struct pfs_group *g, struct pfs_dataset **ret, struct pfs_err *err)
{
    struct pfs_probed probed;
    const struct pfs_probe *probe = &probed.p;
    struct pfs_dataset *d = dataset_create(c, folder, g->n);
    *ret = NULL;
    if (!d || !take_files(d, folder, candidates, g)) {
        pfs_dataset_unref(d);
        return pfs_fail(err, ENOMEM, "no memory for a stack of %lld sections", (long long)g->n);
    }
    int64_t first = first_readable(c, d, &probed, err);
    if (first < 0) {
        pfs_dataset_unref(d);
        return -err->code;
    }
    int r = 0;
    if (overlaps(g, probe))
        r = pfs_fail(err, EINVAL, "its files are stacks themselves");
    else if (!take_series(d, probe, 0))
        r = pfs_fail(err, EFBIG, "too many planes");
    else {
        number_axes(d, g);
        if (!copy_bands(d, &probe->series[0].s))
            r = pfs_fail(err, ENOMEM, "no memory for band names");
        pfs_section_learn(d, first, probe, 0, NULL);
    }
    pfs_probed_finish(&probed);
    if (r < 0)
        pfs_dataset_unref(d);
    else
        *ret = d;
    return r;
}

static void add_table(struct pfs_dataset *d, int k, char **path, const char *folder, const struct pfs_candidate *from)
{
    char *joined = from ? pfs_path_join(folder, from->name) : NULL;
    if (!joined)
        return;
    free(*path);
    *path = joined;
    d->own->table[k] = from->id;
    d->files_bytes += from->id.size;
    if (from->id.mtime > d->mtime)
        d->mtime = from->id.mtime;
}

void pfs_dataset_add_tables(struct pfs_dataset *d, const char *folder, const struct pfs_candidate *info,
                            const struct pfs_candidate *model)
{
    add_table(d, 0, &d->info, folder, info);
    add_table(d, 1, &d->model, folder, model);
}
