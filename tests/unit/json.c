/* JSON in columns of fixed width: lengths that do not depend on values, numbers that read back, strings cut safely. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "files/json.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void numbers(void **state)
{
    (void)state;
    static const struct { double v; const char *text; } some[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {65535, "65535"}, {1e300, "1e+300"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"}, {4.9406564584124654e-324, "4.94065645841247e-324"},
        {1.0 / 3, "0.3333333333333333"}, {9007199254740993.0, "9007199254740992"}
    };
    char text[PFS_NUMBER_MAX];
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        pfs_number(some[i].v, text);
        assert_true(strtod(text, NULL) == some[i].v);
        assert_string_equal(text, some[i].text);
    }
}

static void widths(void **state)
{
    (void)state;
    static const double reals[] = {
        0, -0.0, 1, -1e308, DBL_MAX, -DBL_MAX, 5e-324, -2.2250738585072014e-308, NAN, INFINITY, -INFINITY, 1.0 / 3,
        -1.0 / 3, 123456789012345678.0
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        PFS_AUTO_TEXT struct pfs_text t = {0};
        pfs_json_wide_real(&t, reals[i]);
        assert_int_equal(t.n, PFS_JSON_REAL);
        if (isfinite(reals[i]))
            assert_true(strtod(t.s, NULL) == reals[i]);
        else
            assert_string_equal(t.s + PFS_JSON_REAL - 4, "null");
    }
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_json_wide_int(&t, INT64_MIN);
    pfs_json_wide_uint(&t, UINT64_MAX);
    pfs_json_wide_int(&t, 0);
    pfs_json_wide_null(&t, PFS_JSON_INT);
    assert_string_equal(t.s, "-922337203685477580818446744073709551615                   0                null");
}

static void wide_string(const char *s, size_t width, const char *expected)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_json_wide_str(&t, s, width);
    assert_string_equal(t.s, expected);
    assert_int_equal(t.n, width);
}

static void strings(void **state)
{
    (void)state;
    wide_string(NULL, 6, "null  ");
    wide_string("", 4, "\"\"  ");
    wide_string("abcd", 6, "\"abcd\"");
    wide_string("abcde", 6, "\"abcd\"");
    wide_string("a\"\\", 7, "\"a\\\"\\\\\"");
    wide_string("ab\"c", 5, "\"ab\" ");                     /* the escape does not fit: cut in front of it */
    wide_string("\xc3\xa9t\xc3\xa9", 14, "\"\\u00e9t\"     ");
    wide_string("\xf0\x9f\x98\x80", 12, "\"\"          ");   /* nor is a surrogate pair torn */
    wide_string("\xf0\x9f\x98\x80", 14, "\"\\ud83d\\ude00\"");
}

static void structure(void **state)
{
    (void)state;
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_json_open(&t, '{');
    pfs_json_key(&t, "a");
    pfs_json_open(&t, '[');
    for (int i = 0; i < 2; i++) {
        pfs_json_comma(&t);
        pfs_json_int(&t, i);
    }
    pfs_json_pad(&t, 5, 7);
    pfs_json_pad(&t, 5, 3);
    pfs_json_close(&t, ']');
    pfs_json_key(&t, "b");
    pfs_json_str(&t, "x");
    pfs_json_key(&t, "c");
    pfs_json_real(&t, NAN);
    pfs_json_close(&t, '}');
    assert_string_equal(t.s, "{\"a\":[0,1   ],\n\"b\":\"x\",\n\"c\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(widths), cmocka_unit_test(strings), cmocka_unit_test(structure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
