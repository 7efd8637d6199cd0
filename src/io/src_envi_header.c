/* Headers of raw files: ENVI's `name = value` and `name = {list}`, and ESRI's `NAME value` (BIL, BIP, BSQ of ArcGIS).
 *
 * Keys are looked up where they are needed; others (map info, fwhm, bbl, default bands) are passed over: there is no field
 * for them. A header says more than it must: what is missing takes the default that its readers take, except for what
 * cannot be guessed, which is the size and the type. */
#include "src_envi.h"

#include <planefs/mem.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ENTRIES_MAX = 4096, SIDE = 1 << 20, BANDS_MAX = 1 << 20 };
#define PLANE_BYTES ((int64_t)2 << 30)

struct entry { char *key, *value; };

struct entries {
    int n;
    struct entry *e;
};

/* ---- text to entries ---- */

static char *trim(char *s)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n && strchr(" \t\r\n", s[n - 1]))
        s[--n] = 0;
    return s;
}

/* Lower case, and one blank where there were several. */
static char *canonical(char *key)
{
    char *to = key = trim(key);
    for (const char *p = key; *p; p++)
        if (!isspace((unsigned char)*p))
            *to++ = (char)tolower((unsigned char)*p);
        else if (to[-1] != ' ')
            *to++ = ' ';
    *to = 0;
    return key;
}

/* The value that begins at p ends at the line's end, or at the brace that closes it. Returns what follows it. */
static char *cut_value(char *p, char **ret, bool *ret_open)
{
    p += strspn(p, " \t");
    *ret_open = false;
    char *end = *p == '{' ? strchr(p, '}') : p + strcspn(p, "\n");
    if (!end) {
        *ret_open = true;
        return p + strlen(p);
    }
    bool list = *p == '{';
    char *next = list ? end + 1 + strcspn(end + 1, "\n") : end;
    next += *next == '\n';
    *end = 0;
    *ret = trim(p + list);
    return next;
}

static int split_envi(char *text, struct entries *ret, struct pfs_err *err)
{
    for (char *p = text, *value; *p;) {
        size_t n = strcspn(p, "=\n");
        bool open;
        if (p[n] != '=' || *p == ';') {
            p += strcspn(p, "\n");
            p += *p == '\n';
            continue;
        }
        if (ret->n == ENTRIES_MAX)
            return pfs_fail(err, EFBIG, "envi: more than %d entries in the header", ENTRIES_MAX);
        p[n] = 0;
        char *key = canonical(p);
        p = cut_value(p + n + 1, &value, &open);
        if (open)
            return pfs_fail(err, EIO, "envi: the list of \"%.40s\" is not closed", key);
        ret->e[ret->n++] = (struct entry){key, value};
    }
    return 0;
}

static int split_esri(char *text, struct entries *ret, struct pfs_err *err)
{
    for (char *line; (line = strsep(&text, "\n"));) {
        char *value = trim(line), *key = strsep(&value, " \t");
        if (!value || !*key)
            continue;
        if (ret->n == ENTRIES_MAX)
            return pfs_fail(err, EFBIG, "envi: more than %d entries in the header", ENTRIES_MAX);
        ret->e[ret->n++] = (struct entry){canonical(key), trim(value)};
    }
    return 0;
}

static bool has_line(const uint8_t *head, size_t n, const char *word)
{
    size_t k = strlen(word);
    for (size_t i = 0; i + k < n; i++)
        if ((!i || head[i - 1] == '\n') && !strncasecmp((const char *)head + i, word, k) && isspace(head[i + k]))
            return true;
    return false;
}

int pfs_envi_form(const uint8_t *head, size_t n)
{
    if (n > 4 && !memcmp(head, "ENVI", 4) && isspace(head[4]))
        return 1;
    return has_line(head, n, "NROWS") && has_line(head, n, "NCOLS") ? 2 : 0;
}

/* ---- values ---- */

static const char *value_of(const struct entries *s, const char *key)
{
    for (int i = s->n - 1; i >= 0; i--)
        if (!strcmp(s->e[i].key, key))
            return s->e[i].value;
    return NULL;
}

