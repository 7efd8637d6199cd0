/* Datasets: what a mount shows as one stack, its planes and their names.
 *
 * Every file of a dataset holds a block of the same shape; axes that file names number are 1 in that block. A plane is
 * therefore (file, plane in file), and the planes that exist are counted file by file. Sets, in set.c, are apart. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pfs_dataset_ref(struct pfs_dataset *d)
{
    __atomic_add_fetch(&d->own->refs, 1, __ATOMIC_RELAXED);
}

static void free_sections(struct pfs_dataset *d)
{
    for (int64_t i = 0; d->own->section && i < d->n_files; i++) {
        free(d->own->section[i].reason);
        free(d->own->section[i].extent);
        free(d->own->section[i].content);
    }
    free(d->own->section);
}

void pfs_dataset_unref(struct pfs_dataset *d)
{
    if (!d || __atomic_sub_fetch(&d->own->refs, 1, __ATOMIC_ACQ_REL))
        return;
    free_sections(d);
    pfs_set_finish(d->own->set);
    for (int64_t i = 0; d->file && i < d->n_files; i++) {
        free(d->file[i].path);
        free(d->file[i].stem);
    }
    for (int64_t i = 0; d->band_name && i < d->shape.c; i++)
        free(d->band_name[i]);
    for (int64_t i = 0; d->companion && i < d->n_companions; i++)
        free(d->companion[i].path);
    free(d->band_name);
    free(d->wavelength);
    free(d->companion);
    free(d->geo);
    free(d->file);
    free(d->info);
    free(d->model);
    free(d->mask);
    free(d->path);
    free(d->name);
    free(d->own->by_stem);
    pthread_mutex_destroy(&d->own->lock);
    free(d->own);
    free(d);
}

/* ---- planes and files ---- */

int64_t pfs_dataset_planes(const struct pfs_dataset *d)
{
    return d->own->set ? d->own->set->n : d->n_files * d->own->file_planes;
}

struct pfs_at pfs_dataset_plane(const struct pfs_dataset *d, int64_t i)
{
    if (d->own->set)
        return pfs_at_of(&d->shape, d->own->set->there[i]);
    struct pfs_at in = pfs_at_of(&d->own->file_shape, i % d->own->file_planes);
    const struct pfs_at *base = &d->file[i / d->own->file_planes].at;
    return (struct pfs_at){base->t + in.t, base->z + in.z, base->c + in.c};
}

static int compare_at(const struct pfs_at *a, const struct pfs_at *b)
{
    int64_t x[3] = {a->t, a->z, a->c}, y[3] = {b->t, b->z, b->c};
    for (int k = 0; k < 3; k++)
        if (x[k] != y[k])
            return x[k] < y[k] ? -1 : 1;
    return 0;
}

