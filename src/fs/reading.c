/* READ: header bytes, planes and padding of an image, or the text of a report.
 *
 * A request is carried forward as far as it goes without waiting, in the handler's thread. Where that ends it goes on
 * its own: to a lane when a disk must be waited for, into the engine's queue when planes must be computed, to a scribe
 * when a report is to be written; it comes back to a lane and goes on from where it was.
 *
 * Three owners may end it: the flow just described, the watch (its caller was killed) and the closing of the mount.
 * Whoever sets `answered` first replies; the flow alone releases it. */
#include "fs/session.h"
#include "fs/words.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, NO_PLANE = -1, REPORT = -2 };      /* planes asked for at a time; no plane's ordinals */
enum step { DONE, FAILED, REFUSED, TO_LANE, TO_SCRIBE, WAIT_PLANES, WAIT_REPORT };

struct slot {
    struct pfs_waiter waiter;
    struct reading *reading;
    int64_t plane;
    struct pfs_pixels *pixels;
    struct pfs_err err;               /* code: 0, or why there are no pixels */
};

struct reading {
    struct pfs_task task;
    struct pfs_waiting waiting;
    struct pfs_mount *m;
    struct pfs_handle *h;
    fuse_req_t req;
    int64_t off, end, pos;            /* of the file; pos: done up to here */
    bool nonblock, fault;             /* fault: from the page cache, not from read(2) */
    struct pfs_err err;
    int damaged;                      /* how often a cached plane turned out damaged */
    int64_t next_source;              /* report of planes: the next one to have computed */

    /* Only once it goes on its own: */
    char *kept;                       /* what has been read, when there was some */
    struct pfs_blob table;
    bool has_table;
    atomic_int refs, pending;
    atomic_bool answered;
    pthread_mutex_t lock;             /* slots against cancelling */
    int n_slots;
    struct slot *slot;
};

/* ---- pixels ---- */

static void swap_samples(char *p, int64_t n, size_t size)
{
    for (int64_t i = 0; i + (int64_t)size <= n; i += (int64_t)size) {
        for (size_t k = 0; k < size / 2; k++) {
            char c = p[(size_t)i + k];
            p[(size_t)i + k] = p[(size_t)i + size - 1 - k];
            p[(size_t)i + size - 1 - k] = c;
        }
    }
}

static int read_swapped(struct reading *r, struct pfs_pixels *pixels, int64_t off, int64_t n, char *dst, bool nowait)
{
    size_t size = pfs_type_size(r->h->name.view->shape.type);
    int64_t from = off / (int64_t)size * (int64_t)size;
    int64_t to = (off + n + (int64_t)size - 1) / (int64_t)size * (int64_t)size;
    char *whole = malloc((size_t)(to - from));
    if (!whole)
        return pfs_fail(&r->err, ENOMEM, "no memory for a read");
    int code = pfs_pixels_read(pixels, from, to - from, whole, nowait, &r->err);
    if (!code) {
        swap_samples(whole, to - from, size);
        memcpy(dst, whole + (off - from), (size_t)n);
    }
    free(whole);
    return code;
}

static int read_pixels(struct reading *r, struct pfs_pixels *pixels, int64_t off, int64_t n, char *dst, bool nowait)
{
    if (pfs_pixels_big_endian(pixels) != r->h->big_endian)
        return read_swapped(r, pixels, off, n, dst, nowait);
    return pfs_pixels_read(pixels, off, n, dst, nowait, &r->err);
}

static struct slot *slot_of(struct reading *r, int64_t plane)
{
    for (int i = 0; i < r->n_slots; i++)
        if (r->slot[i].plane == plane)
            return &r->slot[i];
    return NULL;
}

/* The pixels of a plane, referenced: DONE, or what has to happen first. */
static enum step find_pixels(struct reading *r, int64_t plane, bool wait, struct pfs_pixels **ret)
{
    struct slot *slot = slot_of(r, plane);
    if (slot && slot->err.code) {
        r->err = slot->err;
        return FAILED;
    }
    if (slot && slot->pixels) {
        *ret = pfs_pixels_ref(slot->pixels);
        return DONE;
    }
    if ((*ret = pfs_handle_pixels(r->h)))
        return DONE;
    bool unsure = false;
    int percent;
    struct pfs_name *name = &r->h->name;
    switch (pfs_engine_look(r->m->tree.engine, name->view, name->kind->plane(name, plane), wait, &unsure, &percent, ret,
                            &r->err)) {
    case PFS_READY: return DONE;
    case PFS_ERROR: return FAILED;
    default: return unsure && !wait ? TO_LANE : WAIT_PLANES;
    }
}

