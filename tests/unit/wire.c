/* The wire: every message there and back, descriptors, long requests, and what a hostile other side may send. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
}

static int tear_down(void **state)
{
    (void)state;
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    return 0;
}

static int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static struct pfs_packet receive(void)
{
    struct pfs_packet p;
    struct pfs_err err;
    if (pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, &err))
        fail_msg("%s", err.text);
    return p;
}

static void small_messages_arrive(void **state)
{
    struct pfs_packet p;
    struct pfs_done done = {ENOSPC, "disk full", 77, 1 << 20}, got;
    struct pfs_hello hello;
    const char *s;
    int v;
    (void)state;
    assert_int_equal(pfs_wire_send_hello(pair[0], &(struct pfs_hello){"seccomp", "no Landlock"}, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_hello(&p, &hello, NULL), 0);
    assert_string_equal(hello.layers, "seccomp");
    assert_string_equal(hello.missing, "no Landlock");
    assert_int_equal(pfs_wire_read_need(&p, &s, NULL), -EPROTO);
    pfs_packet_finish(&p);
    assert_int_equal(pfs_wire_send_need(pair[0], 9, "a/b.tif", NULL), 0);
    p = receive();
    assert_int_equal(p.job, 9);
    assert_int_equal(pfs_wire_read_need(&p, &s, NULL), 0);
    assert_string_equal(s, "a/b.tif");
    pfs_packet_finish(&p);
    assert_int_equal(pfs_wire_send_progress(pair[0], 9, 371, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_progress(&p, &v, NULL), 0);
    assert_int_equal(v, 371);
    pfs_packet_finish(&p);
    assert_int_equal(pfs_wire_send_done(pair[0], UINT64_MAX, &done, NULL), 0);
    p = receive();
    assert_true(p.job == UINT64_MAX && p.kind == PFS_MSG_DONE);
    assert_int_equal(pfs_wire_read_done(&p, &got, NULL), 0);
    assert_true(got.code == ENOSPC && got.length == 77 && got.resident == 1 << 20);
    assert_string_equal(got.reason, "disk full");
    pfs_packet_finish(&p);
}

static void files_travel_as_descriptors(void **state)
{
    struct pfs_packet p;
    const char *reason;
    struct stat a, b;
    int code, before = count_descriptors(), fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    assert_int_equal(pfs_wire_send_file(pair[0], 1, 0, "", fd, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_file(&p, &code, &reason, NULL), 0);
    assert_int_equal(code, 0);
    assert_true(fcntl(p.fd[0], F_GETFD) & FD_CLOEXEC);
    assert_true(!fstat(fd, &a) && !fstat(p.fd[0], &b) && a.st_rdev == b.st_rdev);
    pfs_packet_finish(&p);
    assert_int_equal(pfs_wire_send_file(pair[0], 1, ENOENT, "no such section", -1, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_file(&p, &code, &reason, NULL), 0);
    assert_int_equal(code, ENOENT);
    assert_string_equal(reason, "no such section");
    pfs_packet_finish(&p);
    close(fd);
    assert_int_equal(count_descriptors(), before);
}

static void check_job(size_t n)
{
    struct pfs_blob request = {malloc(n + 1), n}, got;
    struct pfs_packet p;
    enum pfs_verb verb;
    int before = count_descriptors(), fd = memfd_create("result", MFD_CLOEXEC);
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)request.data)[i] = (uint8_t)(i * 31 + i / 251);
    assert_int_equal(pfs_wire_send_job(pair[0], 5, PFS_PLANE, request, fd, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_job(&p, &verb, &got, NULL), 0);
    assert_int_equal(verb, PFS_PLANE);
    assert_int_equal(got.size, n);
    assert_memory_equal(got.data, request.data, n);
    assert_int_equal(write(p.fd[0], "x", 1), 1);
    if (p.fd[1] >= 0)
        assert_int_equal(pwrite(p.fd[1], "x", 1, 0), -1);         /* sealed */
    pfs_packet_finish(&p);
    free(got.data);
    free(request.data);
    close(fd);
    assert_int_equal(count_descriptors(), before);
}

