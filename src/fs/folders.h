/* FUSE operations on open folders. */
#ifndef PLANEFS_FS_FOLDERS_H
#define PLANEFS_FS_FOLDERS_H

#include "fs/session.h"

void pfs_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void pfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void pfs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* What the kernel is told of a name that was found. */
void pfs_entry_fill(struct pfs_node node, const struct stat *st, struct fuse_entry_param *ret);

#endif
