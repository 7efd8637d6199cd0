/* Damaged entries: flipped, cut, swapped, replaced. Each must be noticed before a wrong byte is handed out. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_help.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { BLOCK = 64 * 1024, HEAD = 300, PAYLOAD = 2 * BLOCK + 500, SIZE = HEAD + PAYLOAD };

static void make_entry(uint64_t i)
{
    struct pfs_cache *c = open_cache(1 << 30);
    pfs_entry_unref(publish(c, i, HEAD, PAYLOAD));
    pfs_cache_close(c);
}

static uint8_t *slurp(const char *path, size_t *n)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && !fstat(fd, &st));
    uint8_t *b = malloc((size_t)st.st_size + 1);
    *n = (size_t)st.st_size;
    assert_int_equal(read(fd, b, *n), *n);
    close(fd);
    return b;
}

static void overwrite(const char *path, const void *data, size_t n)
{
    char was[300];
    snprintf(was, sizeof was, "%s", path);
    unlink(was);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, n), n);
    close(fd);
}

/* Whoever asks now must get the right bytes or a miss; and whoever makes it anew must be able to. 1: still there. */
static int served(struct pfs_cache *c, uint64_t i)
{
    struct pfs_entry *e;
    int there = 0;
    if (!pfs_entry_find(c, key_of(i), "text", &e)) {
        int r = reads(e, i, 0, SIZE);
        assert_true(r == 0 || r == -EBADMSG);
        there = r == 0;
        pfs_entry_unref(e);
    }
    if (there)
        return 1;
    assert_int_equal(pfs_entry_find(c, key_of(i), "text", &e), -ENOENT);
    e = publish(c, i, HEAD, PAYLOAD);
    assert_int_equal(reads(e, i, 0, SIZE), 0);
    pfs_entry_unref(e);
    assert_int_equal(pfs_entry_find(c, key_of(i), "text", &e), 0);
    assert_int_equal(reads(e, i, 0, SIZE), 0);
    pfs_entry_unref(e);
    assert_string_equal(status_of(c).state, "ok");
    assert_int_equal(count_in("tmp"), 0);
    return 0;
}

/* The same, with a cache that has never seen the entry. */
static int served_fresh(uint64_t i, int64_t damaged)
{
    struct pfs_cache *c = open_cache(1 << 30);
    int r = served(c, i);
    assert_int_equal(status_of(c).damaged, damaged);
    pfs_cache_close(c);
    return r;
}

static void flipped_data(void **state)
{
    char path[256];
    size_t n;
    (void)state;
    make_entry(1);
    path_of(1, "data.tif", path);
    uint8_t *b = slurp(path, &n);
    assert_int_equal(n, SIZE);
    srand(1);
    for (int k = 0; k < 3000; k++) {
        size_t at = k < 16 ? (size_t)k : k < 32 ? n - (size_t)(k - 15) : (size_t)(rand() % (int)n);
        uint8_t bit = (uint8_t)(1 << rand() % 8);
        struct pfs_cache *c = open_cache(1 << 30);
        struct pfs_entry *e;
        b[at] ^= bit;
        overwrite(path, b, n);
        assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), 0);
        /* Blocks that are not hit read as before; the one that is yields not even its right bytes. */
        for (int64_t block = 0; block < 3; block++) {
            int64_t off = block * BLOCK, len = block == 2 ? SIZE - off : BLOCK;
            bool hit = (int64_t)at / BLOCK == block;
            assert_int_equal(reads(e, 1, off + len / 3, len / 2), hit ? -EBADMSG : 0);
        }
        assert_int_equal(status_of(c).damaged, 1);
        pfs_entry_unref(e);
        assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), -ENOENT);
        b[at] ^= bit;
        pfs_entry_unref(publish(c, 1, HEAD, PAYLOAD));
        pfs_cache_close(c);
    }
    free(b);
}

