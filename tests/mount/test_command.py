"""The command: exit codes, help, mounting and unmounting as people and as mount(8) do it."""
import os
import shutil
import signal
import subprocess
import time

import pytest

import harness
import sources


def planefs(*arguments, **more):
    return harness.run(harness.PLANEFS, *arguments, timeout=30, **more)


@pytest.fixture
def em(folder):
    return sources.sections(folder / "em", [1, 2, 3])


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_goes_to_stdout(flag):
    done = planefs(flag)
    assert done.returncode == 0 and done.stderr == b""
    for word in (b"SOURCE", b"MOUNTPOINT", b"-o", b"cache="):
        assert word in done.stdout


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(flag):
    done = planefs(flag)
    assert done.returncode == 0 and done.stdout.startswith(b"planefs ") and b"FUSE" in done.stdout.upper()


def test_mistakes_are_one_line_on_stderr(folder, em):
    (folder / "mnt").mkdir()
    wrong = {"no arguments": [], "no mount point": [em], "no such option": [em, folder / "mnt", "-o", "nosuchoption=1"],
             "no such flag": ["--nosuchflag", em, folder / "mnt"], "no such source": [folder / "none", folder / "mnt"],
             "no such mount point": [em, folder / "none"], "mount point is a file": [em, em / "sec_0001.tif"],
             "no such configuration": [em, folder / "mnt", "-o", f"config={folder / 'none.ini'}"],
             "cache below the mount": [em, folder / "mnt", "-o", f"cache={folder / 'mnt' / 'cache'}"],
             "bad number": [em, folder / "mnt", "-o", "cache_size=lots"]}
    for what, arguments in wrong.items():
        done = planefs(*arguments)
        assert done.returncode != 0, what
        assert done.stderr.strip() and done.stdout == b"", what
        assert not harness.is_mounted(folder / "mnt"), what
        assert harness.daemon_of(folder / "mnt") is None, what


@pytest.mark.part("planefs.ini")
def test_a_mistake_in_the_configuration_names_file_and_line(folder, em):
    (folder / "mnt").mkdir()
    (em / "planefs.ini").write_text('[view "mine"]\nrecipe = invert | destripe\nbands_len = many\n')
    done = planefs(em, folder / "mnt", "-o", f"cache={folder / 'cache'}")
    assert done.returncode != 0 and b"planefs.ini:3" in done.stderr
    assert not harness.is_mounted(folder / "mnt")


@pytest.mark.part("planefs.ini")
def test_a_view_of_ones_own(mount, folder, em):
    (em / "planefs.ini").write_text('[view "mine"]\nrecipe = invert | contrast\nhp_sigma = 2000\n')
    m = mount(em)
    assert "mine" in os.listdir(m.path)
    assert len((m / "mine/sec_0001.tif").read_bytes()) == os.stat(m / "mine/sec_0001.tif").st_size


def test_returns_when_the_mount_answers(mount, em):
    m = mount(em)
    assert os.listdir(m / "source") and m.status()["workers"] >= 0


def test_options_of_mount8_are_accepted(mount, em):
    for options in (["ro", "nosuid", "nodev", "noatime"], ["rw", "defaults", "x-systemd.automount", "comment=data"]):
        m = mount(em, options=options)
        assert os.statvfs(m.path).f_flag & os.ST_RDONLY
        m.stop()


