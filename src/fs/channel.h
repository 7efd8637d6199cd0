/* The wire to the kernel, with two bits added to the answer to INIT that older libfuse cannot set: parallel look-ups in
 * a folder, and mapping of files opened for direct I/O. Harmless with a library that sets them itself. */
#ifndef PLANEFS_FS_CHANNEL_H
#define PLANEFS_FS_CHANNEL_H

#include <sys/types.h>
#include <sys/uio.h>

ssize_t pfs_channel_read(int fd, void *buf, size_t n, void *userdata);
ssize_t pfs_channel_writev(int fd, struct iovec *iov, int n, void *userdata);

#endif
