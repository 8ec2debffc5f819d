"""Ranks within periods, models of ranks, and chances that mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.risk.calibration import (
    LOCAL,
    MODELS,
    EqualWeights,
    forecast,
    locality_means,
    model_pipelines,
    within_period_ranks,
)
from huanjie_lib.risk.verification import calibration_error

numbers = st.lists(st.one_of(st.integers(-5, 5).map(float), st.just(np.nan)), min_size=1, max_size=30)


@given(numbers)
def test_ranks_depend_on_order_alone_and_gaps_stay_gaps(values: list[float]) -> None:
    table = pd.DataFrame({"x": values})
    ranks = within_period_ranks(table, ["p"] * len(values))["x"]
    stretched = within_period_ranks(np.exp(table), ["p"] * len(values))["x"]
    pd.testing.assert_series_equal(ranks, stretched)
    assert (ranks.isna() == table["x"].isna()).all()
    known = ranks.dropna()
    assert ((known > 0) & (known < 1)).all()
    assert known.empty or known.mean() == pytest.approx(0.5)


def test_ties_share_their_rank_and_a_constant_tells_nothing() -> None:
    table = pd.DataFrame({"tied": [2.0, 1.0, 2.0, 3.0], "same": 7.0})
    ranks = within_period_ranks(table, [1] * 4)
    assert ranks["tied"].tolist() == [0.5, 0.125, 0.5, 0.875]
    assert ranks["same"].tolist() == [0.5] * 4


def test_a_new_period_does_not_move_the_ranks_of_another() -> None:
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 900.0, 800.0]})
    ranks = within_period_ranks(table, [1, 1, 1, 2, 2])["x"]
    assert ranks.iloc[:3].tolist() == within_period_ranks(table.iloc[:3], [1, 1, 1])["x"].tolist()


def test_localities_are_kept_apart_by_period() -> None:
    ranks = pd.DataFrame({"x": [0.1, 0.3, 0.9, np.nan]})
    found = locality_means(ranks, [1, 1, 2, 2], ["a", "a", "a", "b"])[f"x{LOCAL}"]
    assert found.iloc[:3].tolist() == [0.2, 0.2, 0.9]
    assert np.isnan(found.iloc[3])


def test_equal_weights_learn_signs_from_the_rows_they_are_fitted_on() -> None:
    train = pd.DataFrame({"up": [0.1, 0.2, 0.8, 0.9], "down": [0.9, 0.8, 0.2, 0.1], "same": 0.5})
    fitted = EqualWeights().fit(train, [0, 0, 1, 1])
    assert fitted.signs_.tolist() == [1, -1, 0]
    assert fitted.transform(train).ravel().tolist() == pytest.approx([0.1, 0.2, 0.8, 0.9])
    blind = EqualWeights().fit(train[["same"]], [0, 0, 1, 1])
    assert blind.transform(train[["same"]]).ravel().tolist() == [0.5] * 4


def test_a_missing_rank_counts_as_the_worst_in_equal_weights() -> None:
    table = pd.DataFrame({"x": [np.nan, 0.2], "y": [0.5, 0.5]})
    found = EqualWeights({"x": -1, "y": 1}).fit(table, [0, 1]).transform(table).ravel()
    assert found.tolist() == [0.75, 0.65]


def world(units: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    regions = np.arange(units) % 12
    x = rng.random((units, 2))
    chance = 1 / (1 + np.exp(2.2 - 2.5 * x[:, 0] + 0.6 * np.sin(regions)))
    table = pd.DataFrame(x, columns=["x", "noise"])
    return table.join(locality_means(table, ["p"] * units, regions)), rng.random(units) < chance, regions


@pytest.mark.parametrize("name", ["equal_weights", "logistic", "boosting"])
def test_chances_mean_what_they_say_in_regions_not_seen(name: str) -> None:
    table, happened, regions = world(4800, seed=5)
    seen = regions < 8
    model = model_pipelines(["x", "noise"], seed=1)[name]
    chance = forecast(name, model, table[seen], happened[seen], regions[seen], table[~seen])
    assert calibration_error(happened[~seen], chance) < 0.05


def test_boosting_is_monotone_in_a_declared_direction() -> None:
    table, happened, regions = world(2400, seed=6)
    model = model_pipelines(["x", "noise"], directions={"x": 1, "noise": -1}, seed=1)["boosting"]
    asked = pd.DataFrame({"x": np.linspace(0, 1, 50), "noise": 0.4}).assign(
        **{f"x{LOCAL}": 0.5, f"noise{LOCAL}": 0.5}
    )
    chance = forecast("boosting", model, table, happened, regions, asked)
    assert (np.diff(chance) >= 0).all()
    assert chance[-1] > chance[0]


def test_too_few_regions_to_calibrate_leave_the_model_as_fitted() -> None:
    table, happened, _ = world(600, seed=7)
    model = model_pipelines(["x", "noise"], seed=1)["logistic"]
    found = forecast("logistic", model, table, happened, np.arange(600) % 2, table)
    assert found.tolist() == model.fit(table, happened).predict_proba(table)[:, 1].tolist()


def test_outcomes_that_do_not_vary_teach_nothing() -> None:
    table, _, regions = world(60, seed=8)
    with pytest.raises(ValueError, match="equal"):
        forecast("logistic", model_pipelines(["x"], seed=1)["logistic"], table, np.zeros(60), regions, table)


def test_gaps_are_taken_as_gaps_by_every_model() -> None:
    table, happened, regions = world(1200, seed=9)
    holes = table.mask(np.random.default_rng(1).random(table.shape) < 0.2)
    models = model_pipelines(["x", "noise"], last_value="x", index="noise", seed=1)
    assert list(models) == [m for m in MODELS if m in models] == list(MODELS)
    for name, model in models.items():
        chance = forecast(name, model, holes, happened, regions, holes)
        assert np.isfinite(chance).all()
