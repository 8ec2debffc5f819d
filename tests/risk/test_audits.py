"""Which audit counts, what it has concluded, and which notices and problems count; whole verdicts are in
tests/scenarios/audit."""

import datetime as dt
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.audits import (
    NoticeStanding,
    _separate,
    audit_concluded_on,
    current_projects,
    item_state,
    member_state,
    notice_state,
    objections_pending,
    problem_state,
)
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, Prepared, day_number
from huanjie_lib.vocabulary import AuditItem, UnitKind

Build = Callable[..., Prepared]
PARAMETERS = load_parameters()
VILLAGE, COMMUNITY, MERGED = "990101101201", "990101101001", "990101101209"
PROJECT = {"audit_type": "leaving", "plan_on": "2026-01-05", "started_on": "2026-01-10"}
ITEMS = [
    {"item": item.value, "outcome": "clear", "concluded_on": "2026-05-01"}
    for item in AuditItem.required(UnitKind.VILLAGE)
]


def subject(ref: str, on: str | None = "2026-05-02", **more: Any) -> dict[str, Any]:
    outcome = "pending" if on is None else "clear"
    return {"person_ref": ref, "post": "member", "outcome": outcome, "concluded_on": on, **more}


def leaver(ref: str, on: str | None) -> dict[str, Any]:
    return {"person_ref": ref, "left_on": on}


def at(prepared: Prepared, *date: int) -> Moment:
    return Moment(prepared, PARAMETERS, dt.date(*(date or (2026, 10, 31))))


def village(moment: Moment, code: str = VILLAGE) -> int:
    return moment.prepared.units["unit_code"].tolist().index(code)


def due(prepared: Prepared, *date: int) -> tuple[float, float, float]:
    moment = at(prepared, *date)
    state = member_state(moment)
    assert state is not None
    unit = village(moment)
    return float(state.due[unit]), float(state.concluded[unit]), float(state.gone[unit])


def test_without_a_ledger_nothing_is_answered(ledgers: Build) -> None:
    moment = at(ledgers())
    assert current_projects(moment) is None
    assert item_state(moment) is None
    assert member_state(moment) is None
    assert audit_concluded_on(moment) is None
    assert notice_state(moment, 5, 0) is None
    assert problem_state(moment) is None


@pytest.mark.parametrize(
    ("items", "subjects", "project", "concluded"),
    [
        (ITEMS, [subject("a")], {}, "2026-05-02"),
        (ITEMS, [subject("a", "2026-04-02")], {}, "2026-05-01"),
        (ITEMS, [], {}, "2026-05-01"),
        (ITEMS, [subject("a")], {"ended_on": "2026-05-20"}, "2026-05-20"),
        (ITEMS, [subject("a")], {"ended_on": "2026-12-20"}, "2026-05-02"),  # not yet
        (ITEMS, [subject("a"), subject("b", None)], {}, None),
        (ITEMS[1:], [subject("a")], {}, None),
        ([*ITEMS[1:], {**ITEMS[0], "outcome": "pending"}], [subject("a")], {}, None),
        ([*ITEMS[1:], {**ITEMS[0], "concluded_on": "2026-11-01"}], [subject("a")], {}, None),
    ],
)
def test_the_audit_concludes_with_its_last_item_or_member(
    ledgers: Build,
    items: list[dict[str, Any]],
    subjects: list[dict[str, Any]],
    project: dict[str, Any],
    concluded: str | None,
) -> None:
    rows = {"audit_projects": [{**PROJECT, **project}], "audit_items": items, "audit_subjects": subjects}
    moment = at(ledgers(**rows))
    days = audit_concluded_on(moment)
    assert days is not None
    expected = NEVER if concluded is None else day_number(dt.date.fromisoformat(concluded))
    assert days[village(moment)] == expected
    assert days[village(moment, COMMUNITY)] == NEVER


