/* Reports: exactly as long as promised whatever their numbers, the keys of the contract, damaged tables refused.
 *
 * Catalog and engine are played by stand_in.h. `report DIR` writes reports with extreme values into DIR, for
 * the tests that parse them with other programs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stand_in.h"

#include <planefs/table.h>

#include <errno.h>
#include <float.h>
#include <math.h>

static void has(const char *text, const char *part)
{
    assert_non_null(text);
    if (!strstr(text, part))
        fail_msg("no `%s` in\n%s", part, text);
}

/* ---- info.json ---- */

static void info(void **state)
{
    (void)state;
    struct sample s;
    char *text;
    make(&s, 1500, 7, 2);
    text = report(&s, "info.json", (struct pfs_blob){0});
    has(text, "{\"planefs\":1,\n\"name\":\"stack\",\n\"n_files\":1500,\n\"files_bytes\":1500000,\n");
    has(text, "\"files\":[\"00007.tif\",\"00009.tif\",");
    has(text, ",\"02005.tif\"],");                          /* the list stops, the count does not */
    has(text, "\"axes\":\"TZCYX\",\n\"shape\":[1,2999,3,9000,13750],\n\"dtype\":\"uint16\",\n\"first\":[0,7,1],\n");
    has(text, "\"bits\":12,\n\"nodata\":null,\n\"band\":[1,2,3],\n");
    has(text, "\"band_name\":[\"red \\\"1\\\"\",null,\"\\u00e9\"],\n");
    has(text, "\"wavelength\":[650,null,430.5],\n");
    has(text, "\"voxel\":[0.03,0.008,0.008],\n\"unit\":\"um\",\n\"interval\":null,\n");
    has(text, "\"format\":\"TIFF\",\n\"compression\":\"none\",\n");
    has(text, "\"tables\":{\"info\":\"info.h5\",\n\"model\":null,\n\"mask\":null},");
    has(text, "\"n_missing\":1499,\n\"missing\":[8,10,12,");
    has(text, ",2004,2006],\n\"n_bad\":                   0,\n\"bad\":[ ");
    assert_null(strstr(text, "\"key\":null"));
    free(text);
    drop(&s);
}

static void info_of_bad_sections(void **state)
{
    (void)state;
    struct sample s;
    char *text, longest[2000];
    memset(longest, '\n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    make(&s, 130, 999999, 1);
    static const int some[] = {0, 1, 2, 99, 100, 101, 130};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        for (int j = 0; j < 2; j++) {
            char expected[80];
            n_bad = some[i];
            bad_reason = j ? longest : "";
            text = report(&s, "info.json", (struct pfs_blob){0});
            snprintf(expected, sizeof expected, "\"n_bad\":%20d,", n_bad);
            has(text, expected);
            snprintf(expected, sizeof expected, "{\"section\":%7d,\n\"error\":\"EOPNOTSUPP\"", 999998 + n_bad);
            if (n_bad && n_bad <= 100)
                has(text, expected);
            free(text);
        }
    n_bad = 0;
    bad_reason = "tiff: strip 0 is not there";
    sweep_fails = 1;
    struct pfs_err err;
    struct pfs_text t = {0};
    assert_int_equal(kind("info.json")->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err), -EIO);
    sweep_fails = 0;
    drop(&s);
}

static void info_of_keys(void **state)
{
    (void)state;
    struct sample s;
    char *text;
    make(&s, 1, 5600, 1);
    has(text = report(&s, "info.json", (struct pfs_blob){0}), "\"key\":\"0000000000000000000000000000000a\"}\n");
    free(text);
    drop(&s);
    make(&s, 3, 5600, 1);
    unknown_key = 2;
    has(text = report(&s, "info.json", (struct pfs_blob){0}), "\"key\":null                              }\n");
    free(text);
    unknown_key = -1;
    text = report(&s, "info.json", (struct pfs_blob){0});
    assert_null(strstr(text, "\"key\":null"));
    s.d.file[2].at.z = 3;                                  /* another plane, another key */
    s.d.shape.z = 4;
    char *other = report(&s, "info.json", (struct pfs_blob){0});
    assert_string_not_equal(strstr(text, "\"key\""), strstr(other, "\"key\""));
    free(text);
    free(other);
    drop(&s);
}

