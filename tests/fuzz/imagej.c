/* libFuzzer target: any text as ImageJ's, tifffile's and MetaMorph's descriptions of axes. */
#include "io/src_tiff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_dims(const struct pfs_tiff_dims *d)
{
    if (d->n < 0 || d->n > PFS_TIFF_DIMS)
        abort();
    for (int i = 0; i < d->n; i++)
        if (!strchr("tzc", d->d[i].axis) || d->d[i].length < 1)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct pfs_tiff_page pages[] = {
        {.w = 5, .h = 3, .depth = 1, .channels = 1},
        {.w = 5, .h = 3, .depth = 1, .channels = 3},
        {.w = 5, .h = 3, .depth = 2, .channels = 4, .separate = true},
    };
    struct pfs_tiff_imagej j;
    struct pfs_tiff_dims dims;
    bool truncated;
    char *text = malloc(n + 1);
    memcpy(text, data, n);
    text[n] = 0;
    pfs_tiff_is_imagej(text);
    pfs_tiff_parse_imagej(text, &j);
    check_dims(&j.dims);
    pfs_tiff_dims_product(&j.dims);
    if (!isfinite(j.cal.voxel[0]) || !isfinite(j.cal.interval) || j.cal.interval < 0 || j.cal.voxel[0] < 0 ||
        !memchr(j.cal.unit, 0, sizeof j.cal.unit))
        abort();
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (pfs_tiff_parse_shaped(text, &pages[i], &dims, &truncated))
            check_dims(&dims);
    free(text);
    return 0;
}
