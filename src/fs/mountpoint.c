/* /proc/self/mountinfo tells what is mounted; the mount point itself is not looked at once it is ours, for a look would
 * come back to this very process. */
#include "fs/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        unsigned c;
        if (*s == '\\' && sscanf(s + 1, "%3o", &c) == 1) {
            *to++ = (char)c;
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = 0;
}

static bool line_is(char *line, const char *path, char device[32])
{
    char *field[6], *save = NULL;
    char *type = strstr(line, " - ");
    if (!type || strncmp(type + 3, "fuse.planefs ", 13))
        return false;
    for (int i = 0; i < 6; i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
            return false;
    unescape(field[4]);
    if (strcmp(field[4], path))
        return false;
    snprintf(device, 32, "%s", field[2]);
    return true;
}

bool pfs_mountpoint_device(const char *path, char device[32])
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t cap = 0;
    bool found = false;
    while (f && !found && getline(&line, &cap, f) > 0)
        found = line_is(line, path, device);
    free(line);
    if (f)
        fclose(f);
    return found;
}

static int run_fusermount(const char *path, bool lazy)
{
    char *const argv[] = {"fusermount3", "-u", "-q", lazy ? "-z" : "--", lazy ? "--" : (char *)path,
                          lazy ? (char *)path : NULL, NULL};
    sigset_t none;
    posix_spawnattr_t attr;
    pid_t pid;
    int status;
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int r = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (r)
        return -r;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status == 0 ? 0 : -EBUSY;
}

int pfs_mountpoint_detach(const char *path, bool lazy)
{
    if (geteuid())
        return run_fusermount(path, lazy);
    return umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) ? -errno : 0;
}

/* Attributes of a dead mount may still be in the kernel's cache; statfs always asks. */
static int look(const char *path, struct stat *ret)
{
    struct statfs fs;
    return stat(path, ret) || statfs(path, &fs) ? errno : 0;
}

int pfs_mountpoint_prepare(const char *path, struct pfs_err *err)
{
    struct stat st;
    char device[32];
    int code = look(path, &st);
    if (code == ENOTCONN || code == ECONNABORTED) {
        if (!pfs_mountpoint_device(path, device))
            return pfs_fail(err, code, "%s: a dead mount of another program is in the way", path);
        if (pfs_mountpoint_detach(path, true))
            return pfs_fail(err, code, "%s: a dead mount is in the way and cannot be taken off", path);
        code = look(path, &st);
    }
    if (code)
        return pfs_fail(err, code, "%s: %s", path, strerror(code));
    if (!S_ISDIR(st.st_mode))
        return pfs_fail(err, ENOTDIR, "%s: not a folder", path);
    if (pfs_mountpoint_device(path, device))
        return pfs_fail(err, EBUSY, "%s: planefs is mounted there already", path);
    return 0;
}

void pfs_mountpoint_read_ahead(const char *path)
{
    char device[32], file[96];
    if (!pfs_mountpoint_device(path, device))
        return;
    snprintf(file, sizeof file, "/sys/class/bdi/%s/read_ahead_kb", device);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1024", 4) != 4)
        errno = 0;                    /* as before, then: 128 KiB */
    close(fd);
}
