/* OME-XML: axes in every order, runs of planes, several images and files, calibration, and texts not to be believed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

enum { W = 20, H = 12 };
#define XMLNS "http://www.openmicroscopy.org/Schemas/OME/2016-06"
#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OME xmlns=\"" XMLNS "\" UUID=\"urn:uuid:1\">"
#define PIXELS "SizeX=\"20\" SizeY=\"12\" Type=\"uint16\" "

static struct made page(int seed)
{
    return (struct made){
        .w = W, .h = H, .bits = 16, .samples = 1, .format = 1, .photometric = 1, .seed = (uint32_t)seed};
}

static int stack_of(int n, const char *description)
{
    struct made m[64];
    assert_true(n <= 64);
    for (int i = 0; i < n; i++)
        m[i] = page(i);
    m[0].description = description;
    return write_pages("wl", m, n);
}

static int open_as(int fd, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    return pfs_source_open(&(struct pfs_files){get_dup, &fd}, name, ret, err);
}

/* n pages with that text, as the file some/where/own.ome.tif. */
static struct pfs_source *open_pages(int n, const char *xml)
{
    struct pfs_source *s = NULL;
    struct pfs_err err = {0};
    int fd = stack_of(n, xml);
    if (open_as(fd, "some/where/own.ome.tif", &s, &err) < 0)
        fail_msg("open: %s", err.text);
    close(fd);
    return s;
}

static void check_shape(const struct pfs_source *s, int series, int t, int z, int c)
{
    const struct pfs_shape *h = &s->series[series].shape;
    if (h->t != t || h->z != z || h->c != c)
        fail_msg("series %d is %d x %d x %d, %d x %d x %d expected", series, (int)h->t, (int)h->z, (int)h->c, t, z, c);
}

/* The plane is page `seed`; -1: it is not in the file. */
static void check_plane(struct pfs_source *s, int series, int t, int z, int c, int seed)
{
    struct made m = page(seed);
    struct pfs_at at = {t, z, c};
    struct pfs_err err = {0};
    struct pfs_extent e;
    uint16_t px[W * H];
    assert_int_equal(s->driver->extent(s, series, at, &e, &err), 0);
    if (seed >= 0) {
        check_rows(s, series, at, &m, 0, 0, H);
        assert_true(e.raw > 0);
        return;
    }
    assert_int_equal(s->driver->rows(s, series, at, 0, H, px, &err), -ENOENT);
    assert_true(err.text[0] && e.raw == -1 && e.stored == -1);
}

/* A text that is not believed: the file is its pages. */
static void is_plain(int n, const char *xml)
{
    struct pfs_source *s = open_pages(n, xml);
    check_shape(s, 0, 1, n, 1);
    assert_string_equal(s->series[0].format, "TIFF");
    assert_null(s->series[0].piece);
    pfs_source_close(s);
}

static void orders(void **state)
{
    static const char *const order[] = {"ZCT", "ZTC", "CTZ", "CZT", "TCZ", "TZC"};
    const int length[3] = {3, 2, 4};                 /* z, c, t */
    (void)state;
    for (int k = 0; k < 6; k++) {
        char xml[1024];
        snprintf(xml, sizeof xml, HEAD "<Image><Pixels " PIXELS "SizeZ=\"3\" SizeC=\"2\" SizeT=\"4\" "
                 "DimensionOrder=\"XY%s\"><TiffData/></Pixels></Image></OME>", order[k]);
        struct pfs_source *s = open_pages(24, xml);
        check_shape(s, 0, 4, 3, 2);
        assert_string_equal(s->series[0].format, "OME-TIFF");
        for (int i = 0; i < 24; i++) {
            int at[3], rest = i;
            for (int a = 0; a < 3; a++) {
                int axis = order[k][a] == 'Z' ? 0 : order[k][a] == 'C' ? 1 : 2;
                at[axis] = rest % length[axis];
                rest /= length[axis];
            }
            check_plane(s, 0, at[2], at[0], at[1], i);
        }
        pfs_source_close(s);
    }
}

