from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from huanjie_lib.pipeline import RiskResult
from huanjie_lib.sample import City
from huanjie_lib.sample.audits import Refs
from huanjie_lib.vocabulary import AuditItem, UnitKind


def test_checklist_follows_the_kind_of_unit(city: City) -> None:
    kinds = city.tables["units"].set_index("unit_code")["unit_kind"]
    lists = city.tables["audit_items"].groupby(["unit_code", "project_id"])["item"].agg(frozenset)
    for (code, _project), items in lists.items():
        assert items == {i.value for i in AuditItem.required(UnitKind(kinds[code]))}


def test_every_committee_member_is_listed_but_for_the_planted_ones(city: City) -> None:
    subjects = city.tables["audit_subjects"]
    current = subjects[subjects["project_id"].str.endswith("-A2026")]
    listed = current.groupby("unit_code").size()
    facts = city.tables["facts"]
    committee = facts[facts["metric"] == "committee_members"].groupby("unit_code")["value"].max()
    planted = set(city.truth.loc[city.truth["fault"] == "member_unlisted", "unit_code"])
    short = listed.index[listed < committee.reindex(listed.index)]
    assert set(short) <= planted
    assert not subjects.duplicated(["project_id", "person_ref"]).any()
    assert subjects["person_ref"].str.fullmatch(r"p[0-9a-f]{10}").all()


def test_plan_comes_before_fieldwork_and_notice_after(city: City) -> None:
    projects = city.tables["audit_projects"].set_index("project_id")
    assert (projects["plan_on"] < projects["started_on"]).all()
    notices = city.tables["audit_notices"]
    moved = city.truth["fault"] == "notice_overlap"
    clean = notices[~notices["unit_code"].isin(city.truth.loc[moved, "unit_code"])]
    ended = projects["ended_on"].reindex(clean["project_id"]).to_numpy()
    assert (clean["start_on"].to_numpy() > ended).all()


def test_audits_advance_through_the_year(city: City) -> None:
    items = city.tables["audit_items"]
    final = items[items["project_id"].str.endswith("-A2026")]
    share = [(final["concluded_on"] <= pd.Timestamp(2026, month, 28)).mean() for month in (2, 4, 6, 8, 10)]
    assert np.all(np.diff(share) > 0)
    assert share[0] < 0.25
    assert share[-1] > 0.85


def test_most_units_pass_the_audit_gates(result: RiskResult) -> None:
    gates = result.gates[result.gates["gate"].str.startswith("audit_")]
    passed = gates.assign(ok=gates["status"] == "pass").groupby("unit_code")["ok"].all()
    assert 0.65 < passed.mean() < 0.85


def test_nothing_is_known_before_it_happens(city: City) -> None:
    today = pd.Timestamp(city.as_of)
    for name, frame in city.tables.items():
        for column in frame.select_dtypes("datetime").columns:
            if column not in ("due_on", "expires_on"):
                assert not (frame[column] > today).any(), (name, column)
    assert city.as_of == dt.date(2026, 10, 31)


def test_references_are_never_given_twice() -> None:
    class Narrow(np.random.Generator):
        def integers(self, *args: object, **_: object) -> np.ndarray:  # type: ignore[override]
            return super().integers(0, 40, args[2])  # type: ignore[call-overload, no-any-return]

    refs = Refs(Narrow(np.random.PCG64(1)), "p")
    assert len({*refs.take(20), *refs.take(20)}) == 40
