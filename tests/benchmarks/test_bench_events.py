"""The benchmark of event streams finds what it is there to find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import bench_events

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name == "nt", reason="asks the kernel for times")
def test_quick_run_compares_answers() -> None:
    command = [sys.executable, "-m", "benchmarks.bench_events", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [line[2].strip() for line in lines[1:]] == ["huanjie", "duckdb", "polars", "pandas"]
    assert {line[6].strip() for line in lines[1:]} == {"right"}


def test_the_answer_is_that_of_a_plain_count(tmp_path: Path) -> None:
    made = bench_events.make(40_000, tmp_path)
    files = sorted(tmp_path.glob(bench_events.FIRST_EDITIONS))
    assert made == sum(len(pd.read_parquet(path)) for path in files)
    wanted = json.loads((tmp_path / bench_events.ANSWER).read_text(encoding="utf-8"))
    assert bench_events.run_pandas(tmp_path) == wanted
    late = pd.read_parquet(tmp_path / "petition_events" / "late" / "part-0.parquet")
    first = pd.concat(map(pd.read_parquet, files)).set_index("event_id").loc[late["event_id"]]
    assert len(late) == -(-made // bench_events.SENT_AGAIN)
    assert (late["recorded_at"].to_numpy() > first["recorded_at"].to_numpy()).all()


def test_wrong_answers_and_too_much_memory_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench_events.make(5_000, tmp_path / "events-200000")
    answer = tmp_path / "events-200000" / bench_events.ANSWER
    right = json.loads(answer.read_text(encoding="utf-8"))
    answer.write_text(json.dumps([right[0], right[1] + 1, *right[2:]]), encoding="utf-8")
    asked = ["--quick", "--folder", str(tmp_path), "--contenders", "duckdb"]
    assert bench_events.main(asked) == 1
    assert f"duckdb: {right} is not" in capsys.readouterr().err
    answer.write_text(json.dumps(right), encoding="utf-8")
    monkeypatch.setattr(bench_events, "LIMIT", 1.0)
    assert bench_events.main(asked) == 1
    assert "MiB, limit 1" in capsys.readouterr().err
    monkeypatch.setattr(bench_events, "END", 1.0)
    assert bench_events.main(asked) == 1
    assert "duckdb: ended at 0 GiB" in capsys.readouterr().err
