/* The options of a mount, as users write them: flags, -o lists, and the ones mount(8) passes along. Threads: pure. */
#ifndef PLANEFS_CLI_OPTIONS_H
#define PLANEFS_CLI_OPTIONS_H

#include <planefs/err.h>
#include <planefs/text.h>
#include <stdbool.h>
#include <stdint.h>

struct pfs_options {              /* strings are owned */
    char *source, *mountpoint;    /* as given; NULL when missing */
    char *cache, *config;
    int64_t sandbox;              /* enum pfs_sandbox */
    int64_t cache_size, memory;   /* bytes; 0: the default */
    int64_t workers;              /* 0: the default */
    int64_t idle;                 /* seconds */
    int64_t uid, gid, umask;      /* -1: the default */
    bool allow_other;
    bool foreground, debug, single, help, version;
};

/* Parse arguments (argv[0] is not looked at) of a command that takes `words` of SOURCE and MOUNTPOINT. EINVAL with one
 * sentence, naming the nearest option where one is unknown. Help and version ask for nothing else. */
int pfs_options_parse(int argc, char *const *argv, int words, struct pfs_options *ret, struct pfs_err *err);
void pfs_options_finish(struct pfs_options *o);

/* "2G", "512M", "1000": bytes, with K M G T as powers of 1024. false: not a size. */
bool pfs_parse_size(const char *text, int64_t *ret);

/* The table of -o options, for --help. */
void pfs_options_help(struct pfs_text *ret);

#endif
