/* The worker makes planes, partials and models. Sources are synthetic volumes; what comes back is compared with the same
 * planes made here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon_side.h"

#include <sys/resource.h>

static void a_source_plane_is_written_at_its_offset(void **state)
{
    struct pfs_at at = {1, 2, 1};
    struct pfs_input in = input("v.synth", at);
    struct pfs_work w = {.stack = stack_info(), .at = at, .offset = 4096, .threads = 1, .n_inputs = 1, .input = &in};
    uint16_t want[40 * 50], got[40 * 50];
    (void)state;
    lend_text("v.synth", volume);
    twin_plane("v.synth", at, want);
    for (int i = 0; i < 3; i++) {
        PFS_AUTO_CLOSE int fd = memfd_create("result", MFD_CLOEXEC);
        struct pfs_text t = work_text(&w);
        struct answer a = order(PFS_PLANE, &t, fd);
        assert_int_equal(a.code, 0);
        assert_int_equal(a.length, sizeof want);
        assert_int_equal(lseek(fd, 0, SEEK_END), 4096 + (off_t)sizeof want);
        assert_int_equal(pread(fd, got, sizeof got, 4096), sizeof got);
        assert_memory_equal(got, want, sizeof want);
    }
    assert_int_equal(asked("v.synth"), 2);                    /* once here, once by the worker, which keeps it */
    in.version = 2;
    w.offset = 0;
    struct pfs_text t = work_text(&w);
    struct answer a = call(PFS_PLANE, &t);
    assert_int_equal(a.code, 0);
    free(a.bytes.data);
    assert_int_equal(asked("v.synth"), 3);
}

static void a_section_that_differs_says_so(void **state)
{
    struct pfs_input in = input("v.synth", (struct pfs_at){0, 0, 0});
    struct pfs_work w = {.stack = stack_info(), .n_inputs = 1, .input = &in};
    struct pfs_text t;
    (void)state;
    lend_text("v.synth", volume);
    in.shape.y = 500;
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EIO, "section is 40 x 50 uint16, its stack is 500 x 50 uint16");
    in = input("v.synth", (struct pfs_at){0, 3, 0});
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EIO, "no plane t0 z3 c0");
    in = input("v.synth", (struct pfs_at){0, 0, 0});
    in.series = 1;
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EIO, "series 1");
    in = input("gone", (struct pfs_at){0, 0, 0});
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, ENOENT, "no file gone");
    w.n_inputs = 0;
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EPROTO, "without inputs");
    w.n_inputs = 1;
    in = input("v.synth", (struct pfs_at){0, 0, 0});
    w.n_steps = 1;
    w.step = (char *[]){"stats/1 nodata=none"};
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EOPNOTSUPP, "makes a model");
    w.step = (char *[]){"stats/1"};
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, ENOENT, "canonical");
}

static void a_cached_stage_is_read_raw(void **state)
{
    uint16_t stage[20 + 40 * 50];
    struct pfs_input in = input("entry", (struct pfs_at){0, 0, 0});
    struct pfs_work w = {.stack = stack_info(), .n_inputs = 1, .input = &in};
    struct pfs_text t;
    (void)state;
    for (int i = 0; i < 20 + 2000; i++)
        stage[i] = (uint16_t)(i * 7);
    lend("entry", stage, sizeof stage);
    lend("short", stage, sizeof stage - 1);
    in.series = -1;
    in.offset = 40;
    t = work_text(&w);
    struct answer a = call(PFS_PLANE, &t);
    assert_int_equal(a.code, 0);
    assert_memory_equal(a.bytes.data, stage + 20, 4000);
    free(a.bytes.data);
    in.name = "short";
    t = work_text(&w);
    expect_error(PFS_PLANE, &t, EIO, "cut short");
}

