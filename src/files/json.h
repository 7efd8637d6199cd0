/* JSON whose length does not depend on its numbers: plain ASCII, values in columns of fixed width.
 *
 * What is known from shape and metadata is written as it is; what must first be computed is written through the
 * functions with a width, so that a report is exactly as long before its numbers are known as afterwards. White space
 * between values means nothing in JSON. NaN and infinity are null; integers stay integers.
 * Threads: pure. */
#ifndef PLANEFS_JSON_H
#define PLANEFS_JSON_H

#include <planefs/text.h>
#include <stdint.h>

enum { PFS_JSON_INT = 20, PFS_JSON_REAL = 24 };    /* columns that any 64-bit integer, any double fits */

/* The shortest decimal that gives the same double back, as JSON, Java and ImageJ read it; v is finite. */
enum { PFS_NUMBER_MAX = 25 };
void pfs_number(double v, char text[PFS_NUMBER_MAX]);

void pfs_json_key(struct pfs_text *t, const char *key);            /* "key": on a new line, unless it is the first */
void pfs_json_open(struct pfs_text *t, char bracket);              /* { or [ */
void pfs_json_close(struct pfs_text *t, char bracket);             /* } or ] */
void pfs_json_comma(struct pfs_text *t);                           /* between values; nothing after { or [ */

/* As long as they are. */
void pfs_json_int(struct pfs_text *t, int64_t v);
void pfs_json_real(struct pfs_text *t, double v);
void pfs_json_str(struct pfs_text *t, const char *s);              /* NULL: null */

/* Right-aligned in PFS_JSON_INT or PFS_JSON_REAL columns. */
void pfs_json_wide_int(struct pfs_text *t, int64_t v);
void pfs_json_wide_uint(struct pfs_text *t, uint64_t v);
void pfs_json_wide_real(struct pfs_text *t, double v);
void pfs_json_wide_null(struct pfs_text *t, int width);
/* A string of at most `width` bytes with its quotes, cut to fit, and blanks behind; NULL: null. width >= 4 */
void pfs_json_wide_str(struct pfs_text *t, const char *s, size_t width);
/* Blanks until the text is `width` longer than it was at `start`; nothing when it is that long already. */
void pfs_json_pad(struct pfs_text *t, size_t start, size_t width);

#endif
