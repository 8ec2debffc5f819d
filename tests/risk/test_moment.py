"""What a day sees: windows of months, last figures, and rows that a successor answers for."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.moment import Moment, unknown
from huanjie_lib.risk.prepared import NEVER, Prepared, day_number

Build = Callable[..., Prepared]
PARAMETERS = load_parameters()
OLD, NEW = "990101101208", "990101101209"
UNITS = [
    {
        "unit_code": code,
        "unit_name": code,
        "unit_kind": "village",
        "township_code": code[:9],
        **dates,
    }
    for code, dates in ((OLD, {"valid_to": "2026-05-31"}), (NEW, {"valid_from": "2026-06-01"}))
]
RENUMBERED = {
    "old_code": OLD,
    "new_code": NEW,
    "kind": "renumber",
    "effective_on": "2026-06-01",
    "confirmed_by": "office",
    "confirmed_on": "2026-06-10",
}
DISPUTE = {"dispute_id": "d", "unit_code": OLD, "category": "land", "opened_on": "2026-02-01"}


def moment(prepared: Prepared, *date: int) -> Moment:
    return Moment(prepared, PARAMETERS, dt.date(*date))


def owners(at: Moment) -> list[str]:
    rows = at.inherited("disputes")
    assert rows is not None
    return at.prepared.units["unit_code"].iloc[rows.unit].tolist()


def test_a_months_end_goes_back_to_a_months_end(ledgers: Build) -> None:
    assert moment(ledgers(), 2026, 9, 30).months_back(1) == day_number(dt.date(2026, 8, 31))
    assert moment(ledgers(), 2026, 9, 29).months_back(1) == day_number(dt.date(2026, 8, 29))
    first, last = moment(ledgers(), 2026, 9, 29).month_window(2)
    assert (first, last) == (day_number(dt.date(2026, 7, 1)), day_number(dt.date(2026, 8, 31)))


def test_a_stock_too_old_is_told_and_not_used(ledgers: Build) -> None:
    facts = [{"unit_code": NEW, "metric": "committee_members", "as_of": "2026-01-31", "value": 5}]
    late = moment(ledgers(units=UNITS, facts=facts), 2026, 10, 31).stock("committee_members")
    assert np.isnan(late.value).all()
    assert late.stale.tolist() == [False, True]
    fresh = moment(ledgers(units=UNITS, facts=facts), 2026, 3, 31).stock("committee_members")
    assert fresh.value[1] == 5.0


def test_rows_go_to_the_successor_from_the_day_of_the_change(ledgers: Build) -> None:
    prepared = ledgers(units=UNITS, crosswalk=[RENUMBERED], disputes=[DISPUTE])
    assert owners(moment(prepared, 2026, 5, 31)) == [OLD]
    assert owners(moment(prepared, 2026, 6, 1)) == [NEW]


@pytest.mark.parametrize(
    "crosswalk",
    [
        [],
        [{**RENUMBERED, "confirmed_by": None}],
        [{**RENUMBERED, "confirmed_on": None}],
        [
            {**RENUMBERED, "kind": "split"},
            {**RENUMBERED, "kind": "split", "new_code": OLD},
        ],  # nobody can say which part of a split unit a row concerns
    ],
)
def test_without_a_confirmed_change_to_one_unit_rows_stay(
    ledgers: Build, crosswalk: list[dict[str, Any]]
) -> None:
    prepared = ledgers(units=UNITS, crosswalk=crosswalk, disputes=[DISPUTE])
    assert owners(moment(prepared, 2026, 10, 31)) == [OLD]


def test_what_knows_nothing_names_no_row(ledgers: Build) -> None:
    answer = unknown(moment(ledgers(), 2026, 10, 31), "leads")
    assert np.isnan(answer.value).all()
    assert set(answer.row.tolist()) == {-1}
    assert set(answer.day.tolist()) == {int(NEVER)}
    assert not answer.stale.any()


def test_an_answer_is_worked_out_once_for_each_day_and_is_nobodys_to_change(ledgers: Build) -> None:
    asked: list[dt.date] = []

    def answer(at: Moment) -> tuple[np.ndarray, str]:
        asked.append(at.date)
        return np.zeros(at.size), at.date.isoformat()

    prepared = ledgers()
    first, second = moment(prepared, 2026, 9, 29), moment(prepared, 2026, 9, 30)
    assert first.once(answer) is first.once(answer)
    assert second.once(answer)[1] == "2026-09-30"
    assert asked == [first.date, second.date]
    with pytest.raises(ValueError, match="read-only"):
        first.once(answer)[0][0] = 1.0
    assert first == moment(prepared, 2026, 9, 29), "what was worked out does not tell days apart"
