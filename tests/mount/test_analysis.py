"""Whole-stack analysis on real images against NumPy, scikit-image and scikit-learn."""
import json
import os

import numpy as np
import pytest
import tifffile

import harness
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
    """A file of T, Z, C, Y, X; types that ImageJ does not have are written as a plain stack."""
    if pixels.dtype.str[1:] in ("u1", "u2", "f4"):
        tifffile.imwrite(folder / name, pixels, imagej=True, metadata={"axes": "TZCYX"})
    else:
        assert pixels.shape[0] == pixels.shape[2] == 1
        tifffile.imwrite(folder / name, pixels[0, :, 0], photometric="minisblack")
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
    shape = (2, 3, 2, 33, 47) if dtype == "f4" else (1, 6, 1, 33, 47)
    pixels = (rng.normal(0, 1, shape) * (1e3 if dtype == "i2" else 1e6) + 5e3).astype("i8").astype(dtype)
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
    (folder / "in").mkdir()
    for name, pixels in cases.items():
        written(folder / "in", pixels, name + ".tif")
    m = mount(folder / "in")
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


# ---- components over the bands ----

CUBES = ["samson_contig_156spp_f32", "moffett_contig_189spp_f32", "corn_contig_580spp_u16", "samson_separate_156spp_u16",
         "samson_pages_u16_tiled_deflate", "samson_imagej_156slices_u16"]


def cube(path):
    """As bands, y, x in double."""
    a = tifffile.imread(path)
    if a.ndim == 3 and "contig" in path.name:
        a = np.moveaxis(a, -1, 0)
    return a.astype("f8")


def as_bands(folder, data, name="a.tif", nodata=None):
    """C bands of one image, as a hyperstack of channels."""
    extra = [(42113, "s", 0, str(nodata), True)] if nodata is not None else []
    tifffile.imwrite(folder / name, np.moveaxis(data, 0, -1), photometric="minisblack", metadata=None, extratags=extra,
                     planarconfig="contig" if len(data) > 1 else None)
    return folder / name


