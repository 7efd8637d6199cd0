/* Units of length and time as programs spell them, and decimals without the noise of a conversion. */
#include "src_ome.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pfs_unit_name(const char *text, size_t n, char ret[16])
{
    static const char *const same[][2] = {
        {"micron", "um"}, {"microns", "um"}, {"micrometer", "um"}, {"micrometre", "um"}, {"micrometers", "um"},
        {"\xc2\xb5m", "um"}, {"\xce\xbcm", "um"}, {"\xb5m", "um"}, {"nanometer", "nm"}, {"nanometre", "nm"},
        {"millimeter", "mm"}, {"millimetre", "mm"}, {"centimeter", "cm"}, {"centimetre", "cm"}, {"meter", "m"},
        {"metre", "m"}, {"pixels", "pixel"}, {"\xc3\x85", "angstrom"}, {"\xe2\x84\xab", "angstrom"},
        {"in", "inch"}, {"reference frame", "pixel"},
    };
    while (n && (unsigned char)text[n - 1] <= ' ')
        n--;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strlen(same[i][0]) == n && !memcmp(same[i][0], text, n)) {
            strcpy(ret, same[i][1]);
            return;
        }
    n = n < 16 ? n : 0;
    memcpy(ret, text, n);
    ret[n] = 0;
}

double pfs_unit_um(const char *name)
{
    static const struct { const char *name; double um; } units[] = {
        {"um", 1}, {"nm", 1e-3}, {"mm", 1e3}, {"cm", 1e4}, {"m", 1e6}, {"pm", 1e-6}, {"fm", 1e-9}, {"dm", 1e5},
        {"km", 1e9}, {"angstrom", 1e-4}, {"inch", 25400}, {"thou", 25.4}, {"li", 25400.0 / 12}, {"ft", 304800},
        {"yd", 914400}, {"pt", 25400.0 / 72},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(units[i].name, name))
            return units[i].um;
    return 0;
}

double pfs_unit_seconds(const char *text, size_t n)
{
    static const struct { const char *unit; double s; } units[] = {
        {"ms", 1e-3}, {"msec", 1e-3}, {"us", 1e-6}, {"\xc2\xb5s", 1e-6}, {"\xce\xbcs", 1e-6}, {"ns", 1e-9},
        {"min", 60}, {"mins", 60}, {"minute", 60}, {"minutes", 60}, {"h", 3600}, {"hr", 3600}, {"hour", 3600},
        {"hours", 3600}, {"d", 86400}, {"day", 86400}, {"days", 86400},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].unit) == n && !strncmp(text, units[i].unit, n))
            return units[i].s;
    return 1;
}

double pfs_short_decimal(double v, double within)
{
    char text[40];
    for (int digits = 1; digits < 17 && isfinite(v); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        double shorter = strtod(text, NULL);
        if (fabs(shorter - v) <= within * fabs(v))
            return shorter;
    }
    return v;
}
