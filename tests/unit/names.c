/* The naming rule of section stacks: which file names of a folder belong together, and as which axes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog/own.h"

#include <stdio.h>
#include <string.h>

struct grouped { struct pfs_group *g; int64_t n; int64_t in[64]; };

static struct grouped group(const char *const *names)
{
    static struct pfs_candidate c[64];
    struct grouped r;
    int64_t n = 0;
    size_t stem;
    for (; names[n]; n++)
        c[n] = (struct pfs_candidate){.name = (char *)(uintptr_t)names[n], .tiff_name = pfs_tiff_suffix(names[n], &stem)};
    assert_int_equal(pfs_group_sections(c, n, &r.g, &r.n, r.in), 0);
    return r;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void digits_alone_are_a_stack(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("05600.tif"));
    assert_int_equal(r.n, 1);
    assert_true(r.g[0].varies[1] && !r.g[0].varies[0] && !r.g[0].varies[2]);
    assert_int_equal(r.g[0].member[0].number[1], 5600);
    assert_string_equal(r.g[0].title, "");
    pfs_groups_free(r.g, r.n);
}

static void one_name_with_a_number_is_no_stack(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("scan_1.tif", "scan.tif", "notes2.txt", "notes3.txt"));
    assert_int_equal(r.n, 0);
    assert_int_equal(r.in[0], -1);
}

static void a_varying_number_is_z(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("s2_b10.tif", "s2_b9.tif", "s2_b0011.tif", "other.tif"));
    assert_int_equal(r.n, 1);
    assert_int_equal(r.g[0].n, 3);
    assert_int_equal(r.g[0].member[0].number[1], 9);
    assert_int_equal(r.g[0].member[2].number[1], 11);
    assert_string_equal(r.g[0].title, "s2_b");
    assert_int_equal(r.in[3], -1);
    pfs_groups_free(r.g, r.n);
}

static void letters_name_axes(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("x_t01_z02_c00.tif", "x_t01_z03_c01.tif", "x_t02_z02_c00.tif"));
    assert_int_equal(r.n, 1);
    assert_true(r.g[0].varies[0] && r.g[0].varies[1] && r.g[0].varies[2]);
    assert_int_equal(r.g[0].member[2].number[0], 2);
    assert_int_equal(r.g[0].member[1].number[2], 1);
    assert_string_equal(r.g[0].title, "x");
    pfs_groups_free(r.g, r.n);

    r = group(NAMES("a time7.tif", "a time8.tif"));
    assert_true(r.g[0].varies[0] && !r.g[0].varies[1]);
    pfs_groups_free(r.g, r.n);

    r = group(NAMES("cat01.tif", "cat02.tif"));   /* the letters must stand alone */
    assert_true(r.g[0].varies[1] && !r.g[0].varies[0]);
    pfs_groups_free(r.g, r.n);
}

static void several_plain_numbers_split(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("a1_1.tif", "a1_2.tif", "a2_1.tif", "a2_2.tif", "a3_1.tif"));
    assert_int_equal(r.n, 2);
    assert_int_equal(r.g[0].n, 2);
    assert_int_equal(r.g[1].n, 2);
    assert_int_equal(r.in[4], -1);
    pfs_groups_free(r.g, r.n);
}

static void two_names_for_a_section_are_no_stack(void **state)
{
    (void)state;
    struct grouped r = group(NAMES("a1.tif", "a01.tif", "a2.tif"));
    assert_int_equal(r.n, 0);
    assert_int_equal(r.in[0], -1);
    pfs_groups_free(r.g, r.n);
}

static void suffixes_and_huge_numbers(void **state)
{
    (void)state;
    size_t stem;
    assert_true(pfs_tiff_suffix("A.TIFF", &stem));
    assert_int_equal(stem, 1);
    assert_false(pfs_tiff_suffix(".tif", &stem));
    assert_false(pfs_tiff_suffix("a.png", &stem));
    struct grouped r = group(NAMES("a12345678901234567890123.tif", "a12345678901234567890124.tif"));
    assert_int_equal(r.n, 0);   /* no integer holds them */
    pfs_groups_free(r.g, r.n);
}

static void natural_order(void **state)
{
    (void)state;
    assert_true(pfs_natural_compare("a2", "a10") < 0);
    assert_true(pfs_natural_compare("a02", "a2") > 0);
    assert_true(pfs_natural_compare("a", "a1") < 0);
    assert_true(pfs_natural_compare("b1", "a2") > 0);
    assert_int_equal(pfs_natural_compare("x7y", "x7y"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_alone_are_a_stack), cmocka_unit_test(one_name_with_a_number_is_no_stack),
        cmocka_unit_test(a_varying_number_is_z), cmocka_unit_test(letters_name_axes),
        cmocka_unit_test(several_plain_numbers_split), cmocka_unit_test(two_names_for_a_section_are_no_stack),
        cmocka_unit_test(suffixes_and_huge_numbers), cmocka_unit_test(natural_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
