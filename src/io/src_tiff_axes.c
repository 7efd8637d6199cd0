/* Pages as stacks with axes.
 *
 * Pages of one kind (size, type, channels, photometric interpretation) make a stack, in the order of their directories;
 * reduced-resolution pages and LSM thumbnails are left out. OME-XML makes stacks of its own, in another file. Of the
 * first stack ImageJ's or tifffile's description or LSM's block says how its frames lie on T, Z and C, when the
 * numbers agree with what is in the file; otherwise, and for the other stacks, pages are Z. Samples of a pixel are
 * channels, faster than channels of pages. ImageJ's `images=` is believed only for a single page that is followed by
 * enough pixels (its form beyond 4 GiB). */
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

/* ---- which pages ---- */

bool pfs_tiff_same_kind(const struct pfs_tiff_page *a, const struct pfs_tiff_page *b)
{
    return a->w == b->w && a->h == b->h && a->type == b->type && a->channels == b->channels && a->bits == b->bits &&
           a->depth == b->depth && a->photometric == b->photometric && a->mask == b->mask;
}

/* Keep what can be shown. When nothing can, the reason of the first page is the file's. */
static int understand_pages(struct pfs_tiff *t, bool *use, bool lsm, struct pfs_err *err)
{
    struct pfs_err reason = {0};
    bool any = false, full = false;
    for (int64_t i = 0; i < t->n_pages; i++) {
        int r = pfs_tiff_understand(&t->file, &t->page[i], reason.code ? NULL : &reason);
        if (r < 0 && r != -EOPNOTSUPP)
            return pfs_tiff_understand(&t->file, &t->page[i], err);
        use[i] = r == 0 && !(lsm && i % 2);
        any = any || use[i];
        full = full || (use[i] && !t->page[i].reduced);
    }
    for (int64_t i = 0; full && i < t->n_pages; i++)
        use[i] = use[i] && !t->page[i].reduced;
    return any ? 0 : pfs_fail(err, reason.code, "%s", reason.text);
}

int pfs_tiff_add_stack(struct pfs_tiff *t, struct pfs_tiff_stack **ret_stack, struct pfs_series **ret,
                       struct pfs_err *err)
{
    if (t->source.n_series >= PFS_TIFF_STACKS)
        return pfs_fail(err, EFBIG, "tiff: the pages are of more than %d kinds", PFS_TIFF_STACKS);
    int n = t->source.n_series + 1;
    void *p = realloc(t->stack, (size_t)n * sizeof *t->stack);
    t->stack = p ? p : t->stack;
    void *q = p ? realloc(t->source.series, (size_t)n * sizeof *t->source.series) : NULL;
    t->source.series = q ? q : t->source.series;
    if (!p || !q)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %d stacks", n);
    t->stack[n - 1] = (struct pfs_tiff_stack){.subs = 1};
    t->source.series[n - 1] = (struct pfs_series){0};
    t->source.n_series = n;
    *ret_stack = &t->stack[n - 1];
    *ret = &t->source.series[n - 1];
    return 0;
}

void pfs_tiff_drop_stacks(struct pfs_tiff *t, int first)
{
    for (int i = first; i < t->source.n_series; i++) {
        pfs_series_finish(&t->source.series[i]);
        free(t->stack[i].page);
        free(t->stack[i].frame);
    }
    t->source.n_series = first;
}

static int add_kind(struct pfs_tiff *t, const struct pfs_tiff_page *of, struct pfs_err *err)
{
    struct pfs_tiff_stack *stack;
    struct pfs_series *series;
    int r = pfs_tiff_add_stack(t, &stack, &series, err);
    if (r < 0)
        return r;
    stack->channels = of->channels;
    series->shape = (struct pfs_shape){.y = of->h, .x = of->w, .type = of->type};
    return 0;
}

/* kind[i]: the stack of page i, -1 for none. */
static int group(struct pfs_tiff *t, const bool *use, int32_t *kind, struct pfs_err *err)
{
    PFS_AUTO_FREE int64_t *first = pfs_array(PFS_TIFF_STACKS, sizeof *first);
    int last = 0;
    if (!first)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    for (int64_t i = 0; i < t->n_pages; i++) {
        kind[i] = -1;
        if (!use[i])
            continue;
        int k = last;            /* mostly that of the page before */
        if (k >= t->source.n_series || !pfs_tiff_same_kind(&t->page[first[k]], &t->page[i]))
            for (k = 0; k < t->source.n_series && !pfs_tiff_same_kind(&t->page[first[k]], &t->page[i]); k++)
                ;
        int r = k < t->source.n_series ? 0 : add_kind(t, &t->page[i], err);
        if (r < 0)
            return r;
        if (!t->stack[k].n_pages++)
            first[k] = i;
        kind[i] = last = k;
    }
    return 0;
}

