"""The meeting pack: every file of a city's meeting, in seconds on the wall and in memory.

``python -m benchmarks.bench_pack`` wants an idle machine: files are made side by side in two processes, as
``huanjie export`` makes them. Beside the budget of 3,215 units stands a city of 20,000, and the pack with the
plan (一村一策) of every red unit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import SIZES, Case, Found, Limit

BUDGET = "meeting pack, 3,215 units, all formats"
SECONDS = 30.0
AS_OF = "2026-10-31"


def huanjie(*arguments: object) -> float:
    """Run the command in a process of its own and return the peak of memory of its largest process in MB."""
    command = [sys.executable, "-m", "huanjie_lib", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    # The peak of all processes that it waited for, those that make files among them.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    return usage.ru_maxrss / 1e3


def measure(units: int, *options: str) -> Found:
    """Measure the export of a city's run, and refuse one that lacks a file."""
    with tempfile.TemporaryDirectory() as folder:
        data, run, out = (Path(folder) / name for name in ("data", "run", "pack"))
        huanjie("init", "--out", data, "--units", units)
        huanjie("run", "--data", data, "--as-of", AS_OF, "--out", run)
        began = time.perf_counter()
        peak = huanjie("export", "--run", run, "--as-of", AS_OF, "--out", out, *options)
        wall = time.perf_counter() - began
        kinds = sorted(path.suffix for path in out.iterdir() if path.is_file())
        plans = len(list(out.glob("一村一策/*.docx")))
    assert kinds == sorted([".json", ".html", ".docx", ".pptx", ".svg", *2 * [".pdf"], *2 * [".xlsx"]])
    assert (plans > 0) == ("--plans" in options)
    return Found(wall, None, wall, peak_mb=peak)


def with_plans(units: int) -> Found:
    """Measure the export with the plans."""
    return measure(units, "--plans")


CASES = (
    Case("pack.whole", BUDGET, "all formats", "units", SIZES[:2], None, measure,
         {SIZES[0]: Limit(SECONDS), SIZES[1]: Limit()}, unit="s"),
    Case("pack.plans", BUDGET, "the same with the plan of every red unit", "units", SIZES[:1], None,
         with_plans, unit="s"),
)  # fmt: skip


if __name__ == "__main__":
    from benchmarks.run import main

    sys.exit(main(["--only", "pack", "--judged", *sys.argv[1:]]))
