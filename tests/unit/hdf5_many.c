/* Files of many datasets: BigDataViewer with its XML, Imaris with its padding, CREMI beside annotations, nested groups. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "hdf5_make.h"

enum { Z = 3, Y = 4, X = 5, N = Z * Y * X };

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Values that say where they are from, with the highest bit set in some. */
static int16_t value(int t, int s, int i)
{
    return (int16_t)(t * 5000 + s * 20000 + i);
}

static void put_cells(hid_t f, int t, int s, const hsize_t *dim, hid_t type)
{
    char path[64];
    int n = (int)(dim[0] * dim[1] * dim[2]);
    int16_t *data = malloc((size_t)n * 2);
    for (int i = 0; i < n; i++)
        data[i] = value(t, s, i);
    snprintf(path, sizeof path, "/t%05d/s%02d/0/cells", t, s);
    H5Dclose(put_dataset(f, path, type, H5T_NATIVE_INT16, 3, dim, H5P_DEFAULT, data));
    snprintf(path, sizeof path, "/t%05d/s%02d/1/cells", t, s);
    H5Dclose(put_dataset(f, path, type, 0, 3, (hsize_t[]){1, 2, 2}, H5P_DEFAULT, NULL));
    snprintf(path, sizeof path, "/s%02d/resolutions", s);
    if (t == 0)
        H5Dclose(put_dataset(f, path, H5T_IEEE_F64LE, 0, 2, (hsize_t[]){2, 3}, H5P_DEFAULT, NULL));
    free(data);
}

static void make_bdv(const char *name)
{
    hid_t f = new_file(name);
    for (int t = 0; t < 3; t++)
        for (int s = 0; s < 4; s++)
            if (t != 2 || s != 1)                  /* one view is not there */
                put_cells(f, t, s, (hsize_t[]){Z, Y, s == 2 ? X + 1 : X}, H5T_STD_I16LE);
    H5Fclose(f);
}

static void check_view(struct pfs_source *s, int series, int t, int c, int setup)
{
    const struct pfs_shape *h = &s->series[series].shape;
    uint16_t px[64];
    struct pfs_err err;
    for (int z = 0; z < Z; z++) {
        if (s->driver->rows(s, series, (struct pfs_at){t, z, c}, 0, Y, px, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < Y * (int)h->x; i++)
            assert_int_equal(px[i], (uint16_t)value(t, setup, z * Y * (int)h->x + i));
    }
}

static void big_data_viewer(void **state)
{
    struct pfs_err err;
    struct pfs_extent e;
    uint16_t px[64];
    (void)state;
    make_bdv("bdv.h5");
    struct pfs_source *s = opened("bdv.h5");
    assert_int_equal(s->n_series, 2);              /* setup 2 is wider than the others */
    assert_int_equal(s->n_companions, 0);
    const struct pfs_shape *h = &s->series[0].shape;
    assert_true(h->t == 3 && h->z == Z && h->c == 3 && h->y == Y && h->x == X && h->type == PFS_U16);
    assert_string_equal(s->series[0].format, "BigDataViewer");
    assert_null(s->series[0].band_name);
    assert_true(s->series[1].shape.c == 1 && s->series[1].shape.x == X + 1);
    for (int t = 0; t < 3; t++)
        for (int c = 0; c < 3; c++)
            if (t != 2 || c != 1)
                check_view(s, 0, t, c, c == 2 ? 3 : c);
    check_view(s, 1, 2, 0, 2);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){1, 1, 2}, &e, &err), 0);
    assert_true(e.raw > 0);
    int fd = open(path_of("bdv.h5"), O_RDONLY);
    assert_int_equal(pread(fd, px, 2, e.raw), 2);
    assert_int_equal(px[0], (uint16_t)value(1, 3, Y * X));
    close(fd);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){2, 0, 1}, &e, &err), 0);
    assert_true(e.raw == -1 && e.stored == -1);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){2, 0, 1}, 0, Y, px, &err), -EIO);
    assert_non_null(strstr(err.text, "/t00002/s01/0/cells"));
    pfs_source_close(s);
}

#define SETUP(id, name) "<ViewSetup><id>" id "</id><name>" name "</name><size>5 4 3</size><voxelSize><unit>um</unit>" \
    "<size>0.25 0.5 2</size></voxelSize><attributes><channel>" id "</channel></attributes></ViewSetup>"
