"""Reports as JSON for Python and jq, whatever numbers they hold. build/tests/unit/report writes them; no mount needed.
"""
import json
import os
import shutil
import subprocess

import numpy as np
import pytest

HELPER = os.path.join(os.environ.get("PLANEFS_BUILD", "build"), "tests/unit/report")
COLUMNS = ["count", "nan", "min", "max", "mean", "std", "p0_1", "p2", "p25", "p50", "p75", "p98", "p99_9"]

pytestmark = pytest.mark.skipif(not os.path.exists(HELPER), reason="build the unit tests first: make unit")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    subprocess.run([HELPER, folder], check=True, capture_output=True)
    return folder


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def parse(path):
    return json.loads(path.read_bytes().decode("ascii"), parse_constant=refuse)


def test_stats(reports):
    files = sorted(reports.glob("stats-*.json"))
    assert len(files) == 40
    sizes = {}
    for path in files:
        dtype, way = path.stem.split("-")[1:]
        s = parse(path)
        assert list(s) == ["planefs", "axes", "shape", "dtype", "ddof", "band", "name", *COLUMNS, "all", "skipped"]
        assert list(s["all"]) == COLUMNS
        assert s["dtype"] == dtype and s["band"] == [1, 2, 3] and s["name"] == ['red "1"', None, "é"]
        assert all(len(s[c]) == 3 for c in COLUMNS)
        assert s["skipped"] == list(range(95, 95 + 4 * int(way)))
        whole = [s["count"], s["nan"]] + ([] if dtype.startswith("f") else [s["min"], s["max"]])
        assert all(v is None or isinstance(v, int) for column in whole for v in column)
        sizes.setdefault(dtype, set()).add(path.stat().st_size)
    assert all(len(one) == 1 for one in sizes.values())
    assert parse(reports / "stats-uint64-1.json")["min"][0] == 2**64 - 1
    assert parse(reports / "stats-int64-2.json")["all"]["min"] == -2**63
    assert parse(reports / "stats-float64-1.json")["mean"][0] == 1.7976931348623157e308
    assert parse(reports / "stats-float32-3.json")["mean"] == [None, None, None]
    assert parse(reports / "stats-uint8-1.json")["p50"][0] == 1.7976931348623157e308


def test_info(reports):
    s = parse(reports / "info.json")
    assert s["shape"] == [1, 12, 3, 9000, 13750] and s["dtype"] == "uint16" and s["n_files"] == len(s["files"]) == 12
    assert s["n_bad"] == 2
    assert s["bad"] == [{"section": z, "error": "EOPNOTSUPP", "reason": "tiff: strip 0 is not there"} for z in (95, 96)]
    assert s["unit"] == "um" and s["voxel"] == [0.03, 0.008, 0.008] and len(s["key"]) == 32


def test_histogram(reports):
    s = parse(reports / "histogram-f.json")
    assert s["exact"] is False and s["band"] == [1, 2, 3] and [len(c) for c in s["counts"]] == [1024] * 3
    np.testing.assert_allclose(s["edges"][0], np.histogram_bin_edges([-1.5, 2.5], 1024), rtol=1e-15, atol=1e-15)
    assert s["edges"][0][0] == -1.5 and s["edges"][0][-1] == 2.5 and s["edges"][2] == [0] * 1025
    assert s["counts"][1][:4] == [7, 0, 0, 7]
    s = parse(reports / "histogram-i.json")
    assert s["exact"] is True and s["edges"][1] == list(range(-32768, 32769)) and len(s["counts"][2]) == 65536


def test_segment(reports):
    s = parse(reports / "segment.json")
    assert list(s) == ["otsu", "kmeans"] and s["otsu"] == [0.1, 1.1, 2.1] and list(s["kmeans"]) == list("2345678")
    assert s["kmeans"]["3"] == [[0.1, 1.1, 2.1], [3.1, 4.1, 5.1], [6.1, 7.1, 8.1]]


def test_pca(reports):
    s = parse(reports / "pca.json")
    assert s["components"] == [[0.1, 1.1, 2.1], [3.1, 4.1, 5.1], [6.1, 7.1, 8.1]]
    assert s["mean"] == s["explained_variance"] == s["explained_variance_ratio"] == [0.1, 1.1, 2.1]


@pytest.mark.skipif(not shutil.which("jq"), reason="no jq")
def test_jq(reports):
    for path in reports.glob("*.json"):
        question = "has(\"otsu\")" if path.name == "segment.json" else ".planefs == 1"
        r = subprocess.run(["jq", "-e", question, path], capture_output=True, text=True)
        assert (r.returncode, r.stdout, r.stderr) == (0, "true\n", ""), path
