/* Sets: datasets whose planes lie in several files, as one of them (the master, or a companion file) describes it.
 *
 * The master's probe says for every plane in which file and on which page it lies; a file's own probe says where in it
 * that page is, and is asked for when a plane of the file is first needed. Files that are not there leave their planes
 * missing. A single file some of whose planes were never written is such a set too. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

bool pfs_series_is_spread(const struct pfs_series *s)
{
    int64_t n = s->piece ? pfs_shape_planes(&s->shape) : 0;
    for (int64_t i = 0; i < n; i++)
        if (s->piece[i].file)
            return true;
    return false;
}

static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return slash ? pfs_format("%.*s/%s", (int)(slash - path), path, name) : strdup(name);
}

/* A member as it is now; false when it is no file of this folder. */
static bool find_member(struct pfs_catalog *c, const char *master, const char *name, struct pfs_file *ret)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    char *path = beside(master, name);
    if (!path || pfs_beneath_open(c, path, O_PATH, &fd, NULL) < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        free(path);
        return false;
    }
    *ret = (struct pfs_file){.path = path, .id = pfs_ident_of(&st)};
    return true;
}

bool pfs_series_is_here(struct pfs_catalog *c, const char *path, const struct pfs_series *s)
{
    int64_t n = s->piece ? pfs_shape_planes(&s->shape) : 0;
    if (!s->piece)
        return true;
    for (int64_t i = 0; i < n; i++)
        if (!s->piece[i].file)
            return true;
    for (int k = 0; k < s->n_files; k++) {
        struct pfs_file f;
        if (!find_member(c, path, s->file[k], &f))
            continue;
        free(f.path);
        return true;
    }
    return false;
}

/* ---- where pages are in a file ---- */

struct found { int32_t page, sample; int series; int64_t index; };

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->page != y->page ? (x->page > y->page) - (x->page < y->page)
                              : (x->sample > y->sample) - (x->sample < y->sample);
}

static int64_t list_pages(const struct pfs_probe *p, struct found *list)
{
    int64_t n = 0;
    for (int k = 0; k < p->n_series; k++) {
        const struct pfs_series *s = &p->series[k].s;
        int64_t planes = s->piece ? pfs_shape_planes(&s->shape) : 0;
        for (int64_t i = 0; i < planes; i++)
            if (!s->piece[i].file) {
                if (list)
                    list[n] = (struct found){s->piece[i].page, s->piece[i].sample, k, i};
                n++;
            }
    }
    if (list)
        qsort(list, (size_t)n, sizeof *list, compare_found);
    return n;
}

/* A file that does not tell its pages apart: they are the z of its only series. */
static bool page_as_z(const struct pfs_probe *p, const struct pfs_set_plane *plane, struct found *ret)
{
    const struct pfs_shape *s = &p->series[0].s.shape;
    if (p->n_series != 1 || p->series[0].s.piece || s->t > 1 || plane->page >= s->z || plane->sample >= s->c)
        return false;
    *ret = (struct found){plane->page, plane->sample, 0, plane->page * s->c + plane->sample};
    return true;
}

static bool find_page(const struct pfs_probe *p, const struct found *list, int64_t n, const struct pfs_set_plane *plane,
                      struct found *ret)
{
    struct found key = {.page = plane->page, .sample = plane->sample};
    const struct found *at = n ? bsearch(&key, list, (size_t)n, sizeof *list, compare_found) : NULL;
    if (!at)
        return page_as_z(p, plane, ret);
    *ret = *at;
    return true;
}

static bool suits(const struct pfs_dataset *d, const struct pfs_shape *s)
{
    return s->y == d->shape.y && s->x == d->shape.x && s->type == d->shape.type;
}

/* lock held. false without memory */
static bool learn_planes(struct pfs_dataset *d, int64_t file, const struct pfs_probe *p)
{
    struct pfs_set *set = d->own->set;
    int64_t n = list_pages(p, NULL);
    PFS_AUTO_FREE struct found *list = pfs_array(n + 1, sizeof *list);
    if (!list)
        return false;
    list_pages(p, list);
    for (int64_t i = set->start[file]; i < set->start[file + 1]; i++) {
        struct pfs_set_plane *plane = &set->plane[set->by_file[i]];
        struct found at;
        plane->series = -1;
        if (strcmp(p->driver, d->own->driver) || p->n_companions || !find_page(p, list, n, plane, &at))
            continue;
        const struct pfs_probed_series *s = &p->series[at.series];
        if (!suits(d, &s->s.shape))
            continue;
        plane->series = at.series;
        plane->at = pfs_at_of(&s->s.shape, at.index);
        plane->extent = s->extent[at.index];
    }
    return true;
}

void pfs_set_learn(struct pfs_dataset *d, int64_t file, const struct pfs_probe *p, int code, const char *reason)
{
    pthread_mutex_lock(&d->own->lock);
    struct section *s = &d->own->section[file];
    if (!s->known) {
        s->known = true;
        if (p)
            s->code = learn_planes(d, file, p) ? 0 : ENOMEM;
        else {
            s->code = code == EOPNOTSUPP || code == EFBIG || code == EPERM ? code : EIO;
            s->reason = reason ? strdup(reason) : NULL;
        }
    }
    pthread_mutex_unlock(&d->own->lock);
}

