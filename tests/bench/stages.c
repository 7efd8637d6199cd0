/* Times the stages of the correction in the processing core, without files and processes: a line of JSON.
 *
 *     stages HEIGHT WIDTH THREADS RUNS
 *
 * The section is made here: tissue-like waves, stripes and noise, 16 bits. Each stage starts from what the stage before
 * left; times are the fastest of RUNS, with one thread those of the processor (others may use it, too). `pass` is one
 * read-modify-write of a float plane by the same threads, the unit that passes over memory are counted in. */
#include <planefs/mem.h>
#include <planefs/ops.h>

#include "kernels/parallel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

extern const struct pfs_op pfs_op_invert, pfs_op_destripe, pfs_op_background, pfs_op_denoise, pfs_op_contrast;

static clockid_t clock_id = CLOCK_MONOTONIC;

static double now(void)
{
    struct timespec t;
    clock_gettime(clock_id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "stages: %s\n", what);
    exit(1);
}

static struct pfs_typed plane_of(enum pfs_type type, int64_t h, int64_t w)
{
    struct pfs_typed p = {type, pfs_pixels(h * w, pfs_type_size(type)), w * (int64_t)pfs_type_size(type), h, w};
    if (!p.px)
        die("no memory");
    return p;
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

/* Around 28000 when inverted, with the spread that the preset expects. */
static void paint(struct pfs_typed p)
{
    uint32_t state = 1, column = 7;
    PFS_AUTO_FREE double *stripe = pfs_array(p.w, sizeof *stripe);
    if (!stripe)
        die("no memory");
    for (int64_t x = 0; x < p.w; x++)
        stripe[x] = 0.03 * (double)next(&column) - 1000;
    for (int64_t y = 0; y < p.h; y++)
        for (int64_t x = 0; x < p.w; x++) {
            double waves = 900 * sin((double)x / 17 + sin((double)y / 41) * 2) * cos((double)y / 23);
            double v = 65535 - 28000 + waves + stripe[x] + 0.02 * (double)(next(&state) + next(&state)) - 1300;
            ((uint16_t *)p.px)[y * p.w + x] = (uint16_t)v;
        }
}

static void touch_row(void *ctx, int64_t y, int thread)
{
    const struct pfs_typed *p = ctx;
    float *row = (float *)p->px + y * p->w;
    (void)thread;
    for (int64_t x = 0; x < p->w; x++)
        row[x] += 1.0f;
}

static double memory_pass(struct pfs_typed p, int threads, int runs)
{
    double best = INFINITY;
    for (int i = 0; i < runs + 2; i++) {
        double begin = now();
        pfs_parallel(threads, p.h, touch_row, &p);
        best = fmin(best, now() - begin);
    }
    return best;
}

static void run(const struct pfs_op *op, const struct pfs_context *cx, struct pfs_typed in, struct pfs_typed out)
{
    struct pfs_err err = {0};
    PFS_AUTO_FREE void *p = calloc(1, op->params_size);
    if (!p || pfs_params_default(op, PFS_U16, p) || op->plane(p, NULL, cx, &in, 1, out, &err))
        die(*err.text ? err.text : "bad defaults");
}

/* As a job runs it: the stages in one buffer, the last into bytes. */
static void correct(const struct pfs_context *cx, struct pfs_typed raw, struct pfs_typed px, struct pfs_typed out,
                    double best[6])
{
    double begin = now(), t[7] = {begin};
    run(&pfs_op_invert, cx, raw, raw);
    pfs_convert(raw, px);
    t[1] = now();
    run(&pfs_op_destripe, cx, px, px);
    t[2] = now();
    run(&pfs_op_background, cx, px, px);
    t[3] = now();
    run(&pfs_op_denoise, cx, px, px);
    t[4] = now();
    run(&pfs_op_contrast, cx, px, out);
    t[5] = now();
    for (int i = 0; i < 5; i++)
        best[i] = fmin(best[i], t[i + 1] - t[i]);
    best[5] = fmin(best[5], t[5] - begin);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        die("HEIGHT WIDTH THREADS RUNS");
    int64_t h = atoll(argv[1]), w = atoll(argv[2]);
    int threads = atoi(argv[3]), runs = atoi(argv[4]);
    clock_id = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    float offset = 100;
    double c[10] = {5, 300, -200, 100, 50, -80, 60, 20, -30, 10}, best[6];
    int e[10][3] = {{0}, {1, 0, 0}, {0, 1, 0}, {2, 0, 0}, {1, 1, 0}, {0, 2, 0}, {3, 0, 0}, {2, 1, 0}, {1, 2, 0},
                    {0, 3, 0}};
    struct pfs_tables tables = {1, &offset, 10, c, e};
    struct pfs_context cx = {.full = {1, h, w}, .source = PFS_U16, .bits = 16, .tables = &tables, .threads = threads};
    struct pfs_typed raw = plane_of(PFS_U16, h, w), px = plane_of(PFS_F32, h, w), out = plane_of(PFS_U8, h, w);
    for (int i = 0; i < 6; i++)
        best[i] = INFINITY;
    for (int i = 0; i < runs; i++) {
        paint(raw);
        correct(&cx, raw, px, out, best);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"invert\": %.5f, \"destripe\": %.5f, \"background\": %.5f, \"denoise\": %.5f, \"contrast\": %.5f, "
           "\"all\": %.5f, \"pass\": %.5f, \"peak_bytes\": %lld}\n", best[0], best[1], best[2], best[3], best[4], best[5],
           memory_pass(px, threads, runs), (long long)used.ru_maxrss * 1024);
    free(raw.px);
    free(px.px);
    free(out.px);
    return 0;
}
