/* The daemon's side of the wire, played by a test: starts a worker, lends it files from memory, orders jobs.
 *
 * For inclusion in one test program each, after cmocka. The worker is looked for beside the build, or in PLANEFS_WORKER. */
#ifndef TESTS_DAEMON_SIDE_H
#define TESTS_DAEMON_SIDE_H

#include "wire/record.h"
#include "wire/wire.h"

#include <planefs/mem.h>
#include <planefs/stack.h>
#include <planefs/table.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED_OK __attribute__((unused))

/* ---- the files the daemon would lend ---- */

struct file { const char *name; char *bytes; size_t n; int asked; };
static struct file files[16];
static int n_files;

static UNUSED_OK void lend(const char *name, const void *bytes, size_t n)
{
    files[n_files] = (struct file){name, malloc(n + 1), n, 0};
    memcpy(files[n_files++].bytes, bytes, n);
}

static UNUSED_OK void lend_text(const char *name, const char *text)
{
    lend(name, text, strlen(text));
}

static UNUSED_OK void take_back(const char *name)
{
    for (int i = 0; i < n_files; i++)
        if (!strcmp(files[i].name, name)) {
            free(files[i].bytes);
            files[i] = files[--n_files];
        }
}

static UNUSED_OK int asked(const char *name)
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

static UNUSED_OK int open_lent(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
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
    struct pfs_hello hello;
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
    assert_int_equal(pfs_wire_read_hello(&p, &hello, NULL), 0);
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
static UNUSED_OK struct answer order(enum pfs_verb verb, struct pfs_text *request, int result)
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

static UNUSED_OK struct answer call(enum pfs_verb verb, struct pfs_text *request)
{
    PFS_AUTO_CLOSE int fd = memfd_create("result", MFD_CLOEXEC);
    struct answer a = order(verb, request, fd);
    assert_int_equal(lseek(fd, 0, SEEK_END), a.code ? 0 : a.length);
    a.bytes = (struct pfs_blob){malloc((size_t)a.length + 1), (size_t)a.length};
    assert_int_equal(pread(fd, a.bytes.data, a.bytes.size, 0), (ssize_t)a.bytes.size);
    return a;
}

static UNUSED_OK void expect_error(enum pfs_verb verb, struct pfs_text *request, int code, const char *part)
{
    struct answer a = call(verb, request);
    if (a.code != code || !strstr(a.reason, part))
        fail_msg("%s \"%s\" is not %s \"%s\"", pfs_errno_name(a.code), a.reason, pfs_errno_name(code), part);
    free(a.bytes.data);
}

static const char volume[] = "planefs-synthetic 1\nt=2\nz=3\nc=2\ny=40\nx=50\ntype=uint16\nvoxel_x=0.5\nunit=um\n";

/* The plane as a driver in this process reads it. */
static UNUSED_OK void twin_plane(const char *name, struct pfs_at at, void *px)
{
    struct pfs_files f = {open_lent, NULL};
    struct pfs_source *s;
    struct pfs_err err;
    if (pfs_source_open(&f, name, &s, &err) || s->driver->rows(s, 0, at, 0, s->series[0].shape.y, px, &err))
        fail_msg("%s", err.text);
    pfs_source_close(s);
}

static UNUSED_OK struct pfs_shape volume_shape(void)
{
    return (struct pfs_shape){.t = 2, .z = 3, .c = 2, .y = 40, .x = 50, .type = PFS_U16};
}

static UNUSED_OK struct pfs_stack_info stack_info(void)
{
    return (struct pfs_stack_info){.shape = volume_shape(), .bits = 16, .info = "", .model = "", .mask = ""};
}

static UNUSED_OK struct pfs_input input(const char *name, struct pfs_at at)
{
    return (struct pfs_input){.name = (char *)(uintptr_t)name, .version = 1, .at = at, .shape = volume_shape()};
}

static UNUSED_OK struct pfs_text work_text(const struct pfs_work *w)
{
    struct pfs_text t = {0};
    pfs_work_put(&t, w);
    return t;
}

static UNUSED_OK struct pfs_recipe resolve(const struct pfs_stack_info *s, const char *view)
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

#endif
