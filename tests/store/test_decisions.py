"""Decisions on advice about people: whole, in a chain, by whoever may, with a reason where they depart."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from huanjie_lib.casework.events import Head
from huanjie_lib.errors import EventClashError, StaleVersionError, TransitionError
from huanjie_lib.store.decisions import DECISION_COLUMNS, Decision, accepted
from huanjie_lib.store.ledger import Ledger
from huanjie_lib.vocabulary import DecisionChoice, Role
from tests.offices import CITY, COUNTY, TOWN

STATED: dict[str, Any] = {
    "decision_id": "d1",
    "talent_run": "ab" * 32,
    "unit_code": "990101101201",
    "post": "director",
    "person_ref": "P1",
    "choice": "accept",
    "departs": False,
    "expected": 0,
}


def decision(**other: Any) -> Decision:
    return Decision.from_json(json.dumps(STATED | other))


def test_decisions_come_back_as_they_were_made_and_in_order(ledger: Ledger) -> None:
    ledger.decide(decision(), CITY)
    told = {"choice": "change", "instead_ref": "P2", "reason": "群众更认可", "departs": True, "expected": 1}
    ledger.decide(decision(decision_id="d2", **told), CITY)
    ledger.decide(decision(decision_id="d3", post="member"), CITY)
    frame = ledger.decisions("990101101201", "director")
    assert list(frame.columns) == list(DECISION_COLUMNS)
    assert frame["choice"].tolist() == ["accept", "change"]
    assert frame["reason"].tolist() == ["", "群众更认可"]
    assert frame["account"].tolist() == [CITY.account] * 2
    assert ledger.decisions()["number"].tolist() == [1, 2, 3]
    assert ledger.head() == Head(0, "0" * 64, 0, "0" * 64, 3, ledger.decisions()["hash"].iloc[-1])
    assert ledger.verify(ledger.head()) == []


def test_asking_again_changes_nothing_and_an_id_is_used_once(ledger: Ledger) -> None:
    first = ledger.decide(decision(), CITY)
    assert ledger.decide(decision(), CITY) == first
    with pytest.raises(EventClashError, match="决定编号"):
        ledger.decide(decision(person_ref="P2"), CITY)
    assert len(ledger.decisions()) == 1


def test_whoever_has_not_seen_the_last_decision_is_told(ledger: Ledger) -> None:
    ledger.decide(decision(), CITY)
    with pytest.raises(StaleVersionError):
        ledger.decide(decision(decision_id="d2"), CITY)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"choice": "reject", "departs": True}, "不采纳建议时须写明理由"),
        ({"departs": True}, "所选人员不在建议名单内时须写明理由"),
        ({"choice": "reject", "departs": True, "reason": " "}, "须写明理由"),
        ({"choice": "change", "departs": True, "reason": "x"}, "改选的人员"),
        ({"choice": "change", "departs": True, "reason": "x", "instead_ref": "P1"}, "另一名人员"),
        ({"instead_ref": "P2"}, "改选人员：发现“已填写”；应为：不填"),
        ({"choice": "reject", "reason": "x"}, "与建议不同的决定"),
    ],
)
def test_a_decision_that_is_not_whole_is_refused(ledger: Ledger, other: dict[str, Any], told: str) -> None:
    with pytest.raises(TransitionError, match=told):
        ledger.decide(decision(**other), CITY)
    assert ledger.decisions().empty


WITH_REASON = {"reason": "书记、主任一肩挑", "held": 1}
TAKEN_INSTEAD = {
    "post": "member",
    "person_ref": "P2",
    "choice": "change",
    "instead_ref": "P1",
    "departs": True,
    "reason": "群众更认可",
}


@pytest.mark.parametrize(
    "other",
    [
        {"post": "secretary"},
        {"unit_code": "990101101202"},
        {"post": "secretary", "reason": "书记、主任一肩挑"},
        TAKEN_INSTEAD,
    ],
    ids=["another post", "another unit", "a reason without having seen it", "instead of somebody"],
)
def test_whoever_stands_accepted_is_not_taken_for_another_post_unnoticed(
    ledger: Ledger, other: dict[str, Any]
) -> None:
    ledger.decide(decision(), CITY)
    with pytest.raises(TransitionError, match=r"已被采纳到990101101201主任.*一人兼任.*写明理由"):
        ledger.decide(decision(decision_id="d2", **other), CITY)
    assert len(ledger.decisions()) == 1
    row = ledger.decide(decision(decision_id="d3", **(WITH_REASON | other | {"held": 1})), CITY)
    assert row["number"] == 2
    assert sorted(accepted(ledger.decisions())["post"]) == sorted(["director", row["post"]])


def test_a_second_post_that_was_seen_still_needs_its_reason(ledger: Ledger) -> None:
    ledger.decide(decision(), CITY)
    with pytest.raises(TransitionError, match="所选人员已被采纳到其他岗位时须写明理由"):
        ledger.decide(decision(decision_id="d2", post="secretary", held=1), CITY)


@pytest.mark.parametrize(
    "withdrawn",
    [
        {"choice": "reject", "reason": "另有任用"},
        {"choice": "change", "instead_ref": "P2", "reason": "另有任用"},
    ],
    ids=["rejected", "changed"],
)
def test_whoever_has_been_withdrawn_is_free_for_another_post(
    ledger: Ledger, withdrawn: dict[str, Any]
) -> None:
    ledger.decide(decision(), CITY)
    ledger.decide(decision(decision_id="d2", departs=True, expected=1, **withdrawn), CITY)
    ledger.decide(decision(decision_id="d3", post="secretary"), CITY)
    stands = accepted(ledger.decisions())
    assert stands.loc[stands["person_ref"] == "P1", "post"].tolist() == ["secretary"]


def test_accepting_again_for_the_same_post_and_rejecting_ask_for_nothing_more(ledger: Ledger) -> None:
    ledger.decide(decision(), CITY)
    ledger.decide(decision(decision_id="d2", expected=1), CITY)
    told = {"choice": "reject", "departs": True, "reason": "已定主任人选"}
    ledger.decide(decision(decision_id="d3", post="secretary", **told), CITY)
    assert accepted(ledger.decisions())[["post", "number"]].to_numpy().tolist() == [["director", 2]]


def test_only_some_offices_decide_and_only_in_their_area(ledger: Ledger) -> None:
    for actor in (COUNTY, TOWN):
        with pytest.raises(TransitionError, match="操作角色"):
            ledger.decide(decision(), actor)
    organisation = type(CITY)("zu", "组织部", Role.TALENT, ("990102",))
    with pytest.raises(TransitionError, match="管辖范围"):
        ledger.decide(decision(), organisation)


@pytest.mark.parametrize(
    "other",
    [
        {"decision_id": "张三 330101"},
        {"unit_code": "9901"},
        {"post": "king"},
        {"choice": "maybe"},
        {"expected": -1},
        {"departs": 1},
        {"extra": "x"},
        {"talent_run": "x"},
    ],
)
def test_what_cannot_be_read_is_refused_without_repeating_it(other: dict[str, Any]) -> None:
    with pytest.raises(TransitionError) as caught:
        decision(**other)
    assert not any(str(value) in str(caught.value) for value in other.values() if value not in {-1, 1, "x"})
    with pytest.raises(TransitionError, match="请求"):
        Decision.from_json("{")


def test_a_decision_is_never_changed_or_deleted_and_tampering_is_found(ledger: Ledger) -> None:
    ledger.decide(decision(), CITY)
    ledger.decide(decision(decision_id="d2", expected=1), CITY)
    head = ledger.head()
    guards = "ALTER TABLE decisions DISABLE TRIGGER USER" if ledger._store.dialect == "postgresql" else None
    with ledger._store.writing() as connection:
        if guards is None:
            for name in ("decisions_no_update", "decisions_no_delete"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql(guards)
        connection.exec_driver_sql("UPDATE decisions SET reason = 'x' WHERE number = 1")
    kinds = [fault.kind for fault in ledger.verify(head)]
    assert "decision" in kinds
    assert "guard" in kinds
    with ledger._store.writing() as connection:
        connection.execute(sa.text("DELETE FROM decisions WHERE number = 2"))
    assert "truncated" in [fault.kind for fault in ledger.verify(head)]


def test_every_choice_has_a_chinese_word() -> None:
    assert [choice.label for choice in DecisionChoice] == ["采纳", "改选", "不采纳"]