static void flipped_sums(void **state)
{
    char path[256];
    size_t n;
    (void)state;
    make_entry(1);
    path_of(1, "sums", path);
    uint8_t *b = slurp(path, &n);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        overwrite(path, b, n);
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(served_fresh(1, 1), 0);
    }
    free(b);
}

static void flipped_under_a_reader(void **state)
{
    char path[256];
    struct pfs_entry *e, *f;
    (void)state;
    struct pfs_cache *c = open_cache(1 << 30);
    e = publish(c, 1, HEAD, PAYLOAD);
    path_of(1, "data.tif", path);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "\xff\x00\xff", 3, BLOCK + 77), 3);
    assert_int_equal(reads(e, 1, 0, BLOCK), 0);
    assert_int_equal(reads(e, 1, BLOCK, 10), -EBADMSG);
    assert_int_equal(reads(e, 1, BLOCK + 1000, 10), -EBADMSG);
    assert_int_equal(status_of(c).damaged, 1);
    /* Made anew while the damaged one is still held: the new one is not set aside for the old one's sake. */
    f = publish(c, 1, HEAD, PAYLOAD);
    assert_ptr_not_equal(e, f);
    assert_int_equal(reads(e, 1, BLOCK, 10), -EBADMSG);
    assert_int_equal(reads(f, 1, 0, SIZE), 0);
    pfs_entry_unref(e);
    pfs_entry_unref(f);
    /* Cut short under a reader: an error, not a signal. */
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), 0);
    assert_int_equal(reads(e, 1, 0, SIZE), 0);
    assert_int_equal(truncate(path, BLOCK + 5), 0);
    assert_int_equal(reads(e, 1, 0, SIZE), -EBADMSG);
    pfs_entry_unref(e);
    close(fd);
    pfs_cache_close(c);
}

static void every_length(void **state)
{
    char data[256], sums[256];
    size_t n_data, n_sums;
    (void)state;
    make_entry(1);
    path_of(1, "data.tif", data);
    path_of(1, "sums", sums);
    uint8_t *d = slurp(data, &n_data), *s = slurp(sums, &n_sums);
    for (size_t n = 0; n < n_sums; n++) {
        overwrite(sums, s, n);
        assert_int_equal(served_fresh(1, 1), 0);
    }
    srand(2);
    for (size_t n = 0; n < n_data; n += n < 700 || (n > BLOCK - 3 && n < BLOCK + 3) ? 1 : 1 + (size_t)(rand() % 500)) {
        overwrite(data, d, n);
        assert_int_equal(served_fresh(1, 1), 0);
    }
    d = realloc(d, n_data + 1);
    d[n_data] = 0;
    overwrite(data, d, n_data + 1);
    assert_int_equal(served_fresh(1, 1), 0);
    free(d);
    free(s);
}

static void swapped(void **state)
{
    char a[256], b[256], a_data[256], b_data[256], hold[256];
    (void)state;
    make_entry(1);
    make_entry(2);
    snprintf(hold, sizeof hold, "%s/hold", folder);
    path_of(1, "", a);
    path_of(2, "", b);
    path_of(1, "data.tif", a_data);
    path_of(2, "data.tif", b_data);
    assert_int_equal(rename(a, hold) | rename(b, a) | rename(hold, b), 0);        /* whole entries */
    assert_int_equal(served_fresh(1, 1), 0);
    assert_int_equal(served_fresh(2, 1), 0);
    assert_int_equal(rename(a_data, hold) | rename(b_data, a_data) | rename(hold, b_data), 0);
    assert_int_equal(served_fresh(1, 1), 0);
    assert_int_equal(served_fresh(2, 1), 0);
    assert_int_equal(served_fresh(1, 0), 1);
}

/* Something else in the place of the name. */
static void put_thing(int kind, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
    switch (kind) {
    case 0: assert_int_equal(mkfifo(path, 0600), 0); break;
    case 1: assert_int_equal(mkdir(path, 0700), 0); break;
    case 2: assert_int_equal(symlink("/etc/passwd", path), 0); break;
    case 3: assert_int_equal(symlink("nowhere", path), 0); break;
    case 4: overwrite(path, "", 0); break;
    case 5: break;
    case 6: {
        int s = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(a.sun_path, sizeof a.sun_path, "%.100s", path);
        assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
        close(s);
        break;
    }
    case 7: assert_int_equal(symlink("/tmp", path), 0); break;
    default: assert_int_equal(mknod(path, S_IFCHR | 0600, 1 << 8 | 3), 0);
    }
}

