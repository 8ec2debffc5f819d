import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.risk.clusters import ClusterKind, find_clusters, global_moran


def grid(side: int) -> tuple[pd.Index, pd.DataFrame]:
    """Codes of side × side units and their neighbours, corners included."""
    place = np.arange(side * side).reshape(side, side)
    ends = [
        (place[:, :-1], place[:, 1:]),
        (place[:-1], place[1:]),
        (place[:-1, :-1], place[1:, 1:]),
        (place[:-1, 1:], place[1:, :-1]),
    ]
    codes = pd.Index([f"{n:012d}" for n in range(side * side)])
    frame = pd.DataFrame(
        {
            "unit_code": codes[np.concatenate([a.ravel() for a, _ in ends])],
            "neighbour_code": codes[np.concatenate([b.ravel() for _, b in ends])],
        }
    )
    return codes, frame


def exact_p(y: np.ndarray, unit: int, around: list[int]) -> float:
    """Two-sided p over every set of neighbours that the unit could have."""
    others = [n for n in range(len(y)) if n != unit]
    sums = np.array([y[list(c)].sum() for c in itertools.combinations(others, len(around))])
    seen = y[around].sum()
    return min(1.0, 2 * min((sums >= seen).mean(), (sums <= seen).mean()))


def test_p_values_are_those_of_all_possible_neighbours() -> None:
    """Whole numbers with ties, degrees from 1 to all others, on 9 units."""
    y = np.array([0, 0, 1, 3, 3, 8, 2, 0, 9.0])
    links = [(0, n) for n in range(1, 9)] + [(1, 2), (2, 3), (3, 4), (4, 5), (5, 8), (3, 5), (4, 8)]
    codes = [f"v{n}" for n in range(9)]
    pairs = pd.DataFrame([(codes[i], codes[j]) for i, j in links], columns=["unit_code", "neighbour_code"])
    draws = 200_000
    found = find_clusters(pd.Series(y, index=codes), pairs, seed=5, permutations=draws)
    for unit in range(9):
        around = [j if i == unit else i for i, j in links if unit in (i, j)]
        p = exact_p(y, unit, around)
        assert found.units["p"].iloc[unit] == pytest.approx(p, abs=5 * np.sqrt(p / draws) + 2 / draws)
    assert found.units["p"].iloc[0] == 1.0  # all others are its neighbours: there is only one draw


def test_p_values_count_the_observed_arrangement_itself() -> None:
    codes, pairs = grid(8)
    values = pd.Series(np.random.default_rng(1).gamma(2, 10, 64), index=codes)
    for draws in (9, 99):
        p = find_clusters(values, pairs, seed=1, permutations=draws).units["p"].to_numpy()
        steps = p * (draws + 1) / 2
        np.testing.assert_allclose(steps[p < 1], np.round(steps[p < 1]), atol=1e-9)
        assert p.min() >= 2 / (draws + 1)


