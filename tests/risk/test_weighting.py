"""Proposals of one kind from every method, and what they would change for whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import Framework, load_parameters
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.judgments import group_judgments
from huanjie_lib.risk.scoring import score
from huanjie_lib.risk.weighting import (
    METHODS,
    WeightProposal,
    compare_weights,
    deprivations,
    dimension_weights,
    equal_weights,
    propose,
    propose_combination,
    propose_equal,
    propose_from_data,
    propose_from_judgments,
    weight_table,
)
from huanjie_lib.vocabulary import UnitKind

PARAMETERS = load_parameters()
FRAMEWORK = PARAMETERS.framework
IDS = [i.id for i in FRAMEWORK.indicators]
DIMENSIONS = [d.id for d in FRAMEWORK.dimensions]
LABELS = [d.label for d in FRAMEWORK.dimensions]
WORST = {i.id: max(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators}
BEST = {i.id: min(i.reference_points, key=lambda p: p[1])[0] for i in FRAMEWORK.indicators}


def city(n: int = 300, seed: int = 1) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    low = np.array([i.reference_points[0][0] for i in FRAMEWORK.indicators])
    high = np.array([i.reference_points[-1][0] for i in FRAMEWORK.indicators])
    codes = [f"u{i}" for i in range(n)]
    values = pd.DataFrame(low + rng.random((n, len(IDS))) ** 2 * (high - low), index=codes, columns=IDS)
    return values, pd.Series(np.where(rng.random(n) < 0.3, "community", "village"), index=codes)


def damage(n: int = 300) -> pd.DataFrame:
    values, kinds = city(n)
    return deprivations(score(values, kinds, FRAMEWORK).severity, kinds, FRAMEWORK)


def judged(weights: list[float], *, contradiction: float = 1.0) -> pd.DataFrame:
    """Consistent judgments with these weights, and one of them multiplied."""
    ratio = np.divide.outer(np.array(weights), np.array(weights))
    ratio[0, 1] *= contradiction
    ratio[1, 0] /= contradiction
    return pd.DataFrame(ratio, index=LABELS, columns=LABELS)


def every_proposal() -> list[WeightProposal]:
    group = group_judgments({"专家1": judged([3, 1, 2, 1, 1, 1, 1]), "专家2": judged([1, 1, 2, 1, 3, 1, 1])})
    ahp = propose_from_judgments(FRAMEWORK, group)
    by_data = [propose_from_data(FRAMEWORK, damage(), m) for m in ("entropy", "critic", "sd")]
    mixed = propose_combination(ahp, by_data)
    return [propose_equal(FRAMEWORK), ahp, *by_data, mixed, propose(FRAMEWORK, how="不变")]


@pytest.mark.parametrize("proposal", every_proposal(), ids=lambda p: p.method)
def test_every_method_makes_a_proposal_of_one_kind(proposal: WeightProposal) -> None:
    framework = proposal.framework
    assert sum(d.weight for d in framework.dimensions) == pytest.approx(1, abs=1e-12)
    for d in framework.dimensions:
        assert d.weight >= 0
        assert sum(i.weight for i in d.indicators) == pytest.approx(1, abs=1e-12)
    assert [(i.id, i.reference_points) for i in framework.indicators] == [
        (i.id, i.reference_points) for i in FRAMEWORK.indicators
    ]
    assert proposal.adopted == FRAMEWORK
    assert framework.version == f"{FRAMEWORK.version}+{proposal.method}"
    table = proposal.to_frame()
    assert table["变化（百分点）"].sum() == pytest.approx(0, abs=1e-9)
    assert table["维度"].tolist() == LABELS
    told = proposal.explain()
    assert told.startswith(f"{METHODS[proposal.method]}：")
    assert told.endswith("。")
    assert repr(proposal) == (
        f"WeightProposal({proposal.method!r}, dimensions=7, parameters='default@{framework.version}')"
    )


def test_proposals_are_all_the_methods() -> None:
    assert {p.method for p in every_proposal()} == set(METHODS)


def test_equal_weights_are_equal() -> None:
    proposal = equal_weights(FRAMEWORK)
    assert {d.weight for d in proposal.dimensions} == {1 / 7}
    for d in proposal.dimensions:
        assert {i.weight for i in d.indicators} == {1 / len(d.indicators)}


def test_weights_of_a_group_are_its_geometric_mean() -> None:
    first, second = [4.0, 1, 1, 1, 1, 1, 1], [1.0, 1, 1, 1, 1, 1, 4]
    group = group_judgments({"专家1": judged(first), "专家2": judged(second)})
    found = dimension_weights(propose_from_judgments(FRAMEWORK, group).framework)
    mean = np.sqrt(np.array(first) * second)
    np.testing.assert_allclose(found[DIMENSIONS], mean / mean.sum(), rtol=1e-9)


def test_a_person_who_contradicts_himself_is_told_with_the_three_judgments_to_review() -> None:
    weights = [3.0, 1, 2, 1, 1, 1, 1]
    group = group_judgments({"专家1": judged(weights), "专家2": judged(weights, contradiction=1 / 27)})
    told = propose_from_judgments(FRAMEWORK, group).explain()
    assert "个人判断不够一致：专家2（" in told
    assert f"“{LABELS[0]}”对“{LABELS[1]}”" in told
    assert "个人判断不够一致：专家1" not in told


def test_the_group_must_have_compared_the_frameworks_dimensions() -> None:
    names = ["财务审计", "别的"]
    group = group_judgments({"专家1": pd.DataFrame([[1, 2], [1 / 2, 1]], index=names, columns=names)})
    with pytest.raises(ParameterError, match="维度权重：发现“别的”") as error:
        propose_from_judgments(FRAMEWORK, group)
    assert "选情评估" not in str(error.value)
    assert sum("缺少此项" in f.found for f in error.value.faults) == 6


def test_a_dimension_that_does_not_vary_gets_no_weight_and_a_note() -> None:
    table = damage()
    table[DIMENSIONS[2]] = 0.4
    for method in ("entropy", "critic", "sd"):
        proposal = propose_from_data(FRAMEWORK, table, method)
        assert dimension_weights(proposal.framework)[DIMENSIONS[2]] == 0
        assert f"{LABELS[2]}在各村（社区）之间没有差异，权重为0" in proposal.explain()


def test_units_with_a_gap_are_left_out_and_counted() -> None:
    table = damage(50)
    whole = propose_from_data(FRAMEWORK, table.iloc[3:], "critic")
    table.iloc[:3, 1] = np.nan
    proposal = propose_from_data(FRAMEWORK, table, "critic")
    pd.testing.assert_series_equal(dimension_weights(proposal.framework), dimension_weights(whole.framework))
    assert "按47个村（社区）在各维度上的差异大小定权，有缺失的3个未用" in proposal.explain()


def test_the_combination_is_half_judgment_and_half_data() -> None:
    manual = propose(FRAMEWORK, how="不变")
    data = [propose_from_data(FRAMEWORK, damage(), m) for m in ("entropy", "sd")]
    mixed = propose_combination(manual, data)
    mean = sum(dimension_weights(p.framework) for p in data) / 2
    wanted = (dimension_weights(FRAMEWORK) + mean) / 2
    np.testing.assert_allclose(dimension_weights(mixed.framework), wanted)
    assert mixed.explain().startswith("组合赋权：采用的权重与熵权法、标准差法的平均值各占一半；")
    with pytest.raises(ParameterError, match="0 份"):
        propose_combination(manual, [])


def test_deprivations_without_gaps_are_the_points_lost_over_the_weight() -> None:
    first, *rest = FRAMEWORK.dimensions
    strict = FRAMEWORK.model_copy(update={"dimensions": (first.model_copy(update={"power": 3.0}), *rest)})
    values, kinds = city(60)
    scores = score(values, kinds, strict)
    lost = scores.dimensions(strict)
    found = deprivations(scores.severity, kinds, strict)
    np.testing.assert_allclose(found * 100 * dimension_weights(strict), lost, atol=1e-9)


def test_a_gap_changes_no_deprivation_but_by_its_absence() -> None:
    values, kinds = city(4)
    severity = score(values, kinds, FRAMEWORK).severity
    d = FRAMEWORK.dimensions[0]
    same = severity.copy()
    same.loc["u0", [i.id for i in d.indicators]] = 0.3
    one_gap = same.copy()
    one_gap.loc["u0", d.indicators[0].id] = np.nan
    none = same.copy()
    none.loc["u0", [i.id for i in d.indicators]] = np.nan
    assert deprivations(one_gap, kinds, FRAMEWORK).at["u0", d.id] == pytest.approx(0.3)
    assert deprivations(none, kinds, FRAMEWORK)[d.id].isna().tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({DIMENSIONS[0]: -0.2}, "财务审计|-0.2"),
        ({DIMENSIONS[0]: float("nan")}, "nan"),
        ({DIMENSIONS[0]: 0.9}, "合计为 1"),
        ({"nobody": 0.0}, "已有的维度编号"),
    ],
)
def test_weights_that_are_none_are_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        propose(FRAMEWORK, {**{d.id: d.weight for d in FRAMEWORK.dimensions}, **change}, how="")


def test_a_kind_of_unit_keeps_an_indicator_in_every_dimension() -> None:
    first, *rest = FRAMEWORK.dimensions
    villages = first.indicators[0].model_copy(update={"applies_to": (UnitKind.VILLAGE,)})
    first = first.model_copy(update={"indicators": (villages, *first.indicators[1:])})
    framework = FRAMEWORK.model_copy(update={"dimensions": (first, *rest)})
    within = {i.id: i.weight for i in framework.indicators}
    only = {i.id: float(i.id == villages.id) for i in first.indicators}
    with pytest.raises(ParameterError, match="财务审计中适用于社区的指标权重：发现“0”"):
        propose(framework, indicators={**within, **only}, how="")
    with pytest.raises(ParameterError, match="财务审计的指标权重合计"):
        propose(framework, indicators={**within, villages.id: 0.0}, how="")


def test_weight_table_multiplies_out_to_one() -> None:
    table = weight_table(FRAMEWORK)
    assert table["indicator"].tolist() == IDS
    assert table["total"].sum() == pytest.approx(1)


def test_compare_reports_who_moves() -> None:
    values, kinds = city()
    proposal = propose_equal(FRAMEWORK)
    effect = compare_weights(values, kinds, PARAMETERS, proposal, as_of=dt.date(2026, 10, 31))
    pd.testing.assert_series_equal(
        effect.units["proposed_index"], score(values, kinds, proposal.framework).index, check_names=False
    )
    changed = effect.changes_colour.sum()
    assert effect.moves.to_numpy().sum() == 300
    assert effect.moves.to_numpy().sum() - np.trace(effect.moves.to_numpy()) == changed > 0
    assert effect.units["rank_change"].sum() == pytest.approx(0)
    np.testing.assert_allclose(effect.points.sum(axis=1), -effect.units["change"], atol=1e-9)
    assert repr(effect) == (
        f"WeightEffect(units=300, change_colour={changed}, as_of=2026-10-31, "
        f"parameters={PARAMETERS.version!r}, proposal='2026.1+equal')"
    )
    same = compare_weights(values, kinds, PARAMETERS, FRAMEWORK)
    assert (same.units["change"] == 0).all()
    assert not same.changes_colour.any()
    frame = effect.to_frame()
    frame["index"] = 0
    assert (effect.units["index"] > 0).all()


def test_ties_share_their_rank() -> None:
    values = pd.DataFrame([BEST, BEST, WORST], index=["a", "b", "c"])
    moved = dict.fromkeys(DIMENSIONS, 1 / 7)
    kinds = pd.Series("village", index=values.index)
    effect = compare_weights(values, kinds, PARAMETERS, propose(FRAMEWORK, moved, how="等权"))
    assert effect.units["rank_change"].tolist() == [0, 0, 0]


def only_first() -> pd.DataFrame:
    """Everything lost in the first dimension and nothing elsewhere."""
    own = {i.id for i in FRAMEWORK.dimensions[0].indicators}
    return pd.DataFrame([{i: WORST[i] if i in own else BEST[i] for i in IDS}], index=["a"])


def test_the_sentence_names_the_dimension_behind_a_change_of_colour() -> None:
    share = {d: (0.3 if d == DIMENSIONS[0] else 0.7 / 6) for d in DIMENSIONS}
    proposal = propose(FRAMEWORK, share, how="重审计")
    effect = compare_weights(only_first(), pd.Series({"a": "village"}), PARAMETERS, proposal)
    assert FRAMEWORK.dimensions[0].weight == 0.2
    assert effect.explain("a") == (
        "按方案，a由绿色变为黄色，选情指数80.0→70.0；财务审计的权重由20.0%升到30.0%，多扣10.0分。"
    )
    assert effect.explain("a", name="上云村").startswith("按方案，上云村由绿色变为黄色，")
    with pytest.raises(KeyError):
        effect.explain("nobody")


def test_the_sentence_tells_indicators_from_dimensions_and_nothing_from_something() -> None:
    first = FRAMEWORK.dimensions[0]
    village = [i for i in first.indicators if any(k.value == "village" for k in i.applies_to)]
    values = pd.DataFrame([BEST], index=["a"])
    values[village[0].id] = WORST[village[0].id]
    kinds = pd.Series({"a": "village"})
    within = {i.id: i.weight for i in FRAMEWORK.indicators}
    within[village[0].id], within[village[1].id] = (
        within[village[0].id] / 2,
        within[village[1].id] + within[village[0].id] / 2,
    )
    inner = compare_weights(values, kinds, PARAMETERS, propose(FRAMEWORK, indicators=within, how=""))
    assert "财务审计内部的指标权重有调整，少扣" in inner.explain("a")
    same = compare_weights(values, kinds, PARAMETERS, FRAMEWORK).explain("a")
    assert same.endswith("扣分基本不变。")


def test_a_unit_without_data_is_unknown_under_both() -> None:
    values, kinds = city(5)
    values.loc["u2"] = np.nan
    effect = compare_weights(values, kinds, PARAMETERS, propose_equal(FRAMEWORK))
    assert effect.units["level"].eq("unknown").tolist() == [False, False, True, False, False]
    assert effect.moves.at["unknown", "unknown"] == 1
    assert effect.units[["index", "rank_change"]].isna().sum(axis=1).tolist() == [0, 0, 2, 0, 0]
    assert effect.explain("u2") == "u2没有填报任何数据，换权重也不能判断颜色，请先报数。"


def test_with_the_last_colours_both_sides_are_held_by_the_margins() -> None:
    values, kinds = city()
    index = score(values, kinds, FRAMEWORK).index
    codes = values.index
    cuts = PARAMETERS.classification.model_copy(update={"improve_margin": 4.0, "worsen_margin": 2.0})
    pack = PARAMETERS.model_copy(update={"classification": cuts})
    previous = pd.Series(np.resize(["green", "yellow", "red"], len(codes)), index=codes)
    proposal = propose_equal(FRAMEWORK)
    effect = compare_weights(values, kinds, pack, proposal, previous=previous)
    new = score(values, kinds, proposal.framework).index
    assert effect.hysteresis
    assert effect.units["level"].tolist() == classify(index, cuts, previous=previous).tolist()
    assert effect.units["proposed_level"].tolist() == classify(new, cuts, previous=previous).tolist()
    plain = compare_weights(values, kinds, pack, proposal)
    assert not plain.hysteresis
    assert (plain.units["level"] != effect.units["level"]).any()


def test_another_structure_is_refused() -> None:
    values, kinds = city(3)
    fewer = FRAMEWORK.model_copy(update={"dimensions": FRAMEWORK.dimensions[:-1]})
    with pytest.raises(ValueError, match="same dimensions and indicators"):
        compare_weights(values, kinds, PARAMETERS, fewer)


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda w: sum(w) > 0.01))
def test_any_weights_shift_points_by_exactly_the_change_of_the_index(raw: list[float]) -> None:
    values, kinds = city(20)
    total = sum(raw)
    across: dict[str, Any] = dict(zip(DIMENSIONS, [w / total for w in raw], strict=True))
    proposed: Framework = propose(FRAMEWORK, across, how="任意").framework
    effect = compare_weights(values, kinds, PARAMETERS, proposed)
    np.testing.assert_allclose(effect.points.sum(axis=1), -effect.units["change"], atol=1e-9)
    assert effect.units["proposed_index"].between(0, 100).all()
