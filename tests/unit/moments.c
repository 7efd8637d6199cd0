/* moments against a naive twin in long double: large offsets, exact percentiles, NaN, nodata, missing planes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/mem.h>
#include <planefs/ops.h>
#include <planefs/table.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;
static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

static double normal(void)
{
    double u = uniform() + 1e-300;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * uniform());
}

static const struct pfs_op *op;
static char *params;

static void set_params(const char *nodata)
{
    free(params);
    op = pfs_op_named("moments");
    params = calloc(1, op->params_size);
    assert_int_equal(pfs_params_default(op, PFS_U16, params), 0);
    assert_int_equal(pfs_params_set(op, params, "nodata", nodata, NULL), 0);
}

static double at(struct pfs_blob t, const char *name, int64_t i)
{
    struct pfs_column c;
    assert_true(pfs_table_column(t, name, &c));
    assert_true(i < c.n);
    return pfs_column_f64(&c, i);
}

static struct pfs_blob partial(enum pfs_type type, void *px, int64_t h, int64_t w, int64_t gap)
{
    struct pfs_typed in = {type, px, (ptrdiff_t)((size_t)(w + gap) * pfs_type_size(type)), h, w};
    struct pfs_blob b;
    struct pfs_lesson l = {.threads = 1};
    assert_int_equal(op->partial(params, &l, &in, &b, NULL), 0);
    assert_true(pfs_table_valid(b));
    return b;
}

struct list { struct pfs_parts parts; const struct pfs_blob *part; int64_t bands, per, next; };

/* From plane order to band after band. */
static int next_part(struct pfs_parts *p, struct pfs_blob *ret, struct pfs_err *err)
{
    struct list *l = (struct list *)p;
    (void)err;
    assert_true(l->next < p->n);
    *ret = l->part[l->next % l->per * l->bands + l->next / l->per];
    l->next++;
    return 0;
}

static int merge_all(const struct pfs_shape *in, const struct pfs_blob *parts, int64_t n, struct pfs_blob *ret,
                     struct pfs_err *err)
{
    struct list l = {{n, next_part}, parts, in->c, in->t * in->z, 0};
    return op->merge(params, in, (struct pfs_blob){0}, &l.parts, ret, err);
}

