/* The cache from outside: publish, find, read, share between threads and processes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_help.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

enum { BLOCK = 64 * 1024 };

static void round_trips(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{0, 0}, {0, 1}, {7, 0}, {300, 1000}, {300, BLOCK - 300}, {300, BLOCK - 299},
                                {4096, 5 * BLOCK}, {333, 3 * BLOCK + 17}, {BLOCK, BLOCK}, {16, 12 * BLOCK + 1}};
    struct pfs_cache *c = open_cache(1 << 30);
    for (uint64_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pfs_entry *e = publish(c, i, sizes[i][0], sizes[i][1]);
        assert_int_equal(reads(e, i, 0, sizes[i][0] + sizes[i][1]), 0);
        pfs_entry_unref(e);
    }
    for (int again = 0; again < 2; again++) {
        for (uint64_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct pfs_entry *e;
            int64_t n = sizes[i][0] + sizes[i][1];
            assert_true(pfs_entry_exists(c, key_of(i)));
            assert_int_equal(pfs_entry_find(c, key_of(i), "text", &e), 0);
            assert_int_equal(pfs_entry_size(e), n);
            assert_int_equal(pfs_entry_head(e), sizes[i][0]);
            assert_int_equal(reads(e, i, 0, n), 0);
            for (int64_t off = 0; off <= n; off += 10007)
                for (int64_t len = 0; off + len <= n; len += len < 100 ? 33 : 50021)
                    assert_int_equal(reads(e, i, off, len), 0);
            assert_int_equal(reads(e, i, n, 1), -EINVAL);
            assert_int_equal(reads(e, i, -1, 1), -EINVAL);
            assert_int_equal(reads(e, i, 1, n), -EINVAL);
            pfs_entry_unref(e);
        }
        pfs_cache_close(c);
        c = open_cache(1 << 30);
    }
    EVENTUALLY(status_of(c).entries == sizeof sizes / sizeof *sizes, 2000);
    assert_int_equal(status_of(c).damaged, 0);
    assert_int_equal(count_in("tmp"), 0);
    pfs_cache_close(c);
}

static void misses(void **state)
{
    struct pfs_entry *e, *f;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), -ENOENT);
    assert_false(pfs_entry_exists(c, key_of(1)));
    e = publish(c, 1, 10, 100);
    assert_int_equal(pfs_entry_find(c, key_of(1), "other text", &f), -ENOENT);     /* open */
    pfs_entry_unref(e);
    pfs_cache_close(c);
    c = open_cache(1 << 30);
    assert_int_equal(pfs_entry_find(c, key_of(1), "other text", &f), -ENOENT);     /* on disk */
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &f), 0);
    pfs_entry_unref(f);
    assert_int_equal(status_of(c).hits, 1);
    assert_int_equal(status_of(c).misses, 1);
    assert_int_equal(status_of(c).damaged, 0);
    /* The collision's loser is served all the same, and the winner stays. */
    assert_int_equal(pfs_draft_publish(draft_of(c, 2, 10, 100), key_of(1), "other text", &e, NULL), 0);
    assert_int_equal(reads(e, 2, 0, 110), 0);
    pfs_entry_unref(e);
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &f), 0);
    assert_int_equal(reads(f, 1, 0, 110), 0);
    pfs_entry_unref(f);
    assert_string_equal(status_of(c).state, "ok");
    assert_int_equal(count_in("tmp"), 0);
    pfs_cache_close(c);
}

