"""Impact ratios and the make-up of ranked lists; published cases stand in tests/oracles/test_fairness.py."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from huanjie_lib.talent import parity
from huanjie_lib.talent.parity import (
    adjusted_minimums,
    audit_lists,
    fail_probability,
    fair_minimums,
    impact_ratios,
    infeasible_index,
    label_of,
    ndkl,
    parity_gaps,
    skew,
)


def counted(**groups: tuple[int, int]) -> tuple[pd.Series, pd.DataFrame]:
    """Return who was chosen and their groups, from numbers chosen and in all."""
    chosen, member = [], []
    for name, (hits, total) in groups.items():
        chosen += [True] * hits + [False] * (total - hits)
        member += [name] * total
    return pd.Series(chosen), pd.DataFrame({"band": member})


def test_exactly_four_fifths_is_not_flagged_and_one_less_is() -> None:
    exact = impact_ratios(*counted(a=(60, 100), b=(48, 100))).groups
    less = impact_ratios(*counted(a=(60, 100), b=(47, 100))).groups
    assert exact["flagged"].tolist() == [False, False]
    assert less["flagged"].tolist() == [False, True]
    # in floating point three of five over three of four lies below four fifths
    assert (3 / 5) / (3 / 4) < 0.8
    assert not impact_ratios(*counted(a=(30, 40), b=(30, 50))).groups["flagged"].any()
    assert not impact_ratios(*counted(a=(3, 4), b=(3, 5)), least=1).groups["flagged"].any()


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_flags_agree_with_fractions(n: int, m: int, data: st.DataObject) -> None:
    from fractions import Fraction

    h, k = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    groups = impact_ratios(*counted(a=(h, n), b=(k, m)), least=1).groups.set_index("value")
    rates = {"a": Fraction(h, n), "b": Fraction(k, m)}
    best = max(rates.values())
    for name, rate in rates.items():
        assert groups.loc[name, "flagged"] == (best > 0 and rate / best < Fraction(4, 5))


def test_intervals_are_katz() -> None:
    groups = impact_ratios(*counted(a=(48, 120), b=(20, 80))).groups.set_index("value")
    spread = np.sqrt(1 / 20 - 1 / 80 + 1 / 48 - 1 / 120)
    for name, sign in (("low", -1), ("high", 1)):
        expected = 0.625 * np.exp(sign * stats.norm.ppf(0.975) * spread)
        assert groups.loc["b", name] == pytest.approx(expected)
    assert np.isnan(groups.loc["a", "low"])


def test_intervals_hold_the_true_ratio_as_often_as_said() -> None:
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        a, b = rng.binomial(300, 0.4), rng.binomial(200, 0.3)
        row = impact_ratios(*counted(a=(a, 300), b=(b, 200))).groups.set_index("value").loc["b"]
        held.append(row["low"] <= 0.75 <= row["high"] if row["ratio"] < 1 else True)
    assert np.mean(held) > 0.93


def test_small_groups_and_unknown_values_are_told_and_not_compared() -> None:
    chosen, groups = counted(a=(6, 10), b=(0, 4), c=(3, 10))
    groups.loc[0, "band"] = None
    impact = impact_ratios(chosen, groups)
    rows = impact.groups.set_index("value")
    assert np.isnan(rows.loc["b", "ratio"])
    assert not rows.loc["b", "flagged"]
    assert impact.unknown == {"band": 1}
    assert "1人没有填报" in impact.explain("band")
    assert repr(impact) == "Impact(attributes=1, groups=3, flagged=1)"
    alone = impact_ratios(*counted(a=(6, 10)))
    assert "人数太少，不能比较" in alone.explain("band")
    with pytest.raises(KeyError):
        impact.explain("sex")


def test_nobody_chosen_has_no_ratio_and_none_of_one_group_is_flagged_without_interval() -> None:
    none = impact_ratios(*counted(a=(0, 10), b=(0, 10))).groups
    assert none["ratio"].isna().all()
    assert not none["flagged"].any()
    impact = impact_ratios(*counted(a=(5, 10), b=(0, 10)))
    assert impact.groups["flagged"].tolist() == [False, True]
    assert "只有最高一组的0.0%，不足五分之四，请查明原因" in impact.explain("band")


def test_what_is_below_four_fifths_is_not_told_as_eighty_percent() -> None:
    below = impact_ratios(*counted(a=(1000, 1000), b=(7999, 10_000)))
    assert "b的入选率只有最高一组的79.9%，不足五分之四" in below.explain("band")
    least = impact_ratios(*counted(a=(10, 10), b=(8, 10)))
    assert "各组入选率都不低于最高一组的五分之四" in least.explain("band")


def test_people_stand_once_and_choice_is_known() -> None:
    chosen, groups = counted(a=(5, 10))
    with pytest.raises(ValueError, match="once"):
        impact_ratios(pd.concat([chosen, chosen]), groups)
    with pytest.raises(ValueError, match="known of everyone"):
        impact_ratios(chosen.astype("boolean").mask(chosen), groups)


def test_gaps_need_both_groups_of_an_outcome() -> None:
    gaps = parity_gaps([1, 0, 1], ["a", "b", "b"], [1, 1, 0])
    assert gaps["equal_opportunity_difference"] == 1.0
    assert np.isnan(gaps["equalized_odds_difference"])
    assert np.isnan(parity_gaps([0, 0], ["a", "b"])["demographic_parity_ratio"])


@pytest.mark.parametrize(("k", "share", "alpha"), [(7, 0.3, 0.1), (9, 0.5, 0.2), (6, 0.7, 0.05)])
def test_the_chance_to_fail_is_that_of_all_lists_counted(k: int, share: float, alpha: float) -> None:
    minimums = fair_minimums(k, share, alpha)
    chance = 0.0
    for places in itertools.product([0, 1], repeat=k):
        if (np.cumsum(places) < minimums).any():
            chance += share ** sum(places) * (1 - share) ** (k - sum(places))
    assert fail_probability(minimums, share) == pytest.approx(chance, abs=1e-12)


@given(st.integers(1, 25), st.floats(0.05, 0.95), st.floats(0.02, 0.3))
def test_adjusting_only_lowers_minimums_and_comes_no_further_from_alpha(
    k: int, share: float, alpha: float
) -> None:
    plain, adjusted = fair_minimums(k, share, alpha), adjusted_minimums(k, share, alpha)
    assert (adjusted <= plain).all()
    assert (np.diff(adjusted) >= 0).all()
    gap = abs(fail_probability(adjusted, share) - alpha)
    assert gap <= abs(fail_probability(plain, share) - alpha) + 1e-12


@pytest.mark.parametrize("arguments", [(0, 0.5, 0.1), (5, 1.0, 0.1), (5, 0.5, 0.0)])
def test_minimums_need_a_place_a_share_and_a_level(arguments: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fair_minimums(*arguments)


def test_a_ranking_like_its_target_is_even_and_one_without_a_group_is_endlessly_skewed() -> None:
    target = {"m": 0.5, "f": 0.5}
    assert skew(["m", "f", "m", "f"], target, k=4) == {"m": 0.0, "f": 0.0}
    assert ndkl(["f"] * 4, target) == pytest.approx(np.log(2))
    assert infeasible_index(["m", "f"] * 50, {"m": 0.29, "f": 0.71}) > 0
    # 0.29 · 100 is 28.999… in binary: a list with 29 among 100 keeps the floor
    assert (
        infeasible_index(["m"] * 28 + ["f"] * 71 + ["m"], {"m": 0.29, "f": 0.71})
        == infeasible_index(["m"] * 28 + ["f"] * 71 + ["f"], {"m": 0.29, "f": 0.71}) - 1
    )
    with pytest.raises(ValueError, match="no share"):
        skew(["x"], target, k=1)


def drawn_lists(
    seed: int, *, women: float, posts: int = 40, k: int = 10
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return lists whose places fall to women with a chance, from a pool of which a third are women."""
    rng = np.random.default_rng(seed)
    protected = pd.DataFrame({"sex": ["2"] * 1000 + ["1"] * 2000}, index=[f"P{n}" for n in range(3000)])
    female = rng.random((posts, k)) < women
    who = np.where(female, rng.integers(0, 1000, (posts, k)), rng.integers(1000, 3000, (posts, k)))
    rank = np.tile(np.arange(1, k + 1), posts)
    frame = pd.DataFrame({"unit_code": "v", "post": np.repeat(np.arange(posts), k), "rank": rank})
    return frame.assign(person_ref=[f"P{n}" for n in who.ravel()]), protected


