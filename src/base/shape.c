/* Shapes: counting planes and bytes without overflow, and plane numbering. */
#include <planefs/shape.h>

static int64_t product(int64_t a, int64_t b)
{
    int64_t r;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &r) ? -1 : r;
}

int64_t pfs_shape_planes(const struct pfs_shape *s)
{
    return product(product(s->t, s->z), s->c);
}

int64_t pfs_shape_plane_bytes(const struct pfs_shape *s)
{
    return product(product(s->y, s->x), (int64_t)pfs_type_size(s->type));
}

int64_t pfs_at_index(const struct pfs_shape *s, struct pfs_at at)
{
    return (at.t * s->z + at.z) * s->c + at.c;
}

struct pfs_at pfs_at_of(const struct pfs_shape *s, int64_t index)
{
    return (struct pfs_at){index / s->c / s->z, index / s->c % s->z, index % s->c};
}

bool pfs_at_inside(const struct pfs_shape *s, struct pfs_at at)
{
    return at.t >= 0 && at.t < s->t && at.z >= 0 && at.z < s->z && at.c >= 0 && at.c < s->c;
}
