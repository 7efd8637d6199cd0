/* The probe record: the series of a file, and where each of their planes lies. */
#include "wire/fields.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXTENT_BYTES = 8 + 1 + 8 + 8 + 8 + 4,
    PIECE_BYTES = 3 * 4,
    SERIES_BYTES = 5 + (5 * 8 + 1 + 6 * 8 + 5) + 4 + 5 + 5 + 1 + 1 + 1 + 8 + 4 + 1 + 1,    /* at least */
    COMPANIONS_MAX = 1 << 20,
};

static void put_extent(struct pfs_text *t, const struct pfs_extent *e)
{
    pfs_put_i64(t, e->raw);
    pfs_put_u8(t, e->big_endian);
    pfs_put_i64(t, e->stored);
    pfs_put_i64(t, e->stored_size);
    pfs_put_u64(t, e->codec);
    pfs_put_u32(t, (uint32_t)e->file);
}

/* Both ranges begin at -1 (there is none) or end within what an off_t reaches, in one of the source's files. */
static void get_extent(struct pfs_reader *r, int64_t plane_bytes, int n_companions, struct pfs_extent *ret)
{
    ret->raw = pfs_get_within(r, -1, INT64_MAX - plane_bytes);
    ret->big_endian = pfs_get_bool(r);
    ret->stored = pfs_get_within(r, -1, INT64_MAX);
    ret->stored_size = pfs_get_within(r, -1, INT64_MAX);
    ret->codec = pfs_get_u64(r);
    uint32_t file = pfs_get_u32(r);
    ret->file = (int)file;
    if (file > (uint32_t)n_companions)
        r->bad = true;
    if (ret->stored_size >= 0 && ret->stored > INT64_MAX - ret->stored_size)
        r->bad = true;
}

static void put_pieces(struct pfs_text *t, const struct pfs_series *s, int64_t planes)
{
    pfs_put_name(t, s->master);
    pfs_put_u8(t, s->piece != NULL);
    if (!s->piece)
        return;
    pfs_put_u64(t, (uint64_t)s->n_files);
    for (int i = 0; i < s->n_files; i++)
        pfs_put_str(t, s->file[i]);
    for (int64_t i = 0; i < planes; i++) {
        pfs_put_u32(t, (uint32_t)(s->piece[i].file + 1));
        pfs_put_u32(t, (uint32_t)s->piece[i].page);
        pfs_put_u32(t, (uint32_t)s->piece[i].sample);
    }
}

static void put_series(struct pfs_text *t, const struct pfs_probed_series *p)
{
    const struct pfs_series *s = &p->s;
    int64_t planes = pfs_shape_planes(&s->shape);
    pfs_put_str(t, s->name);
    pfs_put_shape(t, &s->shape);
    pfs_put_u32(t, (uint32_t)s->bits);
    pfs_put_str(t, s->format);
    pfs_put_str(t, s->compression);
    pfs_put_u8(t, s->band_name != NULL);
    for (int64_t i = 0; s->band_name && i < s->shape.c; i++)
        pfs_put_name(t, s->band_name[i]);
    pfs_put_u8(t, s->wavelength != NULL);
    for (int64_t i = 0; s->wavelength && i < s->shape.c; i++)
        pfs_put_f64(t, s->wavelength[i]);
    pfs_put_u8(t, s->has_nodata);
    pfs_put_f64(t, s->nodata);
    pfs_put_bytes(t, s->geo, s->n_geo);
    put_pieces(t, s, planes);
    for (int64_t i = 0; i < planes; i++)
        put_extent(t, &p->extent[i]);
}

static bool has_room(const struct pfs_reader *r, int64_t n, size_t item)
{
    return !r->bad && n >= 0 && (uint64_t)n <= (size_t)(r->end - r->p) / item;
}

static void get_bands(struct pfs_reader *r, struct pfs_series *s)
{
    if (pfs_get_bool(r) && has_room(r, s->shape.c, 1) && (s->band_name = pfs_get_room(r, s->shape.c, sizeof(char *))))
        for (int64_t i = 0; i < s->shape.c; i++)
            s->band_name[i] = pfs_get_name(r);
    if (pfs_get_bool(r) && has_room(r, s->shape.c, 8) && (s->wavelength = pfs_get_room(r, s->shape.c, sizeof(double))))
        for (int64_t i = 0; i < s->shape.c; i++)
            s->wavelength[i] = pfs_get_f64(r);
}

/* A plain name of a file: no way out of its folder. */
static bool is_plain(const char *name)
{
    return name && *name && *name != '.' && !strchr(name, '/');
}

static int32_t get_ordinal(struct pfs_reader *r, int32_t min, int32_t max)
{
    int64_t v = (int64_t)pfs_get_u32(r) + min;
    if (v > max)
        r->bad = true;
    return r->bad ? min : (int32_t)v;
}

