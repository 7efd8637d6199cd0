/* Reading a folder of SOURCE: which of its files are datasets, under which names, and why others are not shown. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { NAME_BYTES = 200 };           /* of a part of a path inside a file */

struct reading {                     /* a folder while it is read */
    struct pfs_catalog *c;
    const char *path;
    const struct pfs_folder *old;
    struct pfs_folder *f;
    struct pfs_candidate *candidate;
    int64_t n_candidates, n_subfolders;
    int64_t room_candidates, room_items, room_absent;
    bool failed;                     /* out of memory */
};

char *pfs_path_join(const char *folder, const char *name)
{
    return *folder ? pfs_format("%s/%s", folder, name) : strdup(name);
}

static struct pfs_folder *folder_create(const char *path)
{
    struct pfs_folder *f = calloc(1, sizeof *f);
    if (!f || !(f->own = calloc(1, sizeof *f->own)) || !(f->path = strdup(path))) {
        if (f)
            free(f->own);
        free(f);
        return NULL;
    }
    f->own->refs = 1;
    return f;
}

/* Room for one more in a growing array; false without memory. */
static bool grow(struct reading *r, void *array, int64_t n, int64_t *room, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    if (n < *room)
        return true;
    int64_t more = *room ? *room * 2 : 16;
    void *p = realloc(old, (size_t)more * size);
    if (!p) {
        r->failed = true;
        return false;
    }
    memcpy(array, &p, sizeof p);
    *room = more;
    return true;
}

static void add_absent(struct reading *r, const char *name, int code, const char *reason)
{
    struct pfs_folder_private *own = r->f->own;
    if (!grow(r, &own->absent, own->n_absent, &r->room_absent, sizeof *own->absent))
        return;
    struct pfs_absent *a = &own->absent[own->n_absent++];
    *a = (struct pfs_absent){strdup(name), code, strdup(reason)};
    if (!a->name || !a->reason)
        r->failed = true;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct pfs_item *)a)->name, ((const struct pfs_item *)b)->name);
}

static void sort_items(struct pfs_folder *f)
{
    if (f->n_items)
        qsort(f->item, (size_t)f->n_items, sizeof *f->item, compare_items);
}

/* takes the dataset */
static void add_item(struct reading *r, struct pfs_item item)
{
    struct pfs_folder *f = r->f;
    if (item.name && grow(r, &f->item, f->n_items, &r->room_items, sizeof *f->item)) {
        f->item[f->n_items++] = item;
        return;
    }
    r->failed = true;
    pfs_item_release(&item);
}

/* ---- the names on disk ---- */

static void add_candidate(struct reading *r, const char *name, const struct stat *st)
{
    size_t stem;
    if (!grow(r, &r->candidate, r->n_candidates, &r->room_candidates, sizeof *r->candidate))
        return;
    struct pfs_candidate *c = &r->candidate[r->n_candidates++];
    *c = (struct pfs_candidate){strdup(name), pfs_ident_of(st), pfs_tiff_suffix(name, &stem), PFS_SET_NONE};
    if (!c->name)
        r->failed = true;
}

static void see_name(struct reading *r, int dir, const char *name)
{
    struct stat st;
    struct pfs_err err = {0};
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISLNK(st.st_mode)) {
        PFS_AUTO_FREE char *path = pfs_path_join(r->path, name);
        PFS_AUTO_CLOSE int fd = -1;
        int code = path ? pfs_beneath_open(r->c, path, O_PATH, &fd, &err) : -ENOMEM;
        if (code < 0 || fstat(fd, &st) < 0) {
            add_absent(r, name, code < 0 ? -code : EIO, code < 0 ? err.text : "the link leads nowhere");
            return;
        }
    }
    if (S_ISDIR(st.st_mode)) {
        struct pfs_ident id = pfs_ident_of(&st);
        add_item(r, (struct pfs_item){.name = strdup(name), .kind = PFS_ITEM_FOLDER, .mtime = id.mtime,
                                      .path = pfs_path_join(r->path, name)});
        r->n_subfolders++;
    } else if (S_ISREG(st.st_mode))
        add_candidate(r, name, &st);
}

static int compare_candidates(const void *a, const void *b)
{
    return pfs_natural_compare(((const struct pfs_candidate *)a)->name, ((const struct pfs_candidate *)b)->name);
}