/* Sections of several files each, some of them incomplete, in any order of T. */
static void info_of_missing_files(void **state)
{
    (void)state;
    struct sample s;
    char *text;
    make(&s, 7, 0, 1);
    static const int64_t tz[7][2] = {{0, 0}, {0, 1}, {0, 4}, {1, 1}, {1, 3}, {1, 4}, {1, 7}};
    for (int i = 0; i < 7; i++)
        s.d.file[i].at = (struct pfs_at){tz[i][0], tz[i][1], 0};
    s.d.shape.t = 2;
    s.d.shape.z = 9;
    has(text = report(&s, "info.json", (struct pfs_blob){0}), "\"n_missing\":7,\n\"missing\":[0,2,3,5,6,7,8],");
    free(text);
    s.d.shape.z = (int64_t)3 << 40;                        /* hostile numbers cost neither time nor memory */
    text = report(&s, "info.json", (struct pfs_blob){0});
    has(text, "\"n_missing\":3298534883326,\n\"missing\":[0,2,3,5,6,7,8,9,");
    free(text);
    s.d.sections = s.d.spread = false;
    has(text = report(&s, "info.json", (struct pfs_blob){0}), "\"n_missing\":0,\n\"missing\":[],");
    free(text);
    drop(&s);
}

/* ---- stats.json ---- */

enum { BANDS = 3 };

/* A table whose values are all extreme in their way: 0 small, 1 largest, 2 smallest, 3 not finite. */
static struct pfs_blob stats_table(enum pfs_type type, int way, bool percentiles, int64_t n_skipped, int64_t first)
{
    static const double reals[] = {0.1, 1.7976931348623157e308, -1.7976931348623157e308, NAN};
    static const int64_t ints[] = {1, INT64_MAX, INT64_MIN, 0};
    static const char *const p[] = {"p0_1", "p2", "p25", "p50", "p75", "p98", "p99_9"};
    struct pfs_text t = {0};
    struct pfs_blob b;
    double f[BANDS + 1];
    int64_t i[BANDS + 1], count[BANDS + 1], *skipped = calloc((size_t)n_skipped + 1, sizeof *skipped);
    for (int k = 0; k <= BANDS; k++) {
        f[k] = way == 3 && k == 1 ? INFINITY : reals[way];
        i[k] = ints[way];
        count[k] = way == 3 ? 0 : 1 + llabs(ints[way] / 2);
    }
    for (int64_t k = 0; k < n_skipped; k++)
        skipped[k] = first + k;
    pfs_table_begin(&t);
    pfs_table_i64(&t, "skipped", skipped, n_skipped);
    pfs_table_i64(&t, "count", count, BANDS + 1);
    pfs_table_i64(&t, "nan", i, BANDS + 1);
    for (int k = 0; k < 2; k++) {
        uint64_t u[BANDS + 1] = {way == 1 ? UINT64_MAX : 0, 1, 2, 3};
        if (pfs_type_is_float(type))
            pfs_table_f64(&t, k ? "max" : "min", f, BANDS + 1);
        else if (pfs_type_is_signed(type))
            pfs_table_i64(&t, k ? "max" : "min", i, BANDS + 1);
        else
            pfs_table_u64(&t, k ? "max" : "min", u, BANDS + 1);
    }
    pfs_table_f64(&t, "mean", f, BANDS + 1);
    pfs_table_f64(&t, "std", f, BANDS + 1);
    for (int k = 0; percentiles && k < 7; k++)
        pfs_table_f64(&t, p[k], f, BANDS + 1);
    free(skipped);
    assert_true(pfs_text_take(&t, &b));
    return b;
}

static void stats_of(enum pfs_type type, int way, bool percentiles, int64_t n_skipped, const char *a, const char *b)
{
    struct sample s;
    make(&s, 12, 95, 1);
    s.view.shape.type = type;
    struct pfs_blob table = stats_table(type, way, percentiles, n_skipped, 95);
    char *text = report(&s, "stats.json", table);
    has(text, "{\"planefs\":1,\n\"axes\":\"TZCYX\",\n\"shape\":[1,12,3,9000,13750],\n\"dtype\":\"");
    has(text, "\"ddof\":0,\n\"band\":[1,2,3],\n\"name\":[\"red \\\"1\\\"\",null,\"\\u00e9\"],\n\"count\":[");
    has(text, a);
    has(text, b);
    free(text);
    free(table.data);
    drop(&s);
}

static void stats(void **state)
{
    (void)state;
    stats_of(PFS_U16, 1, true, 0, "\"max\":[18446744073709551615,                   1,", "\"skipped\":[ ");
    stats_of(PFS_I32, 2, true, 12, "\"min\":[-9223372036854775808,",
             "\"skipped\":[95,96,97,98,99,100,101,102,103,104,105,106");
    stats_of(PFS_F32, 2, false, 1, "\"min\":[-1.7976931348623157e+308,", "\"p50\":                    null,");
    stats_of(PFS_F32, 3, true, 1, "\"mean\":[                    null,", "\"count\":[                   0,");
    stats_of(PFS_U8, 3, true, 1, "\"min\":[                null,", "\"nan\":[                   0,");
    stats_of(PFS_U8, 0, true, 1, "\"mean\":[                     0.1,", "\"skipped\":[95 ");
    for (int type = PFS_U8; type < PFS_N_TYPES; type++)
        for (int way = 0; way < 4; way++)
            stats_of((enum pfs_type)type, way, way & 1, way * 4, "\"all\":{\"count\":", "\"p99_9\":[");
}