static int list_pages(struct pfs_tiff *t, const int32_t *kind, struct pfs_err *err)
{
    for (int k = 0; k < t->source.n_series; k++) {
        t->stack[k].page = pfs_array(t->stack[k].n_pages, sizeof *t->stack[k].page);
        if (!t->stack[k].page)
            return pfs_fail(err, ENOMEM, "tiff: no memory for %lld pages", (long long)t->stack[k].n_pages);
        t->stack[k].n_pages = 0;
    }
    for (int64_t i = 0; i < t->n_pages; i++)
        if (kind[i] >= 0)
            t->stack[kind[i]].page[t->stack[kind[i]].n_pages++] = (int32_t)i;
    return 0;
}

/* ---- axes ---- */

/* How many images of the page's size lie from its first pixel to the end of the file; 0 when its own does not lie there
 * uncompressed and in one piece. */
static int64_t images_behind(struct pfs_tiff *t, const struct pfs_tiff_page *p)
{
    if (!pfs_tiff_is_raw(p) || p->bits % 8 || p->tiled || pfs_tiff_load_blocks(t, p, NULL) < 0 || !t->blocks.n)
        return 0;
    int64_t bytes = (int64_t)p->w * p->h * p->samples * (p->bits / 8), at = (int64_t)t->blocks.offset[0];
    for (int64_t i = 1; i < t->blocks.n; i++)
        if (t->blocks.offset[i] != t->blocks.offset[i - 1] + t->blocks.size[i - 1])
            return 0;
    return t->blocks.offset[0] > (uint64_t)t->file.size ? 0 : (t->file.size - at) / bytes;
}

/* A page that stands for `promised` images: the form with a single directory of ImageJ, tifffile, MetaMorph and NIH
 * Image. A lone page whose text was kept from a larger stack is just a page; the counts of the last two are no text. */
static int find_images(struct pfs_tiff *t, int64_t promised, bool sure, struct pfs_err *err)
{
    struct pfs_tiff_stack *s = &t->stack[0];
    const struct pfs_tiff_page *p = &t->page[s->page[0]];
    if (t->n_pages != 1 || promised <= 1 || p->depth > 1)
        return 0;
    int64_t there = images_behind(t, p);
    if (there >= promised)
        s->subs = promised;
    else if (sure && p->compression != 1)
        return pfs_fail(err, EOPNOTSUPP, "tiff: compressed stacks behind one directory are not supported");
    else if (sure || there > 1)
        return pfs_fail(err, EIO, "tiff: %lld images are promised, the file ends after %lld", (long long)promised,
                        (long long)there);
    return 0;
}

/* Frames laid out by dims onto t, z, c: the table of frames in the order t, z, c. */
static void lay_out(const struct pfs_tiff_dims *dims, int64_t length[3], int32_t *frame, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at[3] = {0, 0, 0}, times[3] = {1, 1, 1};
        for (int k = dims->n - 1; k >= 0; k--) {
            int a = dims->d[k].axis == 't' ? 0 : dims->d[k].axis == 'z' ? 1 : 2;
            at[a] += rest % dims->d[k].length * times[a];
            times[a] *= dims->d[k].length;
            rest /= dims->d[k].length;
        }
        frame[(at[0] * length[1] + at[1]) * length[2] + at[2]] = (int32_t)i;
    }
}

static int set_axes(struct pfs_tiff *t, int k, const struct pfs_tiff_dims *dims, struct pfs_err *err)
{
    struct pfs_tiff_stack *s = &t->stack[k];
    struct pfs_shape *shape = &t->source.series[k].shape;
    int64_t length[3] = {1, 1, 1}, channels = s->channels;
    for (int i = 0; i < dims->n; i++)
        length[dims->d[i].axis == 't' ? 0 : dims->d[i].axis == 'z' ? 1 : 2] *= dims->d[i].length;
    int64_t n = pfs_tiff_dims_product(dims);
    if (n > PFS_TIFF_PLANES / channels)
        return pfs_fail(err, EFBIG, "tiff: %lld images of %lld channels are too many planes", (long long)n,
                        (long long)channels);
    s->frame = pfs_array(n, sizeof *s->frame);
    if (!s->frame)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld images", (long long)n);
    lay_out(dims, length, s->frame, n);
    shape->t = length[0];
    shape->z = length[1];
    shape->c = length[2] * channels;
    return 0;
}

/* ImageJ counts samples as channels where a page has several. */
static struct pfs_tiff_dims imagej_dims(const struct pfs_tiff_imagej *j, int64_t n, int64_t samples)
{
    struct pfs_tiff_dims d = j->dims;
    for (int i = 0; i < d.n; i++)
        if (d.d[i].axis == 'c' && samples > 1 && d.d[i].length == samples && pfs_tiff_dims_product(&d) != n)
            d.d[i].length = 1;
    return d;
}

