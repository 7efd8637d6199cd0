/* Numbers of planes, rows, columns, spectra and profiles: sizes kept for the widest values, values that read back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stand_in.h"

#include "files/samples.h"

#include <float.h>

static const char *const patterns[] = {
    "values/[t{t}/]z{z}/c{c}.json", "row/[t{t}/]z{z}/c{c}/y{y}.csv", "column/[t{t}/]z{z}/c{c}/x{x}.csv",
    "spectrum/[t{t}/]z{z}/y{y}/x{x}.csv", "profile/c{c}/y{y}/x{x}.csv"
};
enum { VALUES, ROW, COLUMN, SPECTRUM, PROFILE, N_KINDS };
enum { H = 7, W = 12, N = H * W };

/* The lines of a CSV behind its head: one width, no blank inside, ending in a newline. */
static void check_lines(const char *text, int columns)
{
    const char *line = strchr(text, '\n') + 1;
    size_t width = strcspn(line, "\n");
    for (; *line; line += width + 1) {
        assert_true(strcspn(line, "\n") == width);
        const char *p = line + strspn(line, " ");
        int commas = 0;
        for (; *p != '\n'; p++) {
            assert_true(*p != ' ' && !(*p == ',' && (p[1] == ',' || p[1] == '\n')));
            commas += *p == ',';
        }
        assert_int_equal(commas, columns - 1);
    }
}

/* Planes of every type full of one extreme value after another. */
static void extremes(void **state)
{
    (void)state;
    static const float f32[] = {0, -FLT_MAX, 1.17549435e-38f, NAN, -1.40129846e-45f, INFINITY, -INFINITY, 0.1f,
                                -1.17549421e-38f};
    static const double f64[] = {0, -DBL_MAX, -DBL_MIN, NAN, -4.9406564584124654e-324, INFINITY, -INFINITY, 0.1};
    static char px[N * 8];
    struct sample s;
    make(&s, 1, 0, 1);
    s.view.shape.y = H, s.view.shape.x = W;
    for (int type = PFS_U8; type < PFS_N_TYPES; type++)
        for (int k = 0; k < 9 + 256 * !pfs_type_is_float((enum pfs_type)type); k++) {
            for (int i = 0; i < N; i++)
                if (type == PFS_F32)
                    memcpy(px + 4 * i, &f32[k % 9], 4);
                else if (type == PFS_F64)
                    memcpy(px + 8 * i, &f64[k % 8], 8);
                else
                    memset(px + 8 * i, k == 256 ? (i & 1 ? 0x7f : 0x80) : k, 8);
            s.view.shape.type = (enum pfs_type)type;
            stand_in_plane = (struct pfs_pixels){px, N * (int64_t)pfs_type_size(s.view.shape.type), k & 1};
            for (int i = 0; i < N_KINDS; i++) {
                char *text = report(&s, patterns[i], (struct pfs_blob){0});
                if (i)
                    check_lines(text, i < SPECTRUM ? 2 : 3);
                free(text);
            }
            if (k > 9)
                k += 13;
            assert_int_equal(stand_in_open, 0);
        }
    drop(&s);
}

static void expect(struct sample *s, int i, const char *expected)
{
    char *text = report(s, patterns[i], (struct pfs_blob){0});
    assert_string_equal(text, expected);
    free(text);
}

static void contents(void **state)
{
    (void)state;
    static const uint8_t big[12] = {0, 1, 0, 2, 0xff, 0xff, 1, 0, 0, 0, 0, 99};     /* 1 2 65535 / 256 0 99 */
    static float f32[2] = {0, 0.1f};
    struct sample s;
    make(&s, 3, 9, 2);
    s.view.shape.y = 2, s.view.shape.x = 3;
    stand_in_plane = (struct pfs_pixels){(const char *)big, sizeof big, true};
    expect(&s, VALUES, "{\"slice\":[\n[    1,    2,65535],\n[  256,    0,   99]\n]}\n");
    s.name.y = 1;
    expect(&s, ROW, "x,value\n  0,256\n    1,0\n   2,99\n");
    s.name.x = 2;
    expect(&s, COLUMN, "x,value\n0,65535\n   1,99\n");
    s.view.shape.y = 1, s.view.shape.x = 2;
    s.name.y = s.name.x = 0;
    s.name.at = (struct pfs_at){0, 2, 1};
    s.view.shape.type = PFS_F32;
    stand_in_plane = (struct pfs_pixels){(const char *)f32, sizeof f32, false};
    expect(&s, VALUES, "{\"slice\":[\n[            2.1,            0.1]\n]}\n");
    f32[1] = NAN;
    expect(&s, VALUES, "{\"slice\":[\n[            2.1,           null]\n]}\n");
    expect(&s, SPECTRUM, "band,wavelength,value\n                                   1,650,2\n"
                         "                                 2,nan,2.1\n                               3,430.5,2.2\n");
    expect(&s, PROFILE, "t,z,value\n             0,9,0.1\n            0,11,2.1\n            0,13,4.1\n");
    s.name.x = 1;
    expect(&s, PROFILE, "t,z,value\n             0,9,nan\n            0,11,nan\n            0,13,nan\n");
    assert_int_equal(s.name.kind->n_planes(&s.name), 5);
    s.name.kind = kind(patterns[SPECTRUM]);
    struct pfs_at at = s.name.kind->plane(&s.name, 2);
    assert_true(s.name.kind->n_planes(&s.name) == 3 && at.z == 2 && at.c == 2);
    drop(&s);
}

static void sized(struct sample *s, int i, int64_t y, int64_t x, int code)
{
    struct pfs_err err = {0};
    int64_t size;
    s->name.y = y, s->name.x = x;
    if (kind(patterns[i])->size(&s->name, &size, &err) != code)
        fail_msg("%s at %lld, %lld: not %d", patterns[i], (long long)y, (long long)x, code);
}

static void limits(void **state)
{
    (void)state;
    struct sample s;
    make(&s, 2, 0, 1);
    s.view.shape.y = s.view.shape.x = 2048;
    sized(&s, VALUES, 0, 0, 0);
    sized(&s, ROW, 2048, 0, -ENOENT);
    sized(&s, ROW, 2047, 9999, 0);
    sized(&s, COLUMN, 9999, 2047, 0);
    sized(&s, COLUMN, 0, 2048, -ENOENT);
    sized(&s, SPECTRUM, 2047, 2047, 0);
    sized(&s, SPECTRUM, 2048, 0, -ENOENT);
    sized(&s, PROFILE, 0, -1, -ENOENT);
    s.name.at.c = 3;
    sized(&s, PROFILE, 0, 0, -ENOENT);
    s.name.at.c = 0;
    s.view.shape.x = 2049;
    sized(&s, VALUES, 0, 0, -EFBIG);
    s.view.shape.y = INT64_MAX / 4;
    sized(&s, VALUES, 0, 0, -EFBIG);
    sized(&s, COLUMN, 0, 0, -EFBIG);
    sized(&s, ROW, 0, 0, 0);
    s.view.shape.x = ((int64_t)4 << 20) + 1;
    sized(&s, ROW, 0, 0, -EFBIG);
    s.view.shape.z = INT64_MAX / 2;
    s.view.shape.t = 3;
    sized(&s, PROFILE, 0, 0, -EFBIG);
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extremes), cmocka_unit_test(contents), cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
