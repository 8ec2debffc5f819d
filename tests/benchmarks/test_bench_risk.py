"""The benchmark of the risk core refuses figures that are fast and wrong (test_run.py runs it)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks import bench_risk as bench


@pytest.mark.parametrize("wrong", ["index", "points"])
def test_wrong_scores_are_refused(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    right = bench.score

    def off(*arguments: Any) -> Any:
        scores = right(*arguments)
        return dataclasses.replace(scores, **{wrong: getattr(scores, wrong) * (1 + 1e-6)})

    pack = bench.load_parameters()
    framework = bench.thirty(pack.framework)
    few = bench.values(framework, 500)
    sure = bench.simulate(*few, framework, pack.classification, rng=1)
    bench.check(*few, framework, pack.classification, sure)
    bench.check_peers(*few, framework)
    monkeypatch.setattr(bench, "score", off)
    with pytest.raises(AssertionError):
        bench.check(*few, framework, pack.classification, sure)
    if wrong == "index":
        with pytest.raises(AssertionError):
            bench.check_peers(*few, framework)
