/* Inside the TIFF driver: directories as the file has them, pages as planefs understands them, stacks made of pages.
 *
 *   src_tiff_ifd.c      the directory walker: bytes of the file -> directories and their entries
 *   src_tiff_page.c     directories -> pages
 *   src_tiff_type.c     what a page delivers: sample type, channels, colour conversion, limits
 *   src_tiff_axes.c     pages -> stacks with axes (ImageJ, tifffile, LSM, plain)
 *   src_tiff_about.c    who wrote the file; what is known of a series beyond its axes
 *   src_tiff_ome.c      OME-XML -> stacks of the pages it names
 *   src_tiff_lsm.c      the block of LSM files, and their offsets beyond 4 GiB
 *   src_tiff_text.c     descriptions and resolution tags -> axes and calibration
 *   src_tiff_blocks.c   where strips and tiles lie, extents, fingerprints
 *   src_tiff_samples.c  packed samples -> samples of a plane
 *   src_tiff_decode.c   everything libtiff does
 *   src_tiff_rows.c     rows of a plane, directly or through libtiff
 *   src_tiff.c          the driver */
#ifndef PLANEFS_SRC_TIFF_H
#define PLANEFS_SRC_TIFF_H

#include <planefs/io.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PFS_TIFF_TAGS = 512,                 /* in a directory */
    PFS_TIFF_PAGES = 65535,
    PFS_TIFF_BLOCKS = 4 << 20,           /* strips or tiles of a page */
    PFS_TIFF_PLANES = 4 << 20,           /* planes of a stack */
    PFS_TIFF_STACKS = 1024,
    PFS_TIFF_SIDE = 1 << 20,
    PFS_TIFF_VALUE = 16 << 20,           /* bytes of one tag */
    PFS_TIFF_BUDGET = 64 << 20,          /* metadata bytes read per call */
    PFS_TIFF_RATIO = 4096,               /* decoded to encoded, beyond PFS_TIFF_SMALL bytes */
    PFS_TIFF_SMALL = 64 << 20,
};
#define PFS_TIFF_PLANE_BYTES ((int64_t)2 << 30)

enum pfs_tiff_tag {
    TAG_SUBFILE = 254, TAG_OLD_SUBFILE = 255, TAG_WIDTH = 256, TAG_HEIGHT = 257, TAG_BITS = 258, TAG_COMPRESSION = 259,
    TAG_PHOTOMETRIC = 262, TAG_FILL_ORDER = 266, TAG_DESCRIPTION = 270, TAG_STRIP_OFFSETS = 273, TAG_SAMPLES = 277,
    TAG_ROWS_PER_STRIP = 278, TAG_STRIP_COUNTS = 279, TAG_X_RESOLUTION = 282, TAG_Y_RESOLUTION = 283, TAG_PLANAR = 284,
    TAG_RESOLUTION_UNIT = 296, TAG_TILE_W = 322, TAG_TILE_H = 323, TAG_TILE_OFFSETS = 324, TAG_TILE_COUNTS = 325,
    TAG_FORMAT = 339, TAG_DEPTH = 32997, TAG_TILE_DEPTH = 32998, TAG_STK = 33629, TAG_LSM = 34412,
    TAG_NIH = 43314, TAG_NODATA = 42113,
};

/* ---- the file ---- */

struct pfs_tiff_file {
    int fd;                              /* owned by the driver's source */
    int64_t size;
    bool big_endian, big_tiff;
    int64_t first;                       /* offset of the first directory */
    int64_t budget;                      /* metadata bytes that may still be read */
    int64_t window_at;                   /* a small read-ahead */
    int window_n;
    uint8_t window[4096];
};

struct pfs_tiff_entry {
    uint16_t tag, type;
    uint64_t count;                      /* 0: absent */
    int64_t at;                          /* where its values lie; -1: outside the file */
};

struct pfs_tiff_directory {
    int64_t next;
    int n;
    struct pfs_tiff_entry entry[PFS_TIFF_TAGS];
};

