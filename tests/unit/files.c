/* The kinds of planes: exact sizes, what the headers say, display ranges, and the table of kinds itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stand_in.h"

#include "files/header.h"

/* Size, header and planes of a name agree; the header is given. */
static struct pfs_text whole(struct sample *s, const char *pattern, bool big_endian)
{
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    int64_t size;
    s->name.kind = kind(pattern);
    if (s->name.kind->size(&s->name, &size, &err) || s->name.kind->head(&s->name, big_endian, &t, &err))
        fail_msg("%s: %s", pattern, err.text);
    assert_int_equal(size, (int64_t)t.n + s->name.kind->n_planes(&s->name) * pfs_shape_plane_bytes(&s->view.shape));
    return t;
}

static bool contains(const struct pfs_text *t, const char *s)
{
    return memmem(t->s, t->n, s, strlen(s)) != NULL;
}

static void table(void **state)
{
    (void)state;
    for (int i = 0; pfs_kinds[i]; i++) {
        const struct pfs_kind *k = pfs_kinds[i];
        assert_true(k->doc && *k->doc);
        assert_non_null(k->size);
        assert_true(k->view ? !strstr(k->pattern, "{view}") : strstr(k->pattern, "{view}") != NULL);
        if (k->line)
            assert_true(!k->planes && k->width && k->head && k->n_planes && k->plane && k->model && !k->text);
        else
            assert_true(k->planes ? k->n_planes && k->plane && !k->text && !k->model : k->text && !k->head);
        assert_true(k->line || !k->model || !k->n_planes);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(k->pattern, pfs_kinds[j]->pattern);
    }
}

static void single_planes(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 12, 95, 1);
    s.d.shape.cal.range[1] = s.view.shape.cal.range[1] = 4095;
    static const char *const patterns[] = {
        "slice/[t{t}/]z{z}/c{c}.tif", "{view}/{name}.tif", "segment/{view}/{name}.tif"
    };
    for (int i = 0; i < 3; i++)
        for (int type = PFS_U8; type < PFS_N_TYPES; type++) {
            s.view.shape.type = (enum pfs_type)type;
            struct pfs_text little = whole(&s, patterns[i], false), big = whole(&s, patterns[i], true);
            assert_int_equal(little.n, big.n);
            assert_memory_equal(little.s, "II*", 4);
            assert_memory_equal(big.s, "MM\0*", 4);
            const char *expected = type == PFS_I16
                ? "ImageJ=1.53t\nunit=um\nspacing=0.03\nmin=32768\nmax=36863\nplanefs=0.1.0 source"
                : "ImageJ=1.53t\nunit=um\nspacing=0.03\nmin=0\nmax=4095\nplanefs=0.1.0 source";
            assert_true(contains(&little, expected) && contains(&big, expected));
            pfs_text_finish(&little);
            pfs_text_finish(&big);
            s.name.at = (struct pfs_at){0, 7, 2};
            struct pfs_at at = s.name.kind->plane(&s.name, 0);
            assert_true(at.t == 0 && at.z == 7 && at.c == 2);
        }
    drop(&s);
}

/* A plane of a few hundred megapixels, and one that no TIFF holds. */
static void large_planes(void **state)
{
    (void)state;
    struct sample s;
    struct pfs_err err;
    int64_t size;
    make(&s, 1, 0, 1);
    s.view.shape.y = s.view.shape.x = 100000;
    struct pfs_text t = whole(&s, "{view}/{name}.tif", false);
    assert_memory_equal(t.s, "II+", 4);                    /* over 4 GiB: BigTIFF */
    pfs_text_finish(&t);
    s.view.shape.x = (int64_t)1 << 33;
    assert_int_equal(s.name.kind->size(&s.name, &size, &err), -EFBIG);
    s.view.shape.y = INT64_MAX / 4;
    assert_int_equal(s.name.kind->size(&s.name, &size, &err), -EFBIG);
    drop(&s);
}

static void ranged(struct sample *s, enum pfs_type type, double low, double high, int n, ...)
{
    struct pfs_recipe_step step[4];
    double range[2];
    va_list texts;
    va_start(texts, n);
    for (int i = 0; i < n; i++)
        step[i] = (struct pfs_recipe_step){.text = va_arg(texts, char *)};
    va_end(texts);
    s->view.recipe = (struct pfs_recipe){.n = n, .step = step};
    s->view.shape.type = type;
    pfs_header_range(&s->name, range);
    assert_true(range[0] == low && range[1] == high);
    s->view.recipe = (struct pfs_recipe){0};
}

