"""planefs cache and planefs check: what an owner does when in doubt."""
import os
import random
import re
import shutil
from pathlib import Path

import pytest
import tifffile

import bombs
import harness
import sources


def cache(action, folder, *more):
    return harness.run(harness.PLANEFS, "cache", action, *more, "-o", f"cache={folder}")


def numbers(text):
    return {m[0]: int(m[1]) for m in re.findall(r"^(\w[\w ]*?) {2,}(\d+)", text.decode(), re.M)}


def check_file(path, *options):
    done = harness.run(harness.PLANEFS, "check", path, *options)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def used(mount, folder):
    """A mount, and the cache it has filled with six entries and a ledger."""
    m = mount(sources.sections(folder / "em", range(1, 4), h=300, w=400))
    for z in (1, 2, 3):
        for view in ("corrected", "destriped"):
            (m / f"{view}/sec_{z:04}.tif").read_bytes()
    (m / "stats.json").read_bytes()
    return m


def entries(folder):
    return sorted(p.parent for p in Path(folder).glob("??/*/sums"))


def test_status_and_verify(used):
    used.stop()
    done = cache("status", used.cache)
    found = numbers(done.stdout)
    assert done.returncode == 0 and found["entries"] == len(entries(used.cache)) >= 6 and found["ledgers"] >= 1
    done = cache("verify", used.cache)
    assert done.returncode == 0, done.stdout
    assert numbers(done.stdout)["damaged"] == 0 and b"damaged:" not in done.stdout


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << at % 8
    path.chmod(0o600)
    path.write_bytes(data)


