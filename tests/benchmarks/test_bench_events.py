"""The benchmark of event streams finds what it is there to find."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bench_events

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name == "nt", reason="asks the kernel for times")
def test_quick_run_compares_answers() -> None:
    command = [sys.executable, "-m", "benchmarks.bench_events", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [line[2].strip() for line in lines[1:]] == ["duckdb", "polars", "pandas", "huanjie"]


def test_contenders_that_differ_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([[2, 10, 1, 1, 1], [2, 10, 1, 1, 2], [2, 10, 1, 1, 1], [2, 10, 1, -1, -1]])
    monkeypatch.setattr(bench_events, "make", lambda *_: 10)
    monkeypatch.setattr(
        bench_events,
        "measure",
        lambda name, _: {"name": name, "answer": next(answers), "cpu": 1.0, "wall": 1.0, "peak": 5000.0},
    )
    monkeypatch.setattr(bench_events.shutil, "rmtree", lambda _, **__: None)
    assert bench_events.main(["--quick"]) == 1
    told = capsys.readouterr().err
    assert "contenders differ" in told
    assert "duckdb took 5000 MiB" in told
