/* The layers of the sandbox, one after the other, and whether they hold. */
#include "worker/sandbox.h"

#include <planefs/sanitizer.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* Landlock binds the calling thread and those it starts: a thread of a library that is there already would go free. */
static bool single_threaded(void)
{
    struct stat st;
    return !stat("/proc/self/task", &st) && st.st_nlink == 3;
}

/* The first trial that is not refused; NULL when all are. */
static const char *hole(bool files_only)
{
    for (const struct sandbox_trial *t = sandbox_trials; t->name; t++)
        if ((!files_only || t->files) && t->attempt() >= 0)
            return t->name;
    return NULL;
}

static void miss(struct sandbox *s, const char *layer, const char *why)
{
    size_t n = strlen(s->missing);
    snprintf(s->missing + n, sizeof s->missing - n, "%s%s: %s", n ? "; " : "", layer, why);
}

static bool holds(struct sandbox *s, const char *layer, bool files_only)
{
    char why[100];
    const char *open = hole(files_only);
    if (!open)
        return true;
    snprintf(why, sizeof why, "in force, but it does not stop %s", open);
    miss(s, layer, why);
    return false;
}

void sandbox_enter(struct sandbox *ret)
{
    char why[100] = "";
    *ret = (struct sandbox){0};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (PFS_HAS_SANITIZER) {
        miss(ret, "sandbox", "a build with a sanitizer has none");
        return;
    }
    if (!single_threaded())
        miss(ret, "Landlock", "a library has started threads, or /proc cannot be read");
    else if (sandbox_landlock(why))
        miss(ret, "Landlock", why);
    else
        ret->landlock = holds(ret, "Landlock", true);
    if (sandbox_seccomp(why))
        miss(ret, "seccomp", why);
    else
        ret->seccomp = holds(ret, "seccomp", false);
}

void sandbox_stay_out(struct sandbox *ret)
{
    *ret = (struct sandbox){0};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    miss(ret, "sandbox", "switched off");
}

const char *sandbox_layers(const struct sandbox *s)
{
    return s->landlock ? s->seccomp ? "landlock+seccomp" : "landlock" : s->seccomp ? "seccomp" : "off";
}

/* ---- the self-test ---- */

static void *add_one(void *n)
{
    ++*(int *)n;
    return n;
}

static bool threads_work(void)
{
    pthread_t id[8];
    int n[8] = {0}, sum = 0;
    for (int i = 0; i < 8; i++)
        if (pthread_create(&id[i], NULL, add_one, &n[i]))
            return false;
    for (int i = 0; i < 8; i++)
        sum += pthread_join(id[i], NULL) ? 0 : n[i];
    return sum == 8;
}

static bool memory_works(void)
{
    size_t n = 100 << 20;
    char *p = malloc(n);
    if (!p)
        return false;
    for (size_t i = 0; i < n; i += 4096)
        p[i] = (char)i;
    char *q = realloc(p, n * 2);
    free(q ? q : p);
    return q != NULL;
}

int sandbox_self_test(FILE *to)
{
    struct sandbox s;
    int bad = 0;
    sandbox_enter(&s);
    fprintf(to, "%-28s %s\n", "layers", sandbox_layers(&s));
    if (*s.missing)
        fprintf(to, "%-28s %s\n", "missing", s.missing);
    for (const struct sandbox_trial *t = sandbox_trials; t->name; t++) {
        errno = 0;
        bool refused = t->attempt() < 0;
        fprintf(to, "%-28s %s%s\n", t->name, refused ? "refused: " : "DONE", refused ? strerror(errno) : "");
        bad += !refused;
    }
    const struct { const char *name; bool works; } needed[] = {{"threads", threads_work()}, {"memory", memory_works()}};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        fprintf(to, "%-28s %s\n", needed[i].name, needed[i].works ? "works" : "BROKEN");
        bad += !needed[i].works;
    }
    return bad + (*s.missing != 0);
}
