"""What the mount tests stand on: a mounted planefs, its processes, and small sources made on the spot.

Builds nothing: the programs lie in $BUILD. Nothing here sleeps for a fixed time and hopes; it waits for a process, a
file descriptor or a state, and gives up loudly.
"""
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
PLANEFS = BUILD / "planefs"
SHARED = Path(os.environ.get("PLANEFS_SHARED", ROOT.parent / "shared")) / "data"
SLOW = 8 if BUILD.name in ("asan", "tsan") else 1          # sanitizers are that much slower
# Parts of the contract that are not built yet. Tests marked with them are left out, and test_tree.py fails when a part
# listed here has come into being: then its name goes, and its tests run.
NOT_YET = {
    "zarr", "DATASET-VIEW.tif", "follow",
}
LIVE = ".planefs"                                          # the control folder: its files change while they are read


def built(*names):
    """Those of the names whose part is built."""
    return [n for n in names if n.split("/")[0] not in NOT_YET]


def run(*command, timeout=120, **more):
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(c) for c in command], capture_output=True, timeout=timeout * SLOW, **more)


def check(*command, **more):
    done = run(*command, **more)
    assert done.returncode == 0, f"{command[0]}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-3000:]}"
    return done.stdout


def wait_until(condition, seconds, what):
    """Poll a state that has no descriptor to wait on."""
    end = time.monotonic() + seconds * SLOW
    while not condition():
        assert time.monotonic() < end, f"waited {seconds * SLOW} s for {what}"
        time.sleep(0.005)


# ---- processes ----

def _stat(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return {"state": fields[0], "ppid": int(fields[1])}


def alive(pid):
    stat = _stat(pid)
    return stat is not None and stat["state"] not in "ZX"


def children(pid):
    found = []
    for entry in os.listdir("/proc"):
        stat = _stat(entry) if entry.isdigit() else None
        if stat and stat["ppid"] == pid and stat["state"] not in "ZX":
            found += [int(entry), *children(int(entry))]
    return found


def daemon_of(mountpoint):
    """The planefs process that serves this mount point: it has it on its command line."""
    wanted = os.fsencode(str(mountpoint))
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            if os.path.basename(line[0]) == b"planefs" and wanted in line and alive(int(entry)):
                return int(entry)
    return None


def wait_gone(pid, seconds):
    """Wait for any process (not only a child) to end."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds * SLOW)[0])
    finally:
        os.close(fd)


def is_mounted(path):
    path = str(path).replace(" ", "\\040")
    return any(line.split()[4] == path for line in open("/proc/self/mountinfo"))


def snapshot(folder):
    """Everything about a source tree that planefs must leave alone."""
    seen = {}
    for where, folders, files in os.walk(folder):
        for name in folders + files:
            s = os.lstat(os.path.join(where, name))
            path = os.path.relpath(os.path.join(where, name), folder)
            seen[path] = (s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
    return seen


# ---- a mount ----

class Mount:
    """planefs mounted on a folder of its own, with a cache of its own."""

    def __init__(self, source, base, options=(), env=None, cache=None, prefix=()):
        self.source, self.path = Path(source), Path(base) / "mnt"
        self.cache = Path(cache or Path(base) / "cache")
        self.options, self.prefix = list(options), list(prefix)
        # In a sandboxed worker the leak checker cannot run; in the programs of tests/unit it does.
        leaks = os.environ.get("ASAN_OPTIONS", "").replace("detect_leaks=1", "detect_leaks=0")
        self.env = {**os.environ, "ASAN_OPTIONS": leaks, "XDG_CACHE_HOME": str(Path(base) / "xdg"), **(env or {})}
        self.pid, self.seen = None, set()
        self.path.mkdir(parents=True, exist_ok=True)
        self.start()

    def __truediv__(self, name):
        return self.path / name

    def command(self):
        options = ",".join([f"cache={self.cache}", *self.options])
        return [*self.prefix, str(PLANEFS), str(self.source), str(self.path), "-o", options]

    def start(self):
        """Returns when planefs does, which is when the mount answers. Its time is kept."""
        begin = time.monotonic()
        done = subprocess.run(self.command(), env=self.env, timeout=120 * SLOW, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.took = time.monotonic() - begin
        assert done.returncode == 0, f"planefs: exit {done.returncode}: {done.stdout.decode(errors='replace')}"
        assert is_mounted(self.path), "planefs returned 0 but nothing is mounted"
        self.pid = daemon_of(self.path)
        assert self.pid, "mounted, but no planefs process serves it"
        self.note_processes()

    def note_processes(self):
        self.seen |= {self.pid, *children(self.pid)}

    def stop(self):
        """Unmount as a user does; the daemon and all its workers must end by themselves."""
        if self.pid is None:
            return
        self.note_processes()
        pid, self.pid = self.pid, None
        if is_mounted(self.path):
            check("fusermount3", "-u", self.path)
        assert wait_gone(pid, 10), "the daemon outlives its mount"
        self.expect_no_processes()

    def expect_no_processes(self):
        wait_until(lambda: not any(map(alive, self.seen)), 3, "planefs and its workers to end")
        self.seen = set()

    def kill(self):
        """kill -9 of the daemon: workers must die with it; the dead mount is cleared away."""
        self.note_processes()
        pid, self.pid = self.pid, None
        os.kill(pid, 9)
        assert wait_gone(pid, 10)
        self.expect_no_processes()
        check("fusermount3", "-uz", self.path)

    def clear(self):
        """Whatever went wrong: nothing stays."""
        for pid in self.seen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        while is_mounted(self.path):
            run("umount" if os.getuid() == 0 else "fusermount3", "-l" if os.getuid() == 0 else "-uz", self.path)

    def remount(self, fresh=False):
        self.stop()
        if fresh:
            shutil.rmtree(self.cache, ignore_errors=True)
        self.start()

    def status(self):
        return json.loads((self / LIVE / "status.json").read_text())

    def jobs(self):
        return self.status()["jobs_started"]

    def error(self, name):
        return Path(f"{self / name}.error").read_text()

    def files(self, under=""):
        """Every listed file outside the control folder, as paths relative to the mount, sorted."""
        found = []
        for where, folders, names in os.walk(self / under, onerror=_raise):
            if LIVE in folders:
                folders.remove(LIVE)
            found += [os.path.relpath(os.path.join(where, n), self.path) for n in names]
        return sorted(found)

    def datasets(self):
        """Folders that hold an info.json."""
        return sorted({os.path.dirname(f) for f in self.files() if os.path.basename(f) == "info.json"})


def _raise(error):
    raise error


@contextlib.contextmanager
def reader(path, count=1):
    """A process that reads a file to its end and exits; killed at the end whatever happens."""
    program = subprocess.Popen(["cat", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield program
    finally:
        program.kill()
        program.wait()
        program.stderr.close()
