/* Trouble with the folder: full, read-only, forbidden, gone, somebody else's; and processes killed at any moment.
 * No result is ever lost or wrong for it. Root only where a file system must be mounted or a user changed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

enum { BLOCK = 64 * 1024 };

static void need_root(void)
{
    if (geteuid()) {
        print_message("not root: skipped\n");
        skip();
    }
}

static void mount_tmpfs(const char *options)
{
    if (mount("tmpfs", folder, "tmpfs", 0, options)) {
        print_message("cannot mount a tmpfs (%s): skipped\n", strerror(errno));
        skip();
    }
}

static int64_t used_bytes(void)
{
    struct statvfs v;
    return statvfs(folder, &v) ? -1 : (int64_t)((v.f_blocks - v.f_bfree) * v.f_frsize);
}

static bool state_is(struct pfs_cache *c, const char *words)
{
    return !strcmp(status_of(c).state, words);
}

static void run(int (*body)(void))
{
    int status;
    pid_t pid = fork();
    if (!pid)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- limit and order ---- */

static void limit_holds(void **state)
{
    enum { N = 60, PAYLOAD = 100000 };
    (void)state;
    const int64_t limit = 2000000, one = 102400 + 4096 + 4096 + 4096;
    struct pfs_cache *c = open_cache(limit);
    for (uint64_t i = 0; i < N; i++) {
        struct pfs_entry *e = publish(c, i, 100, PAYLOAD);
        assert_int_equal(reads(e, i, 0, 100 + PAYLOAD), 0);
        pfs_entry_unref(e);
        assert_true(status_of(c).bytes <= limit);
        char command[160];
        long long kib = 0;
        snprintf(command, sizeof command, "du -sk %s/[0-9a-f][0-9a-f] | awk '{s+=$1} END {print s}'", folder);
        FILE *p = popen(command, "r");
        assert_int_equal(fscanf(p, "%lld", &kib), 1);
        pclose(p);
        assert_true(kib * 1024 <= limit + one + 4096 * (int64_t)(i + 1));     /* the folders ab/ are not counted */
    }
    assert_true(status_of(c).evicted >= N - limit / PAYLOAD);
    assert_int_equal(status_of(c).evicted + status_of(c).entries, N);
    pfs_cache_close(c);
}

static void oldest_first(void **state)
{
    struct pfs_entry *e;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 20);
    for (uint64_t i = 0; i < 8; i++)
        pfs_entry_unref(publish(c, i, 0, 100000));
    assert_int_equal(pfs_entry_find(c, key_of(0), "text", &e), 0);      /* used again */
    pfs_entry_unref(e);
    pfs_entry_unref(publish(c, 8, 0, 200000));
    pfs_entry_unref(publish(c, 9, 0, 200000));
    assert_true(pfs_entry_exists(c, key_of(0)));
    assert_false(pfs_entry_exists(c, key_of(1)));
    assert_false(pfs_entry_exists(c, key_of(2)));
    assert_true(pfs_entry_exists(c, key_of(7)));
    assert_true(pfs_entry_exists(c, key_of(8)));
    pfs_cache_close(c);
}

/* What a former process left is known by scanning, with its age; what another used meanwhile stays. */
static void order_on_disk(void **state)
{
    char path[256];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 20), *other;
    for (uint64_t i = 0; i < 8; i++) {
        pfs_entry_unref(publish(c, i, 0, 100000));
        struct timespec t[2] = {{0, UTIME_OMIT}, {.tv_sec = 1000000 + (time_t)((i * 5) % 8)}};   /* 0 5 2 7 4 1 6 3 */
        path_of(i, "sums", path);
        assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
    }
    pfs_cache_close(c);
    c = open_cache(1 << 20);
    other = open_cache(1 << 20);
    EVENTUALLY(status_of(c).entries == 8, 2000);
    struct pfs_entry *e;
    assert_int_equal(pfs_entry_find(other, key_of(0), "text", &e), 0);
    pfs_entry_unref(e);
    pfs_entry_unref(publish(c, 8, 0, 330000));
    const bool stays[9] = {true, true, false, true, true, false, true, true, true};
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(pfs_entry_exists(c, key_of(i)), stays[i]);
    pfs_cache_close(c);
    pfs_cache_close(other);
}