static int list(struct reading *r, struct pfs_err *err)
{
    int fd = -1;
    int code = pfs_beneath_open(r->c, r->path, O_DIRECTORY, &fd, err);
    if (code < 0)
        return code;
    DIR *dir = fdopendir(fd);
    if (!dir || fstat(fd, &r->f->own->st) < 0) {
        if (!dir)
            close(fd);
        else
            closedir(dir);
        return pfs_fail(err, EIO, "cannot read the folder %s", r->path);
    }
    struct pfs_ident id = pfs_ident_of(&r->f->own->st);
    r->f->mtime = id.mtime;
    r->f->own->young = pfs_ident_young(&id);
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.')
            see_name(r, fd, e->d_name);
    closedir(dir);
    if (r->n_candidates)
        qsort(r->candidate, (size_t)r->n_candidates, sizeof *r->candidate, compare_candidates);
    return 0;
}

/* ---- datasets ---- */

/* The name without its extension; `.ome.tif` counts as one. */
static char *shown_name(const char *file)
{
    const char *dot = strrchr(file, '.');
    size_t n = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    if (n > 4 && !strncasecmp(file + n - 4, ".ome", 4))
        n -= 4;
    if (n > 10 && !strncasecmp(file + n - 10, ".companion", 10))
        n -= 10;
    return strndup(file, n);
}

/* takes dataset and name */
static void add_dataset(struct reading *r, char *name, struct pfs_dataset *d)
{
    if (d)
        add_item(r, (struct pfs_item){.name = name, .kind = PFS_ITEM_DATASET, .dataset = d, .mtime = d->mtime});
    else {
        r->failed = true;
        free(name);
    }
}

/* ---- series of a file ---- */

/* "/a/b": a path inside the file whose parts can be names of folders. */
static bool is_path(const char *name)
{
    while (*name == '/') {
        size_t n = strcspn(++name, "/");
        if (!n || n > NAME_BYTES || (n <= 2 && !strncmp(name, "..", n)))
            return false;
        name += n;
    }
    return !*name;
}

/* Names of series with pieces are titles: OME-XML's may look as they like. */
static bool all_paths(const struct pfs_probe *p)
{
    bool all = true;
    for (int i = 0; all && i < p->n_series; i++)
        all = *p->series[i].s.name && !p->series[i].s.piece && is_path(p->series[i].s.name);
    return all;
}

static void add_branch(struct reading *r, const char *path, const struct pfs_ident *id, const struct pfs_probed *probed,
                       int first, int n, size_t at);

/* Series first .. first+n-1, whose paths agree up to `at`, as the folders and datasets they name from there. */
static void add_tree(struct reading *r, const char *path, const struct pfs_ident *id, const struct pfs_probed *probed,
                     int first, int n, size_t at)
{
    for (int i = first, j; i < first + n; i = j) {
        const char *name = probed->p.series[i].s.name + at + 1;
        size_t part = strcspn(name, "/");
        j = i + 1;
        if (!name[part]) {
            add_dataset(r, strdup(name), pfs_dataset_of_file(r->c, path, id, probed, i));
            continue;
        }
        while (j < first + n && !strncmp(probed->p.series[j].s.name + at + 1, name, part + 1))
            j++;
        add_branch(r, path, id, probed, i, j - i, at + 1 + part);
    }
}

static void add_branch(struct reading *r, const char *path, const struct pfs_ident *id, const struct pfs_probed *probed,
                       int first, int n, size_t at)
{
    const char *whole = probed->p.series[first].s.name, *end = whole + at, *start = end;
    while (start[-1] != '/')
        start--;
    char *name = strndup(start, (size_t)(end - start));
    struct reading inner = {.c = r->c, .f = name ? folder_create(name) : NULL};
    if (!inner.f) {
        free(name);
        r->failed = true;
        return;
    }
    inner.f->mtime = id->mtime;
    add_tree(&inner, path, id, probed, first, n, at);
    sort_items(inner.f);
    r->failed |= inner.failed;
    add_item(r, (struct pfs_item){.name = name, .kind = PFS_ITEM_FOLDER, .series = inner.f, .mtime = id->mtime});
}

