/* Axes and calibration of a dataset from its attributes.
 *
 * Axes: ilastik's `axistags` (JSON of vigra) and `axes`, HDF5's DIMENSION_LABELS; without them 2 dimensions are yx, 3 zyx
 * (yxc when the last is up to 4 long), 4 zyxc, 5 tzyxc. Voxels: `element_size_um`, `transform` (COSEM), `pixelResolution`
 * (N5: x first), `resolution` (CREMI: z first, nm), vigra's resolutions. */
#include "src_hdf5.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char letters[] = "tzcyx";

/* One letter a dimension, none twice, y and x among them. */
static bool axes_of_letters(const char *s, int rank, uint8_t axis[PFS_H5_RANK])
{
    bool seen[PFS_H5_AXES] = {false};
    if ((int)strlen(s) != rank)
        return false;
    for (int i = 0; i < rank; i++) {
        const char *at = strchr(letters, s[i] | 0x20);
        if (!at || !*at || seen[at - letters])
            return false;
        axis[i] = (uint8_t)(at - letters);
        seen[axis[i]] = true;
    }
    return seen[PFS_H5_Y] && seen[PFS_H5_X];
}

static void keep_letters(char *s)
{
    char *to = s;
    for (; *s; s++)
        if (strchr(letters, *s | 0x20))
            *to++ = *s;
    *to = 0;
}

static bool tagged_axes(hid_t dataset, int rank, uint8_t axis[PFS_H5_RANK])
{
    char keys[64];
    PFS_AUTO_FREE char *tags = pfs_h5_text(dataset, "axistags"), *axes = pfs_h5_text(dataset, "axes"),
                       *labels = pfs_h5_text(dataset, "DIMENSION_LABELS");
    if (tags && pfs_h5_json_texts(tags, "key", keys, sizeof keys)) {
        keep_letters(keys);
        if (axes_of_letters(keys, rank, axis))
            return true;
    }
    return (axes && axes_of_letters(axes, rank, axis)) || (labels && axes_of_letters(labels, rank, axis));
}

bool pfs_h5_axes_tagged(hid_t dataset)
{
    return H5Aexists(dataset, "axistags") > 0;
}

void pfs_h5_axes(hid_t dataset, const struct pfs_h5_block *b, uint8_t axis[PFS_H5_RANK])
{
    static const char *const by_rank[] = {"yx", "zyx", "zyxc", "tzyxc"};
    if (tagged_axes(dataset, b->rank, axis))
        return;
    bool colour = b->rank == 3 && b->dim[2] <= 4;
    axes_of_letters(colour ? "yxc" : by_rank[b->rank - 2], b->rank, axis);
}

void pfs_h5_lengths(const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK], struct pfs_shape *ret)
{
    int64_t n[PFS_H5_AXES] = {1, 1, 1, 1, 1};
    for (int i = 0; i < b->rank; i++)
        n[axis[i]] = b->dim[i];
    *ret = (struct pfs_shape){.t = n[0], .z = n[1], .c = n[2], .y = n[3], .x = n[4], .type = b->type};
}

int pfs_h5_check_shape(const struct pfs_shape *s, const char *path, struct pfs_err *err)
{
    int64_t planes = pfs_shape_planes(s), bytes = pfs_shape_plane_bytes(s);
    if (bytes < 0 || bytes > PFS_H5_PLANE_BYTES)
        return pfs_fail(err, EFBIG, "hdf5: a plane of '%s' is %lld x %lld, over %lld MiB", path, (long long)s->x,
                        (long long)s->y, (long long)(PFS_H5_PLANE_BYTES >> 20));
    if (planes < 0 || planes > PFS_H5_PLANES)
        return pfs_fail(err, EFBIG, "hdf5: '%s' has more than %d planes", path, PFS_H5_PLANES);
    return 0;
}

/* ---- voxels ---- */

static void set_unit(struct pfs_calibration *cal, const char *unit)
{
    size_t n = unit ? strcspn(unit, ",") : 0;
    if (n && n < sizeof cal->unit) {
        memset(cal->unit, 0, sizeof cal->unit);
        memcpy(cal->unit, unit, n);
    }
}

