/* READ: header bytes, planes and padding of an image, or the text of a report, as far as they are at hand. Says what
 * has to happen where they are not. */
#include "fs/reading.h"
#include "fs/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static int read_swapped(struct pfs_reading *r, struct pfs_pixels *pixels, int64_t off, int64_t n, char *dst,
                        bool nowait)
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

static int read_pixels(struct pfs_reading *r, struct pfs_pixels *pixels, int64_t off, int64_t n, char *dst,
                       bool nowait)
{
    if (pfs_pixels_big_endian(pixels) != r->h->big_endian)
        return read_swapped(r, pixels, off, n, dst, nowait);
    return pfs_pixels_read(pixels, off, n, dst, nowait, &r->err);
}

static struct pfs_slot *slot_of(struct pfs_reading *r, int64_t plane)
{
    for (int i = 0; i < r->n_slots; i++)
        if (r->slot[i].plane == plane)
            return &r->slot[i];
    return NULL;
}

/* The pixels of a plane, referenced: DONE, or what has to happen first. */
static enum pfs_step find_pixels(struct pfs_reading *r, int64_t plane, bool wait, struct pfs_pixels **ret)
{
    struct pfs_slot *slot = slot_of(r, plane);
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

static enum pfs_step after_read(struct pfs_reading *r, int code, int64_t plane)
{
    if (code == -EAGAIN)
        return TO_LANE;
    if (code != -EBADMSG)
        return FAILED;
    if (r->damaged++) {
        pfs_fail(&r->err, EIO, "the cached plane is damaged again");
        return FAILED;
    }
    struct pfs_slot *slot = slot_of(r, plane);
    if (slot && slot->pixels) {
        pfs_pixels_unref(slot->pixels);
        slot->pixels = NULL;
        slot->plane = NO_PLANE;
    }
    pfs_handle_set_pixels(r->h, NULL);
    return WAIT_PLANES;
}

static enum pfs_step advance_plane(struct pfs_reading *r, int64_t off, char *dst, bool wait)
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
    enum pfs_step step = find_pixels(r, plane, wait, &pixels);
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

static enum pfs_step advance_image(struct pfs_reading *r, char *buf, bool wait)
{
    const struct pfs_text *head;
    if (pfs_handle_head(r->h, &head, &r->err))
        return FAILED;
    int64_t n_head = (int64_t)head->n, behind = n_head + r->h->planes * r->h->plane_bytes;
    while (r->pos < r->end) {
        char *dst = buf + (r->pos - r->off);
        enum pfs_step step = DONE;
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

static enum pfs_step report_table(struct pfs_reading *r, bool wait)
{
    int percent;
    struct pfs_name *name = &r->h->name;
    if (!name->kind->model || r->has_table)
        return DONE;
    struct pfs_blob table = {0};
    switch (pfs_engine_look_report(r->m->tree.engine, name->view, name->model, wait, &percent, &table, &r->err)) {
    case PFS_READY:
        r->table = table;
        r->has_table = true;
        return DONE;
    case PFS_ERROR: return FAILED;
    default: return WAIT_REPORT;
    }
}

/* Planes a report is made of are computed first, so that writing it does not wait for jobs. */
static enum pfs_step report_planes(const struct pfs_reading *r)
{
    return r->h->name.kind->model || r->h->ready || r->next_source >= r->h->planes ? DONE : WAIT_PLANES;
}

static bool slot_failed(struct pfs_reading *r)
{
    for (int i = 0; i < r->n_slots; i++) {
        if (r->slot[i].err.code) {
            r->err = r->slot[i].err;
            return true;
        }
    }
    return false;
}

static enum pfs_step advance_report(struct pfs_reading *r, char *buf, bool wait)
{
    const char *text;
    if (pfs_handle_text(r->h, &text)) {
        memcpy(buf, text + r->off, (size_t)(r->end - r->off));
        r->pos = r->end;
        return DONE;
    }
    if (slot_failed(r))
        return FAILED;
    enum pfs_step step = report_table(r, wait);
    if (step == DONE)
        step = report_planes(r);
    return step == DONE ? TO_SCRIBE : step;
}

/* ---- tables: a header and a line per plane ---- */

static bool lines_own(int code)
{
    return code != ECANCELED && code != ESTALE && code != ENOMEM && code != EMFILE;
}

/* The line at a place: as much of it as the request wants. */
static enum pfs_step advance_line(struct pfs_reading *r, int64_t off, char *dst)
{
    struct pfs_handle *h = r->h;
    int64_t i = off / h->plane_bytes, in = off % h->plane_bytes, n = r->end - r->pos;
    struct pfs_slot *slot = slot_of(r, i);
    if (!slot || !slot->here)
        return r->pos > r->off && !r->whole && !r->fault ? DONE : WAIT_PLANES;
    if (slot->err.code && !lines_own(slot->err.code)) {
        r->err = slot->err;
        return FAILED;
    }
    char *line = malloc((size_t)h->plane_bytes);
    if (!line) {
        pfs_fail(&r->err, ENOMEM, "no memory for a line");
        return FAILED;
    }
    n = n < h->plane_bytes - in ? n : h->plane_bytes - in;
    h->name.kind->line(&h->name, i, slot->table, slot->err.code, line);
    memcpy(dst, line + in, (size_t)n);
    free(line);
    r->pos += n;
    h->lines += in + n == h->plane_bytes;
    return DONE;
}

/* A short answer ends where the next line would have to be made: whoever reads ten lines has ten planes looked at. */
static enum pfs_step advance_lines(struct pfs_reading *r, char *buf)
{
    const struct pfs_text *head;
    if (pfs_handle_head(r->h, &head, &r->err))
        return FAILED;
    for (int64_t before = -1; r->pos < r->end && r->pos != before;) {
        int64_t n_head = (int64_t)head->n, n = (r->end < n_head ? r->end : n_head) - r->pos;
        before = r->pos;
        if (n > 0) {
            memcpy(buf + (r->pos - r->off), head->s + r->pos, (size_t)n);
            r->pos += n;
            continue;
        }
        enum pfs_step step = advance_line(r, r->pos - n_head, buf + (r->pos - r->off));
        if (step != DONE)
            return step;
    }
    return DONE;
}

/* Readers that must not wait are told so, with the header where it helps:
 * O_NONBLOCK gets the header short; a page fault that straddles header and pixels is asked again for its page alone. */
static enum pfs_step unless_refused(const struct pfs_reading *r, enum pfs_step step)
{
    bool image = r->h->name.kind && r->h->name.kind->planes;
    bool has_header = image && r->pos > r->off && r->off < (int64_t)r->h->head.n;
    if (step != WAIT_PLANES && step != WAIT_REPORT)
        return step;
    if (r->nonblock)
        return has_header ? DONE : REFUSED;
    return r->fault && has_header ? REFUSED : step;
}

enum pfs_step pfs_reading_advance(struct pfs_reading *r, char *buf, bool wait)
{
    bool image = r->h->name.kind && r->h->name.kind->planes;
    if (r->h->name.kind && r->h->name.kind->line)
        return unless_refused(r, advance_lines(r, buf));
    return unless_refused(r, image ? advance_image(r, buf, wait) : advance_report(r, buf, wait));
}