static struct pfs_blob merge(enum pfs_type type, int64_t t, int64_t z, int64_t c, const struct pfs_blob *parts)
{
    struct pfs_shape in = {.t = t, .z = z, .c = c, .y = 4, .x = 4, .type = type};
    struct pfs_blob b;
    struct pfs_err err = {0};
    if (merge_all(&in, parts, t * z * c, &b, &err))
        fail_msg("%s", err.text);
    assert_true(pfs_table_valid(b));
    return b;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct twin { int64_t n; long double mean, std; double min, max, p[7]; };

static struct twin naive(double *v, int64_t n)
{
    static const double q[] = {0.1 / 100, 0.02, 0.25, 0.5, 0.75, 0.98, 99.9 / 100};
    struct twin t = {.n = n};
    long double s = 0, m2 = 0;
    qsort(v, (size_t)n, sizeof *v, rising);
    for (int64_t i = 0; i < n; i++)
        s += v[i];
    t.mean = s / n;
    for (int64_t i = 0; i < n; i++)
        m2 += (v[i] - t.mean) * (v[i] - t.mean);
    t.std = sqrtl(m2 / n);
    t.min = v[0];
    t.max = v[n - 1];
    for (int i = 0; i < 7; i++) {
        double where = (double)(n - 1) * q[i], part = where - floor(where), a = v[(int64_t)where];
        double b = (int64_t)where + 1 < n ? v[(int64_t)where + 1] : a;
        t.p[i] = part >= 0.5 ? b - (b - a) * (1 - part) : a + (b - a) * part;
    }
    return t;
}

static void compare(struct pfs_blob model, int64_t i, const struct twin *t, bool percentiles)
{
    static const char *const names[] = {"p0_1", "p2", "p25", "p50", "p75", "p98", "p99_9"};
    assert_int_equal(at(model, "count", i), t->n);
    assert_true(at(model, "min", i) == t->min);
    assert_true(at(model, "max", i) == t->max);
    assert_true(fabsl((long double)at(model, "mean", i) - t->mean) <= 1e-12L * fabsl(t->mean) + 1e-12L * t->std);
    assert_true(fabsl((long double)at(model, "std", i) - t->std) <= 1e-9L * t->std);
    for (int k = 0; k < 7; k++)
        if (percentiles)
            assert_true(at(model, names[k], i) == t->p[k]);
        else
            assert_true(isnan(at(model, names[k], i)));
}

static void fill(enum pfs_type type, void *px, int64_t n, double mean, double std, double *copy)
{
    for (int64_t i = 0; i < n; i++) {
        double v = mean + std * normal();
        switch (type) {
        case PFS_U8:  copy[i] = ((uint8_t *)px)[i] = (uint8_t)fmin(fmax(v, 0), 255); break;
        case PFS_U16: copy[i] = ((uint16_t *)px)[i] = (uint16_t)fmin(fmax(v, 0), 65535); break;
        case PFS_I16: copy[i] = ((int16_t *)px)[i] = (int16_t)fmin(fmax(v, -32768), 32767); break;
        case PFS_U32: copy[i] = ((uint32_t *)px)[i] = (uint32_t)v; break;
        case PFS_I32: copy[i] = ((int32_t *)px)[i] = (int32_t)v; break;
        case PFS_F32: copy[i] = ((float *)px)[i] = (float)v; break;
        default:      copy[i] = ((double *)px)[i] = v; break;
        }
    }
}

/* Three bands over two sections of odd sizes; every band and everything against the twin. */
static void check_type(enum pfs_type type, double mean, double std)
{
    enum { H = 37, W = 219, N = H * W };
    struct pfs_blob parts[6];
    double *copy = malloc(6 * N * sizeof *copy);
    bool counted = pfs_type_size(type) <= 2;
    for (int i = 0; i < 6; i++) {           /* z 0: bands 0 1 2, z 1: bands 0 1 2; the copy is by band */
        void *px = malloc(N * 8);
        fill(type, px, N, mean + (i % 3) * std, std, copy + ((i % 3) * 2 + i / 3) * N);
        parts[i] = partial(type, px, H, W, 0);
        free(px);
    }
    struct pfs_blob model = merge(type, 1, 2, 3, parts);
    for (int c = 0; c < 3; c++) {
        struct twin t = naive(copy + c * 2 * N, 2 * N);
        compare(model, c, &t, counted);
    }
    struct twin t = naive(copy, 6 * N);
    compare(model, 3, &t, counted);
    for (int i = 0; i < 6; i++)
        free(parts[i].data);
    free(model.data);
    free(copy);
}

static void every_type_meets_its_twin(void **state)
{
    (void)state;
    set_params("none");
    check_type(PFS_U8, 128, 30);
    check_type(PFS_U8, 250, 0.4);
    check_type(PFS_U16, 65000, 1);
    check_type(PFS_U16, 30000, 20000);
    check_type(PFS_I16, -100, 9000);
    check_type(PFS_U32, 4e9, 2);
    check_type(PFS_I32, -2e9, 1e5);
    check_type(PFS_F32, 1e6, 1e-1);
    check_type(PFS_F32, 1e-30, 1e-31);
    check_type(PFS_F64, 1e6, 1e-3);
    check_type(PFS_F64, -1e12, 1);
}

/* float32 near 1e6 has steps of 1/16, so a deviation of 1e-3 is a few pixels one step off. */
static void float_with_a_huge_offset(void **state)
{
    enum { N = 100000 };
    float *px = malloc(N * sizeof *px);
    double *copy = malloc(N * sizeof *copy);
    (void)state;
    set_params("none");
    for (int i = 0; i < N; i++)
        copy[i] = px[i] = i % 3907 ? 1e6f : 1e6f + 0.0625f;
    struct pfs_blob part = partial(PFS_F32, px, 1, N, 0), model = merge(PFS_F32, 1, 1, 1, &part);
    struct twin t = naive(copy, N);
    assert_true(t.std < 2e-3L && t.std > 5e-4L);
    compare(model, 0, &t, false);
    free(part.data);
    free(model.data);
    free(px);
    free(copy);
}

static void nan_and_nodata_take_no_part(void **state)
{
    float f[2][8] = {{1, NAN, 3, -9999, NAN, NAN, NAN, NAN}, {5, 7, -9999, -9999, NAN, NAN, NAN, NAN}};   /* w = 4 of 8 */
    uint16_t u[6] = {0, 5, 5, 0, 9, 0};
    (void)state;
    set_params("-9999");
    struct pfs_blob a = partial(PFS_F32, f, 2, 4, 4);
    assert_int_equal(at(a, "count", 0), 4);
    assert_int_equal(at(a, "nan", 0), 4);
    assert_true(at(a, "min", 0) == 1 && at(a, "max", 0) == 7 && at(a, "mean", 0) == 4);
    assert_float_equal(at(a, "std", 0), sqrt(5), 1e-15);
    free(a.data);
    set_params("0");
    a = partial(PFS_U16, u, 2, 3, 0);
    assert_int_equal(at(a, "count", 0), 3);
    assert_int_equal(at(a, "nan", 0), 3);
    assert_true(at(a, "min", 0) == 5 && at(a, "max", 0) == 9);
    struct pfs_blob m = merge(PFS_U16, 1, 1, 1, &a);
    assert_int_equal(at(m, "nan", 0), 3);
    assert_true(at(m, "p50", 0) == 5);
    assert_float_equal(at(m, "p98", 0), 8.84, 1e-12);
    free(m.data);
    free(a.data);
    set_params("0.5");
    a = partial(PFS_U16, u, 2, 3, 0);
    assert_int_equal(at(a, "count", 0), 6);
    free(a.data);
}

static void nothing_at_all_is_nan(void **state)
{
    float f[4] = {NAN, NAN, NAN, NAN};
    struct pfs_blob parts[2] = {{0}, {0}};
    (void)state;
    set_params("none");
    parts[0] = partial(PFS_F32, f, 2, 2, 0);
    struct pfs_blob m = merge(PFS_F32, 1, 1, 2, parts);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(at(m, "count", i), 0);
        assert_int_equal(at(m, "nan", i), i == 1 ? 0 : 4);
        assert_true(isnan(at(m, "min", i)) && isnan(at(m, "mean", i)) && isnan(at(m, "std", i)));
    }
    free(parts[0].data);
    free(m.data);
}

