/* The ledger: round trips, several writers, torn and flipped files, many old files, bounds, speed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache/ledger_file.h"
#include "cache_help.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* Value i: its length and bytes follow from i. */
static size_t length_of(uint64_t i)
{
    static const size_t lengths[] = {0, 1, 8, 40, 300, 511, 512, 513, 5000, 70000, 1 << 20, 3000000};
    return lengths[i % (sizeof lengths / sizeof *lengths)];
}

static void put_n(struct pfs_cache *c, uint64_t i, size_t n)
{
    uint8_t *b = malloc(n + 1);
    fill(i, 0, (int64_t)n, b);
    pfs_ledger_put(c, key_of(i), b, n);
    free(b);
}

/* 0: there and right. -ENOENT: not there. 1: wrong. */
static int get_n(struct pfs_cache *c, uint64_t i, size_t n)
{
    struct pfs_blob b;
    int r = pfs_ledger_get(c, key_of(i), &b);
    if (r)
        return r;
    r = b.size != n;
    for (size_t p = 0; !r && p < n; p++)
        r = ((uint8_t *)b.data)[p] != byte_of(i, (int64_t)p);
    free(b.data);
    return r;
}

static void put(struct pfs_cache *c, uint64_t i) { put_n(c, i, length_of(i)); }
static int get(struct pfs_cache *c, uint64_t i) { return get_n(c, i, length_of(i)); }

static void round_trips(void **state)
{
    enum { N = 48 };
    struct pfs_blob b;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    for (uint64_t i = 0; i < N; i++) {
        assert_int_equal(get(c, i), -ENOENT);
        put(c, i);
        assert_int_equal(get(c, i), 0);
    }
    pfs_ledger_put(c, key_of(3), "another", 7);               /* what is there stays */
    assert_int_equal(get(c, 3), 0);
    uint8_t *big = calloc(1, PFS_VALUE_MAX + 1);
    pfs_ledger_put(c, key_of(900), big, PFS_VALUE_MAX + 1);
    assert_int_equal(pfs_ledger_get(c, key_of(900), &b), -ENOENT);
    pfs_ledger_put(c, key_of(901), big, PFS_VALUE_MAX);
    free(big);
    sleep_ms(400);                                            /* by now they are in the file */
    for (uint64_t i = 0; i < N; i++)
        assert_int_equal(get(c, i), 0);
    pfs_cache_close(c);
    int files = count_in("ledger");
    for (int again = 0; again < 2; again++) {
        c = open_cache(1 << 30);
        for (uint64_t i = 0; i < N; i++)
            assert_int_equal(get(c, i), 0);
        assert_int_equal(pfs_ledger_get(c, key_of(901), &b), 0);
        assert_int_equal(b.size, PFS_VALUE_MAX);
        free(b.data);
        assert_true(status_of(c).bytes > 8 << 20);
        pfs_cache_close(c);
    }
    assert_int_equal(count_in("ledger"), files);              /* who puts nothing leaves no file */
}

static void write_and_die(uint64_t first, uint64_t n)
{
    struct pfs_cache *c = open_cache(1 << 30);
    for (uint64_t i = first; i < first + n; i++)
        put(c, i);
    pfs_cache_close(c);
    _exit(0);
}