def test_lists_short_of_women_are_flagged_and_random_ones_are_not() -> None:
    short, protected = drawn_lists(1, women=0.08)
    audit = audit_lists(short.iloc[::-1], protected, list(protected.index))
    rows = audit.groups.set_index("value")
    assert rows["flagged"].to_dict() == {"1": False, "2": True}
    assert rows.loc["2", "share"] == pytest.approx(1 / 3)
    assert rows.loc["2", "failing"] > 15
    assert "女占人才库33%" in audit.explain("sex")
    flags = [
        audit_lists(*drawn_lists(seed, women=1 / 3), list(protected.index)).groups["flagged"].any()
        for seed in range(40)
    ]
    assert np.mean(flags) <= 0.05
    with pytest.raises(KeyError):
        audit.explain("age")


def test_lists_of_different_lengths_are_held_to_their_own_minimums() -> None:
    short, protected = drawn_lists(2, women=1 / 3, posts=6)
    cut = short[(short["post"] % 2 == 0) | (short["rank"] <= 3)]
    row = audit_lists(cut, protected, list(protected.index)).groups.set_index("value").loc["2"]
    chances = [fail_probability(adjusted_minimums(k, 1 / 3, 0.1), 1 / 3) for k in (10, 3)]
    assert row["expected"] == pytest.approx(np.mean(chances))
    assert repr(audit_lists(cut, protected, list(protected.index))) == "RankedLists(groups=2, flagged=0)"


def test_labels_are_those_of_the_contracts() -> None:
    assert label_of("birth_year") == "出生年份"
    assert label_of("is_minority", False) == "非少数民族"
    assert label_of("is_minority", "True") == "少数民族"
    assert parity.LEAST == 5
