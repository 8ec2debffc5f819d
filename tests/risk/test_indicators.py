import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import DERIVED_MEASURES, ChangeMeasure, load_parameters
from huanjie_lib.risk.indicators import MEASURES, indicator_values
from huanjie_lib.risk.prepared import Prepared, prepare

VILLAGE, COMMUNITY = "990101101201", "990101101001"
PARAMETERS = load_parameters()
Build = Callable[..., Prepared]
PROJECT = [{"audit_type": "leaving", "plan_on": "2026-01-05", "started_on": "2026-01-10"}]


def value(prepared: Prepared, indicator: str, as_of: dt.date, unit: str = VILLAGE) -> float:
    return float(indicator_values(prepared, PARAMETERS, as_of).value.loc[unit, indicator])


def item(name: str, outcome: str = "clear", on: str | None = "2026-05-01") -> dict[str, Any]:
    return {"item": name, "outcome": outcome, "concluded_on": on}


def fact(metric: str, on: str, number: float) -> dict[str, Any]:
    return {"metric": metric, "as_of": on, "value": number}


def test_every_measure_a_pack_may_name_exists() -> None:
    assert set(MEASURES) == set(DERIVED_MEASURES)


def test_a_table_that_was_not_supplied_leaves_its_measures_unknown(ledgers: Build, as_of: dt.date) -> None:
    values = indicator_values(ledgers(), PARAMETERS, as_of)
    assert values.value.isna().all(axis=None)
    assert (values.status == "missing").all(axis=None)


def test_audit_items_count_those_of_the_units_own_checklist(ledgers: Build, as_of: dt.date) -> None:
    prepared = ledgers(
        audit_projects=PROJECT,
        audit_items=[
            item("finances"),
            item("assets", "unclear"),
            item("debts", "pending"),
            item("projects", on="2026-11-05"),  # concluded after the date
            item("office_funds"),  # not on a village's list
        ],
    )
    assert value(prepared, "audit_items_incomplete", as_of) == pytest.approx(3 / 5)
    assert value(prepared, "audit_items_incomplete", as_of, COMMUNITY) == 1.0


def test_only_the_latest_audit_begun_by_the_day_counts(ledgers: Build) -> None:
    prepared = ledgers(
        audit_projects=[
            {"project_id": "old", "audit_type": "term", "started_on": "2023-01-01"},
            {"project_id": "new", "audit_type": "leaving", "plan_on": "2026-03-01"},
        ],
        audit_items=[
            {"project_id": "old", **item(n, on="2023-06-01")}
            for n in ("finances", "assets", "debts", "projects", "subsidies")
        ],
    )
    assert value(prepared, "audit_items_incomplete", dt.date(2026, 2, 28)) == 0.0
    assert value(prepared, "audit_items_incomplete", dt.date(2026, 3, 31)) == 1.0


def test_a_member_left_off_the_list_counts_as_unaudited(ledgers: Build, as_of: dt.date) -> None:
    subjects = [
        {"person_ref": f"m{n}", "post": "member", "outcome": "clear", "concluded_on": "2026-06-01"}
        for n in range(4)
    ]
    facts = [fact("committee_members", "2026-10-31", 5)]
    listed = ledgers(audit_projects=PROJECT, audit_subjects=subjects, facts=facts)
    assert value(listed, "audit_members_unaudited", as_of) == pytest.approx(0.2)
    assert np.isnan(value(listed, "audit_members_unaudited", as_of, COMMUNITY))


def test_open_and_overdue_audit_problems(ledgers: Build, as_of: dt.date) -> None:
    problem = {"item": "finances", "severity": "minor", "found_on": "2026-05-01"}
    prepared = ledgers(
        audit_projects=PROJECT,
        audit_problems=[
            {**problem, "problem_id": "a", "due_on": "2026-10-31"},  # due today: not yet overdue
            {**problem, "problem_id": "b", "severity": "major", "due_on": "2026-10-30"},
            {
                **problem,
                "problem_id": "c",
                "closed_on": "2026-10-31",
                "due_on": "2026-06-01",
                "evidence": "ZG-c",
            },
            {**problem, "problem_id": "d", "found_on": "2026-11-01"},
        ],
    )
    assert value(prepared, "audit_problems_open", as_of) == 4.0
    assert value(prepared, "audit_problems_overdue", as_of) == 1.0
    assert np.isnan(value(prepared, "audit_problems_open", as_of, COMMUNITY)), (
        "no audit, no knowledge of problems"
    )


