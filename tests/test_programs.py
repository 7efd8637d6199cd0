"""Runs the C test programs: each tests/{unit,kernels,golden}/NAME.c is one case, and each fuzz corpus is replayed."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))
SOURCES = sorted(p.relative_to(ROOT) for d in ("unit", "kernels", "golden") for p in ROOT.glob(f"tests/{d}/*.c"))
FUZZERS = sorted(p.relative_to(ROOT) for p in ROOT.glob("tests/fuzz/*.c"))


# What a sanitizer finds in these programs belongs into their output; log files are for daemons.
ENVIRONMENT = {k: re.sub(r"log_path=[^:]*:?", "", v) if k.endswith("SAN_OPTIONS") else v for k, v in os.environ.items()}


def run(*command):
    return subprocess.run([str(c) for c in command], cwd=ROOT, text=True, errors="replace", timeout=1800,
                          env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_program(source, record_property):
    done = run(BUILD / source.with_suffix(""))
    assert done.returncode == 0, done.stdout[-8000:]
    ran = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", done.stdout))
    record_property("cmocka", ran)
    record_property("cmocka skipped", sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", done.stdout)))
    if not ran:
        pytest.skip(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing ran")


@pytest.mark.parametrize("source", FUZZERS, ids=str)
def test_corpus(source):
    corpus = sorted((ROOT / "tests/fuzz/corpus" / source.stem).glob("*"))
    if not corpus:
        pytest.skip("no corpus kept")
    done = run(BUILD / source.with_name(source.stem + "-replay"), *corpus)
    assert done.returncode == 0, done.stdout[-8000:]