enum pfs_tiff_colour {
    PFS_TIFF_STORED,                     /* samples as they are */
    PFS_TIFF_JPEG,                       /* JPEG YCbCr: libjpeg makes RGB */
    PFS_TIFF_LOG,                        /* LogL, LogLuv: libtiff makes 8-bit grey or RGB */
    PFS_TIFF_RGBA                        /* other YCbCr, CIELab: libtiff's RGBA interface */
};

struct pfs_tiff_page {
    int64_t ifd;
    int64_t wrap;                        /* LSM beyond 4 GiB: to be added to its first offset; -1: offsets are right */
    struct pfs_tiff_entry offset, count; /* of strips or tiles */
    uint32_t w, h, depth;
    uint32_t block_w, block_h, block_d;  /* a strip (as wide as the page) or a tile */
    uint16_t bits;                       /* 0: samples differ */
    uint16_t samples, format;            /* format 0: samples differ */
    uint16_t compression, photometric, fill_order;
    bool tiled, separate, reduced, mask;
    /* what is delivered, by pfs_tiff_understand */
    enum pfs_tiff_colour colour;
    enum pfs_type type;                  /* PFS_NONE: cannot be shown */
    uint16_t channels;
};

int64_t pfs_tiff_pread(int fd, void *dst, int64_t n, int64_t at);    /* bytes read (short at the end) or -errno */
uint64_t pfs_tiff_integer(const struct pfs_tiff_file *f, const uint8_t *p, int n);

/* Header of the file: byte order, first directory, size. Takes nothing: fd stays the caller's. */
int pfs_tiff_file_init(struct pfs_tiff_file *f, int fd, struct pfs_err *err);
int pfs_tiff_read(struct pfs_tiff_file *f, int64_t at, void *dst, int64_t n, struct pfs_err *err);
int pfs_tiff_directory(struct pfs_tiff_file *f, int64_t at, struct pfs_tiff_directory *ret, struct pfs_err *err);
const struct pfs_tiff_entry *pfs_tiff_entry(const struct pfs_tiff_directory *d, uint16_t tag, int nth);
int64_t pfs_tiff_entry_bytes(const struct pfs_tiff_entry *e);        /* -1 for an unknown type or too many */
/* Integers first .. first+n-1 of an entry of integer type. */
int pfs_tiff_numbers(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t first, uint64_t n, uint64_t *ret,
                     struct pfs_err *err);
int pfs_tiff_rational(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t ret[2], struct pfs_err *err);
/* Text of an ASCII entry, up to `most` bytes from `first`, NUL-terminated, in malloc'd memory. gives */
int pfs_tiff_text(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, uint64_t first, uint64_t most, char **ret,
                  struct pfs_err *err);
/* All pages of the chain. gives */
int pfs_tiff_pages(struct pfs_tiff_file *f, struct pfs_tiff_page **ret, int64_t *ret_n, struct pfs_err *err);

/* ---- pages ---- */

/* Fill in what the page delivers. EOPNOTSUPP in words for what planefs does not show, EFBIG over a limit. */
int pfs_tiff_understand(const struct pfs_tiff_file *f, struct pfs_tiff_page *p, struct pfs_err *err);
const char *pfs_tiff_compression(int compression);                   /* "lzw", NULL when it has no name here */
bool pfs_tiff_is_native(const struct pfs_tiff_page *p);              /* samples lie in memory as they are delivered */
bool pfs_tiff_is_raw(const struct pfs_tiff_page *p);                 /* read without libtiff */

static inline int pfs_tiff_page_bits(const struct pfs_tiff_page *p)       /* of a decoded sample in a block */
{
    return p->colour == PFS_TIFF_STORED ? p->bits : 8;
}
static inline int64_t pfs_tiff_block_samples(const struct pfs_tiff_page *p)   /* of a pixel in a block */
{
    return p->separate ? 1 : p->channels;
}
int64_t pfs_tiff_row_bytes(const struct pfs_tiff_page *p);           /* of a decoded row of a block */
int64_t pfs_tiff_blocks_across(const struct pfs_tiff_page *p);
int64_t pfs_tiff_blocks_down(const struct pfs_tiff_page *p);
int64_t pfs_tiff_blocks_sample(const struct pfs_tiff_page *p); /* blocks of one sample (separate), of all otherwise */
int64_t pfs_tiff_block_rows(const struct pfs_tiff_page *p, int64_t y); /* rows stored in the block that begins at y */

