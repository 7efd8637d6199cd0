/* The INIT request is seen as it comes in, its answer patched as it goes out; everything else passes unchanged.
 * Only flags that the kernel offered are set. The layouts are the kernel's, which never change. */
#include "fs/channel.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifndef FUSE_DIRECT_IO_ALLOW_MMAP
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#endif

/* One daemon has one mount, and INIT comes once: before anything else. */
static _Atomic uint64_t init_request;
static uint32_t offered, offered2;

static void see_init(const char *buf, size_t n)
{
    struct fuse_in_header head;
    struct fuse_init_in in = {0};
    if (n < sizeof head)
        return;
    memcpy(&head, buf, sizeof head);
    if (head.opcode != FUSE_INIT)
        return;
    size_t have = n - sizeof head < sizeof in ? n - sizeof head : sizeof in;
    memcpy(&in, buf + sizeof head, have);
    offered = in.flags;
    offered2 = in.flags & FUSE_INIT_EXT ? in.flags2 : 0;
    atomic_store(&init_request, head.unique);
}

ssize_t pfs_channel_read(int fd, void *buf, size_t n, void *userdata)
{
    (void)userdata;
    ssize_t got = read(fd, buf, n);
    if (got > 0 && !atomic_load_explicit(&init_request, memory_order_relaxed))
        see_init(buf, (size_t)got);
    return got;
}

static void patch(struct fuse_init_out *out)
{
    out->flags |= offered & FUSE_PARALLEL_DIROPS;
    if (offered & FUSE_INIT_EXT) {
        out->flags |= FUSE_INIT_EXT;
        out->flags2 |= offered2 & (uint32_t)(FUSE_DIRECT_IO_ALLOW_MMAP >> 32);
    }
}

ssize_t pfs_channel_writev(int fd, struct iovec *iov, int n, void *userdata)
{
    static atomic_bool patched;
    (void)userdata;
    const struct fuse_out_header *head = iov[0].iov_base;
    struct fuse_init_out out;
    bool init = !atomic_load_explicit(&patched, memory_order_relaxed) && n == 2 &&
                head->unique == atomic_load(&init_request) && iov[1].iov_len == sizeof out && !head->error;
    if (!init)
        return writev(fd, iov, n);
    memcpy(&out, iov[1].iov_base, sizeof out);
    patch(&out);
    atomic_store(&patched, true);
    struct iovec changed[2] = {iov[0], {&out, sizeof out}};
    return writev(fd, changed, 2);
}
