/* Parameters: defaults, limits, suggestions, canonical text and back, on an operator with one parameter of each kind and
 * on every registered operator. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ops/nearest.h"

#include <planefs/ops.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct demo {
    int on, method;
    int64_t scales;
    double mean, gain, middle;
    struct pfs_list bands, lens, methods;
};
#define AT(m) .offset = offsetof(struct demo, m)

static const struct pfs_param demo_params[] = {
    {.name = "on", .kind = PFS_BOOL, .value = "1", AT(on)},
    {.name = "method", .kind = PFS_CHOICE, .value = "predict", .choices = "predict limit ratio nearest", AT(method)},
    {.name = "scales", .kind = PFS_INT, .value = "6", .min = 0, .max = 16, AT(scales)},
    {.name = "mean", .kind = PFS_REAL, .value = "28000", .min = 0, .max = 1e6, .power = 1, .unit = "counts", AT(mean)},
    {.name = "gain", .kind = PFS_REAL, .value = "3.418e-6", .min = 0, .max = 10, .power = -2, AT(gain)},
    {.name = "middle", .kind = PFS_REAL, .value = "none", .min = 0, .max = 1, .may_be_none = true, AT(middle)},
    {.name = "bands", .kind = PFS_REALS, .value = "-0.8:0.8", .min = -1, .max = 1, .may_be_none = true, AT(bands)},
    {.name = "lens", .kind = PFS_INTS, .value = "161:161:201", .min = 0, .max = 999, AT(lens)},
    {.name = "methods", .kind = PFS_CHOICES, .value = "limit:predict", .choices = "predict limit ratio nearest",
     AT(methods)},
};
static const struct pfs_op demo = {.name = "demo", .rev = 3, .params = demo_params,
                                   .n_params = sizeof demo_params / sizeof *demo_params,
                                   .params_size = sizeof(struct demo)};

static char *text_of(const struct pfs_op *op, const void *p)
{
    struct pfs_text t = {0};
    assert_int_equal(pfs_params_text(op, p, &t), 0);
    return t.s;
}

static void expect_text(const struct demo *d, const char *text)
{
    char *s = text_of(&demo, d);
    assert_string_equal(s, text);
    free(s);
}

static void defaults_are_written_out(void **state)
{
    struct demo d = {0};
    (void)state;
    assert_int_equal(pfs_params_default(&demo, PFS_U16, &d), 0);
    assert_int_equal(d.scales, 6);
    assert_true(isnan(d.middle));
    assert_int_equal(d.lens.n, 3);
    assert_int_equal(d.methods.v[0], 1);
    expect_text(&d, "demo/3 on=1 method=predict scales=6 mean=28000 gain=3.418e-06 middle=none bands=-0.8:0.8 "
                    "lens=161:161:201 methods=limit:predict");
}

static void defaults_scale_for_8_bit(void **state)
{
    struct demo d = {0};
    (void)state;
    assert_int_equal(pfs_params_default(&demo, PFS_U8, &d), 0);
    assert_float_equal(d.mean, 28000.0 / 257, 1e-12);
    assert_float_equal(d.gain, 3.418e-6 * 257 * 257, 1e-12);
    assert_int_equal(d.scales, 6);
}

static void set_reads_every_form(void **state)
{
    struct demo d = {0};
    (void)state;
    pfs_params_default(&demo, PFS_U16, &d);
    assert_int_equal(pfs_params_set(&demo, &d, "on", "false", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "mean", "2.65e4", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "middle", "-0", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "bands", "none", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "lens", "7", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "methods", "nearest", NULL), 0);
    assert_int_equal(pfs_params_set(&demo, &d, "gain", "0.1", NULL), 0);
    expect_text(&d, "demo/3 on=0 method=predict scales=6 mean=26500 gain=0.1 middle=0 bands=none lens=7 methods=nearest");
    assert_int_equal(pfs_list_at(&d.lens, 5), 7);
    assert_true(isnan(pfs_list_at(&d.bands, 0)));
    assert_int_equal(pfs_params_set(&demo, &d, "bands", "0.5:none", NULL), 0);
    assert_true(isnan(pfs_list_at(&d.bands, 1)) && isnan(pfs_list_at(&d.bands, 9)));
    assert_float_equal(pfs_list_at(&d.bands, 0), 0.5, 0);
}

static void wrong_values_change_nothing(void **state)
{
    static const char *const wrong[][2] = {
        {"on", "2"}, {"on", ""}, {"method", "predct"}, {"method", "predict limit"}, {"method", ""}, {"scales", "17"},
        {"scales", "-1"}, {"scales", "1.5"}, {"scales", "1e1"}, {"scales", " 1"}, {"scales", "none"}, {"mean", "nan"},
        {"mean", "inf"}, {"mean", "0x10"}, {"mean", "1e999"}, {"mean", "-1"}, {"mean", "1:2"}, {"mean", "5-3"},
        {"bands", "0:2"}, {"bands", "0:"}, {"bands", ":0"}, {"bands", ""}, {"lens", "none"}, {"lens", "1:none"},
        {"lens", "1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:17"}, {"methods", "limit:foo"}, {"meen", "1"}, {"", "1"},
        {"lens", "99999999999999999999999999999999999999999999999999999999999999999999999"},
    };
    struct demo d = {0}, before;
    (void)state;
    pfs_params_default(&demo, PFS_U16, &d);
    before = d;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pfs_err err = {0};
        assert_int_equal(pfs_params_set(&demo, &d, wrong[i][0], wrong[i][1], &err), -ENOENT);
        assert_int_equal(err.code, ENOENT);
        assert_true(strlen(err.text) > 10);
        assert_memory_equal(&d, &before, sizeof d);
    }
}

static void reasons_suggest(void **state)
{
    struct demo d = {0};
    struct pfs_err err;
    (void)state;
    pfs_params_default(&demo, PFS_U16, &d);
    pfs_params_set(&demo, &d, "scaels", "1", &err);
    assert_string_equal(err.text, "demo has no parameter \"scaels\"; did you mean \"scales\"?");
    pfs_params_set(&demo, &d, "xyzzy", "1", &err);
    assert_string_equal(err.text, "demo has no parameter \"xyzzy\"");
    pfs_params_set(&demo, &d, "method", "preditc", &err);
    assert_non_null(strstr(err.text, "did you mean \"predict\"?"));
    pfs_params_set(&demo, &d, "mean", "1e7", &err);
    assert_string_equal(err.text, "demo.mean = \"1e7\" is not a number from 0 to 1000000 counts");
    pfs_params_set(&demo, &d, "bands", "7", &err);
    assert_non_null(strstr(err.text, "joined with ':'"));
    assert_non_null(strstr(err.text, "or none"));
}

static void edit_distance_counts(void **state)
{
    (void)state;
    assert_int_equal(pfs_edit_distance("", ""), 0);
    assert_int_equal(pfs_edit_distance("abc", ""), 3);
    assert_int_equal(pfs_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(pfs_edit_distance("scales", "scaels"), 1);
    assert_int_equal(pfs_edit_distance("a", "b"), 1);
}

/* Reals survive text exactly, and text is short. */
static void reals_round_trip(void **state)
{
    uint64_t seed = 88172645463325252u;
    struct demo d = {0}, e = {0};
    (void)state;
    pfs_params_default(&demo, PFS_U16, &d);
    for (int i = 0; i < 20000; i++) {
        char *s, *from, value[64];
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        d.mean = ldexp((double)(seed >> 11), -(int)(seed & 63) - 34);
        s = text_of(&demo, &d);
        from = strstr(s, "mean=") + 5;
        snprintf(value, sizeof value, "%.*s", (int)strcspn(from, " "), from);
        assert_int_equal(pfs_params_set(&demo, &e, "mean", value, NULL), 0);
        assert_true(e.mean == d.mean);
        free(s);
    }
    d.mean = 26500.1;
    char *s = text_of(&demo, &d);
    assert_non_null(strstr(s, "mean=26500.1 "));
    free(s);
}