static int whole(const struct entries *s, const char *key, int64_t missing, int64_t least, int64_t most, int64_t *ret,
                 struct pfs_err *err)
{
    const char *v = value_of(s, key);
    char *end;
    *ret = missing;
    if (!v && missing >= least)
        return 0;
    if (!v)
        return pfs_fail(err, EIO, "envi: the header has no \"%s\"", key);
    errno = 0;
    *ret = strtoll(v, &end, 10);
    if (end == v || *end || (errno == ERANGE && *ret < 0) || *ret < least)
        return pfs_fail(err, EIO, "envi: \"%s\" is \"%.40s\"", key, v);
    return *ret > most ? pfs_fail(err, EFBIG, "envi: \"%s\" is over %lld", key, (long long)most) : 0;
}

static bool number(const char *v, double *ret)
{
    char *end;
    *ret = v ? strtod(v, &end) : 0;
    return v && end != v && !*trim(end);
}

static int envi_type(int64_t code, enum pfs_type *ret, struct pfs_err *err)
{
    static const enum pfs_type types[] = {
        [1] = PFS_U8, [2] = PFS_I16, [3] = PFS_I32, [4] = PFS_F32, [5] = PFS_F64, [12] = PFS_U16, [13] = PFS_U32,
        [14] = PFS_I64, [15] = PFS_U64};
    *ret = code < 16 ? types[code] : PFS_NONE;
    if (code == 6 || code == 9)
        return pfs_fail(err, EOPNOTSUPP, "envi: complex samples are not supported");
    return *ret ? 0 : pfs_fail(err, EOPNOTSUPP, "envi: data type %lld is not known", (long long)code);
}

static int set_layout(struct pfs_envi_header *h, const char *v, struct pfs_err *err)
{
    static const char *const known[] = {"BSQ", "BIL", "BIP"};
    for (int i = 0; i < 3; i++)
        if (!v || !strcasecmp(v, known[i])) {
            strcpy(h->layout, known[i]);
            return 0;
        }
    return pfs_fail(err, EIO, "envi: interleave \"%.40s\" is not bsq, bil or bip", v);
}

/* Distances without gaps. */
static void set_strides(struct pfs_envi_header *h)
{
    int64_t size = (int64_t)pfs_type_size(h->type);
    bool bip = !strcmp(h->layout, "BIP"), bil = !strcmp(h->layout, "BIL");
    h->pixel = bip ? size * h->bands : size;
    h->row = bip || bil ? h->x * h->bands * size : h->x * size;
    h->band = bip ? size : bil ? h->x * size : h->x * h->y * size;
}

/* ---- bands ---- */

/* The items of a list, trimmed, in place. */
static int64_t split_list(char *list, char **ret, int64_t most)
{
    int64_t n = 0;
    for (char *item; n < most && (item = strsep(&list, ","));)
        ret[n++] = trim(item);
    return n;
}

/* Factor to nm by the unit's name; 0 for what is no length. */
static double to_nm(const char *unit)
{
    static const struct { const char *begins; double nm; } units[] = {
        {"nanometer", 1}, {"nm", 1}, {"micro", 1000}, {"um", 1000}, {"\xc2\xb5m", 1000}, {"\xce\xbcm", 1000},
        {"\xb5m", 1000}, {"angstrom", 0.1}, {"millimeter", 1e6}, {"mm", 1e6}, {"unknown", 1}};
    if (!unit || !*unit)
        return 1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strncasecmp(unit, units[i].begins, strlen(units[i].begins)))
            return units[i].nm;
    return 0;
}

static int set_wavelengths(struct pfs_envi_header *h, char **item, int64_t n, double nm, struct pfs_err *err)
{
    if (n != h->bands || nm <= 0)
        return 0;
    if (!(h->wavelength = pfs_array(n, sizeof *h->wavelength)))
        return pfs_fail(err, ENOMEM, "envi: no memory for wavelengths");
    for (int64_t i = 0; i < n; i++)
        h->wavelength[i] = number(item[i], &h->wavelength[i]) ? h->wavelength[i] * nm : (double)NAN;
    return 0;
}

