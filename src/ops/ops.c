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

double pfs_list_at(const struct pfs_list *list, int i)
{
    if (list->n <= 0 || i < 0)
        return NAN;
    return list->v[i < list->n ? i : list->n - 1];
}
