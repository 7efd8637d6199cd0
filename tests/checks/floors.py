"""Floors and the wall: who includes whom, and which floor may see which foreign header.

A floor includes from itself and from below. Daemon side and worker side share `base` and `wire` alone (plain structs of
planefs/io.h reach the daemon only through wire/record.h).
"""
import re
from pathlib import Path

WORKER = ["base", "kernels", "io", "ops", "stack", "wire", "worker"]
ALLOWED = {
    "base": ["base"],
    "kernels": ["base", "kernels"],
    "io": ["base", "io"],
    "ops": ["base", "kernels", "io", "ops"],
    "stack": ["base", "kernels", "io", "ops", "stack"],
    "worker": WORKER,
    "wire": ["base", "wire"],
    "cache": ["base", "cache"],
    "pool": ["base", "wire", "cache", "pool"],
}
DAEMON = ["base", "wire", "cache", "pool", "catalog", "engine", "files", "fs", "cli"]
for _i, _floor in enumerate(DAEMON):
    ALLOWED.setdefault(_floor, DAEMON[: _i + 1])

# Public headers of include/planefs and the floor each belongs to; those in a folder belong to the floor of its name.
BASE_HEADERS = "err type shape plane mem text hash blob table version sanitizer".split()
HEADER_FLOOR = {**{h: "base" for h in BASE_HEADERS}, "io": "io", "ops": "ops", "stack": "stack"}
EXCEPTION = {("src/wire/record.h", "planefs/io.h"), ("src/wire/record.c", "planefs/io.h")}

# Foreign headers: pattern of the header, pattern of the files that may include it.
PINNED = [
    (r"(fuse3/)?(fuse.*|linux/fuse)\.h", r"src/fs/"),
    (r"tiffio?\.h", r"src/io/[a-z_]*tiff?[a-z_]*\.[ch]$"),
    (r"(hdf5.*|H5.*)\.h", r"src/io/[a-z_]*(hdf5|h5|table)[a-z_]*\.[ch]$"),
    (r"(cblas|lapacke|lapack|openblas.*)\.h", r"src/kernels/"),
    (r"(seccomp|linux/landlock)\.h", r"src/worker/sandbox_[a-z]+\.c$"),
    (r"xxhash\.h|xxh3\.h", r"src/base/"),
    (r"expat.*\.h", r"src/io/"),
    (r"ini\.h", r"src/catalog/"),
    (r"ini\.h", r"src/catalog/config\.c$"),
]
LINEAR_ALGEBRA_FILES = 1

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def _includes(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(2), found.group(1) == '"'


def _floor_of_header(name):
    folder, _, stem = name[len("planefs/"):-2].rpartition("/")
    return folder if folder in ALLOWED else HEADER_FLOOR.get(stem)


def _floor_of_file(root, path):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == "src" else _floor_of_header("/".join(parts[1:]))


def _target(name, quoted, path):
    """Floor an include line leads to; None for headers that are not the project's."""
    if name.startswith("planefs/"):
        return _floor_of_header(name) or "?"
    if quoted and "/" in name:
        return name.split("/")[0]
    if quoted:
        return path.parent.name if (path.parent / name).exists() else "?"
    return None


def _pin(where, number, name):
    for header, files in PINNED:
        if re.fullmatch(header, name) and not re.match(files, where):
            yield f"{where}:{number}: <{name}> belongs in {files} alone"


def problems(root):
    root = Path(root)
    algebra = set()
    files = sorted([*root.glob("src/**/*.[ch]"), *root.glob("src/**/*.def"), *root.glob("include/planefs/**/*.h")])
    for path in files:
        where = path.relative_to(root).as_posix()
        floor = _floor_of_file(root, path)
        if floor not in ALLOWED:
            yield f"{where}: its floor is not known to tests/checks/floors.py"
            continue
        for number, name, quoted in _includes(path):
            yield from _pin(where, number, name)
            if re.fullmatch(r"(cblas|lapacke)\.h", name):
                algebra.add(where)
            target = _target(name, quoted, path)
            if target and target not in ALLOWED[floor] and (where, name) not in EXCEPTION:
                yield f"{where}:{number}: {floor} must not include {name} ({target})"
    if len(algebra) > LINEAR_ALGEBRA_FILES:
        yield f"cblas.h and lapacke.h belong in one file, not in {', '.join(sorted(algebra))}"
