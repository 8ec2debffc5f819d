"""What was planted can be found again in the tables, and nothing is planted that is not in the truth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.pipeline import RiskResult
from huanjie_lib.sample import City, make_city
from huanjie_lib.sample.faults import TRUTH_COLUMNS

KINDS = {
    "dispute_without_plan": "disputes",
    "fact_revised": "facts",
    "late_return": "facts",
    "leads_burst": "leads",
    "member_skipped": "audit_subjects",
    "member_unlisted": "audit_subjects",
    "notice_overlap": "audit_notices",
    "notice_short": "audit_notices",
    "petition_burst": "facts",
    "problem_overdue": "audit_problems",
    "proxy_share": "election_history",
    "rater_harsh": "assessments",
    "registration_surge": "roll_checks",
    "review_expired": "reviews",
    "review_missing": "reviews",
    "roll_duplicates": "roll_checks",
    "roll_gap": "roll_checks",
    "trial_divergence": "assessments",
    "vetting_adverse": "vettings",
    "vetting_expired": "vettings",
    "vetting_missing": "vettings",
    "vetting_replaced": "vettings",
}


def planted(city: City, fault: str) -> list[tuple[str, dict[str, Any]]]:
    rows = city.truth[city.truth["fault"] == fault]
    assert len(rows) >= 1
    return [(code, json.loads(text)) for code, text in zip(rows["unit_code"], rows["detail"], strict=True)]


def row(frame: pd.DataFrame, **key: str) -> pd.Series[Any]:
    mask = np.logical_and.reduce([frame[name] == value for name, value in key.items()])
    assert mask.sum() == 1
    return frame[mask].iloc[0]


def test_every_kind_is_planted_in_its_table(city: City) -> None:
    found = city.truth.groupby("fault")["table"].agg(set)
    assert set(found.index) == set(KINDS)
    assert all(KINDS[fault] in tables for fault, tables in found.items())
    of_people = city.truth["table"].isin(["assessments", "vettings"])  # some live elsewhere
    known = city.truth["unit_code"].isin(city.tables["units"]["unit_code"])
    assert known[~of_people].all()
    assert (known | (city.truth["unit_code"] == ""))[of_people].all()


def test_roll_faults(city: City) -> None:
    checks = city.tables["roll_checks"]
    last = checks[checks["as_of"] == pd.Timestamp(city.as_of)]
    for code, detail in planted(city, "roll_gap"):
        cell = last[(last["unit_code"] == code) & (last["cohort"] == detail["cohort"])]
        if len(cell):  # the unit's checks may be late
            assert cell["registered"].iloc[0] < 0.9 * detail["expected"]
    totals = last.groupby("unit_code")[["registered", "duplicates"]].sum()
    for code, _ in planted(city, "roll_duplicates"):
        if code in totals.index:
            assert totals.loc[code, "duplicates"] > 0.04 * totals.loc[code, "registered"]
    electors = city.tables["facts"].query("metric == 'voters_registered'").set_index(["unit_code", "as_of"])
    for code, detail in planted(city, "registration_surge"):
        now = electors.loc[(code, pd.Timestamp(city.as_of)), "value"]
        before = electors.loc[(code, pd.Timestamp("2026-09-30")), "value"]
        assert now > 1.08 * before
        assert detail["people"] > 0


def test_audit_faults_close_the_gates(city: City, result: RiskResult) -> None:
    gates = result.gates.set_index(["unit_code", "gate"])["status"]
    for fault, gate in (
        ("notice_short", "audit_notices"),
        ("notice_overlap", "audit_notices"),
        ("member_skipped", "audit_members"),
        ("problem_overdue", "audit_problems"),
        ("review_missing", "reviews"),
        ("review_expired", "reviews"),
    ):
        for code, _ in planted(city, fault):
            assert gates[code, gate] == "fail", (fault, code)


def test_notices_look_like_two(city: City) -> None:
    notices = city.tables["audit_notices"]
    for code, detail in planted(city, "notice_overlap"):
        second = row(notices, notice_id=detail["notice_id"])
        first = row(notices, notice_id=detail["notice_id"].replace("-G2", "-G1"))
        assert first["start_on"] < second["start_on"] <= first["end_on"] < second["end_on"]
        assert second["unit_code"] == code
    for _, detail in planted(city, "notice_short"):
        short = row(notices, notice_id=detail["notice_id"])
        assert (short["end_on"] - short["start_on"]).days + 1 == detail["days"] < 5


def test_unlisted_members_were_listed_in_the_round_before(city: City) -> None:
    subjects = city.tables["audit_subjects"]
    for code, detail in planted(city, "member_unlisted"):
        mine = subjects[subjects["unit_code"] == code]
        latest = mine["project_id"].max()
        assert detail["person_ref"] not in set(mine.loc[mine["project_id"] == latest, "person_ref"])


def test_reviews(city: City) -> None:
    reviews = city.tables["reviews"]
    today = pd.Timestamp(city.as_of)
    for _, detail in planted(city, "review_expired"):
        mine = reviews[
            (reviews["candidate_ref"] == detail["candidate_ref"])
            & (reviews["department"] == detail["department"])
        ]
        assert len(mine) <= 1  # the opinion may since have been planted missing
        assert (mine["expires_on"] < today).all()
    for _, detail in planted(city, "review_missing"):
        mine = reviews[reviews["candidate_ref"] == detail["candidate_ref"]]
        assert detail["department"] not in set(mine["department"])
        assert len(mine) == 8


def test_leads_and_proxies_stand_out(city: City) -> None:
    leads = city.tables["leads"]
    recent = leads[leads["received_on"] > pd.Timestamp(city.as_of) - pd.Timedelta(days=21)]
    counts = recent.groupby("unit_code")["count"].sum()
    for code, detail in planted(city, "leads_burst"):
        assert counts[code] >= detail["count"] >= 5
    history = city.tables["election_history"].query("term == 2021").set_index("unit_code")
    share = history["proxy_ballots"] / history["ballots"]
    for code, detail in planted(city, "proxy_share"):
        assert share[code] > 0.44
        assert history.loc[code, "proxy_ballots"] == detail["proxy_ballots"]


def test_petitions_burst_in_clusters_of_neighbours(city: City) -> None:
    facts = city.tables["facts"].query("metric == 'petitions_total'")
    by_month = facts.pivot(index="unit_code", columns="as_of", values="value")
    clusters: dict[int, list[str]] = {}
    for code, detail in planted(city, "petition_burst"):
        clusters.setdefault(detail["cluster"], []).append(code)
        if by_month.loc[code].iloc[-3:].notna().all():
            assert by_month.loc[code].iloc[-3:].sum() >= detail["extra"] >= 9
    shapes = city.geometry.set_index("unit_code").geometry
    for codes in clusters.values():
        drawn = [shapes[c] for c in codes if shapes[c] is not None]
        assert len(codes) == 10
        reach = max(a.distance(b) for a in drawn for b in drawn)
        assert reach < 0.35


def test_overdue_problems_and_bare_disputes_exist(city: City) -> None:
    problems, disputes = city.tables["audit_problems"], city.tables["disputes"]
    for _, detail in planted(city, "problem_overdue"):
        problem = row(problems, problem_id=detail["problem_id"])
        assert problem["due_on"] < pd.Timestamp(city.as_of)
        assert pd.isna(problem["closed_on"])
    for _, detail in planted(city, "dispute_without_plan"):
        dispute = row(disputes, dispute_id=detail["dispute_id"])
        assert pd.isna(dispute["resolved_on"])
        assert not dispute["has_leader"]
        assert pd.isna(dispute["resolution_plan_on"])


def test_revised_figures_differ_from_the_first_report(city: City) -> None:
    facts = city.tables["facts"].set_index(["unit_code", "as_of", "metric"])["value"]
    for code, detail in planted(city, "fact_revised"):
        key = (code, pd.Timestamp(detail["as_of"]), detail["metric"])
        if key in facts.index and facts[key] > 0:
            assert facts[key] != detail["first_reported"]


def test_late_returns_are_missing_and_cluster(city: City) -> None:
    facts = city.tables["facts"]
    last = facts[facts["as_of"] == pd.Timestamp(city.as_of)].set_index(["unit_code", "metric"]).index
    for code, detail in planted(city, "late_return"):
        if "metric" in detail:
            assert (code, detail["metric"]) not in last
    rows = city.truth[city.truth["fault"] == "late_return"]
    by_town = rows.drop_duplicates("unit_code")["unit_code"].str[:9].value_counts()
    assert by_town.iloc[0] >= 4
    complete = len(last) / (400 * facts["metric"].nunique())
    assert 0.95 < complete < 1.0


def _people_touched(city: City, table: str) -> set[str]:
    """Return whose rows of a table planting changed: a harsh rater touches everyone of the group."""
    rows = city.truth[city.truth["table"] == table]
    named = {json.loads(text).get("person_ref", "") for text in rows["detail"]} - {""}
    if table != "assessments":
        return named
    ratings = city.tables[table]
    groups = ratings.loc[ratings["person_ref"].isin(named), "group_ref"]
    return set(ratings.loc[ratings["group_ref"].isin(groups), "person_ref"])


def test_without_faults_every_other_row_is_as_it_is_with_them() -> None:
    faulty, clean = (make_city(units=90, snapshots=2, plant_faults=plant) for plant in (True, False))
    assert len(clean.truth) == 0
    assert tuple(clean.truth.columns) == TRUTH_COLUMNS
    assert set(clean.tables) == set(faulty.tables)
    for name, frame in clean.tables.items():
        if "unit_code" not in frame:
            touched = _people_touched(faulty, name)
            both = [frame, faulty.tables[name]]
            if touched:
                both = [f[~f["person_ref"].isin(touched)].reset_index(drop=True) for f in both]
            assert len(both[0])
            pd.testing.assert_frame_equal(*both)
            continue
        theirs = faulty.truth["table"].isin([name, "roll_checks"])  # electors in facts are those of the roll
        touched = faulty.truth.loc[theirs, "unit_code"]
        rest = [f[~f["unit_code"].isin(touched)].reset_index(drop=True) for f in (frame, faulty.tables[name])]
        assert len(rest[0])
        pd.testing.assert_frame_equal(*rest)
