/* Fields that several records share, and the limits that hostile records break. */
#include "wire/fields.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* No axis, and no stack's bytes, beyond what an off_t reaches with room for headers. */
static const int64_t bytes_max = INT64_MAX / 4;

void pfs_put_shape(struct pfs_text *t, const struct pfs_shape *s)
{
    const double cal[] = {s->cal.voxel[0], s->cal.voxel[1], s->cal.voxel[2], s->cal.interval, s->cal.range[0],
                          s->cal.range[1]};
    char unit[sizeof s->cal.unit] = "";
    const int64_t axes[] = {s->t, s->z, s->c, s->y, s->x};
    for (int i = 0; i < 5; i++)
        pfs_put_i64(t, axes[i]);
    pfs_put_u8(t, (uint8_t)s->type);
    for (int i = 0; i < 6; i++)                       /* an unknown or silly size is no size */
        pfs_put_f64(t, isfinite(cal[i]) && (cal[i] >= 0 || i >= 4) ? cal[i] : 0);
    memcpy(unit, s->cal.unit, strnlen(s->cal.unit, sizeof unit - 1));
    pfs_put_str(t, unit);
}

static bool shape_fits(const struct pfs_shape *s)
{
    int64_t planes = pfs_shape_planes(s), bytes = pfs_shape_plane_bytes(s), all;
    return planes > 0 && bytes > 0 && !__builtin_mul_overflow(planes, bytes, &all) && all <= bytes_max;
}

struct pfs_shape pfs_get_shape(struct pfs_reader *r)
{
    struct pfs_shape s = {0};
    int64_t *const axes[] = {&s.t, &s.z, &s.c, &s.y, &s.x};
    double *const cal[] = {&s.cal.voxel[0], &s.cal.voxel[1], &s.cal.voxel[2], &s.cal.interval, &s.cal.range[0],
                           &s.cal.range[1]};
    for (int i = 0; i < 5; i++)
        *axes[i] = pfs_get_within(r, 1, bytes_max);
    s.type = (enum pfs_type)pfs_get_u8(r);
    if (s.type <= PFS_NONE || s.type >= PFS_N_TYPES)
        r->bad = true;
    for (int i = 0; i < 6; i++) {
        *cal[i] = pfs_get_f64(r);
        if (!isfinite(*cal[i]) || (*cal[i] < 0 && i < 4))
            r->bad = true;
    }
    pfs_get_fixed(r, s.cal.unit, sizeof s.cal.unit);
    if (r->bad || !shape_fits(&s)) {
        r->bad = true;
        return (struct pfs_shape){0};
    }
    return s;
}

void pfs_put_at(struct pfs_text *t, struct pfs_at at)
{
    pfs_put_i64(t, at.t);
    pfs_put_i64(t, at.z);
    pfs_put_i64(t, at.c);
}

struct pfs_at pfs_get_at(struct pfs_reader *r)
{
    struct pfs_at at;
    at.t = pfs_get_within(r, 0, INT64_MAX);
    at.z = pfs_get_within(r, 0, INT64_MAX);
    at.c = pfs_get_within(r, 0, INT64_MAX);
    return at;
}

void pfs_put_name(struct pfs_text *t, const char *s)
{
    pfs_put_u8(t, s != NULL);
    if (s)
        pfs_put_str(t, s);
}

char *pfs_get_name(struct pfs_reader *r)
{
    return pfs_get_bool(r) ? pfs_get_copy(r) : NULL;
}

char *pfs_get_copy(struct pfs_reader *r)
{
    const char *s = pfs_get_str(r);
    char *copy = r->bad ? NULL : strdup(s);
    if (!copy)
        r->bad = true;
    return copy;
}

void pfs_get_fixed(struct pfs_reader *r, char *buf, size_t size)
{
    const char *s = pfs_get_str(r);
    size_t n = strlen(s);
    if (n >= size) {
        r->bad = true;
        n = 0;
    }
    memcpy(buf, s, n);
    buf[n] = 0;
}

bool pfs_get_bool(struct pfs_reader *r)
{
    uint8_t v = pfs_get_u8(r);
    if (v > 1)
        r->bad = true;
    return v == 1;
}

int64_t pfs_get_within(struct pfs_reader *r, int64_t min, int64_t max)
{
    int64_t v = pfs_get_i64(r);
    if (!r->bad && v >= min && v <= max)
        return v;
    r->bad = true;
    return min;
}

void *pfs_get_room(struct pfs_reader *r, int64_t n, size_t size)
{
    void *p = r->bad ? NULL : pfs_array(n, size);
    if (!p)
        r->bad = true;
    return p;
}

int pfs_record_end(const struct pfs_reader *r, const char *what, struct pfs_err *err)
{
    return pfs_reader_end(r) ? 0 : pfs_fail(err, EPROTO, "malformed %s record", what);
}
