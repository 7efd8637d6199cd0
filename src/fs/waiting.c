/* READ from beginning to end: answered at once, or on its own until the rest has arrived.
 *
 * A request is carried forward in the handler's thread without waiting (reading.c). Where that ends it goes on its own:
 * to a lane when a disk must be waited for, into the engine's queue when planes must be computed, to a scribe when a
 * report is to be written; it comes back to a lane and goes on from where it was.
 *
 * Three owners may end it: this flow, the watch (its caller was killed) and the closing of the mount. Whoever sets
 * `answered` first replies; the flow alone releases it. */
#include "fs/reading.h"
#include "fs/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_FIRST = 2, LINES_FEW = 16 };   /* made at a time at first; read before more are made at a time */

/* ---- one reply ---- */

static void note(const struct pfs_reading *r)
{
    PFS_AUTO_TEXT struct pfs_text path = {0};
    if (r->err.code == EAGAIN || r->err.code == EINTR || r->err.code == ECANCELED || r->err.code == ENOTCONN)
        return;
    pfs_node_path(r->h->node, &path);
    if (path.s)
        pfs_engine_note_error(r->m->tree.engine, path.s, r->err.code, r->err.text);
}

static int fail_code(const struct pfs_reading *r)
{
    int code = r->err.code;
    return code == EAGAIN || code == 0 || code == ECANCELED ? EIO : code;
}

static void reply(struct pfs_reading *r, enum pfs_step step, const char *buf)
{
    if (step == DONE) {
        fuse_reply_buf(r->req, buf, (size_t)(r->pos - r->off));
    } else if (step == REFUSED) {
        fuse_reply_err(r->req, EAGAIN);
    } else {
        note(r);
        fuse_reply_err(r->req, fail_code(r));
    }
}

/* ---- on its own ---- */

static void run(struct pfs_task *task, bool drop);
static void scribe(struct pfs_task *task, bool drop);

static void drop_slots(struct pfs_reading *r)
{
    for (int i = 0; i < r->n_slots; i++) {
        if (r->slot[i].pixels)
            pfs_pixels_unref(r->slot[i].pixels);
        free(r->slot[i].table.data);
    }
    r->n_slots = 0;
}

static void unref(struct pfs_reading *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    drop_slots(r);
    free(r->slot);
    free(r->kept);
    free(r->table.data);
    pfs_handle_unref(r->h);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct pfs_reading *of_waiting(struct pfs_waiting *w)
{
    return (struct pfs_reading *)((char *)w - offsetof(struct pfs_reading, waiting));
}

static struct pfs_reading *of_task(struct pfs_task *t)
{
    return (struct pfs_reading *)((char *)t - offsetof(struct pfs_reading, task));
}

/* true: the reply is the caller's to make, and libfuse calls nothing of this request any more. From set_out on nothing
 * else may touch `req`. */
static bool claim(struct pfs_reading *r)
{
    if (atomic_exchange(&r->answered, true))
        return false;
    fuse_req_interrupt_func(r->req, NULL, NULL);
    pfs_watch_remove(r->m->watch, &r->waiting);
    return true;
}

static void push(struct pfs_reading *r)
{
    r->task.run = run;
    pfs_lanes_push(r->m->lanes, &r->task);
}

static void arrived(struct pfs_reading *r, int n)
{
    if (n && atomic_fetch_sub(&r->pending, n) == n)
        push(r);
}

static bool copy_table(struct pfs_slot *slot, struct pfs_blob table)
{
    void *data = malloc(table.size ? table.size : 1);
    struct pfs_reading *r = slot->reading;
    if (!data)
        return false;
    memcpy(data, table.data, table.size);
    *(slot->plane == REPORT ? &r->table : &slot->table) = (struct pfs_blob){data, table.size};
    r->has_table |= slot->plane == REPORT;
    return true;
}

static void arrived_from_engine(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels,
                                struct pfs_blob table)
{
    struct pfs_slot *slot = (struct pfs_slot *)w;
    struct pfs_reading *r = slot->reading;
    if (code)
        pfs_fail(&slot->err, code < 0 ? -code : code, "%s", reason ? reason : "");
    else if (pixels)
        slot->pixels = pfs_pixels_ref(pixels);
    else if (!copy_table(slot, table))
        pfs_fail(&slot->err, ENOMEM, "no memory for a report");
    slot->here = true;
    arrived(r, 1);
}

static int leave_all(struct pfs_reading *r)
{
    int left = 0;
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < r->n_slots; i++)
        left += pfs_engine_leave(r->m->tree.engine, &r->slot[i].waiter);
    pthread_mutex_unlock(&r->lock);
    return left;
}

