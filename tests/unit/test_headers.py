"""Synthesised TIFF headers, opened by the programs users have: tifffile, libtiff, libvips, ImageJ.

Needs no mount: build/tests/unit/tiff_header writes sample files of every type, byte order and form."""
import itertools
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import tifffile

HELPER = os.path.join(os.environ.get("PLANEFS_BUILD", "build"), "tests/unit/tiff_header")
TYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
DIMS = [(1, 1, 1), (2, 3, 2), (1, 5, 1)]
Y, X = 13, 37

pytestmark = pytest.mark.skipif(not os.path.exists(HELPER), reason="build the unit tests first: make unit")


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headers")
    subprocess.run([HELPER, folder], check=True)
    return folder


def expected(dtype, dims):
    n = dims[0] * dims[1] * dims[2]
    p, y, x = np.ogrid[:n, :Y, :X]
    v = (1000 * p + 31 * y + 7 * x) % 251
    if np.dtype(dtype).kind == "i":
        v = v - (125 if dtype == "int8" else 100)
    if np.dtype(dtype).kind == "f":
        v = v + 0.25
    return v.astype(dtype)


def name(dtype, order, dims, big):
    return f"{dtype}_{order}_{'x'.join(map(str, dims))}{'_big' if big else ''}.tif"


def every(big=(False, True)):
    return [pytest.param(*case, id=name(*case)) for case in itertools.product(TYPES, ("le", "be"), DIMS, big)]


@pytest.mark.parametrize("dtype,order,dims,big", every())
def test_tifffile(samples, dtype, order, dims, big):
    with tifffile.TiffFile(samples / name(dtype, order, dims, big)) as f:
        assert f.is_imagej and f.is_bigtiff == big
        assert f.byteorder == {"le": "<", "be": ">"}[order]
        want = expected(dtype, dims)
        got = f.asarray()
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.reshape(want.shape), want)
        assert got.shape == tuple(n for n in (*dims, Y, X) if n > 1)
        assert len(f.pages) == len(want)
        meta = f.imagej_metadata
        assert meta["unit"] == "um" and meta["spacing"] == 0.3 and meta["finterval"] == 5
        num, den = f.pages[0].tags["XResolution"].value
        assert den / num == pytest.approx(0.1, rel=1e-12)
        num, den = f.pages[-1].tags["YResolution"].value
        assert den / num == pytest.approx(0.0656, rel=1e-12)
        assert "Orientation" not in f.pages[0].tags
    mapped = tifffile.memmap(samples / name(dtype, order, dims, big), mode="r")
    np.testing.assert_array_equal(mapped.reshape(want.shape), want)


@pytest.mark.skipif(not shutil.which("tiffinfo"), reason="no tiffinfo")
@pytest.mark.parametrize("dtype,order,dims,big", every())
def test_libtiff(samples, dtype, order, dims, big):
    r = subprocess.run(["tiffinfo", samples / name(dtype, order, dims, big)], capture_output=True, text=True)
    assert r.returncode == 0 and r.stderr == ""
    n = dims[0] * dims[1] * dims[2]
    bits = 8 * np.dtype(dtype).itemsize
    assert r.stdout.count(f"Image Width: {X} Image Length: {Y}") == n
    assert r.stdout.count(f"Bits/Sample: {bits}") == n
    kind = {"u": "unsigned integer", "i": "signed integer", "f": "IEEE floating point"}[np.dtype(dtype).kind]
    assert r.stdout.count(f"Sample Format: {kind}") == n
    assert r.stdout.count("Compression Scheme: None") == n
    assert r.stdout.count("ImageJ=1.53t") == 1


@pytest.mark.skipif(not shutil.which("vips"), reason="no vips")
@pytest.mark.parametrize("dtype,order,dims,big", [p for p in every() if "int64" not in p.id and "float64" not in p.id])
def test_libvips(samples, tmp_path, dtype, order, dims, big):
    """libvips reads no 64-bit samples, whoever wrote them."""
    path = f"{samples / name(dtype, order, dims, big)}[n=-1]"
    raw = tmp_path / "pixels.v"
    r = subprocess.run(["vips", "rawsave", path, raw], capture_output=True, text=True)
    assert r.returncode == 0 and r.stderr == ""
    want = expected(dtype, dims)
    np.testing.assert_array_equal(np.fromfile(raw, dtype).reshape(want.shape), want)


def test_beyond_4_gib(samples):
    """One IFD and images=N for ImageJ and tifffile; every IFD in the BigTIFF."""
    for n, ifds in ("huge.tif", 1), ("huge_big.tif", 6):
        with tifffile.TiffFile(samples / n) as f:
            assert f.is_bigtiff == (ifds == 6)
            assert f.series[0].shape == (2, 3, 30000, 30000)
        mapped = tifffile.memmap(samples / n, mode="r")
        assert mapped[-1, -1, -1, -1] == 77 and mapped[-1, -1, -1, -2] == 0
        assert os.path.getsize(samples / n) == mapped.offset + mapped.nbytes
        r = subprocess.run(["tiffinfo", samples / n], capture_output=True, text=True)
        assert r.stdout.count("Image Width: 30000") == ifds and r.stderr == ""


def test_npy(tmp_path):
    subprocess.run([os.path.join(os.path.dirname(HELPER), "files"), tmp_path], check=True)
    for mode in (None, "r"):
        a = np.load(tmp_path / "volume.npy", mmap_mode=mode)
        assert a.shape == (1, 2, 3, 5, 7) and a.dtype == np.uint8
        np.testing.assert_array_equal(a.ravel(), np.arange(210))


