/* Samples of planes as numbers: reading them in native order, writing them in decimal. */
#include "files/samples.h"

#include <errno.h>
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

/* By hand: planes of millions of samples are written so. */
static void whole(uint64_t magnitude, bool negative, char text[PFS_SAMPLE_MAX])
{
    char digit[20];
    int n = 0;
    do {
        digit[n++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (negative)
        *text++ = '-';
    while (n)
        *text++ = digit[--n];
    *text = 0;
}

/* The fewest digits that read back as the same value: 9 do for every float32, 17 for every float64. */
static void real(double v, bool single, char text[PFS_SAMPLE_MAX])
{
    if (!isfinite(v)) {
        strcpy(text, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    if (v > -1e6 && v < 1e6 && v == (double)(int64_t)v && !(v == 0 && signbit(v))) {
        whole((uint64_t)fabs(v), v < 0, text);
        return;
    }
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        snprintf(text, PFS_SAMPLE_MAX, "%.*g", digits, v);
        if (single ? (double)strtof(text, NULL) == v : strtod(text, NULL) == v)
            return;
    }
}

#define UNSIGNED(T) \
    { T v; memcpy(&v, sample, sizeof v); whole(v, false, text); } break
#define SIGNED(T) \
    { T v; memcpy(&v, sample, sizeof v); whole(v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, text); } break

void pfs_sample_text(enum pfs_type type, const void *sample, char text[PFS_SAMPLE_MAX])
{
    float f;
    double d;
    switch (type) {
    case PFS_U8: UNSIGNED(uint8_t);
    case PFS_U16: UNSIGNED(uint16_t);
    case PFS_U32: UNSIGNED(uint32_t);
    case PFS_U64: UNSIGNED(uint64_t);
    case PFS_I8: SIGNED(int8_t);
    case PFS_I16: SIGNED(int16_t);
    case PFS_I32: SIGNED(int32_t);
    case PFS_I64: SIGNED(int64_t);
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
