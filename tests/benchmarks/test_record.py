"""Records are judged by the plan's limits, held against a reference, merged, and shown whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measuring import Case, Found, Limit
from benchmarks.plot import draw, draw_streams
from benchmarks.record import BY_SPACE, BY_TIME, Record, Row, merged, read, slips, table


def measured(_size: int) -> Found:
    raise AssertionError("not measured here")


CASE = Case("a.b", "the budget", "ours", "units", (10, 100), 5, measured, {100: Limit(3.0, 1.5)},
            peer="theirs", space_unit="× data")  # fmt: skip
GOOD = Found(2.0, 4.0, 5.0, 2.0, space=1.2, peak_mb=80.0, rounds=3)


def record(found: Found = GOOD, *, size: int = 100, run: str = "r1") -> Record:
    return Record((Row.of_found(CASE, size, found, run),), {run: {"commit": "c"}}, {})


@pytest.mark.parametrize(
    ("found", "size", "met"),
    [
        (GOOD, 100, True),
        (dataclasses.replace(GOOD, figure=3.0, space=1.5), 100, True),
        (dataclasses.replace(GOOD, figure=3.01), 100, False),
        (dataclasses.replace(GOOD, space=1.51), 100, False),
        (dataclasses.replace(GOOD, figure=30.0), 10, None),
    ],
)
def test_limits_are_judged_at_the_size_of_the_plan(found: Found, size: int, met: bool | None) -> None:
    (row,) = record(found, size=size).rows
    assert row.met is met
    assert len(record(found, size=size).missed) == (met is False)
    shown = table([row])
    assert ("**missed**" in shown) == (met is False)
    assert ("| met |" in shown) == (met is True)
    assert "missed" not in table([row], judged=False)


@pytest.mark.parametrize(
    ("worse", "told"),
    [
        ({"seconds": 4.0 * BY_TIME * 1.01}, "ratio to theirs"),
        ({"peer_seconds": 2.0 / BY_TIME / 1.01}, "ratio to theirs"),
        ({"space": 1.2 * BY_SPACE * 1.01}, "× data"),
    ],
)
def test_a_planted_slip_is_found(worse: dict[str, Any], told: str) -> None:
    (slip,) = slips(record(dataclasses.replace(GOOD, **worse)), record())
    assert slip.what == told
    assert "a.b at 100" in str(slip)


@pytest.mark.parametrize(
    "other",
    [
        {"seconds": 400.0, "peer_seconds": 200.0, "wall_seconds": 900.0},  # a slower machine
        {"seconds": 4.0 * BY_TIME * 0.99, "space": 1.2 * BY_SPACE * 0.99},
        {"seconds": 0.4, "space": 0.1},
        {"peak_mb": 800.0},  # of interpreter and libraries; what the plan limits is ``space``
    ],
)
def test_what_is_no_worse_has_not_slipped(other: dict[str, Any]) -> None:
    assert slips(record(dataclasses.replace(GOOD, **other)), record()) == []


def test_ratios_of_what_is_short_are_not_held() -> None:
    short = record(dataclasses.replace(GOOD, seconds=0.004, peer_seconds=0.002))
    assert slips(record(dataclasses.replace(GOOD, seconds=0.04, peer_seconds=0.002)), short) == []


def test_a_lost_event_is_a_slip_from_none() -> None:
    case = dataclasses.replace(CASE, unit="events", peer="", space_unit="")

    def kills(lost: int) -> Record:
        return Record((Row.of_found(case, 100, Found(lost, None, 9.0), "r"),), {"r": {}}, {})

    assert slips(kills(0), kills(0)) == []
    (slip,) = slips(kills(1), kills(0))
    assert "for the first time" in str(slip)


def test_records_without_a_common_row_are_refused() -> None:
    with pytest.raises(ValueError, match="none of these rows"):
        slips(record(size=10), record(size=100))


def test_new_rows_replace_old_ones_and_cases_that_are_no_more_go() -> None:
    rows = (*record(size=10, run="r0").rows, *record(run="r0").rows)
    old = Record(rows, {"r0": {"commit": "b"}}, {"x.y": "no browser"})
    both = merged(old, record(run="r1"), [CASE])
    assert [(row.size, row.run) for row in both.rows] == [(10, "r0"), (100, "r1")]
    assert set(both.runs) == {"r0", "r1"}
    assert both.left_out == {"x.y": "no browser"}
    some = merged(None, Record(rows[1:], {"r0": {}}, {CASE.name: "10: no memory"}), [CASE])
    assert some.left_out == {CASE.name: "10: no memory"}
    assert merged(some, record(size=10), [CASE]).left_out == {}
    all_new = merged(both, record(size=10, run="r1"), [CASE])
    assert set(all_new.runs) == {"r1"}
    gone = merged(both, record(run="r1"), [dataclasses.replace(CASE, sizes=(100,))])
    assert [row.size for row in gone.rows] == [100]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(record().to_json(), encoding="utf-8")
    assert read(path) == record()
    path.write_text('{"format": 2}', encoding="utf-8")
    with pytest.raises(ValueError, match="format 2, expected 1"):
        read(path)


def test_the_table_tells_figure_limit_peer_and_memory() -> None:
    assert table(record().rows).splitlines()[-1] == (
        "| ours | 100 units | 2 × | ≤ 3 | theirs | 4 | 5 | 2 | 1.2 × data (≤ 1.5) | 80 | met |"
    )


def test_the_same_rows_give_the_same_picture(tmp_path: Path) -> None:
    rows = [*record(size=10).rows, *record().rows]
    for name in ("a.svg", "b.svg"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    draw([dataclasses.replace(row, seconds=8.0) for row in rows], tmp_path / "c.svg")
    assert (tmp_path / "c.svg").read_bytes() != (tmp_path / "a.svg").read_bytes()


def test_the_picture_of_streams_shows_every_contender_and_the_limit(tmp_path: Path) -> None:
    rows = [*record(size=10).rows, *record().rows]
    for name in ("a.svg", "b.svg"):
        draw_streams(rows, tmp_path / name, limit_mb=4096.0)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    draw_streams(
        [dataclasses.replace(row, peak_mb=800.0) for row in rows], tmp_path / "c.svg", limit_mb=4096.0
    )
    assert (tmp_path / "c.svg").read_bytes() != (tmp_path / "a.svg").read_bytes()


def test_memory_is_not_held_against_a_reference_that_ended_with_less_than_it_began() -> None:
    shrunk = record(dataclasses.replace(GOOD, space=-0.06))
    assert slips(shrunk, shrunk) == []
    assert slips(record(), shrunk) == []
