/* Recipes: view texts to steps and their errors, canonical texts back, and running chains of every make-up of in-place,
 * moving and converting steps against a naive twin, with the planes they may hold counted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack/views.h"

#include <planefs/stack.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pfs_shape source = {.t = 1, .z = 4, .c = 1, .y = 20, .x = 30, .type = PFS_U16};

static void need(const char *name)
{
    if (!pfs_op_named(name)) {
        print_message("no operator %s in this build\n", name);
        skip();
    }
}

static struct pfs_recipe_steps *resolve(const char *view)
{
    struct pfs_recipe_steps *r;
    struct pfs_err err;
    if (pfs_recipe_resolve(view, &source, &r, &err))
        fail_msg("%s: %s", view, err.text);
    return r;
}

static void expect_refused(const char *view, const char *part)
{
    struct pfs_recipe_steps *r;
    struct pfs_err err = {0};
    assert_int_equal(pfs_recipe_resolve(view, &source, &r, &err), -ENOENT);
    if (!strstr(err.text, part))
        fail_msg("%s: \"%s\" does not say \"%s\"", view, err.text, part);
}

static void source_has_no_steps(void **state)
{
    struct pfs_recipe_steps *r = resolve("source");
    (void)state;
    assert_int_equal(r->n, 0);
    pfs_recipe_close(r);
}

static void an_operator_is_a_view(void **state)
{
    struct pfs_recipe_steps *r = resolve("stats@nodata=7.50");
    (void)state;
    assert_int_equal(r->n, 1);
    assert_string_equal(r->step[0].text, "stats/1 nodata=7.5");
    assert_int_equal(r->step[0].out.type, PFS_U16);
    pfs_recipe_close(r);
}

static void wrong_texts_are_explained(void **state)
{
    static char longer[9000];
    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    expect_refused("sorce", "did you mean \"source\"");
    expect_refused("", "no view");
    expect_refused("stats@", "key=value");
    expect_refused("stats@nodata", "key=value");
    expect_refused("stats@=1", "key=value");
    expect_refused("stats@nodata=1,", "key=value");
    expect_refused("stats@nodata=1,nodata=2", "twice");
    expect_refused("stats@nodato=1", "did you mean \"nodata\"");
    expect_refused("stats@stats.nodato=1", "did you mean \"nodata\"");
    expect_refused("stats@nodata=abc", "a number from");
    expect_refused("stats@filter=1", "ImageJ");
    expect_refused("stats@increment=1", "ImageJ");
    expect_refused("source@nodata=1", "no step here");
    expect_refused("stats@of=nosuch", "no view");
    expect_refused(longer, "at most");
}

static void parameters_reach_their_steps(void **state)
{
    (void)state;
    need("contrast");
    need("destripe");
    struct pfs_recipe_steps *r = resolve("corrected@mean=26000,hp_sigma=1500,denoise.scales=2,roi=1:2:10:8");
    assert_int_equal(r->n, 6);
    assert_non_null(strstr(r->step[4].text, " mean=26000"));
    assert_non_null(strstr(r->step[4].text, " hp_sigma=1500"));
    assert_non_null(strstr(r->step[3].text, " scales=2"));
    assert_non_null(strstr(r->step[1].text, " scales=6"));
    assert_string_equal(r->step[5].op->name, "crop");
    assert_true(r->step[5].out.y == 10 && r->step[5].out.x == 8 && r->step[5].out.type == PFS_U8);
    assert_int_equal(r->step[3].out.type, PFS_F32);
    assert_int_equal(r->step[0].out.type, PFS_U16);
    pfs_recipe_close(r);
    expect_refused("corrected@scales=2", "write destripe.scales or denoise.scales");
    expect_refused("corrected@roi=1:2:100:8", "leaves the plane");
    expect_refused("corrected@destripe.scaels=1", "did you mean \"scales\"");
}

static void of_puts_a_view_in_front(void **state)
{
    (void)state;
    need("invert");
    struct pfs_recipe_steps *r = resolve("stats@of=inverted,nodata=0");
    assert_int_equal(r->n, 2);
    assert_string_equal(r->step[0].op->name, "invert");
    assert_string_equal(r->step[1].text, "stats/1 nodata=0");
    pfs_recipe_close(r);
}

/* Canonical texts of every view that is there read back to the same steps and shapes. */
static void canonical_texts_read_back(void **state)
{
    (void)state;
    for (const struct pfs_view *v = pfs_views; v->name; v++) {
        if (!pfs_view_available(v)) {
            expect_refused(v->name, "needs the operator");
            continue;
        }
        struct pfs_recipe_steps *r = resolve(v->name), *again;
        const char *text[16];
        for (int i = 0; i < r->n; i++)
            text[i] = r->step[i].text;
        assert_int_equal(pfs_recipe_read(text, r->n, &source, &again, NULL), 0);
        assert_int_equal(again->n, r->n);
        for (int i = 0; i < r->n; i++) {
            assert_string_equal(again->step[i].text, text[i]);
            assert_int_equal(again->step[i].out.type, r->step[i].out.type);
        }
        pfs_recipe_close(r);
        pfs_recipe_close(again);
    }
}

