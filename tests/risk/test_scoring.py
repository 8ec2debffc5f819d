import numpy as np
import pandas as pd
import pytest

from huanjie_lib.parameters import Framework, load_parameters
from huanjie_lib.risk.scoring import Weights, index_of, points_lost, score, severity, value_function, weights
from huanjie_lib.risk.value_functions import AT_ONCE
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


def city(n: int, gaps: float, seed: int = 3) -> tuple[pd.DataFrame, pd.Series]:
    """Values around the reference points, of which a share is missing, and kinds."""
    rng = np.random.default_rng(seed)
    low, high = (np.array([i.reference_points[end][0] for i in FRAMEWORK.indicators]) for end in (0, -1))
    values = low + rng.uniform(-0.2, 1.2, (n, len(IDS))) * (high - low)
    values[rng.random(values.shape) < gaps] = np.nan
    codes = pd.Index([f"{code:012d}" for code in range(n)])
    kinds = pd.Series(np.where(rng.random(n) < 0.4, "community", "village"), index=codes)
    return pd.DataFrame(values, index=codes, columns=IDS), kinds


def with_powers(framework: Framework, *powers: float) -> Framework:
    """The framework with the powers of its dimensions taken from a list over and over."""
    dimensions = tuple(
        d.model_copy(update={"power": powers[number % len(powers)]})
        for number, d in enumerate(framework.dimensions)
    )
    return framework.model_copy(update={"dimensions": dimensions})


def by_the_book(
    values: pd.Series, kind: UnitKind, framework: Framework, gap: float | None
) -> dict[str, float]:
    """Points lost by one unit, formula by formula; a gap takes the declared severity, or ``gap``."""
    lost = {}
    for d in framework.dimensions:
        applicable = [i for i in d.indicators if kind in i.applies_to]
        whole = sum(i.weight for i in applicable)
        terms = {}
        for i in applicable:
            x, s = zip(*i.reference_points, strict=True)
            known = not np.isnan(values[i.id])
            taken = np.interp(values[i.id], x, s) if known else i.missing.assumed if gap is None else gap
            terms[i.id] = i.weight / whole * taken**d.power
        mass = sum(terms.values())
        for name, term in terms.items():
            lost[name] = 100 * d.weight * mass ** (1 / d.power) * term / mass if mass else 0.0
    return lost


@pytest.mark.parametrize("powers", [(1.0,), (1.0, 2.5, 20.0)])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("everywhere", [True, False])
def test_scores_are_those_of_the_formulas(powers: tuple[float, ...], gaps: float, everywhere: bool) -> None:
    framework = with_powers(FRAMEWORK if everywhere else only_villages(FRAMEWORK, "debt_ratio"), *powers)
    values, kinds = city(25, gaps)
    scores = score(values, kinds, framework)
    for code, row in values.iterrows():
        kind = UnitKind(kinds[code])
        lost = by_the_book(row, kind, framework, None)
        found = scores.points.loc[code].dropna()
        assert list(found.index) == list(lost)
        np.testing.assert_allclose(found, list(lost.values()), rtol=0, atol=1e-12)
        for series, gap in ((scores.index, None), (scores.index_low, 1.0), (scores.index_high, 0.0)):
            wanted = 100 - sum(by_the_book(row, kind, framework, gap).values())
            assert series[code] == pytest.approx(wanted, rel=0, abs=1e-10)
    complete = (scores.severity.notna() | scores.points.isna()).all(axis=1)
    assert (scores.index_low <= scores.index).all()
    assert (scores.index <= scores.index_high).all()
    assert (scores.index_low == scores.index_high)[complete].all()
    assert complete.all() == (gaps == 0.0)


def test_units_far_apart_do_not_touch_one_another() -> None:
    values, kinds = city(AT_ONCE + 40, 0.0)
    values.iloc[7, 3] = np.nan
    whole = score(values, kinds, FRAMEWORK)
    for part in (slice(0, 5), slice(AT_ONCE - 3, AT_ONCE + 3), slice(AT_ONCE + 39, None)):
        alone = score(values.iloc[part], kinds, FRAMEWORK)
        pd.testing.assert_frame_equal(alone.points, whole.points.iloc[part], check_exact=True)
        pd.testing.assert_series_equal(alone.index, whole.index.iloc[part], check_exact=True)


@pytest.mark.parametrize("layout", ["by unit", "by indicator", "whole numbers", "other order"])
def test_storage_of_the_table_does_not_matter(layout: str) -> None:
    values, kinds = city(50, 0.0)
    values = values.round()
    other = {
        "by unit": pd.DataFrame(np.ascontiguousarray(values), values.index, IDS, copy=False),
        "by indicator": pd.DataFrame(np.asfortranarray(values), values.index, IDS, copy=False),
        "whole numbers": values.astype(dict.fromkeys(IDS[::2], "int64")),
        "other order": values[IDS[::-1]].assign(note="x"),
    }[layout]
    found, wanted = (
        score(other, kinds.sample(frac=1, random_state=1), FRAMEWORK),
        score(values, kinds, FRAMEWORK),
    )
    pd.testing.assert_frame_equal(found.points, wanted.points, check_exact=True)
    pd.testing.assert_frame_equal(found.severity, wanted.severity, check_exact=True)