static void refused(struct sample *s, const char *pattern, struct pfs_blob table)
{
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    s->name.kind = kind(pattern);
    assert_int_equal(s->name.kind->text(NULL, &s->name, table, &t, &err), -EIO);
    assert_true(*err.text != 0);
    pfs_text_finish(&t);
}

/* A table that is torn anywhere, of another type, of other bands or with impossible sections is EIO. */
static void damaged_tables(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 12, 95, 1);
    struct pfs_blob table = stats_table(PFS_U16, 0, true, 2, 95);
    for (size_t n = 0; n < table.size; n++) {
        void *torn = malloc(n ? n : 1);
        memcpy(torn, table.data, n);
        struct pfs_text t = {0};
        struct pfs_err err;
        s.name.kind = kind("stats.json");
        int r = s.name.kind->text(NULL, &s.name, (struct pfs_blob){torn, n}, &t, &err);
        assert_true(r == -EIO || (r == 0 && n > table.size - 8 * 60));   /* whole columns short: percentiles */
        pfs_text_finish(&t);
        free(torn);
    }
    free(table.data);
    table = stats_table(PFS_I16, 0, true, 2, 95);
    refused(&s, "stats.json", table);
    free(table.data);
    table = stats_table(PFS_U16, 0, true, 2, 94);
    refused(&s, "stats.json", table);
    free(table.data);
    table = stats_table(PFS_U16, 0, true, 2, 106);
    refused(&s, "stats.json", table);
    s.view.shape.c = 2;
    refused(&s, "stats.json", table);
    free(table.data);
    drop(&s);
}

/* ---- histogram.json, segment.json, pca.json ---- */

static void fill_f64(struct pfs_text *t, const char *name, double v, int64_t n)
{
    double *f = calloc((size_t)n, sizeof *f);
    for (int64_t i = 0; i < n; i++)
        f[i] = v + (double)i;
    pfs_table_f64(t, name, f, n);
    free(f);
}

static const double tries[] = {0.1, -1.7976931348623157e308, NAN, INFINITY};

static struct pfs_blob taken(struct pfs_text *t)
{
    struct pfs_blob b;
    assert_true(pfs_text_take(t, &b));
    return b;
}

static struct pfs_blob histogram_table(int64_t bins, uint64_t count, double lo, double hi)
{
    struct pfs_text t = {0};
    uint64_t *counts = calloc((size_t)bins, sizeof *counts);
    const double low[BANDS] = {lo, 0, 0}, high[BANDS] = {hi, 1, 0};
    pfs_table_begin(&t);
    for (int64_t i = 0; i < bins; i += 3)
        counts[i] = count;
    pfs_table_u64(&t, "counts0", counts, bins);
    pfs_table_u64(&t, "counts1", counts, bins);
    pfs_table_u64(&t, "counts2", counts, bins);
    pfs_table_f64(&t, "lo", low, BANDS);
    pfs_table_f64(&t, "hi", high, BANDS);
    free(counts);
    return taken(&t);
}

static void histogram(void **state)
{
    (void)state;
    static const int64_t bins[PFS_N_TYPES] = {0, 256, 65536, 1024, 1024, 256, 65536, 1024, 1024, 1024, 1024};
    struct sample s;
    make(&s, 12, 95, 1);
    const uint64_t most = (uint64_t)12 * 9000 * 13750;
    for (int type = PFS_U8; type < PFS_N_TYPES; type++)
        for (int way = 0; way < 4; way++) {
            s.view.shape.type = (enum pfs_type)type;
            struct pfs_blob table = histogram_table(bins[type], way ? most : 0, tries[way], -tries[way]);
            char *text = report(&s, "histogram.json", table);
            has(text, bins[type] == 1024 ? "\"exact\":false,\n\"bins\":1024,\n" : "\"exact\":true,\n\"bins\":");
            has(text, way ? "\"counts\":[[1485000000,         0,         0,1485000000," : "\"counts\":[[         0,");
            has(text, type == PFS_I16 ? "\"edges\":[[-32768,-32767," : type == PFS_U8 ? "\"edges\":[[     0,     1," :
                      type == PFS_F32 && way == 1 ? "\"edges\":[[-1.7976931348623157e+308," : "\"edges\":[[");
            free(text);
            free(table.data);
        }
    s.view.shape.type = PFS_U8;
    struct pfs_blob table = histogram_table(256, most + 1, 0, 1);
    refused(&s, "histogram.json", table);                  /* a count that no column was kept for */
    s.view.shape.type = PFS_U16;
    refused(&s, "histogram.json", table);
    refused(&s, "histogram.json", (struct pfs_blob){0});
    free(table.data);
    s.view.shape.c = 4;
    s.view.shape.type = PFS_F32;
    table = histogram_table(1024, 1, 0, 1);
    refused(&s, "histogram.json", table);
    free(table.data);
    drop(&s);
}

