/* For the tests of the TIFF driver: files made by libtiff in memory, samples from a hash, a source opened on them. */
#ifndef PLANEFS_TIFF_MAKE_H
#define PLANEFS_TIFF_MAKE_H

#include <planefs/io.h>
#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tiffio.h>
#include <unistd.h>

struct made {                     /* how a page is written */
    uint32_t w, h;
    int bits, samples, format, compression, photometric, predictor;
    bool separate;
    uint32_t rows, tile_w, tile_h;    /* rows per strip, or tiles */
    const char *description;
    uint32_t subfile;
    uint32_t seed;                /* of the samples */
};

static inline int get_dup(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)name;
    *ret_fd = dup(*(int *)ctx);
    return *ret_fd < 0 ? pfs_fail(err, errno, "dup") : 0;
}

static inline int open_fd(int fd, struct pfs_source **ret, struct pfs_err *err)
{
    return pfs_source_open(&(struct pfs_files){get_dup, &fd}, "file", ret, err);
}

static inline int memory_file(void)
{
    int fd = memfd_create("tiff", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static inline int file_of(const void *data, size_t n)
{
    int fd = memory_file();
    assert_int_equal(pwrite(fd, data, n, 0), (ssize_t)n);
    return fd;
}

/* Sample bits at a place: any bits for integers, finite numbers for floats. */
static inline uint64_t sample_bits(const struct made *m, uint32_t x, uint32_t y, int s)
{
    uint64_t v = (x * 0x9e3779b97f4a7c15u) ^ (y * 0xc2b2ae3d27d4eb4fu) ^ ((uint64_t)s * 0x165667b19e3779f9u) ^ m->seed;
    v = (v ^ v >> 31) * 0xbf58476d1ce4e5b9u;
    v ^= v >> 29;
    if (m->bits < 64)
        v &= (1ull << m->bits) - 1;
    if (m->format == SAMPLEFORMAT_IEEEFP) {           /* clear a bit of the exponent: no NaN, no infinity */
        int top = m->bits == 16 ? 14 : m->bits == 24 ? 22 : m->bits - 2;
        v &= ~(1ull << (top - 1));
    }
    return v;
}

/* Put a sample into a packed row, as libtiff has it in memory. */
static inline void put_sample(uint8_t *row, int64_t i, int bits, uint64_t v)
{
    if (bits == 24) {
        for (int b = 0; b < 3; b++)
            row[3 * i + (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? b : 2 - b)] = (uint8_t)(v >> (8 * b));
    } else if (bits % 8 == 0 && (bits & (bits - 1)) == 0) {
        uint64_t u64 = v;
        uint32_t u32 = (uint32_t)v;
        uint16_t u16 = (uint16_t)v;
        uint8_t u8 = (uint8_t)v;
        const void *p = bits == 8 ? (void *)&u8 : bits == 16 ? (void *)&u16 : bits == 32 ? (void *)&u32 : (void *)&u64;
        memcpy(row + i * bits / 8, p, (size_t)bits / 8);
    } else {
        for (int b = 0; b < bits; b++)
            if (v >> (bits - 1 - b) & 1)
                row[(i * bits + b) / 8] |= (uint8_t)(0x80 >> (i * bits + b) % 8);
    }
}

/* A block of packed samples whose corner is at (x0, y0); separate: of sample s. */
static inline uint8_t *make_block(const struct made *m, uint32_t x0, uint32_t y0, uint32_t w, uint32_t h, int s,
                                  size_t *n)
{
    int per = m->separate ? 1 : m->samples;
    size_t row = ((size_t)w * (size_t)per * (size_t)m->bits + 7) / 8;
    uint8_t *p = calloc(row, h);
    assert_non_null(p);
    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++)
            for (int k = 0; k < per; k++)
                put_sample(p + y * row, (int64_t)x * per + k, m->bits,
                           sample_bits(m, x0 + x, y0 + y, m->separate ? s : k));
    *n = row * h;
    return p;
}

static inline void set_fields(TIFF *t, const struct made *m)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, m->w);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, m->h);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, m->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, m->samples);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, m->format);
    TIFFSetField(t, TIFFTAG_COMPRESSION, m->compression ? m->compression : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, m->photometric);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, m->separate ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (m->predictor)
        TIFFSetField(t, TIFFTAG_PREDICTOR, m->predictor);
    if (m->subfile)
        TIFFSetField(t, TIFFTAG_SUBFILETYPE, m->subfile);
    if (m->description)
        TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, m->description);
    if (m->tile_w) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, m->tile_w);
        TIFFSetField(t, TIFFTAG_TILELENGTH, m->tile_h);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, m->rows ? m->rows : m->h);
    }
}

