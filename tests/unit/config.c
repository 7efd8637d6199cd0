/* The configuration: what planefs.ini may say, and the line that is blamed when it says something else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct pfs_config *parse(const char *text)
{
    struct pfs_config *c;
    struct pfs_err err = {0};
    int r = pfs_config_parse("planefs.ini", text, strlen(text), &c, &err);
    if (r)
        print_error("%s\n", err.text);
    assert_int_equal(r, 0);
    return c;
}

static void refuses(const char *text, const char *reason)
{
    struct pfs_config *c;
    struct pfs_err err = {0};
    assert_int_equal(pfs_config_parse("planefs.ini", text, strlen(text), &c, &err), -EINVAL);
    assert_null(c);
    if (!strstr(err.text, reason))
        print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, reason));
}

static void datasets(void **state)
{
    (void)state;
    struct pfs_config *c = parse("; the whole brain\n[dataset \"*\"]\nshape = 11260, 9000, 13750\ninvert = 0\n"
                                 "[dataset \"run2/*\"]\norigin = 5, 4000,7000\nmask=mask.tif\n");
    struct pfs_dataset_config d;
    pfs_config_dataset(c, "run1/img", "img", &d);
    assert_int_equal(d.full[0], 11260);
    assert_int_equal(d.full[2], 13750);
    assert_int_equal(d.origin[1], 0);
    assert_int_equal(d.invert, 0);
    assert_null(d.mask);
    pfs_config_dataset(c, "run2/img", "img", &d);
    assert_int_equal(d.origin[0], 5);
    assert_int_equal(d.origin[2], 7000);
    assert_string_equal(d.mask, "mask.tif");
    pfs_config_dataset(NULL, "x", "x", &d);
    assert_int_equal(d.invert, -1);
    pfs_config_free(c);
}

static void views_and_long_lists(void **state)
{
    (void)state;
    char text[4096], list[2048] = "";
    for (int i = 0; i < 60; i++)   /* far beyond what one line may hold */
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%d", i == 0 ? "" : i % 10 ? ", " : ",\n    ", 100 + i);
    snprintf(text, sizeof text, "[view \"mine\"]\nrecipe = invert | destripe\nbands_len = %s\nmean = 26000 ; grey\n", list);
    struct pfs_config *c = parse(text);
    const struct pfs_config_section *s = pfs_config_view(c, "mine");
    assert_non_null(s);
    assert_string_equal(pfs_config_value(s, "recipe"), "invert | destripe");
    assert_string_equal(pfs_config_value(s, "mean"), "26000");
    const char *value = pfs_config_value(s, "bands_len");
    assert_non_null(strstr(value, "109, 110"));
    assert_non_null(strstr(value, "158, 159"));
    assert_null(pfs_config_view(c, "other"));
    pfs_config_free(c);
}

static void long_names(void **state)
{
    (void)state;
    char text[512], name[100];
    memset(name, 'a', 99);
    name[99] = 0;
    snprintf(text, sizeof text, "[dataset \"%s*\"]\ninvert = 1\n", name);
    struct pfs_config *c = parse(text);
    struct pfs_dataset_config d;
    char path[128];
    snprintf(path, sizeof path, "%s/x", name);
    pfs_config_dataset(c, path, "x", &d);
    assert_int_equal(d.invert, 1);
    pfs_config_free(c);
}

static void mistakes_have_lines(void **state)
{
    (void)state;
    char longest[400];
    refuses("invert = 1\n", "planefs.ini:1: a key outside");
    refuses("\n[data \"x\"]\n", "planefs.ini:2: a section is");
    refuses("[dataset x]\n", "planefs.ini:1: a section is");
    refuses("[dataset \"x\"]\n\nshap = 1,2,3\n", "planefs.ini:3: a dataset has no key shap");
    refuses("[dataset \"x\"]\nshape = 1,2\n", "planefs.ini:2: shape = 1,2: must be three sizes");
    refuses("[dataset \"x\"]\nshape = 0,2,3\n", "must be three sizes");
    refuses("[dataset \"x\"]\nshape = nan,2,3\n", "must be three sizes");
    refuses("[dataset \"x\"]\ninvert = yes\n", "0 or 1");
    refuses("[dataset \"x\"]\ninvert = 1\ninvert = 0\n", "planefs.ini:3: given twice: invert");
    refuses("[dataset \"x\"]\nwhat is this\n", "planefs.ini:2: not of the form");
    refuses("[view \"a\"]\nmean = 3\n", "needs recipe");
    refuses("[view \"a/b\"]\nrecipe = invert\n", "a view's name");
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "[view \"a\"]\nrecipe = ", 20);
    longest[sizeof longest - 1] = 0;
    refuses(longest, "planefs.ini:2: the line is too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datasets), cmocka_unit_test(views_and_long_lists), cmocka_unit_test(long_names),
        cmocka_unit_test(mistakes_have_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
