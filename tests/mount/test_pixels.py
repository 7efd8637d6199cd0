"""Promise 3 for the source views: what is served is what tifffile, NumPy and ImageJ say it is."""
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

import harness
import sources

TIFFS = ["neubias", "exampletiffs", "misc", "hyperspectral", "derived_5d"]


def dataset_name(path):
    name = path.name
    for suffix in (".ome.tiff", ".ome.tif", ".tiff", ".tif"):
        if name.lower().endswith(suffix):
            return name[:-len(suffix)]
    return name


def slices(m, name, shape):
    """(t, z, c, path) of every plane of a dataset by its numbers."""
    for t in range(shape[0]):
        for z in range(shape[1]):
            for c in range(shape[2]):
                time = f"t{t}/" if shape[0] > 1 else ""
                yield t, z, c, m / f"{name}/slice/{time}z{z}/c{c}.tif"


def plane_name(shape, t, z, c):
    """NAME of a plane: axes longer than 1, or z alone with five digits."""
    if shape[0] == 1 and shape[2] == 1:
        return f"z{z:05}"
    parts = [f"{axis}{i:04}" for axis, i, n in zip("tzc", (t, z, c), shape) if n > 1]
    return "_".join(parts)


def compare(m, name, pixels):
    info = json.loads((m / name / "info.json").read_text())
    assert tuple(info["shape"]) == pixels.shape and info["dtype"] == pixels.dtype.name, name
    listed = sorted(p.name for p in (m / name / "source").iterdir())
    assert len(listed) == pixels.shape[0] * pixels.shape[1] * pixels.shape[2]
    for t, z, c, path in slices(m, name, pixels.shape):
        got = tifffile.imread(path)
        assert got.dtype.newbyteorder("=") == pixels.dtype, path
        np.testing.assert_array_equal(got, pixels[t, z, c], err_msg=str(path))
        flat = m / f"{name}/source/{plane_name(pixels.shape, t, z, c)}.tif"
        np.testing.assert_array_equal(tifffile.imread(flat), pixels[t, z, c], err_msg=str(flat))


@pytest.mark.parametrize("data", TIFFS)
def test_public_tiffs(mount, shared, folder, data):
    m = mount(shared(data))
    shown, compared = m.datasets(), 0
    for path in sorted(shared(data).glob("*.tif*")):
        pixels = sources.planes_of(path, folder)
        if pixels is None or pixels.nbytes > 40e6:
            continue
        name = path.name if path.name in shown else dataset_name(path)      # the full name where names collide
        if name not in shown and re.search(r"\d", path.name):
            continue                                                        # a section of a stack
        compare(m, name, pixels)
        compared += 1
    assert compared >= 2


SECTIONS = [("em_fibsem/sections", "iso.{}.tif", 2600),
            ("neubias/xyz_8bit__em_volume_tiff_series", "c_elegans_em_z{:04}.tif", 0)]


@pytest.mark.parametrize("data, pattern, first", SECTIONS)
def test_public_sections(mount, shared, data, pattern, first):
    """SOURCE is one section folder: the mount point is the dataset."""
    m = mount(shared(data))
    count = len(list(shared(data).glob("*.tif")))
    assert sorted(p.name for p in (m / "source").iterdir()) == [pattern.format(first + i) for i in range(count)]
    for z in range(first, first + count):
        name = pattern.format(z)
        want = tifffile.imread(shared(data) / name)
        np.testing.assert_array_equal(tifffile.imread(m / "source" / name), want)
        np.testing.assert_array_equal(tifffile.imread(m / f"slice/z{z}/c0.tif"), want)


def test_odd_encodings(mount, shared, folder):
    """Every depth, predictor, planar and tiled layout that tifffile can judge, one dataset each."""
    base = shared("tiff_variants")
    single = folder / "variants"
    single.mkdir()
    wanted = {}
    for i, path in enumerate(sorted(p for p in base.rglob("*") if p.suffix.lower() in (".tif", ".tiff"))):
        pixels = sources.planes_of(path, folder)
        if pixels is None or pixels.dtype.kind not in "uif" or path.stat().st_size > 4e6:
            continue
        name = f"{chr(97 + i // 26 % 26)}{chr(97 + i % 26)}{'x' * (i // 676)}-{path.parent.name}-v"
        (single / f"{name}.tif").write_bytes(path.read_bytes())
        wanted[name] = (path.name, pixels)
    m = mount(single)
    shown = set(m.datasets())
    assert len(wanted) > 60
    wrong, absent = [], []
    for name, (original, pixels) in wanted.items():
        if name not in shown:
            absent.append(f"{original}: {m.error(name + '.tif').strip()}")
            continue
        try:
            compare(m, name, pixels)
        except (AssertionError, OSError, KeyError) as problem:
            wrong.append(f"{original}: {str(problem).strip().splitlines()[0]}")
    assert not wrong, "\n".join(wrong)
    assert all(not line.endswith(": ") for line in absent), "absent without a reason:\n" + "\n".join(absent)


