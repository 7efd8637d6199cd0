/* The registry of operators, made from ops.def. */
#include <planefs/ops.h>

#include <math.h>
#include <string.h>

#define OP(name) extern const struct pfs_op pfs_op_##name;
#include "ops/ops.def"
#undef OP

const struct pfs_op *const pfs_ops[] = {
#define OP(name) &pfs_op_##name,
#include "ops/ops.def"
#undef OP
    NULL
};

const struct pfs_op *pfs_op_named(const char *name)
{
    for (const struct pfs_op *const *op = pfs_ops; *op; op++)
        if (!strcmp((*op)->name, name))
            return *op;
    return NULL;
}

enum pfs_gather pfs_op_gathers(const struct pfs_op *op)
{
    return op->bands ? PFS_BANDS : op->along ? PFS_ALONG : PFS_SINGLE;
}

bool pfs_op_learns(const struct pfs_op *op)
{
    return op->merge != NULL;
}

const struct pfs_op *pfs_op_teacher(const struct pfs_op *op, const struct pfs_shape *in)
{
    const char *name = op->learns_from ? op->learns_from(in) : NULL;
    return name ? pfs_op_named(name) : op;
}

const struct pfs_op *pfs_op_prior(const struct pfs_op *teacher, const struct pfs_shape *in)
{
    const char *name = teacher->prior ? teacher->prior(in) : NULL;
    return name ? pfs_op_named(name) : NULL;
}

double pfs_list_at(const struct pfs_list *list, int i)
{
    if (list->n <= 0 || i < 0)
        return NAN;
    return list->v[i < list->n ? i : list->n - 1];
}