static void cancel(struct pfs_waiting *w, int code)
{
    struct pfs_reading *r = of_waiting(w);
    if (!claim(r))
        return;
    fuse_reply_err(r->req, code);
    arrived(r, leave_all(r));
}

static void hold(struct pfs_waiting *w, int n)
{
    if (n > 0)
        atomic_fetch_add(&of_waiting(w)->refs, 1);
    else
        unref(of_waiting(w));
}

static void interrupted(fuse_req_t req, void *arg)
{
    struct pfs_reading *r = arg;
    (void)req;
    pfs_watch_interrupted(r->m->watch, &r->waiting);
}

static struct pfs_reading *set_out(const struct pfs_reading *start)
{
    struct pfs_reading *r = malloc(sizeof *r);
    if (!r)
        return NULL;
    *r = *start;
    pfs_handle_ref(r->h);
    atomic_init(&r->refs, 1);
    atomic_init(&r->pending, 0);
    atomic_init(&r->answered, false);
    pthread_mutex_init(&r->lock, NULL);
    r->waiting = (struct pfs_waiting){.thread = fuse_req_ctx(r->req)->pid, .always = r->fault, .hold = hold,
                                      .cancel = cancel};
    fuse_req_interrupt_func(r->req, interrupted, r);
    pfs_watch_add(r->m->watch, &r->waiting);
    return r;
}

/* What was read in front of a plane still to come is worth keeping only where it cost something. */
static bool keep(struct pfs_reading *r, const char *buf)
{
    if (r->kept)
        return true;
    if (r->pos > r->off && (r->h->name.kind->line || (r->h->planes > 1 && r->h->name.kind->planes))) {
        if (!(r->kept = malloc((size_t)(r->end - r->off))))
            return false;
        memcpy(r->kept, buf, (size_t)(r->pos - r->off));
    } else {
        r->pos = r->off;
    }
    return true;
}

/* Ask for the planes from here on: as many as the request touches, a batch at most. */
static void ask_planes(struct pfs_reading *r, int64_t first, int64_t last)
{
    struct pfs_name *name = &r->h->name;
    for (int64_t i = first; i <= last && r->n_slots < BATCH && !atomic_load(&r->answered); i++) {
        struct pfs_at at = name->kind->plane(name, i);
        if (pfs_name_missing(name, at))
            continue;
        struct pfs_slot *slot = &r->slot[r->n_slots++];
        *slot = (struct pfs_slot){.waiter.done = arrived_from_engine, .reading = r, .plane = i};
        atomic_fetch_add(&r->pending, 1);
        pfs_engine_plane(r->m->tree.engine, name->view, at, &slot->waiter);
        if (!name->kind->planes)
            r->next_source = i + 1;
    }
}

/* Lines from here on: who reads a few has few made, who reads on gets more at a time. */
static void ask_lines(struct pfs_reading *r, int64_t first, int64_t last)
{
    struct pfs_name *name = &r->h->name;
    int most = r->whole || r->fault || r->h->lines >= LINES_FEW ? BATCH : LINES_FIRST;
    for (int64_t i = first; i <= last && r->n_slots < most && !atomic_load(&r->answered); i++) {
        struct pfs_slot *slot = &r->slot[r->n_slots++];
        *slot = (struct pfs_slot){.waiter.done = arrived_from_engine, .reading = r, .plane = i};
        atomic_fetch_add(&r->pending, 1);
        pfs_engine_lesson(r->m->tree.engine, name->view, name->model, i, &slot->waiter);
    }
}

static void ask_report(struct pfs_reading *r)
{
    struct pfs_slot *slot = &r->slot[r->n_slots++];
    *slot = (struct pfs_slot){.waiter.done = arrived_from_engine, .reading = r, .plane = REPORT};
    atomic_fetch_add(&r->pending, 1);
    pfs_engine_report(r->m->tree.engine, r->h->name.view, r->h->name.model, &slot->waiter);
}

