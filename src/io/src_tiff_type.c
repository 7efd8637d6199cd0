/* What a page delivers: sample type, channels, colour conversion; the geometry of its blocks; the limits.
 *
 * Depths between are widened, not scaled. Palette indices and MinIsWhite values stay as stored. YCbCr, CIELab and
 * LogLuv become RGB of 8 bits, as libtiff converts them for display; LogL becomes grey of 8 bits. */
#include "src_tiff.h"

#include <errno.h>

enum { NONE = 1, OLD_JPEG = 6, JPEG = 7, SGILOG = 34676, SGILOG24 = 34677 };
enum { YCBCR = 6, CIELAB = 8, LOGL = 32844, LOGLUV = 32845 };

const char *pfs_tiff_compression(int compression)
{
    static const struct { int code; const char *name; } names[] = {
        {1, "none"}, {2, "ccitt-rle"}, {3, "ccitt-g3"}, {4, "ccitt-g4"}, {5, "lzw"}, {6, "old-jpeg"}, {7, "jpeg"},
        {8, "deflate"}, {9, "jbig-t85"}, {10, "jbig-t43"}, {32766, "next"}, {32771, "ccitt-rlew"}, {32773, "packbits"},
        {32809, "thunderscan"}, {32908, "pixarfilm"}, {32909, "pixarlog"}, {32946, "deflate"}, {32947, "dcs"},
        {33003, "jpeg2000"}, {33004, "jpeg2000"}, {33005, "jpeg2000"}, {34661, "jbig"}, {34676, "sgilog"},
        {34677, "sgilog24"}, {34712, "jpeg2000"}, {34713, "nikon-nef"}, {34887, "lerc"}, {34892, "lossy-jpeg"},
        {34925, "lzma"}, {34933, "png"}, {34934, "jpeg-xr"}, {50000, "zstd"}, {50001, "webp"}, {50002, "jpeg-xl"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == compression)
            return names[i].name;
    return NULL;
}

static enum pfs_type unsigned_type(int bits)
{
    return bits <= 8 ? PFS_U8 : bits <= 16 ? PFS_U16 : bits <= 32 ? PFS_U32 : PFS_U64;
}

static enum pfs_type signed_type(int bits)
{
    return bits <= 16 ? PFS_I16 : bits <= 32 ? PFS_I32 : PFS_I64;
}

static enum pfs_type stored_type(const struct pfs_tiff_page *p)
{
    if (p->bits < 1 || p->bits > 64)
        return PFS_NONE;
    switch (p->format) {
    case 1: case 4: return unsigned_type(p->bits);
    case 2: return signed_type(p->bits);
    case 3: return p->bits == 16 || p->bits == 24 || p->bits == 32 ? PFS_F32 : p->bits == 64 ? PFS_F64 : PFS_NONE;
    default: return PFS_NONE;
    }
}

static enum pfs_tiff_colour colour_of(const struct pfs_tiff_page *p)
{
    bool sgi = p->compression == SGILOG || p->compression == SGILOG24;
    if (sgi && (p->photometric == LOGL || p->photometric == LOGLUV))
        return PFS_TIFF_LOG;
    if (p->compression == OLD_JPEG && p->samples == 3)
        return PFS_TIFF_RGBA;
    if (p->photometric == YCBCR && p->samples == 3)
        return p->compression == JPEG && !p->separate ? PFS_TIFF_JPEG : PFS_TIFF_RGBA;
    return p->photometric == CIELAB && p->samples == 3 && !p->separate ? PFS_TIFF_RGBA : PFS_TIFF_STORED;
}

static int refuse_type(const struct pfs_tiff_page *p, struct pfs_err *err)
{
    if (p->format == 5 || p->format == 6)
        return pfs_fail(err, EOPNOTSUPP, "tiff: complex samples are not supported");
    if (!p->bits || !p->format)
        return pfs_fail(err, EOPNOTSUPP, "tiff: samples of different depth or format in one pixel are not supported");
    return pfs_fail(err, EOPNOTSUPP, "tiff: samples of %d bits in format %d are not supported", p->bits, p->format);
}

static int check_size(const struct pfs_tiff_file *f, const struct pfs_tiff_page *p, struct pfs_err *err)
{
    if (p->w > PFS_TIFF_SIDE || p->h > PFS_TIFF_SIDE || p->depth > PFS_TIFF_SIDE)
        return pfs_fail(err, EFBIG, "tiff: a page of %u x %u pixels is larger than %d a side", p->w, p->h,
                        PFS_TIFF_SIDE);
    if (p->block_w > PFS_TIFF_SIDE || p->block_h > PFS_TIFF_SIDE || p->block_d > PFS_TIFF_SIDE)
        return pfs_fail(err, EFBIG, "tiff: a tile of %u x %u pixels", p->block_w, p->block_h);
    int64_t plane = (int64_t)p->w * p->h * (int64_t)pfs_type_size(p->type);
    if (plane > PFS_TIFF_PLANE_BYTES)
        return pfs_fail(err, EFBIG, "tiff: a plane of %lld bytes is larger than 2 GiB", (long long)plane);
    if (plane > PFS_TIFF_SMALL && plane / PFS_TIFF_RATIO > f->size)
        return pfs_fail(err, EFBIG, "tiff: a plane of %lld bytes in a file of %lld", (long long)plane,
                        (long long)f->size);
    if (pfs_tiff_row_bytes(p) > PFS_TIFF_PLANE_BYTES)
        return pfs_fail(err, EFBIG, "tiff: a row of %lld bytes is larger than 2 GiB", (long long)pfs_tiff_row_bytes(p));
    if (pfs_tiff_blocks_sample(p) > PFS_TIFF_BLOCKS / (p->separate ? p->samples : 1))
        return pfs_fail(err, EFBIG, "tiff: a page of more than %d strips or tiles", PFS_TIFF_BLOCKS);
    return 0;
}

int pfs_tiff_understand(const struct pfs_tiff_file *f, struct pfs_tiff_page *p, struct pfs_err *err)
{
    p->colour = colour_of(p);
    p->type = p->colour == PFS_TIFF_STORED ? stored_type(p) : PFS_U8;
    p->channels = p->colour == PFS_TIFF_STORED ? p->samples : p->photometric == LOGL ? 1 : 3;
    if (p->type == PFS_NONE)
        return refuse_type(p, err);
    int r = check_size(f, p, err);
    if (r < 0)
        return r;
    if (p->depth > 1 && !(p->compression == NONE && p->colour == PFS_TIFF_STORED) && !(p->tiled && p->block_d == 1))
        return pfs_fail(err, EOPNOTSUPP, "tiff: compressed volumes (ImageDepth %u) are not supported", p->depth);
    return 0;
}

bool pfs_tiff_is_native(const struct pfs_tiff_page *p)
{
    return pfs_tiff_page_bits(p) == 8 * (int)pfs_type_size(p->type);
}

bool pfs_tiff_is_raw(const struct pfs_tiff_page *p)
{
    return p->compression == NONE && p->colour == PFS_TIFF_STORED && p->fill_order != 2;
}

int64_t pfs_tiff_row_bytes(const struct pfs_tiff_page *p)
{
    return ((int64_t)p->block_w * pfs_tiff_block_samples(p) * pfs_tiff_page_bits(p) + 7) / 8;
}

int64_t pfs_tiff_blocks_across(const struct pfs_tiff_page *p)
{
    return ((int64_t)p->w + p->block_w - 1) / p->block_w;
}

int64_t pfs_tiff_blocks_down(const struct pfs_tiff_page *p)
{
    return ((int64_t)p->h + p->block_h - 1) / p->block_h;
}

int64_t pfs_tiff_blocks_sample(const struct pfs_tiff_page *p)
{
    int64_t deep = ((int64_t)p->depth + p->block_d - 1) / p->block_d;
    return pfs_tiff_blocks_across(p) * pfs_tiff_blocks_down(p) * (p->tiled ? deep : 1);
}

int64_t pfs_tiff_block_rows(const struct pfs_tiff_page *p, int64_t y)
{
    return p->tiled || y + p->block_h <= p->h ? p->block_h : p->h - y;
}
