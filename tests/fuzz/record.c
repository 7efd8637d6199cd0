/* Fuzzing the records: what one reader accepts must be written and read again to the same bytes. */
#include "wire/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(struct pfs_blob b, struct pfs_text *t)
{
    if (t->failed || t->n != b.size || memcmp(t->s, b.data, b.size))
        abort();
    pfs_text_finish(t);
}

static void probe(struct pfs_blob b)
{
    struct pfs_text t = {0};
    struct pfs_probe p;
    if (pfs_probe_get(b, &p, NULL))
        return;
    pfs_probe_put(&t, &p);
    pfs_probe_finish(&p);
    same(b, &t);
}

static void recipe(struct pfs_blob b)
{
    struct pfs_text t = {0};
    struct pfs_recipe r;
    if (pfs_recipe_get(b, &r, NULL))
        return;
    pfs_recipe_put(&t, &r);
    pfs_recipe_finish(&r);
    same(b, &t);
}

static void work(struct pfs_blob b)
{
    struct pfs_text t = {0};
    struct pfs_work w;
    if (pfs_work_get(b, &w, NULL))
        return;
    pfs_work_put(&t, &w);
    pfs_work_finish(&w);
    same(b, &t);
}

static void registry(struct pfs_blob b)
{
    struct pfs_text t = {0};
    struct pfs_registry r;
    if (pfs_registry_get(b, &r, NULL))
        return;
    pfs_registry_put(&t, &r);
    pfs_registry_finish(&r);
    same(b, &t);
}

static void resolve(struct pfs_blob b)
{
    struct pfs_text t = {0};
    struct pfs_stack_info s;
    char *view;
    if (pfs_resolve_get(b, &s, &view, NULL))
        return;
    pfs_resolve_put(&t, &s, view);
    pfs_stack_info_finish(&s);
    free(view);
    same(b, &t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct pfs_blob b) = {probe, recipe, work, registry, resolve};
    if (size)
        readers[data[0] % 5]((struct pfs_blob){(void *)(uintptr_t)(data + 1), size - 1});
    return 0;
}