@pytest.mark.parametrize(
    ("listed", "left", "other", "expected"),
    [
        ([subject("a")], [], [], (1, 1, 0)),
        ([subject("a")], [leaver("b", "2025-03-01")], [], (2, 1, 1)),  # left, on no list
        ([subject("a")], [leaver("b", None)], [], (2, 1, 1)),  # left, nobody says when
        ([subject("a")], [leaver("b", "2026-11-15")], [], (1, 1, 0)),  # has not left yet
        ([subject("a"), subject("b")], [leaver("b", "2025-03-01")], [], (2, 2, 0)),  # listed all the same
        ([subject("a", term_from="2021-06-01")], [leaver("b", "2021-05-01")], [], (1, 1, 0)),  # earlier term
        ([subject("a", term_from="2021-06-01")], [leaver("b", "2021-06-01")], [], (2, 1, 1)),
        # an audit of another project: on leaving, or concluded after it
        ([subject("a")], [leaver("b", "2025-03-01")], [subject("b", "2025-02-20")], (1, 1, 0)),
        ([subject("a")], [leaver("b", "2025-03-01")], [subject("b", None)], (2, 1, 1)),
        ([], [leaver("b", "2025-03-01")], [], (0, 0, 0)),  # nobody is listed: unknown, not complete
    ],
)
def test_a_member_who_left_mid_term_is_still_due(
    ledgers: Build,
    listed: list[dict[str, Any]],
    left: list[dict[str, Any]],
    other: list[dict[str, Any]],
    expected: tuple[float, float, float],
) -> None:
    rows = {
        "audit_projects": [
            PROJECT,
            {"project_id": "p0", "audit_type": "leaving", "started_on": "2025-02-01"},
        ],
        "audit_subjects": [
            *listed,
            *({**row, "project_id": "p0"} for row in other),
            {**subject("z"), "unit_code": COMMUNITY},
        ],
        "leavers": left,
    }
    assert due(ledgers(**rows)) == expected


def test_an_audit_before_leaving_is_not_one_on_leaving(ledgers: Build) -> None:
    rows = {
        "audit_projects": [PROJECT, {"project_id": "p0", "audit_type": "term", "started_on": "2024-02-01"}],
        "audit_subjects": [subject("a"), subject("b", "2024-04-01", project_id="p0")],
        "leavers": [leaver("b", "2025-03-01")],
    }
    assert due(ledgers(**rows)) == (2, 1, 1)
    rows["audit_subjects"][1]["concluded_on"] = "2025-04-01"  # a term audit concluded after leaving covers it
    assert due(ledgers(**rows)) == (1, 1, 0)


def merger(kind: str = "merge", old: Sequence[str] = (VILLAGE, "990101101208")) -> dict[str, Any]:
    return {
        "units": [
            {
                "unit_code": code,
                "unit_name": code,
                "unit_kind": "village",
                "township_code": code[:9],
                **dates,
            }
            for code, dates in (
                (VILLAGE, {"valid_to": "2026-06-30"}),
                (MERGED, {"valid_from": "2026-07-01"}),
            )
        ],
        "crosswalk": [
            {
                "old_code": code,
                "new_code": MERGED,
                "kind": kind,
                "effective_on": "2026-07-01",
                "confirmed_by": "office",
                "confirmed_on": "2026-07-05",
            }
            for code in old
        ],
    }


def test_only_an_audit_begun_since_the_merger_counts_for_the_merged_unit(ledgers: Build) -> None:
    rows = {**merger(), "audit_projects": [PROJECT]}
    current = current_projects(at(ledgers(**rows)))
    assert current is not None
    assert current[0].tolist() == [-1, -1]
    before = current_projects(at(ledgers(**rows), 2026, 6, 30))
    assert before is not None
    assert before[0].tolist() == [0, -1]
    rows["audit_projects"].append(
        {**PROJECT, "project_id": "p2", "unit_code": MERGED, "started_on": "2026-08-01"}
    )
    after = current_projects(at(ledgers(**rows)))
    assert after is not None
    assert after[0].tolist() == [-1, 1]


def test_a_renumbered_unit_keeps_its_audit(ledgers: Build) -> None:
    rows = {**merger("renumber", (VILLAGE,)), "audit_projects": [PROJECT], "audit_items": ITEMS}
    moment = at(ledgers(**rows))
    current, items = current_projects(moment), item_state(moment)
    assert current is not None
    assert items is not None
    assert current[0].tolist() == [-1, 0]
    assert items.concluded.tolist() == [0, 5]