static void drafts(void **state)
{
    struct pfs_draft *d;
    struct pfs_entry *e, *f;
    struct stat st;
    struct pfs_err err;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    assert_int_equal(pfs_draft_create(c, "head", 4, 1 << 20, &d, &err), 0);
    assert_int_equal(fstat(pfs_draft_fd(d), &st), 0);
    assert_int_equal(st.st_size, 4 + (1 << 20));
    assert_int_equal(count_in("tmp"), 1);
    pfs_draft_discard(d);
    pfs_draft_discard(NULL);
    assert_int_equal(count_in("tmp"), 0);
    assert_int_equal(pfs_draft_create(c, "", 0, -1, &d, &err), -EINVAL);
    assert_int_equal(pfs_draft_create(c, "", -1, 0, &d, &err), -EINVAL);
    assert_int_equal(pfs_draft_create(c, "", 1, INT64_MAX, &d, &err), -EINVAL);
    assert_int_equal(pfs_draft_create_memory(c, "", 1, INT64_MAX, &d, &err), -EINVAL);
    /* A writer that cut the file short: the result cannot be trusted. */
    d = draft_of(c, 3, 10, 1000);
    assert_int_equal(ftruncate(pfs_draft_fd(d), 500), 0);
    assert_int_equal(pfs_draft_publish(d, key_of(3), "text", &e, &err), -EIO);
    assert_int_equal(pfs_entry_find(c, key_of(3), "text", &e), -ENOENT);
    /* In memory: found while somebody holds it, never on disk. */
    uint8_t b[1000];
    fill(4, 0, sizeof b, b);
    assert_int_equal(pfs_draft_create_memory(c, b, 100, 900, &d, &err), 0);
    assert_int_equal(pwrite(pfs_draft_fd(d), b + 100, 900, 100), 900);
    assert_int_equal(pfs_draft_publish(d, key_of(4), "text", &e, &err), 0);
    assert_int_equal(pfs_entry_find(c, key_of(4), "text", &f), 0);
    assert_ptr_equal(e, f);
    assert_int_equal(reads(f, 4, 0, 1000), 0);
    assert_int_equal(write(pfs_entry_fd(f), "x", 1), -1);     /* lent for reading */
    assert_int_equal(errno, EBADF);
    pfs_entry_unref(e);
    pfs_entry_unref(f);
    assert_int_equal(pfs_entry_find(c, key_of(4), "text", &f), -ENOENT);
    pfs_cache_close(c);
}

static void one_descriptor(void **state)
{
    struct pfs_entry *e[3];
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    e[0] = publish(c, 1, 10, 100);
    assert_int_equal(write(pfs_entry_fd(e[0]), "x", 1), -1);
    pfs_entry_unref(e[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e[i]), 0);
    assert_ptr_equal(e[0], e[1]);
    assert_ptr_equal(e[0], e[2]);
    assert_ptr_equal(pfs_entry_ref(e[0]), e[0]);
    for (int i = 0; i < 3; i++)
        pfs_entry_unref(e[i]);
    pfs_cache_close(c);                       /* an entry outlives its cache */
    assert_int_equal(reads(e[0], 1, 0, 110), 0);
    pfs_entry_unref(e[0]);
    /* Many more than are held open. */
    c = open_cache(1 << 30);
    for (uint64_t i = 0; i < 300; i++)
        pfs_entry_unref(publish(c, i, 10, 100));
    int fd = open("/dev/null", O_RDONLY);
    assert_in_range(fd, 3, 100);
    close(fd);
    pfs_cache_close(c);
}

