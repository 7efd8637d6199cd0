/* The worker describes, probes and resolves; how it is locked in, and how it ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon_side.h"

#include <sys/resource.h>

static void describes_itself(void **state)
{
    struct pfs_text none = {0};
    struct answer a = call(PFS_DESCRIBE, &none);
    struct pfs_registry r;
    bool stats = false, source = false, tiff = false;
    (void)state;
    assert_int_equal(a.code, 0);
    assert_int_equal(pfs_registry_get(a.bytes, &r, NULL), 0);
    for (int i = 0; i < r.n_ops; i++)
        if (!strcmp(r.op[i].name, "stats")) {
            stats = true;
            assert_string_equal(r.op[i].param[0].name, "nodata");
            assert_string_equal(r.op[i].param[0].value, "none");
            assert_non_null(strstr(r.op[i].param[0].limits, "or none"));
        }
    for (int i = 0; i < r.n_views; i++)
        source |= !strcmp(r.view[i].name, "source") && r.view[i].listed;
    for (int i = 0; i < r.n_drivers; i++)
        tiff |= !strcmp(r.driver[i].name, "tiff");
    assert_true(stats && source && tiff && a.resident > 0);
    pfs_registry_finish(&r);
    free(a.bytes.data);
}

static void put_probe(struct pfs_text *t, const char *name)
{
    *t = (struct pfs_text){0};
    pfs_put_str(t, name);
}

static void probes(void **state)
{
    struct pfs_text t;
    struct pfs_probe p;
    (void)state;
    lend_text("v.synth", volume);
    lend_text("junk.tif", "II*\0nothing sensible follows here");
    lend_text("text.txt", "no image");
    put_probe(&t, "v.synth");
    struct answer a = call(PFS_PROBE, &t);
    assert_int_equal(a.code, 0);
    assert_int_equal(pfs_probe_get(a.bytes, &p, NULL), 0);
    assert_string_equal(p.driver, "synthetic");
    assert_true(p.n_series == 1 && p.series[0].s.shape.z == 3 && p.series[0].s.shape.type == PFS_U16);
    assert_true(p.series[0].s.shape.cal.voxel[2] == 0.5);
    pfs_probe_finish(&p);
    free(a.bytes.data);
    put_probe(&t, "text.txt");
    expect_error(PFS_PROBE, &t, EOPNOTSUPP, "not an image");
    put_probe(&t, "gone.tif");
    expect_error(PFS_PROBE, &t, ENOENT, "no file gone.tif is lent");
    put_probe(&t, "junk.tif");
    a = call(PFS_PROBE, &t);
    assert_true(a.code == EIO || a.code == EOPNOTSUPP);
    free(a.bytes.data);
    t = (struct pfs_text){0};
    pfs_put_u8(&t, 1);
    expect_error(PFS_PROBE, &t, EPROTO, "malformed");
    assert_int_equal(asked("v.synth"), 1);
}

static void resolves(void **state)
{
    struct pfs_stack_info s = stack_info();
    struct pfs_text t = {0};
    struct pfs_recipe r = resolve(&s, "stats@nodata=5");
    (void)state;
    assert_true(r.n == 1 && r.step[0].model && r.step[0].memory > 0 && r.n_digest == 0);
    assert_string_equal(r.step[0].text, "stats/1 nodata=5");
    pfs_recipe_finish(&r);
    r = resolve(&s, "source");
    assert_true(r.n == 0 && r.n_digest == 0);
    pfs_recipe_finish(&r);
    pfs_resolve_put(&t, &s, "stats@nodato=5");
    expect_error(PFS_RESOLVE, &t, ENOENT, "did you mean \"nodata\"");
}

/* A mask is part of what a destriped plane depends on, and only that: its content, not its name. */
static void the_mask_is_in_the_digest(void **state)
{
    struct pfs_stack_info s = stack_info();
    (void)state;
    lend_text("a.synth", "planefs-synthetic 1\ny=40\nx=50\n");
    lend_text("b.synth", "planefs-synthetic 1\ny=40\nx=50\nlevel=0\ntexture=0\nnoise=0\nstripes=0\nbackground=0\n");
    lend_text("c.synth", "planefs-synthetic 1\ny=41\nx=50\n");
    s.mask = (char *)(uintptr_t)"a.synth";
    struct pfs_recipe a = resolve(&s, "destripe");
    s.mask = (char *)(uintptr_t)"b.synth";
    struct pfs_recipe b = resolve(&s, "destripe"), again = resolve(&s, "destripe");
    assert_true(a.n_digest == 3 && a.digest[0] == a.digest[1] && a.digest[0] && b.digest[0]);
    assert_true(a.digest[0] != b.digest[0] && b.digest[0] == again.digest[0]);
    assert_int_equal(asked("b.synth"), 1);                    /* kept */
    s.version[2]++;
    pfs_recipe_finish(&again);
    again = resolve(&s, "destripe");
    assert_int_equal(asked("b.synth"), 2);                    /* another version: read again */
    s.mask = (char *)(uintptr_t)"c.synth";                   /* of another size: the planes will say so */
    struct pfs_recipe c = resolve(&s, "destripe");
    assert_true(c.n_digest == 3 && c.digest[0] != a.digest[0] && c.digest[0] != b.digest[0]);
    struct pfs_recipe d = resolve(&s, "stats");
    assert_int_equal(d.n_digest, 0);
    pfs_recipe_finish(&d);
    pfs_recipe_finish(&a);
    pfs_recipe_finish(&b);
    pfs_recipe_finish(&c);
    pfs_recipe_finish(&again);
}

