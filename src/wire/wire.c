/* Packets over SOCK_SEQPACKET: a fixed head (u32 kind, u64 job), a body, and up to two descriptors as SCM_RIGHTS.
 *
 * Either side may be hostile or half dead: lengths are bounded by the packet, a cut packet or surplus descriptors make
 * it malformed, and whatever descriptors came with a malformed packet are closed. What the messages say is in
 * messages.c. */
#include "wire/wire.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 12 };

static void put_head(uint8_t head[HEAD], uint32_t kind, uint64_t job)
{
    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(kind >> (8 * i));
    for (int i = 0; i < 8; i++)
        head[4 + i] = (uint8_t)(job >> (8 * i));
}

static int gone(struct pfs_err *err)
{
    return pfs_fail(err, EPIPE, "the other side of the wire is gone");
}

int pfs_wire_send(int sock, enum pfs_message kind, uint64_t job, struct pfs_blob body, const int *fd, int n_fd,
                  struct pfs_err *err)
{
    uint8_t head[HEAD];
    union { struct cmsghdr align; char room[CMSG_SPACE(PFS_PACKET_FDS * sizeof(int))]; } control = {0};
    struct iovec part[2] = {{head, HEAD}, {body.data, body.size}};
    struct msghdr m = {.msg_iov = part, .msg_iovlen = body.size ? 2 : 1};
    if (body.size > PFS_PACKET_MAX - HEAD || n_fd > PFS_PACKET_FDS)
        return pfs_fail(err, EMSGSIZE, "a packet of %zu bytes is too long for the wire", body.size);
    put_head(head, kind, job);
    if (n_fd > 0) {
        size_t bytes = (size_t)n_fd * sizeof(int);
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(bytes)};
        memcpy(CMSG_DATA(c), fd, bytes);
    }
    ssize_t n;
    while ((n = sendmsg(sock, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
        return gone(err);
    if (n < 0)
        return pfs_fail(err, errno, "cannot send on the wire: %s", strerror(errno));
    return 0;
}

/* Move the descriptors of a received message into the packet. false when there are more than fit; those are closed. */
static bool take_descriptors(struct msghdr *m, struct pfs_packet *ret)
{
    int n_taken = 0;
    bool fit = true;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (n_taken < PFS_PACKET_FDS)
                ret->fd[n_taken++] = fd;
            else {
                close(fd);
                fit = false;
            }
        }
    }
    return fit;
}

/* Read kind and job and copy the body; the head is n >= HEAD bytes long with it. */
static int parse(const uint8_t *bytes, size_t n, struct pfs_packet *ret, struct pfs_err *err)
{
    struct pfs_reader r = pfs_reader(bytes, n);
    uint32_t kind = pfs_get_u32(&r);
    ret->job = pfs_get_u64(&r);
    if (r.bad || kind < PFS_MSG_HELLO || kind > PFS_MSG_DONE)
        return pfs_fail(err, EPROTO, "malformed packet on the wire");
    ret->kind = (enum pfs_message)kind;
    if (n == HEAD)
        return 0;
    if (!(ret->body.data = malloc(n - HEAD)))
        return pfs_fail(err, ENOMEM, "no memory for a packet");
    memcpy(ret->body.data, bytes + HEAD, n - HEAD);
    ret->body.size = n - HEAD;
    return 0;
}

int pfs_wire_receive(int sock, int flags, struct pfs_packet *ret, struct pfs_err *err)
{
    uint8_t bytes[PFS_PACKET_MAX];
    union { struct cmsghdr align; char room[CMSG_SPACE(PFS_PACKET_FDS * sizeof(int))]; } control = {0};
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    *ret = (struct pfs_packet){.fd = {-1, -1}};
    ssize_t n;
    while ((n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return pfs_fail(err, EAGAIN, "nothing on the wire yet");
    if (n < 0 && errno != ECONNRESET)
        return pfs_fail(err, errno, "cannot receive from the wire: %s", strerror(errno));
    if (n <= 0) {
        take_descriptors(&m, ret);
        pfs_packet_finish(ret);
        return gone(err);
    }
    bool fit = take_descriptors(&m, ret) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    int e = fit ? parse(bytes, (size_t)n, ret, err)
                : pfs_fail(err, EPROTO, "packet with too many bytes or descriptors on the wire");
    if (e)
        pfs_packet_finish(ret);
    return e;
}

void pfs_packet_finish(struct pfs_packet *p)
{
    free(p->body.data);
    for (int i = 0; i < PFS_PACKET_FDS; i++)
        if (p->fd[i] >= 0)
            close(p->fd[i]);
    *p = (struct pfs_packet){.fd = {-1, -1}};
}
