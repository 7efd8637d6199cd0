/* Parsing of options, all from one table. mount(8) and mount.fuse3(8) hand over options that are not ours or that a
 * read-only mount always has; those are accepted and do nothing. */
#include "cli/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum form { FLAG, TEXT, SIZE, COUNT, OCTAL, CHOICE };

struct option {
    const char *name;
    enum form form;
    size_t at;
    const char *value, *doc;
};

static const char *const sandboxes[] = {"auto", "required", "off"};      /* enum pfs_sandbox */

#define AT(field) offsetof(struct pfs_options, field)

static const struct option table[] = {
    {"cache", TEXT, AT(cache), "FOLDER", "where results are kept [$XDG_CACHE_HOME/planefs]"},
    {"cache_size", SIZE, AT(cache_size), "BYTES", "limit of the cache [10 % of its file system, at most 50G]"},
    {"memory", SIZE, AT(memory), "BYTES", "memory for computations [a quarter of the machine's]"},
    {"workers", COUNT, AT(workers), "N", "results computed at once [number of cores]"},
    {"config", TEXT, AT(config), "FILE", "configuration [planefs.ini in SOURCE]"},
    {"sandbox", CHOICE, AT(sandbox), "WHEN", "confine the readers of image files: auto, required or off [auto]"},
    {"idle", COUNT, AT(idle), "SECONDS", "unmount when nothing was used for so long [never]"},
    {"allow_other", FLAG, AT(allow_other), NULL, "let other users in"},
    {"uid", COUNT, AT(uid), "N", "owner of all files [you]"},
    {"gid", COUNT, AT(gid), "N", "group of all files [yours]"},
    {"umask", OCTAL, AT(umask), "OCTAL", "permissions to take away [0]"},
    {"debug", FLAG, AT(debug), NULL, "as -d"},
};

enum { N_OPTIONS = sizeof table / sizeof *table };

/* What mount(8) passes on, and what every planefs mount has or cannot have anyway. */
static const char *const accepted[] = {
    "ro", "rw", "defaults", "dev", "nodev", "suid", "nosuid", "exec", "noexec", "atime", "noatime", "diratime",
    "nodiratime", "relatime", "norelatime", "strictatime", "lazytime", "nolazytime", "sync", "async", "dirsync", "user",
    "nouser", "users", "auto", "noauto", "nofail", "_netdev", "default_permissions", "fsname", "subtype", "comment",
    "iversion", "noiversion", "mand", "nomand", "silent", "loud", "nonempty", "auto_unmount"
};

enum { N_ACCEPTED = sizeof accepted / sizeof *accepted };

bool pfs_parse_size(const char *text, int64_t *ret)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    long long n = strtoll(text, &end, 10);
    int shift = 0;
    if (*end) {
        const char *unit = strchr(units, *end & ~0x20);
        if (!unit || end[1])
            return false;
        shift = 10 * (int)(unit - units + 1);
    }
    if (errno || n > INT64_MAX >> shift)
        return false;
    *ret = (int64_t)n << shift;
    return true;
}

static bool parse_number(const char *text, int base, int64_t *ret)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    long long n = strtoll(text, &end, base);
    *ret = n;
    return !errno && !*end && n <= (base == 8 ? 0777 : INT32_MAX);
}

/* Changes of one letter that lead from a to b; only the small ones matter. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[64];
    if (n + 1 > sizeof row / sizeof *row || strlen(a) + 1 > sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t k = 0; k <= n; k++)
        row[k] = k;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t before = row[0];
        row[0] = i;
        for (size_t k = 1; k <= n; k++) {
            size_t swap = before + (a[i - 1] != b[k - 1]), best = row[k] < row[k - 1] ? row[k] : row[k - 1];
            before = row[k];
            row[k] = best + 1 < swap ? best + 1 : swap;
        }
    }
    return row[n];
}

static const char *nearest(const char *name)
{
    const char *best = NULL;
    size_t least = strlen(name) / 3 + 2;      /* further off is another word */
    for (int i = 0; i < N_OPTIONS; i++) {
        size_t d = distance(name, table[i].name);
        if (d < least) {
            least = d;
            best = table[i].name;
        }
    }
    return best;
}

static int unknown(const char *name, struct pfs_err *err)
{
    const char *like = nearest(name);
    if (like)
        return pfs_fail(err, EINVAL, "no such option: %s (did you mean %s?)", name, like);
    return pfs_fail(err, EINVAL, "no such option: %s (planefs --help lists them)", name);
}

static bool parse_choice(const char *text, int64_t *ret)
{
    for (size_t i = 0; i < sizeof sandboxes / sizeof *sandboxes; i++)
        if (!strcmp(text, sandboxes[i])) {
            *ret = (int64_t)i;
            return true;
        }
    return false;
}