def test_foreground(folder, em):
    target = folder / "mnt"
    target.mkdir()
    program = subprocess.Popen([harness.PLANEFS, "-f", em, target, "-o", f"cache={folder / 'cache'}"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        harness.wait_until(lambda: harness.is_mounted(target) and os.path.exists(target / "info.json"), 10, "the mount")
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=10) == 0
        assert not harness.is_mounted(target)
    finally:
        program.kill()
        program.communicate()
        if harness.is_mounted(target):
            harness.run("fusermount3", "-uz", target)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_cleanly(mount, em, number):
    m = mount(em)
    (m / "corrected/sec_0001.tif").read_bytes()
    m.note_processes()
    pid, m.pid = m.pid, None
    os.kill(pid, number)
    assert harness.wait_gone(pid, 5)
    assert not harness.is_mounted(m.path)
    m.expect_no_processes()


def test_leaving_while_somebody_waits(mount, folder):
    """SIGTERM with a slow job running: gone within two seconds, the reader gets an error."""
    m = mount(sources.big_sections(folder / "big", 2), frozen=False)
    program = subprocess.Popen(["cat", m / "corrected/big_000.tif"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    harness.wait_until(lambda: m.status()["jobs_running"] > 0, 20, "the job to start")
    m.note_processes()
    pid, m.pid = m.pid, None
    begin = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert harness.wait_gone(pid, 5) and time.monotonic() - begin < 2 * harness.SLOW
    assert program.wait(timeout=5) != 0
    m.expect_no_processes()


def test_a_busy_mount_is_left_lazily(mount, em):
    m = mount(em)
    with open(m / "source/sec_0001.tif", "rb"):
        m.note_processes()
        pid, m.pid = m.pid, None
        os.kill(pid, signal.SIGTERM)
        assert harness.wait_gone(pid, 5)
    assert not harness.is_mounted(m.path)
    m.expect_no_processes()


def test_many_mounts_and_unmounts(mount, em):
    m = mount(em)
    for _ in range(15):
        m.remount()
    assert os.listdir(m / "source")


def test_two_mounts_share_a_cache(mount, folder, em):
    a = mount(em)
    b = mount(em, cache=a.cache)
    data = (a / "corrected/sec_0001.tif").read_bytes()
    assert (b / "corrected/sec_0001.tif").read_bytes() == data
    assert b.jobs() == 0


def test_an_unusable_cache_harms_no_reader(mount, folder, em):
    (folder / "file").write_text("in the way")
    m = mount(em, cache=folder / "file" / "cache")
    assert len((m / "corrected/sec_0001.tif").read_bytes()) == os.stat(m / "corrected/sec_0001.tif").st_size
    assert m.status()["cache_state"] != "ok"


ORDINARY_USER = """
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
user() { runuser -u nobody -- env HOME="$PWD" PLANEFS_WORKER="$PWD/planefs-worker" "$@"; }
user ./planefs em mnt
pid=$(pgrep -n -u nobody -x planefs)
user cat mnt/corrected/sec_0001.tif > read.tif
ls mnt && exit 3
user fusermount3 -u mnt
tail --pid="$pid" -f /dev/null
"""


def test_as_an_ordinary_user(folder, em):
    """No root needed, and by default nobody else may look, not even root. Where /dev/fuse is for root alone, a mount
    namespace of the test's own has one for everybody."""
    if os.getuid() != 0:
        pytest.skip("every test here ran as an ordinary user already")
    if harness.run("unshare", "-m", "true").returncode or not shutil.which("runuser"):
        pytest.skip("no mount namespaces here")
    for program in ("planefs", "planefs-worker"):
        shutil.copy(harness.BUILD / program, folder / program)
    (folder / "mnt").mkdir()
    for where, _, files in os.walk(folder):
        for name in [where, *(os.path.join(where, f) for f in files)]:
            shutil.chown(name, "nobody")
    done = harness.run("unshare", "-m", "--propagation", "private", "sh", "-eu", "-c", ORDINARY_USER, cwd=folder)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Permission denied" in done.stderr
    assert (folder / "read.tif").read_bytes()[:2] == b"II"


def test_info_tells_of_a_source_without_mounting(em, folder):
    done = planefs("info", em / "sec_0001.tif", env={**os.environ, "XDG_CACHE_HOME": str(folder / "xdg")})
    assert done.returncode == 0, done.stderr
    assert b"uint16" in done.stdout and b"48" in done.stdout and b"64" in done.stdout
    assert planefs("info", folder / "none").returncode != 0


def test_installed_programs_find_each_other(folder, em):
    """make install into a folder: the installed planefs runs the installed worker, and uninstall leaves nothing."""
    if harness.SLOW > 1:
        pytest.skip("a sanitizer build is not what one installs")
    others = shutil.ignore_patterns("demo", "asan", "tsan", "fuzz", "tests")
    shutil.copytree(harness.BUILD, folder / "build", ignore=others)
    make = ["make", "-C", harness.ROOT, "-s", f"PREFIX={folder}/usr", f"BUILD={folder}/build"]
    harness.check(*make, "install", timeout=400)
    assert os.access(folder / "usr/bin/planefs", os.X_OK)
    assert os.access(folder / "usr/libexec/planefs/planefs-worker", os.X_OK)
    mnt = folder / "mnt"
    mnt.mkdir()
    try:
        harness.check(folder / "usr/bin/planefs", em, mnt, "-o", f"cache={folder}/cache")
        assert (mnt / "corrected/sec_0001.tif").read_bytes()[:2] == b"II"
        pid = harness.daemon_of(mnt)
        harness.check("fusermount3", "-u", mnt)
        assert harness.wait_gone(pid, 5)
    finally:
        if harness.is_mounted(mnt):
            harness.run("fusermount3", "-uz", mnt)
    harness.check(*make, "uninstall")
    assert not [f for _, _, files in os.walk(folder / "usr") for f in files]