static bool has_descriptor(int fd)
{
    PFS_AUTO_FREE char *path = pfs_format("/proc/%d/fd/%d", (int)pid, fd);
    char target[64];
    return readlink(path, target, sizeof target) >= 0;
}

static void it_locks_itself_in(void **state)
{
    PFS_AUTO_FREE char *path = pfs_format("/proc/%d/status", (int)pid);
    struct rlimit core, many;
    char line[200];
    bool no_new = false;
    (void)state;
    if (geteuid())
        skip();                                               /* an undumpable process can only be seen by root */
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        no_new |= !strcmp(line, "NoNewPrivs:\t1\n");
    fclose(f);
    assert_true(no_new);
    assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &core), 0);
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &many), 0);
    assert_true(core.rlim_max == 0 && many.rlim_max == 64);
    assert_true(has_descriptor(3) && !has_descriptor(17));
}

static void a_closed_socket_ends_it(void **state)
{
    (void)state;
    close(sock);
    sock = -1;
    assert_int_equal(wait_exit(), 0);
}

static void nonsense_ends_it(void **state)
{
    (void)state;
    struct pfs_hello hello = {"off", ""};                     /* a message the daemon never sends */
    assert_int_equal(pfs_wire_send_hello(sock, &hello, NULL), 0);
    assert_int_equal(wait_exit(), 1);
}

static void a_wrong_answer_ends_it(void **state)
{
    struct pfs_text t;
    struct pfs_packet p;
    int fd = memfd_create("result", MFD_CLOEXEC);
    (void)state;
    put_probe(&t, "v.synth");
    assert_int_equal(pfs_wire_send_job(sock, 1, PFS_PROBE, (struct pfs_blob){t.s, t.n}, fd, NULL), 0);
    pfs_text_finish(&t);
    assert_int_equal(pfs_wire_receive(sock, 0, &p, NULL), 0);
    assert_int_equal(p.kind, PFS_MSG_NEED);
    pfs_packet_finish(&p);
    assert_int_equal(pfs_wire_send_file(sock, 2, 0, "", fd, NULL), 0);     /* for another job */
    assert_int_equal(wait_exit(), 1);
    close(fd);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(describes_itself), CASE(probes), CASE(resolves), CASE(the_mask_is_in_the_digest), CASE(it_locks_itself_in),
        CASE(a_closed_socket_ends_it), CASE(nonsense_ends_it), CASE(a_wrong_answer_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