static void runs(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(6, HEAD "<Image><Pixels " PIXELS "SizeZ=\"3\" SizeC=\"2\" SizeT=\"1\" "
        "DimensionOrder=\"XYZCT\"><TiffData FirstC=\"1\" IFD=\"0\" PlaneCount=\"3\"/>"
        "<TiffData FirstZ=\"2\" IFD=\"3\"/><TiffData FirstZ=\"0\" IFD=\"5\" NumPlanes=\"2\"/>"
        "<TiffData FirstZ=\"7\" IFD=\"1\"/></Pixels></Image></OME>");
    check_shape(s, 0, 1, 3, 2);
    for (int z = 0; z < 3; z++)
        check_plane(s, 0, 0, z, 1, z);
    check_plane(s, 0, 0, 2, 0, 3);
    check_plane(s, 0, 0, 0, 0, 5);
    check_plane(s, 0, 0, 1, 0, -1);                  /* page 6 is not there */
    assert_int_equal(s->series[0].piece[2].file, -1);
    pfs_source_close(s);
}

/* A run without a length goes on to the next one. */
static void runs_on(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(5, HEAD "<Image><Pixels " PIXELS "SizeZ=\"6\" SizeC=\"1\" SizeT=\"1\" "
        "DimensionOrder=\"XYZCT\"><TiffData/><TiffData FirstZ=\"4\" IFD=\"4\"/></Pixels></Image></OME>");
    for (int z = 0; z < 5; z++)
        check_plane(s, 0, 0, z, 0, z);
    check_plane(s, 0, 0, 5, 0, -1);
    pfs_source_close(s);
}

static void images(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(5, HEAD "<Image Name=\"a\"><Pixels " PIXELS "SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\" "
        "DimensionOrder=\"XYZCT\"><TiffData IFD=\"0\" PlaneCount=\"2\"/></Pixels></Image>"
        "<Image Name=\"nowhere\"><Pixels " PIXELS "SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\">"
        "<TiffData IFD=\"77\"/></Pixels></Image><Image Name=\"without pixels\"/>"
        "<Image Name=\"b &lt;&#181;&gt;\"><Pixels " PIXELS "SizeZ=\"1\" SizeC=\"1\" SizeT=\"3\" DimensionOrder=\"XYZCT\">"
        "<TiffData IFD=\"2\" PlaneCount=\"3\"/></Pixels></Image></OME>");
    assert_int_equal(s->n_series, 2);
    check_shape(s, 0, 1, 2, 1);
    check_shape(s, 1, 3, 1, 1);
    assert_string_equal(s->series[0].name, "a");
    assert_string_equal(s->series[1].name, "b <\xc2\xb5>");
    check_plane(s, 0, 0, 1, 0, 1);
    check_plane(s, 1, 2, 0, 0, 4);
    pfs_source_close(s);
}

static void colours(void **state)
{
    struct made m[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        m[i] = page(i);
        m[i].samples = 3;
        m[i].photometric = PHOTOMETRIC_RGB;
    }
    m[0].description = HEAD "<Image><Pixels " PIXELS "SizeZ=\"2\" SizeC=\"3\" SizeT=\"1\" DimensionOrder=\"XYCZT\">"
        "<Channel Name=\"colour\" SamplesPerPixel=\"3\"/><TiffData/></Pixels></Image></OME>";
    int fd = write_pages("wl", m, 2);
    struct pfs_source *s = NULL;
    assert_int_equal(open_fd(fd, &s, NULL), 0);
    check_shape(s, 0, 1, 2, 3);
    assert_null(s->series[0].band_name);
    for (int i = 0; i < 6; i++) {
        check_rows(s, 0, (struct pfs_at){0, i / 3, i % 3}, &m[i / 3], i % 3, 0, H);
        assert_true(s->series[0].piece[i].page == i / 3 && s->series[0].piece[i].sample == i % 3);
    }
    pfs_source_close(s);
    close(fd);
}

