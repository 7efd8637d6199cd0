/* Errors: formatting the reason, and errno names for reports. */
#include <planefs/err.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

int pfs_fail(struct pfs_err *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return -code;
}

const char *pfs_errno_name(int code)
{
    static const struct { int code; const char *name; } names[] = {
        {ENOENT, "ENOENT"}, {EROFS, "EROFS"}, {EIO, "EIO"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {EFBIG, "EFBIG"},
        {ENOMEM, "ENOMEM"}, {ESTALE, "ESTALE"}, {EPERM, "EPERM"}, {EACCES, "EACCES"}, {ETIMEDOUT, "ETIMEDOUT"},
        {EAGAIN, "EAGAIN"}, {EINTR, "EINTR"}, {ENOSPC, "ENOSPC"}, {EINVAL, "EINVAL"}, {EBADMSG, "EBADMSG"},
        {ECANCELED, "ECANCELED"}, {EPIPE, "EPIPE"}, {EPROTO, "EPROTO"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"},
        {ELOOP, "ELOOP"}, {ENAMETOOLONG, "ENAMETOOLONG"}, {EMFILE, "EMFILE"}, {ENOTCONN, "ENOTCONN"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].code == code)
            return names[i].name;
    return "E?";
}
