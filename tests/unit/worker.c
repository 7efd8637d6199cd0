/* The worker as a process: this test plays the daemon on the other end of its socket. Sources are synthetic volumes,
 * served from memory files; what comes back is compared with the same planes made here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/record.h"
#include "wire/wire.h"

#include <planefs/mem.h>
#include <planefs/stack.h>
#include <planefs/table.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- the files the daemon would lend ---- */

struct file { const char *name; char *bytes; size_t n; int asked; };
static struct file files[16];
static int n_files;

static void lend(const char *name, const void *bytes, size_t n)
{
    files[n_files] = (struct file){name, malloc(n + 1), n, 0};
    memcpy(files[n_files++].bytes, bytes, n);
}

static void lend_text(const char *name, const char *text)
{
    lend(name, text, strlen(text));
}

static int asked(const char *name)
{
    for (int i = 0; i < n_files; i++)
        if (!strcmp(files[i].name, name))
            return files[i].asked;
    return -1;
}

static int memory_file(const void *bytes, size_t n)
{
    int fd = memfd_create("lent", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, 0), (ssize_t)n);
    return fd;
}

static int open_lent(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)ctx;
    for (int i = 0; i < n_files; i++)
        if (!strcmp(files[i].name, name)) {
            files[i].asked++;
            *ret_fd = memory_file(files[i].bytes, files[i].n);
            return 0;
        }
    return pfs_fail(err, ENOENT, "no file %s is lent", name);
}

/* ---- the process ---- */

static pid_t pid;
static int sock = -1;

static char *worker_path(void)
{
    char self[4096];
    const char *given = getenv("PLANEFS_WORKER");
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (given)
        return strdup(given);
    self[n > 0 ? n : 0] = 0;
    for (int i = 0; i < 3; i++)
        *(strrchr(self, '/') ? strrchr(self, '/') : self) = 0;
    return pfs_format("%s/planefs-worker", self);
}