static struct pfs_blob segment_table(double v)
{
    struct pfs_text t = {0};
    pfs_table_begin(&t);
    fill_f64(&t, "otsu", v, BANDS);
    for (int k = 2; k <= 8; k++) {
        char name[16];
        snprintf(name, sizeof name, "kmeans%d", k);
        fill_f64(&t, name, v, BANDS * k);
    }
    return taken(&t);
}

static void segments(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 12, 95, 1);
    for (int way = 0; way < 4; way++) {
        struct pfs_blob table = segment_table(tries[way]);
        char *text = report(&s, "segment.json", table);
        has(text, way ? "{\"otsu\":[" : "{\"otsu\":[                     0.1,                     1.1,");
        has(text, "\"kmeans\":{\"2\":[[");
        has(text, way == 2 ? "                    null]]}}\n" : "]]}}\n");
        free(text);
        refused(&s, "segment.json", (struct pfs_blob){table.data, table.size - 8 * 24});
        s.view.shape.c = 2;
        refused(&s, "segment.json", table);
        s.view.shape.c = BANDS;
        free(table.data);
    }
    drop(&s);
}

static struct pfs_blob pca_table(double v)
{
    struct pfs_text t = {0};
    pfs_table_begin(&t);
    fill_f64(&t, "mean", v, BANDS);
    fill_f64(&t, "explained_variance", v, BANDS);
    fill_f64(&t, "explained_variance_ratio", v, BANDS);
    fill_f64(&t, "components", v, BANDS * BANDS);
    return taken(&t);
}

static void pca(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 12, 95, 1);
    for (int way = 0; way < 4; way++) {
        struct pfs_blob table = pca_table(tries[way]);
        char *text = report(&s, "pca.json", table);
        has(text, "\"components\":[\n[");
        if (!way)
            has(text, "[                     3.1,                     4.1,                     5.1],");
        free(text);
        s.view.shape.c = 2;
        refused(&s, "pca.json", table);
        s.view.shape.c = BANDS;
        free(table.data);
    }
    assert_true(pfs_kind_applies(kind("pca.json"), &s.d) && pfs_kind_applies(kind("segment.json"), &s.d));
    s.d.shape.c = 1;
    assert_true(!pfs_kind_applies(kind("pca.json"), &s.d) && pfs_kind_applies(kind("segment.json"), &s.d));
    drop(&s);
}

/* ---- samples ---- */

static const char *folder;

static void write_one(struct sample *s, const char *file, const char *pattern, struct pfs_blob table)
{
    char path[4096], *text = report(s, pattern, table);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(text);
    free(table.data);
}

static void write_samples(void **state)
{
    (void)state;
    struct sample s;
    char file[80];
    make(&s, 12, 95, 1);
    for (int type = PFS_U8; type < PFS_N_TYPES; type++)
        for (int way = 0; way < 4; way++) {
            s.view.shape.type = (enum pfs_type)type;
            snprintf(file, sizeof file, "stats-%s-%d.json", pfs_type_name(s.view.shape.type), way);
            write_one(&s, file, "stats.json", stats_table((enum pfs_type)type, way, way & 1, way * 4, 95));
        }
    s.view.shape.type = PFS_F32;
    write_one(&s, "histogram-f.json", "histogram.json", histogram_table(1024, 7, -1.5, 2.5));
    s.view.shape.type = PFS_I16;
    write_one(&s, "histogram-i.json", "histogram.json", histogram_table(65536, 7, 0, 0));
    write_one(&s, "segment.json", "segment.json", segment_table(0.1));
    write_one(&s, "pca.json", "pca.json", pca_table(0.1));
    n_bad = 2;
    write_one(&s, "info.json", "info.json", (struct pfs_blob){0});
    drop(&s);
}

int main(int n, char **arg)
{
    const struct CMUnitTest writing[] = {cmocka_unit_test(write_samples)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info), cmocka_unit_test(info_of_bad_sections), cmocka_unit_test(info_of_keys),
        cmocka_unit_test(info_of_missing_files), cmocka_unit_test(stats), cmocka_unit_test(damaged_tables),
        cmocka_unit_test(histogram), cmocka_unit_test(segments), cmocka_unit_test(pca),
    };
    folder = n > 1 ? arg[1] : NULL;
    return folder ? cmocka_run_group_tests(writing, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
