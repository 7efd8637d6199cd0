"""Killed, full, flipped, edited, interrupted: what is served is right, or it is an error. Short forms."""
import collections
import contextlib
import errno
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

import harness
import sources

ROOT = os.getuid() == 0
VIEWS = ("source", "inverted", "destriped", "corrected")
GONE = {errno.ENOTCONN, errno.ECONNABORTED}


def expected(m, numbers, views=VIEWS):
    """What a quiet mount serves, by name."""
    names = [f"{view}/sec_{z:04}.tif" for view in views for z in numbers]
    return {name: (m / name).read_bytes() for name in names}


def same(m, want):
    for name, data in want.items():
        assert (m / name).read_bytes() == data, f"{name}: wrong bytes"


class Readers:
    """Threads that read random files of a mount until told to stop. A read is right or an error of the allowed ones."""

    def __init__(self, m, want, allowed, count=4):
        self.m, self.want, self.allowed = m, want, allowed
        self.wrong, self.right, self.refused, self.over = [], 0, 0, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(count)]
        for t in self.threads:
            t.start()

    def run(self, seed):
        rng = random.Random(seed)
        while not self.over.is_set():
            name = rng.choice(list(self.want))
            try:
                if (self.m / name).read_bytes() == self.want[name]:
                    self.right += 1
                else:
                    self.wrong.append(name)
            except OSError as error:
                self.refused += 1
                if error.errno not in self.allowed:
                    self.wrong.append(f"{name}: {error}")
                time.sleep(0.002)

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join(60 * harness.SLOW)
        assert not any(t.is_alive() for t in self.threads), "a reader hangs"
        assert not self.wrong, self.wrong[:5]


def test_killed_at_random_under_readers(mount, folder, capsys):
    """kill -9 of workers every few ms and of the daemon after a moment, over and over, on one cache. The next planefs
    takes the dead mount over by itself. No wrong byte; what was finished is found again; nothing is left behind."""
    numbers = range(1, 7)
    m = mount(sources.sections(folder / "em", numbers, h=400, w=500))
    want = expected(m, numbers)
    m.stop()
    shutil.rmtree(m.cache)
    rng, right, killed, cycles, begin = random.Random(7), 0, 0, 0, time.monotonic()
    while cycles < 25 and time.monotonic() - begin < 12:
        m.start()
        readers = Readers(m, want, GONE | {errno.EIO, errno.ENOENT})
        end = time.monotonic() + rng.uniform(0.02, 0.5)
        while time.monotonic() < end:
            for pid in rng.sample(harness.children(m.pid) or [0], 1):
                if pid:
                    m.seen.add(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    killed += 1
            time.sleep(rng.uniform(0.01, 0.1))
        m.note_processes()
        os.kill(m.pid, signal.SIGKILL)
        readers.stop()
        m.expect_no_processes()
        right, cycles = right + readers.right, cycles + 1
    m.start()
    same(m, want)
    jobs = m.jobs()
    m.remount()
    same(m, want)
    assert m.jobs() == 0, "finished results are found again"
    harness.wait_until(lambda: not os.listdir(m.cache / "tmp"), 3, "leftovers to go")
    done = harness.run(harness.PLANEFS, "cache", "verify", "-o", f"cache={m.cache}")
    assert done.returncode == 0, done.stdout
    with capsys.disabled():
        print(f" [{cycles} daemons and {killed} workers killed, {right} reads right, {jobs} jobs at the end]", end="")


def test_a_stale_mount_of_ours_is_taken_over(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 3)))
    want = (m / "corrected/sec_0001.tif").read_bytes()
    m.note_processes()
    os.kill(m.pid, signal.SIGKILL)
    m.expect_no_processes()
    with pytest.raises(OSError) as caught:
        os.listdir(m.path)
    assert caught.value.errno in GONE
    m.start()
    assert m.took <= 2 * harness.SLOW and (m / "corrected/sec_0001.tif").read_bytes() == want
    assert sum(str(m.path) == line.split()[4] for line in open("/proc/self/mountinfo")) == 1