static void infinities_count(void **state)
{
    float f[4] = {1, INFINITY, 2, 3};
    (void)state;
    set_params("none");
    struct pfs_blob a = partial(PFS_F32, f, 2, 2, 0), m = merge(PFS_F32, 1, 1, 1, &a);
    assert_int_equal(at(m, "count", 0), 4);
    assert_true(isinf(at(m, "max", 0)) && at(m, "min", 0) == 1 && isinf(at(m, "mean", 0)) && isnan(at(m, "std", 0)));
    free(a.data);
    free(m.data);
}

/* 64-bit extremes are exact beyond 2^53. */
static void wide_extremes_are_exact(void **state)
{
    uint64_t u[3] = {UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 2};
    int64_t s[2] = {INT64_MIN, INT64_MIN + 1};
    struct pfs_column c;
    (void)state;
    set_params("none");
    struct pfs_blob a = partial(PFS_U64, u, 1, 3, 0), m = merge(PFS_U64, 1, 1, 1, &a);
    assert_true(pfs_table_column(m, "min", &c) && c.type == PFS_U64);
    assert_true((uint64_t)pfs_column_i64(&c, 0) == UINT64_MAX - 2);
    free(a.data);
    free(m.data);
    a = partial(PFS_I64, s, 1, 2, 0);
    m = merge(PFS_I64, 1, 1, 1, &a);
    assert_true(pfs_table_column(m, "max", &c) && c.type == PFS_I64);
    assert_true(pfs_column_i64(&c, 0) == INT64_MIN + 1);
    free(a.data);
    free(m.data);
}

/* Hostile parts: every truncation and every flipped byte is an error or an answer, never a crash. */
static void damaged_parts_do_no_harm(void **state)
{
    uint16_t u[64];
    struct pfs_shape in = {.t = 1, .z = 1, .c = 1, .y = 8, .x = 8, .type = PFS_U16};
    struct pfs_blob m;
    (void)state;
    set_params("none");
    for (int i = 0; i < 64; i++)
        u[i] = (uint16_t)(i * 997);
    struct pfs_blob a = partial(PFS_U16, u, 8, 8, 0);
    for (size_t n = 1; n < a.size; n++) {
        struct pfs_blob cut = {malloc(n), n};
        memcpy(cut.data, a.data, n);
        assert_int_equal(merge_all(&in, &cut, 1, &m, NULL), -EIO);
        free(cut.data);
    }
    for (size_t i = 0; i < a.size * 8; i++) {
        struct pfs_blob flipped = {malloc(a.size), a.size};
        memcpy(flipped.data, a.data, a.size);
        ((uint8_t *)flipped.data)[i / 8] ^= (uint8_t)(1 << i % 8);
        if (merge_all(&in, &flipped, 1, &m, NULL) == 0)
            free(m.data);
        free(flipped.data);
    }
    in.type = PFS_F32;
    assert_int_equal(merge_all(&in, &a, 1, &m, NULL), -EIO);
    in.z = 2;
    assert_int_equal(merge_all(&in, &a, 1, &m, NULL), -EINVAL);
    free(a.data);
}

static int finish(void **state)
{
    (void)state;
    free(params);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_meets_its_twin), cmocka_unit_test(float_with_a_huge_offset),
        cmocka_unit_test(nan_and_nodata_take_no_part), cmocka_unit_test(nothing_at_all_is_nan),
        cmocka_unit_test(infinities_count), cmocka_unit_test(wide_extremes_are_exact),
        cmocka_unit_test(damaged_parts_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
