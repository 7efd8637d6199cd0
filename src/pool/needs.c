/* Files that workers ask for, opened on threads of their own: opening may wait for a disk or a server. */
#include "pool/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void refuse(struct worker *w)
{
    shutdown(w->sock, SHUT_RDWR);   /* the pool's thread sees the end and buries it */
}

void pfs_needs_add(struct pfs_pool *p, struct worker *w, const struct pfs_packet *packet)
{
    struct pfs_reader r = pfs_reader(packet->body.data, packet->body.size);
    const char *name = pfs_get_str(&r);
    struct need *n = calloc(1, sizeof *n);
    if (!pfs_reader_end(&r) || !w->job || w->job->opening || !n || !(n->name = strdup(name))) {
        free(n);
        refuse(w);
        return;
    }
    n->worker = w;
    n->job = w->job;
    n->job->opening = true;
    struct need **end = &p->needs;
    while (*end)
        end = &(*end)->next;
    *end = n;
    pthread_cond_signal(&p->needs_here);
}

/* The answer: errno, reason, and on success the descriptor. */
static void answer(struct worker *w, uint64_t job, int code, int fd, const struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text body = {0};
    pfs_put_u32(&body, (uint32_t)-code);
    pfs_put_str(&body, code ? err->text : "");
    if (body.failed || pfs_wire_send(w->sock, PFS_MSG_FILE, job, (struct pfs_blob){body.s, body.n}, &fd, code ? 0 : 1,
                                     NULL) < 0)
        shutdown(w->sock, SHUT_RDWR);
}

static void serve(struct pfs_pool *p, struct need *n)
{
    struct pfs_err err = {0};
    int fd = -1;
    pthread_mutex_unlock(&p->lock);
    int code = n->job->order.open ? n->job->order.open(n->job->order.ctx, n->name, &fd, &err)
                                  : pfs_fail(&err, EPERM, "no file may be asked for");
    pthread_mutex_lock(&p->lock);
    n->job->opening = false;
    if (n->job->finished)
        pfs_job_end(p, n->job, n->job->code, NULL, n->job->length);
    else
        answer(n->worker, n->job->id, code, fd, &err);
    if (fd >= 0)
        close(fd);
    free(n->name);
    free(n);
}

void *pfs_needs_loop(void *pool)
{
    struct pfs_pool *p = pool;
    pthread_mutex_lock(&p->lock);
    while (!p->needs_stopping || p->needs) {
        struct need *n = p->needs;
        if (!n) {
            pthread_cond_wait(&p->needs_here, &p->lock);
            continue;
        }
        p->needs = n->next;
        serve(p, n);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}
