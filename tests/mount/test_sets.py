"""OME-TIFF sets: one dataset of many files, whatever file speaks for it, and what happens when files come and go."""
import json
import os

import numpy as np
import pytest
import tifffile

import harness
import sources

HEAD = ('<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:{}">')


def image(shape, where, name="set"):
    """An Image of (t, z, c, y, x) whose planes lie where (t, z, c) -> (file, page) says."""
    t, z, c, y, x = shape
    runs = "".join(f'<TiffData FirstT="{k[0]}" FirstZ="{k[1]}" FirstC="{k[2]}" IFD="{page}" PlaneCount="1">'
                   f'<UUID FileName="{file}">urn:uuid:{file}</UUID></TiffData>'
                   for k, (file, page) in where.items())
    return (f'<Image ID="Image:0" Name="{name}"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="{x}" '
            f'SizeY="{y}" SizeZ="{z}" SizeC="{c}" SizeT="{t}" PhysicalSizeX="0.5" PhysicalSizeY="0.5">{runs}</Pixels>'
            '</Image>')


def master_of(name):
    return HEAD.format("other") + f'<BinaryOnly MetadataFile="{name}" UUID="urn:uuid:{name}"/></OME>'


def write(path, planes, xml):
    tifffile.imwrite(path, planes, photometric="minisblack", description=xml, metadata=None)


@pytest.fixture
def pixels():
    return sources.texture((2, 4, 3, 20, 30))


def by_channel(folder, pixels, companion=False, names="ch{}.ome.tif"):
    """A file per channel, pages T and Z; the first or a companion speaks for all."""
    folder.mkdir()
    files = [names.format(c) for c in range(3)]
    where = {(t, z, c): (files[c], t * 4 + z) for t in range(2) for z in range(4) for c in range(3)}
    text = image(pixels.shape, where)
    for c, file in enumerate(files):
        whole = not companion and c == 0
        xml = HEAD.format(file) + text + "</OME>" if whole else master_of("a.companion.ome" if companion else files[0])
        write(folder / file, pixels[:, :, c].reshape(-1, 20, 30), xml)
    if companion:
        (folder / "a.companion.ome").write_text(HEAD.format("a.companion.ome") + text + "</OME>")
    return folder


def flat(dataset):
    return np.stack([tifffile.imread(dataset / "source" / n) for n in sorted(os.listdir(dataset / "source"))])


@pytest.mark.parametrize("companion", [False, True], ids=["master", "companion"])
def test_one_dataset(mount, folder, pixels, companion):
    m = mount(by_channel(folder / "set", pixels, companion))
    name = "a" if companion else "ch0"
    assert set(os.listdir(m.path)) - {".planefs"} == {name}
    np.testing.assert_array_equal(flat(m / name), pixels.reshape(-1, 20, 30))
    np.testing.assert_array_equal(tifffile.imread(m / name / "slice/t1/z2/c1.tif"), pixels[1, 2, 1])
    info = json.loads((m / name / "info.json").read_text())
    assert info["shape"] == [2, 4, 3, 20, 30] and info["voxel"] == [None, 0.5, 0.5] and info["unit"] == "um"
    assert info["n_files"] == 3 + companion and info["missing"] == []
    stats = json.loads((m / name / "stats.json").read_text())
    assert stats["max"] == pixels.max(axis=(0, 1, 3, 4)).tolist()
    assert stats["all"]["count"] == pixels.size


def test_before_the_rule_of_sections(mount, folder, pixels):
    """The names would make a section stack; the text says that they are time points and channels."""
    source = folder / "set"
    source.mkdir()
    files = {(t, z, c): f"plane_{(t * 4 + z) * 3 + c:03}.ome.tif" for t in range(2) for z in range(4) for c in range(3)}
    text = image(pixels.shape, {k: (file, 0) for k, file in files.items()})
    for k, file in files.items():
        write(source / file, pixels[k], HEAD.format(file) + text + "</OME>")
    sources.sections(source, [1, 2, 3], name="other_{:02}.tif")
    m = mount(source)
    assert set(os.listdir(m.path)) - {".planefs"} == {"plane_000", "other"}
    np.testing.assert_array_equal(flat(m / "plane_000"), pixels.reshape(-1, 20, 30))


def test_sections_that_are_whole_stay_sections(mount, folder):
    source = folder / "em"
    source.mkdir()
    for z in range(5):
        tifffile.imwrite(source / f"s{z:03}.ome.tif", sources.section(20, 30, z), ome=True, metadata={"axes": "YX"})
    m = mount(source)
    assert sorted(os.listdir(m / "source")) == [f"s{z:03}.ome.tif" for z in range(5)]
    assert json.loads((m / "info.json").read_text())["shape"] == [1, 5, 1, 20, 30]


