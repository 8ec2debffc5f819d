"""What a viewer may see of the ledger: scope, order, pages, and what may be done by whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.amendments import amendments_in_force
from huanjie_lib.casework.cases import Case
from huanjie_lib.casework.events import Actor
from huanjie_lib.parameters import load_parameters
from huanjie_lib.screens.board import (
    KIND_MARKS,
    OWN,
    PAGE,
    CaseBook,
    CaseFile,
    Choice,
    forms,
    rows_of,
    timeline,
)
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role
from tests.screens.conftest import CITY, OPENED, RED, TOWN, Loop

PACK = load_parameters().casework
TODAY = dt.date(2026, 11, 26)
COUNTY = Actor("liu", "东岭县换届办", Role.COUNTY, ("990101",))
READER = Actor("wang", "市委办", Role.READER)


def book(loop: Loop, actor: Actor = CITY, **more: Any) -> CaseBook:
    assert PACK is not None
    return CaseBook(loop.ledger.cases(), actor=actor, pack=PACK, today=TODAY, **more)


def file(loop: Loop, case_id: str) -> CaseFile:
    case = loop.ledger.case(case_id)
    return CaseFile(case, loop.ledger.events(case_id), loop.ledger.unit_history(case.unit_code))


def open_to(loop: Loop, case_id: str, actor: Actor) -> dict[str, list[str]]:
    """Return the blockers of every form of a case, by event."""
    return {event: form["blockers"] for event, form in forms_of(loop.ledger.case(case_id), actor).items()}


def forms_of(case: Case, actor: Actor) -> dict[str, dict[str, Any]]:
    """Return every form of a case as an account gets it, by event."""
    drawn = forms(
        case,
        actor,
        owner="石桥镇",
        due_on=dt.date(2026, 12, 10),
        due_hint="",
        offices=["石桥镇"],
        rows=[{"label": "甲"}],
    )
    return {form["event"]: form for form in drawn}


class TestWhatIsSeen:
    def test_scope_hides_other_places_from_every_count(self, loop: Loop) -> None:
        loop.open("C1", RED)
        loop.open("C2", "990102001201")
        assert book(loop).counts["total"] == 2
        mine = book(loop, TOWN)
        assert mine.counts["total"] == mine.counts["alert"] == 1
        assert mine.ids == {"C1"}
        with pytest.raises(KeyError):
            mine.card("C2")

    def test_a_signal_is_seen_by_city_county_and_owner_alone(self, loop: Loop) -> None:
        loop.open("C1", RED, CaseKind.SIGNAL, title="选民登记缺口偏大")
        seen = {actor.account: "C1" in book(loop, actor).ids for actor in (CITY, COUNTY, TOWN, READER)}
        assert seen == {"chen": True, "liu": True, "zhao": False, "wang": False}
        loop.dispatch("C1")
        assert "C1" in book(loop, TOWN).ids
        assert "C1" not in book(loop, Actor("qian", "石桥镇", Role.TOWNSHIP, ("990102",))).ids

    def test_every_kind_has_a_mark_of_its_own(self) -> None:
        assert set(KIND_MARKS) == set(CaseKind.labels())
        assert len(set(KIND_MARKS.values())) == len(KIND_MARKS)


class TestColumns:
    def test_the_overdue_come_first_then_by_deadline_then_without_one(self, loop: Loop) -> None:
        for number, due in enumerate((40, 10, 200, 20)):
            loop.dispatch(loop.open(f"C{number}", RED), due=due)
        column = book(loop).columns(Choice(), {})[1]
        assert column.state is CaseState.DISPATCHED
        assert [case["case_id"] for case in column.cases] == ["C1", "C3", "C0", "C2"]
        assert [case["standing"] for case in column.cases] == ["overdue", "overdue", "ok", "ok"]
        assert column.overdue == 2

    def test_what_waits_comes_by_the_time_its_kind_allows_then_worst_unit_first(self, loop: Loop) -> None:
        better, unknown = "990102001201", "990102001202"
        loop.open("C1", RED, CaseKind.DISPUTE)
        loop.open("C2", better, CaseKind.PLAN)
        loop.open("C3", RED, CaseKind.PLAN)
        loop.open("C4", unknown, CaseKind.PLAN)
        loop.open("C5", RED, CaseKind.GATE)
        column = book(loop, index={RED: 41.0, better: 70.0, unknown: float("nan")}).columns(Choice(), {})[0]
        assert [case["case_id"] for case in column.cases] == ["C4", "C3", "C2", "C5", "C1"]

    def test_a_column_lists_a_page_at_a_time(self, loop: Loop) -> None:
        for number in range(PAGE + 7):
            loop.open(f"C{number:03d}", RED)
        first = book(loop).columns(Choice(), {})[0]
        assert (len(first.cases), first.total, first.more) == (PAGE, PAGE + 7, 7)
        both = book(loop).columns(Choice(), {"alert": 2 * PAGE})[0]
        assert (len(both.cases), both.more) == (PAGE + 7, 0)

    def test_cancelled_cases_are_folded_until_asked_for(self, loop: Loop) -> None:
        loop.open("C1", RED)
        loop.act("C1", CaseEvent.CANCEL, CITY, {"note": "误报"})
        folded = book(loop).columns(Choice(), {})[-1]
        assert (folded.folded, folded.total, folded.cases) == (True, 1, ())
        unfolded = book(loop).columns(Choice(), {}, unfolded=True)[-1]
        assert [case["case_id"] for case in unfolded.cases] == ["C1"]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            (Choice(), {"C1", "C2", "C3"}),
            (Choice(township="990101102"), {"C1", "C3"}),
            (Choice(kind="dispute"), {"C3"}),
            (Choice(owner="石桥镇"), {"C1"}),
            (Choice(owner=OWN), set()),
            (Choice(overdue=True), {"C1"}),
            (Choice(query="沙洲"), {"C2"}),
            (Choice(query=".*"), set()),
            (Choice(township="990101102", kind="dispute", overdue=True), set()),
        ],
    )
    def test_filters_work_alone_and_together(self, loop: Loop, choice: Choice, expected: set[str]) -> None:
        loop.dispatch(loop.open("C1", RED), due=3)
        loop.open("C2", "990102001201")
        loop.open("C3", RED, CaseKind.DISPUTE)
        assert set(book(loop).chosen(choice)["case_id"]) == expected

    def test_flags_tell_what_has_gone_and_what_came_back(self, loop: Loop) -> None:
        loop.rectify(loop.dispatch(loop.open("C1", RED, cause="plan/1")))
        loop.act("C1", CaseEvent.SUBMIT, TOWN, {"note": ""}, day=4)
        loop.act("C1", CaseEvent.RETURN, CITY, {"note": "照片不清"}, day=5)
        assert book(loop).card("C1")["flags"] == ["退回1次"]
        assert book(loop, alerted=frozenset({"plan/1"})).card("C1")["flags"] == ["退回1次"]
        assert book(loop, alerted=frozenset()).card("C1")["flags"] == ["预警已消除", "退回1次"]

    def test_an_empty_ledger_is_a_board_too(self, loop: Loop) -> None:
        columns = book(loop).columns(Choice(), {})
        assert [column.total for column in columns] == [0] * len(CaseState)
        assert book(loop).longest == 0
        assert len({column.nothing for column in columns}) == len(CaseState)
        narrowed = book(loop).columns(Choice(overdue=True), {})
        assert {column.nothing for column in narrowed} == {"没有符合筛选条件的案件"}


class TestForms:
    def test_who_may_do_what_along_the_way(self, loop: Loop) -> None:
        loop.open("C1", RED)
        assert open_to(loop, "C1", CITY) == {"dispatch": [], "cancel": []}
        assert "由市、县换届办办理" in open_to(loop, "C1", TOWN)["dispatch"][0]
        loop.dispatch("C1")
        assert open_to(loop, "C1", TOWN)["rectify"] == []
        assert "由责任单位石桥镇办理" in open_to(loop, "C1", CITY)["rectify"][0]
        loop.act("C1", CaseEvent.RECTIFY, TOWN, {"note": "甲", "evidence": [], "amendments": []}, day=2)
        assert "还没有佐证材料" in open_to(loop, "C1", TOWN)["submit"][0]
        loop.rectify("C1")
        assert open_to(loop, "C1", TOWN)["submit"] == []
        loop.act("C1", CaseEvent.SUBMIT, TOWN, {"note": ""}, day=4)
        assert open_to(loop, "C1", CITY) == {"close": [], "return": [], "cancel": []}
        own = Actor("x", "石桥镇", Role.COUNTY)
        assert "不能复核本单位的整改" in open_to(loop, "C1", own)["close"][0]
        same = Actor("zhao", "东岭县换届办", Role.COUNTY)
        assert "由其他人复核" in open_to(loop, "C1", same)["close"][0]
        far = Actor("y", "西屏区换届办", Role.COUNTY, ("990102",))
        assert "不在本账号的辖区内" in open_to(loop, "C1", far)["close"][0]
        loop.act("C1", CaseEvent.CLOSE, CITY, {"note": ""}, day=6)
        assert open_to(loop, "C1", CITY) == {"reopen": []}

    def test_every_form_has_the_fields_that_the_ledger_asks_for(self, loop: Loop) -> None:
        loop.dispatch(loop.open("C1", RED), due=30)
        case = loop.ledger.case("C1")
        drawn = {
            form["event"]: form
            for form in forms(
                case,
                CITY,
                owner="云溪镇",
                due_on=dt.date(2026, 12, 10),
                due_hint="评估时建议的期限",
                offices=["云溪镇", "石桥镇"],
                rows=[{"label": "甲"}],
            )
        }
        again = drawn["dispatch"]
        assert again["label"] == "改派或延期"
        fields = {field["name"]: field for field in again["fields"]}
        assert (fields["owner"]["value"], fields["due_on"]["value"]) == ("石桥镇", "2026-11-30")
        assert fields["note"]["required"]
        assert drawn["rectify"]["evidence"]
        assert drawn["cancel"]["rows"] == []


class TestFile:
    def test_the_last_event_is_told_first_with_who_when_what_and_evidence(self, loop: Loop) -> None:
        change = {"table": "unit_plans", "key": {}, "set": {"leader": "镇长", "leader_on": "2026-11-02"}}
        loop.rectify(loop.dispatch(loop.open("C1", RED)), amendments=[change])
        told = timeline(loop.ledger.events("C1"))
        assert [event["label"] for event in told] == ["整改", "派单", "预警"]
        assert told[0]["happened_on"] == OPENED + dt.timedelta(days=3)
        assert (told[0]["office"], told[0]["account"]) == ("石桥镇", "zhao")
        assert told[0]["evidence"][0]["name"] == "公示照片.jpg"
        assert told[0]["amendments"] == ["一村一策：包干领导改为镇长；包干日期改为2026年11月2日"]
        assert told[1]["lines"] == ["责任单位：石桥镇", "期限：2026年11月14日"]

    def test_returning_takes_back_what_was_proposed_and_the_form_says_so(self, loop: Loop) -> None:
        change = {"table": "unit_plans", "key": {}, "set": {"leader": "镇长"}}
        loop.rectify(loop.dispatch(loop.open("C1", RED)), amendments=[change])
        loop.act("C1", CaseEvent.SUBMIT, TOWN, {"note": ""}, day=4)
        loop.act("C1", CaseEvent.RETURN, CITY, {"note": "缺会议记录"}, day=5)
        told = file(loop, "C1")
        assert told.amendments == []
        assert amendments_in_force(told.events, OPENED + dt.timedelta(days=9)).empty
        assert "更正事实不再计入" in forms_of(told.case, TOWN)["rectify"]["lead"]

    def test_of_a_pseudonym_only_the_end_is_told(self, loop: Loop) -> None:
        change = {
            "table": "audit_subjects",
            "key": {"project_id": "A1", "person_ref": "p0e9089ee6d"},
            "set": {"outcome": "clear", "concluded_on": "2026-11-02"},
        }
        loop.rectify(loop.dispatch(loop.open("C1", RED)), amendments=[change])
        (told,) = timeline(loop.ledger.events("C1"))[0]["amendments"]
        assert told == "审计对象（代号ee6d、A1）：结论日期改为2026年11月2日；审计结论改为清楚"

    def test_whoever_may_not_put_a_case_right_gets_no_rows(self, loop: Loop) -> None:
        case = file(loop, loop.dispatch(loop.open("C1", RED))).case
        assert forms_of(case, TOWN)["rectify"]["rows"] == [{"label": "甲"}]
        assert forms_of(case, CITY)["rectify"]["rows"] == []

    def test_reopening_takes_back_what_was_proposed(self, loop: Loop) -> None:
        change = {"table": "unit_plans", "key": {}, "set": {"leader": "镇长"}}
        loop.close(loop.rectify(loop.dispatch(loop.open("C1", RED)), amendments=[change]))
        assert file(loop, "C1").amendments == [change]
        loop.act("C1", CaseEvent.REOPEN, CITY, {"note": "反复", "due_on": "2026-12-01"}, day=8)
        assert file(loop, "C1").amendments == []

    @pytest.mark.parametrize(
        ("kind", "cause", "expected"),
        [
            (CaseKind.PLAN, f"plan@{RED}", ["plan"]),
            (CaseKind.GATE, f"gate:audit_notices@{RED}", ["notice"]),
            (CaseKind.PROBLEM, "problem:P1", ["problem"]),
            (CaseKind.DISPUTE, "dispute:D1", []),
            (CaseKind.LEVEL, f"level:red@{RED}", ["notice", "plan", "problem"]),
        ],
    )
    def test_the_rows_to_put_right_follow_from_the_cause(
        self, loop: Loop, kind: CaseKind, cause: str, expected: list[str]
    ) -> None:
        loop.open("C1", RED, kind, cause=cause)
        rows = [
            (RED, "plan", "plan"),
            (RED, "gate:audit_notices|gate:audit_clear", "notice"),
            (RED, "problem:P1|gate:audit_problems", "problem"),
            ("990102001201", "plan", "elsewhere"),
        ]
        frame = pd.DataFrame(rows, columns=["unit_code", "causes", "label"]).assign(
            table="unit_plans",
            insert=False,
            key="{}",
            fixed="{}",
            fields='[{"column": "leader", "kind": "string", "label": "包干领导", "options": null}]',
        )
        found = rows_of(loop.ledger.case("C1"), frame)
        assert sorted(row["label"] for row in found) == expected
        assert all(field["options"] == [] for row in found for field in row["fields"])


def test_times_of_the_ledger_are_told_in_chinese_time() -> None:
    event = {
        "sequence": 1,
        "event": "cancel",
        "actor": "a",
        "office": "市换届办",
        "happened_on": pd.Timestamp(2026, 12, 31),
        "recorded_at": "2026-12-31T16:30:00.000+00:00",
        "payload": '{"note":"误报"}',
    }
    assert timeline(pd.DataFrame([event]))[0]["recorded"] == "2027年1月1日 00:30"
