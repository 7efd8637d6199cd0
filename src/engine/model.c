/* Models inside recipes: which of a view's steps needs one, of which planes it is learnt, and what is known of it. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int pfs_model_step(const struct pfs_recipe *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->step[i].model)
            return i;
    return -1;
}

int pfs_gather_step(const struct pfs_recipe *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->step[i].gather)
            return i;
    return -1;
}

bool pfs_view_gathers(const struct pfs_view_on *v)
{
    return pfs_gather_step(&v->recipe) >= 0;
}

struct pfs_shape pfs_shape_before(const struct pfs_view_on *v, int steps)
{
    return steps ? v->recipe.step[steps - 1].out : v->dataset->shape;
}

char *pfs_learning_name(const struct learning *l)
{
    return pfs_format("%s after %d of t%lld z%lld c%lld", l->op, l->steps, (long long)l->t, (long long)l->z,
                      (long long)l->c);
}

int pfs_model_of(const struct pfs_view_on *v, struct pfs_at at, struct learning *ret)
{
    int i = pfs_model_step(&v->recipe);
    if (i < 0)
        return -ENOENT;
    const struct pfs_recipe_step *s = &v->recipe.step[i];
    *ret = (struct learning){s->text, s->teacher, s->prior, s->teacher_bands, i, s->scope ? at.t : -1,
                             s->scope > 1 ? at.z : -1, s->teacher_bands ? -1 : at.c, false};
    return 0;
}

bool pfs_model_known(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, struct pfs_blob *ret,
                     struct pfs_hash *hash)
{
    struct learning l;
    struct pfs_err err;
    int percent;
    if (pfs_model_of(v, at, &l))
        return false;
    PFS_AUTO_FREE char *name = pfs_learning_name(&l);
    if (!name || pfs_engine_look_report(e, v, name, false, &percent, ret, &err) != PFS_READY)
        return false;
    *hash = pfs_hash(ret->data, ret->size);
    return true;
}

int pfs_memory_file(const char *name, struct pfs_blob b)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    for (size_t done = 0; fd >= 0 && done < b.size;) {
        ssize_t n = write(fd, (char *)b.data + done, b.size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd;
}