/* With steps: the same chain run here on the same plane gives the same bytes. */
static void steps_run(void **state)
{
    struct pfs_stack_info info = stack_info();
    struct pfs_shape in_shape = volume_shape();
    struct pfs_at at = {0, 1, 0};
    struct pfs_input in = input("v.synth", at);
    struct pfs_recipe_steps *steps;
    struct pfs_context cx = {.full = {3, 40, 50}, .z = 1, .source = PFS_U16, .bits = 16, .threads = 1};
    uint16_t raw[2000];
    (void)state;
    if (!pfs_op_named("invert") || !pfs_op_named("crop") || !pfs_op_named("denoise")) {
        print_message("no plane operators in this build\n");
        skip();
    }
    lend_text("v.synth", volume);
    struct pfs_recipe r = resolve(&info, "denoise@of=inverted,roi=3:4:20:30");
    assert_int_equal(r.n, 3);
    char *texts[3] = {r.step[0].text, r.step[1].text, r.step[2].text};
    assert_int_equal(pfs_recipe_read((const char *const *)texts, 3, &in_shape, &steps, NULL), 0);
    twin_plane("v.synth", at, raw);
    float *want = malloc(600 * sizeof *want);
    struct pfs_err err;
    if (pfs_recipe_run(steps, 0, NULL, &cx, (struct pfs_typed){PFS_U16, raw, 100, 40, 50},
                       (struct pfs_typed){PFS_F32, want, 120, 20, 30}, &err))
        fail_msg("%s", err.text);
    struct pfs_work w = {.stack = info, .at = at, .threads = 1, .n_steps = 3, .step = texts, .n_inputs = 1, .input = &in};
    struct pfs_text t = work_text(&w);
    struct answer a = call(PFS_PLANE, &t);
    if (a.code)
        fail_msg("%s", a.reason);
    assert_int_equal(a.length, 2400);
    assert_memory_equal(a.bytes.data, want, 2400);
    free(a.bytes.data);
    free(want);
    pfs_recipe_close(steps);
    pfs_recipe_finish(&r);
}

static double value(struct pfs_blob table, const char *name, int64_t i)
{
    struct pfs_column c;
    assert_true(pfs_table_column(table, name, &c) && i < c.n);
    return pfs_column_f64(&c, i);
}

/* A job's partials, each with its length in front; takes the bytes. */
static void cut(struct pfs_blob b, struct pfs_text *ret, int n)
{
    struct pfs_reader r = pfs_reader(b.data, b.size);
    for (int i = 0; i < n; i++) {
        struct pfs_blob one = pfs_get_bytes(&r);
        pfs_put_bytes(&ret[i], one.data, one.size);
    }
    assert_true(pfs_reader_end(&r));
    free(b.data);
}

/* Partials of all planes in two jobs, one plane missing, merged by a third. */
static void partials_are_merged(void **state)
{
    struct pfs_shape s = volume_shape();
    struct pfs_input in[12];
    struct pfs_work w = {.stack = stack_info(), .n_steps = 1, .step = (char *[]){"moments/1 nodata=none"}, .input = in};
    struct pfs_text all[12] = {0}, parts = {0}, t;
    uint16_t px[2000];
    double sum[2] = {0}, n[2] = {0}, top = 0;
    (void)state;
    lend_text("v.synth", volume);
    for (int64_t i = 0; i < 12; i++)
        in[i] = input("v.synth", pfs_at_of(&s, i));
    w.n_inputs = 5;
    t = work_text(&w);
    struct answer a = call(PFS_PARTIAL, &t);
    assert_int_equal(a.code, 0);
    cut(a.bytes, all, 5);
    pfs_put_u32(&all[5], 0);                                  /* plane 5 is missing */
    w.input = in + 6;
    w.n_inputs = 6;
    t = work_text(&w);
    a = call(PFS_PARTIAL, &t);
    cut(a.bytes, all + 6, 6);
    for (int k = 0; k < 2; k++) {                             /* band by band, in two files */
        for (int i = k; i < 12; i += 2)
            pfs_text_bytes(&parts, all[i].s, all[i].n);
        lend(k ? "parts1" : "parts0", parts.s, parts.n);
        pfs_text_finish(&parts);
    }
    for (int i = 0; i < 12; i++)
        pfs_text_finish(&all[i]);
    w.step = (char *[]){"stats/1 nodata=none"};
    w.n_inputs = 0;
    w.n_parts = 12;
    t = work_text(&w);
    a = call(PFS_MERGE, &t);
    if (a.code)
        fail_msg("%s", a.reason);
    assert_true(pfs_table_valid(a.bytes));
    for (int64_t i = 0; i < 12; i++) {
        twin_plane("v.synth", in[i].at, px);
        for (int k = 0; k < 2000 && i != 5; k++) {
            sum[i % 2] += px[k];
            n[i % 2]++;
            top = px[k] > top ? px[k] : top;
        }
    }
    for (int c = 0; c < 2; c++) {
        assert_true(value(a.bytes, "count", c) == n[c]);
        assert_float_equal(value(a.bytes, "mean", c), sum[c] / n[c], 1e-9);
    }
    assert_true(value(a.bytes, "count", 2) == 22000 && value(a.bytes, "max", 2) == top);
    free(a.bytes.data);
    w.n_parts = 13;
    t = work_text(&w);
    expect_error(PFS_MERGE, &t, EINVAL, "13 partials for 12 planes");
    w.n_parts = 12;
    for (size_t empty = 0; empty < 2; empty++) {              /* a file that is torn, and an empty one */
        take_back("parts1");
        lend("parts1", "\1", 1 - empty);
        t = work_text(&w);
        expect_error(PFS_MERGE, &t, EPROTO, "malformed parts");
    }
}

