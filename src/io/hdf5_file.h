/* HDF5 files opened over a descriptor, so that HDF5 itself never opens anything.
 *
 * A file driver of our own reads with pread(2). Its open succeeds once, for the descriptor it was made for; external
 * links, virtual datasets and external raw storage, which all make HDF5 open another file by name, cannot work: the
 * link class is unregistered, the driver refuses a second open, and pfs_h5_dataset, the only way to a dataset here,
 * refuses the two storage forms before anything is read. Filter plugins are never loaded.
 *
 * Threads: HDF5 is one library with one lock, which the caller holds (PFS_THREADS_LIBRARY). Costs: open reads the
 * superblock and the root group. Decompressed chunks stay in memory while their dataset is open, up to 128 MiB each. */
#ifndef PLANEFS_IO_HDF5_FILE_H
#define PLANEFS_IO_HDF5_FILE_H

#include <planefs/err.h>

#ifndef H5_USE_110_API
#define H5_USE_110_API               /* the calls of 1.10, in newer libraries too */
#endif
#include <hdf5.h>

/* Open `fd` (takes it, also on failure) read-only. `name` is for messages. EIO not an HDF5 file or damaged. gives */
int pfs_h5_open(int fd, const char *name, hid_t *ret, struct pfs_err *err);

/* Open the dataset at `path`. EIO missing or damaged, EPERM its pixels or its link lie in another file, EOPNOTSUPP
 * virtual, EFBIG a chunk is larger than any reader should have to unpack. gives */
int pfs_h5_dataset(hid_t file, const char *name, const char *path, hid_t *ret, struct pfs_err *err);

/* Offset of a contiguous dataset in the file, -1 when it is stored otherwise or was never written. */
int64_t pfs_h5_contiguous(hid_t dataset);

/* Where the bytes of the chunk at `offset` lie (its first element) and how long they are, *ret_size 0 when it was never
 * written, and which filters were left out for it. Nothing is read but the index: O(log chunks). EIO */
int pfs_h5_chunk(hid_t dataset, const hsize_t *offset, int64_t *ret_at, int64_t *ret_size, uint32_t *ret_mask,
                 struct pfs_err *err);

/* As pfs_fail, with the innermost reason of HDF5's last failed call appended. Call it directly after that call. */
int pfs_h5_fail(struct pfs_err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

void pfs_h5_close_at(hid_t *id);    /* any kind of id; negative ones are ignored */

#define PFS_AUTO_H5 __attribute__((cleanup(pfs_h5_close_at)))

#endif
