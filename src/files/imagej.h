/* ImageJ's ImageDescription: the lines that tell ImageJ, Fiji and tifffile what a TIFF's planes mean.
 *
 *     ImageJ=1.53t
 *     images=96            N > 1: and channels, slices, frames that are longer than 1, hyperstack=true
 *     unit=um              only with the size of a pixel along y and x: 1 unit is no pixel size
 *     spacing=160          along z
 *     finterval=30         seconds
 *     min=50
 *     max=1579
 *     planefs=0.1.0 RECIPE
 *
 * Plain ASCII: ImageJ reads the lines as Java properties, where other bytes come out wrong. Other characters of a unit
 * are written as \uXXXX, micrometres in all their spellings as `um`.
 * Source: ImageJ ij/io/{FileSaver,FileOpener}.java, tried with 1.53t. Threads: pure. */
#ifndef PLANEFS_IMAGEJ_H
#define PLANEFS_IMAGEJ_H

#include <planefs/shape.h>
#include <planefs/text.h>

/* Append the description of a file of s->t * s->z * s->c planes, channels fastest, without a line's end. `recipe` is
 * plain text; bytes of it that would not survive are written as '?'. */
void pfs_imagej_describe(struct pfs_text *ret, const struct pfs_shape *s, const char *recipe);

/* The unit as planefs writes it everywhere: "um" for micrometres in all their spellings, else as it is. */
const char *pfs_imagej_unit(const char *unit);

#endif
