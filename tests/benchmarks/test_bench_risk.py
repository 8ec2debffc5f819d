"""The benchmark of the risk core runs, and refuses figures that are fast and wrong."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    name = "bench_risk_under_test"
    specification = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / "bench_risk.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    module.QUICK_UNITS = 4000
    yield module
    del sys.modules[name]


def test_the_quick_run_agrees_with_peers_and_prints_every_row(
    bench: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    record = json.loads(printed.splitlines()[-1])
    assert (record["units"], record["draws"]) == (4000, 100)
    limits = {(row["what"], row["yardstick"]): row["limit"] for row in record["rows"]}
    assert sorted(limit for limit in limits.values() if limit is not None) == [0.1, 3.0, 3.0, 10.0, 15.0]
    for row in record["rows"]:
        assert row["seconds"] > 0
        assert f"| {row['what']} |" in printed


@pytest.mark.parametrize("wrong", ["index", "points"])
def test_wrong_scores_are_refused(bench: ModuleType, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
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


def test_a_missed_limit_is_told(bench: ModuleType) -> None:
    kept = bench.Measurement("a", 2.0, 2.0, "product", 1.0, 3.0, 1.2, 1.5)
    assert kept.kept
    assert kept.row(judged=True) == "| a | 2.0000 | 2.0000 | 2.00 × product | ≤ 3 | 1.20 (≤ 1.5) | kept |"
    for worse in ({"seconds": 3.1}, {"memory": 1.6}):
        missed = dataclasses.replace(kept, **worse)
        assert not missed.kept
        assert "**missed**" in missed.row(judged=True)
        assert "missed" not in missed.row(judged=False)
