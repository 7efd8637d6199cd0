/* HDF5 datasets: every type, byte order, layout and filter, axes and calibration from attributes, where planes lie, and
 * sample files of others. The files are made here by the library. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "hdf5_make.h"

#include <planefs/hash.h>

#include <math.h>

enum { Z = 6, Y = 7, X = 9, N = Z * Y * X };
static const hsize_t zyx[] = {Z, Y, X};

/* ---- types and storage ---- */

struct kind { const char *name; hid_t stored, memory; enum pfs_type type; int64_t low; };
static struct kind kinds[20];
static int n_kinds;

static void add_kind(const char *name, hid_t stored, hid_t memory, enum pfs_type type, int64_t low)
{
    kinds[n_kinds++] = (struct kind){name, stored, memory, type, low};
}

static int list_kinds(void **state)
{
    hid_t half = H5Tcopy(H5T_IEEE_F32LE), narrow = H5Tcopy(H5T_STD_U16LE), three = H5Tcopy(H5T_STD_U32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    H5Tset_precision(narrow, 12);
    H5Tset_precision(three, 24);
    H5Tset_size(three, 3);
    add_kind("u8", H5T_STD_U8LE, H5T_NATIVE_UINT8, PFS_U8, 0);
    add_kind("i8", H5T_STD_I8BE, H5T_NATIVE_INT16, PFS_I16, -100);
    add_kind("u16le", H5T_STD_U16LE, H5T_NATIVE_UINT16, PFS_U16, 0);
    add_kind("u16be", H5T_STD_U16BE, H5T_NATIVE_UINT16, PFS_U16, 0);
    add_kind("i16be", H5T_STD_I16BE, H5T_NATIVE_INT16, PFS_I16, -100);
    add_kind("u12", narrow, H5T_NATIVE_UINT16, PFS_U16, 0);
    add_kind("u24", three, H5T_NATIVE_UINT32, PFS_U32, 0);
    add_kind("u32be", H5T_STD_U32BE, H5T_NATIVE_UINT32, PFS_U32, 0);
    add_kind("i32le", H5T_STD_I32LE, H5T_NATIVE_INT32, PFS_I32, -100);
    add_kind("u64le", H5T_STD_U64LE, H5T_NATIVE_UINT64, PFS_U64, 0);
    add_kind("u64be", H5T_STD_U64BE, H5T_NATIVE_UINT64, PFS_U64, 0);
    add_kind("i64be", H5T_STD_I64BE, H5T_NATIVE_INT64, PFS_I64, -100);
    add_kind("f16", half, H5T_NATIVE_FLOAT, PFS_F32, -100);
    add_kind("f32le", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, PFS_F32, -100);
    add_kind("f32be", H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, PFS_F32, -100);
    add_kind("f64be", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, PFS_F64, -100);
    return make_folder(state);
}

/* Sample i, as the type delivers it: whole numbers that every type holds, labels beyond 32 bits for the widest. */
static void sample(const struct kind *k, int64_t i, char out[8])
{
    int64_t v = k->low + i * 7 % 200;
    if (k->type == PFS_U64 || k->type == PFS_I64)
        v += (int64_t)1 << 40;
    float f = (float)v;
    double d = (double)v;
    memcpy(out, &v, 8);
    if (k->type == PFS_F32)
        memcpy(out, &f, 4);
    if (k->type == PFS_F64)
        memcpy(out, &d, 8);
}

static void *samples(const struct kind *k, int64_t n)
{
    size_t size = pfs_type_size(k->type);
    char *data = malloc((size_t)n * size), v[8];
    for (int64_t i = 0; i < n; i++) {
        sample(k, i, v);
        memcpy(data + (size_t)i * size, v, size);
    }
    return data;
}

static void check_planes(struct pfs_source *s, int series, const struct kind *k)
{
    const struct pfs_shape *h = &s->series[series].shape;
    size_t size = pfs_type_size(k->type);
    char px[X * Y * 8], v[8];
    struct pfs_err err;
    if (h->type != k->type || h->z != Z || h->y != Y || h->x != X)
        fail_msg("%s: %d", k->name, h->type);
    for (int z = 0; z < Z; z++)
        for (int y0 = 0; y0 < Y; y0 += 3) {
            int n = Y - y0 < 4 ? Y - y0 : 4;
            if (s->driver->rows(s, series, (struct pfs_at){0, z, 0}, y0, n, px, &err))
                fail_msg("%s: %s", k->name, err.text);
            for (int i = 0; i < n * X; i++) {
                sample(k, (z * Y + y0) * X + i, v);
                if (memcmp(px + (size_t)i * size, v, size))
                    fail_msg("%s: sample %d of plane %d", k->name, i, z);
            }
        }
}

enum storage { CONTIGUOUS, COMPACT, CHUNKED, GZIP, SHUFFLE, FLETCHER, SCALE, SCALE_GZIP, SZIP, N_STORAGE };

static hid_t storage_of(enum storage how)
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {4, 4, 4};
    if (how >= CHUNKED)
        H5Pset_chunk(p, 3, chunk);
    if (how == COMPACT)
        H5Pset_layout(p, H5D_COMPACT);
    if (how == SCALE || how == SCALE_GZIP)
        H5Pset_scaleoffset(p, H5Z_SO_INT, 0);
    if (how == SHUFFLE)
        H5Pset_shuffle(p);
    if (how == GZIP || how == SHUFFLE || how == SCALE_GZIP)
        H5Pset_deflate(p, 5);
    if (how == FLETCHER)
        H5Pset_fletcher32(p);
    if (how == SZIP)
        H5Pset_szip(p, H5_SZIP_NN_OPTION_MASK, 8);
    return p;
}

