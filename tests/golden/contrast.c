/* Contrast against the reference results: every redistribution, both pixel types, one and more threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"

extern const struct pfs_op pfs_op_contrast;

static void compare(const char *file, const char *settings)
{
    struct pfs_context one = golden_context(1), three = golden_context(3);
    struct pfs_typed in = golden_read("s_background_z1234_y4000_x7000.tif"), want = golden_read(file);
    assert_true(in.px && want.px);
    struct pfs_typed out = golden_run(&pfs_op_contrast, settings, &one, in);
    struct pfs_typed again = golden_run(&pfs_op_contrast, settings, &three, in);
    assert_int_equal(out.type, want.type);
    assert_memory_equal(again.px, out.px, (size_t)(out.h * out.row));
    struct difference d = golden_difference(out, want);
    golden_within(file, d, 1, out.type == PFS_U16 ? 2 : 0, out.type == PFS_U16 ? 20 : 1);
    assert_true(out.type == PFS_U16 || d.same >= 0.9999);
    free(in.px);
    free(want.px);
    free(out.px);
    free(again.px);
}

static void test_reference(void **state)
{
    (void)state;
    compare("s_contrast_em.tif", "");
    compare("s_contrast_left.tif", "clip=-1:1 redistribute=left");
    compare("s_contrast_full.tif", "redistribute=full");
    compare("s_contrast_noclip.tif", "clip=none");
    compare("s_contrast_noratio.tif", "ratio=0");
    compare("s_contrast_u16.tif", "low=0 high=65535 pixel=u16 smoothing=101 minmax_size=9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
