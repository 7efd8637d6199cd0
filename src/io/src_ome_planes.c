/* An image of OME-XML as a series: its axes and names, and for every plane the file and the page it lies on.
 *
 * Runs of planes are counted in the image's own order. A run that does not say how long it is goes on to the next run
 * (or the end of the pages), as Bio-Formats reads it. Planes no run speaks of are nowhere. A file that was renamed is
 * known by its UUID, or because the text names one other file and no more. */
#include "src_ome.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct spot { int32_t file, page; bool certain, goes_on; };     /* file as in pfs_piece */

struct layout {
    const struct pfs_ome *o;
    const struct pfs_ome_image *im;
    int64_t n_pages, samples;
    int64_t length[3];                   /* z, c, t; c in pages */
    int order[3];                        /* which of them, fastest first */
    int64_t n, work;
    struct spot *spot;                   /* in the image's order */
};

/* ---- files ---- */

static bool says_own(const struct pfs_ome *o, const struct pfs_ome_run *r)
{
    return (!r->file && !r->uuid) || (r->uuid && o->uuid && !strcmp(r->uuid, o->uuid)) ||
           (r->file && o->self && !strcasecmp(r->file, o->self));
}

/* No run is the file's own, and all name one same file: it is this one, renamed. */
static bool is_renamed(const struct pfs_ome *o)
{
    const char *name = NULL;
    for (int i = 0; i < o->n_images; i++)
        for (int k = 0; k < o->image[i].n_runs; k++) {
            const struct pfs_ome_run *r = &o->image[i].run[k];
            if (says_own(o, r) || !r->file || (name && strcmp(r->file, name)))
                return false;
            name = r->file;
        }
    return name;
}

void pfs_ome_know(struct pfs_ome *o, const char *self)
{
    o->self = self;
    o->renamed = self && is_renamed(o);
}