static enum step after_read(struct reading *r, int code, int64_t plane)
{
    if (code == -EAGAIN)
        return TO_LANE;
    if (code != -EBADMSG)
        return FAILED;
    if (r->damaged++) {
        pfs_fail(&r->err, EIO, "the cached plane is damaged again");
        return FAILED;
    }
    struct slot *slot = slot_of(r, plane);
    if (slot && slot->pixels) {
        pfs_pixels_unref(slot->pixels);
        slot->pixels = NULL;
        slot->plane = NO_PLANE;
    }
    pfs_handle_set_pixels(r->h, NULL);
    return WAIT_PLANES;
}

static enum step advance_plane(struct reading *r, int64_t off, char *dst, bool wait)
{
    struct pfs_handle *h = r->h;
    int64_t plane = off / h->plane_bytes, in = off % h->plane_bytes, n = r->end - r->pos;
    n = n < h->plane_bytes - in ? n : h->plane_bytes - in;
    if (pfs_name_missing(&h->name, h->name.kind->plane(&h->name, plane))) {
        memset(dst, 0, (size_t)n);
        r->pos += n;
        return DONE;
    }
    struct pfs_pixels *pixels = NULL;
    enum step step = find_pixels(r, plane, wait, &pixels);
    if (step != DONE)
        return step;
    int code = read_pixels(r, pixels, in, n, dst, !wait);
    if (!code && h->planes == 1)
        pfs_handle_set_pixels(h, pixels);
    pfs_pixels_unref(pixels);
    if (code)
        return after_read(r, code, plane);
    if (in + n == h->plane_bytes)
        pfs_engine_was_read(r->m->tree.engine, h->name.view, h->name.kind->plane(&h->name, plane));
    r->pos += n;
    return DONE;
}

static enum step advance_image(struct reading *r, char *buf, bool wait)
{
    const struct pfs_text *head;
    if (pfs_handle_head(r->h, &head, &r->err))
        return FAILED;
    int64_t n_head = (int64_t)head->n, behind = n_head + r->h->planes * r->h->plane_bytes;
    while (r->pos < r->end) {
        char *dst = buf + (r->pos - r->off);
        enum step step = DONE;
        if (r->pos < n_head) {
            int64_t n = (r->end < n_head ? r->end : n_head) - r->pos;
            memcpy(dst, head->s + r->pos, (size_t)n);
            r->pos += n;
        } else if (r->pos < behind) {
            step = advance_plane(r, r->pos - n_head, dst, wait);
        } else {
            memset(dst, 0, (size_t)(r->end - r->pos));
            r->pos = r->end;
        }
        if (step != DONE)
            return step;
    }
    return DONE;
}

/* ---- reports ---- */

static enum step report_table(struct reading *r, bool wait)
{
    int percent;
    struct pfs_name *name = &r->h->name;
    if (!name->kind->model || r->has_table)
        return DONE;
    struct pfs_blob table = {0};
    switch (pfs_engine_look_report(r->m->tree.engine, name->view, name->kind->model, wait, &percent, &table, &r->err)) {
    case PFS_READY:
        r->table = table;
        r->has_table = true;
        return DONE;
    case PFS_ERROR: return FAILED;
    default: return WAIT_REPORT;
    }
}

/* Planes a report is made of are computed first, so that writing it does not wait for jobs. */
static enum step report_planes(const struct reading *r)
{
    return r->h->name.kind->model || r->h->ready || r->next_source >= r->h->planes ? DONE : WAIT_PLANES;
}

static bool slot_failed(struct reading *r)
{
    for (int i = 0; i < r->n_slots; i++) {
        if (r->slot[i].err.code) {
            r->err = r->slot[i].err;
            return true;
        }
    }
    return false;
}

static enum step advance_report(struct reading *r, char *buf, bool wait)
{
    const char *text;
    if (pfs_handle_text(r->h, &text)) {
        memcpy(buf, text + r->off, (size_t)(r->end - r->off));
        r->pos = r->end;
        return DONE;
    }
    if (slot_failed(r))
        return FAILED;
    enum step step = report_table(r, wait);
    if (step == DONE)
        step = report_planes(r);
    return step == DONE ? TO_SCRIBE : step;
}