static void foreign_texts_are_refused(void **state)
{
    static const char *const wrong[] = {"stats", "nosuch/1", "stats/9 nodata=none", "stats/1 nodata=none x=1", ""};
    struct pfs_recipe_steps *r;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pfs_recipe_read(&wrong[i], 1, &source, &r, NULL), -ENOENT);
    const char *many[65];
    for (int i = 0; i < 65; i++)
        many[i] = "stats/1 nodata=none";
    assert_int_equal(pfs_recipe_read(many, 65, &source, &r, NULL), -EFBIG);
    assert_int_equal(pfs_recipe_read(many, 64, &source, &r, NULL), 0);
    pfs_recipe_close(r);
}

/* ---- running: operators that do arithmetic and check how they are called ---- */

struct amount { int64_t by; };
static int calls_in_place, calls_moving, fail_at;
static const void *given_out;

static double get(struct pfs_typed p, int64_t i)
{
    const char *row = (const char *)p.px + i / p.w * p.row;
    switch (p.type) {
    case PFS_U8: return ((const uint8_t *)row)[i % p.w];
    case PFS_U16: return ((const uint16_t *)(const void *)row)[i % p.w];
    default: return (double)((const float *)(const void *)row)[i % p.w];
    }
}

static void set(struct pfs_typed p, int64_t i, double v)
{
    char *row = (char *)p.px + i / p.w * p.row;
    switch (p.type) {
    case PFS_U8: ((uint8_t *)row)[i % p.w] = (uint8_t)v; break;
    case PFS_U16: ((uint16_t *)(void *)row)[i % p.w] = (uint16_t)v; break;
    default: ((float *)(void *)row)[i % p.w] = (float)v; break;
    }
}

/* out = 2 in + by, on the top left corner; refuses to be called in place unless it may. */
static int twice(const void *p, const struct pfs_typed *in, struct pfs_typed out, bool may)
{
    bool same = in->px == out.px;
    if (fail_at && calls_in_place + calls_moving + 1 == fail_at)
        return -EIO;
    (same ? calls_in_place++ : calls_moving++);
    given_out = out.px;
    assert_true(!same || (may && in->h == out.h && in->w == out.w && in->type == out.type));
    assert_true(out.h <= in->h && out.w <= in->w);
    for (int64_t i = 0; i < out.h * out.w; i++)
        set(out, i, 2 * get(*in, i / out.w * in->w + i % out.w) + (double)((const struct amount *)p)->by);
    return 0;
}

#define PLANE_ARGS const void *p, const struct pfs_blob *model, const struct pfs_context *cx, const struct pfs_typed *in, \
                   int64_t n, struct pfs_typed out, struct pfs_err *err
static int stay(PLANE_ARGS)
{
    (void)model, (void)cx, (void)err;
    assert_int_equal(n, 1);
    return twice(p, in, out, true);
}

static int stay_float(PLANE_ARGS)
{
    assert_int_equal(in->type, PFS_F32);
    return stay(p, model, cx, in, n, out, err);
}

static int move_any(PLANE_ARGS)
{
    (void)model, (void)cx, (void)err;
    assert_int_equal(n, 1);
    return twice(p, in, out, false);
}

static int move_float(PLANE_ARGS)
{
    assert_int_equal(in->type, PFS_F32);
    return move_any(p, model, cx, in, n, out, err);
}

static const struct pfs_op ops[] = {
    {.name = "stay", .flags = PFS_OP_INPLACE, .plane = stay},
    {.name = "stayf", .flags = PFS_OP_INPLACE | PFS_OP_FLOAT, .plane = stay_float},
    {.name = "move", .plane = move_any},
    {.name = "movef", .flags = PFS_OP_FLOAT, .plane = move_float},
};

struct chain { struct pfs_recipe_steps r; struct pfs_step step[8]; struct amount amount[8]; };

