/* Each system call that changes the folder fails once, at every point of a workload, with each errno of a bad disk; and
 * the process is killed at every such point. Each allocation fails once. No wrong byte, no lost result, nothing left.
 *
 * The calls are caught by defining them here: the cache is linked statically, so its calls come this way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_help.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__has_feature)
#define HAS(x) __has_feature(x)
#else
#define HAS(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS(thread_sanitizer)
enum { THREAD_SANITIZER = 1 };
#elif defined(__SANITIZE_ADDRESS__) || HAS(address_sanitizer)
enum { THREAD_SANITIZER = 0 };
#else
#define STARVE
enum { THREAD_SANITIZER = 0 };
#endif

enum { HEAD = 100, PAYLOAD = 70000, SIZE = HEAD + PAYLOAD, PLANES = 4, KILL = -1 };

static _Atomic int countdown;         /* 0: nothing is planned */
static _Atomic int plan;              /* the errno, or KILL */

static bool strikes(void)
{
    if (!atomic_load(&countdown) || atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    if (atomic_load(&plan) == KILL)
        kill(getpid(), SIGKILL);
    errno = atomic_load(&plan);
    return true;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (flags & O_CREAT && strikes())
        return -1;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int mkdir(const char *path, mode_t mode)
{
    return strikes() ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to)
{
    return strikes() ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    return strikes() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int fchmod(int fd, mode_t mode)
{
    return strikes() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int fallocate(int fd, int mode, off_t off, off_t n)
{
    return strikes() ? -1 : (int)syscall(SYS_fallocate, fd, mode, off, n);
}

/* Half of what was asked for is written first: a torn write. */
ssize_t pwrite(int fd, const void *data, size_t n, off_t off)
{
    if (!strikes())
        return syscall(SYS_pwrite64, fd, data, n, off);
    int code = errno;
    if (n > 1)
        syscall(SYS_pwrite64, fd, data, n / 2, off);
    errno = code;
    return -1;
}

/* Close tells of writes that failed late (NFS, quotas): the descriptor is gone all the same. */
int close(int fd)
{
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
    syscall(SYS_close, fd);
    return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY && strikes() ? -1 : 0;
}

/* ---- the workload: 0 or the line of what went wrong ---- */

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

static int make(struct pfs_cache *c, uint64_t i, struct pfs_entry **ret)
{
    static uint8_t b[SIZE];
    struct pfs_draft *d;
    fill(i, 0, SIZE, b);
    CHECK(!pfs_draft_create(c, b, HEAD, PAYLOAD, &d, NULL));
    CHECK(syscall(SYS_pwrite64, pfs_draft_fd(d), b + HEAD, (size_t)PAYLOAD, (off_t)HEAD) == PAYLOAD);
    CHECK(!pfs_draft_publish(d, key_of(i), "text", ret, NULL));
    return 0;
}

static int workload(int64_t limit)
{
    struct pfs_cache_options o = {folder, limit};
    struct pfs_cache *c;
    CHECK(!pfs_cache_open(&o, &c, NULL));
    for (uint64_t i = 0; i < PLANES; i++) {
        struct pfs_entry *e, *f;
        struct pfs_blob b;
        int r = make(c, i, &e);
        CHECK(!r);
        CHECK(!reads(e, i, 0, SIZE));
        CHECK(!pfs_entry_find(c, key_of(i), "text", &f));
        CHECK(!reads(f, i, 0, SIZE));
        pfs_entry_unref(e);
        pfs_entry_unref(f);
        pfs_ledger_put(c, key_of(i), &i, sizeof i);
        CHECK(!pfs_ledger_get(c, key_of(i), &b));
        CHECK(b.size == sizeof i && !memcmp(b.data, &i, sizeof i));
        free(b.data);
    }
    pfs_cache_close(c);
    return 0;
}

/* Afterwards: what is found is right, nothing is damaged, nothing is left, and the cache works. */
static int aftermath(void)
{
    struct pfs_cache_options o = {folder, 1 << 30};
    struct pfs_cache *c;
    CHECK(!pfs_cache_open(&o, &c, NULL));
    for (uint64_t i = 0; i < PLANES; i++) {
        struct pfs_entry *e;
        struct pfs_blob b;
        if (!pfs_entry_find(c, key_of(i), "text", &e)) {
            CHECK(!reads(e, i, 0, SIZE));
            pfs_entry_unref(e);
        }
        if (!pfs_ledger_get(c, key_of(i), &b)) {
            CHECK(b.size == sizeof i && !memcmp(b.data, &i, sizeof i));
            free(b.data);
        }
    }
    CHECK(!status_of(c).damaged);
    for (int waited = 0; count_in("tmp") && waited < 2000; waited += 10)
        sleep_ms(10);
    CHECK(!count_in("tmp"));
    struct pfs_entry *e;
    CHECK(!make(c, 50, &e));
    pfs_entry_unref(e);
    CHECK(pfs_entry_exists(c, key_of(50)));
    CHECK(!strcmp(status_of(c).state, "ok"));
    pfs_cache_close(c);
    return 0;
}

static void empty_folder(void)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    assert_int_equal(system(command), 0);
}

/* In a child: true when the plan was never reached, so that all points have been tried. */
static bool tried(int code, int point, int64_t limit)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        atomic_store(&plan, code);
        atomic_store(&countdown, point);
        int line = workload(limit);
        if (line)
            fprintf(stderr, "point %d, errno %d: failed at line %d\n", point, code, line);
        _exit(line ? 1 : atomic_load(&countdown) > 0 ? 2 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (code == KILL && WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
    else
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    int line = aftermath();
    if (line)
        print_message("point %d, errno %d: afterwards, line %d\n", point, code, line);
    assert_int_equal(line, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 2;
}

static void at_every_point(int code)
{
    int points[2];
    if (THREAD_SANITIZER) {
        print_message("the calls caught here are those it watches: skipped\n");
        skip();
    }
    for (int small = 0; small < 2; small++) {
        int point = 1;
        do
            empty_folder();           /* with little room, eviction goes on as well */
        while (!tried(code, point++, small ? 200000 : 1 << 30) && point < 500);
        points[small] = point - 2;
        assert_in_range(point, PLANES * 6, 499);
    }
    print_message("%d and %d points\n", points[0], points[1]);
}

static void no_space(void **state)  { (void)state; at_every_point(ENOSPC); }
static void quota(void **state)     { (void)state; at_every_point(EDQUOT); }
static void io_error(void **state)  { (void)state; at_every_point(EIO); }
static void read_only(void **state) { (void)state; at_every_point(EROFS); }
static void forbidden(void **state) { (void)state; at_every_point(EACCES); }
static void stale(void **state)     { (void)state; at_every_point(ESTALE); }
static void killed(void **state)    { (void)state; at_every_point(KILL); }

/* ---- memory ---- */

#ifdef STARVE
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static _Atomic int alloc_countdown;

static bool starves(void)
{
    if (!atomic_load(&alloc_countdown) || atomic_fetch_sub(&alloc_countdown, 1) != 1)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n) { return starves() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return starves() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return starves() ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t align, size_t n) { return starves() ? NULL : __libc_memalign(align, n); }

static int starve(int point)
{
    static uint8_t plane[SIZE], got[SIZE];
    struct pfs_cache_options o = {folder, 1 << 30};
    struct pfs_cache *c;
    struct pfs_draft *d;
    struct pfs_entry *e, *f;
    struct pfs_blob b;
    struct pfs_err err;
    fill(1, 0, SIZE, plane);
    atomic_store(&alloc_countdown, point);
    int r = pfs_cache_open(&o, &c, &err);
    if (r)
        return r == -ENOMEM ? 0 : __LINE__;
    if ((r = pfs_draft_create(c, plane, HEAD, PAYLOAD, &d, &err)))
        CHECK(r == -ENOMEM);
    CHECK(r || syscall(SYS_pwrite64, pfs_draft_fd(d), plane + HEAD, (size_t)PAYLOAD, (off_t)HEAD) == PAYLOAD);
    if (!r && (r = pfs_draft_publish(d, key_of(1), "text", &e, &err)))
        CHECK(r == -ENOMEM);
    if (!r) {
        int read = pfs_entry_read(e, 5, SIZE - 10, got, &err);
        CHECK(read == -ENOMEM || (!read && !memcmp(got, plane + 5, SIZE - 10)));
        pfs_entry_unref(e);
    }
    if (!pfs_entry_find(c, key_of(1), "text", &f)) {
        int read = pfs_entry_read(f, 5, SIZE - 10, got, &err);
        CHECK(read == -ENOMEM || (!read && !memcmp(got, plane + 5, SIZE - 10)));
        pfs_entry_unref(f);
    }
    for (uint64_t i = 0; i < 3; i++) {
        pfs_ledger_put(c, key_of(100 + i), plane, (size_t)(300 * (i + 1)));
        if (!pfs_ledger_get(c, key_of(100 + i), &b)) {
            CHECK(b.size == 300 * (i + 1) && !memcmp(b.data, plane, b.size));
            free(b.data);
        }
    }
    CHECK(!status_of(c).damaged);
    pfs_cache_close(c);
    return 0;
}

static void no_memory(void **state)
{
    (void)state;
    int point = 1, status;
    do {
        if (point % 2)
            empty_folder();           /* else: with what the last one left to be loaded */
        pid_t pid = fork();
        if (!pid) {
            int line = starve(point);
            int left = atomic_exchange(&alloc_countdown, 0);
            if (line)
                fprintf(stderr, "allocation %d: failed at line %d\n", point, line);
            _exit(line ? 1 : left > 0 ? 2 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
        assert_int_equal(aftermath(), 0);
    } while (WEXITSTATUS(status) != 2 && point++ < 500);
    assert_in_range(point, 20, 499);
    print_message("%d allocations\n", point);
}
#else
static void no_memory(void **state)
{
    (void)state;
    print_message("the sanitizers bring their own malloc: skipped\n");
    skip();
}
#endif

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(no_space), TEST(quota), TEST(io_error), TEST(read_only), TEST(forbidden), TEST(stale), TEST(killed),
        TEST(no_memory),
    };
    return cmocka_run_group_tests_name("cache_faults", tests, NULL, NULL);
}
