/* Records: there and back, and every truncation and flipped bit refused or harmless. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/record.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct pfs_shape shape = {.t = 2, .z = 3, .c = 2, .y = 5, .x = 7, .type = PFS_U16,
                                       .cal = {.voxel = {0.5, 0.1, 0.1}, .unit = "um", .interval = 2, .range = {-1, 9}}};

static void put_probe(struct pfs_text *t, const struct pfs_shape *s)
{
    char *bands[2] = {"red", NULL};
    double waves[2] = {650.5, NAN};
    struct pfs_extent extent[12];
    struct pfs_piece piece[12];
    char *file[2] = {"b.tif", "c.tif"};
    struct pfs_probed_series series[2] = {{.s = {.name = "first", .shape = *s, .bits = 12, .format = "OME-TIFF",
        .compression = "lzw", .band_name = bands, .wavelength = waves, .has_nodata = true, .nodata = -9999,
        .geo = (uint8_t *)"geo", .n_geo = 3, .piece = piece, .n_files = 2, .file = file, .master = "m.companion.ome"},
        .extent = extent}, {.s = {.name = "", .shape = *s, .bits = 16}, .extent = extent}};
    struct pfs_probe p = {.driver = "tiff", .rev = 3, .n_companions = 2, .companion = (char *[]){"a/b.raw", "c"},
                          .n_series = 2, .series = series};
    for (int i = 0; i < 12; i++)
        piece[i] = (struct pfs_piece){i % 4 - 1, i * 1000, i % 2};
    for (int i = 0; i < 12; i++)
        extent[i] = (struct pfs_extent){i % 2 ? -1 : i * 100, i % 2, i * 1000, i % 3 ? 70 : -1,
                                        0xfeedfacecafebeefu + (unsigned)i, i % 3};
    pfs_probe_put(t, &p);
}

static void assert_shape(const struct pfs_shape *a, const struct pfs_shape *b)
{
    assert_true(a->t == b->t && a->z == b->z && a->c == b->c && a->y == b->y && a->x == b->x && a->type == b->type);
    assert_memory_equal(a->cal.voxel, b->cal.voxel, sizeof a->cal.voxel);
    assert_memory_equal(a->cal.range, b->cal.range, sizeof a->cal.range);
    assert_string_equal(a->cal.unit, b->cal.unit);
    assert_true(a->cal.interval == b->cal.interval);
}

static void probe_survives(void **state)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_probe p;
    (void)state;
    put_probe(&t, &shape);
    assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &p, NULL), 0);
    assert_string_equal(p.driver, "tiff");
    assert_int_equal(p.n_series, 2);
    assert_shape(&p.series[0].s.shape, &shape);
    assert_string_equal(p.series[0].s.name, "first");
    assert_string_equal(p.series[0].s.band_name[0], "red");
    assert_null(p.series[0].s.band_name[1]);
    assert_true(p.series[0].s.wavelength[0] == 650.5 && p.series[0].s.nodata == -9999 && p.series[0].s.has_nodata);
    assert_string_equal(p.series[0].s.master, "m.companion.ome");
    assert_int_equal(p.series[0].s.n_files, 2);
    assert_string_equal(p.series[0].s.file[1], "c.tif");
    assert_memory_equal(p.series[0].s.geo, "geo", 3);
    assert_true(p.series[0].s.piece[8].file == -1 && p.series[0].s.piece[11].page == 11000 &&
                p.series[0].s.piece[11].file == 2 && p.series[0].s.piece[11].sample == 1);
    assert_null(p.series[1].s.piece);
    assert_null(p.series[1].s.master);
    assert_null(p.series[1].s.geo);
    assert_null(p.series[1].s.band_name);
    assert_null(p.series[1].s.wavelength);
    assert_int_equal(p.n_companions, 2);
    assert_string_equal(p.companion[0], "a/b.raw");
    assert_int_equal(p.series[1].extent[11].file, 2);
    assert_int_equal(p.series[0].extent[10].raw, 1000);
    assert_int_equal(p.series[1].extent[11].stored_size, 70);
    assert_true(p.series[1].extent[11].codec == 0xfeedfacecafebeefu + 11 && p.series[1].extent[11].big_endian);
    pfs_probe_finish(&p);
}

static void an_extent_in_no_file_is_refused(void **state)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_probe p;
    (void)state;
    put_probe(&t, &shape);
    t.s[t.n - 4] = 3;                              /* of the last extent */
    assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &p, NULL), -EPROTO);
    t.s[t.n - 4] = 2;
    assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &p, NULL), 0);
    pfs_probe_finish(&p);
}

