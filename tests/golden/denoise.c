/* Denoise against the reference results, in place and not, with one and more threads; and what NaN does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"

extern const struct pfs_op pfs_op_denoise;

static void compare(const char *file, const char *settings)
{
    struct pfs_context one = golden_context(1), three = golden_context(3);
    struct pfs_typed in = golden_read("s_background_z1234_y4000_x7000.tif"), want = golden_read(file);
    assert_true(in.px && want.px);
    struct pfs_typed out = golden_run(&pfs_op_denoise, settings, &one, in);
    golden_within(file, golden_difference(out, want), 0.01, 0.02, 0.05);
    golden_run_in_place(&pfs_op_denoise, settings, &three, in);
    assert_memory_equal(in.px, out.px, (size_t)(in.h * in.row));
    free(in.px);
    free(want.px);
    free(out.px);
}

static void test_reference(void **state)
{
    (void)state;
    compare("s_denoise_em.tif", "");
    compare("s_denoise_three_scales.tif",
            "scales=3 gain=3.418e-06:4.114e-06:5e-06:6e-06 offset=-1.123:4.394:2:1");
    compare("s_denoise_nosplit_nopropagate.tif",
            "scales=2 wsize=5 split_hipass=0 propagate_noise=0 gain=3e-6:4e-6 offset=-1:2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
