/* planefs cache: what lies in the folder of results, whether it is sound, and making it smaller. Works beside running
 * mounts, which compute again what is gone. */
#include "cli/cli.h"
#include "cache/survey.h"
#include "fs/mount.h"

#include <planefs/mem.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { EXIT_DAMAGED = 3 };

int pfs_cmd_cache(int argc, char **argv);

static const char usage[] = "usage: planefs cache status|verify|clear [-o cache=FOLDER]\n"
                            "       planefs cache trim SIZE [-o cache=FOLDER]\n";

static void print_time(const char *name, int64_t ns)
{
    time_t t = (time_t)(ns / 1000000000);
    struct tm tm;
    char s[32] = "";
    if (ns && localtime_r(&t, &tm))
        strftime(s, sizeof s, "%Y-%m-%d %H:%M:%S", &tm);
    printf("%-14s %s\n", name, *s ? s : "-");
}

static void print_survey(const char *folder, const struct pfs_survey *s)
{
    printf("%-14s %s\n", "folder", folder);
    printf("%-14s %" PRId64 ", %" PRId64 " bytes\n", "entries", s->entries, s->bytes);
    printf("%-14s %" PRId64 ", %" PRId64 " bytes\n", "ledgers", s->ledgers, s->ledger_bytes);
    printf("%-14s %" PRId64 "\n", "unfinished", s->unfinished);
}

static int status(const char *folder, struct pfs_err *err)
{
    struct pfs_survey s;
    int r = pfs_survey_look(folder, &s, err);
    if (r)
        return pfs_complain(PFS_EXIT_SOURCE, err);
    print_survey(folder, &s);
    print_time("oldest use", s.oldest);
    print_time("newest use", s.newest);
    return PFS_EXIT_OK;
}

static void print_damage(void *ctx, const char *path, const char *why)
{
    PFS_AUTO_TEXT struct pfs_text plain = {0};
    (void)ctx;
    pfs_text_plain(&plain, path);
    printf("damaged: %s: %s\n", plain.s ? plain.s : "", why);
}

static int verify(const char *folder, struct pfs_err *err)
{
    struct pfs_survey s;
    int r = pfs_survey_verify(folder, print_damage, NULL, &s, err);
    if (r)
        return pfs_complain(PFS_EXIT_SOURCE, err);
    print_survey(folder, &s);
    printf("%-14s %" PRId64 "\n", "other version", s.foreign);
    printf("%-14s %" PRId64 "\n", "damaged", s.damaged);
    return s.damaged ? EXIT_DAMAGED : PFS_EXIT_OK;
}

static int trim(const char *folder, int64_t most, struct pfs_err *err)
{
    int64_t freed;
    int r = pfs_survey_trim(folder, most, &freed, err);
    if (r)
        return pfs_complain(PFS_EXIT_SOURCE, err);
    return printf("%" PRId64 " bytes freed\n", freed) > 0 ? PFS_EXIT_OK : PFS_EXIT_SOURCE;
}

static int run(const char *action, const char *size, const char *folder, struct pfs_err *err)
{
    int64_t most;
    if (!strcmp(action, "trim"))
        return pfs_parse_size(size, &most) ? trim(folder, most, err) : PFS_EXIT_USAGE;
    return !strcmp(action, "status") ? status(folder, err) : !strcmp(action, "verify") ? verify(folder, err)
         : !strcmp(action, "clear")  ? trim(folder, -1, err) : PFS_EXIT_USAGE;
}

int pfs_cmd_cache(int argc, char **argv)
{
    struct pfs_options o = {0};
    struct pfs_err err = {0};
    PFS_AUTO_FREE char *folder = NULL;
    const char *action = argc > 1 ? argv[1] : "";
    bool sized = !strcmp(action, "trim") && argc > 2 && argv[2][0] != '-';
    int skip = sized ? 2 : 1, code = PFS_EXIT_USAGE;
    if (!strcmp(action, "-h") || !strcmp(action, "--help"))
        return fputs(usage, stdout) >= 0 ? PFS_EXIT_OK : PFS_EXIT_SOURCE;
    if (argc > 1 && pfs_options_parse(argc - skip, argv + skip, 0, &o, &err))
        code = pfs_complain(PFS_EXIT_USAGE, &err);
    else if (argc > 1 && (o.cache ? pfs_absolute_path(o.cache, &folder, &err) : pfs_cache_path(&folder, &err)))
        code = pfs_complain(PFS_EXIT_SOURCE, &err);
    else {
        code = argc > 1 ? run(action, sized ? argv[2] : "", folder, &err) : code;
        if (code == PFS_EXIT_USAGE)
            fputs(usage, stderr);
    }
    pfs_options_finish(&o);
    return code;
}