/* Of which type HDF5's own filters cannot be asked for. */
static bool possible(const struct kind *k, enum storage how)
{
    bool is_float = H5Tget_class(k->stored) == H5T_FLOAT;
    bool odd = H5Tget_precision(k->stored) % 8 || H5Tget_size(k->stored) == 3;
    if (how == SCALE || how == SCALE_GZIP)
        return !is_float && !odd;
    return how != SZIP || (!odd && !(is_float && H5Tget_size(k->stored) == 2));
}

/* Raw extents, and no others, hold the very samples. */
static void check_extents(struct pfs_source *s, int series, const struct kind *k, enum storage how, const char *file)
{
    size_t size = pfs_type_size(k->type);
    int fd = open(path_of(file), O_RDONLY);
    bool plain = how == CONTIGUOUS && H5Tget_size(k->stored) == size && H5Tget_precision(k->stored) == 8 * size;
    struct pfs_extent e, first = {0};
    struct pfs_err err;
    char v[8], got[8];
    for (int z = 0; z < Z; z++) {
        if (s->driver->extent(s, series, (struct pfs_at){0, z, 0}, &e, &err))
            fail_msg("%s: %s", k->name, err.text);
        assert_int_equal(e.file, 0);
        assert_int_equal(e.raw >= 0, plain);
        assert_int_equal(e.stored >= 0, how != COMPACT);
        if (how == CONTIGUOUS)
            assert_int_equal(e.stored_size, Y * X * (int64_t)H5Tget_size(k->stored));
        if (z && how >= CHUNKED) {                 /* four planes share a layer of chunks */
            bool same = e.stored == first.stored && e.stored_size == first.stored_size && e.codec == first.codec;
            assert_int_equal(same, z < 4);
        }
        first = z ? first : e;
        if (!plain)
            continue;
        sample(k, z * Y * X + 5, v);
        assert_int_equal(e.big_endian, H5Tget_order(k->stored) == H5T_ORDER_BE);
        assert_int_equal(pread(fd, got, size, e.raw + 5 * (int64_t)size), (ssize_t)size);
        for (size_t b = 0; b < size; b++)
            assert_int_equal(got[b], v[e.big_endian ? size - 1 - b : b]);
    }
    close(fd);
}

