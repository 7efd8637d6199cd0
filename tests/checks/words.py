"""Words that must not stay: marks of unfinished work, code in comments, switched-off code, paths of one machine."""
import re
from pathlib import Path

from layout import is_text, tracked

MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
OFF = re.compile(r"^\s*#\s*if\s+(0|false)\b")
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
# A line of a comment that is a statement: an assignment or a call with a semicolon, or the head of a block.
STATEMENT = re.compile(r"\s*\*?\s*((if|for|while)\s*\(.*\)\s*\{?|return\b[^.]*;"
                       r"|[\w>.\[\]*-]+\s*(=[^=]|\()[^`\"]*;)\s*$")
HOMES = re.compile(r"(?<![\w$.}])/(work|home|root|Users)/\w")


def comment_lines(text):
    """(line number, text) of what stands in C comments that begin a line."""
    for found in COMMENT.finditer(text):
        comment = found.group(0)
        before = text[text.rfind("\n", 0, found.start()) + 1:found.start()]
        if comment[0] != "/" or before.strip():
            continue
        first = text.count("\n", 0, found.start()) + 1
        body = comment[2:-2] if comment[1] == "*" else comment[2:]
        yield from enumerate(body.split("\n"), first)


def problems(root):
    root = Path(root)
    for path in tracked(root):
        where = path.relative_to(root).as_posix()
        if not is_text(path) or where.startswith("tests/checks/"):
            continue
        text = path.read_text(errors="replace")
        code = path.suffix in {".c", ".h", ".def"}
        for number, line in enumerate(text.splitlines(), 1):
            if MARKS.search(line):
                yield f"{where}:{number}: {MARKS.search(line).group(0)}"
            if code and OFF.match(line):
                yield f"{where}:{number}: code switched off"
            if HOMES.search(line):
                yield f"{where}:{number}: a path of one machine"
        for number, line in comment_lines(text) if code else ():
            if STATEMENT.match(line):
                yield f"{where}:{number}: looks like code in a comment"