#define XML(file, setups) "<?xml version=\"1.0\"?>\n<SpimData version=\"0.2\"><SequenceDescription>" \
    "<ImageLoader format=\"bdv.hdf5\"><hdf5 type=\"relative\">" file "</hdf5></ImageLoader><ViewSetups>" setups \
    "<Attributes name=\"channel\"><Channel><id>0</id><name>not this</name></Channel></Attributes></ViewSetups>" \
    "</SequenceDescription></SpimData>"

static void bdv_xml(void **state)
{
    (void)state;
    make_bdv("named.h5");
    write_text("named.xml", XML("named.h5", SETUP("0", "DAPI") SETUP("1", "1") SETUP("3", "GFP &lt;x&gt;")));
    struct pfs_source *s = opened("named.h5");
    const struct pfs_calibration *c = &s->series[0].shape.cal;
    assert_int_equal(s->n_companions, 1);
    assert_string_equal(s->companion[0], "named.xml");
    assert_true(c->voxel[0] == 2 && c->voxel[1] == 0.5 && c->voxel[2] == 0.25);
    assert_string_equal(c->unit, "um");
    assert_string_equal(s->series[0].band_name[0], "DAPI");
    assert_null(s->series[0].band_name[1]);
    assert_string_equal(s->series[0].band_name[2], "GFP <x>");
    assert_true(s->series[1].shape.cal.voxel[0] == 0);
    pfs_source_close(s);
    static const char *const useless[] = {
        XML("other.h5", SETUP("0", "DAPI")), "not XML", "", "<SpimData>",
        "<!DOCTYPE a [<!ENTITY e \"x\">]>" "<SpimData>&e;</SpimData>",
        "<ViewSetups>" SETUP("0", "DAPI") "</ViewSetups>"};
    for (int i = 0; i < 6; i++) {
        write_text("named.xml", useless[i]);
        s = opened("named.h5");
        assert_true(s->series[0].shape.cal.voxel[0] == 0 && !s->series[0].band_name);
        pfs_source_close(s);
    }
}

/* ---- Imaris ---- */

static void put_group_text(hid_t f, const char *path, const char *name, const char *text)
{
    hid_t g = H5Gopen2(f, path, H5P_DEFAULT);
    if (g < 0) {
        hid_t links = H5Pcreate(H5P_LINK_CREATE);
        H5Pset_create_intermediate_group(links, 1);
        g = H5Gcreate2(f, path, links, H5P_DEFAULT, H5P_DEFAULT);
        H5Pclose(links);
    }
    put_text(g, name, text, LETTERS);
    H5Gclose(g);
}

static void imaris(void **state)
{
    const hsize_t dim[] = {4, 8, 8};
    uint8_t data[256], px[Y * X];
    char path[128];
    struct pfs_err err;
    (void)state;
    hid_t f = new_file("a.ims"), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 3, (hsize_t[]){2, 4, 4});
    H5Pset_deflate(p, 3);
    for (int t = 0; t < 2; t++)
        for (int c = 0; c < 2; c++) {
            for (int i = 0; i < 256; i++)
                data[i] = (uint8_t)(i + 90 * t + 40 * c);
            snprintf(path, sizeof path, "/DataSet/ResolutionLevel 0/TimePoint %d/Channel %d", t, c);
            char inner[160];
            snprintf(inner, sizeof inner, "%s/Data", path);
            H5Dclose(put_dataset(f, inner, H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, dim, p, data));
            put_group_text(f, path, "ImageSizeX", "5");
            put_group_text(f, path, "ImageSizeY", "4");
            put_group_text(f, path, "ImageSizeZ", "3");
        }
    H5Dclose(put_dataset(f, "/DataSet/ResolutionLevel 1/TimePoint 0/Channel 0/Data", H5T_STD_U8LE, 0, 3, dim, p, NULL));
    H5Dclose(put_dataset(f, "/Thumbnail/Data", H5T_STD_U8LE, 0, 2, dim, H5P_DEFAULT, NULL));
    static const char *const box[][2] = {{"ExtMin0", "1.5"}, {"ExtMax0", "4.0"}, {"ExtMin1", "0"}, {"ExtMax1", "2"},
                                         {"ExtMin2", "-3"}, {"ExtMax2", "3"}, {"Unit", "um"}};
    for (int i = 0; i < 7; i++)
        put_group_text(f, "/DataSetInfo/Image", box[i][0], box[i][1]);
    put_group_text(f, "/DataSetInfo/Channel 1", "Name", "green");
    H5Pclose(p);
    H5Fclose(f);
    struct pfs_source *s = opened("a.ims");
    const struct pfs_shape *h = &s->series[0].shape;
    assert_int_equal(s->n_series, 1);
    assert_string_equal(s->series[0].format, "Imaris");
    assert_true(h->t == 2 && h->z == Z && h->c == 2 && h->y == Y && h->x == X && h->type == PFS_U8);
    assert_true(h->cal.voxel[0] == 2 && h->cal.voxel[1] == 0.5 && h->cal.voxel[2] == 0.5);
    assert_string_equal(h->cal.unit, "um");
    assert_null(s->series[0].band_name[0]);
    assert_string_equal(s->series[0].band_name[1], "green");
    for (int64_t k = 0; k < pfs_shape_planes(h); k++) {
        struct pfs_at at = pfs_at_of(h, k);
        struct pfs_extent e;
        assert_int_equal(s->driver->rows(s, 0, at, 0, Y, px, &err), 0);
        for (int i = 0; i < Y * X; i++)
            assert_int_equal(px[i], (uint8_t)((at.z * 8 + i / X) * 8 + i % X + 90 * at.t + 40 * at.c));
        assert_int_equal(s->driver->extent(s, 0, at, &e, &err), 0);
        assert_true(e.raw == -1 && e.stored > 0);
    }
    pfs_source_close(s);
}

