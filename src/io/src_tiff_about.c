/* What directories say beyond pixels: which program wrote the file, its description of the axes; calibration, nodata,
 * georeferencing and names of a series.
 *
 * GeoTIFF's tags are carried as they are, to be copied into what is written; their meaning is not looked at. */
#include "src_ome.h"
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 65536, GEO_MAX = 1 << 20 };

static bool ends_as_ome(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e)
{
    PFS_AUTO_FREE char *tail = NULL;
    uint64_t from = e->count > 64 ? e->count - 64 : 0;
    if (pfs_tiff_text(f, e, from, 64, &tail, NULL) < 0)
        return false;
    size_t n = strlen(tail);
    while (n && strchr(" \r\n\t", tail[n - 1]))
        n--;
    return n >= 4 && !memcmp(tail + n - 4, "OME>", 4);
}

char *pfs_tiff_xml(struct pfs_tiff *t, const struct pfs_tiff_directory *d)
{
    char *text = NULL;
    for (int nth = 0; nth < 2; nth++) {      /* some writers give two descriptions */
        const struct pfs_tiff_entry *e = pfs_tiff_entry(d, TAG_DESCRIPTION, nth);
        if (e && e->count <= PFS_OME_BYTES && ends_as_ome(&t->file, e))
            return pfs_tiff_text(&t->file, e, 0, PFS_OME_BYTES, &text, NULL) < 0 ? NULL : text;
    }
    return NULL;
}

/* MetaMorph counts its images by the values of a tag; NIH Image has a record with the number of slices at byte 260. */
static int64_t images_behind(struct pfs_tiff *t, const struct pfs_tiff_directory *d)
{
    const struct pfs_tiff_entry *stk = pfs_tiff_entry(d, TAG_STK, 0), *nih = pfs_tiff_entry(d, TAG_NIH, 0);
    uint8_t n[2];
    if (stk)
        return stk->count < INT32_MAX ? (int64_t)stk->count : 0;
    if (!nih || nih->at < 0 || pfs_tiff_entry_bytes(nih) < 262 || pfs_tiff_read(&t->file, nih->at + 260, n, 2, NULL) < 0)
        return 0;
    uint64_t slices = pfs_tiff_integer(&t->file, n, 2);
    return slices > 1 && slices <= INT16_MAX ? (int64_t)slices : 0;
}

void pfs_tiff_read_about(struct pfs_tiff *t, const struct pfs_tiff_directory *d, struct pfs_tiff_about *a)
{
    const struct pfs_tiff_entry *lsm = pfs_tiff_entry(d, TAG_LSM, 0);
    a->behind = images_behind(t, d);
    a->lsm = lsm;
    if (lsm)
        pfs_tiff_lsm(&t->file, lsm, &a->l);
    for (int nth = 0; nth < 2; nth++) {
        PFS_AUTO_FREE char *s = NULL;
        const struct pfs_tiff_entry *e = pfs_tiff_entry(d, TAG_DESCRIPTION, nth);
        if (!e || pfs_tiff_text(&t->file, e, 0, TEXT_MAX, &s, NULL) < 0)
            continue;
        if (!a->imagej && pfs_tiff_is_imagej(s)) {
            a->imagej = true;
            pfs_tiff_parse_imagej(s, &a->j);
        } else if (!a->shaped) {
            a->shaped = pfs_tiff_parse_shaped(s, &t->page[0], &a->shape, &a->truncated);
        }
    }
}

/* ---- a series ---- */

static void nodata(struct pfs_tiff *t, const struct pfs_tiff_directory *d, struct pfs_series *s)
{
    PFS_AUTO_FREE char *text = NULL;
    const struct pfs_tiff_entry *e = pfs_tiff_entry(d, TAG_NODATA, 0);
    char *end;
    if (!e || pfs_tiff_text(&t->file, e, 0, 64, &text, NULL) < 0)
        return;
    s->nodata = strtod(text, &end);
    s->has_nodata = end != text;
}

