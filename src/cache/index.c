/* A hash table whose items also sit in a binary heap by last use: find by key, take the oldest, both cheap.
 *
 * Items are numbered, so that growing moves no pointers; each knows its place in the heap, so that a use moves it there
 * at once and nothing stale is ever popped. */
#include "cache/index.h"

#include <stdlib.h>

#define NONE UINT32_MAX

void pfs_index_finish(struct pfs_index *x)
{
    free(x->item);
    free(x->bucket);
    free(x->heap);
    *x = (struct pfs_index){0};
}

static void place(struct pfs_index *x, uint32_t at, uint32_t i)
{
    x->heap[at] = i;
    x->item[i].place = at;
}

static void sift_up(struct pfs_index *x, uint32_t at)
{
    uint32_t i = x->heap[at];
    while (at && x->item[x->heap[(at - 1) / 2]].used > x->item[i].used) {
        place(x, at, x->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(x, at, i);
}

static void sift_down(struct pfs_index *x, uint32_t at)
{
    uint32_t i = x->heap[at];
    for (uint32_t child; (child = 2 * at + 1) < x->n; at = child) {
        if (child + 1 < x->n && x->item[x->heap[child + 1]].used < x->item[x->heap[child]].used)
            child++;
        if (x->item[x->heap[child]].used >= x->item[i].used)
            break;
        place(x, at, x->heap[child]);
    }
    place(x, at, i);
}

static uint32_t *chain(const struct pfs_index *x, struct pfs_hash key)
{
    return &x->bucket[key.lo & (x->cap - 1)];
}

static uint32_t find(const struct pfs_index *x, struct pfs_hash key)
{
    uint32_t i = x->cap ? *chain(x, key) : NONE;
    while (i != NONE && !pfs_hash_same(x->item[i].key, key))
        i = x->item[i].next;
    return i;
}

/* Room for cap items; what could not grow stays as it was. */
static bool resize(struct pfs_index *x, uint32_t cap)
{
    struct pfs_index_item *item = realloc(x->item, cap * sizeof *item);
    x->item = item ? item : x->item;
    uint32_t *bucket = realloc(x->bucket, cap * sizeof *bucket);
    x->bucket = bucket ? bucket : x->bucket;
    uint32_t *heap = realloc(x->heap, cap * sizeof *heap);
    x->heap = heap ? heap : x->heap;
    return item && bucket && heap;
}

/* Called when every item is in use: then all of them stand in the heap. */
static bool grow(struct pfs_index *x)
{
    uint32_t cap = x->cap ? x->cap * 2 : 256;
    if (cap > NONE / 4 || !resize(x, cap))
        return false;
    uint32_t old = x->cap;
    x->cap = cap;
    for (uint32_t i = 0; i < cap; i++)
        x->bucket[i] = NONE;
    for (uint32_t i = 0; i < old; i++) {
        x->item[i].next = *chain(x, x->item[i].key);
        *chain(x, x->item[i].key) = i;
    }
    for (uint32_t i = old; i < cap; i++)
        x->item[i].next = i + 1 < cap ? i + 1 : NONE;
    x->unused = old;
    return true;
}

static bool add(struct pfs_index *x, struct pfs_hash key, int64_t bytes, int64_t used)
{
    if (x->n == x->cap && !grow(x))
        return false;
    uint32_t i = x->unused;
    x->unused = x->item[i].next;
    x->item[i] = (struct pfs_index_item){key, bytes, used, x->generation, *chain(x, key), 0};
    *chain(x, key) = i;
    x->bytes += bytes;
    place(x, x->n, i);
    sift_up(x, x->n++);
    return true;
}

bool pfs_index_put(struct pfs_index *x, struct pfs_hash key, int64_t bytes, int64_t used)
{
    uint32_t i = find(x, key);
    if (i == NONE)
        return add(x, key, bytes, used);
    struct pfs_index_item *it = &x->item[i];
    x->bytes += bytes - it->bytes;
    it->bytes = bytes;
    it->generation = x->generation;
    if (used > it->used) {
        it->used = used;
        sift_down(x, it->place);
    }
    return true;
}

bool pfs_index_has(const struct pfs_index *x, struct pfs_hash key)
{
    return find(x, key) != NONE;
}

static void take_out(struct pfs_index *x, uint32_t i)
{
    struct pfs_index_item *it = &x->item[i];
    uint32_t *link = chain(x, it->key), at = it->place;
    while (*link != i)
        link = &x->item[*link].next;
    *link = it->next;
    x->bytes -= it->bytes;
    uint32_t last = x->heap[--x->n];
    if (at < x->n) {
        place(x, at, last);
        sift_up(x, at);
        sift_down(x, x->item[last].place);
    }
    it->next = x->unused;
    x->unused = i;
}

void pfs_index_drop(struct pfs_index *x, struct pfs_hash key)
{
    uint32_t i = find(x, key);
    if (i != NONE)
        take_out(x, i);
}

bool pfs_index_oldest(struct pfs_index *x, struct pfs_index_item *ret)
{
    if (!x->n)
        return false;
    *ret = x->item[x->heap[0]];
    take_out(x, x->heap[0]);
    return true;
}

void pfs_index_begin(struct pfs_index *x)
{
    x->generation++;
}

void pfs_index_end(struct pfs_index *x)
{
    /* Taking one out may bring one not looked at yet to its place, never to a place behind it. */
    for (uint32_t at = x->n; at-- > 0;)
        while (at < x->n && x->item[x->heap[at]].generation != x->generation)
            take_out(x, x->heap[at]);
}