/* O_NONBLOCK is how file(1) looks at files; GNU tar, which wants all of them, adds O_NOFOLLOW and takes a short read for
 * the end. */
static bool only_looks(int flags)
{
    return (flags & O_NONBLOCK) && !(flags & O_NOFOLLOW);
}

/* Readers that must not wait are told so, with the header where it helps:
 * O_NONBLOCK gets the header short; a page fault that straddles header and pixels is asked again for its page alone. */
static enum step unless_refused(const struct reading *r, enum step step)
{
    bool image = r->h->name.kind && r->h->name.kind->planes;
    bool has_header = image && r->pos > r->off && r->off < (int64_t)r->h->head.n;
    if (step != WAIT_PLANES && step != WAIT_REPORT)
        return step;
    if (r->nonblock)
        return has_header ? DONE : REFUSED;
    return r->fault && has_header ? REFUSED : step;
}

static enum step advance(struct reading *r, char *buf, bool wait)
{
    bool image = r->h->name.kind && r->h->name.kind->planes;
    return unless_refused(r, image ? advance_image(r, buf, wait) : advance_report(r, buf, wait));
}

/* ---- one reply ---- */

static void note(const struct reading *r)
{
    PFS_AUTO_TEXT struct pfs_text path = {0};
    if (r->err.code == EAGAIN || r->err.code == EINTR || r->err.code == ECANCELED || r->err.code == ENOTCONN)
        return;
    pfs_node_path(r->h->node, &path);
    if (path.s)
        pfs_engine_note_error(r->m->tree.engine, path.s, r->err.code, r->err.text);
}

static int fail_code(const struct reading *r)
{
    int code = r->err.code;
    return code == EAGAIN || code == 0 || code == ECANCELED ? EIO : code;
}

static void reply(struct reading *r, enum step step, const char *buf)
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

static void drop_slots(struct reading *r)
{
    for (int i = 0; i < r->n_slots; i++)
        if (r->slot[i].pixels)
            pfs_pixels_unref(r->slot[i].pixels);
    r->n_slots = 0;
}

static void unref(struct reading *r)
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

static struct reading *of_waiting(struct pfs_waiting *w)
{
    return (struct reading *)((char *)w - offsetof(struct reading, waiting));
}

static struct reading *of_task(struct pfs_task *t)
{
    return (struct reading *)((char *)t - offsetof(struct reading, task));
}

/* true: the reply is the caller's to make, and libfuse calls nothing of this request any more. From set_out on nothing
 * else may touch `req`. */
static bool claim(struct reading *r)
{
    if (atomic_exchange(&r->answered, true))
        return false;
    fuse_req_interrupt_func(r->req, NULL, NULL);
    pfs_watch_remove(r->m->watch, &r->waiting);
    return true;
}

static void push(struct reading *r)
{
    r->task.run = run;
    pfs_lanes_push(r->m->lanes, &r->task);
}

static void arrived(struct reading *r, int n)
{
    if (n && atomic_fetch_sub(&r->pending, n) == n)
        push(r);
}

static bool copy_table(struct reading *r, struct pfs_blob table)
{
    void *data = malloc(table.size ? table.size : 1);
    if (!data)
        return false;
    memcpy(data, table.data, table.size);
    r->table = (struct pfs_blob){data, table.size};
    return r->has_table = true;
}

static void arrived_from_engine(struct pfs_waiter *w, int code, const char *reason, struct pfs_pixels *pixels,
                                struct pfs_blob table)
{
    struct slot *slot = (struct slot *)w;
    struct reading *r = slot->reading;
    if (code)
        pfs_fail(&slot->err, code < 0 ? -code : code, "%s", reason ? reason : "");
    else if (pixels)
        slot->pixels = pfs_pixels_ref(pixels);
    else if (slot->plane == REPORT && !copy_table(r, table))
        pfs_fail(&slot->err, ENOMEM, "no memory for a report");
    arrived(r, 1);
}

static int leave_all(struct reading *r)
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
    struct reading *r = of_waiting(w);
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
    struct reading *r = arg;
    (void)req;
    pfs_watch_interrupted(r->m->watch, &r->waiting);
}

