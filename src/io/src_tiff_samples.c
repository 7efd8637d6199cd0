/* Packed samples of 1 to 64 bits as samples of a plane.
 *
 * Whole-byte depths come in the byte order of the file (from libtiff: of the machine); 24 bits are a triple in that
 * order; depths between are a bit stream, the highest bit first, whatever the byte order, each row beginning on a byte.
 * Floats of 16 and 24 bits are exact in 32 (TIFF Technical Note 3). */
#include "src_tiff.h"

#include <string.h>

static uint16_t swap16(uint16_t v) { return __builtin_bswap16(v); }
static uint32_t swap32(uint32_t v) { return __builtin_bswap32(v); }
static uint64_t swap64(uint64_t v) { return __builtin_bswap64(v); }

void pfs_tiff_swap(enum pfs_type type, void *px, int64_t n)
{
    uint16_t *p16 = px;
    uint32_t *p32 = px;
    uint64_t *p64 = px;
    switch (pfs_type_size(type)) {
    case 2: for (int64_t i = 0; i < n; i++) p16[i] = swap16(p16[i]); break;
    case 4: for (int64_t i = 0; i < n; i++) p32[i] = swap32(p32[i]); break;
    case 8: for (int64_t i = 0; i < n; i++) p64[i] = swap64(p64[i]); break;
    default: break;
    }
}

#define PICK(WORD, SWAP) \
    static void pick_##WORD(const uint8_t *row, int64_t first, int64_t step, int64_t n, bool swap, WORD *dst) \
    { \
        for (int64_t i = 0; i < n; i++) \
            memcpy(&dst[i], row + (first + i * step) * (int64_t)sizeof(WORD), sizeof(WORD)); \
        for (int64_t i = 0; swap && i < n; i++) \
            dst[i] = SWAP(dst[i]); \
    }
PICK(uint16_t, swap16)
PICK(uint32_t, swap32)
PICK(uint64_t, swap64)

static void pick_bytes(const uint8_t *row, int64_t first, int64_t step, int64_t n, uint8_t *dst)
{
    if (step == 1)
        memcpy(dst, row + first, (size_t)n);
    else
        for (int64_t i = 0; i < n; i++)
            dst[i] = row[first + i * step];
}

static bool pick_native(const struct pfs_tiff_page *p, bool swap, const uint8_t *row, int64_t first, int64_t step,
                        int64_t n, void *dst)
{
    if (!pfs_tiff_is_native(p))
        return false;
    switch (pfs_type_size(p->type)) {
    case 1: pick_bytes(row, first, step, n, dst); return true;
    case 2: pick_uint16_t(row, first, step, n, swap, dst); return true;
    case 4: pick_uint32_t(row, first, step, n, swap, dst); return true;
    default: pick_uint64_t(row, first, step, n, swap, dst); return true;
    }
}

/* Sample i of a row as an unsigned number. */
static uint64_t sample_at(const uint8_t *row, int bits, bool low_first, int64_t i)
{
    uint64_t v = 0;
    if (bits % 8 == 0 && low_first) {
        for (int b = bits / 8 - 1; b >= 0; b--)
            v = v << 8 | row[i * (bits / 8) + b];
        return v;
    }
    int64_t bit = i * bits;
    for (int left = bits; left > 0;) {
        int have = 8 - (int)(bit % 8), take = left < have ? left : have;
        v = v << take | ((row[bit / 8] >> (have - take)) & ((1u << take) - 1));
        bit += take;
        left -= take;
    }
    return v;
}

/* Sign, exponent and fraction of `e` and `f` bits as a float of 8 and 23. */
static float widen(uint32_t v, int e, int f)
{
    uint32_t sign = v >> (e + f) << 31, exponent = v >> f & ((1u << e) - 1), fraction = v & ((1u << f) - 1);
    uint32_t bias = 127 - ((1u << (e - 1)) - 1), bits;
    float x;
    if (exponent == (1u << e) - 1)
        bits = 0x7f800000 | fraction << (23 - f);
    else if (exponent)
        bits = (exponent + bias) << 23 | fraction << (23 - f);
    else {                       /* zero and denormals: an exact product */
        x = (float)fraction * (1.0f / (float)(1u << (f - 1)));
        for (int i = 0; i < (1 << (e - 1)) - 1; i++)
            x *= 0.5f;
        memcpy(&bits, &x, 4);
    }
    bits |= sign;
    memcpy(&x, &bits, 4);
    return x;
}

static int64_t signed_of(uint64_t v, int bits)
{
    return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

static void store(enum pfs_type type, uint64_t v, void *dst, int64_t i)
{
    switch (pfs_type_size(type)) {
    case 1: ((uint8_t *)dst)[i] = (uint8_t)v; break;
    case 2: ((uint16_t *)dst)[i] = (uint16_t)v; break;
    case 4: ((uint32_t *)dst)[i] = (uint32_t)v; break;
    default: ((uint64_t *)dst)[i] = v; break;
    }
}

void pfs_tiff_unpack(const struct pfs_tiff_page *p, bool swap, const uint8_t *row, int64_t first, int64_t step,
                     int64_t n, void *dst)
{
    int bits = pfs_tiff_page_bits(p);
    bool low_first = (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) != swap && (bits == 16 || bits == 24);
    if (pick_native(p, swap, row, first, step, n, dst))
        return;
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = sample_at(row, bits, low_first, first + i * step);
        if (p->type == PFS_F32)
            ((float *)dst)[i] = bits == 16 ? widen((uint32_t)v, 5, 10) : widen((uint32_t)v, 7, 16);
        else
            store(p->type, p->format == 2 ? (uint64_t)signed_of(v, bits) : v, dst, i);
    }
}