# ---- the cache in trouble ----

@contextlib.contextmanager
def tmpfs(path, size, *more):
    if not ROOT:
        pytest.skip("only root may mount a tmpfs")
    path.mkdir(parents=True, exist_ok=True)
    harness.check("mount", "-t", "tmpfs", "-o", ",".join([f"size={size},mode=0700", *more]), "tmpfs", path)
    try:
        yield path
    finally:
        harness.run("umount", "-l", path)


def state(m, *words):
    harness.wait_until(lambda: m.status()["cache_state"] in words, 3, f"the cache to be {' or '.join(words)}")


@pytest.fixture
def known(mount, folder):
    """A source, and what a mount with a good cache serves of it."""
    numbers = range(1, 13)
    m = mount(sources.sections(folder / "em", numbers, h=300, w=400))
    want = expected(m, numbers, ("inverted", "destriped", "corrected"))
    m.stop()
    return folder / "em", want


def test_a_full_cache_is_no_readers_trouble(mount, known, folder):
    """1 MiB for 10 MB of results, and a limit that promises far more: every read is right."""
    source, want = known
    with tmpfs(folder / "small", "1m") as cache:
        m = mount(source, cache=cache, options=["cache_size=1G"])
        same(m, want)
        assert m.status()["jobs_failed"] == 0
        assert m.status()["evicted"] > 0 or m.status()["cache_state"] == "no space"
        (cache / "foreign").write_bytes(bytes(max(0, os.statvfs(cache).f_bavail * 4096 - 4096)))
        same(m, want)
        (cache / "foreign").unlink()
        m.stop()


def test_a_read_only_cache(mount, known, folder):
    source, want = known
    with tmpfs(folder / "ro", "50m") as cache:
        m = mount(source, cache=cache)
        half = dict(list(want.items())[:12])
        same(m, half)
        remount = ["mount", "-o", "remount,ro", cache]         # busy while a file is open for writing
        harness.wait_until(lambda: harness.run(*remount).returncode == 0, 10, "the cache to become read-only")
        same(m, want)
        state(m, "read-only")
        assert m.status()["jobs_failed"] == 0
        harness.check("mount", "-o", "remount,rw", cache)
        state(m, "ok")
        m.stop()


def becomes_a_file(path):
    """The daemon may make the folder anew in between."""
    shutil.rmtree(path, ignore_errors=True)
    try:
        path.write_text("a file in its place")
    except OSError:
        return False
    return True


def test_a_cache_deleted_or_unmounted_under_the_daemon(mount, known, folder):
    source, want = known
    m = mount(source)
    readers = Readers(m, want, set(), 3)
    for _ in range(8):
        time.sleep(0.15)
        shutil.rmtree(m.cache, ignore_errors=True)
    readers.stop()
    same(m, want)
    m.stop()
    if ROOT:
        with tmpfs(folder / "lost", "50m") as cache:
            other = mount(source, cache=cache)
            readers = Readers(other, want, set(), 3)
            time.sleep(0.2)
            harness.check("umount", "-l", cache)
            harness.wait_until(lambda: becomes_a_file(cache), 10, "a file in the place of the cache")
            state(other, "gone")
            readers.stop()
            same(other, want)
            assert other.status()["jobs_failed"] == 0
            other.stop()
            cache.unlink()
            cache.mkdir()


def spoil(entry, other, how, rng):
    """Damage an entry in one of the ways disks, programs and people do."""
    data, sums = entry / "data.tif", entry / "sums"
    for path in (data, sums):
        path.chmod(0o600)
    if how < 4:                                            # one bit
        path = (data, data, data, sums)[how]
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
    elif how == 4:
        os.truncate(data, rng.randrange(data.stat().st_size))
    elif how == 5:
        os.truncate(sums, rng.randrange(sums.stat().st_size))
    elif how == 6:
        data.write_bytes(data.read_bytes() + b"more")
    elif how == 7:                                         # another entry's pixels, of the same length
        data.write_bytes((other / "data.tif").read_bytes())
    elif how == 8:                                         # another entry, checksums and all
        shutil.rmtree(entry)
        shutil.copytree(other, entry)
    elif how == 9:
        data.unlink()
        os.mkfifo(data)
    elif how == 10:
        data.unlink()
        data.symlink_to("/etc/passwd")
    else:
        data.write_bytes(bytes(data.stat().st_size))


