/* The registry: drivers are whole, the surest one gets the file, a file is asked for once, and reasons come through. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

static void drivers_are_whole(void **state)
{
    int n = 0;
    (void)state;
    for (const struct pfs_driver *const *d = pfs_drivers; *d; d++, n++) {
        assert_true((*d)->name[0] && (*d)->doc[0] && (*d)->rev >= 1);
        assert_true((*d)->probe && (*d)->open && (*d)->rows && (*d)->extent && (*d)->close);
        for (const struct pfs_driver *const *o = pfs_drivers; o != d; o++)
            assert_string_not_equal((*o)->name, (*d)->name);
    }
    assert_true(n >= 2);
}

/* No driver claims what is too short or not its own, and none reads past what it is given. */
static void probes_are_modest(void **state)
{
    static const char *const heads[] = {
        "", "I", "II*", "II*\0\10\0\0", "MM", "planefs-synth", "planefs-synthetic 11", "\x89HDF\r\n"};
    static const size_t sizes[] = {0, 1, 3, 7, 2, 13, 20, 6};
    (void)state;
    for (int i = 0; i < 8; i++) {
        uint8_t *exact = malloc(sizes[i] + 1);
        memcpy(exact, heads[i], sizes[i]);
        exact = realloc(exact, sizes[i] ? sizes[i] : 1);
        for (const struct pfs_driver *const *d = pfs_drivers; *d; d++)
            assert_int_equal((*d)->probe(exact, sizes[i], "name.tif"), 0);
        free(exact);
    }
}

struct counted { int fd, asked; const char *last; };

static int counted_get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct counted *c = ctx;
    c->asked++;
    if (strcmp(name, "there"))
        return pfs_fail(err, ENOENT, "no file %s", name);
    *ret_fd = dup(c->fd);
    return 0;
}

static int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void asked_once(void **state)
{
    static const char *const good = "planefs-synthetic 1\ny=4\nx=4\n", *const bad = "planefs-synthetic 1\ny=oops\n";
    struct pfs_source *s;
    struct pfs_err err = {0};
    (void)state;
    struct counted c = {.fd = file_of(good, strlen(good))};
    struct pfs_files files = {counted_get, &c};
    int before = open_files();
    assert_int_equal(pfs_source_open(&files, "there", &s, &err), 0);
    assert_int_equal(c.asked, 1);
    assert_string_equal(s->driver->name, "synthetic");
    pfs_source_close(s);
    pfs_source_close(NULL);
    assert_int_equal(pfs_source_open(&files, "elsewhere", &s, &err), -ENOENT);
    assert_string_equal(err.text, "no file elsewhere");
    assert_null(s);
    close(c.fd);
    c.fd = file_of(bad, strlen(bad));
    assert_int_equal(pfs_source_open(&files, "there", &s, &err), -EIO);
    assert_null(s);
    close(c.fd);
    c.fd = file_of("", 0);
    assert_int_equal(pfs_source_open(&files, "there", &s, &err), -EOPNOTSUPP);
    assert_int_equal(open_files(), before);
    close(c.fd);
    c.fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(pfs_source_open(&files, "there", &s, &err), -EIO);
    assert_int_equal(open_files(), before);
    close(c.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_are_whole), cmocka_unit_test(probes_are_modest), cmocka_unit_test(asked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
