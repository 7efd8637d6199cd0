/* HDF5 files opened over a descriptor, so that HDF5 itself never opens anything.
 *
 * A file driver of our own reads with pread(2). Its open succeeds once, for the descriptor it was made for; external
 * links, virtual datasets and external raw storage, which all make HDF5 open another file by name, cannot work: the
 * link class is unregistered, the driver refuses a second open, and pfs_h5_dataset, the only way to a dataset here,
 * refuses the two storage forms before anything is read. Filter plugins are never loaded.
 *
 * Threads: HDF5 is one library with one lock, which the caller holds (PFS_THREADS_LIBRARY). Costs: open reads the
 * superblock and the root group. */
#ifndef PLANEFS_IO_HDF5_FILE_H
#define PLANEFS_IO_HDF5_FILE_H

#include <planefs/err.h>

#include <hdf5.h>

/* Open `fd` (takes it, also on failure) read-only. `name` is for messages. EIO not an HDF5 file or damaged. gives */
int pfs_h5_open(int fd, const char *name, hid_t *ret, struct pfs_err *err);

/* Open the dataset at `path`. EIO missing or damaged, EPERM its pixels or its link lie in another file, EOPNOTSUPP
 * virtual, EFBIG a chunk is larger than any reader should have to unpack. gives */
int pfs_h5_dataset(hid_t file, const char *name, const char *path, hid_t *ret, struct pfs_err *err);

/* As pfs_fail, with the innermost reason of HDF5's last failed call appended. Call it directly after that call. */
int pfs_h5_fail(struct pfs_err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

void pfs_h5_close_at(hid_t *id);    /* any kind of id; negative ones are ignored */

#define PFS_AUTO_H5 __attribute__((cleanup(pfs_h5_close_at)))

#endif
