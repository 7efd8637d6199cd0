/* libFuzzer target: any bytes as an HDF5 file. Opens it and reads extents and rows of the first planes of some series.
 *
 * The signature is put in front, so that nothing is spent on the registry. The library itself does not withstand every
 * input: a report whose stack ends in libhdf5 is not ours, which is why the driver lives in a worker. */
#include <planefs/io.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PLANES = 4, SERIES = 4, PLANE_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    if (strcmp(name, "fuzz.h5"))
        return pfs_fail(err, ENOENT, "no file %s", name);
    *ret_fd = dup(*(int *)ctx);
    return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor") : 0;
}

static void read_series(struct pfs_source *s, int series)
{
    const struct pfs_shape *shape = &s->series[series].shape;
    int64_t planes = pfs_shape_planes(shape), bytes = pfs_shape_plane_bytes(shape);
    struct pfs_err err;
    struct pfs_extent e;
    if (planes < 1 || bytes < 1)
        abort();
    if (bytes > PLANE_BYTES)
        return;
    uint8_t *px = malloc((size_t)bytes);
    for (int64_t i = 0; px && i < planes && i < PLANES; i++) {
        struct pfs_at at = pfs_at_of(shape, i % 2 ? planes - i : i);
        err.text[0] = 0;
        if (s->driver->extent(s, series, at, &e, &err) < 0 && !err.text[0])
            abort();
        if (s->driver->rows(s, series, at, 0, shape->y, px, &err) < 0 && !err.text[0])
            abort();
        s->driver->rows(s, series, at, shape->y / 2, (shape->y + 2) / 3, px, &err);
    }
    free(px);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    struct pfs_files files = {get, &fd};
    struct pfs_source *s;
    struct pfs_err err = {0};
    if (fd < 0)
        abort();
    if (n >= 8 && write(fd, data, n) == (ssize_t)n) {
        if (pwrite(fd, "\x89HDF\r\n\x1a\n", 8, 0) != 8)
            abort();
        if (pfs_source_open(&files, "fuzz.h5", &s, &err) == 0) {
            for (int i = 0; i < s->n_series && i < SERIES; i++)
                read_series(s, i);
            pfs_source_close(s);
        } else if (!err.text[0]) {
            abort();
        }
    }
    close(fd);
    return 0;
}