static void every_type_and_storage(void **state)
{
    static const char *const packed[] = {"none", "none", "none", "deflate", "deflate", "none", "scaleoffset",
                                         "scaleoffset+deflate", "szip"};
    (void)state;
    for (enum storage how = 0; how < N_STORAGE; how++) {
        hid_t f = new_file("t.h5"), p = storage_of(how);
        for (int i = 0; i < n_kinds; i++) {
            if (!possible(&kinds[i], how))
                continue;
            void *data = samples(&kinds[i], N);
            H5Dclose(put_dataset(f, kinds[i].name, kinds[i].stored, kinds[i].memory, 3, zyx, p, data));
            free(data);
        }
        H5Pclose(p);
        H5Fclose(f);
        struct pfs_source *s = opened("t.h5");
        int found = 0;
        for (int i = 0; i < n_kinds; i++)
            for (int k = 0; k < s->n_series; k++)
                if (!strcmp(s->series[k].name + 1, kinds[i].name)) {
                    found++;
                    assert_string_equal(s->series[k].compression, packed[how]);
                    assert_int_equal(s->series[k].bits, H5Tget_precision(kinds[i].stored));
                    check_planes(s, k, &kinds[i]);
                    check_extents(s, k, &kinds[i], how, "t.h5");
                }
        assert_true(found == s->n_series && found >= (how == SCALE || how == SCALE_GZIP ? 10 : 13));
        pfs_source_close(s);
    }
}

/* h5py's bool, an enumeration of its own, a user block before the file, samples never written. */
static void odd_ones(void **state)
{
    hid_t create = H5Pcreate(H5P_FILE_CREATE), fill = H5Pcreate(H5P_DATASET_CREATE);
    (void)state;
    H5Pset_userblock(create, 1024);
    H5Pset_chunk(fill, 3, zyx);
    H5Pset_fill_value(fill, H5T_NATIVE_INT, &(int){77});
    hid_t f = H5Fcreate(path_of("odd.h5"), H5F_ACC_TRUNC, create, H5P_DEFAULT);
    hid_t truth = H5Tenum_create(H5T_STD_I8LE), label = H5Tenum_create(H5T_STD_I16BE);
    H5Tenum_insert(truth, "FALSE", &(int8_t){0});
    H5Tenum_insert(truth, "TRUE", &(int8_t){1});
    for (int i = 0; i < 3; i++) {
        int16_t v = (int16_t)(i << 8);             /* i, big-endian */
        char name[8];
        snprintf(name, sizeof name, "v%d", i);
        H5Tenum_insert(label, name, &v);
    }
    int8_t mask[N];
    for (int i = 0; i < N; i++)
        mask[i] = i % 3 == 0;
    H5Dclose(put_dataset(f, "a", truth, truth, 3, zyx, H5P_DEFAULT, mask));
    int16_t kind[N];
    for (int i = 0; i < N; i++)
        kind[i] = (int16_t)(i % 3 << 8);
    H5Dclose(put_dataset(f, "b", label, label, 3, zyx, H5P_DEFAULT, kind));
    H5Dclose(put_dataset(f, "c", H5T_STD_I32LE, 0, 3, zyx, fill, NULL));
    H5Dclose(put_dataset(f, "d", H5T_STD_U16LE, 0, 3, zyx, H5P_DEFAULT, NULL));
    H5Pclose(create);
    H5Pclose(fill);
    H5Fclose(f);
    struct pfs_source *s = opened("odd.h5");
    struct pfs_err err;
    struct pfs_extent e;
    uint8_t px[Y * X];
    int16_t px16[Y * X];
    int32_t px32[Y * X];
    assert_int_equal(s->n_series, 4);
    assert_int_equal(s->series[0].shape.type, PFS_U8);
    assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, 1, 0}, 0, Y, px, &err), 0);
    for (int i = 0; i < Y * X; i++)
        assert_int_equal(px[i], (Y * X + i) % 3 == 0);
    assert_int_equal(s->driver->extent(s, 0, (struct pfs_at){0, 1, 0}, &e, &err), 0);
    int fd = open(path_of("odd.h5"), O_RDONLY);
    uint8_t got[Y * X];
    assert_int_equal(pread(fd, got, sizeof got, e.raw), sizeof got);
    assert_memory_equal(got, px, sizeof got);
    close(fd);
    assert_int_equal(s->series[1].shape.type, PFS_I16);
    assert_int_equal(s->driver->rows(s, 1, (struct pfs_at){0, 5, 0}, 0, Y, px16, &err), 0);
    for (int i = 0; i < Y * X; i++)
        assert_int_equal(px16[i], (5 * Y * X + i) % 3);
    assert_int_equal(s->driver->rows(s, 2, (struct pfs_at){0, 2, 0}, 0, Y, px32, &err), 0);
    assert_true(px32[0] == 77 && px32[Y * X - 1] == 77);
    assert_int_equal(s->driver->extent(s, 2, (struct pfs_at){0, 2, 0}, &e, &err), 0);
    assert_true(e.raw == -1 && e.stored == 0 && e.stored_size == 0);
    assert_int_equal(s->driver->rows(s, 3, (struct pfs_at){0, 2, 0}, 0, Y, px16, &err), 0);
    assert_int_equal(px16[3], 0);
    assert_int_equal(s->driver->extent(s, 3, (struct pfs_at){0, 2, 0}, &e, &err), 0);
    assert_int_equal(e.raw, -1);
    assert_int_equal(s->driver->rows(s, 4, (struct pfs_at){0, 2, 0}, 0, Y, px16, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 3, (struct pfs_at){0, Z, 0}, 0, Y, px16, &err), -ENOENT);
    assert_int_equal(s->driver->rows(s, 3, (struct pfs_at){0, 0, 0}, 5, 3, px16, &err), -ENOENT);
    pfs_source_close(s);
}