def test_a_planted_cluster_is_found_and_what_is_unknown_is_said_to_be() -> None:
    codes, pairs = grid(20)
    rng = np.random.default_rng(7)
    lost = pd.Series(rng.normal(20, 3, 400), index=codes)
    inside = [r * 20 + c for r in range(4, 8) for c in range(4, 8)]
    lost.iloc[inside] += 15
    lost.iloc[inside[5]] = 10.0
    island = "990101001999"
    lost[island] = 40.0
    lost["990101001998"] = np.nan
    lost.iloc[[398, 379, 378]] = np.nan  # the last unit of the grid has no neighbour with a value left
    found = find_clusters(lost, pairs, seed=1, as_of=dt.date(2026, 10, 31), version="v1")
    kinds = found.units["kind"]
    core = [r * 20 + c for r in (5, 6) for c in (5, 6) if r * 20 + c != inside[5]]
    assert (kinds.iloc[core] == ClusterKind.HIGH.value).all()
    assert kinds.iloc[inside[5]] == ClusterKind.LOW_OUTLIER.value
    far = [n for n in range(400) if n // 20 > 10 or n % 20 > 10]
    assert (kinds.iloc[far].isin([ClusterKind.NONE.value, ClusterKind.UNKNOWN.value])).mean() > 0.98
    unknown = found.units[kinds == ClusterKind.UNKNOWN.value]["unknown_because"]
    assert unknown[island] == unknown[codes[399]] == "没有数据齐全的相邻村（社区）"
    assert unknown["990101001998"] == unknown[codes[398]] == "没有数据"
    assert len(unknown) == 6
    assert found.units.loc[unknown.index, ["local_i", "p", "q"]].isna().all(axis=None)
    assert found.moran.units == len(lost) - len(unknown)
    assert found.moran.p_random < 1e-6
    assert repr(found) == (
        f"Clusters(units=402, found={int((~kinds.isin(['none', 'unknown'])).sum())}, unknown=6, fdr=0.05, "
        "as_of=2026-10-31, parameters='v1')"
    )


def test_sentences_name_the_neighbours_and_never_call_the_unknown_safe() -> None:
    codes, pairs = grid(12)
    lost = pd.Series(np.random.default_rng(2).normal(20, 2, 144), index=codes)
    lost.iloc[[r * 12 + c for r in range(4) for c in range(4)]] += 20
    lost["x"] = np.nan
    pairs = pairs.assign(link="border")
    pairs.loc[len(pairs)] = [codes[0], codes[3], "nearest"]
    found = find_clusters(lost, pairs, seed=1)
    high = codes[13]
    text = found.explain(high)
    assert found.units.loc[high, "kind"] == "high"
    assert text.startswith(f"{high}扣分{lost[high]:.1f}分，高于平均")
    assert "属于连片高风险" in text
    assert "误报的预期不超过5%" in text
    assert found.neighbours(high) == sorted(codes[[0, 1, 2, 12, 14, 24, 25, 26]])
    assert f"相邻：{'、'.join(found.neighbours(high))}。" in text
    assert "就近认定" not in text
    assert "就近认定" in found.explain(codes[0])
    assert found.explain("x") == "x无法判断：没有数据，不能说明没有连片。没有登记相邻的村（社区）。"
    none = found.units.index[found.units["kind"] == "none"][0]
    assert "未见连片" in found.explain(none)
    for ask in (found.explain, found.neighbours):
        with pytest.raises(KeyError):
            ask("nowhere")
    assert "高的挨着高的" in found.moran.explain()


def test_all_values_equal_tell_nothing() -> None:
    codes, pairs = grid(4)
    found = find_clusters(pd.Series(12.0, index=codes), pairs, seed=1)
    assert (found.units["kind"] == ClusterKind.UNKNOWN.value).all()
    assert (found.units["unknown_because"] == "各村（社区）数值相同").all()
    assert "不能判断" in found.moran.explain()
    assert np.isnan(found.moran.statistic)
    nothing = find_clusters(pd.Series(np.nan, index=codes), pairs, seed=1)
    assert (nothing.units["kind"] == ClusterKind.UNKNOWN.value).all()


def test_a_value_that_equals_the_mean_is_in_no_cluster() -> None:
    codes, pairs = grid(5)
    values = pd.Series(np.tile([0.0, 20.0], 13)[:25], index=codes)
    values.iloc[12], values.iloc[24] = 10.0, 10.0
    values.iloc[0] = 10.0 * 25 - values.iloc[1:].sum()
    found = find_clusters(values, pairs, seed=1)
    assert found.mean == 10.0
    assert found.units.loc[codes[12], ["local_i", "p"]].tolist() == [0.0, 1.0]


def test_order_and_repetition_of_rows_do_not_matter_and_equal_seeds_give_equal_bytes() -> None:
    codes, pairs = grid(9)
    lost = pd.Series(np.random.default_rng(3).gamma(2, 10, 81), index=codes)
    found = find_clusters(lost, pairs, seed=4)
    swapped = pairs.rename(columns={"unit_code": "neighbour_code", "neighbour_code": "unit_code"})
    selves = pd.DataFrame({"unit_code": codes[:3], "neighbour_code": codes[:3]})
    strangers = pd.DataFrame({"unit_code": codes[:1], "neighbour_code": ["elsewhere"]})
    many = pd.concat([swapped.sample(frac=1, random_state=1), pairs, selves, strangers], ignore_index=True)
    again = find_clusters(lost, many, seed=4)
    pd.testing.assert_frame_equal(found.units, again.units)
    pd.testing.assert_frame_equal(found.pairs, again.pairs)
    other = find_clusters(lost, pairs, seed=5).units
    pd.testing.assert_frame_equal(
        found.units[["local_i", "neighbour_mean"]], other[["local_i", "neighbour_mean"]]
    )
    assert (found.units["p"] - other["p"]).abs().max() < 0.01
    turned = find_clusters(lost[::-1], pairs, seed=4).units.loc[codes]
    np.testing.assert_allclose(turned["local_i"], found.units["local_i"], rtol=1e-9)


def test_without_a_pattern_findings_are_as_rare_as_the_level_promises() -> None:
    codes, pairs = grid(15)
    runs = 60
    false = 0
    for seed in range(runs):
        lost = pd.Series(np.random.default_rng(seed).gamma(2, 10, 225), index=codes)
        kinds = find_clusters(lost, pairs, seed=seed, permutations=9_999, fdr=0.1).units["kind"]
        false += bool((kinds != ClusterKind.NONE.value).any())
    assert false <= 0.1 * runs + 3 * np.sqrt(0.1 * 0.9 * runs)


@pytest.mark.parametrize(
    ("lost", "options"),
    [
        (pd.Series([1.0, 2.0], index=["a", "a"]), {}),
        (pd.Series([1.0, np.inf], index=["a", "b"]), {}),
        (pd.Series([1.0, 2.0], index=["a", "b"]), {"permutations": 0}),
        (pd.Series([1.0, 2.0], index=["a", "b"]), {"fdr": 1.0}),
    ],
)
def test_what_cannot_work_is_refused(lost: pd.Series, options: dict[str, float]) -> None:
    pairs = pd.DataFrame({"unit_code": ["a"], "neighbour_code": ["b"]})
    with pytest.raises(ValueError, match=r"twice|finite|permutations"):
        find_clusters(lost, pairs, seed=1, **options)


def test_alternating_values_are_told_apart_from_none() -> None:
    codes = [f"v{n:02d}" for n in range(40)]
    chain = pd.DataFrame({"unit_code": codes[:-1], "neighbour_code": codes[1:]})
    alternating = global_moran(pd.Series(np.tile([0.0, 1.0], 20), index=codes), chain)
    assert "高低相间" in alternating.explain()
    noise = global_moran(pd.Series(np.random.default_rng(1).normal(size=40), index=codes), chain)
    assert "没有明显的连片现象" in noise.explain()


def test_without_any_pair_every_unit_is_unknown() -> None:
    lost = pd.Series([10.0, 20.0, np.nan], index=["a", "b", "c"])
    nobody = pd.DataFrame({"unit_code": [], "neighbour_code": []}, dtype="str")
    found = find_clusters(lost, nobody, seed=1)
    assert (found.units["kind"] == ClusterKind.UNKNOWN.value).all()
    assert found.explain("a") == (
        "a无法判断：没有数据齐全的相邻村（社区），不能说明没有连片。没有登记相邻的村（社区）。"
    )
    assert found.moran.units == 0


def test_areas_are_connected_and_the_largest_comes_first() -> None:
    codes, pairs = grid(20)
    lost = pd.Series(np.random.default_rng(8).normal(20, 2, 400), index=codes)
    blocks = [(range(5), range(5)), (range(12, 19), range(12, 19))]
    for rows, columns in blocks:
        lost.iloc[[r * 20 + c for r in rows for c in columns]] += 25
    found = find_clusters(lost, pairs, seed=1)
    areas = found.areas()
    assert set(areas.index) == set(found.units.index[found.units["kind"] == "high"])
    assert areas[codes[15 * 20 + 15]] == 1
    assert areas[codes[2 * 20 + 2]] == 2
    assert areas.value_counts().loc[[1, 2]].tolist() == [areas.eq(1).sum(), areas.eq(2).sum()]
    assert areas.eq(1).sum() >= areas.eq(2).sum() > 15
    touching = found.pairs[found.pairs["unit_code"].isin(areas.index)]
    touching = touching[touching["neighbour_code"].isin(areas.index)]
    assert (touching["unit_code"].map(areas) == touching["neighbour_code"].map(areas)).all()
    assert find_clusters(lost * 0 + 1, pairs, seed=1).areas().empty
