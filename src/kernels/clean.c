/* Replacing what sums cannot bear. */
#include "kernels/clean.h"

#include <planefs/kernels/clones.h>

PFS_CLONES
void pfs_clean_row(const float *in, float instead_of_nan, float *out, int64_t n)
{
    const float most = 1e12f;
    PFS_IVDEP
    for (int64_t i = 0; i < n; i++) {
        float v = in[i] == in[i] ? in[i] : instead_of_nan;
        v = v > most ? most : v;
        out[i] = v < -most ? -most : v;
    }
}
