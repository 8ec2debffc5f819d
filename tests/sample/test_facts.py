from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from huanjie_lib.parameters import load_parameters
from huanjie_lib.sample import City
from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.facts import FactBook

METRICS = load_parameters().framework.metrics


def test_values_keep_to_the_metrics(city: City) -> None:
    facts = city.tables["facts"]
    assert set(facts["metric"]) == set(METRICS)
    for name, values in facts.groupby("metric")["value"]:
        metric = METRICS[str(name)]
        assert values.notna().all()
        assert metric.minimum is None or values.min() >= metric.minimum
        assert metric.maximum is None or values.max() <= metric.maximum
        assert not metric.integer or (values == values.round()).all()


def test_flows_are_reported_every_month_zeros_included(city: City) -> None:
    facts = city.tables["facts"]
    truth = city.truth[city.truth["fault"] == "late_return"]
    late = set(truth["unit_code"])
    for name, metric in METRICS.items():
        if metric.kind != "flow":
            continue
        mine = facts[(facts["metric"] == name) & ~facts["unit_code"].isin(late)]
        months = mine.groupby("unit_code")["as_of"].agg(["count", "min", "max"])
        assert len(months) == 400 - len(late)
        wanted, first = (47, "2022-12-31") if name == "disciplinary_cases" else (35, "2023-12-31")
        assert (months["count"] == wanted).all()
        assert (months["min"] == pd.Timestamp(first)).all()
        assert (months["max"] == pd.Timestamp(city.as_of)).all()
        assert (mine["value"] == 0).any()


def test_parts_do_not_exceed_wholes(city: City) -> None:
    wide = city.tables["facts"].pivot(index=["unit_code", "as_of"], columns="metric", values="value")
    assert (wide["petitions_group"].dropna() <= wide["petitions_total"].dropna()).all()
    members = wide[["members_under_35", "members_over_60", "members_total"]].dropna()
    assert (members["members_under_35"] + members["members_over_60"] <= members["members_total"]).all()
    seats = wide["committee_seats"].groupby(level=0).transform("last")
    assert (wide["committee_members"].dropna() <= seats[wide["committee_members"].notna()]).all()


def test_money_is_in_whole_hundreds(city: City) -> None:
    facts = city.tables["facts"]
    money = facts.loc[facts["metric"].isin(["collective_income", "collective_debt"]), "value"]
    assert (money % 100 == 0).all()


def test_book_leaves_out_what_was_not_reported() -> None:
    book = FactBook(2, Calendar(dt.date(2026, 10, 31), 1))
    book.put("households", [-1], np.array([[5.0], [np.nan]]))
    frame = book.frame(["990102001001", "990102001002"])
    assert frame.to_dict("records") == [
        {
            "unit_code": "990102001001",
            "as_of": pd.Timestamp("2026-10-31"),
            "metric": "households",
            "value": 5.0,
        }
    ]
