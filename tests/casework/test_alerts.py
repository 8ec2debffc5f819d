"""Alerts and the cases they open, as worked examples that a policy reader can follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.casework.alerts import COLUMNS, Alerts, case_id, find_alerts, opening_actions
from huanjie_lib.casework.cases import Case, advance, cases_frame
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.signals import COLUMNS as SIGNAL_COLUMNS
from huanjie_lib.risk.signals import Signals
from huanjie_lib.vocabulary import CaseEvent, CaseKind, CaseState, Role

PARAMETERS = load_parameters()
AS_OF = dt.date(2026, 10, 31)
VILLAGE, COMMUNITY, OTHER = "990101101201", "990101101001", "990101101202"
UNITS = pd.DataFrame(
    {
        "unit_code": [VILLAGE, COMMUNITY, OTHER],
        "unit_name": ["上云村", "河东社区", "下云村"],
        "unit_kind": ["village", "community", "village"],
        "township_code": ["990101101"] * 3,
        "township_name": ["云溪镇"] * 3,
    }
)
ITEMS = ("finances", "assets", "debts", "projects", "subsidies")
Rows = Sequence[Mapping[str, Any]]


def table(name: str, rows: Rows) -> pd.DataFrame:
    """A contract table from rows that name only the columns that matter."""
    kinds = {"date": "datetime64[us]", "integer": "Int64", "number": "float64", "boolean": "boolean"}
    columns = {
        c.name: pd.Series([row.get(c.name) for row in rows], dtype=kinds.get(c.kind, "str"))
        for c in TABLES[name].columns
        if c.kind != "geometry"
    }
    return pd.DataFrame(columns)


def levels(as_of: dt.date, of: Mapping[str, tuple[float, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "unit_code": list(of),
            "index": [index for index, _ in of.values()],
            "level": [level for _, level in of.values()],
            "to_verify": False,
        }
    )
    return frame.assign(as_of=pd.Timestamp(as_of), index_low=frame["index"], index_high=frame["index"])


GREEN = levels(AS_OF, dict.fromkeys(UNITS["unit_code"], (90.0, "green")))


def look(
    *,
    index: pd.DataFrame = GREEN,
    history: pd.DataFrame = GREEN,
    gates: bool = False,
    signals: Signals | None = None,
    parameters: ParameterSet = PARAMETERS,
    as_of: dt.date = AS_OF,
    since: dt.date | None = None,
    units: pd.DataFrame = UNITS,
    **tables: Rows,
) -> Alerts:
    """Alerts of three units from the rows that matter; gates are evaluated only where asked for."""
    frames = {"units": units, **{name: table(name, rows) for name, rows in tables.items()}}
    verdicts = evaluate_gates(prepare(frames), parameters, as_of)
    return find_alerts(
        index=index,
        history=history,
        gates=verdicts if gates else verdicts.iloc[:0],
        units=units,
        tables=frames,
        signals=signals,
        parameters=parameters,
        as_of=as_of,
        since=since,
    )


def causes(alerts: Alerts) -> list[str]:
    return alerts.frame["cause"].tolist()


# --- colours ----------------------------------------------------------------------------------------------


def test_a_red_unit_and_one_that_got_worse_are_alerted_with_dates_and_figures() -> None:
    september = dt.date(2026, 9, 30)
    before = levels(september, {VILLAGE: (55.0, "red"), COMMUNITY: (82.1, "green"), OTHER: (70.0, "yellow")})
    now = levels(AS_OF, {VILLAGE: (52.3, "red"), COMMUNITY: (71.0, "yellow"), OTHER: (85.0, "green")})
    alerts = look(index=now, history=pd.concat([before, now]))
    told = alerts.frame[alerts.frame["kind"] == "level"].set_index("cause")
    assert told.index.tolist() == [f"level:yellow@{COMMUNITY}", f"level:red@{VILLAGE}"]
    assert told["title"].tolist() == ["等级由绿色降为黄色", "等级为红色"]
    assert told["reason"].tolist() == [
        "选情指数71.0分，为黄色；2026年9月30日为82.1分，绿色",
        "选情指数52.3分，为红色；2026年9月30日为55.0分，红色",
    ]


def test_the_cause_of_a_red_unit_stays_the_same_over_months() -> None:
    october = look(index=levels(AS_OF, {VILLAGE: (52.3, "red")}))
    day = dt.date(2026, 11, 30)
    november = look(index=levels(day, {VILLAGE: (31.0, "red")}), as_of=day)
    assert causes(october) == causes(november)
    assert october.frame["reason"].tolist() != november.frame["reason"].tolist()


def test_a_unit_without_history_is_alerted_only_when_red() -> None:
    now = levels(AS_OF, {VILLAGE: (70.0, "yellow"), OTHER: (40.0, "red")})
    assert f"level:red@{OTHER}" in causes(look(index=now))
    assert not any(VILLAGE in cause for cause in causes(look(index=now)))


def test_a_colour_that_got_worse_between_two_publications_is_not_missed() -> None:
    """Published on 30 September; worse by the month's end, published again on 5 November."""
    day = dt.date(2026, 11, 5)
    past = [
        levels(dt.date(2026, 9, 30), {VILLAGE: (85.0, "green")}),
        levels(AS_OF, {VILLAGE: (70.0, "yellow")}),
    ]
    now = levels(day, {VILLAGE: (69.0, "yellow")})
    history = pd.concat([*past, now])
    assert causes(look(index=now, history=history, as_of=day)) == []
    told = look(index=now, history=history, as_of=day, since=dt.date(2026, 10, 1))
    assert causes(told) == [f"level:yellow@{VILLAGE}"]


