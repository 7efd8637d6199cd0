/* Inside the ENVI driver: what a header says.
 *
 *   src_envi_header.c   the text of a header -> its entries -> struct pfs_envi_header
 *   src_envi.c          the raw file beside it, and the driver */
#ifndef PLANEFS_SRC_ENVI_H
#define PLANEFS_SRC_ENVI_H

#include <planefs/io.h>
#include <stdbool.h>
#include <stdint.h>

struct pfs_envi_header {
    int64_t x, y, bands;
    enum pfs_type type;                  /* as stored: may be I8 */
    bool big_endian, esri;
    char layout[4];                      /* "BSQ", "BIL", "BIP" */
    int64_t offset;                      /* of the first sample in the raw file */
    int64_t band, row, pixel;            /* bytes from one band, row, pixel to the next */
    bool has_nodata;
    double nodata;
    char **band_name;                    /* bands names or NULL; single ones may be NULL */
    double *wavelength;                  /* bands wavelengths in nm or NULL */
};

/* Is this the beginning of a header of ENVI's own form (1), or of ESRI's (2)? 0: neither. */
int pfs_envi_form(const uint8_t *head, size_t n);
/* Parse a header of n bytes (NUL-terminated; cut into pieces). Defaults: one band, BSQ, little-endian, no offset.
 * EIO malformed, EOPNOTSUPP complex, packed bits or compressed, EFBIG over a limit. */
int pfs_envi_parse(char *text, size_t n, struct pfs_envi_header *ret, struct pfs_err *err);
void pfs_envi_finish(struct pfs_envi_header *h);

#endif
