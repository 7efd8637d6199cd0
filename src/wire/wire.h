/* The wire between daemon and worker: packets on a Unix SOCK_SEQPACKET pair, descriptors passed beside them.
 *
 *   worker -> daemon   HELLO (protocol version, layers of its sandbox, what is missing of it)
 *   daemon -> worker   JOB   (verb, request; descriptor 0: where the result goes)
 *   worker -> daemon   NEED  (a file's name)          daemon -> worker   FILE (0 and a descriptor, or errno and reason)
 *   worker -> daemon   PROGRESS (permille)
 *   worker -> daemon   DONE  (errno, reason, length of the result, resident bytes)
 *
 * One job at a time per worker; pixels never travel here, only through descriptors. A request longer than a packet
 * travels in a memory file passed with the job. Threads: one sender and one receiver per socket. */
#ifndef PLANEFS_WIRE_H
#define PLANEFS_WIRE_H

#include <planefs/blob.h>
#include <planefs/err.h>

enum { PFS_WIRE_VERSION = 2, PFS_PACKET_MAX = 60 * 1024, PFS_PACKET_FDS = 2 };

enum pfs_message { PFS_MSG_HELLO = 1, PFS_MSG_JOB, PFS_MSG_NEED, PFS_MSG_FILE, PFS_MSG_PROGRESS, PFS_MSG_DONE };

/* Requests and results. The result is written to the job's descriptor at offset 0 (PLANE: at the work's offset); DONE's
 * length counts the bytes written. */
enum pfs_verb {
    PFS_DESCRIBE = 1,   /* nothing -> registry of views, operators, parameters, drivers */
    PFS_PROBE,          /* file name (pfs_put_str) -> what is in it (struct pfs_probe) */
    PFS_RESOLVE,        /* a stack and a view's text (pfs_resolve_put) -> recipe (struct pfs_recipe) */
    PFS_PLANE,          /* inputs and steps (struct pfs_work) -> pixels of one plane, packed, native byte order; with a step
                           that gathers all bands, its planes one after the other */
    PFS_PARTIAL,        /* inputs and steps, the last of which teaches -> what each plane teaches: per input (per shape.c
                           inputs for teachers of bands) u32 length and bytes */
    PFS_MERGE           /* steps, the last of which merges, and files "parts0", "parts1", ... (together n_parts times u32
                           length and bytes, length 0 for a plane that is missing; asked for one by one) -> its model */
};

struct pfs_packet {
    enum pfs_message kind;
    uint64_t job;
    struct pfs_blob body;               /* owned */
    int fd[PFS_PACKET_FDS];             /* owned; -1 where none came */
};

/* Send a packet; the descriptors stay the caller's. EPIPE when the other side is gone, EMSGSIZE over PFS_PACKET_MAX. */
int pfs_wire_send(int sock, enum pfs_message kind, uint64_t job, struct pfs_blob body, const int *fd, int n_fd,
                  struct pfs_err *err);
/* Wait for a packet (or not, with MSG_DONTWAIT in flags: EAGAIN). EPIPE at the end, EPROTO for a malformed packet.
 * Passed descriptors beyond PFS_PACKET_FDS are closed and make the packet malformed. */
int pfs_wire_receive(int sock, int flags, struct pfs_packet *ret, struct pfs_err *err);
void pfs_packet_finish(struct pfs_packet *p);

/* A job, with its request in the packet or, when it is long, in a memory file. */
int pfs_wire_send_job(int sock, uint64_t job, enum pfs_verb verb, struct pfs_blob request, int result_fd,
                      struct pfs_err *err);
/* The verb and the request (given) of a JOB packet. */
int pfs_wire_read_job(const struct pfs_packet *p, enum pfs_verb *ret_verb, struct pfs_blob *ret_request,
                      struct pfs_err *err);

/* The small messages. Sending helpers pick the kind and the layout; reading ones check it (EPROTO). Strings are lent by
 * the packet. FILE: code 0 comes with a descriptor (in packet fd[0]), any other with the reason. */
struct pfs_hello { const char *layers, *missing; };      /* "landlock+seccomp", ""; lent by the packet */
int pfs_wire_send_hello(int sock, const struct pfs_hello *hello, struct pfs_err *err);
/* EPROTO for another version */
int pfs_wire_read_hello(const struct pfs_packet *p, struct pfs_hello *ret, struct pfs_err *err);
int pfs_wire_send_need(int sock, uint64_t job, const char *name, struct pfs_err *err);
int pfs_wire_read_need(const struct pfs_packet *p, const char **ret_name, struct pfs_err *err);
int pfs_wire_send_file(int sock, uint64_t job, int code, const char *reason, int fd, struct pfs_err *err);
int pfs_wire_read_file(const struct pfs_packet *p, int *ret_code, const char **ret_reason, struct pfs_err *err);
int pfs_wire_send_progress(int sock, uint64_t job, int permille, struct pfs_err *err);
int pfs_wire_read_progress(const struct pfs_packet *p, int *ret_permille, struct pfs_err *err);

struct pfs_done { int code; const char *reason; int64_t length; int64_t resident; };   /* reason lent by the packet */
int pfs_wire_send_done(int sock, uint64_t job, const struct pfs_done *done, struct pfs_err *err);
int pfs_wire_read_done(const struct pfs_packet *p, struct pfs_done *ret, struct pfs_err *err);

#endif