static inline void write_page(TIFF *t, const struct made *m)
{
    uint32_t bw = m->tile_w ? m->tile_w : m->w, bh = m->tile_w ? m->tile_h : m->rows ? m->rows : m->h, block = 0;
    set_fields(t, m);
    for (int s = 0; s < (m->separate ? m->samples : 1); s++)
        for (uint32_t y = 0; y < m->h; y += bh)
            for (uint32_t x = 0; x < m->w; x += bw, block++) {
                size_t n;
                uint32_t h = m->tile_w || y + bh <= m->h ? bh : m->h - y;
                uint8_t *p = make_block(m, x, y, bw, h, s, &n);
                tmsize_t done = m->tile_w ? TIFFWriteEncodedTile(t, block, p, (tmsize_t)n)
                                          : TIFFWriteEncodedStrip(t, block, p, (tmsize_t)n);
                assert_int_equal(done, (tmsize_t)n);
                free(p);
            }
    assert_true(TIFFWriteDirectory(t));
}

static inline int write_pages(const char *mode, const struct made *m, int n)
{
    int fd = memory_file();
    TIFFSetWarningHandler(NULL);
    TIFF *t = TIFFFdOpen(dup(fd), "made", mode);
    assert_non_null(t);
    for (int i = 0; i < n; i++)
        write_page(t, &m[i]);
    TIFFClose(t);
    return fd;
}

/* ---- what is to come out ---- */

static inline double float_of(uint64_t v, int bits)
{
    float f;
    double d;
    uint32_t u = (uint32_t)v;
    if (bits == 32)
        return memcpy(&f, &u, 4), f;
    if (bits == 64)
        return memcpy(&d, &v, 8), d;
    int e = bits == 16 ? 5 : 7, m = bits == 16 ? 10 : 16, bias = (1 << (e - 1)) - 1;
    int exponent = (int)(v >> m & ((1u << e) - 1));
    double fraction = (double)(v & ((1u << m) - 1)) / (1 << m), sign = v >> (bits - 1) & 1 ? -1 : 1;
    return sign * (exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

static inline enum pfs_type type_to_come(const struct made *m)
{
    if (m->format == SAMPLEFORMAT_IEEEFP)
        return m->bits == 64 ? PFS_F64 : PFS_F32;
    if (m->format == SAMPLEFORMAT_INT)
        return m->bits <= 16 ? PFS_I16 : m->bits <= 32 ? PFS_I32 : PFS_I64;
    return m->bits <= 8 ? PFS_U8 : m->bits <= 16 ? PFS_U16 : m->bits <= 32 ? PFS_U32 : PFS_U64;
}

static inline bool sample_is(const struct made *m, enum pfs_type type, const void *px, int64_t i, uint64_t v)
{
    int64_t sv = (int64_t)(v << (64 - m->bits)) >> (64 - m->bits);
    switch (type) {
    case PFS_U8: return ((const uint8_t *)px)[i] == v;
    case PFS_U16: return ((const uint16_t *)px)[i] == v;
    case PFS_U32: return ((const uint32_t *)px)[i] == v;
    case PFS_U64: return ((const uint64_t *)px)[i] == v;
    case PFS_I16: return ((const int16_t *)px)[i] == sv;
    case PFS_I32: return ((const int32_t *)px)[i] == sv;
    case PFS_I64: return ((const int64_t *)px)[i] == sv;
    case PFS_F32: return (double)((const float *)px)[i] == float_of(v, m->bits);
    case PFS_F64: return ((const double *)px)[i] == float_of(v, m->bits);
    default: return false;
    }
}

/* Rows y0 .. y0+n-1 of a plane are sample s of the page. */
static inline void check_rows(struct pfs_source *s, int series, struct pfs_at at, const struct made *m, int sample,
                              int64_t y0, int64_t n)
{
    struct pfs_err err = {0};
    enum pfs_type type = s->series[series].shape.type;
    size_t bytes = (size_t)n * m->w * pfs_type_size(type);
    uint8_t *px = malloc(bytes + 16);
    assert_non_null(px);
    memset(px, 0x5a, bytes + 16);
    int r = s->driver->rows(s, series, at, y0, n, px, &err);
    if (r < 0)
        fail_msg("rows: %s", err.text);
    for (int64_t y = 0; y < n; y++)
        for (uint32_t x = 0; x < m->w; x++)
            if (!sample_is(m, type, px, y * m->w + x, sample_bits(m, x, (uint32_t)(y0 + y), sample)))
                fail_msg("%d bits, format %d, %d samples, tile %u: sample %d at %u,%d differs", m->bits, m->format,
                         m->samples, m->tile_w, sample, x, (int)(y0 + y));
    for (int i = 0; i < 16; i++)
        assert_int_equal(px[bytes + (size_t)i], 0x5a);       /* nothing written behind the rows */
    free(px);
}

#endif