/* The source's range is not a result's; what an operator says counts; masks and contrast are known. */
static void ranges(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 1, 0, 1);
    static const double carried[][2] = {{0, 0}, {50, 1579}, {0, 255}};
    for (int i = 0; i < 3; i++) {
        memcpy(s.d.shape.cal.range, carried[i], sizeof carried[i]);
        memcpy(s.view.shape.cal.range, carried[i], sizeof carried[i]);
        ranged(&s, PFS_U16, carried[i][0], carried[i][1], 0);
        ranged(&s, PFS_U16, carried[i][0], carried[i][1], 1, "crop/1 y=0 x=0 h=1 w=1");
        ranged(&s, PFS_F32, 0, 0, 1, "destripe/1 scales=6");
        ranged(&s, PFS_U8, 0, 255, 2, "invert/1", "contrast/1 bits=8");
        ranged(&s, PFS_U8, 0, 255, 3, "invert/1", "contrast/1 bits=8", "crop/1 y=0");
        ranged(&s, PFS_U16, 0, 0, 1, "contrast/1 bits=16");
        ranged(&s, PFS_U8, 0, 255, 1, "otsu/2 scope=channel");
        ranged(&s, PFS_U8, 0, 0, 1, "invert/1");
        ranged(&s, PFS_U8, 0, 0, 1, "contraster/1");
        s.view.shape.cal.range[0] = 0, s.view.shape.cal.range[1] = 3;
        ranged(&s, PFS_U8, 0, 3, 1, "kmeans/1 k=4");
    }
    drop(&s);
}

static void recipes(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 1, 0, 1);
    struct pfs_recipe_step step[] = {{.text = "invert/1"}, {.text = "destripe/1 a=1 b=2:3"}};
    s.view.recipe = (struct pfs_recipe){.n = 2, .step = step};
    struct pfs_text t = whole(&s, "{view}/{name}.tif", false);
    assert_true(contains(&t, "\nplanefs=0.1.0 invert/1 | destripe/1 a=1 b=2:3"));
    pfs_text_finish(&t);
    drop(&s);
}

/* Volumes: every plane once, in order, behind a header of the whole. */
static void volumes(void **state)
{
    (void)state;
    struct sample s;
    struct pfs_err err;
    int64_t size;
    make(&s, 3, 7, 2);
    s.view.shape.t = 2;
    s.view.shape.y = 31, s.view.shape.x = 33;
    static const char *const patterns[] = {"volume/{view}.tif", "volume/{view}.npy"};
    for (int i = 0; i < 2; i++) {
        struct pfs_text t = whole(&s, patterns[i], true);
        assert_int_equal(s.name.kind->n_planes(&s.name), 2 * 5 * 3);
        for (int64_t p = 0; p < 30; p++) {
            struct pfs_at at = s.name.kind->plane(&s.name, p);
            assert_true(at.t == p / 15 && at.z == p / 3 % 5 && at.c == p % 3);
        }
        const char *expected = i ? "{'descr': '>u2', 'fortran_order': False, 'shape': (2, 5, 3, 31, 33), }  "
                                 : "ImageJ=1.53t\nimages=30\nchannels=3\nslices=5\nframes=2\nhyperstack=true\n";
        assert_true(contains(&t, expected));
        pfs_text_finish(&t);
    }
    static const struct { enum pfs_type type; int code; const char *little, *big; } types[] = {
        {PFS_U8, 0, "'|u1'", "'|u1'"}, {PFS_I16, 0, "'<i2'", "'>i2'"}, {PFS_F32, 0, "'<f4'", "'>f4'"},
        {PFS_I32, 0, "'<i4'", "'>i4'"}, {PFS_F64, -EOPNOTSUPP, "'<f8'", "'>f8'"},
        {PFS_U64, -EOPNOTSUPP, "'<u8'", "'>u8'"}, {PFS_I64, -EOPNOTSUPP, "'<i8'", "'>i8'"},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        s.view.shape.type = types[i].type;
        struct pfs_text little = whole(&s, patterns[1], false), big = whole(&s, patterns[1], true), none = {0};
        assert_true(little.n == 8192 && little.s[8191] == '\n' && contains(&little, types[i].little));
        assert_true(big.n == 8192 && contains(&big, types[i].big));
        assert_int_equal(kind(patterns[0])->size(&s.name, &size, &err), types[i].code);
        assert_int_equal(kind(patterns[0])->head(&s.name, false, &none, &err), types[i].code);
        pfs_text_finish(&little);
        pfs_text_finish(&big);
        pfs_text_finish(&none);
    }
    s.view.shape.z = INT64_MAX / 8;
    assert_int_equal(kind(patterns[1])->size(&s.name, &size, &err), -EFBIG);
    assert_int_equal(kind("volume/{view}.tif")->size(&s.name, &size, &err), -EOPNOTSUPP);
    drop(&s);
}

