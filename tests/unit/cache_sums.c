/* The checksum file's parser: round trip, every flipped bit, every length, lies about lengths. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct pfs_text encoded(int64_t head, int64_t payload)
{
    struct pfs_text t = {0};
    struct pfs_sums s;
    assert_int_equal(pfs_sums_init(&s, (struct pfs_hash){7, 8}, "planefs-key 1; destripe/1", head, payload), 0);
    for (int64_t i = 0; i < s.n; i++)
        s.block[i] = (uint64_t)i * 0x9e3779b97f4a7c15u + 1;
    pfs_sums_put(&t, &s);
    assert_false(t.failed);
    assert_int_equal(t.n, pfs_sums_size(&s));
    pfs_sums_finish(&s);
    return t;
}

static int parse(const void *data, size_t n)
{
    struct pfs_sums s;
    void *copy = malloc(n ? n : 1);           /* of exactly that size: the sanitizer sees a byte too far */
    memcpy(copy, data, n);
    int e = pfs_sums_get((struct pfs_blob){copy, n}, &s);
    free(copy);
    pfs_sums_finish(&s);
    return e;
}

static void round_trip(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{0, 0}, {0, 1}, {300, 65236}, {300, 65237}, {8, 10 * PFS_BLOCK}, {4096, 1 << 30}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct pfs_text t = encoded(sizes[k][0], sizes[k][1]), again = {0};
        struct pfs_sums s;
        assert_int_equal(pfs_sums_get((struct pfs_blob){t.s, t.n}, &s), 0);
        assert_int_equal(s.head, sizes[k][0]);
        assert_int_equal(s.payload, sizes[k][1]);
        assert_string_equal(s.text, "planefs-key 1; destripe/1");
        pfs_sums_put(&again, &s);
        assert_int_equal(again.n, t.n);
        assert_memory_equal(again.s, t.s, t.n);
        pfs_sums_finish(&s);
        pfs_text_finish(&t);
        pfs_text_finish(&again);
    }
}

static void every_bit_and_length(void **state)
{
    (void)state;
    struct pfs_text t = encoded(300, 20 * PFS_BLOCK);
    for (size_t bit = 0; bit < 8 * t.n; bit++) {
        t.s[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(parse(t.s, t.n), -EBADMSG);
        t.s[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t n = 0; n < t.n; n++)
        assert_int_equal(parse(t.s, n), -EBADMSG);
    assert_int_equal(parse(t.s, t.n), 0);
    pfs_text_add(&t, "x");
    assert_int_equal(parse(t.s, t.n), -EBADMSG);
    pfs_text_finish(&t);
}

/* A field changed by somebody who also mends the checksum. */
static int forged(size_t at, uint64_t value, size_t bytes)
{
    struct pfs_text t = encoded(300, 20 * PFS_BLOCK), tail = {0};
    memcpy(t.s + at, &value, bytes);
    pfs_put_u64(&tail, pfs_hash64(t.s, t.n - 8, 0));
    memcpy(t.s + t.n - 8, tail.s, 8);
    int e = parse(t.s, t.n);
    pfs_text_finish(&t);
    pfs_text_finish(&tail);
    return e;
}

static void forged_fields(void **state)
{
    (void)state;
    assert_int_equal(forged(8, 1, 4), 0);
    assert_int_equal(forged(8, 2, 4), -EOPNOTSUPP);
    assert_int_equal(forged(12, 4096, 4), -EOPNOTSUPP);
    assert_int_equal(forged(32, UINT64_MAX, 8), -EBADMSG);                    /* head */
    assert_int_equal(forged(40, (uint64_t)INT64_MAX, 8), -EBADMSG);           /* payload */
    assert_int_equal(forged(40, 20 * PFS_BLOCK + PFS_BLOCK, 8), -EBADMSG);    /* a block more than there are sums */
    assert_int_equal(forged(48, UINT32_MAX, 4), -EBADMSG);                    /* length of the text */
    assert_int_equal(forged(52, 0, 1), -EBADMSG);                             /* a NUL inside the text */
    const size_t n_at = 52 + strlen("planefs-key 1; destripe/1") + 1;
    assert_int_equal(forged(n_at, 21, 8), 0);
    assert_int_equal(forged(n_at, 20, 8), -EBADMSG);
    assert_int_equal(forged(n_at, UINT64_MAX / 8 + 1, 8), -EBADMSG);
}

static void impossible_lengths(void **state)
{
    struct pfs_sums s;
    (void)state;
    assert_int_equal(pfs_sums_init(&s, (struct pfs_hash){0, 0}, "", -1, 5), -EINVAL);
    assert_int_equal(pfs_sums_init(&s, (struct pfs_hash){0, 0}, "", 5, -1), -EINVAL);
    assert_int_equal(pfs_sums_init(&s, (struct pfs_hash){0, 0}, "", INT64_MAX, INT64_MAX), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip), cmocka_unit_test(every_bit_and_length), cmocka_unit_test(forged_fields),
        cmocka_unit_test(impossible_lengths),
    };
    return cmocka_run_group_tests_name("cache_sums", tests, NULL, NULL);
}
