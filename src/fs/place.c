/* Interning of places: a hash table by identity, an array by number, a list of the user-made ones by age.
 *
 * One mutex guards it all; every critical section is a few loads and stores. Freed numbers are handed out again only
 * after all others, so that a late request never meets a stranger under an old number. */
#include "fs/place.h"

#include <planefs/hash.h>
#include <planefs/mem.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pfs_places {
    pthread_mutex_t lock;
    struct pfs_place **by_id;        /* NULL: the number is free */
    uint32_t n_ids, cap_ids, next;   /* next: where the search for a free number goes on */
    struct pfs_place **bucket;       /* a power of two of them */
    size_t n_buckets;
    int64_t count, n_made;
    struct pfs_place *oldest, *newest;
};

static uint64_t serial_of(const struct pfs_place *p)
{
    return p->kind == PFS_PLACE_BRANCH && p->dataset ? p->dataset->serial + 1 : 0;
}

static uint64_t key_of(const struct pfs_place *p)
{
    struct { uint64_t kind, parent, branch, serial; } head = {
        (uint64_t)p->kind, p->parent ? p->parent->id + 1 : 0, (uint64_t)(uintptr_t)p->branch,
        serial_of(p)};
    uint64_t h = pfs_hash64(&head, sizeof head, 0);
    return p->name ? pfs_hash64(p->name, strlen(p->name), h) : h;
}

static bool same(const struct pfs_place *a, const struct pfs_place *b)
{
    bool names = a->name && b->name ? !strcmp(a->name, b->name) : a->name == b->name;
    return a->kind == b->kind && a->parent == b->parent && a->branch == b->branch && names &&
           serial_of(a) == serial_of(b);
}

static void made_unlink(struct pfs_places *p, struct pfs_place *place)
{
    *(place->older ? &place->older->newer : &p->oldest) = place->newer;
    *(place->newer ? &place->newer->older : &p->newest) = place->older;
    p->n_made--;
}

static void made_append(struct pfs_places *p, struct pfs_place *place)
{
    place->older = p->newest;
    place->newer = NULL;
    *(p->newest ? &p->newest->newer : &p->oldest) = place;
    p->newest = place;
    p->n_made++;
}

static void release(struct pfs_place *place)
{
    if (place->view)
        pfs_view_unref(place->view);
    if (place->dataset)
        pfs_dataset_unref(place->dataset);
    free(place->name);
    free(place->path);
    free(place->view_text);
    free(place->params);
    free(place);
}

static void rehash(struct pfs_places *p)
{
    size_t n = p->n_buckets * 2;
    struct pfs_place **bucket = calloc(n, sizeof *bucket);
    if (!bucket)
        return;                      /* longer chains, nothing worse */
    for (size_t i = 0; i < p->n_buckets; i++) {
        for (struct pfs_place *q = p->bucket[i], *next; q; q = next) {
            next = q->same_key;
            q->same_key = bucket[q->key & (n - 1)];
            bucket[q->key & (n - 1)] = q;
        }
    }
    free(p->bucket);
    p->bucket = bucket;
    p->n_buckets = n;
}

static int take_id(struct pfs_places *p, uint32_t *ret)
{
    if (p->n_ids < PFS_PLACES_MAX && p->count * 2 >= p->n_ids) {
        if (p->n_ids == p->cap_ids) {
            uint32_t cap = p->cap_ids ? p->cap_ids * 2 : 64;
            struct pfs_place **by_id = realloc(p->by_id, cap * sizeof *by_id);
            if (!by_id)
                return -ENOMEM;
            p->by_id = by_id;
            p->cap_ids = cap;
        }
        p->by_id[p->n_ids] = NULL;
        *ret = p->n_ids++;
        return 0;
    }
    for (uint32_t i = 0; i < p->n_ids; i++) {
        uint32_t id = p->next++ % p->n_ids;
        if (!p->by_id[id]) {
            *ret = id;
            return 0;
        }
    }
    return -ENFILE;
}

static char *copy(const char *s, bool *failed)
{
    char *c = s ? strdup(s) : NULL;
    *failed |= s && !c;
    return c;
}

static struct pfs_place *duplicate(const struct pfs_place *wanted)
{
    struct pfs_place *place = malloc(sizeof *place);
    if (!place)
        return NULL;
    bool failed = false;
    *place = *wanted;
    place->name = copy(wanted->name, &failed);
    place->path = copy(wanted->path, &failed);
    place->view_text = copy(wanted->view_text, &failed);
    place->params = copy(wanted->params, &failed);
    place->view = NULL;
    if (place->dataset)
        pfs_dataset_ref(place->dataset);
    if (failed) {
        release(place);
        return NULL;
    }
    return place;
}

static int insert(struct pfs_places *p, const struct pfs_place *wanted, uint64_t key, struct pfs_place **ret)
{
    struct pfs_place *place = duplicate(wanted);
    if (!place)
        return -ENOMEM;
    int r = take_id(p, &place->id);
    if (r) {
        release(place);
        return r;
    }
    if ((size_t)p->count > p->n_buckets)
        rehash(p);
    place->key = key;
    place->refs = 1;
    place->same_key = p->bucket[key & (p->n_buckets - 1)];
    p->bucket[key & (p->n_buckets - 1)] = place;
    p->by_id[place->id] = place;
    p->count++;
    if (place->parent)
        place->parent->refs++;
    if (place->made)
        made_append(p, place);
    *ret = place;
    return 0;
}