int64_t pfs_dataset_file(const struct pfs_dataset *d, struct pfs_at at)
{
    const bool *numbered = d->own->numbered;
    struct pfs_at key = {numbered[0] ? at.t : 0, numbered[1] ? at.z : 0, numbered[2] ? at.c : 0};
    int64_t low = 0, high = d->n_files;
    if (!pfs_at_inside(&d->shape, at))
        return -1;
    if (d->own->set)
        return d->own->set->plane[pfs_at_index(&d->shape, at)].file;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int r = compare_at(&d->file[middle].at, &key);
        if (!r)
            return middle;
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int64_t pfs_dataset_mtime_raw(const struct pfs_dataset *d, struct pfs_at at)
{
    int64_t file = pfs_dataset_file(d, at), newest = file < 0 ? d->mtime : d->file[file].id.mtime;
    for (int64_t i = 0; i < d->n_companions; i++)
        if (d->companion[i].id.mtime > newest)
            newest = d->companion[i].id.mtime;
    return newest;
}

uint64_t pfs_dataset_version(const struct pfs_dataset *d, int64_t file)
{
    uint64_t version = pfs_ident_version(&d->file[file].id);
    for (int64_t i = 0; i < d->n_companions; i++)
        version = pfs_hash64(&d->companion[i].id, sizeof d->companion[i].id, version);
    return version;
}

int64_t pfs_dataset_mtime(const struct pfs_dataset *d, struct pfs_at at)
{
    int64_t newest = pfs_dataset_mtime_raw(d, at);
    for (int k = 0; k < 3; k++)
        if (d->own->table[k].mtime > newest)
            newest = d->own->table[k].mtime;
    return newest;
}

/* ---- names ---- */

static int digits(int64_t v, int least)
{
    int n = 1;
    while (v >= 10) {
        v /= 10;
        n++;
    }
    return n > least ? n : least;
}

/* "t0003_z0005_c0002": those of the three axes that are longer than 1 in `s`. */
static int axes_name(const struct pfs_dataset *d, const struct pfs_shape *s, struct pfs_at at, char *out, size_t room)
{
    const int64_t length[3] = {s->t, s->z, s->c}, whole[3] = {d->shape.t, d->shape.z, d->shape.c};
    const int64_t ordinal[3] = {at.t, at.z, at.c};
    int n = 0;
    for (int k = 0; k < 3; k++)
        if (length[k] > 1)
            n += snprintf(out + n, room - (size_t)n, "%s%c%0*" PRId64, n ? "_" : "", "tzc"[k],
                          digits(d->first[k] + whole[k] - 1, 4), d->first[k] + ordinal[k]);
    return n;
}

void pfs_dataset_name(const struct pfs_dataset *d, struct pfs_at at, char name[PFS_NAME_MAX])
{
    if (d->sections) {
        int64_t file = pfs_dataset_file(d, at);
        int n = snprintf(name, PFS_NAME_MAX, "%.200s", file < 0 ? "" : d->file[file].stem);
        char axes[80];
        if (axes_name(d, &d->own->file_shape, at, axes, sizeof axes))
            snprintf(name + n, (size_t)(PFS_NAME_MAX - n), "_%s", axes);
    } else if (d->shape.t == 1 && d->shape.c == 1)
        snprintf(name, PFS_NAME_MAX, "z%0*" PRId64, digits(d->first[1] + d->shape.z - 1, 5), d->first[1] + at.z);
    else
        axes_name(d, &d->shape, at, name, PFS_NAME_MAX);
}

/* Read the numbers behind t, z, c wherever they stand in the tail of a name; whether the name is canonical is checked
 * by writing it again. */
static struct pfs_at read_axes(const struct pfs_dataset *d, const char *name, size_t n)
{
    int64_t v[3] = {0, 0, 0};
    for (int k = 0; k < 3; k++)
        for (size_t i = n; i-- > 0;)
            if (name[i] == "tzc"[k] && (i == 0 || name[i - 1] == '_')) {
                v[k] = strtoll(name + i + 1, NULL, 10) - d->first[k];
                break;
            }
    return (struct pfs_at){v[0], v[1], v[2]};
}

static int64_t file_with_stem(const struct pfs_dataset *d, const char *name, size_t n)
{
    int64_t low = 0, high = d->n_files;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, i = d->own->by_stem[middle];
        int r = strncmp(d->file[i].stem, name, n);
        if (!r && !d->file[i].stem[n])
            return i;
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

bool pfs_dataset_named(const struct pfs_dataset *d, const char *name, size_t n, struct pfs_at *ret)
{
    char text[PFS_NAME_MAX], again[PFS_NAME_MAX];
    if (n >= PFS_NAME_MAX)
        return false;
    memcpy(text, name, n);
    text[n] = 0;
    struct pfs_at at = {0, 0, 0};
    if (d->sections) {
        size_t stem = n;
        int axes = (d->own->file_shape.t > 1) + (d->own->file_shape.z > 1) + (d->own->file_shape.c > 1);
        for (int k = 0; k < axes && stem; k++)
            while (stem && text[--stem] != '_')
                continue;
        int64_t file = file_with_stem(d, text, stem);
        if (file < 0)
            return false;
        at = d->file[file].at;
        struct pfs_at in = axes ? read_axes(d, text + stem, n - stem) : at;
        at.t = d->own->file_shape.t > 1 ? in.t : at.t;
        at.z = d->own->file_shape.z > 1 ? in.z : at.z;
        at.c = d->own->file_shape.c > 1 ? in.c : at.c;
    } else
        at = read_axes(d, text, n);
    if (pfs_dataset_file(d, at) < 0)
        return false;
    pfs_dataset_name(d, at, again);
    *ret = at;
    return !strcmp(text, again);
}

void pfs_dataset_info(const struct pfs_dataset *d, struct pfs_stack_info *ret)
{
    *ret = (struct pfs_stack_info){
        .shape = d->shape,
        .first = {d->first[0], d->first[1], d->first[2]},
        .bits = d->bits,
        .full = {d->full[0], d->full[1], d->full[2]},
        .origin = {d->origin[0], d->origin[1], d->origin[2]},
        .info = d->info,
        .model = d->model,
        .mask = d->mask,
        .version = {pfs_ident_version(&d->own->table[0]), pfs_ident_version(&d->own->table[1]),
                    pfs_ident_version(&d->own->table[2])},
    };
}

static bool same_shape(const struct pfs_shape *a, const struct pfs_shape *b)
{
    return a->t == b->t && a->z == b->z && a->c == b->c && a->y == b->y && a->x == b->x && a->type == b->type &&
           !memcmp(&a->cal, &b->cal, sizeof a->cal);
}

static bool same_files(const struct pfs_file *a, const struct pfs_file *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (strcmp(a[i].path, b[i].path) || !pfs_ident_same(&a[i].id, &b[i].id))
            return false;
    return true;
}

bool pfs_dataset_same(const struct pfs_dataset *a, const struct pfs_dataset *b)
{
    if (a->n_files != b->n_files || a->n_companions != b->n_companions || strcmp(a->path, b->path) ||
        a->series != b->series || !same_shape(&a->shape, &b->shape) ||
        memcmp(a->first, b->first, sizeof a->first) ||
        memcmp(a->own->table, b->own->table, sizeof a->own->table))
        return false;
    return same_files(a->file, b->file, a->n_files) && same_files(a->companion, b->companion, a->n_companions);
}