@pytest.mark.parametrize(
    ("spells", "deficit"),
    [
        ([], 2),
        ([("09-01", "09-05"), ("09-10", "09-14")], 0),
        ([("09-01", "09-05"), ("09-05", "09-09")], 1),  # share a day
        ([("09-01", "09-05"), ("09-06", "09-10")], 0),  # one after the other
        ([("09-01", "09-04"), ("09-10", "09-14")], 1),  # four days only
        ([("09-01", "09-20"), ("09-02", "09-06"), ("09-10", "09-14")], 0),  # two short ones inside a long one
        ([("10-20", "10-24"), ("10-28", "11-01")], 1),  # the second has been up for four days
        ([("10-20", "10-24"), ("10-27", "11-05")], 0),  # the second is still posted, for five days by now
        ([("10-20", "10-24"), ("10-28", None)], 1),  # still posted, four days by now
        ([("10-20", None), ("10-26", "10-30")], 1),  # the first has never been taken down: they overlap
        ([("04-20", "04-24"), ("10-20", "10-24")], 1),  # the first was posted before the last conclusion
        ([("05-01", "05-05"), ("10-20", "10-24")], 0),  # on the day of the conclusion is not before it
    ],
)
def test_notice_spells(
    ledgers: Build, as_of: dt.date, spells: list[tuple[str, str | None]], deficit: int
) -> None:
    notices = [
        {"notice_id": f"n{n}", "start_on": f"2026-{a}", "end_on": b and f"2026-{b}"}
        for n, (a, b) in enumerate(spells)
    ]
    other = {"notice_id": "x", "unit_code": COMMUNITY, "start_on": "2026-09-01", "end_on": "2026-09-05"}
    prepared = ledgers(
        audit_projects=PROJECT,
        audit_items=[item(name) for name in ("finances", "assets", "debts", "projects", "subsidies")],
        audit_notices=[*notices, other],
    )
    assert value(prepared, "audit_notice_deficit", as_of) == deficit


def test_reviews(ledgers: Build, as_of: dt.date) -> None:
    departments = PARAMETERS.rule("review_departments", as_of).value
    assert isinstance(departments, tuple)
    full = [
        {
            "candidate_ref": "c1",
            "department": d,
            "opinion": "favourable",
            "given_on": "2026-08-01",
            "expires_on": "2026-12-31",
        }
        for d in departments
    ]
    second = [
        {
            "candidate_ref": "c2",
            "department": departments[0],
            "opinion": "adverse",
            "given_on": "2026-08-01",
            "expires_on": "2026-10-30",
        },
        {"candidate_ref": "c2", "department": departments[1], "opinion": "pending"},
        {
            "candidate_ref": "c2",
            "department": "街道办",
            "opinion": "favourable",
            "given_on": "2026-08-01",
            "expires_on": "2026-12-31",
        },
    ]
    prepared = ledgers(reviews=[*full, *second])
    assert value(prepared, "review_incomplete", as_of) == pytest.approx(8 / 18)
    assert value(prepared, "review_adverse", as_of) == 0.5
    assert value(prepared, "review_expired", as_of) == pytest.approx(1 / 11)
    assert np.isnan(value(prepared, "review_incomplete", dt.date(2026, 7, 31))), "no candidate known yet"
    assert np.isnan(value(prepared, "review_incomplete", as_of, COMMUNITY))


def test_last_election_and_reruns(ledgers: Build, as_of: dt.date) -> None:
    prepared = ledgers(
        election_history=[
            {"term": 2015, "election_on": "2015-03-01", "electors": 100, "rerun": True},
            {"term": 2018, "election_on": "2018-03-01", "electors": 1000, "ballots": 500, "rerun": True},
            {
                "term": 2021,
                "election_on": "2021-03-01",
                "electors": 1000,
                "ballots": 800,
                "invalid_ballots": 40,
                "proxy_ballots": 80,
                "candidates": 2,
                "winner_votes": 400,
                "runner_up_votes": 360,
                "rerun": False,
            },
        ]
    )
    found = indicator_values(prepared, PARAMETERS, as_of).value.loc[VILLAGE]
    assert found["election_turnout"] == 0.8
    assert found["election_invalid_share"] == 0.05
    assert found["election_proxy_share"] == 0.1
    assert found["election_margin"] == pytest.approx(40 / 760)
    assert found["election_reruns"] == 1.0
    earlier = indicator_values(prepared, PARAMETERS, dt.date(2020, 1, 1)).value.loc[VILLAGE]
    assert earlier["election_turnout"] == 0.5
    assert earlier["election_reruns"] == 2.0
    assert np.isnan(earlier["election_margin"])


