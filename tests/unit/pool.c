/* The pool against workers that serve, die, hang, lie and break the rules. This program is its own worker: started with
 * the socket as descriptor 3 it does what each request says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pool/pool.h"

#include <planefs/sanitizer.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the worker's side ---- */

static void done(uint64_t job, int code, const char *reason, int64_t length)
{
    struct pfs_done d = {code, reason, length, 1 << 20};
    pfs_wire_send_done(3, job, &d, NULL);
}

static void need(uint64_t job, const char *name, int result)
{
    struct pfs_text t = {0};
    struct pfs_packet p;
    char byte = 0;
    pfs_put_str(&t, name);
    pfs_wire_send(3, PFS_MSG_NEED, job, (struct pfs_blob){t.s, t.n}, NULL, 0, NULL);
    pfs_text_finish(&t);
    if (pfs_wire_receive(3, 0, &p, NULL) < 0)
        _exit(1);
    struct pfs_reader r = pfs_reader(p.body.data, p.body.size);
    int code = (int)pfs_get_u32(&r);
    if (!code && pread(p.fd[0], &byte, 1, 0) == 1 && pwrite(result, &byte, 1, 0) == 1)
        done(job, 0, "", 1);
    else
        done(job, code, pfs_get_str(&r), 0);
    pfs_packet_finish(&p);
}

static void serve(uint64_t job, const char *what, int result)
{
    if (!strcmp(what, "answer") && pwrite(result, "hello", 5, 0) == 5)
        done(job, 0, "", 5);
    else if (!strcmp(what, "fail"))
        done(job, EIO, "strip 3 is bad", 0);
    else if (!strcmp(what, "die"))
        raise(SIGKILL);
    else if (!strcmp(what, "leave"))
        _exit(7);
    else if (!strcmp(what, "hang"))
        pause();
    else if (!strcmp(what, "write on")) {
        for (int i = 0; i < 100; i++)
            if (pwrite(result, "more, more", 10, 10 * i) != 10)
                _exit(8);
    } else if (!strcmp(what, "take memory")) {
        void *p = mmap(NULL, 256 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        done(job, p == MAP_FAILED ? errno : 0, "refused", 0);
        if (p != MAP_FAILED)
            munmap(p, 256 << 20);
    } else if (!strcmp(what, "lie"))
        done(job, 0, "", 1000);
    else if (!strcmp(what, "other job"))
        done(job + 1, 0, "", 0);
    else if (!strcmp(what, "nonsense"))
        send(3, "nonsense", 8, 0);
    else if (!strcmp(what, "twice")) {
        done(job, 0, "", 0);
        done(job, 0, "", 0);
    } else
        need(job, what, result);
}

static int be_worker(void)
{
    pfs_wire_send_hello(3, &(struct pfs_hello){"seccomp", "Landlock: this kernel has none"}, NULL);
    for (struct pfs_packet p; pfs_wire_receive(3, 0, &p, NULL) == 0; pfs_packet_finish(&p)) {
        enum pfs_verb verb;
        struct pfs_blob request;
        if (pfs_wire_read_job(&p, &verb, &request, NULL) < 0)
            return 1;
        struct pfs_reader r = pfs_reader(request.data, request.size);
        serve(p.job, pfs_get_str(&r), p.fd[0]);
        free(request.data);
    }
    return 0;
}

/* ---- the tests ---- */

static struct pfs_pool *pool;

static int open_file(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)ctx;
    if (strcmp(name, "/dev/zero"))
        return pfs_fail(err, EPERM, "not %s", name);
    *ret_fd = open(name, O_RDONLY | O_CLOEXEC);
    return 0;
}

static int call(const char *what, int timeout_ms, struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_text t = {0};
    struct pfs_order o = {.role = PFS_READER, .verb = PFS_PROBE, .most = 100, .timeout_ms = timeout_ms,
                          .open = open_file};
    pfs_put_str(&t, what);
    pfs_text_take(&t, &o.request);
    return pfs_pool_call(pool, &o, ret, err);
}

static void check(const char *what, int code, const char *reason)
{
    struct pfs_err err = {0};
    struct pfs_blob b = {0};
    assert_int_equal(call(what, what[0] == 'h' ? 200 : 5000, &b, &err), -code);
    if (code)
        assert_non_null(strstr(err.text, reason));
    free(b.data);
    assert_int_equal(call("answer", 5000, &b, &err), 0);   /* the pool is as good as before */
    assert_int_equal(b.size, 5);
    assert_memory_equal(b.data, "hello", 5);
    free(b.data);
}

static void each_misdeed_costs_one_job(void **state)
{
    (void)state;
    check("fail", EIO, "strip 3");
    check("die", EIO, "signal 9");
    check("leave", EIO, "exit 7");
    check("hang", ETIMEDOUT, "0.2 s");
    check("lie", EIO, "1000 bytes");
    check("other job", EIO, "rules");
    check("nonsense", EIO, "rules");
    check("twice", 0, "");
    if (!PFS_HAS_SANITIZER)
        check("write on", EIO, "signal 25");
}

static void files_are_asked_for(void **state)
{
    (void)state;
    struct pfs_err err = {0};
    struct pfs_blob b = {0};
    assert_int_equal(call("/dev/zero", 5000, &b, &err), 0);
    assert_int_equal(b.size, 1);
    free(b.data);
    assert_int_equal(call("/etc/passwd", 5000, &b, &err), -EPERM);
    assert_string_equal(err.text, "not /etc/passwd");
    free(b.data);
}

