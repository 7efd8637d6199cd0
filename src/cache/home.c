/* The cache's folder: whether it can be used, what is wrong with it, and names in it.
 *
 * A folder that others may write or that somebody else owns is refused: whoever can write into it can hand planefs
 * pixels of his choice, checksums and all. Other trouble (full, read-only, unreachable) passes, and is looked at
 * again until it has passed. */
#include "cache/home.h"

#include <planefs/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

int64_t pfs_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void host_name(char host[PFS_HOST_MAX + 1])
{
    if (gethostname(host, PFS_HOST_MAX) || !*host)
        strcpy(host, "localhost");
    host[PFS_HOST_MAX] = 0;
    for (char *p = host; *p; p++)
        if (*p == '/' || *p == '.')
            *p = '_';
}

int pfs_home_init(struct pfs_home *h, const char *folder)
{
    PFS_AUTO_FREE char *cwd = *folder == '/' ? NULL : getcwd(NULL, 0);
    *h = (struct pfs_home){.pid = getpid(), .uid = geteuid()};
    h->path = *folder == '/' ? strdup(folder) : pfs_format("%s/%s", cwd ? cwd : "", folder);
    if (!h->path)
        return -ENOMEM;
    host_name(h->host);
    atomic_init(&h->seq, (uint64_t)pfs_now());
    atomic_init(&h->wanted, 0);
    atomic_init(&h->trouble, strlen(h->path) > PFS_HOME_MAX ? PFS_NAME_TOO_LONG : PFS_FINE);
    return 0;
}

void pfs_home_finish(struct pfs_home *h)
{
    free(h->path);
    h->path = NULL;
}

const char *pfs_home_words(const struct pfs_home *h)
{
    static const char *const words[] = {
        [PFS_FINE] = "ok", [PFS_NO_SPACE] = "no space", [PFS_READ_ONLY] = "read-only", [PFS_DENIED] = "no permission",
        [PFS_IO_ERROR] = "input/output error", [PFS_GONE] = "gone", [PFS_FOREIGN] = "owned by somebody else",
        [PFS_WORLD_WRITABLE] = "writable by everybody", [PFS_NAME_TOO_LONG] = "name too long",
    };
    return words[atomic_load(&h->trouble)];
}

bool pfs_home_usable(const struct pfs_home *h)
{
    return atomic_load(&h->trouble) < PFS_GONE;
}

static enum pfs_trouble trouble_of(int code)
{
    switch (code) {
    case ENOSPC: case EDQUOT: case EMLINK: return PFS_NO_SPACE;
    case EROFS: return PFS_READ_ONLY;
    case EACCES: case EPERM: return PFS_DENIED;
    case ENOENT: case ENOTDIR: case ELOOP: case ESTALE: case ENOTCONN: return PFS_GONE;
    default: return PFS_IO_ERROR;
    }
}

void pfs_home_note(struct pfs_home *h, int code, int64_t wanted)
{
    uint64_t id;
    if (code == EMFILE || code == ENFILE || code == ENOMEM)
        return;                      /* this process's trouble, not the folder's */
    if (trouble_of(code) == PFS_GONE && pfs_home_check(h, &id))
        return;                      /* only a part was missing, or all of it is there again */
    atomic_store(&h->wanted, wanted);
    atomic_store(&h->trouble, trouble_of(code));
}

void pfs_home_fine(struct pfs_home *h)
{
    atomic_store(&h->trouble, PFS_FINE);
}

void pfs_home_path(const struct pfs_home *h, struct pfs_path *p, const char *format, ...)
{
    va_list args;
    int n = snprintf(p->s, sizeof p->s, "%s/", h->path);
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof p->s)
        vsnprintf(p->s + n, sizeof p->s - (size_t)n, format, args);
    va_end(args);
}

void pfs_home_entry(const struct pfs_home *h, struct pfs_hash key, struct pfs_path *p)
{
    char hex[33];
    pfs_hash_hex(key, hex);
    pfs_home_path(h, p, "%.2s/%s", hex, hex + 2);
}

/* mkdir -p; an existing folder is fine. */
static int make_folders(const char *path)
{
    PFS_AUTO_FREE char *s = strdup(path);
    if (!s)
        return -ENOMEM;
    for (char *p = strchr(s + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        if (mkdir(s, 0700) && errno != EEXIST && access(s, F_OK))
            return -errno;
        *p = '/';
    }
    return mkdir(s, 0700) && errno != EEXIST ? -errno : 0;
}

static int make_rooms(const struct pfs_home *h)
{
    static const char *const rooms[] = {"tmp", "ledger"};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        struct pfs_path p;
        pfs_home_path(h, &p, "%s", rooms[i]);
        if (mkdir(p.s, 0700) && errno != EEXIST)
            return -errno;
    }
    return 0;
}

enum pfs_trouble pfs_home_look(const struct pfs_home *h, uint64_t *ret_id)
{
    struct stat st;
    int e = stat(h->path, &st) ? -errno : 0;
    if (e == -ENOENT) {
        e = make_folders(h->path);
        if (!e && stat(h->path, &st))
            e = -errno;
    }
    if (e)
        return trouble_of(-e);
    *ret_id = pfs_hash64(&st.st_ino, sizeof st.st_ino, st.st_dev);
    if (!S_ISDIR(st.st_mode))
        return PFS_GONE;
    if (st.st_uid != h->uid)
        return PFS_FOREIGN;
    if (st.st_mode & S_IWOTH)
        return PFS_WORLD_WRITABLE;
    if (faccessat(AT_FDCWD, h->path, R_OK | W_OK | X_OK, AT_EACCESS))
        return trouble_of(errno);
    e = make_rooms(h);
    return e ? trouble_of(-e) : PFS_FINE;
}

/* Has the trouble that a write met passed? By trying what failed then: a file of that size. */
static bool passed(struct pfs_home *h)
{
    struct pfs_path folder, file;
    struct statvfs v;
    int64_t wanted = atomic_load(&h->wanted);
    if (statvfs(h->path, &v) || (int64_t)(v.f_bavail * v.f_frsize) < wanted)
        return false;
    if (pfs_home_temp(h, &folder))
        return false;
    snprintf(file.s, sizeof file.s, "%.4000s/probe", folder.s);
    int fd = open(file.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && (!wanted || !fallocate(fd, 0, 0, wanted) || errno == EOPNOTSUPP);
    ok = ok && pwrite(fd, "probe", 5, 0) == 5;
    if (fd >= 0 && close(fd))
        ok = false;
    pfs_remove_tree(folder.s);
    return ok;
}

bool pfs_home_check(struct pfs_home *h, uint64_t *ret_id)
{
    int before = atomic_load(&h->trouble);
    if (before == PFS_NAME_TOO_LONG)
        return false;
    enum pfs_trouble now = pfs_home_look(h, ret_id);
    bool by_write = before == PFS_NO_SPACE || before == PFS_IO_ERROR;
    if (now == PFS_FINE && by_write && !passed(h))
        return true;
    /* A trouble noted meanwhile by a writer is newer than what was looked at. */
    atomic_compare_exchange_strong(&h->trouble, &before, now);
    return pfs_home_usable(h);
}
