"""Scores of forecasts: against scikit-learn, against sums written out, and on awkward input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from huanjie_lib.risk import verification as v

forecasts = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8).map(lambda k: k / 8)), min_size=2, max_size=40
).filter(lambda rows: any(y for y, _ in rows) and not all(y for y, _ in rows))


def columns(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([y for y, _ in rows], dtype=float), np.array([p for _, p in rows])


@given(forecasts, st.permutations(range(40)), st.integers(1, 12))
def test_row_order_changes_no_figure(rows: list[tuple[bool, float]], order: list[int], capacity: int) -> None:
    y, p = columns(rows)
    shuffled = [i for i in order if i < len(y)]
    for figure in (v.average_precision, v.roc_auc, v.calibration_error):
        assert figure(y, p) == pytest.approx(figure(y[shuffled], p[shuffled]), abs=1e-12)
    first, second = (v.at_capacity(a, b, [capacity]) for a, b in ((y, p), (y[shuffled], p[shuffled])))
    pd.testing.assert_frame_equal(first, second)


@given(forecasts, st.integers(1, 12))
def test_brier_parts_add_up_whatever_the_bins(rows: list[tuple[bool, float]], bins: int) -> None:
    y, p = columns(rows)
    parts = v.brier_parts(y, p, bins=bins)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(parts.brier, abs=1e-12)
    assert parts.brier == pytest.approx(np.mean((y - p) ** 2), abs=1e-12)


@given(forecasts, st.integers(0, 2**31))
def test_resampled_precision_is_that_of_scikit_learn(rows: list[tuple[bool, float]], seed: int) -> None:
    y, p = columns(rows)
    draws = v.draw_blocks(np.arange(len(y)) % 3, draws=5, seed=seed)
    for draw, found in zip(draws.weights(), v.resampled_precision(y, p, draws), strict=True):
        if (draw * y).sum() == 0:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(average_precision_score(y, p, sample_weight=draw), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(forecasts, st.integers(1, 40))
def test_recall_at_capacity_is_that_of_a_draw_by_lot(rows: list[tuple[bool, float]], capacity: int) -> None:
    y, p = columns(rows)
    rng = np.random.default_rng(7)
    lots = [np.lexsort((rng.random(len(y)), -p))[:capacity] for _ in range(800)]
    expected = np.mean([y[lot].sum() for lot in lots]) / y.sum()
    found = v.at_capacity(y, p, [capacity])["recall"].iloc[0]
    assert found == pytest.approx(expected, abs=0.12)
    by_group = v.group_recall(y, p, np.arange(len(y)) % 4, capacity=capacity)
    assert by_group["caught"].sum() / y.sum() == pytest.approx(found, abs=1e-9)
    assert by_group["inspected"].sum() == pytest.approx(min(capacity, len(y)), abs=1e-9)


def test_every_unit_inspected_finds_every_event() -> None:
    table = v.at_capacity([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5], [4, 9])
    assert table["recall"].tolist() == [1.0, 1.0]
    assert table["precision"].tolist() == [0.5, 0.5]


def test_what_has_no_meaning_is_missing_not_zero() -> None:
    assert np.isnan(v.average_precision([0, 0], [0.1, 0.2]))
    assert np.isnan(v.roc_auc([1, 1], [0.1, 0.2]))
    assert np.isnan(v.at_capacity([0, 0], [0.1, 0.2], [1])["recall"].iloc[0])
    assert np.isnan(v.group_recall([0, 1], [0.1, 0.2], ["a", "b"], capacity=1).loc["a", "recall"])
    assert np.isnan(v.brier_parts([1, 1], [0.5, 0.5]).skill)
    assert np.isnan(v.interval([np.nan])[0])
    assert np.isnan(v.warning_scores(0, 0, 0, 5)["recall"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: v.average_precision([1, 0], [0.5]),
        lambda: v.average_precision([], []),
        lambda: v.roc_auc([1, 2], [0.5, 0.5]),
        lambda: v.roc_auc([1, np.nan], [0.5, 0.5]),
        lambda: v.calibration_error([1, 0], [0.5, 1.5]),
        lambda: v.reliability_table([1, 0], [0.5, 0.5], bins=0),
        lambda: v.at_capacity([1, 0], [0.5, 0.5], [0]),
        lambda: v.net_benefit([1, 0], [0.5, 0.5], [1.0]),
        lambda: v.draw_blocks(["a", None], draws=1, seed=1),
        lambda: v.colour_churn(pd.DataFrame({"unit_code": ["a", "a"], "as_of": 1, "level": "red"})),
    ],
)
def test_what_cannot_be_scored_is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        call()


def test_a_probability_on_an_edge_belongs_to_the_bin_above() -> None:
    table = v.reliability_table([0, 1, 1], [0.1, 0.3, 1.0])
    assert table["low"].tolist() == [0.1, 0.3, 0.9]


def test_blocks_stand_or_fall_together_and_draws_repeat() -> None:
    blocks = np.repeat(["a", "b", "c", "d"], [1, 2, 3, 4])
    weights = v.draw_blocks(blocks, draws=200, seed=3).weights()
    assert (weights == v.draw_blocks(blocks, draws=200, seed=3).weights()).all()
    per_block = np.column_stack([weights[:, blocks == b] for b in "abcd"])
    assert all((weights[:, blocks == b][:, 0] == weights[:, blocks == b].T).all() for b in "abcd")
    assert per_block[:, [0, 1, 3, 6]].sum(axis=1).tolist() == [4] * 200


def test_yellow_between_red_and_green_shows_in_the_rates() -> None:
    levels = ["red"] * 4 + ["yellow"] * 4 + ["green"] * 4 + ["unknown"]
    table = v.level_rates([1, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], levels)
    assert table["rate"].tolist() == [0.75, 0.25, 0.0]
    assert np.isnan(v.level_rates([1.0], ["red"]).loc["green", "rate"])


def snapshots(*levels: str, unit: str = "a") -> pd.DataFrame:
    dates = pd.date_range("2026-01-31", periods=len(levels), freq="ME")
    return pd.DataFrame({"unit_code": unit, "as_of": dates, "level": levels})


def test_churn_counts_only_known_colours_and_sees_what_comes_back() -> None:
    table = v.colour_churn(snapshots("green", "yellow", "green", "unknown", "red"))
    assert table[["units", "changed", "returned"]].to_numpy().tolist() == [
        [1, 1, 0],
        [1, 1, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert np.isnan(table["share"].iloc[-1])


def test_lead_time_runs_from_the_start_of_the_unbroken_warning() -> None:
    history = pd.concat(
        [snapshots("red", "green", "red", "red"), snapshots("red", "red", "green", "green", unit="b")]
    )
    events = pd.DataFrame(
        {
            "unit_code": ["b", "a", "a", "c"],
            "happened_on": pd.to_datetime(["2026-05-01", "2026-05-01", "2026-01-31", "2026-05-01"]),
        }
    )
    found = v.lead_time(history, events)
    # b had turned green; the second event of a fell on the first snapshot, which is no warning before it
    assert found["days"].isna().tolist() == [True, False, True, True]
    assert found["days"].iloc[1] == (pd.Timestamp("2026-05-01") - pd.Timestamp("2026-03-31")).days
