"""Bombs: files of a few MB that ask for gigabytes, millions or forever. Each is answered in 5 s, within the memory of
its worker, with an errno and a reason (or right pixels), and harms no neighbour."""
import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import bombs
import harness
import sources

SECONDS = 5 * harness.SLOW
MB = 1 << 20


def workers(m):
    """The largest resident size each worker ever had, by role."""
    found = {"reader": 0, "maker": 0}
    for pid in harness.children(m.pid):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        if len(line) > 1 and line[1] in (b"reader", b"maker") and peak:
            found[line[1].decode()] = max(found[line[1].decode()], int(peak.group(1)) << 10)
    return found


def timed(what, action):
    """Run it; None or the OSError it ended with. Fails when it took too long."""
    begin, error = time.monotonic(), None
    try:
        action()
    except OSError as caught:
        error = caught
    took = time.monotonic() - begin
    assert took <= SECONDS, f"{what} took {took:.1f} s"
    return took, error


def read_all(path):
    """To the end in a process that keeps nothing; an error is raised as it was met."""
    with open(path, "rb", buffering=0) as f:
        while f.read(8 * MB):
            pass


def use(m, stem):
    """List and read a few files of every kind of what the bomb shows."""
    slowest, errors = 0, []
    took, error = timed(f"listing {stem}", lambda: os.listdir(m / stem))
    names = [] if error else [n for n in m.files(stem)[:200] if re.search(r"/(source|slice|corrected|preview)/|json", n)]
    for name in names[:3] + names[len(names) // 2:][:2] + names[-3:]:
        seconds, error = timed(f"reading {name}", lambda n=name: read_all(m / n))
        slowest = max(slowest, seconds)
        if error:
            errors.append(error.errno)
            assert m.error(name).strip(), f"{name}: {error} without a reason"
    return max(took, slowest), errors


@pytest.mark.parametrize("name", bombs.TIFFS)
def test_tiff(mount, folder, name, capsys):
    source = folder / "source"
    source.mkdir()
    want = sources.texture((20, 20))
    tifffile.imwrite(source / "good.tif", want, photometric="minisblack")
    (source / "bomb.tif").write_bytes(bombs.TIFFS[name]())
    m = mount(source, options=["memory=512M", "workers=1"], frozen=False)
    pid = m.pid
    took, _ = timed("looking", lambda: os.stat(m / "bomb"))
    shown = "bomb" in m.datasets()
    slowest, errors = use(m, "bomb") if shown else (0, [])
    if not shown:
        assert m.error("bomb.tif").strip(), "absent without a reason"
    peak = workers(m)
    np.testing.assert_array_equal(tifffile.imread(m / "good/slice/z0/c0.tif"), want)
    assert harness.daemon_of(m.path) == pid and m.status()["jobs_running"] == 0
    with capsys.disabled():
        print(f" [{max(took, slowest):.2f} s, reader {peak['reader'] // MB} MB, maker {peak['maker'] // MB} MB, "
              f"{'shown' if shown else m.error('bomb.tif').strip()[:60]}, {len(errors)} errors]", end="", flush=True)
    if harness.SLOW == 1:
        assert peak["reader"] <= 160 * MB, "the stage of headers takes little memory"
        assert peak["maker"] <= 1024 * MB
        assert resident(pid) <= 64 * MB


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


TABLES = {
    "vast-offsets": ("info.h5", lambda p: bombs.h5_vast(p, "offset", (1 << 20, 1 << 20))),
    "long-offsets": ("info.h5", lambda p: bombs.h5_vast(p, "offset", (1 << 40, 1), chunks=(1 << 20, 1))),
    "zipped-offsets": ("info.h5", lambda p: bombs.h5_zipped(p, "offset", 1 << 27)),
    "large-chunk": ("info.h5", lambda p: bombs.h5_zipped(p, "offset", 10)),
    "linked-offsets": ("info.h5", bombs.h5_groups),
    "vast-coefficients": ("polymodel.h5", lambda p: bombs.h5_vast(p, "Coefficients", (1 << 20, 1 << 20))),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(mount, folder, name, capsys):
    """A section folder whose tables are bombs: corrected planes say why, the sections themselves are there."""
    source = sources.sections(folder / "em", range(1, 4))
    file, make = TABLES[name]
    make(source / file)
    assert os.path.getsize(source / file) < 8 * MB
    m = mount(source, options=["memory=512M", "workers=1"])
    took, error = timed("corrected", lambda: read_all(m / "corrected/sec_0002.tif"))
    assert error and m.error("corrected/sec_0002.tif").strip(), "no table, no correction"
    peak = workers(m)
    np.testing.assert_array_equal(tifffile.imread(m / "source/sec_0002.tif"), tifffile.imread(source / "sec_0002.tif"))
    with capsys.disabled():
        print(f" [{took:.2f} s, reader {peak['reader'] // MB} MB, maker {peak['maker'] // MB} MB, "
              f"{m.error('corrected/sec_0002.tif').strip()[:70]}]", end="", flush=True)
    if harness.SLOW == 1:
        assert max(peak.values()) <= 512 * MB


def test_a_report_on_a_bomb(mount, folder):
    """Statistics of 0.9 GB in one plane are refused by the budget, not tried."""
    source = folder / "source"
    source.mkdir()
    (source / "bomb.tif").write_bytes(bombs.TIFFS["deflate"]())
    m = mount(source, options=["memory=256M", "workers=1"], frozen=False)
    plane = os.listdir(m / "bomb/source")[0]
    for name in ("bomb/stats.json", "bomb/slice/z0/c0.tif", f"bomb/source/{plane}", f"bomb/corrected/{plane}"):
        done = subprocess.run(["cat", m / name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS)
        assert done.returncode == 1 and b"Cannot allocate memory" in done.stderr, done.stderr
    if harness.SLOW == 1:
        assert max(workers(m).values()) <= 200 * MB
