"""Timing commands, and refusing to time wrong results."""
import statistics
import subprocess
import sys
import time

RUNS = 5


def seconds(command, before=None, runs=RUNS):
    """Median wall time of a shell command and what it printed; `before` runs untimed before each."""
    times, out = [], None
    for _ in range(runs):
        if before:
            before()
        begin = time.perf_counter()
        done = subprocess.run(["sh", "-c", command], capture_output=True)
        times.append(time.perf_counter() - begin)
        if done.returncode:
            sys.exit(f"{command}: {done.stderr.decode(errors='replace')}")
        out = done.stdout
    return statistics.median(times), out


def same(a, b, what):
    if a != b:
        sys.exit(f"{what}: the results differ; no time is worth anything")
