"""The tree of names: what is listed, what is found, what is refused, and what stays the same."""
import errno
import json
import os
import re
import stat

import numpy as np
import pytest
import tifffile

import harness
import sources

REPORTS = set(harness.built("info.json", "stats.json", "stats.csv", "histogram.json", "segment.json"))
STAGES = {"inverted", "destriped", "flattened", "denoised", "corrected"}


@pytest.fixture
def em(mount, folder):
    return mount(sources.sections(folder / "em", [1, 2, 4, 5]))


@pytest.fixture
def zoo(mount, folder):
    return mount(sources.zoo(folder / "zoo"))


# ---- listing ----

def test_a_section_stack(em):
    names = set(os.listdir(em.path))
    folders = harness.built("slice", "source", "segment", "projection", "preview", "volume")
    assert names - {".planefs"} == REPORTS | STAGES | set(folders)
    numbers = ["sec_0001.tif", "sec_0002.tif", "sec_0004.tif", "sec_0005.tif"]
    for view in STAGES | {"source", *harness.built("segment/otsu", "segment/kmeans2")}:
        assert sorted(os.listdir(em / view)) == numbers
    for folder in harness.built("preview"):
        assert sorted(os.listdir(em / folder)) == [n.replace(".tif", ".png") for n in numbers]
    for folder in harness.built("projection"):
        assert sorted(os.listdir(em / folder)) == ["max.tif", "mean.tif", "min.tif", "std.tif", "sum.tif"]


def test_parts_that_are_not_built_are_absent(em, zoo):
    """Keeps harness.NOT_YET honest: whoever builds a part takes it off the list, and its tests begin to run."""
    present = set(os.listdir(em.path)) | set(os.listdir(zoo / "hyper"))
    assert not present & harness.NOT_YET, "built by now: take them off NOT_YET in tests/mount/harness.py"
    for mark, name in re.findall(r"^\| (° )?`([^`/]+)", (harness.ROOT / "docs/TREE.md").read_text(), re.MULTILINE):
        assert bool(mark) == (name in harness.NOT_YET), f"docs/TREE.md: is {name} built or not?"


def test_view_folders_hold_images_alone(zoo):
    """Promise 5: flat, one kind, and sorted names are the order of the planes."""
    for name in zoo.files():
        parts = name.split("/")
        if "source" in parts[:-1] or STAGES & set(parts[:-1]):
            assert parts[-1].endswith(".tif"), name
    pixels = sources.planes_of(zoo.source / "hyper.tif")
    names = sorted(os.listdir(zoo / "hyper/source"))
    assert names[:3] == ["t0000_z0000_c0000.tif", "t0000_z0000_c0001.tif", "t0000_z0001_c0000.tif"]
    for name, plane in zip(names, pixels.reshape(-1, *pixels.shape[3:])):
        np.testing.assert_array_equal(tifffile.imread(zoo / "hyper/source" / name), plane)


def test_stages_of_other_datasets_are_found_not_listed(zoo):
    assert not STAGES & set(os.listdir(zoo / "hyper"))
    for name in harness.built("pca", "pca.json"):
        assert name in os.listdir(zoo / "hyper")
    assert tifffile.imread(zoo / "hyper/corrected/t0001_z0002_c0001.tif").dtype == np.uint8


def test_listing_is_bounded(zoo):
    """A folder never lists more names than its dataset has planes, times its views; number folders list nothing."""
    for dataset in zoo.datasets():
        planes = len(os.listdir(zoo / dataset / "source"))
        for where, folders, names in os.walk(zoo / dataset):
            assert len(folders) + len(names) <= max(40, planes * 2), where


def test_lookup_agrees_with_listing(zoo):
    for where, folders, names in os.walk(zoo.path):
        for entry in os.scandir(where):
            mode = os.stat(entry.path).st_mode
            assert entry.is_dir() == stat.S_ISDIR(mode) and entry.is_file() == stat.S_ISREG(mode)
            assert entry.inode() == os.stat(entry.path).st_ino or where == str(zoo.path)


def test_only_canonical_names_exist(em):
    assert sorted(os.listdir(em / "slice")) == ["z1", "z2", "z4", "z5"]
    wrong = ["slice/z01/c0.tif", "slice/z+1/c0.tif", "slice/z1/c00.tif", "slice/z 1/c0.tif", "slice/z3", "slice/z-1",
             "slice/z1/c1.tif", "slice/z1/c0.TIF", "slice/z1/c0.tif.gz", "slice/z99999999999999999999", "slice/z1e0",
             "source/1.tif", "source/sec_1.tif", "source/sec_0003.tif", "corrected/sec_0001", "stats.JSON", "nothing"]
    assert [name for name in wrong if os.path.lexists(em / name)] == []


