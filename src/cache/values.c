/* The ledger's values in memory: a numbered list, a hash table over it, and an arena for small bytes.
 *
 * Plain data without locks. Numbers stay valid when the list grows. Values are never taken out: a value whose bytes
 * were lost keeps its number and may be filled again. */
#include "cache/ledger_inner.h"

#include <planefs/mem.h>

#include <stdlib.h>
#include <string.h>

enum { ARENA = 1 << 20 };
static const int64_t arena_most = 64 << 20;

static uint32_t *slot_of(const struct pfs_values *v, struct pfs_hash key)
{
    uint32_t i = (uint32_t)key.lo & (v->n_slots - 1);
    while (v->slot[i] && !pfs_hash_same(v->value[v->slot[i] - 1].key, key))
        i = (i + 1) & (v->n_slots - 1);
    return &v->slot[i];
}

uint32_t pfs_values_find(const struct pfs_values *v, struct pfs_hash key)
{
    uint32_t i = v->n_slots ? *slot_of(v, key) : 0;
    return i ? i - 1 : UINT32_MAX;
}

static bool grow(struct pfs_values *v)
{
    uint32_t cap = v->cap ? v->cap * 2 : 1024;
    if (cap > UINT32_MAX / 4)
        return false;
    struct pfs_value *value = realloc(v->value, cap * sizeof *value);
    if (!value)
        return false;
    v->value = value;
    uint32_t *slot = pfs_array(2 * (int64_t)cap, sizeof *slot);
    if (!slot)
        return false;
    free(v->slot);
    v->slot = slot;
    v->n_slots = 2 * cap;
    v->cap = cap;
    for (uint32_t i = 0; i < v->n; i++)
        *slot_of(v, v->value[i].key) = i + 1;
    return true;
}

uint32_t pfs_values_add(struct pfs_values *v, struct pfs_hash key)
{
    if (v->n == v->cap && !grow(v))
        return UINT32_MAX;
    v->value[v->n] = (struct pfs_value){.key = key, .file = PFS_NO_FILE};
    *slot_of(v, key) = ++v->n;
    return v->n - 1;
}

bool pfs_values_small(const struct pfs_values *v, uint32_t n)
{
    return n <= PFS_VALUE_SMALL && v->arena_bytes < arena_most;
}

static void *from_arena(struct pfs_values *v, uint32_t n)
{
    if (!v->arena || v->arena_used + n > ARENA) {
        struct pfs_arena *a = malloc(sizeof *a + ARENA);
        if (!a)
            return NULL;
        a->next = v->arena;
        v->arena = a;
        v->arena_used = 0;
        v->arena_bytes += ARENA;
    }
    v->arena_used += n;
    return v->arena->bytes + v->arena_used - n;
}

bool pfs_values_keep(struct pfs_values *v, uint32_t i, const void *data, uint32_t n)
{
    struct pfs_value *it = &v->value[i];
    bool kept = pfs_values_small(v, n);
    void *mem = kept ? from_arena(v, n) : malloc(n ? n : 1);
    if (!mem)
        return false;
    if (n)
        memcpy(mem, data, n);
    it->mem = mem;
    it->n = n & 0xffffff;
    it->kept = kept;
    return true;
}

void pfs_values_unkeep(struct pfs_value *v)
{
    if (v->kept)
        return;
    free(v->mem);
    v->mem = NULL;
}

void pfs_values_finish(struct pfs_values *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        pfs_values_unkeep(&v->value[i]);
    for (struct pfs_arena *a = v->arena, *next; a; a = next) {
        next = a->next;
        free(a);
    }
    free(v->value);
    free(v->slot);
    *v = (struct pfs_values){0};
}