static int set_up(void **state)
{
    int pair[2];
    struct pfs_packet p;
    PFS_AUTO_FREE char *path = worker_path();
    (void)state;
    if (access(path, X_OK)) {
        print_message("%s is not built\n", path);
        return -1;
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    int extra = open("/dev/null", O_RDONLY);                  /* inherited: the worker must close it */
    if ((pid = fork()) == 0) {
        dup2(pair[1], 3);
        dup2(extra, 17);
        execl(path, path, NULL);
        _exit(127);
    }
    close(extra);
    close(pair[1]);
    sock = pair[0];
    assert_int_equal(pfs_wire_receive(sock, 0, &p, NULL), 0);
    assert_int_equal(pfs_wire_read_hello(&p, NULL), 0);
    pfs_packet_finish(&p);
    return 0;
}

static int wait_exit(void)
{
    int status = -1;
    for (int i = 0; i < 500; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            pid = 0;
            return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return -1000;
}

static int tear_down(void **state)
{
    (void)state;
    if (sock >= 0)
        close(sock);
    sock = -1;
    int code = pid ? wait_exit() : 0;
    if (pid)
        kill(pid, SIGKILL);
    for (int i = 0; i < n_files; i++)
        free(files[i].bytes);
    n_files = 0;
    return code == 0 ? 0 : -1;
}

/* ---- jobs ---- */

struct answer { int code; char reason[300]; struct pfs_blob bytes; int64_t length, resident; int progress; };

static void answer_need(const struct pfs_packet *p)
{
    const char *name;
    struct pfs_err err = {0};
    int fd = -1;
    assert_int_equal(pfs_wire_read_need(p, &name, NULL), 0);
    int e = open_lent(NULL, name, &fd, &err);
    assert_int_equal(pfs_wire_send_file(sock, p->job, -e, err.text, fd, NULL), 0);
    if (fd >= 0)
        close(fd);
}

/* Order a job and serve what it needs; takes the request. */
static struct answer order(enum pfs_verb verb, struct pfs_text *request, int result)
{
    static uint64_t job;
    struct answer a = {0};
    struct pfs_done done;
    assert_int_equal(pfs_wire_send_job(sock, ++job, verb, (struct pfs_blob){request->s, request->n}, result, NULL), 0);
    pfs_text_finish(request);
    for (;;) {
        struct pfs_packet p;
        if (pfs_wire_receive(sock, 0, &p, NULL))
            fail_msg("the worker died on verb %d", verb);
        assert_true(p.job == job);
        enum pfs_message kind = p.kind;
        if (kind == PFS_MSG_NEED)
            answer_need(&p);
        else if (kind == PFS_MSG_PROGRESS)
            assert_int_equal(pfs_wire_read_progress(&p, &a.progress, NULL), 0);
        else {
            assert_int_equal(pfs_wire_read_done(&p, &done, NULL), 0);
            a.code = done.code;
            a.length = done.length;
            a.resident = done.resident;
            snprintf(a.reason, sizeof a.reason, "%s", done.reason);
        }
        pfs_packet_finish(&p);
        if (kind == PFS_MSG_DONE)
            return a;
    }
}

static struct answer call(enum pfs_verb verb, struct pfs_text *request)
{
    PFS_AUTO_CLOSE int fd = memfd_create("result", MFD_CLOEXEC);
    struct answer a = order(verb, request, fd);
    assert_int_equal(lseek(fd, 0, SEEK_END), a.code ? 0 : a.length);
    a.bytes = (struct pfs_blob){malloc((size_t)a.length + 1), (size_t)a.length};
    assert_int_equal(pread(fd, a.bytes.data, a.bytes.size, 0), (ssize_t)a.bytes.size);
    return a;
}

static void expect_error(enum pfs_verb verb, struct pfs_text *request, int code, const char *part)
{
    struct answer a = call(verb, request);
    if (a.code != code || !strstr(a.reason, part))
        fail_msg("%s \"%s\" is not %s \"%s\"", pfs_errno_name(a.code), a.reason, pfs_errno_name(code), part);
    free(a.bytes.data);
}

static const char volume[] = "planefs-synthetic 1\nt=2\nz=3\nc=2\ny=40\nx=50\ntype=uint16\nvoxel_x=0.5\nunit=um\n";

/* The plane as a driver in this process reads it. */
static void twin_plane(const char *name, struct pfs_at at, void *px)
{
    struct pfs_files f = {open_lent, NULL};
    struct pfs_source *s;
    struct pfs_err err;
    if (pfs_source_open(&f, name, &s, &err) || s->driver->rows(s, 0, at, 0, s->series[0].shape.y, px, &err))
        fail_msg("%s", err.text);
    pfs_source_close(s);
}

static struct pfs_shape volume_shape(void)
{
    return (struct pfs_shape){.t = 2, .z = 3, .c = 2, .y = 40, .x = 50, .type = PFS_U16};
}

static struct pfs_stack_info stack_info(void)
{
    return (struct pfs_stack_info){.shape = volume_shape(), .bits = 16, .info = "", .model = "", .mask = ""};
}

static struct pfs_input input(const char *name, struct pfs_at at)
{
    return (struct pfs_input){.name = (char *)(uintptr_t)name, .version = 1, .at = at, .shape = volume_shape()};
}

static struct pfs_text work_text(const struct pfs_work *w)
{
    struct pfs_text t = {0};
    pfs_work_put(&t, w);
    return t;
}

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

static struct pfs_recipe resolve(const struct pfs_stack_info *s, const char *view)
{
    struct pfs_text t = {0};
    struct pfs_recipe r;
    pfs_resolve_put(&t, s, view);
    struct answer a = call(PFS_RESOLVE, &t);
    if (a.code)
        fail_msg("%s: %s", view, a.reason);
    assert_int_equal(pfs_recipe_get(a.bytes, &r, NULL), 0);
    free(a.bytes.data);
    return r;
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

/* A mask is part of what every result depends on: its content, not its name. */
static void the_mask_is_in_the_digest(void **state)
{
    struct pfs_stack_info s = stack_info();
    (void)state;
    lend_text("a.synth", "planefs-synthetic 1\ny=40\nx=50\n");
    lend_text("b.synth", "planefs-synthetic 1\ny=40\nx=50\nlevel=0\ntexture=0\nnoise=0\nstripes=0\nbackground=0\n");
    lend_text("c.synth", "planefs-synthetic 1\ny=41\nx=50\n");
    s.mask = (char *)(uintptr_t)"a.synth";
    struct pfs_recipe a = resolve(&s, "stats");
    s.mask = (char *)(uintptr_t)"b.synth";
    struct pfs_recipe b = resolve(&s, "stats"), again = resolve(&s, "stats");
    assert_true(a.n_digest == 3 && a.digest[0] == a.digest[1] && a.digest[0] && b.digest[0]);
    assert_true(a.digest[0] != b.digest[0] && b.digest[0] == again.digest[0]);
    assert_int_equal(asked("b.synth"), 1);                    /* kept */
    s.version[2]++;
    pfs_recipe_finish(&again);
    again = resolve(&s, "stats");
    assert_int_equal(asked("b.synth"), 2);                    /* another version: read again */
    pfs_recipe_finish(&a);
    pfs_recipe_finish(&b);
    pfs_recipe_finish(&again);
    struct pfs_text t = {0};
    s.mask = (char *)(uintptr_t)"c.synth";
    pfs_resolve_put(&t, &s, "stats");
    expect_error(PFS_RESOLVE, &t, EIO, "the mask is 41 x 50, its stack is 40 x 50");
}

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

/* Partials of all planes in two jobs, one plane missing, merged by a third. */
static void partials_are_merged(void **state)
{
    struct pfs_shape s = volume_shape();
    struct pfs_input in[12];
    struct pfs_work w = {.stack = stack_info(), .n_steps = 1, .step = (char *[]){"stats/1 nodata=none"}, .input = in};
    struct pfs_text parts = {0}, t;
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
    pfs_text_bytes(&parts, a.bytes.data, a.bytes.size);
    free(a.bytes.data);
    pfs_put_u32(&parts, 0);                                   /* plane 5 is missing */
    w.input = in + 6;
    w.n_inputs = 6;
    t = work_text(&w);
    a = call(PFS_PARTIAL, &t);
    pfs_text_bytes(&parts, a.bytes.data, a.bytes.size);
    free(a.bytes.data);
    lend("parts", parts.s, parts.n);
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
    expect_error(PFS_MERGE, &t, EPROTO, "malformed parts");
    w.n_parts = 1;
    t = work_text(&w);
    expect_error(PFS_MERGE, &t, EPROTO, "malformed parts");
    w.n_parts = INT64_MAX / 4;
    t = work_text(&w);
    expect_error(PFS_MERGE, &t, EPROTO, "malformed parts");
    pfs_text_finish(&parts);
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
    assert_int_equal(pfs_wire_send_hello(sock, NULL), 0);     /* a message the daemon never sends */
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
        CASE(describes_itself), CASE(probes), CASE(resolves), CASE(the_mask_is_in_the_digest),
        CASE(a_source_plane_is_written_at_its_offset), CASE(a_section_that_differs_says_so),
        CASE(a_cached_stage_is_read_raw), CASE(steps_run), CASE(partials_are_merged), CASE(a_full_disk_is_passed_on),
        CASE(sources_beyond_eight_are_let_go), CASE(it_locks_itself_in), CASE(a_closed_socket_ends_it),
        CASE(nonsense_ends_it), CASE(a_wrong_answer_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
