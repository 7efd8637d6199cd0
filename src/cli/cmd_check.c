/* planefs check: read everything an image file holds, once, through the same confined workers a mount uses, and say in
 * words what cannot be read. Nothing is kept.
 *
 * Exit status: 0 all planes are readable; 2 the file cannot be opened; 3 it is malformed; 4 valid, but not supported;
 * 5 over a limit; 6 its decoder died or took too long. The first bad plane's class decides. */
#include "cli/cli.h"
#include "fs/mount.h"

#include <planefs/mem.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EXIT_MALFORMED = 3, EXIT_NOT_SUPPORTED, EXIT_TOO_LARGE, EXIT_DIED, SAID_MOST = 20 };

int pfs_cmd_check(int argc, char **argv);

struct check {
    struct pfs_pool *pool;
    int folder;                     /* of the file: others it names are looked for there */
    const char *name;
    int timeout_ms, status;
    int64_t good, bad;
};

static int class_of(int code, const struct pfs_err *err)
{
    switch (-code) {
    case ENOENT: case EACCES: case EPERM: case EISDIR: return PFS_EXIT_SOURCE;
    case EOPNOTSUPP: return EXIT_NOT_SUPPORTED;
    case EFBIG: case ENOMEM: return EXIT_TOO_LARGE;
    case ETIMEDOUT: return EXIT_DIED;
    default: return strstr(err->text, "its decoder died") ? EXIT_DIED : EXIT_MALFORMED;
    }
}

static void say(const char *what, int code, const struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text plain = {0};
    pfs_text_plain(&plain, err->text);
    printf("%s: %s: %s\n", what, pfs_errno_name(-code), plain.s ? plain.s : "");
}

static int open_beside(void *ctx, const char *name, int *ret_fd, struct pfs_err *err)
{
    const struct check *c = ctx;
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    PFS_AUTO_CLOSE int fd = (int)syscall(SYS_openat2, c->folder, name, &how, sizeof how);
    if (fd < 0)
        return pfs_fail(err, errno == EXDEV ? EPERM : errno, "cannot open %s: %s", name, strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return pfs_fail(err, S_ISDIR(st.st_mode) ? EISDIR : EPERM, "%s is not a regular file", name);
    *ret_fd = PFS_TAKE_FD(fd);
    return 0;
}

static int ask(struct check *c, enum pfs_role role, enum pfs_verb verb, struct pfs_text *request, int64_t most,
               struct pfs_blob *ret, struct pfs_err *err)
{
    struct pfs_order o = {.role = role, .verb = verb, .most = most, .memory = most, .timeout_ms = c->timeout_ms,
                          .open = open_beside, .ctx = c};
    if (!pfs_text_take(request, &o.request))
        return pfs_fail(err, ENOMEM, "no memory for a request");
    return pfs_pool_call(c->pool, &o, ret, err);
}

static int check_plane(struct check *c, const struct pfs_shape *shape, int series, struct pfs_at at,
                       struct pfs_err *err)
{
    struct pfs_input input = {.name = (char *)(uintptr_t)c->name, .version = 1, .series = series, .at = at,
                              .shape = *shape};
    struct pfs_work w = {.stack = {.shape = *shape, .bits = 8 * (int)pfs_type_size(shape->type), .info = (char[]){""},
                                   .model = (char[]){""}, .mask = (char[]){""}},
                         .at = at, .threads = 1, .n_inputs = 1, .input = &input};
    struct pfs_text request = {0};
    struct pfs_blob pixels = {0};
    pfs_work_put(&request, &w);
    int r = ask(c, PFS_MAKER, PFS_PLANE, &request, pfs_shape_plane_bytes(shape), &pixels, err);
    free(pixels.data);
    return r;
}

static void check_series(struct check *c, const struct pfs_shape *shape, int series)
{
    int64_t n = pfs_shape_planes(shape);
    printf("series %d: %" PRId64 " x %" PRId64 " x %" PRId64 " planes (T, Z, C) of %" PRId64 " x %" PRId64 " %s\n", series,
           shape->t, shape->z, shape->c, shape->y, shape->x, pfs_type_name(shape->type));
    for (int64_t i = 0; i < n; i++) {
        struct pfs_err err = {0};
        struct pfs_at at = pfs_at_of(shape, i);
        int r = check_plane(c, shape, series, at, &err);
        char what[96];
        snprintf(what, sizeof what, "series %d t%" PRId64 " z%" PRId64 " c%" PRId64, series, at.t, at.z, at.c);
        c->good += !r;
        c->bad += r != 0;
        if (r && c->bad <= SAID_MOST)
            say(what, r, &err);
        if (r && !c->status)
            c->status = class_of(r, &err);
    }
}

static void check_file(struct check *c)
{
    struct pfs_text request = {0};
    struct pfs_blob answer = {0};
    struct pfs_probe probe = {0};
    struct pfs_err err = {0};
    pfs_put_str(&request, c->name);
    int r = ask(c, PFS_READER, PFS_PROBE, &request, 64 << 20, &answer, &err);
    if (!r)
        r = pfs_probe_get(answer, &probe, &err);
    if (r) {
        say("headers", r, &err);
        c->status = class_of(r, &err);
    } else
        printf("format: %s\n", probe.driver);
    for (int i = 0; !r && i < probe.n_series; i++)
        check_series(c, &probe.series[i].s.shape, i);
    if (!r)
        printf("%" PRId64 " planes read, %" PRId64 " bad\n", c->good, c->bad);
    pfs_probe_finish(&probe);
    free(answer.data);
}

static int run(struct pfs_options *o)
{
    struct pfs_err err = {0};
    struct pfs_engine_options options;
    struct pfs_paths paths;
    struct check c = {.folder = -1};
    int r = pfs_engine_options_fill(o, &paths, &options, &err);
    char *slash = r ? NULL : strrchr(paths.source, '/');
    if (!r && (!slash || !slash[1]))
        r = pfs_fail(&err, EISDIR, "%s is a folder", o->source);
    if (!r) {
        *slash = 0;
        c.name = slash + 1;
        c.folder = open(*paths.source ? paths.source : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        c.timeout_ms = options.timeout_ms;
        options.pool.makers = options.pool.readers = 1;
        r = c.folder < 0 ? pfs_fail(&err, errno, "%s: %s", paths.source, strerror(errno))
                         : pfs_pool_create(&options.pool, &c.pool, &err);
    }
    if (!r)
        check_file(&c);
    pfs_pool_destroy(c.pool);
    if (c.folder >= 0)
        close(c.folder);
    pfs_paths_finish(&paths);
    return r ? pfs_complain(PFS_EXIT_SOURCE, &err) : c.status;
}

int pfs_cmd_check(int argc, char **argv)
{
    struct pfs_options o;
    struct pfs_err err = {0};
    int status;
    if (pfs_options_parse(argc, argv, 1, &o, &err))
        status = pfs_complain(PFS_EXIT_USAGE, &err);
    else if (o.help || o.version)
        status = puts("usage: planefs check FILE [-o memory=BYTES,sandbox=WHEN]") > 0 ? PFS_EXIT_OK : PFS_EXIT_SOURCE;
    else
        status = run(&o);
    pfs_options_finish(&o);
    return status;
}
