"""Error figures and tolerances for corrected planes, and where the reference files lie."""
import sys

import numpy as np
import pytest
import tifffile

import harness

sys.path.insert(0, str(harness.ROOT / "tests" / "golden"))
SMALL = harness.ROOT / "tests" / "golden" / "data"
LARGE = harness.SHARED.parent / "golden"
TABLES = harness.SHARED / "hifiem"

# rms, 99th percentile and maximum of the absolute error, and the least fraction of equal pixels
CHAIN = (0.15, 0.3, 6, 0)
ALONE = (0.01, 0.02, 0.05, 0)
CHAIN_U8 = (1, 0, 2, 0.999)
ALONE_U8 = (1, 0, 1, 0.9999)
ALONE_U16 = (2, 2, 65535, 0)


def golden(name):
    """A reference image; the test is skipped where it is one of the large ones and they are absent."""
    path = SMALL / name if (SMALL / name).exists() else LARGE / name
    if not path.exists():
        pytest.skip(f"{name} not at hand (PLANEFS_SHARED)")
    return tifffile.imread(path)


def tables():
    """info.h5 and polymodel.h5 of a real stack."""
    paths = [TABLES / "info.h5", TABLES / "polymodel.h5"]
    if not all(p.exists() for p in paths):
        pytest.skip("background tables not at hand (PLANEFS_SHARED)")
    return paths


def figures(got, want):
    assert got.shape == want.shape and got.dtype == want.dtype
    error = np.abs(got.astype(float) - want.astype(float))
    return float(np.sqrt((error ** 2).mean())), float(np.percentile(error, 99)), float(error.max()), \
        float((error == 0).mean())


def expect_near(got, want, tolerance, what):
    rms, p99, most, same = figures(got, want)
    good = rms <= tolerance[0] and p99 <= tolerance[1] and most <= tolerance[2] and same >= tolerance[3]
    assert good, f"{what}: rms {rms:.4f}, 99 % {p99:.4f}, maximum {most:.3f}, equal {same:.5f}; allowed {tolerance}"
