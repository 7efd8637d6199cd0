/* Writes ImageJ's ImageDescription from a shape, its calibration and a recipe. Reads no pixel, so it never knows more
 * of the display range than the source said or the recipe promises. */
#include "files/imagej.h"
#include "files/json.h"

#include <planefs/version.h>

#include <math.h>
#include <string.h>

static void line(struct pfs_text *t, const char *key, double v)
{
    char number[PFS_NUMBER_MAX];
    pfs_number(v, number);
    pfs_text_addf(t, "%s=%s\n", key, number);
}

static void count(struct pfs_text *t, const char *key, int64_t n)
{
    if (n > 1)
        pfs_text_addf(t, "%s=%lld\n", key, (long long)n);
}

static bool known(double v)
{
    return isfinite(v) && v > 0;
}

const char *pfs_imagej_unit(const char *unit)
{
    static const char *const names[] = {
        "um", "\xc2\xb5m", "\xce\xbcm", "\xb5m", "\\u00B5m", "\\u00b5m", "micron", "microns", "micrometer",
        "micrometers", "micrometre", "micrometres"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(unit, names[i]))
            return names[0];
    return unit;
}

/* JSON and Java properties escape characters alike; only the quotes have to go. */
static void unit(struct pfs_text *t, const char *name)
{
    PFS_AUTO_TEXT struct pfs_text quoted = {0};
    if (!*name)
        return;
    pfs_text_json(&quoted, pfs_imagej_unit(name));
    if (quoted.failed) {
        t->failed = true;
        return;
    }
    pfs_text_add(t, "unit=");
    pfs_text_bytes(t, quoted.s + 1, quoted.n - 2);
    pfs_text_add(t, "\n");
}

static void planes(struct pfs_text *t, const struct pfs_shape *s)
{
    int64_t n = pfs_shape_planes(s);
    count(t, "images", n);
    count(t, "channels", s->c);
    count(t, "slices", s->z);
    count(t, "frames", s->t);
    if (n > 1)
        pfs_text_add(t, "hyperstack=true\n");
    if (s->c > 1)
        pfs_text_add(t, "mode=grayscale\n");
}

/* ImageJ holds int16 as uint16 with 32768 added, and so its range. */
static void range(struct pfs_text *t, const struct pfs_shape *s)
{
    double low = s->cal.range[0], high = s->cal.range[1], shift = s->type == PFS_I16 ? 32768 : 0;
    if (!isfinite(low) || !isfinite(high) || !(low < high))
        return;
    line(t, "min", low + shift);
    line(t, "max", high + shift);
}

void pfs_imagej_describe(struct pfs_text *ret, const struct pfs_shape *s, const char *recipe)
{
    const struct pfs_calibration *cal = &s->cal;
    pfs_text_add(ret, "ImageJ=1.53t\n");
    planes(ret, s);
    if (known(cal->voxel[1]) && known(cal->voxel[2])) {
        unit(ret, cal->unit);
        if (known(cal->voxel[0]))
            line(ret, "spacing", cal->voxel[0]);
    }
    if (known(cal->interval))
        line(ret, "finterval", cal->interval);
    range(ret, s);
    pfs_text_add(ret, "planefs=" PLANEFS_VERSION " ");
    for (const char *p = recipe; *p; p++)
        pfs_text_bytes(ret, *p >= 0x20 && *p < 0x7f && *p != '\\' ? p : "?", 1);
}
