"""The wall in the finished binary: the daemon loads no library that parses images or does linear algebra."""
import os
import re
import subprocess
from pathlib import Path

FOREIGN = re.compile(r"lib(tiff|hdf5|openblas|lapack|blas|expat|jpeg|webp|curl)")
DIRECT = re.compile(r"lib(fuse3|inih|c|m|pthread|dl|rt|asan|ubsan|tsan|gcc_s)\.so|ld-linux")


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def problems(root):
    daemon = Path(os.environ.get("BUILD", Path(root) / "build")) / "planefs"
    if not daemon.exists():
        return
    for line in _run("ldd", str(daemon)).splitlines():
        if FOREIGN.search(line):
            yield f"planefs loads {line.split()[0]}"
    for name in re.findall(r"NEEDED.*\[(.*?)\]", _run("readelf", "-d", str(daemon))):
        if not DIRECT.match(name):
            yield f"planefs links {name}"
