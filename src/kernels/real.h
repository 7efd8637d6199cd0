/* exp and sine in float64 from plain arithmetic: those of the C library differ in the last bit between CPU levels. */
#ifndef PLANEFS_KERNELS_REAL_H
#define PLANEFS_KERNELS_REAL_H

#include <math.h>

/* e^x, relative error below 1e-15; 0 below -745, infinity above 709. NaN stays NaN. */
static inline double pfs_exp(double x)
{
    if (!(x < 709.0))
        return isnan(x) ? x : (double)INFINITY;
    if (x < -745.0)
        return 0.0;
    double n = floor(x * 1.4426950408889634 + 0.5);
    double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33, sum = 1.0;    /* ln 2 in two parts */
    for (int i = 14; i > 0; i--)
        sum = 1.0 + sum * r / i;
    return ldexp(sum, (int)n);
}

/* sin x for 0 <= x <= pi/2, error below 1e-16. */
static inline double pfs_sin(double x)
{
    double term = x, sum = x;
    for (int i = 3; i < 28; i += 2) {
        term = -term * x * x / ((i - 1) * i);
        sum += term;
    }
    return sum;
}

#endif
