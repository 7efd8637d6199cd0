/* planefs info: the data sets of a source, without mounting. Folders are read as they are come to. */
#include "cli/cli.h"
#include "fs/mount.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pfs_cmd_info(int argc, char **argv);

struct survey { struct pfs_catalog *catalog; int64_t found; };

static void print_name(const char *name)
{
    PFS_AUTO_TEXT struct pfs_text plain = {0};
    pfs_text_plain(&plain, name);
    printf("%s\n", plain.s ? plain.s : "");
}

static void print_axes(const struct pfs_shape *s)
{
    const int64_t n[] = {s->t, s->z, s->c, s->y, s->x};
    char axes[6] = "";
    printf("  shape        ");
    for (int i = 0; i < 5; i++) {
        if (n[i] == 1 && i < 3)
            continue;
        printf("%s%lld", *axes ? " x " : "", (long long)n[i]);
        strncat(axes, &"TZCYX"[i], 1);
    }
    printf("\n  axes         %s\n", axes);
}

static void print_voxel(const struct pfs_calibration *cal)
{
    if (cal->voxel[1] > 0 || cal->voxel[2] > 0 || cal->voxel[0] > 0)
        printf("  voxel        %g x %g x %g %s (z, y, x)\n", cal->voxel[0], cal->voxel[1], cal->voxel[2], cal->unit);
    if (cal->interval > 0)
        printf("  interval     %g s\n", cal->interval);
}

static void print_dataset(struct survey *s, const struct pfs_dataset *d)
{
    print_name(*d->path ? d->path : d->name);
    print_axes(&d->shape);
    printf("  type         %s (%d bits)\n", pfs_type_name(d->shape.type), d->bits);
    printf("  format       %s, compression %s\n", d->format, d->compression);
    printf("  files        %lld, %lld bytes\n", (long long)d->n_files, (long long)d->files_bytes);
    print_voxel(&d->shape.cal);
    int64_t missing = pfs_shape_planes(&d->shape) - pfs_dataset_planes(d);
    if (missing)
        printf("  missing      %lld planes\n", (long long)missing);
    s->found++;
}

static int print_folder(struct survey *s, const char *path, struct pfs_err *err)
{
    struct pfs_folder *folder;
    int r = pfs_catalog_folder(s->catalog, path, true, &folder, err);
    if (r)
        return r;
    if (folder->self)
        print_dataset(s, folder->self);
    for (int64_t i = 0; !folder->self && i < folder->n_items && !r; i++) {
        const struct pfs_item *item = &folder->item[i];
        if (item->kind == PFS_ITEM_DATASET)
            print_dataset(s, item->dataset);
        else
            r = print_folder(s, item->path, err);
    }
    pfs_folder_unref(folder);
    return r;
}

static int run(const struct pfs_options *o)
{
    struct pfs_err err = {0};
    struct pfs_engine *engine;
    struct pfs_engine_options options;
    struct pfs_paths paths;
    int r = pfs_engine_options_fill(o, &paths, &options, &err);
    if (!r)
        r = pfs_engine_create(&options, &engine, &err);
    if (!r) {
        struct survey s = {.catalog = pfs_engine_catalog(engine)};
        r = print_folder(&s, "", &err);
        if (!r && !s.found)
            r = pfs_fail(&err, ENOENT, "%s: no data sets", o->source);
        pfs_engine_destroy(engine);
    }
    pfs_paths_finish(&paths);
    return r ? pfs_complain(PFS_EXIT_SOURCE, &err) : PFS_EXIT_OK;
}

int pfs_cmd_info(int argc, char **argv)
{
    struct pfs_options o;
    struct pfs_err err = {0};
    int status;
    if (pfs_options_parse(argc, argv, 1, &o, &err))
        status = pfs_complain(PFS_EXIT_USAGE, &err);
    else if (o.help || o.version)
        status = puts("usage: planefs info SOURCE [-o cache=FOLDER,config=FILE]") > 0 ? PFS_EXIT_OK : PFS_EXIT_SOURCE;
    else
        status = run(&o);
    pfs_options_finish(&o);
    return status;
}
