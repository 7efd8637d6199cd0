/* A growing buffer of bytes: text for people, JSON, and blobs for the wire. */
#ifndef PLANEFS_TEXT_H
#define PLANEFS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct pfs_text {      /* {0} is an empty one */
    char *s;           /* always NUL-terminated once something was added */
    size_t n, cap;
    bool failed;       /* memory ran out: contents are not to be used */
};

void pfs_text_bytes(struct pfs_text *t, const void *p, size_t n);
void pfs_text_add(struct pfs_text *t, const char *s);
void pfs_text_addf(struct pfs_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pfs_text_fill(struct pfs_text *t, char byte, size_t n);
void pfs_text_json(struct pfs_text *t, const char *s);      /* quoted JSON string, pure ASCII; bad UTF-8 as \ufffd */
size_t pfs_json_length(const char *s);                      /* bytes pfs_text_json would add */
void pfs_text_plain(struct pfs_text *t, const char *s);     /* control bytes and backslash as \xHH: safe on a terminal */
void pfs_text_finish(struct pfs_text *t);                   /* release */

#define PFS_AUTO_TEXT __attribute__((cleanup(pfs_text_finish)))

#endif