/* An entry deleted under its readers is read to the end; afterwards its space is given back. */
static void deleted_while_open(void **state)
{
    char command[200];
    struct pfs_entry *e, *f;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    e = publish(c, 1, 10, 3 * BLOCK);
    snprintf(command, sizeof command, "rm -rf %s/[0-9a-f][0-9a-f]", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(reads(e, 1, 0, 10 + 3 * BLOCK), 0);
    pfs_entry_unref(e);
    EVENTUALLY(pfs_entry_find(c, key_of(1), "text", &f) || (pfs_entry_unref(f), false), 3000);
    assert_int_equal(status_of(c).damaged, 0);
    pfs_cache_close(c);
}

/* ---- full ---- */

static void full_disk(void **state)
{
    need_root();
    (void)state;
    mount_tmpfs("size=1m,mode=700");
    struct pfs_cache *c = open_cache(1 << 30);
    /* Ten times more than there is room for: eviction frees before giving up. */
    for (uint64_t i = 0; i < 100; i++) {
        struct pfs_entry *e = publish(c, i, 100, 100000);
        assert_int_equal(reads(e, i, 0, 100100), 0);
        pfs_entry_unref(e);
        assert_true(pfs_entry_exists(c, key_of(i)));
        assert_true(state_is(c, "ok"));
    }
    assert_true(status_of(c).evicted > 80);
    /* One that can never fit: served all the same, and said so. */
    struct pfs_entry *e = publish(c, 1000, 100, 5 << 20);
    assert_int_equal(reads(e, 1000, 0, 5 << 20), 0);
    assert_true(state_is(c, "no space"));
    pfs_entry_unref(e);
    pfs_entry_unref(publish(c, 1001, 100, 1000));
    assert_true(state_is(c, "ok"));
    assert_true(pfs_entry_exists(c, key_of(1001)));
    pfs_cache_close(c);
    assert_int_equal(umount(folder), 0);
}

/* Full of what is not ours: nothing can be kept until it goes. */
static void full_of_others(void **state)
{
    char path[128];
    static char block[900000];
    need_root();
    (void)state;
    mount_tmpfs("size=1m,mode=700");
    struct pfs_cache *c = open_cache(1 << 30);
    snprintf(path, sizeof path, "%s/other", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, block, sizeof block), sizeof block);
    close(fd);
    for (uint64_t i = 0; i < 10; i++) {
        struct pfs_entry *e = publish(c, i, 100, 300000);
        assert_int_equal(reads(e, i, 0, 300100), 0);
        assert_true(state_is(c, "no space"));
        pfs_entry_unref(e);
    }
    sleep_ms(1500);
    assert_true(state_is(c, "no space"));     /* not believed to be over just because a small file would fit */
    assert_int_equal(unlink(path), 0);
    EVENTUALLY(state_is(c, "ok"), 3000);      /* by itself, without anybody writing */
    pfs_entry_unref(publish(c, 50, 100, 300000));
    assert_true(pfs_entry_exists(c, key_of(50)));
    pfs_cache_close(c);
    assert_int_equal(umount(folder), 0);
}

/* Space runs out at every possible point: with n free KiB left for a workload of all the steps. */
static void full_at_every_point(void **state)
{
    need_root();
    (void)state;
    for (int pages = 0; pages < 40; pages++) {
        char path[128];
        static char page[4096];
        mount_tmpfs("size=160k,mode=700,nr_inodes=20");
        struct pfs_cache *c = open_cache(1 << 30);
        snprintf(path, sizeof path, "%s/other", folder);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        for (int k = 0; k < pages; k++)
            if (write(fd, page, sizeof page) != sizeof page)
                break;
        close(fd);
        for (uint64_t i = 0; i < 6; i++) {
            struct pfs_entry *e = publish(c, i, 100, 30000), *f;
            assert_int_equal(reads(e, i, 0, 30100), 0);
            assert_int_equal(pfs_entry_find(c, key_of(i), "text", &f), 0);
            assert_int_equal(reads(f, i, 0, 30100), 0);
            pfs_entry_unref(e);
            pfs_entry_unref(f);
            uint64_t v = i;
            struct pfs_blob b;
            pfs_ledger_put(c, key_of(i + 100), &v, sizeof v);
            assert_int_equal(pfs_ledger_get(c, key_of(i + 100), &b), 0);
            assert_memory_equal(b.data, &v, sizeof v);
            free(b.data);
        }
        pfs_cache_close(c);
        c = open_cache(1 << 30);
        for (uint64_t i = 0; i < 6; i++) {
            struct pfs_entry *e;
            if (!pfs_entry_find(c, key_of(i), "text", &e)) {
                assert_int_equal(reads(e, i, 0, 30100), 0);
                pfs_entry_unref(e);
            }
        }
        assert_int_equal(status_of(c).damaged, 0);
        pfs_cache_close(c);
        assert_int_equal(count_in("tmp") > 0, 0);
        assert_true(used_bytes() <= 160 * 1024);
        assert_int_equal(umount(folder), 0);
    }
}

