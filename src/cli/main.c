/* planefs: finds the command and runs it. Only this floor and fs speak to the user. */
#include "cli/cli.h"

#include <planefs/text.h>
#include <stdio.h>
#include <string.h>

#define PFS_COMMAND(name, arguments, doc) int pfs_cmd_##name(int argc, char **argv);
#include "cli/cmds.def"
#undef PFS_COMMAND

#define PFS_COMMAND(name, arguments, doc) {#name, arguments, doc, pfs_cmd_##name},
const struct pfs_command pfs_commands[] = {
#include "cli/cmds.def"
    {NULL, NULL, NULL, NULL}
};
#undef PFS_COMMAND

int pfs_complain(int status, const struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text line = {0};
    pfs_text_plain(&line, err->text);
    fprintf(stderr, "planefs: %s\n", line.s ? line.s : "failed");
    return status;
}

int main(int argc, char **argv)
{
    for (const struct pfs_command *c = pfs_commands; argc > 1 && c->name; c++)
        if (!strcmp(argv[1], c->name))
            return c->run(argc - 1, argv + 1);
    return pfs_commands[0].run(argc, argv);
}