def test_a_unit_whose_data_have_run_out_is_alerted_but_not_a_whole_city() -> None:
    before = levels(dt.date(2026, 9, 30), dict.fromkeys(UNITS["unit_code"], (70.0, "yellow")))
    nan = float("nan")
    one = levels(AS_OF, {VILLAGE: (nan, "unknown"), COMMUNITY: (70.0, "yellow"), OTHER: (70.0, "yellow")})
    alerts = look(index=one, history=pd.concat([before, one]))
    assert causes(alerts) == [f"level:unknown@{VILLAGE}"]
    assert alerts.frame["title"].item() == "数据全部缺失或过期"
    most = levels(AS_OF, {VILLAGE: (nan, "unknown"), COMMUNITY: (nan, "unknown"), OTHER: (70.0, "yellow")})
    alerts = look(index=most, history=pd.concat([before, most]))
    assert causes(alerts) == []
    (left,) = alerts.left_out.to_dict("records")
    assert (left["kind"], left["units"], left["why"]) == (
        "level",
        2,
        "多数村（社区）没有数据，是整体没有报送",
    )


def test_doubt_about_a_colour_is_told() -> None:
    now = levels(AS_OF, {VILLAGE: (52.3, "red")}).assign(to_verify=True, index_low=40.0, index_high=66.0)
    reason = look(index=now).frame["reason"].iloc[0]
    assert reason == "选情指数52.3分，为红色，有数据缺失，补齐后在40.0至66.0分之间，颜色待核实"


# --- gates ------------------------------------------------------------------------------------------------


def audited(unit: str, project: str, *, last: str = "2026-05-20") -> dict[str, Rows]:
    """Ledgers of one finished audit of a village: five items and one member, all clear."""
    items = [
        {"project_id": project, "unit_code": unit, "item": item, "outcome": "clear", "concluded_on": day}
        for item, day in zip(ITEMS, [*["2026-05-10"] * 4, last], strict=True)
    ]
    subject = {"project_id": project, "unit_code": unit, "person_ref": f"{project}-1", "outcome": "clear"}
    return {
        "audit_projects": [{"project_id": project, "unit_code": unit, "started_on": "2026-03-01"}],
        "audit_items": items,
        "audit_subjects": [subject | {"concluded_on": "2026-05-20"}],
    }


def together(*parts: Mapping[str, Rows]) -> dict[str, Rows]:
    return {name: [row for part in parts for row in part.get(name, ())] for part in parts for name in part}


