/* Which pending signals send a waiting reader home: texts of /proc/PID/status, real and made up. The file is included
 * because fs is in no test library. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fs/watch.c"

struct masks { uint64_t own, shared, blocked, ignored, caught; };

static bool leaves_with(struct masks m, const char *state)
{
    char text[1024];
    snprintf(text, sizeof text, "Name:\tcat\nUmask:\t0022\nState:\t%s\nTgid:\t5\nSigQ:\t0/31\nSigPnd:\t%016llx\n"
             "ShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\nCapInh:\t0\n", state,
             (unsigned long long)m.own, (unsigned long long)m.shared, (unsigned long long)m.blocked,
             (unsigned long long)m.ignored, (unsigned long long)m.caught);
    return pfs_status_leaves(text);
}

#define BIT(s) (UINT64_C(1) << ((s) - 1))

static void asked_to_leave(void **state)
{
    static const int asked[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    (void)state;
    for (int i = 0; i < 4; i++) {
        uint64_t s = BIT(asked[i]);
        assert_true(leaves_with((struct masks){.own = s}, "S (sleeping)"));
        assert_true(leaves_with((struct masks){.shared = s}, "S (sleeping)"));
        assert_true(leaves_with((struct masks){.shared = s, .caught = s}, "S (sleeping)"));
        assert_false(leaves_with((struct masks){.shared = s, .blocked = s}, "S (sleeping)"));
        assert_false(leaves_with((struct masks){.shared = s, .ignored = s}, "S (sleeping)"));
    }
}

static void killed(void **state)
{
    (void)state;
    assert_true(leaves_with((struct masks){.own = BIT(SIGKILL)}, "D (disk sleep)"));
    assert_true(leaves_with((struct masks){.own = BIT(SIGKILL), .blocked = ~UINT64_C(0)}, "D (disk sleep)"));
    assert_true(leaves_with((struct masks){.shared = BIT(SIGSEGV)}, "S (sleeping)"));
    assert_true(leaves_with((struct masks){.shared = BIT(SIGALRM)}, "S (sleeping)"));
    assert_true(leaves_with((struct masks){0}, "Z (zombie)"));
    assert_true(leaves_with((struct masks){0}, "X (dead)"));
}

static void not_meant(void **state)
{
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP};
    (void)state;
    assert_false(leaves_with((struct masks){0}, "S (sleeping)"));
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        assert_false(leaves_with((struct masks){.own = BIT(harmless[i])}, "S (sleeping)"));
    assert_false(leaves_with((struct masks){.shared = BIT(SIGALRM), .caught = BIT(SIGALRM)}, "S (sleeping)"));
    assert_false(leaves_with((struct masks){.shared = BIT(SIGUSR1), .ignored = BIT(SIGUSR1)}, "S (sleeping)"));
    assert_false(leaves_with((struct masks){.own = BIT(40), .caught = BIT(40)}, "R (running)"));
}

static void a_real_thread(void **state)
{
    (void)state;
    assert_false(leaves(getpid()));
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGTERM);
    assert_false(leaves(getpid()));              /* pending, but blocked */
    int sig;
    sigwait(&set, &sig);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_true(leaves(0x3ffffff));              /* beyond any process number */
}

struct request { struct pfs_waiting w; atomic_int refs, cancelled, code; };

static void hold(struct pfs_waiting *w, int n)
{
    atomic_fetch_add(&((struct request *)w)->refs, n);
}

static struct pfs_watch *watching;

static void cancel(struct pfs_waiting *w, int code)
{
    struct request *r = (struct request *)w;
    atomic_store(&r->code, code);
    atomic_fetch_add(&r->cancelled, 1);
    pfs_watch_remove(watching, w);
}

static bool soon(atomic_int *value, int wanted)
{
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < 5000 && atomic_load(value) != wanted; i++)
        nanosleep(&pause, NULL);
    return atomic_load(value) == wanted;
}

/* Readers that are gone are cancelled: at once when interrupted, within a period when they read pages; nobody else. */
static void the_watch(void **state)
{
    enum { GONE = 0x3ffffff };
    (void)state;
    struct pfs_err err;
    struct request r[4];
    for (int i = 0; i < 4; i++)
        r[i] = (struct request){.w = {.thread = i < 2 ? GONE : getpid(), .hold = hold, .cancel = cancel}, .refs = 1};
    r[1].w.always = r[3].w.always = true;
    assert_int_equal(pfs_watch_open(&watching, &err), 0);
    for (int i = 0; i < 4; i++)
        pfs_watch_add(watching, &r[i].w);
    assert_true(soon(&r[1].cancelled, 1));
    assert_int_equal(atomic_load(&r[0].cancelled), 0);
    pfs_watch_interrupted(watching, &r[0].w);
    pfs_watch_interrupted(watching, &r[2].w);
    assert_true(soon(&r[0].cancelled, 1));
    assert_int_equal(atomic_load(&r[0].code), EINTR);
    pfs_watch_cancel_all(watching, ENOTCONN);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(atomic_load(&r[i].cancelled), 1);
        assert_true(soon(&r[i].refs, 1));
    }
    assert_int_equal(atomic_load(&r[2].code), ENOTCONN);
    pfs_watch_close(watching);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_to_leave), cmocka_unit_test(killed), cmocka_unit_test(not_meant),
        cmocka_unit_test(a_real_thread), cmocka_unit_test(the_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