def test_time_folder_appears_with_time_and_is_found_always(zoo):
    assert sorted(os.listdir(zoo / "hyper/slice")) == ["t0", "t1"]
    assert sorted(os.listdir(zoo / "hyper/slice/t1")) == ["z0", "z1", "z2"]
    assert sorted(os.listdir(zoo / "real/slice")) == ["z0", "z1", "z2", "z3"]
    assert (zoo / "real/slice/t0/z1/c0.tif").read_bytes() == (zoo / "real/slice/z1/c0.tif").read_bytes()


# ---- names of datasets and section stacks ----

def write(path, plane=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, sources.texture((12, 14)) if plane is None else plane, photometric="minisblack", **how)


def test_collisions_keep_their_full_extension(mount, folder):
    source = folder / "source"
    write(source / "a.tif")
    write(source / "a.tiff")
    write(source / "b.ome.tif")
    m = mount(source)
    assert m.datasets() == ["a.tif", "a.tiff", "b"]
    assert (m / "b.ome.tif/info.json").exists(), "the full name always works by lookup"
    assert not os.path.exists(m / "a")


STACKS = {
    "digits only": (["05598.tif", "05599.tif", "05600.tif"], [3, "z", [5598, 5599, 5600]]),
    "prefix": (["em_0001.tif", "em_0002.tif", "em_0010.tif"], [10, "z", [1, 2, 10]]),
    "prefix and suffix": (["a_7_raw.tif", "a_8_raw.tif"], [2, "z", [7, 8]]),
    "one name of digits": (["0042.tif"], [1, "z", [42]]),
    "time": (["m_t01.tif", "m_t02.tif", "m_t03.tif"], [3, "t", [1, 2, 3]]),
    "channels": (["m_ch0.tif", "m_ch1.tif"], [2, "c", [0, 1]]),
}


@pytest.mark.parametrize("case", STACKS)
def test_section_stack_by_names(mount, folder, case):
    names, (count, axis, numbers) = STACKS[case]
    for i, name in enumerate(names):
        write(folder / "source/stack" / name, sources.texture((12, 14), seed=i))
    write(folder / "source/other.tif")
    m = mount(folder / "source")
    assert m.datasets() == ["other", "stack"]
    shape = json.loads((m / "stack/info.json").read_text())["shape"]
    span = numbers[-1] - numbers[0] + 1
    assert shape == {"z": [1, span, 1, 12, 14], "t": [span, 1, 1, 12, 14], "c": [1, 1, span, 12, 14]}[axis]
    for i, number in enumerate(numbers):
        where = {"z": f"z{number}/c0.tif", "t": f"t{number}/z0/c0.tif", "c": f"z0/c{number}.tif"}[axis]
        np.testing.assert_array_equal(tifffile.imread(m / "stack/slice" / where), sources.texture((12, 14), seed=i))
        plane = tifffile.imread(m / f"stack/source/{names[i][:-4]}.tif")
        np.testing.assert_array_equal(plane, sources.texture((12, 14), seed=i))


def test_several_letters_vary_together(mount, folder):
    for t in (1, 2):
        for z in (0, 1, 2):
            for c in (0, 1):
                plane = sources.texture((9, 11), seed=100 * t + 10 * z + c)
                write(folder / f"source/grid/x_t{t:02}_z{z:02}_c{c:02}.tif", plane)
    m = mount(folder / "source")
    assert json.loads((m / "grid/info.json").read_text())["shape"] == [2, 3, 2, 9, 11]
    np.testing.assert_array_equal(tifffile.imread(m / "grid/slice/t2/z1/c1.tif"), sources.texture((9, 11), seed=211))


def test_unlike_names_are_single_datasets(mount, folder):
    for name in ("left.tif", "right.tif", "sub/only.tif"):
        write(folder / "source" / name)
    m = mount(folder / "source")
    assert m.datasets() == ["left", "right", "sub/only"]


def test_gaps_are_reported(em):
    info = json.loads((em / "info.json").read_text())
    assert info["shape"][:3] == [1, 5, 1] and info["missing"] == [3]
    assert not os.path.exists(em / "slice/z3") and len(os.listdir(em / "source")) == 4


@pytest.mark.part("volume", "stats.csv")
def test_gaps_are_zero_in_volumes_and_absent_in_tables(em):
    volume = tifffile.imread(em / "volume/source.tif")
    assert volume.shape == (5, 48, 64) and not volume[2].any()
    np.testing.assert_array_equal(volume[3], tifffile.imread(em.source / "sec_0004.tif"))
    assert len((em / "stats.csv").read_text().splitlines()) == 5


def test_an_empty_source(mount, folder):
    (folder / "source/empty").mkdir(parents=True)
    for source in (folder / "source", folder / "source/empty"):
        m = mount(source)
        assert m.files() == [] and m.status()["datasets"] == 0


