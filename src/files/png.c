/* Writes PNG images without compression: signature, IHDR, one IDAT, IEND. */
#include "files/png.h"

enum { BLOCK = 65535, ZLIB_HEAD = 2, BLOCK_HEAD = 5, ADLER = 4, CHUNK = 12, SIGNATURE = 8, IHDR = 13 };
static const int64_t most = (int64_t)1 << 30;

/* What the deflate stream holds: a filter byte (0: none) in front of each row. */
static int64_t raw_bytes(int64_t h, int64_t w)
{
    int64_t n;
    return h < 1 || w < 1 || w >= most || __builtin_mul_overflow(h, w + 1, &n) || n > most ? -1 : n;
}

static int64_t stream_bytes(int64_t raw)
{
    return ZLIB_HEAD + (raw + BLOCK - 1) / BLOCK * BLOCK_HEAD + raw + ADLER;
}

int64_t pfs_png_size(int64_t h, int64_t w)
{
    int64_t raw = raw_bytes(h, w);
    return raw < 0 ? -1 : SIGNATURE + CHUNK + IHDR + CHUNK + stream_bytes(raw) + CHUNK;
}

static void big_endian(struct pfs_text *t, uint32_t v)
{
    const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    pfs_text_bytes(t, b, 4);
}

static void fill_table(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

static uint32_t crc32(const char *p, size_t n)
{
    uint32_t table[256], c = 0xffffffffu;
    fill_table(table);
    for (size_t i = 0; i < n; i++)
        c = table[(c ^ (uint8_t)p[i]) & 255] ^ c >> 8;
    return ~c;
}

/* A chunk begins with its length and name; its checksum covers name and data. */
static size_t begin_chunk(struct pfs_text *t, int64_t n, const char name[5])
{
    big_endian(t, (uint32_t)n);
    pfs_text_bytes(t, name, 4);
    return t->n - 4;
}

static void end_chunk(struct pfs_text *t, size_t start)
{
    if (!t->failed)
        big_endian(t, crc32(t->s + start, t->n - start));
}

/* Adler-32 of the raw bytes: sums modulo 65521, taken often enough that 32 bits hold them. */
struct adler { uint32_t a, b; };

static void add_adler(struct adler *s, const uint8_t *p, int64_t n)
{
    for (int64_t i = 0; i < n;) {
        for (int64_t end = i + 5552 < n ? i + 5552 : n; i < end; i++) {
            s->a += p[i];
            s->b += s->a;
        }
        s->a %= 65521;
        s->b %= 65521;
    }
}

/* A stored block begins wherever the last one was full. */
struct stream { struct pfs_text *t; int64_t left, room; struct adler sum; };

static void put(struct stream *s, const uint8_t *p, int64_t n)
{
    add_adler(&s->sum, p, n);
    while (n) {
        if (!s->room) {
            s->room = s->left < BLOCK ? s->left : BLOCK;
            const uint16_t len = (uint16_t)s->room;
            const uint8_t head[BLOCK_HEAD] = {s->room == s->left, (uint8_t)len, (uint8_t)(len >> 8), (uint8_t)~len,
                                              (uint8_t)(~len >> 8)};
            pfs_text_bytes(s->t, head, BLOCK_HEAD);
        }
        int64_t part = n < s->room ? n : s->room;
        pfs_text_bytes(s->t, p, (size_t)part);
        p += part;
        n -= part;
        s->room -= part;
        s->left -= part;
    }
}

void pfs_png(struct pfs_text *t, const uint8_t *px, int64_t h, int64_t w)
{
    int64_t raw = raw_bytes(h, w);
    if (raw < 0)
        return;
    pfs_text_bytes(t, "\x89PNG\r\n\x1a\n", SIGNATURE);
    size_t chunk = begin_chunk(t, IHDR, "IHDR");
    big_endian(t, (uint32_t)w);
    big_endian(t, (uint32_t)h);
    pfs_text_bytes(t, "\x08\0\0\0\0", 5);            /* 8 bits, grey, deflate, adaptive filters, not interlaced */
    end_chunk(t, chunk);
    chunk = begin_chunk(t, stream_bytes(raw), "IDAT");
    pfs_text_bytes(t, "\x78\x01", ZLIB_HEAD);
    struct stream s = {t, raw, 0, {1, 0}};
    for (int64_t y = 0; y < h; y++) {
        put(&s, (const uint8_t *)"", 1);
        put(&s, px + y * w, w);
    }
    big_endian(t, s.sum.b << 16 | s.sum.a);
    end_chunk(t, chunk);
    chunk = begin_chunk(t, 0, "IEND");
    end_chunk(t, chunk);
}
