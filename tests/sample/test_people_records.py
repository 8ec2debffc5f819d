"""What is on record of people hangs together, and what was planted can be found again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import City, make_city
from huanjie_lib.vocabulary import VettingGround


@pytest.fixture(scope="module")
def truth(city: City) -> dict[str, list[dict[str, str]]]:
    """Return details of what was planted among people, by fault."""
    found: dict[str, list[dict[str, str]]] = {}
    for fault, detail in city.truth[["fault", "detail"]].itertuples(index=False):
        if "person_ref" in detail:
            found.setdefault(fault, []).append(json.loads(detail))
    return found


def test_evidence_keeps_to_the_pack_and_to_its_year(city: City) -> None:
    evidence = city.tables["evidence"]
    pack = load_parameters().talent
    assert pack is not None
    allowed = {(rule.aspect.value, rule.kind.value) for rule in pack.evidence}
    assert set(evidence[["aspect", "kind"]].itertuples(index=False, name=None)) == allowed
    assert (evidence["dated_on"].dt.year == evidence["year"]).all()
    assert (evidence["dated_on"] <= pd.Timestamp(city.as_of)).all()
    assert evidence["evidence_id"].is_unique
    each = evidence.groupby("person_ref").size().reindex(city.tables["people"]["person_ref"], fill_value=0)
    assert each.median() > 5
    assert each.min() < 3  # of some next to nothing is known


def test_ratings_have_few_factors_behind_them(city: City) -> None:
    """Three factors carry most of what aspects share: scores of independent noise would need all of them."""
    wide = city.tables["evidence"].pivot_table(index="person_ref", columns="aspect", values="rating")
    values = np.sort(np.linalg.eigvalsh(wide.corr(min_periods=100).to_numpy()))[::-1]
    assert values[:3].sum() > 0.6 * values.sum()
    assert values[3] < 1.1


def test_planted_opinions_stand_in_the_table_and_no_others(
    city: City, truth: dict[str, list[dict[str, str]]]
) -> None:
    vettings = city.tables["vettings"]
    as_of = pd.Timestamp(city.as_of)
    last = vettings.sort_values("given_on").groupby(["person_ref", "department"]).tail(1)
    last = last.set_index(["person_ref", "department"])
    adverse = last[last["opinion"] == "adverse"]
    assert set(adverse.index) == {(d["person_ref"], d["department"]) for d in truth["vetting_adverse"]}
    assert set(adverse["ground"]) == {ground.value for ground in VettingGround}
    for detail in truth["vetting_expired"]:
        assert last.loc[(detail["person_ref"], detail["department"]), "expires_on"] < as_of
    for detail in truth["vetting_missing"]:
        assert (detail["person_ref"], detail["department"]) not in last.index
    for detail in truth["vetting_replaced"]:
        mine = vettings[vettings["person_ref"] == detail["person_ref"]]
        mine = mine[mine["department"] == detail["department"]].sort_values("given_on")
        assert mine["opinion"].tolist() == ["adverse", "favourable"]
    assert (vettings["ground"].notna() == (vettings["opinion"] == "adverse")).all()


def test_most_people_are_vetted_by_everyone_in_date_but_not_all(city: City) -> None:
    vettings = city.tables["vettings"]
    good = vettings[
        (vettings["opinion"] == "favourable") & (vettings["expires_on"] >= pd.Timestamp(city.as_of))
    ]
    count = good.groupby("person_ref")["department"].nunique()
    count = count.reindex(city.tables["people"]["person_ref"], fill_value=0)
    assert 0.6 < (count == vettings["department"].nunique()).mean() < 0.9


def test_planted_raters_are_harsh_and_planted_people_diverge(
    city: City, truth: dict[str, list[dict[str, str]]]
) -> None:
    ratings = city.tables["assessments"]
    centred = ratings.assign(
        off=ratings["rating"] - ratings.groupby("person_ref")["rating"].transform("mean")
    )
    of_rater = centred[~centred["online"]].groupby("rater_ref")["off"].mean()
    for detail in truth["rater_harsh"]:
        assert of_rater[detail["rater_ref"]] < -8
    channel = ratings[~ratings["is_kin"]].pivot_table(index="person_ref", columns="online", values="rating")
    gap = channel[True] - channel[False]
    for detail in truth["trial_divergence"]:
        assert gap[detail["person_ref"]] > gap.quantile(0.9)


def test_groups_share_raters_within_some_counties_and_never_beyond(city: City) -> None:
    ratings = city.tables["assessments"]
    groups = ratings.groupby("rater_ref")["group_ref"].unique()
    shared = groups[groups.map(len) > 1]
    assert len(shared)
    assert all(len({ref[1:7] for ref in refs}) == 1 for refs in shared)
    counties = {ref[1:7] for ref in ratings["group_ref"]}
    assert {ref[1:7] for refs in shared for ref in refs} < counties  # in some, no two groups can be compared
    assert ratings["is_kin"].any()
    household = ratings.dropna(subset="household_ref").groupby("household_ref")["rater_ref"].nunique()
    assert household.max() >= 2
    assert ratings.loc[ratings["online"], "household_ref"].isna().any()


def test_plans_are_of_people_in_training_and_some_are_overdue(city: City) -> None:
    plans = city.tables["plans"].merge(city.tables["people"][["person_ref", "status"]], on="person_ref")
    assert set(plans["status"]) == {"cultivating", "trial"}
    assert (plans["result"].notna() == plans["done_on"].notna()).all()
    assert (plans["done_on"].isna() & (plans["due_on"] < pd.Timestamp(city.as_of))).any()
    assert plans["mentor_ref"].isna().any()


def test_without_planted_faults_nobody_has_an_adverse_opinion() -> None:
    city = make_city(units=60, plant_faults=False)
    assert city.truth.empty
    assert set(city.tables["vettings"]["opinion"]) == {"favourable"}
