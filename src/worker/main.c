/* planefs-worker: started by the daemon with a socket as descriptor 3, serves jobs until the socket closes.
 *
 * Never prints. Exits 0 when the daemon is gone, 1 when it broke the protocol. Dies with the daemon. Large planes go
 * back to the system as soon as they are freed; what is below the mmap threshold stays for the next job, so that small
 * planes cost no page faults. What it may do is bounded before the first job: see sandbox.h; how much, by the daemon.
 *
 *   planefs-worker [reader|maker] [--no-sandbox]     the role is for those who look at a list of processes
 *   planefs-worker --self-test                       print what the sandbox refuses here; exit 1 if that is not all */
#include "worker/sandbox.h"
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SOCKET = 3, FILES_MAX = 64, MMAP_FROM = 32 << 20, KEEP_FREE = 64 << 20 };

typedef int verb_function(struct worker *w, struct pfs_blob request, int64_t *ret_length, struct pfs_err *err);

static verb_function *const verbs[] = {
    [PFS_DESCRIBE] = worker_describe, [PFS_PROBE] = worker_probe, [PFS_RESOLVE] = worker_resolve,
    [PFS_PLANE] = worker_plane, [PFS_PARTIAL] = worker_partial, [PFS_MERGE] = worker_merge,
};

static void limit(int what, rlim_t most)
{
    struct rlimit r;
    if (!getrlimit(what, &r) && r.rlim_max > most)
        r.rlim_max = most;
    r.rlim_cur = r.rlim_max < most ? r.rlim_max : most;
    setrlimit(what, &r);
}

/* When memory runs out, rather this process than the user's others. */
static void offer_itself(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "500", 3);
    (void)ignored;
    close(fd);
}

static void set_up(struct worker *w)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    offer_itself();
    prctl(PR_SET_DUMPABLE, 0);
    close_range(SOCKET + 1, ~0u, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, FILES_MAX);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);        /* a result that is too long is the job's error */
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
    *w = (struct worker){.result = -1};
    worker_connect(w, SOCKET);
}

/* Do what the packet asks; its result descriptor is the job's. */
static int serve(struct worker *w, const struct pfs_packet *p, int64_t *ret_length, struct pfs_err *err)
{
    enum pfs_verb verb;
    struct pfs_blob request;
    int e = p->fd[0] < 0 ? -EPROTO : pfs_wire_read_job(p, &verb, &request, err);
    if (e) {
        w->broken = e == -EPROTO;
        return e;
    }
    w->job = p->job;
    w->result = p->fd[0];
    w->permille = 0;
    w->progress_ms = 0;
    e = verbs[verb](w, request, ret_length, err);
    free(request.data);
    return e;
}

/* Take one packet, do the job, say so. */
static void turn(struct worker *w)
{
    struct pfs_packet p;
    struct pfs_err err = {0};
    int64_t length = 0;
    int e = pfs_wire_receive(w->sock, 0, &p, &err);
    if (e) {
        w->gone = e == -EPIPE;
        w->broken = !w->gone;
        return;
    }
    e = serve(w, &p, &length, &err);
    if (!w->gone && !w->broken) {
        struct pfs_done done = {-e, e ? err.text : "", e ? 0 : length, worker_resident(w)};
        e = pfs_wire_send_done(w->sock, p.job, &done, NULL);
        w->gone = e == -EPIPE;
        w->broken = e && !w->gone;
    }
    pfs_packet_finish(&p);
    w->result = -1;
}

/* The pool starts workers with one thread for BLAS, which reads that when it is loaded: started by hand, once more. */
static int self_test(char **argv)
{
    if (!getenv("OPENBLAS_NUM_THREADS") && !setenv("OPENBLAS_NUM_THREADS", "1", 1))
        execv("/proc/self/exe", argv);
    return sandbox_self_test(stdout) != 0;
}

int main(int argc, char **argv)
{
    struct worker w;
    struct sandbox s;
    if (argc == 2 && !strcmp(argv[1], "--self-test"))
        return self_test(argv);
    set_up(&w);
    (argc == 3 && !strcmp(argv[2], "--no-sandbox") ? sandbox_stay_out : sandbox_enter)(&s);
    if (pfs_wire_send_hello(w.sock, &(struct pfs_hello){sandbox_layers(&s), s.missing}, NULL))
        return 1;
    while (!w.gone && !w.broken)
        turn(&w);
    worker_close_kept(&w);
    return w.broken;
}
