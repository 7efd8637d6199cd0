/* Where the worker, the cache and the source are, and what the engine is to be given. */
#include "cli/cli.h"

#include <planefs/mem.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef PLANEFS_LIBEXEC
#define PLANEFS_LIBEXEC "/usr/local/libexec/planefs"
#endif

enum { PLANE_TIMEOUT_MS = 10 * 60 * 1000, READERS = 2 };

/* Address space. Libraries and thread stacks take 0.4 GiB of it; a reader's rest is for headers, probes and masks. What
 * a maker declares does not count every buffer between two steps, so the whole budget is its room. */
static const int64_t READER_ROOM = (int64_t)2 << 30, MAKER_ROOM = (int64_t)1 << 30;

static int give(char *s, char **ret, struct pfs_err *err)
{
    *ret = s;
    return s ? 0 : pfs_fail(err, ENOMEM, "no memory for a path");
}

int pfs_worker_path(char **ret, struct pfs_err *err)
{
    const char *named = getenv("PLANEFS_WORKER");
    char self[PATH_MAX] = "";
    if (named && *named)
        return give(strdup(named), ret, err);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = n > 0 ? strrchr(self, '/') : NULL;
    if (slash) {
        *slash = 0;
        char *beside = pfs_format("%s/planefs-worker", self);
        if (beside && !access(beside, X_OK))
            return give(beside, ret, err);
        free(beside);
    }
    if (!access(PLANEFS_LIBEXEC "/planefs-worker", X_OK))
        return give(strdup(PLANEFS_LIBEXEC "/planefs-worker"), ret, err);
    return pfs_fail(err, ENOENT, "planefs-worker is neither beside planefs nor in " PLANEFS_LIBEXEC);
}

int pfs_cache_path(char **ret, struct pfs_err *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (xdg && *xdg == '/')
        return give(pfs_format("%s/planefs", xdg), ret, err);
    if (home && *home == '/')
        return give(pfs_format("%s/.cache/planefs", home), ret, err);
    if (geteuid() == 0)
        return give(strdup("/var/cache/planefs"), ret, err);
    return pfs_fail(err, ENOENT, "no HOME: say where results are kept with -o cache=FOLDER");
}

/* The part that exists, resolved, and the rest behind it. A dead mount counts as not existing. */
static char *resolve(const char *path)
{
    char *whole = realpath(path, NULL);
    if (whole || (errno != ENOENT && errno != ENOTCONN && errno != ECONNABORTED && errno != ENOTDIR))
        return whole;
    PFS_AUTO_FREE char *copy = strdup(path);
    if (!copy)
        return NULL;
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = 0;
    char *slash = strrchr(copy, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    PFS_AUTO_FREE char *above = resolve(slash == copy ? "/" : copy);
    return above ? pfs_format("%s/%s", strcmp(above, "/") ? above : "", slash + 1) : NULL;
}

int pfs_absolute_path(const char *path, char **ret, struct pfs_err *err)
{
    PFS_AUTO_FREE char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    PFS_AUTO_FREE char *absolute = here ? pfs_format("%s/%s", here, path) : strdup(path);
    char *found = absolute ? resolve(absolute) : NULL;
    if (!found)
        return pfs_fail(err, errno ? errno : ENOMEM, "%s: %s", path, strerror(errno ? errno : ENOMEM));
    *ret = found;
    return 0;
}

bool pfs_path_within(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return !strcmp(folder, "/") || (!strncmp(path, folder, n) && (path[n] == '/' || !path[n]));
}

static int find_paths(const struct pfs_options *o, struct pfs_paths *p, struct pfs_err *err)
{
    PFS_AUTO_FREE char *cache = o->cache ? strdup(o->cache) : NULL;
    int r = pfs_absolute_path(o->source, &p->source, err);
    if (!r && access(p->source, F_OK))
        r = pfs_fail(err, errno, "%s: %s", o->source, strerror(errno));
    if (!r && !cache)
        r = pfs_cache_path(&cache, err);
    if (!r)
        r = pfs_absolute_path(cache, &p->cache, err);
    if (!r && o->config)
        r = pfs_absolute_path(o->config, &p->config, err);
    return r ? r : pfs_worker_path(&p->worker, err);
}

int pfs_engine_options_fill(const struct pfs_options *o, struct pfs_paths *paths, struct pfs_engine_options *ret,
                            struct pfs_err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    *paths = (struct pfs_paths){0};
    int64_t memory = o->memory > 0 ? o->memory : (int64_t)pages * page / 4;
    cores = cores > 0 ? cores : 1;
    int r = find_paths(o, paths, err);
    *ret = (struct pfs_engine_options){
        .source = paths->source,
        .config = paths->config,
        .cache = {.folder = paths->cache, .limit = o->cache_size},
        .pool = {.worker = paths->worker, .makers = o->workers > 0 ? (int)o->workers : (int)cores, .readers = READERS,
                 .sandbox = (enum pfs_sandbox)o->sandbox, .room = {READER_ROOM, MAKER_ROOM + memory}},
        .memory = memory,
        .timeout_ms = PLANE_TIMEOUT_MS,
        .cores = (int)cores,
    };
    return r;
}

void pfs_paths_finish(struct pfs_paths *p)
{
    free(p->source);
    free(p->cache);
    free(p->config);
    free(p->worker);
}
