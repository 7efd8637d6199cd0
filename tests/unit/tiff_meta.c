/* What is known of sample files of others, where they are at hand, against a table.
 *
 * tests/unit/tiff_meta.txt has a line per file: path below data/, then per series, with tabs between them,
 * "T,Z,C,Y,X,type format bits voxel-z,y,x unit interval display-range names". The values were compared with what
 * tifffile and the files' own texts say. Names are those of channels, separated by |; - stands for what is unknown. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tiff_make.h"

static int open_name(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    (void)ctx;
    *ret_fd = open(name, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? pfs_fail(err, errno, "no file") : 0;
}

static void add(char *line, size_t size, const char *format, ...)
{
    va_list ap;
    size_t n = strlen(line);
    va_start(ap, format);
    vsnprintf(line + n, size - n, format, ap);
    va_end(ap);
}

static void describe_series(const struct pfs_series *s, char *line, size_t size)
{
    const struct pfs_shape *h = &s->shape;
    char format[24];
    strcpy(format, s->format);
    for (char *p = format; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    add(line, size, "\t%d,%d,%d,%d,%d,%s %s %d %.9g,%.9g,%.9g %s %.9g", (int)h->t, (int)h->z, (int)h->c, (int)h->y,
        (int)h->x, pfs_type_name(h->type), format, s->bits, h->cal.voxel[0], h->cal.voxel[1], h->cal.voxel[2],
        *h->cal.unit ? h->cal.unit : "-", h->cal.interval);
    if (h->cal.range[0] < h->cal.range[1])
        add(line, size, " %g..%g ", h->cal.range[0], h->cal.range[1]);
    else
        add(line, size, " - ");
    for (int64_t c = 0; s->band_name && c < h->c; c++)
        add(line, size, "%s%s", c ? "|" : "", s->band_name[c] ? s->band_name[c] : "-");
    if (!s->band_name)
        add(line, size, "-");
}

static void samples(void **state)
{
    char line[1024], path[2200], got[4096];
    const char *env = getenv("PLANEFS_SHARED");
    int n = 0, absent = 0, wrong = 0;
    (void)state;
    FILE *table = fopen("tests/unit/tiff_meta.txt", "r");
    assert_non_null(table);
    while (fgets(line, sizeof line, table)) {
        struct pfs_err err = {0};
        struct pfs_source *s;
        char *tab = strchr(line, '\t');
        assert_non_null(tab);
        line[strcspn(line, "\n")] = 0;
        snprintf(path, sizeof path, "%s/data/%.*s", env ? env : "../shared", (int)(tab - line), line);
        n++;
        if (access(path, R_OK)) {
            absent++;
            continue;
        }
        snprintf(got, sizeof got, "%.*s", (int)(tab - line), line);
        if (pfs_source_open(&(struct pfs_files){open_name, NULL}, path, &s, &err) < 0)
            fail_msg("%s: %s", path, err.text);
        for (int i = 0; i < s->n_series; i++)
            describe_series(&s->series[i], got, sizeof got);
        pfs_source_close(s);
        if (strcmp(got, line) && ++wrong)
            print_message(" got %s\nwant %s\n", got, line);
    }
    fclose(table);
    print_message("%d files, %d of them absent\n", n, absent);
    assert_int_equal(wrong, 0);
    assert_true(n > 200);
    if (absent == n) {
        print_message("sample files are not at hand (PLANEFS_SHARED): skipped\n");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
