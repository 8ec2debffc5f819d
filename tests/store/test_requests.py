"""What people ask of the data held on them: received, due, answered once, with a reason if refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from huanjie_lib.errors import EventClashError, TransitionError
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.store.requests import REQUEST_COLUMNS, RequestEvent
from huanjie_lib.vocabulary import Role
from tests.offices import CITY, COUNTY

TALENT = type(CITY)("zzb-01", "组织部", Role.TALENT)
RECEIVED, DUE = dt.date(2026, 11, 2), dt.date(2026, 11, 23)


def step(number: int, **other: Any) -> RequestEvent:
    told: dict[str, Any] = {
        "event_id": f"e{number}",
        "request_id": "r1",
        "step": "receive",
        "kind": "copy",
        "person_ref": "PKYG7TXRSW3CMBRJB",
        "happened_on": RECEIVED,
        "due_on": DUE,
    }
    return RequestEvent(**(told | other))


def answer(number: int, **other: Any) -> RequestEvent:
    return step(number, **({"step": "answer", "result": "done", "happened_on": DUE} | other))


def test_a_request_is_received_and_answered(ledger: Ledger) -> None:
    ledger.request(step(1), TALENT)
    ledger.request(step(2, request_id="r2", kind="delete", due_on=dt.date(2026, 11, 20)), TALENT)
    ledger.request(answer(3), CITY)
    frame = ledger.requests()
    assert list(frame.columns) == list(REQUEST_COLUMNS)
    assert frame["request_id"].tolist() == ["r2", "r1"]
    assert frame["answered_on"].tolist() == ["", "2026-11-23"]
    assert frame["result"].tolist() == ["", "done"]
    assert frame["account"].tolist() == ["zzb-01", CITY.account]
    assert ledger.head().requests == 3
    assert ledger.verify(ledger.head()) == []


def test_asking_again_changes_nothing(ledger: Ledger) -> None:
    assert ledger.request(step(1), TALENT) == ledger.request(step(1), TALENT)
    with pytest.raises(EventClashError, match="申请记录编号"):
        ledger.request(step(1, kind="delete"), TALENT)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (step(2), "编号已用于另一件申请"),
        (answer(2, request_id="r9"), "没有收到过"),
        (answer(2, result=None), "办理结果"),
        (answer(2, result="refused"), "不予办理时不少于 4 个字"),
        (answer(2, result="partly", reason="  "), "部分办理时不少于 4 个字"),
        (answer(2, result="refused", reason="号码990101199003072336不符"), "写有身份证号或手机号"),
        (answer(2, kind="delete"), "与收到时不同"),
        (answer(2, happened_on=RECEIVED - dt.timedelta(days=1)), "不早于收到之日2026年11月2日"),
        (step(2, request_id="r2", result="done"), "办理结果：发现“已办理”；应为：不填"),
        (step(2, request_id="r2", due_on=RECEIVED - dt.timedelta(days=1)), "答复期限"),
    ],
)
def test_a_step_that_does_not_follow_is_refused(ledger: Ledger, second: RequestEvent, told: str) -> None:
    ledger.request(step(1), TALENT)
    with pytest.raises(TransitionError, match=told):
        ledger.request(second, TALENT)
    assert ledger.head().requests == 1


def test_it_is_answered_once_and_by_whoever_holds_the_register(ledger: Ledger) -> None:
    with pytest.raises(TransitionError, match="操作角色"):
        ledger.request(step(1), COUNTY)
    ledger.request(step(1), TALENT)
    ledger.request(answer(2, result="refused", reason="不是本人申请"), TALENT)
    with pytest.raises(TransitionError, match="已经答复"):
        ledger.request(answer(3), TALENT)


def test_tampering_is_found(ledger: Ledger) -> None:
    ledger.request(step(1), TALENT)
    with ledger._store.writing() as connection:
        if ledger._store.dialect == "postgresql":
            connection.exec_driver_sql("ALTER TABLE request_events DISABLE TRIGGER USER")
        else:
            connection.exec_driver_sql("DROP TRIGGER request_events_no_update")
        connection.exec_driver_sql("UPDATE request_events SET due_on = '2030-01-01'")
    assert {"request", "guard"} <= {fault.kind for fault in ledger.verify()}
