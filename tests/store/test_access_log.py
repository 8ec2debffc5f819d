"""Who did what with the data of people: in order, for a reason, never changed, without a name or number."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import EventClashError, TransitionError
from huanjie_lib.store.access_log import ACCESS_COLUMNS, AccessEntry
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import AccessAction, Role
from tests.offices import CITY, COUNTY, PUBLISHER

TALENT = type(CITY)("zzb-01", "组织部", Role.TALENT)


def entry(number: int = 1, **other: Any) -> AccessEntry:
    told: dict[str, Any] = {
        "entry_id": f"e{number}",
        "action": "unmask",
        "purpose": "identity",
        "subject": "PKYG7TXRSW3CMBRJB",
        "detail": "姓名",
        "reason": "考察谈话通知本人",
    }
    return AccessEntry(**(told | other))


def test_entries_come_back_as_they_were_made_and_in_order(opened: Callable[..., Ledger]) -> None:
    moments = iter(
        [dt.datetime(2026, 11, 1, 15, 59, tzinfo=dt.UTC), dt.datetime(2026, 11, 1, 16, tzinfo=dt.UTC)]
    )
    ledger = opened(clock=lambda: next(moments))
    ledger.log_access(entry(reason=" 考察谈话通知本人 "), TALENT)
    digest = "ab" * 32
    told = {"action": "export", "purpose": "talent", "subject": "建议名册.xlsx", "reason": "", "items": 3}
    ledger.log_access(entry(2, digest=digest, **told), CITY)
    frame = ledger.access_log()
    assert list(frame.columns) == list(ACCESS_COLUMNS)
    assert frame["action"].tolist() == ["unmask", "export"]
    assert frame["reason"].tolist() == ["考察谈话通知本人", ""]
    assert frame["role"].tolist() == ["talent", "city"]
    assert frame["digest"].tolist() == ["", digest]
    # 15:59 UTC is still the day before 16:00 UTC in Chinese time
    assert ledger.access_log(since=dt.date(2026, 11, 2))["entry_id"].tolist() == ["e2"]
    assert ledger.access_log(account="zzb-01")["entry_id"].tolist() == ["e1"]
    assert (ledger.head().access, ledger.head().access_hash) == (2, frame["hash"].iloc[-1])
    assert ledger.verify(ledger.head()) == []


def test_asking_again_changes_nothing_and_an_id_is_used_once(ledger: Ledger) -> None:
    first = ledger.log_access(entry(), TALENT)
    assert ledger.log_access(entry(), TALENT) == first
    with pytest.raises(EventClashError, match="查阅记录编号"):
        ledger.log_access(entry(subject="P2"), TALENT)
    assert len(ledger.access_log()) == 1


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"reason": "看看"}, "事由：发现“2 个字”；应为：不少于 4 个字"),
        ({"reason": "   "}, "事由：发现“0 个字”"),
        ({"action": "delete", "reason": ""}, "没有到期删除.*\n?.*事由"),
        ({"reason": "核对990101199003072336的人"}, "写有身份证号或手机号"),
        ({"reason": "电话13900000000"}, "写有身份证号或手机号"),
        ({"subject": "990101199003072336"}, "对象：发现“写有身份证号或手机号”"),
        ({"detail": "13900000000"}, "内容：发现“写有身份证号或手机号”"),
    ],
)
def test_an_entry_that_is_not_whole_or_tells_a_number_is_refused(
    ledger: Ledger, other: dict[str, Any], told: str
) -> None:
    with pytest.raises(TransitionError, match=told) as caught:
        ledger.log_access(entry(**other), TALENT)
    assert "139" not in str(caught.value)
    assert "1990" not in str(caught.value)
    assert ledger.access_log().empty


@pytest.mark.parametrize("actor", [COUNTY, PUBLISHER, type(CITY)(" ", "组织部", Role.TALENT)])
def test_only_accounts_that_may_see_names_unmask(ledger: Ledger, actor: Any) -> None:
    with pytest.raises(TransitionError, match="没有查看原文"):
        ledger.log_access(entry(), actor)


def test_other_roles_may_export(ledger: Ledger) -> None:
    row = ledger.log_access(entry(action=AccessAction.EXPORT, subject="选情工作清单.xlsx", reason=""), COUNTY)
    assert row["number"] == 1


@pytest.mark.parametrize("text", ['{"entry_id": "张三"}', "{", '{"entry_id": "e1", "more": 1}'])
def test_what_cannot_be_read_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(TransitionError, match="不能识别") as caught:
        AccessEntry.from_json(text)
    assert "张三" not in str(caught.value)


def test_an_entry_is_never_changed_and_tampering_is_found(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.log_access(entry(number), TALENT)
    head = ledger.head()
    with ledger._store.writing() as connection:
        if ledger._store.dialect == "postgresql":
            connection.exec_driver_sql("ALTER TABLE access_log DISABLE TRIGGER USER")
        else:
            for name in ("access_log_no_update", "access_log_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("UPDATE access_log SET account = 'somebody' WHERE number = 1")
    assert {"access", "guard"} <= {fault.kind for fault in ledger.verify(head)}
    with ledger._store.writing() as connection:
        connection.execute(sa.text("DELETE FROM access_log WHERE number = 2"))
    assert "truncated" in [fault.kind for fault in ledger.verify(head)]


def test_heads_of_before_there_was_a_log_are_read() -> None:
    old = Head.from_json('{"sequence":0,"hash":"%s","runs":0,"runs_hash":"%s"}' % (("0" * 64,) * 2))
    assert old == Head()
    half = Head(1, "ab" * 32, access=2, access_hash="cd" * 32)
    assert Head.from_json(half.to_json()) == half
    with pytest.raises(ValueError, match="head of a ledger"):
        Head.from_json(half.to_json().replace('"access":2,', ""))
