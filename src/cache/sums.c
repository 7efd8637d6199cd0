/* The entry's checksum file: encoding, parsing of possibly hostile bytes, and the pass that computes the checksums.
 *
 * It knows nothing of folders. XXH3-64 per 64 KiB block finds every flipped bit, costs about 10 us per block, and lets
 * a reader verify just the blocks it touches (the idea of ZFS and of fs-verity, without the tree). */
#include "cache/sums.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "PFSsums\n";
static const int64_t longest = (int64_t)1 << 40;

int64_t pfs_sums_length(const struct pfs_sums *s, int64_t i)
{
    int64_t left = s->head + s->payload - i * PFS_BLOCK;
    return left < PFS_BLOCK ? left : PFS_BLOCK;
}

uint64_t pfs_block_sum(const void *data, int64_t n)
{
    return pfs_hash64(data, (size_t)n, 0);
}

int pfs_sums_init(struct pfs_sums *s, struct pfs_hash key, const char *text, int64_t head, int64_t payload)
{
    *s = (struct pfs_sums){.key = key, .head = head, .payload = payload};
    if (head < 0 || payload < 0 || head > longest || payload > longest - head)
        return -EINVAL;
    s->n = (head + payload + PFS_BLOCK - 1) / PFS_BLOCK;
    s->text = strdup(text);
    s->block = pfs_array(s->n, sizeof *s->block);
    if (s->text && s->block)
        return 0;
    pfs_sums_finish(s);
    return -ENOMEM;
}

void pfs_sums_finish(struct pfs_sums *s)
{
    free(s->text);
    free(s->block);
    *s = (struct pfs_sums){0};
}

void pfs_sums_put(struct pfs_text *t, const struct pfs_sums *s)
{
    pfs_text_bytes(t, magic, sizeof magic);
    pfs_put_u32(t, PFS_SUMS_VERSION);
    pfs_put_u32(t, PFS_BLOCK);
    pfs_put_u64(t, s->key.hi);
    pfs_put_u64(t, s->key.lo);
    pfs_put_i64(t, s->head);
    pfs_put_i64(t, s->payload);
    pfs_put_str(t, s->text);
    pfs_put_u64(t, (uint64_t)s->n);
    for (int64_t i = 0; i < s->n; i++)
        pfs_put_u64(t, s->block[i]);
    if (!t->failed)
        pfs_put_u64(t, pfs_hash64(t->s, t->n, 0));
}

int64_t pfs_sums_size(const struct pfs_sums *s)
{
    return (int64_t)(sizeof magic + 4 + 4 + 4 * 8 + 4 + strlen(s->text) + 1 + 8 + 8) + 8 * s->n;
}

/* Whole: begins with the magic and ends with the checksum of the rest. */
static bool sound(struct pfs_blob b)
{
    if (b.size < sizeof magic + 4 + 8 || memcmp(b.data, magic, sizeof magic))
        return false;
    struct pfs_reader tail = pfs_reader((uint8_t *)b.data + b.size - 8, 8);
    return pfs_get_u64(&tail) == pfs_hash64(b.data, b.size - 8, 0);
}

static int get_fields(struct pfs_reader *r, struct pfs_sums *ret)
{
    struct pfs_hash key;
    key.hi = pfs_get_u64(r);
    key.lo = pfs_get_u64(r);
    int64_t head = pfs_get_i64(r), payload = pfs_get_i64(r);
    const char *text = pfs_get_str(r);
    int64_t n = pfs_get_count(r, sizeof *ret->block);
    if (r->bad || (size_t)(r->end - r->p) != (size_t)n * sizeof *ret->block)
        return -EBADMSG;
    /* The number of blocks is checked before anything of that size is allocated. */
    if (head < 0 || payload < 0 || head > longest || payload > longest - head ||
        n != (head + payload + PFS_BLOCK - 1) / PFS_BLOCK)
        return -EBADMSG;
    int e = pfs_sums_init(ret, key, text, head, payload);
    for (int64_t i = 0; !e && i < n; i++)
        ret->block[i] = pfs_get_u64(r);
    return e;
}

int pfs_sums_get(struct pfs_blob b, struct pfs_sums *ret)
{
    *ret = (struct pfs_sums){0};
    if (!sound(b))
        return -EBADMSG;
    struct pfs_reader r = pfs_reader((uint8_t *)b.data + sizeof magic, b.size - sizeof magic - 8);
    uint32_t version = pfs_get_u32(&r);
    if (version != PFS_SUMS_VERSION || pfs_get_u32(&r) != PFS_BLOCK)
        return -EOPNOTSUPP;
    return get_fields(&r, ret);
}

static int sum_piece(struct pfs_sums *s, int fd, int64_t first, int64_t blocks, uint8_t *buffer)
{
    int64_t off = first * PFS_BLOCK, left = s->head + s->payload - off, n = 0;
    int64_t want = left < blocks * PFS_BLOCK ? left : blocks * PFS_BLOCK;
    while (n < want) {
        ssize_t got = pread(fd, buffer + n, (size_t)(want - n), off + n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        n += got;
    }
    for (int64_t i = 0; i * PFS_BLOCK < want; i++)
        s->block[first + i] = pfs_block_sum(buffer + i * PFS_BLOCK, pfs_sums_length(s, first + i));
    return 0;
}

int pfs_sums_compute(struct pfs_sums *s, int fd)
{
    enum { BLOCKS = 8 };             /* 512 KiB: few calls, and still in the second-level cache when hashed */
    struct stat st;
    if (fstat(fd, &st))
        return -errno;
    if (st.st_size != s->head + s->payload)
        return -EIO;
    PFS_AUTO_FREE uint8_t *buffer = pfs_pixels(BLOCKS, PFS_BLOCK);
    int e = buffer ? 0 : -ENOMEM;
    for (int64_t i = 0; !e && i < s->n; i += BLOCKS)
        e = sum_piece(s, fd, i, BLOCKS, buffer);
    return e;
}
