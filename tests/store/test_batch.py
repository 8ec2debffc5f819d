"""Many actions at once: one that fails keeps none of the others from being recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from huanjie_lib.errors import LedgerFullError, StaleVersionError, TransitionError
from huanjie_lib.store.batch import MOST_AT_ONCE, append_each, read_dispatches
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.offices import CITY, TOWN, act
from tests.writing import request_of


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with three cases."""
    opened = open_ledger(tmp_path / "store", create=True)
    for n in range(3):
        opened.append(act(CaseEvent.OPEN, CITY, 0, case_id=f"C{n}"))
    return opened


def test_each_is_recorded_or_told_why_not(ledger: Ledger) -> None:
    orders = [
        act(CaseEvent.DISPATCH, CITY, 1, case_id="C0"),
        act(CaseEvent.DISPATCH, TOWN, 1, case_id="C1"),
        act(CaseEvent.DISPATCH, CITY, 2, case_id="C2"),
        act(CaseEvent.DISPATCH, CITY, 1, case_id="C2", event_id="again"),
    ]
    outcomes = append_each(ledger, orders)
    assert [type(one.error) for one in outcomes] == [
        type(None),
        TransitionError,
        StaleVersionError,
        type(None),
    ]
    assert [one.recorded is None for one in outcomes] == [False, True, True, False]
    assert [ledger.case(f"C{n}").owner for n in range(3)] == [TOWN.office, "", TOWN.office]
    again = append_each(ledger, orders)
    assert [one.recorded for one in again] == [one.recorded for one in outcomes]


def test_a_ledger_that_cannot_be_written_is_not_tried_again_and_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    append = ledger.append

    def full_after_one(action):  # type: ignore[no-untyped-def]
        tried.append(action.case_id)
        if len(tried) > 1:
            raise LedgerFullError("磁盘已满")
        return append(action)

    monkeypatch.setattr(ledger, "append", full_after_one)
    outcomes = append_each(ledger, [act(CaseEvent.DISPATCH, CITY, 1, case_id=f"C{n}") for n in range(3)])
    assert tried == ["C0", "C1"]
    assert [str(one.error) for one in outcomes] == ["None", "磁盘已满", "磁盘已满"]


def test_a_batch_is_read_as_the_page_sends_it() -> None:
    orders = [act(CaseEvent.DISPATCH, CITY, 1, case_id=f"C{n}") for n in range(MOST_AT_ONCE)]
    body = json.dumps({"actions": [json.loads(request_of(order)) for order in orders]})
    assert read_dispatches(body, actor=CITY) == tuple(orders)


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"actions": 1}', '{"actions": [1]}', '{"actions": [], "x": 1}']
)
def test_anything_else_is_refused(body: str) -> None:
    with pytest.raises(TransitionError):
        read_dispatches(body, actor=CITY)
