from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from huanjie_lib.sample import City, make_city


def test_counts_are_possible(city: City) -> None:
    history = city.tables["election_history"]
    valid = history["ballots"] - history["invalid_ballots"]
    won = history["winner_votes"] + history["runner_up_votes"].fillna(0)
    assert (won <= valid).all()
    assert (2 * history["ballots"] > history["electors"] * 0.99).all()
    assert (history["runner_up_votes"].isna() == (history["candidates"] == 1)).all()
    assert (history["term"] == history["election_on"].dt.year).all()


def test_outcomes_are_rare_and_can_be_foreseen_but_not_perfectly() -> None:
    city = make_city(units=800)
    outcomes = city.tables["outcomes"].set_index(["unit_code", "term"])["outcome"].astype(bool)
    assert 0.06 < outcomes.mean() < 0.14
    history = city.tables["election_history"].set_index(["unit_code", "term"])
    earlier = history.xs(2018, level="term")
    now = outcomes.xs(2021, level="term").reindex(earlier.index)
    signal = (
        -(earlier["ballots"] / earlier["electors"]).rank()
        + (earlier["invalid_ballots"] / earlier["ballots"]).rank()
        + (earlier["proxy_ballots"] / earlier["ballots"]).rank()
    )
    assert 0.58 < roc_auc_score(now, signal) < 0.9
    latent = city.latent.set_index("unit_code")["election"].reindex(earlier.index)
    assert 0.62 < roc_auc_score(now, latent) < 0.92


def test_outcomes_follow_the_polling_day(city: City) -> None:
    both = city.tables["election_history"].merge(city.tables["outcomes"], on=["unit_code", "term"])
    assert (both["observed_on"] > both["election_on"]).all()
    assert both.loc[both["outcome"].astype(bool), "kind"].notna().all()
    assert both.loc[~both["outcome"].astype(bool), "kind"].isna().all()
    recorded = both["incident"].astype(bool)
    assert (both.loc[recorded, "outcome"]).all()
    assert recorded.sum() < both["outcome"].sum()


def test_units_split_off_later_have_no_past(city: City) -> None:
    split = city.tables["crosswalk"].query("kind == 'split'")
    new = set(split.loc[split["old_code"] != split["new_code"], "new_code"])
    history = city.tables["election_history"]
    assert new
    assert set(city.tables["units"]["unit_code"]) - set(history["unit_code"]) == new
    assert isinstance(history, pd.DataFrame)
    assert np.isin(history["term"], [2018, 2021]).all()