def test_an_audit_not_begun_is_one_trouble_and_one_case() -> None:
    """Items, members, conclusions and notices all fail, and there is one thing to do: begin the audit."""
    alerts = look(gates=True, units=UNITS.iloc[[0, 2]], **audited(OTHER, "p2"))
    mine = alerts.frame[alerts.frame["unit_code"] == VILLAGE]
    assert mine["cause"].tolist() == [f"gate:audit_items@{VILLAGE}"]
    assert mine["reason"].item() == "尚未开展审计；办理要求：由镇街牵头完成其余审计事项并出具结论"
    left = alerts.left_out.set_index("item")["why"]
    assert left["audit_members"] == "与同一村（社区）另一项审计条件是同一原因，已在那里立案"


def test_notices_are_asked_for_once_the_audit_is_concluded() -> None:
    finished = audited(VILLAGE, "p1")
    pending = audited(OTHER, "p2")
    pending["audit_items"] = pending["audit_items"][:4]
    alerts = look(gates=True, units=UNITS.iloc[[0, 2]], **together(finished, pending), audit_notices=[])
    # no notice at all: the whole ledger of notices is missing, which is nobody's own fault
    assert [c for c in causes(alerts) if "notices" in c] == []
    notice = {"project_id": "p1", "unit_code": VILLAGE, "start_on": "2026-06-01", "end_on": "2026-06-07"}
    alerts = look(gates=True, units=UNITS.iloc[[0, 2]], **together(finished, pending), audit_notices=[notice])
    assert [c for c in causes(alerts) if "gate:audit" in c] == [
        f"gate:audit_notices@{VILLAGE}",
        f"gate:audit_items@{OTHER}",
    ]
    left = alerts.left_out.set_index("item")
    assert left.loc["audit_notices", "why"] == "审计事项和班子成员还没有全部作出结论，先办这两项"
    assert left.loc["audit_clear", "units"] == 1


def test_data_lacking_for_one_unit_is_its_case_and_for_all_units_nobodys() -> None:
    """Who was to be audited is on file for two villages and not for the third."""
    third = "990101101203"
    units = pd.concat([UNITS.iloc[[0, 2]], UNITS.iloc[[0]].assign(unit_code=third, unit_name="新云村")])
    parts = [audited(code, f"p{n}") for n, code in enumerate((VILLAGE, OTHER, third))]
    parts[0]["audit_subjects"] = []
    alerts = look(gates=True, units=units, **together(*parts))
    (row,) = alerts.frame[alerts.frame["cause"].str.contains("audit_members")].to_dict("records")
    assert row["unit_code"] == VILLAGE
    assert row["title"] == "准入条件“班子成员全部审计”缺数据，无法判断"
    nobody = [part | {"audit_subjects": []} for part in parts]
    alerts = look(gates=True, units=units, **together(*nobody))
    assert not alerts.frame["cause"].str.contains("audit_members").any()
    left = alerts.left_out.set_index("item").loc["audit_members"]
    assert (left["units"], left["why"]) == (3, "多数村（社区）都无法判断，是整个台账没有报送")


def test_the_gate_on_audit_problems_opens_no_case_of_its_own() -> None:
    problem = {"problem_id": "P-1", "unit_code": VILLAGE, "found_on": "2026-03-01", "due_on": "2026-06-30"}
    alerts = look(
        gates=True, **together(audited(VILLAGE, "p1")), audit_problems=[problem | {"project_id": "p1"}]
    )
    assert "problem:P-1" in causes(alerts)
    assert not any("audit_problems" in cause for cause in causes(alerts))
    assert "每项审计问题各自立案" in alerts.left_out["why"].tolist()


# --- signals ----------------------------------------------------------------------------------------------


def signals(*rows: tuple[str, str, bool]) -> Signals:
    """Flags by hand: unit, signal, restricted."""
    table = pd.DataFrame(
        {
            "unit_code": [unit for unit, _, _ in rows],
            "signal": [name for _, name, _ in rows],
            "status": "flagged",
            "reason": "近28天收到拉票贿选线索10件。这是线索，不是结论",
            "restricted": [restricted for _, _, restricted in rows],
        }
    ).reindex(columns=list(SIGNAL_COLUMNS))
    return Signals(table, {}, 0.05, {}, AS_OF, PARAMETERS.version)


