"""Measures planefs beside the plain tools that do the same, and prints ratios; writes $BUILD/bench.json.

Whole commands as a user types them, the median of several runs, and both results compared, so that nothing is fast by
being wrong. Not a test: nothing here passes or fails by a time.

    make bench                     all cases
    make bench ARGS="warm stats"   cases whose name contains one of the words
"""
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "mount"))
import correction  # noqa: E402
import harness  # noqa: E402
import sources  # noqa: E402
import analysis  # noqa: E402
from common import same, seconds  # noqa: E402

NUMPY = """
import json, sys
import numpy as np, tifffile
a = np.stack([tifffile.imread(f) for f in sys.argv[1:]])
quantiles = np.percentile(a, [0.1, 2, 25, 50, 75, 98, 99.9])
print(json.dumps({"count": a.size, "min": int(a.min()), "max": int(a.max()), "mean": float(a.mean(dtype="f8")),
                  "std": float(a.std(dtype="f8")), "quantiles": quantiles.tolist()}))
"""


def pixels(path, skip):
    """Hash of a file's pixel bytes."""
    return hashlib.blake2b(Path(path).read_bytes()[skip:]).hexdigest()


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


class Bench:
    def __init__(self, base):
        self.base, self.rows, self.mounts = Path(base), [], []
        self.seconds = seconds

    def mount(self, source):
        m = harness.Mount(source, self.base / f"m{len(self.mounts)}")
        self.mounts.append(m)
        return m

    def row(self, name, ours, reference, against):
        ratio = ours / reference if reference else None
        self.rows.append({"case": name, "planefs_s": ours, "reference_s": reference, "ratio": ratio,
                          "against": against})
        beside = f"{reference * 1000:10.1f} ms  {ratio:7.2f} x  {against}" if reference else against
        print(f"{name:34} {ours * 1000:10.1f} ms {beside}", flush=True)

    def close(self):
        for m in self.mounts:
            try:
                m.stop()
            finally:
                m.clear()


def one_section(b, **how):
    folder = b.base / f"section{len(b.mounts)}"
    folder.mkdir()
    plane = sources.texture((8192, 8192))
    for z in (1, 2):
        tifffile.imwrite(folder / f"s_{z}.tif", plane, photometric="minisblack", **how)
    return folder, plane.nbytes


def warm_read(b):
    """A ready file read again, beside the same file on disk in the page cache."""
    folder, size = one_section(b)
    m = b.mount(folder)
    served, copy = m / "source/s_1.tif", b.base / "copy.tif"
    shutil.copyfile(served, copy)
    same(pixels(served, -size), pixels(copy, -size), "warm read")
    for command in ("cat {} >/dev/null", "cp {} " + str(b.base / "out"), "md5sum < {}"):
        ours, a = seconds(command.format(served))
        theirs, c = seconds(command.format(copy))
        same(a, c, command)
        b.row(f"warm: {command.split()[0]} 128 MiB", ours, theirs, "the same file in the page cache")


def raw_slice(b):
    """An uncompressed slice beside the bytes of its source, which it is spliced from."""
    folder, size = one_section(b)
    m = b.mount(folder)
    slice_, source = m / "slice/z1/c0.tif", folder / "s_1.tif"
    same(pixels(slice_, -size), pixels(source, -size), "raw slice")
    cached = seconds(f"cat {slice_} >/dev/null", before=lambda: m.remount())[0]
    b.row("raw slice: first cat", cached, seconds(f"cat {source} >/dev/null")[0], "source in the page cache")
    if os.getuid() == 0:
        ours = seconds(f"cat {slice_} >/dev/null", before=lambda: (m.remount(), drop_caches()), runs=3)[0]
        theirs = seconds(f"cat {source} >/dev/null", before=drop_caches, runs=3)[0]
        b.row("raw slice: first cat, from disk", ours, theirs, "source on disk, caches dropped")


def packed_slice(b):
    """A compressed slice read for the first time, beside libtiff's own unpacking."""
    folder, size = one_section(b, compression="zlib", rowsperstrip=64)
    m = b.mount(folder)
    out = b.base / "unpacked.tif"
    ours, _ = seconds(f"cat {m / 'source/s_1.tif'} >/dev/null", before=lambda: m.remount(fresh=True), runs=3)
    theirs, _ = seconds(f"tiffcp -c none -r 8192 {folder / 's_1.tif'} {out}", runs=3)
    same(tifffile.imread(m / "source/s_1.tif").tobytes(), tifffile.imread(out).tobytes(), "packed slice")
    b.row("deflate slice: first cat", ours, theirs, "tiffcp -c none")


def stats(b):
    """stats.json of a stack computed for the first time, beside a NumPy script; and read again."""
    folder = b.base / "stack"
    folder.mkdir()
    for z in range(24):
        plane = sources.texture((2048, 2048), seed=z)
        tifffile.imwrite(folder / f"s_{z:03}.tif", plane, photometric="minisblack")
    m = b.mount(folder)
    script = b.base / "stats.py"
    script.write_text(NUMPY)
    ours, text = seconds(f"cat {m / 'stats.json'}", before=lambda: m.remount(fresh=True), runs=3)
    theirs, want = seconds(f"{sys.executable} {script} {folder}/*.tif", runs=3)
    got, want = json.loads(text)["all"], json.loads(want)
    same([got[k] for k in ("count", "min", "max")], [want[k] for k in ("count", "min", "max")], "statistics")
    for key in ("mean", "std"):
        same(True, abs(got[key] - want[key]) <= 1e-9 * abs(want[key]), key)
    b.row("stats.json of 192 MiB: first", ours, theirs, "NumPy and tifffile")
    b.row("stats.json of 192 MiB: again", seconds(f"cat {m / 'stats.json'}")[0], theirs, "NumPy and tifffile")


def listing(b):
    """11,000 sections listed with sizes, beside the source folder itself."""
    folder = sources.many_lzw(b.base / "many", 11000)
    m = b.mount(folder)
    b.row("mount of 11,000 sections: first", m.took, None, "until the command returns")
    m.remount()
    b.row("mount of 11,000 sections: again", m.took, None, "until the command returns")
    ours, a = seconds(f"ls -l {m / 'source'} | wc -l")
    theirs, c = seconds(f"ls -l {folder} | wc -l")
    same(a, c, "listing")
    b.row("ls -l of 11,000", ours, theirs, "the source folder")


CASES = [warm_read, raw_slice, packed_slice, stats, listing, *correction.CASES, *analysis.CASES]


def main(words):
    chosen = [c for c in CASES if not words or any(w in c.__name__ for w in words)]
    rows = []
    print(f"{'case':34} {'planefs':>13} {'reference':>13}  ratio")
    for case in chosen:
        with tempfile.TemporaryDirectory(prefix="planefs-bench-") as base:
            b = Bench(base)
            try:
                case(b)
            finally:
                b.close()
            rows += b.rows
    found = {"cores": os.cpu_count(), "load": os.getloadavg(), "numpy": np.__version__, "rows": rows}
    (harness.BUILD / "bench.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