static void add_series(struct reading *r, const char *path, const struct pfs_ident *id, const struct pfs_probed *probed)
{
    if (all_paths(&probed->p)) {
        add_tree(r, path, id, probed, 0, probed->p.n_series, 0);
        sort_items(r->f);
        return;
    }
    for (int i = 0; i < probed->p.n_series; i++)
        if (pfs_series_is_here(r->c, path, &probed->p.series[i].s))
            add_dataset(r, pfs_format("s%d", i), pfs_dataset_of_file(r->c, path, id, probed, i));
}

/* Several series in a file: a folder of its own in the mount. */
static void add_series_folder(struct reading *r, const struct pfs_candidate *from, const char *path,
                              const struct pfs_probed *probed)
{
    struct reading inner = {.c = r->c, .f = folder_create(path)};
    if (!inner.f) {
        r->failed = true;
        return;
    }
    inner.f->mtime = from->id.mtime;
    add_series(&inner, path, &from->id, probed);
    r->failed |= inner.failed;
    add_item(r, (struct pfs_item){.name = shown_name(from->name), .kind = PFS_ITEM_FOLDER, .series = inner.f,
                                  .mtime = from->id.mtime});
}

static void add_probed(struct reading *r, const struct pfs_candidate *from, const char *path,
                       const struct pfs_probed *probed)
{
    bool here = false;
    for (int i = 0; i < probed->p.n_series; i++)
        here = here || pfs_series_is_here(r->c, path, &probed->p.series[i].s);
    if (!here)
        add_absent(r, from->name, ENOENT, "none of the files it speaks of is here");
    else if (probed->p.n_series == 1)
        add_dataset(r, shown_name(from->name), pfs_dataset_of_file(r->c, path, &from->id, probed, 0));
    else if (r->c->single)
        add_series(r, path, &from->id, probed);
    else
        add_series_folder(r, from, path, probed);
}

static void add_file(struct reading *r, const struct pfs_candidate *from)
{
    struct pfs_probed probed;
    struct pfs_err err = {0};
    PFS_AUTO_FREE char *path = pfs_path_join(r->path, from->name);
    if (!path || pfs_probe_file(r->c, path, &from->id, &probed, &err) < 0) {
        add_absent(r, from->name, err.code ? err.code : ENOMEM, err.text);
        return;
    }
    add_probed(r, from, path, &probed);
    pfs_probed_finish(&probed);
}

/* ---- files that belong to a dataset beside them ---- */

static const struct pfs_dataset *first_dataset(const struct pfs_item *item)
{
    while (item && !item->dataset)
        item = item->series && item->series->n_items ? &item->series->item[0] : NULL;
    return item ? item->dataset : NULL;
}

/* Whoever asks for it by name hears where it went. */
static void set_part_of(struct reading *r, struct pfs_absent *a, const struct pfs_dataset *owner)
{
    char *reason = pfs_format("it is part of %s", pfs_path_last(owner->file[0].path));
    r->failed |= !reason;
    free(a->reason);
    a->reason = reason;
    a->code = ENOENT;
}

static void claim(struct reading *r, const struct pfs_dataset *owner, const char *companion, bool *taken)
{
    struct pfs_folder_private *own = r->f->own;
    for (int64_t i = 0; i < r->f->n_items; i++) {
        const struct pfs_dataset *d = first_dataset(&r->f->item[i]);
        taken[i] |= d && !d->sections && !strcmp(d->file[0].path, companion);
    }
    for (int64_t i = 0; i < own->n_absent; i++) {
        PFS_AUTO_FREE char *path = pfs_path_join(r->path, own->absent[i].name);
        if (path && !strcmp(path, companion))
            set_part_of(r, &own->absent[i], owner);
    }
}

/* Companions of a dataset are not shown by themselves; of two files that claim each other the first is shown. */
static void drop_claimed(struct reading *r)
{
    struct pfs_folder *f = r->f;
    int64_t kept = 0;
    PFS_AUTO_FREE bool *taken = calloc((size_t)f->n_items + 1, sizeof *taken);
    if (!taken) {
        r->failed = true;
        return;
    }
    for (int64_t i = 0; i < f->n_items; i++) {
        const struct pfs_dataset *d = taken[i] ? NULL : first_dataset(&f->item[i]);
        for (int64_t k = 0; d && k < d->n_companions; k++)
            claim(r, d, d->companion[k].path, taken);
    }
    for (int64_t i = 0; i < f->n_items; i++)
        if (taken[i])
            pfs_item_release(&f->item[i]);
        else
            f->item[kept++] = f->item[i];
    f->n_items = kept;
}