def test_a_lead_is_called_a_lead_and_kept_from_those_who_may_not_see_it() -> None:
    alerts = look(signals=signals((VILLAGE, "leads_burst", True), (OTHER, "roll_gap", False)))
    assert causes(alerts) == [f"signal:leads_burst@{VILLAGE}", f"signal:roll_gap@{OTHER}"]
    assert alerts.frame["restricted"].tolist() == [True, False]
    for title, reason in zip(alerts.frame["title"], alerts.frame["reason"], strict=True):
        assert title.startswith("线索核查：")
        assert reason.count("这是线索，不是结论") == 1
    assert alerts.explain(VILLAGE) == "截至2026年10月31日，上云村没有需要办理的预警。"
    assert "近28天收到拉票贿选线索10件" in alerts.explain(VILLAGE, restricted=True)


def test_what_lacks_in_the_review_ledger_is_the_review_gates_case_alone() -> None:
    review = {"candidate_ref": "c1", "department": "公安", "opinion": "favourable"}
    review |= {"given_on": "2026-10-01", "expires_on": "2027-03-01", "unit_code": VILLAGE}
    flags = signals((VILLAGE, "review_missing", False))
    alerts = look(gates=True, signals=flags, reviews=[review])
    assert f"gate:reviews@{VILLAGE}" in causes(alerts)
    assert f"signal:review_missing@{VILLAGE}" not in causes(alerts)
    assert "资格联审条件不通过，已在那里立案" in alerts.left_out["why"].tolist()
    assert causes(look(signals=flags)) == [f"signal:review_missing@{VILLAGE}"]  # where no gate says it


# --- plans, problems, disputes ----------------------------------------------------------------------------

RED = levels(AS_OF, {VILLAGE: (40.0, "red"), OTHER: (90.0, "green")})


@pytest.mark.parametrize(
    ("plan", "lacking"),
    [
        ({}, "包干领导、稳控预案、化解方案"),
        ({"leader": "镇党委副书记", "leader_on": "2026-10-01"}, "稳控预案、化解方案"),
        (
            {"leader": "镇党委副书记", "leader_on": "2026-10-01", "stabilisation_plan_on": "2026-10-05"}
            | {"resolution_plan_on": "2026-11-02"},  # the day after tomorrow is not there yet
            "化解方案",
        ),
        (
            {"leader": "镇党委副书记", "leader_on": "2026-10-01", "stabilisation_plan_on": "2026-10-05"}
            | {"resolution_plan_on": "2026-10-31"},
            None,
        ),
    ],
)
def test_a_red_unit_is_told_what_it_lacks(plan: Mapping[str, Any], lacking: str | None) -> None:
    rows = [{"unit_code": VILLAGE, **plan}, {"unit_code": OTHER}]
    alerts = look(index=RED, unit_plans=rows)
    mine = alerts.frame[alerts.frame["kind"] == "plan"]
    assert mine["unit_code"].tolist() == ([VILLAGE] if lacking else [])  # a green unit needs no plan
    assert mine["title"].tolist() == ([f"红色村（社区）缺{lacking}"] if lacking else [])


def test_where_nobody_files_plans_all_are_lacking_and_it_is_said() -> None:
    (row,) = look(index=RED).frame.query("kind == 'plan'").to_dict("records")
    assert row["reason"] == "没有一村一策台账，按全部缺少处理"
    assert row["due_on"] == pd.Timestamp("2026-11-06")  # five working days


PROBLEM = {
    "problem_id": "P-1",
    "project_id": "p1",
    "unit_code": VILLAGE,
    "item": "debts",
    "severity": "major",
}
PROBLEM |= {"found_on": "2026-03-01"}