/* ---- stacks ---- */

struct pfs_tiff_stack {                  /* frames: the pages of a stack, and what may lie inside or behind each */
    int64_t n_pages;                     /* 0: all planes lie in other files */
    int32_t *page;
    int64_t channels;                    /* of a page */
    int64_t subs;                        /* frames a page stands for: 1, its depth, or ImageJ's images behind it */
    int32_t *frame;                      /* of position (t, z, page's c): page * subs + sub; -1: not in this file */
};

struct pfs_tiff_plane {                  /* a plane: a channel of a page, perhaps of a later image behind it */
    const struct pfs_tiff_page *page;
    int sample;
    int64_t slice;                       /* of an SGI volume */
    int64_t shift;                       /* bytes to add to every offset */
};

struct pfs_tiff_blocks {                 /* where the blocks of one page lie */
    const struct pfs_tiff_page *page;
    int64_t n;
    uint64_t *offset, *size;
};

struct pfs_tiff_decoder;

extern const struct pfs_driver pfs_driver_tiff;

struct pfs_tiff {
    struct pfs_source source;
    struct pfs_tiff_file file;
    int64_t n_pages;
    struct pfs_tiff_page *page;
    struct pfs_tiff_stack *stack;        /* n_series of them */
    /* kept from call to call */
    struct pfs_tiff_blocks blocks;
    struct pfs_tiff_decoder *decoder;
    const struct pfs_tiff_page *decoder_page;
    uint8_t *scratch;                    /* a decoded block */
    int64_t scratch_size, scratch_block;
    const struct pfs_tiff_page *scratch_page;
    void *whole;                         /* a decoded page, channel by channel */
    const struct pfs_tiff_page *whole_page;
    const struct pfs_tiff_page *codec_page;
    uint64_t codec;
};

/* Make the series of t->source from t->page. `self`: the file's own name, without folders. */
int pfs_tiff_axes(struct pfs_tiff *t, const char *self, struct pfs_err *err);
bool pfs_tiff_same_kind(const struct pfs_tiff_page *a, const struct pfs_tiff_page *b);
int pfs_tiff_add_stack(struct pfs_tiff *t, struct pfs_tiff_stack **ret_stack, struct pfs_series **ret,
                       struct pfs_err *err);           /* an empty one, and its series; lent until the next */
void pfs_tiff_drop_stacks(struct pfs_tiff *t, int first);              /* this one and those behind it */
/* Stacks as OME-XML has them. EIO and no stacks when it is not to be believed; ENOENT and the name of the file that
 * says more (given) when this one only refers to it. */
int pfs_tiff_ome(struct pfs_tiff *t, const char *text, const char *self, char **ret_master, struct pfs_err *err);
/* Every series belongs to what that file describes: say on which page each plane lies. */
int pfs_tiff_name_master(struct pfs_tiff *t, const char *master, struct pfs_err *err);

/* Descriptions. */
enum { PFS_TIFF_DIMS = 8 };
struct pfs_tiff_dims {                   /* how frames follow each other: slowest axis first */
    int n;
    struct { char axis; int64_t length; } d[PFS_TIFF_DIMS];      /* 't', 'z' or 'c'; an axis may come twice */
};
struct pfs_tiff_imagej {
    int64_t images, channels, slices, frames;     /* 1: not said */
    struct pfs_tiff_dims dims;
    struct pfs_calibration cal;
};
struct pfs_tiff_lsm {                    /* 0: not said */
    int64_t z, c, t;
    double voxel[3], interval;           /* um, s */
    int64_t names_at, names_size;        /* of channels, in the file */
};
struct pfs_tiff_about {                  /* what the first directory says of the whole file */
    bool lsm, imagej, shaped, truncated;
    int64_t behind;                      /* MetaMorph, NIH Image: images behind the only directory; 0: not said */
    struct pfs_tiff_imagej j;
    struct pfs_tiff_lsm l;
    struct pfs_tiff_dims shape;
};
char *pfs_tiff_xml(struct pfs_tiff *t, const struct pfs_tiff_directory *d);      /* OME-XML or NULL; gives */
void pfs_tiff_read_about(struct pfs_tiff *t, const struct pfs_tiff_directory *d, struct pfs_tiff_about *a);
/* Calibration, names and the rest of series k, read from its first page through d. `a`: NULL when OME-XML says it. */
int pfs_tiff_describe(struct pfs_tiff *t, int k, const struct pfs_tiff_about *a, struct pfs_tiff_directory *d,
                      struct pfs_err *err);
