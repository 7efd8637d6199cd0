/* Counts of 8- and 16-bit values: taking them from a plane, and everything that follows exactly from them.
 *
 * Bin i holds value i, shifted so that signed types begin at 0. Packed bins are, per value that occurs, its distance
 * from the last one and its count, both as LEB128: a plane of a microscope takes some 50 kB, a constant one a few bytes. */
#include "ops/stats_counts.h"

#include <planefs/mem.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct pfs_percentile pfs_percentile[PFS_PERCENTILES] = {
    {"p0_1", 0.1 / 100}, {"p2", 2.0 / 100}, {"p25", 25.0 / 100}, {"p50", 50.0 / 100}, {"p75", 75.0 / 100},
    {"p98", 98.0 / 100}, {"p99_9", 99.9 / 100},
};

enum { FLUSH = 1 << 30 };                            /* pixels after which the 32-bit lanes are emptied */
const int64_t pfs_plane_max = (int64_t)1 << 40;

bool pfs_counts_fit(enum pfs_type type)
{
    return type == PFS_U8 || type == PFS_U16 || type == PFS_I8 || type == PFS_I16;
}

static int64_t first_value(enum pfs_type type)
{
    return type == PFS_I8 ? INT8_MIN : type == PFS_I16 ? INT16_MIN : 0;
}

/* The bin that the sample's bits fall into, seen as unsigned. */
static int bin_of_bits(enum pfs_type type, int bits)
{
    return type == PFS_I8 ? bits ^ 0x80 : type == PFS_I16 ? bits ^ 0x8000 : bits;
}

static void flush(enum pfs_type type, int n_values, uint32_t *lanes, uint64_t *count)
{
    for (int v = 0; v < n_values; v++) {
        uint64_t sum = 0;
        for (int l = 0; l < PFS_TALLY_LANES; l++)
            sum += lanes[l * n_values + v];
        count[bin_of_bits(type, v)] += sum;
    }
    memset(lanes, 0, (size_t)(PFS_TALLY_LANES * n_values) * sizeof *lanes);
}

int pfs_counts_plane(struct pfs_typed in, uint64_t *count, struct pfs_err *err)
{
    int n_values = pfs_type_size(in.type) == 1 ? 256 : PFS_COUNTS;
    PFS_AUTO_FREE uint32_t *lanes = pfs_array(PFS_TALLY_LANES * n_values, sizeof *lanes);
    int64_t pending = 0;
    if (!lanes)
        return pfs_fail(err, ENOMEM, "stats: no memory for a histogram");
    for (int64_t y = 0; y < in.h; y++) {
        const char *row = (const char *)in.px + y * in.row;
        for (int64_t x = 0; x < in.w; x += FLUSH) {
            int64_t n = in.w - x < FLUSH ? in.w - x : FLUSH;
            if (n_values == 256)
                pfs_tally_u8((const uint8_t *)row + x, n, lanes);
            else
                pfs_tally_u16((const uint16_t *)(const void *)row + x, n, lanes);
            if ((pending += n) > FLUSH) {
                flush(in.type, n_values, lanes, count);
                pending = 0;
            }
        }
    }
    flush(in.type, n_values, lanes, count);
    return 0;
}

/* Take the nodata value out of the counts. */
uint64_t pfs_counts_exclude(enum pfs_type type, double nodata, uint64_t *count)
{
    double bin = nodata - (double)first_value(type);
    if (!(bin >= 0 && bin < PFS_COUNTS) || bin != floor(bin))
        return 0;
    uint64_t n = count[(int)bin];
    count[(int)bin] = 0;
    return n;
}

/* Moments from counts. The mean comes from an exact sum; the squares about it are all positive, so their sum keeps its
 * digits too. */
struct pfs_moments pfs_counts_moments(enum pfs_type type, const uint64_t *count)
{
    struct pfs_moments m = {0};
    __int128 sum = 0;
    int64_t first = first_value(type), last = 0;
    for (int v = 0; v < PFS_COUNTS; v++) {
        if (!count[v])
            continue;
        if (!m.n)
            m.min.i = v + first;
        last = v + first;
        m.n += (int64_t)count[v];
        sum += (__int128)count[v] * (v + first);
    }
    m.max.i = last;
    m.mean = m.n ? (double)sum / (double)m.n : 0;
    for (int64_t v = m.min.i; m.n && v <= last; v++) {
        double d = (double)v - m.mean;
        m.m2 += d * d * (double)count[v - first];
    }
    return m;
}

/* NumPy's default (linear) rule for several quantiles in rising order: value (n-1) q of the sorted pixels. */
void pfs_counts_percentiles(enum pfs_type type, const uint64_t *count, int64_t n, double ret[PFS_PERCENTILES])
{
    uint64_t below = 0;                          /* pixels in the bins before v */
    int v = 0;
    for (int i = 0; i < PFS_PERCENTILES; i++) {
        double at = (double)(n - 1) * pfs_percentile[i].q;
        uint64_t rank = (uint64_t)at;
        double part = at - (double)rank;
        for (; below + count[v] <= rank; v++)
            below += count[v];
        int next = v;
        if (rank + 1 < (uint64_t)n && below + count[v] <= rank + 1)
            for (next++; !count[next]; next++)
                ;
        double a = (double)(v + first_value(type)), b = (double)(next + first_value(type));
        ret[i] = part >= 0.5 ? b - (b - a) * (1 - part) : a + (b - a) * part;
    }
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

static uint64_t get_varint(const uint8_t **p, const uint8_t *end)
{
    uint64_t v = 0;
    for (int shift = 0; *p < end && shift < 64; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            break;
    }
    return v;
}

void pfs_counts_pack(struct pfs_text *t, const uint64_t *count)
{
    enum { BIN_BYTES = 3 + 10 };                 /* at most: a distance below 2^21, and a count */
    int used = 0, last = 0;
    for (int v = 0; v < PFS_COUNTS; v++)
        used += count[v] != 0;
    PFS_AUTO_FREE uint8_t *bytes = pfs_array(used + 1, BIN_BYTES);
    uint8_t *p = bytes;
    for (int v = 0; p && v < PFS_COUNTS; v++)
        if (count[v]) {
            p = put_varint(put_varint(p, (uint64_t)(v - last)), count[v]);
            last = v;
        }
    size_t n = (size_t)(p - bytes), n_words = (n + 7) / 8;
    PFS_AUTO_FREE uint64_t *words = pfs_array((int64_t)n_words + 1, sizeof *words);
    if (!words || !bytes) {
        t->failed = true;
        return;
    }
    struct pfs_reader r = pfs_reader(bytes, n_words * 8);
    words[0] = n;
    for (size_t i = 1; i <= n_words; i++)
        words[i] = pfs_get_u64(&r);
    pfs_table_u64(t, "bins", words, (int64_t)n_words + 1);
}

/* Add a partial's bins to the counts; false when they are malformed. */
bool pfs_counts_add(const struct pfs_column *c, uint64_t *count)
{
    if (c->type != PFS_U64 || c->n < 1)
        return false;
    uint64_t bytes = (uint64_t)pfs_column_i64(c, 0), v = 0;
    if (bytes > (uint64_t)(c->n - 1) * 8)
        return false;
    for (const uint8_t *p = c->data + 8, *end = p + bytes; p < end; ) {
        v += get_varint(&p, end);
        uint64_t n = get_varint(&p, end);
        if (v >= PFS_COUNTS || n > (uint64_t)pfs_plane_max)
            return false;
        count[v] += n;
    }
    return true;
}