def expect_components(found, scores, data, n):
    """Against NumPy's eigenvectors; subspaces of eigenvalues that are nearly equal are left alone."""
    x = data.reshape(len(data), -1).T
    values, vectors = np.linalg.eigh(np.cov(x.T))
    values, vectors = values[::-1], vectors[:, ::-1].T
    np.testing.assert_allclose(found["mean"], x.mean(0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["explained_variance"], np.maximum(values, 0), rtol=1e-9, atol=1e-9 * values[0])
    np.testing.assert_allclose(found["explained_variance_ratio"], np.maximum(values, 0) / np.maximum(values, 0).sum(),
                               rtol=1e-9, atol=1e-9)
    for k in range(n):
        gap = min(values[k - 1] - values[k] if k else np.inf, values[k] - values[k + 1]) / values[k]
        mine = np.array(found["components"][k])
        assert mine[np.argmax(np.abs(mine))] > 0
        theirs = vectors[k] * np.sign(vectors[k][np.argmax(np.abs(mine))])
        np.testing.assert_allclose(mine, theirs, atol=max(1e-6, 1e-11 / gap))
        want = (x - x.mean(0)) @ mine
        np.testing.assert_allclose(scores[k].ravel(), want, rtol=1e-5, atol=1e-6 * np.abs(want).max())


@pytest.mark.parametrize("name", CUBES[:5])
def test_components_of_real_cubes(mount, shared, name):
    path = shared(f"hyperspectral/{name}.tif")
    data = cube(path)
    m = mount(path)
    shape = json.loads((m / "info.json").read_text())["shape"]
    if shape[2] != len(data):
        pytest.skip(f"this file's bands are not channels: {shape}")
    found = json.loads((m / "pca.json").read_text())
    with tifffile.TiffFile(m / "pca/3.tif") as t:
        assert t.imagej_metadata["channels"] == 3
        scores = t.asarray()
    assert scores.dtype == np.float32
    expect_components(found, scores, data, 3)


def test_components_are_scikit_learns(mount, shared):
    decomposition = pytest.importorskip("sklearn.decomposition")
    path = shared("hyperspectral/samson_contig_156spp_f32.tif")
    x = cube(path).reshape(156, -1).T
    theirs = decomposition.PCA(5, svd_solver="full").fit(x)
    m = mount(path)
    found = json.loads((m / "pca.json").read_text())
    np.testing.assert_allclose(found["explained_variance"][:5], theirs.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(found["explained_variance_ratio"][:5], theirs.explained_variance_ratio_, rtol=1e-9)
    for mine, other in zip(found["components"], theirs.components_):
        np.testing.assert_allclose(np.array(mine) * np.sign(np.dot(mine, other)), other, atol=1e-6)
    white = tifffile.imread(m / "pca@whiten=1/5.tif").reshape(5, -1)
    np.testing.assert_allclose(white.std(axis=1, ddof=1), 1, rtol=1e-4)


def hyper(folder, seed=3, shape=(2, 3, 5, 20, 30)):
    """Correlated bands of a stack with T and Z."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(0, 1, (shape[2], shape[2]))
    px = np.einsum("cd,tzdyx->tzcyx", mix, rng.normal(0, 1, shape)) * 50 + 1000
    return px.astype("f4")


def test_components_of_all_times_and_sections(mount, folder):
    px = hyper(folder)
    m = mount(written(folder, px))
    found = json.loads((m / "pca.json").read_text())
    scores = tifffile.imread(m / "pca/2.tif")
    data = np.moveaxis(px.astype("f8"), 2, 0)
    assert scores.shape == (2, 3, 2, 20, 30)
    expect_components(found, np.moveaxis(scores, 2, 0).reshape(2, -1), data, 2)
    with pytest.raises(FileNotFoundError):
        (m / "pca/6.tif").stat()


def test_options_of_components(mount, folder):
    px = hyper(folder)
    px[:, :, 2] *= 40
    m = mount(written(folder, px))
    x = np.moveaxis(px.astype("f8"), 2, -1).reshape(-1, 5)
    standard = json.loads((m / "pca@standardize=1.json").read_text())
    np.testing.assert_allclose(standard["explained_variance"], np.linalg.eigvalsh(np.corrcoef(x.T))[::-1], rtol=1e-9)
    scores = np.moveaxis(tifffile.imread(m / "pca@standardize=1/2.tif"), 2, -1).reshape(-1, 2)
    want = ((x - x.mean(0)) / x.std(0, ddof=1)) @ np.array(standard["components"][:2]).T
    np.testing.assert_allclose(scores, want, rtol=1e-4, atol=1e-5)
    raw = json.loads((m / "pca@center=0.json").read_text())
    np.testing.assert_allclose(raw["explained_variance"], np.linalg.eigvalsh(x.T @ x / (len(x) - 1))[::-1], rtol=1e-9)
    assert raw["mean"] == [0] * 5
    some = json.loads((m / "pca@leave_out=1:2.json").read_text())
    np.testing.assert_allclose(some["explained_variance"][:3], np.linalg.eigvalsh(np.cov(x[:, [0, 3, 4]].T))[::-1],
                               rtol=1e-9)
    assert some["explained_variance"][3:] == [None, None] and some["mean"][1:3] == [None, None]
    assert some["components"][0][1:3] == [0, 0]
    with pytest.raises(FileNotFoundError):
        (m / "pca@standardise=1.json").stat()


def test_nodata_and_nan_leave_components_where_they_were(mount, folder):
    rng = np.random.default_rng(9)
    px = hyper(folder, shape=(1, 1, 6, 64, 64))[0, 0]
    holes = px.copy()
    gone = rng.random(px.shape[1:]) < 0.03
    holes[:, gone] = -9999
    nan = px.copy()
    nan[rng.integers(0, 6, gone.sum()), *np.nonzero(gone)] = np.nan
    (folder / "in").mkdir()
    as_bands(folder / "in", holes, "holes.tif", nodata=-9999)
    as_bands(folder / "in", nan, "nan.tif")
    x = px[:, ~gone].astype("f8")
    values = np.linalg.eigvalsh(np.cov(x))[::-1]
    m = mount(folder / "in")
    for name in ("holes", "nan"):
        found = json.loads((m / name / "pca.json").read_text())
        np.testing.assert_allclose(found["explained_variance"], values, rtol=1e-9)
        np.testing.assert_allclose(found["mean"], x.mean(1), rtol=1e-9)
        score = tifffile.imread(m / name / "pca/1.tif")
        np.testing.assert_array_equal(np.isnan(score), gone)
    stats = json.loads((m / "holes/stats.json").read_text())
    assert stats["count"] == [int((~gone).sum())] * 6 and stats["nan"] == [int(gone.sum())] * 6
    np.testing.assert_allclose(stats["mean"], x.mean(1), rtol=1e-9)


def test_simple_cubes_have_defined_components(mount, folder):
    (folder / "in").mkdir()
    cases = {"constant": np.full((3, 8, 8), 5, "u2"), "pixel": np.arange(4, dtype="f4").reshape(4, 1, 1),
             "two": np.random.default_rng(1).normal(0, 1, (2, 9, 9)).astype("f4"), "one": np.ones((1, 5, 5), "u2")}
    cases["nan"] = np.where(np.arange(3)[:, None, None] == 1, np.nan, 1).astype("f4") * np.ones((3, 6, 6), "f4")
    for name, data in cases.items():
        as_bands(folder / "in", data, name + ".tif")
    m = mount(folder / "in")
    found = {n: json.loads((m / n / "pca.json").read_text()) for n in ("constant", "pixel", "two", "nan")}
    assert found["constant"]["explained_variance"] == [0, 0, 0]
    assert found["constant"]["explained_variance_ratio"] == [None] * 3
    assert found["pixel"]["mean"] == [0, 1, 2, 3] and found["pixel"]["explained_variance"] == [0] * 4
    assert found["nan"]["mean"] == [None] * 3
    assert not tifffile.imread(m / "constant/pca/2.tif").any()
    assert np.isnan(tifffile.imread(m / "nan/pca/1.tif")).all()
    expect_components(found["two"], tifffile.imread(m / "two/pca/2.tif"), cases["two"].astype("f8"), 1)
    assert not (m / "one/pca.json").exists()


# ---- projections ----

@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_projections_along_z_and_t(mount, folder, dtype):
    (folder / "in").mkdir()
    deep = sources.texture((2, 7, 3, 50, 61), dtype)
    movie = sources.texture((5, 1, 2, 40, 33), dtype, seed=4)
    written(folder / "in", deep, "deep.tif")
    written(folder / "in", movie, "movie.tif")
    m = mount(folder / "in")
    for name, px, axis in (("deep", deep, 1), ("movie", movie, 0)):
        wide = px.astype("f8")
        want = {"max": px.max(axis), "min": px.min(axis), "mean": wide.mean(axis), "sum": wide.sum(axis),
                "std": wide.std(axis, ddof=1)}
        for kind, expected in want.items():
            with tifffile.TiffFile(m / name / f"projection/{kind}.tif") as t:
                got = t.asarray()
                assert t.imagej_metadata["channels"] == px.shape[2]
            assert got.dtype == (px.dtype if kind in ("max", "min") else np.float32)
            np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=2e-7, atol=1e-7, err_msg=kind)


def test_projection_of_another_view_and_of_sections(mount, folder):
    source = sources.sections(folder / "em", range(5, 12))
    m = mount(source)
    stack = np.stack([tifffile.imread(p) for p in sorted(source.iterdir())])
    np.testing.assert_array_equal(tifffile.imread(m / "projection/max.tif"), stack.max(0))
    np.testing.assert_array_equal(tifffile.imread(m / "projection/max@of=inverted.tif"), (65535 - stack).max(0))
    np.testing.assert_array_equal(tifffile.imread(m / "projection/min@roi=3:4:20:30.tif"), stack.min(0)[3:23, 4:34])


def test_projection_leaves_nan_out(mount, folder):
    px = sources.texture((1, 6, 1, 20, 20), "f4")
    px[0, 2:4, 0, 5:9] = np.nan
    px[0, :, 0, 0, 0] = np.nan
    m = mount(written(folder, px))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(tifffile.imread(m / "projection/max.tif"), np.nanmax(px[0, :, 0], 0))
        np.testing.assert_allclose(tifffile.imread(m / "projection/mean.tif"), np.nanmean(px[0, :, 0].astype("f8"), 0),
                                   rtol=1e-6)


# ---- lines, bad sections ----

def jobs(m):
    return json.loads((m / ".planefs/status.json").read_text())["jobs_started"]


def test_head_computes_what_it_prints(mount, folder):
    source = sources.sections(folder / "em", range(100, 160))
    m = mount(source)
    before = jobs(m)
    lines = harness.check("head", "-5", m / "stats.csv").decode().splitlines()
    assert lines[0] == "t,z,c,count,nan,min,max,mean,std,error" and len(lines) == 5
    assert jobs(m) - before == 4
    assert [int(line.strip().split(",")[1]) for line in lines[1:]] == [100, 101, 102, 103]
    whole = (m / "stats.csv").read_text()
    assert len(whole) == (m / "stats.csv").stat().st_size and len(whole.splitlines()) == 61
    assert whole.startswith("\n".join(lines))
    (m / "stats.json").read_text()
    assert jobs(m) - before == 61, "the report merges what the lines have taught"


def test_table_in_other_programs(mount, folder):
    pandas = pytest.importorskip("pandas")
    px = hyper(folder)
    px[0, 1, 2, :3] = np.nan
    m = mount(written(folder, px))
    table = pandas.read_csv(m / "stats.csv", skipinitialspace=True)
    assert len(table) == 30 and set(table["error"]) == {"ok"} and table["nan"].sum() == 90
    flat = px.reshape(30, -1).astype("f8")
    np.testing.assert_allclose(table["mean"], np.nanmean(flat, 1), rtol=1e-9)
    np.testing.assert_allclose(table["std"], np.nanstd(flat, 1), rtol=1e-9)
    rows = np.loadtxt(m / "stats.csv", delimiter=",", skiprows=1, usecols=range(9))
    np.testing.assert_array_equal(rows[:, 5], np.nanmin(flat, 1))
    total = harness.check("awk", "-F,", "NR > 1 {n += $4} END {print n}", m / "stats.csv")
    assert int(total) == px.size - 90


def broken(folder):
    source = sources.sections(folder / "em", range(20, 28), compression="zlib", rowsperstrip=8)
    path = source / "sec_0023.tif"
    data = bytearray(path.read_bytes())
    data[len(data) // 2:len(data) // 2 + 400] = b"\xff" * 400
    path.write_bytes(data)
    with pytest.raises(Exception):
        tifffile.imread(path)
    return source


def test_a_bad_section_has_its_line_and_its_name(mount, folder):
    m = mount(broken(folder))
    lines = [line.strip().split(",") for line in (m / "stats.csv").read_text().splitlines()[1:]]
    assert [line[9] for line in lines] == ["ok"] * 3 + ["EIO"] + ["ok"] * 4
    assert lines[3][3:9] == ["nan"] * 6
    with pytest.raises(OSError):
        (m / "stats.json").read_text()
    assert "sec_0023" in (m / "stats.json.error").read_text()
    with pytest.raises(OSError):
        (m / "projection/max.tif").read_bytes()


def test_bad_sections_may_be_left_out(mount, folder):
    source = broken(folder)
    (source / "planefs.ini").write_text('[dataset "*"]\non_bad = zeros\n')
    m = mount(source)
    stats = json.loads((m / "stats.json").read_text())
    good = np.stack([tifffile.imread(p) for p in sorted(source.glob("*.tif")) if "0023" not in p.name])
    assert stats["skipped"] == [23] and stats["all"]["count"] == good.size
    assert stats["all"]["mean"] == pytest.approx(good.mean(), rel=1e-9)
    assert json.loads((m / "segment.json").read_text())["otsu"][0] > 0


def test_reports_of_a_view(mount, folder):
    source = sources.sections(folder / "em", range(5, 12))
    m = mount(source)
    stack = np.stack([tifffile.imread(p) for p in sorted(source.iterdir())])
    for name in ("stats@of=inverted.json", "stats@of=inverted.csv", "histogram@of=inverted.json",
                 "segment@of=inverted.json"):
        assert (m / name).read_text()
    stats = json.loads((m / "stats@of=inverted.json").read_text())
    assert stats["all"]["mean"] == pytest.approx((65535 - stack).mean(), rel=1e-9)
    with pytest.raises(FileNotFoundError):
        (m / "stats@of=nothing.json").stat()


def test_progress_is_told(mount, folder):
    """A job over the whole stack says how far it is, in its state and among the jobs."""
    import threading
    (folder / "in").mkdir()
    (folder / "in/big.synth").write_text("planefs-synthetic 1\nz=600\ny=1024\nx=1024\nnoise=0.1\n")
    m = mount(folder / "in")
    report = next(m.path.glob("**/stats.json"))
    reader = threading.Thread(target=report.read_text)
    reader.start()
    states, etas = set(), []
    while reader.is_alive():
        states.add(os.getxattr(report, "user.planefs.state").decode())
        etas += [j for j in json.loads((m / ".planefs/jobs.json").read_text()) if j["path"].endswith("stats.json")]
    reader.join()
    assert any(s.startswith("running ") and s.endswith("%") for s in states), states
    assert any(0 < j["percent"] < 100 and j["eta"] is not None for j in etas)
    assert os.getxattr(report, "user.planefs.state") == b"ready"