/* ---- axes ---- */

/* u32 samples count up in the file; each plane must hold those of its place. */
static void check_axes(struct pfs_source *s, int series, const char *axes, const hsize_t *dim)
{
    const struct pfs_shape *h = &s->series[series].shape;
    int64_t step[128] = {0}, stride = 1;
    for (int i = (int)strlen(axes) - 1; i >= 0; i--) {
        step[(int)axes[i]] = stride;
        stride *= (int64_t)dim[i];
    }
    uint32_t *px = malloc((size_t)(h->y * h->x) * 4);
    struct pfs_err err;
    for (int64_t i = 0; i < pfs_shape_planes(h); i++) {
        struct pfs_at at = pfs_at_of(h, i);
        int64_t base = at.t * step['t'] + at.z * step['z'] + at.c * step['c'];
        assert_int_equal(s->driver->rows(s, series, at, 0, h->y, px, &err), 0);
        for (int64_t y = 0; y < h->y; y++)
            for (int64_t x = 0; x < h->x; x++)
                if (px[y * h->x + x] != base + y * step['y'] + x * step['x'])
                    fail_msg("%s: t%d z%d c%d y%d x%d", axes, (int)at.t, (int)at.z, (int)at.c, (int)y, (int)x);
    }
    free(px);
}

#define TAG(k) "{\"key\": \"" k "\", \"typeFlags\": 2, \"resolution\": 0, \"description\": \"\"}"