@pytest.mark.parametrize(
    ("given", "reason", "owner", "due_on"),
    [
        ({}, "2026年3月1日发现，没有整改期限", "云溪镇", "2026-12-11"),
        (
            {"due_on": "2026-12-31", "owner": "云溪镇财政所"},
            "2026年3月1日发现，整改期限2026年12月31日，台账上的责任单位是云溪镇财政所",
            "云溪镇",
            "2026-12-31",
        ),
        ({"due_on": "2026-10-30"}, "2026年3月1日发现，整改期限2026年10月30日，已过1天", "云溪镇",
         "2026-10-30"),
        (
            {"due_on": "2026-12-31", "closed_on": "2026-09-01"},
            "2026年3月1日发现，整改期限2026年12月31日；已报整改完成但没有整改证据，仍算未整改",
            "云溪镇",
            "2026-12-31",
        ),
        ({"closed_on": "2026-09-01", "evidence": "整改报告.pdf"}, None, "", ""),
        ({"closed_on": "2026-11-01", "evidence": "整改报告.pdf"}, "2026年3月1日发现，没有整改期限", "云溪镇",
         "2026-12-11"),
        ({"found_on": "2026-11-01"}, None, "", ""),
    ],
)  # fmt: skip
def test_an_audit_problem_is_open_until_closed_with_evidence(
    given: Mapping[str, Any], reason: str | None, owner: str, due_on: str
) -> None:
    alerts = look(audit_problems=[PROBLEM | given])
    if reason is None:
        assert alerts.frame.empty
        return
    (row,) = alerts.frame.to_dict("records")
    assert row["cause"] == "problem:P-1"
    assert row["subject"] == "audit_problems/P-1"
    assert row["title"] == "审计问题未整改：债权债务（重大）"
    assert (row["reason"], row["owner"], str(row["due_on"].date())) == (reason, owner, due_on)


def test_the_office_named_by_the_ledger_answers_only_where_the_pack_says_so() -> None:
    pack = PARAMETERS.casework
    assert pack is not None
    rules = tuple(
        rule.model_copy(update={"ledger_owner": rule.kind is CaseKind.PROBLEM}) for rule in pack.rules
    )
    named = [PROBLEM | {"owner": "村（居）委会"}]
    for parameters, owner in (
        (PARAMETERS, "云溪镇"),
        (
            PARAMETERS.model_copy(update={"casework": pack.model_copy(update={"rules": rules})}),
            "村（居）委会",
        ),
    ):
        (row,) = look(audit_problems=named, parameters=parameters).frame.to_dict("records")
        assert row["owner"] == owner
        assert row["reason"].endswith("台账上的责任单位是村（居）委会")


def test_a_dispute_is_open_until_resolved() -> None:
    dispute = {"dispute_id": "D-1", "unit_code": VILLAGE, "category": "land", "opened_on": "2026-03-05"}
    dispute |= {"is_group": True, "people_involved": 30, "has_leader": True}
    resolved = {"dispute_id": "D-2", "unit_code": OTHER, "category": "land", "opened_on": "2026-03-05"}
    resolved |= {"resolved_on": "2026-10-31"}
    later = resolved | {"dispute_id": "D-3", "resolved_on": "2026-11-01"}
    alerts = look(disputes=[dispute, resolved, later])
    first, last = alerts.frame.sort_values("cause").to_dict("records")
    assert (first["cause"], first["subject"], first["title"]) == (
        "dispute:D-1",
        "disputes/D-1",
        "征地拆迁矛盾未化解",
    )
    assert first["reason"] == "2026年3月5日登记，已240天未化解，群体性，涉及约30人，缺稳控预案、化解方案"
    assert last["cause"] == "dispute:D-3"  # resolved tomorrow is open today
    (new,) = look(disputes=[dispute | {"opened_on": "2026-10-31"}]).frame["reason"]
    assert new.startswith("2026年10月31日登记，尚未化解，群体性")


