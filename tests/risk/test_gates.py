"""Gates checked against examples written out: ledgers, expected verdict, expected reason."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.parameters import GATE_CHECKS, load_parameters
from huanjie_lib.risk.gates import CHECKS, admitted, evaluate_gates
from huanjie_lib.risk.prepared import Prepared

VILLAGE, COMMUNITY = "990101101201", "990101101001"
PARAMETERS = load_parameters()
Build = Callable[..., Prepared]
ITEMS = ("finances", "assets", "debts", "projects", "subsidies")


def ready() -> dict[str, list[dict[str, Any]]]:
    """A village that may start its election."""
    departments = PARAMETERS.rule("review_departments", dt.date(2026, 10, 31)).value
    assert isinstance(departments, tuple)
    return {
        "audit_projects": [{"audit_type": "leaving", "plan_on": "2026-01-05", "started_on": "2026-01-10"}],
        "audit_items": [{"item": i, "outcome": "clear", "concluded_on": "2026-05-01"} for i in ITEMS],
        "audit_subjects": [
            {"person_ref": r, "post": "member", "outcome": "clear", "concluded_on": "2026-05-02"}
            for r in ("a", "b")
        ],
        "audit_notices": [
            {"notice_id": "n1", "start_on": "2026-06-01", "end_on": "2026-06-05"},
            {"notice_id": "n2", "start_on": "2026-07-01", "end_on": "2026-07-05"},
        ],
        "audit_problems": [
            {
                "problem_id": "q",
                "item": "assets",
                "severity": "minor",
                "found_on": "2026-05-01",
                "due_on": "2026-12-01",
            }
        ],
        "screenings": [{"screening_id": "s", "screened_on": "2026-09-01", "method": "visit"}],
        "reviews": [
            {
                "candidate_ref": "c",
                "department": d,
                "opinion": "favourable",
                "given_on": "2026-09-01",
                "expires_on": "2027-03-01",
            }
            for d in departments
        ],
    }


def verdict(prepared: Prepared, gate: str, as_of: dt.date, unit: str = VILLAGE) -> tuple[str, str]:
    found = evaluate_gates(prepared, PARAMETERS, as_of)
    row = found[(found["unit_code"] == unit) & (found["gate"] == gate)].iloc[0]
    return str(row["status"]), str(row["reason"])


def test_every_check_a_pack_may_name_exists() -> None:
    assert set(CHECKS) == set(GATE_CHECKS)


def test_a_village_with_everything_in_order_is_admitted(ledgers: Build, as_of: dt.date) -> None:
    found = evaluate_gates(ledgers(**ready()), PARAMETERS, as_of)
    assert admitted(found).to_dict() == {COMMUNITY: False, VILLAGE: True}
    mine = found[found["unit_code"] == VILLAGE].set_index("gate")["reason"]
    assert mine["audit_items"] == "5项审计事项均有结论"
    assert mine["audit_problems"] == "1项问题正在整改，均未逾期"
    assert (found["rule"].str.len() > 0).all()


@pytest.mark.parametrize(
    ("gate", "table", "change", "status", "reason"),
    [
        ("audit_items", "audit_items", lambda r: r[:3], "fail", "工程项目、惠农惠民资金尚无审计结论"),
        (
            "audit_items",
            "audit_projects",
            lambda r: [{**r[0], "unit_code": COMMUNITY}],
            "fail",
            "尚未开展审计",
        ),
        ("audit_items", "audit_projects", lambda r: r[:0], "unknown", "没有审计台账，无法判断"),
        (
            "audit_members",
            "audit_subjects",
            lambda r: [r[0], {**r[1], "outcome": "pending"}],
            "fail",
            "2名班子成员中还有1名没有审计结论",
        ),
        (
            "audit_members",
            "audit_subjects",
            lambda r: [{**x, "unit_code": COMMUNITY} for x in r],
            "unknown",
            "没有审计对象名单，无法判断",
        ),
        (
            "audit_clear",
            "audit_items",
            lambda r: [{**r[0], "outcome": "unclear"}, *r[1:]],
            "fail",
            "1项事项审计结论为“不清楚”",
        ),
        ("audit_clear", "audit_items", lambda r: r[1:], "unknown", "审计尚未完成，结论待定"),
        (
            "audit_clear",
            "audit_subjects",
            lambda r: [r[0], {**r[1], "outcome": "unclear"}],
            "fail",
            "1名成员审计结论为“不清楚”",
        ),
        (
            "audit_notices",
            "audit_notices",
            lambda r: [r[0], {**r[1], "end_on": "2026-07-04"}],
            "fail",
            "有效公示1次，规定不少于2次，另有1次天数不足",
        ),
        (
            "audit_notices",
            "audit_notices",
            lambda r: [r[0]],
            "fail",
            "有效公示1次，规定不少于2次，每次不少于5天",
        ),
        (
            "audit_problems",
            "audit_problems",
            lambda r: [{**r[0], "due_on": "2026-10-30"}],
            "fail",
            "1项审计问题逾期未整改",
        ),
        (
            "audit_problems",
            "audit_problems",
            lambda r: [{**r[0], "closed_on": "2026-10-01", "evidence": "ZG-1"}],
            "pass",
            "没有未整改的审计问题",
        ),
        (
            "audit_problems",
            "audit_problems",
            lambda r: [{**r[0], "closed_on": "2026-10-01", "due_on": "2026-10-30"}],
            "fail",
            "1项审计问题逾期未整改（1项已报完成但没有整改证据，仍算未整改）",
        ),
        (
            "audit_problems",
            "audit_problems",
            lambda r: [{**r[0], "due_on": None}],
            "unknown",
            "1项未整改问题没有整改期限，无法判断是否逾期",
        ),
        (
            "reviews",
            "reviews",
            lambda r: [{**r[0], "expires_on": None}, *r[1:]],
            "unknown",
            "1份意见未注明有效期，无法判断是否过期",
        ),
        (
            "reviews",
            "reviews",
            lambda r: [*r, {**r[0], "department": "镇街", "opinion": "adverse"}],
            "fail",
            "1名人选联审：1名人选被提出不同意意见",
        ),
        (
            "screening",
            "screenings",
            lambda r: [{**r[0], "screened_on": "2026-10-31"}],
            "pass",
            "最近一次摸排在当天",
        ),
        (
            "screening",
            "screenings",
            lambda r: [{**r[0], "screened_on": "2026-05-03"}],
            "fail",
            "最近一次摸排在181天前，超过180天",
        ),
        (
            "screening",
            "screenings",
            lambda r: [{**r[0], "screened_on": "2026-05-04"}],
            "pass",
            "最近一次摸排在180天前",
        ),
        ("screening", "screenings", lambda r: [{**r[0], "unit_code": COMMUNITY}], "fail", "没有矛盾摸排记录"),
        ("reviews", "reviews", lambda r: r[1:], "fail", "1名人选联审：缺1份部门意见"),
        (
            "reviews",
            "reviews",
            lambda r: [{**r[0], "expires_on": "2026-10-30"}, *r[1:]],
            "fail",
            "1名人选联审：1份意见过期",
        ),
        (
            "reviews",
            "reviews",
            lambda r: [{**r[0], "opinion": "adverse"}, *r[1:]],
            "fail",
            "1名人选联审：1名人选被提出不同意意见",
        ),
        (
            "reviews",
            "reviews",
            lambda r: [{**x, "unit_code": COMMUNITY} for x in r],
            "unknown",
            "尚未报送联审人选",
        ),
    ],
)
def test_one_thing_out_of_order(
    ledgers: Build,
    as_of: dt.date,
    gate: str,
    table: str,
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    status: str,
    reason: str,
) -> None:
    tables = ready()
    tables[table] = change(tables[table])
    prepared = ledgers(**tables)
    assert verdict(prepared, gate, as_of) == (status, reason)
    assert admitted(evaluate_gates(prepared, PARAMETERS, as_of))[VILLAGE] == (status == "pass")


def test_a_community_needs_its_own_three_items(ledgers: Build, as_of: dt.date) -> None:
    tables = ready()
    tables["audit_projects"].append(
        {**tables["audit_projects"][0], "project_id": "p2", "unit_code": COMMUNITY}
    )
    tables["audit_items"] += [
        {
            "item": i,
            "outcome": "clear",
            "concluded_on": "2026-05-01",
            "project_id": "p2",
            "unit_code": COMMUNITY,
        }
        for i in ("office_funds", "service_funds")
    ]
    prepared = ledgers(**tables)
    assert verdict(prepared, "audit_items", as_of, COMMUNITY) == ("fail", "上级划拨专项资金尚无审计结论")


def test_conclusions_dated_later_do_not_count_yet(ledgers: Build) -> None:
    assert verdict(ledgers(**ready()), "audit_items", dt.date(2026, 4, 30))[0] == "fail"


def test_admitted_needs_every_gate_and_unknown_is_no_pass() -> None:
    gates = pd.DataFrame(
        {"unit_code": ["a", "a", "b", "b", "c"], "status": ["pass", "fail", "pass", "unknown", "pass"]}
    )
    assert admitted(gates).to_dict() == {"a": False, "b": False, "c": True}