QUANTILES = {"p0_1": 0.1, "p2": 2, "p25": 25, "p50": 50, "p75": 75, "p98": 98, "p99_9": 99.9}


def expect_statistics(stats, pixels):
    for c in range(pixels.shape[2]):
        band = pixels[:, :, c]
        good = band[~np.isnan(band)] if band.dtype.kind == "f" else band.ravel()
        assert stats["count"][c] == good.size and stats["nan"][c] == band.size - good.size
        assert stats["min"][c] == good.min() and stats["max"][c] == good.max()
        wide = good.astype(np.float64)
        assert stats["mean"][c] == pytest.approx(wide.mean(), rel=1e-9, abs=1e-12)
        assert stats["std"][c] == pytest.approx(wide.std(), rel=1e-9, abs=1e-12)
        low, high = float(wide.min()), float(wide.max())
        for key, q in QUANTILES.items():
            if stats[key][c] is None and (band.dtype.kind == "f" or band.dtype.itemsize > 2):
                continue
            assert low <= stats[key][c] <= high, key
            exact = np.percentile(wide, q)
            step = 1 if band.dtype.kind in "ui" and band.dtype.itemsize <= 2 else (high - low) / 1024
            assert abs(stats[key][c] - exact) <= max(step, 1e-9 * abs(exact)), (key, stats[key][c], exact)


@pytest.mark.parametrize("name", ["neubias/xyzc_16bit__spots", "neubias/xyz_8bit__mri_head",
                                  "neubias/xy_float__h2b_bg_corr", "derived_5d/kidney_TZCYX_imagej"])
def test_statistics_equal_numpy(mount, shared, name):
    path = shared(name + ".tif")
    m = mount(path)
    pixels = sources.planes_of(path)
    stats = json.loads((m / "stats.json").read_text())
    assert stats["planefs"] == 1 and stats["axes"] == "TZCYX" and stats["ddof"] == 0
    assert tuple(stats["shape"]) == pixels.shape and stats["dtype"] == pixels.dtype.name
    expect_statistics(stats, pixels)
    everything = stats["all"]
    assert everything["count"] == pixels.size
    assert everything["min"] == pixels.min() and everything["max"] == pixels.max()
    assert everything["mean"] == pytest.approx(pixels.astype(np.float64).mean(), rel=1e-9)


@pytest.mark.part("stats.csv")
def test_table_of_planes(mount, shared):
    path = shared("neubias/xyzc_16bit__spots.tif")
    m = mount(path)
    pixels = sources.planes_of(path)
    lines = (m / "stats.csv").read_text().splitlines()
    assert lines[0] == "t,z,c,count,nan,min,max,mean,std,error"
    rows = [line.strip().split(",") for line in lines[1:]]
    assert len(rows) == pixels.shape[0] * pixels.shape[1] * pixels.shape[2]
    for row in rows:
        t, z, c = (int(v) for v in row[:3])
        plane = pixels[t, z, c].astype(np.float64)
        assert (int(row[3]), int(row[4]), row[9]) == (plane.size, 0, "ok")
        assert float(row[5]) == plane.min() and float(row[6]) == plane.max()
        assert float(row[7]) == pytest.approx(plane.mean(), rel=1e-9)
        assert float(row[8]) == pytest.approx(plane.std(), rel=1e-9)


