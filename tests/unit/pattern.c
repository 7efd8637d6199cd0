/* The pattern language: what fits a path part, to the byte. The file is included because fs is in no test library. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/pattern.c"

#include <stdio.h>

static struct pfs_part part_of(const char *text)
{
    struct pfs_part parts[PFS_PATTERN_PARTS];
    int optional;
    assert_int_equal(pfs_pattern_parts(text, false, parts, &optional), 1);
    return parts[0];
}

static bool fits(const char *pattern, const char *name, struct pfs_match *m)
{
    struct pfs_part part = part_of(pattern);
    return pfs_part_match(&part, name, m);
}

static void optional_parts_make_two_forms(void **state)
{
    struct pfs_part parts[PFS_PATTERN_PARTS];
    int at;
    (void)state;
    const char *pattern = "slice/[t{t}/]z{z}/c{c}.tif";
    assert_int_equal(pfs_pattern_parts(pattern, false, parts, &at), 3);
    assert_int_equal(at, 1);
    assert_memory_equal(parts[1].s, "z{z}", 4);
    assert_int_equal(pfs_pattern_parts(pattern, true, parts, &at), 4);
    assert_int_equal(at, 1);
    assert_memory_equal(parts[1].s, "t{t}", 4);
    assert_int_equal(parts[1].n_s, 4);
    assert_int_equal(pfs_pattern_parts("info.json", false, parts, &at), 1);
    assert_int_equal(at, -1);
}

static void malformed_patterns_are_refused(void **state)
{
    static const char *const bad[] = {"", "a//b", "a/", "/a", "{q}", "{z", "{view}{z}", "{name}{view}", "a/[t{t}]z",
                                      "1/2/3/4/5/6/7/8/9/10/11/12/13", "{z}-{z}-{z}-{z}-{z}-{z}-{z}"};
    struct pfs_part parts[PFS_PATTERN_PARTS];
    int at;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (pfs_pattern_parts(bad[i], true, parts, &at) >= 0)
            fail_msg("taken: %s", bad[i]);
}

static void numbers_are_canonical(void **state)
{
    static const char *const bad[] = {"z", "z05", "z00", "z+1", "z-1", "z 1", "z1 ", "z1e0", "z0x1", "Z1", "z1.tif",
                                      "z1234567890123456789", "z99999999999999999999", "1", "zz1", ""};
    struct pfs_match m;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fits("z{z}", bad[i], &m))
            fail_msg("taken: %s", bad[i]);
    assert_true(fits("z{z}", "z0", &m));
    assert_int_equal(m.number[PFS_VAR_Z], 0);
    assert_true(fits("z{z}", "z123456789012345678", &m));
    assert_int_equal(m.number[PFS_VAR_Z], 123456789012345678);
    assert_true(fits("{t}.{c}.{z}.{y}.{x}", "1.2.3.4.5", &m));
    assert_int_equal(m.number[PFS_VAR_T], 1);
    assert_int_equal(m.number[PFS_VAR_X], 5);
    assert_false(fits("{t}.{c}.{z}.{y}.{x}", "1.2.3.4", &m));
}

static void texts_end_where_the_suffix_begins(void **state)
{
    struct pfs_match m;
    (void)state;
    assert_true(fits("{name}.tif", "05600.tif", &m));
    assert_int_equal(m.text.n, 5);
    assert_true(fits("{name}.tif", "a.tif.tif", &m));
    assert_int_equal(m.text.n, 5);
    assert_false(fits("{name}.tif", ".tif", &m));
    assert_false(fits("{name}.tif", "05600.TIF", &m));
    assert_false(fits("{name}.tif", "05600", &m));
    assert_true(fits("{view}.ome.tif", "corrected@clip=-0.8:0.8.ome.tif", &m));
    assert_memory_equal(m.text.s, "corrected@clip=-0.8:0.8", m.text.n);
    assert_int_equal(m.text.n, 23);
}

static void parameters_stand_before_the_suffix(void **state)
{
    struct pfs_match m;
    (void)state;
    assert_true(fits("stats.json", "stats.json", &m));
    assert_int_equal(m.params.n, 0);
    assert_true(fits("stats.json", "stats@of=corrected.json", &m));
    assert_memory_equal(m.params.s, "of=corrected", m.params.n);
    assert_true(fits("stats.json", "stats@of=corrected@clip=-0.8:0.8.json", &m));
    assert_int_equal(m.params.n, strlen("of=corrected@clip=-0.8:0.8"));
    assert_true(fits("pca", "pca@standardize=1", &m));
    assert_true(fits("kmeans{n}", "kmeans3@scope=plane", &m));
    assert_int_equal(m.number[PFS_VAR_N], 3);
    static const char *const bad[] = {"stats@.json", "stats@a=1", "@a=1.json", "stat@a=1.json", "stats.json@a=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (fits("stats.json", bad[i], &m))
            fail_msg("taken: %s", bad[i]);
    assert_false(fits("z{z}", "z5@a=1", &m));
    assert_false(fits("{name}.png", "@a=1.png.tif", &m));
    assert_false(fits(".zattrs", "@a=1.zattrs", &m));
}

static void long_names_do_not_overrun(void **state)
{
    char name[4096];
    struct pfs_match m;
    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = 0;
    assert_false(fits("stats.json", name, &m));
    memcpy(name + sizeof name - 12, "@a=1.json", 10);
    assert_false(fits("stats.json", name, &m));
    assert_true(fits("{name}.json", name, &m));
}

static void a_parameter_is_taken_out(void **state)
{
    static const struct { const char *list, *value, *rest; } cases[] = {
        {"of=a", "a", ""}, {"of=a,b=1", "a", "b=1"}, {"b=1,of=a", "a", "b=1"}, {"b=1,of=a,c=2", "a", "b=1,c=2"},
        {"offset=3,of=x", "x", "offset=3"}, {"of=", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *value, *rest;
        assert_true(pfs_params_take(cases[i].list, "of", &value, &rest));
        assert_string_equal(value, cases[i].value);
        assert_string_equal(rest, cases[i].rest);
        free(value);
        free(rest);
    }
    char *value, *rest;
    assert_false(pfs_params_take("offset=3,xof=2,of", "of", &value, &rest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optional_parts_make_two_forms), cmocka_unit_test(malformed_patterns_are_refused),
        cmocka_unit_test(numbers_are_canonical), cmocka_unit_test(texts_end_where_the_suffix_begins),
        cmocka_unit_test(parameters_stand_before_the_suffix), cmocka_unit_test(long_names_do_not_overrun),
        cmocka_unit_test(a_parameter_is_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
