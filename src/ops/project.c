/* max, min, mean, sum, std: planes folded along Z, or along T where Z is 1, as ImageJ's Z Project gives them: max and min
 * keep the type, the others are float32; std has n - 1.
 *
 * NaN and nodata take no part; where nothing is left the result is NaN, or nodata, or 0 in types that have neither.
 * Sums are double, those of squares about the first plane, so that a large offset costs no digits. */
#include "ops/levels.h"

#include <planefs/kernels/clones.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

static const struct pfs_param params[] = {PFS_NODATA_PARAM};

static bool holds(enum pfs_type type, double v)
{
    static const double low[] = {[PFS_I8] = INT8_MIN, [PFS_I16] = INT16_MIN, [PFS_I32] = INT32_MIN, [PFS_I64] = -0x1p63};
    static const double top[] = {[PFS_U8] = UINT8_MAX, [PFS_U16] = UINT16_MAX, [PFS_U32] = UINT32_MAX,
                                 [PFS_U64] = 0x1.fffffffffffffp63, [PFS_I8] = INT8_MAX, [PFS_I16] = INT16_MAX,
                                 [PFS_I32] = INT32_MAX, [PFS_I64] = 0x1.fffffffffffffp62};
    if (pfs_type_is_float(type))
        return isfinite(v) && (type == PFS_F64 || fabs(v) <= FLT_MAX);
    return v == floor(v) && v >= (pfs_type_is_signed(type) ? low[type] : 0) && v <= top[type];
}

/* The value that takes no part; false where no pixel can have it. */
static bool has_gaps(const void *p, enum pfs_type type, double *gap)
{
    *gap = ((const struct pfs_nodata_params *)p)->nodata;
    bool gaps = holds(type, *gap);
    *gap = gaps ? *gap : 0;
    return gaps;
}

/* ---- max and min: the state is the result so far ---- */

#define EXTREME(NAME, T, OP, EMPTY, WORST) \
PFS_CLONES \
static void NAME##_fill(T *state, int64_t n, T gap, bool gaps) \
{ \
    for (int64_t i = 0; i < n; i++) \
        state[i] = gaps ? gap : (T)(WORST); \
} \
PFS_CLONES \
static void NAME(T *state, const T *px, int64_t n, T gap, bool gaps) \
{ \
    if (!gaps) { \
        PFS_IVDEP \
        for (int64_t i = 0; i < n; i++) \
            state[i] = px[i] OP state[i] || EMPTY ? px[i] : state[i]; \
        return; \
    } \
    for (int64_t i = 0; i < n; i++) \
        state[i] = px[i] != gap && (px[i] OP state[i] || state[i] == gap) ? px[i] : state[i]; \
}
#define IS_NAN (state[i] != state[i])
#define FOR_ALL(X) \
    X(PFS_U8, u8, uint8_t, 0, 0, UINT8_MAX) X(PFS_U16, u16, uint16_t, 0, 0, UINT16_MAX) \
    X(PFS_U32, u32, uint32_t, 0, 0, UINT32_MAX) X(PFS_U64, u64, uint64_t, 0, 0, UINT64_MAX) \
    X(PFS_I8, i8, int8_t, 0, INT8_MIN, INT8_MAX) X(PFS_I16, i16, int16_t, 0, INT16_MIN, INT16_MAX) \
    X(PFS_I32, i32, int32_t, 0, INT32_MIN, INT32_MAX) X(PFS_I64, i64, int64_t, 0, INT64_MIN, INT64_MAX) \
    X(PFS_F32, f32, float, IS_NAN, NAN, NAN) X(PFS_F64, f64, double, IS_NAN, NAN, NAN)
#define MAX_OF(TYPE, N, T, EMPTY, LOW, TOP) EXTREME(max_##N, T, >, EMPTY, LOW)
#define MIN_OF(TYPE, N, T, EMPTY, LOW, TOP) EXTREME(min_##N, T, <, EMPTY, TOP)
FOR_ALL(MAX_OF)
FOR_ALL(MIN_OF)

