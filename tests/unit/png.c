/* PNG: the length promised, checksums by their definitions, pixels read back; and previews made of planes.
 *
 * `png DIR` writes images into DIR, for the tests that open them with other programs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "stand_in.h"

#include "files/png.h"

static uint32_t big(const char *s)
{
    const uint8_t *p = (const uint8_t *)s;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* CRC-32 bit by bit. */
static uint32_t crc(const char *p, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 8; k++) {
            uint32_t bit = (c ^ ((uint8_t)p[i] >> k)) & 1;
            c = c >> 1 ^ (bit ? 0xedb88320u : 0);
        }
    return ~c;
}

/* The chunk at *at, which moves behind it. */
static const char *chunk(const struct pfs_text *t, size_t *at, const char *name, size_t *n)
{
    *n = big(t->s + *at);
    assert_true(*at + 12 + *n <= t->n);
    assert_memory_equal(t->s + *at + 4, name, 4);
    assert_int_equal(big(t->s + *at + 8 + *n), crc(t->s + *at + 4, *n + 4));
    *at += 12 + *n;
    return t->s + *at - 4 - *n;
}

/* Undo the stored blocks; checks their framing and the Adler checksum. */
static char *inflate(const char *z, size_t n, size_t *ret_n)
{
    char *out = malloc(n);
    uint64_t a = 1, b = 0;
    size_t i = 2;
    assert_true(((uint8_t)z[0] * 256 + (uint8_t)z[1]) % 31 == 0 && (z[0] & 15) == 8);
    *ret_n = 0;
    for (bool last = false; !last;) {
        assert_true(i + 5 <= n && (z[i] & 0xfe) == 0);
        last = z[i];
        size_t len = (uint8_t)z[i + 1] | (size_t)(uint8_t)z[i + 2] << 8;
        assert_int_equal(len ^ 0xffff, (uint8_t)z[i + 3] | (size_t)(uint8_t)z[i + 4] << 8);
        assert_true(i + 5 + len + 4 <= n);
        memcpy(out + *ret_n, z + i + 5, len);
        *ret_n += len;
        i += 5 + len;
    }
    for (size_t k = 0; k < *ret_n; k++) {
        a = (a + (uint8_t)out[k]) % 65521;
        b = (b + a) % 65521;
    }
    assert_int_equal(big(z + i), b << 16 | a);
    assert_int_equal(i + 4, n);
    return out;
}

/* The pixels of an image; given. */
static uint8_t *read_back(const struct pfs_text *t, int64_t h, int64_t w)
{
    size_t at = 8, n, raw;
    assert_memory_equal(t->s, "\x89PNG\r\n\x1a\n", 8);
    const char *head = chunk(t, &at, "IHDR", &n);
    assert_true(n == 13 && big(head) == w && big(head + 4) == h);
    assert_memory_equal(head + 8, "\x08\0\0\0\0", 5);
    const char *data = chunk(t, &at, "IDAT", &n);
    char *rows = inflate(data, n, &raw);
    chunk(t, &at, "IEND", &n);
    assert_true(n == 0 && at == t->n);
    assert_int_equal(raw, h * (w + 1));
    uint8_t *px = malloc((size_t)(h * w));
    for (int64_t y = 0; y < h; y++) {
        assert_int_equal(rows[y * (w + 1)], 0);
        memcpy(px + y * w, rows + y * (w + 1) + 1, (size_t)w);
    }
    free(rows);
    return px;
}

static void images(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {
        {1, 1}, {1, 65534}, {1, 65535}, {2, 65535}, {1, 65536}, {512, 512}, {65535, 1}, {127, 515}, {300, 4000}
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int full = 0; full < 2; full++) {
            int64_t h = sizes[i][0], w = sizes[i][1];
            uint8_t *px = malloc((size_t)(h * w));
            for (int64_t k = 0; k < h * w; k++)
                px[k] = full ? 255 : (uint8_t)(k * 7 + k / 251);
            PFS_AUTO_TEXT struct pfs_text t = {0};
            pfs_png(&t, px, h, w);
            assert_int_equal(t.n, pfs_png_size(h, w));
            uint8_t *back = read_back(&t, h, w);
            assert_memory_equal(back, px, (size_t)(h * w));
            free(back);
            free(px);
        }
    assert_int_equal(pfs_png_size(0, 1), -1);
    assert_int_equal(pfs_png_size(1, INT64_MAX), -1);
    assert_int_equal(pfs_png_size(INT64_MAX / 2, 3), -1);
}

/* ---- previews ---- */

