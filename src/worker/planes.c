/* Planes in the worker: room for them, and reading them through a driver or from a cached stage. */
#include "worker/worker.h"

#include <planefs/mem.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

int worker_plane_alloc(enum pfs_type type, int64_t h, int64_t w, struct pfs_typed *ret, struct pfs_err *err)
{
    size_t row;
    *ret = (struct pfs_typed){.type = type, .h = h, .w = w};
    if (__builtin_mul_overflow((size_t)w, pfs_type_size(type), &row) || !(ret->px = pfs_pixels(h, row)))
        return pfs_fail(err, ENOMEM, "no memory for a plane of %lld x %lld %s", (long long)h, (long long)w,
                        pfs_type_name(type));
    ret->row = (ptrdiff_t)row;
    return 0;
}

/* The file's series must be as the stack has it. */
static int check_series(struct pfs_source *s, int series, struct pfs_at at, const struct pfs_shape *want,
                        struct pfs_err *err)
{
    if (series < 0 || series >= s->n_series || !pfs_at_inside(&s->series[series].shape, at))
        return pfs_fail(err, EIO, "the file has no plane t%lld z%lld c%lld in series %d", (long long)at.t,
                        (long long)at.z, (long long)at.c, series);
    const struct pfs_shape *has = &s->series[series].shape;
    if (has->y != want->y || has->x != want->x || has->type != want->type)
        return pfs_fail(err, EIO, "section is %lld x %lld %s, its stack is %lld x %lld %s", (long long)has->y,
                        (long long)has->x, pfs_type_name(has->type), (long long)want->y, (long long)want->x,
                        pfs_type_name(want->type));
    return 0;
}

int worker_read_at(struct pfs_source *s, int series, struct pfs_at at, struct pfs_typed plane, struct pfs_err *err)
{
    const struct pfs_shape want = {.y = plane.h, .x = plane.w, .type = plane.type};
    int e = check_series(s, series, at, &want, err);
    return e ? e : s->driver->rows(s, series, at, 0, plane.h, plane.px, err);
}

/* Packed samples as another worker wrote them. */
static int read_stage(struct worker *w, const struct pfs_input *in, int64_t y, struct pfs_typed rows,
                      struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    size_t n = (size_t)rows.h * (size_t)rows.row;
    int64_t from = in->offset + y * rows.row;
    int e = w->files.get(w->files.ctx, in->name, &fd, err);
    if (e)
        return e;
    for (size_t done = 0; done < n; ) {
        ssize_t k = pread(fd, (char *)rows.px + done, n - done, (off_t)(from + (int64_t)done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return pfs_fail(err, EIO, "cannot read the stage before: %s", k ? strerror(errno) : "it is cut short");
        done += (size_t)k;
    }
    return 0;
}

int worker_read_rows(struct worker *w, const struct pfs_input *in, int64_t y, struct pfs_typed rows,
                     struct pfs_err *err)
{
    struct pfs_source *s;
    if (y < 0 || rows.h > in->shape.y - y)
        return pfs_fail(err, EPROTO, "rows %lld to %lld of %lld", (long long)y, (long long)(y + rows.h),
                        (long long)in->shape.y);
    if (in->series < 0)
        return read_stage(w, in, y, rows, err);
    int e = worker_source(w, in->name, in->version, &s, err);
    if (e)
        return e;
    e = check_series(s, in->series, in->at, &in->shape, err);
    if (!e)
        e = s->driver->rows(s, in->series, in->at, y, rows.h, rows.px, err);
    if (e)
        worker_forget(w, s);
    return e;
}

int worker_read(struct worker *w, const struct pfs_input *in, struct pfs_typed plane, struct pfs_err *err)
{
    return worker_read_rows(w, in, 0, plane, err);
}
