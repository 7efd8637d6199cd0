/* Blobs: flat little-endian records, written into a pfs_text and read back with every bound checked.
 *
 * A reader goes bad at the first short or impossible field and then yields zeros and empty strings; check `bad`
 * (or pfs_reader_end) once at the end. Strings and bytes are lent: they live as long as the buffer. */
#ifndef PLANEFS_BLOB_H
#define PLANEFS_BLOB_H

#include <planefs/text.h>
#include <stdint.h>

struct pfs_blob { void *data; size_t size; };

void pfs_put_u8(struct pfs_text *t, uint8_t v);
void pfs_put_u32(struct pfs_text *t, uint32_t v);
void pfs_put_u64(struct pfs_text *t, uint64_t v);
void pfs_put_i64(struct pfs_text *t, int64_t v);
void pfs_put_f64(struct pfs_text *t, double v);
void pfs_put_bytes(struct pfs_text *t, const void *p, size_t n);   /* u32 length, then the bytes */
void pfs_put_str(struct pfs_text *t, const char *s);               /* as bytes, with its NUL; NULL as "" */

struct pfs_reader { const uint8_t *p, *end; bool bad; };

struct pfs_reader pfs_reader(const void *data, size_t n);
uint8_t pfs_get_u8(struct pfs_reader *r);
uint32_t pfs_get_u32(struct pfs_reader *r);
uint64_t pfs_get_u64(struct pfs_reader *r);
int64_t pfs_get_i64(struct pfs_reader *r);
double pfs_get_f64(struct pfs_reader *r);
struct pfs_blob pfs_get_bytes(struct pfs_reader *r);
const char *pfs_get_str(struct pfs_reader *r);                      /* never NULL */
int64_t pfs_get_count(struct pfs_reader *r, size_t item);           /* u64 that must leave room for that many items */
bool pfs_reader_end(const struct pfs_reader *r);                    /* not bad and nothing left */

/* Move the text's bytes into a blob (the text is empty afterwards). false when the text had failed. */
bool pfs_text_take(struct pfs_text *t, struct pfs_blob *ret);

#endif
