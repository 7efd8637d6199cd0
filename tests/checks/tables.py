"""Tables of things to add: every .def line has its definition, every definition its line, no name twice."""
import re
from pathlib import Path

# table, folder of the definitions, what defines an entry: an object of that struct, or a file of that name
TABLES = [
    ("src/io/sources.def", "src/io", "pfs_driver"),
    ("src/ops/ops.def", "src/ops", "pfs_op"),
    ("src/files/files.def", "src/files", "pfs_kind"),
    ("src/stack/views.def", None, None),
    ("src/cli/cmds.def", "src/cli", "cmd_*.c"),
]
PREFIX = "(?:pfs_)?(?:driver_|source_|src_|op_|kind_)?"
DEFINITION = r"\bconst struct {} " + PREFIX + r"(?P<name>\w+?)(?:_driver|_op|_kind)?\s*=\s*\{{"
LINE = re.compile(r'^\s*[A-Z_]+\s*\(\s*"?' + PREFIX + r"([\w-]+)")


def entries(text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [m.group(1) for m in map(LINE.match, text.splitlines()) if m]


def _definitions(folder, struct):
    names = {p.name[4:-2] for p in folder.glob(struct)} if "*" in struct else set()
    for path in sorted(folder.glob("*.c")):
        for found in re.finditer(DEFINITION.format(struct), path.read_text(errors="replace")):
            if not re.search(r"static\s*$", path.read_text(errors="replace")[:found.start()]):
                names.add(found.group("name"))
    return names


def problems(root):
    root = Path(root)
    for table, folder, struct in TABLES:
        path = root / table
        if not path.exists():
            continue
        names = entries(path.read_text())
        if not names:
            yield f"{table}: no entries found"
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield f"{table}: {name} stands there twice"
        if folder:
            defined = _definitions(root / folder, struct)
            for name in sorted(defined - set(names)):
                yield f"{table}: {name} is defined in {folder} but has no line"
            for name in sorted(set(names) - defined):
                yield f"{table}: {name} has a line but is not defined in {folder}"
