/* Fields that several records share. A getter that meets an impossible value makes the reader bad; memory that cannot
 * be had too, so a record is checked once at its end. */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "wire/record.h"

void pfs_put_shape(struct pfs_text *t, const struct pfs_shape *s);
/* Axes >= 1, a known type, and no overflow in the bytes of the whole stack. */
struct pfs_shape pfs_get_shape(struct pfs_reader *r);

void pfs_put_at(struct pfs_text *t, struct pfs_at at);
struct pfs_at pfs_get_at(struct pfs_reader *r);            /* ordinals >= 0 */

void pfs_put_name(struct pfs_text *t, const char *s);      /* may be NULL, and NULL comes back */
char *pfs_get_name(struct pfs_reader *r);                  /* gives */
char *pfs_get_copy(struct pfs_reader *r);                  /* a string; gives; NULL only when the reader is bad */
void pfs_get_fixed(struct pfs_reader *r, char *buf, size_t size);   /* a string that must fit */
bool pfs_get_bool(struct pfs_reader *r);                   /* 0 or 1 */
int64_t pfs_get_within(struct pfs_reader *r, int64_t min, int64_t max);
/* Zeroed room for n items of a count just read, of `size` bytes each. */
void *pfs_get_room(struct pfs_reader *r, int64_t n, size_t size);

/* The end of a record: 0, or EPROTO naming it. */
int pfs_record_end(const struct pfs_reader *r, const char *what, struct pfs_err *err);

#endif