static void by_processes(int count, uint64_t each)
{
    int status;
    for (int k = 0; k < count; k++) {
        pid_t pid = fork();
        if (!pid)
            write_and_die((uint64_t)k * each, each);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void two_processes(void **state)
{
    int status;
    pid_t pid[2];
    (void)state;
    for (uint64_t k = 0; k < 2; k++)
        if (!(pid[k] = fork()))
            write_and_die(k * 30, 40);                        /* ten of them by both */
    for (int k = 0; k < 2; k++) {
        assert_int_equal(waitpid(pid[k], &status, 0), pid[k]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_in("ledger"), 2);
    struct pfs_cache *c = open_cache(1 << 30);
    for (uint64_t i = 0; i < 70; i++)
        assert_int_equal(get(c, i), 0);
    pfs_cache_close(c);
}

static void merged(void **state)
{
    const int64_t wide = (int64_t)16 << 30;                   /* none of the files is too large to be merged */
    (void)state;
    by_processes(8, 24);
    struct pfs_cache *c = open_cache(wide);
    sleep_ms(200);
    assert_int_equal(count_in("ledger"), 8);                  /* not too many yet */
    pfs_cache_close(c);
    by_processes(9, 24);                                      /* a ninth; the others have nothing new */
    c = open_cache(wide);
    EVENTUALLY(count_in("ledger") == 1, 5000);
    for (uint64_t i = 0; i < 9 * 24; i++)
        assert_int_equal(get(c, i), 0);
    put(c, 1000);
    pfs_cache_close(c);
    assert_int_equal(count_in("ledger"), 1);
    c = open_cache(wide);
    for (uint64_t i = 0; i < 9 * 24; i++)
        assert_int_equal(get(c, i), 0);
    assert_int_equal(get(c, 1000), 0);
    pfs_cache_close(c);
}

/* ---- damage ---- */

static char *only_file(void)
{
    static char path[400];
    char ledger[100];
    snprintf(ledger, sizeof ledger, "%s/ledger", folder);
    DIR *d = opendir(ledger);
    struct dirent *e;
    *path = 0;
    while (d && (e = readdir(d)))
        if (*e->d_name != '.')
            snprintf(path, sizeof path, "%s/%s", ledger, e->d_name);
    if (d)
        closedir(d);
    assert_true(*path);
    return path;
}

static uint8_t *slurp(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && !fstat(fd, &st));
    uint8_t *b = malloc((size_t)st.st_size + 100);
    *n = (size_t)st.st_size;
    assert_int_equal(read(fd, b, *n), *n);
    close(fd);
    return b;
}

static void spill(const char *path, const uint8_t *b, size_t n)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, b, n), n);
    close(fd);
}

enum { FEW = 9 };
static const size_t few[FEW] = {10, 513, 0, 100, 2000, 512, 1, 700, 33};

/* How many of the few values are there; none may be wrong, and those that are not can be put again. */
static int survivors(int *ret_last)
{
    int n = 0;
    struct pfs_cache *c = open_cache(1 << 30);
    *ret_last = -1;
    for (int i = 0; i < FEW; i++) {
        int r = get_n(c, (uint64_t)i, few[i]);
        assert_true(r == 0 || r == -ENOENT);
        n += r == 0;
        if (r == 0) {
            *ret_last = i;
            continue;
        }
        put_n(c, (uint64_t)i, few[i]);
        assert_int_equal(get_n(c, (uint64_t)i, few[i]), 0);
    }
    pfs_cache_close(c);
    return n;
}

static char first_path[400];

static uint8_t *make_few(size_t *n)
{
    struct pfs_cache *c = open_cache(1 << 30);
    for (int i = 0; i < FEW; i++)
        put_n(c, (uint64_t)i, few[i]);
    pfs_cache_close(c);
    strcpy(first_path, only_file());
    return slurp(first_path, n);
}

static void only_first_again(void)
{
    char command[900];
    snprintf(command, sizeof command, "find %s/ledger -name '*.log' ! -path %s -delete", folder, first_path);
    assert_int_equal(system(command), 0);
}

static void torn_tails(void **state)
{
    size_t n, end = PFS_LEDGER_HEAD;
    int whole = 0, last;
    (void)state;
    uint8_t *b = make_few(&n);
    for (size_t cut = 0; cut <= n; cut++) {
        while (whole < FEW && cut >= end + PFS_RECORD_HEAD + few[whole])
            end += PFS_RECORD_HEAD + few[whole++];
        if (cut % 7 && cut > 200 && cut != end && cut != end + 1 && cut + 1 != end + PFS_RECORD_HEAD)
            continue;
        spill(first_path, b, cut);
        assert_int_equal(survivors(&last), whole);
        only_first_again();
    }
    free(b);
}