def test_damage_is_found_before_a_byte_is_served(mount, known, folder, capsys):
    source, want = known
    m = mount(source)
    same(m, want)
    rng, spoilt = random.Random(3), 0
    for _ in range(4):
        m.stop()
        entries = sorted(p.parent for p in Path(m.cache).glob("??/*/sums"))
        chosen = rng.sample(entries, min(24, len(entries) - 2))
        others = [e for e in entries if e not in chosen]
        for i, entry in enumerate(chosen):
            twins = [o for o in others if (o / "data.tif").stat().st_size == (entry / "data.tif").stat().st_size]
            spoil(entry, rng.choice(twins or others), i % 12, rng)
        spoilt += len(chosen)
        m.start()
        same(m, want)
        assert m.status()["damaged"] >= len(chosen) and m.status()["jobs_started"] >= len(chosen)
        assert m.status()["jobs_failed"] == 0
    m.remount()
    same(m, want)
    assert m.jobs() == 0 and m.status()["damaged"] == 0
    with capsys.disabled():
        print(f" [{spoilt} entries spoilt]", end="")


# ---- sources that change ----

def version(path, value, compression):
    """All pixels of a version have its number, so a mixture shows."""
    tifffile.imwrite(path, np.full((200, 300), value, "uint16"), photometric="minisblack", compression=compression)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_one_version_or_an_error(mount, folder, compression, capsys):
    """A section is replaced, cut, removed and made again, its old time put back, while four readers go on."""
    source, rng = folder / "em", random.Random(11)
    source.mkdir()
    path = source / "sec_0002.tif"
    for z in (1, 2, 3):
        version(source / f"sec_{z:04}.tif", z, compression)
    m = mount(source, frozen=False)
    over, wrong, seen, refused = threading.Event(), [], set(), []

    def read():
        while not over.is_set():
            try:
                with open(m / "source/sec_0002.tif", "rb") as f:
                    data = f.read()
                values = np.unique(np.frombuffer(data[-200 * 300 * 2:], "<u2"))
                seen.update(values.tolist())
                if len(values) != 1 or len(data) < 200 * 300 * 2:
                    wrong.append(values[:5])
            except OSError as error:
                refused.append(error.errno)
                if error.errno not in (errno.ESTALE, errno.EIO, errno.ENOENT):
                    wrong.append(error)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for t in threads:
        t.start()
    value, begin = 2, time.monotonic()
    for edit in range(250):
        if time.monotonic() - begin > 12:
            break
        how, before = rng.randrange(5), os.stat(path) if path.exists() else None
        value += 1
        version(folder / "next", value, compression)
        if how == 1 and before:
            os.utime(folder / "next", ns=(before.st_atime_ns, before.st_mtime_ns))
        if how == 2:
            path.unlink(missing_ok=True)
        if how == 3 and before:
            os.truncate(path, rng.randrange(before.st_size))
            time.sleep(0.005)
        os.rename(folder / "next", path)
        time.sleep(rng.uniform(0, 0.04))

    def shows_the_last():
        try:
            return (tifffile.imread(m / "source/sec_0002.tif") == value).all()
        except OSError:
            return False
    harness.wait_until(shows_the_last, 3, "the last version to show")
    over.set()
    for t in threads:
        t.join(30 * harness.SLOW)
    assert not wrong, wrong[:3]
    assert len(seen) > 10 and m.status()["worker_restarts"] == 0
    with capsys.disabled():
        print(f" [{edit + 1} edits, {len(seen)} versions seen, refused: {dict(collections.Counter(refused))}]", end="")


