/* Mounting, serving, and ending.
 *
 * The process forks before anything else, so threads and workers are the daemon's own; the parent waits on a pipe until
 * the mount answers or fails. The end comes by a signal or from the kernel (umount). Then: no new requests, waiting
 * ones are answered ENOTCONN, lanes run empty, the mount is detached, workers die. If a lane is stuck in a system call
 * the mount is detached all the same and the process ends without it. */
#include "files/entry_head.h"
#include "fs/mount.h"
#include "fs/channel.h"
#include "fs/loop.h"
#include "fs/mountpoint.h"

#include <planefs/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LANES = 8, SCRIBES = 8, LANE_QUEUE = 4096, LOOPS_LEAST = 4, LOOPS_MOST = 16, PATIENCE_MS = 1000 };

static char fuse_says[240];           /* libfuse's last complaint, while mounting: one thread */
static bool fuse_speaks;
static int user = STDERR_FILENO;      /* where whoever called planefs listens; -1 once nobody does */

static void listen_to_fuse(enum fuse_log_level level, const char *format, va_list args)
{
    (void)level;
    if (fuse_speaks) {
        vfprintf(stderr, format, args);
        return;
    }
    vsnprintf(fuse_says, sizeof fuse_says, format, args);
    fuse_says[strcspn(fuse_says, "\n")] = 0;
}

static void complain(const struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text line = {0};
    pfs_text_plain(&line, err->text);
    if (user >= 0)
        dprintf(user, "planefs: %s\n", line.s ? line.s : "failed");
}

/* ---- the parts ---- */

static int open_parts(struct pfs_mount *m, const struct pfs_mount_options *o, struct pfs_engine *e,
                      struct pfs_err *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    m->last_request = now.tv_sec;
    int r = pfs_tree_open(e, o->uid, o->gid, o->umask, &m->tree, err);
    if (!r)
        r = pfs_lanes_open(LANES, LANE_QUEUE, &m->lanes, err);
    if (!r)
        r = pfs_lanes_open(SCRIBES, LANE_QUEUE, &m->scribes, err);
    if (!r)
        r = pfs_watch_open(&m->watch, err);
    return r;
}

static void close_parts(struct pfs_mount *m)
{
    if (m->watch)
        pfs_watch_close(m->watch);
    if (m->scribes)
        pfs_lanes_close(m->scribes);
    if (m->lanes)
        pfs_lanes_close(m->lanes);
    pfs_tree_close(&m->tree);
}

/* ---- the session ---- */

static int add_option(char **list, const char *option)
{
    return fuse_opt_add_opt_escaped(list, option) ? -ENOMEM : 0;
}

static int fuse_options(const struct pfs_mount_options *o, char **ret)
{
    static const char *const fixed[] = {"subtype=planefs", "default_permissions", "ro", "nosuid", "nodev", "noexec"};
    PFS_AUTO_FREE char *name = pfs_format("fsname=%s", o->engine.source);
    int r = name ? add_option(ret, name) : -ENOMEM;
    for (size_t i = 0; !r && i < sizeof fixed / sizeof *fixed; i++)
        r = add_option(ret, fixed[i]);
    if (!r && o->allow_other)
        r = add_option(ret, "allow_other");
    return r;
}

static int open_session(struct pfs_mount *m, const struct pfs_mount_options *o, struct pfs_err *err)
{
    static const struct fuse_custom_io io = {.read = pfs_channel_read, .writev = pfs_channel_writev};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    PFS_AUTO_FREE char *options = NULL;
    int r = fuse_options(o, &options);
    if (r || fuse_opt_add_arg(&args, "planefs") || fuse_opt_add_arg(&args, "-o") || fuse_opt_add_arg(&args, options) ||
        (o->debug && fuse_opt_add_arg(&args, "-d"))) {
        fuse_opt_free_args(&args);
        return pfs_fail(err, ENOMEM, "no memory for options");
    }
    m->session = fuse_session_new(&args, &pfs_operations, sizeof pfs_operations, m);
    fuse_opt_free_args(&args);
    if (!m->session)
        return pfs_fail(err, EINVAL, "libfuse: %s", fuse_says);
    if (fuse_session_mount(m->session, o->mountpoint)) {
        fuse_session_destroy(m->session);
        return pfs_fail(err, EPERM, "cannot mount on %s: %s", o->mountpoint,
                        *fuse_says ? fuse_says : "fusermount3 refused");
    }
    r = fuse_session_custom_io(m->session, &io, fuse_session_fd(m->session));
    if (!r)
        return 0;
    fuse_session_unmount(m->session);
    fuse_session_destroy(m->session);
    return pfs_fail(err, -r, "libfuse takes no channel of our own");
}

/* ---- serving ---- */

struct service {
    const struct pfs_mount_options *o;
    int report;                       /* where the waiting parent listens; -1: nobody does */
};

static void tell(int fd, int status)
{
    unsigned char byte = (unsigned char)status;
    while (write(fd, &byte, 1) < 0 && errno == EINTR)
        ;
}

/* The daemon's own terminal is /dev/null from the start, so that workers never hold the caller's open; what is to be
 * said before the mount answers goes to a copy. */