static void ask(struct pfs_reading *r, enum pfs_step step)
{
    struct pfs_handle *h = r->h;
    int64_t n_head = (int64_t)h->head.n, pos = r->pos > n_head ? r->pos : n_head;
    bool parts = h->name.kind->planes || h->name.kind->line;
    int64_t first = parts ? (pos - n_head) / h->plane_bytes : r->next_source;
    int64_t last = parts ? (r->end - 1 - n_head) / h->plane_bytes : h->planes - 1;
    last = last < h->planes ? last : h->planes - 1;
    if (!parts && step == WAIT_PLANES && first > last)
        r->next_source = h->planes;
    pthread_mutex_lock(&r->lock);
    drop_slots(r);
    if (step == WAIT_REPORT && !atomic_load(&r->answered))
        ask_report(r);
    else if (step == WAIT_PLANES && h->name.kind->line)
        ask_lines(r, first, last);
    else if (step == WAIT_PLANES)
        ask_planes(r, first, last);
    pthread_mutex_unlock(&r->lock);
    if (!parts && r->n_slots < BATCH)
        r->next_source = h->planes;
}

/* Wait for planes or a table. A count of one is held meanwhile, so that nothing comes back before all is asked for. */
static void wait_for(struct pfs_reading *r, enum pfs_step step)
{
    if (!r->slot && !(r->slot = calloc(BATCH, sizeof *r->slot))) {
        pfs_fail(&r->err, ENOMEM, "no memory for a read");
        if (claim(r))
            reply(r, FAILED, NULL);
        unref(r);
        return;
    }
    atomic_store(&r->pending, 1);
    ask(r, step);
    arrived(r, 1);
}

static void go_on(struct pfs_reading *r, enum pfs_step step, const char *buf)
{
    if (step == WAIT_PLANES || step == WAIT_REPORT) {
        if (keep(r, buf)) {
            wait_for(r, step);
            return;
        }
        pfs_fail(&r->err, ENOMEM, "no memory for a read");
        step = FAILED;
    }
    if (step == TO_SCRIBE) {
        r->task.run = scribe;
        pfs_lanes_push(r->m->scribes, &r->task);
        return;
    }
    if (claim(r))
        reply(r, step, buf);
    unref(r);
}

static void run(struct pfs_task *task, bool drop)
{
    struct pfs_reading *r = of_task(task);
    char *buf = r->kept ? r->kept : pfs_thread_buffer((size_t)(r->end - r->off));
    enum pfs_step step = FAILED;
    if (atomic_load(&r->answered)) {
        unref(r);
        return;
    }
    if (drop)
        pfs_fail(&r->err, ENOTCONN, "the mount is being closed");
    else if (!buf)
        pfs_fail(&r->err, ENOMEM, "no memory for a read");
    else
        step = pfs_reading_advance(r, buf, true);
    go_on(r, step, buf);
}

static void scribe(struct pfs_task *task, bool drop)
{
    struct pfs_reading *r = of_task(task);
    int code = 0;
    if (!atomic_load(&r->answered))
        code = drop ? pfs_fail(&r->err, ENOTCONN, "the mount is being closed")
                    : pfs_handle_write(r->h, r->table, &r->err);
    if (code)
        go_on(r, FAILED, NULL);
    else
        push(r);
}

/* ---- in the handler ---- */

/* O_NONBLOCK is how file(1) looks at files; GNU tar, which wants all of them, adds O_NOFOLLOW and takes a short read
 * for the end. */
static bool only_looks(int flags)
{
    return (flags & O_NONBLOCK) && !(flags & O_NOFOLLOW);
}

void pfs_read(struct pfs_mount *m, fuse_req_t req, struct pfs_handle *h, size_t size, off_t off,
              const struct fuse_file_info *fi)
{
    int64_t left = off < h->size ? h->size - off : 0, n = (int64_t)size < left ? (int64_t)size : left;
    char *buf = pfs_thread_buffer((size_t)n);
    struct pfs_reading start = {.m = m, .h = h, .req = req, .off = off, .pos = off, .end = off + n,
                            .nonblock = only_looks(fi->flags), .fault = fi->lock_owner == 0,
                            .whole = fi->flags & (O_NONBLOCK | O_NOFOLLOW)};
    if (!buf || n == 0) {
        buf ? fuse_reply_buf(req, NULL, 0) : fuse_reply_err(req, ENOMEM);
        return;
    }
    enum pfs_step step = pfs_reading_advance(&start, buf, false);
    if (step == DONE || step == FAILED || step == REFUSED) {
        reply(&start, step, buf);
        free(start.table.data);
        return;
    }
    struct pfs_reading *r = set_out(&start);
    if (!r) {
        free(start.table.data);
        fuse_reply_err(req, ENOMEM);
    } else if (step == TO_LANE) {
        r->pos = r->off;
        push(r);
    } else {
        go_on(r, step, buf);
    }
}
