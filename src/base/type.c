/* Sample types: sizes and NumPy names. */
#include <planefs/type.h>

#include <string.h>

static const struct { size_t size; const char *name; } types[PFS_N_TYPES] = {
    [PFS_NONE] = {0, "none"},
    [PFS_U8] = {1, "uint8"}, [PFS_U16] = {2, "uint16"}, [PFS_U32] = {4, "uint32"}, [PFS_U64] = {8, "uint64"},
    [PFS_I8] = {1, "int8"}, [PFS_I16] = {2, "int16"}, [PFS_I32] = {4, "int32"}, [PFS_I64] = {8, "int64"},
    [PFS_F32] = {4, "float32"}, [PFS_F64] = {8, "float64"},
};

size_t pfs_type_size(enum pfs_type type)
{
    return types[type].size;
}

const char *pfs_type_name(enum pfs_type type)
{
    return types[type].name;
}

enum pfs_type pfs_type_named(const char *name)
{
    for (int i = PFS_NONE + 1; i < PFS_N_TYPES; i++)
        if (!strcmp(types[i].name, name))
            return (enum pfs_type)i;
    return PFS_NONE;
}

bool pfs_type_is_float(enum pfs_type type)
{
    return type == PFS_F32 || type == PFS_F64;
}

bool pfs_type_is_signed(enum pfs_type type)
{
    return type >= PFS_I8;
}
