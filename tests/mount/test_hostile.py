"""Promise 3 under attack: malformed files beside good ones. The daemon lives, bad files say why, the good are right."""
import os
import shutil

import numpy as np
import pytest
import tifffile

import harness
import sources

GOOD = {"good-a.tif": ((2, 30, 40), "uint16"), "good-b.tif": ((3, 25, 31), "float32")}


@pytest.fixture
def zoo_of_horrors(shared, folder):
    """All malformed files, the file that is no TIFF, and two good ones, in one folder of strange neighbours."""
    target = folder / "source"
    target.mkdir()
    files = [p for p in sorted(shared("malformed").rglob("*")) if p.is_file()]
    for i, path in enumerate(files):
        letters = "".join(chr(97 + i // 26 ** k % 26) for k in (2, 1, 0))
        shutil.copyfile(path, target / f"{letters}-bad.tif")
    shutil.copyfile(shared("seed/sample_5184x3456f.tiff"), target / "raw-samples.tiff")
    for name, (shape, dtype) in GOOD.items():
        tifffile.imwrite(target / name, sources.texture(shape, dtype), photometric="minisblack")
    return target


def good_neighbours(m, target):
    for name, (shape, dtype) in GOOD.items():
        want = tifffile.imread(target / name)
        stem = name[:-4]
        for z in range(shape[0]):
            np.testing.assert_array_equal(tifffile.imread(m / f"{stem}/slice/z{z}/c0.tif"), want[z])


def one_plane_each(m, dataset):
    """Read everything in slice/: right or an errno with a reason. Returns how many failed."""
    failed = 0
    for name in m.files(f"{dataset}/slice")[:12] + m.files(f"{dataset}/source")[:12]:
        try:
            size = os.stat(m / name).st_size
            data = (m / name).read_bytes()
            assert len(data) == size, f"{name}: {len(data)} of {size} bytes without an error"
        except OSError as error:
            assert m.error(name).strip(), f"{name}: {error} without a reason"
            failed += 1
    return failed


def test_malformed_files(mount, zoo_of_horrors, capsys):
    m = mount(zoo_of_horrors)
    pid = m.pid
    shown = m.datasets()
    assert {"good-a", "good-b"} <= set(shown)
    absent = 0
    for name in sorted(os.listdir(zoo_of_horrors)):
        stem = os.path.splitext(name)[0]
        if any(d == stem or d.startswith(stem + "/") for d in shown):
            continue
        absent += 1
        assert not os.path.exists(m / stem)
        assert m.error(name).strip(), f"{name} is absent and nobody says why"
    assert m.error("raw-samples.tiff").strip()
    good_neighbours(m, zoo_of_horrors)
    failed = sum(one_plane_each(m, d) for d in shown if not d.startswith("good-"))
    good_neighbours(m, zoo_of_horrors)
    with capsys.disabled():
        print(f" [{len(shown) - 2} shown, {absent} absent, {failed} reads failed]", end="", flush=True)
    assert harness.daemon_of(m.path) == pid and absent > 20
    assert m.status()["jobs_running"] == 0


def test_a_bad_section_never_harms_its_neighbours(mount, folder):
    """EIO for the section, its reason beside it, zeros nowhere, tables say so, the rest is right."""
    source = sources.sections(folder / "em", range(1, 7), compression="zlib")
    whole = (source / "sec_0003.tif").read_bytes()
    (source / "sec_0003.tif").write_bytes(whole[:len(whole) // 2])
    (source / "sec_0005.tif").write_bytes(b"not an image at all\n")
    m = mount(source)
    assert len(os.listdir(m / "source")) == 6, "a bad section stays listed"
    for z in (3, 5):
        for view in ("source", "corrected", "destriped"):
            with pytest.raises(OSError) as caught:
                (m / f"{view}/sec_{z:04}.tif").read_bytes()
            assert caught.value.errno in (5, ), caught.value
            assert m.error(f"{view}/sec_{z:04}.tif").strip()
    for z in (1, 2, 4, 6):
        np.testing.assert_array_equal(tifffile.imread(m / f"source/sec_{z:04}.tif"),
                                      tifffile.imread(source / f"sec_{z:04}.tif"))
        assert tifffile.imread(m / f"corrected/sec_{z:04}.tif").dtype == np.uint8
        assert m.error(f"corrected/sec_{z:04}.tif") == ""
    with pytest.raises(OSError):
        (m / "stats.json").read_bytes()
    assert m.error("stats.json").strip()


@pytest.mark.part("stats.csv", "volume")
def test_reports_and_volumes_of_a_bad_section(mount, folder):
    source = sources.sections(folder / "em", range(1, 7), compression="zlib")
    for z in (3, 5):
        (source / f"sec_{z:04}.tif").write_bytes(b"not an image at all\n")
    m = mount(source)
    lines = (m / "stats.csv").read_text().splitlines()[1:]
    states = {line.split(",")[1].strip(): line.split(",")[-1].strip() for line in lines}
    assert states == {"1": "ok", "2": "ok", "3": "EIO", "4": "ok", "5": "EIO", "6": "ok"}
    with pytest.raises(OSError):
        (m / "volume/source.tif").read_bytes()


def test_a_section_of_another_shape_fails_alone(mount, folder):
    source = sources.sections(folder / "em", range(1, 4))
    tifffile.imwrite(source / "sec_0004.tif", sources.section(20, 20), photometric="minisblack")
    m = mount(source)
    with pytest.raises(OSError) as caught:
        (m / "source/sec_0004.tif").read_bytes()
    assert caught.value.errno == 5 and m.error("source/sec_0004.tif").strip()
    assert tifffile.imread(m / "source/sec_0002.tif").shape == (48, 64)


def test_a_killed_worker_costs_no_reader(mount, folder):
    """Workers are expendable: after kill -9 of all of them, the next read is right."""
    m = mount(sources.sections(folder / "em", range(1, 5)))
    (m / "corrected/sec_0001.tif").read_bytes()
    for pid in harness.children(m.pid):
        os.kill(pid, 9)
    harness.wait_until(lambda: m.status()["worker_restarts"] > 0 and m.status()["workers"] > 0, 5, "new workers")
    assert tifffile.imread(m / "corrected/sec_0002.tif").shape == (48, 64)


@pytest.mark.part("follow")
def test_links_beneath_a_named_path_are_followed(mount, folder):
    outside = folder / "outside"
    outside.mkdir()
    tifffile.imwrite(outside / "elsewhere.tif", sources.texture((20, 20)), photometric="minisblack")
    source = folder / "source"
    source.mkdir()
    os.symlink(outside / "elsewhere.tif", source / "out.tif")
    assert mount(source, options=[f"follow={outside}"]).datasets() == ["out"]


def test_links_out_of_the_source_are_not_followed(mount, folder):
    outside = folder / "outside"
    outside.mkdir()
    tifffile.imwrite(outside / "secret.tif", sources.texture((20, 20)), photometric="minisblack")
    source = folder / "source"
    source.mkdir()
    tifffile.imwrite(source / "own.tif", sources.texture((20, 20)), photometric="minisblack")
    os.symlink(outside / "secret.tif", source / "out.tif")
    os.symlink("../outside/secret.tif", source / "relative.tif")
    os.symlink(outside, source / "folder")
    os.symlink("loop.tif", source / "loop.tif")
    os.mkfifo(source / "pipe.tif")
    m = mount(source)
    assert m.datasets() == ["own"]


def test_a_source_that_changes(mount, folder):
    """Right or an error: a new version is served as a whole, with a new mtime, or the old handle fails with ESTALE."""
    source = sources.sections(folder / "em", range(1, 4))
    m = mount(source, frozen=False)
    path = m / "source/sec_0002.tif"
    before = os.stat(path)
    handle = open(path, "rb")
    handle.read(10)
    new = sources.section(48, 64, 99)
    tifffile.imwrite(source / "next", new, photometric="minisblack")
    os.rename(source / "next", source / "sec_0002.tif")

    def shows_the_new_one():
        try:
            return (tifffile.imread(path) == new).all()
        except OSError:
            return False
    harness.wait_until(shows_the_new_one, 3, "the changed section to show")
    assert os.stat(path).st_mtime_ns > before.st_mtime_ns
    with handle:
        try:
            rest = handle.read()
            assert len(rest) == before.st_size - 10
        except OSError as error:
            assert error.errno == 116
    harness.check("rm", source / "sec_0003.tif")
    harness.wait_until(lambda: len(os.listdir(m / "source")) == 2, 3, "the removed section to go")