static void jobs_of_any_length_arrive(void **state)
{
    (void)state;
    check_job(0);
    check_job(1);
    check_job(PFS_PACKET_MAX / 2);
    check_job(PFS_PACKET_MAX / 2 + 1);
    check_job(5 << 20);
    assert_int_equal(pfs_wire_send_job(pair[0], 5, PFS_PROBE, (struct pfs_blob){0}, -1, NULL), -EBADF);
}

static void limits_are_kept(void **state)
{
    static char big[PFS_PACKET_MAX + 1];
    char name[2000];
    struct pfs_packet p;
    struct pfs_done done = {EIO, name, 0, 0}, got;
    (void)state;
    assert_int_equal(pfs_wire_send(pair[0], PFS_MSG_NEED, 1, (struct pfs_blob){big, sizeof big}, NULL, 0, NULL), -EMSGSIZE);
    assert_int_equal(pfs_wire_send(pair[0], PFS_MSG_NEED, 1, (struct pfs_blob){0}, (int[]){0, 0, 0}, 3, NULL), -EMSGSIZE);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EAGAIN);
    memset(name, 'r', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(pfs_wire_send_done(pair[0], 1, &done, NULL), 0);
    p = receive();
    assert_int_equal(pfs_wire_read_done(&p, &got, NULL), 0);
    assert_int_equal(strlen(got.reason), 1000);
    pfs_packet_finish(&p);
}

static void send_raw(const void *bytes, size_t n, const int *fd, int n_fd)
{
    union { struct cmsghdr align; char room[CMSG_SPACE(8 * sizeof(int))]; } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fd) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE((size_t)n_fd * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){CMSG_LEN((size_t)n_fd * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fd, (size_t)n_fd * sizeof(int));
    }
    assert_int_equal(sendmsg(pair[0], &m, 0), (ssize_t)n);
}

static void malformed_packets_are_refused(void **state)
{
    static uint8_t big[PFS_PACKET_MAX + 100];
    uint8_t head[12] = {PFS_MSG_NEED}, wrong[12] = {77}, zero[12] = {0};
    int before = count_descriptors(), many[3] = {0, 1, 2};
    struct pfs_packet p;
    (void)state;
    big[0] = PFS_MSG_NEED;
    send_raw(head, 11, NULL, 0);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    send_raw(wrong, 12, NULL, 0);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    send_raw(zero, 12, NULL, 0);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    send_raw(big, sizeof big, NULL, 0);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    send_raw(head, 12, many, 3);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    assert_true(p.fd[0] == -1 && p.fd[1] == -1 && !p.body.data);
    send_raw(wrong, 12, many, 2);
    assert_int_equal(pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL), -EPROTO);
    assert_int_equal(count_descriptors(), before);
    send_raw(head, 12, NULL, 0);
    p = receive();
    assert_int_equal(p.kind, PFS_MSG_NEED);
    pfs_packet_finish(&p);
}

static void send_text(enum pfs_message kind, struct pfs_text *t, const int *fd, int n)
{
    assert_int_equal(pfs_wire_send(pair[0], kind, 1, (struct pfs_blob){t->s, t->n}, fd, n, NULL), 0);
    pfs_text_finish(t);
}

static void expect_bad_job(struct pfs_text *t, const int *fd, int n)
{
    struct pfs_packet p;
    enum pfs_verb verb;
    struct pfs_blob request;
    send_text(PFS_MSG_JOB, t, fd, n);
    p = receive();
    assert_int_equal(pfs_wire_read_job(&p, &verb, &request, NULL), -EPROTO);
    assert_null(request.data);
    pfs_packet_finish(&p);
}

static void put_job(struct pfs_text *t, uint32_t verb, uint8_t in_file, uint64_t n, size_t really)
{
    pfs_put_u32(t, verb);
    pfs_put_u8(t, in_file);
    pfs_put_u64(t, n);
    pfs_text_fill(t, 'x', really);
}

