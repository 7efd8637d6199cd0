"""Whole-stack analysis on real images against NumPy, scikit-image and scikit-learn."""
import json

import numpy as np
import pytest
import tifffile

import sources

NEUBIAS = ["xyzc_16bit__spots", "xyz_8bit__mri_head", "xy_float__h2b_bg_corr", "xy_float__nuclei_probability",
           "xyc_16bit__nuclei_golgi", "xy_16bit__nuclei_high_dynamic_range", "xyz_8bit_binary__spots",
           "xyt_calibrated_16bit__golgi_bfa_sum_projection"]


def load(mount, shared, name):
    path = shared(f"neubias/{name}.tif")
    return mount(path), sources.planes_of(path)


def bands(pixels):
    return [pixels[:, :, c] for c in range(pixels.shape[2])]


def written(folder, pixels, name="a.tif"):
    """A hyperstack of any type: T, Z, C, Y, X."""
    tifffile.imwrite(folder / name, pixels, photometric="minisblack", metadata={"axes": "TZCYX"}, ome=True)
    return folder / name


@pytest.mark.parametrize("name", NEUBIAS)
def test_histogram_is_numpys(mount, shared, name):
    m, pixels = load(mount, shared, name)
    found = json.loads((m / "histogram.json").read_text())
    for c, band in enumerate(bands(pixels)):
        if band.dtype.itemsize <= 2:
            n = 1 << 8 * band.dtype.itemsize
            want, edges = np.bincount(band.ravel(), minlength=n), np.arange(n + 1)
        else:
            want, edges = np.histogram(band, bins=1024)
        assert found["exact"] == (band.dtype.itemsize <= 2)
        np.testing.assert_array_equal(found["counts"][c], want)
        np.testing.assert_allclose(found["edges"][c], edges, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", ["u4", "i4", "f4", "f8", "i2"])
def test_histogram_of_every_type(mount, folder, dtype):
    rng = np.random.default_rng(5)
    pixels = (rng.normal(0, 1, (2, 3, 2, 33, 47)) * 1e6 + 5e6).astype(dtype)
    m = mount(written(folder, pixels))
    found = json.loads((m / "histogram.json").read_text())
    stats = json.loads((m / "stats.json").read_text())
    for c, band in enumerate(bands(pixels)):
        if dtype != "i2":
            np.testing.assert_array_equal(found["counts"][c], np.histogram(band, bins=1024)[0])
        assert sum(found["counts"][c]) == band.size
        for key, q in (("p2", 2), ("p50", 50), ("p99_9", 99.9)):
            assert abs(stats[key][c] - np.percentile(band.astype("f8"), q)) <= np.ptp(band.astype("f8")) / 65536


def test_few_whole_numbers_of_a_wide_type_are_exact(mount, folder):
    rng = np.random.default_rng(6)
    pixels = (rng.poisson(40, (1, 3, 1, 64, 64)) + 4000000000).astype("u4")
    m = mount(written(folder, pixels))
    stats = json.loads((m / "stats.json").read_text())
    for key, q in (("p0_1", .1), ("p2", 2), ("p25", 25), ("p50", 50), ("p75", 75), ("p98", 98), ("p99_9", 99.9)):
        assert stats[key][0] == pytest.approx(np.percentile(pixels, q), abs=1e-5), key


@pytest.mark.parametrize("name", NEUBIAS)
def test_otsu_is_scikit_images(mount, shared, name):
    filters = pytest.importorskip("skimage.filters")
    m, pixels = load(mount, shared, name)
    found = json.loads((m / "segment.json").read_text())["otsu"]
    masks = tifffile.imread(m / "volume/otsu.tif").reshape(pixels.shape)
    for c, band in enumerate(bands(pixels)):
        want = filters.threshold_otsu(band.reshape(-1, band.shape[-1]))
        assert np.dtype(band.dtype).type(found[c]) == want
        np.testing.assert_array_equal(masks[:, :, c], np.where(band > want, 255, 0))


@pytest.mark.parametrize("scope", ["plane", "time"])
def test_scope_of_a_threshold(mount, shared, scope):
    filters = pytest.importorskip("skimage.filters")
    m, pixels = load(mount, shared, "xyzc_16bit__spots")
    masks = tifffile.imread(m / f"volume/otsu@scope={scope}.tif").reshape(pixels.shape)
    for t, z, c in np.ndindex(pixels.shape[:3]):
        learnt = pixels[t, z, c] if scope == "plane" else pixels[t, :, c].reshape(-1, pixels.shape[-1])
        want = np.where(pixels[t, z, c] > filters.threshold_otsu(learnt), 255, 0)
        np.testing.assert_array_equal(masks[t, z, c], want)


def inertia(values, centres):
    return min_distance(values, np.sort(np.asarray(centres, "f8"))).sum()


def min_distance(values, centres):
    at = np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
    return (values - centres[at]) ** 2


@pytest.mark.parametrize("name", NEUBIAS[:5])
@pytest.mark.parametrize("k", [2, 3, 5, 8])
def test_clusters_are_no_worse_than_scikit_learns(mount, shared, name, k):
    cluster = pytest.importorskip("sklearn.cluster")
    m, pixels = load(mount, shared, name)
    found = json.loads((m / "segment.json").read_text())["kmeans"][str(k)]
    labels = tifffile.imread(m / f"volume/kmeans{k}.tif").reshape(pixels.shape)
    for c, band in enumerate(bands(pixels)):
        values, weights = np.unique(band.astype("f8"), return_counts=True)
        centres = np.array([v for v in found[c] if v is not None])
        ours = (min_distance(values, centres) * weights).sum()
        theirs = min(cluster.KMeans(min(k, len(values)), n_init=10, random_state=i).fit(
            values[:, None], sample_weight=weights).inertia_ for i in range(2))
        assert ours <= theirs * (1 + 1e-6) + 1e-6
        bounds = (centres[1:] + centres[:-1]) / 2
        np.testing.assert_array_equal(labels[:, :, c], np.searchsorted(bounds, band.astype("f8")))


def test_simple_images_have_defined_results(mount, folder):
    """Constant, single pixel, nothing but NaN, two values, full range."""
    cases = {"constant": np.full((1, 1, 1, 8, 9), 7, "u2"), "pixel": np.full((1, 1, 1, 1, 1), 3, "u1"),
             "nan": np.full((1, 2, 1, 4, 4), np.nan, "f4"), "flat": np.full((1, 1, 1, 4, 4), 2.5, "f4"),
             "full": np.arange(65536, dtype="u2").reshape(1, 1, 1, 256, 256)}
    found = {}
    for name, pixels in cases.items():
        written(folder, pixels, name + ".tif")
    m = mount(folder)
    for name, pixels in cases.items():
        found[name] = json.loads((m / name / "segment.json").read_text())
        json.loads((m / name / "histogram.json").read_text())
        json.loads((m / name / "stats.json").read_text())
        tifffile.imread(m / name / "volume/otsu.tif")
        tifffile.imread(m / name / "volume/kmeans3.tif")
    assert found["constant"]["otsu"] == [7] and found["constant"]["kmeans"]["2"] == [[7, None]]
    assert found["pixel"]["otsu"] == [3]
    assert found["nan"]["otsu"] == [None] and found["nan"]["kmeans"]["2"] == [[None, None]]
    assert found["flat"]["otsu"] == [2.5]
    assert found["full"]["otsu"] == [32767]
    assert tifffile.imread(m / "full/volume/kmeans2.tif").sum() == 32768


def test_one_pass_serves_all(mount, shared):
    """stats, histogram, segment and masks come from the same partials: each plane is looked at once."""
    m, pixels = load(mount, shared, "xyz_8bit__mri_head")
    n = pixels.shape[1]
    (m / "stats.json").read_text()
    before = json.loads((m / ".planefs/status.json").read_text())["jobs_started"]
    assert before <= n + 1
    for name in ("histogram.json", "segment.json"):
        (m / name).read_text()
    after = json.loads((m / ".planefs/status.json").read_text())["jobs_started"]
    assert after == before + 2, "each report merges what is there"
    m.remount()
    (m / "stats.json").read_text()
    assert json.loads((m / ".planefs/status.json").read_text())["jobs_started"] == 0
