/* The table of file kinds, made from files.def. */
#include "files/files.h"

#include <string.h>

#define PFS_KIND(name) extern const struct pfs_kind pfs_kind_##name;
#include "files/files.def"
#undef PFS_KIND

#define PFS_KIND(name) &pfs_kind_##name,
const struct pfs_kind *const pfs_kinds[] = {
#include "files/files.def"
    NULL
};
#undef PFS_KIND

bool pfs_kind_begins(const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; pfs_kinds[i]; i++)
        if (strcspn(pfs_kinds[i]->pattern, "/") == n && !strncmp(pfs_kinds[i]->pattern, name, n))
            return true;
    return false;
}

bool pfs_kind_applies(const struct pfs_kind *k, const struct pfs_dataset *d)
{
    return !k->applies || k->applies(d);
}
