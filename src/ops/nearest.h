/* The nearest of some names, for "did you mean". */
#ifndef OPS_NEAREST_H
#define OPS_NEAREST_H

#include <stddef.h>

/* Damerau's distance (optimal string alignment) between two words; words beyond 63 bytes count as far. Pure. */
int pfs_edit_distance(const char *a, const char *b);

struct pfs_nearest { const char *wanted, *name; int distance; };   /* begin with {wanted, NULL, 0} */

/* Offer a candidate; lends its name to *n. */
void pfs_nearest_offer(struct pfs_nearest *n, const char *name);
/* The best candidate when it is near enough to be a slip of the pen, else NULL. */
const char *pfs_nearest_name(const struct pfs_nearest *n);
/* `; did you mean "scales"?` or "" into buf; returns buf. */
const char *pfs_nearest_hint(const struct pfs_nearest *n, char *buf, size_t size);

#endif
