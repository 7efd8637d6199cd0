"""Promise 4: the same result is computed once; and nobody who waits is stuck."""
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

import harness
import sources


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    return sources.big_sections(tmp_path_factory.mktemp("big") / "sections", 8)


def test_64_readers_of_one_cold_plane_cost_one_job(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 4), h=400, w=500))
    path = m / "destriped/sec_0002.tif"
    programs = [subprocess.Popen(["md5sum", path], stdout=subprocess.PIPE) for _ in range(64)]
    sums = {p.communicate(timeout=60 * harness.SLOW)[0].split()[0] for p in programs}
    assert all(p.returncode == 0 for p in programs) and len(sums) == 1
    assert sums == {hashlib.md5(path.read_bytes()).hexdigest().encode()}
    assert m.jobs() == 1


def test_threads_that_pread_one_cold_plane_cost_one_job(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 3), h=400, w=500))
    fd = os.open(m / "flattened/sec_0001.tif", os.O_RDONLY)
    size = os.fstat(fd).st_size
    got = {}

    def read(i):
        at = size * i // 16
        got[i] = os.pread(fd, size * (i + 1) // 16 - at, at)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    os.close(fd)
    assert b"".join(got[i] for i in range(16)) == (m / "flattened/sec_0001.tif").read_bytes()
    assert m.jobs() <= 2, "a chain of stages is at most one job a stage"


def waiting(m, name):
    """A reader that waits for a job that runs."""
    program = subprocess.Popen(["cat", m / name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    harness.wait_until(lambda: m.status()["jobs_running"] > 0, 20, "the job to start")
    assert program.poll() is None, "the job ended before the test could interrupt it"
    return program


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_signal_frees_a_reader_and_stops_the_job(mount, big, number):
    m = mount(big, frozen=False)
    times = []
    while len(times) < 3 and (not times or times[-1] > 0.5 * harness.SLOW):   # a busy machine gets two more tries
        program = waiting(m, f"corrected/big_{len(times):03}.tif")
        begin = time.monotonic()
        program.send_signal(number)
        program.wait(timeout=30)
        times.append(time.monotonic() - begin)
        program.stderr.close()
        harness.wait_until(lambda: m.status()["jobs_running"] == 0, 5, "the computation nobody waits for to stop")
    assert times[-1] <= 0.5 * harness.SLOW, times
    assert m.status()["jobs_cancelled"] >= 1


def test_the_last_reader_keeps_the_job(mount, big):
    m = mount(big, frozen=False)
    first = waiting(m, "destriped/big_001.tif")
    second = subprocess.Popen(["md5sum", m / "destriped/big_001.tif"], stdout=subprocess.PIPE)
    harness.wait_until(lambda: len(os.listdir(f"/proc/{second.pid}/fd")) > 3, 5, "the second reader to open the file")
    first.send_signal(signal.SIGINT)
    first.wait(timeout=10)
    first.stderr.close()
    out, _ = second.communicate(timeout=120 * harness.SLOW)
    assert second.returncode == 0 and out
    assert m.status()["jobs_failed"] == 0


def test_harmless_signals_do_not_break_a_read(mount, folder):
    """SIGALRM every 2 ms with SA_RESTART: the read completes, no EINTR."""
    m = mount(sources.sections(folder / "em", range(1, 3), h=1200, w=1500))
    hits = []
    old = signal.signal(signal.SIGALRM, lambda *a: hits.append(1))
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        data = (m / "destriped/sec_0001.tif").read_bytes()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(data) == os.stat(m / "destriped/sec_0001.tif").st_size and hits
    assert m.jobs() == 1 and m.status()["jobs_cancelled"] == 0


def test_slow_jobs_do_not_slow_the_rest(mount, big, capsys):
    """8 slow jobs are wanted: stat, listings and reads of ready files go on as before."""
    m = mount(big, frozen=False)
    ready = m / "source/big_000.tif"
    with open(ready, "rb") as f:
        f.read(1 << 16)
    programs = [subprocess.Popen(["cat", m / f"corrected/big_{z:03}.tif"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for z in range(8)]
    try:
        harness.wait_until(lambda: m.status()["jobs_running"] > 0, 20, "the jobs to start")
        worst = 0
        for i in range(100):
            begin = time.monotonic()
            os.stat(m / f"denoised/big_{i % 8:03}.tif")
            os.listdir(m / "slice")
            with open(ready, "rb") as f:
                f.seek(i << 16)
                assert len(f.read(1 << 16)) == 1 << 16
            worst = max(worst, time.monotonic() - begin)
        assert m.status()["jobs_running"] > 0, "the jobs were over too soon for this test"
    finally:
        for p in programs:
            p.kill()
            p.wait()
    with capsys.disabled():
        print(f" [worst {worst * 1000:.0f} ms]", end="", flush=True)
    assert worst <= 0.2 * harness.SLOW


def test_a_file_opened_nonblocking_does_not_compute(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 3)))
    path = m / "corrected/sec_0001.tif"
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    head = os.read(fd, 4096)
    assert head[:2] == b"II"
    with pytest.raises(BlockingIOError):
        os.pread(fd, 256, os.fstat(fd).st_size - 256)
    os.close(fd)
    assert m.jobs() == 0
    whole = path.read_bytes()
    assert whole.startswith(head)


def test_results_outlive_the_mount(mount, folder):
    """Computed once: after a remount, and after the daemon was killed, nothing is computed again."""
    m = mount(sources.sections(folder / "em", range(1, 5)))
    names = ["corrected/sec_0001.tif", "destriped/sec_0003.tif", "stats.json", *harness.built("segment/otsu/sec_0002.tif")]
    first = {n: (m / n).read_bytes() for n in names}
    assert m.jobs() > 0
    m.remount()
    assert {n: (m / n).read_bytes() for n in names} == first
    assert m.jobs() == 0
    m.kill()
    m.start()
    assert {n: (m / n).read_bytes() for n in names} == first
    assert m.jobs() == 0


def test_a_deleted_cache_is_made_again(mount, folder):
    m = mount(sources.sections(folder / "em", range(1, 4)))
    first = (m / "corrected/sec_0001.tif").read_bytes()
    shutil.rmtree(m.cache)
    assert (m / "corrected/sec_0001.tif").read_bytes() == first
    assert len((m / "corrected/sec_0002.tif").read_bytes()) == len(first)
    m.remount(fresh=True)
    assert (m / "corrected/sec_0001.tif").read_bytes() == first
    assert m.jobs() >= 1


def test_a_copied_data_set_finds_the_same_results(mount, folder):
    """Keys hold no path and no time: a copy elsewhere shares the entries."""
    source = sources.sections(folder / "em", range(1, 4))
    m = mount(source)
    first = (m / "corrected/sec_0002.tif").read_bytes()
    cache = m.cache
    m.stop()
    shutil.copytree(source, folder / "elsewhere/em2")
    other = mount(folder / "elsewhere/em2", cache=cache)
    assert (other / "corrected/sec_0002.tif").read_bytes() == first
    assert other.jobs() == 0


def test_reading_on_finds_the_next_sections_ready(mount, folder):
    """Two sections in order, and the next two are made while nobody waits; looking at them starts nothing."""
    m = mount(sources.sections(folder / "em", range(1, 12)))
    (m / "corrected/sec_0001.tif").read_bytes()
    assert m.jobs() == 1, "one section is no reading on"
    (m / "corrected/sec_0002.tif").read_bytes()
    harness.wait_until(lambda: m.jobs() == 4 and m.status()["jobs_running"] == 0, 20, "two sections made ahead")
    assert os.getxattr(m / "corrected/sec_0004.tif", "user.planefs.state") == b"ready"
    assert os.getxattr(m / "corrected/sec_0005.tif", "user.planefs.state") == b"cold"
    (m / "corrected/sec_0003.tif").read_bytes()
    harness.wait_until(lambda: m.jobs() == 5 and m.status()["jobs_running"] == 0, 20, "one more section made ahead")
    (m / "corrected/sec_0009.tif").read_bytes()
    assert m.jobs() == 6, "a jump ends it"
