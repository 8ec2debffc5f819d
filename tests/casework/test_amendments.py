"""Amendments: what a case may change, when it counts, and how it reaches the tables."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.amendments import (
    AMENDABLE,
    LEDGER_SOURCE,
    amendments_in_force,
    apply_amendments,
    check_amendments,
)
from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import DataError

UNIT, OTHER = "990101001201", "990101001202"
AS_OF = dt.date(2026, 11, 30)


def story(*steps: tuple[str, str, Sequence[Mapping[str, Any]]], case: str = "C1") -> pd.DataFrame:
    """Return events of one case: (event, day of November 2026, amendments)."""
    rows = [
        {
            "sequence": number,
            "case_id": case,
            "event": event,
            "happened_on": pd.Timestamp(f"2026-11-{day}"),
            "payload": json.dumps({"unit_code": UNIT} if event == "open" else {"amendments": list(changes)}),
        }
        for number, (event, day, changes) in enumerate(steps, start=1)
    ]
    return pd.DataFrame(rows)


def closing(problem: str = "P1", day: str = "2026-11-10") -> dict[str, Any]:
    return {"table": "audit_problems", "key": {"problem_id": problem}, "set": {"closed_on": day}}


def problems() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "problem_id": ["P1", "P2"],
            "project_id": "A1",
            "unit_code": [UNIT, OTHER],
            "item": "assets",
            "severity": "minor",
            "found_on": pd.to_datetime(["2026-10-01", "2026-10-01"]).astype("datetime64[us]"),
            "due_on": pd.to_datetime(["2026-11-15", "2026-11-15"]).astype("datetime64[us]"),
            "closed_on": pd.Series([pd.NaT, pd.NaT], dtype="datetime64[us]"),
            "owner": "镇街农经站",
            "evidence": pd.Series([None, None], dtype="str"),
            "source_file": "tables/audit_problems.parquet",
            "source_sheet": "",
            "source_row": pd.Series([1, 2], dtype="Int64"),
        }
    )
    return frame


def test_every_amendable_column_stands_in_its_contract() -> None:
    for name, rule in AMENDABLE.items():
        contract = TABLES[name]
        for column in (*rule.columns, *rule.insertable, *rule.same, *([rule.made] if rule.made else [])):
            contract.column(column)
        required = {c.name for c in contract.columns if c.required} - {"unit_code", rule.made}
        assert not rule.insertable or required <= set(rule.insertable)
        assert not set(rule.columns) & set(contract.key)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"table": "facts", "key": {}, "set": {"value": 1}}, "facts"),
        ({"table": "people", "key": {}, "set": {"name": "x"}}, "people"),
        ({"table": "disputes", "set": {}}, "table、set"),
        ({"table": "disputes", "key": {"dispute_id": "D1"}, "set": {"category": "land"}}, "category"),
        ({"table": "disputes", "key": {}, "set": {"resolved_on": "2026-11-01"}}, "没有写"),
        ({"table": "disputes", "key": {"dispute_id": "D1"}, "set": {}}, "没有写任何值"),
        (
            {"table": "disputes", "key": {"dispute_id": "D1"}, "set": {"resolved_on": "2026-13-01"}},
            "2026-13-01",
        ),
        ({"table": "disputes", "key": {"dispute_id": "D1"}, "set": {"resolved_on": "20261101"}}, "20261101"),
        ({"table": "disputes", "key": {"dispute_id": "D1"}, "set": {"has_leader": 1}}, "1"),
        ({"table": "talks", "insert": {"as_of": "2026-11-01", "target": "leaver", "due": 2}}, "没有填写"),
        (
            {"table": "talks", "insert": {"as_of": "2026-11-01", "target": "leaver", "due": 2, "done": -1}},
            "-1",
        ),
        (
            {"table": "talks", "insert": {"as_of": "2026-11-01", "target": "leaver", "due": 2, "done": True}},
            "True",
        ),
        (
            {"table": "talks", "insert": {"as_of": "2026-11-01", "target": "leaver", "due": 2, "done": 3}},
            "2，应谈人数",
        ),
        ({"table": "screenings", "insert": {"screened_on": "2026-11-01", "method": "phone"}}, "phone"),
        (
            {"table": "unit_plans", "key": {"unit_code": OTHER}, "set": {"leader": "镇长"}},
            OTHER,
        ),
        ({"table": "unit_plans", "key": {}, "set": {"leader": "a\nb"}}, "a\nb"),
        ({"table": "unit_plans", "key": {}, "set": {"leader": "长" * 201}}, "长" * 40),
    ],
)
def test_what_a_case_may_not_change_is_refused_by_name(item: dict[str, Any], found: str) -> None:
    with pytest.raises(DataError) as refusal:
        check_amendments([item], unit_code=UNIT)
    faults = refusal.value.faults
    assert any(found.split("，")[0] in fault.found for fault in faults)
    assert all(fault.allowed and fault.remedy for fault in faults)


def test_all_faults_are_told_at_once_and_one_row_is_amended_once() -> None:
    bad = [closing(day="soon"), {"table": "facts", "key": {}, "set": {}}]
    with pytest.raises(DataError) as refusal:
        check_amendments(bad, unit_code=UNIT)
    assert len(refusal.value.faults) == 2
    with pytest.raises(DataError, match="写了两次"):
        check_amendments([closing(), closing()], unit_code=UNIT)
    with pytest.raises(DataError, match="一次不超过"):
        check_amendments([closing(f"P{n}") for n in range(201)], unit_code=UNIT)


class TestInForce:
    def test_from_the_day_of_closure_on(self) -> None:
        events = story(
            ("open", "02", []), ("rectify", "05", [closing()]), ("submit", "06", []), ("close", "09", [])
        )
        assert len(amendments_in_force(events, dt.date(2026, 11, 8))) == 0
        frame = amendments_in_force(events, dt.date(2026, 11, 9))
        assert frame[["sequence", "case_id", "unit_code", "table"]].values.tolist() == [
            [2, "C1", UNIT, "audit_problems"]
        ]
        assert frame["closed_on"].tolist() == [pd.Timestamp("2026-11-09")]

    def test_reopening_takes_them_back(self) -> None:
        events = story(
            ("open", "02", []), ("rectify", "05", [closing()]), ("close", "09", []), ("reopen", "12", [])
        )
        assert len(amendments_in_force(events, dt.date(2026, 11, 11))) == 1
        assert len(amendments_in_force(events, dt.date(2026, 11, 12))) == 0

    def test_only_what_was_submitted_for_the_closing_review_counts(self) -> None:
        again = closing(day="2026-11-14")
        for event in ("return", "reopen"):
            steps = [("open", "02", []), ("rectify", "05", [closing()])]
            steps += [("close", "09", [])] if event == "reopen" else []
            events = story(*steps, (event, "12", []), ("rectify", "14", [again]), ("close", "16", []))
            frame = amendments_in_force(events, AS_OF)
            assert frame["values"].tolist() == ['{"closed_on": "2026-11-14"}']

    def test_a_cancelled_case_changes_nothing(self) -> None:
        events = story(("open", "02", []), ("rectify", "05", [closing()]), ("cancel", "09", []))
        assert len(amendments_in_force(events, AS_OF)) == 0

    def test_order_is_by_sequence_even_when_the_clock_went_back(self) -> None:
        events = story(
            ("open", "02", []), ("rectify", "12", [closing()]), ("close", "10", []), ("reopen", "08", [])
        )
        assert len(amendments_in_force(events.sample(frac=1, random_state=1), AS_OF)) == 0


class TestApply:
    def in_force(self, *changes: Mapping[str, Any]) -> pd.DataFrame:
        return amendments_in_force(
            story(("open", "02", []), ("rectify", "05", changes), ("close", "20", [])), AS_OF
        )

    def test_a_set_value_names_its_source_and_what_stood_there(self) -> None:
        tables = {"audit_problems": problems()}
        amended = apply_amendments(tables, self.in_force(closing()))
        frame = amended.tables["audit_problems"]
        assert frame["closed_on"].tolist()[0] == pd.Timestamp("2026-11-10")
        assert frame.loc[0, ["evidence", "source_file", "source_sheet", "source_row"]].tolist() == [
            "C1",
            LEDGER_SOURCE,
            "C1",
            2,
        ]
        pd.testing.assert_frame_equal(frame.iloc[[1]], problems().iloc[[1]])
        assert (frame.dtypes == problems().dtypes).all()
        pd.testing.assert_frame_equal(tables["audit_problems"], problems())
        told = amended.applied.set_index("column")[["before", "after"]]
        assert told.loc["closed_on"].tolist() == ["空", "2026年11月10日"]
        assert told.loc["evidence"].tolist() == ["空", "C1"]
        assert amended.unplaced.empty

    def test_evidence_that_is_there_is_kept(self) -> None:
        frame = problems()
        frame["evidence"] = pd.Series(["ZG-1", "ZG-2"], dtype="str")
        amended = apply_amendments({"audit_problems": frame}, self.in_force(closing()))
        assert amended.tables["audit_problems"]["evidence"].tolist() == ["ZG-1", "ZG-2"]

    def test_a_row_that_is_gone_or_another_units_is_told(self) -> None:
        amended = apply_amendments(
            {"audit_problems": problems()}, self.in_force(closing("P9"), closing("P2"))
        )
        pd.testing.assert_frame_equal(amended.tables["audit_problems"], problems())
        assert amended.applied.empty
        assert "没有这一行" in amended.unplaced["reason"][0]
        assert OTHER in amended.unplaced["reason"][1]

    def test_a_case_of_the_successor_amends_what_a_merged_unit_left(self) -> None:
        in_force = self.in_force(closing("P2"))
        amended = apply_amendments({"audit_problems": problems()}, in_force, {OTHER: UNIT})
        assert amended.unplaced.empty
        assert amended.tables["audit_problems"]["closed_on"].notna().tolist() == [False, True]

    def test_dates_that_contradict_the_row_are_told(self) -> None:
        amended = apply_amendments({"audit_problems": problems()}, self.in_force(closing(day="2026-09-30")))
        assert amended.applied.empty
        assert amended.unplaced["reason"].tolist() == [
            "整改完成为2026年9月30日，发现日期是2026年10月1日，应不早于发现日期"
        ]

    def test_rows_are_added_once_even_when_the_returns_have_them_by_now(self) -> None:
        notice = {
            "table": "audit_notices",
            "insert": {
                "project_id": "A1",
                "start_on": "2026-11-05",
                "end_on": "2026-11-11",
                "place": "公开栏",
            },
        }
        first = apply_amendments({}, self.in_force(notice))
        added = first.tables["audit_notices"]
        assert added["notice_id"].tolist() == ["C1-2-1"]
        assert added["unit_code"].tolist() == [UNIT]
        assert added["start_on"].dtype == "datetime64[us]"
        reported = added.assign(notice_id="G1", source_file="returns/x.xlsx")
        again = apply_amendments({"audit_notices": reported}, self.in_force(notice))
        pd.testing.assert_frame_equal(again.tables["audit_notices"], reported)
        assert "不重复计入" in again.unplaced["reason"][0]

    def test_a_plan_is_made_or_completed(self) -> None:
        change = {
            "table": "unit_plans",
            "key": {},
            "set": {"leader": "镇党委副书记", "leader_on": "2026-11-05"},
        }
        made = apply_amendments({}, self.in_force(change)).tables["unit_plans"]
        assert made["leader"].tolist() == ["镇党委副书记"]
        more = {"table": "unit_plans", "key": {}, "set": {"resolution_plan_on": "2026-11-06"}}
        completed = apply_amendments({"unit_plans": made}, self.in_force(more)).tables["unit_plans"]
        assert len(completed) == 1
        assert completed["leader"].tolist() == ["镇党委副书记"]
        assert completed["resolution_plan_on"].tolist() == [pd.Timestamp("2026-11-06")]

    def test_the_last_in_sequence_holds_and_a_word_is_shown_by_its_label(self) -> None:
        frame = pd.DataFrame(
            {
                "project_id": ["A1"],
                "unit_code": [UNIT],
                "item": ["assets"],
                "outcome": ["pending"],
                "concluded_on": pd.Series([pd.NaT], dtype="datetime64[us]"),
            }
        )

        def conclude(outcome: str) -> dict[str, Any]:
            return {
                "table": "audit_items",
                "key": {"project_id": "A1", "item": "assets"},
                "set": {"outcome": outcome},
            }

        steps = [
            ("open", "02", []),
            ("rectify", "05", [conclude("unclear")]),
            ("rectify", "06", [conclude("clear")]),
        ]
        amended = apply_amendments(
            {"audit_items": frame}, amendments_in_force(story(*steps, ("close", "20", [])), AS_OF)
        )
        assert amended.tables["audit_items"]["outcome"].tolist() == ["clear"]
        assert amended.applied[["before", "after"]].values.tolist() == [
            ["未完成", "不清楚"],
            ["不清楚", "清楚"],
        ]

    def test_nothing_in_force_changes_nothing(self) -> None:
        tables = {"audit_problems": problems()}
        amended = apply_amendments(tables, amendments_in_force(story(("open", "02", [])), AS_OF))
        assert set(amended.tables) == set(tables)
        assert amended.tables["audit_problems"] is tables["audit_problems"]
