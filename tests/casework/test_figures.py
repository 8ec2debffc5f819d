"""Figures of the closed loop, counted by hand from the courses of a few cases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.casework.cases import allowed_events, cases_frame, replay
from huanjie_lib.casework.events import EVENT_COLUMNS
from huanjie_lib.casework.figures import FEW, FIGURES, LoopFigures, deadlines, loop_figures
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.vocabulary import CaseEvent, CaseState
from tests.casework.courses import CITY, OTHER, TOWN, UNIT, Log

WORKDAYS = Workdays(WorkCalendar())
D = dt.date


def figures(log: Log, as_of: dt.date, **options: Any) -> LoopFigures:
    return loop_figures(cases_frame(log.cases), log.events, as_of, WORKDAYS, **{"due_soon": 3, **options})


def whole(log: Log, as_of: dt.date) -> dict[str, Any]:
    return dict(figures(log, as_of).table.iloc[0])


def rectified(log: Log, case: str, days: tuple[dt.date, ...], due: dt.date, **what: Any) -> Log:
    """Alert, dispatch, rectify, submit, close on five days."""
    log.put(case, CaseEvent.OPEN, days[0], cause=case, **what)
    log.put(case, CaseEvent.DISPATCH, days[1], owner="云溪镇", due_on=due.isoformat())
    for event, day in zip((CaseEvent.RECTIFY, CaseEvent.SUBMIT, CaseEvent.CLOSE), days[2:], strict=True):
        log.put(case, event, day)
    return log


# Monday 2 November 2026 is the alert; no holiday lies in that November.
WEEK = (D(2026, 11, 2), D(2026, 11, 4), D(2026, 11, 10), D(2026, 11, 11), D(2026, 11, 13))


def test_working_days_by_stage_and_in_all() -> None:
    """Two days to dispatch (Mon to Wed), five to rectify (Wed to Wed), two to review (Wed to Fri): nine."""
    told = whole(rectified(Log(), "a", WEEK, D(2026, 11, 20)), D(2026, 11, 30))
    assert (told["dispatch_median"], told["rectify_median"], told["review_median"]) == (2, 5, 2)
    assert told["cycle_median"] == told["cycle_p90"] == 9
    assert (told["closed"], told["open"], told["decided"], told["on_time_share"]) == (1, 0, 1, 1.0)


def test_a_case_returned_is_again_with_its_owner() -> None:
    log = Log().put("a", CaseEvent.OPEN, WEEK[0], cause="a")
    log.put("a", CaseEvent.DISPATCH, WEEK[1], owner="云溪镇", due_on="2026-11-30")
    log.put("a", CaseEvent.RECTIFY, WEEK[2]).put("a", CaseEvent.SUBMIT, WEEK[3])
    log.put("a", CaseEvent.RETURN, D(2026, 11, 12))  # review: one day
    log.put("a", CaseEvent.RECTIFY, D(2026, 11, 16))
    log.put("a", CaseEvent.SUBMIT, D(2026, 11, 17))  # rectify: three days more
    log.put("a", CaseEvent.CLOSE, D(2026, 11, 17))
    told = whole(log, D(2026, 11, 30))
    assert (told["dispatch_median"], told["rectify_median"], told["review_median"]) == (2, 8, 1)
    assert (told["reviews"], told["returned"], told["return_rate"]) == (2, 1, 0.5)


def test_time_closed_is_not_time_taken_and_a_reopening_counts_once() -> None:
    log = rectified(Log(), "a", WEEK, D(2026, 11, 20))
    log = rectified(log, "b", WEEK, D(2026, 11, 20))
    log.put("a", CaseEvent.REOPEN, D(2026, 11, 23), due_on="2026-11-27")
    before = whole(log, D(2026, 11, 20))
    assert (before["closed"], before["reopened"], before["reopen_rate"]) == (2, 0, 0)
    told = whole(log, D(2026, 11, 25))
    assert (told["closed"], told["dispatched"], told["ever_closed"]) == (1, 1, 2)
    assert (told["reopened"], told["reopen_rate"]) == (1, 0.5)
    assert told["oldest_open"] == 9 + 2  # until the closure, and Monday to Wednesday since
    log.put("a", CaseEvent.RECTIFY, D(2026, 11, 26)).put("a", CaseEvent.SUBMIT, D(2026, 11, 26))
    log.put("a", CaseEvent.CLOSE, D(2026, 11, 27))
    after = figures(log, D(2026, 11, 30))
    mine = after.cases.set_index("case_id").loc["a"]
    assert (mine["cycle_days"], mine["closures"], mine["reopened"], mine["on_time"]) == (9 + 4, 2, 1, True)


def test_late_open_undecided_and_dateless_cases_are_never_on_time() -> None:
    log = rectified(Log(), "kept", WEEK, D(2026, 11, 13))
    log = rectified(log, "late", WEEK, D(2026, 11, 12))
    log.put("open", CaseEvent.OPEN, D(2026, 11, 2), cause="open")
    log.put("open", CaseEvent.DISPATCH, D(2026, 11, 2), owner="云溪镇", due_on="2026-11-20")
    log.put("new", CaseEvent.OPEN, D(2026, 11, 2), cause="new")
    log.put("false", CaseEvent.OPEN, D(2026, 11, 2), cause="false").put(
        "false", CaseEvent.CANCEL, D(2026, 11, 3)
    )
    told = figures(log, D(2026, 11, 20))  # the last day of "open": not decided yet
    decided = told.cases.set_index("case_id")["on_time"]
    assert decided.dropna().to_dict() == {"kept": True, "late": False}
    assert told.table.loc[0, "on_time_share"] == 0.5
    assert told.table.loc[0, ["undated", "cancelled", "open"]].tolist() == [1, 1, 2]
    past = figures(log, D(2026, 11, 23))
    assert past.table.loc[0, ["decided", "on_time", "overdue"]].tolist() == [3, 1, 1]


def test_a_postponed_deadline_is_kept_but_the_first_one_was_not() -> None:
    log = Log().put("a", CaseEvent.OPEN, WEEK[0], cause="a")
    log.put("a", CaseEvent.DISPATCH, WEEK[1], owner="云溪镇", due_on="2026-11-06")
    log.put("a", CaseEvent.DISPATCH, D(2026, 11, 6), owner="云溪镇", due_on="2026-11-30")
    for event, day in zip((CaseEvent.RECTIFY, CaseEvent.SUBMIT, CaseEvent.CLOSE), WEEK[2:], strict=True):
        log.put("a", event, day)
    told = whole(log, D(2026, 11, 30))
    assert (told["on_time_share"], told["on_time_first_share"], told["postponed"]) == (1, 0, 1)


def test_a_clock_set_back_two_days_confuses_nothing() -> None:
    """Dispatched on the 4th; the clock goes back, and the rectification is dated the 2nd."""
    log = Log().put("a", CaseEvent.OPEN, D(2026, 11, 2), cause="a")
    log.put("a", CaseEvent.DISPATCH, D(2026, 11, 4), owner="云溪镇", due_on="2026-11-20")
    log.put("a", CaseEvent.RECTIFY, D(2026, 11, 2)).put("a", CaseEvent.SUBMIT, D(2026, 11, 2))
    log.put("a", CaseEvent.CLOSE, D(2026, 11, 3))
    assert whole(log, D(2026, 11, 3))["alert"] == 1  # nothing overtakes the dispatch
    told = figures(log, D(2026, 11, 4))
    row = told.cases.iloc[0]
    assert row["state"] == "closed"
    assert [row[f"{s}_days"] for s in ("dispatch", "rectify", "review")] == [2, 0, 0]


def test_order_of_rows_is_nothing_and_later_events_are_left_out() -> None:
    log = rectified(Log(), "a", WEEK, D(2026, 11, 20))
    log = rectified(log, "b", WEEK, D(2026, 11, 20), unit=OTHER, kind="plan")
    frame = cases_frame(log.cases)
    one = loop_figures(frame, log.events, D(2026, 11, 11), WORKDAYS, due_soon=3)
    other = loop_figures(frame.iloc[::-1], log.events.iloc[::-1], D(2026, 11, 11), WORKDAYS, due_soon=3)
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.cases, other.cases)
    early = log.events[log.events["happened_on"] <= "2026-11-11"]
    cut = loop_figures(frame, early, D(2026, 11, 11), WORKDAYS, due_soon=3)
    pd.testing.assert_frame_equal(one.table, cut.table)
    assert one.table.loc[0, "reviewing"] == 2


def test_by_kind_and_township_and_for_a_part_of_the_cases() -> None:
    log = rectified(Log(), "a", WEEK, D(2026, 11, 20))
    log = rectified(log, "b", WEEK, D(2026, 11, 20), unit=OTHER, kind="plan")
    told = figures(log, D(2026, 11, 30))
    table = told.table.set_index(["scope", "label"])
    assert list(told.table) == list(FIGURES)
    assert table.loc[("kind", "红色村缺预案"), "cases"] == 1
    assert table.loc[("kind", "矛盾纠纷"), "cases"] == 0
    assert np.isnan(table.loc[("kind", "矛盾纠纷"), "on_time_share"])
    assert table.loc[("township", "竹桥街道"), "closed"] == 1
    for scope in ("kind", "township"):
        assert table.loc[scope]["cases"].sum() == 2
    part = cases_frame([log.cases["b"]])
    mine = loop_figures(part, log.events, D(2026, 11, 30), WORKDAYS, due_soon=3)
    assert mine.table["cases"].iloc[0] == 1
    pd.testing.assert_frame_equal(told.only(["b"]).table, mine.table)
    assert repr(told.only([])).startswith("LoopFigures(cases=0")


def test_few_cases_are_marked() -> None:
    log = Log()
    for n in range(FEW):
        rectified(log, f"c{n}", WEEK, D(2026, 11, 20))
    table = figures(log, D(2026, 11, 30)).table.set_index("label")
    assert not table.loc["全部", "few"]
    assert table.loc["等级变化", "few"]


def test_quantiles_are_observed_and_defined() -> None:
    """Cycle times 1, 2, …, 10: median 5.5, and nine tenths took at most 9."""
    log = Log()
    for n in range(1, 11):
        day = WORKDAYS.add(D(2026, 11, 2), n).date
        rectified(log, f"c{n}", (D(2026, 11, 2), D(2026, 11, 2), D(2026, 11, 2), day, day), D(2026, 12, 31))
    told = whole(log, D(2026, 12, 1))
    assert (told["cycle_median"], told["cycle_p90"]) == (5.5, 9)


def test_no_cases_at_all() -> None:
    nothing = pd.DataFrame(columns=list(EVENT_COLUMNS))
    told = loop_figures(cases_frame([]), nothing, D(2026, 11, 2), WORKDAYS, due_soon=3)
    assert told.table.loc[0, "cases"] == 0
    assert told.cases.empty


@pytest.mark.parametrize(
    ("due_on", "as_of", "left", "standing"),
    [
        ("2026-11-13", D(2026, 11, 6), 5, "ok"),
        ("2026-11-13", D(2026, 11, 10), 3, "soon"),
        ("2026-11-13", D(2026, 11, 13), 0, "soon"),
        ("2026-11-13", D(2026, 11, 14), -1, "overdue"),  # Saturday after a Friday
        ("2026-11-13", D(2026, 11, 16), -1, "overdue"),
        ("2026-11-13", D(2026, 11, 17), -2, "overdue"),
        ("2026-11-14", D(2026, 11, 16), 0, "soon"),  # a Saturday: ends on Monday
        ("2026-10-01", D(2026, 10, 8), 0, "soon"),  # National Day: ends on the 8th
        ("2026-10-01", D(2026, 10, 9), -1, "overdue"),
        (None, D(2026, 10, 9), None, "none"),
    ],
)
def test_days_left_of_a_deadline(due_on: str | None, as_of: dt.date, left: int | None, standing: str) -> None:
    due = pd.Series([due_on], dtype="datetime64[us]")
    cases = pd.DataFrame({"case_id": ["a"], "state": ["dispatched"], "due_on": due})
    (row,) = deadlines(cases, as_of, WORKDAYS, 3).to_dict("records")
    assert row["standing"] == standing
    if left is None:
        assert pd.isna(row["workdays_left"])
    else:
        assert row["workdays_left"] == left


def test_a_deadline_centuries_away_is_told_and_provisional() -> None:
    due = pd.Series(["3026-10-01"], dtype="datetime64[us]")
    cases = pd.DataFrame({"case_id": ["a"], "state": ["dispatched"], "due_on": due})
    (row,) = deadlines(cases, D(2026, 11, 2), WORKDAYS, 3).to_dict("records")
    assert row["standing"] == "ok"
    assert row["provisional"]


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_a_case_that_has_ended_has_no_days_left(state: str) -> None:
    cases = pd.DataFrame({"case_id": ["a"], "state": [state], "due_on": pd.to_datetime(["2026-01-05"])})
    (row,) = deadlines(cases, D(2026, 11, 2), WORKDAYS, 3).to_dict("records")
    assert (row["standing"], pd.isna(row["workdays_left"]), row["provisional"]) == ("none", True, False)


def test_a_unit_is_told_how_its_cases_go() -> None:
    log = rectified(Log(), "a", WEEK, D(2026, 11, 20))
    log.put("b", CaseEvent.OPEN, WEEK[0], cause="b")
    log.put("b", CaseEvent.DISPATCH, WEEK[1], owner="云溪镇", due_on="2026-11-20")
    told = figures(log, D(2026, 11, 25), version="v")
    assert told.explain(UNIT) == (
        "截至2026年11月25日，上云村共立案2件：已派单1件、已销号1件；逾期1件，最久的逾期3个工作日；"
        "销号的从预警到销号用了9个工作日，其中1件按期。"
    )
    assert repr(told) == "LoopFigures(cases=2, open=1, overdue=1, as_of=2026-11-25, parameters='v')"
    assert told.to_frame() is not told.table
    with pytest.raises(KeyError):
        told.explain(OTHER)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_states_are_those_of_the_cases_whatever_happens(data: st.DataObject) -> None:
    """Any legal history: at its end the figures' states equal the replay, and the stages sum to the cycle."""
    log = Log()
    for number in range(3):
        case, day = f"c{number}", D(2026, 9, 21)
        log.put(case, CaseEvent.OPEN, day, cause=case)
        for _ in range(data.draw(st.integers(0, 9))):
            now = log.cases[case]
            choices = [e for a in (CITY, TOWN) for e in allowed_events(now, a)]
            event = data.draw(st.sampled_from(sorted(set(choices))))
            day = max(D(2026, 9, 21), day + dt.timedelta(days=data.draw(st.integers(-2, 6))))
            told: dict[str, Any] = {}
            if event in (CaseEvent.DISPATCH, CaseEvent.REOPEN):
                told["due_on"] = (day + dt.timedelta(days=data.draw(st.integers(0, 9)))).isoformat()
            if event is CaseEvent.DISPATCH:
                told["owner"] = data.draw(st.sampled_from(["云溪镇", "竹桥街道"]))
            log.put(case, event, day, **told)
    told_of = figures(log, D(2027, 2, 1)).cases.set_index("case_id")
    for case, state in replay(log.events).items():
        row = told_of.loc[case]
        assert row["state"] == state.state.value
        assert (row["returned"], row["postponed"]) == (state.returned, state.postponed)
        assert row["reopened"] <= state.reopened  # those after a closure
        assert row["cycle_days"] == row["dispatch_days"] + row["rectify_days"] + row["review_days"]
        assert min(row["dispatch_days"], row["rectify_days"], row["review_days"]) >= 0
        assert (state.state is CaseState.CLOSED) == (pd.notna(row["closed_on"]))
