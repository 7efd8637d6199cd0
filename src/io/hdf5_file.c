/* A read-only HDF5 file driver (H5FD) over a descriptor, and the guarded way to a dataset.
 *
 * It does not know what the datasets mean; see tables.c and the HDF5 source driver.
 *
 * HDF5 passes a driver's settings by copying a struct inside a property list, and hands that list on when a file names
 * another one. The struct therefore only lends a gate, which lets one open pass and stays shut afterwards. */
#include "io/hdf5_file.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

enum { CHUNK_MAX = 256 << 20 };

#define FILE_NAME "planefs"           /* what HDF5 is told; the driver never looks anything up by it */

enum { CHUNK_SLOTS = 65537, CHUNK_BYTES = 128 << 20 };

struct gate { int fd; };              /* -1 once the file was opened */
struct settings { struct gate *gate; };

struct file {
    H5FD_t base;                      /* HDF5's part, must come first */
    int fd;
    haddr_t eoa, eof;
};

/* Instead of being read, a chunk is only to be noted: HDF5 1.10 has no other quick way to tell where it lies. */
static struct { bool on, seen; haddr_t at; size_t n; } noting;

static H5FD_t *file_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    const unsigned writing = H5F_ACC_RDWR | H5F_ACC_TRUNC | H5F_ACC_CREAT;
    const struct settings *set = H5Pget_driver_info(fapl);
    struct stat st;
    (void)maxaddr;
    if (!set || set->gate->fd < 0 || strcmp(name, FILE_NAME) || (flags & writing))
        return NULL;
    if (fstat(set->gate->fd, &st) || st.st_size < 0)
        return NULL;
    struct file *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->fd = set->gate->fd;
    f->eof = (haddr_t)st.st_size;
    set->gate->fd = -1;
    return &f->base;
}

static herr_t file_close(H5FD_t *base)
{
    struct file *f = (struct file *)base;
    close(f->fd);
    free(f);
    return 0;
}

static herr_t file_query(const H5FD_t *base, unsigned long *flags)
{
    (void)base;
    *flags = H5FD_FEAT_ACCUMULATE_METADATA_READ | H5FD_FEAT_DATA_SIEVE;
    return 0;
}

static haddr_t file_eoa(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct file *)base)->eoa;
}

static herr_t file_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    ((struct file *)base)->eoa = addr;
    return 0;
}

static haddr_t file_eof(const H5FD_t *base, H5FD_mem_t type)
{
    (void)type;
    return ((const struct file *)base)->eof;
}

/* What lies between the end of the file and the end of its address space reads as zeros, as in HDF5's own drivers. */
static herr_t file_read(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, void *buffer)
{
    struct file *f = (struct file *)base;
    char *to = buffer;
    (void)dxpl;
    if (addr > INT64_MAX || size > (size_t)INT64_MAX - addr || addr + size > f->eoa)
        return -1;
    if (noting.on && type == H5FD_MEM_DRAW) {
        noting.seen = true;
        noting.at = addr;
        noting.n = size;
        return 0;
    }
    while (size) {
        ssize_t n = pread(f->fd, to, size, (off_t)addr);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (n == 0 && addr < f->eof))      /* cut since it was opened */
            return -1;
        if (n == 0) {
            memset(to, 0, size);
            break;
        }
        to += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t file_write(H5FD_t *base, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, const void *buffer)
{
    (void)base, (void)type, (void)dxpl, (void)addr, (void)size, (void)buffer;
    return -1;
}

static const H5FD_class_t file_class = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = H5_VFD_RESERVED,
#endif
    .name = "planefs descriptor",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(struct settings),
    .open = file_open,
    .close = file_close,
    .query = file_query,
    .get_eoa = file_eoa,
    .set_eoa = file_set_eoa,
    .get_eof = file_eof,
    .read = file_read,
    .write = file_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* Once per process: no printing, no plugins, no links into other files. The driver's id, negative on failure. */
static hid_t prepare(void)
{
    static hid_t driver = H5I_INVALID_HID;
    if (driver >= 0)
        return driver;
    if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0 || H5PLset_loading_state(0) < 0)
        return H5I_INVALID_HID;
    if (H5Lis_registered(H5L_TYPE_EXTERNAL) > 0 && H5Lunregister(H5L_TYPE_EXTERNAL) < 0)
        return H5I_INVALID_HID;
    return driver = H5FDregister(&file_class);
}

void pfs_h5_close_at(hid_t *id)
{
    if (*id >= 0)
        H5Idec_ref(*id);
}

static herr_t first_reason(unsigned n, const H5E_error2_t *e, void *text)
{
    (void)n;
    const char **ret = text;
    if (e->desc && *e->desc)
        *ret = e->desc;
    return *ret != NULL;
}

int pfs_h5_fail(struct pfs_err *err, int code, const char *format, ...)
{
    char what[160];
    const char *why = NULL;
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_reason, &why);
    return pfs_fail(err, code, why ? "%s (HDF5: %s)" : "%s", what, why);
}

