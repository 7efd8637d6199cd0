/* Samples of planes as numbers: reading them in native order, writing them in decimal. */
#include "files/samples.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pfs_samples_open(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_pixels **ret,
                     struct pfs_err *err)
{
    struct pfs_err why = {0};
    bool unsure = false;
    int percent = 0;
    *ret = NULL;
    enum pfs_state s = pfs_engine_look(e, v, at, true, &unsure, &percent, ret, &why);
    if (s == PFS_READY && *ret)
        return 0;
    if (s == PFS_ERROR && why.code)
        return pfs_fail(err, why.code, "%s", why.text);
    return pfs_fail(err, EIO, "the plane is not ready any more; read again");
}

static void swap(uint8_t *p, int64_t n, size_t size)
{
    for (; n > 0; n--, p += size)
        for (size_t i = 0; i < size / 2; i++) {
            uint8_t b = p[i];
            p[i] = p[size - 1 - i];
            p[size - 1 - i] = b;
        }
}

int pfs_samples_read(struct pfs_pixels *p, enum pfs_type type, int64_t first, int64_t n, void *dst,
                     struct pfs_err *err)
{
    size_t size = pfs_type_size(type);
    int r = pfs_pixels_read(p, first * (int64_t)size, n * (int64_t)size, dst, false, err);
    if (r == -EBADMSG)
        return pfs_fail(err, EIO, "the cached plane was damaged; read again");
    if (!r && size > 1 && pfs_pixels_big_endian(p) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
        swap(dst, n, size);
    return r;
}

/* The fewest digits that read back as the same value: 9 do for every float32, 17 for every float64. */
static void real(double v, bool single, char text[PFS_SAMPLE_MAX])
{
    if (!isfinite(v)) {
        strcpy(text, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        snprintf(text, PFS_SAMPLE_MAX, "%.*g", digits, v);
        if (single ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v)
            return;
    }
}

#define INTEGER(T, FORMAT) \
    do { \
        T v; \
        memcpy(&v, sample, sizeof v); \
        snprintf(text, PFS_SAMPLE_MAX, "%" FORMAT, v); \
    } while (0)

void pfs_sample_text(enum pfs_type type, const void *sample, char text[PFS_SAMPLE_MAX])
{
    float f;
    double d;
    switch (type) {
    case PFS_U8: INTEGER(uint8_t, PRIu8); break;
    case PFS_U16: INTEGER(uint16_t, PRIu16); break;
    case PFS_U32: INTEGER(uint32_t, PRIu32); break;
    case PFS_U64: INTEGER(uint64_t, PRIu64); break;
    case PFS_I8: INTEGER(int8_t, PRId8); break;
    case PFS_I16: INTEGER(int16_t, PRId16); break;
    case PFS_I32: INTEGER(int32_t, PRId32); break;
    case PFS_I64: INTEGER(int64_t, PRId64); break;
    case PFS_F32: memcpy(&f, sample, sizeof f); real(f, true, text); break;
    case PFS_F64: memcpy(&d, sample, sizeof d); real(d, false, text); break;
    default: *text = 0; break;
    }
}

int pfs_sample_width(enum pfs_type type)
{
    static const int width[PFS_N_TYPES] = {
        [PFS_U8] = 3, [PFS_U16] = 5, [PFS_U32] = 10, [PFS_U64] = 20, [PFS_I8] = 4, [PFS_I16] = 6, [PFS_I32] = 11,
        [PFS_I64] = 20, [PFS_F32] = 15, [PFS_F64] = 24
    };
    return width[type];
}
