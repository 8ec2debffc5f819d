import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import Framework, load_parameters
from huanjie_lib.risk.scoring import Weights, points_lost, score, severity, value_function, weights
from huanjie_lib.vocabulary import UnitKind

FRAMEWORK = load_parameters().framework
IDS = [i.id for i in FRAMEWORK.indicators]


def only_villages(framework: Framework, indicator: str) -> Framework:
    """The framework with one indicator that communities do not have."""
    dimensions = tuple(
        d.model_copy(
            update={
                "indicators": tuple(
                    i.model_copy(update={"applies_to": (UnitKind.VILLAGE,)}) if i.id == indicator else i
                    for i in d.indicators
                )
            }
        )
        for d in framework.dimensions
    )
    return framework.model_copy(update={"dimensions": dimensions})


def test_value_function_is_flat_beyond_its_end_points_and_keeps_gaps() -> None:
    points = [(10.0, 1.0), (20.0, 0.25), (30.0, 0.0)]
    found = value_function([-5, 10, 15, 20, 25, 30, 99, np.nan], points)
    np.testing.assert_allclose(found, [1, 1, 0.625, 0.25, 0.125, 0, 0, np.nan])


def test_severity_refuses_a_matrix_of_another_width() -> None:
    with pytest.raises(ValueError, match=r"\(n, 34\), found \(2, 3\)"):
        severity(np.zeros((2, 3)), FRAMEWORK.indicators)


def test_weights_of_each_kind_sum_to_one_where_an_indicator_does_not_apply() -> None:
    framework = only_villages(FRAMEWORK, "debt_ratio")
    for kind in UnitKind:
        assert weights(framework, kind).total.sum() == pytest.approx(1, abs=1e-12)
    community = weights(framework, UnitKind.COMMUNITY)
    assert community.within[IDS.index("debt_ratio")] == 0
    assert community.within[IDS.index("audit_items_incomplete")] == pytest.approx(0.25 / 0.85)


def test_an_indicator_that_does_not_apply_costs_no_points_and_opens_no_interval() -> None:
    values = pd.DataFrame(0.0, index=["v", "c"], columns=IDS)
    values["debt_ratio"] = np.nan
    kinds = pd.Series(["village", "community"], index=["v", "c"])
    scores = score(values, kinds, only_villages(FRAMEWORK, "debt_ratio"))
    assert np.isnan(scores.points.loc["c", "debt_ratio"])
    assert scores.points.loc["v", "debt_ratio"] == pytest.approx(100 * 0.2 * 0.15 * 0.5)
    assert scores.index_low["c"] == scores.index_high["c"]
    assert scores.index_low["v"] < scores.index_high["v"]


def test_power_mean_never_loses_fewer_points_than_the_plain_mean() -> None:
    within = np.array([0.2, 0.3, 0.5])
    plain = Weights(within, np.zeros(3, dtype=np.intp), np.array([1.0]), np.array([1.0]))
    strict = Weights(within, np.zeros(3, dtype=np.intp), np.array([1.0]), np.array([4.0]))
    severities = np.random.default_rng(0).random((50, 3))
    assert (points_lost(severities, strict).sum(axis=1) >= points_lost(severities, plain).sum(axis=1)).all()
    equal = np.full((1, 3), 0.37)
    np.testing.assert_allclose(points_lost(equal, strict), points_lost(equal, plain))
    np.testing.assert_array_equal(points_lost(np.zeros((1, 3)), strict), np.zeros((1, 3)))


def test_missing_takes_the_declared_severity_and_both_ends() -> None:
    values = pd.DataFrame(np.nan, index=["v"], columns=IDS)
    scores = score(values, pd.Series(["village"], index=["v"]), FRAMEWORK)
    assert (scores.index_low["v"], scores.index_high["v"]) == (0.0, 100.0)
    assumed = sum(
        100 * d.weight * i.weight * i.missing.assumed for d in FRAMEWORK.dimensions for i in d.indicators
    )
    assert scores.index["v"] == pytest.approx(100 - assumed)


def test_unknown_kind_is_refused() -> None:
    values = pd.DataFrame(0.0, index=["v"], columns=IDS)
    with pytest.raises(ValueError, match="unknown unit kinds: \\['hamlet'\\]"):
        score(values, pd.Series(["hamlet"], index=["v"]), FRAMEWORK)


def test_dimensions_add_up_to_the_points() -> None:
    values = pd.DataFrame(1.0, index=["v", "w"], columns=IDS)
    scores = score(values, pd.Series("village", index=["v", "w"]), FRAMEWORK)
    dimensions = scores.dimensions(FRAMEWORK)
    assert list(dimensions.columns) == [d.id for d in FRAMEWORK.dimensions]
    np.testing.assert_allclose(dimensions.sum(axis=1), 100 - scores.index)


def test_an_indicator_of_weight_zero_is_observed_and_costs_nothing() -> None:
    dimension = FRAMEWORK.dimensions[0]
    shifted = tuple(
        i.model_copy(update={"weight": w})
        for i, w in zip(dimension.indicators, (0.0, 0.45, 0.2, 0.2, 0.15), strict=True)
    )
    framework = FRAMEWORK.model_copy(
        update={
            "dimensions": (dimension.model_copy(update={"indicators": shifted}), *FRAMEWORK.dimensions[1:])
        }
    )
    values = pd.DataFrame(1.0, index=["v"], columns=IDS)
    scores = score(values, pd.Series(["village"], index=["v"]), framework)
    assert scores.severity.loc["v", IDS[0]] == 1.0
    assert scores.points.loc["v", IDS[0]] == 0.0
