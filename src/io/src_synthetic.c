/* Synthetic volumes: a small text file becomes a stack of any size, computed where it is read.
 *
 * The file is a first line `planefs-synthetic 1`, then lines `key=value`, empty lines, and lines that begin with #.
 * The keys stand in the table below. A pixel is
 *
 *     scale * clamp(level + texture * T + stripes * S + background * B + noise * N, 0, 1)
 *
 * T: membranes and blobs of three sizes that continue through z; S: vertical stripes of four widths that change slowly
 * along y and from section to section; B: a quadratic in x, y, z; N: independent, nearly normal. All lie in -1 .. 1.
 * Everything comes from integer hashes and from sums and products of floats in one order, without the mathematical
 * library, so that every machine makes the same bits. Lattice noise after Perlin, An image synthesizer, 1985. */
#include <planefs/io.h>
#include <planefs/mem.h>
#include <planefs/text.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const struct pfs_driver pfs_driver_synthetic;

enum { FILE_MAX = 65536, SIDE = 1 << 20, LAYERS = 3, STRIPES = 4 };
static const char magic[] = "planefs-synthetic 1";

struct recipe {
    double t, z, c, y, x, seed;
    double level, texture, stripes, background, noise, scale;
    double voxel[3], interval;
    char type[12], unit[16];
};

static const struct key {
    const char *name, *doc;
    double value, min, max;      /* value: default; min > max: text */
    size_t offset, size;
} keys[] = {
#define NUMBER(field, doc, value, min, max) {#field, doc, value, min, max, offsetof(struct recipe, field), sizeof(double)}
#define TEXT(field, doc) {#field, doc, 0, 1, 0, offsetof(struct recipe, field), sizeof(((struct recipe *)0)->field)}
    NUMBER(t, "time points", 1, 1, SIDE),
    NUMBER(z, "sections", 1, 1, SIDE),
    NUMBER(c, "channels", 1, 1, SIDE),
    NUMBER(y, "rows", 512, 1, SIDE),
    NUMBER(x, "columns", 512, 1, SIDE),
    TEXT(type, "sample type as NumPy names it, default uint8; no int8"),
    NUMBER(seed, "another seed, another volume", 1, 0, 4294967295.0),
    NUMBER(level, "grey level in fractions of the scale", 0.5, 0, 1),
    NUMBER(texture, "amplitude of membranes and blobs", 0.2, 0, 1),
    NUMBER(stripes, "amplitude of vertical stripes", 0.05, 0, 1),
    NUMBER(background, "amplitude of the smooth background", 0.1, 0, 1),
    NUMBER(noise, "amplitude of the noise", 0.05, 0, 1),
    NUMBER(scale, "largest value, 0: the type's (1 for floats)", 0, 0, 1e15),
    {"voxel_z", "voxel depth in units, 0: unknown", 0, 0, 1e9, offsetof(struct recipe, voxel[0]), sizeof(double)},
    {"voxel_y", "voxel height in units", 0, 0, 1e9, offsetof(struct recipe, voxel[1]), sizeof(double)},
    {"voxel_x", "voxel width in units", 0, 0, 1e9, offsetof(struct recipe, voxel[2]), sizeof(double)},
    TEXT(unit, "unit of the voxel size"),
    NUMBER(interval, "seconds between time points, 0: unknown", 0, 0, 1e9),
};
enum { N_KEYS = sizeof keys / sizeof *keys };

struct lattice {                 /* rows of lattice noise at the two edges of the cell row that holds y */
    int64_t cell_y, row;         /* row: which cell row is held, -1 none */
    struct pfs_at at;
    float *low, *high;
};

struct synthetic {
    struct pfs_source source;
    struct pfs_series series;
    struct recipe r;
    int64_t file_size;
    struct lattice texture[LAYERS], stripes;
};

/* ---- the file ---- */

static int set_key(struct recipe *r, const char *name, const char *value, int line, struct pfs_err *err)
{
    const struct key *k = keys;
    while (k < keys + N_KEYS && strcmp(k->name, name))
        k++;
    if (k == keys + N_KEYS)
        return pfs_fail(err, EIO, "synthetic: line %d: unknown key \"%.40s\"", line, name);
    char *field = (char *)r + k->offset, *end;
    if (k->min > k->max) {
        if (strlen(value) >= k->size)
            return pfs_fail(err, EIO, "synthetic: line %d: %s (%s) is too long", line, name, k->doc);
        strcpy(field, value);
        return 0;
    }
    double v = strtod(value, &end);
    if (end == value || *end || !(v >= k->min && v <= k->max))
        return pfs_fail(err, EIO, "synthetic: line %d: %s (%s) must be %.10g to %.10g", line, name, k->doc, k->min, k->max);
    memcpy(field, &v, sizeof v);
    return 0;
}

