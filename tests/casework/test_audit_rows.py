"""Row tables of the audit ledger: who took part, how problems stand, what goes to the new term."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.casework.audit_rows import (
    HandoverKind,
    as_dates,
    as_numbers,
    handover_rows,
    item_rows,
    member_rows,
    notice_rows,
    offices_present,
    problem_rows,
)
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.audits import notice_state
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import NEVER, prepare

PARAMETERS = load_parameters()
CODE = "990101101201"
DAY = dt.date(2026, 10, 31)


def at(**tables: list[dict[str, Any]]) -> Moment:
    """One village whose tables hold the rows named, dates as text."""
    frames = {"units": pd.DataFrame({"unit_code": [CODE], "unit_kind": ["village"]})}
    for name, rows in tables.items():
        frame = pd.DataFrame([{"unit_code": CODE, "project_id": "p", **row} for row in rows])
        for column in frame.columns:
            if column.endswith("_on") or column in {"term_from", "term_to", "as_of"}:
                frame[column] = pd.to_datetime(frame[column])
        frames[name] = frame
    return Moment(prepare(frames), PARAMETERS, DAY)


PROJECT = {"audit_type": "leaving", "plan_on": "2026-01-05", "started_on": "2026-01-10"}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("纪委、财政、农经", ()),
        ("纪委监委，财政局；农经站", ()),
        ("县纪委监委、石桥镇财政所、镇农经站", ()),
        ("镇街纪（工）委 财政所 农业农村局", ()),
        ("镇街纪(工)委、无锡市财政局、街道经管站", ()),
        ("和平街道财政所、纪委、农经", ()),
        ("非财政、纪委、农经", ("财政",)),
        ("非本镇财政所、纪委、农经", ("财政",)),
        ("财政所（未到）、纪委、农经", ("财政",)),
        ("财政学会、纪委、农经", ("财政",)),
        ("纪委财政农经", ("纪委", "财政", "农经")),
        ("", ("纪委", "财政", "农经")),
    ],
)
def test_an_office_is_its_name_or_an_alias_whole(text: str, missing: tuple[str, ...]) -> None:
    assert PARAMETERS.casework is not None
    found = offices_present(text, PARAMETERS.casework)
    assert found.missing == missing
    assert set(found.present) | set(found.missing) == set(PARAMETERS.casework.audit_departments)


def test_entries_that_stand_for_no_office_are_told() -> None:
    assert PARAMETERS.casework is not None
    found = offices_present("纪委、财政、农经、审计局、财政", PARAMETERS.casework)
    assert found.others == ("审计局",)


def test_missing_days_and_numbers_stay_missing() -> None:
    dates = as_dates(np.array([0, NEVER, -NEVER]))
    assert dates.isna().tolist() == [False, True, True]
    assert dates.iloc[0] == pd.Timestamp("1970-01-01")
    assert as_numbers(np.array([2.0, np.nan])).isna().tolist() == [False, True]


def test_items_that_nobody_filed_are_there_without_a_conclusion() -> None:
    rows = item_rows(
        at(
            audit_projects=[PROJECT],
            audit_items=[
                {"item": "finances", "outcome": "clear", "concluded_on": "2026-05-01", "amount": 100.0},
                {"item": "assets", "outcome": "clear", "concluded_on": "2026-12-01", "amount": 200.0},
                {"item": "debts", "outcome": "pending", "concluded_on": None, "amount": 300.0},
                {"item": "office_funds", "outcome": "clear", "concluded_on": "2026-05-01", "amount": 9.0},
            ],
        )
    ).set_index("item")
    assert rows.index.tolist() == ["财务收支", "资产处置", "债权债务", "工程项目", "惠农惠民资金"]
    assert rows["concluded"].tolist() == [True, False, False, False, False]
    assert rows["outcome"].fillna("").tolist() == [
        "清楚",
        "",
        "未完成",
        "",
        "",
    ]  # the second is not given yet
    assert rows["amount"].fillna(0).tolist() == [100.0, 0, 0, 0, 0]


def test_members_are_listed_by_pseudonym_with_those_who_left() -> None:
    rows = member_rows(
        at(
            audit_projects=[PROJECT],
            audit_subjects=[
                {
                    "person_ref": "a",
                    "post": "secretary",
                    "term_from": "2021-06-01",
                    "term_to": None,
                    "outcome": "clear",
                    "concluded_on": "2026-05-01",
                },
                {
                    "person_ref": "b",
                    "post": "member",
                    "term_from": "2021-06-01",
                    "term_to": "2025-03-01",
                    "outcome": "clear",
                    "concluded_on": "2026-12-01",
                },
            ],
            leavers=[{"person_ref": "b", "left_on": "2025-03-01"}, {"person_ref": "c", "left_on": None}],
        )
    ).set_index("person_ref")
    assert rows["listed"].tolist() == [True, True, False]
    assert rows["left"].tolist() == [False, True, True]
    assert rows["audited"].tolist() == [True, False, False]
    assert rows["outcome"].fillna("").tolist() == ["清楚", "", ""]
    assert rows["post"].fillna("").tolist() == ["党组织书记", "委员", ""]


def test_what_goes_to_the_new_term_is_everything_open() -> None:
    notice = {"start_on": "2026-06-01", "end_on": "2026-06-05", "place": "村务公开栏"}
    problem = {"item": "debts", "severity": "major", "found_on": "2026-02-01"}
    moment = at(
        audit_projects=[PROJECT, {**PROJECT, "project_id": "p0", "started_on": "2023-01-10"}],
        audit_items=[
            {"item": name, "outcome": word, "concluded_on": "2026-05-01", "amount": 5.0}
            for name, word in {
                "finances": "clear",
                "assets": "clear",
                "debts": "unclear",
                "projects": "clear",
            }.items()
        ],
        audit_notices=[
            {**notice, "notice_id": "n1", "objections": 2, "answered": 2},
            {**notice, "notice_id": "n0", "project_id": "p0", "objections": 3, "answered": 1},
        ],
        audit_problems=[
            {**problem, "problem_id": "q1", "due_on": "2026-12-01", "closed_on": None, "evidence": None},
            {**problem, "problem_id": "q2", "due_on": None, "closed_on": "2026-05-01", "evidence": "ZG"},
        ],
        facts=[{"metric": "collective_debt", "as_of": "2024-01-31", "value": 800.0}],
    )
    rows = handover_rows(
        moment,
        items=item_rows(moment),
        notices=notice_rows(moment, notice_state(moment, 5, 0)),
        problems=problem_rows(moment),
        members_open={CODE: 2},
    )
    assert rows["kind"].tolist() == [
        *(kind.value for kind in (HandoverKind.PROBLEM, HandoverKind.OBJECTION)),
        *[HandoverKind.ITEM.value] * 2,
        *(kind.value for kind in (HandoverKind.MEMBER, HandoverKind.DEBT)),
    ]
    assert rows["detail"].tolist() == [
        "债权债务（重大问题，整改中）",
        "公示收到异议3件，未答复2件",  # of an earlier audit: still unanswered
        "债权债务审计结论为“不清楚”",
        "惠农惠民资金尚无审计结论",
        "2名班子成员尚未审清",
        "集体债务余额（报数已过期，请重报）",
    ]
    assert rows["amount"].fillna(-1).tolist() == [-1, -1, 5.0, -1, -1, 800.0]
    assert rows["since"].iloc[-1] == pd.Timestamp("2024-01-31")