static int set_names(struct pfs_envi_header *h, char **item, int64_t n, struct pfs_err *err)
{
    if (!(h->band_name = pfs_array(h->bands, sizeof *h->band_name)))
        return pfs_fail(err, ENOMEM, "envi: no memory for band names");
    for (int64_t i = 0; i < n && i < h->bands; i++)
        if (*item[i] && !(h->band_name[i] = strdup(item[i])))
            return pfs_fail(err, ENOMEM, "envi: no memory for band names");
    return 0;
}

/* Its items: up to one more than there are bands. */
static int list_of(const struct entries *s, const char *key, const struct pfs_envi_header *h, char ***ret,
                   int64_t *ret_n, struct pfs_err *err)
{
    const char *v = value_of(s, key);
    *ret_n = 0;
    if (!v || !*v)
        return 0;
    if (!(*ret = pfs_array(h->bands + 1, sizeof **ret)))
        return pfs_fail(err, ENOMEM, "envi: no memory for \"%s\"", key);
    *ret_n = split_list((char *)(uintptr_t)v, *ret, h->bands + 1);
    return 0;
}

static int set_bands(const struct entries *s, struct pfs_envi_header *h, struct pfs_err *err)
{
    PFS_AUTO_FREE char **waves = NULL, **names = NULL;
    int64_t n_waves, n_names;
    int r = list_of(s, "wavelength", h, &waves, &n_waves, err);
    if (!r)
        r = list_of(s, "band names", h, &names, &n_names, err);
    if (!r && n_waves)
        r = set_wavelengths(h, waves, n_waves, to_nm(value_of(s, "wavelength units")), err);
    return r || !n_names ? r : set_names(h, names, n_names, err);
}

/* ---- the two forms ---- */

static int refuse_compressed(const struct entries *s, struct pfs_err *err)
{
    const char *v = value_of(s, "file compression"), *major = value_of(s, "major frame offsets"),
               *minor = value_of(s, "minor frame offsets");
    if (v && strtol(v, NULL, 10))
        return pfs_fail(err, EOPNOTSUPP, "envi: compressed raw files are not supported");
    if ((major && strpbrk(major, "123456789")) || (minor && strpbrk(minor, "123456789")))
        return pfs_fail(err, EOPNOTSUPP, "envi: frame offsets are not supported");
    return 0;
}

static int read_envi(const struct entries *s, struct pfs_envi_header *h, struct pfs_err *err)
{
    int64_t type, order;
    int r = refuse_compressed(s, err);
    if (r || (r = whole(s, "samples", -1, 1, SIDE, &h->x, err)) || (r = whole(s, "lines", -1, 1, SIDE, &h->y, err)) ||
        (r = whole(s, "bands", 1, 1, BANDS_MAX, &h->bands, err)) ||
        (r = whole(s, "data type", -1, 0, 1000, &type, err)) || (r = envi_type(type, &h->type, err)) ||
        (r = whole(s, "byte order", 0, 0, SIDE, &order, err)) ||
        (r = whole(s, "header offset", 0, 0, INT64_MAX / 4, &h->offset, err)) ||
        (r = set_layout(h, value_of(s, "interleave"), err)))
        return r;
    if (order > 1)
        return pfs_fail(err, EIO, "envi: \"byte order\" is %lld, neither 0 nor 1", (long long)order);
    h->big_endian = order;
    h->has_nodata = number(value_of(s, "data ignore value"), &h->nodata);
    set_strides(h);
    return set_bands(s, h, err);
}