/* Names that lead out of a folder, and planes in files that are none. */
static void odd_pieces_are_refused(void **state)
{
    struct { const char *file, *master; int32_t in; } odd[] = {
        {"../b.tif", NULL, 1}, {"", NULL, 1}, {".b", NULL, 1}, {"b.tif", "a/b", 1}, {"b.tif", NULL, 2},
        {"b.tif", NULL, -2}};
    (void)state;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        PFS_AUTO_TEXT struct pfs_text t = {0};
        struct pfs_extent extent = {0};
        struct pfs_piece piece = {odd[i].in, 0, 0};
        char *file = (char *)odd[i].file;
        struct pfs_probed_series series = {.s = {.name = "", .shape = shape, .bits = 8, .piece = &piece, .n_files = 1,
                                           .file = &file, .master = (char *)odd[i].master}, .extent = &extent};
        struct pfs_probe p = {.driver = "tiff", .n_series = 1, .series = &series}, got;
        series.s.shape.t = series.s.shape.z = series.s.shape.c = 1;
        pfs_probe_put(&t, &p);
        assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &got, NULL), -EPROTO);
    }
}

static void silly_sizes_become_unknown(void **state)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_shape s = shape;
    struct pfs_probe p;
    (void)state;
    s.cal.voxel[0] = NAN;
    s.cal.voxel[1] = -3;
    s.cal.interval = INFINITY;
    memset(s.cal.unit, 'u', sizeof s.cal.unit);
    put_probe(&t, &s);
    assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &p, NULL), 0);
    assert_true(p.series[0].s.shape.cal.voxel[0] == 0 && p.series[0].s.shape.cal.voxel[1] == 0);
    assert_true(p.series[0].s.shape.cal.interval == 0 && p.series[0].s.shape.cal.range[0] == -1);
    assert_int_equal(strlen(p.series[0].s.shape.cal.unit), 15);
    pfs_probe_finish(&p);
}

/* Shapes a worker may lie about: each must be refused. */
static void impossible_shapes_are_refused(void **state)
{
    const struct pfs_shape wrong[] = {
        {.t = 0, .z = 1, .c = 1, .y = 1, .x = 1, .type = PFS_U8}, {.t = 1, .z = -1, .c = 1, .y = 1, .x = 1, .type = PFS_U8},
        {.t = 1, .z = 1, .c = 1, .y = 0, .x = 1, .type = PFS_U8},
        {.t = 1, .z = 1, .c = 1, .y = 1, .x = INT64_MAX, .type = PFS_U8},
        {.t = 1, .z = 1, .c = 1, .y = (int64_t)1 << 40, .x = (int64_t)1 << 40, .type = PFS_U8},
        {.t = (int64_t)1 << 31, .z = (int64_t)1 << 31, .c = 1, .y = 1, .x = 1, .type = PFS_F64},
        {.t = (int64_t)1 << 32, .z = (int64_t)1 << 32, .c = 1, .y = 1, .x = 1, .type = PFS_U8},
        {.t = 1, .z = 1, .c = 1, .y = 1, .x = 1, .type = PFS_NONE},
        {.t = 1, .z = 1, .c = 1, .y = 1, .x = 1, .type = PFS_N_TYPES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        PFS_AUTO_TEXT struct pfs_text t = {0};
        struct pfs_recipe_step step = {.text = "stats/1", .out = wrong[i]};
        struct pfs_recipe r = {.n = 1, .step = &step}, got;
        pfs_recipe_put(&t, &r);
        assert_int_equal(pfs_recipe_get((struct pfs_blob){t.s, t.n}, &got, NULL), -EPROTO);
        assert_true(got.n == 0 && !got.step && !got.digest);
    }
}

static void a_shape_without_its_extents_takes_no_memory(void **state)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_shape s = shape;
    struct pfs_extent one = {0};
    struct pfs_probed_series series = {.s = {.name = "", .shape = shape, .bits = 8}, .extent = &one};
    struct pfs_probe p = {.driver = "tiff", .n_series = 1, .series = &series}, got;
    (void)state;
    series.s.shape.t = series.s.shape.z = series.s.shape.c = 1;
    pfs_probe_put(&t, &p);
    s.t = (int64_t)1 << 40;                        /* a million million planes, one extent */
    for (size_t at = 0; at + 8 < t.n; at++)
        if (!memcmp(t.s + at, "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0", 16)) {
            memcpy(t.s + at, &s.t, 8);
            break;
        }
    assert_int_equal(pfs_probe_get((struct pfs_blob){t.s, t.n}, &got, NULL), -EPROTO);
}

