/* seccomp: the system calls of a program that computes on descriptors it was given. All others do not exist.
 *
 * ENOSYS is what libraries are prepared to meet and to work round (clone3, rseq, openat2). What they look at files and
 * terminals with says EACCES and ENOTTY, so that their messages stay true. Nothing is mapped executable any more, a
 * process makes threads alone, and its own limits are out of its reach: they are the daemon's to set. fstat is
 * newfstatat in current C libraries; with the flag of an empty path it tells sizes of files by name, and no more. */
#include "worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
    CALL(read), CALL(pread64), CALL(readv), CALL(preadv), CALL(write), CALL(pwrite64), CALL(writev), CALL(pwritev),
    CALL(lseek), CALL(close), CALL(fstat), CALL(recvmsg), CALL(sendmsg), CALL(poll), CALL(ppoll),
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise),
    CALL(futex), CALL(set_robust_list), CALL(rseq), CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(restart_syscall),
    CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(nanosleep), CALL(clock_nanosleep),
    CALL(getpid), CALL(getppid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getrandom), CALL(getrusage), CALL(sysinfo),
    CALL(exit), CALL(exit_group),
};

static const int denied[] = {
    CALL(open), CALL(openat), CALL(creat), CALL(access), CALL(faccessat), CALL(faccessat2), CALL(readlink),
    CALL(readlinkat), CALL(stat), CALL(lstat), CALL(statx), CALL(unlink), CALL(unlinkat), CALL(mkdir), CALL(mkdirat),
};

struct narrow { int call; struct scmp_arg_cmp argument; };

static int allow_narrow(scmp_filter_ctx c)
{
    const struct narrow narrow[] = {
        {CALL(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
        {CALL(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {CALL(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {CALL(newfstatat), SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0)},
        {CALL(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)},          /* abort() */
        {CALL(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL, 0)}, {CALL(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFD, 0)},
    };
    int r = 0;
    for (size_t i = 0; !r && i < sizeof narrow / sizeof *narrow; i++)
        r = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, narrow[i].call, 1, &narrow[i].argument);
    return r;
}

static int build(scmp_filter_ctx c)
{
    int r = seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; !r && i < sizeof allowed / sizeof *allowed; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; !r && i < sizeof denied / sizeof *denied; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EACCES), denied[i], 0);
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOTTY), CALL(ioctl), 0);
    return r ? r : allow_narrow(c);
}

int sandbox_seccomp(char why[100])
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int r = c ? build(c) : -ENOMEM;
    if (!r)
        r = seccomp_load(c);
    seccomp_release(c);
    if (r)
        snprintf(why, 100, "%s", r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP ? "this kernel has none" : strerror(-r));
    return r;
}