def test_what_stands_under_a_unit_that_is_no_more_is_counted_and_not_lost() -> None:
    closed = UNITS.assign(valid_to=pd.to_datetime([None, None, "2026-06-30"]))
    dispute = {"dispute_id": "D", "unit_code": OTHER, "opened_on": "2026-01-01"}
    frames = {"units": closed, "disputes": table("disputes", [dispute])}
    alerts = find_alerts(
        index=GREEN.iloc[:2],
        history=GREEN,
        gates=pd.DataFrame(columns=["unit_code", "gate", "status", "reason"]),
        units=closed.iloc[:2],
        tables=frames,
        signals=None,
        parameters=PARAMETERS,
        as_of=AS_OF,
    )
    assert alerts.frame.empty
    (left,) = alerts.left_out.to_dict("records")
    assert (left["units"], left["why"]) == (1, "在已停用的单位名下，须先明确由哪个单位接续")
    merger = table(
        "crosswalk",
        [{"old_code": OTHER, "new_code": VILLAGE, "kind": "merge", "effective_on": "2026-07-01"}
         | {"confirmed_by": "民政局", "confirmed_on": "2026-07-02"}],
    )  # fmt: skip
    alerts = find_alerts(
        index=GREEN.iloc[:2],
        history=GREEN,
        gates=pd.DataFrame(columns=["unit_code", "gate", "status", "reason"]),
        units=closed.iloc[:2],
        tables=frames | {"crosswalk": merger},
        signals=None,
        parameters=PARAMETERS,
        as_of=AS_OF,
    )
    assert alerts.frame[["cause", "unit_code"]].values.tolist() == [["dispute:D", VILLAGE]]


# --- the result -------------------------------------------------------------------------------------------


def test_the_result_explains_itself() -> None:
    alerts = look(index=RED)
    assert list(alerts.to_frame()) == list(COLUMNS)
    assert alerts.to_frame() is not alerts.frame
    assert (
        repr(alerts)
        == f"Alerts(units=3, alerts=2, alerted=1, as_of=2026-10-31, parameters={PARAMETERS.version!r})"
    )
    assert alerts.explain(VILLAGE).startswith(
        "截至2026年10月31日，上云村有2项预警：等级为红色（选情指数40.0分"
    )
    with pytest.raises(KeyError):
        alerts.explain("990101101999")


def test_equal_inputs_give_equal_tables_whatever_the_order_of_rows() -> None:
    rows = [PROBLEM | {"problem_id": f"P-{n}", "unit_code": unit} for n, unit in enumerate([OTHER, VILLAGE])]
    one, other = look(audit_problems=rows), look(audit_problems=rows[::-1])
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_without_a_casework_pack_nothing_is_alerted_and_it_is_said() -> None:
    alerts = look(index=RED, parameters=PARAMETERS.model_copy(update={"casework": None}))
    assert alerts.frame.empty
    assert set(alerts.left_out["why"]) == {"参数包没有规定这类案件怎样办理"}
    assert set(alerts.left_out["kind"]) == {kind.value for kind in CaseKind}


def test_names_that_are_missing_are_replaced_by_codes() -> None:
    units = UNITS.assign(unit_name=None, township_name=None)
    row = look(index=RED, units=units).frame.iloc[0]
    assert (row["unit_name"], row["township_name"], row["owner"]) == (VILLAGE, "990101101", "990101101")


def test_a_deadline_past_the_last_holiday_notice_is_provisional() -> None:
    assert PARAMETERS.casework is not None
    late = dt.date(max(Workdays(PARAMETERS.casework.calendar).years), 12, 10)
    dispute = {"dispute_id": "D-1", "unit_code": VILLAGE, "category": "land", "opened_on": "2026-03-05"}
    assert not look(disputes=[dispute]).frame["provisional"].item()
    assert look(disputes=[dispute], as_of=late).frame["provisional"].item()
    ledger = PROBLEM | {"due_on": late + dt.timedelta(days=60)}  # stated by the ledger, not reckoned
    assert not look(audit_problems=[ledger], as_of=late).frame["provisional"].item()


# --- opening and opening again ----------------------------------------------------------------------------

CITY = Actor("chen", "市换届办", Role.CITY)
SYSTEM = Actor("system", "系统", Role.SYSTEM)
CAUSE = f"plan@{VILLAGE}"


def red(as_of: dt.date) -> Alerts:
    """The alerts of a run in which the village is red and lacks its plans: one level, one plan."""
    return look(index=levels(as_of, {VILLAGE: (40.0, "red")}), as_of=as_of)