/* One value a dimension, or one a dimension of space; `reversed`: the fastest first. */
static bool set_voxel(const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK], const double *v, int n,
                      bool reversed, struct pfs_calibration *cal)
{
    double voxel[3] = {0};
    int space = 0, k = 0;
    for (int i = 0; i < b->rank; i++)
        space += axis[i] == PFS_H5_Z || axis[i] == PFS_H5_Y || axis[i] == PFS_H5_X;
    if (n != space && n != b->rank)
        return false;
    for (int i = 0; i < b->rank; i++) {
        bool spatial = axis[i] == PFS_H5_Z || axis[i] == PFS_H5_Y || axis[i] == PFS_H5_X;
        if (!spatial && n != b->rank)
            continue;
        double size = v[reversed ? n - 1 - k : k];
        k++;
        if (!spatial)
            continue;
        if (!(size > 0) || !isfinite(size))
            return false;
        voxel[axis[i] == PFS_H5_Z ? 0 : axis[i] == PFS_H5_Y ? 1 : 2] = size;
    }
    memcpy(cal->voxel, voxel, sizeof voxel);
    return true;
}

/* {"unit": "nm", "dimensions": [4, 4, 40]} or a list of numbers, x first. */
static bool pixel_resolution(hid_t dataset, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK],
                             struct pfs_calibration *cal)
{
    double v[PFS_H5_RANK];
    char unit[32] = "";
    PFS_AUTO_FREE char *json = pfs_h5_text(dataset, "pixelResolution");
    int n = json ? pfs_h5_json_numbers(json, "dimensions", v, PFS_H5_RANK)
                 : pfs_h5_numbers(dataset, "pixelResolution", v, PFS_H5_RANK);
    if (!n || !set_voxel(b, axis, v, n, true, cal))
        return false;
    if (json && pfs_h5_json_texts(json, "unit", unit, sizeof unit))
        set_unit(cal, unit);
    return true;
}

/* {"axes": ["z","y","x"], "scale": [..], "units": ["nm","nm","nm"]}, in the order of the dimensions. */
static bool transform(hid_t dataset, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK],
                      struct pfs_calibration *cal)
{
    double v[PFS_H5_RANK];
    char unit[64] = "";
    PFS_AUTO_FREE char *json = pfs_h5_text(dataset, "transform");
    int n = json ? pfs_h5_json_numbers(json, "scale", v, PFS_H5_RANK) : 0;
    if (!n || !set_voxel(b, axis, v, n, false, cal))
        return false;
    pfs_h5_json_texts(json, "units", unit, sizeof unit);
    set_unit(cal, unit);
    return true;
}

static bool listed(hid_t dataset, const char *name, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK],
                   struct pfs_calibration *cal)
{
    double v[PFS_H5_RANK];
    int n = pfs_h5_numbers(dataset, name, v, PFS_H5_RANK);
    return n && set_voxel(b, axis, v, n, false, cal);
}

static void vigra_resolution(hid_t dataset, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK],
                             struct pfs_calibration *cal)
{
    double v[PFS_H5_RANK];
    PFS_AUTO_FREE char *json = pfs_h5_text(dataset, "axistags");
    int n = json ? pfs_h5_json_numbers(json, "resolution", v, PFS_H5_RANK) : 0;
    if (n == b->rank)
        set_voxel(b, axis, v, n, false, cal);
}

void pfs_h5_calibrate(hid_t dataset, const struct pfs_h5_block *b, const uint8_t axis[PFS_H5_RANK], bool cremi,
                      struct pfs_calibration *cal)
{
    PFS_AUTO_FREE char *units = pfs_h5_text(dataset, "units"), *unit = units ? NULL : pfs_h5_text(dataset, "unit");
    set_unit(cal, units ? units : unit);
    if (listed(dataset, "element_size_um", b, axis, cal))
        set_unit(cal, "um");
    else if (transform(dataset, b, axis, cal) || pixel_resolution(dataset, b, axis, cal))
        return;
    else if (listed(dataset, "resolution", b, axis, cal)) {
        if (cremi && !*cal->unit)
            set_unit(cal, "nm");
    } else
        vigra_resolution(dataset, b, axis, cal);
    if (!(cal->voxel[1] > 0))
        memset(cal->unit, 0, sizeof cal->unit);
}