static const struct axes_case {
    const char *name;
    int rank;
    hsize_t dim[5];
    const char *attribute, *value;
    enum text_kind kind;
    const char *axes;                    /* what is to come out */
} axes_cases[] = {
    {"yx", 2, {5, 6}, NULL, NULL, 0, "yx"},
    {"zyx", 3, {3, 5, 6}, NULL, NULL, 0, "zyx"},
    {"yxc4", 3, {5, 6, 4}, NULL, NULL, 0, "yxc"},
    {"zyx5", 3, {5, 6, 5}, NULL, NULL, 0, "zyx"},
    {"zyxc", 4, {3, 5, 6, 7}, NULL, NULL, 0, "zyxc"},
    {"tzyxc", 5, {2, 3, 5, 6, 2}, NULL, NULL, 0, "tzyxc"},
    {"list", 4, {2, 3, 5, 6}, "axes", "czyx", LIST, "czyx"},
    {"one", 4, {2, 3, 5, 6}, "axes", "tcyx", VARIABLE, "tcyx"},
    {"upper", 3, {2, 5, 6}, "axes", "TYX", FIXED, "tyx"},
    {"labels", 3, {2, 5, 6}, "DIMENSION_LABELS", "cyx", LIST, "cyx"},
    {"turned", 4, {6, 5, 3, 2}, "axes", "xyzc", LETTERS, "xyzc"},
    {"twice", 3, {2, 5, 6}, "axes", "zzx", FIXED, "zyx"},
    {"no y", 3, {2, 5, 6}, "axes", "tzx", FIXED, "zyx"},
    {"short", 3, {2, 5, 6}, "axes", "yx", FIXED, "zyx"},
    {"mixed", 5, {2, 3, 4, 5, 6}, "axes", "xtcyz", FIXED, "xtcyz"},
};
static const struct axes_case tagged_cases[] = {
    {"a", 3, {5, 6, 4}, "axistags", "{\"axes\": [" TAG("z") ", " TAG("y") ", " TAG("x") "]}", VARIABLE, "zyx"},
    {"b", 5, {2, 3, 4, 5, 1}, "axistags", "{\"axes\": [" TAG("t") "," TAG("z") "," TAG("y") "," TAG("x") "," TAG("c") "]}",
     FIXED, "tzyxc"},
    {"c", 3, {3, 5, 6}, "axistags", "{\"axes\": [" TAG("z") "]}", FIXED, "zyx"},
    {"d", 3, {3, 5, 6}, "axistags", "\"key\"", FIXED, "zyx"},
};

static void put_axes(hid_t f, const struct axes_case *c)
{
    hsize_t n = 1;
    for (int i = 0; i < c->rank; i++)
        n *= c->dim[i];
    uint32_t *data = malloc(n * 4);
    for (hsize_t i = 0; i < n; i++)
        data[i] = (uint32_t)i;
    hid_t d = put_dataset(f, c->name, H5T_STD_U32BE, H5T_NATIVE_UINT32, c->rank, c->dim, H5P_DEFAULT, data);
    if (c->attribute)
        put_text(d, c->attribute, c->value, c->kind);
    H5Dclose(d);
    free(data);
}

static void check_axes_of(const struct axes_case *cases, int n, const char *format)
{
    hid_t f = new_file("axes.h5");
    for (int i = 0; i < n; i++)
        put_axes(f, &cases[i]);
    H5Dclose(put_dataset(f, "table", H5T_IEEE_F64LE, 0, 1, (hsize_t[]){5}, H5P_DEFAULT, NULL));
    H5Fclose(f);
    struct pfs_source *s = opened("axes.h5");
    assert_int_equal(s->n_series, n);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            if (!strcmp(s->series[k].name + 1, cases[i].name)) {
                assert_string_equal(s->series[k].format, format);
                check_axes(s, k, cases[i].axes, cases[i].dim);
            }
    pfs_source_close(s);
}

static void axes(void **state)
{
    (void)state;
    check_axes_of(axes_cases, sizeof axes_cases / sizeof *axes_cases, "HDF5");
    check_axes_of(tagged_cases, sizeof tagged_cases / sizeof *tagged_cases, "ilastik HDF5");
}

/* ---- calibration ---- */

static void calibration_is(struct pfs_source *s, const char *name, double z, double y, double x, const char *unit)
{
    for (int i = 0; i < s->n_series; i++)
        if (!strcmp(s->series[i].name, name)) {
            const struct pfs_calibration *c = &s->series[i].shape.cal;
            if (c->voxel[0] != z || c->voxel[1] != y || c->voxel[2] != x || strcmp(c->unit, unit))
                fail_msg("%s: %g %g %g '%s'", name, c->voxel[0], c->voxel[1], c->voxel[2], c->unit);
            return;
        }
    fail_msg("no %s", name);
}

