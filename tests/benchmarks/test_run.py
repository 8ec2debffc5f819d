"""All benchmarks run at small sizes with right results, and what is wrong with a run is told."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from benchmarks import measuring, run
from benchmarks.measuring import SIZES, Found, Limit, Unavailable
from benchmarks.record import Record, Row, read, table

ALL = run.chosen(None)
TESTS = Path(__file__).resolve().parents[1]
#: What the quick run leaves out, because a test of its own checks the results.
ELSEWHERE = {
    "what_if.pixels": "browser/test_what_if.py: "
    "test_a_move_is_quick_and_costs_little_more_than_a_byte_a_unit",
    "viewers.first_paint": "browser/test_overview.py: test_all_units_are_painted_and_counts_equal_the_index",
    "pack.whole": "exports/test_sample_city.py: test_every_unit_is_in_the_lists_of_the_pack",
    "pack.plans": "cli/test_exporting.py: test_export_of_units_writes_their_plans",
    "ledger.kills": "faults/test_kills.py: test_sqlite_survives_two_hundred_kills",
    **dict.fromkeys(
        ("events.huanjie", "events.duckdb", "events.polars", "events.pandas"),
        "benchmarks/test_bench_events.py: test_quick_run_compares_answers",
    ),
    "events.streams": "benchmarks/test_bench_streams.py: "
    "test_every_fact_of_every_city_is_found_and_a_wrong_one_is_told",
    **dict.fromkeys(
        ("driver.events", "driver.counties"),
        "events/test_engines.py: test_rows_sent_to_the_driver_are_an_error",
    ),
    "events.spark": "events/test_engines.py: test_spark_as_a_contender_finds_the_answer",
    **dict.fromkeys(
        ("partitions.scores", "partitions.lists"),
        "benchmarks/test_bench_partitions.py: "
        "test_cities_are_alike_under_other_codes_and_are_scored_and_listed",
    ),
}


def test_the_quick_run_checks_results_and_finds_a_slip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "ENOUGH", 0.0)
    quick = ["--quick", "--out", str(tmp_path)]
    assert run.main(quick) == 0
    found = read(tmp_path / "record.json")
    assert [(row.case, row.size) for row in found.rows] == [(c.name, c.quick) for c in ALL if c.quick]
    assert all(0 < row.figure < math.inf and row.met is None for row in found.rows)
    assert all(row.ratio is None or 0 < row.ratio < math.inf for row in found.rows)
    assert all(row.peak_mb is not None and row.peak_mb > 30 for row in found.rows)
    assert table(found.rows, judged=False) in capsys.readouterr().out
    assert (tmp_path / "growth.svg").stat().st_size > 10_000

    again = ["--quick", "--measured", str(tmp_path / "record.json"), "--against"]
    assert run.main([*again, str(tmp_path / "record.json")]) == 0
    rows = [row for row in found.rows if row.ratio is not None]
    longest = max(rows, key=lambda row: row.seconds or 0.0)
    better = dataclasses.replace(longest, ratio=(longest.ratio or 0.0) / 2)
    reference = dataclasses.replace(found, rows=(better,))
    (tmp_path / "better.json").write_text(reference.to_json(), encoding="utf-8")
    capsys.readouterr()
    assert run.main([*again, str(tmp_path / "better.json")]) == 1
    assert f"slipped: {longest.case}" in capsys.readouterr().out


def test_every_budget_is_judged_at_its_size_and_grows_up_to_it() -> None:
    assert len({case.name for case in ALL}) == len(ALL)
    for budget in {case.budget for case in ALL}:
        assert any(case.limits for case in ALL if case.budget == budget), budget
    for case in ALL:
        assert list(case.sizes) == sorted(case.sizes)
        assert set(case.limits) <= set(case.sizes)
        assert case.limits == {} or max(case.sizes) in case.limits
        assert case.unit != "×" or case.peer
    assert SIZES == (3_215, 20_000, 100_000, 600_000)


def test_every_row_is_checked_by_the_quick_run_or_by_a_test_of_its_own() -> None:
    assert {case.name for case in ALL if case.quick is None} == set(ELSEWHERE)
    for place in ELSEWHERE.values():
        file, _, name = place.partition(": ")
        assert f"\ndef {name}(" in (TESTS / file).read_text(encoding="utf-8"), place


def test_a_measurement_has_a_process_of_its_own() -> None:
    (case,) = run.chosen(["clusters.breaks"])
    found = run.apart(case, 1000)
    assert found.seconds is not None
    assert 0 < found.seconds < 5
    assert found.peak_mb is not None
    assert 30 < found.peak_mb < 1000


def test_what_fails_or_cannot_be_measured_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    breaks, flow, move = run.chosen(["clusters.breaks", "matching.flow", "what_if.move"])[:3]

    def wrong(_size: int) -> Found:
        raise AssertionError("wrong lists")

    def not_here(_size: int) -> Found:
        raise Unavailable("no browser")

    cases = [dataclasses.replace(breaks, measure=wrong), dataclasses.replace(move, measure=not_here), flow]
    monkeypatch.setattr(run, "chosen", lambda _only: cases)
    assert run.main(["--quick", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"FAILED: {breaks.name} at {breaks.quick:,}\nwrong lists" in told
    assert f"not measured: {move.name}: no browser" in told
    assert [row.case for row in read(tmp_path / "record.json").rows] == [flow.name]


def test_a_missed_limit_is_told_and_judged_only_in_earnest(capsys: pytest.CaptureFixture[str]) -> None:
    (case,) = run.chosen(["clusters.breaks"])
    case = dataclasses.replace(case, limits={5: Limit(1.0)})
    slow = Record((Row.of_found(case, 5, Found(1.1, 1.1, 1.1), "r"),), {"r": {}}, {})
    assert run.report(slow, {}, None, quick=False) == 1
    assert "limit missed: clusters.breaks at 5" in capsys.readouterr().out
    assert run.report(slow, {}, None, quick=True) == 0


def test_names_that_are_no_benchmarks_are_refused() -> None:
    with pytest.raises(ValueError, match="no such benchmark: risks; there are risk, "):
        run.chosen(["risks"])
    with pytest.raises(ValueError, match=r"no such case: risk\.x; there are "):
        run.chosen(["risk.x"])
    some = [case.name for case in run.chosen(["what_if", "clusters.breaks"])]
    assert some == ["clusters.breaks", "what_if.pixels", "what_if.move"]


def test_only_the_judged_or_the_missing_sizes_are_measured_when_asked() -> None:
    by_name = {case.name: case for case in ALL}
    assert run.sizes(by_name["risk.score"], quick=False, judged=True) == (600_000,)
    assert run.sizes(by_name["risk.points"], quick=False, judged=True) == ()
    assert run.sizes(by_name["risk.score"], quick=False, judged=False) == SIZES
    assert run.sizes(by_name["ledger.kills"], quick=True, judged=False) == ()
    assert run.sizes(by_name["risk.score"], quick=False, judged=False, wanted=[20_000, 7]) == (20_000,)
    row = Row.of_found(by_name["risk.score"], 20_000, Found(1.0, 1.0, 1.0), "r")
    there = Record((row,), {"r": {}}, {})
    assert run.sizes(by_name["risk.score"], quick=False, judged=False, there=there) == (
        3_215,
        100_000,
        600_000,
    )


def test_the_page_shows_the_reference_and_keeps_its_prose() -> None:
    reference, page = read(run.REFERENCE), run.PAGE.read_text(encoding="utf-8")
    assert run.written(reference, page) == page
    moved = run.written(dataclasses.replace(reference, rows=reference.rows[:1]), page)
    assert moved.startswith(page[: page.index(run.BEGIN)])
    assert moved.endswith(page[page.index(run.END) :])
    with pytest.raises(ValueError, match="no place for the reference"):
        run.written(reference, "# Results")


def test_the_reference_is_whole_and_meets_every_limit() -> None:
    reference = read(run.REFERENCE)
    limits = {(case.name, size): limit for case in ALL for size, limit in case.limits.items()}
    judged = {place for place, limit in limits.items() if limit != Limit()}
    assert judged <= {(row.case, row.size) for row in reference.rows}
    assert [f"{row.case} at {row.size}" for row in reference.missed] == []
    assert not any(about["quick"] or about["commit"].endswith("+") for about in reference.runs.values())
    for row in reference.rows:
        assert limits.get((row.case, row.size), Limit()) == Limit(row.limit, row.space_limit)
