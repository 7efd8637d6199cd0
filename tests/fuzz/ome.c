/* libFuzzer target: any bytes as OME-XML, for a TIFF file of a few pages and for a companion. Every piece of a series
 * must be of a file that is named, on a page that is there. */
#include "io/src_ome.h"

#include <stdlib.h>
#include <string.h>

enum { PAGES = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct pfs_series *s, int64_t samples, int64_t pages)
{
    int64_t planes = pfs_shape_planes(&s->shape), found = 0;
    if (planes < 1 || planes > PFS_OME_PLANES || s->shape.c % samples || !s->name || !s->piece)
        abort();
    for (int64_t i = 0; i < planes; i++) {
        const struct pfs_piece *p = &s->piece[i];
        found += p->file >= 0;
        if (p->file < -1 || p->file > s->n_files || p->page < 0 || (p->file == 0 && p->page >= pages) ||
            p->sample < 0 || p->sample >= samples)
            abort();
    }
    for (int i = 0; i < s->n_files; i++)
        if (!*s->file[i] || *s->file[i] == '.' || strchr(s->file[i], '/'))
            abort();
    if (!found)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pfs_ome o;
    struct pfs_err err = {0};
    char *text = malloc(n + 1);                  /* exactly as long as it is */
    memcpy(text, data, n);
    if (pfs_ome_parse(text, n, &o, &err) < 0) {
        if (!err.text[0])
            abort();
        free(text);
        return 0;
    }
    free(text);
    for (int companion = 0; companion < 2; companion++) {
        pfs_ome_know(&o, companion ? NULL : "own.ome.tif");
        for (int i = 0; i < o.n_images && i < 4; i++)
            for (int64_t samples = 1; samples <= 3; samples += 2) {
                struct pfs_series s = {0};
                if (pfs_ome_series(&o, &o.image[i], companion ? 0 : PAGES, samples, &s, &err) == 0)
                    check(&s, samples, companion ? 0 : PAGES);
                pfs_series_finish(&s);
            }
    }
    pfs_ome_finish(&o);
    return 0;
}
