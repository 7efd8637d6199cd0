/* ENVI: every layout, type and byte order against samples written one by one; headers as different programs write them;
 * what is refused, and why. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/io.h>
#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { X = 7, Y = 5, C = 4, OFFSET = 100 };

/* ---- files in memory ---- */

struct file { const char *name; int fd; };
static struct file files[8];
static int n_files;
static char asked[2048];

static void put(const char *name, const void *bytes, size_t n)
{
    int fd = memfd_create("envi", MFD_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, n, 0), (ssize_t)n);
    files[n_files++] = (struct file){name, fd};
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static void drop_all(void)
{
    while (n_files)
        close(files[--n_files].fd);
}

static int get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)ctx;
    if (strlen(asked) + strlen(name) + 2 < sizeof asked)
        strcat(strcat(asked, name), " ");
    for (int i = 0; i < n_files; i++)
        if (!strcmp(files[i].name, name)) {
            *ret_fd = dup(files[i].fd);
            return *ret_fd < 0 ? pfs_fail(err, EMFILE, "dup") : 0;
        }
    return pfs_fail(err, ENOENT, "no file %s", name);
}

static int open_source(const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    asked[0] = 0;
    return pfs_source_open(&(struct pfs_files){get, NULL}, name, ret, err);
}

static struct pfs_source *opened(const char *name)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    if (open_source(name, &s, &err))
        fail_msg("%s: %s", name, err.text);
    assert_string_equal(s->driver->name, "envi");
    return s;
}

static void refused(const char *name, int code, const char *part)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    int r = open_source(name, &s, &err);
    if (r != -code || !strstr(err.text, part))
        fail_msg("%d \"%s\" is not %s \"%s\"", r, err.text, pfs_errno_name(code), part);
    assert_null(s);
}

/* ---- samples ---- */

struct form { int code; enum pfs_type type; };
static const struct form forms[] = {{1, PFS_U8}, {2, PFS_I16}, {3, PFS_I32}, {4, PFS_F32}, {5, PFS_F64}, {12, PFS_U16},
                                    {13, PFS_U32}, {14, PFS_I64}, {15, PFS_U64}};

/* The bytes of a sample, native: any value, but finite for floats. */
static void sample(enum pfs_type type, int c, int y, int x, char out[8])
{
    uint64_t bits = (uint64_t)(1 + c * 1000 + y * 50 + x) * 0x9e3779b97f4a7c15u;
    float f = (float)(int32_t)bits;
    double d = (double)(int64_t)bits;
    memcpy(out, &bits, 8);
    if (type == PFS_F32)
        memcpy(out, &f, 4);
    if (type == PFS_F64)
        memcpy(out, &d, 8);
}

static size_t place(const char *layout, int c, int y, int x)
{
    if (!strcmp(layout, "bsq"))
        return (size_t)((c * Y + y) * X + x);
    return (size_t)(!strcmp(layout, "bil") ? (y * C + c) * X + x : (y * X + x) * C + c);
}

static void put_raw(const char *name, const char *layout, enum pfs_type type, bool swap, int offset, int more)
{
    size_t size = pfs_type_size(type), n = (size_t)offset + C * Y * X * size + (size_t)more;
    char *raw = calloc(n, 1), v[8];
    for (int c = 0; c < C; c++)
        for (int y = 0; y < Y; y++)
            for (int x = 0; x < X; x++) {
                sample(type, c, y, x, v);
                for (size_t b = 0; b < size; b++)
                    raw[(size_t)offset + place(layout, c, y, x) * size + b] = v[swap ? size - 1 - b : b];
            }
    put(name, raw, n);
    free(raw);
}

static void check_plane(struct pfs_source *s, int c, int y0, int n)
{
    enum pfs_type type = s->series[0].shape.type;
    size_t size = pfs_type_size(type);
    char *px = malloc((size_t)n * X * size), v[8];
    struct pfs_err err;
    if (s->driver->rows(s, 0, (struct pfs_at){0, 0, c}, y0, n, px, &err))
        fail_msg("%s", err.text);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < X; x++) {
            sample(type, c, y0 + y, x, v);
            assert_memory_equal(px + (size_t)(y * X + x) * size, v, size);
        }
    free(px);
}

