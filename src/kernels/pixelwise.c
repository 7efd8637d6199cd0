/* Rows of pixels, one at a time: inversion, reversal, and subtraction of a polynomial by Horner's rule. */
#include <planefs/kernels/pixelwise.h>

#include <planefs/kernels/clones.h>

#define INVERT_UNSIGNED(T) { \
        const T *s = in; T *d = out; T top = (T)(bits < 64 ? ((uint64_t)1 << bits) - 1 : UINT64_MAX); \
        PFS_IVDEP for (int64_t i = 0; i < n; i++) d[i] = (T)(top - (s[i] < top ? s[i] : top)); break; }
#define INVERT_SIGNED(T) { const T *s = in; T *d = out; \
        PFS_IVDEP for (int64_t i = 0; i < n; i++) d[i] = (T)~s[i]; break; }
#define INVERT_FLOAT(T) { const T *s = in; T *d = out; \
        PFS_IVDEP for (int64_t i = 0; i < n; i++) d[i] = (T)65535 - s[i]; break; }

PFS_CLONES
void pfs_invert_row(enum pfs_type type, int bits, const void *in, void *out, int64_t n)
{
    switch (type) {
    case PFS_U8: INVERT_UNSIGNED(uint8_t)
    case PFS_U16: INVERT_UNSIGNED(uint16_t)
    case PFS_U32: INVERT_UNSIGNED(uint32_t)
    case PFS_U64: INVERT_UNSIGNED(uint64_t)
    case PFS_I8: INVERT_SIGNED(int8_t)
    case PFS_I16: INVERT_SIGNED(int16_t)
    case PFS_I32: INVERT_SIGNED(int32_t)
    case PFS_I64: INVERT_SIGNED(int64_t)
    case PFS_F32: INVERT_FLOAT(float)
    case PFS_F64: INVERT_FLOAT(double)
    default: break;
    }
}

#define REVERSE(T) { const T *s = in; T *restrict d = out; for (int64_t i = 0; i < n; i++) d[i] = s[n - 1 - i]; break; }

PFS_CLONES
void pfs_reverse_row(enum pfs_type type, const void *in, void *out, int64_t n)
{
    switch (pfs_type_size(type)) {
    case 1: REVERSE(uint8_t)
    case 2: REVERSE(uint16_t)
    case 4: REVERSE(uint32_t)
    case 8: REVERSE(uint64_t)
    default: break;
    }
}

/* The degree is a constant in each use below, so that its loop unrolls into registers. */
PFS_INLINE void subtract(const float *in, float *out, int n, const double *c, int degree, double first, double step)
{
    PFS_IVDEP
    for (int i = 0; i < n; i++) {
        double u = (first + i) * step, p = c[degree];
        for (int k = degree - 1; k >= 0; k--)
            p = p * u + c[k];
        out[i] = (float)((double)in[i] - p);
    }
}

static void subtract_steep(const float *in, float *out, int n, const double *c, int degree, double first, double step)
{
    for (int i = 0; i < n; i++) {
        double u = (first + i) * step, p = c[degree];
        for (int k = degree - 1; k >= 0; k--)
            p = p * u + c[k];
        out[i] = (float)((double)in[i] - p);
    }
}

PFS_CLONES
static void subtract_part(const float *in, float *out, int n, const double *c, int degree, double first, double step)
{
    switch (degree) {
    case 0: subtract(in, out, n, c, 0, first, step); break;
    case 1: subtract(in, out, n, c, 1, first, step); break;
    case 2: subtract(in, out, n, c, 2, first, step); break;
    case 3: subtract(in, out, n, c, 3, first, step); break;
    case 4: subtract(in, out, n, c, 4, first, step); break;
    default: subtract_steep(in, out, n, c, degree, first, step); break;
    }
}

void pfs_subtract_polynomial_row(const float *in, float *out, int64_t n, const double *c, int degree, double first,
                                 double step)
{
    enum { PART = 1 << 20 };                /* a part's pixel numbers are ints, which become doubles quickly */
    for (int64_t x = 0; x < n; x += PART)
        subtract_part(in + x, out + x, (int)(n - x < PART ? n - x : PART), c, degree, first + (double)x, step);
}