/* The preview of a plane, ph x pw. */
static uint8_t *preview(enum pfs_type type, bool big_endian, const void *px, int64_t h, int64_t w, int64_t ph,
                        int64_t pw)
{
    struct sample s;
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    int64_t size;
    make(&s, 1, 0, 1);
    s.view.shape.type = type;
    s.view.shape.y = h, s.view.shape.x = w;
    stand_in_plane = (struct pfs_pixels){px, h * w * (int64_t)pfs_type_size(type), big_endian};
    s.name.kind = kind("preview/{name}.png");
    assert_int_equal(s.name.kind->size(&s.name, &size, &err), 0);
    if (s.name.kind->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t.n, size);
    assert_int_equal(stand_in_open, 0);
    uint8_t *back = read_back(&t, ph, pw);
    pfs_text_finish(&t);
    drop(&s);
    return back;
}

/* A ramp keeps its order, is stretched over all grey values, and looks the same in either byte order. */
static void previews(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {
        {700, 1100, 326, 512}, {1100, 700, 512, 326}, {512, 512, 512, 512}, {3, 5, 3, 5}, {1, 20000, 1, 512},
        {20000, 1, 512, 1}, {513, 511, 512, 510}
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t h = sizes[i][0], w = sizes[i][1], n = sizes[i][2] * sizes[i][3];
        uint16_t *little = malloc((size_t)(h * w) * 2), *swapped = malloc((size_t)(h * w) * 2);
        for (int64_t k = 0; k < h * w; k++) {
            little[k] = (uint16_t)(1000 + k * 50000 / (h * w));
            swapped[k] = (uint16_t)(little[k] << 8 | little[k] >> 8);
        }
        uint8_t *a = preview(PFS_U16, false, little, h, w, sizes[i][2], sizes[i][3]);
        uint8_t *b = preview(PFS_U16, true, swapped, h, w, sizes[i][2], sizes[i][3]);
        assert_memory_equal(a, b, (size_t)n);
        for (int64_t k = sizes[i][3]; k < n; k++)
            assert_true(a[k] >= a[k - sizes[i][3]]);
        assert_true(a[0] == 0 && a[n - 1] == 255);
        int64_t black = 0, white = 0;
        for (int64_t k = 0; k < n; k++) {
            black += a[k] == 0;
            white += a[k] == 255;
        }
        if (n > 100000)                                    /* 0.175 % at each end, and what rounds to it */
            assert_true(black > n / 1000 && black < n / 100 && white > n / 1000 && white < n / 100);
        free(a);
        free(b);
        free(little);
        free(swapped);
    }
}

static void odd_previews(void **state)
{
    (void)state;
    enum { H = 40, W = 600 };
    static float px[H * W];
    uint8_t *p = preview(PFS_F64, false, (double[6]){0}, 2, 3, 2, 3);      /* of one value: black */
    for (int i = 0; i < 6; i++)
        assert_int_equal(p[i], 0);
    free(p);
    for (int i = 0; i < H * W; i++)
        px[i] = NAN;
    p = preview(PFS_F32, false, px, H, W, 34, 512);                        /* the first sample is 0, all others NaN */
    for (int i = 0; i < 34 * 512; i++)
        assert_int_equal(p[i], 0);
    free(p);
    for (int i = 0; i < H * W; i++)
        px[i] = i % W < 300 ? 1 : NAN;
    px[W - 1] = INFINITY;
    px[20 * W + 100] = 9;                                                  /* one bright spot is seen */
    p = preview(PFS_F32, false, px, H, W, 34, 512);
    assert_int_equal(p[17 * 512 + 86], 255);
    assert_int_equal(p[17 * 512 + 400], 0);
    free(p);
}

/* A plane that is not there any more, or has failed, is an error. */
static void failing(void **state)
{
    (void)state;
    struct sample s;
    struct pfs_text t = {0};
    struct pfs_err err = {0};
    make(&s, 1, 0, 1);
    const struct pfs_kind *k = kind("preview/{name}.png");
    stand_in_state = PFS_COLD;
    assert_int_equal(k->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err), -EIO);
    stand_in_state = PFS_ERROR;
    assert_int_equal(k->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err), -ETIMEDOUT);
    assert_string_equal(err.text, "too slow");
    stand_in_state = PFS_READY;
    stand_in_plane = (struct pfs_pixels){"", 0, false};
    assert_int_equal(k->text(NULL, &s.name, (struct pfs_blob){0}, &t, &err), -EINVAL);
    assert_int_equal(stand_in_open, 0);
    pfs_text_finish(&t);
    drop(&s);
}

static int write_images(const char *folder)
{
    static uint8_t px[300 * 400];
    char path[4096];
    PFS_AUTO_TEXT struct pfs_text t = {0};
    for (int i = 0; i < 300 * 400; i++)
        px[i] = (uint8_t)(i * 7 + i / 251);
    pfs_png(&t, px, 300, 400);
    snprintf(path, sizeof path, "%s/image.png", folder);
    FILE *f = fopen(path, "wb");
    if (!f)
        return perror(path), 1;
    fwrite(t.s, 1, t.n, f);
    return fclose(f) != 0;
}

int main(int n, char **arg)
{
    if (n > 1)
        return write_images(arg[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images), cmocka_unit_test(previews), cmocka_unit_test(odd_previews),
        cmocka_unit_test(failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