int pfs_set_locate(struct pfs_dataset *d, struct pfs_at at, struct pfs_located *ret, struct pfs_err *err)
{
    int64_t index = pfs_at_index(&d->shape, at);
    const struct pfs_set_plane *plane = &d->own->set->plane[index];
    const struct pfs_file *f = &d->file[plane->file];
    if (plane->series < 0)
        return pfs_fail(err, EIO, "%s: it has no image %d of %lld x %lld %s", f->path, (int)plane->page + 1,
                        (long long)d->shape.x, (long long)d->shape.y, pfs_type_name(d->shape.type));
    *ret = (struct pfs_located){.file = f, .data = f, .series = plane->series, .rev = d->own->rev, .at = plane->at,
                                .extent = plane->extent, .index = index};
    memcpy(ret->driver, d->own->driver, sizeof ret->driver);
    return 0;
}

/* ---- making one ---- */

static void take_members(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_series *s, int32_t *number)
{
    d->n_files = 1;
    number[0] = 0;
    for (int k = 0; k < s->n_files; k++) {
        struct pfs_file *f = &d->file[d->n_files];
        number[k + 1] = find_member(c, d->file[0].path, s->file[k], f) ? (int32_t)d->n_files : -1;
        if (number[k + 1] < 0)
            continue;
        d->n_files++;
        d->files_bytes += f->id.size;
        d->mtime = f->id.mtime > d->mtime ? f->id.mtime : d->mtime;
    }
}

/* Planes by their files, and those that are there in order. */
static bool index_planes(struct pfs_dataset *d, const struct pfs_series *s, const int32_t *number)
{
    struct pfs_set *set = d->own->set = calloc(1, sizeof *set);
    int64_t n = pfs_shape_planes(&d->shape);
    if (!set || !(set->plane = pfs_array(n, sizeof *set->plane)) || !(set->there = pfs_array(n, sizeof *set->there)) ||
        !(set->by_file = pfs_array(n, sizeof *set->by_file)) ||
        !(set->start = pfs_array(d->n_files + 2, sizeof *set->start)))
        return false;
    for (int64_t i = 0; i < n; i++) {
        int32_t file = s->piece[i].file < 0 ? -1 : number[s->piece[i].file];
        set->plane[i] = (struct pfs_set_plane){
            .file = file, .page = s->piece[i].page, .sample = s->piece[i].sample, .series = -1};
        if (file < 0)
            continue;
        if (set->start[file + 2]++ == 0)
            d->file[file].at = pfs_at_of(&d->shape, i);
        set->there[set->n++] = i;
    }
    for (int64_t k = 2; k <= d->n_files + 1; k++)
        set->start[k] += set->start[k - 1];
    for (int64_t i = 0; i < n; i++)
        if (set->plane[i].file >= 0)
            set->by_file[set->start[set->plane[i].file + 1]++] = i;
    return set->n > 0;
}

/* What a page really is counts more than what the text says of it. */
static void adopt(struct pfs_dataset *d, int64_t file, const struct pfs_probe *p)
{
    struct pfs_set *set = d->own->set;
    int64_t n = list_pages(p, NULL);
    PFS_AUTO_FREE struct found *list = pfs_array(n + 1, sizeof *list);
    struct found at;
    if (!list || (list_pages(p, list), !find_page(p, list, n, &set->plane[set->by_file[set->start[file]]], &at)))
        return;
    const struct pfs_series *s = &p->series[at.series].s;
    d->shape.y = s->shape.y;
    d->shape.x = s->shape.x;
    d->shape.type = s->shape.type;
    d->bits = d->bits > 0 && d->bits < s->bits ? d->bits : s->bits;
    memcpy(d->compression, s->compression, sizeof d->compression);
    memcpy(d->own->driver, p->driver, sizeof d->own->driver);
    d->own->rev = p->rev;
}

/* The first file with planes that can be read says what they are. */
static void learn_first(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_probe *master)
{
    const struct pfs_set *set = d->own->set;
    if (set->start[1] > set->start[0]) {
        adopt(d, 0, master);
        pfs_set_learn(d, 0, master, 0, NULL);
        return;
    }
    d->own->section[0].known = true;             /* the text alone */
    for (int64_t i = 1; i < d->n_files; i++) {
        struct pfs_probed p;
        struct pfs_err why = {0};
        if (set->start[i + 1] == set->start[i])
            continue;
        int r = pfs_probe_file(c, d->file[i].path, &d->file[i].id, &p, &why);
        if (r < 0) {
            pfs_set_learn(d, i, NULL, -r, why.text);
            continue;
        }
        adopt(d, i, &p.p);
        pfs_set_learn(d, i, &p.p, 0, NULL);
        pfs_probed_finish(&p);
        return;
    }
}

int pfs_set_fill(struct pfs_catalog *c, struct pfs_dataset *d, const struct pfs_probe *probe, int series,
                 struct pfs_err *err)
{
    const struct pfs_series *s = &probe->series[series].s;
    PFS_AUTO_FREE int32_t *number = pfs_array(s->n_files + 1, sizeof *number);
    if (number)
        take_members(c, d, s, number);
    if (!number || !index_planes(d, s, number))
        return pfs_fail(err, ENOMEM, "no memory for a set of %d files", s->n_files + 1);
    d->spread = true;
    learn_first(c, d, probe);
    return 0;
}

void pfs_set_finish(struct pfs_set *set)
{
    if (!set)
        return;
    free(set->plane);
    free(set->there);
    free(set->by_file);
    free(set->start);
    free(set);
}