def opened(
    run: str, as_of: dt.date, cases: pd.DataFrame, *earlier: tuple[str, frozenset[str]]
) -> list[Action]:
    actions = opening_actions(red(as_of).frame, cases, earlier, run_id=run, as_of=as_of, actor=SYSTEM)
    return [action for action in actions if action.payload.get("cause", CAUSE) == CAUSE]


def case_after(state: CaseState, closed_on: str = "", number: str = case_id(CAUSE, 1)) -> Case:
    """A case of the village's plans that has reached a state."""
    (action,) = opened("run-1", AS_OF, cases_frame([]))
    day = dt.date.fromisoformat(closed_on) if closed_on else None
    case = advance(None, action)
    return replace(case, case_id=number, state=state, owner="云溪镇", version=5, closed_on=day)


def test_publishing_opens_a_case_for_each_cause() -> None:
    actions = opening_actions(
        red(AS_OF).frame, cases_frame([]), [], run_id="run-1", as_of=AS_OF, actor=SYSTEM
    )
    assert [a.payload["cause"] for a in actions] == [f"level:red@{VILLAGE}", CAUSE]
    cases = [advance(None, action) for action in actions]
    assert [case.state for case in cases] == [CaseState.ALERT] * 2
    assert [case.case_id for case in cases] == [case_id(f"level:red@{VILLAGE}", 1), case_id(CAUSE, 1)]
    assert all(action.payload["run"] == "run-1" for action in actions)


def test_publishing_twice_adds_nothing() -> None:
    first = opened("run-1", AS_OF, cases_frame([]))
    assert first == opened("run-1", AS_OF, cases_frame([]))  # the same event ids, which the ledger knows
    assert opened("run-1", AS_OF, cases_frame([advance(None, a) for a in first])) == []
    other = opened("run-2", AS_OF, cases_frame([]))
    assert other[0].event_id != first[0].event_id
    assert other[0].case_id == first[0].case_id


def test_alerts_kept_in_a_file_open_the_same_cases(tmp_path: Path) -> None:
    alerts = look(index=RED, signals=signals((VILLAGE, "leads_burst", True)), audit_problems=[PROBLEM])
    alerts.frame.to_parquet(tmp_path / "alerts.parquet")
    kept = pd.read_parquet(tmp_path / "alerts.parquet")
    pd.testing.assert_frame_equal(kept, alerts.frame)
    one, other = (
        opening_actions(frame, cases_frame([]), [], run_id="r", as_of=AS_OF, actor=SYSTEM)
        for frame in (alerts.frame, kept)
    )
    assert one == other
    assert [advance(None, action).restricted for action in other] == [False, True, False, False]


NOVEMBER, DECEMBER = dt.date(2026, 11, 30), dt.date(2026, 12, 20)
HAD, GONE = frozenset({CAUSE}), frozenset[str]()
CLOSED = case_after(CaseState.CLOSED, "2026-11-10")


@pytest.mark.parametrize(
    ("story", "case", "earlier", "as_of", "expected"),
    [
        ("already in hand", case_after(CaseState.RECTIFYING), [("2026-10-31", HAD)], NOVEMBER, None),
        ("closed on 10 November, and the run of the 30th still finds it: not put right, opened again",
         CLOSED, [("2026-10-31", HAD)], NOVEMBER, CaseEvent.REOPEN),
        ("closed on 10 November, gone on the 30th, back in December: a new case",
         CLOSED, [("2026-10-31", HAD), ("2026-11-30", GONE)], DECEMBER, CaseEvent.OPEN),
        ("the run before the closure had not found it, but that says nothing about after",
         CLOSED, [("2026-10-31", GONE)], NOVEMBER, CaseEvent.REOPEN),
        ("a run of the very day of closure already knows what was put right",
         CLOSED, [("2026-11-10", GONE)], NOVEMBER, CaseEvent.OPEN),
        ("a run of a day before the closure knows nothing of it",
         CLOSED, [], dt.date(2026, 11, 9), None),
        ("called a false alarm, and alerted without a break: left alone",
         case_after(CaseState.CANCELLED), [("2026-10-31", HAD)], NOVEMBER, None),
        ("called a false alarm; gone; and back: a new case",
         case_after(CaseState.CANCELLED), [("2026-10-31", HAD), ("2026-11-30", GONE)], DECEMBER,
         CaseEvent.OPEN),
    ],
)  # fmt: skip
def test_a_cause_that_comes_up_again(
    story: str,
    case: Case,
    earlier: list[tuple[str, frozenset[str]]],
    as_of: dt.date,
    expected: CaseEvent | None,
) -> None:
    actions = opened("run-9", as_of, cases_frame([case]), *earlier)
    assert [action.event for action in actions] == ([expected] if expected else []), story
    for action in actions:
        if action.event is CaseEvent.OPEN:
            assert action.case_id == case_id(CAUSE, 2)
            assert advance(None, action).state is CaseState.ALERT
        else:
            again = advance(case, action)
            assert (again.state, again.owner, again.reopened) == (CaseState.DISPATCHED, "云溪镇", 1)
            assert action.payload["note"].startswith("2026年11月30日的评估仍有此预警：")
            assert action.payload["due_on"] == "2026-12-07"  # five working days from the run on