/* A raw file and the header beside it. */
static void envi(void **state)
{
    (void)state;
    struct sample s;
    struct pfs_err err = {0};
    struct pfs_text t = {0};
    int64_t size;
    make(&s, 1, 0, 1);
    s.d.has_nodata = true;
    s.d.nodata = -0.5;
    const struct pfs_kind *bsq = kind("volume/{view}.bsq"), *hdr = kind("volume/{view}.hdr");
    assert_int_equal(bsq->size(&s.name, &size, &err), 0);
    assert_int_equal(size, (int64_t)3 * 9000 * 13750 * 2);
    assert_true(!bsq->head && bsq->n_planes(&s.name) == 3 && bsq->plane(&s.name, 2).c == 2);
    static const char wave[] = "wavelength units = Nanometers\nwavelength = {650, 500, 430.5}\n";
    static const char ignore[] = "data ignore value = -0.5\n";
    static const char expected[] =
        "ENVI\ndescription = {planefs=0.1.0 source}\nsamples = 13750\nlines = 9000\nbands = 3\nheader offset = 0\n"
        "file type = ENVI Standard\ndata type = 12\ninterleave = bsq\nbyte order = 0\n"
        "band names = {red \"1\", Band 2, __}\n";
    for (int i = 0; i < 2; i++) {
        s.wavelength[1] = i ? 500 : (double)NAN;
        assert_int_equal(hdr->size(&s.name, &size, &err), 0);
        assert_int_equal(hdr->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err), 0);
        assert_int_equal(t.n, size);
        assert_memory_equal(t.s, expected, sizeof expected - 1);
        const char *rest = t.s + sizeof expected - 1;
        assert_true(!i || !strncmp(rest, wave, sizeof wave - 1));
        assert_string_equal(rest + (i ? sizeof wave - 1 : 0), ignore);
        pfs_text_finish(&t);
    }
    s.view.shape.type = PFS_I8;
    assert_int_equal(hdr->size(&s.name, &size, &err), -EOPNOTSUPP);
    assert_int_equal(bsq->size(&s.name, &size, &err), -EOPNOTSUPP);
    s.view.shape.y = INT64_MAX / 2;
    assert_int_equal(bsq->size(&s.name, &size, &err), -EFBIG);
    drop(&s);
}

static void ome(void **state)
{
    (void)state;
    static const char pattern[] = "volume/{view}.ome.tif";
    struct sample s;
    struct pfs_err err;
    int64_t size;
    make(&s, 3, 0, 1);
    s.view.shape.y = 31, s.view.shape.x = 33;
    s.view.shape.cal.interval = 2.5;
    struct pfs_text little = whole(&s, pattern, false), big = whole(&s, pattern, true);
    assert_int_equal(little.n, big.n);
    assert_true(contains(&little, " BigEndian=\"false\" PhysicalSizeX=\"0.008\" PhysicalSizeY=\"0.008\" "
                                  "PhysicalSizeZ=\"0.03\" TimeIncrement=\"2.5\">"));
    assert_true(contains(&big, " BigEndian=\"true\"  PhysicalSizeX="));
    assert_true(contains(&big, "<Description>planefs=0.1.0 source</Description>"));
    assert_true(contains(&big, "Name=\"red &#34;1&#34;\"/><Channel ID=\"Channel:0:1\" SamplesPerPixel=\"1\"/>"));
    pfs_text_finish(&little);
    pfs_text_finish(&big);
    static const struct { const char *unit, *expected; } units[] = {
        {"nm", " PhysicalSizeX=\"0.008\" PhysicalSizeXUnit=\"nm\""}, {"inch", "PhysicalSizeYUnit=\"in\""},
        {"parsec", "BigEndian=\"false\" TimeIncrement"}, {"", "BigEndian=\"false\" TimeIncrement"},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        snprintf(s.view.shape.cal.unit, sizeof s.view.shape.cal.unit, "%s", units[i].unit);
        little = whole(&s, pattern, false);
        assert_true(contains(&little, units[i].expected));
        pfs_text_finish(&little);
    }
    s.view.shape.y = s.view.shape.x = 30000;               /* 15 GiB: BigTIFF with every IFD */
    little = whole(&s, pattern, false);
    assert_memory_equal(little.s, "II+", 4);
    pfs_text_finish(&little);
    s.view.shape.type = PFS_I64;
    assert_int_equal(kind(pattern)->size(&s.name, &size, &err), -EOPNOTSUPP);
    drop(&s);
}

/* `files DIR` writes volumes of bytes 0, 1, 2 ... for other programs to read. */
static int write_volume(const char *folder, const char *suffix)
{
    struct sample s;
    char path[4096];
    make(&s, 2, 0, 1);
    s.d.name = "a<b>&\"c' \x01\\ \xc2\xb5 \xf0\x9f\x98\x80 \xff";
    s.view.shape.type = PFS_U8;
    s.view.shape.y = 5, s.view.shape.x = 7;
    snprintf(path, sizeof path, "volume/{view}.%s", suffix);
    struct pfs_text t = whole(&s, path, false);
    snprintf(path, sizeof path, "%s/volume.%s", folder, suffix);
    FILE *f = fopen(path, "wb");
    if (!f)
        return perror(path), 1;
    fwrite(t.s, 1, t.n, f);
    for (int i = 0; i < 2 * 3 * 5 * 7; i++)
        fputc(i, f);
    pfs_text_finish(&t);
    drop(&s);
    return fclose(f) != 0;
}

int main(int n, char **arg)
{
    if (n > 1)
        return write_volume(arg[1], "npy") || write_volume(arg[1], "ome.tif");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table), cmocka_unit_test(single_planes), cmocka_unit_test(large_planes),
        cmocka_unit_test(ranges), cmocka_unit_test(recipes),
        cmocka_unit_test(volumes), cmocka_unit_test(ome), cmocka_unit_test(envi),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
