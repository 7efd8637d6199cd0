/* The XML file beside a BigDataViewer file: names and voxel sizes of its setups.
 *
 * The HDF5 file does not name it: it is looked for as NAME.xml, and passed over when it is absent, damaged or speaks of
 * another file. Only SpimData/SequenceDescription/ViewSetups/ViewSetup/{id,name,voxelSize} is read. */
#include "src_hdf5.h"

#include <planefs/mem.h>

#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { XML_MAX = 16 << 20, DEPTH = 8, SETUPS_MAX = 65536, VALUE = 256 };

struct reader {
    const char *file;                    /* last part of the HDF5 file's name */
    bool other, failed;
    int depth;
    char path[DEPTH][16];                /* names of the open elements, cut */
    char value[VALUE];
    size_t n;
    struct pfs_h5_setups *ret;
};

static bool at(const struct reader *r, int depth, const char *parent, const char *name)
{
    return r->depth == depth && !strcmp(r->path[depth - 1], name) && !strcmp(r->path[depth - 2], parent);
}

static void begin_setup(struct reader *r)
{
    struct pfs_h5_setups *s = r->ret;
    if (s->n == s->room) {
        int room = s->room ? 2 * s->room : 16;
        struct pfs_h5_setup *more = room <= SETUPS_MAX ? realloc(s->setup, (size_t)room * sizeof *more) : NULL;
        if (!more) {
            r->failed = true;
            return;
        }
        s->setup = more;
        s->room = room;
    }
    s->setup[s->n++] = (struct pfs_h5_setup){.id = -1};
}

static void XMLCALL begin(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *r = ctx;
    (void)attributes;
    if (r->depth < DEPTH)
        snprintf(r->path[r->depth], sizeof r->path[0], "%s", name);
    r->depth++;
    r->n = 0;
    if (at(r, 4, "ViewSetups", "ViewSetup"))
        begin_setup(r);
}

static void XMLCALL text(void *ctx, const XML_Char *s, int n)
{
    struct reader *r = ctx;
    for (int i = 0; i < n && r->n + 1 < VALUE; i++)
        r->value[r->n++] = s[i];
}

static void set_field(struct reader *r, struct pfs_h5_setup *s)
{
    double x, y, z;
    if (at(r, 5, "ViewSetup", "id"))
        s->id = atoi(r->value);
    else if (at(r, 5, "ViewSetup", "name") && !s->name)
        s->name = strdup(r->value);
    else if (at(r, 6, "voxelSize", "unit") && strlen(r->value) < sizeof s->unit)
        strcpy(s->unit, r->value);
    else if (at(r, 6, "voxelSize", "size") && sscanf(r->value, "%lf %lf %lf", &x, &y, &z) == 3)
        memcpy(s->voxel, (double[]){z, y, x}, sizeof s->voxel);
}

static void XMLCALL end(void *ctx, const XML_Char *name)
{
    struct reader *r = ctx;
    (void)name;
    r->value[r->n] = 0;
    if (at(r, 4, "ImageLoader", "hdf5")) {
        const char *slash = strrchr(r->value, '/');
        r->other |= strcmp(slash ? slash + 1 : r->value, r->file) != 0;
    }
    if (r->ret->n && r->depth >= 5 && !strcmp(r->path[3], "ViewSetup"))
        set_field(r, &r->ret->setup[r->ret->n - 1]);
    r->depth--;
    r->n = 0;
}

/* Entities are of no use here, and of use to an attacker. */
static void XMLCALL no_entities(void *ctx, const XML_Char *name, int is_parameter, const XML_Char *value, int n,
                                const XML_Char *base, const XML_Char *id, const XML_Char *public, const XML_Char *notation)
{
    struct reader *r = ctx;
    (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)id, (void)public, (void)notation;
    r->failed = true;
}

static bool parse(const char *s, size_t n, struct reader *r)
{
    XML_Parser p = XML_ParserCreate(NULL);
    if (!p)
        return false;
    XML_SetUserData(p, r);
    XML_SetElementHandler(p, begin, end);
    XML_SetCharacterDataHandler(p, text);
    XML_SetEntityDeclHandler(p, no_entities);
    bool good = XML_Parse(p, s, (int)n, 1) == XML_STATUS_OK;
    XML_ParserFree(p);
    return good && !r->failed && !r->other;
}

static char *read_whole(int fd, size_t *ret_n)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || st.st_size > XML_MAX)
        return NULL;
    char *s = malloc((size_t)st.st_size + 1);
    ssize_t n = s ? pread(fd, s, (size_t)st.st_size, 0) : -1;
    if (n < 0) {
        free(s);
        return NULL;
    }
    *ret_n = (size_t)n;
    return s;
}

int pfs_h5_xml(const struct pfs_files *files, const char *name, struct pfs_h5_setups *ret, char **ret_xml,
               struct pfs_err *err)
{
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name, *dot = strrchr(last, '.');
    PFS_AUTO_CLOSE int fd = -1;
    PFS_AUTO_FREE char *xml = pfs_format("%.*s.xml", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
    size_t n = 0;
    *ret = (struct pfs_h5_setups){0};
    if (!xml)
        return pfs_fail(err, ENOMEM, "hdf5: no memory");
    if (files->get(files->ctx, xml, &fd, NULL) < 0)
        return 0;
    PFS_AUTO_FREE char *s = read_whole(fd, &n);
    struct reader r = {.file = last, .ret = ret};
    if (s && parse(s, n, &r))
        *ret_xml = PFS_TAKE(xml);
    else
        pfs_h5_setups_finish(ret);
    return 0;
}

void pfs_h5_setups_finish(struct pfs_h5_setups *s)
{
    for (int i = 0; i < s->n; i++)
        free(s->setup[i].name);
    free(s->setup);
    *s = (struct pfs_h5_setups){0};
}
