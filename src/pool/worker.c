/* Starting worker processes and burying them.
 *
 * A worker is spawned with its end of a socket pair as descriptor 3 and a small environment. The kernel kills it when the
 * pool's thread dies (it asks for that itself), so workers never outlive the daemon. */
#include "pool/own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10000, BACKOFF_FIRST_MS = 50, BACKOFF_MOST_MS = 5000, BURY_MS = 100 };

/* BLAS threads are made when the library is loaded and would be there for every worker: one each. */
static char *const environment[] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "PATH=/usr/bin:/bin", "LC_ALL=C",
                                    "MALLOC_ARENA_MAX=2", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", NULL, NULL, NULL, NULL};

/* Sanitizer options must reach the worker too, or its reports go nowhere. */
static void inherit(char **env, size_t used, size_t room)
{
    static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "OPENBLAS_CORETYPE"};
    for (size_t i = 0; i < sizeof names / sizeof *names && used + 1 < room; i++) {
        const char *value = getenv(names[i]);
        if (value && asprintf(&env[used], "%s=%s", names[i], value) > 0)
            used++;
    }
}

static int spawn(struct pfs_pool *p, const struct worker *w, int sock, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char *argv[] = {"planefs-worker", w->role == PFS_READER ? "reader" : "maker",
                    p->o.sandbox == PFS_SANDBOX_OFF ? "--no-sandbox" : NULL, NULL};
    char *env[sizeof environment / sizeof *environment];
    size_t fixed = 6;
    memcpy(env, environment, sizeof env);
    inherit(env, fixed, sizeof env / sizeof *env);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);   /* a caller waits for its pipe to close */
    posix_spawn_file_actions_adddup2(&actions, 0, 1);
    posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawn_file_actions_adddup2(&actions, sock, 3);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    int r = posix_spawn(ret, p->worker_path, &actions, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = fixed; env[i]; i++)
        free(env[i]);
    return -r;
}

static void start_later(struct pfs_pool *p, struct worker *w)
{
    p->failed_starts++;
    pthread_cond_broadcast(&p->started);
    w->backoff = w->backoff ? w->backoff * 2 : BACKOFF_FIRST_MS;
    if (w->backoff > BACKOFF_MOST_MS)
        w->backoff = BACKOFF_MOST_MS;
    w->retry_at = pfs_pool_now() + w->backoff;
}

void pfs_worker_start(struct pfs_pool *p, struct worker *w)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        start_later(p, w);
        return;
    }
    int r = spawn(p, w, pair[1], &w->pid);
    close(pair[1]);
    if (r < 0) {
        close(pair[0]);
        start_later(p, w);
        return;
    }
    w->sock = pair[0];
    w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
    w->state = WORKER_STARTING;
    w->served = 0;
    w->late = false;
    w->deadline = pfs_pool_now() + START_MS;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    epoll_ctl(p->epoll, EPOLL_CTL_ADD, w->sock, &event);
}

static void describe_end(int status, char how[64])
{
    if (WIFSIGNALED(status))
        snprintf(how, 64, "signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(how, 64, "exit %d", WEXITSTATUS(status));
}

/* A process that cannot be reaped at once (tearing down gigabytes, or stuck in the kernel) is left for later, so that
 * the pool's thread never waits for it. */
void pfs_worker_bury(struct pfs_pool *p, struct worker *w, char how[64])
{
    int status;
    snprintf(how, 64, "killed");
    struct pollfd ended = {.fd = w->pidfd, .events = POLLIN};
    if (w->pidfd >= 0 && !w->late)
        poll(&ended, 1, BURY_MS);
    if (waitpid(w->pid, &status, WNOHANG) == w->pid)
        describe_end(status, how);
    else {
        kill(w->pid, SIGKILL);
        if (p->n_dead < (int)(sizeof p->dead / sizeof *p->dead))
            p->dead[p->n_dead++] = w->pid;
    }
    epoll_ctl(p->epoll, EPOLL_CTL_DEL, w->sock, NULL);
    close(w->sock);
    if (w->pidfd >= 0)
        close(w->pidfd);
    w->sock = w->pidfd = -1;
    if (w->state == WORKER_STARTING)
        start_later(p, w);
    else
        w->retry_at = w->backoff = 0;
    w->state = WORKER_NONE;
    p->restarts++;
}

void pfs_worker_reap(struct pfs_pool *p)
{
    for (int i = 0; i < p->n_dead;)
        if (waitpid(p->dead[i], NULL, WNOHANG) != 0)
            p->dead[i] = p->dead[--p->n_dead];
        else
            i++;
}
