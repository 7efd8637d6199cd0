/* Converting planes from one sample type to another. */
#include <planefs/plane.h>

#include <math.h>
#include <string.h>

/* One loop per pair of types: a row at a time, so that the compiler can use wide vectors. */
#define PAIR(FROM, TO) \
    { const FROM *s = from; TO *d = to; for (int64_t i = 0; i < n; i++) d[i] = (TO)s[i]; } break
#define FROM(FT) \
    switch (to_type) { \
    case PFS_U8:  PAIR(FT, uint8_t);  case PFS_U16: PAIR(FT, uint16_t); case PFS_U32: PAIR(FT, uint32_t); \
    case PFS_U64: PAIR(FT, uint64_t); case PFS_I8:  PAIR(FT, int8_t);   case PFS_I16: PAIR(FT, int16_t); \
    case PFS_I32: PAIR(FT, int32_t);  case PFS_I64: PAIR(FT, int64_t);  case PFS_F32: PAIR(FT, float); \
    case PFS_F64: PAIR(FT, double);   default: break; } break

static void convert_row(enum pfs_type from_type, const void *from, enum pfs_type to_type, void *to, int64_t n)
{
    switch (from_type) {
    case PFS_U8: FROM(uint8_t);
    case PFS_U16: FROM(uint16_t);
    case PFS_U32: FROM(uint32_t);
    case PFS_U64: FROM(uint64_t);
    case PFS_I8: FROM(int8_t);
    case PFS_I16: FROM(int16_t);
    case PFS_I32: FROM(int32_t);
    case PFS_I64: FROM(int64_t);
    case PFS_F32: FROM(float);
    case PFS_F64: FROM(double);
    default: break;
    }
}

void pfs_convert(struct pfs_typed in, struct pfs_typed out)
{
    for (int64_t y = 0; y < in.h; y++) {
        const void *s = (const char *)in.px + y * in.row;
        void *d = (char *)out.px + y * out.row;
        if (in.type == out.type)
            memmove(d, s, (size_t)in.w * pfs_type_size(in.type));
        else
            convert_row(in.type, s, out.type, d, in.w);
    }
}
