/* What a worker gives up before its first job: opening files, sockets, programs, processes, other processes' memory.
 *
 * Three layers. No new privileges, always. Landlock: no file system, no ports, no signals outwards, whatever the system
 * call. seccomp: only the system calls that computing on handed-over descriptors needs. Each is tried out right after it
 * has been laid on, in the process that will meet the hostile file. Nothing can be taken back.
 * Call with one thread, after the libraries have done what they do once. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

#include <stdbool.h>
#include <stdio.h>

struct sandbox {
    bool landlock, seccomp;       /* in force, and seen to be */
    char missing[200];            /* why a layer is not, in words; "" when all are */
};

void sandbox_enter(struct sandbox *ret);
void sandbox_stay_out(struct sandbox *ret);             /* what to say when it is not wanted */
const char *sandbox_layers(const struct sandbox *s);    /* "landlock+seccomp", "landlock", "seccomp", "off" */

/* Enter, try everything that is forbidden and what must go on working, print a table. The number of surprises. */
int sandbox_self_test(FILE *to);

/* The layers. 0, or -errno with the reason in why. */
int sandbox_landlock(char why[100]);
int sandbox_seccomp(char why[100]);

/* Things a worker has no business with, each tried so that it does no harm where it succeeds. */
struct sandbox_trial {
    const char *name;
    bool files;                   /* what Landlock alone refuses as well */
    long (*attempt)(void);        /* below 0 with errno when it was refused */
};
extern const struct sandbox_trial sandbox_trials[];      /* ends with a NULL name */

#endif
