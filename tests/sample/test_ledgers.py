from __future__ import annotations

import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult
from huanjie_lib.sample import City
from huanjie_lib.vocabulary import PostKind


def test_reviews_cover_the_departments_of_the_rule(city: City) -> None:
    reviews = city.tables["reviews"]
    departments = load_parameters().rule("review_departments", city.as_of).value
    assert set(reviews["department"]) == set(departments)
    people = reviews.groupby("unit_code")["candidate_ref"].nunique()
    assert len(people) == 400
    assert people.between(2, 6).all()
    opinions = reviews["opinion"].value_counts(normalize=True)
    assert opinions["favourable"] > 0.8
    assert opinions["pending"] > 0.02
    assert (reviews["given_on"].isna() == (reviews["opinion"] == "pending")).all()
    assert (reviews["given_on"].dropna() >= pd.Timestamp("2026-03-01")).all()


def test_disputes_end_after_they_begin_and_some_stay_open(city: City) -> None:
    disputes = city.tables["disputes"]
    lasted = (disputes["resolved_on"] - disputes["opened_on"]).dropna()
    assert (lasted.dt.days > 0).all()
    assert 0.02 < disputes["resolved_on"].isna().mean() < 0.3
    group = disputes["is_group"].fillna(False).astype(bool)
    assert disputes.loc[group, "people_involved"].mean() > 3 * disputes.loc[~group, "people_involved"].mean()


def test_most_units_were_screened_lately(city: City) -> None:
    screenings = city.tables["screenings"]
    last = screenings.groupby("unit_code")["screened_on"].max()
    age = (pd.Timestamp(city.as_of) - last).dt.days
    assert len(last) == 400
    assert 0.85 < (age <= 180).mean() <= 1.0
    assert screenings.groupby("unit_code").size().min() >= 2
    assert screenings.groupby("unit_code")["screened_on"].min().max() < pd.Timestamp("2024-11-30")


def test_troubled_units_have_plans_and_some_lack_part_of_them(city: City, result: RiskResult) -> None:
    plans = city.tables["unit_plans"].set_index("unit_code")
    three = plans[["leader", "stabilisation_plan_on", "resolution_plan_on"]].notna()
    assert three.any(axis=1).all()
    level = result.index.set_index("unit_code")["level"]
    number = three.sum(axis=1).reindex(level.index, fill_value=0)
    red, green = number[level == "red"], number[level == "green"]
    assert (red > 0).mean() > 0.6 > 0.4 > (green > 0).mean()
    assert 0.2 < (red < 3).mean() < 0.7
    dates = plans.select_dtypes("datetime")
    assert (dates.max() <= pd.Timestamp(city.as_of)).all()
    assert (plans["leader_on"].isna() | plans["leader"].notna()).all()
    undated = plans["leader"].notna() & plans["leader_on"].isna()
    assert 0 < undated.mean() < 0.1


def test_talks_only_advance(city: City) -> None:
    talks = city.tables["talks"].sort_values("as_of")
    assert (talks["done"] <= talks["due"]).all()
    steps = talks.groupby(["unit_code", "target"])["done"].diff().dropna()
    assert (steps >= 0).all()
    assert (steps > 0).any()


def test_leads_grow_toward_the_election_and_are_counted_once_a_day(city: City) -> None:
    leads = city.tables["leads"]
    assert not leads.duplicated(["unit_code", "received_on", "kind"]).any()
    planted = set(city.truth.loc[city.truth["fault"] == "leads_burst", "unit_code"])
    natural = leads[~leads["unit_code"].isin(planted)]
    late = natural.loc[natural["received_on"] > "2026-04-30", "count"].sum() / 6
    early = natural.loc[natural["received_on"] < "2025-04-30", "count"].sum() / 17
    assert late > 1.3 * early


def test_seats_add_up(city: City) -> None:
    posts = city.tables["posts"]
    facts = city.tables["facts"]
    seats = facts[facts["metric"] == "committee_seats"].groupby("unit_code")["value"].last()
    committee = posts[posts["post"] != PostKind.SUPERVISION.value].groupby("unit_code")["seats"].sum()
    assert (committee == seats).all()
    assert (posts["seats"] >= 1).all()
