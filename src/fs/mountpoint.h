/* The mount point before and after: stale mounts, what is mounted where, lazy unmounting. */
#ifndef PLANEFS_FS_MOUNTPOINT_H
#define PLANEFS_FS_MOUNTPOINT_H

#include <planefs/err.h>
#include <stdbool.h>

/* Make an absolute path fit to be mounted on: a planefs mount whose daemon died is taken off. ENOTDIR, ENOENT, EBUSY
 * (a living planefs is there already), EACCES. */
int pfs_mountpoint_prepare(const char *path, struct pfs_err *err);
/* Detach it now, even when it is busy. Root by system call, others through fusermount3. */
int pfs_mountpoint_detach(const char *path, bool lazy);
/* The device number of what is mounted there, as "major:minor" of /proc/self/mountinfo; false: nothing of ours. */
bool pfs_mountpoint_device(const char *path, char device[32]);
/* Let the kernel read ahead by 1 MiB instead of 128 KiB, where we may. */
void pfs_mountpoint_read_ahead(const char *path);

#endif
