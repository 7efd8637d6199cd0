/* Trying twice: in the handler's thread without waiting, then in a lane. */
#include "fs/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int attempt(struct pfs_call *c, bool wait)
{
    struct pfs_err err = {0};
    int r = c->step(c, wait, &err);
    if (r == -EAGAIN && !wait)
        return r;
    if (r)
        fuse_reply_err(c->req, r == -EAGAIN ? EIO : -r);
    return 0;
}

static void run(struct pfs_task *task, bool drop)
{
    struct pfs_call *c = (struct pfs_call *)((char *)task - offsetof(struct pfs_call, task));
    if (drop)
        fuse_reply_err(c->req, ENOTCONN);
    else
        attempt(c, true);
    free(c->name);
    free(c);
}

static void hand_over(const struct pfs_call *first)
{
    struct pfs_call *c = malloc(sizeof *c);
    char *name = first->name ? strdup(first->name) : NULL;
    if (c) {
        *c = *first;
        c->name = name;
        c->task.run = run;
    }
    if (c && (name || !first->name) && pfs_lanes_offer(c->m->lanes, &c->task))
        return;
    free(name);
    free(c);
    fuse_reply_err(first->req, ENOMEM);
}

void pfs_call(const struct pfs_call *c)
{
    struct pfs_call now = *c;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    c->m->last_request = t.tv_sec;
    if (attempt(&now, false))
        hand_over(c);
}
