/* Fuzzing recipe texts: a view's text that resolves has canonical steps that read back to the same; canonical texts of
 * any bytes do no harm. */
#include <planefs/stack.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(const struct pfs_recipe_steps *r, const struct pfs_shape *source)
{
    struct pfs_recipe_steps *again;
    const char *text[64];
    for (int i = 0; i < r->n; i++)
        text[i] = r->step[i].text;
    if (pfs_recipe_read(text, r->n, source, &again, NULL))
        abort();
    for (int i = 0; i < r->n; i++)
        if (strcmp(text[i], again->step[i].text) || r->step[i].out.y != again->step[i].out.y)
            abort();
    pfs_recipe_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pfs_shape source = {.t = 1, .z = 5, .c = 3, .y = 100, .x = 200, .type = PFS_U16};
    struct pfs_recipe_steps *r;
    struct pfs_err err = {0};
    if (size < 1)
        return 0;
    char *text = malloc(size);
    const char *line = text;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    source.type = data[0] & 1 ? PFS_U8 : data[0] & 2 ? PFS_F32 : PFS_U16;
    if (data[0] & 128) {
        if (!pfs_recipe_read(&line, 1, &source, &r, &err)) {
            if (strcmp(r->step[0].text, text))
                abort();
            pfs_recipe_close(r);
        }
    } else if (!pfs_recipe_resolve(text, &source, &r, &err)) {
        read_back(r, &source);
        pfs_recipe_close(r);
    } else if (!err.code || !err.text[0])
        abort();
    free(text);
    return 0;
}