static void replaced(void **state)
{
    const char *const names[] = {"data.tif", "sums", ""};
    (void)state;
    make_entry(1);
    for (int n = 0; n < 3; n++)
        for (int kind = 0; kind <= (geteuid() ? 7 : 8); kind++) {
            char path[256];
            path_of(1, names[n], path);
            put_thing(kind, path);
            bool missing = n == 2 && kind == 5;
            assert_int_equal(served_fresh(1, !missing), 0);
        }
}

/* The same entry behind a link: the link is not followed, and what it points to stays. */
static void linked(void **state)
{
    char path[256], hold[256];
    struct stat st;
    (void)state;
    make_entry(1);
    snprintf(hold, sizeof hold, "%s/hold", folder);
    path_of(1, "", path);
    assert_int_equal(rename(path, hold), 0);
    assert_int_equal(symlink(hold, path), 0);
    assert_int_equal(served_fresh(1, 1), 0);
    assert_int_equal(stat(hold, &st), 0);
    strcat(hold, "/data.tif");
    assert_int_equal(stat(hold, &st), 0);
    assert_int_equal(st.st_size, SIZE);
}

/* An entry of a version to come is not ours to judge: neither served nor deleted. */
static void other_version(void **state)
{
    char path[256];
    size_t n;
    struct pfs_entry *e;
    struct pfs_text tail = {0};
    (void)state;
    make_entry(1);
    path_of(1, "sums", path);
    uint8_t *b = slurp(path, &n);
    b[8] = 9;
    pfs_put_u64(&tail, pfs_hash64(b, n - 8, 0));
    memcpy(b + n - 8, tail.s, 8);
    overwrite(path, b, n);
    struct pfs_cache *c = open_cache(1 << 30);
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), -ENOENT);
    e = publish(c, 1, HEAD, PAYLOAD);
    assert_int_equal(reads(e, 1, 0, SIZE), 0);
    pfs_entry_unref(e);
    assert_int_equal(status_of(c).damaged, 0);
    pfs_cache_close(c);
    size_t again;
    uint8_t *now = slurp(path, &again);
    assert_int_equal(again, n);
    assert_memory_equal(now, b, n);
    free(b);
    free(now);
    pfs_text_finish(&tail);
}

/* Descriptors run out: a miss, and the entry stays. */
static void no_descriptors(void **state)
{
    int fd[256], n = 0;
    struct pfs_entry *e;
    struct rlimit was, few;
    (void)state;
    make_entry(1);
    struct pfs_cache *c = open_cache(1 << 30);
    EVENTUALLY(status_of(c).entries == 1, 2000);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = (struct rlimit){200, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((fd[n] = open("/dev/null", O_RDONLY)) >= 0)
        n++;
    assert_int_equal(errno, EMFILE);
    for (int left = 0; left < 3; left++) {
        assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), left < 2 ? -ENOENT : 0);
        if (left == 2)
            pfs_entry_unref(e);
        close(fd[--n]);
    }
    while (n)
        close(fd[--n]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(pfs_entry_find(c, key_of(1), "text", &e), 0);
    assert_int_equal(reads(e, 1, 0, SIZE), 0);
    pfs_entry_unref(e);
    assert_int_equal(status_of(c).damaged, 0);
    pfs_cache_close(c);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(flipped_data), TEST(flipped_sums), TEST(flipped_under_a_reader), TEST(every_length), TEST(swapped),
        TEST(replaced), TEST(linked), TEST(other_version), TEST(no_descriptors),
    };
    return cmocka_run_group_tests_name("cache_damage", tests, NULL, NULL);
}
