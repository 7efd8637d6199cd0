/* What the packets say: one pair of functions per message, and requests that are too long for a packet.
 *
 * JOB      u32 verb, u8 in_file, u64 length, then the request; when in_file it lies in the second descriptor, a memory
 *          file that is sealed before it is sent
 * HELLO    u32 version, str layers, str missing
 * NEED     str name               FILE      u32 errno, str reason (descriptor 0)
 * PROGRESS u32 permille           DONE      u32 errno, str reason, i64 length, i64 resident */
#include "wire/wire.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERRNO_MAX = 4095, REASON_MAX = 1000 };
static const int64_t request_max = 256 << 20;

static int malformed(struct pfs_err *err, const char *what)
{
    return pfs_fail(err, EPROTO, "malformed %s message", what);
}

static int send_text(int sock, enum pfs_message kind, uint64_t job, const struct pfs_text *t, const int *fd, int n_fd,
                     struct pfs_err *err)
{
    if (t->failed)
        return pfs_fail(err, ENOMEM, "no memory for a packet");
    return pfs_wire_send(sock, kind, job, (struct pfs_blob){t->s, t->n}, fd, n_fd, err);
}

static struct pfs_reader body(const struct pfs_packet *p, enum pfs_message kind)
{
    struct pfs_reader r = pfs_reader(p->body.data, p->body.size);
    r.bad = p->kind != kind;
    return r;
}

/* ---- jobs ---- */

