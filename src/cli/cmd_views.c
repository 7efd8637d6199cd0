/* planefs views: what can be asked for, as README.txt of the control folder says it. */
#include "cli/cli.h"
#include "fs/mount.h"
#include "fs/words.h"

#include <stdio.h>

int pfs_cmd_views(int argc, char **argv);

int pfs_cmd_views(int argc, char **argv)
{
    PFS_AUTO_TEXT struct pfs_text text = {0};
    struct pfs_err err = {0};
    struct pfs_engine *engine;
    struct pfs_engine_options options;
    struct pfs_paths paths;
    (void)argv;
    if (argc > 1)
        return pfs_complain(PFS_EXIT_USAGE, &(struct pfs_err){0, "views takes no arguments"});
    int r = pfs_engine_options_fill(&(struct pfs_options){.source = "/", .workers = 1}, &paths, &options, &err);
    if (!r)
        r = pfs_engine_create(&options, &engine, &err);
    if (!r) {
        pfs_readme_views(pfs_engine_registry(engine), &text);
        pfs_text_add(&text, "\n");
        pfs_readme_operators(pfs_engine_registry(engine), &text);
        if (text.s)
            fputs(text.s, stdout);
        pfs_engine_destroy(engine);
    }
    pfs_paths_finish(&paths);
    return r ? pfs_complain(PFS_EXIT_SOURCE, &err) : PFS_EXIT_OK;
}