static struct pfs_stack_info info(void)
{
    return (struct pfs_stack_info){.shape = shape, .first = {0, 5600, 0}, .bits = 16, .full = {11260, 9000, 13750},
                                   .origin = {1, -2, 3}, .info = "info.h5", .model = "polymodel.h5", .mask = "",
                                   .version = {1, 2, 3}};
}

static void put_recipe(struct pfs_text *t)
{
    uint64_t digest[6] = {1, 2, 3, 4, 5, 6};
    struct pfs_recipe_step step[2] = {
        {.text = "invert/1 on=1", .out = shape, .teacher = "", .prior = "", .memory = 10},
        {"stats/1 nodata=none", shape, true, 1, 2, "counts/1 nodata=none", "moments/1 nodata=none", true, 20}};
    struct pfs_recipe r = {.n = 2, .step = step, .n_digest = 3, .digest = digest};
    pfs_recipe_put(t, &r);
}

static void put_work(struct pfs_text *t)
{
    struct pfs_input input[2] = {{"a.tif", 7, 0, {1, 2, 3}, {4, 5, 6}, 0, shape},
                                 {"entry", 8, -1, {0, 0, 0}, {0, 0, 1}, 4096, shape}};
    struct pfs_work w = {.stack = info(), .n_steps = 2, .step = (char *[]){"invert/1 on=1", "crop/1 roi=none"},
                         .at = {0, 1, 1}, .offset = 8192, .row = 3, .rows = 9, .threads = 2, .model = true,
                         .prior = true, .n_parts = 5, .n_inputs = 2, .input = input};
    pfs_work_put(t, &w);
}

static void put_registry(struct pfs_text *t)
{
    struct pfs_registry_param param[2] = {{"a", "um", "doc", "1", "0 to 2"}, {"b", "", "", "none", ""}};
    struct pfs_registry_op op[2] = {{"invert", "d", "p", 1, 2, param}, {"crop", "", "", 9, 0, NULL}};
    struct pfs_registry_view view = {"source", "", "planes", true};
    struct pfs_registry_driver driver = {"tiff", "TIFF", 4};
    struct pfs_registry r = {2, 1, 1, op, &view, &driver, "Haswell"};
    pfs_registry_put(t, &r);
}

static void put_resolve(struct pfs_text *t)
{
    struct pfs_stack_info s = info();
    pfs_resolve_put(t, &s, "corrected@mean=26000");
}