bool pfs_ome_is_own(const struct pfs_ome *o, const struct pfs_ome_run *r)
{
    return o->self && (o->renamed || says_own(o, r));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the other files, each once. */
static int name_files(const struct layout *l, struct pfs_series *s, struct pfs_err *err)
{
    PFS_AUTO_FREE char **name = pfs_array(l->im->n_runs + 1, sizeof *name);
    int n = 0;
    if (!name)
        return pfs_fail(err, ENOMEM, "ome: no memory");
    for (int i = 0; i < l->im->n_runs; i++)
        if (l->im->run[i].file && !pfs_ome_is_own(l->o, &l->im->run[i]))
            name[n++] = l->im->run[i].file;
    qsort(name, (size_t)n, sizeof *name, compare_names);
    if (!(s->file = pfs_array(n + 1, sizeof *s->file)))
        return pfs_fail(err, ENOMEM, "ome: no memory");
    for (int i = 0; i < n; i++)
        if ((!i || strcmp(name[i], name[i - 1])) && !(s->file[s->n_files++] = strdup(name[i])))
            return pfs_fail(err, ENOMEM, "ome: no memory");
    return 0;
}

static int32_t file_of(const struct layout *l, const struct pfs_series *s, const struct pfs_ome_run *r)
{
    if (pfs_ome_is_own(l->o, r))
        return 0;
    char **at = r->file ? bsearch(&r->file, s->file, (size_t)s->n_files, sizeof *s->file, compare_names) : NULL;
    return at ? (int32_t)(at - s->file) + 1 : -1;
}

/* ---- runs ---- */

static int64_t position(const struct layout *l, const struct pfs_ome_run *r)
{
    int64_t first[3] = {r->z, r->c / l->samples, r->t}, at = 0;
    for (int i = 2; i >= 0; i--) {
        if (first[l->order[i]] >= l->length[l->order[i]])
            return -1;
        at = at * l->length[l->order[i]] + first[l->order[i]];
    }
    return at;
}

static int put_run(struct layout *l, const struct pfs_ome_run *r, int32_t file, struct pfs_err *err)
{
    int64_t at = position(l, r), page = r->ifd < 0 ? 0 : r->ifd, count = r->count < 0 ? 1 : r->count;
    if (at < 0 || file < 0 || page > INT32_MAX - l->n)
        return 0;
    count = count < l->n - at ? count : l->n - at;
    if ((l->work += count) > 4 * l->n + l->im->n_runs)
        return pfs_fail(err, EIO, "ome: planes are described over and over");
    for (int64_t i = 0; i < count; i++)
        l->spot[at + i] = (struct spot){file, (int32_t)(page + i), true, r->count < 0 && r->ifd < 0};
    return 0;
}

static void run_on(struct layout *l)
{
    for (int64_t i = 1; i < l->n; i++)
        if (!l->spot[i].certain && l->spot[i - 1].goes_on) {
            l->spot[i] = l->spot[i - 1];
            l->spot[i].page++;
            l->spot[i].certain = false;
        }
}

static int put_runs(struct layout *l, struct pfs_series *s, struct pfs_err *err)
{
    static const struct pfs_ome_run everything = {.ifd = -1, .count = -1};
    int r = name_files(l, s, err);
    for (int64_t i = 0; i < l->n; i++)
        l->spot[i].file = -1;
    for (int i = 0; r == 0 && i < l->im->n_runs; i++)
        r = put_run(l, &l->im->run[i], file_of(l, s, &l->im->run[i]), err);
    if (r == 0 && !l->im->n_runs && l->o->self && l->o->n_images == 1)
        r = put_run(l, &everything, 0, err);
    run_on(l);
    return r;
}

/* ---- pieces ---- */

/* From the image's order to t, z, c. */
static int64_t to_pieces(const struct layout *l, struct pfs_series *s)
{
    int64_t found = 0;
    for (int64_t i = 0; i < l->n; i++) {
        int64_t rest = i, at[3];
        struct spot spot = l->spot[i];
        for (int k = 0; k < 3; k++) {
            at[l->order[k]] = rest % l->length[l->order[k]];
            rest /= l->length[l->order[k]];
        }
        if (spot.file == 0 && spot.page >= l->n_pages)
            spot.file = -1;
        found += spot.file >= 0;
        struct pfs_piece *to = &s->piece[((at[2] * l->length[0] + at[0]) * l->length[1] + at[1]) * l->samples];
        for (int32_t k = 0; k < l->samples; k++)
            to[k] = (struct pfs_piece){spot.file, spot.file < 0 ? 0 : spot.page, spot.file < 0 ? 0 : k};
    }
    return found;
}

static int lay_out(struct layout *l, struct pfs_series *s, struct pfs_err *err)
{
    l->length[0] = l->im->z;
    l->length[1] = s->shape.c / l->samples;
    l->length[2] = l->im->t;
    for (int i = 0; i < 3; i++)
        l->order[i] = l->im->order[i] == 'Z' ? 0 : l->im->order[i] == 'C' ? 1 : 2;
    l->n = l->length[0] * l->length[1] * l->length[2];
    PFS_AUTO_FREE struct spot *spot = pfs_array(l->n, sizeof *spot);
    s->piece = pfs_array(l->n * l->samples, sizeof *s->piece);
    if (!spot || !s->piece)
        return pfs_fail(err, ENOMEM, "ome: no memory for %lld planes", (long long)l->n);
    l->spot = spot;
    int r = put_runs(l, s, err);
    if (r == 0 && !to_pieces(l, s))
        r = pfs_fail(err, ENOENT, "ome: an image none of whose planes is anywhere");
    return r;
}

/* ---- what else is said ---- */

/* A channel of several samples gives its name to none of them. */
static int name_bands(const struct pfs_ome_image *im, int64_t samples, struct pfs_series *s, struct pfs_err *err)
{
    bool any = false, waves = true;
    if (samples != 1 || im->n_channels != s->shape.c)
        return 0;
    for (int i = 0; i < im->n_channels; i++) {
        any = any || im->channel[i].name;
        waves = waves && im->channel[i].wavelength > 0;
    }
    if ((any && !(s->band_name = pfs_array(s->shape.c, sizeof *s->band_name))) ||
        (waves && !(s->wavelength = pfs_array(s->shape.c, sizeof *s->wavelength))))
        return pfs_fail(err, ENOMEM, "ome: no memory for names");
    for (int i = 0; i < im->n_channels; i++) {
        if (any && im->channel[i].name && !(s->band_name[i] = strdup(im->channel[i].name)))
            return pfs_fail(err, ENOMEM, "ome: no memory for names");
        if (waves)
            s->wavelength[i] = im->channel[i].wavelength;
    }
    return 0;
}

static int check_sizes(const struct pfs_ome_image *im, int64_t samples, int64_t *ret_c, struct pfs_err *err)
{
    int64_t n, bytes;
    *ret_c = im->c == 1 ? samples : im->c;           /* some count a colour as one channel */
    if (!im->pixels || im->x < 1 || im->y < 1 || im->z < 1 || im->c < 1 || im->t < 1 || *ret_c % samples)
        return pfs_fail(err, EIO, "ome: an image of impossible sizes");
    if (__builtin_mul_overflow(im->z, *ret_c, &n) || __builtin_mul_overflow(n, im->t, &n) || n > PFS_OME_PLANES)
        return pfs_fail(err, EFBIG, "ome: an image of more than %d planes", PFS_OME_PLANES);
    if (__builtin_mul_overflow(im->x, im->y, &bytes) || bytes > INT32_MAX)
        return pfs_fail(err, EFBIG, "ome: planes of more than 2 gigapixels");
    return 0;
}

int pfs_ome_series(const struct pfs_ome *o, const struct pfs_ome_image *im, int64_t n_pages, int64_t samples,
                   struct pfs_series *s, struct pfs_err *err)
{
    struct layout l = {.o = o, .im = im, .n_pages = n_pages, .samples = samples};
    int64_t c;
    int r = check_sizes(im, samples, &c, err);
    if (r < 0)
        return r;
    s->shape = (struct pfs_shape){.t = im->t, .z = im->z, .c = c, .y = im->y, .x = im->x, .type = im->type,
                                  .cal = im->cal};
    s->bits = im->bits;
    snprintf(s->format, sizeof s->format, "OME-TIFF");
    if (!(s->name = strdup(im->name ? im->name : "")))
        return pfs_fail(err, ENOMEM, "ome: no memory");
    r = lay_out(&l, s, err);
    return r < 0 ? r : name_bands(im, samples, s, err);
}