static const struct pfs_candidate *candidate_named(const struct reading *r, const char *name)
{
    for (int64_t i = 0; i < r->n_candidates; i++)
        if (!strcmp(r->candidate[i].name, name))
            return &r->candidate[i];
    return NULL;
}

/* `stack = no`, said of the folder or of the stack in it. */
static bool shown_singly(struct reading *r, const struct pfs_group *g)
{
    struct pfs_dataset_config of_folder, of_stack;
    PFS_AUTO_FREE char *path = pfs_path_join(r->path, g->title);
    pfs_config_dataset(r->c->config, r->path, r->c->name, &of_folder);
    pfs_config_dataset(r->c->config, path ? path : "", r->c->name, &of_stack);
    const char *stack = of_stack.stack ? of_stack.stack : of_folder.stack;
    return stack && !strcmp(stack, "no");
}

static void add_group(struct reading *r, const struct pfs_group *g, int64_t number, int64_t *in_group)
{
    struct pfs_dataset *d;
    struct pfs_err err = {0};
    int code = shown_singly(r, g) ? -EINVAL : pfs_dataset_of_group(r->c, r->path, r->candidate, g, &d, &err);
    if (!code) {
        const char *folder = *r->path ? pfs_path_last(r->path) : r->c->name;
        pfs_dataset_add_tables(d, r->path, candidate_named(r, "info.h5"), candidate_named(r, "polymodel.h5"));
        add_dataset(r, strdup(*g->title ? g->title : folder), d);
        return;
    }
    for (int64_t i = 0; i < r->n_candidates; i++)
        if (in_group[i] == number) {
            in_group[i] = -1;                 /* stacks themselves: shown singly */
            if (code != -EINVAL) {
                in_group[i] = number;
                add_absent(r, r->candidate[i].name, -code, err.text);
            }
        }
}

static int add_all(struct reading *r)
{
    struct pfs_group *g;
    int64_t n, *in_group = calloc((size_t)r->n_candidates + 1, sizeof *in_group);
    pfs_find_sets(r->c, r->path, r->candidate, r->n_candidates);
    if (!in_group || pfs_group_sections(r->candidate, r->n_candidates, &g, &n, in_group) < 0) {
        free(in_group);
        return -ENOMEM;
    }
    for (int64_t i = 0; i < n; i++)
        add_group(r, &g[i], i, in_group);
    for (int64_t i = 0; i < r->n_candidates; i++) {
        const char *name = r->candidate[i].name;
        bool table = n && (!strcmp(name, "info.h5") || !strcmp(name, "polymodel.h5"));
        if (in_group[i] < 0 && !table && r->candidate[i].set != PFS_SET_MEMBER)
            add_file(r, &r->candidate[i]);
    }
    pfs_groups_free(g, n);
    free(in_group);
    drop_claimed(r);
    return 0;
}

/* ---- names shown ---- */

/* Items whose short names collide all take their full names; folders keep theirs. */
static void resolve_collisions(struct reading *r)
{
    struct pfs_folder *f = r->f;
    for (int64_t i = 0, j; i < f->n_items; i = j) {
        for (j = i + 1; j < f->n_items && !strcmp(f->item[i].name, f->item[j].name);)
            j++;
        for (int64_t k = i; j > i + 1 && k < j; k++) {
            char *name = pfs_item_full_name(&f->item[k]) ? strdup(pfs_item_full_name(&f->item[k])) : NULL;
            if (!name)
                continue;
            free(f->item[k].name);
            f->item[k].name = name;
        }
    }
    sort_items(f);
}

static bool place(struct pfs_catalog *c, struct pfs_dataset *d, const char *path, const char *name)
{
    free(d->path);
    free(d->name);
    d->path = strdup(path);
    d->name = strdup(name);
    return d->path && d->name && !pfs_dataset_configure(c, d);
}

