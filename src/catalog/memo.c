/* What is remembered about a version of a file is found by its inode, size, times and first 64 KiB. The device is left out:
 * the nodes of a cluster number it differently. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

enum { HEAD = 65536 };

int pfs_memo_key(int fd, const struct pfs_ident *id, const char *what, struct pfs_hash *ret, struct pfs_err *err)
{
    int64_t n = id->size < HEAD ? id->size : HEAD;
    PFS_AUTO_FREE char *head = malloc(HEAD);
    PFS_AUTO_TEXT struct pfs_text text = {0};
    if (!head)
        return pfs_fail(err, ENOMEM, "no memory to read a file's head");
    if (pfs_read_full(fd, head, n, 0) < 0)
        return pfs_fail(err, EIO, "cannot read the file's first bytes");
    pfs_text_addf(&text, "memo 1 %s ino %llu size %lld mtime %lld ctime %lld head %016llx", what,
                  (unsigned long long)id->ino, (long long)id->size, (long long)id->mtime, (long long)id->ctime,
                  (unsigned long long)pfs_hash64(head, (size_t)n, 0));
    if (text.failed)
        return pfs_fail(err, ENOMEM, "no memory for a key");
    *ret = pfs_hash(text.s, text.n);
    return 0;
}
