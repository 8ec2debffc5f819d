"""The benchmark of viewers judges what it has seen; tests/attacks/test_tabs.py kills a kernel among tabs."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import bench_viewers as bench


@pytest.mark.parametrize(
    "changed",
    [{"painted": 2}, {"alive_after": 1}, {"told": 0}, {"back_in": 0}, {"memory_most_mb": 251.0}],
)
def test_a_missed_limit_is_a_failure(changed: dict[str, float]) -> None:
    good = bench.Outcome(3, 12, 3, 1, 1, 2, 2, 100, 120, 1, 2, 1, 1)
    assert good.kept
    assert not dataclasses.replace(good, **changed).kept  # type: ignore[arg-type]