/* Every dataset learns where it stands in the mount. */
static bool place_all(struct pfs_catalog *c, struct pfs_folder *f, const char *path, const char *name)
{
    bool good = !f->self || place(c, f->self, path, name);
    for (int64_t i = 0; good && i < f->n_items; i++) {
        struct pfs_item *item = &f->item[i];
        char *inner = pfs_path_join(path, item->name);
        good = inner && (!item->dataset || place(c, item->dataset, inner, item->name)) &&
               (!item->series || place_all(c, item->series, inner, item->name));
        if (good && item->series) {
            free(item->path);
            item->path = inner;
        } else
            free(inner);
    }
    return good;
}

/* Datasets of the last reading about which nothing has changed stay: what was learnt of them, and their nodes. */
static void keep_old(struct pfs_dataset **d, const struct pfs_folder *old)
{
    for (int64_t i = -1; *d && i < old->n_items; i++) {
        struct pfs_dataset *known = i < 0 ? old->self : old->item[i].dataset;
        if (known && pfs_dataset_same(known, *d)) {
            pfs_dataset_ref(known);
            pfs_dataset_unref(*d);
            *d = known;
            return;
        }
    }
}

static void keep_all_old(struct pfs_folder *f, const struct pfs_folder *old)
{
    keep_old(&f->self, old);
    for (int64_t i = 0; i < f->n_items; i++) {
        keep_old(&f->item[i].dataset, old);
        const struct pfs_item *was = f->item[i].series ? pfs_folder_item(old, f->item[i].name) : NULL;
        if (was && was->series)
            keep_all_old(f->item[i].series, was->series);
    }
}

/* A folder with one section stack and nothing else is that dataset, under the folder's own name. */
static void become_self(struct reading *r)
{
    struct pfs_folder *f = r->f;
    if (f->n_items != 1 || r->n_subfolders || !f->item[0].dataset || !f->item[0].dataset->sections)
        return;
    f->self = f->item[0].dataset;
    free(f->item[0].name);
    free(f->item[0].path);
    f->n_items = 0;
}

static void free_reading(struct reading *r)
{
    for (int64_t i = 0; i < r->n_candidates; i++)
        free(r->candidate[i].name);
    free(r->candidate);
}

/* SOURCE is one file: the mount point is its dataset, or the folder of its series. */
static int read_single(struct reading *r, struct pfs_err *err)
{
    struct stat st;
    PFS_AUTO_CLOSE int fd = -1;
    int code = pfs_beneath_open(r->c, r->c->single, 0, &fd, err);
    if (code < 0)
        return code;
    if (fstat(fd, &st) < 0)
        return pfs_fail(err, EIO, "cannot stat %s", r->c->single);
    r->f->own->st = st;
    r->f->mtime = pfs_ident_of(&st).mtime;
    struct pfs_candidate from = {r->c->single, pfs_ident_of(&st), true, PFS_SET_NONE};
    add_file(r, &from);
    if (r->f->own->n_absent)
        return pfs_fail(err, r->f->own->absent[0].code, "%s: %s", r->c->single, r->f->own->absent[0].reason);
    if (r->f->n_items == 1) {
        r->f->self = r->f->item[0].dataset;
        free(r->f->item[0].name);
        r->f->n_items = 0;
    }
    return 0;
}

int pfs_folder_read(struct pfs_catalog *c, const char *path, const struct pfs_folder *old, struct pfs_folder **ret,
                    struct pfs_err *err)
{
    struct reading r = {.c = c, .path = path, .old = old, .f = folder_create(path)};
    *ret = NULL;
    if (!r.f)
        return pfs_fail(err, ENOMEM, "no memory for the folder %s", path);
    int code = c->single ? read_single(&r, err) : list(&r, err);
    if (!code && !c->single)
        code = add_all(&r);
    if (!code) {
        sort_items(r.f);
        resolve_collisions(&r);
        if (!c->single)
            become_self(&r);
        r.failed |= !place_all(c, r.f, path, *path ? pfs_path_last(path) : c->name);
        if (!r.failed && old)
            keep_all_old(r.f, old);
    }
    free_reading(&r);
    if (code < 0 || r.failed) {
        pfs_folder_unref(r.f);
        return code < 0 ? code : pfs_fail(err, ENOMEM, "no memory for the folder %s", path);
    }
    *ret = r.f;
    return 0;
}