static void flipped_bits(void **state)
{
    size_t n;
    int last;
    (void)state;
    uint8_t *b = make_few(&n);
    srand(4);
    for (int k = 0; k < 1200; k++) {
        size_t bit = k < 8 * PFS_LEDGER_HEAD ? (size_t)k : (size_t)rand() % (8 * n);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        spill(first_path, b, n);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(survivors(&last), bit < 8 * PFS_LEDGER_HEAD ? 0 : FEW - 1);
        only_first_again();
    }
    free(b);
}

/* Holes: bytes missing or added in the middle cost the record they are in, the rest is found again. */
static void cut_out(void **state)
{
    size_t n;
    int last;
    (void)state;
    uint8_t *b = make_few(&n), *t = malloc(n + 100);
    srand(6);
    for (int k = 0; k < 300; k++) {
        size_t at = PFS_LEDGER_HEAD + (size_t)rand() % (n - PFS_LEDGER_HEAD - 100), gap = 1 + (size_t)rand() % 60;
        memcpy(t, b, at);
        memcpy(t + at, b + at + gap, n - at - gap);
        spill(first_path, t, n - gap);
        int left = survivors(&last);
        assert_in_range(left, FEW - 4, FEW - 1);
        assert_true(last >= FEW - 3);
        only_first_again();
        memcpy(t + at, "\xe7PFr-not-a-record", 17);
        memcpy(t + at + 17, b + at, n - at);
        spill(first_path, t, n + 17);
        left = survivors(&last);
        assert_in_range(left, FEW - 3, FEW);
        assert_int_equal(last, FEW - 1);
        only_first_again();
    }
    free(b);
    free(t);
}

/* A value that is itself a record of a ledger, behind damage: never taken for one. */
static void planted(void **state)
{
    struct pfs_blob b;
    struct pfs_text evil = {0};
    size_t n;
    (void)state;
    for (uint64_t nonce = 0; nonce < 20; nonce++)
        pfs_record_put(&evil, nonce, key_of(77), "planted", 7);
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_ledger_put(c, key_of(1), evil.s, evil.n);
    put_n(c, 2, 50);
    pfs_cache_close(c);
    const char *path = only_file();
    uint8_t *bytes = slurp(path, &n);
    bytes[PFS_LEDGER_HEAD + 5] ^= 1;
    spill(path, bytes, n);
    c = open_cache(1 << 30);
    assert_int_equal(pfs_ledger_get(c, key_of(1), &b), -ENOENT);
    assert_int_equal(pfs_ledger_get(c, key_of(77), &b), -ENOENT);
    assert_int_equal(get_n(c, 2, 50), 0);
    pfs_cache_close(c);
    pfs_text_finish(&evil);
    free(bytes);
}

static void strange_files(void **state)
{
    char command[600];
    (void)state;
    snprintf(command, sizeof command, "cd %s && mkdir ledger && cd ledger && mkfifo a.log && mkdir b.log"
             " && ln -s /dev/zero c.log && touch d.log && head -c 100000 /dev/urandom > e.log && ln -s nowhere f.log"
             " && touch g.log.txt", folder);
    assert_int_equal(system(command), 0);
    struct pfs_cache *c = open_cache(1 << 30);
    put(c, 5);
    pfs_cache_close(c);
    c = open_cache(1 << 30);
    assert_int_equal(get(c, 5), 0);
    pfs_cache_close(c);
}

/* The file is deleted under the writer: it begins another. */
static void deleted_file(void **state)
{
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    put(c, 4);
    put(c, 8);
    EVENTUALLY(count_in("ledger") == 1, 2000);
    sleep_ms(200);
    assert_int_equal(unlink(only_file()), 0);
    put(c, 5);
    put(c, 9);
    EVENTUALLY(count_in("ledger") == 1, 2000);
    for (uint64_t i = 4; i < 10; i += i % 4 ? 3 : 1)
        assert_int_equal(get(c, i), 0);
    pfs_cache_close(c);
    c = open_cache(1 << 30);
    assert_int_equal(get(c, 4), -ENOENT);
    assert_int_equal(get(c, 5), 0);
    assert_int_equal(get(c, 9), 0);
    pfs_cache_close(c);
}