static int esri_type(const struct entries *s, struct pfs_envi_header *h, struct pfs_err *err)
{
    static const enum pfs_type types[4][3] = {{PFS_U8, PFS_I8, PFS_NONE}, {PFS_U16, PFS_I16, PFS_NONE},
                                              {PFS_U32, PFS_I32, PFS_F32}, {PFS_NONE, PFS_NONE, PFS_F64}};
    const char *kind = value_of(s, "pixeltype");
    int64_t bits;
    int r = whole(s, "nbits", 8, 1, 64, &bits, err);
    int size = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : bits == 64 ? 3 : -1;
    int k = kind && !strncasecmp(kind, "signed", 6) ? 1 : kind && !strncasecmp(kind, "float", 5) ? 2 : 0;
    if (r)
        return r;
    h->type = size < 0 ? PFS_NONE : types[size][k];
    return h->type ? 0 : pfs_fail(err, EOPNOTSUPP, "envi: %s samples of %lld bits are not supported",
                                  k == 2 ? "float" : k ? "signed" : "unsigned", (long long)bits);
}

/* Gaps: bytes of a band's row, of all bands' rows, and between bands. */
static int esri_strides(const struct entries *s, struct pfs_envi_header *h, struct pfs_err *err)
{
    int64_t most = (int64_t)1 << 40, gap, band_row, total;
    set_strides(h);
    bool bil = !strcmp(h->layout, "BIL"), bip = !strcmp(h->layout, "BIP");
    int64_t packed = bip ? h->row : h->x * h->pixel;
    int r = whole(s, "bandgapbytes", 0, 0, most, &gap, err);
    if (r || (r = whole(s, "bandrowbytes", packed, packed, most, &band_row, err)) ||
        (r = whole(s, "totalrowbytes", bil ? band_row * h->bands : band_row, bil ? band_row * h->bands : packed, most,
                   &total, err)))
        return r;
    if (bil)
        h->band = band_row;
    h->row = bil || bip ? total : band_row;
    if (!bil && !bip)
        h->band = h->row * h->y + gap;
    return 0;
}

static int read_esri(const struct entries *s, struct pfs_envi_header *h, struct pfs_err *err)
{
    const char *order = value_of(s, "byteorder"), *layout = value_of(s, "layout");
    int r = esri_type(s, h, err);
    if (r || (r = whole(s, "ncols", -1, 1, SIDE, &h->x, err)) || (r = whole(s, "nrows", -1, 1, SIDE, &h->y, err)) ||
        (r = whole(s, "nbands", 1, 1, BANDS_MAX, &h->bands, err)) ||
        (r = whole(s, "skipbytes", 0, 0, INT64_MAX / 4, &h->offset, err)) ||
        (r = set_layout(h, layout ? layout : "BIL", err)))
        return r;
    h->esri = true;
    h->big_endian = order && (*order == 'M' || *order == 'm');
    h->has_nodata = number(value_of(s, "nodata"), &h->nodata);
    return esri_strides(s, h, err);
}

int pfs_envi_parse(char *text, size_t n, struct pfs_envi_header *ret, struct pfs_err *err)
{
    int form = pfs_envi_form((const uint8_t *)text, n);
    PFS_AUTO_FREE struct entry *list = pfs_array(ENTRIES_MAX, sizeof *list);
    struct entries s = {0, list};
    *ret = (struct pfs_envi_header){0};
    if (!list)
        return pfs_fail(err, ENOMEM, "envi: no memory for a header");
    if (memchr(text, 0, n))
        return pfs_fail(err, EIO, "envi: the header holds a zero byte");
    int r = form == 2 ? split_esri(text, &s, err) : split_envi(text, &s, err);
    if (!r)
        r = form == 2 ? read_esri(&s, ret, err) : read_envi(&s, ret, err);
    if (!r && ret->x * ret->y > PLANE_BYTES / (int64_t)pfs_type_size(ret->type))
        r = pfs_fail(err, EFBIG, "envi: a plane of %lld x %lld is over the limit", (long long)ret->x, (long long)ret->y);
    if (r)
        pfs_envi_finish(ret);
    return r;
}

void pfs_envi_finish(struct pfs_envi_header *h)
{
    for (int64_t i = 0; h->band_name && i < h->bands; i++)
        free(h->band_name[i]);
    free(h->band_name);
    free(h->wavelength);
    h->band_name = NULL;
    h->wavelength = NULL;
}
