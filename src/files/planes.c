/* Single planes as TIFF files: `slice/zZ/cC.tif` straight from the source, `VIEW/NAME.tif` of any view, and the
 * segmentations under `segment/`.
 *
 * The header carries voxel size, unit, time interval and display range, so that a plane, or a folder of them opened
 * as a sequence, is calibrated. The pixels are the view's, in its own type. */
#include "files/header.h"

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    return pfs_header_size(n, 1, 1, 1, ret, err);
}

static int head(const struct pfs_name *n, bool big_endian, struct pfs_text *ret, struct pfs_err *err)
{
    return pfs_header(n, 1, 1, 1, big_endian, ret, err);
}

static int64_t n_planes(const struct pfs_name *n)
{
    (void)n;
    return 1;
}

static struct pfs_at plane(const struct pfs_name *n, int64_t i)
{
    (void)i;
    return n->at;
}

const struct pfs_kind pfs_kind_slice = {
    .pattern = "slice/[t{t}/]z{z}/c{c}.tif",
    .doc = "one plane as in the source",
    .view = "source",
    .planes = true,
    .listed = true,
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
};

const struct pfs_kind pfs_kind_view = {
    .pattern = "{view}/{name}.tif",
    .doc = "the planes of a view, flat",
    .planes = true,
    .listed = true,
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
};

const struct pfs_kind pfs_kind_segment = {
    .pattern = "segment/{view}/{name}.tif",
    .doc = "the planes segmented: masks of 0 and 255, labels from 0 on",
    .planes = true,
    .listed = true,
    .size = size,
    .head = head,
    .n_planes = n_planes,
    .plane = plane,
};