# ---- readers that go away, and signals ----

@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return sources.big_sections(tmp_path_factory.mktemp("big") / "sections", 4)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_cancelled_readers_leak_nothing(mount, big, capsys):
    m = mount(big, frozen=False)
    rng, names = random.Random(2), [f"{view}/big_{z:03}.tif" for view in ("destriped", "denoised", "corrected")
                                    for z in range(4)]
    cancelled, before, begin = 0, None, time.monotonic()

    def quiet():
        s = m.status()
        return s["jobs_running"] == 0 and s["memory_bytes"] == 0 and s["workers"] == workers
    workers = m.status()["workers"]
    while cancelled < 200 and time.monotonic() - begin < 25:
        programs = [subprocess.Popen(["cat", m / rng.choice(names)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for _ in range(rng.choice((1, 1, 2, 5)))]
        time.sleep(rng.uniform(0.005, 0.08))
        for p in programs:
            p.send_signal(rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL)))
        for p in programs:
            p.wait(timeout=5 * harness.SLOW)
        cancelled += len(programs)
        if before is None and cancelled > 20:
            harness.wait_until(quiet, 5, "the jobs to stop")
            before = descriptors(m.pid)
    harness.wait_until(quiet, 5, "the jobs to stop")
    # A worker's socket and process descriptor may be on their way; nothing else comes or goes.
    harness.wait_until(lambda: descriptors(m.pid) <= before + 2, 20, f"descriptors to go back to {before}")
    assert m.status()["jobs_failed"] == 0
    with capsys.disabled():
        print(f" [{cancelled} cancelled, {before} descriptors, {m.status()['worker_restarts']} workers restarted]", end="")
    harness.wait_until(lambda: not os.listdir(m.cache / "tmp"), 2, "the drafts to go")


def test_seven_of_eight_waiters_killed(mount, big):
    m = mount(big, frozen=False)
    path = m / "corrected/big_002.tif"
    programs = [subprocess.Popen(["md5sum", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    harness.wait_until(lambda: m.status()["jobs_running"] > 0, 20, "the job to start")
    kinds = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
    for p, number in zip(programs[:7], kinds):
        p.send_signal(number)
    for p in programs[:7]:
        assert p.wait(timeout=5 * harness.SLOW) <= 0           # 0: the plane was there before the signal
        p.stdout.close()
    out, _ = programs[7].communicate(timeout=120 * harness.SLOW)
    assert programs[7].returncode == 0
    again = harness.check("md5sum", path)
    assert out == again and m.jobs() == 1 and m.status()["jobs_cancelled"] == 0


def test_signals_at_one_khz_never_surface(mount, folder, capsys):
    """SIGALRM each ms with SA_RESTART, and SIGURG as fast as another process sends it: opens and reads go on."""
    numbers = range(1, 9)
    m = mount(sources.sections(folder / "em", numbers, h=300, w=400))
    hits, reads = [0], 0
    old = {s: signal.signal(s, lambda *a: hits.__setitem__(0, hits[0] + 1)) for s in (signal.SIGALRM, signal.SIGURG)}
    for s in old:
        signal.siginterrupt(s, False)
    sender = subprocess.Popen(["sh", "-c", f"while kill -URG {os.getpid()}; do :; done"])
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for _ in range(3):
            for view in ("source", "inverted", "destriped", "flattened", "corrected"):
                for z in numbers:
                    fd = os.open(m / f"{view}/sec_{z:04}.tif", os.O_RDONLY)       # no retries of Python's in between
                    size = os.fstat(fd).st_size
                    assert len(os.read(fd, size)) == size
                    os.close(fd)
                    reads += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sender.kill()
        sender.wait()
        for s, handler in old.items():
            signal.signal(s, handler)
    assert hits[0] > 100 and m.status()["jobs_cancelled"] == 0 and m.status()["jobs_failed"] == 0
    with capsys.disabled():
        print(f" [{reads} reads, {hits[0]} signals]", end="")