static void a_full_disk_is_passed_on(void **state)
{
    struct pfs_input in = input("v.synth", (struct pfs_at){0, 0, 0});
    struct pfs_work w = {.stack = stack_info(), .n_inputs = 1, .input = &in};
    struct pfs_text t = work_text(&w);
    PFS_AUTO_CLOSE int full = open("/dev/full", O_WRONLY | O_CLOEXEC), closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    lend_text("v.synth", volume);
    struct answer a = order(PFS_PLANE, &t, full);
    assert_int_equal(a.code, ENOSPC);
    assert_int_equal(a.length, 0);
    t = work_text(&w);
    a = order(PFS_PLANE, &t, closed);
    assert_int_equal(a.code, EBADF);
}

/* A result that grows beyond what was promised ends the job, not the worker. */
static void a_result_too_long_is_an_error(void **state)
{
    struct pfs_input in = input("v.synth", (struct pfs_at){0, 0, 0});
    struct pfs_work w = {.stack = stack_info(), .n_inputs = 1, .input = &in};
    struct rlimit less = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY}, old;
    (void)state;
    lend_text("v.synth", volume);
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, NULL, &old), 0);
    less.rlim_max = old.rlim_max;
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &less, NULL), 0);
    PFS_AUTO_CLOSE int fd = memfd_create("result", MFD_CLOEXEC);
    struct pfs_text t = work_text(&w);
    struct answer a = order(PFS_PLANE, &t, fd);
    assert_int_equal(a.code, EFBIG);
    assert_int_equal(lseek(fd, 0, SEEK_END), 1000);
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &old, NULL), 0);
    t = work_text(&w);
    a = call(PFS_PLANE, &t);
    assert_int_equal(a.code, 0);
    free(a.bytes.data);
}

static void sources_beyond_eight_are_let_go(void **state)
{
    static char names[10][16];
    struct pfs_input in = input("", (struct pfs_at){0, 0, 0});
    struct pfs_work w = {.stack = stack_info(), .n_inputs = 1, .input = &in};
    (void)state;
    for (int i = 0; i < 10; i++) {
        snprintf(names[i], sizeof names[i], "%d.synth", i);
        lend_text(names[i], volume);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 10; i++) {
            in.name = names[i];
            struct pfs_text t = work_text(&w);
            struct answer a = call(PFS_PLANE, &t);
            assert_int_equal(a.code, 0);
            free(a.bytes.data);
        }
    assert_int_equal(asked("0.synth"), 2);
    in.name = names[9];
    struct pfs_text t = work_text(&w);
    struct answer a = call(PFS_PLANE, &t);
    free(a.bytes.data);
    assert_int_equal(asked("9.synth"), 2);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_source_plane_is_written_at_its_offset), CASE(a_section_that_differs_says_so),
        CASE(a_cached_stage_is_read_raw), CASE(steps_run), CASE(partials_are_merged), CASE(a_full_disk_is_passed_on),
        CASE(a_result_too_long_is_an_error), CASE(sources_beyond_eight_are_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
