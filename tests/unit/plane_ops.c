/* Operators that move or negate pixels of any type: invert, crop, flip. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <planefs/ops.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct pfs_op pfs_op_invert, pfs_op_crop, pfs_op_flip;

static void *params(const struct pfs_op *op, const char *name, const char *value)
{
    struct pfs_err err;
    void *p = calloc(1, op->params_size);
    assert_int_equal(pfs_params_default(op, PFS_U16, p), 0);
    if (pfs_params_set(op, p, name, value, &err))
        fail_msg("%s", err.text);
    return p;
}

static void run(const struct pfs_op *op, const void *p, const struct pfs_context *cx, struct pfs_typed in,
                struct pfs_typed out)
{
    struct pfs_shape from = {.y = in.h, .x = in.w, .type = in.type}, to;
    struct pfs_err err;
    assert_int_equal(op->shape(p, &from, &to, &err), 0);
    assert_true(to.y == out.h && to.x == out.w && to.type == out.type);
    assert_int_equal(op->plane(p, NULL, cx, &in, 1, out, &err), 0);
}

/* Invert 3 samples given as bytes; in place as well. */
static void invert_case(enum pfs_type type, enum pfs_type source, int bits, const void *in, const void *want)
{
    struct pfs_context cx = {.source = source, .bits = bits, .threads = 2};
    char out[24], same[24];
    int64_t n = 3 * (int64_t)pfs_type_size(type);
    void *p = params(&pfs_op_invert, "on", "1"), *copy = malloc((size_t)n);
    memcpy(copy, in, (size_t)n);
    memcpy(same, in, (size_t)n);
    run(&pfs_op_invert, p, &cx, (struct pfs_typed){type, copy, n, 1, 3}, (struct pfs_typed){type, out, n, 1, 3});
    assert_memory_equal(out, want, (size_t)n);
    struct pfs_typed column = {type, same, n / 3, 3, 1};
    run(&pfs_op_invert, p, &cx, column, column);
    assert_memory_equal(same, want, (size_t)n);
    free(copy);
    free(p);
}

static void test_invert(void **state)
{
    (void)state;
    invert_case(PFS_U8, PFS_U8, 8, (uint8_t[]){0, 1, 255}, (uint8_t[]){255, 254, 0});
    invert_case(PFS_U8, PFS_U8, 1, (uint8_t[]){0, 1, 1}, (uint8_t[]){1, 0, 0});
    invert_case(PFS_U16, PFS_U16, 16, (uint16_t[]){0, 1000, 65535}, (uint16_t[]){65535, 64535, 0});
    invert_case(PFS_U16, PFS_U16, 12, (uint16_t[]){0, 4095, 5000}, (uint16_t[]){4095, 0, 0});
    invert_case(PFS_U16, PFS_U8, 8, (uint16_t[]){0, 4095, 5000}, (uint16_t[]){65535, 61440, 60535});
    invert_case(PFS_U16, PFS_U16, 0, (uint16_t[]){0, 4095, 5000}, (uint16_t[]){65535, 61440, 60535});
    invert_case(PFS_U32, PFS_U32, 32, (uint32_t[]){0, 7, UINT32_MAX}, (uint32_t[]){UINT32_MAX, UINT32_MAX - 7, 0});
    invert_case(PFS_U32, PFS_U32, 24, (uint32_t[]){0, 7, 1 << 23}, (uint32_t[]){0xffffff, 0xfffff8, 0x7fffff});
    invert_case(PFS_U64, PFS_U64, 64, (uint64_t[]){0, 7, UINT64_MAX}, (uint64_t[]){UINT64_MAX, UINT64_MAX - 7, 0});
    invert_case(PFS_I8, PFS_I8, 8, (int8_t[]){0, -128, 127}, (int8_t[]){-1, 127, -128});
    invert_case(PFS_I16, PFS_I16, 12, (int16_t[]){0, -32768, 5}, (int16_t[]){-1, 32767, -6});
    invert_case(PFS_I32, PFS_I32, 32, (int32_t[]){0, INT32_MIN, 5}, (int32_t[]){-1, INT32_MAX, -6});
    invert_case(PFS_I64, PFS_I64, 64, (int64_t[]){0, INT64_MIN, 5}, (int64_t[]){-1, INT64_MAX, -6});
    invert_case(PFS_F32, PFS_U8, 8, (float[]){0, 65535, -1.5f}, (float[]){65535, 0, 65536.5f});
    invert_case(PFS_F64, PFS_F64, 64, (double[]){0, 65535, INFINITY}, (double[]){65535, 0, -INFINITY});
}

