from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.cases import CASE_COLUMNS, type_cases
from huanjie_lib.casework.conflict_ledger import Held, conflict_ledger
from huanjie_lib.casework.village_plan import VillagePlan, VillagePlans, village_plans
from huanjie_lib.casework.workdays import Workdays
from huanjie_lib.parameters import WorkCalendar
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.store.run_folder import Run
from huanjie_lib.vocabulary import CaseKind, GateStatus, Level

RED = "990101102201"
OTHER = "990102001201"


def case(case_id: str, **cells: Any) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(CASE_COLUMNS, "")
    numbers = dict.fromkeys(("version", "evidence", "reopened", "returned", "postponed"), 0)
    dates = dict.fromkeys(("opened_on", "due_on", "closed_on"), pd.NaT)
    made = {"case_id": case_id, "unit_code": RED, "kind": "dispute", "state": "dispatched"}
    return {**blank, **numbers, **dates, "restricted": False, **made, **cells}


@pytest.fixture(scope="module")
def ledgers(small_run: Run) -> dict[str, pd.DataFrame]:
    """A conflict ledger of real tables, problems and cases in the ledgers' columns."""

    def dates(*texts: str | None) -> pd.Series:
        return pd.Series(pd.to_datetime(list(texts))).astype("datetime64[us]")

    tables = {
        "units": small_run.units[["unit_code", "unit_kind", "township_code"]],
        "screenings": pd.DataFrame(
            {"screening_id": ["s"], "unit_code": [RED], "screened_on": dates("2026-09-01")}
        ).assign(method="visit", led_by_secretary=True, households_visited=50),
        "disputes": pd.DataFrame(
            {
                "dispute_id": ["d1", "d2", "d3"],
                "unit_code": RED,
                "category": ["land", "finance", "policy"],
                "opened_on": dates("2026-07-01", "2026-10-01", "2026-01-01"),
                "resolved_on": dates(None, None, "2026-05-01"),
                "is_group": pd.array([True, None, False], dtype="boolean"),
                "has_leader": pd.array([True, False, True], dtype="boolean"),
                "stabilisation_plan_on": dates("2026-07-02", None, None),
                "resolution_plan_on": dates("2026-07-03", "2026-10-03", None),
            }
        ),
        "unit_plans": pd.DataFrame(
            {
                "unit_code": [RED],
                "leader": ["镇长"],
                "leader_on": dates("2026-06-01"),
                "stabilisation_plan_on": dates("2026-06-05"),
                "resolution_plan_on": dates(None),
            }
        ),
    }
    ledger = conflict_ledger(prepare(tables), small_run.parameters, small_run.as_of)
    problems = pd.DataFrame(
        {
            "unit_code": RED,
            "problem_id": ["q1", "q2", "q3", "q4"],
            "item": ["资产处置", "债权债务", "财务收支", "工程项目"],
            "severity": ["重大", "一般", "一般", "一般"],
            "found_on": dates("2026-06-01", "2026-07-01", "2026-08-01", "2026-08-02"),
            "due_on": dates("2026-12-01", "2026-10-24", None, "2026-09-01"),
            "owner": pd.array(["石桥镇农经站", "石桥镇农经站", None, "石桥镇"], dtype="str"),
            "standing": ["open", "overdue", "unproven", "closed"],
            "is_open": [True, True, True, False],
        }
    )
    cases = type_cases(
        pd.DataFrame(
            [
                case(
                    "C1",
                    subject="disputes/d1",
                    owner="石桥镇综治办",
                    due_on=dt.date(2026, 11, 20),
                    title="征地拆迁",
                    opened_on=dt.date(2026, 10, 1),
                ),
                case(
                    "C2", subject="disputes/d2", owner="村里", state="cancelled", due_on=dt.date(2026, 1, 1)
                ),
                case(
                    "C3",
                    kind="level",
                    title="等级转为红色",
                    owner="石桥镇",
                    due_on=dt.date(2026, 10, 26),
                    opened_on=dt.date(2026, 9, 30),
                    state="rectifying",
                ),
                case("C4", kind="signal", title="委托投票偏高", restricted=True),
                case("C5", kind="problem", subject="audit_problems/q2", owner="县审计局", state="alert"),
            ]
        )
    )
    alerts = pd.DataFrame(
        {
            "unit_code": RED,
            "kind": ["dispute", "signal"],
            "subject": ["disputes/d2", "disputes/d1"],
            "owner": ["石桥镇", "不该出现"],
            "due_on": dates("2026-12-11", "2026-11-01"),
            "restricted": [False, True],
        }
    )
    return {
        "conflict_units": ledger.units,
        "disputes": ledger.disputes,
        "audit_problems": problems,
        "cases": cases,
        "alerts": alerts,
    }