BITS = {"uint8": 8, "uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "float32": 32}


def expect_plane(found, plane, where):
    assert found["mean"] == pytest.approx(plane.astype(np.float64).mean(), rel=1e-6, abs=1e-6), where
    assert found["min"] == pytest.approx(float(plane.min()), rel=1e-6), where
    assert found["max"] == pytest.approx(float(plane.max()), rel=1e-6), where


def test_imagej_opens_slices_and_sequences(mount, shared, imagej):
    m = mount(shared("neubias"))
    tasks, wanted = [], []
    for path in sorted(shared("neubias").glob("*.tif")):
        pixels = sources.planes_of(path)
        if pixels is None or pixels.dtype.name not in BITS or pixels.nbytes > 8e6 or pixels.shape[:3] == (1, 1, 1):
            continue
        order = list(np.ndindex(pixels.shape[:3]))
        tasks.append(("sequence", m / path.stem / "source"))
        wanted.append((pixels, order))
        for t, z, c, file in list(slices(m, path.stem, pixels.shape))[:4]:
            tasks.append(("open", file))
            wanted.append((pixels, [(t, z, c)]))
    assert len(tasks) > 30
    for (how, path), found, (pixels, order) in zip(tasks, imagej(tasks), wanted):
        assert (found["height"], found["width"]) == pixels.shape[3:], path
        assert found["bits"] == BITS[pixels.dtype.name], path
        assert len(found["planes"]) == len(order), path
        for one, at in zip(found["planes"], order):
            expect_plane(one, pixels[at], path)


@pytest.mark.part("volume")
def test_imagej_opens_volumes_as_hyperstacks(mount, shared, imagej):
    m = mount(shared("neubias"))
    names = ["xyzc_16bit__spots", "xyz_8bit__mri_head", "xyc_16bit__nuclei_golgi"]
    found = imagej([("open", m / f"{n}/volume/source.tif") for n in names])
    for name, image in zip(names, found):
        pixels = sources.planes_of(shared("neubias") / f"{name}.tif")
        t, z, c = pixels.shape[:3]
        assert (image["frames"], image["slices"], image["channels"]) == (t, z, c), name
        for i, one in enumerate(image["planes"]):
            expect_plane(one, pixels[i // (z * c), i // c % z, i % c], name)


def test_tools_of_the_trade_open_a_view(mount, folder):
    """One view folder as TiffSequence, dask glob and vips see it: same pixels, right order."""
    source = sources.sections(folder / "em", range(5, 12))
    m = mount(source)
    want = np.stack([tifffile.imread(p) for p in sorted(source.iterdir())])
    with tifffile.TiffSequence(str(m / "source" / "*.tif")) as sequence:
        np.testing.assert_array_equal(sequence.asarray(), want)
    dask_image = pytest.importorskip("dask.array.image")
    np.testing.assert_array_equal(dask_image.imread(str(m / "source" / "*.tif"), imread=tifffile.imread), want)


@pytest.mark.part("volume")
def test_volumes_equal_the_planes(mount, folder):
    source = sources.zoo(folder / "zoo")
    m = mount(source)
    for name in ("hyper", "real", "em", "motorola", "packed"):
        pixels = (np.stack([tifffile.imread(p) for p in sorted((source / "em").iterdir())])[None, :, None]
                  if name == "em" else sources.planes_of(source / f"{name}.tif"))
        flat = pixels.reshape(-1, *pixels.shape[3:])
        got = tifffile.imread(m / name / "volume/source.tif")
        np.testing.assert_array_equal(got.reshape(flat.shape), flat, err_msg=name)
        if harness.built("DATASET-VIEW.tif"):
            alias = m / name / f"volume/{name}-source.tif"
            assert alias.read_bytes() == (m / name / "volume/source.tif").read_bytes()


@pytest.mark.part("volume")
def test_other_containers_equal_the_planes(mount, folder):
    """OME-TIFF and NumPy files hold the same pixels as the slices."""
    source = sources.zoo(folder / "zoo")
    m = mount(source)
    pixels = sources.planes_of(source / "hyper.tif")
    volume = Path(m / "hyper/volume")
    got = tifffile.imread(volume / "source.ome.tif")
    np.testing.assert_array_equal(got.reshape(pixels.shape), pixels)
    np.testing.assert_array_equal(np.load(volume / "source.npy").reshape(pixels.shape), pixels)


@pytest.mark.part("zarr")
def test_zarr_equals_the_planes(mount, folder):
    zarr = pytest.importorskip("zarr")
    source = sources.zoo(folder / "zoo")
    pixels = sources.planes_of(source / "hyper.tif")
    got = zarr.open(str(mount(source) / "hyper/volume/source.ome.zarr/0"), mode="r")[:]
    np.testing.assert_array_equal(got, pixels.transpose(0, 2, 1, 3, 4))
