/* The pool's thread: hands jobs to idle workers, listens to busy ones, and turns every way a worker can end or lie into
 * the end of one job. */
#include "pool/own.h"

#include <planefs/mem.h>
#include <planefs/sanitizer.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t pfs_pool_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pfs_pool_wake(struct pfs_pool *p)
{
    uint64_t one = 1;
    ssize_t ignored = write(p->wake, &one, sizeof one);
    (void)ignored;   /* a full counter wakes as well */
}

/* ---- a job's end ---- */

void pfs_job_end(struct pfs_pool *p, struct pfs_job *j, int code, const char *reason, int64_t length)
{
    j->code = code;
    j->length = length;
    if (reason)
        snprintf(j->reason, sizeof j->reason, "%s", reason);
    j->finished = true;
    if (j->opening)
        return;
    j->next = NULL;
    struct pfs_job **end = &p->ended;
    while (*end)
        end = &(*end)->next;
    *end = j;
    pfs_pool_wake(p);
}

static int read_result(struct pfs_job *j, struct pfs_blob *ret)
{
    struct stat st;
    if (fstat(j->memory_fd, &st) < 0 || st.st_size != j->length || j->length > j->order.most) {
        snprintf(j->reason, sizeof j->reason, "the worker answered %lld bytes that are not there", (long long)j->length);
        return -ECONNABORTED;
    }
    ret->data = malloc((size_t)j->length + 1);
    if (!ret->data)
        return -ENOMEM;
    ret->size = (size_t)j->length;
    for (int64_t done = 0; done < j->length;) {
        ssize_t n = pread(j->memory_fd, (char *)ret->data + done, (size_t)(j->length - done), done);
        if (n <= 0)
            return -EIO;
        done += n;
    }
    return 0;
}

static void call_back(struct pfs_job *j)
{
    struct pfs_blob bytes = {0};
    if (!j->code && j->order.result_fd < 0)
        j->code = read_result(j, &bytes);
    else if (!j->code && j->order.length >= 0 && j->length != j->order.length) {
        snprintf(j->reason, sizeof j->reason, "the worker answered %lld bytes where %lld were promised",
                 (long long)j->length, (long long)j->order.length);
        j->code = -ECONNABORTED;
    }
    j->order.done(j->order.ctx, j->code, j->reason, bytes);
    free(bytes.data);
    free(j->order.request.data);
    if (j->memory_fd >= 0)
        close(j->memory_fd);
    free(j);
}

