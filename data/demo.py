"""The demonstration: makes the data once, mounts it, walks through the tree and leaves it mounted."""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import make_demo

SYNTHETIC = Path(__file__).resolve().parent / "wholebrain.synthetic"
BUILD = Path(os.environ.get("BUILD", Path(__file__).resolve().parents[1] / "build"))
HOME = BUILD / "demo"
DATA, MOUNT, CACHE = HOME / "data", HOME / "mnt", HOME / "cache"


def is_mounted():
    return any(line.split()[4] == str(MOUNT) for line in open("/proc/self/mountinfo"))


def mount():
    MOUNT.mkdir(parents=True, exist_ok=True)
    if is_mounted():
        subprocess.run(["fusermount3", "-u", MOUNT], check=True)
    shutil.rmtree(CACHE, ignore_errors=True)             # so that first reads compute, each time
    subprocess.run([BUILD / "planefs", DATA, MOUNT, "-o", f"cache={CACHE}"], check=True)


def show(title):
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}")


def tree(folder):
    """A dataset's own names, folders first, with a few of the names in each."""
    print(f"    {folder.name}/")
    for entry in sorted(os.scandir(folder), key=lambda e: (not e.is_dir(), e.name)):
        inside = sorted(os.listdir(entry.path)) if entry.is_dir() else []
        few = " ".join(inside[:3]) + (f" ... ({len(inside)})" if len(inside) > 3 else "")
        print(f"        {entry.name + '/' * entry.is_dir():16} {few}".rstrip())


def timed(path):
    begin = time.monotonic()
    size = len(path.read_bytes())
    return size, 1000 * (time.monotonic() - begin)


def statistics(path):
    stats = json.loads(path.read_text())["all"]
    shown = ", ".join(f"{key} {stats[key]:.6g}" for key in ("count", "min", "max", "mean", "std"))
    print(f"    {path.parent.name}/{path.name}: {shown}")


def main():
    if not (DATA / "cells.tif").exists():
        print("making the demonstration data ...")
        make_demo.make(DATA)
    shutil.copy(SYNTHETIC, DATA)
    mount()
    show("What is on disk, and what the mount makes of it")
    print("   ", ", ".join(sorted(p.name for p in DATA.iterdir())), "->")
    tree(MOUNT / "em")
    tree(MOUNT / "cells")
    show("Statistics are files")
    for name in ("em", "cells"):
        statistics(MOUNT / name / "stats.json")
    show("Sizes are exact before anything is computed; a plane is computed when it is first read, and once")
    for name in ("em/slice/z5605/c0.tif", "em/destriped/05605.tif", "em/corrected/05605.tif",
                 "cells/slice/t1/z2/c0.tif", "wholebrain/slice/z9000/c0.tif"):
        promised = os.stat(MOUNT / name).st_size
        size, first = timed(MOUNT / name)
        _, second = timed(MOUNT / name)
        assert size == promised
        print(f"    {name:29} {size:9} bytes   first read {first:7.1f} ms   second {second:6.1f} ms")
    sizes = [entry.stat().st_size for entry in os.scandir(MOUNT / "wholebrain/source")]
    print(f"    wholebrain/source: {len(sizes)} sections, {sum(sizes) / 1e12:.2f} TB, ready to be read anywhere")
    show("It is mounted; have a look")
    print(f"""    Fiji     File > Import > Image Sequence..., choose {MOUNT}/em/corrected
    Python   tifffile.imread("{MOUNT}/em/corrected/05605.tif")
    shell    cat {MOUNT}/em/stats.json
    more     cat {MOUNT}/.planefs/README.txt
    unmount  fusermount3 -u {MOUNT}""")


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"demo: {error}")