static void killed(void **state)
{
    (void)state;
    srand(8);
    for (int round = 0; round < 25; round++) {
        int status;
        pid_t pid = fork();
        if (!pid) {
            struct pfs_cache *c = open_cache(1 << 30);
            for (uint64_t i = (uint64_t)round * 100000;; i++)
                put_n(c, i, (size_t)(i % 700));
        }
        sleep_ms(rand() % 60 + 5);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        struct pfs_cache *c = open_cache(1 << 30);
        for (uint64_t i = (uint64_t)round * 100000; i < (uint64_t)round * 100000 + 2000; i++)
            assert_true(get_n(c, i, (size_t)(i % 700)) != 1);
        pfs_cache_close(c);
    }
}

/* ---- bounds ---- */

static void bounded(void **state)
{
    const size_t n = 4 << 20;
    (void)state;
    for (int round = 0; round < 2; round++) {
        int status;
        pid_t pid = fork();
        if (!pid) {
            struct pfs_cache *c = open_cache(1 << 20);
            for (uint64_t i = 0; i < 40; i++) {
                put_n(c, (uint64_t)round * 100 + i, n);
                sleep_ms(10);
            }
            pfs_cache_close(c);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
    char command[200];
    long long kib;
    snprintf(command, sizeof command, "du -sk %s/ledger", folder);
    FILE *p = popen(command, "r");
    assert_int_equal(fscanf(p, "%lld", &kib), 1);
    pclose(p);
    assert_in_range(kib, 30 << 10, (64 + 16) << 10);
    struct pfs_cache *c = open_cache(1 << 20);
    assert_int_equal(get_n(c, 139, n), 0);                    /* the newest is there, the oldest is not */
    assert_int_equal(get_n(c, 0, n), -ENOENT);
    pfs_cache_close(c);
}

/* ---- threads, speed ---- */

struct worker { struct pfs_cache *c; uint64_t first; int bad; };

static void *mingle(void *arg)
{
    struct worker *w = arg;
    for (uint64_t k = 0; k < 3000; k++) {
        uint64_t i = (w->first + k * 7) % 2000;
        size_t n = (size_t)(i % 900);
        put_n(w->c, i, n);
        w->bad += get_n(w->c, i, n) != 0;
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { N = 4 };
    pthread_t t[N];
    struct worker w[N];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    for (int i = 0; i < N; i++) {
        w[i] = (struct worker){c, (uint64_t)i * 500, 0};
        assert_int_equal(pthread_create(&t[i], NULL, mingle, &w[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(w[i].bad, 0);
    }
    pfs_cache_close(c);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void speed(void **state)
{
    enum { N = 100000, SIZE = 300 };
    uint8_t b[SIZE];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    double t = now_s();
    for (uint64_t i = 0; i < N; i++) {
        memset(b, (int)i, sizeof b);
        pfs_ledger_put(c, key_of(i), b, sizeof b);
    }
    double put_s = now_s() - t;
    pfs_cache_close(c);
    double close_s = now_s() - t;
    t = now_s();
    c = open_cache(1 << 30);
    double load_s = now_s() - t;
    t = now_s();
    for (uint64_t i = 0; i < N; i++) {
        struct pfs_blob r;
        assert_int_equal(pfs_ledger_get(c, key_of(i), &r), 0);
        assert_int_equal(r.size, SIZE);
        assert_int_equal(((uint8_t *)r.data)[SIZE - 1], (uint8_t)i);
        free(r.data);
    }
    print_message("100,000 values of 300 bytes: put %.0f/s (to disk %.0f/s), load %.0f ms, get %.0f/s\n", N / put_s,
                  N / close_s, 1e3 * load_s, N / (now_s() - t));
    pfs_cache_close(c);
    assert_true(load_s < 5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(round_trips), TEST(two_processes), TEST(merged), TEST(torn_tails), TEST(flipped_bits), TEST(cut_out),
        TEST(planted), TEST(strange_files), TEST(deleted_file), TEST(killed), TEST(bounded), TEST(many_threads),
        TEST(speed),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