static void calibration(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(2, HEAD "<Image><Pixels " PIXELS "SizeZ=\"1\" SizeC=\"2\" SizeT=\"1\" "
        "DimensionOrder=\"XYZCT\" PhysicalSizeX=\"65.6\" PhysicalSizeXUnit=\"nm\" PhysicalSizeY=\"0.0656\" "
        "PhysicalSizeZ=\"3\" PhysicalSizeZUnit=\"mm\" TimeIncrement=\"1500\" TimeIncrementUnit=\"ms\" "
        "SignificantBits=\"12\"><Channel Name=\"DAPI\" EmissionWavelength=\"461\"/><Channel Name=\"\" "
        "EmissionWavelength=\"0.519\" EmissionWavelengthUnit=\"&#181;m\"/><TiffData/></Pixels></Image></OME>");
    const struct pfs_calibration *cal = &s->series[0].shape.cal;
    assert_string_equal(cal->unit, "um");
    assert_true(cal->voxel[2] == 0.0656 && cal->voxel[1] == 0.0656 && cal->voxel[0] == 3000 && cal->interval == 1.5);
    assert_int_equal(s->series[0].bits, 12);
    assert_string_equal(s->series[0].band_name[0], "DAPI");
    assert_null(s->series[0].band_name[1]);
    assert_true(s->series[0].wavelength[0] == 461 && s->series[0].wavelength[1] == 519);
    pfs_source_close(s);
    s = open_pages(1, HEAD "<Image><Pixels " PIXELS "SizeZ=\"1\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\" "
        "PhysicalSizeX=\"4\" PhysicalSizeXUnit=\"nm\" PhysicalSizeY=\"5\" PhysicalSizeYUnit=\"nm\" SignificantBits=\"99\">"
        "<TiffData/></Pixels></Image></OME>");
    cal = &s->series[0].shape.cal;
    assert_string_equal(cal->unit, "nm");
    assert_true(cal->voxel[2] == 4 && cal->voxel[1] == 5 && cal->voxel[0] == 0 && s->series[0].bits == 16);
    pfs_source_close(s);
    s = open_pages(1, HEAD "<Image><Pixels " PIXELS "SizeZ=\"1\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\" "
        "PhysicalSizeX=\"2\" PhysicalSizeXUnit=\"pixel\" PhysicalSizeY=\"-1\" TimeIncrement=\"nan\"><TiffData/></Pixels>"
        "</Image></OME>");
    cal = &s->series[0].shape.cal;
    assert_string_equal(cal->unit, "pixel");
    assert_true(cal->voxel[2] == 2 && cal->voxel[1] == 0 && cal->interval == 0);
    pfs_source_close(s);
}

/* Prefixes, foreign elements of the same names, and a micro sign that is not UTF-8. */
static void spellings(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(2, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- OME --><ome:OME xmlns:ome=\"" XMLNS
        "\"><ome:StructuredAnnotations><XMLAnnotation><Value><Image><Pixels/></Image><OME><Image/></OME></Value>"
        "</XMLAnnotation></ome:StructuredAnnotations><ome:Image><ome:Pixels " PIXELS "SizeZ=\"1\" SizeC=\"1\" SizeT=\"2\" "
        "DimensionOrder=\"XYZCT\" PhysicalSizeX=\"2\" PhysicalSizeXUnit=\"\xb5m\"><ome:TiffData/></ome:Pixels></ome:Image>"
        "</ome:OME>\n ");
    assert_int_equal(s->n_series, 1);
    check_shape(s, 0, 2, 1, 1);
    assert_string_equal(s->series[0].shape.cal.unit, "um");
    pfs_source_close(s);
}

#define PLAIN_PIXELS "<Pixels " PIXELS "SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\">"

static void not_believed(void **state)
{
    static char deep[8192] = HEAD;
    static const char *const bad[] = {
        "OME>",
        HEAD "<Image></OME>",
        "<?xml version=\"1.0\"?><!DOCTYPE OME [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><OME><Image>" PLAIN_PIXELS
            "<TiffData/></Pixels></Image></OME>",
        "<?xml version=\"1.0\"?><!DOCTYPE OME SYSTEM \"file:///etc/passwd\"><OME><Image>" PLAIN_PIXELS
            "<TiffData/></Pixels></Image></OME>",
        HEAD "<Image>" PLAIN_PIXELS "&undefined;<TiffData/></Pixels></Image></OME>",
        "<NOT_OME><Image>" PLAIN_PIXELS "<TiffData/></Pixels></Image></NOT_OME><!-- OME>",
        HEAD "</OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\"><TiffData/></Pixels></Image></OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZZT\"><TiffData/></Pixels>"
            "</Image></OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"0\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\"><TiffData/></Pixels>"
            "</Image></OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"-2\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\"><TiffData/></Pixels>"
            "</Image></OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"3037000500\" SizeC=\"3037000500\" SizeT=\"9\" DimensionOrder=\"XYZCT\">"
            "<TiffData/></Pixels></Image></OME>",
        HEAD "<Image><Pixels " PIXELS "SizeZ=\"1048577\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\"><TiffData/>"
            "</Pixels></Image></OME>",
        HEAD "<Image>" PLAIN_PIXELS "<TiffData IFD=\"2\"/></Pixels></Image></OME>",
        HEAD "<Image>" PLAIN_PIXELS "<TiffData IFD=\"99999999999999999999\" FirstZ=\"9\" "
            "PlaneCount=\"9223372036854775807\"/></Pixels></Image></OME>",
        deep,
    };
    (void)state;
    for (int i = 0; i < 65; i++)
        strcat(deep, "<a>");
    for (int i = 0; i < 65; i++)
        strcat(deep, "</a>");
    strcat(deep, "<Image>" PLAIN_PIXELS "<TiffData/></Pixels></Image></OME>");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is_plain(2, bad[i]);
}