static struct reading *set_out(const struct reading *start)
{
    struct reading *r = malloc(sizeof *r);
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
static bool keep(struct reading *r, const char *buf)
{
    if (r->kept)
        return true;
    if (r->pos > r->off && r->h->planes > 1 && r->h->name.kind->planes) {
        if (!(r->kept = malloc((size_t)(r->end - r->off))))
            return false;
        memcpy(r->kept, buf, (size_t)(r->pos - r->off));
    } else {
        r->pos = r->off;
    }
    return true;
}

/* Ask for the planes from here on: as many as the request touches, a batch at most. */
static void ask_planes(struct reading *r, int64_t first, int64_t last)
{
    struct pfs_name *name = &r->h->name;
    for (int64_t i = first; i <= last && r->n_slots < BATCH && !atomic_load(&r->answered); i++) {
        struct pfs_at at = name->kind->plane(name, i);
        if (pfs_name_missing(name, at))
            continue;
        struct slot *slot = &r->slot[r->n_slots++];
        *slot = (struct slot){.waiter.done = arrived_from_engine, .reading = r, .plane = i};
        atomic_fetch_add(&r->pending, 1);
        pfs_engine_plane(r->m->tree.engine, name->view, at, &slot->waiter);
        if (!name->kind->planes)
            r->next_source = i + 1;
    }
}

static void ask_report(struct reading *r)
{
    struct slot *slot = &r->slot[r->n_slots++];
    *slot = (struct slot){.waiter.done = arrived_from_engine, .reading = r, .plane = REPORT};
    atomic_fetch_add(&r->pending, 1);
    pfs_engine_report(r->m->tree.engine, r->h->name.view, r->h->name.kind->model, &slot->waiter);
}

static void ask(struct reading *r, enum step step)
{
    struct pfs_handle *h = r->h;
    int64_t n_head = (int64_t)h->head.n, pos = r->pos > n_head ? r->pos : n_head;
    int64_t first = h->name.kind->planes ? (pos - n_head) / h->plane_bytes : r->next_source;
    int64_t last = h->name.kind->planes ? (r->end - 1 - n_head) / h->plane_bytes : h->planes - 1;
    last = last < h->planes ? last : h->planes - 1;
    if (!h->name.kind->planes && step == WAIT_PLANES && first > last)
        r->next_source = h->planes;
    pthread_mutex_lock(&r->lock);
    drop_slots(r);
    if (step == WAIT_REPORT && !atomic_load(&r->answered))
        ask_report(r);
    else if (step == WAIT_PLANES)
        ask_planes(r, first, last);
    pthread_mutex_unlock(&r->lock);
    if (!h->name.kind->planes && r->n_slots < BATCH)
        r->next_source = h->planes;
}

/* Wait for planes or a table. A count of one is held meanwhile, so that nothing comes back before all is asked for. */
static void wait_for(struct reading *r, enum step step)
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

static void go_on(struct reading *r, enum step step, const char *buf)
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
    struct reading *r = of_task(task);
    char *buf = r->kept ? r->kept : pfs_thread_buffer((size_t)(r->end - r->off));
    enum step step = FAILED;
    if (atomic_load(&r->answered)) {
        unref(r);
        return;
    }
    if (drop)
        pfs_fail(&r->err, ENOTCONN, "the mount is being closed");
    else if (!buf)
        pfs_fail(&r->err, ENOMEM, "no memory for a read");
    else
        step = advance(r, buf, true);
    go_on(r, step, buf);
}

static void scribe(struct pfs_task *task, bool drop)
{
    struct reading *r = of_task(task);
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

void pfs_read(struct pfs_mount *m, fuse_req_t req, struct pfs_handle *h, size_t size, off_t off,
              const struct fuse_file_info *fi)
{
    int64_t left = off < h->size ? h->size - off : 0, n = (int64_t)size < left ? (int64_t)size : left;
    char *buf = pfs_thread_buffer((size_t)n);
    struct reading start = {.m = m, .h = h, .req = req, .off = off, .pos = off, .end = off + n,
                            .nonblock = only_looks(fi->flags), .fault = fi->lock_owner == 0};
    if (!buf || n == 0) {
        buf ? fuse_reply_buf(req, NULL, 0) : fuse_reply_err(req, ENOMEM);
        return;
    }
    enum step step = advance(&start, buf, false);
    if (step == DONE || step == FAILED || step == REFUSED) {
        reply(&start, step, buf);
        free(start.table.data);
        return;
    }
    struct reading *r = set_out(&start);
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