def test_an_unopposed_winner_has_a_full_margin(ledgers: Build, as_of: dt.date) -> None:
    election = {"term": 2021, "election_on": "2021-03-01", "electors": 10, "candidates": 1, "winner_votes": 9}
    assert value(ledgers(election_history=[election]), "election_margin", as_of) == 1.0


def test_disputes_are_unknown_until_somebody_looked(ledgers: Build, as_of: dt.date) -> None:
    dispute = {"dispute_id": "d1", "category": "land", "opened_on": "2026-04-01", "is_group": True}
    resolved = {**dispute, "dispute_id": "d2", "opened_on": "2026-01-01", "resolved_on": "2026-02-01"}
    screening = {"screening_id": "s", "unit_code": COMMUNITY, "screened_on": "2026-09-01", "method": "visit"}
    prepared = ledgers(disputes=[dispute, resolved], screenings=[screening])
    found = indicator_values(prepared, PARAMETERS, as_of).value
    assert found.loc[VILLAGE, "disputes_open"] == 1.0
    assert found.loc[VILLAGE, "disputes_oldest_days"] == (as_of - dt.date(2026, 4, 1)).days
    assert found.loc[VILLAGE, "disputes_group"] == 2.0
    assert found.loc[VILLAGE, "disputes_without_plan"] == 1.0
    assert found.loc[COMMUNITY, ["disputes_open", "disputes_oldest_days", "disputes_group"]].tolist() == [
        0,
        0,
        0,
    ]
    before = indicator_values(prepared, PARAMETERS, dt.date(2026, 8, 31)).value
    assert np.isnan(before.loc[COMMUNITY, "disputes_open"])
    assert found.loc[COMMUNITY, "screening_age_days"] == 60.0
    assert np.isnan(found.loc[VILLAGE, "screening_age_days"])


def test_a_dispute_is_planned_only_with_leader_and_both_plans(ledgers: Build, as_of: dt.date) -> None:
    plan = {
        "category": "land",
        "opened_on": "2026-04-01",
        "has_leader": True,
        "stabilisation_plan_on": "2026-05-01",
    }
    prepared = ledgers(
        disputes=[
            {**plan, "dispute_id": "whole", "resolution_plan_on": "2026-05-02"},
            {**plan, "dispute_id": "half"},
            {**plan, "dispute_id": "late", "resolution_plan_on": "2026-11-02"},
        ]
    )
    assert value(prepared, "disputes_without_plan", as_of) == pytest.approx(2 / 3)


def test_talks_and_roll_take_the_last_report(ledgers: Build, as_of: dt.date) -> None:
    roll = {
        "cohort": "18-24",
        "away_declined": 10,
        "nonlocal_approved": 5,
        "disqualified": 1,
        "duplicates": 0,
    }
    prepared = ledgers(
        talks=[
            {"as_of": "2026-09-30", "target": "leaver", "due": 2, "done": 0},
            {"as_of": "2026-10-31", "target": "leaver", "due": 2, "done": 2},
            {"as_of": "2026-10-31", "target": "notable", "due": 3, "done": 1},
        ],
        roll_checks=[
            {**roll, "as_of": "2026-10-31", "hukou_adults": 106, "registered": 90},
            {
                **roll,
                "as_of": "2026-10-31",
                "cohort": "25-34",
                "hukou_adults": 206,
                "registered": 212,
                "duplicates": 2,
            },
            {**roll, "as_of": "2026-06-30", "hukou_adults": 106, "registered": 0},
        ],
    )
    assert value(prepared, "talks_incomplete", as_of) == pytest.approx(2 / 5)
    assert value(prepared, "roll_gap", as_of) == pytest.approx((10 + 10) / 300)


def test_one_missing_cell_of_a_roll_leaves_the_gap_unknown(ledgers: Build, as_of: dt.date) -> None:
    roll = {"as_of": "2026-10-31", "cohort": "18-24", "hukou_adults": 100, "registered": 90}
    assert np.isnan(value(ledgers(roll_checks=[roll]), "roll_gap", as_of))


def test_leads_per_thousand_electors_within_twelve_months(ledgers: Build, as_of: dt.date) -> None:
    prepared = ledgers(
        leads=[
            {"received_on": "2026-10-31", "kind": "vote_buying", "count": 2},
            {"received_on": "2025-11-01", "kind": "roll", "count": 1},
            {"received_on": "2025-10-31", "kind": "roll", "count": 9},
        ],
        facts=[fact("voters_registered", "2026-09-30", 1500)],
    )
    assert value(prepared, "leads_rate", as_of) == pytest.approx(2.0)