static void lying_jobs_are_refused(void **state)
{
    struct pfs_text t = {0};
    int fd = memfd_create("short", MFD_CLOEXEC), both[2] = {fd, fd};
    (void)state;
    assert_int_equal(ftruncate(fd, 100), 0);
    put_job(&t, 0, 0, 1, 1);
    expect_bad_job(&t, &fd, 1);
    put_job(&t, 7, 0, 1, 1);
    expect_bad_job(&t, &fd, 1);
    put_job(&t, 1, 0, 2, 1);
    expect_bad_job(&t, &fd, 1);
    put_job(&t, 1, 0, UINT64_MAX, 1);
    expect_bad_job(&t, &fd, 1);
    put_job(&t, 1, 1, 99, 0);                      /* the file is longer */
    expect_bad_job(&t, both, 2);
    put_job(&t, 1, 1, UINT64_MAX, 0);
    expect_bad_job(&t, both, 2);
    put_job(&t, 1, 1, 100, 0);                     /* no file at all */
    expect_bad_job(&t, &fd, 1);
    put_job(&t, 1, 1, 100, 3);
    expect_bad_job(&t, both, 2);
    close(fd);
}

static void lying_answers_are_refused(void **state)
{
    struct pfs_text t = {0};
    struct pfs_packet p;
    struct pfs_hello hello;
    struct pfs_err err;
    struct pfs_done done;
    const char *s;
    int v;
    (void)state;
    pfs_put_u32(&t, 0);                            /* done, negative length */
    pfs_put_str(&t, "");
    pfs_put_i64(&t, -1);
    pfs_put_i64(&t, 0);
    send_text(PFS_MSG_DONE, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_done(&p, &done, NULL), -EPROTO);
    pfs_packet_finish(&p);
    pfs_put_u32(&t, 0);                            /* file: success without a descriptor */
    pfs_put_str(&t, "");
    send_text(PFS_MSG_FILE, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_file(&p, &v, &s, NULL), -EPROTO);
    pfs_packet_finish(&p);
    pfs_put_u32(&t, 5);                            /* reason without its NUL */
    pfs_put_bytes(&t, "abc", 3);
    send_text(PFS_MSG_FILE, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_file(&p, &v, &s, NULL), -EPROTO);
    pfs_packet_finish(&p);
    pfs_put_u32(&t, 1001);
    send_text(PFS_MSG_PROGRESS, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_progress(&p, &v, NULL), -EPROTO);
    pfs_packet_finish(&p);
    pfs_put_u32(&t, PFS_WIRE_VERSION + 1);
    send_text(PFS_MSG_HELLO, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_hello(&p, &hello, &err), -EPROTO);
    assert_non_null(strstr(err.text, "version 3"));
    pfs_packet_finish(&p);
    pfs_put_u32(&t, PFS_WIRE_VERSION);             /* and no word of a sandbox */
    send_text(PFS_MSG_HELLO, &t, NULL, 0);
    p = receive();
    assert_int_equal(pfs_wire_read_hello(&p, &hello, NULL), -EPROTO);
    pfs_packet_finish(&p);
}

static void a_closed_socket_is_said(void **state)
{
    struct pfs_packet p;
    struct pfs_err err;
    (void)state;
    close(pair[1]);
    pair[1] = -1;
    assert_int_equal(pfs_wire_send_hello(pair[0], &(struct pfs_hello){"off", ""}, &err), -EPIPE);
    assert_int_equal(pfs_wire_receive(pair[0], 0, &p, &err), -EPIPE);
    assert_true(p.fd[0] == -1 && !p.body.data);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(small_messages_arrive), CASE(files_travel_as_descriptors), CASE(jobs_of_any_length_arrive),
        CASE(limits_are_kept), CASE(malformed_packets_are_refused), CASE(lying_jobs_are_refused),
        CASE(lying_answers_are_refused), CASE(a_closed_socket_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
