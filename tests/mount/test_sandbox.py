"""Workers are confined before their first job, and the mount says by what. Kernels without a layer are played by a
seccomp filter around planefs that answers ENOSYS to what the layer is made of."""
import ctypes
import os
import platform
import re
from pathlib import Path

import pytest

import harness
import sources

SANITIZED = harness.SLOW > 1
WORKER = harness.BUILD / "planefs-worker"
LANDLOCK, SECCOMP = 444, {"x86_64": 317, "aarch64": 277}.get(platform.machine())
PRCTL = {"x86_64": 157, "aarch64": 167}.get(platform.machine())
whole = pytest.mark.skipif(SANITIZED, reason="a build with a sanitizer has no sandbox")


def self_test(**how):
    how.setdefault("env", {**os.environ, "OPENBLAS_NUM_THREADS": "1"})   # as the pool starts it: one thread
    done = harness.run(WORKER, "--self-test", **how)
    return done.returncode, dict(re.split(r"\s{2,}", line, maxsplit=1) for line in done.stdout.decode().splitlines())


def without(*calls):
    """For preexec_fn: from here on these system calls do not exist (a pair: only with that first argument)."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p

    class Compare(ctypes.Structure):
        _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

    def enter():
        context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(0x7FFF0000)))
        for call in calls:
            number, *first = call if isinstance(call, tuple) else (call,)
            compare = Compare(0, 4, first[0] if first else 0, 0)
            assert library.seccomp_rule_add_array(context, ctypes.c_uint32(0x00050000 | 38), number, len(first),
                                                  ctypes.byref(compare)) == 0
        assert library.seccomp_load(context) == 0
    return enter


@whole
def test_everything_forbidden_is_refused():
    status, table = self_test()
    assert status == 0, table
    assert table.pop("threads") == table.pop("memory") == "works"
    assert table.pop("layers") == "landlock+seccomp"
    assert len(table) >= 18 and all(v.startswith("refused: ") for v in table.values()), table


@whole
@pytest.mark.skipif(SECCOMP is None, reason="numbers of system calls are not known here")
def test_each_layer_holds_alone():
    status, table = self_test(preexec_fn=without(LANDLOCK))
    assert status == 1 and table["layers"] == "seccomp" and table["missing"] == "Landlock: this kernel has none"
    assert table["open /etc/passwd"].startswith("refused") and table["fork"].startswith("refused")
    status, table = self_test(preexec_fn=without(SECCOMP, (PRCTL, 22)))
    assert status == 1 and table["layers"] == "landlock" and table["missing"] == "seccomp: this kernel has none"
    assert table["open /etc/passwd"].startswith("refused") and table["make a folder"].startswith("refused")
    assert table["fork"] == "DONE" and table["exec"] == "DONE", "without the layer the trial must succeed"


@pytest.mark.skipif(SECCOMP is None, reason="numbers of system calls are not known here")
def test_required_refuses_what_auto_does_without(folder):
    source = sources.sections(folder / "em", range(1, 3))
    how = {"env": {**os.environ, "XDG_CACHE_HOME": str(folder / "xdg")}, "preexec_fn": without(LANDLOCK)}
    done = harness.run(harness.PLANEFS, "info", source, "-o", "sandbox=required", **how)
    words = done.stderr.decode()
    assert done.returncode == 2 and words.count("\n") == 1 and "the required sandbox is not complete: " in words
    assert SANITIZED or "Landlock: this kernel has none" in words
    for when in ("auto", "off"):
        assert b"48 x 64" in harness.check(harness.PLANEFS, "info", source, "-o", f"sandbox={when}", **how)


def test_a_wrong_word_is_refused(folder):
    done = harness.run(harness.PLANEFS, folder, folder, "-o", "sandbox=maybe")
    assert done.returncode == 1 and b"sandbox=maybe: not auto, required or off" in done.stderr


def test_off_is_said(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 3)), options=["sandbox=off"])
    assert m.status()["sandbox"] == "off"
    (m / "corrected/sec_0001.tif").read_bytes()


@whole
def test_workers_of_a_mount_are_confined(mount, folder):
    """After real work: the filter is on every worker, its limits are set, it holds its own descriptors alone."""
    m = mount(sources.sections(folder / "em", range(1, 3)), options=["sandbox=required", "memory=1G"])
    assert m.status()["sandbox"] == "landlock+seccomp"
    (m / "corrected/sec_0001.tif").read_bytes()
    workers = [pid for pid in harness.children(m.pid) if b"planefs-worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == m.status()["workers"] >= 3
    for pid in workers:
        status = dict(re.findall(r"^(\w+):\s+(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M))
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
        limits = {line[:26].strip(): line[26:].split()[0] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()}
        assert limits["Max core file size"] == "0" and int(limits["Max open files"]) <= 64
        assert limits["Max address space"].isdigit() and int(limits["Max address space"]) < 4 << 30
        assert limits["Max file size"].isdigit() or limits["Max file size"] == "unlimited"
        if os.getuid() == 0:
            held = {os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
            assert all(re.match(r"/dev/null|socket:|.*/statm|.*\.(tif|h5)", name) for name in held), held