/* ---- which datasets are shown ---- */

static void names_are(struct pfs_source *s, const char *const *want)
{
    int n = 0;
    for (; want[n]; n++) {
        assert_true(n < s->n_series);
        assert_string_equal(s->series[n].name, want[n]);
    }
    assert_int_equal(s->n_series, n);
    pfs_source_close(s);
}

static void put_volume(hid_t f, const char *path)
{
    H5Dclose(put_dataset(f, path, H5T_STD_U8LE, 0, 3, (hsize_t[]){2, 3, 5}, H5P_DEFAULT, NULL));
}

static void which_are_shown(void **state)
{
    (void)state;
    hid_t f = new_file("cremi.h5");
    put_volume(f, "/volumes/raw");
    put_volume(f, "/volumes/labels/neuron_ids");
    H5Dclose(put_dataset(f, "/annotations/locations", H5T_IEEE_F64LE, 0, 2, (hsize_t[]){7, 3}, H5P_DEFAULT, NULL));
    hid_t d = H5Dopen2(f, "/volumes/labels/neuron_ids", H5P_DEFAULT);
    put_numbers(d, "resolution", 3, (double[]){40, 4, 4});
    H5Dclose(d);
    H5Fclose(f);
    struct pfs_source *s = opened("cremi.h5");
    assert_string_equal(s->series[0].shape.cal.unit, "nm");
    assert_true(s->series[0].shape.cal.voxel[0] == 40);
    names_are(s, (const char *const[]){"/volumes/labels/neuron_ids", "/volumes/raw", NULL});
    f = new_file("ilastik.h5");
    put_volume(f, "/exported_data");
    put_volume(f, "/table");
    d = H5Dopen2(f, "/exported_data", H5P_DEFAULT);
    put_text(d, "axistags", "{}", FIXED);
    H5Dclose(d);
    H5Fclose(f);
    names_are(opened("ilastik.h5"), (const char *const[]){"/exported_data", NULL});
    f = new_file("any.h5");
    put_volume(f, "/b/deep/er");
    put_volume(f, "/b/a");
    put_volume(f, "/a space");
    put_volume(f, "/#refs#/a");
    H5Dclose(put_dataset(f, "/one", H5T_STD_U8LE, 0, 1, (hsize_t[]){7}, H5P_DEFAULT, NULL));
    H5Dclose(put_dataset(f, "/six", H5T_STD_U8LE, 0, 6, (hsize_t[]){1, 1, 1, 1, 2, 2}, H5P_DEFAULT, NULL));
    H5Dclose(put_dataset(f, "/empty", H5T_STD_U8LE, 0, 2, (hsize_t[]){0, 4}, H5P_DEFAULT, NULL));
    H5Dclose(put_dataset(f, "/text", H5T_C_S1, 0, 2, (hsize_t[]){2, 4}, H5P_DEFAULT, NULL));
    H5Lcreate_hard(f, "/b/a", f, "/z again", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/b/a", f, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(f, "/b", f, "/b/deep/loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(f);
    names_are(opened("any.h5"), (const char *const[]){"/a space", "/b/a", "/b/deep/er", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(big_data_viewer), cmocka_unit_test(bdv_xml), cmocka_unit_test(imaris),
        cmocka_unit_test(which_are_shown),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
