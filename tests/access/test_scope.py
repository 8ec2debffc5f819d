from __future__ import annotations

import pandas as pd
import pytest

from huanjie_lib.access.scope import ledgers_for, view, within
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import UsageError
from huanjie_lib.vocabulary import Role
from tests.offices import AUDIT, CITY, COUNTY, TOWN

HERE, NEXT, THERE = "990101101201", "990101102201", "990102001201"
READER = Actor("w", "市领导", Role.READER)
OFFICE = Actor("li", "组织部", Role.TALENT)


def problems() -> pd.DataFrame:
    rows = {"unit_code": [THERE, HERE, None, NEXT], "problem_id": list("dabc"), "source_file": "a.xlsx"}
    return pd.DataFrame(rows, index=[7, 5, 6, 1])


def test_rows_of_the_area_are_left_in_their_order() -> None:
    seen = {
        actor.account: view("tables/audit_problems", problems(), actor, "casework")["problem_id"].tolist()
        for actor in (CITY, COUNTY, TOWN, AUDIT)
    }
    assert seen == {"chen": list("dabc"), "dongling": ["a", "c"], "li": ["a"], "shen": list("dabc")}


def test_columns_of_the_role_are_left_and_the_table_is_not_changed() -> None:
    runs = pd.DataFrame({"run_id": ["r"], "published_by": ["chen"], "source_row": [1]})
    assert list(view("tables/runs", runs, READER, "operations").columns) == ["run_id"]
    assert list(view("tables/runs", runs, CITY, "operations").columns) == list(runs.columns)
    assert list(runs.columns) == ["run_id", "published_by", "source_row"]


@pytest.mark.parametrize(("actor", "purpose"), [(READER, "casework"), (OFFICE, "casework"), (CITY, "risk")])
def test_other_roles_and_purposes_see_nothing(actor: Actor, purpose: str) -> None:
    with pytest.raises(UsageError, match="没有查阅的权限"):
        view("tables/audit_problems", problems(), actor, purpose)  # type: ignore[arg-type]


def test_a_column_nobody_has_listed_is_a_defect() -> None:
    with pytest.raises(ValueError, match="without a grant"):
        view("tables/audit_problems", problems().assign(name="某某"), CITY, "casework")


def test_rows_of_people_fall_into_the_area_of_their_home() -> None:
    rows = pd.DataFrame({"person_ref": ["P1", "P2", "P3"], "aspect": "law"})
    homes = pd.Series({"P1": HERE, "P2": THERE})
    some = Actor("li", "组织部", Role.TALENT, ("990101",))
    assert view("talent/portraits", rows, some, "talent", homes=homes)["person_ref"].tolist() == ["P1"]
    assert view("talent/portraits", rows, some, "talent").empty
    assert len(view("talent/portraits", rows, OFFICE, "talent")) == 3


def test_rows_of_wider_divisions_are_not_a_townships() -> None:
    codes = pd.Series(["", "990101", "990101101", "990101102", None], name="code")
    assert within(codes, TOWN).tolist() == [False, False, True, False, False]
    assert within(codes, CITY).all()
    assert within(codes.iloc[:0], TOWN).empty


def test_what_can_be_put_right_is_told_of_tables_that_the_role_reads() -> None:
    tables = ["reviews", "audit_subjects", "leavers", "disputes", "reviews"]
    rows = pd.DataFrame({"unit_code": HERE, "table": tables, "key": [f"p{n}" for n in range(5)]})
    seen = {
        actor.role: ledgers_for({"rectifiable": rows}, actor, restricted=False)["rectifiable"]["key"].tolist()
        for actor in (CITY, TOWN, AUDIT, Actor("sf", "司法局", Role.REVIEW))
    }
    everything = [f"p{n}" for n in range(5)]
    assert seen == {
        Role.CITY: everything,
        Role.TOWNSHIP: everything,
        Role.AUDIT: ["p1"],
        Role.REVIEW: ["p0", "p4"],
    }
