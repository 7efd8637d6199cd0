"""Layout: the names at the top, lengths of files, lines and functions, stray blanks."""
import re
import subprocess
from pathlib import Path

TOP = set("Makefile README.md LICENSE include src tests data docs .ci .clang-format .gitignore".split())
FLOORS = set("base kernels io ops stack worker wire cache pool catalog engine files fs cli".split())
TESTS = set("unit kernels golden mount fuzz bench checks conftest.py test_programs.py".split())
LINE_MAX, FILE_MAX, FUNCTION_MAX = 124, 600, 80      # 120 columns and 60 lines are what to aim at
TEXT = {".c", ".h", ".def", ".py", ".sh", ".md", ".1", ".5", ".ijm", ""}


def tracked(root):
    """Files under version control and new ones that are not ignored; every file where there is no repository."""
    run = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True)
    if run.returncode == 0 and (Path(root) / ".git").exists():
        return [Path(root) / n for n in run.stdout.decode().split("\0") if n and (Path(root) / n).is_file()]
    return sorted(p for p in Path(root).rglob("*") if p.is_file())


def is_text(path):
    return path.suffix in TEXT and "corpus" not in path.parts and b"\0" not in path.read_bytes()[:4096]


def functions(text):
    """(first line, number of lines) of each function: in this style its braces stand in column 0."""
    begin = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            begin = number
        elif line.startswith("}") and begin:
            yield begin, number - begin - 1
            begin = None


def _names(root, files):
    for path in files:
        parts = path.relative_to(root).parts
        if parts[0] not in TOP:
            yield f"{parts[0]}: not one of the names at the top"
        if parts[0] == "src" and (len(parts) != 3 or parts[1] not in FLOORS):
            yield f"{'/'.join(parts)}: src holds one folder a floor and nothing else"
        if parts[0] == "tests" and parts[1] not in TESTS:
            yield f"{'/'.join(parts)}: tests holds {' '.join(sorted(TESTS))}"


def _lines(where, text, path):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LINE_MAX and path.suffix != ".md":
            yield f"{where}:{number}: {len(line)} columns, {LINE_MAX} allowed"
        if line != line.rstrip():
            yield f"{where}:{number}: blanks at the end"
        if "\t" in line and path.name != "Makefile" and path.suffix in {".c", ".h", ".py", ".def"}:
            yield f"{where}:{number}: tab"
    if text and not text.endswith("\n"):
        yield f"{where}: no newline at the end"


def problems(root):
    root = Path(root)
    files = tracked(root)
    yield from sorted(set(_names(root, files)))
    for path in files:
        if not is_text(path):
            continue
        where, text = path.relative_to(root).as_posix(), path.read_text(errors="replace")
        yield from _lines(where, text, path)
        if path.suffix in {".c", ".h", ".py"} and len(text.splitlines()) > FILE_MAX:
            yield f"{where}: {len(text.splitlines())} lines, {FILE_MAX} allowed"
        if path.suffix == ".c":
            for first, count in functions(text):
                if count > FUNCTION_MAX:
                    yield f"{where}:{first}: a function of {count} lines, {FUNCTION_MAX} allowed"
