/* The worker's side of the wire: files asked for by name, progress, results. */
#include "worker/worker.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_EVERY_MS = 100 };

/* The daemon broke the protocol or is gone: the job ends here, and so does the worker. */
static int hang_up(struct worker *w, int e, struct pfs_err *err)
{
    w->gone = e == -EPIPE;
    w->broken = !w->gone;
    return pfs_fail(err, -e, "the wire broke while a file was asked for");
}

static int get_file(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct worker *w = ctx;
    struct pfs_packet p;
    const char *reason;
    int code;
    if (w->gone || w->broken)
        return pfs_fail(err, EPIPE, "the wire is closed");
    int e = pfs_wire_send_need(w->sock, w->job, name, err);
    if (e == -EMSGSIZE)
        return e;
    if (!e)
        e = pfs_wire_receive(w->sock, 0, &p, err);
    if (e)
        return hang_up(w, e, err);
    if (p.job != w->job || pfs_wire_read_file(&p, &code, &reason, err)) {
        pfs_packet_finish(&p);
        return hang_up(w, -EPROTO, err);
    }
    e = code ? pfs_fail(err, code, "%s", reason) : 0;
    if (!e)
        *ret_fd = PFS_TAKE_FD(p.fd[0]);
    pfs_packet_finish(&p);
    return e;
}

void worker_connect(struct worker *w, int sock)
{
    w->sock = sock;
    w->files = (struct pfs_files){get_file, w};
    w->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void worker_progress(struct worker *w, int permille)
{
    int64_t now = now_ms();
    if (w->gone || w->broken || permille <= w->permille || now - w->progress_ms < PROGRESS_EVERY_MS)
        return;
    w->permille = permille;
    w->progress_ms = now;
    w->gone = pfs_wire_send_progress(w->sock, w->job, permille > 1000 ? 1000 : permille, NULL) == -EPIPE;
}

int64_t worker_resident(const struct worker *w)
{
    char s[128];
    long long pages = 0;
    ssize_t n = pread(w->statm, s, sizeof s - 1, 0);
    s[n > 0 ? n : 0] = 0;
    if (sscanf(s, "%*d %lld", &pages) != 1)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

int worker_write(struct worker *w, const void *data, size_t n, int64_t offset, struct pfs_err *err)
{
    const char *p = data;
    for (size_t done = 0; done < n; ) {
        ssize_t k = pwrite(w->result, p + done, n - done, (off_t)(offset + (int64_t)done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return pfs_fail(err, k ? errno : EIO, "cannot write the result: %s", strerror(k ? errno : EIO));
        done += (size_t)k;
    }
    return 0;
}

int worker_answer(struct worker *w, struct pfs_text *t, int64_t *ret_length, struct pfs_err *err)
{
    int e = t->failed ? pfs_fail(err, ENOMEM, "no memory for an answer") : worker_write(w, t->s, t->n, 0, err);
    *ret_length = (int64_t)t->n;
    pfs_text_finish(t);
    return e;
}