static void read_only(void **state)
{
    struct pfs_entry *e;
    need_root();
    (void)state;
    mount_tmpfs("size=4m,mode=700");
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_entry_unref(publish(c, 1, 100, 1000));
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);   /* nothing is open for writing */
    EVENTUALLY(state_is(c, "read-only"), 2000);
    e = publish(c, 2, 100, 1000);
    assert_int_equal(reads(e, 2, 0, 1100), 0);
    pfs_entry_unref(e);
    assert_true(state_is(c, "read-only"));
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), 0);       /* what is there is still read */
    assert_int_equal(reads(e, 1, 0, 1100), 0);
    pfs_entry_unref(e);
    assert_int_equal(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
    EVENTUALLY(state_is(c, "ok"), 3000);
    pfs_cache_close(c);
    assert_int_equal(umount(folder), 0);
}

/* ---- gone, forbidden, foreign ---- */

static void removed_under_it(void **state)
{
    char command[200];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    struct pfs_entry *e = publish(c, 1, 100, 1000), *f;
    struct pfs_draft *d = draft_of(c, 2, 100, 1000);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(reads(e, 1, 0, 1100), 0);
    assert_int_equal(pfs_draft_publish(d, key_of(2), "text", &f, NULL), 0);
    assert_int_equal(reads(f, 2, 0, 1100), 0);
    pfs_entry_unref(e);
    pfs_entry_unref(f);
    /* It is made again. */
    e = publish(c, 3, 100, 1000);
    assert_int_equal(reads(e, 3, 0, 1100), 0);
    pfs_entry_unref(e);
    EVENTUALLY(state_is(c, "ok") && status_of(c).entries == 1, 3000);
    assert_true(pfs_entry_exists(c, key_of(3)));
    pfs_cache_close(c);
}

static void a_file_in_its_place(void **state)
{
    char command[200];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_entry_unref(publish(c, 1, 100, 1000));
    snprintf(command, sizeof command, "rm -rf %s && touch %s", folder, folder);
    assert_int_equal(system(command), 0);
    struct pfs_entry *e = publish(c, 2, 100, 1000);
    assert_int_equal(reads(e, 2, 0, 1100), 0);
    pfs_entry_unref(e);
    EVENTUALLY(state_is(c, "gone"), 2000);
    snprintf(command, sizeof command, "rm %s", folder);
    assert_int_equal(system(command), 0);
    EVENTUALLY(state_is(c, "ok"), 3000);
    pfs_cache_close(c);
}

static int forbidden(void)
{
    if (!geteuid() && (chown(folder, 65534, 65534) || setgid(65534) || setuid(65534)))
        return 1;
    struct pfs_cache *c = open_cache(1 << 30);
    struct pfs_entry *e;
    pfs_entry_unref(publish(c, 1, 100, 1000));
    for (int mode = 0; mode < 2; mode++) {
        chmod(folder, mode ? 0500 : 0);
        e = publish(c, 2, 100, 1000);
        if (reads(e, 2, 0, 1100))
            return 2;
        pfs_entry_unref(e);
        EVENTUALLY(state_is(c, "no permission"), 2000);
        chmod(folder, 0700);
        EVENTUALLY(state_is(c, "ok"), 3000);
    }
    if (pfs_entry_find(c, key_of(1), "text", &e) || status_of(c).damaged)
        return 3;
    pfs_entry_unref(e);
    pfs_cache_close(c);
    return 0;
}

static void permission_taken_away(void **state)
{
    (void)state;
    run(forbidden);
}

static int somebody_elses(void)
{
    if (setgid(65534) || setuid(65534))
        return 1;
    struct pfs_cache *c = open_cache(1 << 30);
    if (!state_is(c, "owned by somebody else"))
        return 2;
    struct pfs_entry *e = publish(c, 1, 100, 1000);
    if (reads(e, 1, 0, 1100))
        return 3;
    pfs_entry_unref(e);
    pfs_ledger_put(c, key_of(1), "abc", 3);
    struct pfs_blob b;
    if (pfs_ledger_get(c, key_of(1), &b) || b.size != 3)
        return 4;
    free(b.data);
    pfs_cache_close(c);
    return 0;
}

static void refused(void **state)
{
    struct pfs_entry *e;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_entry_unref(publish(c, 1, 100, 1000));
    pfs_cache_close(c);
    assert_int_equal(chmod(folder, 0777), 0);
    c = open_cache(1 << 30);
    assert_true(state_is(c, "writable by everybody"));
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), -ENOENT);     /* nothing in it is believed */
    assert_false(pfs_entry_exists(c, key_of(1)));
    e = publish(c, 2, 100, 1000);
    assert_int_equal(reads(e, 2, 0, 1100), 0);
    pfs_entry_unref(e);
    assert_int_equal(count_in("tmp"), 0);
    assert_int_equal(chmod(folder, 0700), 0);
    EVENTUALLY(state_is(c, "ok"), 3000);
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), 0);
    pfs_entry_unref(e);
    pfs_cache_close(c);
    if (!geteuid()) {
        assert_int_equal(chmod(folder, 0755), 0);
        run(somebody_elses);
    }
}

