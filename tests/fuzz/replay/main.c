/* A plain main for fuzz targets: gives each named file to the target once, so that kept corpora are part of every test
 * run and need no fuzzing engine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t *contents(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    size_t room = 4096, n = 0;
    uint8_t *data = malloc(room);
    while (data && (n += fread(data + n, 1, room - n, f)) == room) {
        uint8_t *more = realloc(data, room *= 2);
        if (!more)
            free(data);
        data = more;
    }
    fclose(f);
    *ret_n = n;
    return data;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        uint8_t *data = contents(argv[i], &n);
        if (!data) {
            perror(argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput(data, n);
        free(data);
    }
    printf("%d inputs replayed\n", argc - 1);
    return 0;
}
