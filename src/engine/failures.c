/* Failures are remembered for a moment: the kernel repeats a failing read two or three times, and a source that kills
 * workers must not be tried at full speed. */
#include "engine/own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REMEMBER_MS = 2000, REMEMBER_KILLER_MS = 30000, KILLS = 2 };

uint64_t pfs_failure_of(const struct pfs_view_on *v, struct pfs_at at, const char *op)
{
    int64_t what[4] = {(int64_t)v->dataset->serial, at.t, at.z, at.c};
    uint64_t h = pfs_hash64(what, sizeof what, 0);
    h = pfs_hash64(v->text, strlen(v->text), h);
    return op ? pfs_hash64(op, strlen(op), h) : h;
}

bool pfs_failure_known(struct pfs_engine *e, uint64_t what, int *code, struct pfs_err *err)
{
    bool known = false;
    int64_t now = pfs_engine_now();
    pthread_mutex_lock(&e->lock);
    for (int i = 0; i < FAILURES_KEPT && !known; i++)
        if (e->failure[i].code && e->failure[i].what == what && e->failure[i].until > now) {
            *code = pfs_fail(err, e->failure[i].code, "%s", e->failure[i].reason);
            known = true;
        }
    pthread_mutex_unlock(&e->lock);
    return known;
}

void pfs_failure_add(struct pfs_engine *e, uint64_t what, int code, const char *reason, bool killed)
{
    pthread_mutex_lock(&e->lock);
    struct failure *f = NULL;
    for (int i = 0; i < FAILURES_KEPT && !f; i++)
        if (e->failure[i].what == what && e->failure[i].code)
            f = &e->failure[i];
    if (!f) {
        f = &e->failure[e->next_failure++ % FAILURES_KEPT];
        f->kills = 0;
    }
    f->what = what;
    f->code = code;
    f->kills += killed;
    f->until = pfs_engine_now() + (f->kills >= KILLS ? REMEMBER_KILLER_MS : REMEMBER_MS);
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    pthread_mutex_unlock(&e->lock);
}

void pfs_engine_note_error(struct pfs_engine *e, const char *path, int code, const char *reason)
{
    char *p = strdup(path), *r = strdup(reason);
    pthread_mutex_lock(&e->lock);
    struct noted *n = &e->noted[e->n_noted++ % ERRORS_KEPT];
    free(n->path);
    free(n->reason);
    *n = (struct noted){time(NULL), code, p, r};
    pthread_mutex_unlock(&e->lock);
}