def test_stock_is_carried_forward_until_it_is_stale(ledgers: Build) -> None:
    prepared = ledgers(facts=[fact("reserve_people", "2026-01-31", 3)])
    fresh = indicator_values(prepared, PARAMETERS, dt.date(2026, 8, 19))
    stale = indicator_values(prepared, PARAMETERS, dt.date(2026, 8, 20))
    assert (fresh.value.loc[VILLAGE, "reserve_people"], fresh.status.loc[VILLAGE, "reserve_people"]) == (
        3,
        "observed",
    )
    assert np.isnan(stale.value.loc[VILLAGE, "reserve_people"])
    assert stale.status.loc[VILLAGE, "reserve_people"] == "stale"


def test_flow_needs_every_month_of_its_window(ledgers: Build) -> None:
    months = [f"2025-{m:02d}-28" for m in range(11, 13)] + [f"2026-{m:02d}-28" for m in range(1, 11)]
    people = fact("resident_population", "2026-06-30", 2000)
    whole = ledgers(facts=[people, *(fact("petitions_total", on, 1) for on in months)])
    assert value(whole, "petition_rate", dt.date(2026, 10, 31)) == pytest.approx(6.0)
    assert value(whole, "petition_rate", dt.date(2026, 11, 15)) == pytest.approx(6.0), (
        "the last whole months count"
    )
    gap = ledgers(facts=[people, *(fact("petitions_total", on, 1) for on in months if on != "2026-03-28")])
    assert np.isnan(value(gap, "petition_rate", dt.date(2026, 10, 31)))


def test_a_ratio_without_a_base_is_unknown(ledgers: Build, as_of: dt.date) -> None:
    facts = [fact("collective_debt", "2026-10-31", 10), fact("collective_income", "2026-10-31", 0)]
    assert np.isnan(value(ledgers(facts=facts), "debt_ratio", as_of))


def test_nothing_dated_later_is_used(ledgers: Build) -> None:
    prepared = ledgers(facts=[fact("reserve_people", "2026-11-01", 3)])
    assert indicator_values(prepared, PARAMETERS, dt.date(2026, 10, 31)).value.isna().all(axis=None)


def test_units_whose_code_is_not_in_force_are_left_out(ledgers: Build, as_of: dt.date) -> None:
    unit = {"unit_name": "甲村", "unit_kind": "village", "township_code": "990101101"}
    prepared = ledgers(
        units=[
            {**unit, "unit_code": "990101101201", "valid_to": "2026-10-30"},
            {**unit, "unit_code": "990101101202", "valid_from": "2026-10-31"},
            {**unit, "unit_code": "990101101203", "valid_from": "2026-11-01"},
        ]
    )
    assert indicator_values(prepared, PARAMETERS, as_of).value.index.tolist() == ["990101101202"]


def test_fieldwork_still_to_come_leaves_the_plan_in_force_and_ties_are_settled_by_number(
    ledgers: Build,
) -> None:
    done = [{"project_id": "a", **item(n)} for n in ("finances", "assets", "debts", "projects", "subsidies")]
    old = {"project_id": "a", "audit_type": "term", "started_on": "2026-01-10"}
    new = {"project_id": "b", "audit_type": "leaving", "plan_on": "2026-06-01", "started_on": "2026-12-01"}
    prepared = ledgers(audit_projects=[old, new], audit_items=done)
    assert value(prepared, "audit_items_incomplete", dt.date(2026, 5, 31)) == 0.0
    assert value(prepared, "audit_items_incomplete", dt.date(2026, 6, 30)) == 1.0
    same_day = {**new, "started_on": "2026-01-10"}
    for projects in ([old, same_day], [same_day, old]):
        found = ledgers(audit_projects=projects, audit_items=done)
        assert value(found, "audit_items_incomplete", dt.date(2026, 5, 31)) == 1.0


def test_an_item_filed_under_the_audit_of_another_unit_counts_for_nobody(
    ledgers: Build, as_of: dt.date
) -> None:
    theirs = {"project_id": "p2", "unit_code": COMMUNITY, "audit_type": "term", "started_on": "2026-01-10"}
    prepared = ledgers(
        audit_projects=[*PROJECT, theirs], audit_items=[{**item("finances"), "project_id": "p2"}]
    )
    assert value(prepared, "audit_items_incomplete", as_of) == 1.0


