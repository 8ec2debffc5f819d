"""How sure a colour is: limits that follow from the definition, and distributions with a closed form."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from huanjie_lib.parameters import Framework, UncertaintyAssumptions, load_parameters
from huanjie_lib.risk import uncertainty
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.scoring import score
from huanjie_lib.risk.uncertainty import Uncertainty, simulate, weight_draws

PACK = load_parameters()
FRAMEWORK, CUTS = PACK.framework, PACK.classification
IDS = [i.id for i in FRAMEWORK.indicators]
CHANCES = ["p_red", "p_yellow", "p_green"]
CERTAIN: dict[str, Any] = {"weight_concentration": None, "reference_shift": 0.0, "data_error": 0.0}


def with_powers(framework: Framework, power: float) -> Framework:
    first, *rest = framework.dimensions
    return framework.model_copy(update={"dimensions": (first.model_copy(update={"power": power}), *rest)})


STRICT = with_powers(FRAMEWORK, 3.0)


def city(n: int = 520, *, gaps: float = 0.1, seed: int = 5) -> tuple[pd.DataFrame, pd.Series]:
    """Units with values between their reference points, more tiles than one, both kinds."""
    rng = np.random.default_rng(seed)
    bad = rng.beta(2, 4, (n, 1))
    columns = {}
    for indicator in FRAMEWORK.indicators:
        x, s = np.array(sorted(indicator.reference_points, key=lambda p: p[1])).T
        columns[indicator.id] = np.interp(np.clip(bad[:, 0] + rng.normal(0, 0.2, n), 0, 1), s, x)
    codes = [f"9901{i:08d}" for i in range(n)]
    table = pd.DataFrame(columns, index=codes).mask(rng.random((n, len(IDS))) < gaps)
    return table, pd.Series(np.where(rng.random(n) < 0.3, "community", "village"), index=codes)


def run(
    table: pd.DataFrame, kinds: pd.Series, framework: Framework = FRAMEWORK, **settings: Any
) -> Uncertainty:
    """Simulate 100 draws; settings named as a doubt go into the assumptions."""
    doubts = {k: settings.pop(k) for k in list(settings) if k in UncertaintyAssumptions.model_fields}
    assumptions = UncertaintyAssumptions(**{"draws": 100, **doubts})
    return simulate(table, kinds, framework, CUTS, assumptions=assumptions, **{"rng": 3, **settings})


EVERYTHING = {"weight_concentration": 60.0, "reference_shift": 0.08, "data_error": 0.05}


@pytest.mark.parametrize("framework", [FRAMEWORK, STRICT], ids=["additive", "power"])
@pytest.mark.parametrize("settings", [{}, CERTAIN, EVERYTHING], ids=["weights", "data", "all"])
def test_chances_sum_to_one_and_moments_and_ranks_are_possible(
    framework: Framework, settings: dict[str, Any]
) -> None:
    table, kinds = city()
    found = run(table, kinds, framework, **settings).to_frame()
    assert (found[CHANCES].sum(axis=1) - 1).abs().max() < 1e-12
    assert found[CHANCES].min().min() >= 0
    assert found["index_mean"].between(0, 100).all()
    assert (found["index_sd"] >= 0).all()
    assert (found["rank_low"] <= found["rank_high"]).all()
    assert found["rank_low"].min() >= 1
    assert found["rank_high"].max() <= len(table)


@pytest.mark.parametrize("framework", [FRAMEWORK, STRICT], ids=["additive", "power"])
def test_without_any_doubt_the_point_classification_comes_back(framework: Framework) -> None:
    table, kinds = city(gaps=0.0)
    index = score(table, kinds, framework).index
    found = run(table, kinds, framework, draws=20, **CERTAIN).to_frame()
    assert set(found[CHANCES].to_numpy().ravel()) == {0.0, 1.0}
    assert found["most_likely"].tolist() == classify(index, CUTS).tolist()
    np.testing.assert_allclose(found["index_mean"], index, atol=1e-9)
    assert (found["index_sd"] == 0).all()
    assert not found["contested"].any()


def test_hysteresis_is_that_of_the_classification() -> None:
    table, kinds = city(n=900, gaps=0.0)
    index = score(table, kinds, FRAMEWORK).index
    previous = pd.Series(np.resize(["green", "yellow", "red", "unknown"], 900), index=index.index).iloc[:-5]
    cuts = CUTS.model_copy(update={"improve_margin": 3.0, "worsen_margin": 4.0})
    wanted = classify(index, cuts, previous=previous)
    sure = UncertaintyAssumptions(draws=2, **CERTAIN)
    found = simulate(table, kinds, FRAMEWORK, cuts, rng=1, assumptions=sure, previous=previous)
    assert (wanted != classify(index, cuts)).sum() > 50
    assert found.units["most_likely"].tolist() == wanted.tolist()


@pytest.mark.parametrize("framework", [FRAMEWORK, STRICT], ids=["additive", "power"])
def test_an_interval_within_one_colour_is_certain_and_one_across_is_not(framework: Framework) -> None:
    table, kinds = city(n=1500, gaps=0.15)
    scores = score(table, kinds, framework)
    low, high = classify(scores.index_low, CUTS), classify(scores.index_high, CUTS)
    found = run(table, kinds, framework, draws=100, **CERTAIN).to_frame()
    inside = low == high
    assert 20 < inside.sum() < 1480
    likely = found[CHANCES].to_numpy()[np.arange(len(found)), low.map({"red": 0, "yellow": 1, "green": 2})]
    assert (likely[inside] == 1.0).all()
    assert (found.loc[~inside, CHANCES].max(axis=1) < 1.0).any()
    assert found["index_mean"].between(scores.index_low - 1e-9, scores.index_high + 1e-9).all()


@pytest.mark.parametrize("concentration", [None, 1e9])
def test_a_missing_value_takes_its_whole_range(concentration: float | None) -> None:
    """One missing value: the index is uniform between its bounds, so chance and spread are known."""
    table = pd.DataFrame(0.0, index=[f"u{i}" for i in range(40)], columns=IDS)
    heaviest = max(FRAMEWORK.indicators, key=lambda i: i.weight * FRAMEWORK.dimension_of(i.id).weight)
    table[heaviest.id] = np.nan
    weight = 100 * heaviest.weight * FRAMEWORK.dimension_of(heaviest.id).weight
    cuts = CUTS.model_copy(update={"green_from": 100 - 0.25 * weight, "yellow_from": 100 - 0.6 * weight})
    kinds = pd.Series("village", index=table.index)
    found = simulate(
        table,
        kinds,
        FRAMEWORK,
        cuts,
        rng=2,
        assumptions=UncertaintyAssumptions(draws=4000, weight_concentration=concentration),
        scale="severities",
        ranks=False,
    ).to_frame()
    limit = 4.5 * np.sqrt(0.25 / 4000)
    np.testing.assert_allclose(found["p_green"], 0.25, atol=limit)
    np.testing.assert_allclose(found["p_red"], 0.40, atol=limit)
    np.testing.assert_allclose(found["index_mean"], 100 - weight / 2, atol=weight * limit)
    np.testing.assert_allclose(found["index_sd"], weight / np.sqrt(12), rtol=0.05)


def test_more_missing_is_wider() -> None:
    table, kinds = city(n=30, gaps=0.0)
    spreads = []
    for count in (0, 3, 8, 15, 25):
        less = table.copy()
        less.iloc[:, :count] = np.nan
        spreads.append(run(less, kinds, draws=500, **CERTAIN).units["index_sd"])
    for narrow, wide in itertools.pairwise(spreads):
        assert (wide > narrow).all()


def test_weights_follow_their_dirichlet_distribution() -> None:
    across, within = weight_draws(FRAMEWORK, concentration=80, draws=3000, rng=np.random.default_rng(0))
    for drawn, adopted in (
        (across, [d.weight for d in FRAMEWORK.dimensions]),
        (within, [i.weight for i in FRAMEWORK.indicators]),
    ):
        for column, w in zip(drawn.T, adopted, strict=True):
            if 0 < w < 1:
                assert stats.kstest(column, stats.beta(80 * w, 80 * (1 - w)).cdf).pvalue > 1e-4
    starts = np.cumsum([0, *(len(d.indicators) for d in FRAMEWORK.dimensions)])[:-1]
    np.testing.assert_allclose(np.add.reduceat(within, starts, axis=1), 1.0)


def test_chances_under_uncertain_weights_have_a_closed_form() -> None:
    """Everything lost in one dimension and nothing elsewhere: index = 100 (1 − W_d), W_d ~ Beta."""
    dimension = FRAMEWORK.dimensions[0]
    table = pd.DataFrame(0.0, index=["a"], columns=IDS)
    table[[i.id for i in dimension.indicators]] = 1.0
    kinds = pd.Series("village", index=["a"])
    found = run(
        table, kinds, rng=9, draws=20_000, scale="severities", weight_concentration=50, ranks=False
    ).units.loc["a"]
    beta = stats.beta(50 * dimension.weight, 50 * (1 - dimension.weight))
    assert found["p_green"] == pytest.approx(beta.cdf(0.2), abs=0.015)
    assert found["p_red"] == pytest.approx(beta.sf(0.4), abs=0.01)
    assert found["index_mean"] == pytest.approx(100 * (1 - dimension.weight), abs=0.2)
    assert found["index_sd"] == pytest.approx(100 * beta.std(), rel=0.03)


def test_surer_weights_spread_less() -> None:
    table, kinds = city(n=50, gaps=0.0)
    spread = [run(table, kinds, weight_concentration=c).units["index_sd"] for c in (20.0, 200.0, 2000.0)]
    assert (spread[0] > spread[1]).all()
    assert (spread[1] > spread[2]).all()


def test_moved_reference_points_keep_the_index_between_the_moved_bounds() -> None:
    """Severities of the moved path equal the value function on moved points."""
    table, kinds = city(n=60, gaps=0.0)
    still = run(table, kinds, weight_concentration=None, reference_shift=1e-9).units
    index = score(table, kinds, FRAMEWORK).index
    np.testing.assert_allclose(still["index_mean"], index, atol=2e-4)
    assert (still["index_sd"] < 1e-4).all()
    moved = run(table, kinds, weight_concentration=None, reference_shift=0.1).units
    assert (moved["index_sd"] > 0.1).mean() > 0.9


def test_none_found_stays_none_when_reference_points_move() -> None:
    """Where the least severe value is 0, moving the points never takes points off a unit with 0."""
    natural = [i for i in FRAMEWORK.indicators if min(i.reference_points, key=lambda p: p[1])[0] == 0]
    best = {i.id: min(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators}
    other = [i for i in FRAMEWORK.indicators if i not in natural]
    assert natural
    assert other
    dimensions = tuple(
        d.model_copy(update={"indicators": kept})
        for d in FRAMEWORK.dimensions
        if (kept := tuple(i for i in d.indicators if i in natural))
    )
    framework = FRAMEWORK.model_copy(update={"dimensions": dimensions})
    table = pd.DataFrame([best], index=["a"])
    kinds = pd.Series("village", index=["a"])
    found = run(table, kinds, framework, weight_concentration=None, reference_shift=0.3)
    assert found.units["index_sd"].tolist() == [0.0]
    assert run(table, kinds, weight_concentration=None, reference_shift=0.3).units["index_sd"].item() > 0


def test_an_error_of_observed_values_spreads_the_index_and_leaves_zero_alone() -> None:
    table, kinds = city(n=40, gaps=0.0)
    found = run(table, kinds, weight_concentration=None, data_error=0.1).units
    assert (found["index_sd"] > 0).all()
    zero = pd.DataFrame(0.0, index=table.index, columns=IDS)
    assert (run(zero, kinds, weight_concentration=None, data_error=0.1).units["index_sd"] == 0).all()


@pytest.mark.parametrize("settings", [{}, CERTAIN, EVERYTHING], ids=["weights", "data", "all"])
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(settings: dict[str, Any]) -> None:
    table, kinds = city()
    first, again = (run(table, kinds, **settings).to_frame() for _ in range(2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not run(table, kinds, **{**settings, "rng": 4}).to_frame().equals(first)
    generators = [np.random.default_rng(8) for _ in range(2)]
    results = [run(table, kinds, **{**settings, "rng": g}).to_frame() for g in generators]
    pd.testing.assert_frame_equal(*results, check_exact=True)


@pytest.mark.parametrize("framework", [FRAMEWORK, STRICT], ids=["additive", "power"])
@pytest.mark.parametrize("settings", [{}, CERTAIN, EVERYTHING], ids=["weights", "data", "all"])
@pytest.mark.parametrize("block", [1, 7, 255])
def test_the_size_of_a_block_does_not_matter(
    framework: Framework, settings: dict[str, Any], block: int
) -> None:
    table, kinds = city(n=200)
    wanted = run(table, kinds, framework, draws=60, **settings).to_frame()
    found = run(table, kinds, framework, draws=60, block=block, **settings).to_frame()
    exact = ["most_likely", "contested", "missing"]
    pd.testing.assert_frame_equal(found[exact], wanted[exact])
    # A draw within rounding of a cut-off, or of the edge of a rank bin, may fall on the other side.
    np.testing.assert_allclose(found[CHANCES], wanted[CHANCES], atol=1 / 60 + 1e-9)
    np.testing.assert_allclose(found[["rank_low", "rank_high"]], wanted[["rank_low", "rank_high"]], atol=2)
    np.testing.assert_allclose(
        found[["index_mean", "index_sd"]], wanted[["index_mean", "index_sd"]], atol=1e-3
    )


def test_severities_and_values_give_the_same() -> None:
    table, kinds = city()
    severities = score(table, kinds, FRAMEWORK).severity
    pd.testing.assert_frame_equal(
        run(table, kinds).to_frame(),
        run(severities, kinds, scale="severities").to_frame(),
        check_exact=True,
    )


def test_ranks_match_ranking_every_draw() -> None:
    """Zero doubt: ranks are those of the index, up to bins of 100/4096 points."""
    table, kinds = city(n=300, gaps=0.0)
    index = score(table, kinds, FRAMEWORK).index
    coarse = -np.floor((100 - index) * 4096 / 100)
    wanted = coarse.rank(method="average")
    found = run(table, kinds, draws=3, **CERTAIN).units
    assert (found["rank_low"] == np.floor(wanted)).all()
    assert (found["rank_high"] == np.ceil(wanted)).all()


def test_ranks_that_16_bits_cannot_hold_are_widened_never_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    table, kinds = city(n=300)
    exact = run(table, kinds).units
    monkeypatch.setattr(uncertainty, "RANK_CODES", 100)  # a step of three ranks
    coarse = run(table, kinds).units
    wider = exact["rank_low"] - coarse["rank_low"], coarse["rank_high"] - exact["rank_high"]
    for by in wider:
        assert by.between(0, 4).all()
        assert (by > 0).any()
    assert coarse["rank_low"].min() >= 1
    assert coarse["rank_high"].max() <= 300


def test_a_unit_without_data_has_no_colour_and_no_rank() -> None:
    table, kinds = city(n=20, gaps=0.0)
    table.iloc[3] = np.nan
    found = run(table, kinds)
    row = found.units.iloc[3]
    assert row["most_likely"] == "unknown"
    assert row[[*CHANCES, "rank_low", "index_mean"]].isna().all()
    assert not row["contested"]
    assert found.units["rank_high"].max() <= 19
    assert found.explain(table.index[3]) == f"{table.index[3]}没有填报任何数据，不能判断颜色，请先报数。"


def test_a_contested_colour_is_said_so_with_what_to_do() -> None:
    table, kinds = city(n=400)
    found = run(table, kinds, as_of=dt.date(2026, 10, 31), version="default@1")
    top = found.units[CHANCES].max(axis=1)
    pd.testing.assert_series_equal(found.units["contested"], top < 0.8, check_names=False)
    contested = found.units.index[found.units["contested"] & (found.units["missing"] > 0)][0]
    gaps = found.units.loc[contested, "missing"]
    assert "颜色有争议" in found.explain(contested)
    assert found.explain(contested).endswith(f"请先补齐{gaps}项缺失数据，再定颜色。")
    sure = found.units.index[top == 1.0][0]
    assert "颜色可靠" in found.explain(sure)
    told = run(table, kinds, **EVERYTHING).explain(sure, name="上云村")
    assert told.startswith("考虑到权重和评分标准可能有出入、填报数可能有误差")
    assert "，上云村在100次测算中" in told
    assert repr(found) == (
        f"Uncertainty(units=400, draws=100, contested={found.units['contested'].sum()}, "
        "as_of=2026-10-31, parameters='default@1')"
    )


def test_the_result_cannot_be_changed_through_its_frame() -> None:
    table, kinds = city(n=5)
    found = run(table, kinds)
    frame = found.to_frame()
    frame["p_red"] = 9.0
    assert (found.units["p_red"] <= 1).all()


def test_the_table_is_left_alone() -> None:
    table, kinds = city(n=30)
    before = table.copy()
    run(table, kinds, **EVERYTHING)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("draws", 0),
        ("weight_concentration", 0.5),
        ("weight_concentration", float("nan")),
        ("reference_shift", -0.1),
        ("data_error", 2.0),
        ("contested_below", 0.0),
    ],
)
def test_a_doubt_out_of_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"1 validation error for UncertaintyAssumptions\n{name}"):
        UncertaintyAssumptions(**{name: value})


@pytest.mark.parametrize("block", [0, 256])
def test_a_block_out_of_range_is_refused(block: int) -> None:
    table, kinds = city(n=3)
    with pytest.raises(ValueError, match=f"block must be from 1 to 255, found {block}"):
        run(table, kinds, block=block)


def test_severities_cannot_be_moved() -> None:
    table, kinds = city(n=3)
    with pytest.raises(ValueError, match="need a table of values"):
        run(table, kinds, scale="severities", reference_shift=0.1)


def test_an_unknown_kind_or_a_lacking_column_is_refused() -> None:
    table, kinds = city(n=3)
    with pytest.raises(ValueError, match="unknown unit kinds"):
        run(table, kinds.replace("village", "hamlet"))
    with pytest.raises(KeyError):
        run(table.drop(columns=IDS[0]), kinds)