/* A job that declares its memory gets it on top of the worker's room; the next one has the room alone again. */
static void memory_is_what_was_declared(void **state)
{
    (void)state;
    struct pfs_pool_options o = {.worker = "/proc/self/exe", .makers = 1, .readers = 1, .room = {128 << 20, 128 << 20}};
    struct pfs_pool *small;
    struct pfs_err err;
    if (PFS_HAS_SANITIZER)
        skip();
    assert_int_equal(pfs_pool_create(&o, &small, &err), 0);
    for (int i = 0; i < 6; i++) {
        struct pfs_text t = {0};
        struct pfs_blob b;
        struct pfs_order order = {.role = i % 2 ? PFS_MAKER : PFS_READER, .verb = PFS_PLANE, .most = 100,
                                  .timeout_ms = 5000, .memory = i % 4 < 2 ? 0 : 256 << 20};
        pfs_put_str(&t, "take memory");
        pfs_text_take(&t, &order.request);
        assert_int_equal(pfs_pool_call(small, &order, &b, &err), i % 4 < 2 ? -ENOMEM : 0);
        free(b.data);
    }
    pfs_pool_destroy(small);
}

static void a_required_sandbox_must_be_whole(void **state)
{
    (void)state;
    struct pfs_pool_options o = {.worker = "/proc/self/exe", .makers = 1, .readers = 1,
                                 .sandbox = PFS_SANDBOX_REQUIRED};
    struct pfs_pool_status s;
    struct pfs_pool *p;
    struct pfs_err err;
    assert_int_equal(pfs_pool_create(&o, &p, &err), -EPERM);
    assert_null(p);
    assert_non_null(strstr(err.text, "Landlock: this kernel has none"));
    pfs_pool_status(pool, &s);
    assert_string_equal(s.sandbox, "seccomp");
}

static int ended;
static void count_end(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    (void)reason;
    (void)bytes;
    assert_int_equal(code, -ECANCELED);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
    if (ctx)
        assert_int_equal(write(*(int *)ctx, "x", 1), 1);
}

static void ignore_end(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    (void)ctx, (void)code, (void)reason, (void)bytes;
}

static void submit(const char *what, int *pipe_end, uint64_t *ret)
{
    struct pfs_text t = {0};
    struct pfs_order o = {.role = PFS_MAKER, .verb = PFS_PLANE, .most = 100, .timeout_ms = 60000, .result_fd = -1,
                          .done = count_end, .ctx = pipe_end};
    pfs_put_str(&t, what);
    pfs_text_take(&t, &o.request);
    *ret = pfs_pool_submit(pool, &o);
}

static void running_and_queued_jobs_are_cancelled(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    uint64_t job[4];
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < 4; i++)
        submit("hang", &ends[1], &job[i]);
    for (int i = 3; i >= 0; i--) {
        pfs_pool_cancel(pool, job[i]);
        assert_int_equal(read(ends[0], &byte, 1), 1);
    }
    assert_int_equal(ended, 4);
    close(ends[0]);
    close(ends[1]);
}

/* A job is cancelled in the moment in which it is done: whoever gets the worker next must not pay for it. */
static void cancelling_harms_no_other_job(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct pfs_err err = {0};
        struct pfs_blob b = {0};
        struct pfs_text t = {0};
        struct pfs_order o = {.role = PFS_READER, .verb = PFS_PROBE, .most = 100, .timeout_ms = 5000, .result_fd = -1,
                              .done = ignore_end};
        pfs_put_str(&t, "answer");
        pfs_text_take(&t, &o.request);
        pfs_pool_cancel(pool, pfs_pool_submit(pool, &o));
        assert_int_equal(call("answer", 5000, &b, &err), 0);
        free(b.data);
    }
}

static void workers_grow_old(void **state)
{
    (void)state;
    struct pfs_pool_status s;
    struct pfs_err err;
    struct pfs_blob b;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(call("answer", 5000, &b, &err), 0);
        free(b.data);
    }
    pfs_pool_status(pool, &s);
    assert_true(s.workers >= 1 && s.running == 0 && s.queued == 0);
}

static void a_missing_worker_is_an_error(void **state)
{
    (void)state;
    struct pfs_pool_options o = {.worker = "/nonexistent/worker", .makers = 1, .readers = 1};
    struct pfs_pool *p;
    struct pfs_err err;
    assert_int_equal(pfs_pool_create(&o, &p, &err), -EIO);
    assert_null(p);
    assert_non_null(strstr(err.text, "/nonexistent/worker"));
}

static int begin(void **state)
{
    struct pfs_pool_options o = {.worker = "/proc/self/exe", .makers = 2, .readers = 1, .recycle_jobs = 10};
    struct pfs_err err;
    (void)state;
    return pfs_pool_create(&o, &pool, &err);
}

static int end(void **state)
{
    uint64_t job;
    (void)state;
    ended = 0;
    submit("hang", NULL, &job);
    pfs_pool_destroy(pool);   /* a running job ends with it */
    return ended == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[0], "planefs-worker"))
        return be_worker();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_misdeed_costs_one_job), cmocka_unit_test(files_are_asked_for),
        cmocka_unit_test(running_and_queued_jobs_are_cancelled), cmocka_unit_test(cancelling_harms_no_other_job),
        cmocka_unit_test(workers_grow_old),
        cmocka_unit_test(a_missing_worker_is_an_error), cmocka_unit_test(memory_is_what_was_declared),
        cmocka_unit_test(a_required_sandbox_must_be_whole),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
