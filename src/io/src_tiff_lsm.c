/* Zeiss LSM: the block of tag 34412 (axes, voxel size, time, channel names), and offsets beyond 4 GiB.
 *
 * Every second page of such a file is a thumbnail. Offsets are 32 bits wide and simply start over beyond 4 GiB; pixels
 * lie in the order of their pages, so an offset that is less than the last one has started over. Files of several
 * positions, whose pixels are interleaved, are unwrapped in page order too. */
#include "src_ome.h"
#include "src_tiff.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 1 << 16, CHANNELS_MAX = 4096 };
#define WRAP ((int64_t)1 << 32)

static double real_at(const struct pfs_tiff_file *f, const uint8_t *b)
{
    uint64_t bits = pfs_tiff_integer(f, b, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return isfinite(v) && v > 0 && v < 1e12 ? v : 0;
}

void pfs_tiff_lsm(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, struct pfs_tiff_lsm *ret)
{
    uint8_t b[120];
    *ret = (struct pfs_tiff_lsm){0};
    if (e->at < 0 || e->count < sizeof b || pfs_tiff_entry_bytes(e) != (int64_t)e->count ||
        pfs_tiff_read(f, e->at, b, sizeof b, NULL) < 0)
        return;
    uint64_t magic = pfs_tiff_integer(f, b, 4);
    if (magic != 0x0300494c && magic != 0x0400494c)
        return;
    ret->z = (int64_t)pfs_tiff_integer(f, b + 16, 4);
    ret->c = (int64_t)pfs_tiff_integer(f, b + 20, 4);
    ret->t = (int64_t)pfs_tiff_integer(f, b + 24, 4);
    for (int i = 0; i < 3; i++)              /* x, y, z in metres */
        ret->voxel[2 - i] = pfs_short_decimal(real_at(f, b + 40 + 8 * i) * 1e6, 1e-9);
    ret->interval = real_at(f, b + 112);
    int64_t at = (int64_t)pfs_tiff_integer(f, b + 108, 4);
    uint8_t head[24];
    if (!at || pfs_tiff_read(f, at, head, sizeof head, NULL) < 0)
        return;
    int64_t size = (int64_t)pfs_tiff_integer(f, head, 4), names = (int64_t)pfs_tiff_integer(f, head + 16, 4);
    if (names >= 24 && size > names && size - names <= NAMES_MAX && at + size <= f->size) {
        ret->names_at = at + names;
        ret->names_size = size - names;
    }
}

bool pfs_tiff_lsm_dims(const struct pfs_tiff_lsm *l, int64_t n, struct pfs_tiff_dims *ret)
{
    int64_t z = l->z > 0 && l->z <= n ? l->z : 1, t = l->t > 0 && l->t <= n ? l->t : 1;
    if (z * t != n)                          /* scans along z or t have that axis inside their pages */
        z = z == n ? z : t == n ? 1 : 0;
    if (!z)
        return false;
    *ret = (struct pfs_tiff_dims){2, {{'t', n / z}, {'z', z}}};
    return true;
}

/* Names: each a length and that many bytes, NUL included. */
static int read_names(struct pfs_tiff_file *f, const struct pfs_tiff_lsm *l, char **name, int64_t n,
                      struct pfs_err *err)
{
    PFS_AUTO_FREE uint8_t *b = malloc((size_t)l->names_size);
    if (!b)
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    if (pfs_tiff_read(f, l->names_at, b, l->names_size, NULL) < 0)
        return 0;
    for (int64_t i = 0, at = 0; i < n && at + 4 <= l->names_size; i++) {
        int64_t size = (int64_t)pfs_tiff_integer(f, b + at, 4);
        at += 4;
        if (size > l->names_size - at)
            break;
        if (size > 1 && !(name[i] = strndup((char *)b + at, (size_t)size)))
            return pfs_fail(err, ENOMEM, "tiff: no memory");
        at += size;
    }
    return 0;
}

int pfs_tiff_lsm_describe(struct pfs_tiff_file *f, const struct pfs_tiff_lsm *l, struct pfs_series *s,
                          struct pfs_err *err)
{
    memcpy(s->shape.cal.voxel, l->voxel, sizeof l->voxel);
    s->shape.cal.interval = s->shape.t > 1 ? l->interval : 0;
    if (l->voxel[1] > 0 || l->voxel[2] > 0)
        strcpy(s->shape.cal.unit, "um");
    if (!l->names_at || l->c != s->shape.c || l->c > CHANNELS_MAX)
        return 0;
    if (!(s->band_name = pfs_array(s->shape.c, sizeof *s->band_name)))
        return pfs_fail(err, ENOMEM, "tiff: no memory");
    return read_names(f, l, s->band_name, s->shape.c, err);
}

/* ---- beyond 4 GiB ---- */

static int first_offset(struct pfs_tiff_file *f, const struct pfs_tiff_page *p, uint64_t *ret, struct pfs_err *err)
{
    *ret = 0;
    return p->offset.count ? pfs_tiff_numbers(f, &p->offset, 0, 1, ret, err) : 0;
}

/* How often the offsets of a page start over among themselves; *last: the last of them. */
static int wraps_inside(struct pfs_tiff_file *f, const struct pfs_tiff_page *p, uint64_t *last, int64_t *wrap,
                        struct pfs_err *err)
{
    uint64_t v[256];
    for (uint64_t i = 0; i < p->offset.count; i += 256) {
        uint64_t n = p->offset.count - i < 256 ? p->offset.count - i : 256;
        int r = pfs_tiff_numbers(f, &p->offset, i, n, v, err);
        if (r < 0)
            return r;
        for (uint64_t k = 0; k < n; k++) {
            *wrap += v[k] < *last ? WRAP : 0;
            *last = v[k];
        }
    }
    return 0;
}

int pfs_tiff_lsm_unwrap(struct pfs_tiff *t, struct pfs_err *err)
{
    uint64_t last = 0, first[2] = {0, 0};
    int64_t wrap = 0;
    int r = 0;
    if (t->file.size <= WRAP || t->file.big_tiff)
        return 0;
    for (int i = 0; i < 2 && i < t->n_pages; i++)
        if ((r = first_offset(&t->file, &t->page[i], &first[i], err)) < 0)
            return r;
    int64_t swap = t->n_pages % 2 == 0 && first[0] > first[1];       /* thumbnails lie before their pages */
    for (int64_t i = 0; i < t->n_pages && r == 0; i++) {
        struct pfs_tiff_page *p = &t->page[i ^ swap];
        uint64_t start;
        if ((r = first_offset(&t->file, p, &start, err)) < 0)
            break;
        p->wrap = wrap + (start < last ? WRAP : 0);
        r = wraps_inside(&t->file, p, &last, &wrap, err);
        if (wrap && p->compression != 1)
            return pfs_fail(err, EOPNOTSUPP, "tiff: compressed LSM files beyond 4 GiB are not supported");
    }
    return r;
}

void pfs_tiff_lsm_offsets(const struct pfs_tiff_page *p, uint64_t *offset, int64_t n)
{
    uint64_t last = 0, wrap = (uint64_t)p->wrap;
    for (int64_t i = 0; i < n; i++) {
        wrap += offset[i] < last ? (uint64_t)WRAP : 0;
        last = offset[i];
        offset[i] += wrap;
    }
}