def test_ome(tmp_path):
    subprocess.run([os.path.join(os.path.dirname(HELPER), "files"), tmp_path], check=True)
    path = tmp_path / "volume.ome.tif"
    with tifffile.TiffFile(path) as f:
        assert f.is_ome and len(f.pages) == 6
        assert f.series[0].axes == "ZCYX"
        np.testing.assert_array_equal(f.asarray().ravel(), np.arange(210))
        image = ET.fromstring(f.ome_metadata)[0]
        assert image.get("Name") == "a<b>&\"c' ?\\ µ \U0001f600 \ufffd"
        channels = [c.get("Name") for c in image.iter() if c.tag.endswith("Channel")]
        assert channels == ['red "1"', None, "é"]
    r = subprocess.run(["tiffinfo", path], capture_output=True, text=True)
    assert r.stdout.count("Image Width: 7 Image Length: 5") == 6 and r.stderr == ""


def test_png(tmp_path):
    subprocess.run([os.path.join(os.path.dirname(HELPER), "png"), tmp_path], check=True)
    want = np.arange(300 * 400).reshape(300, 400)
    want = ((want * 7 + want // 251) % 256).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(pytest.importorskip("PIL.Image").open(tmp_path / "image.png")), want)
    if shutil.which("vips"):
        subprocess.run(["vips", "rawsave", tmp_path / "image.png", tmp_path / "raw"], check=True)
        np.testing.assert_array_equal(np.fromfile(tmp_path / "raw", np.uint8), want.ravel())


MACRO = """
setBatchMode(true);
folder = getArgument();
list = getFileList(folder);
for (i = 0; i < list.length; i++) {
    if (startsWith(list[i], "huge")) {
        run("TIFF Virtual Stack...", "open=[" + folder + "/" + list[i] + "]");
        getDimensions(w, h, c, z, t);
        setSlice(nSlices);
        print(list[i] + "|" + w + "|" + h + "|" + c + "|" + z + "|" + t + "|" + getPixel(w - 1, h - 1));
        close();
        continue;
    }
    open(folder + "/" + list[i]);
    getDimensions(w, h, c, z, t);
    getVoxelSize(vx, vy, vz, unit);
    getMinAndMax(low, high);
    line = list[i] + "|" + w + "|" + h + "|" + c + "|" + z + "|" + t + "|" + bitDepth() + "|" + unit + "|" + d2s(vx, 9)
         + "|" + d2s(vy, 9) + "|" + d2s(vz, 9) + "|" + Stack.getFrameInterval() + "|" + low + "|" + high + "|";
    for (s = 1; s <= nSlices; s++) {
        setSlice(s);
        line = line + calibrate(getPixel(0, 0)) + "," + calibrate(getPixel(36, 12)) + ","
             + calibrate(getPixel(5, 3)) + ";";
    }
    print(line);
    close();
}
eval("script", "java.lang.System.exit(0);");
"""


@pytest.mark.skipif(not shutil.which("imagej") or not shutil.which("xvfb-run"), reason="no ImageJ or xvfb-run")
def test_imagej(samples, tmp_path):
    """All samples in one run: ImageJ starts slowly. It reads no BigTIFF, no 64-bit samples, and int8 as uint8."""
    folder = tmp_path / "in"
    folder.mkdir()
    wanted = {}
    for dtype in ["uint8", "uint16", "uint32", "int16", "int32", "float32"]:
        for order in ("le", "be"):
            for dims in DIMS:
                n = name(dtype, order, dims, False)
                os.link(samples / n, folder / n)
                wanted[n] = (dtype, dims)
    os.link(samples / "huge.tif", folder / "huge.tif")
    (tmp_path / "m.ijm").write_text(MACRO)
    jar = "/usr/share/java/ij.jar"
    r = subprocess.run(["xvfb-run", "-a", "java", "-jar", jar, "-ijpath", str(tmp_path), "-batch", tmp_path / "m.ijm",
                        folder], capture_output=True, text=True, timeout=240)
    lines = [line for line in r.stdout.splitlines() if "|" in line]
    assert len(lines) == len(wanted) + 1, r.stdout + r.stderr
    huge = [line for line in lines if line.startswith("huge")]
    assert huge == ["huge.tif|30000|30000|1|3|2|77"]
    lines.remove(huge[0])
    for line in lines:
        n, w, h, c, z, t, bits, unit, vx, vy, vz, interval, low, high, pixels = line.split("|")
        dtype, dims = wanted[n]
        assert (int(w), int(h)) == (X, Y), line
        assert (int(t), int(z), int(c)) == dims, line
        assert int(bits) == {"uint8": 8, "uint16": 16, "int16": 16}.get(dtype, 32), line
        assert unit in ("um", "µm", "micron", "microns"), line
        assert float(vx) == pytest.approx(0.1) and float(vy) == pytest.approx(0.0656), line
        assert float(vz) == pytest.approx(0.3) and float(interval) == 5, line
        assert (float(low), float(high)) == (10, 200), line
        want = expected(dtype, dims)[:, [0, 12, 3], [0, 36, 5]]
        got = [[float(v) for v in p.split(",")] for p in pixels.rstrip(";").split(";")]
        np.testing.assert_array_equal(got, want.astype(float), err_msg=line)
