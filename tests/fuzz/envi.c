/* libFuzzer target: any bytes as a header, beside a raw file of 64 KiB. Opens it, reads extents and rows of some bands. */
#include <planefs/io.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RAW = 1 << 16, PLANES = 4, PLANE_BYTES = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct files { int header, raw; };

static int get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    const struct files *f = ctx;
    bool header = !strcmp(name, "fuzz.hdr"), raw = !strcmp(name, "fuzz.raw");
    if (!header && !raw)
        return pfs_fail(err, ENOENT, "no file %s", name);
    *ret_fd = dup(header ? f->header : f->raw);
    return *ret_fd < 0 ? pfs_fail(err, EMFILE, "no descriptor") : 0;
}

static void read_bands(struct pfs_source *s)
{
    const struct pfs_shape *shape = &s->series[0].shape;
    int64_t planes = pfs_shape_planes(shape), bytes = pfs_shape_plane_bytes(shape);
    struct pfs_err err = {0};
    struct pfs_extent e;
    if (planes < 1 || bytes < 1)
        abort();
    if (bytes > PLANE_BYTES)
        return;
    uint8_t *px = malloc((size_t)bytes);
    for (int64_t i = 0; px && i < planes && i < PLANES; i++) {
        struct pfs_at at = pfs_at_of(shape, i % 2 ? planes - i : i);
        /* it fits into the raw file, or it was refused: nothing may fail now */
        if (s->driver->extent(s, 0, at, &e, &err) < 0 || e.file != 1 || e.stored < 0 || e.stored + e.stored_size > RAW)
            abort();
        if (s->driver->rows(s, 0, at, 0, shape->y, px, &err) < 0)
            abort();
        s->driver->rows(s, 0, at, shape->y / 2, (shape->y + 2) / 3, px, &err);
    }
    free(px);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct files f = {memfd_create("hdr", MFD_CLOEXEC), memfd_create("raw", MFD_CLOEXEC)};
    struct pfs_source *s;
    struct pfs_err err = {0};
    if (f.header < 0 || f.raw < 0 || ftruncate(f.raw, RAW) < 0)
        abort();
    if (write(f.header, data, n) == (ssize_t)n) {
        if (pfs_source_open(&(struct pfs_files){get, &f}, "fuzz.hdr", &s, &err) == 0) {
            if (!strcmp(s->driver->name, "envi"))
                read_bands(s);
            pfs_source_close(s);
        } else if (!err.text[0]) {
            abort();
        }
    }
    close(f.header);
    close(f.raw);
    return 0;
}