/* The same run a million times over must not take a million times its length. */
static void over_and_over(void **state)
{
    static const char run[] = "<TiffData IFD=\"0\" PlaneCount=\"1000000\"/>";
    size_t n = 20000;
    char *xml = malloc(2048 + n * sizeof run), *p = xml;
    (void)state;
    p += sprintf(p, HEAD "<Image><Pixels " PIXELS "SizeZ=\"1000000\" SizeC=\"1\" SizeT=\"1\" DimensionOrder=\"XYZCT\">");
    for (size_t i = 0; i < n; i++)
        p = stpcpy(p, run);
    strcpy(p, "</Pixels></Image></OME>");
    is_plain(2, xml);
    free(xml);
}

/* n pages with both texts: ImageJ's is written as another tag, whose number is then changed in the first directory. */
static struct pfs_source *open_both(int n, const char *xml, const char *imagej)
{
    struct pfs_source *s = NULL;
    int fd = memory_file();
    TIFF *t = TIFFFdOpen(dup(fd), "made", "wl");
    for (int i = 0; i < n; i++) {
        struct made m = page(i);
        m.description = i ? NULL : xml;
        if (i == 0)
            TIFFSetField(t, TIFFTAG_SOFTWARE, imagej);
        write_page(t, &m);
    }
    TIFFClose(t);
    uint32_t at;
    uint16_t count, tag = 0;
    assert_int_equal(pread(fd, &at, 4, 4), 4);
    assert_int_equal(pread(fd, &count, 2, at), 2);
    for (at += 2; count-- && tag != TIFFTAG_SOFTWARE; at += 12)
        assert_int_equal(pread(fd, &tag, 2, at), 2);
    assert_int_equal(tag, TIFFTAG_SOFTWARE);
    tag = TIFFTAG_IMAGEDESCRIPTION;
    assert_int_equal(pwrite(fd, &tag, 2, at - 12), 2);
    assert_int_equal(open_as(fd, "own.ome.tif", &s, NULL), 0);
    close(fd);
    return s;
}

/* OME-XML is believed before ImageJ's text; where it is broken, that one is, and where it is broken too, neither. */
static void imagej_too(void **state)
{
    static const char good[] = HEAD "<Image><Pixels " PIXELS "SizeZ=\"1\" SizeC=\"2\" SizeT=\"3\" DimensionOrder=\"XYCZT\">"
        "<TiffData/></Pixels></Image></OME>";
    (void)state;
    struct pfs_source *s = open_both(6, good, "ImageJ=1.53t\nimages=6\nslices=3\nframes=2\n");
    check_shape(s, 0, 3, 1, 2);
    assert_string_equal(s->series[0].format, "OME-TIFF");
    pfs_source_close(s);
    s = open_both(6, HEAD "<Image></OME>", "ImageJ=1.53t\nimages=6\nslices=3\nframes=2\n");
    check_shape(s, 0, 2, 3, 1);
    assert_string_equal(s->series[0].format, "ImageJ TIFF");
    pfs_source_close(s);
    s = open_both(6, HEAD "<Image></OME>", "ImageJ=1.53t\nimages=6\nslices=4\nframes=2\n");
    check_shape(s, 0, 1, 6, 1);
    pfs_source_close(s);
}

#define FILE_RUN(z, name, uuid) \
    "<TiffData FirstZ=\"" z "\" IFD=\"0\"><UUID FileName=\"" name "\">" uuid "</UUID></TiffData>"

