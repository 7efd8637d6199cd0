/* The correction pipeline against the reference results of whole sections, stage by stage, with real tables. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "golden.h"

#include <fcntl.h>

extern const struct pfs_op pfs_op_invert, pfs_op_destripe, pfs_op_background, pfs_op_denoise, pfs_op_contrast;

static struct pfs_tables *tables;

static int get(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    PFS_AUTO_FREE char *path = golden_shared("data/hifiem"), *file = pfs_format("%s/%s", path, name);
    (void)ctx, (void)err;
    *ret_fd = open(file, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0 ? -2 : 0;
}

static int open_tables(void **state)
{
    struct pfs_files files = {get, NULL};
    (void)state;
    PFS_AUTO_FREE char *path = golden_shared("data/hifiem/info.h5");
    if (!access(path, R_OK) && pfs_tables_open(&files, "info.h5", "polymodel.h5", &tables, NULL))
        return -1;
    return 0;
}

static int close_tables(void **state)
{
    (void)state;
    pfs_tables_close(tables);
    return 0;
}

static struct pfs_typed need(const char *name)
{
    struct pfs_typed p = golden_read(name);
    if (!p.px || !tables) {
        print_message("skipped: %s or the tables are not there\n", name);
        skip();
    }
    return p;
}

static void check(const char *file, struct pfs_typed got, double rms, double p99, double max)
{
    struct pfs_typed want = need(file);
    golden_within(file, golden_difference(got, want), rms, p99, max);
    free(want.px);
}

static void check_corrected(const char *file, struct pfs_typed got)
{
    struct pfs_typed want = need(file);
    struct difference d = golden_difference(got, want);
    golden_within(file, d, 1, 0, 2);
    assert_true(d.same >= 0.999);
    free(want.px);
}

/* A whole section; `name` is g1 or g2. Stages without a reference file are not compared. */
static void section(const char *name, int64_t z, bool every_stage)
{
    PFS_AUTO_FREE char *raw = pfs_format("%s_raw.tif", name), *destriped = pfs_format("%s_destriped.tif", name);
    PFS_AUTO_FREE char *flattened = pfs_format("%s_flattened.tif", name);
    PFS_AUTO_FREE char *denoised = pfs_format("%s_denoised.tif", name);
    PFS_AUTO_FREE char *corrected = pfs_format("%s_corrected.tif", name);
    struct pfs_typed in = need(raw);
    struct pfs_context cx = golden_context(2);
    cx.full[0] = 11260;
    cx.full[1] = in.h;
    cx.full[2] = in.w;
    cx.z = z;
    cx.tables = tables;
    golden_run_in_place(&pfs_op_invert, "", &cx, in);
    struct pfs_typed px = copy_as(in, PFS_F32), stage = golden_run(&pfs_op_destripe, "", &cx, px);
    check(destriped, stage, 0.15, 0.3, 6);
    golden_run_in_place(&pfs_op_background, "", &cx, stage);
    if (every_stage)
        check(flattened, stage, 0.15, 0.3, 6);
    golden_run_in_place(&pfs_op_denoise, "", &cx, stage);
    if (every_stage)
        check(denoised, stage, 0.15, 0.3, 6);
    struct pfs_typed last = golden_run(&pfs_op_contrast, "", &cx, stage);
    check_corrected(corrected, last);
    free(in.px);
    free(px.px);
    free(stage.px);
    free(last.px);
}

static void test_g1(void **state)
{
    (void)state;
    section("g1", 5600, true);
}

static void test_g2(void **state)
{
    (void)state;
    section("g2", 300, false);
}

/* Background alone: a window of section 1234 of a stack of 11260 x 9000 x 13750. */
static void test_background(void **state)
{
    (void)state;
    struct pfs_typed in = need("s_raw.tif");
    struct pfs_context cx = golden_context(2);
    memcpy(cx.full, (int64_t[]){11260, 9000, 13750}, sizeof cx.full);
    cx.z = 1234;
    cx.y0 = 4000;
    cx.x0 = 7000;
    cx.tables = tables;
    golden_run_in_place(&pfs_op_invert, "", &cx, in);
    struct pfs_typed px = copy_as(in, PFS_F32);
    golden_run_in_place(&pfs_op_background, "", &cx, px);
    check("s_background_z1234_y4000_x7000.tif", px, 0.01, 0.02, 0.05);
    free(in.px);
    free(px.px);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_g1),
        cmocka_unit_test(test_g2),
    };
    return cmocka_run_group_tests(tests, open_tables, close_tables);
}
