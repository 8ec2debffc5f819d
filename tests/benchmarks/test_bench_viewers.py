"""The benchmark of viewers runs with three of them, one of whose kernels is killed."""

from __future__ import annotations

import dataclasses
import json
import sys

import pytest

from benchmarks import bench_viewers as bench
from huanjie_lib.store.run_folder import Run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


def test_three_viewers_are_painted_and_miss_no_killed_neighbour(
    small_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["--run", str(small_run.path), "--viewers", "3", "--kill", "1"]) == 0
    printed = capsys.readouterr().out
    record = json.loads(printed.splitlines()[-1])
    assert (record["painted"], record["alive_after"], record["told"], record["back_in"]) == (3, 2, 1, 1)
    assert 0 < record["picture_median_s"] <= record["map_last_s"]
    assert 30 < record["memory_median_mb"] <= bench.MOST_MB
    assert "| others that still answer | 2 | 2 |" in printed


@pytest.mark.parametrize(
    "changed",
    [{"painted": 2}, {"alive_after": 1}, {"told": 0}, {"back_in": 0}, {"memory_most_mb": 251.0}],
)
def test_a_missed_limit_is_a_failure(changed: dict[str, float]) -> None:
    good = bench.Outcome(3, 12, 3, 1, 1, 2, 2, 100, 120, 1, 2, 1, 1)
    assert good.kept
    assert not dataclasses.replace(good, **changed).kept  # type: ignore[arg-type]