static int set(struct pfs_options *o, const struct option *option, const char *value, struct pfs_err *err)
{
    void *at = (char *)o + option->at;
    bool good = option->form == FLAG ? !value : value && *value;
    if (!good && option->form == FLAG)
        return pfs_fail(err, EINVAL, "the option %s takes no value", option->name);
    if (!good)
        return pfs_fail(err, EINVAL, "the option %s needs a value: %s=%s", option->name, option->name, option->value);
    switch (option->form) {
    case FLAG: *(bool *)at = true; return 0;
    case TEXT:
        free(*(char **)at);
        return (*(char **)at = strdup(value)) ? 0 : pfs_fail(err, ENOMEM, "no memory for options");
    case SIZE: good = pfs_parse_size(value, at); break;
    case COUNT: good = parse_number(value, 10, at); break;
    case CHOICE: good = parse_choice(value, at); break;
    default: good = parse_number(value, 8, at); break;
    }
    return good ? 0 : pfs_fail(err, EINVAL, "%s=%s: not %s", option->name, value,
                               option->form == SIZE ? "a size, such as 20G" :
                               option->form == CHOICE ? "auto, required or off" : "a number that fits");
}

static bool is_accepted(const char *name)
{
    if (!strncmp(name, "x-", 2) || !strncmp(name, "X-", 2))
        return true;
    for (int i = 0; i < N_ACCEPTED; i++)
        if (!strcmp(name, accepted[i]))
            return true;
    return false;
}

static int parse_one(struct pfs_options *o, char *text, struct pfs_err *err)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = 0;
    for (int i = 0; i < N_OPTIONS; i++)
        if (!strcmp(text, table[i].name))
            return set(o, &table[i], value, err);
    return is_accepted(text) ? 0 : unknown(text, err);
}

/* "a,b=c\,d": a comma behind a backslash belongs to the value. */
static int parse_list(struct pfs_options *o, const char *list, struct pfs_err *err)
{
    int r = 0;
    char *copy = strdup(list);
    if (!copy)
        return pfs_fail(err, ENOMEM, "no memory for options");
    for (const char *p = list; *p && !r; p += *p == ',') {
        char *to = copy;
        for (; *p && *p != ','; p++) {
            if (*p == '\\' && p[1])
                p++;
            *to++ = *p;
        }
        *to = 0;
        if (*copy)
            r = parse_one(o, copy, err);
    }
    free(copy);
    return r;
}

static int parse_letters(struct pfs_options *o, const char *letters, struct pfs_err *err)
{
    for (; *letters; letters++) {
        switch (*letters) {
        case 'f': o->foreground = true; break;
        case 'd': o->debug = true; break;
        case 's': o->single = true; break;
        case 'h': o->help = true; break;
        case 'V': o->version = true; break;
        default: return pfs_fail(err, EINVAL, "no such flag: -%c (planefs --help lists them)", *letters);
        }
    }
    return 0;
}

static int parse_word(struct pfs_options *o, const char *word, int words, struct pfs_err *err)
{
    char **to = words > 0 && !o->source ? &o->source : !o->mountpoint && words > 1 ? &o->mountpoint : NULL;
    if (!to)
        return pfs_fail(err, EINVAL, "%s%s, and then %s?", words > 0 ? "one SOURCE" : "options",
                        words > 1 ? " and one MOUNTPOINT" : "", word);
    return (*to = strdup(word)) ? 0 : pfs_fail(err, ENOMEM, "no memory for options");
}

static int parse_flag(struct pfs_options *o, const char *flag, const char *next, int *i, struct pfs_err *err)
{
    if (!strcmp(flag, "--help"))
        return parse_letters(o, "h", err);
    if (!strcmp(flag, "--version"))
        return parse_letters(o, "V", err);
    if (!strncmp(flag, "--", 2))
        return pfs_fail(err, EINVAL, "no such flag: %s (planefs --help lists them)", flag);
    if (flag[1] != 'o')
        return parse_letters(o, flag + 1, err);
    if (flag[2])
        return parse_list(o, flag + 2, err);
    if (!next)
        return pfs_fail(err, EINVAL, "-o needs options behind it");
    ++*i;
    return parse_list(o, next, err);
}

int pfs_options_parse(int argc, char *const *argv, int words, struct pfs_options *ret, struct pfs_err *err)
{
    bool words_only = false;
    int r = 0;
    *ret = (struct pfs_options){.uid = -1, .gid = -1, .umask = -1};
    for (int i = 1; i < argc && !r; i++) {
        if (!words_only && !strcmp(argv[i], "--"))
            words_only = true;
        else if (!words_only && argv[i][0] == '-' && argv[i][1])
            r = parse_flag(ret, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &i, err);
        else
            r = parse_word(ret, argv[i], words, err);
    }
    if (r || ret->help || ret->version)
        return r;
    if ((words > 0 && !ret->source) || (words > 1 && !ret->mountpoint))
        return pfs_fail(err, EINVAL, "%s is missing (planefs --help tells more)",
                        ret->source ? "MOUNTPOINT" : "SOURCE");
    return 0;
}

void pfs_options_finish(struct pfs_options *o)
{
    free(o->source);
    free(o->mountpoint);
    free(o->cache);
    free(o->config);
}

void pfs_options_help(struct pfs_text *ret)
{
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct option *o = &table[i];
        char left[40] = "";
        strcat(strcpy(left, o->name), o->value ? "=" : "");
        pfs_text_addf(ret, "  -o %s%-*s  %s\n", left, (int)(20 - strlen(left)), o->value ? o->value : "", o->doc);
    }
}