/* Every registered operator: its table is sound for every source, and its text reads back to the same. */
static void registered_operators_round_trip(void **state)
{
    static const char *const reserved[] = {"dir", "open", "type", "file", "filter", "start", "step", "count", "scale",
                                           "sort", "number", "starting", "increment", "of"};
    (void)state;
    assert_non_null(pfs_ops[0]);
    for (const struct pfs_op *const *op = pfs_ops; *op; op++) {
        assert_ptr_equal(pfs_op_named((*op)->name), *op);
        assert_true((*op)->doc && (*op)->rev > 0);
        for (size_t i = 0; i < (*op)->n_params; i++)
            for (size_t k = 0; k < sizeof reserved / sizeof *reserved; k++)
                assert_string_not_equal((*op)->params[i].name, reserved[k]);
        for (int type = PFS_NONE + 1; type < PFS_N_TYPES; type++) {
            const struct pfs_op *again = NULL;
            void *p = calloc(1, (*op)->params_size + 1), *q = NULL;
            struct pfs_err err = {0};
            assert_int_equal(pfs_params_default(*op, (enum pfs_type)type, p), 0);
            char *s = text_of(*op, p);
            if (pfs_params_parse(s, &again, &q, &err))
                fail_msg("%s: %s", s, err.text);
            assert_ptr_equal(again, *op);
            char *t = text_of(again, q);
            assert_string_equal(s, t);
            free(s);
            free(t);
            free(p);
            free(q);
        }
    }
}

static void parse_takes_only_canonical_text(void **state)
{
    static const char *const wrong[] = {
        "", "stats", "stats/1", "stats/2 nodata=none", "stats/1 nodata=1.0", "stats/1 nodata=1e0", "stats/1  nodata=none",
        "stats/1 nodata=none ", "stats/1 nodata=1 nodata=1", "stats/1 nodata", "nosuch/1 a=1", "stats/1 other=1",
        "/1 nodata=none", "stats/01 nodata=none", " stats/1 nodata=none", "stats/1/2 nodata=none",
    };
    const struct pfs_op *op;
    void *p;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pfs_err err = {0};
        assert_int_equal(pfs_params_parse(wrong[i], &op, &p, &err), -ENOENT);
        assert_true(strlen(err.text) > 10);
    }
    assert_int_equal(pfs_params_parse("stats/1 nodata=-9999", &op, &p, NULL), 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_written_out), cmocka_unit_test(defaults_scale_for_8_bit),
        cmocka_unit_test(set_reads_every_form), cmocka_unit_test(wrong_values_change_nothing),
        cmocka_unit_test(reasons_suggest), cmocka_unit_test(edit_distance_counts), cmocka_unit_test(reals_round_trip),
        cmocka_unit_test(registered_operators_round_trip), cmocka_unit_test(parse_takes_only_canonical_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