def test_conclusions_of_an_earlier_audit_say_nothing_of_problems_now(ledgers: Build, as_of: dt.date) -> None:
    closed = {
        "problem_id": "q",
        "project_id": "old",
        "item": "assets",
        "severity": "minor",
        "found_on": "2023-05-01",
        "due_on": "2023-08-01",
        "closed_on": "2023-07-01",
        "evidence": "ZG-q",
    }
    ledger = {
        "audit_projects": [
            {"project_id": "old", "audit_type": "term", "started_on": "2023-01-01"},
            {"project_id": "new", "audit_type": "leaving", "started_on": "2026-09-01"},
        ],
        "audit_items": [{"project_id": "old", **item("finances", on="2023-06-01")}],
        "audit_problems": [closed],
    }
    assert value(ledgers(**ledger), "audit_problems_open", dt.date(2026, 8, 31)) == 0.0
    assert np.isnan(value(ledgers(**ledger), "audit_problems_open", as_of))
    ledger["audit_problems"] = [{**closed, "closed_on": None}]
    assert value(ledgers(**ledger), "audit_problems_open", as_of) == 1.0, "an old debt stays open"


def test_a_cell_without_which_a_row_cannot_be_judged_never_looks_good(ledgers: Build, as_of: dt.date) -> None:
    problem = {"problem_id": "a", "item": "finances", "severity": "minor", "found_on": "2026-05-01"}
    opinion = {"candidate_ref": "c", "department": "法院", "opinion": "favourable", "given_on": "2026-08-01"}
    dispute = {"dispute_id": "d", "category": "land", "opened_on": "2026-04-01", "is_group": None}
    prepared = ledgers(
        audit_projects=PROJECT, audit_problems=[problem], reviews=[opinion], disputes=[dispute]
    )
    found = indicator_values(prepared, PARAMETERS, as_of).value.loc[VILLAGE]
    assert found[["audit_problems_overdue", "review_expired", "disputes_group"]].isna().all()
    assert found[["audit_problems_open", "disputes_open"]].tolist() == [1.0, 1.0]


def test_no_objection_received_needs_no_answer(ledgers: Build, as_of: dt.date) -> None:
    notice = {"notice_id": "n", "start_on": "2026-09-01", "end_on": "2026-09-05", "objections": 0}
    prepared = ledgers(audit_projects=PROJECT, audit_notices=[notice])
    assert value(prepared, "audit_objections_open", as_of) == 0.0


def test_leads_are_not_divided_by_a_stale_roll(ledgers: Build) -> None:
    prepared = ledgers(
        leads=[{"received_on": "2026-10-01", "kind": "roll", "count": 3}],
        facts=[fact("voters_registered", "2026-03-31", 1500)],
    )
    assert value(prepared, "leads_rate", dt.date(2026, 10, 15)) == pytest.approx(2.0)
    late = indicator_values(prepared, PARAMETERS, dt.date(2026, 10, 31))
    assert late.status.loc[VILLAGE, "leads_rate"] == "stale"


def test_a_change_compares_month_ends_and_two_reports_in_force(ledgers: Build) -> None:
    first = PARAMETERS.framework.dimensions[0]
    changing = first.indicators[0].model_copy(
        update={"measure": ChangeMeasure(kind="change", metric="households", months=1)}
    )
    dimension = first.model_copy(update={"indicators": (changing, *first.indicators[1:])})
    framework = PARAMETERS.framework.model_copy(
        update={"dimensions": (dimension, *PARAMETERS.framework.dimensions[1:])}
    )
    parameters = PARAMETERS.model_copy(update={"framework": framework})
    reports = [("2024-06-30", 50), ("2026-07-31", 100), ("2026-08-31", 200), ("2026-09-30", 250)]
    prepared = ledgers(facts=[fact("households", on, n) for on, n in reports])

    def change(day: dt.date) -> float:
        return float(indicator_values(prepared, parameters, day).value.loc[VILLAGE, changing.id])

    assert change(dt.date(2026, 9, 30)) == pytest.approx(0.25), "August, although it has a 31st"
    assert np.isnan(change(dt.date(2026, 8, 1))), "two years before is not a month before"
    assert np.isnan(change(dt.date(2026, 12, 31))), "one report is no change"


def test_values_explain_themselves() -> None:
    units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    facts = pd.DataFrame(
        {
            "unit_code": ["990101001201"] * 2,
            "as_of": pd.to_datetime(["2026-09-30", "2020-01-31"]),
            "metric": ["reserve_people", "petitions_backlog"],
            "value": [1.0, 3.0],
        }
    )
    parameters = load_parameters()
    values = indicator_values(prepare({"units": units, "facts": facts}), parameters, dt.date(2026, 10, 31))
    frame = values.to_frame()
    assert len(frame) == values.value.size
    assert frame["status"].value_counts().sum() == len(frame)
    text = values.explain("990101001201")
    assert "信访积案" in text.partition("已过期1项")[2]
    assert "缺失" in text
    assert parameters.version in repr(values)
    with pytest.raises(KeyError):
        values.explain("0")
