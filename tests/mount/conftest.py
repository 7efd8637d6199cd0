"""Fixtures of the mount tests: mounts that are always unmounted, and a look at what was left behind."""
import glob
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import harness
import imagej as imagej_runner


def _why_not():
    if not harness.PLANEFS.exists() or not (harness.BUILD / "planefs-worker").exists():
        return f"no planefs and planefs-worker in {harness.BUILD}: run make first"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no access to /dev/fuse here: nothing can be mounted"
    return None


def pytest_configure(config):
    config.addinivalue_line("markers", "part(names...): needs these parts of the contract to be built")


def pytest_collection_modifyitems(items):
    why = _why_not()
    for item in items:
        if Path(item.fspath).parent != Path(__file__).parent:
            continue
        missing = sorted({n for mark in item.iter_markers("part") for n in mark.args} & harness.NOT_YET)
        if why or missing:
            item.add_marker(pytest.mark.skip(reason=why or "not built yet: " + ", ".join(missing)))


@pytest.fixture
def folder():
    """A temporary folder, removed at once: the data of these tests are too big to keep."""
    path = Path(tempfile.mkdtemp(prefix="planefs-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def mount(folder):
    """mount(source, options=..., frozen=True): a Mount. frozen: the source must be untouched at the end."""
    mounts, frozen_sources = [], {}

    def make(source, options=(), env=None, cache=None, prefix=(), frozen=True):
        if frozen:
            frozen_sources.setdefault(str(source), harness.snapshot(source))
        m = harness.Mount(source, folder / f"m{len(mounts)}", options, env, cache, prefix)
        mounts.append(m)
        return m

    try:
        yield make
        for m in mounts:
            m.stop()
            tmp = m.cache / "tmp"
            assert not tmp.is_dir() or not os.listdir(tmp), f"left in the cache: {os.listdir(tmp)}"
        for source, before in frozen_sources.items():
            assert harness.snapshot(source) == before, f"{source} was changed"
    finally:
        for m in mounts:
            m.clear()


@pytest.fixture
def shared():
    """shared("neubias"): a folder of public sample files; the test is skipped where they are absent."""
    def find(name):
        path = harness.SHARED / name
        if not path.exists():
            pytest.skip(f"sample data {name} not at hand (PLANEFS_SHARED)")
        return path
    return find


@pytest.fixture
def imagej(folder):
    """imagej(tasks): opens files and image sequences in one ImageJ and measures them."""
    if not imagej_runner.available():
        pytest.skip("ImageJ or xvfb-run is not installed")
    return lambda tasks: imagej_runner.measure(tasks, folder)


@pytest.fixture(autouse=True)
def no_sanitizer_report():
    """Daemon and workers have no terminal: what a sanitizer found in them lies in its log."""
    options = os.environ.get("ASAN_OPTIONS", "")
    logs = [o[len("log_path="):] for o in options.split(":") if o.startswith("log_path=")]
    before = set(glob.glob(logs[0] + ".*")) if logs else set()
    yield
    new = set(glob.glob(logs[0] + ".*")) - before if logs else set()
    assert not new, "\n".join(Path(p).read_text()[:6000] for p in sorted(new))
