"""The tree passes every check, and every check fails on a tree that is bad in its way."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from run import CHECKS, ROOT  # noqa: E402


@pytest.mark.parametrize("name", CHECKS)
def test_tree(name):
    found = list(CHECKS[name].problems(ROOT))
    assert not found, "\n".join(found)


LONG_FUNCTION = "static void f(void)\n{\n" + "    g();\n" * 81 + "}\n"
# check, file, its text, what the complaint says
BAD = [
    ("floors", "src/io/a.c", '#include "ops/b.h"\n', "io must not include ops/b.h"),
    ("floors", "src/kernels/a.c", "#include <planefs/io.h>\n", "kernels must not include planefs/io.h"),
    ("floors", "src/base/a.c", "#include <planefs/ops.h>\n", "base must not include"),
    ("floors", "src/engine/a.c", "#include <planefs/ops.h>\n", "engine must not include"),
    ("floors", "src/engine/a.c", '#include "fs/fs.h"\n', "engine must not include fs/fs.h"),
    ("floors", "src/worker/a.c", '#include "cache/cache.h"\n', "worker must not include"),
    ("floors", "src/cache/a.c", '#include "wire/wire.h"\n', "cache must not include"),
    ("floors", "src/wire/a.c", "#include <planefs/io.h>\n", "wire must not include"),
    ("floors", "include/planefs/kernels/a.h", "#include <planefs/ops.h>\n", "kernels must not include"),
    ("floors", "src/io/a.c", "#include <planefs/kernels/a.h>\n", "io must not include"),
    ("floors", "include/planefs/shape.h", "#include <planefs/stack.h>\n", "base must not include"),
    ("floors", "src/io/a.c", "#include <planefs/nowhere.h>\n", "io must not include"),
    ("floors", "src/attic/a.c", "\n", "its floor is not known"),
    ("floors", "src/cli/a.c", "#include <fuse_lowlevel.h>\n", "belongs in src/fs/"),
    ("floors", "src/io/src_envi.c", "#include <tiffio.h>\n", "belongs in"),
    ("floors", "src/io/src_tiff.c", "  #  include <hdf5.h>\n", "belongs in"),
    ("floors", "src/ops/pca.c", "#include <cblas.h>\n", "belongs in src/kernels/"),
    ("floors", "src/cache/a.c", "#include <xxhash.h>\n", "belongs in src/base/"),
    ("floors", "src/stack/a.c", "#include <expat.h>\n", "belongs in src/io/"),
    ("layout", "notes.txt", "\n", "notes.txt: not one of the names at the top"),
    ("layout", "src/util/a.c", "\n", "src holds one folder a floor"),
    ("layout", "tests/misc/a.c", "\n", "tests holds"),
    ("layout", "src/io/a.c", "int a;\n" * 601, "601 lines"),
    ("layout", "src/io/a.c", LONG_FUNCTION, "a function of 81 lines"),
    ("layout", "src/io/a.c", "/* " + "x" * 119 + " */\n", "columns"),
    ("layout", "src/io/a.c", "int a; \n", "blanks at the end"),
    ("layout", "src/io/a.c", "\tint a;\n", "tab"),
    ("layout", "src/io/a.c", "int a;", "no newline"),
    ("words", "src/io/a.c", "/* TO" "DO: later */\n", "TO" "DO"),
    ("words", "docs/A.md", "FIX" "ME\n", "FIX" "ME"),
    ("words", "src/io/a.c", "#if 0\n#endif\n", "switched off"),
    ("words", "src/io/a.c", "    // x = y + 1;\n", "code in a comment"),
    ("words", "src/io/a.c", "/*\n * close(fd);\n */\n", "code in a comment"),
    ("words", "src/io/a.c", "/* for (i = 0; i < n; i++) {\n */\n", "code in a comment"),
    ("words", "docs/A.md", "see /home" "/me/x\n", "path of one machine"),
    ("tables", "src/ops/ops.def", "PFS_OP(a)\nPFS_OP(a)\n", "a stands there twice"),
    ("tables", "src/cli/cmds.def", "PFS_COMMAND(a, \"\", \"\")\n", "a has a line but"),
    ("tables", "src/ops/ops.def", "PFS_OP(a)\n", "a has a line but is not defined"),
]


@pytest.mark.parametrize("name, path, text, complaint", BAD)
def test_a_bad_tree_is_found(tmp_path, name, path, text, complaint):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert any(complaint in line for line in CHECKS[name].problems(tmp_path))


GOOD = {
    "src/io/src_tiff.c": '/* Reads TIFF. */\n#include <planefs/io.h>\n#include <tiffio.h>\n#include "tiff.h"\n',
    "src/io/tiff.h": "/* y = a x + b, so that the result is exact; see the paper. */\nint a;\n",
    "src/wire/record.h": "#include <planefs/io.h>\n",
    "src/catalog/a.c": '#include "cache/cache.h"\n#include "wire/record.h"\n',
    "src/worker/a.c": '#include <planefs/stack.h>\n#include "wire/wire.h"\n',
    "src/base/a.c": "void f(int *p)\n{\n    *p = 1;\n    *p = 2;\n}\n",
    "src/ops/ops.def": "PFS_OP(a)\n",
    "src/ops/a.c": "const struct pfs_op pfs_op_a = {\n};\n",
    "docs/A.md": "a\n",
}


@pytest.mark.parametrize("name", ["floors", "layout", "words", "tables"])
def test_a_good_tree_passes(tmp_path, name):
    for path, text in GOOD.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert list(CHECKS[name].problems(tmp_path)) == []


def test_an_undeclared_operator_is_found(tmp_path):
    folder = tmp_path / "src/ops"
    folder.mkdir(parents=True)
    (folder / "ops.def").write_text("PFS_OP(a)\n")
    (folder / "a.c").write_text("const struct pfs_op pfs_op_a = {\nconst struct pfs_op pfs_op_b = {\n")
    assert any("b is defined" in line for line in CHECKS["tables"].problems(tmp_path))


def test_a_daemon_with_image_libraries_is_found(tmp_path, monkeypatch):
    import subprocess
    source = tmp_path / "a.c"
    source.write_text("#include <expat.h>\nint main(void) { return XML_ExpatVersion() == 0; }\n")
    subprocess.run(["cc", "-o", tmp_path / "planefs", source, "-lexpat"], check=True)
    monkeypatch.setenv("BUILD", str(tmp_path))
    assert any("libexpat" in line for line in CHECKS["linkage"].problems(tmp_path))
