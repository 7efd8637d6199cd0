/* Writes JSON in columns of fixed width. Does not nest or check anything: the callers' formats are fixed. */
#include "files/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pfs_number(double v, char text[PFS_NUMBER_MAX])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, PFS_NUMBER_MAX, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            return;
    }
}

void pfs_json_comma(struct pfs_text *t)
{
    if (t->n && t->s[t->n - 1] != '{' && t->s[t->n - 1] != '[')
        pfs_text_add(t, ",");
}

void pfs_json_key(struct pfs_text *t, const char *key)
{
    pfs_json_comma(t);
    pfs_text_addf(t, "%s\"%s\":", t->n && t->s[t->n - 1] == ',' ? "\n" : "", key);
}

void pfs_json_open(struct pfs_text *t, char bracket)
{
    pfs_text_bytes(t, &bracket, 1);
}

void pfs_json_close(struct pfs_text *t, char bracket)
{
    pfs_text_bytes(t, &bracket, 1);
}

void pfs_json_int(struct pfs_text *t, int64_t v)
{
    pfs_text_addf(t, "%lld", (long long)v);
}

static void real(struct pfs_text *t, double v, int width)
{
    char number[PFS_NUMBER_MAX] = "null";
    if (isfinite(v))
        pfs_number(v, number);
    pfs_text_addf(t, "%*s", width, number);
}

void pfs_json_real(struct pfs_text *t, double v)
{
    real(t, v, 0);
}

void pfs_json_str(struct pfs_text *t, const char *s)
{
    if (s)
        pfs_text_json(t, s);
    else
        pfs_text_add(t, "null");
}

void pfs_json_wide_int(struct pfs_text *t, int64_t v)
{
    pfs_text_addf(t, "%*lld", PFS_JSON_INT, (long long)v);
}

void pfs_json_wide_uint(struct pfs_text *t, uint64_t v)
{
    pfs_text_addf(t, "%*llu", PFS_JSON_INT, (unsigned long long)v);
}

void pfs_json_wide_real(struct pfs_text *t, double v)
{
    real(t, v, PFS_JSON_REAL);
}

void pfs_json_wide_null(struct pfs_text *t, int width)
{
    pfs_text_addf(t, "%*s", width, "null");
}

/* How many bytes of the JSON string s, without its closing quote, fit into `most` without cutting an escape. */
static size_t fitting(const char *s, size_t most)
{
    size_t n = 0;
    while (s[n]) {
        bool pair = !strncmp(s + n, "\\ud", 3) && s[n + 3] >= '8' && s[n + 3] <= 'b';
        size_t step = s[n] != '\\' ? 1 : s[n + 1] != 'u' ? 2 : pair ? 12 : 6;
        if (n + step > most)
            break;
        n += step;
    }
    return n;
}

void pfs_json_wide_str(struct pfs_text *t, const char *s, size_t width)
{
    PFS_AUTO_TEXT struct pfs_text json = {0};
    size_t start = t->n;
    pfs_json_str(&json, s);
    if (json.failed)
        t->failed = true;
    else if (json.n <= width)
        pfs_text_bytes(t, json.s, json.n);
    else {
        pfs_text_bytes(t, json.s, fitting(json.s, width - 1));
        pfs_text_add(t, "\"");
    }
    pfs_json_pad(t, start, width);
}

void pfs_json_pad(struct pfs_text *t, size_t start, size_t width)
{
    if (!t->failed && t->n < start + width)
        pfs_text_fill(t, ' ', start + width - t->n);
}