/* What the extent says is there: the plane's bytes in the raw file. */
static void check_extent(struct pfs_source *s, int c, bool together, bool big_endian)
{
    struct pfs_extent e;
    struct pfs_err err;
    enum pfs_type type = s->series[0].shape.type;
    size_t size = pfs_type_size(type);
    char v[8], got[8];
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, 0, c}, &e, &err), 0);
    assert_int_equal(e.file, 1);
    assert_true(e.stored >= 0 && e.stored_size > 0 && e.big_endian == big_endian);
    assert_int_equal(e.raw >= 0, together);
    if (!together)
        return;
    assert_true(e.raw == e.stored && e.stored_size == (int64_t)(X * Y * size));
    sample(type, c, Y - 1, X - 1, v);
    assert_int_equal(pread(files[1].fd, got, size, e.raw + e.stored_size - (int64_t)size), (ssize_t)size);
    for (size_t b = 0; b < size; b++)
        assert_int_equal(got[b], v[big_endian ? size - 1 - b : b]);
}

static void every_form(void **state)
{
    static const char *const layouts[] = {"bsq", "bil", "bip"};
    char header[400];
    (void)state;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (int k = 0; k < 12; k++) {
            const char *layout = layouts[k % 3];
            bool swap = k / 3 % 2;
            int offset = k / 6 ? OFFSET : 0;
            snprintf(header, sizeof header, "ENVI\nsamples = %d\nlines   = %d\nbands   = %d\nheader offset = %d\n"
                     "data type = %d\ninterleave = %s\nbyte order = %d\n", X, Y, C, offset, forms[f].code, layout, swap);
            put_text("a/cube.hdr", header);
            put_raw("a/cube.raw", layout, forms[f].type, swap, offset, k % 2);
            struct pfs_source *s = opened("a/cube.hdr");
            const struct pfs_shape *h = &s->series[0].shape;
            assert_true(h->t == 1 && h->z == 1 && h->c == C && h->y == Y && h->x == X && h->type == forms[f].type);
            assert_int_equal(s->n_companions, 1);
            assert_string_equal(s->companion[0], "a/cube.raw");
            for (int c = 0; c < C; c++) {
                check_plane(s, c, 0, Y);
                check_plane(s, c, 2, 2);
                check_extent(s, c, k % 3 == 0, swap);
            }
            pfs_source_close(s);
            drop_all();
        }
}

/* ---- headers ---- */

static void everything_a_header_says(void **state)
{
    (void)state;
    put_text("cube.hdr", "ENVI \r\ndescription = {\r\n a cube = one\r\n}\r\n; a comment = 3\r\nSamples=7\r\nLINES = 5\r\n"
             "bands\t= 4\r\ndata   type = 12\r\nInterleave = BIL\r\nfile type = ENVI Standard\r\n"
             "map info = {UTM, 1, 1, 500000, 4000000, 30, 30, 11, North}\r\nwavelength units = Micrometers\r\n"
             "wavelength = {\r\n 0.4, 0.55,\r\n 0.7, oops }\r\nfwhm = {0.01, 0.01, 0.01, 0.01}\r\nbbl = {1, 0, 1, 1}\r\n"
             "band names = { blue , green (1), ,nir}\r\ndata ignore value = -9999.5\r\ndefault bands = {3,2,1}");
    put_raw("cube", "bil", PFS_U16, false, 0, 0);
    struct pfs_source *s = opened("cube.hdr");
    const struct pfs_series *q = &s->series[0];
    assert_string_equal(s->companion[0], "cube");
    assert_string_equal(q->format, "ENVI BIL");
    assert_string_equal(q->compression, "none");
    assert_string_equal(q->name, "");
    assert_int_equal(q->bits, 16);
    assert_true(q->has_nodata && q->nodata == -9999.5);
    assert_true(fabs(q->wavelength[0] - 400) < 1e-9 && fabs(q->wavelength[1] - 550) < 1e-9 && isnan(q->wavelength[3]));
    assert_string_equal(q->band_name[0], "blue");
    assert_string_equal(q->band_name[1], "green (1)");
    assert_null(q->band_name[2]);
    assert_string_equal(q->band_name[3], "nir");
    check_plane(s, 3, 0, Y);
    pfs_source_close(s);
    drop_all();
}