static void put_number(uint8_t *to, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

/* One tag in little-endian order behind those that are there. */
static int add_geo_tag(struct pfs_tiff *t, const struct pfs_tiff_entry *e, struct pfs_series *s, struct pfs_err *err)
{
    int64_t bytes = pfs_tiff_entry_bytes(e), n = e->count ? bytes / (int64_t)e->count : 0;
    if (bytes < 1 || e->at < 0 || bytes > GEO_MAX || (int64_t)s->n_geo > GEO_MAX || e->count > UINT32_MAX)
        return 0;                            /* what is broken here harms no pixel */
    uint8_t *geo = realloc(s->geo, s->n_geo + 8 + (size_t)bytes);
    if (!geo)
        return pfs_fail(err, ENOMEM, "tiff: no memory for tag %d", e->tag);
    s->geo = geo;
    uint8_t *to = geo + s->n_geo;
    if (pfs_tiff_read(&t->file, e->at, to + 8, bytes, NULL) < 0)
        return 0;
    put_number(to, e->tag, 2);
    put_number(to + 2, e->type, 2);
    put_number(to + 4, e->count, 4);
    for (uint64_t i = 0; i < e->count; i++)
        put_number(to + 8 + i * (uint64_t)n, pfs_tiff_integer(&t->file, to + 8 + i * (uint64_t)n, (int)n), (int)n);
    s->n_geo += 8 + (size_t)bytes;
    return 0;
}

static int georeference(struct pfs_tiff *t, const struct pfs_tiff_directory *d, struct pfs_series *s,
                        struct pfs_err *err)
{
    static const struct { uint16_t tag; uint8_t type; } tags[] = {
        {33550, 12}, {33922, 12}, {34264, 12}, {34735, 3}, {34736, 12}, {34737, 2}, {TAG_NODATA, 2}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        const struct pfs_tiff_entry *e = pfs_tiff_entry(d, tags[i].tag, 0);
        int r = e && e->type == tags[i].type ? add_geo_tag(t, e, s, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ImageJ's numbers for signed 16-bit samples have 32768 added. */
static void imagej_calibration(const struct pfs_tiff_imagej *j, const struct pfs_tiff_page *p,
                               struct pfs_calibration *cal)
{
    *cal = j->cal;
    bool shifted = p->type == PFS_I16 && p->bits == 16 && cal->range[0] < cal->range[1];
    for (int i = 0; shifted && i < 2; i++)
        cal->range[i] -= 32768;
}

static const char *format_of(const struct pfs_tiff *t, const struct pfs_tiff_about *a)
{
    return a->lsm ? "LSM" : a->imagej ? "ImageJ TIFF" : t->file.big_tiff ? "BigTIFF" : "TIFF";
}

int pfs_tiff_describe(struct pfs_tiff *t, int k, const struct pfs_tiff_about *a, struct pfs_tiff_directory *d,
                      struct pfs_err *err)
{
    struct pfs_series *s = &t->source.series[k];
    if (!t->stack[k].n_pages)
        return 0;
    const struct pfs_tiff_page *p = &t->page[t->stack[k].page[0]];
    const char *name = pfs_tiff_compression(p->compression);
    struct pfs_calibration *cal = &s->shape.cal;
    int r = pfs_tiff_directory(&t->file, p->ifd, d, err);
    if (r < 0)
        return r;
    if (a && a->imagej)
        imagej_calibration(&a->j, p, cal);
    if (a && a->lsm && (r = pfs_tiff_lsm_describe(&t->file, &a->l, s, err)) < 0)
        return r;
    if (a && !(cal->voxel[1] > 0 && cal->voxel[2] > 0))
        pfs_tiff_calibrate(&t->file, d, cal);
    nodata(t, d, s);
    if (name)
        snprintf(s->compression, sizeof s->compression, "%s", name);
    else
        snprintf(s->compression, sizeof s->compression, "%d", p->compression);
    if (a) {
        s->bits = pfs_tiff_page_bits(p);
        snprintf(s->format, sizeof s->format, "%s", format_of(t, a));
        if (!(s->name = strdup("")))
            return pfs_fail(err, ENOMEM, "tiff: no memory");
    }
    return georeference(t, d, s, err);
}