def test_one_file_is_the_mount_point(mount, folder):
    write(folder / "one.tif", sources.texture((3, 12, 14)))
    m = mount(folder / "one.tif", frozen=False)
    assert "info.json" in os.listdir(m.path) and sorted(os.listdir(m / "slice")) == ["z0", "z1", "z2"]


# ---- parameters, reasons, attributes ----

def test_parameters_in_the_path(em):
    plain = (em / "corrected/sec_0001.tif").read_bytes()
    other = (em / "corrected@mean=26000,hp_sigma=1500/sec_0001.tif").read_bytes()
    assert len(other) >= len(plain) - 4096 and other[-3072:] != plain[-3072:]
    assert "corrected@mean=26000,hp_sigma=1500" not in os.listdir(em.path)
    same = (em / "corrected@mean=28000/sec_0001.tif").read_bytes()
    assert same[-3072:] == plain[-3072:]
    crop = tifffile.imread(em / "source@roi=8:16:20:24/sec_0002.tif")
    np.testing.assert_array_equal(crop, tifffile.imread(em.source / "sec_0002.tif")[8:28, 16:40])
    corrected = json.loads((em / "stats@of=corrected.json").read_text())
    assert corrected["dtype"] == "uint8" and 0 <= corrected["all"]["min"] <= corrected["all"]["max"] <= 255


WRONG = [("corrected@men=26000", "mean"), ("corrected@mean=many", ""), ("corected", "corrected"), ("slice/z3", ""),
         ("source/sec_0003.tif", ""), ("stats@of=nothing.json", "")]


@pytest.mark.parametrize("name, hint", WRONG)
def test_a_wrong_name_is_explained(em, name, hint):
    with pytest.raises(FileNotFoundError):
        os.stat(em / name)
    reason = em.error(name).strip()
    assert reason and hint in reason
    assert f"{name}.error" not in em.files()


def test_no_error_is_an_empty_file(em):
    assert em.error("corrected/sec_0001.tif") == "" and em.error("stats.json") == ""
    assert em.jobs() == 0


def test_extended_attributes(em):
    path = em / "corrected/sec_0001.tif"
    assert os.getxattr(path, "user.planefs.state") == b"cold"
    path.read_bytes()
    assert os.getxattr(path, "user.planefs.state") == b"ready"
    assert re.fullmatch(rb"[0-9a-f]{32}", os.getxattr(path, "user.planefs.key"))
    recipe = os.getxattr(path, "user.planefs.recipe")
    assert all(step in recipe for step in (b"destripe", b"background", b"denoise", b"contrast"))
    assert os.getxattr(path, "user.planefs.error") == b""
    assert os.listxattr(path) == []
    for name in ("user.other", "security.selinux", "system.posix_acl_access", "user.planefs.nothing"):
        with pytest.raises(OSError) as caught:
            os.getxattr(path, name)
        assert caught.value.errno == errno.EOPNOTSUPP, name


# ---- what stays, and what is refused ----

def test_read_only(em):
    file, where = em / "source/sec_0001.tif", str(em.path)
    attempts = {
        "open for writing": lambda: os.open(file, os.O_WRONLY),
        "open for both": lambda: os.open(file, os.O_RDWR),
        "create": lambda: os.open(em / "new", os.O_CREAT | os.O_WRONLY),
        "truncate": lambda: os.truncate(file, 0),
        "mkdir": lambda: os.mkdir(em / "new"),
        "mknod": lambda: os.mknod(em / "new"),
        "mkfifo": lambda: os.mkfifo(em / "new"),
        "symlink": lambda: os.symlink("a", em / "new"),
        "link": lambda: os.link(file, em / "new"),
        "unlink": lambda: os.unlink(file),
        "rmdir": lambda: os.rmdir(em / "source"),
        "rename": lambda: os.rename(file, em / "new"),
        "chmod": lambda: os.chmod(file, 0o600),
        "chown": lambda: os.chown(file, 1, 1),
        "utime": lambda: os.utime(file),
        "setxattr": lambda: os.setxattr(file, "user.a", b"1"),
        "removexattr": lambda: os.removexattr(file, "user.planefs.state"),
        "temporary": lambda: os.open(where, os.O_TMPFILE | os.O_WRONLY),
    }
    for name, attempt in attempts.items():
        with pytest.raises(OSError) as caught:
            attempt()
        allowed = {errno.EROFS, errno.EOPNOTSUPP} if name == "temporary" else {errno.EROFS}
        assert caught.value.errno in allowed, f"{name}: {caught.value}"


