"""Promise 2: looking is free. 11,000 compressed sections, every way of looking, and not one job."""
import json
import os
import subprocess

import pytest

import harness
import sources

COUNT = 11000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return sources.many_lzw(tmp_path_factory.mktemp("many") / "sections", COUNT)


def shell(m, command, under=""):
    done = subprocess.run(["bash", "-c", command], cwd=m / under, capture_output=True, text=True, errors="replace",
                          timeout=300 * harness.SLOW)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout


def test_11000_sections(mount, many, capsys):
    m = mount(many, frozen=False)
    first = m.took
    m.remount()
    with capsys.disabled():
        print(f" [mount {first:.2f} s, again {m.took:.2f} s]", end="", flush=True)
    assert first <= 9 * harness.SLOW and m.took <= 3 * harness.SLOW

    assert len(shell(m, "ls -f", "source").splitlines()) == COUNT + 2
    listing = shell(m, "find . -path ./.planefs -prune -o -type f -ls")
    assert sum("/source/" in line for line in listing.splitlines()) == COUNT
    assert shell(m, "ls -lR . | wc -l")
    assert shell(m, "du -s .")
    size = os.stat(m / "source/sec_00000.tif").st_size
    files = shell(m, "file *", "source")
    assert files.count("TIFF image data") == COUNT
    headers = shell(m, "tiffinfo *", "source")
    assert headers.count("Image Width: 48 Image Length: 40") == COUNT
    views = shell(m, "ls -1 corrected | head -3000 | xargs -I@ echo corrected/@ | xargs vipsheader")
    assert views.count("48x40 uchar") == 3000
    assert {os.stat(m / f"source/sec_{z:05}.tif").st_size for z in range(0, COUNT, 11)} == {size}
    status = m.status()
    assert status["jobs_started"] == 0 and status["jobs_running"] == 0, status


def test_report_sizes_and_info_are_free(mount, many):
    m = mount(many, frozen=False)
    info = json.loads((m / "info.json").read_text())
    assert info["shape"] == [1, COUNT, 1, 40, 48]
    for name in harness.built("stats.json", "stats.csv", "histogram.json", "volume/corrected.tif"):
        assert os.stat(m / name).st_size > 0
    for name in harness.built("volume/source.tif"):
        assert os.stat(m / name).st_size > COUNT * 40 * 48
    for name in os.listdir(m / "source")[::100]:
        assert os.getxattr(m / "source" / name, "user.planefs.state") == b"cold"
        assert open(m / "source" / name, "rb").read(8)[:2] in (b"II", b"MM")
    assert m.jobs() == 0


@pytest.mark.part("stats.csv")
def test_head_of_a_table_computes_what_it_prints(mount, many):
    m = mount(many, frozen=False)
    assert len(harness.check("head", "-n", "5", m / "stats.csv").splitlines()) == 5
    assert 0 < m.jobs() < 1000