def test_no_units_have_no_scores() -> None:
    values, kinds = city(0, 0.0)
    scores = score(values, kinds, FRAMEWORK)
    assert scores.points.shape == scores.severity.shape == (0, len(IDS))
    assert scores.to_frame().empty


def test_the_worst_index_is_zero_without_a_sign() -> None:
    worst = [max(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators]
    rounded_up = pd.DataFrame([worst], index=["v"], columns=IDS)
    shares = tuple(np.nextafter(d.weight, 1) for d in FRAMEWORK.dimensions)  # adds up to a little more than 1
    framework = FRAMEWORK.model_copy(
        update={
            "dimensions": tuple(
                d.model_copy(update={"weight": w}) for d, w in zip(FRAMEWORK.dimensions, shares, strict=True)
            )
        }
    )
    index = score(rounded_up, pd.Series(["village"], index=["v"]), framework).index["v"]
    assert f"{index:.1f}" == "0.0"


@pytest.mark.parametrize("powers", [(1.0,), (1.0, 3.0)])
def test_index_of_cached_severities_is_the_index(powers: tuple[float, ...]) -> None:
    framework = with_powers(only_villages(FRAMEWORK, "debt_ratio"), *powers)
    values, kinds = city(200, 0.1)
    scores = score(values, kinds, framework)
    filled = scores.severity.fillna({i.id: i.missing.assumed for i in framework.indicators})
    for kind in UnitKind:
        w, own = weights(framework, kind), (kinds == kind.value).to_numpy()
        found = index_of(filled.to_numpy()[own], w)
        np.testing.assert_allclose(found, scores.index[own], rtol=0, atol=1.01e-10)
        observed = index_of(scores.severity.to_numpy()[own], w)  # debt_ratio is NaN in communities: no matter
        whole = scores.severity.notna().to_numpy()[own][:, w.within > 0].all(axis=1)
        assert 0 < whole.sum() < whole.size
        np.testing.assert_array_equal(np.isnan(observed), ~whole)
        np.testing.assert_allclose(observed[whole], found[whole], rtol=0, atol=1.01e-10)


def test_index_of_refuses_another_width() -> None:
    with pytest.raises(ValueError, match=r"\(n, 34\), found \(2, 3\)"):
        index_of(np.zeros((2, 3)), weights(FRAMEWORK, UnitKind.VILLAGE))


def test_scores_explain_themselves() -> None:
    safe = [min(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators]
    values = pd.DataFrame([safe] * 3, index=["a", "b", "c"], columns=IDS)
    values.loc["b", ["petition_rate", "audit_items_incomplete"]] = [12.0, np.nan]
    values.loc["c"] = np.nan
    scores = score(values, pd.Series("village", index=values.index), FRAMEWORK)
    assert (
        repr(scores) == f"Scores(units=3, index={scores.index['c']:.1f}..100.0, parameters='default@2026.1')"
    )
    assert scores.explain("a") == "a选情指数100.0分，没有扣分。"
    assert scores.explain("b") == (
        "b选情指数92.5分，扣分最多的是：审计事项未完成率缺少数据，扣5.0分；近12个月每千人信访12.0件次，扣2.5分。"
        "有1项数据缺失，补齐后指数在92.5分到97.5分之间。"
    )
    assert scores.explain("c") == "c没有填报任何数据，不能评分，请先报数。"
    with pytest.raises(KeyError):
        scores.explain("d")
    frame = scores.to_frame()
    assert list(frame.columns[:3]) == ["index", "index_low", "index_high"]
    np.testing.assert_allclose(frame.iloc[:, 3:].sum(axis=1), 100 - frame["index"])


def test_weights_explain_themselves() -> None:
    framework = only_villages(FRAMEWORK, "debt_ratio")
    w = weights(framework, UnitKind.COMMUNITY)
    assert w.explain("debt_ratio") == "评社区时，债务率不计分。"
    assert w.explain("audit_items_incomplete").startswith(
        "评社区时，审计事项未完成率占总分的5.9%：财务审计占20.0%"
    )
    frame = w.to_frame()
    assert list(frame.index) == IDS
    assert frame["total"].sum() == pytest.approx(1)
    with pytest.raises(KeyError):
        w.explain("nothing")
    by_hand = Weights(w.within, w.dimension, w.across, w.power)
    assert repr(by_hand) == "Weights(indicators=34, dimensions=7)"
    assert by_hand.to_frame()["within"].tolist() == frame["within"].tolist()
    with pytest.raises(KeyError):
        by_hand.explain("debt_ratio")
