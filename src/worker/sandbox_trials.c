/* What a sandboxed process must not be able to do, each attempted in a way that harms nobody where it succeeds.
 *
 * Straight system calls: a library might refuse first. What is made is undone at once. */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long closed(long fd)
{
    if (fd >= 0)
        close((int)fd);
    return fd;
}

static long open_file(void)
{
    return closed(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static long open_folder(void)
{
    return closed(syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static long open_memory(void)
{
    return closed(syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR | O_CLOEXEC));
}

static long write_file(void)
{
    static const char name[] = "/tmp/planefs-sandbox-trial";
    long fd = closed(syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (fd >= 0)
        syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    return fd;
}

static long make_folder(void)
{
    static const char name[] = "/tmp/planefs-sandbox-trial-folder";
    long r = syscall(SYS_mkdirat, AT_FDCWD, name, 0700);
    if (r >= 0)
        syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR);
    return r;
}

static long internet_socket(void)
{
    return closed(syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static long local_socket(void)
{
    return closed(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* The child ends at once; the parent waits for it. */
static long fork_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid;
}

/* A program that is not there: without a sandbox the kernel looks for it, and that counts as done. */
static long execute(void)
{
    char *const nothing[] = {NULL};
    long r = syscall(SYS_execve, "/nonexistent/program", nothing, nothing);
    return r < 0 && errno == ENOENT ? 0 : r;
}

/* Nobody has the process number 0: the kernel would say ESRCH. */
static long trace(void)
{
    long r = syscall(SYS_ptrace, PTRACE_PEEKDATA, 0, 0, 0);
    return r < 0 && errno == ESRCH ? 0 : r;
}

static long read_other(void)
{
    char byte;
    struct { void *base; size_t n; } local = {&byte, 1}, remote = {&byte, 1};
    return syscall(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);
}

static long signal_parent(void)
{
    return syscall(SYS_kill, getppid(), 0);
}

static long map_program(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -1;
    munmap(p, 4096);
    return 0;
}

static long raise_limit(void)
{
    struct rlimit old;
    long r = syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &old);
    return r < 0 ? r : syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &old, NULL);
}

static long new_namespace(void)
{
    long r = syscall(SYS_unshare, 0);
    return r;
}

static long load_bpf(void)
{
    return closed(syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, NULL, 0));
}

static long io_ring(void)
{
    char parameters[120] = {0};
    return closed(syscall(SYS_io_uring_setup, 1, parameters));
}

static long memory_file(void)
{
    return closed(syscall(SYS_memfd_create, "planefs-trial", MFD_CLOEXEC));
}

const struct sandbox_trial sandbox_trials[] = {
    {"open /etc/passwd", true, open_file},
    {"open /", true, open_folder},
    {"open /proc/self/mem", true, open_memory},
    {"write a file", true, write_file},
    {"make a folder", true, make_folder},
    {"internet socket", false, internet_socket},
    {"local socket", false, local_socket},
    {"fork", false, fork_process},
    {"exec", false, execute},
    {"ptrace", false, trace},
    {"read another's memory", false, read_other},
    {"signal its parent", false, signal_parent},
    {"executable memory", false, map_program},
    {"raise its own limits", false, raise_limit},
    {"new namespaces", false, new_namespace},
    {"bpf", false, load_bpf},
    {"io_uring", false, io_ring},
    {"memory file", false, memory_file},
    {NULL, false, NULL}
};