static void the_others_survive(void **state)
{
    PFS_AUTO_TEXT struct pfs_text a = {0}, b = {0}, c = {0}, d = {0};
    struct pfs_recipe r;
    struct pfs_work w;
    struct pfs_registry g;
    struct pfs_stack_info s;
    char *view;
    (void)state;
    put_recipe(&a);
    assert_int_equal(pfs_recipe_get((struct pfs_blob){a.s, a.n}, &r, NULL), 0);
    assert_true(r.n == 2 && r.n_digest == 3 && r.digest[5] == 6 && r.step[1].model && r.step[0].memory == 10);
    assert_string_equal(r.step[1].text, "stats/1 nodata=none");
    assert_true(r.step[1].gather == 1 && r.step[1].scope == 2 && r.step[1].teacher_bands && r.step[1].memory == 20);
    assert_string_equal(r.step[1].teacher, "counts/1 nodata=none");
    assert_string_equal(r.step[1].prior, "moments/1 nodata=none");
    assert_shape(&r.step[0].out, &shape);
    pfs_recipe_finish(&r);
    put_work(&b);
    assert_int_equal(pfs_work_get((struct pfs_blob){b.s, b.n}, &w, NULL), 0);
    assert_true(w.n_steps == 2 && w.n_inputs == 2 && w.offset == 8192 && w.threads == 2 && w.model && w.n_parts == 5);
    assert_true(w.prior && w.row == 3 && w.rows == 9 && w.input[0].plane.c == 6 && w.input[1].plane.c == 1);
    assert_true(w.at.z == 1 && w.input[0].at.c == 3 && w.input[1].series == -1 && w.input[1].offset == 4096);
    assert_string_equal(w.input[1].name, "entry");
    assert_string_equal(w.stack.model, "polymodel.h5");
    assert_true(w.stack.first[1] == 5600 && w.stack.origin[1] == -2 && w.stack.version[2] == 3);
    pfs_work_finish(&w);
    put_registry(&c);
    assert_int_equal(pfs_registry_get((struct pfs_blob){c.s, c.n}, &g, NULL), 0);
    assert_true(g.n_ops == 2 && g.op[0].n_params == 2 && g.op[1].n_params == 0 && g.view[0].listed);
    assert_string_equal(g.op[0].param[0].limits, "0 to 2");
    assert_string_equal(g.driver[0].name, "tiff");
    assert_string_equal(g.algebra, "Haswell");
    pfs_registry_finish(&g);
    put_resolve(&d);
    assert_int_equal(pfs_resolve_get((struct pfs_blob){d.s, d.n}, &s, &view, NULL), 0);
    assert_string_equal(view, "corrected@mean=26000");
    assert_int_equal(s.full[2], 13750);
    pfs_stack_info_finish(&s);
    free(view);
}

static int read_back(int which, struct pfs_blob b)
{
    struct pfs_probe p;
    struct pfs_recipe r;
    struct pfs_work w;
    struct pfs_registry g;
    struct pfs_stack_info s;
    char *view;
    int e;
    switch (which) {
    case 0: e = pfs_probe_get(b, &p, NULL); pfs_probe_finish(&p); break;
    case 1: e = pfs_recipe_get(b, &r, NULL); pfs_recipe_finish(&r); break;
    case 2: e = pfs_work_get(b, &w, NULL); pfs_work_finish(&w); break;
    case 3: e = pfs_registry_get(b, &g, NULL); pfs_registry_finish(&g); break;
    default: e = pfs_resolve_get(b, &s, &view, NULL); pfs_stack_info_finish(&s); free(view); break;
    }
    return e;
}

/* Exactly sized copies, so that a sanitizer sees every byte read beyond. */
static int read_copy(int which, const char *s, size_t n, int64_t flip)
{
    struct pfs_blob b = {malloc(n ? n : 1), n};
    memcpy(b.data, s, n);
    if (flip >= 0)
        ((char *)b.data)[flip / 8] ^= (char)(1 << flip % 8);
    int e = read_back(which, b);
    free(b.data);
    return e;
}

static void damage_is_refused_or_harmless(void **state)
{
    (void)state;
    for (int which = 0; which < 5; which++) {
        PFS_AUTO_TEXT struct pfs_text t = {0};
        if (which == 0)
            put_probe(&t, &shape);
        else
            (which == 1 ? put_recipe : which == 2 ? put_work : which == 3 ? put_registry : put_resolve)(&t);
        assert_int_equal(read_copy(which, t.s, t.n, -1), 0);
        for (size_t n = 0; n < t.n; n++)
            assert_int_equal(read_copy(which, t.s, n, -1), -EPROTO);
        for (size_t i = 0; i < t.n * 8; i++)
            read_copy(which, t.s, t.n, (int64_t)i);
        pfs_put_u8(&t, 0);
        assert_int_equal(read_copy(which, t.s, t.n, -1), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_survives), cmocka_unit_test(an_extent_in_no_file_is_refused),
        cmocka_unit_test(odd_pieces_are_refused),
        cmocka_unit_test(silly_sizes_become_unknown),
        cmocka_unit_test(impossible_shapes_are_refused), cmocka_unit_test(a_shape_without_its_extents_takes_no_memory),
        cmocka_unit_test(the_others_survive), cmocka_unit_test(damage_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