int pfs_place_intern(struct pfs_places *p, const struct pfs_place *wanted, struct pfs_place **ret, struct pfs_err *err)
{
    uint64_t key = key_of(wanted);
    int r = 0;
    pthread_mutex_lock(&p->lock);
    struct pfs_place *q = p->bucket[key & (p->n_buckets - 1)];
    while (q && !(q->key == key && same(q, wanted)))
        q = q->same_key;
    if (q) {
        q->refs++;
        *ret = q;
    } else {
        r = insert(p, wanted, key, ret);
    }
    pthread_mutex_unlock(&p->lock);
    return r ? pfs_fail(err, -r, "no room for another name in the tree") : 0;
}

static void take_out(struct pfs_places *p, struct pfs_place *place)
{
    struct pfs_place **link = &p->bucket[place->key & (p->n_buckets - 1)];
    while (*link != place)
        link = &(*link)->same_key;
    *link = place->same_key;
    p->by_id[place->id] = NULL;
    p->count--;
    if (place->made)
        made_unlink(p, place);
}

void pfs_place_drop(struct pfs_places *p, struct pfs_place *place, int64_t n)
{
    struct pfs_place *dead = NULL;
    pthread_mutex_lock(&p->lock);
    while (place && (place->refs -= n) == 0) {
        struct pfs_place *parent = place->parent;
        take_out(p, place);
        place->same_key = dead;
        dead = place;
        place = parent;
        n = 1;
    }
    pthread_mutex_unlock(&p->lock);
    while (dead) {
        struct pfs_place *next = dead->same_key;
        release(dead);
        dead = next;
    }
}

void pfs_place_hold(struct pfs_places *p, struct pfs_place *place, int64_t n)
{
    pthread_mutex_lock(&p->lock);
    place->refs += n;
    pthread_mutex_unlock(&p->lock);
}

struct pfs_place *pfs_place_numbered(struct pfs_places *p, uint32_t id)
{
    pthread_mutex_lock(&p->lock);
    struct pfs_place *place = id < p->n_ids ? p->by_id[id] : NULL;
    if (place)
        place->refs++;
    pthread_mutex_unlock(&p->lock);
    return place;
}

struct pfs_view_on *pfs_place_view(struct pfs_places *p, struct pfs_place *place)
{
    pthread_mutex_lock(&p->lock);
    struct pfs_view_on *view = place->view;
    if (view)
        pfs_view_ref(view);
    pthread_mutex_unlock(&p->lock);
    return view;
}

void pfs_place_set_view(struct pfs_places *p, struct pfs_place *place, struct pfs_view_on *view)
{
    pthread_mutex_lock(&p->lock);
    bool first = !place->view;
    if (first) {
        pfs_view_ref(view);
        place->view = view;
    }
    pthread_mutex_unlock(&p->lock);
}

struct pfs_dataset *pfs_place_dataset(struct pfs_places *p, struct pfs_place *place)
{
    pthread_mutex_lock(&p->lock);
    while (place && !place->dataset)
        place = place->parent;
    struct pfs_dataset *d = place ? place->dataset : NULL;
    if (d)
        pfs_dataset_ref(d);
    pthread_mutex_unlock(&p->lock);
    return d;
}

void pfs_place_renew(struct pfs_places *p, struct pfs_place *place, struct pfs_dataset *d)
{
    pthread_mutex_lock(&p->lock);
    struct pfs_dataset *old = place->dataset;
    if (old != d) {
        pfs_dataset_ref(d);
        place->dataset = d;
    }
    pthread_mutex_unlock(&p->lock);
    if (old != d)
        pfs_dataset_unref(old);
}

struct pfs_place *pfs_place_oldest(struct pfs_places *p, int64_t most)
{
    pthread_mutex_lock(&p->lock);
    struct pfs_place *place = p->n_made > most ? p->oldest : NULL;
    if (place) {
        made_unlink(p, place);
        made_append(p, place);
        place->refs++;
    }
    pthread_mutex_unlock(&p->lock);
    return place;
}

int64_t pfs_places_made(struct pfs_places *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t n = p->n_made;
    pthread_mutex_unlock(&p->lock);
    return n;
}

int pfs_places_create(struct pfs_places **ret, struct pfs_err *err)
{
    struct pfs_places *p = calloc(1, sizeof *p);
    if (!p || !(p->bucket = calloc(p->n_buckets = 256, sizeof *p->bucket))) {
        free(p);
        return pfs_fail(err, ENOMEM, "no memory for the tree");
    }
    pthread_mutex_init(&p->lock, NULL);
    struct pfs_place root = {.kind = PFS_PLACE_FOLDER, .name = "", .path = "", .n = -1}, *place;
    int r = pfs_place_intern(p, &root, &place, err);
    if (r) {
        pfs_places_destroy(p);
        return r;
    }
    *ret = p;
    return 0;
}

void pfs_places_destroy(struct pfs_places *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->n_ids; i++)
        if (p->by_id[i])
            release(p->by_id[i]);
    pthread_mutex_destroy(&p->lock);
    free(p->by_id);
    free(p->bucket);
    free(p);
}
