/* Sample types of planes, as NumPy names them. */
#ifndef PLANEFS_TYPE_H
#define PLANEFS_TYPE_H

#include <stdbool.h>
#include <stddef.h>

enum pfs_type {
    PFS_NONE,
    PFS_U8, PFS_U16, PFS_U32, PFS_U64,
    PFS_I8, PFS_I16, PFS_I32, PFS_I64,
    PFS_F32, PFS_F64,
    PFS_N_TYPES
};

size_t pfs_type_size(enum pfs_type type);            /* bytes a sample; 0 for PFS_NONE */
const char *pfs_type_name(enum pfs_type type);       /* "uint16" */
enum pfs_type pfs_type_named(const char *name);      /* PFS_NONE when unknown */
bool pfs_type_is_float(enum pfs_type type);
bool pfs_type_is_signed(enum pfs_type type);         /* floats are signed */

#endif
