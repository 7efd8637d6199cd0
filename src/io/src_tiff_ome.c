/* OME-XML in a TIFF file: its images as stacks of pages.
 *
 * The text says where each plane lies; a plane may lie in another file or nowhere, then its frame is -1. Sizes and
 * types are those of the pages. A text that contradicts the pages is not believed at all: the file is then read as
 * if it had none. A file that only names the one with the text (BinaryOnly) is read so too, with its pages told apart. */
#include "src_ome.h"
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Samples of a pixel: of the first page the image has here, else as the text says. */
static int64_t samples_of(const struct pfs_tiff *t, const struct pfs_ome *o, const struct pfs_ome_image *im)
{
    for (int i = 0; i < im->n_runs || i == 0; i++)
        if (!im->n_runs || (pfs_ome_is_own(o, &im->run[i]) && im->run[i].ifd < t->n_pages)) {
            struct pfs_tiff_page *p = &t->page[!im->n_runs || im->run[i].ifd < 0 ? 0 : im->run[i].ifd];
            pfs_tiff_understand(&t->file, p, NULL);
            return p->channels;
        }
    int64_t said = im->n_channels ? im->channel[0].samples : 1;
    return said > 1 && im->c % said == 0 && said <= UINT16_MAX ? said : 1;
}

/* The stack's own pages, in the order of its planes. */
static int take_pages(struct pfs_tiff *t, struct pfs_tiff_stack *s, struct pfs_series *series, struct pfs_err *err)
{
    int64_t n = pfs_shape_planes(&series->shape) / s->channels;
    s->page = pfs_array(n, sizeof *s->page);
    s->frame = pfs_array(n, sizeof *s->frame);
    if (!s->page || !s->frame)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld pages", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const struct pfs_piece *at = &series->piece[i * s->channels];
        s->frame[i] = -1;
        if (at->file)
            continue;
        struct pfs_tiff_page *p = &t->page[at->page], *first = s->n_pages ? &t->page[s->page[0]] : p;
        int r = pfs_tiff_understand(&t->file, p, err);
        if (r < 0)
            return r;
        if (p->channels != s->channels || p->depth > 1 || !pfs_tiff_same_kind(first, p))
            return pfs_fail(err, EIO, "ome: an image of pages that differ");
        s->frame[i] = (int32_t)s->n_pages;
        s->page[s->n_pages++] = at->page;
    }
    return 0;
}

static int add_image(struct pfs_tiff *t, const struct pfs_ome *o, const struct pfs_ome_image *im, struct pfs_err *err)
{
    struct pfs_tiff_stack *s;
    struct pfs_series *series;
    int r = pfs_tiff_add_stack(t, &s, &series, err);
    if (r < 0)
        return r;
    s->channels = samples_of(t, o, im);
    r = s->channels ? pfs_ome_series(o, im, t->n_pages, s->channels, series, err)
                    : pfs_fail(err, EIO, "ome: an image of pages that cannot be read");
    if (r < 0 || (r = take_pages(t, s, series, err)) < 0)
        return r;
    if (s->n_pages) {
        const struct pfs_tiff_page *p = &t->page[s->page[0]];
        series->shape.x = p->w;
        series->shape.y = p->h;
        series->shape.type = p->type;
        int bits = pfs_tiff_page_bits(p);
        series->bits = series->bits > 0 && series->bits < bits ? series->bits : bits;
    } else if (series->shape.type == PFS_NONE)
        r = pfs_fail(err, EIO, "ome: an image of an unknown type");
    else if (!series->bits)
        series->bits = 8 * (int)pfs_type_size(series->shape.type);
    return r;
}

/* Images without a plane anywhere are left out. */
static int add_images(struct pfs_tiff *t, const struct pfs_ome *o, struct pfs_err *err)
{
    for (int i = 0; i < o->n_images; i++) {
        if (!o->image[i].pixels)
            continue;
        int r = add_image(t, o, &o->image[i], err);
        if (r == -ENOENT)
            pfs_tiff_drop_stacks(t, t->source.n_series - 1);
        else if (r < 0)
            return r;
    }
    return t->source.n_series ? 0 : pfs_fail(err, EIO, "ome: no image has a plane");
}

int pfs_tiff_ome(struct pfs_tiff *t, const char *text, const char *self, char **ret_master, struct pfs_err *err)
{
    struct pfs_ome o;
    *ret_master = NULL;
    int r = pfs_ome_parse(text, strlen(text), &o, err);
    if (r < 0)
        return r;
    pfs_ome_know(&o, self);
    if (o.master && !o.n_images && strcasecmp(o.master, self)) {
        *ret_master = PFS_TAKE(o.master);
        r = -ENOENT;
    } else if ((r = add_images(t, &o, err)) < 0)
        pfs_tiff_drop_stacks(t, 0);
    pfs_ome_finish(&o);
    return r;
}

int pfs_tiff_name_master(struct pfs_tiff *t, const char *master, struct pfs_err *err)
{
    for (int k = 0; k < t->source.n_series; k++) {
        struct pfs_series *series = &t->source.series[k];
        const struct pfs_tiff_stack *s = &t->stack[k];
        int64_t n = pfs_shape_planes(&series->shape);
        if (!(series->master = strdup(master)) || !(series->piece = pfs_array(n, sizeof *series->piece)))
            return pfs_fail(err, ENOMEM, "tiff: no memory for %lld planes", (long long)n);
        for (int64_t i = 0; i < n; i++)
            series->piece[i] = (struct pfs_piece){0, s->page[s->frame[i / s->channels] / s->subs],
                                                  (int32_t)(i % s->channels)};
    }
    return 0;
}
