/* Fuzzing the wire: any bytes as a packet (with a descriptor or two when the first byte says so) through every reader. */
#include "wire/wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct pfs_packet *p)
{
    enum pfs_verb verb;
    struct pfs_blob request;
    struct pfs_done done;
    struct pfs_err err;
    const char *s;
    struct pfs_hello hello;
    int v;
    if (!pfs_wire_read_job(p, &verb, &request, &err))
        free(request.data);
    if (!pfs_wire_read_need(p, &s, &err) && strlen(s) > p->body.size)
        abort();
    if (!pfs_wire_read_file(p, &v, &s, &err) && (v == 0) != (p->fd[0] >= 0))
        abort();
    if (!pfs_wire_read_progress(p, &v, &err) && (v < 0 || v > 1000))
        abort();
    if (!pfs_wire_read_done(p, &done, &err) && (done.length < 0 || strlen(done.reason) > p->body.size))
        abort();
    if (!pfs_wire_read_hello(p, &hello, &err) && strlen(hello.layers) + strlen(hello.missing) > p->body.size)
        abort();
}

/* A whole packet with n descriptors. */
static void send_raw(int sock, const uint8_t *bytes, size_t n, int n_fd)
{
    union { struct cmsghdr align; char room[CMSG_SPACE(4 * sizeof(int))]; } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    int fd[4];
    for (int i = 0; i < n_fd; i++) {
        fd[i] = memfd_create("fuzz", MFD_CLOEXEC);
        if (ftruncate(fd[i], n > 20 ? bytes[20] : 1))
            abort();
    }
    if (n_fd) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE((size_t)n_fd * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)n_fd * sizeof(int)), .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fd, (size_t)n_fd * sizeof(int));
    }
    sendmsg(sock, &m, MSG_DONTWAIT);
    for (int i = 0; i < n_fd; i++)
        close(fd[i]);
}

/* The number the next descriptor would get: it moves up when one leaks. */
static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int pair[2] = {-1, -1};
    struct pfs_packet p;
    if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        abort();
    if (size < 2)
        return 0;
    int next = next_descriptor();
    send_raw(pair[0], data + 1, size - 1, data[0] % 5);
    if (!pfs_wire_receive(pair[1], MSG_DONTWAIT, &p, NULL)) {
        read_all(&p);
        pfs_packet_finish(&p);
    }
    if (next_descriptor() != next)
        abort();
    return 0;
}
