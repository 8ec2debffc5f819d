"""The benchmark of shortlists runs, and refuses lists that are fast and wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from benchmarks import bench_shortlist as bench


def test_the_quick_run_checks_lists_and_prints_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "QUICK_PEOPLE", 1500)
    monkeypatch.setattr(bench, "QUICK_POSTS", 40)
    monkeypatch.setattr(bench, "apart", bench.run)  # a process for each takes longer than the rest
    assert bench.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    record = json.loads(printed.splitlines()[-1])
    assert (record["people"], record["posts"]) == (1500, 40)
    assert [row["name"] for row in record["rows"]] == list(bench.CONTENDERS)
    for name, contender in bench.CONTENDERS.items():
        assert f"| {contender.what} |" in printed
        assert contender.limit == (2.5 if name in ("lists", "eligible") else None)
    assert all(row["seconds"] > 0 for row in record["rows"])


def test_one_contender_is_measured_in_a_process_of_its_own() -> None:
    found = bench.apart("eligible", 300, 20)
    assert found.seconds > 0
    assert 30 < found.memory < bench.MEMORY_LIMIT


def test_wrong_lists_are_refused() -> None:
    data, posts = bench.city(500, 15), np.arange(15)
    found = bench.eligible_lists(data)
    bench.check(data, found, posts, who_may=True)
    swapped = found.rows.copy()
    swapped[:, [0, 1]] = swapped[:, [1, 0]]
    for wrong in ({"rows": swapped}, {"score": found.score + 1e-9}):
        with pytest.raises(AssertionError):
            bench.check(data, dataclasses.replace(found, **wrong), posts, who_may=True)
    with pytest.raises(AssertionError):
        bench.check(data, bench.lists(data), posts, who_may=True)


@pytest.mark.parametrize("change", [{"seconds": 25.1}, {"memory": 1025.0}])
def test_a_missed_limit_is_told(change: dict[str, Any]) -> None:
    good = bench.Measurement(25.0, 30.0, 1024.0)
    measured = {"product": bench.Measurement(10.0, 10.0, 100.0), "lists": good}
    assert bench.kept("lists", measured)
    assert bench.row("lists", measured, judged=True) == (
        "| 20 best of all people | 25.00 | 30.00 | 2.50 | ≤ 2.5, ≤ 1024 MiB | 1024 | kept |"
    )
    measured["lists"] = dataclasses.replace(good, **change)
    assert not bench.kept("lists", measured)
    assert "**missed**" in bench.row("lists", measured, judged=True)
    assert "missed" not in bench.row("lists", measured, judged=False)


def test_a_peer_on_a_part_of_the_posts_is_held_against_that_part() -> None:
    measured = {"product": bench.Measurement(20.0, 20.0, 100.0), "peer": bench.Measurement(3.0, 3.0, 100.0)}
    assert bench.ratio("peer", measured) == 3.0
    assert bench.kept("peer", measured)