static void get_pieces(struct pfs_reader *r, struct pfs_series *s, int64_t planes)
{
    s->master = pfs_get_name(r);
    if (s->master && !is_plain(s->master))
        r->bad = true;
    if (!pfs_get_bool(r))
        return;
    int64_t n = pfs_get_count(r, 5);
    if (n > INT32_MAX || !(s->file = pfs_get_room(r, n + 1, sizeof *s->file))) {
        r->bad = true;
        return;
    }
    for (; !r->bad && s->n_files < n; s->n_files++)
        if (!is_plain(s->file[s->n_files] = pfs_get_copy(r)))
            r->bad = true;
    if (!has_room(r, planes, PIECE_BYTES) || !(s->piece = pfs_get_room(r, planes, sizeof *s->piece))) {
        r->bad = true;
        return;
    }
    for (int64_t i = 0; i < planes; i++)
        s->piece[i] = (struct pfs_piece){get_ordinal(r, -1, s->n_files), get_ordinal(r, 0, INT32_MAX),
                                         get_ordinal(r, 0, UINT16_MAX)};
}

static void get_geo(struct pfs_reader *r, struct pfs_series *s)
{
    struct pfs_blob geo = pfs_get_bytes(r);
    if (geo.size && (s->geo = pfs_get_room(r, (int64_t)geo.size, 1))) {
        memcpy(s->geo, geo.data, geo.size);
        s->n_geo = geo.size;
    }
}

static void get_series(struct pfs_reader *r, int n_companions, struct pfs_probed_series *p)
{
    struct pfs_series *s = &p->s;
    s->name = pfs_get_copy(r);
    s->shape = pfs_get_shape(r);
    s->bits = (int)pfs_get_u32(r);
    if (s->bits < 1 || s->bits > 64)
        r->bad = true;
    pfs_get_fixed(r, s->format, sizeof s->format);
    pfs_get_fixed(r, s->compression, sizeof s->compression);
    get_bands(r, s);
    s->has_nodata = pfs_get_bool(r);
    s->nodata = pfs_get_f64(r);
    get_geo(r, s);
    int64_t planes = pfs_shape_planes(&s->shape);
    if (!r->bad)
        get_pieces(r, s, planes);
    if (!has_room(r, planes, EXTENT_BYTES) || !(p->extent = pfs_get_room(r, planes, sizeof *p->extent))) {
        r->bad = true;
        return;
    }
    for (int64_t i = 0; i < planes; i++)
        get_extent(r, pfs_shape_plane_bytes(&s->shape), n_companions, &p->extent[i]);
}

void pfs_probe_put(struct pfs_text *t, const struct pfs_probe *p)
{
    pfs_put_str(t, p->driver);
    pfs_put_u32(t, p->rev);
    pfs_put_u64(t, (uint64_t)p->n_companions);
    for (int i = 0; i < p->n_companions; i++)
        pfs_put_str(t, p->companion[i]);
    pfs_put_u64(t, (uint64_t)p->n_series);
    for (int i = 0; i < p->n_series; i++)
        put_series(t, &p->series[i]);
}

static void get_companions(struct pfs_reader *r, struct pfs_probe *p)
{
    int64_t n = pfs_get_count(r, 5);
    if (n > COMPANIONS_MAX)
        r->bad = true;
    if (r->bad || !n || !(p->companion = pfs_get_room(r, n, sizeof *p->companion)))
        return;
    for (p->n_companions = (int)n, n = 0; n < p->n_companions; n++)
        p->companion[n] = pfs_get_copy(r);
}

int pfs_probe_get(struct pfs_blob b, struct pfs_probe *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    *ret = (struct pfs_probe){0};
    pfs_get_fixed(&r, ret->driver, sizeof ret->driver);
    ret->rev = pfs_get_u32(&r);
    get_companions(&r, ret);
    int64_t n = pfs_get_count(&r, SERIES_BYTES);
    if (n < 1 || n > INT32_MAX)
        r.bad = true;
    if ((ret->series = pfs_get_room(&r, n, sizeof *ret->series)))
        ret->n_series = (int)n;
    for (int i = 0; !r.bad && i < ret->n_series; i++)
        get_series(&r, ret->n_companions, &ret->series[i]);
    int e = pfs_record_end(&r, "probe", err);
    if (e)
        pfs_probe_finish(ret);
    return e;
}

static void finish_series(struct pfs_probed_series *p)
{
    struct pfs_series *s = &p->s;
    for (int64_t i = 0; s->band_name && i < s->shape.c; i++)
        free(s->band_name[i]);
    for (int i = 0; i < s->n_files; i++)
        free(s->file[i]);
    free(s->file);
    free(s->piece);
    free(s->master);
    free(s->geo);
    free(s->band_name);
    free(s->wavelength);
    free(s->name);
    free(p->extent);
}

void pfs_probe_finish(struct pfs_probe *p)
{
    for (int i = 0; i < p->n_series; i++)
        finish_series(&p->series[i]);
    for (int i = 0; i < p->n_companions; i++)
        free(p->companion[i]);
    free(p->companion);
    free(p->series);
    *p = (struct pfs_probe){0};
}
