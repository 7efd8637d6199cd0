/* All bands of one (t, z), some rows at a time, so that a cube of any size costs little memory. Only where steps must run
 * on whole planes first are these made at the beginning and held. */
#include "worker/making.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>

static int rows(struct pfs_bands *bands, int64_t y, int64_t n, const struct pfs_typed **ret, struct pfs_err *err)
{
    struct worker_bands *b = (struct worker_bands *)bands;
    int e = 0;
    if (!b->whole && n > b->most)
        for (int64_t i = 0; i < bands->n && !e; i++) {
            free(b->plane[i].px);
            e = worker_plane_alloc(bands->type, n, bands->w, &b->plane[i], err);
        }
    if (!e && !b->whole && n > b->most)
        b->most = n;
    for (int64_t i = 0; i < bands->n && !e; i++) {
        b->window[i] = b->plane[i];
        b->window[i].h = n;
        if (b->whole)
            b->window[i].px = (char *)b->plane[i].px + y * b->plane[i].row;
        else
            e = worker_read_rows(b->m->w, &b->m->work.input[b->first + i], y, b->window[i], err);
    }
    *ret = b->window;
    return e;
}

static int make_whole(struct worker_bands *b, int steps, struct pfs_err *err)
{
    struct pfs_typed in = {0};
    int e = 0;
    for (int64_t i = 0; i < b->b.n && !e; i++)
        e = making_prepare(b->m, b->first + i, steps, &in, &b->plane[i], err);
    free(in.px);
    return e;
}

int worker_bands_open(struct worker_bands *b, struct making *m, int64_t first, int64_t n, int steps,
                      struct pfs_err *err)
{
    struct pfs_shape s = steps ? m->steps->step[steps - 1].out : m->work.input[first].shape;
    *b = (struct worker_bands){.b = {.n = n, .h = s.y, .w = s.x, .type = s.type, .rows = rows}, .m = m, .first = first,
                               .whole = steps > 0, .plane = pfs_array(n, sizeof *b->plane),
                               .window = pfs_array(n, sizeof *b->window)};
    if (!b->plane || !b->window)
        return pfs_fail(err, ENOMEM, "no memory for %lld bands", (long long)n);
    return steps ? make_whole(b, steps, err) : 0;
}

void worker_bands_close(struct worker_bands *b)
{
    for (int64_t i = 0; b->plane && i < b->b.n; i++)
        free(b->plane[i].px);
    free(b->plane);
    free(b->window);
    *b = (struct worker_bands){0};
}