int pfs_h5_open(int fd, const char *name, hid_t *ret, struct pfs_err *err)
{
    struct gate gate = {fd};
    struct settings set = {&gate};
    hid_t driver = prepare();
    PFS_AUTO_H5 hid_t fapl = driver < 0 ? H5I_INVALID_HID : H5Pcreate(H5P_FILE_ACCESS);
    if (fapl < 0 || H5Pset_driver(fapl, driver, &set) < 0 || H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) < 0 ||
        H5Pset_cache(fapl, 0, CHUNK_SLOTS, CHUNK_BYTES, 0.75) < 0) {
        close(fd);
        return pfs_fail(err, EIO, "%s: the HDF5 library cannot be prepared", name);
    }
    *ret = H5Fopen(FILE_NAME, H5F_ACC_RDONLY, fapl);
    if (*ret >= 0)
        return 0;
    int code = pfs_h5_fail(err, EIO, "%s: not a readable HDF5 file", name);
    if (gate.fd >= 0)
        close(gate.fd);
    return code;
}

/* Where the link leads, as far as it can be told without following it. */
static int check_link(hid_t file, const char *name, const char *path, struct pfs_err *err)
{
    H5L_info_t info;
    if (H5Lget_info(file, path, &info, H5P_DEFAULT) < 0)
        return pfs_h5_fail(err, EIO, "%s: no dataset '%s'", name, path);
    if (info.type != H5L_TYPE_HARD && info.type != H5L_TYPE_SOFT)
        return pfs_fail(err, EPERM, "%s: '%s' is a link into another file", name, path);
    return 0;
}

/* A chunk is unpacked as a whole, however little of it is asked for or exists. */
static int check_chunk(hid_t dataset, hid_t list, const char *name, const char *path, struct pfs_err *err)
{
    hsize_t side[H5S_MAX_RANK];
    PFS_AUTO_H5 hid_t type = H5Dget_type(dataset);
    double bytes = type < 0 ? 0 : (double)H5Tget_size(type);
    int rank = H5Pget_chunk(list, H5S_MAX_RANK, side);
    if (bytes <= 0 || rank < 0)
        return pfs_h5_fail(err, EIO, "%s: '%s' cannot be read", name, path);
    for (int i = 0; i < rank; i++)
        bytes *= (double)side[i];
    if (bytes > CHUNK_MAX)
        return pfs_fail(err, EFBIG, "%s: '%s' has chunks of more than %d MiB", name, path, CHUNK_MAX >> 20);
    return 0;
}

static int check_storage(hid_t dataset, const char *name, const char *path, struct pfs_err *err)
{
    PFS_AUTO_H5 hid_t list = H5Dget_create_plist(dataset);
    int external = list < 0 ? -1 : H5Pget_external_count(list);
    if (list < 0 || external < 0)
        return pfs_h5_fail(err, EIO, "%s: '%s' cannot be read", name, path);
    if (external > 0)
        return pfs_fail(err, EPERM, "%s: the values of '%s' lie in another file", name, path);
    if (H5Pget_layout(list) == H5D_VIRTUAL)
        return pfs_fail(err, EOPNOTSUPP, "%s: '%s' is a virtual dataset", name, path);
    return H5Pget_layout(list) == H5D_CHUNKED ? check_chunk(dataset, list, name, path, err) : 0;
}

int pfs_h5_dataset(hid_t file, const char *name, const char *path, hid_t *ret, struct pfs_err *err)
{
    int code = check_link(file, name, path, err);
    if (code)
        return code;
    PFS_AUTO_H5 hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    if (dataset < 0)
        return pfs_h5_fail(err, EIO, "%s: '%s' cannot be opened", name, path);
    if ((code = check_storage(dataset, name, path, err)))
        return code;
    *ret = dataset;
    dataset = H5I_INVALID_HID;
    return 0;
}

/* HDF5 1.10 adds the user block to the address even where there is none: the size tells. */
int64_t pfs_h5_contiguous(hid_t dataset)
{
    PFS_AUTO_H5 hid_t list = H5Dget_create_plist(dataset);
    if (list < 0 || H5Pget_layout(list) != H5D_CONTIGUOUS || !H5Dget_storage_size(dataset))
        return -1;
    haddr_t at = H5Dget_offset(dataset);
    return at > INT64_MAX ? -1 : (int64_t)at;
}

int pfs_h5_chunk(hid_t dataset, const hsize_t *offset, int64_t *ret_at, int64_t *ret_size, uint32_t *ret_mask,
                 struct pfs_err *err)
{
    hsize_t n = 0;
    char untouched;
    *ret_at = *ret_size = 0;
    *ret_mask = 0;
    if (H5Dget_chunk_storage_size(dataset, offset, &n) < 0 || n > INT64_MAX)
        return pfs_h5_fail(err, EIO, "a chunk cannot be found");
    if (!n)
        return 0;
    noting.on = true;
    noting.seen = false;
    herr_t r = H5Dread_chunk(dataset, H5P_DEFAULT, offset, ret_mask, &untouched);
    noting.on = false;
    if (r < 0 || !noting.seen || noting.n != n)
        return pfs_h5_fail(err, EIO, "a chunk cannot be found");
    *ret_at = (int64_t)noting.at;
    *ret_size = (int64_t)n;
    return 0;
}