static int parse(char *text, struct recipe *r, struct pfs_err *err)
{
    int line = 1;
    char *rest = text;
    for (char *p = strsep(&rest, "\n"); p; p = strsep(&rest, "\n"), line++) {
        p[strcspn(p, "\r")] = 0;
        if (line == 1 && strcmp(p, magic))
            return pfs_fail(err, EIO, "synthetic: the first line is not \"%s\"", magic);
        if (line == 1 || !*p || *p == '#')
            continue;
        char *eq = strchr(p, '=');
        if (!eq)
            return pfs_fail(err, EIO, "synthetic: line %d: no \"=\"", line);
        *eq = 0;
        int e = set_key(r, p, eq + 1, line, err);
        if (e < 0)
            return e;
    }
    return 0;
}

static int read_text(int fd, char **ret, int64_t *ret_n, struct pfs_err *err)
{
    PFS_AUTO_FREE char *s = pfs_array(FILE_MAX + 1, 1);
    int64_t n = 0;
    if (!s)
        return pfs_fail(err, ENOMEM, "synthetic: no memory");
    while (n < FILE_MAX) {
        ssize_t got = pread(fd, s + n, (size_t)(FILE_MAX - n), n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pfs_fail(err, EIO, "synthetic: %s", strerror(errno));
        if (got == 0)
            break;
        n += got;
    }
    if (n >= FILE_MAX)
        return pfs_fail(err, EFBIG, "synthetic: the file is longer than %d bytes", FILE_MAX);
    if (memchr(s, 0, (size_t)n))
        return pfs_fail(err, EIO, "synthetic: the file holds a zero byte");
    *ret = PFS_TAKE(s);
    *ret_n = n;
    return 0;
}

static double largest(enum pfs_type type)
{
    switch (type) {
    case PFS_U8: return 255;
    case PFS_U16: return 65535;
    case PFS_I16: return 32767;
    case PFS_U32: return 4294967295.0;
    case PFS_I32: return 2147483647.0;
    case PFS_F32: case PFS_F64: return 1;
    default: return 4503599627370496.0;
    }
}

static int set_series(struct synthetic *s, struct pfs_err *err)
{
    struct recipe *r = &s->r;
    struct pfs_shape *shape = &s->series.shape;
    enum pfs_type type = pfs_type_named(r->type);
    if (type == PFS_NONE || type == PFS_I8)
        return pfs_fail(err, EIO, "synthetic: \"%s\" is not a sample type", r->type);
    *shape = (struct pfs_shape){.t = (int64_t)r->t, .z = (int64_t)r->z, .c = (int64_t)r->c, .y = (int64_t)r->y,
                                .x = (int64_t)r->x, .type = type};
    memcpy(shape->cal.voxel, r->voxel, sizeof r->voxel);
    memcpy(shape->cal.unit, r->unit, sizeof r->unit);
    shape->cal.interval = r->interval;
    if (pfs_shape_plane_bytes(shape) > (int64_t)2 << 30 || pfs_shape_planes(shape) > 4 << 20)
        return pfs_fail(err, EFBIG, "synthetic: planes over 2 GiB, or more than 4194304 of them");
    if (!pfs_type_is_float(type) && r->scale > largest(type))
        return pfs_fail(err, EIO, "synthetic: a scale of %.10g does not fit %s", r->scale, r->type);
    r->scale = r->scale > 0 ? r->scale : largest(type);
    s->series.bits = 8 * (int)pfs_type_size(type);
    strcpy(s->series.format, "synthetic");
    strcpy(s->series.compression, "none");
    s->series.name = strdup("");
    return s->series.name ? 0 : pfs_fail(err, ENOMEM, "synthetic: no memory");
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
    v = (v ^ v >> 27) * 0x94d049bb133111ebu;
    return v ^ v >> 31;
}

static uint64_t chain(uint64_t seed, int64_t v)
{
    return mix(seed + 0x9e3779b97f4a7c15u + (uint64_t)v * 0xd1342543de82ef95u);
}

static float signed_unit(uint64_t h)      /* -1 .. 1 */
{
    return (float)(int32_t)(h >> 32) * (1.0f / 2147483648.0f);
}

/* ---- lattice noise ---- */

static float smooth(int64_t k, int64_t cell)
{
    float f = (float)k / (float)cell;
    return f * f * (3.0f - 2.0f * f);
}

struct layer { int64_t x, y, z; float weight; };       /* cell sizes */

/* A line of lattice noise at lattice row `ly`, interpolated along z and x, added to out. */
static void expand(uint64_t seed, struct layer l, int64_t ly, int64_t z, float *out, int64_t n)
{
    int64_t lz = z / l.z;
    float wz = smooth(z % l.z, l.z);
    uint64_t a = chain(chain(seed, lz), ly), b = chain(chain(seed, lz + 1), ly);
    float right = 0;
    for (int64_t lx = -1; lx * l.x < n; lx++) {
        float left = right, va = signed_unit(chain(a, lx + 1)), vb = signed_unit(chain(b, lx + 1));
        right = l.weight * (va + (vb - va) * wz);
        int64_t x0 = lx * l.x, end = n - x0 < l.x ? n - x0 : l.x;
        for (int64_t k = 0; lx >= 0 && k < end; k++)
            out[x0 + k] += left + (right - left) * smooth(k, l.x);
    }
}

static void hold(struct lattice *g, uint64_t seed, const struct layer *layers, int n_layers, struct pfs_at at, int64_t y,
                 int64_t n)
{
    int64_t row = y / g->cell_y;
    if (g->row == row && g->at.t == at.t && g->at.z == at.z && g->at.c == at.c)
        return;
    g->row = row;
    g->at = at;
    memset(g->low, 0, (size_t)n * sizeof *g->low);
    memset(g->high, 0, (size_t)n * sizeof *g->high);
    for (int i = 0; i < n_layers; i++) {
        uint64_t own = chain(seed, i);
        expand(own, layers[i], row, at.z, g->low, n);
        expand(own, layers[i], row + 1, at.z, g->high, n);
    }
}

static const struct layer textures[LAYERS] = {{160, 160, 24, 0.35f}, {40, 40, 8, 1.0f}, {9, 9, 3, 0.25f}};
static const struct layer stripe_layers[STRIPES] = {
    {1, 512, 1, 0.2f}, {4, 512, 1, 0.3f}, {14, 512, 1, 0.3f}, {48, 512, 1, 0.2f},
};

/* ---- a row ----
 * In pieces of PIECE pixels: loops of a fixed length become vector code at -O2, and a piece stays in the first cache. */

enum { PIECE = 64 };
#define PIECEWISE __attribute__((target_clones("avx2", "default"))) static

struct row {                     /* what all pieces of a row have in common */
    float a, b, c;               /* level and background: a + b i + c i^2 */
    struct { const float *low, *high; float w; } part[LAYERS + 1];
    float texture, stripes, noise;
    uint32_t seed;
};

static inline float positive(float v)     /* max(v, 0), without a branch */
{
    return 0.5f * (v + __builtin_fabsf(v));
}

PIECEWISE void begin_piece(const struct row *r, int64_t x0, float *restrict sum)
{
    int32_t from = (int32_t)x0;
    for (int32_t i = 0; i < PIECE; i++) {
        float x = (float)(from + i);
        sum[i] = r->a + (r->b + r->c * x) * x;
    }
}

PIECEWISE void add_blobs(const float *restrict low, const float *restrict high, float w, float amplitude, float *restrict sum)
{
    for (int i = 0; i < PIECE; i++)
        sum[i] += amplitude * (low[i] + (high[i] - low[i]) * w);
}

/* Membranes: dark lines where the noise changes sign. */
PIECEWISE void add_membranes(const float *restrict low, const float *restrict high, float w, float amplitude,
                          float *restrict sum)
{
    for (int i = 0; i < PIECE; i++) {
        float v = low[i] + (high[i] - low[i]) * w;
        sum[i] += amplitude * (0.4f - 0.8f * positive(1.0f - 10.0f * __builtin_fabsf(v)));
    }
}

/* The sum of four bytes of a hash: nearly normal, sigma 0.29. */
PIECEWISE void add_noise(const struct row *r, int64_t x0, float *restrict sum)
{
    uint32_t from = r->seed + (uint32_t)x0 * 0x9e3779b9u;
    float amplitude = r->noise;
    for (uint32_t i = 0; i < PIECE; i++) {
        uint32_t h = from + i * 0x9e3779b9u;
        h = (h ^ h >> 16) * 0x85ebca6bu;
        h = (h ^ h >> 13) * 0xc2b2ae35u;
        h ^= h >> 16;
        uint32_t pairs = (h & 0x00ff00ffu) + (h >> 8 & 0x00ff00ffu);
        sum[i] += amplitude * (float)((int32_t)((pairs & 0xffff) + (pairs >> 16)) - 510);
    }
}

static void begin_row(struct synthetic *s, struct pfs_at at, int64_t y, struct row *r)
{
    const struct pfs_shape *shape = &s->series.shape;
    double v = 2.0 * (double)y / (double)shape->y - 1, u = 2.0 * (double)at.z / (double)shape->z - 1;
    double k[3] = {-0.2 + 0.25 * v - 0.15 * v * v + 0.1 * u, 0.15 + 0.1 * v - 0.05 * u, 0.2};
    double d = 2.0 / (double)shape->x, amplitude = s->r.background;
    uint64_t seed = chain(chain(chain(mix((uint64_t)s->r.seed), 1), at.t), at.c);
    r->a = (float)(s->r.level + amplitude * (k[0] - k[1] + k[2]));
    r->b = (float)(amplitude * (k[1] - 2 * k[2]) * d);
    r->c = (float)(amplitude * k[2] * d * d);
    for (int i = 0; i <= LAYERS; i++) {
        struct lattice *g = i < LAYERS ? &s->texture[i] : &s->stripes;
        hold(g, chain(seed, 100 + i), i < LAYERS ? &textures[i] : stripe_layers, i < LAYERS ? 1 : STRIPES, at, y, shape->x);
        r->part[i].low = g->low;
        r->part[i].high = g->high;
        r->part[i].w = smooth(y % g->cell_y, g->cell_y);
    }
    r->texture = (float)s->r.texture;
    r->stripes = (float)s->r.stripes;
    r->noise = (float)s->r.noise * (1.0f / 510.0f);
    r->seed = (uint32_t)chain(chain(chain(seed, 300), at.z), y);
}

static void make_piece(const struct row *r, int64_t x0, float *sum)
{
    begin_piece(r, x0, sum);
    for (int i = 0; i < LAYERS; i++)
        (i == 1 ? add_membranes : add_blobs)(r->part[i].low + x0, r->part[i].high + x0, r->part[i].w, r->texture, sum);
    add_blobs(r->part[LAYERS].low + x0, r->part[LAYERS].high + x0, r->part[LAYERS].w, r->stripes, sum);
    add_noise(r, x0, sum);
}

/* Integers are clamped as integers: sums beyond 0 .. 1 are few, and never far beyond. */
#define STORE(NAME, TYPE, WORK, WHOLE) \
    PIECEWISE void store_##NAME(const float *restrict sum, double scale, TYPE *restrict dst) \
    { \
        WORK by = (WORK)scale; \
        WHOLE most = (WHOLE)scale; \
        for (int i = 0; i < PIECE; i++) { \
            WHOLE v = (WHOLE)((WORK)sum[i] * by + (WORK)0.5); \
            v = v < 0 ? 0 : v; \
            dst[i] = (TYPE)(v > most ? most : v); \
        } \
    }
#define STORE_REAL(NAME, TYPE) \
    PIECEWISE void store_##NAME(const float *restrict sum, double scale, TYPE *restrict dst) \
    { \
        for (int i = 0; i < PIECE; i++) \
            dst[i] = (TYPE)(1.0f - positive(1.0f - positive(sum[i]))) * (TYPE)scale; \
    }
STORE(u8, uint8_t, float, int32_t)
STORE(u16, uint16_t, float, int32_t)
STORE(u32, uint32_t, double, int64_t)
STORE(u64, uint64_t, double, int64_t)
STORE_REAL(f32, float)
STORE_REAL(f64, double)

static void store_piece(enum pfs_type type, const float *sum, double scale, void *dst)
{
    switch (type) {
    case PFS_U8: store_u8(sum, scale, dst); break;
    case PFS_U16: case PFS_I16: store_u16(sum, scale, dst); break;
    case PFS_U32: case PFS_I32: store_u32(sum, scale, dst); break;
    case PFS_F32: store_f32(sum, scale, dst); break;
    case PFS_F64: store_f64(sum, scale, dst); break;
    default: store_u64(sum, scale, dst); break;
    }
}

static void make_row(struct synthetic *s, struct pfs_at at, int64_t y, char *dst)
{
    enum pfs_type type = s->series.shape.type;
    int64_t n = s->series.shape.x, size = (int64_t)pfs_type_size(type);
    struct row r;
    float sum[PIECE];
    uint64_t last[PIECE];
    begin_row(s, at, y, &r);
    for (int64_t x = 0; x < n; x += PIECE) {
        make_piece(&r, x, sum);
        bool whole = n - x >= PIECE;
        store_piece(type, sum, s->r.scale, whole ? (void *)(dst + x * size) : last);
        if (!whole)
            memcpy(dst + x * size, last, (size_t)((n - x) * size));
    }
}

/* ---- the driver ---- */

static int synthetic_probe(const uint8_t *head, size_t n, const char *path)
{
    size_t k = sizeof magic - 1;
    (void)path;
    return n >= k && !memcmp(head, magic, k) && (n == k || head[k] == '\n' || head[k] == '\r') ? 100 : 0;
}

static void synthetic_close(struct pfs_source *source)
{
    struct synthetic *s = (struct synthetic *)source;
    for (int i = 0; i < LAYERS; i++) {
        free(s->texture[i].low);
        free(s->texture[i].high);
    }
    free(s->stripes.low);
    free(s->stripes.high);
    pfs_series_finish(&s->series);
    free(s);
}

static bool lattice_init(struct lattice *g, int64_t cell_y, int64_t n)
{
    g->cell_y = cell_y;
    g->row = -1;
    g->low = pfs_array(n + PIECE, sizeof *g->low);       /* a last piece may reach beyond the row */
    g->high = pfs_array(n + PIECE, sizeof *g->high);
    return g->low && g->high;
}

static int allocate(struct synthetic *s, struct pfs_err *err)
{
    int64_t n = s->series.shape.x;
    bool ok = lattice_init(&s->stripes, stripe_layers[0].y, n);
    for (int i = 0; i < LAYERS; i++)
        ok = ok && lattice_init(&s->texture[i], textures[i].y, n);
    return ok ? 0 : pfs_fail(err, ENOMEM, "synthetic: no memory for rows of %lld pixels", (long long)n);
}

static void set_defaults(struct recipe *r)
{
    for (int i = 0; i < N_KEYS; i++)
        if (keys[i].min <= keys[i].max)
            memcpy((char *)r + keys[i].offset, &keys[i].value, sizeof(double));
    strcpy(r->type, "uint8");
}

static int synthetic_open(const struct pfs_files *files, const char *name, struct pfs_source **ret, struct pfs_err *err)
{
    PFS_AUTO_CLOSE int fd = -1;
    PFS_AUTO_FREE char *text = NULL;
    int r = files->get(files->ctx, name, &fd, err);
    if (r < 0)
        return r;
    struct synthetic *s = pfs_array(1, sizeof *s);
    if (!s)
        return pfs_fail(err, ENOMEM, "synthetic: no memory");
    s->source = (struct pfs_source){&pfs_driver_synthetic, 1, &s->series};
    set_defaults(&s->r);
    if ((r = read_text(fd, &text, &s->file_size, err)) < 0 || (r = parse(text, &s->r, err)) < 0 ||
        (r = set_series(s, err)) < 0 || (r = allocate(s, err)) < 0)
        synthetic_close(&s->source);
    else
        *ret = &s->source;
    return r;
}

static int check_plane(const struct synthetic *s, int series, struct pfs_at at, struct pfs_err *err)
{
    if (series == 0 && pfs_at_inside(&s->series.shape, at))
        return 0;
    return pfs_fail(err, ENOENT, "synthetic: no plane t%lld z%lld c%lld in series %d", (long long)at.t, (long long)at.z,
                    (long long)at.c, series);
}

static int synthetic_rows(struct pfs_source *source, int series, struct pfs_at at, int64_t y0, int64_t n, void *dst,
                          struct pfs_err *err)
{
    struct synthetic *s = (struct synthetic *)source;
    const struct pfs_shape *shape = &s->series.shape;
    int64_t row = shape->x * (int64_t)pfs_type_size(shape->type);
    int r = check_plane(s, series, at, err);
    if (r < 0)
        return r;
    if (y0 < 0 || n < 0 || n > shape->y || y0 > shape->y - n)
        return pfs_fail(err, ENOENT, "synthetic: no rows %lld to %lld", (long long)y0, (long long)(y0 + n - 1));
    for (int64_t i = 0; i < n; i++)
        make_row(s, at, y0 + i, (char *)dst + i * row);
    return 0;
}

/* What is stored of a plane is the recipe; which plane it is stands in the key anyway. */
static int synthetic_extent(struct pfs_source *source, int series, struct pfs_at at, struct pfs_extent *ret,
                            struct pfs_err *err)
{
    struct synthetic *s = (struct synthetic *)source;
    *ret = (struct pfs_extent){.raw = -1, .stored = 0, .stored_size = s->file_size};
    return check_plane(s, series, at, err);
}

const struct pfs_driver pfs_driver_synthetic = {
    .name = "synthetic",
    .doc = "volumes from a formula, for tests and measurements",
    .rev = 1,
    .threads = PFS_THREADS_HANDLE,
    .probe = synthetic_probe,
    .open = synthetic_open,
    .rows = synthetic_rows,
    .extent = synthetic_extent,
    .close = synthetic_close,
};