static void units_of_wavelengths(void **state)
{
    static const struct { const char *line; double nm; } cases[] = {
        {"", 400}, {"wavelength units = Nanometers\n", 400}, {"wavelength units = nm\n", 400},
        {"wavelength units = um\n", 400000}, {"wavelength units = \xc2\xb5m\n", 400000},
        {"wavelength units = Micrometers\n", 400000}, {"wavelength units = Index\n", 0},
        {"wavelength units = Wavenumber\n", 0}};
    char header[400];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(header, sizeof header, "ENVI\nsamples=7\nlines=5\nbands=4\ndata type=1\n%swavelength={400,500,600,700}\n",
                 cases[i].line);
        put_text("c.hdr", header);
        put_raw("c.dat", "bsq", PFS_U8, false, 0, 0);
        struct pfs_source *s = opened("c.hdr");
        if (cases[i].nm > 0)
            assert_true(s->series[0].wavelength[0] == cases[i].nm);
        else
            assert_null(s->series[0].wavelength);
        pfs_source_close(s);
        drop_all();
    }
}

/* As PlantCV's sample: neither byte order nor header offset nor interleave. One band is contiguous in any layout. */
static void what_is_missing(void **state)
{
    (void)state;
    put_text("c.HDR", "ENVI\nsamples = 7\nlines = 5\ndata type = 4\nwavelength = {1,2,3}\n");
    put_raw("c.BIP", "bsq", PFS_F32, false, 0, 0);
    struct pfs_source *s = opened("c.HDR");
    assert_string_equal(s->companion[0], "c.BIP");
    assert_int_equal(s->series[0].shape.c, 1);
    assert_null(s->series[0].wavelength);
    assert_null(s->series[0].band_name);
    assert_false(s->series[0].has_nodata);
    check_plane(s, 0, 0, Y);
    check_extent(s, 0, true, false);
    pfs_source_close(s);
    drop_all();
    put_text("c.hdr", "ENVI\nsamples = 7\nlines = 20\ndata type = 1\ninterleave = bip\n");
    put_raw("c.bin", "bsq", PFS_U8, false, 0, 0);
    s = opened("c.hdr");
    struct pfs_extent e;
    struct pfs_err err;
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0}, &e, &err), 0);
    assert_int_equal(e.raw, 0);
    pfs_source_close(s);
    drop_all();
}

