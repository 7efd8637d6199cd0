/* planefs mount: options into what fs mounts. Refuses what could only hang: a source or a cache inside the mount. */
#include "cli/cli.h"
#include "fs/mount.h"

#include <planefs/mem.h>
#include <planefs/version.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pfs_cmd_mount(int argc, char **argv);

static int print_help(void)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    pfs_text_add(&t, "usage: planefs [-fds] SOURCE MOUNTPOINT [-o OPTION,...]\n\n"
                     "Shows the image stacks under SOURCE, and their processed planes, as files under MOUNTPOINT.\n"
                     "fusermount3 -u MOUNTPOINT unmounts.\n\n"
                     "  -f                       stay in the foreground\n"
                     "  -d                       debug output of libfuse, in the foreground\n"
                     "  -s                       one thread for requests\n"
                     "  -V, --version            print versions\n"
                     "  -h, --help               print this\n");
    pfs_options_help(&t);
    pfs_text_add(&t, "  and the options of mount(8)\n\ncommands:\n");
    for (const struct pfs_command *c = pfs_commands; c->name; c++)
        pfs_text_addf(&t, "  planefs %s %s\n      %s\n", c->name, c->arguments, c->doc);
    pfs_text_add(&t, "\nexit status: 0 mounted, 1 usage, 2 source, mount point or configuration unusable, "
                     "32 mounting failed\n");
    return t.s && fputs(t.s, stdout) >= 0 ? PFS_EXIT_OK : PFS_EXIT_SOURCE;
}

static int print_version(void)
{
    return printf("planefs %s, FUSE library %s\n", PLANEFS_VERSION, pfs_fuse_version()) > 0 ? PFS_EXIT_OK
                                                                                            : PFS_EXIT_SOURCE;
}

static int refuse_loops(const struct pfs_paths *p, const char *mountpoint, struct pfs_err *err)
{
    const char *const inside[] = {p->source, p->cache, p->config};
    static const char *const what[] = {"SOURCE", "the cache", "the configuration"};
    for (int i = 0; i < 3; i++)
        if (inside[i] && pfs_path_within(inside[i], mountpoint))
            return pfs_fail(err, EINVAL, "%s %s lies inside the mount point", what[i], inside[i]);
    return 0;
}

static int run(const struct pfs_options *o)
{
    struct pfs_err err = {0};
    struct pfs_paths paths;
    PFS_AUTO_FREE char *mountpoint = NULL;
    struct pfs_mount_options m = {
        .foreground = o->foreground, .debug = o->debug, .single = o->single, .allow_other = o->allow_other,
        .uid = o->uid < 0 ? getuid() : (uid_t)o->uid, .gid = o->gid < 0 ? getgid() : (gid_t)o->gid,
        .umask = o->umask < 0 ? 0 : (mode_t)o->umask, .idle_s = (int)o->idle
    };
    int r = pfs_engine_options_fill(o, &paths, &m.engine, &err);
    if (!r)
        r = pfs_absolute_path(o->mountpoint, &mountpoint, &err);
    if (!r)
        r = refuse_loops(&paths, mountpoint, &err);
    m.mountpoint = mountpoint;
    int status = r ? pfs_complain(PFS_EXIT_SOURCE, &err) : pfs_mount_run(&m);
    pfs_paths_finish(&paths);
    return status;
}

int pfs_cmd_mount(int argc, char **argv)
{
    struct pfs_options o;
    struct pfs_err err = {0};
    int status;
    if (pfs_options_parse(argc, argv, 2, &o, &err))
        status = pfs_complain(PFS_EXIT_USAGE, &err);
    else if (o.help)
        status = print_help();
    else if (o.version)
        status = print_version();
    else
        status = run(&o);
    pfs_options_finish(&o);
    return status;
}
