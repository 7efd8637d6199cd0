/* Descriptions and resolution tags: what ImageJ and tifffile wrote about axes, pixel size, time and display range.
 *
 * ImageJ's text is java.util.Properties: key=value lines, \uXXXX escapes. Numbers that make no sense are dropped, not
 * reported: they are hints. A resolution per inch or centimetre counts only where it gives pixels of at most 20 um;
 * larger ones are a printer's or a screen's. */
#include "src_ome.h"
#include "src_tiff.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pfs_tiff_is_imagej(const char *s)
{
    return !strncmp(s, "ImageJ=", 7) || !strncmp(s, "SCIFIO=", 7);
}

/* The text behind `key=` at the beginning of a line, lent, its length in *n; NULL when there is none. */
static const char *value_of(const char *text, const char *key, size_t *n)
{
    size_t k = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (!strncmp(p, key, k) && p[k] == '=') {
            *n = strcspn(p + k + 1, "\r\n");
            return p + k + 1;
        }
    return NULL;
}

static double number_of(const char *text, const char *key, double otherwise)
{
    size_t n;
    char b[64], *end;
    const char *p = value_of(text, key, &n);
    if (!p || n == 0 || n >= sizeof b)
        return otherwise;
    memcpy(b, p, n);
    b[n] = 0;
    double v = strtod(b, &end);
    return end != b && isfinite(v) ? v : otherwise;
}

static int64_t count_of(const char *text, const char *key)
{
    double v = number_of(text, key, 1);
    return v >= 1 && v <= 1e9 ? (int64_t)v : 1;
}

/* ---- units ---- */

/* Java's \uXXXX as UTF-8, cut to what fits. */
static void unescape(const char *p, size_t n, char out[32])
{
    size_t k = 0;
    for (size_t i = 0; i < n && k < 28; i++) {
        unsigned u;
        char hex[5] = "";
        if (p[i] == '\\' && i + 5 < n && p[i + 1] == 'u' && (memcpy(hex, p + i + 2, 4), sscanf(hex, "%4x", &u) == 1)) {
            i += 5;
            if (u >= 0x800)
                out[k++] = (char)(0xe0 | u >> 12);
            if (u >= 0x80)
                out[k++] = (char)(u >= 0x800 ? 0x80 | (u >> 6 & 0x3f) : 0xc0 | u >> 6);
            out[k++] = (char)(u >= 0x80 ? 0x80 | (u & 0x3f) : u);
        } else if ((unsigned char)p[i] > ' ') {
            out[k++] = p[i];
        }
    }
    out[k] = 0;
}

static void set_unit(struct pfs_calibration *cal, const char *p, size_t n)
{
    char unit[32], name[16];
    unescape(p, n, unit);
    pfs_unit_name(unit, strlen(unit), name);
    if (*name)
        memcpy(cal->unit, name, sizeof name);
}

static double seconds(const char *text, double interval)
{
    size_t n;
    const char *unit = value_of(text, "tunit", &n);
    return unit ? interval * pfs_unit_seconds(unit, n) : interval;
}

/* ---- ImageJ ---- */

static void imagej_dims(const char *text, struct pfs_tiff_imagej *j)
{
    size_t n;
    const char *order = value_of(text, "order", &n);     /* fastest first */
    char o[4] = "czt";
    if (order && n == 3)
        for (int i = 0; i < 3; i++)
            o[i] = (char)(order[i] | 0x20);
    if (!strchr(o, 'c') || !strchr(o, 'z') || !strchr(o, 't'))
        memcpy(o, "czt", 4);
    j->dims.n = 3;
    for (int i = 0; i < 3; i++) {
        j->dims.d[i].axis = o[2 - i];
        j->dims.d[i].length = o[2 - i] == 'c' ? j->channels : o[2 - i] == 'z' ? j->slices : j->frames;
    }
}

void pfs_tiff_parse_imagej(const char *text, struct pfs_tiff_imagej *j)
{
    size_t n;
    *j = (struct pfs_tiff_imagej){.images = count_of(text, "images"), .channels = count_of(text, "channels"),
                                  .slices = count_of(text, "slices"), .frames = count_of(text, "frames")};
    imagej_dims(text, j);
    const char *unit = value_of(text, "unit", &n);
    if (unit)
        set_unit(&j->cal, unit, n);
    j->cal.voxel[0] = pfs_short_decimal(fabs(number_of(text, "spacing", 0)), 1e-12);
    j->cal.interval = pfs_short_decimal(seconds(text, fabs(number_of(text, "finterval", 0))), 1e-12);
    double low = number_of(text, "min", NAN), high = number_of(text, "max", NAN);
    if (low < high) {
        j->cal.range[0] = low;
        j->cal.range[1] = high;
    }
}

/* ---- tifffile ---- */