/* Samples as a function of their place, behind gaps; signed bytes become i16. */
static void esri_with_gaps(void **state)
{
    static const char *const layouts[] = {"BIL", "BIP", "BSQ"};
    enum { W = 3, H = 4, B = 2, ROW = 5, TOTAL = 13, SKIP = 9, GAP = 6 };
    (void)state;
    for (int k = 0; k < 3; k++) {
        char header[400], raw[400];
        int8_t at[B][H][W];
        for (int i = 0; i < 400; i++)
            raw[i] = (char)(i * 37);
        for (int b = 0; b < B; b++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++)
                    at[b][y][x] = raw[SKIP + (k == 0 ? y * TOTAL + b * ROW + x : k == 1 ? y * TOTAL + x * B + b
                                                     : (b * H + y) * ROW + b * GAP + x)];
        int n = snprintf(header, sizeof header, "NROWS %d\r\nNCOLS\t%d\nNBANDS %d\nLAYOUT %s\nNBITS 8\n"
                         "PIXELTYPE SIGNEDINT\nBYTEORDER I\nSKIPBYTES %d\nNODATA -1\n", H, W, B, layouts[k], SKIP);
        snprintf(header + n, sizeof header - (size_t)n, k == 2 ? "BANDROWBYTES 5\nBANDGAPBYTES 6\n" : k == 0
                 ? "BANDROWBYTES 5\nTOTALROWBYTES 13\n" : "TOTALROWBYTES 13\n");
        put_text("dem.hdr", header);
        put("dem.bil", raw, sizeof raw);
        struct pfs_source *s = opened("dem.hdr");
        struct pfs_err err;
        struct pfs_extent e;
        int16_t px[H * W];
        assert_true(s->series[0].shape.type == PFS_I16 && s->series[0].bits == 8 && s->series[0].nodata == -1);
        assert_int_equal(strncmp(s->series[0].format, "ESRI", 4), 0);
        for (int b = 0; b < B; b++) {
            assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 0, b}, 0, H, px, &err), 0);
            for (int i = 0; i < H * W; i++)
                assert_int_equal(px[i], at[b][i / W][i % W]);
            assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, 0, b}, &e, &err), 0);
            assert_int_equal(e.raw, -1);
        }
        pfs_source_close(s);
        drop_all();
    }
}

static void esri_types(void **state)
{
    static const struct { const char *lines; enum pfs_type type; } cases[] = {
        {"NBITS 16\nBYTEORDER M\n", PFS_U16}, {"NBITS 16\nPIXELTYPE SIGNEDINT\n", PFS_I16},
        {"NBITS 32\nPIXELTYPE FLOAT\n", PFS_F32}, {"NBITS 32\n", PFS_U32}, {"", PFS_U8},
        {"nbits 64\npixeltype float\n", PFS_F64}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[200];
        snprintf(header, sizeof header, "ncols 7\nnrows 5\nnbands 4\n%s", cases[i].lines);
        put_text("g.hdr", header);
        put_raw("g.bil", "bil", cases[i].type, i == 0, 0, 0);
        struct pfs_source *s = opened("g.hdr");
        assert_int_equal(s->series[0].shape.type, cases[i].type);
        for (int c = 0; c < C; c++)
            check_plane(s, c, 0, Y);
        pfs_source_close(s);
        drop_all();
    }
    put_text("g.hdr", "ncols 7\nnrows 5\nnbits 4\n");
    put_raw("g.bil", "bil", PFS_U8, false, 0, 0);
    refused("g.hdr", EOPNOTSUPP, "4 bits");
    drop_all();
}

/* ---- the raw file ---- */

#define GOOD "ENVI\nsamples=7\nlines=5\nbands=4\ndata type=1\n"

static void which_raw_file(void **state)
{
    struct pfs_source *s;
    (void)state;
    put_text("x/y.z.hdr", GOOD);
    refused("x/y.z.hdr", EIO, "no raw file beside the header");
    assert_non_null(strstr(asked, "x/y.z "));
    assert_non_null(strstr(asked, "x/y.z.BIP "));
    put_text("x/y.z.img", "too short");
    refused("x/y.z.hdr", EIO, "has 9 bytes, its header needs 140");
    put_raw("x/y.z.dat", "bsq", PFS_U8, false, 0, 0);
    s = opened("x/y.z.hdr");                       /* the first that is long enough */
    assert_string_equal(s->companion[0], "x/y.z.dat");
    pfs_source_close(s);
    put_raw("x/y.z", "bsq", PFS_U8, false, 0, 0);
    s = opened("x/y.z.hdr");
    assert_string_equal(s->companion[0], "x/y.z");
    check_plane(s, 1, 0, Y);
    struct pfs_err err;
    char px[Y * X];
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 0, C}, 0, 1, px, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0}, 4, 2, px, &err), -ENOENT);
    assert_int_equal(ftruncate(files[3].fd, 100), 0);      /* while it is open */
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 0, 3}, 0, Y, px, &err), -EIO);
    pfs_source_close(s);
    drop_all();
    put_text("header", GOOD);
    refused("header", EOPNOTSUPP, "must end in .hdr");
    drop_all();
}