static void impossible_names(void **state)
{
    char name[8000];
    struct pfs_cache *c;
    struct pfs_entry *e;
    const char *names[] = {"/proc/no/such/thing", "/dev/null/x", name};
    (void)state;
    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    for (int i = 0; i < 3; i++) {
        struct pfs_cache_options o = {names[i], 0};
        assert_int_equal(pfs_cache_open(&o, &c, NULL), 0);
        assert_false(state_is(c, "ok"));
        e = publish(c, 2, 100, 1000);
        assert_int_equal(reads(e, 2, 0, 1100), 0);
        pfs_entry_unref(e);
        pfs_cache_close(c);
    }
}

/* ---- killed ---- */

static void work_until_killed(unsigned seed)
{
    struct pfs_cache *c = open_cache(3 << 20);
    for (;;) {
        uint64_t i = (uint64_t)(rand_r(&seed) % 60);
        struct pfs_entry *e;
        if (pfs_entry_find(c, key_of(i), "text", &e))
            e = publish(c, i, 100, 60000 + (int64_t)i * 1000);
        if (reads(e, i, 0, 60100 + (int64_t)i * 1000))
            _exit(1);
        pfs_entry_unref(e);
        pfs_ledger_put(c, key_of(i + 1000 * (seed % 50)), &i, sizeof i);
    }
}

static void killed(void **state)
{
    enum { ROUNDS = 120 };
    int64_t damaged = 0, found = 0;
    (void)state;
    srand(3);
    for (int round = 0; round < ROUNDS; round++) {
        int status;
        pid_t pid[2];
        for (int k = 0; k < 2; k++)
            if (!(pid[k] = fork()))
                work_until_killed((unsigned)(2 * round + k));
        sleep_ms(rand() % 40);
        for (int k = 0; k < 2; k++) {
            kill(pid[k], SIGKILL);
            assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }
        struct pfs_cache *c = open_cache(64 << 20);
        for (uint64_t i = 0; i < 60; i++) {
            struct pfs_entry *e;
            if (pfs_entry_find(c, key_of(i), "text", &e))
                continue;
            found++;
            assert_int_equal(reads(e, i, 0, 60100 + (int64_t)i * 1000), 0);
            pfs_entry_unref(e);
        }
        EVENTUALLY(count_in("tmp") == 0, 2000);
        damaged += status_of(c).damaged;
        pfs_cache_close(c);
    }
    assert_int_equal(damaged, 0);
    assert_true(found > ROUNDS);
}

static void leftovers(void **state)
{
    char command[1024], host[65] = "";
    (void)state;
    siginfo_t ended;
    pid_t unwaited = fork();                /* ends, and nobody waits for it: it is dead all the same */
    if (!unwaited)
        _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)unwaited, &ended, WEXITED | WNOWAIT), 0);
    struct pfs_cache *c = open_cache(1 << 30);
    gethostname(host, 64);
    for (char *p = host; *p; p++)
        *p = *p == '.' ? '_' : *p;
    snprintf(command, sizeof command, "cd %s/tmp && mkdir -p elsewhere.5.1 elsewhere.6.2/a/b/c junk %s.%d.7 %s.1.8"
             " %s.4999999.9 %s.%d.4 && touch -d '2 hours ago' elsewhere.6.2 junk %s.1.8",
             folder, host, (int)getpid(), host, host, host, (int)unwaited, host);
    assert_int_equal(system(command), 0);
    pfs_cache_close(c);
    c = open_cache(1 << 30);
    EVENTUALLY(count_in("tmp") == 2, 2000);
    waitpid(unwaited, NULL, 0);
    snprintf(command, sizeof command, "test -d %s/tmp/elsewhere.5.1 -a -d %s/tmp/%s.%d.7", folder, folder, host,
             (int)getpid());
    assert_int_equal(system(command), 0);
    pfs_cache_close(c);
}

static int remove_mounted_folder(void **state)
{
    umount2(folder, MNT_DETACH);
    return remove_folder(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
#define MOUNTED(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_mounted_folder)
    const struct CMUnitTest tests[] = {
        TEST(limit_holds), TEST(oldest_first), TEST(order_on_disk), TEST(deleted_while_open), MOUNTED(full_disk),
        MOUNTED(full_of_others), MOUNTED(full_at_every_point), MOUNTED(read_only), TEST(removed_under_it),
        TEST(a_file_in_its_place), TEST(permission_taken_away), TEST(refused), TEST(impossible_names), TEST(killed),
        TEST(leftovers),
    };
    return cmocka_run_group_tests_name("cache_trouble", tests, NULL, NULL);
}
