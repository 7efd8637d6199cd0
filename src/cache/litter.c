/* tmp/: unique names for what is being made, and the way out for what is deleted.
 *
 * An entry is deleted by renaming it into tmp/ first, so it vanishes at once and whole. What a killed process left in
 * tmp/ is deleted by the next one on that host, or by anybody when it is an hour old. Being wrong about that costs
 * nothing but work: a draft that loses its folder is served from its open descriptor. */
#include "cache/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t stale = 3600 * (int64_t)1000000000;

static void next_name(struct pfs_home *h, const char *kind, struct pfs_path *ret)
{
    uint64_t seq = atomic_fetch_add(&h->seq, 1);
    pfs_home_path(h, ret, "tmp/%s.%d.%s%llx", h->host, (int)h->pid, kind, (unsigned long long)seq);
}

int pfs_home_temp(struct pfs_home *h, struct pfs_path *ret)
{
    uint64_t id;
    for (int attempt = 0; attempt < 100; attempt++) {
        next_name(h, "", ret);
        if (!mkdir(ret->s, 0700))
            return 0;
        if (errno == ENOENT && !attempt && pfs_home_look(h, &id) == PFS_FINE)
            continue;                /* somebody had removed tmp/, or all of the folder; it is there again */
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

/* Entries are two levels deep; the bound keeps a strange tree from eating the stack. */
static void remove_below(const char *path, int depth)
{
    if (!unlink(path) || (errno != EISDIR && errno != EPERM))
        return;
    DIR *d = depth ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct pfs_path p;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        int n = snprintf(p.s, sizeof p.s, "%s/%s", path, e->d_name);
        if (n > 0 && (size_t)n < sizeof p.s)
            remove_below(p.s, depth - 1);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

void pfs_remove_tree(const char *path)
{
    remove_below(path, 8);
}

int pfs_home_remove(struct pfs_home *h, const char *path)
{
    struct pfs_path gone;
    /* No folder of its own is made for it: that would need space on a full disk. The mark in the name keeps it apart
     * from drafts, and a clash with another deletion is harmless. */
    for (int attempt = 0; attempt < 100; attempt++) {
        next_name(h, "x", &gone);
        if (!rename(path, gone.s)) {
            pfs_remove_tree(gone.s);
            return 0;
        }
        if (errno != ENOTEMPTY && errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

/* A process that has ended but that nobody has waited for yet, as in containers without a proper init. */
static bool has_ended(pid_t pid)
{
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' && (name_end[2] == 'Z' || name_end[2] == 'X');
}

enum pfs_owner pfs_home_owner(const struct pfs_home *h, const char *name)
{
    const char *last = strrchr(name, '.');
    const char *middle = last ? memrchr(name, '.', (size_t)(last - name)) : NULL;
    char *end;
    if (!middle || (size_t)(middle - name) != strlen(h->host) || strncmp(name, h->host, strlen(h->host)))
        return PFS_OWNER_ELSEWHERE;
    long pid = strtol(middle + 1, &end, 10);
    if (end != last || pid <= 0 || pid > INT32_MAX)
        return PFS_OWNER_ELSEWHERE;
    bool gone = kill((pid_t)pid, 0) && errno == ESRCH;
    return gone || has_ended((pid_t)pid) ? PFS_OWNER_DEAD : PFS_OWNER_ALIVE;
}

void pfs_home_clean(struct pfs_home *h)
{
    struct pfs_path tmp, p;
    pfs_home_path(h, &tmp, "tmp");
    DIR *d = opendir(tmp.s);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        int64_t age = pfs_now() - ((int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
        if (pfs_home_owner(h, e->d_name) != PFS_OWNER_DEAD && age < stale)
            continue;
        pfs_home_path(h, &p, "tmp/%s", e->d_name);
        pfs_remove_tree(p.s);
    }
    if (d)
        closedir(d);
}