def test_problems_of_a_merged_village_go_to_its_successor(ledgers: Build) -> None:
    problem = {"problem_id": "q", "item": "debts", "severity": "minor", "found_on": "2026-02-01"}
    rows = {**merger(), "audit_projects": [PROJECT], "audit_problems": [problem]}
    moment = at(ledgers(**rows))
    state = problem_state(moment)
    assert state is not None
    assert moment.count(state.rows, state.is_open).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("closed_on", "evidence", "state"),
    [
        (None, None, "open"),
        ("2026-09-01", "ZG-1", "closed"),
        ("2026-09-01", None, "unproven"),
        ("2026-09-01", "", "unproven"),
        ("2026-11-01", "ZG-1", "open"),  # closed after the day
    ],
)
def test_a_problem_is_closed_only_with_evidence(
    ledgers: Build, closed_on: str | None, evidence: str | None, state: str
) -> None:
    problem = {"problem_id": "q", "item": "debts", "severity": "minor", "found_on": "2026-02-01"}
    row = {**problem, "closed_on": closed_on, "evidence": evidence, "due_on": "2026-03-01"}
    found = problem_state(at(ledgers(audit_projects=[PROJECT], audit_problems=[row])))
    assert found is not None
    assert found.is_open.tolist() == [state != "closed"]
    assert found.is_overdue.tolist() == [state != "closed"]
    assert found.is_unproven.tolist() == [state == "unproven"]


def test_every_posted_notice_has_a_standing_and_the_first_reason_is_told(ledgers: Build) -> None:
    spells = {
        "counts": ("2026-06-01", "2026-06-05"),
        "overlap": ("2026-06-05", "2026-06-12"),
        "short": ("2026-07-01", "2026-07-04"),
        "running": ("2026-10-29", None),
        "early": ("2026-04-01", "2026-04-03"),  # short as well; too early is the first reason
        "later": ("2026-11-01", "2026-11-05"),
    }
    notices = [{"notice_id": n, "start_on": a, "end_on": b} for n, (a, b) in spells.items()]
    other = {"notice_id": "x", "project_id": "p0", "start_on": "2026-06-20", "end_on": "2026-06-30"}
    rows = {
        "audit_projects": [PROJECT, {"project_id": "p0", "audit_type": "term", "started_on": "2024-01-01"}],
        "audit_items": ITEMS,
        "audit_notices": [*notices, other],
    }
    state = notice_state(at(ledgers(**rows)), 5, 0)
    assert state is not None
    expected = ["counts", "overlap", "short", "running", "early", None, "other_audit"]
    assert state.standing.tolist() == expected
    assert state.days.tolist() == [5, 8, 4, 3, 3, 0, 11]
    rows["audit_items"] = ITEMS[1:]
    unfinished = notice_state(at(ledgers(**rows)), 5, 0)
    assert unfinished is not None
    assert set(unfinished.standing[:5]) == {NoticeStanding.UNFINISHED.value}


@given(
    spells=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=8),
    gap=st.integers(0, 3),
)
def test_the_largest_separate_set_is_found(spells: list[tuple[int, int]], gap: int) -> None:
    start = np.array([a for a, _ in spells], dtype=np.int64)
    end = start + np.array([length for _, length in spells], dtype=np.int64)
    rows = np.arange(len(spells))
    chosen = _separate(np.zeros(len(spells), dtype=np.int64), start, end + gap, rows, 1)

    def separate(subset: Sequence[int]) -> bool:
        inorder = sorted(subset, key=lambda n: start[n])
        return all(start[b] - end[a] > gap for a, b in pairwise(inorder))

    best = max(n for n in range(len(spells) + 1) if any(map(separate, combinations(range(len(spells)), n))))
    assert separate(chosen.tolist())
    assert len(chosen) == best


def test_objections_without_a_figure_are_unknown_not_answered(ledgers: Build) -> None:
    notice = {"start_on": "2026-06-01", "end_on": "2026-06-05"}
    figures = [(0, None), (2, 2), (3, 1), (2, None), (None, None)]
    rows = [
        {**notice, "notice_id": str(n), "objections": a, "answered": b} for n, (a, b) in enumerate(figures)
    ]
    notices = at(ledgers(audit_projects=[PROJECT], audit_notices=rows)).rows("audit_notices")
    assert notices is not None
    np.testing.assert_array_equal(objections_pending(notices), [0.0, 0.0, 2.0, np.nan, np.nan])