@pytest.fixture(scope="module")
def plan(small_run: Run, ledgers: dict[str, pd.DataFrame]) -> VillagePlan:
    return village_plans(small_run, ledgers, [RED]).plans[RED]


def test_red_units_get_a_plan_and_units_can_be_named(small_run: Run) -> None:
    red = sorted(small_run.index.loc[small_run.index["level"] == "red", "unit_code"])
    assert red
    assert list(village_plans(small_run, {}).plans) == red
    assert list(village_plans(small_run, {}, {OTHER, RED}).plans) == [RED, OTHER]
    with pytest.raises(KeyError):
        village_plans(small_run, {}, ["990101999999"])


def test_it_says_which_unit_its_colour_and_why(small_run: Run, plan: VillagePlan) -> None:
    assert plan.title == "石桥镇石桥村换届“一村一策”工作方案"
    index = small_run.index.set_index("unit_code").loc[RED]
    assert plan.index == index["index"]
    assert plan.level.value == index["level"]
    lost = small_run.indicators[small_run.indicators["unit_code"] == RED].set_index("indicator")
    largest = lost["points"].sort_values(ascending=False).head(3)
    assert [r.points for r in plan.reasons] == largest.tolist()
    framework = small_run.parameters.framework
    assert {r.label for r in plan.reasons} == {framework.indicator(i).label for i in largest.index}


def test_gates_that_do_not_pass_are_conditions(small_run: Run, plan: VillagePlan) -> None:
    assert plan.conditions is not None
    gates = small_run.gates[(small_run.gates["unit_code"] == RED) & (small_run.gates["status"] != "pass")]
    assert [c.reason for c in plan.conditions] == gates["reason"].tolist()
    assert all(c.status is not GateStatus.PASS and c.remedy for c in plan.conditions)


def test_matters_come_overdue_first_with_owner_and_deadline(plan: VillagePlan) -> None:
    assert plan.problems is not None
    told = [(m.what, m.owner, m.due_on, m.overdue, m.note) for m in plan.problems]
    assert told == [
        # its case names the owner and no deadline yet: that of the ledger holds
        ("债权债务（一般）", "县审计局", dt.date(2026, 10, 24), True, "已122天，尚未派单"),
        ("资产处置（重大）", "石桥镇农经站", dt.date(2026, 12, 1), False, "已152天"),
        ("财务收支（一般）", "", None, False, "已91天，报完成但没有证据"),
    ]
    assert plan.disputes is not None
    told = [(m.what, m.owner, m.due_on, m.overdue, m.note) for m in plan.disputes]
    assert told == [
        ("征地拆迁（群体性）", "石桥镇综治办", dt.date(2026, 11, 20), False, "已122天，已派单"),
        # its case was cancelled; the alert proposes who and until when
        ("财务纠纷", "石桥镇", dt.date(2026, 12, 11), False, "已30天，缺包干领导、稳控预案，尚未派单"),
    ]
    assert plan.cases is not None
    (other,) = plan.cases
    assert (other.what, other.note, other.overdue) == ("等级转为红色", "整改中", True)


def test_a_deadline_on_a_day_off_ends_on_the_next_working_day(
    small_run: Run, ledgers: dict[str, pd.DataFrame]
) -> None:
    # 24 October 2026 is a Saturday: what is due then is late from Tuesday the 27th on.
    problems = ledgers["audit_problems"].assign(problem_id=["a", "b", "c", "d"])
    for as_of, late in ((dt.date(2026, 10, 26), False), (dt.date(2026, 10, 27), True)):
        day = dataclasses.replace(small_run, as_of=as_of)
        made = village_plans(day, {"audit_problems": problems}, [RED]).plans[RED]
        assert made.problems is not None
        assert [m.overdue for m in made.problems if m.due_on == dt.date(2026, 10, 24)] == [late]


def test_what_was_not_handed_in_is_unknown(small_run: Run, ledgers: dict[str, pd.DataFrame]) -> None:
    bare = village_plans(small_run, {}, [RED]).plans[RED]
    assert (bare.problems, bare.disputes, bare.cases, bare.standing) == (None, None, None, ())
    assert {duty.state for duty in bare.duties} == {Held.UNKNOWN}
    # nobody has looked at the other unit: its incidents are unknown, not none
    other = village_plans(small_run, ledgers, [OTHER]).plans[OTHER]
    assert other.disputes is None
    assert other.problems == ()
    assert {duty.state for duty in other.duties} == {Held.LACKING}


