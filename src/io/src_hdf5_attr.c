/* Attributes as numbers and text, and the little JSON that some of them hold.
 *
 * The JSON is not parsed as a tree: a key is looked up and the list behind it read. An attribute that is not what is
 * expected is as good as absent. */
#include "src_hdf5.h"

#include <planefs/mem.h>
#include <planefs/text.h>

#include <stdlib.h>
#include <string.h>

static hid_t open_attribute(hid_t object, const char *name)
{
    return H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : H5I_INVALID_HID;
}

/* Elements of an attribute of this class; 0 when it is of another or too long. */
static int64_t elements_of(hid_t attribute, hid_t type, H5T_class_t kind, int64_t most)
{
    PFS_AUTO_H5 hid_t space = H5Aget_space(attribute);
    hssize_t n = space < 0 || type < 0 || H5Tget_class(type) != kind ? 0 : H5Sget_simple_extent_npoints(space);
    return n > 0 && n <= most ? n : 0;
}

int pfs_h5_numbers(hid_t object, const char *name, double *ret, int most)
{
    PFS_AUTO_H5 hid_t a = open_attribute(object, name);
    if (a < 0)
        return 0;
    PFS_AUTO_H5 hid_t type = H5Aget_type(a);
    int64_t n = elements_of(a, type, H5T_INTEGER, most);
    if (!n)
        n = elements_of(a, type, H5T_FLOAT, most);
    return n && H5Aread(a, H5T_NATIVE_DOUBLE, ret) >= 0 ? (int)n : 0;
}

/* ---- text ---- */

static char *fixed_text(hid_t a, hid_t type, int64_t n)
{
    size_t size = H5Tget_size(type);
    if (!size || size > (size_t)PFS_H5_TEXT / (size_t)n)
        return NULL;
    PFS_AUTO_FREE char *all = pfs_array(n, size), *joined = pfs_array(n * (int64_t)size + 1, 1);
    if (!all || !joined || H5Aread(a, type, all) < 0)
        return NULL;
    char *to = joined;
    for (int64_t i = 0; i < n; i++) {
        size_t k = strnlen(all + i * (int64_t)size, size);
        memcpy(to, all + i * (int64_t)size, k);
        to += k;
    }
    return PFS_TAKE(joined);
}

static char *variable_text(hid_t a, hid_t type, int64_t n)
{
    PFS_AUTO_FREE char **item = pfs_array(n, sizeof *item);
    PFS_AUTO_H5 hid_t space = H5Aget_space(a);
    struct pfs_text t = {0};
    if (!item || space < 0 || H5Aread(a, type, item) < 0)
        return NULL;
    for (int64_t i = 0; i < n && t.n < PFS_H5_TEXT; i++)
        pfs_text_add(&t, item[i] ? item[i] : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, item);
    if (t.failed || t.n >= PFS_H5_TEXT)
        pfs_text_finish(&t);
    return t.s;
}

char *pfs_h5_text(hid_t object, const char *name)
{
    PFS_AUTO_H5 hid_t a = open_attribute(object, name);
    if (a < 0)
        return NULL;
    PFS_AUTO_H5 hid_t type = H5Aget_type(a);
    int64_t n = elements_of(a, type, H5T_STRING, 4096);
    return !n ? NULL : H5Tis_variable_str(type) > 0 ? variable_text(a, type, n) : fixed_text(a, type, n);
}

/* ---- JSON ---- */

/* What stands behind "key": the next one after `from`. */
static const char *value_behind(const char *from, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = from; p && (p = strchr(p, '"')); p++)
        if (!strncmp(p + 1, key, n) && p[n + 1] == '"') {
            const char *v = p + n + 2 + strspn(p + n + 2, " \t\r\n");
            if (*v == ':')
                return v + 1 + strspn(v + 1, " \t\r\n");
        }
    return NULL;
}

/* The values of a list behind the key, or of every object's member of this name. */
int pfs_h5_json_numbers(const char *json, const char *key, double *ret, int most)
{
    const char *v = value_behind(json, key);
    bool list = v && *v == '[';
    int n = 0;
    for (char *end; v && n < most; v = list ? end + strspn(end, " \t\r\n,") : value_behind(v, key)) {
        v += list && !n;
        ret[n] = strtod(v, &end);
        if (end == v)
            break;
        n++;
    }
    return n;
}

int pfs_h5_json_texts(const char *json, const char *key, char *ret, size_t room)
{
    const char *v = value_behind(json, key);
    bool list = v && *v == '[';
    size_t used = 0;
    int n = 0;
    *ret = 0;
    while (v) {
        v += list && !n;
        v += strspn(v, " \t\r\n,");
        size_t k = *v == '"' ? strcspn(v + 1, "\"") : 0;
        if (*v != '"' || v[1 + k] != '"' || used + k + 2 > room)
            break;
        used += n > 0;
        if (n)
            ret[used - 1] = ',';
        memcpy(ret + used, v + 1, k);
        used += k;
        ret[used] = 0;
        n++;
        v = list ? v + k + 2 : value_behind(v + k + 2, key);
    }
    return n;
}