static void test_invert_off(void **state)
{
    (void)state;
    struct pfs_context cx = {.source = PFS_U16, .bits = 12, .threads = 1};
    uint16_t in[] = {1, 2, 65535}, out[3];
    void *p = params(&pfs_op_invert, "on", "0");
    struct pfs_text t = {0};
    struct pfs_err err;
    run(&pfs_op_invert, p, &cx, (struct pfs_typed){PFS_U16, in, 6, 1, 3}, (struct pfs_typed){PFS_U16, out, 6, 1, 3});
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(pfs_op_invert.depends(p, &cx, &t, &err), 0);
    assert_int_equal(t.n, 0);
    free(p);
    p = params(&pfs_op_invert, "on", "1");
    assert_int_equal(pfs_op_invert.depends(p, &cx, &t, &err), 0);
    assert_string_equal(t.s, "bits=12");
    pfs_text_finish(&t);
    cx.bits = 16;
    assert_int_equal(pfs_op_invert.depends(p, &cx, &t, &err), 0);
    assert_int_equal(t.n, 0);
    free(p);
}

static const enum pfs_type widths[] = {PFS_I8, PFS_U16, PFS_F32, PFS_I64};

/* A plane whose every byte tells where it is. */
static struct pfs_typed numbered(enum pfs_type type, int64_t h, int64_t w)
{
    int64_t row = (w + 2) * (int64_t)pfs_type_size(type);
    struct pfs_typed p = {type, malloc((size_t)(h * row)), row, h, w};
    for (int64_t i = 0; i < h * row; i++)
        ((uint8_t *)p.px)[i] = (uint8_t)(i * 131 + i / 251);
    return p;
}

static const char *pixel(struct pfs_typed p, int64_t y, int64_t x)
{
    return (const char *)p.px + y * p.row + x * (int64_t)pfs_type_size(p.type);
}

static void test_flip(void **state)
{
    (void)state;
    static const struct { const char *axes; int y, x; } kinds[] = {{"y", 1, 0}, {"x", 0, 1}, {"yx", 1, 1}};
    static const int64_t sizes[][2] = {{1, 1}, {5, 37}, {6, 64}, {1, 9}, {9, 1}};
    struct pfs_context cx = {.threads = 2};
    for (int k = 0; k < 3; k++)
        for (int t = 0; t < 4; t++)
            for (int s = 0; s < 5; s++) {
                int64_t h = sizes[s][0], w = sizes[s][1];
                struct pfs_typed in = numbered(widths[t], h, w), out = numbered(widths[t], h, w);
                void *p = params(&pfs_op_flip, "axes", kinds[k].axes);
                run(&pfs_op_flip, p, &cx, in, out);
                for (int64_t y = 0; y < h; y++)
                    for (int64_t x = 0; x < w; x++) {
                        int64_t from_y = kinds[k].y ? h - 1 - y : y, from_x = kinds[k].x ? w - 1 - x : x;
                        assert_memory_equal(pixel(out, y, x), pixel(in, from_y, from_x), pfs_type_size(widths[t]));
                    }
                free(in.px);
                free(out.px);
                free(p);
            }
}

static void test_crop(void **state)
{
    (void)state;
    struct pfs_context cx = {.threads = 1};
    for (int t = 0; t < 4; t++) {
        struct pfs_typed in = numbered(widths[t], 20, 30), out = numbered(widths[t], 7, 30 - 11);
        struct pfs_typed all = numbered(widths[t], 20, 30);
        void *p = params(&pfs_op_crop, "roi", "13:11:7:19"), *whole = params(&pfs_op_crop, "roi", "none");
        run(&pfs_op_crop, p, &cx, in, out);
        run(&pfs_op_crop, whole, &cx, in, all);
        for (int64_t y = 0; y < 7; y++)
            assert_memory_equal(pixel(out, y, 0), pixel(in, 13 + y, 11), 19 * pfs_type_size(widths[t]));
        for (int64_t y = 0; y < 20; y++)
            assert_memory_equal(pixel(all, y, 0), pixel(in, y, 0), 30 * pfs_type_size(widths[t]));
        free(in.px);
        free(out.px);
        free(all.px);
        free(p);
        free(whole);
    }
}

static void test_crop_outside(void **state)
{
    (void)state;
    static const char *const wrong[] = {"0:0:21:1", "0:0:1:31", "20:0:1:1", "0:30:1:1", "19:29:2:1", "0:0:0:1",
                                        "0:0:1:0", "1:2:3", "1:2:3:4:5", "1000000000000:0:1:1"};
    struct pfs_shape from = {.y = 20, .x = 30, .type = PFS_U8}, to;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pfs_err err = {0};
        void *p = params(&pfs_op_crop, "roi", wrong[i]);
        assert_int_equal(pfs_op_crop.shape(p, &from, &to, &err), -ENOENT);
        assert_int_equal(err.code, ENOENT);
        assert_non_null(strstr(err.text, "roi"));
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invert),
        cmocka_unit_test(test_invert_off),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_crop_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