def test_file_system_figures(em):
    s = os.statvfs(em.path)
    assert s.f_flag & os.ST_RDONLY and s.f_flag & os.ST_NOSUID and s.f_namemax == 255
    line = [x for x in open("/proc/self/mountinfo").read().splitlines() if x.split()[4] == str(em.path)]
    assert " - fuse.planefs " in line[0]
    assert os.stat(em / "source").st_nlink >= 1 and os.stat(em / "source/sec_0001.tif").st_nlink == 1
    assert stat.S_IMODE(os.stat(em / "source/sec_0001.tif").st_mode) & 0o222 == 0


def inodes(m):
    return {n: os.stat(m / n).st_ino for n in m.files()}


def test_inodes_and_times_survive_a_remount(em):
    before, times = inodes(em), {n: os.stat(em / n).st_mtime_ns for n in em.files()}
    assert len(set(before.values())) == len(before), "two files share an inode number"
    em.remount(fresh=True)
    assert inodes(em) == before
    assert {n: os.stat(em / n).st_mtime_ns for n in em.files()} == times


def test_mtime_is_the_newest_of_what_takes_part(mount, folder):
    source = sources.sections(folder / "em", [1, 2, 3])
    for z, when in ((1, 1000), (2, 3000), (3, 2000)):
        os.utime(source / f"sec_{z:04}.tif", (when, when))
    m = mount(source, frozen=False)
    assert [os.stat(m / f"source/sec_{z:04}.tif").st_mtime for z in (1, 2, 3)] == [1000, 3000, 2000]
    for name in harness.built("stats.json", "volume/source.tif", "histogram.json"):
        assert os.stat(m / name).st_mtime == 3000


def test_control_folder(em):
    (em / "corrected/sec_0001.tif").read_bytes()
    status = em.status()
    for key in ("version uptime_s datasets entries cache_bytes cache_limit_bytes cache_state hits misses probes "
                "jobs_started jobs_running jobs_failed jobs_cancelled workers worker_restarts memory_bytes").split():
        assert key in status, key
    assert status["jobs_started"] >= 1 and status["entries"] >= 1 and status["cache_bytes"] > 0
    text = (em / ".planefs/README.txt").read_text()
    assert all(word in text for word in ("corrected", "hp_sigma", "roi", "stats.json"))
    assert isinstance(json.loads((em / ".planefs/jobs.json").read_text()), (list, dict))
    json.loads((em / ".planefs/errors.json").read_text())
    assert ".planefs" not in os.listdir(em / "source")


def test_reports_are_plain_and_stable(em):
    for name in REPORTS:
        data = (em / name).read_bytes()
        assert data.isascii() and data.endswith(b"\n") and len(data) == os.stat(em / name).st_size
        if name.endswith(".json"):
            json.loads(data)
        if name != "info.json":
            assert (em / name).read_bytes() == data
    for name in harness.built("stats.csv"):
        rows = (em / name).read_text().splitlines()
        assert len({len(r) for r in rows[1:]}) == 1, "lines have one width"


@pytest.mark.part("values", "row", "column", "profile")
def test_numbers_by_lookup(em):
    plane = tifffile.imread(em.source / "sec_0002.tif")
    values = json.loads((em / "values/z2/c0.json").read_text())
    np.testing.assert_array_equal(np.array(values["slice"]), plane)
    row = (em / "row/z2/c0/y7.csv").read_text().splitlines()
    assert row[0].strip() == "x,value" and [float(r.split(",")[1]) for r in row[1:]] == list(plane[7])
    column = (em / "column/z2/c0/x9.csv").read_text().splitlines()
    assert [float(r.split(",")[1]) for r in column[1:]] == list(plane[:, 9])
    profile = (em / "profile/c0/y3/x4.csv").read_text().splitlines()
    assert profile[0].strip() == "t,z,value" and len(profile) in (5, 6)


@pytest.mark.part("preview")
def test_previews_are_small_pngs(mount, folder):
    m = mount(sources.sections(folder / "em", [1, 2], h=700, w=1100))
    size = os.stat(m / "preview/sec_0001.png").st_size
    data = (m / "preview/sec_0001.png").read_bytes()
    assert len(data) == size and data[:8] == b"\x89PNG\r\n\x1a\n"
    assert harness.check("vipsheader", "-f", "width", m / "preview/sec_0001.png").strip() == b"512"


def test_odd_names_are_shown_as_they_are(mount, folder):
    source = folder / "source"
    names = ["with space.tif", "tab\there.tif", "new\nline.tif", "ünï.tif", "quote'\".tif", "per%cent.tif",
             "comma,at@.tif"]
    for name in names:
        write(source / name)
    write(source / os.fsdecode(b"latin\xe9.tif"))
    m = mount(source)
    shown = {os.fsencode(d) for d in m.datasets()}
    assert shown == {os.fsencode(n[:-4]) for n in names} | {b"latin\xe9"}
    for d in m.datasets():
        assert tifffile.imread(m / d / "slice/z0/c0.tif").shape == (12, 14)
