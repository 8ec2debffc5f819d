from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import City
from huanjie_lib.sample.population import BANDS


def at(city: City, date: str) -> pd.DataFrame:
    facts = city.tables["facts"]
    day = facts[facts["as_of"] == pd.Timestamp(date)]
    return day.pivot(index="unit_code", columns="metric", values="value")


def test_age_bands_add_up_to_the_residents(city: City) -> None:
    for date in ("2024-12-31", "2025-12-31", "2026-10-31"):
        wide = at(city, date)
        bands = wide[[f"population_{band}" for band in BANDS]].sum(axis=1)
        assert len(wide) == 400
        assert (bands == wide["resident_population"]).all()
        assert (wide["hukou_population"] > wide["households"]).all()


def test_rolls_are_consistent_with_the_population(city: City) -> None:
    checks = city.tables["roll_checks"]
    last = checks[checks["as_of"] == pd.Timestamp(city.as_of)]
    adults = last.groupby("unit_code")["hukou_adults"].sum()
    facts = at(city, str(city.as_of)).reindex(adults.index)
    assert (adults < facts["hukou_population"]).all()
    assert (last.groupby("unit_code")["registered"].sum() == facts["voters_registered"]).all()
    residents_18_up = facts["resident_population"] - facts["population_0_17"]
    away = facts["hukou_population"] - adults
    assert (away > 0).all()
    assert (residents_18_up > 0).all()


def test_gaps_are_small_but_for_the_planted_ones(city: City) -> None:
    checks = city.tables["roll_checks"]
    last = checks[checks["as_of"] == pd.Timestamp(city.as_of)].astype({"registered": "float64"})
    expected = (
        last["hukou_adults"] - last["away_declined"] + last["nonlocal_approved"] - last["disqualified"]
    ).astype("float64")
    gap = (expected - (last["registered"] - last["duplicates"])).abs()
    by_unit = gap.groupby(last["unit_code"]).sum() / expected.groupby(last["unit_code"]).sum()
    planted = set(city.truth.loc[city.truth["fault"].isin(["roll_gap", "registration_surge"]), "unit_code"])
    clean = by_unit[~by_unit.index.isin(planted)]
    assert 0.01 < clean.median() < 0.06
    assert by_unit[by_unit.index.isin(planted)].min() > clean.median()


def test_people_fade_away_in_villages_and_grow_in_communities(city: City) -> None:
    kinds = city.tables["units"].set_index("unit_code")["unit_kind"]
    growth = at(city, "2026-10-31")["resident_population"] / at(city, "2024-12-31")["resident_population"]
    by_kind = growth.groupby(kinds).median()
    assert by_kind["community"] > 1.0 > by_kind["village"]
    assert np.isfinite(growth).all()


def test_population_is_fresh_at_every_snapshot(city: City) -> None:
    facts = city.tables["facts"]
    days = sorted(facts.loc[facts["metric"] == "resident_population", "as_of"].dt.date.unique())
    limit = load_parameters().framework.metrics["resident_population"].max_age_days
    for snapshot in pd.date_range("2024-11-30", "2026-10-31", freq="ME").date:
        latest = max(day for day in days if day <= snapshot)
        assert snapshot - latest <= dt.timedelta(days=limit)