def test_only_the_last_case_of_a_cause_decides() -> None:
    first = case_after(CaseState.CLOSED, "2026-11-10")
    second = case_after(CaseState.ALERT, number=case_id(CAUSE, 2))
    assert opened("run-9", DECEMBER, cases_frame([second, first]), ("2026-11-30", GONE)) == []
    tenth = case_after(CaseState.CLOSED, "2026-11-10", number=case_id(CAUSE, 10))
    ninth = case_after(CaseState.CLOSED, "2026-11-10", number=case_id(CAUSE, 9))
    (action,) = opened("run-9", DECEMBER, cases_frame([ninth, tenth]), ("2026-11-30", GONE))
    assert action.case_id == case_id(CAUSE, 11)


def test_a_reopened_problem_gets_a_deadline_that_has_not_passed() -> None:
    alerts = look(audit_problems=[PROBLEM | {"due_on": "2026-06-30"}])
    (action,) = opening_actions(alerts.frame, cases_frame([]), [], run_id="r", as_of=AS_OF, actor=CITY)
    assert alerts.frame["due_on"].item() == pd.Timestamp("2026-06-30")
    closed = replace(advance(None, action), state=CaseState.CLOSED, closed_on=AS_OF)
    (again,) = opening_actions(alerts.frame, cases_frame([closed]), [], run_id="s", as_of=AS_OF, actor=CITY)
    assert again.payload["due_on"] == "2026-12-11"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_cause_has_two_open_cases_and_none_is_forgotten(data: st.DataObject) -> None:
    """Months of runs over three causes, whose cases are closed and cancelled between them in any way."""
    template = red(AS_OF).frame.iloc[[0] * 3].assign(cause=["a", "b", "c"])
    cases: dict[str, Case] = {}
    earlier: list[tuple[str, frozenset[str]]] = []
    for month in range(1, 7):
        day = dt.date(2026, month, 28)
        had = data.draw(st.sets(st.sampled_from("abc")))
        frame = template[template["cause"].isin(had)]
        actions = opening_actions(
            frame, cases_frame(cases), earlier, run_id=f"r{month}", as_of=day, actor=SYSTEM
        )
        for action in actions:
            cases[action.case_id] = advance(cases.get(action.case_id), action)
        last = earlier[-1][1] if earlier else frozenset()
        for cause in "abc":
            mine = [case for case in cases.values() if case.cause == cause]
            standing = [case for case in mine if case.is_open]
            assert len(standing) <= 1
            if cause in had and not standing:  # only a false alarm that never went away
                assert cause in last
                newest = max(mine, key=lambda case: int(case.case_id.rpartition("-")[2]))
                assert newest.state is CaseState.CANCELLED
        earlier.append((day.isoformat(), frozenset(had)))
        for number, case in list(cases.items()):
            if case.is_open:
                ends = {"keep": case.state, "close": CaseState.CLOSED, "cancel": CaseState.CANCELLED}
                state = ends[data.draw(st.sampled_from(sorted(ends)))]
                closed_on = day + dt.timedelta(days=3) if state is CaseState.CLOSED else None
                cases[number] = replace(case, state=state, closed_on=closed_on)