static void modes(void **state)
{
    struct stat st;
    char path[256];
    (void)state;
    assert_int_equal(rmdir(folder), 0);
    strcat(folder, "/a/b");
    umask(0);
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_entry_unref(publish(c, 1, 10, 100));
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    path_of(1, "", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    path_of(1, "data.tif", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    path_of(1, "sums", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    pfs_cache_close(c);
    umask(022);
    *strstr(folder, "/a/b") = 0;
}

/* ---- threads ---- */

struct crowd { struct pfs_cache *c; unsigned seed; int bad; };

static void *mingle(void *arg)
{
    struct crowd *w = arg;
    for (int k = 0; k < 300; k++) {
        uint64_t i = (uint64_t)(rand_r(&w->seed) % 20);
        int64_t head = 100 + (int64_t)i, payload = (int64_t)i * 9001;
        struct pfs_entry *e;
        if (pfs_entry_find(w->c, key_of(i), "text", &e))
            e = publish(w->c, i, head, payload);
        w->bad += reads(e, i, 0, head + payload) != 0;
        pfs_entry_unref(e);
        uint64_t v = i;
        struct pfs_blob b;
        pfs_ledger_put(w->c, key_of(i), &v, sizeof v);
        if (pfs_ledger_get(w->c, key_of(i), &b)) {
            w->bad++;
        } else {
            w->bad += b.size != sizeof v || memcmp(b.data, &v, sizeof v) != 0;
            free(b.data);
        }
    }
    return NULL;
}

static void many_threads(void **state)
{
    enum { N = 8 };
    pthread_t t[N];
    struct crowd w[N];
    (void)state;
    struct pfs_cache *c = open_cache(600 * 1024);     /* so small that eviction goes on meanwhile */
    for (int i = 0; i < N; i++) {
        w[i] = (struct crowd){c, (unsigned)i, 0};
        assert_int_equal(pthread_create(&t[i], NULL, mingle, &w[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(w[i].bad, 0);
    }
    assert_true(status_of(c).evicted > 0);
    assert_int_equal(status_of(c).damaged, 0);
    assert_string_equal(status_of(c).state, "ok");
    assert_int_equal(count_in("tmp"), 0);
    pfs_cache_close(c);
}

/* ---- processes ---- */

static void race(int child, int go)
{
    char x;
    struct pfs_cache *c = open_cache(1 << 30);
    if (read(go, &x, 1) != 0)
        _exit(9);
    for (uint64_t i = 0; i < 100; i++) {
        struct pfs_entry *e = publish(c, i, 50, 3000 + (int64_t)i);
        if (reads(e, i, 0, 3050 + (int64_t)i))
            _exit(1);
        pfs_entry_unref(e);
    }
    if (strcmp(status_of(c).state, "ok") || status_of(c).damaged)
        _exit(2 + child);
    pfs_cache_close(c);
    _exit(0);
}

static void two_processes(void **state)
{
    int go[2], status;
    pid_t pid[2];
    (void)state;
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        if (!pid[i]) {
            close(go[1]);
            race(i, go[0]);
        }
    }
    close(go[0]);
    sleep_ms(50);
    close(go[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_in("tmp"), 0);
    struct pfs_cache *c = open_cache(1 << 30);
    for (uint64_t i = 0; i < 100; i++) {
        struct pfs_entry *e;
        assert_int_equal(pfs_entry_find(c, key_of(i), "text", &e), 0);
        assert_int_equal(reads(e, i, 0, 3050 + (int64_t)i), 0);
        pfs_entry_unref(e);
    }
    EVENTUALLY(status_of(c).entries == 100, 2000);
    pfs_cache_close(c);
}

/* ---- speed, printed ---- */

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void speed(void **state)
{
    const int64_t n = 64 << 20, piece = 128 * 1024;
    struct pfs_draft *d;
    struct pfs_entry *e;
    (void)state;
    uint8_t *b = calloc(1, (size_t)n);
    struct pfs_cache *c = open_cache(1 << 30);
    assert_int_equal(pfs_draft_create(c, b, 300, n, &d, NULL), 0);
    assert_int_equal(pwrite(pfs_draft_fd(d), b, (size_t)n, 300), n);
    double t = now_s();
    assert_int_equal(pfs_draft_publish(d, key_of(1), "text", &e, NULL), 0);
    print_message("publish: %.2f GB/s\n", (double)n / (now_s() - t) * 1e-9);
    for (int aligned = 1; aligned >= 0; aligned--) {
        double best = 0;
        for (int k = 0; k < 5; k++) {
            t = now_s();
            for (int64_t off = aligned ? 0 : 300; off + piece <= n; off += piece)
                assert_int_equal(pfs_entry_read(e, off, piece, b + off, NULL), 0);
            double rate = (double)n / (now_s() - t) * 1e-9;
            best = rate > best ? rate : best;
        }
        print_message("verified reads of 128 KiB, %s: %.2f GB/s\n", aligned ? "on block bounds" : "shifted", best);
    }
    pfs_entry_unref(e);
    free(b);
    pfs_cache_close(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(round_trips), TEST(misses), TEST(drafts), TEST(one_descriptor), TEST(modes), TEST(many_threads),
        TEST(two_processes), TEST(speed),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