static hid_t volume(hid_t f, const char *name, int rank)
{
    return put_dataset(f, name, H5T_STD_U8LE, 0, rank, (hsize_t[]){2, 3, 6, 7, 2}, H5P_DEFAULT, NULL);
}

static void calibration(void **state)
{
    hid_t f = new_file("cal.h5"), d[12];
    (void)state;
    put_numbers(d[0] = volume(f, "element", 3), "element_size_um", 3, (double[]){0.2, 0.1, 0.05});
    put_numbers(d[1] = volume(f, "n5", 3), "pixelResolution", 3, (double[]){4, 5, 40});
    put_text(d[1], "unit", "nm", VARIABLE);
    put_text(d[2] = volume(f, "json", 3), "pixelResolution", "{\"unit\":\"um\",\"dimensions\":[1.5,2.5,3.5]}", FIXED);
    put_text(d[3] = volume(f, "cosem", 3), "transform", "{\"axes\": [\"z\", \"y\", \"x\"], \"scale\": [5.24, 4.0, 4.5], "
             "\"translate\": [0.0, 0.0, 0.0], \"units\": [\"nm\", \"nm\", \"nm\"]}", VARIABLE);
    put_numbers(d[4] = volume(f, "plain", 3), "resolution", 3, (double[]){3, 2, 1});
    put_numbers(d[5] = volume(f, "five", 5), "element_size_um", 3, (double[]){3, 2, 1});
    put_numbers(d[6] = volume(f, "each", 5), "resolution", 5, (double[]){9, 3, 2, 1, 9});
    put_numbers(d[7] = volume(f, "none", 3), "resolution", 3, (double[]){3, -2, 1});
    put_text(d[7], "unit", "mm", FIXED);
    put_numbers(d[8] = volume(f, "odd", 3), "resolution", 2, (double[]){3, 2});
    put_numbers(d[9] = volume(f, "nan", 3), "resolution", 3, (double[]){NAN, 1, 1});
    put_numbers(d[10] = volume(f, "long", 3), "resolution", 3, (double[]){1, 1, 1});
    put_text(d[10], "unit", "a unit of a very long name", FIXED);
    put_numbers(d[11] = volume(f, "flat", 2), "element_size_um", 2, (double[]){2, 1});
    for (int i = 0; i < 12; i++)
        H5Dclose(d[i]);
    H5Fclose(f);
    struct pfs_source *s = opened("cal.h5");
    calibration_is(s, "/element", 0.2, 0.1, 0.05, "um");
    calibration_is(s, "/n5", 40, 5, 4, "nm");
    calibration_is(s, "/json", 3.5, 2.5, 1.5, "um");
    calibration_is(s, "/cosem", 5.24, 4, 4.5, "nm");
    calibration_is(s, "/plain", 3, 2, 1, "");
    calibration_is(s, "/five", 3, 2, 1, "um");
    calibration_is(s, "/each", 3, 2, 1, "");
    calibration_is(s, "/none", 0, 0, 0, "");
    calibration_is(s, "/odd", 0, 0, 0, "");
    calibration_is(s, "/nan", 0, 0, 0, "");
    calibration_is(s, "/long", 1, 1, 1, "");
    calibration_is(s, "/flat", 0, 2, 1, "um");
    pfs_source_close(s);
}

/* ---- planes one after the other ---- */

