/* A growing buffer, and the two ways of showing foreign strings: as JSON and on a terminal. */
#include <planefs/text.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct pfs_text *t, size_t more)
{
    if (t->failed || more > SIZE_MAX / 2 - t->n)
        return !(t->failed = true);
    if (t->n + more + 1 <= t->cap)
        return true;
    size_t cap = t->cap ? t->cap * 2 : 64;
    if (cap < t->n + more + 1)
        cap = t->n + more + 1;
    char *s = realloc(t->s, cap);
    if (!s)
        return !(t->failed = true);
    t->s = s;
    t->cap = cap;
    return true;
}

void pfs_text_bytes(struct pfs_text *t, const void *p, size_t n)
{
    if (!reserve(t, n))
        return;
    if (n)
        memcpy(t->s + t->n, p, n);
    t->n += n;
    t->s[t->n] = 0;
}

void pfs_text_add(struct pfs_text *t, const char *s)
{
    pfs_text_bytes(t, s, strlen(s));
}

void pfs_text_addf(struct pfs_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(args, format);
    vsnprintf(t->s + t->n, (size_t)n + 1, format, args);
    va_end(args);
    t->n += (size_t)n;
}

void pfs_text_fill(struct pfs_text *t, char byte, size_t n)
{
    if (!reserve(t, n))
        return;
    memset(t->s + t->n, byte, n);
    t->n += n;
    t->s[t->n] = 0;
}

/* Decode one UTF-8 character; invalid bytes count one each and give U+FFFD. */
static uint32_t next_character(const unsigned char **s)
{
    const unsigned char *p = *s;
    int n = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 : *p >= 0xe0 && *p < 0xf0 ? 2 : *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
    uint32_t u = n <= 0 ? *p : *p & (0x3fu >> n);
    for (int i = 1; i <= n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            n = -1;
            break;
        }
        u = u << 6 | (p[i] & 0x3fu);
    }
    bool bad = n < 0 || (n == 2 && (u < 0x800 || (u >= 0xd800 && u < 0xe000))) || (n == 3 && (u < 0x10000 || u > 0x10ffff));
    *s = p + (bad ? 1 : n + 1);
    return bad ? 0xfffd : u;
}

static int json_character(uint32_t u, char out[16])
{
    if (u == '"' || u == '\\')
        return sprintf(out, "\\%c", (int)u);
    if (u >= 0x20 && u < 0x7f)
        return sprintf(out, "%c", (int)u);
    if (u >= 0x10000)
        return sprintf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (u >> 10)), (unsigned)(0xdc00 + (u & 0x3ff)));
    return sprintf(out, "\\u%04x", (unsigned)u);
}

void pfs_text_json(struct pfs_text *t, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    char out[16];
    pfs_text_add(t, "\"");
    while (*p) {
        int n = json_character(next_character(&p), out);
        pfs_text_bytes(t, out, (size_t)n);
    }
    pfs_text_add(t, "\"");
}

size_t pfs_json_length(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    char out[16];
    size_t n = 2;
    while (*p)
        n += (size_t)json_character(next_character(&p), out);
    return n;
}

void pfs_text_plain(struct pfs_text *t, const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++)
        if (*p < 0x20 || *p == 0x7f || *p == '\\' || (*p >= 0x80 && *p < 0xa0))
            pfs_text_addf(t, "\\x%02x", *p);
        else
            pfs_text_bytes(t, p, 1);
}

void pfs_text_finish(struct pfs_text *t)
{
    free(t->s);
    *t = (struct pfs_text){0};
}