/* What cannot be read is not said. */
void pfs_tiff_lsm(struct pfs_tiff_file *f, const struct pfs_tiff_entry *e, struct pfs_tiff_lsm *ret);
bool pfs_tiff_lsm_dims(const struct pfs_tiff_lsm *l, int64_t n, struct pfs_tiff_dims *ret);   /* of n pages */
int pfs_tiff_lsm_describe(struct pfs_tiff_file *f, const struct pfs_tiff_lsm *l, struct pfs_series *s,
                          struct pfs_err *err);
int pfs_tiff_lsm_unwrap(struct pfs_tiff *t, struct pfs_err *err);                /* set `wrap` of all pages */
void pfs_tiff_lsm_offsets(const struct pfs_tiff_page *p, uint64_t *offset, int64_t n);
bool pfs_tiff_is_imagej(const char *description);
void pfs_tiff_parse_imagej(const char *description, struct pfs_tiff_imagej *ret);
/* tifffile's {"shape": [..], "axes": ".."}: the axes before those of a page. `truncated`: only the first page has a
 * directory. false when it is no such text or contradicts the page. */
bool pfs_tiff_parse_shaped(const char *description, const struct pfs_tiff_page *p, struct pfs_tiff_dims *ret,
                           bool *ret_truncated);
int64_t pfs_tiff_dims_product(const struct pfs_tiff_dims *d);    /* -1 on overflow */
/* Pixel size by the resolution tags; `unit` of the description wins over the resolution unit. */
void pfs_tiff_calibrate(struct pfs_tiff_file *f, const struct pfs_tiff_directory *d, struct pfs_calibration *cal);

/* Blocks. */
int pfs_tiff_load_blocks(struct pfs_tiff *t, const struct pfs_tiff_page *p, struct pfs_err *err);
/* Offset of the block and that it lies in the file: EIO with its number otherwise. need: bytes wanted of it. */
int pfs_tiff_block_at(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, int64_t block, int64_t need, int64_t *ret,
                      struct pfs_err *err);
int pfs_tiff_extent(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, struct pfs_extent *ret,
                    struct pfs_err *err);
/* Offset of a plane whose samples lie together, native and in order; -1 otherwise. Blocks must be loaded. */
int64_t pfs_tiff_together(const struct pfs_tiff *t, const struct pfs_tiff_plane *plane);

/* Samples first, first+step, ... (n of them) of a packed row of `bits` each, to dst in the page's type. */
void pfs_tiff_unpack(const struct pfs_tiff_page *p, bool swap, const uint8_t *row, int64_t first, int64_t step,
                     int64_t n, void *dst);
void pfs_tiff_swap(enum pfs_type type, void *px, int64_t n);

/* libtiff. */
bool pfs_tiff_has_codec(int compression);
int pfs_tiff_decoder_open(struct pfs_tiff_file *f, const struct pfs_tiff_page *p, int64_t encoded,
                          struct pfs_tiff_decoder **ret, struct pfs_err *err);
void pfs_tiff_decoder_close(struct pfs_tiff_decoder *d);
/* A block of `size` bytes. `encoded`: bytes that may be read for it. */
int pfs_tiff_decode_block(struct pfs_tiff_decoder *d, int64_t block, int64_t encoded, void *dst, int64_t size,
                          struct pfs_err *err);
/* The page as three planes of 8 bits. */
int pfs_tiff_decode_rgb(struct pfs_tiff_decoder *d, int64_t encoded, uint8_t *dst, struct pfs_err *err);

int pfs_tiff_rows(struct pfs_tiff *t, const struct pfs_tiff_plane *plane, int64_t y0, int64_t n, void *dst,
                  struct pfs_err *err);

#endif