def test_verify_names_what_is_damaged(used):
    """One bit anywhere in pixels, checksums or ledgers; a short file; a swap; a strange file in an entry's place."""
    used.stop()
    whole, rng = used.cache.with_name("whole"), random.Random(5)
    shutil.copytree(used.cache, whole)
    found = entries(used.cache)

    def damage(change, *places):
        shutil.rmtree(used.cache)
        shutil.copytree(whole, used.cache)
        change()
        done = cache("verify", used.cache)
        named = re.findall(r"^damaged: (\S+):", done.stdout.decode(), re.M)
        assert done.returncode == 3 and sorted(named) == sorted(str(p.relative_to(used.cache)) for p in places), done.stdout

    for entry in found[:4]:
        for name in ("data.tif", "sums"):
            path = entry / name
            for at in (0, path.stat().st_size - 1, *(rng.randrange(path.stat().st_size) for _ in range(3))):
                damage(lambda p=path, a=at: flip(p, a), entry)
    ledger = next((used.cache / "ledger").iterdir())
    for at in (3, 20, 30, 70, ledger.stat().st_size // 2):
        damage(lambda a=at: flip(ledger, a), ledger)
    damage(lambda: os.truncate(found[0] / "data.tif", 5000), found[0])
    damage(lambda: os.unlink(found[1] / "data.tif"), found[1])
    damage(lambda: (os.unlink(found[1] / "sums"), os.mkfifo(found[1] / "sums")), found[1])

    def swap():
        os.rename(found[0], used.cache / "tmp/x")
        os.rename(found[1], found[0])
        os.rename(used.cache / "tmp/x", found[1])
    damage(swap, found[0], found[1])
    shutil.rmtree(whole)


def test_trim_and_clear_beside_a_mount(used):
    """The least recently used go first; a running mount computes again what is gone and serves the same bytes."""
    want = (used / "corrected/sec_0002.tif").read_bytes()
    before = numbers(cache("status", used.cache).stdout)["entries"]
    old = entries(used.cache)[0]
    os.utime(old / "sums", (1, 1))
    bytes_now = int(re.search(rb"entries\s+\d+, (\d+)", cache("status", used.cache).stdout).group(1))
    done = cache("trim", used.cache, f"{bytes_now * 3 // 4 >> 10}K")
    assert done.returncode == 0 and re.fullmatch(rb"\d+ bytes freed\n", done.stdout)
    left = numbers(cache("status", used.cache).stdout)["entries"]
    assert 0 < left < before and not old.exists()
    assert cache("verify", used.cache).returncode == 0
    assert cache("clear", used.cache).returncode == 0
    assert entries(used.cache) == [] and numbers(cache("status", used.cache).stdout)["ledgers"] == 0
    for z in (1, 2, 3):
        assert len((used / f"corrected/sec_{z:04}.tif").read_bytes()) == len(want)
    assert (used / "corrected/sec_0002.tif").read_bytes() == want
    used.remount()
    assert (used / "corrected/sec_0002.tif").read_bytes() == want


def test_what_is_no_cache_is_left_alone(used, folder):
    used.stop()
    home = folder / "home"
    (home / "tmp").mkdir(parents=True)
    (home / "ledger").mkdir()
    (home / "thesis.txt").write_text("years of work")
    for where, word in ((home, b"thesis.txt"), (folder / "em", b"not a cache"), (folder / "none", b"none"),
                        (folder / "em/sec_0001.tif", b"not a folder"), ("/", b"")):
        for action in (["clear"], ["trim", "0"], ["verify"], ["status"]):
            done = cache(action[0], where, *action[1:])
            assert done.returncode == 2 and word in done.stderr and done.stderr.count(b"\n") == 1, (where, action)
    assert (home / "thesis.txt").read_text() == "years of work" and len(os.listdir(folder / "em")) == 3
    assert not (folder / "none").exists()
    for wrong in ([], ["shrink"], ["trim"], ["trim", "lots"], ["clear", "now"]):
        done = harness.run(harness.PLANEFS, "cache", *wrong)
        assert done.returncode == 1 and done.stderr, wrong
    assert len(entries(used.cache)) >= 6


def test_check_reads_what_is_whole(folder):
    path = folder / "stack.tif"
    tifffile.imwrite(path, sources.texture((3, 2, 40, 30)), imagej=True, metadata={"axes": "ZCYX"}, compression="zlib")
    status, text = check_file(path)
    assert status == 0 and "6 planes read, 0 bad" in text and "1 x 3 x 2 planes" in text and "format: tiff" in text
    assert harness.run(harness.PLANEFS, "check", "stack.tif", cwd=folder).returncode == 0


def test_check_tells_classes_apart(folder):
    good = folder / "good.tif"
    smooth = sources.texture((3, 400, 300)) >> 11 << 11         # few values: deflate has to work, and notices damage
    tifffile.imwrite(good, smooth, compression="zlib", photometric="minisblack")
    cut = folder / "cut.tif"
    cut.write_bytes(good.read_bytes()[:-4000])
    rotten = folder / "rotten.tif"
    data = bytearray(good.read_bytes())
    data[len(data) // 2:len(data) // 2 + 2000] = os.urandom(2000)
    rotten.write_bytes(data)
    (folder / "text.tif").write_text("not an image\n")
    (folder / "vast.tif").write_bytes(bombs.TIFFS["sides"]())
    (folder / "large.tif").write_bytes(bombs.TIFFS["deflate"]())
    (folder / "nothing").mkdir()
    want = {"good.tif": (0, "3 planes read, 0 bad"), "cut.tif": (3, "EIO"), "rotten.tif": (3, "2 planes read, 1 bad"),
            "text.tif": (4, "EOPNOTSUPP"), "vast.tif": (5, "EFBIG"), "none.tif": (2, "No such file"), "nothing": (2, "")}
    for name, (status, word) in want.items():
        got, text = check_file(folder / name)
        assert got == status and word in text, (name, got, text)
    assert harness.run(harness.PLANEFS, "check").returncode == 1


def test_check_escapes_and_stays_beside(folder):
    """A file's own words come out plain; a companion outside the folder is not read."""
    path = folder / "x\n\x1b[31m.tif"
    path.write_bytes(b"II*\0\xff\xff\xff\xff")
    status, text = check_file(path)
    assert status == 3 and "\x1b" not in text
