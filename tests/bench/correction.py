"""The correction's part of `make bench`: stages in the core, whole sections through the mount, the same in SciPy.

Sections hold tissue-like structure, stripes and noise around the intensities that the EM preset expects. Sources lie in
the page cache. Where others use the machine, times are too long: the load is printed beside them.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "mount"), str(ROOT / "tests" / "golden")]
import harness  # noqa: E402

SIZES = [(1000, 1000), (2000, 2000), (4000, 4000), (9000, 13750)]
STAGES = ["invert", "destripe", "background", "denoise", "contrast", "all"]


def section(h, w, z=0):
    """One tile of 1000 x 1000, shifted where it repeats, so that a big section is made quickly; u16, inverted."""
    rng = np.random.default_rng(z)
    y, x = np.mgrid[0:1000, 0:1000]
    waves = 900 * np.sin(2 * np.pi * x / 125 + 2 * np.sin(2 * np.pi * y / 250)) * np.cos(2 * np.pi * y / 100)
    tile = (37535 + waves + rng.normal(0, 500, (1000, 1000))).astype("u2")
    plane = np.empty((h, w), "u2")
    for i in range(0, h, 1000):
        row = np.tile(np.roll(tile, 131 * i // 1000, axis=1), (1, -(-w // 1000)))
        plane[i:i + 1000] = row[:h - i, :w]
    return plane + rng.integers(0, 1000, w).astype("u2")


def megapixels(h, w):
    return h * w / 1e6


def stages(b):
    """Nanoseconds a pixel and passes over memory of each stage, in the core alone: one thread, then all of them."""
    cores = os.cpu_count()
    for threads in sorted({1, cores}):
        print(f"stages, {threads} thread(s): ns a pixel (passes over a float plane)")
        for h, w in SIZES:
            runs = 3 if h < 9000 else 2
            done = subprocess.run([harness.BUILD / "tests/bench/stages", str(h), str(w), str(threads), str(runs)],
                                  capture_output=True, check=True)
            found = json.loads(done.stdout)
            line = "  ".join(f"{s} {found[s] / h / w * 1e9:.2f} ({found[s] / found['pass']:.1f})" for s in STAGES)
            print(f"{megapixels(h, w):6.1f} Mpixel  {line}  peak {found['peak_bytes'] / 1e9:.2f} GB", flush=True)
            b.rows.append({"case": "stages", "threads": threads, "height": h, "width": w, "load": os.getloadavg()[0],
                           **found})


def workers(m):
    """What the workers have used: the largest resident set of one, bytes, and processor time of all, seconds."""
    peak = ticks = 0
    for pid in harness.children(m.pid):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) * 1024)
        stat = Path(f"/proc/{pid}/stat").read_text()
        ticks += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:13]))
    return peak, ticks / os.sysconf("SC_CLK_TCK")


def corrected(b):
    """A section corrected through the mount, cold, by size; then read again; then stage by stage from the cache."""
    for h, w in SIZES:
        folder = b.base / f"em{h}"
        folder.mkdir()
        for z in (1, 2):
            tifffile.imwrite(folder / f"s_{z}.tif", section(h, w, z), photometric="minisblack")
        m = b.mount(folder)
        mp, path = megapixels(h, w), m / "corrected/s_1.tif"
        runs = 3 if mp < 100 else 2
        first, _ = b.seconds(f"cat {path} >/dev/null", before=lambda: m.remount(fresh=True), runs=runs)
        peak, cpu = workers(m)
        b.row(f"corrected {mp:.1f} Mpixel: first", first, None,
              f"{mp / first:.1f} Mpixel/s, worker {cpu:.2f} s of processor, {peak / 1e9:.2f} GB, "
              f"load {os.getloadavg()[0]:.1f}")
        b.rows[-1] |= {"megapixels": mp, "worker_peak_bytes": peak, "worker_cpu_s": cpu}
        again, _ = b.seconds(f"cat {path} >/dev/null", runs=3)
        b.row(f"corrected {mp:.1f} Mpixel: again", again, first, "computing it")
        if 10 < mp < 100:
            from_stage_to_stage(b, m, mp)
        m.stop()


def from_stage_to_stage(b, m, mp):
    """Each stage read in turn: it starts from the one before, which lies in the cache."""
    m.remount(fresh=True)
    for view in ("destriped", "flattened", "denoised", "corrected"):
        begin = time.perf_counter()
        (m / view / "s_2.tif").read_bytes()
        took = time.perf_counter() - begin
        b.row(f"{view} {mp:.1f} Mpixel, stage before cached", took, None, f"{mp / took:.1f} Mpixel/s")


def scipy_twin(b):
    """The same method in NumPy and SciPy, on a megapixel."""
    import oracle
    h, w = SIZES[0]
    folder = b.base / "twin"
    folder.mkdir()
    for z in (1, 2):
        tifffile.imwrite(folder / f"s_{z}.tif", section(h, w, z), photometric="minisblack")
    m = b.mount(folder)
    path = m / "corrected/s_1.tif"
    ours, _ = b.seconds(f"cat {path} >/dev/null", before=lambda: m.remount(fresh=True), runs=5)
    raw = tifffile.imread(folder / "s_1.tif")
    begin = time.perf_counter()
    want = oracle.correct(raw, 65535)[-1]
    theirs = time.perf_counter() - begin
    off = np.abs(tifffile.imread(path).astype(int) - want)
    if off.max() > 2 or (off > 0).mean() > 0.001:
        sys.exit(f"corrected: off by {off.max()}, {(off > 0).mean():.5f} of pixels; no time is worth anything")
    b.row("corrected 1.0 Mpixel: first", ours, theirs, "NumPy and SciPy, one core")


CASES = [stages, corrected, scipy_twin]
