"""A clock that steps back two days in mid-history: the sequence orders, and nothing believes the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from huanjie_lib.casework.cases import Case, cases_frame, replay
from huanjie_lib.casework.events import Action, Head
from huanjie_lib.casework.figures import Standing, deadlines, loop_figures
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.errors import TransitionError
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import CaseState
from tests.faults.histories import DUE_ON, next_action

EVENTS, CASES = 30, 3
BACK_AT = 30  # readings of the clock: half of them
START = dt.datetime(2026, 9, 10, 9, tzinfo=dt.UTC)


class Clock:
    """A clock that goes on an hour each time it is read, and once goes back two days."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self) -> dt.datetime:
        self.read += 1
        back = dt.timedelta(days=2 if self.read > BACK_AT else 0)
        return START + self.read * dt.timedelta(hours=1) - back


@pytest.fixture
def told(opened: Callable[..., Ledger]) -> tuple[Ledger, list[Head]]:
    """A ledger whose clock went back, with the head after each event.

    Offices date an event by the same clock, but not before the case was opened.
    """
    clock = Clock()
    ledger = opened(clock=clock)
    heads = []
    for number in range(EVENTS):

        def make(case: Case | None, number: int = number) -> Action:
            today = clock().date()
            return next_action(
                case,
                event_id=f"e{number}",
                case_id=f"C{number % CASES}",
                evidence=ledger.evidence,
                happened_on=today if case is None else max(today, case.opened_on),
            )

        ledger.append_retrying(make, f"C{number % CASES}")
        heads.append(ledger.head())
    return ledger, heads


def test_the_sequence_orders_and_the_ledger_verifies(told: tuple[Ledger, list[Head]]) -> None:
    ledger, heads = told
    events = ledger.events()
    assert events["event_id"].tolist() == [f"e{n}" for n in range(EVENTS)]
    assert events["sequence"].tolist() == list(range(1, EVENTS + 1))
    assert not events["recorded_at"].is_monotonic_increasing  # the clock did go back
    assert not events["happened_on"].is_monotonic_increasing
    assert ledger.verify() == []
    shuffled = events.sample(frac=1, random_state=1)
    replayed = cases_frame(replay(shuffled)).sort_values("case_id", ignore_index=True)
    assert ledger.cases().sort_values("case_id", ignore_index=True).equals(replayed)
    assert [ledger.verify(head) for head in heads] == [[]] * EVENTS  # kept before the step and after it


def test_a_head_kept_before_the_step_still_finds_what_was_cut_off(told: tuple[Ledger, list[Head]]) -> None:
    ledger, heads = told
    longer = Head(EVENTS + 1, "0" * 64, heads[-1].runs, heads[-1].runs_hash)
    assert [fault.kind for fault in ledger.verify(longer)] == ["truncated"]


def test_deadlines_and_figures_do_not_believe_the_clock(told: tuple[Ledger, list[Head]]) -> None:
    ledger, _ = told
    cases, events, workdays = ledger.cases(), ledger.events(), Workdays(WorkCalendar())
    running = int((cases["state"].ne(CaseState.CLOSED.value) & cases["due_on"].notna()).sum())
    assert running > 0
    for as_of, late in ((DUE_ON, 0), (DUE_ON + dt.timedelta(days=60), running)):
        assert (deadlines(cases, as_of, workdays, 3)["standing"] == Standing.OVERDUE.value).sum() == late
    figures = loop_figures(cases, events, DUE_ON, workdays, due_soon=3)
    assert figures.cases["state"].tolist() == cases.sort_values("case_id")["state"].tolist()
    stages = [f"{stage}_days" for stage in ("dispatch", "rectify", "review", "cycle")]
    assert (figures.cases[stages] >= 0).all(axis=None)
    assert figures.table.iloc[0]["cases"] == CASES


def test_an_event_dated_before_its_case_is_refused_by_name(opened: Callable[..., Ledger]) -> None:
    ledger = opened()
    ledger.append(next_action(None, event_id="e1", case_id="C1", evidence=ledger.evidence))
    case = ledger.case("C1")
    back = case.opened_on - dt.timedelta(days=2)
    with pytest.raises(TransitionError, match="不早于预警日期"):
        ledger.append(
            next_action(case, event_id="e2", case_id="C1", evidence=ledger.evidence, happened_on=back)
        )
    assert ledger.head().sequence == 1