#define FILL_MAX(TYPE, N, T, EMPTY, LOW, TOP) case TYPE: max_##N##_fill(state, n, (T)gap, gaps); break;
#define FILL_MIN(TYPE, N, T, EMPTY, LOW, TOP) case TYPE: min_##N##_fill(state, n, (T)gap, gaps); break;
#define ADD_MAX(TYPE, N, T, EMPTY, LOW, TOP) case TYPE: max_##N(state, px, n, (T)gap, gaps); break;
#define ADD_MIN(TYPE, N, T, EMPTY, LOW, TOP) case TYPE: min_##N(state, px, n, (T)gap, gaps); break;

static void begin_max(const void *p, enum pfs_type type, void *state, int64_t n)
{
    double gap;
    bool gaps = has_gaps(p, type, &gap);
    switch (type) {
    FOR_ALL(FILL_MAX)
    default: break;
    }
}

static void begin_min(const void *p, enum pfs_type type, void *state, int64_t n)
{
    double gap;
    bool gaps = has_gaps(p, type, &gap);
    switch (type) {
    FOR_ALL(FILL_MIN)
    default: break;
    }
}

static void add_max(const void *p, enum pfs_type type, void *state, const void *px, int64_t n)
{
    double gap;
    bool gaps = has_gaps(p, type, &gap);
    switch (type) {
    FOR_ALL(ADD_MAX)
    default: break;
    }
}

static void add_min(const void *p, enum pfs_type type, void *state, const void *px, int64_t n)
{
    double gap;
    bool gaps = has_gaps(p, type, &gap);
    switch (type) {
    FOR_ALL(ADD_MIN)
    default: break;
    }
}

static void end_same(const void *p, enum pfs_type type, const void *state, int64_t planes, void *out, int64_t n)
{
    (void)p;
    (void)planes;
    memcpy(out, state, (size_t)n * pfs_type_size(type));
}

/* ---- mean, sum and std: rows of doubles: the sum, how many, the first value, the squares about it ---- */

enum { SUM, COUNT, FIRST, SQUARES, CHUNK = 1024 };

PFS_CLONES
static void add_sums(double *sum, double *count, const double *x, int64_t n, double gap)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++) {
        double part = x[i] == x[i] && x[i] != gap ? 1 : 0;
        sum[i] += part > 0 ? x[i] : 0;
        count[i] += part;
    }
}

PFS_CLONES
static void add_squares(double *sum, double *count, double *first, double *squares, const double *x, int64_t n, double gap)
{
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++) {
        double part = x[i] == x[i] && x[i] != gap ? 1 : 0;
        first[i] = count[i] == 0 && part > 0 ? x[i] : first[i];
        double d = part > 0 ? x[i] - first[i] : 0;
        sum[i] += d;
        squares[i] += d * d;
        count[i] += part;
    }
}

static void begin_sums(const void *p, enum pfs_type type, void *state, int64_t n)
{
    (void)p;
    (void)type;
    memset(state, 0, (size_t)n * 2 * sizeof(double));
}

static void begin_squares(const void *p, enum pfs_type type, void *state, int64_t n)
{
    (void)p;
    (void)type;
    memset(state, 0, (size_t)n * 4 * sizeof(double));
}

static void add(const void *p, enum pfs_type type, double *s, const char *px, int64_t n, bool squares)
{
    double gap, x[CHUNK];
    if (!has_gaps(p, type, &gap))
        gap = NAN;
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t k = n - i < CHUNK ? n - i : CHUNK;
        const char *from = px + (size_t)i * pfs_type_size(type);
        pfs_convert((struct pfs_typed){type, (char *)(uintptr_t)from, 0, 1, k}, (struct pfs_typed){PFS_F64, x, 0, 1, k});
        if (squares)
            add_squares(s + i, s + COUNT * n + i, s + FIRST * n + i, s + SQUARES * n + i, x, k, gap);
        else
            add_sums(s + i, s + COUNT * n + i, x, k, gap);
    }
}