static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    user = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

/* The mount answers: the caller may go on. */
static void detach_from_parent(int report)
{
    if (chdir("/"))
        errno = 0;                    /* always there */
    tell(report, PFS_EXIT_OK);
    close(report);
    if (user >= 0)
        close(user);
    user = -1;
}

static void answers(void *arg)
{
    const struct service *s = arg;
    pfs_mountpoint_read_ahead(s->o->mountpoint);
    if (s->report >= 0)
        detach_from_parent(s->report);
}

static int loops(const struct pfs_mount_options *o)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return o->single ? 1 : n < LOOPS_LEAST ? LOOPS_LEAST : n > LOOPS_MOST ? LOOPS_MOST : (int)n;
}

static void signal_set(sigset_t *set)
{
    static const int ours[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        sigaddset(set, ours[i]);
}

/* false: something is stuck; nothing it may use can be torn down. */
static bool quiesce(struct pfs_mount *m)
{
    pfs_watch_cancel_all(m->watch, ENOTCONN);
    bool done = pfs_lanes_drain(m->lanes, PATIENCE_MS);
    done = pfs_lanes_drain(m->scribes, PATIENCE_MS / 4) && done;
    pfs_watch_cancel_all(m->watch, ENOTCONN);
    return done;
}

static int serve_session(struct pfs_mount *m, struct service *s, struct pfs_err *err)
{
    struct pfs_loop *loop;
    struct pfs_tidy *tidy;
    sigset_t set;
    int sig, r = pfs_tidy_start(m, s->o->mountpoint, s->o->idle_s, &tidy, err);
    if (r)
        return r;
    r = pfs_loop_start(m, loops(s->o), answers, s, &loop, err);
    if (r) {
        pfs_tidy_stop(tidy);
        return r;
    }
    signal_set(&set);
    sigwait(&set, &sig);
    pfs_loop_stop(loop);
    if (!quiesce(m)) {
        pfs_mountpoint_detach(s->o->mountpoint, true);
        _exit(PFS_EXIT_OK);
    }
    pfs_tidy_stop(tidy);
    return 0;
}

static int serve_mount(struct pfs_mount *m, struct service *s, struct pfs_engine *e)
{
    struct pfs_err err = {0};
    int status = PFS_EXIT_SOURCE, r = open_parts(m, s->o, e, &err);
    if (!r) {
        status = PFS_EXIT_MOUNT;
        r = open_session(m, s->o, &err);
        if (!r) {
            r = serve_session(m, s, &err);
            fuse_session_unmount(m->session);
            fuse_session_destroy(m->session);
        }
    }
    if (r)
        complain(&err);
    return r ? status : PFS_EXIT_OK;
}

/* Engine threads are started here, so signals are blocked before and thereby everywhere. */
static int serve(struct service *s)
{
    struct pfs_err err = {0};
    struct pfs_engine *e;
    struct pfs_mount *m = calloc(1, sizeof *m);
    sigset_t set;
    signal_set(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    fuse_speaks = s->o->debug;
    fuse_set_log_func(listen_to_fuse);
    struct pfs_engine_options engine = s->o->engine;
    engine.head = pfs_entry_header;
    engine.taken = pfs_kind_begins;
    if (!m || pfs_engine_create(&engine, &e, &err)) {
        complain(m ? &err : &(struct pfs_err){ENOMEM, "no memory"});
        free(m);
        return PFS_EXIT_SOURCE;
    }
    int status = serve_mount(m, s, e);
    pfs_engine_destroy(e);
    close_parts(m);
    free(m);
    return status;
}

const char *pfs_fuse_version(void)
{
    return fuse_pkgversion();
}

/* ---- daemon and parent ---- */

static int wait_for_child(pid_t child, int fd)
{
    unsigned char status;
    ssize_t n;
    while ((n = read(fd, &status, 1)) < 0 && errno == EINTR)
        ;
    close(fd);
    if (n == 1)
        return status;
    int how;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(how) && WEXITSTATUS(how))
        return WEXITSTATUS(how);
    fprintf(stderr, "planefs: the daemon ended before the mount answered\n");
    return PFS_EXIT_MOUNT;
}

int pfs_mount_run(const struct pfs_mount_options *o)
{
    struct pfs_err err = {0};
    int fd[2];
    if (pfs_mountpoint_prepare(o->mountpoint, &err)) {
        complain(&err);
        return err.code == EBUSY ? PFS_EXIT_MOUNT : PFS_EXIT_SOURCE;
    }
    if (o->foreground || o->debug)
        return serve(&(struct service){o, -1});
    if (pipe2(fd, O_CLOEXEC)) {
        fprintf(stderr, "planefs: pipe: %s\n", strerror(errno));
        return PFS_EXIT_MOUNT;
    }
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "planefs: fork: %s\n", strerror(errno));
        return PFS_EXIT_MOUNT;
    }
    if (child > 0) {
        close(fd[1]);
        return wait_for_child(child, fd[0]);
    }
    close(fd[0]);
    setsid();
    leave_terminal();
    exit(serve(&(struct service){o, fd[1]}));
}
