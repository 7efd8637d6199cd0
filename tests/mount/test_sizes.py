"""Promise 1: the size of every file is exact before anything is computed, whatever program asks."""
import hashlib
import os
import subprocess
import sys

import pytest

import harness
import sources


def digest(data):
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def by_read(m, name, folder):
    return (m / name).read_bytes()


def by_cat(m, name, folder):
    return harness.check("cat", m / name)


def by_dd(m, name, folder):
    return harness.check("dd", f"if={m / name}", "bs=777", "status=none")


def by_tail(m, name, folder):
    return harness.check("tail", "-c", "+1", m / name)


MAPPED = """
import mmap, sys
with open(sys.argv[1], "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as view:
    sys.stdout.buffer.write(view[:])
"""


def by_mmap(m, name, folder):
    """In a process of its own: an error while a page is fetched is SIGBUS."""
    return harness.check(sys.executable, "-S", "-c", MAPPED, m / name)


def by_cp(m, name, folder):
    harness.check("cp", m / name, folder / "copy")
    return (folder / "copy").read_bytes()


def tree_by_copy(m, folder):
    harness.check("cp", "-r", f"{m.path}/.", folder / "out")


def tree_by_tar(m, folder):
    (folder / "out").mkdir()
    harness.check("tar", "-C", m.path, "--exclude=./.planefs", "-cf", folder / "out.tar", ".")
    harness.check("tar", "-C", folder / "out", "-xf", folder / "out.tar")


def tree_by_tar_sparse(m, folder):
    (folder / "out").mkdir()
    harness.check("tar", "-C", m.path, "--exclude=./.planefs", "-cSf", folder / "out.tar", ".")
    harness.check("tar", "-C", folder / "out", "-xSf", folder / "out.tar")


def tree_by_rsync(m, folder):
    harness.check("rsync", "-a", "--exclude=/.planefs", f"{m.path}/", folder / "out")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return sources.zoo(tmp_path_factory.mktemp("zoo"))


def sizes(m):
    """Size of every listed file, and st_blocks with it; costs no job."""
    found = {}
    for name in m.files():
        s = os.stat(m / name)
        assert s.st_blocks == (s.st_size + 511) // 512, name
        assert s.st_size > 0, name
        found[name] = s.st_size
    assert m.jobs() == 0, "looking at sizes computed something"
    return found


@pytest.fixture(scope="module")
def reference():
    """What plain read(2) gave for each file, filled by the first test and compared with by the others."""
    return {}


def expect_the_same(reference, name, data, way):
    """info.json may say more later: its key is unknown until something was computed."""
    if not name.endswith("info.json"):
        assert reference.setdefault(name, digest(data)) == digest(data), f"{name}: other bytes by {way.__name__}"


@pytest.mark.parametrize("way", [by_read, by_cat, by_dd, by_tail, by_mmap, by_cp])
def test_each_file(mount, zoo, folder, reference, way):
    m = mount(zoo)
    expected = sizes(m)
    assert len(expected) > 100
    for name, size in expected.items():
        data = way(m, name, folder)
        assert len(data) == size, f"{name}: stat says {size}, {way.__name__} got {len(data)}"
        expect_the_same(reference, name, data, way)


@pytest.mark.parametrize("way", [tree_by_copy, tree_by_tar, tree_by_tar_sparse, tree_by_rsync])
def test_whole_tree(mount, zoo, folder, reference, way):
    m = mount(zoo)
    expected = sizes(m)
    way(m, folder)
    for name, size in expected.items():
        data = (folder / "out" / name).read_bytes()
        assert len(data) == size, f"{name}: stat says {size}, {way.__name__} copied {len(data)}"
        expect_the_same(reference, name, data, way)


def test_wc_counts_what_stat_says(mount, zoo):
    m = mount(zoo)
    expected = sizes(m)
    names = list(expected)
    lines = subprocess.run(["wc", "-c", *names], cwd=m.path, capture_output=True, text=True, check=True).stdout
    counted = {line.split(None, 1)[1]: int(line.split(None, 1)[0]) for line in lines.splitlines()[:len(names)]}
    assert counted == expected


@pytest.mark.parametrize("data", ["em_fibsem", "derived_5d", "ome_small", "hdf5"])
def test_public_data(mount, shared, data):
    m = mount(shared(data))
    compared = 0
    for name, size in sizes(m).items():
        if "/volume/" not in name and not name.endswith(".json"):
            continue
        try:
            assert len((m / name).read_bytes()) == size, name
            compared += 1
        except OSError:
            assert m.error(name).strip(), f"{name} fails without a reason"
    assert compared >= 2


def test_du_and_tail_of_an_uncomputed_file(mount, zoo):
    m = mount(zoo)
    name = "em/corrected/sec_0003.tif"
    size = os.stat(m / name).st_size
    assert int(harness.check("du", "--apparent-size", "-B1", m / name).split()[0]) == size
    assert len(harness.check("tail", "-c", "100", m / name)) == 100
    assert (m / name).read_bytes()[-100:] == harness.check("tail", "-c", "100", m / name)