static void add_to_sums(const void *p, enum pfs_type type, void *state, const void *px, int64_t n)
{
    add(p, type, state, px, n, false);
}

static void add_to_squares(const void *p, enum pfs_type type, void *state, const void *px, int64_t n)
{
    add(p, type, state, px, n, true);
}

static void end_mean(const void *p, enum pfs_type type, const void *state, int64_t planes, void *out, int64_t n)
{
    const double *s = state;
    float *to = out;
    (void)p, (void)type, (void)planes;
    for (int64_t i = 0; i < n; i++)
        to[i] = s[COUNT * n + i] > 0 ? (float)(s[i] / s[COUNT * n + i]) : NAN;
}

static void end_sum(const void *p, enum pfs_type type, const void *state, int64_t planes, void *out, int64_t n)
{
    const double *s = state;
    float *to = out;
    (void)p, (void)type, (void)planes;
    for (int64_t i = 0; i < n; i++)
        to[i] = s[COUNT * n + i] > 0 ? (float)s[i] : NAN;
}

static void end_std(const void *p, enum pfs_type type, const void *state, int64_t planes, void *out, int64_t n)
{
    const double *s = state;
    float *to = out;
    (void)p, (void)type, (void)planes;
    for (int64_t i = 0; i < n; i++) {
        double k = s[COUNT * n + i], v = k > 0 ? s[SQUARES * n + i] - s[i] * s[i] / k : NAN;
        to[i] = k > 1 ? (float)sqrt(v > 0 ? v / (k - 1) : 0) : k > 0 ? 0 : NAN;
    }
}

/* ---- the operators ---- */

static size_t room_same(enum pfs_type type)
{
    return pfs_type_size(type);
}

static size_t room_sums(enum pfs_type type)
{
    (void)type;
    return 2 * sizeof(double);
}

static size_t room_squares(enum pfs_type type)
{
    (void)type;
    return 4 * sizeof(double);
}

static int keep_shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    (void)p;
    (void)err;
    *ret = *in;
    *(in->z > 1 ? &ret->z : &ret->t) = 1;
    return 0;
}

static int float_shape(const void *p, const struct pfs_shape *in, struct pfs_shape *ret, struct pfs_err *err)
{
    keep_shape(p, in, ret, err);
    ret->type = PFS_F32;
    ret->cal.range[0] = ret->cal.range[1] = 0;
    return 0;
}

static size_t fold_memory(const void *p, const struct pfs_shape *in)
{
    (void)p;
    return (size_t)in->y * (size_t)in->x * 4 * sizeof(double);
}

static const struct pfs_along max_along = {room_same, begin_max, add_max, end_same};
static const struct pfs_along min_along = {room_same, begin_min, add_min, end_same};
static const struct pfs_along mean_along = {room_sums, begin_sums, add_to_sums, end_mean};
static const struct pfs_along sum_along = {room_sums, begin_sums, add_to_sums, end_sum};
static const struct pfs_along std_along = {room_squares, begin_squares, add_to_squares, end_std};

#define PROJECTION(NAME, DOC, SHAPE, ALONG) \
    .name = NAME, .doc = DOC, .rev = 1, .params = params, .n_params = 1, \
    .params_size = sizeof(struct pfs_nodata_params), .shape = SHAPE, .along = ALONG, .memory = fold_memory

const struct pfs_op pfs_op_max = {PROJECTION("max", "the largest value along Z, or T", keep_shape, &max_along)};
const struct pfs_op pfs_op_min = {PROJECTION("min", "the smallest value along Z, or T", keep_shape, &min_along)};
const struct pfs_op pfs_op_mean = {PROJECTION("mean", "the mean along Z, or T, float32", float_shape, &mean_along)};
const struct pfs_op pfs_op_sum = {PROJECTION("sum", "the sum along Z, or T, float32", float_shape, &sum_along)};
const struct pfs_op pfs_op_std = {
    PROJECTION("std", "the standard deviation along Z, or T (n - 1), float32", float_shape, &std_along)};
