"""The benchmark of lists and committees runs, and refuses what is fast and wrong."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from benchmarks import bench_matching as bench


def test_the_quick_run_checks_results_and_prints_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"people": 500, "posts": 130, "peer": 1, "towns": 6, "units": 5, "county": 120}
    monkeypatch.setattr(bench, "QUICK", small)
    assert bench.main(["--quick", "--peer-seconds", "5"]) == 0
    printed = capsys.readouterr().out
    record = json.loads(printed.splitlines()[-1])
    assert {name: record[name] for name in small} == small
    values = {row["what"]: row["value"] for row in record["rows"]}
    assert len(values) == 12
    for row in record["rows"]:
        assert row["seconds"] > 0
        assert f"| {row['what']} | {row['size']} |" in printed
    assert values["lists over all pairs, proven optimal"] > 0.9999
    assert values["the same pairs: greedy"] < values["the same pairs: min-cost flow"]
    assert values["the same pairs: CP-SAT"] == pytest.approx(
        values["the same pairs: min-cost flow"], abs=1e-6
    )
    # solvers for the whole model agree with the search unit by unit, and stay below its bound
    whole = [values[f"the whole at once: {name}"] for name in ("HiGHS", "CP-SAT")]
    assert whole == pytest.approx([values["the same, 200 searches more"]] * 2, abs=1e-3)
    assert max(whole) <= 1 + 1e-9


def test_lists_and_committees_that_are_wrong_are_refused() -> None:
    people, weights = bench.town(500, 130)
    found = bench.lists(people, weights)
    with pytest.raises(AssertionError):
        bench.check(people, weights, dataclasses.replace(found, optimal=False))
    pairs = bench.edges(people, weights, found)
    with pytest.raises(AssertionError):
        pairs.value(np.ones(len(pairs.post), dtype=bool))
    problem = bench.county(3, 90)
    teams = bench.best_teams(problem)
    bench.check_teams(problem, teams)
    for wrong in ({"value": teams.value + 1}, {"bound": teams.value - 1}, {"taken": ~teams.taken}):
        with pytest.raises(AssertionError):
            bench.check_teams(problem, dataclasses.replace(teams, **wrong))


def test_a_missed_limit_is_told() -> None:
    kept = bench.Measurement("lists", "9 × 4", 1.0, 2.0, 0.999, "note", 3.0, 0.995)
    assert kept.kept
    assert (
        kept.row(judged=True) == "| lists | 9 × 4 | 1.00 | 2.00 | 99.900% | note | ≤ 3 s, ≥ 99.500% | kept |"
    )
    for change in ({"seconds": 3.1}, {"value": 0.99}, {"value": None}):
        missed = dataclasses.replace(kept, **change)
        assert not missed.kept
        assert "**missed**" in missed.row(judged=True)
        assert "missed" not in missed.row(judged=False)