static int parse_numbers(const char *p, int64_t *v, int most)
{
    int n = 0;
    for (p = *p == '[' || *p == '(' ? p + 1 : ""; n < most; p++) {
        char *end;
        long long x = strtoll(p, &end, 10);
        if (end == p || x < 1)
            break;
        v[n++] = x;
        p = end + strspn(end, " ");
        if (*p != ',')
            break;
    }
    return n;
}

static const char *behind(const char *s, const char *key)
{
    const char *p = strstr(s, key);
    return p ? p + strlen(key) + strspn(p + strlen(key), " :=") : NULL;
}

/* Take the page's own dimensions off the end of the shape; what remains is before them. -1: they do not match. */
static int leading(const int64_t *v, int n, const struct pfs_tiff_page *p)
{
    if (!p->separate && p->channels > 1 && (n < 1 || v[--n] != p->channels))
        return -1;
    if (n < 2 || v[n - 1] != p->w || v[n - 2] != p->h)
        return -1;
    n -= 2;
    if (p->depth > 1 && (n < 1 || v[n - 1] != p->depth))
        return -1;
    if (p->separate && (n < 1 || v[--n] != p->channels))
        return -1;
    return n;
}

static char axis_of(const char *axes, int n, int i, int n_leading)
{
    if (axes && (int)strcspn(axes, "\"'") == n && strchr("TZC", axes[i]))
        return (char)(axes[i] | 0x20);
    if (axes && (int)strcspn(axes, "\"'") == n)
        return axes[i] == 'S' ? 'c' : 'z';
    /* Unnamed: one axis is Z; more are the last of T, Z, C. */
    int back = n_leading - 1 - i;
    return n_leading == 1 ? 'z' : back == 0 ? 'c' : back == 1 ? 'z' : 't';
}

bool pfs_tiff_parse_shaped(const char *s, const struct pfs_tiff_page *p, struct pfs_tiff_dims *ret, bool *ret_truncated)
{
    int64_t v[PFS_TIFF_DIMS];
    bool json = s[0] == '{' && strstr(s, "\"shape\"");
    if (!json && strncmp(s, "shape=(", 7))
        return false;
    int n = parse_numbers(behind(s, json ? "\"shape\"" : "shape"), v, PFS_TIFF_DIMS);
    const char *axes = json ? behind(s, "\"axes\"") : NULL, *cut = json ? behind(s, "\"truncated\"") : NULL;
    int lead = leading(v, n, p);
    if (lead < 0)
        return false;
    axes = axes && *axes == '"' ? axes + 1 : NULL;
    for (ret->n = 0; ret->n < lead; ret->n++) {
        ret->d[ret->n].axis = axis_of(axes, n, ret->n, lead);
        ret->d[ret->n].length = v[ret->n];
    }
    *ret_truncated = cut && !strncmp(cut, "true", 4);
    return true;
}

int64_t pfs_tiff_dims_product(const struct pfs_tiff_dims *d)
{
    int64_t product = 1;
    for (int i = 0; i < d->n; i++)
        if (__builtin_mul_overflow(product, d->d[i].length, &product))
            return -1;
    return product;
}

/* ---- resolution ---- */

/* Pixels per unit, 0 when it is not said. *within: how far, as a fraction, the number may be from what was meant: a
 * writer with a fixed denominator, or with the largest there is, has cut it to a whole numerator. */
static double resolution(struct pfs_tiff_file *f, const struct pfs_tiff_directory *d, uint16_t tag, double *within)
{
    const struct pfs_tiff_entry *e = pfs_tiff_entry(d, tag, 0);
    uint64_t v[2] = {0, 0};
    if (!e || pfs_tiff_rational(f, e, v, NULL) < 0 || !v[0] || !v[1])
        return 0;
    bool cut = (v[1] >= 1000 && v[1] % 1000 == 0) || v[1] >> 31;
    *within = cut ? fmin(1 / (double)v[0], 1e-4) : v[0] >> 31 ? fmin(1 / (double)v[1], 1e-4) : 1e-12;
    return (double)v[0] / (double)v[1];
}

void pfs_tiff_calibrate(struct pfs_tiff_file *f, const struct pfs_tiff_directory *d, struct pfs_calibration *cal)
{
    const struct pfs_tiff_entry *e = pfs_tiff_entry(d, TAG_RESOLUTION_UNIT, 0);
    double within[2], x = resolution(f, d, TAG_X_RESOLUTION, &within[1]);
    double y = resolution(f, d, TAG_Y_RESOLUTION, &within[0]), factor = 1;
    uint64_t unit = 2;
    if (e && pfs_tiff_numbers(f, e, 0, 1, &unit, NULL) < 0)
        unit = 1;
    if (!x || !y)
        return;
    if (!cal->unit[0]) {
        factor = unit == 2 ? 25400 : unit == 3 ? 10000 : 0;
        if (factor <= 0 || factor / x > 20 || factor / y > 20)
            return;
        strcpy(cal->unit, "um");
    }
    cal->voxel[1] = pfs_short_decimal(factor / y, within[0]);
    cal->voxel[2] = pfs_short_decimal(factor / x, within[1]);
}