static void what_is_refused(void **state)
{
    static const struct { const char *text; int code; const char *part; } cases[] = {
        {"ENVI\n", EIO, "no \"samples\""},
        {"ENVI\nsamples=7\nlines=5\n", EIO, "no \"data type\""},
        {"ENVI\nsamples=0\nlines=5\ndata type=1\n", EIO, "\"samples\" is \"0\""},
        {"ENVI\nsamples=-7\nlines=5\ndata type=1\n", EIO, "\"samples\" is \"-7\""},
        {"ENVI\nsamples=7\nlines=5x\ndata type=1\n", EIO, "\"lines\" is \"5x\""},
        {"ENVI\nsamples=1099511627776\nlines=5\ndata type=1\n", EFBIG, "over"},
        {"ENVI\nsamples=99999999999999999999999\nlines=5\ndata type=1\n", EFBIG, "over"},
        {"ENVI\nsamples=1048576\nlines=1048576\ndata type=1\n", EFBIG, "limit"},
        {"ENVI\nsamples=40000\nlines=40000\nbands=1048576\ndata type=1\n", EIO, "its header needs 1677721600000000"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\nheader offset=2305843009213693950\n", EIO, "needs"},
        {"ENVI\nsamples=7\nlines=5\ndata type=6\n", EOPNOTSUPP, "complex"},
        {"ENVI\nsamples=7\nlines=5\ndata type=9\n", EOPNOTSUPP, "complex"},
        {"ENVI\nsamples=7\nlines=5\ndata type=7\n", EOPNOTSUPP, "data type 7"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\ninterleave=tile\n", EIO, "tile"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\nbyte order=2\n", EIO, "byte order"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\nfile compression=1\n", EOPNOTSUPP, "compressed"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\nmajor frame offsets={1,2}\n", EOPNOTSUPP, "frame"},
        {"ENVI\nsamples=7\nlines=5\ndata type=1\nwavelength={1,2\n", EIO, "\"wavelength\" is not closed"},
        {"NROWS 5\nNCOLS 7\nNBANDS 2\nBANDROWBYTES 3\n", EIO, "bandrowbytes"},
        {"NROWS 5\nNCOLS 7\nNBITS 16\nPIXELTYPE FLOAT\n", EOPNOTSUPP, "float samples of 16 bits"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("c.hdr", cases[i].text);
        put_raw("c.raw", "bsq", PFS_U8, false, 0, 0);
        refused("c.hdr", cases[i].code, cases[i].part);
        drop_all();
    }
    put("c.hdr", "ENVI\nsamples=7\0", 15);
    refused("c.hdr", EIO, "zero byte");
    drop_all();
    put_text("c.hdr", "SIMPLE = T\nNROWS 5\n");
    refused("c.hdr", EOPNOTSUPP, "not an image planefs knows");
    drop_all();
}

/* Every beginning of a header is refused or read, never beyond its end. */
static void cut_headers(void **state)
{
    static const char whole[] = "ENVI\nsamples = 7\nlines = 5\nbands = 4\ndata type = 1\nwavelength = {\n1, 2,\n3, 4}\n"
                                "band names = {a, b, c, d}\nwavelength units = nm\n";
    (void)state;
    for (size_t n = 0; n < sizeof whole; n++) {
        struct pfs_source *s;
        struct pfs_err err = {0};
        put("c.hdr", whole, n);
        put_raw("c.raw", "bsq", PFS_U8, false, 0, 0);
        if (!open_source("c.hdr", &s, &err))
            pfs_source_close(s);
        else
            assert_true(err.text[0]);
        drop_all();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form), cmocka_unit_test(everything_a_header_says), cmocka_unit_test(units_of_wavelengths),
        cmocka_unit_test(what_is_missing), cmocka_unit_test(esri_with_gaps), cmocka_unit_test(esri_types),
        cmocka_unit_test(which_raw_file), cmocka_unit_test(what_is_refused), cmocka_unit_test(cut_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
