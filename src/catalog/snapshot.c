/* Folders in use: references to a snapshot, and finding an item or a reason in it by name. */
#include "catalog/own.h"

#include <stdlib.h>
#include <string.h>

const char *pfs_path_last(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void pfs_item_release(struct pfs_item *item)
{
    pfs_dataset_unref(item->dataset);
    pfs_folder_unref(item->series);
    free(item->name);
    free(item->path);
}

const char *pfs_item_full_name(const struct pfs_item *item)
{
    if (item->series)
        return pfs_path_last(item->series->path);
    if (!item->dataset)
        return NULL;
    return item->dataset->sections ? item->dataset->file[0].stem : pfs_path_last(item->dataset->file[0].path);
}

void pfs_folder_ref(struct pfs_folder *f)
{
    __atomic_add_fetch(&f->own->refs, 1, __ATOMIC_RELAXED);
}

void pfs_folder_unref(struct pfs_folder *f)
{
    if (!f || __atomic_sub_fetch(&f->own->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (int64_t i = 0; i < f->n_items; i++)
        pfs_item_release(&f->item[i]);
    pfs_dataset_unref(f->self);
    for (int64_t i = 0; i < f->own->n_absent; i++) {
        free(f->own->absent[i].name);
        free(f->own->absent[i].reason);
    }
    free(f->own->absent);
    free(f->item);
    free(f->path);
    free(f->own);
    free(f);
}

const struct pfs_item *pfs_folder_item(const struct pfs_folder *f, const char *name)
{
    int64_t low = 0, high = f->n_items;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int r = strcmp(f->item[middle].name, name);
        if (!r)
            return &f->item[middle];
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (int64_t i = 0; i < f->n_items; i++) {
        const char *full = f->item[i].dataset && f->item[i].dataset->sections ? NULL : pfs_item_full_name(&f->item[i]);
        if (full && !strcmp(full, name))
            return &f->item[i];
    }
    return NULL;
}

const char *pfs_folder_reason(const struct pfs_folder *f, const char *name)
{
    for (int64_t i = 0; i < f->own->n_absent; i++)
        if (!strcmp(f->own->absent[i].name, name))
            return f->own->absent[i].reason;
    return NULL;
}
