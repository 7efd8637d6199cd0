/* The file's tree: which of its datasets are images, in the order of their paths, and why the first other one is not.
 *
 * Only hard links are followed, and every object is looked at once, so that loops end. A soft link that works leads to
 * something that is found anyway. Links into other files, external storage and virtual datasets are refused unread. */
#include "src_hdf5.h"

#include <planefs/mem.h>
#include <planefs/text.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_BITS = 19, SEEN = 1 << SEEN_BITS };    /* slots of the table of addresses: 4 * PFS_H5_OBJECTS */

struct walk {
    struct pfs_h5 *h;
    struct pfs_h5_finds *finds;
    struct pfs_text path;
    haddr_t *seen;
    int objects, depth;
    int code;                            /* why the walk was given up */
    struct pfs_err *err;
};

/* The first refusal is kept: what is told when nothing can be shown. */
static void refuse(struct walk *w, const struct pfs_err *why)
{
    if (!w->finds->why.code)
        w->finds->why = *why;
}

static int give_up(struct walk *w, int code)
{
    w->code = code;
    return 1;
}

/* Open addressing; addresses are not 0 where it matters. false: seen before. */
static bool first_visit(struct walk *w, haddr_t at)
{
    uint64_t i = (at * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - SEEN_BITS);
    for (; w->seen[i]; i = (i + 1) % SEEN)
        if (w->seen[i] == at + 1)
            return false;
    w->seen[i] = at + 1;
    return true;
}

static int add_found(struct walk *w, const struct pfs_h5_block *block, bool tagged)
{
    struct pfs_h5_finds *f = w->finds;
    if (f->n == PFS_H5_SERIES)
        return give_up(w, pfs_fail(w->err, EFBIG, "hdf5: more than %d datasets", PFS_H5_SERIES));
    if (f->n == f->room) {
        int room = f->room ? 2 * f->room : 16;
        struct pfs_h5_found *more = realloc(f->found, (size_t)room * sizeof *more);
        if (!more)
            return give_up(w, pfs_fail(w->err, ENOMEM, "hdf5: no memory"));
        f->found = more;
        f->room = room;
    }
    f->found[f->n] = (struct pfs_h5_found){strdup(w->path.s), *block, tagged};
    return f->found[f->n++].path ? 0 : give_up(w, pfs_fail(w->err, ENOMEM, "hdf5: no memory"));
}

static int see_dataset(struct walk *w)
{
    PFS_AUTO_H5 hid_t dataset = H5I_INVALID_HID;
    struct pfs_h5_block block;
    struct pfs_shape shape;
    uint8_t axis[PFS_H5_RANK];
    struct pfs_err why = {0};
    int r = pfs_h5_dataset(w->h->file, "hdf5", w->path.s, &dataset, &why);
    if (!r)
        r = pfs_h5_block_of(w->h, dataset, w->path.s, &block, &why);
    if (!r) {
        pfs_h5_axes(dataset, &block, axis);
        pfs_h5_lengths(&block, axis, &shape);
        r = pfs_h5_check_shape(&shape, w->path.s, &why);
    }
    if (r < 0)
        refuse(w, &why);
    return r ? 0 : add_found(w, &block, pfs_h5_axes_tagged(dataset));
}

static herr_t see_link(hid_t group, const char *name, const H5L_info_t *info, void *walk);

static int see_group(struct walk *w, hid_t parent, const char *name)
{
    PFS_AUTO_H5 hid_t group = H5Gopen2(parent, name, H5P_DEFAULT);
    struct pfs_err why = {0};
    if (w->depth == PFS_H5_DEPTH)
        pfs_fail(&why, EFBIG, "hdf5: groups nested more than %d deep", PFS_H5_DEPTH);
    else if (group < 0)
        pfs_h5_fail(&why, EIO, "hdf5: the group '%s' cannot be read", w->path.s);
    else {
        w->depth++;
        herr_t r = H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, see_link, w);
        w->depth--;
        if (w->code)
            return 1;
        if (r < 0)
            pfs_h5_fail(&why, EIO, "hdf5: the group '%s' cannot be read", w->path.s);
    }
    if (why.code)
        refuse(w, &why);
    return 0;
}

static int see_object(struct walk *w, hid_t group, const char *name)
{
    H5O_info_t o;
    struct pfs_err why = {0};
    if (H5Oget_info_by_name(group, name, &o, H5P_DEFAULT) < 0) {
        pfs_h5_fail(&why, EIO, "hdf5: '%s' cannot be read", w->path.s);
        refuse(w, &why);
        return 0;
    }
    if (o.type != H5O_TYPE_GROUP && o.type != H5O_TYPE_DATASET)
        return 0;
    if (w->objects++ == PFS_H5_OBJECTS)
        return give_up(w, pfs_fail(w->err, EFBIG, "hdf5: more than %d groups and datasets", PFS_H5_OBJECTS));
    if (!first_visit(w, o.addr))
        return 0;
    return o.type == H5O_TYPE_GROUP ? see_group(w, group, name) : see_dataset(w);
}

static herr_t see_link(hid_t group, const char *name, const H5L_info_t *info, void *walk)
{
    struct walk *w = walk;
    struct pfs_err why = {0};
    size_t n = w->path.n;
    int r = 0;
    if (!n && *name == '#')                      /* MATLAB's #refs# and #subsystem#: what its cells are made of */
        return 0;
    pfs_text_addf(&w->path, "/%s", name);
    if (w->path.failed)
        r = give_up(w, pfs_fail(w->err, ENOMEM, "hdf5: no memory"));
    else if (info->type == H5L_TYPE_HARD)
        r = see_object(w, group, name);
    else if (info->type != H5L_TYPE_SOFT)
        pfs_fail(&why, EPERM, "hdf5: '%s' is a link into another file", w->path.s);
    else if (H5Oexists_by_name(group, name, H5P_DEFAULT) <= 0)
        pfs_fail(&why, EOPNOTSUPP, "hdf5: '%s' is a link that leads nowhere, in a circle or out of the file", w->path.s);
    if (why.code)
        refuse(w, &why);
    if (!w->path.failed)
        w->path.s[w->path.n = n] = 0;
    return r;
}

int pfs_h5_walk(struct pfs_h5 *h, struct pfs_h5_finds *ret, struct pfs_err *err)
{
    PFS_AUTO_FREE haddr_t *seen = pfs_array(SEEN, sizeof *seen);
    struct walk w = {.h = h, .finds = ret, .seen = seen, .err = err};
    if (!seen)
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    *ret = (struct pfs_h5_finds){0};
    pfs_text_add(&w.path, "");
    if (!w.path.failed)
        see_object(&w, h->file, "/");
    if (w.path.failed && !w.code)
        w.code = pfs_fail(err, ENOMEM, "hdf5: no memory");
    pfs_text_finish(&w.path);
    return w.code;
}

void pfs_h5_finds_finish(struct pfs_h5_finds *f)
{
    for (int i = 0; i < f->n; i++)
        free(f->found[i].path);
    free(f->found);
}