static int64_t promised_images(const struct pfs_tiff_about *a, const struct pfs_tiff_page *p)
{
    if (a->behind)
        return a->behind;
    if (a->lsm || (a->shaped && !a->truncated && !a->imagej))
        return 1;
    if (!a->imagej)
        return a->shaped ? pfs_tiff_dims_product(&a->shape) : 1;
    int64_t product = pfs_tiff_dims_product(&a->j.dims);
    if (product <= 1)
        return a->j.images;
    return p->samples > 1 && a->j.channels == p->samples ? product / a->j.channels : product;
}

static int first_axes(struct pfs_tiff *t, const struct pfs_tiff_about *a, struct pfs_err *err)
{
    struct pfs_tiff_stack *s = &t->stack[0];
    const struct pfs_tiff_page *p = &t->page[s->page[0]];
    struct pfs_tiff_dims plain = {1, {{'z', 0}}}, dims = plain;
    int r = find_images(t, promised_images(a, p), a->behind, err);
    if (r < 0)
        return r;
    s->subs = p->depth > 1 ? p->depth : s->subs;
    plain.d[0].length = s->n_pages * s->subs;
    bool lsm = a->lsm && pfs_tiff_lsm_dims(&a->l, plain.d[0].length, &dims);
    if (a->imagej && !a->lsm)
        dims = imagej_dims(&a->j, plain.d[0].length, p->samples);
    else if (a->shaped && !a->lsm)
        dims = a->shape;
    bool agree = pfs_tiff_dims_product(&dims) == plain.d[0].length && lsm == a->lsm;
    return set_axes(t, 0, agree ? &dims : &plain, err);
}

static int plain_axes(struct pfs_tiff *t, int k, struct pfs_err *err)
{
    t->stack[k].subs = t->page[t->stack[k].page[0]].depth;
    struct pfs_tiff_dims plain = {1, {{'z', t->stack[k].n_pages * t->stack[k].subs}}};
    return set_axes(t, k, &plain, err);
}

/* Stacks of pages of one kind. */
static int by_kind(struct pfs_tiff *t, struct pfs_tiff_directory *d, struct pfs_err *err)
{
    PFS_AUTO_FREE bool *use = pfs_array(t->n_pages, sizeof *use);
    PFS_AUTO_FREE int32_t *kind = pfs_array(t->n_pages, sizeof *kind);
    struct pfs_tiff_about a = {0};
    if (!use || !kind)
        return pfs_fail(err, ENOMEM, "tiff: no memory for %lld pages", (long long)t->n_pages);
    bool lsm = pfs_tiff_entry(d, TAG_LSM, 0);
    int r = understand_pages(t, use, lsm && t->n_pages > 1, err);
    if (r == 0 && lsm)
        r = pfs_tiff_lsm_unwrap(t, err);
    if (r < 0)
        return r;
    pfs_tiff_read_about(t, d, &a);
    if ((r = group(t, use, kind, err)) < 0 || (r = list_pages(t, kind, err)) < 0 || (r = first_axes(t, &a, err)) < 0)
        return r;
    for (int k = 1; k < t->source.n_series; k++)
        if ((r = plain_axes(t, k, err)) < 0)
            return r;
    for (int k = 0; k < t->source.n_series; k++)
        if ((r = pfs_tiff_describe(t, k, &a, d, err)) < 0)
            return r;
    return 0;
}

int pfs_tiff_axes(struct pfs_tiff *t, const char *self, struct pfs_err *err)
{
    PFS_AUTO_FREE struct pfs_tiff_directory *d = malloc(sizeof *d);
    PFS_AUTO_FREE char *xml = NULL, *master = NULL;
    if (!d)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    int r = pfs_tiff_directory(&t->file, t->page[0].ifd, d, err);
    if (r < 0)
        return r;
    if (!pfs_tiff_entry(d, TAG_LSM, 0) && (xml = pfs_tiff_xml(t, d))) {
        r = pfs_tiff_ome(t, xml, self, &master, err);
        for (int k = 0; r == 0 && k < t->source.n_series; k++)
            r = pfs_tiff_describe(t, k, NULL, d, err);
        if (r == 0 || r == -ENOMEM)
            return r;
        pfs_tiff_drop_stacks(t, 0);
        if ((r = pfs_tiff_directory(&t->file, t->page[0].ifd, d, err)) < 0)
            return r;
    }
    r = by_kind(t, d, err);
    return r == 0 && master ? pfs_tiff_name_master(t, master, err) : r;
}