/* Chunks 32 planes thick: reading plane by plane must take about as long as reading all at once, not 32 times that. */
static void thick_chunks(void **state)
{
    enum { D = 64, W = 256 };
    const hsize_t dim[] = {D, W, W}, chunk[] = {32, 64, 64};
    hid_t f = new_file("thick.h5"), p = H5Pcreate(H5P_DATASET_CREATE);
    uint8_t *data = malloc(D * W * W), *px = malloc(W * W);
    (void)state;
    for (int i = 0; i < D * W * W; i++)
        data[i] = (uint8_t)((uint32_t)i * 2654435761u >> 13);
    H5Pset_chunk(p, 3, chunk);
    H5Pset_deflate(p, 1);
    H5Dclose(put_dataset(f, "v", H5T_STD_U8LE, H5T_NATIVE_UINT8, 3, dim, p, data));
    H5Pclose(p);
    H5Fclose(f);
    struct pfs_source *s = opened("thick.h5");
    struct pfs_err err;
    struct stat st;
    assert_int_equal(stat(path_of("thick.h5"), &st), 0);
    for (int z = 0; z < D; z++) {
        assert_int_equal(s->driver->rows(s, 0, (struct pfs_at){0, z, 0}, 0, W, px, &err), 0);
        assert_memory_equal(px, data + z * W * W, W * W);
        if (z == 0)                                /* its chunks are in memory now: the file is no longer needed */
            assert_int_equal(truncate(path_of("thick.h5"), 0), 0);
        if (z == 31)
            assert_int_equal(truncate(path_of("thick.h5"), st.st_size), 0);
        if (z == 31)
            break;
    }
    pfs_source_close(s);
    free(data);
    free(px);
}

/* ---- files of others ---- */

/* Hashes of planes that were compared with h5py's; the first is also that of the same stack as TIFF. */
static void sample_files(void **state)
{
    static const struct { const char *path, *format; int64_t t, z, c, y, x; enum pfs_type type; uint64_t hash; } want[] = {
        {"bdv_hdf5/kidney.h5", "BigDataViewer", 1, 32, 3, 172, 111, PFS_U16, 0x41d91cc4820dd1fb},
        {"hdf5/fibsem_cremi_layout.h5", "CREMI HDF5", 1, 50, 1, 250, 250, PFS_U8, 0xd1a5db0a71f50a12},
        {"hdf5/fibsem_ilastik_tzyxc.h5", "ilastik HDF5", 1, 64, 1, 250, 250, PFS_U8, 0xfde90b6697d01dfe}};
    char old[64], root[1024];
    (void)state;
    const char *env = getenv("PLANEFS_SHARED");
    snprintf(root, sizeof root, "%s/data", env ? env : "../shared");
    if (access(root, R_OK) || strlen(root) >= sizeof folder) {
        print_message("sample files are not at hand (PLANEFS_SHARED): skipped\n");
        skip();
    }
    memcpy(old, folder, sizeof old);
    strcpy(folder, root);
    for (int i = 0; i < 3; i++) {
        struct pfs_source *s = opened(want[i].path);
        const struct pfs_shape *h = &s->series[0].shape;
        struct pfs_err err;
        uint64_t hash = 1;
        assert_true(s->n_series == 1 && h->t == want[i].t && h->z == want[i].z && h->c == want[i].c);
        assert_true(h->y == want[i].y && h->x == want[i].x && h->type == want[i].type);
        assert_string_equal(s->series[0].format, want[i].format);
        int64_t bytes = pfs_shape_plane_bytes(h);
        char *px = malloc((size_t)bytes);
        for (int64_t k = 0; k < pfs_shape_planes(h); k++) {
            assert_int_equal(s->driver->rows(s, 0, pfs_at_of(h, k), 0, h->y, px, &err), 0);
            hash = pfs_hash64(px, (size_t)bytes, hash);
        }
        assert_true(hash == want[i].hash);
        if (i == 0)
            assert_true(h->cal.voxel[0] > 159.99 && fabs(h->cal.voxel[2] - 65.6211) < 1e-4 && *h->cal.unit);
        if (i == 1)
            assert_true(h->cal.voxel[0] == 10 && !strcmp(h->cal.unit, "nm"));
        free(px);
        pfs_source_close(s);
    }
    memcpy(folder, old, sizeof old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_storage), cmocka_unit_test(odd_ones), cmocka_unit_test(axes),
        cmocka_unit_test(calibration), cmocka_unit_test(thick_chunks), cmocka_unit_test(sample_files),
    };
    return cmocka_run_group_tests(tests, list_kinds, remove_folder);
}