def test_duties_and_what_lacks(plan: VillagePlan) -> None:
    assert [(d.label, d.state, d.who, d.on) for d in plan.duties] == [
        ("包干领导", Held.THERE, "镇长", dt.date(2026, 6, 1)),
        ("稳控预案", Held.THERE, "", dt.date(2026, 6, 5)),
        ("化解方案", Held.LACKING, "", None),
    ]
    assert plan.lacking == ("化解方案",)


def test_nothing_restricted_goes_in(small_run: Run, plan: VillagePlan) -> None:
    assert "委托投票" not in str(plan)
    assert "不该出现" not in str(plan)
    indicators = small_run.indicators.copy()
    leads = (indicators["indicator"] == "leads_rate") & (indicators["unit_code"] == RED)
    indicators.loc[leads, ["points", "source_table"]] = [99.0, "leads"]
    worst = village_plans(dataclasses.replace(small_run, indicators=indicators), {}, [RED]).plans[RED]
    assert worst.reasons
    assert "举报" not in str(worst.reasons)
    assert max(reason.points for reason in worst.reasons) < 99.0


def test_steps_are_those_of_the_way_and_dated_by_working_days(small_run: Run) -> None:
    parameters = small_run.parameters
    assert parameters.measures is not None
    workdays = Workdays(WorkCalendar())
    for plan in village_plans(small_run, {}, small_run.units["unit_code"]):
        steps = small_run.remedy_steps[small_run.remedy_steps["unit_code"] == plan.unit_code]
        steps = steps.sort_values("order")
        assert [s.label for s in plan.steps] == steps["label"].tolist()
        assert [s.points for s in plan.steps] == steps["points"].tolist()
        unit = small_run.remedies[small_run.remedies["unit_code"] == plan.unit_code]
        if len(unit) and len(steps):
            days = int(unit["days"].iloc[0])
            assert max(s.due.date for s in plan.steps) == workdays.add(plan.as_of, days).date
            assert f"约需{days}个工作日" in plan.outlook
        dates = [m.due.date for m in plan.timetable]
        assert dates == sorted(dates)
        assert all(workdays.is_workday(date) for date in dates)


def test_the_timetable_names_what_is_lacking_within_the_packs_days(small_run: Run, plan: VillagePlan) -> None:
    pack = small_run.parameters.casework
    assert pack is not None
    days = pack.rule(CaseKind.PLAN).due_workdays
    due = {m.what: m.due.date for m in plan.timetable}
    assert due["落实化解方案"] == Workdays(WorkCalendar()).add(plan.as_of, days).date
    without = dataclasses.replace(
        small_run, parameters=small_run.parameters.model_copy(update={"casework": None})
    )
    bare = village_plans(without, {}, [RED]).plans[RED]
    assert {m.what for m in bare.timetable} == {s.label for s in bare.steps}


def test_packs_without_gates_or_measures(small_run: Run) -> None:
    less = small_run.parameters.model_copy(update={"gates": None, "measures": None})
    bare = village_plans(dataclasses.replace(small_run, parameters=less), {}, [RED]).plans[RED]
    assert bare.conditions is None
    assert bare.steps == ()


def test_a_unit_without_data(small_run: Run) -> None:
    index = small_run.index.copy()
    mine = index["unit_code"] == RED
    index.loc[mine, "index"] = float("nan")
    index.loc[mine, "level"] = "unknown"
    bare = village_plans(dataclasses.replace(small_run, index=index), {}, [RED])
    assert bare.plans[RED].index is None
    assert bare.plans[RED].level is Level.UNKNOWN
    assert bare.to_frame()["index"].isna().all()


def test_house_form(small_run: Run, ledgers: dict[str, pd.DataFrame]) -> None:
    plans = village_plans(small_run, ledgers, [RED, OTHER])
    assert isinstance(plans, VillagePlans)
    assert len(plans) == 2
    expected = f"VillagePlans(plans=2, lacking=2, as_of=2026-10-31, parameters={plans.version!r})"
    assert repr(plans) == expected
    frame = plans.to_frame().set_index("unit_code")
    assert frame.loc[RED, ["problems", "disputes", "cases"]].tolist() == [3, 2, 1]
    assert pd.isna(frame.loc[OTHER, "disputes"])
    assert "审计问题未整改3项，矛盾未化解2件" in plans.explain(RED)
    assert plans.explain(RED).endswith("还缺化解方案。")
    assert "矛盾未化解情况不明" in plans.explain(OTHER)
    with pytest.raises(KeyError):
        plans.explain("990101999999")
    empty = village_plans(small_run, ledgers, [])
    assert len(empty) == 0
    assert list(empty.to_frame().columns) == [*["unit_code"], *frame.columns]