/* Add a step: which operator, what type it leaves (PFS_NONE: as it gets), whether it crops by a row and a column. */
static void add(struct chain *c, int op, enum pfs_type type, bool crop)
{
    struct pfs_shape s = c->r.n ? c->step[c->r.n - 1].out : source;
    if (ops[op].flags & PFS_OP_FLOAT)
        s.type = PFS_F32;
    if (type)
        s.type = type;
    s.y -= crop;
    s.x -= crop;
    c->r.step = c->step;
    c->amount[c->r.n].by = c->r.n + 1;
    c->step[c->r.n] = (struct pfs_step){.op = &ops[op], .params = &c->amount[c->r.n], .out = s};
    c->r.n++;
}

static struct pfs_typed plane(enum pfs_type type, int64_t h, int64_t w)
{
    size_t row = (size_t)w * pfs_type_size(type);
    return (struct pfs_typed){type, malloc((size_t)h * row), (ptrdiff_t)row, h, w};
}

static void check(const struct chain *c, int first)
{
    struct pfs_shape is = first ? c->step[first - 1].out : source, os = c->r.n ? c->step[c->r.n - 1].out : source;
    struct pfs_typed in = plane(is.type, is.y, is.x), out = plane(os.type, os.y, os.x);
    struct pfs_context cx = {.threads = 1};
    struct pfs_err err;
    for (int64_t i = 0; i < is.y * is.x; i++)
        set(in, i, (double)(i % 7));
    calls_in_place = calls_moving = fail_at = 0;
    if (pfs_recipe_run(&c->r, first, NULL, &cx, in, out, &err))
        fail_msg("%s", err.text);
    for (int64_t i = 0; i < os.y * os.x; i++) {
        double v = (double)((i / os.x * is.x + i % os.x) % 7);
        for (int k = first; k < c->r.n; k++)
            v = 2 * v + (double)c->amount[k].by;
        assert_true(get(out, i) == (os.type == PFS_U8 ? (double)(uint8_t)v : v));
    }
    if (c->r.n > first)
        assert_ptr_equal(given_out, out.px);             /* the last step wrote straight into the result */
    for (fail_at = 1; fail_at <= c->r.n - first; fail_at++) {
        calls_in_place = calls_moving = 0;
        assert_int_equal(pfs_recipe_run(&c->r, first, NULL, &cx, in, out, &err), -EIO);
    }
    free(in.px);
    free(out.px);
}

/* Every chain of up to five steps of the four operators, with a crop and a change of type at every place. */
static void every_chain_meets_its_twin(void **state)
{
    (void)state;
    for (int n = 0, combinations = 1; n <= 5; n++, combinations *= 4)
        for (int k = 0; k < combinations; k++)
            for (int special = -1; special < n; special++) {
                struct chain c = {0};
                for (int i = 0, rest = k; i < n; i++, rest /= 4) {
                    bool moves = rest % 4 >= 2;
                    enum pfs_type type = special == i && moves && i == n - 1 ? PFS_U8 : PFS_NONE;
                    add(&c, rest % 4, type, special == i && moves && i < n - 1);
                }
                check(&c, 0);
                if (n > 1)
                    check(&c, 1);
            }
}

static void in_place_steps_hold_one_plane(void **state)
{
    struct chain c = {0};
    (void)state;
    add(&c, 1, PFS_NONE, false);
    add(&c, 1, PFS_NONE, false);
    add(&c, 1, PFS_NONE, false);
    check(&c, 0);
    calls_in_place = calls_moving = fail_at = 0;
    struct pfs_typed in = plane(PFS_U16, 20, 30), out = plane(PFS_F32, 20, 30);
    memset(in.px, 0, 1200);
    struct pfs_context cx = {.threads = 1};
    assert_int_equal(pfs_recipe_run(&c.r, 0, NULL, &cx, in, out, NULL), 0);
    assert_int_equal(calls_in_place, 3);                 /* converted into the result, and all steps stayed there */
    struct pfs_typed wrong = out;
    wrong.h--;
    assert_int_equal(pfs_recipe_run(&c.r, 0, NULL, &cx, in, wrong, NULL), -EINVAL);
    free(in.px);
    free(out.px);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_has_no_steps), cmocka_unit_test(an_operator_is_a_view),
        cmocka_unit_test(wrong_texts_are_explained), cmocka_unit_test(parameters_reach_their_steps),
        cmocka_unit_test(of_puts_a_view_in_front), cmocka_unit_test(canonical_texts_read_back),
        cmocka_unit_test(foreign_texts_are_refused), cmocka_unit_test(every_chain_meets_its_twin),
        cmocka_unit_test(in_place_steps_hold_one_plane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
