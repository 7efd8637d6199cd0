/* Options of a mount, right and wrong. The file is included because cli is in no test library. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/options.c"

enum { MOST = 16 };

static int parse(const char *const *words, struct pfs_options *o, struct pfs_err *err)
{
    char *argv[MOST] = {"planefs"};
    int n = 1;
    for (; words[n - 1]; n++)
        argv[n] = (char *)(uintptr_t)words[n - 1];
    *err = (struct pfs_err){0};
    return pfs_options_parse(n, argv, 2, o, err);
}

#define PARSE(o, err, ...) parse((const char *const[]){__VA_ARGS__, NULL}, o, err)

static void as_people_write_it(void **state)
{
    struct pfs_options o;
    struct pfs_err err;
    (void)state;
    assert_int_equal(PARSE(&o, &err, "-f", "/data", "/mnt", "-o", "cache=/c,memory=2G,workers=3", "-sd",
                           "-oumask=027,uid=5,gid=6,allow_other,idle=60,config=a\\,b.ini,cache_size=512m"), 0);
    assert_string_equal(o.source, "/data");
    assert_string_equal(o.mountpoint, "/mnt");
    assert_string_equal(o.cache, "/c");
    assert_string_equal(o.config, "a,b.ini");
    assert_true(o.foreground && o.single && o.debug && o.allow_other && !o.help);
    assert_int_equal(o.memory, INT64_C(2) << 30);
    assert_int_equal(o.cache_size, INT64_C(512) << 20);
    assert_int_equal(o.workers, 3);
    assert_int_equal(o.umask, 027);
    assert_int_equal(o.uid, 5);
    assert_int_equal(o.gid, 6);
    assert_int_equal(o.idle, 60);
    pfs_options_finish(&o);
}

static void as_mount8_writes_it(void **state)
{
    struct pfs_options o;
    struct pfs_err err;
    (void)state;
    assert_int_equal(PARSE(&o, &err, "/data", "/mnt", "-o", "rw,nosuid,nodev,noatime,x-systemd.automount,comment=mine",
                           "-o", "defaults,_netdev,nofail,x-gvfs-name=a b,,ro"), 0);
    assert_int_equal(o.uid, -1);
    assert_int_equal(o.umask, -1);
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "--", "-data", "-mnt"), 0);
    assert_string_equal(o.source, "-data");
    pfs_options_finish(&o);
}

static void the_last_one_counts(void **state)
{
    struct pfs_options o;
    struct pfs_err err;
    (void)state;
    assert_int_equal(PARSE(&o, &err, "a", "b", "-o", "cache=x", "-o", "cache=y,workers=1,workers=2"), 0);
    assert_string_equal(o.cache, "y");
    assert_int_equal(o.workers, 2);
    pfs_options_finish(&o);
}

static void refuses(const char *option, const char *hint)
{
    struct pfs_options o;
    struct pfs_err err;
    if (PARSE(&o, &err, "/data", "/mnt", "-o", option) != -EINVAL)
        fail_msg("taken: %s", option);
    if (!strstr(err.text, hint) || strchr(err.text, '\n'))
        fail_msg("%s: %s", option, err.text);
    pfs_options_finish(&o);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuses("cach=x", "did you mean cache?");
    refuses("alow_other", "did you mean allow_other?");
    refuses("quux", "planefs --help");
    refuses("cache", "needs a value");
    refuses("cache=", "needs a value");
    refuses("allow_other=1", "takes no value");
    refuses("memory=lots", "not a size");
    refuses("memory=-1", "not a size");
    refuses("memory=1GB", "not a size");
    refuses("memory=99999999T", "not a size");
    refuses("workers=1.5", "not a number");
    refuses("workers=99999999999", "not a number");
    refuses("umask=888", "not a number");
    refuses("umask=7777", "not a number");
}

static void words_are_counted(void **state)
{
    struct pfs_options o;
    struct pfs_err err;
    (void)state;
    assert_int_equal(PARSE(&o, &err, "-f"), -EINVAL);
    assert_non_null(strstr(err.text, "SOURCE"));
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "/data"), -EINVAL);
    assert_non_null(strstr(err.text, "MOUNTPOINT"));
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "/data", "/mnt", "/more"), -EINVAL);
    assert_non_null(strstr(err.text, "/more"));
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "/data", "/mnt", "-o"), -EINVAL);
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "--quiet", "/data", "/mnt"), -EINVAL);
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "-q", "/data", "/mnt"), -EINVAL);
    pfs_options_finish(&o);
    assert_int_equal(PARSE(&o, &err, "--help"), 0);
    assert_true(o.help);
    pfs_options_finish(&o);
}

static void sizes(void **state)
{
    int64_t n = 0;
    (void)state;
    assert_true(pfs_parse_size("0", &n) && n == 0);
    assert_true(pfs_parse_size("7t", &n) && n == INT64_C(7) << 40);
    assert_true(pfs_parse_size("9223372036854775807", &n) && n == INT64_MAX);
    assert_false(pfs_parse_size("9223372036854775808", &n));
    assert_false(pfs_parse_size("9007199254740992K", &n));
    assert_true(pfs_parse_size("9007199254740991K", &n));
    assert_false(pfs_parse_size(" 1", &n) || pfs_parse_size("+1", &n) || pfs_parse_size("1 K", &n));
}

static void help_names_every_option(void **state)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    (void)state;
    pfs_options_help(&text);
    for (int i = 0; i < N_OPTIONS; i++)
        if (!strstr(text.s, table[i].name))
            fail_msg("not in the help: %s", table[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_people_write_it), cmocka_unit_test(as_mount8_writes_it),
        cmocka_unit_test(the_last_one_counts), cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(words_are_counted), cmocka_unit_test(sizes), cmocka_unit_test(help_names_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