def test_missing_files(mount, folder, pixels):
    source = by_channel(folder / "set", pixels)
    (source / "ch1.ome.tif").rename(folder / "kept.tif")
    m = mount(source, frozen=False)
    assert len(os.listdir(m / "ch0/source")) == 16
    assert not (m / "ch0/slice/t0/z0/c1.tif").exists() and (m / "ch0/slice/t0/z0/c2.tif").exists()
    info = json.loads((m / "ch0/info.json").read_text())
    assert info["n_files"] == 2 and info["missing"] == [0, 1, 2, 3]
    volume = tifffile.imread(m / "ch0/volume/source.tif").reshape(pixels.shape)
    np.testing.assert_array_equal(volume[:, :, [0, 2]], pixels[:, :, [0, 2]])
    assert not volume[:, :, 1].any()
    (folder / "kept.tif").rename(source / "ch1.ome.tif")
    harness.wait_until(lambda: len(os.listdir(m / "ch0/source")) == 24, 3, "the file to be seen")
    np.testing.assert_array_equal(flat(m / "ch0"), pixels.reshape(-1, 20, 30))


def test_without_a_master(mount, folder, pixels):
    """Files that refer to one that is not there are what their names and pages are; a companion without files is not
    shown."""
    source = by_channel(folder / "set", pixels)
    os.unlink(source / "ch0.ome.tif")
    m = mount(source)
    assert json.loads((m / "info.json").read_text())["shape"] == [1, 8, 2, 20, 30]
    np.testing.assert_array_equal(tifffile.imread(m / "slice/z5/c2.tif"), pixels[:, :, 2].reshape(-1, 20, 30)[5])
    lonely = folder / "lonely"
    lonely.mkdir()
    (lonely / "a.companion.ome").write_text(HEAD.format("a") + image(pixels.shape, {(0, 0, 0): ("b.tif", 0)}) + "</OME>")
    m = mount(lonely)
    assert set(os.listdir(m.path)) <= {".planefs"}
    assert "none of the files" in (m / "a.companion.ome.error").read_text()


def test_a_member_that_differs(mount, folder, pixels):
    """A file of another size or cut short fails for its own planes."""
    source = by_channel(folder / "set", pixels)
    write(source / "ch1.ome.tif", pixels[0, :, 1, :10], master_of("ch0.ome.tif"))
    (source / "ch2.ome.tif").write_bytes(b"II*\0nonsense")
    m = mount(source)
    for c in (1, 2):
        with pytest.raises(OSError):
            (m / f"ch0/slice/t0/z0/c{c}.tif").read_bytes()
        assert f"ch{c}.ome.tif" in (m / f"ch0/slice/t0/z0/c{c}.tif.error").read_text()
    np.testing.assert_array_equal(tifffile.imread(m / "ch0/slice/t1/z3/c0.tif"), pixels[1, 3, 0])


def test_several_images(mount, folder, pixels):
    source = folder / "set"
    source.mkdir()
    whole = {(t, z, c): ("b.ome.tif", (t * 4 + z) * 3 + c) for t in range(2) for z in range(4) for c in range(3)}
    text = image(pixels.shape, whole, "first") + image((1, 1, 1, 20, 30), {(0, 0, 0): ("a.ome.tif", 0)}, "second")
    write(source / "a.ome.tif", pixels[1, 1, 1], HEAD.format("a.ome.tif") + text + "</OME>")
    write(source / "b.ome.tif", pixels.reshape(-1, 20, 30), HEAD.format("b.ome.tif") + text + "</OME>")
    m = mount(source)
    assert sorted(n for n in os.listdir(m / "a")) == ["s0", "s1"]
    np.testing.assert_array_equal(flat(m / "a/s0"), pixels.reshape(-1, 20, 30))
    np.testing.assert_array_equal(flat(m / "a/s1"), pixels[1, 1, 1:2])


def test_no_way_out(mount, folder, pixels):
    """Names in a text reach nothing outside the folder of the file that names them."""
    write(folder / "secret.ome.tif", pixels[0, 0, 0], None)
    source = folder / "set"
    source.mkdir()
    names = {(0, 0, 0): ("a.ome.tif", 0), (0, 1, 0): ("../secret.ome.tif", 0), (0, 2, 0): (f"{folder}/secret.ome.tif", 0),
             (0, 3, 0): ("link.tif", 0)}
    os.symlink(folder / "secret.ome.tif", source / "link.tif")
    write(source / "a.ome.tif", pixels[0, 0, 0], HEAD.format("x") + image((1, 4, 1, 20, 30), names) + "</OME>")
    m = mount(source)
    assert os.listdir(m / "a/source") == ["z00000.tif"]
