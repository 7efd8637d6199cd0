/* Errors: one struct per call, never sticky.
 *
 * A function that can fail returns 0 or a negative errno and puts the reason in words into *err.
 * Library code never logs, prints or exits; the reason travels up to whoever speaks to the user. */
#ifndef PLANEFS_ERR_H
#define PLANEFS_ERR_H

struct pfs_err {
    int code;        /* positive errno, 0 when nothing failed */
    char text[240];  /* one line, no newline; may hold bytes of hostile file names: escape when showing */
};

/* Set the error and return -code, so that `return pfs_fail(err, EIO, "tiff: strip %u: %s", ...)` reads well.
 * err may be NULL. */
int pfs_fail(struct pfs_err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The errno's name ("EIO"), or "E?" for one that planefs never returns. */
const char *pfs_errno_name(int code);

#endif
