/* Tidying: names that users make up (corrected@mean=1, no-such.error) stay in the kernel's cache for as long as it has
 * memory. Beyond a bound it is asked to drop the oldest, and forgets them here too. The asking may have to wait for a
 * look-up in the same folder, so it has a thread of its own. */
#include "fs/loop.h"
#include "fs/mountpoint.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pfs_tidy {
    struct pfs_mount *m;
    const char *mountpoint;
    int idle_s;
    bool closing;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
};

static void let_go(struct pfs_mount *m, struct pfs_place *place)
{
    char name[PFS_NAME_MAX];
    struct pfs_node node = {.place = place, .index = place->last_index}, folder = pfs_node_parent(node);
    int n = pfs_node_name(node, name);
    if (folder.place->kind == PFS_PLACE_DATASET && !*folder.place->name)
        folder = pfs_node_parent(folder);          /* the data set that is the mount point */
    if (n > 0)
        fuse_lowlevel_notify_inval_entry(m->session, pfs_node_id(folder), name, (size_t)n);
}

static void let_go_of_oldest(struct pfs_mount *m)
{
    struct pfs_places *places = m->tree.places;
    for (int64_t n = pfs_places_made(places) - PFS_MADE_MOST; n > 0; n--) {
        struct pfs_place *place = pfs_place_oldest(places, PFS_MADE_MOST);
        if (!place)
            return;
        let_go(m, place);
        pfs_place_drop(places, place, 1);
    }
}

static bool idle(struct pfs_tidy *t)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return t->idle_s > 0 && t->m->open_files == 0 && now.tv_sec - t->m->last_request >= t->idle_s;
}

static void *tidy(void *arg)
{
    struct pfs_tidy *t = arg;
    struct timespec until;
    pthread_mutex_lock(&t->lock);
    while (!t->closing) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        if (pthread_cond_timedwait(&t->wake, &t->lock, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&t->lock);
        let_go_of_oldest(t->m);
        if (idle(t))
            pfs_mountpoint_detach(t->mountpoint, false);   /* fails, rightly, when somebody sits in it */
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int pfs_tidy_start(struct pfs_mount *m, const char *mountpoint, int idle_s, struct pfs_tidy **ret,
                   struct pfs_err *err)
{
    struct pfs_tidy *t = calloc(1, sizeof *t);
    if (!t)
        return pfs_fail(err, ENOMEM, "no memory for a thread");
    pthread_condattr_t attr;
    *t = (struct pfs_tidy){.m = m, .mountpoint = mountpoint, .idle_s = idle_s};
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    int r = pthread_create(&t->thread, NULL, tidy, t);
    if (r) {
        free(t);
        return pfs_fail(err, r, "cannot start a thread");
    }
    *ret = t;
    return 0;
}

void pfs_tidy_stop(struct pfs_tidy *t)
{
    pthread_mutex_lock(&t->lock);
    t->closing = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
