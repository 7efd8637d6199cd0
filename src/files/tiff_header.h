/* Headers of uncompressed TIFF and BigTIFF files: all IFDs in front, zeros, then the planes one behind the other.
 *
 *     [file header][IFD 0][its strings and rationals][IFD 1] ... [IFD n-1][zeros][plane 0][plane 1] ...
 *
 * The pixels begin at a multiple of 4096, at least 4096 zero bytes behind the last byte that means something: a
 * program that reads on a little behind the header touches no pixel. One sample a pixel, one strip a plane,
 * SampleFormat always, PhotometricInterpretation 1, and no Orientation tag, which would make ImageJ ignore `images=`.
 *
 * Three forms. Up to 4 GiB: classic TIFF with every IFD. Beyond: classic TIFF with one IFD and contiguous planes, which
 * ImageJ, Fiji, tifffile and Bio-Formats read by the description's `images=`. With `big`, or when a single plane is too
 * long for 32 bits: BigTIFF with every IFD.
 * Source: TIFF 6.0 (Adobe 1992); BigTIFF (awaresystems.be); ImageJ ij/io/TiffDecoder.java.
 * Threads: pure. */
#ifndef PLANEFS_TIFF_HEADER_H
#define PLANEFS_TIFF_HEADER_H

#include <planefs/err.h>
#include <planefs/shape.h>
#include <planefs/text.h>

enum { PFS_TIFF_PAGE = 4096, PFS_TIFF_MAX_IFDS = 1 << 20 };   /* libtiff follows no more IFDs than that */

struct pfs_tiff {
    int64_t n, y, x;                 /* planes, rows, columns; all >= 1 */
    enum pfs_type type;
    bool big_endian;                 /* of header and pixels */
    bool big;                        /* BigTIFF at any size */
    const char *description;         /* ASCII, lent; NULL or "": no ImageDescription */
    double pixel[2];                 /* size of a pixel along y and x; 0: not known, no resolution tags */
};

struct pfs_tiff_layout {
    bool big;                        /* BigTIFF */
    int64_t n_ifds;                  /* n, or 1: planes found by the description alone */
    int64_t head;                    /* bytes in front of the first plane */
    int64_t plane;                   /* bytes of a plane */
    int64_t size;                    /* of the whole file */
};

/* Where everything lies. EFBIG: sides over 2^32-1, more than PFS_TIFF_MAX_IFDS IFDs, sizes over 2^63.
 * O(1), builds nothing. */
int pfs_tiff_header_layout(const struct pfs_tiff *t, struct pfs_tiff_layout *ret, struct pfs_err *err);

/* Append the bytes in front of the first plane: layout.head of them. O(n_ifds). */
int pfs_tiff_header(const struct pfs_tiff *t, struct pfs_text *ret, struct pfs_err *err);

/* v as num / den in lowest terms, both at most 2^31-1 (some programs read rationals as signed): the best one by its
 * continued fraction. false when v is not positive and finite, or the best one is off by more than 1e-6 of v. */
bool pfs_tiff_rational(double v, uint32_t *num, uint32_t *den);

#endif