static int write_all(int fd, const char *p, size_t n)
{
    for (size_t done = 0; done < n; ) {
        ssize_t k = write(fd, p + done, n - done);
        if (k < 0 && errno != EINTR)
            return -errno;
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

/* A memory file with the request in it that nobody can change any more. gives */
static int sealed_file(struct pfs_blob request, int *ret_fd, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = memfd_create("planefs-request", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int e = fd < 0 ? -errno : write_all(fd, request.data, request.size);
    if (!e && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        e = -errno;
    if (e)
        return pfs_fail(err, -e, "no memory file for a request of %zu bytes: %s", request.size, strerror(-e));
    *ret_fd = PFS_TAKE_FD(fd);
    return 0;
}

int pfs_wire_send_job(int sock, uint64_t job, enum pfs_verb verb, struct pfs_blob request, int result_fd,
                      struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    PFS_AUTO_CLOSE int request_fd = -1;
    bool in_file = request.size > PFS_PACKET_MAX / 2;
    if (result_fd < 0)
        return pfs_fail(err, EBADF, "a job needs a descriptor for its result");
    if ((int64_t)request.size > request_max)
        return pfs_fail(err, EFBIG, "a request of %zu bytes is too long", request.size);
    int e = in_file ? sealed_file(request, &request_fd, err) : 0;
    if (e)
        return e;
    pfs_put_u32(&t, verb);
    pfs_put_u8(&t, in_file);
    pfs_put_u64(&t, request.size);
    if (!in_file)
        pfs_text_bytes(&t, request.data, request.size);
    return send_text(sock, PFS_MSG_JOB, job, &t, (int[]){result_fd, request_fd}, in_file ? 2 : 1, err);
}

static int read_file(int fd, struct pfs_blob request, struct pfs_err *err)
{
    for (size_t done = 0; done < request.size; ) {
        ssize_t k = pread(fd, (char *)request.data + done, request.size - done, (off_t)done);
        if (k == 0 || (k < 0 && errno != EINTR))
            return malformed(err, "job");
        done += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

/* The file is as long as the job says: checked before any memory is taken for it. */
static bool file_holds(int fd, uint64_t n)
{
    struct stat st;
    return fd >= 0 && !fstat(fd, &st) && st.st_size == (off_t)n && n <= (uint64_t)request_max;
}

int pfs_wire_read_job(const struct pfs_packet *p, enum pfs_verb *ret_verb, struct pfs_blob *ret_request,
                      struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_JOB);
    uint32_t verb = pfs_get_u32(&r);
    bool in_file = pfs_get_u8(&r);
    uint64_t n = pfs_get_u64(&r);
    size_t left = (size_t)(r.end - r.p);
    *ret_request = (struct pfs_blob){0};
    bool whole = in_file ? left == 0 && file_holds(p->fd[1], n) : left == n;
    if (r.bad || verb < PFS_DESCRIBE || verb > PFS_MERGE || !whole)
        return malformed(err, "job");
    PFS_AUTO_FREE void *data = malloc(n ? n : 1);
    if (!data)
        return pfs_fail(err, ENOMEM, "no memory for a request");
    if (!in_file && n)
        memcpy(data, r.p, n);
    int e = in_file ? read_file(p->fd[1], (struct pfs_blob){data, n}, err) : 0;
    if (e)
        return e;
    *ret_verb = (enum pfs_verb)verb;
    *ret_request = (struct pfs_blob){PFS_TAKE(data), n};
    return 0;
}

/* ---- the small messages ---- */

/* A reason as it may be sent: cut so that it fits any packet. */
static void put_reason(struct pfs_text *t, const char *reason)
{
    char cut[REASON_MAX + 1];
    size_t n = reason ? strnlen(reason, REASON_MAX) : 0;
    if (n)
        memcpy(cut, reason, n);
    cut[n] = 0;
    pfs_put_str(t, cut);
}

int pfs_wire_send_hello(int sock, const struct pfs_hello *hello, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_u32(&t, PFS_WIRE_VERSION);
    put_reason(&t, hello->layers);
    put_reason(&t, hello->missing);
    return send_text(sock, PFS_MSG_HELLO, 0, &t, NULL, 0, err);
}

int pfs_wire_read_hello(const struct pfs_packet *p, struct pfs_hello *ret, struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_HELLO);
    uint32_t version = pfs_get_u32(&r);
    if (!r.bad && version != PFS_WIRE_VERSION)
        return pfs_fail(err, EPROTO, "the worker speaks version %u of the wire, not %d", version, PFS_WIRE_VERSION);
    *ret = (struct pfs_hello){.layers = pfs_get_str(&r)};
    ret->missing = pfs_get_str(&r);
    return pfs_reader_end(&r) ? 0 : malformed(err, "hello");
}

int pfs_wire_send_need(int sock, uint64_t job, const char *name, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_str(&t, name);
    return send_text(sock, PFS_MSG_NEED, job, &t, NULL, 0, err);
}

int pfs_wire_read_need(const struct pfs_packet *p, const char **ret_name, struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_NEED);
    *ret_name = pfs_get_str(&r);
    return pfs_reader_end(&r) ? 0 : malformed(err, "need");
}

int pfs_wire_send_file(int sock, uint64_t job, int code, const char *reason, int fd, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_u32(&t, (uint32_t)code);
    put_reason(&t, reason);
    return send_text(sock, PFS_MSG_FILE, job, &t, &fd, code == 0 ? 1 : 0, err);
}

int pfs_wire_read_file(const struct pfs_packet *p, int *ret_code, const char **ret_reason, struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_FILE);
    uint32_t code = pfs_get_u32(&r);
    *ret_reason = pfs_get_str(&r);
    if (!pfs_reader_end(&r) || code > ERRNO_MAX || (code == 0) != (p->fd[0] >= 0))
        return malformed(err, "file");
    *ret_code = (int)code;
    return 0;
}

int pfs_wire_send_progress(int sock, uint64_t job, int permille, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_u32(&t, (uint32_t)permille);
    return send_text(sock, PFS_MSG_PROGRESS, job, &t, NULL, 0, err);
}

int pfs_wire_read_progress(const struct pfs_packet *p, int *ret_permille, struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_PROGRESS);
    uint32_t permille = pfs_get_u32(&r);
    if (!pfs_reader_end(&r) || permille > 1000)
        return malformed(err, "progress");
    *ret_permille = (int)permille;
    return 0;
}

int pfs_wire_send_done(int sock, uint64_t job, const struct pfs_done *done, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_put_u32(&t, (uint32_t)done->code);
    put_reason(&t, done->reason);
    pfs_put_i64(&t, done->length);
    pfs_put_i64(&t, done->resident);
    return send_text(sock, PFS_MSG_DONE, job, &t, NULL, 0, err);
}

int pfs_wire_read_done(const struct pfs_packet *p, struct pfs_done *ret, struct pfs_err *err)
{
    struct pfs_reader r = body(p, PFS_MSG_DONE);
    uint32_t code = pfs_get_u32(&r);
    *ret = (struct pfs_done){.reason = pfs_get_str(&r)};
    ret->length = pfs_get_i64(&r);
    ret->resident = pfs_get_i64(&r);
    if (!pfs_reader_end(&r) || code > ERRNO_MAX || ret->length < 0 || ret->resident < 0)
        return malformed(err, "done");
    ret->code = (int)code;
    return 0;
}
