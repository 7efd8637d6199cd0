/* The index against a naive list: random puts, drops, takes of the oldest, scans. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache/index.h"

#include <stdlib.h>

enum { KEYS = 700 };
struct naive { bool there; int64_t bytes, used; bool seen; };

static struct pfs_hash key_of(uint64_t i)
{
    return (struct pfs_hash){i, i % 13};      /* long chains on purpose */
}

static void check(const struct pfs_index *x, const struct naive *all)
{
    int64_t bytes = 0;
    uint32_t n = 0;
    for (int i = 0; i < KEYS; i++) {
        assert_int_equal(pfs_index_has(x, key_of((uint64_t)i)), all[i].there);
        bytes += all[i].there ? all[i].bytes : 0;
        n += all[i].there;
    }
    assert_int_equal(x->bytes, bytes);
    assert_int_equal(x->n, n);
}

static void put(struct pfs_index *x, struct naive *all, int i, int64_t bytes, int64_t used)
{
    assert_true(pfs_index_put(x, key_of((uint64_t)i), bytes, used));
    struct naive was = all[i];
    all[i] = (struct naive){true, bytes, was.there && was.used > used ? was.used : used, true};
}

static void take(struct pfs_index *x, struct naive *all)
{
    struct pfs_index_item it;
    int64_t oldest = INT64_MAX;
    for (int i = 0; i < KEYS; i++)
        if (all[i].there && all[i].used < oldest)
            oldest = all[i].used;
    bool any = pfs_index_oldest(x, &it);
    assert_int_equal(any, oldest != INT64_MAX);
    if (!any)
        return;
    assert_true(all[it.key.hi].there);
    assert_int_equal(it.used, oldest);
    assert_int_equal(it.bytes, all[it.key.hi].bytes);
    all[it.key.hi].there = false;
}

static void scan(struct pfs_index *x, struct naive *all)
{
    for (int i = 0; i < KEYS; i++)
        all[i].seen = false;
    pfs_index_begin(x);
    for (int n = rand() % KEYS; n-- > 0;)
        put(x, all, rand() % KEYS, rand() % 1000, rand() % 100000);
    pfs_index_end(x);
    for (int i = 0; i < KEYS; i++)
        all[i].there = all[i].there && all[i].seen;
}

static void like_a_list(void **state)
{
    struct pfs_index x = {0};
    struct naive all[KEYS] = {{0}};
    (void)state;
    srand(5);
    for (int step = 0; step < 60000; step++) {
        int what = rand() % 1000, i = rand() % KEYS;
        if (what < 500) {
            put(&x, all, i, rand() % 1000, rand() % 100000);
        } else if (what < 700) {
            pfs_index_drop(&x, key_of((uint64_t)i));
            all[i].there = false;
        } else if (what < 990) {
            take(&x, all);
        } else {
            scan(&x, all);
            check(&x, all);
        }
    }
    while (x.n)
        take(&x, all);
    check(&x, all);
    pfs_index_finish(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_a_list)};
    return cmocka_run_group_tests_name("cache_index", tests, NULL, NULL);
}