void pfs_pool_call_back_all(struct pfs_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->ended) {
        struct pfs_job *j = p->ended;
        p->ended = j->next;
        pthread_mutex_unlock(&p->lock);
        call_back(j);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- limits ---- */

static void limit(const struct worker *w, int what, int64_t most)
{
    struct rlimit r;
    if (prlimit(w->pid, what, NULL, &r))
        return;
    r.rlim_cur = most < 0 || (rlim_t)most > r.rlim_max ? r.rlim_max : (rlim_t)most;
    prlimit(w->pid, what, &r, NULL);
}

/* What the worker may write and allocate; it has no system call to change that. */
static void set_limits(const struct pfs_pool *p, const struct worker *w, int64_t file, int64_t memory)
{
    int64_t room = p->o.room[w->role];
    limit(w, RLIMIT_FSIZE, PFS_HAS_SANITIZER ? -1 : file);      /* which writes its reports itself */
    limit(w, RLIMIT_AS, !room || PFS_HAS_SANITIZER ? -1 : memory < INT64_MAX - room ? room + memory : -1);
}

static int64_t longest_result(const struct pfs_order *o)
{
    struct stat st;
    int64_t most = o->length > o->most ? o->length : o->most;
    return o->result_fd >= 0 && !fstat(o->result_fd, &st) && st.st_size > most ? st.st_size : most;
}

/* ---- workers ---- */

static void bury(struct pfs_pool *p, struct worker *w, const char *why)
{
    struct pfs_job *j = w->job;
    char how[64], reason[240];
    int timeout = j ? j->order.timeout_ms : 0;
    bool late = w->late;
    pfs_worker_bury(p, w, how);
    w->job = NULL;
    if (!j)
        return;
    if (j->cancelled)
        pfs_job_end(p, j, -ECANCELED, "cancelled", 0);
    else if (late) {
        snprintf(reason, sizeof reason, "took longer than %g s", timeout / 1000.0);
        pfs_job_end(p, j, -ETIMEDOUT, reason, 0);
    } else {
        snprintf(reason, sizeof reason, "%s (%s)", why ? why : "its decoder died", how);
        pfs_job_end(p, j, -ECONNABORTED, reason, 0);
    }
}

static void retire(struct pfs_pool *p, struct worker *w)
{
    char how[64];
    kill(w->pid, SIGKILL);
    pfs_worker_bury(p, w, how);
    p->restarts--;   /* old age is no accident */
}

/* An answer to another job may be the worker's last lie about an earlier one: the job it holds now is tried once more. */
static void try_again(struct pfs_pool *p, struct worker *w)
{
    struct pfs_job *j = w->job;
    kill(w->pid, SIGKILL);
    if (!j || j->opening || j->cancelled || j->retried) {
        bury(p, w, "the worker broke the rules of the wire");
        return;
    }
    w->job = NULL;
    bury(p, w, NULL);
    if (j->memory_fd >= 0)
        close(j->memory_fd);
    j->memory_fd = -1;
    j->retried = true;
    j->next = p->queue[j->order.role];
    p->queue[j->order.role] = j;
}

static void on_done(struct pfs_pool *p, struct worker *w, const struct pfs_packet *packet)
{
    struct pfs_done d;
    if (!w->job || packet->job != w->job->id) {
        try_again(p, w);
        return;
    }
    if (w->job->opening || pfs_wire_read_done(packet, &d, NULL) < 0) {
        kill(w->pid, SIGKILL);
        bury(p, w, "the worker broke the rules of the wire");
        return;
    }
    struct pfs_job *j = w->job;
    w->job = NULL;
    w->state = WORKER_IDLE;
    w->served++;
    bool killed = j->cancelled;      /* its answer was faster than the signal; the next job must not meet that */
    if (killed)
        pfs_job_end(p, j, -ECANCELED, "cancelled", 0);
    else
        pfs_job_end(p, j, d.code > 0 ? -d.code : d.code, d.reason, d.length);
    if (killed || w->served >= p->o.recycle_jobs || d.resident > p->o.recycle_bytes)
        retire(p, w);
}

static void on_progress(struct pfs_pool *p, struct worker *w, const struct pfs_packet *packet)
{
    struct pfs_reader r = pfs_reader(packet->body.data, packet->body.size);
    int permille = (int)(pfs_get_u32(&r) % 1001);
    struct pfs_job *j = w->job;
    if (!j || r.bad || !j->order.progress || j->cancelled)
        return;
    pthread_mutex_unlock(&p->lock);   /* only this thread ends jobs, so it stays */
    j->order.progress(j->order.ctx, permille);
    pthread_mutex_lock(&p->lock);
}

static bool on_hello(struct pfs_pool *p, struct worker *w, const struct pfs_packet *packet)
{
    struct pfs_hello hello;
    if (w->state != WORKER_STARTING || pfs_wire_read_hello(packet, &hello, NULL) < 0)
        return false;
    snprintf(p->layers, sizeof p->layers, "%s", hello.layers);
    if (p->o.sandbox == PFS_SANDBOX_REQUIRED && *hello.missing) {
        snprintf(p->refused, sizeof p->refused, "the required sandbox is not complete: %s", hello.missing);
        return false;
    }
    set_limits(p, w, 0, 0);
    w->state = WORKER_IDLE;
    w->backoff = 0;
    return true;
}

static void listen_to(struct pfs_pool *p, struct worker *w)
{
    struct pfs_packet packet;
    int r = pfs_wire_receive(w->sock, MSG_DONTWAIT, &packet, NULL);
    if (r == -EAGAIN)
        return;
    if (r < 0) {
        if (r != -EPIPE)
            kill(w->pid, SIGKILL);
        bury(p, w, r == -EPIPE ? NULL : "the worker broke the rules of the wire");
        return;
    }
    bool good = true;
    switch (packet.kind) {
    case PFS_MSG_HELLO: good = on_hello(p, w, &packet); pthread_cond_broadcast(&p->started); break;
    case PFS_MSG_NEED: pfs_needs_add(p, w, &packet); break;
    case PFS_MSG_PROGRESS: on_progress(p, w, &packet); break;
    case PFS_MSG_DONE: on_done(p, w, &packet); break;
    default: good = false;
    }
    pfs_packet_finish(&packet);
    if (!good) {
        kill(w->pid, SIGKILL);
        bury(p, w, "the worker broke the rules of the wire");
    }
}

/* ---- handing out ---- */

static void begin(struct pfs_pool *p, struct worker *w, struct pfs_job *j)
{
    struct pfs_err err = {0};
    w->job = j;
    w->state = WORKER_BUSY;
    w->deadline = pfs_pool_now() + j->order.timeout_ms;
    set_limits(p, w, longest_result(&j->order), j->order.memory);
    int fd = j->order.result_fd;
    if (fd < 0)
        fd = j->memory_fd = memfd_create("planefs-result", MFD_CLOEXEC);
    int r = fd < 0 ? pfs_fail(&err, ENOMEM, "no memory file") :
                     pfs_wire_send_job(w->sock, j->id, j->order.verb, j->order.request, fd, &err);
    if (r == -EPIPE) {
        bury(p, w, NULL);
    } else if (r < 0) {
        w->job = NULL;
        w->state = WORKER_IDLE;
        pfs_job_end(p, j, r, err.text, 0);
    }
}

static void hand_out(struct pfs_pool *p)
{
    for (int i = 0; i < p->n_workers; i++) {
        struct worker *w = &p->worker[i];
        if (w->state == WORKER_NONE && pfs_pool_now() >= w->retry_at)
            pfs_worker_start(p, w);
        struct pfs_job *j = p->queue[w->role];
        if (w->state == WORKER_IDLE && j) {
            p->queue[w->role] = j->next;
            begin(p, w, j);
        }
    }
}

static int next_timeout(struct pfs_pool *p)
{
    int64_t now = pfs_pool_now(), next = now + (p->n_dead ? 50 : 60000);
    for (int i = 0; i < p->n_workers; i++) {
        struct worker *w = &p->worker[i];
        int64_t at = w->state == WORKER_NONE ? w->retry_at : w->state == WORKER_IDLE ? INT64_MAX : w->deadline;
        if (at < next)
            next = at;
    }
    return next > now ? (int)(next - now) : 0;
}

static void end_late(struct pfs_pool *p)
{
    int64_t now = pfs_pool_now();
    for (int i = 0; i < p->n_workers; i++) {
        struct worker *w = &p->worker[i];
        if ((w->state == WORKER_BUSY || w->state == WORKER_STARTING) && now >= w->deadline) {
            w->late = true;
            kill(w->pid, SIGKILL);
            bury(p, w, NULL);
        }
    }
}

void *pfs_pool_loop(void *pool)
{
    struct pfs_pool *p = pool;
    struct epoll_event event[16];
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        hand_out(p);
        int timeout = next_timeout(p);
        pthread_mutex_unlock(&p->lock);
        pfs_pool_call_back_all(p);
        int n = epoll_wait(p->epoll, event, 16, timeout);
        pthread_mutex_lock(&p->lock);
        for (int i = 0; i < n; i++) {
            uint64_t count;
            if (!event[i].data.ptr) {
                ssize_t ignored = read(p->wake, &count, sizeof count);
                (void)ignored;
            } else if (((struct worker *)event[i].data.ptr)->state != WORKER_NONE)
                listen_to(p, event[i].data.ptr);
        }
        end_late(p);
        pfs_worker_reap(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- the interface ---- */

uint64_t pfs_pool_number(struct pfs_pool *p)
{
    pthread_mutex_lock(&p->lock);
    uint64_t number = ++p->last_id;
    pthread_mutex_unlock(&p->lock);
    return number;
}

uint64_t pfs_pool_submit(struct pfs_pool *p, struct pfs_order *o)
{
    struct pfs_job *j = calloc(1, sizeof *j);
    if (!j) {
        o->done(o->ctx, -ENOMEM, "no memory for a job", (struct pfs_blob){0});
        free(o->request.data);
        return 0;
    }
    j->order = *o;
    j->memory_fd = -1;
    pthread_mutex_lock(&p->lock);
    uint64_t id = j->id = o->number ? o->number : ++p->last_id;
    struct pfs_job **at = &p->queue[o->role];
    while (*at && (*at)->order.priority >= o->priority)
        at = &(*at)->next;
    j->next = *at;
    *at = j;
    if (p->stopping) {
        *at = j->next;
        pfs_job_end(p, j, -ECANCELED, "stopping", 0);
    }
    pfs_pool_wake(p);
    pthread_mutex_unlock(&p->lock);
    return id;
}

void pfs_pool_cancel(struct pfs_pool *p, uint64_t job)
{
    pthread_mutex_lock(&p->lock);
    for (int role = 0; role < PFS_N_ROLES; role++)
        for (struct pfs_job **at = &p->queue[role]; *at; at = &(*at)->next)
            if ((*at)->id == job) {
                struct pfs_job *j = *at;
                *at = j->next;
                pfs_job_end(p, j, -ECANCELED, "cancelled", 0);
                goto out;
            }
    for (int i = 0; i < p->n_workers; i++)
        if (p->worker[i].job && p->worker[i].job->id == job) {
            p->worker[i].job->cancelled = true;
            kill(p->worker[i].pid, SIGKILL);
        }
out:
    pthread_mutex_unlock(&p->lock);
}

void pfs_pool_status(struct pfs_pool *p, struct pfs_pool_status *ret)
{
    *ret = (struct pfs_pool_status){0};
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < p->n_workers; i++) {
        ret->workers += p->worker[i].state != WORKER_NONE;
        ret->running += p->worker[i].state == WORKER_BUSY && p->worker[i].role == PFS_MAKER;
    }
    for (struct pfs_job *j = p->queue[PFS_MAKER]; j; j = j->next)
        ret->queued++;
    ret->restarts = p->restarts;
    memcpy(ret->sandbox, p->layers, sizeof ret->sandbox);
    pthread_mutex_unlock(&p->lock);
}

struct call { pthread_mutex_t lock; pthread_cond_t over; bool done; int code; struct pfs_blob bytes; struct pfs_err *err; };

static void call_done(void *ctx, int code, const char *reason, struct pfs_blob bytes)
{
    struct call *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->code = code < 0 ? pfs_fail(c->err, code == -ECONNABORTED ? EIO : -code, "%s", reason) : 0;
    if (!code && (c->bytes.data = malloc(bytes.size + 1))) {
        memcpy(c->bytes.data, bytes.data, bytes.size);
        c->bytes.size = bytes.size;
    } else if (!code)
        c->code = pfs_fail(c->err, ENOMEM, "no memory for an answer of %zu bytes", bytes.size);
    c->done = true;
    pthread_cond_signal(&c->over);
    pthread_mutex_unlock(&c->lock);
}

struct wrapped { struct call call; struct pfs_order inner; };

static int wrapped_open(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    struct wrapped *w = ctx;
    return w->inner.open(w->inner.ctx, name, ret_fd, err);
}

int pfs_pool_call(struct pfs_pool *p, struct pfs_order *o, struct pfs_blob *ret, struct pfs_err *err)
{
    struct wrapped w = {.call = {.lock = PTHREAD_MUTEX_INITIALIZER, .over = PTHREAD_COND_INITIALIZER, .err = err},
                        .inner = *o};
    struct pfs_order order = *o;
    order.result_fd = -1;
    order.length = -1;
    order.open = o->open ? wrapped_open : NULL;
    order.done = call_done;
    order.ctx = &w;
    pfs_pool_submit(p, &order);
    pthread_mutex_lock(&w.call.lock);
    while (!w.call.done)
        pthread_cond_wait(&w.call.over, &w.call.lock);
    pthread_mutex_unlock(&w.call.lock);
    *ret = w.call.bytes;
    return w.call.code;
}