static void other_files(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(2, HEAD "<Image><Pixels " PIXELS "SizeZ=\"5\" SizeC=\"1\" SizeT=\"1\" "
        "DimensionOrder=\"XYZCT\">" FILE_RUN("0", "z.tif", "urn:uuid:9") FILE_RUN("1", "OWN.ome.tif", "urn:uuid:7")
        FILE_RUN("2", "../a\\b.tif", "urn:uuid:8") FILE_RUN("3", "old name.tif", " urn:uuid:1 \n") FILE_RUN("4", "..", "x")
        "</Pixels></Image></OME>");
    const struct pfs_series *q = &s->series[0];
    check_shape(s, 0, 1, 5, 1);
    assert_int_equal(q->n_files, 3);
    assert_string_equal(q->file[1], "b.tif");
    assert_string_equal(q->file[2], "z.tif");
    assert_int_equal(q->piece[0].file, 3);
    assert_int_equal(q->piece[1].file, 0);
    assert_int_equal(q->piece[2].file, 2);
    assert_int_equal(q->piece[3].file, 0);
    assert_string_equal(q->file[q->piece[4].file - 1], "?");
    check_plane(s, 0, 0, 1, 0, 0);
    check_plane(s, 0, 0, 2, 0, -1);
    pfs_source_close(s);
}

/* All runs name one other file: the file was renamed. */
static void renamed(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(2, HEAD "<Image>" PLAIN_PIXELS "<TiffData PlaneCount=\"2\">"
        "<UUID FileName=\"was.tif\">urn:uuid:5</UUID></TiffData></Pixels></Image></OME>");
    assert_int_equal(s->series[0].n_files, 0);
    check_plane(s, 0, 0, 1, 0, 1);
    pfs_source_close(s);
}

static void binary_only(void **state)
{
    (void)state;
    struct pfs_source *s = open_pages(3, HEAD "<BinaryOnly MetadataFile=\"set.companion.ome\" UUID=\"urn:uuid:3\"/></OME>");
    assert_string_equal(s->series[0].master, "set.companion.ome");
    check_shape(s, 0, 1, 3, 1);
    for (int i = 0; i < 3; i++)
        assert_true(s->series[0].piece[i].file == 0 && s->series[0].piece[i].page == i);
    pfs_source_close(s);
    is_plain(2, HEAD "<BinaryOnly MetadataFile=\"own.ome.tif\" UUID=\"urn:uuid:3\"/></OME>");
}

static int open_text(const char *xml, struct pfs_source **s, struct pfs_err *err)
{
    int fd = file_of(xml, strlen(xml)), r = open_as(fd, "set.companion.ome", s, err);
    close(fd);
    return r;
}

static void companion(void **state)
{
    struct pfs_source *s;
    struct pfs_err err = {0};
    (void)state;
    assert_int_equal(open_text(HEAD "<Image Name=\"set\">" PLAIN_PIXELS FILE_RUN("0", "b.tif", "urn:uuid:1")
                               FILE_RUN("1", "a.tif", "urn:uuid:2") "</Pixels></Image></OME>", &s, &err), 0);
    assert_string_equal(s->driver->name, "ome");
    check_shape(s, 0, 1, 2, 1);
    assert_true(s->series[0].shape.type == PFS_U16 && s->series[0].bits == 16 && s->series[0].shape.x == W);
    assert_int_equal(s->series[0].piece[0].file, 2);
    check_plane(s, 0, 0, 0, 0, -1);
    pfs_source_close(s);
    assert_int_equal(open_text(HEAD "<Image>" PLAIN_PIXELS "<TiffData/></Pixels></Image></OME>", &s, &err), -EOPNOTSUPP);
    assert_int_equal(open_text(HEAD "<Image>", &s, &err), -EIO);
    assert_int_equal(open_text("<html><body>about OME</body></html>", &s, &err), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),       cmocka_unit_test(runs),        cmocka_unit_test(runs_on),
        cmocka_unit_test(images),       cmocka_unit_test(colours),     cmocka_unit_test(calibration),
        cmocka_unit_test(spellings),    cmocka_unit_test(not_believed), cmocka_unit_test(over_and_over),
        cmocka_unit_test(imagej_too),   cmocka_unit_test(other_files), cmocka_unit_test(renamed),
        cmocka_unit_test(binary_only),  cmocka_unit_test(companion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
