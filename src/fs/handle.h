/* Open files. Opening never waits for a job: it finds out whether the file is ready, and holds what is.
 * Threads: any; reference-counted. */
#ifndef PLANEFS_FS_HANDLE_H
#define PLANEFS_FS_HANDLE_H

#include "fs/tree.h"

#include <pthread.h>

struct pfs_handle {
    struct pfs_tree *tree;
    struct pfs_node node;             /* held */
    struct pfs_name name;             /* kind == NULL: words of the tree, complete in `text` */
    int64_t size;
    int64_t planes, plane_bytes;      /* files of planes: how many, and how long each is */
    _Atomic int64_t lines;            /* tables: how many lines have been read */
    bool big_endian;                  /* byte order of the header and so of all samples */
    bool ready;                       /* was ready when it was opened */
    bool cached;                      /* the kernel may keep its pages */
    int refs;

    pthread_mutex_t lock;             /* of what follows */
    struct pfs_text head, text;       /* text.s == NULL: not made yet */
    struct pfs_pixels *pixels;        /* of a single plane, once ready */
    pthread_mutex_t making;           /* held while `text` is made */
};

/* gives; takes over the node when it succeeds. ESTALE: a source changed since the node was looked up. EAGAIN: not to be
 * told without waiting. */
int pfs_handle_open(struct pfs_tree *t, struct pfs_node node, bool wait, struct pfs_handle **ret, struct pfs_err *err);
struct pfs_handle *pfs_handle_ref(struct pfs_handle *h);
void pfs_handle_unref(struct pfs_handle *h);

/* The header of a file of planes, made once; lent by the handle. */
int pfs_handle_head(struct pfs_handle *h, const struct pfs_text **ret, struct pfs_err *err);
/* The single plane, if it is at hand: gives a reference or NULL; and remember or forget one. */
struct pfs_pixels *pfs_handle_pixels(struct pfs_handle *h);
void pfs_handle_set_pixels(struct pfs_handle *h, struct pfs_pixels *pixels);
/* A report's text: false while it is not made. The bytes are lent and never change. */
bool pfs_handle_text(struct pfs_handle *h, const char **ret);
/* Make it, from the table its kind needs. Reads pixels for some kinds: only in threads that may wait. */
int pfs_handle_write(struct pfs_handle *h, struct pfs_blob table, struct pfs_err *err);

#endif
