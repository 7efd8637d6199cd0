/* File kinds: how a stack or a set of numbers becomes the bytes of a named file.
 *
 * A kind says its pattern, its exact size (no pixel is read for it), and either the header and the planes behind it, or
 * the text of a report. To add one: src/files/NAME.c and a line in src/files/files.def; lookup and readdir come from
 * the pattern.
 *
 * Patterns: path parts separated by '/'. {t} {z} {c} {y} {x} are canonical decimal numbers as shown to users
 * (section numbers), {n} a small number, {name} a plane's NAME, {view} a view's text (with @parameters). "[t{t}/]" is
 * listed only where T > 1. A number part ({t} {z} {c} ...) is found by lookup but its folder lists nothing beyond
 * existing planes.
 * A literal part or {view} may carry @key=value,... before its suffix when `parameters` is set. */
#ifndef PLANEFS_FILES_H
#define PLANEFS_FILES_H

#include "engine/engine.h"

struct pfs_name {                    /* what a path names, enough to make its bytes */
    const struct pfs_kind *kind;
    struct pfs_dataset *dataset;
    struct pfs_view_on *view;        /* the view shown or, for a report, worked on; never NULL */
    char *model;                     /* reports: the kind's model with its parameters; NULL: the kind has none */
    struct pfs_at at;                /* ordinals */
    int64_t y, x, n;
};

struct pfs_kind {
    const char *pattern, *doc;
    const char *view;                /* view of kinds without {view}: "source" */
    bool planes;                     /* header and planes; else a report */
    bool live;                       /* content may change while mtime does not: never cached by the kernel */
    bool listed;                     /* shown by readdir (a {view} pattern: for each listed view) */
    const char *model;               /* reports: operator whose table is needed, NULL: none */
    const char *number;              /* parameter of the view that {n} is, NULL: none */

    int (*size)(const struct pfs_name *n, int64_t *ret, struct pfs_err *err);

    /* planes: the bytes in front of the pixels, then n_planes planes, each view->shape's plane long and all in the
     * header's byte order: little-endian where head is NULL, and nothing stands in front. A plane without a file
     * (pfs_dataset_file < 0) is zeros where there are several. A header of n planes costs O(n): build it once for an
     * open file.
     * reports: the planes that must be ready before `text` is called, which then looks them up; NULL: none. */
    int (*head)(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err);
    int64_t (*n_planes)(const struct pfs_name *n);
    struct pfs_at (*plane)(const struct pfs_name *n, int64_t i);

    /* reports: exactly size bytes. `table` is empty when model is NULL. May take a while (info.json probes sections,
     * a preview reads its plane): not for a thread that must not wait. */
    int (*text)(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err);

    /* tables: `head`, then a line of exactly `width` bytes for each of n_planes planes, each made of what its plane alone
     * teaches the model's operator: table, or why there is none (code, a positive errno). Lines are made as they are
     * read. NULL: not a table. */
    int64_t (*width)(const struct pfs_name *n);
    void (*line)(const struct pfs_name *n, int64_t i, struct pfs_blob table, int code, char *ret);

    bool (*applies)(const struct pfs_dataset *d);   /* is it there for this dataset at all; NULL: always */
};

extern const struct pfs_kind *const pfs_kinds[];    /* NULL-terminated, from files.def */

/* Does the path of some kind begin with this name, so that no view can have it? */
bool pfs_kind_begins(const char *name);

/* Is this kind there for this dataset at all (pca only with bands ...)? */
bool pfs_kind_applies(const struct pfs_kind *k, const struct pfs_dataset *d);

#endif
