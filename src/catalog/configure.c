/* What the configuration says of a dataset: where it lies in its whole stack, its tables and mask, its calibration. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A table's path and version; a file that is not there keeps its path, so that the views that need it say so. */
static int set_table(struct pfs_catalog *c, struct pfs_dataset *d, int k, char **path, const char *value)
{
    PFS_AUTO_CLOSE int fd = -1;
    struct stat st;
    if (!value)
        return 0;
    char *copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(*path);
    *path = copy;
    d->own->table[k] = (struct pfs_ident){0};
    if (!pfs_beneath_open(c, value, O_PATH, &fd, NULL) && !fstat(fd, &st))
        d->own->table[k] = pfs_ident_of(&st);
    if (d->own->table[k].mtime > d->mtime)
        d->mtime = d->own->table[k].mtime;
    return 0;
}

/* Band names, separated by commas: as many as there are; the rest stay as the source has them. */
static int set_names(struct pfs_dataset *d, const char *names)
{
    if (!names)
        return 0;
    if (!d->band_name && !(d->band_name = calloc((size_t)d->shape.c, sizeof *d->band_name)))
        return -ENOMEM;
    for (int64_t i = 0; i < d->shape.c && names; i++) {
        size_t n = strcspn(names, ",");
        free(d->band_name[i]);
        if (!(d->band_name[i] = strndup(names, n)))
            return -ENOMEM;
        names = names[n] ? names + n + 1 + strspn(names + n + 1, " ") : NULL;
    }
    return 0;
}

int pfs_dataset_configure(struct pfs_catalog *c, struct pfs_dataset *d)
{
    struct pfs_dataset_config k;
    pfs_config_dataset(c->config, d->path, d->name, &k);
    memcpy(d->full, k.full, sizeof d->full);
    memcpy(d->origin, k.origin, sizeof d->origin);
    d->invert = k.invert;
    d->skip_bad = k.on_bad && !strcmp(k.on_bad, "zeros");
    for (int i = 0; i < 3; i++)
        if (k.voxel[i] > 0)
            d->shape.cal.voxel[i] = k.voxel[i];
    if (k.unit) {
        memset(d->shape.cal.unit, 0, sizeof d->shape.cal.unit);
        strncpy(d->shape.cal.unit, k.unit, sizeof d->shape.cal.unit - 1);
    }
    int r = set_table(c, d, 0, &d->info, k.info);
    if (!r)
        r = set_table(c, d, 1, &d->model, k.model);
    if (!r)
        r = set_table(c, d, 2, &d->mask, k.mask);
    return r ? r : set_names(d, k.names);
}
