"""Rescoring cached losses equals scoring anew, past snapshots and hysteresis included."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.risk.rescoring import (
    ColourChanges,
    Losses,
    Rescored,
    apportion,
    colour_changes,
    dimension_losses,
    rebalance,
    rescore,
)
from huanjie_lib.workbench import open_data

AS_OF = dt.date(2026, 10, 31)
PROPOSED = (0.31, 0.05, 0.15, 0.12, 0.07, 0.2, 0.1)


def losses_of(result: RiskResult) -> Losses:
    kinds = result.units.set_index("unit_code")["unit_kind"]
    return dimension_losses(result.indicators, result.history, kinds, result.parameters.framework)


def adopted_of(losses: Losses, parameters: ParameterSet) -> Rescored:
    return rescore(losses, [d.weight for d in losses.framework.dimensions], parameters.classification)


@pytest.fixture(scope="module")
def tables(small_city: Path) -> dict[str, pd.DataFrame]:
    return dict(open_data(small_city).tables)


@pytest.fixture(scope="module")
def parameters() -> ParameterSet:
    """The shipped parameters with one dimension that compensates less."""
    pack = load_parameters()
    dimensions = list(pack.framework.dimensions)
    dimensions[4] = dimensions[4].model_copy(update={"power": 2.0})
    framework = pack.framework.model_copy(update={"dimensions": tuple(dimensions)})
    return pack.model_copy(update={"framework": framework})


@pytest.fixture(scope="module")
def result(tables: dict[str, pd.DataFrame], parameters: ParameterSet) -> RiskResult:
    return run_risk(tables, parameters, as_of=AS_OF)


@pytest.fixture(scope="module")
def losses(result: RiskResult) -> Losses:
    return losses_of(result)


@pytest.fixture(scope="module")
def adopted(losses: Losses, parameters: ParameterSet) -> Rescored:
    return adopted_of(losses, parameters)


@pytest.fixture(scope="module")
def changes(losses: Losses, adopted: Rescored, parameters: ParameterSet) -> ColourChanges:
    cuts = parameters.classification.model_copy(update={"green_from": 84.0, "yellow_from": 58.5})
    return colour_changes(adopted, rescore(losses, PROPOSED, cuts))


def assert_same(scores: Rescored, result: RiskResult) -> None:
    found, told = scores.to_frame(), result.index.set_index("unit_code")
    assert found.index.tolist() == told.index.tolist()
    for column in ("index", "index_low", "index_high"):
        np.testing.assert_allclose(found[column], told[column], rtol=0, atol=1e-9)
    assert found["level"].tolist() == told["level"].tolist()
    assert found["to_verify"].tolist() == told["to_verify"].tolist()


def test_adopted_weights_give_the_run_itself(adopted: Rescored, result: RiskResult) -> None:
    assert_same(adopted, result)


def test_a_proposal_gives_what_a_run_with_it_finds(
    changes: ColourChanges, tables: dict[str, pd.DataFrame], parameters: ParameterSet
) -> None:
    """The oracle computes every snapshot from raw tables with the proposed framework and cut-offs."""
    dimensions = tuple(
        d.model_copy(update={"weight": w})
        for d, w in zip(parameters.framework.dimensions, PROPOSED, strict=True)
    )
    proposed = parameters.model_copy(
        update={
            "framework": parameters.framework.model_copy(update={"dimensions": dimensions}),
            "classification": changes.proposed.classification,
        }
    )
    anew = run_risk(tables, proposed, as_of=AS_OF)
    assert_same(changes.proposed, anew)
    assert changes.changed.sum() > 5
    held = changes.proposed.rank != changes.proposed.plain_rank
    assert held.any(), "no unit whose colour hangs on the snapshots before"


def test_a_unit_without_data_has_no_colour_whatever_the_weights(
    losses: Losses, parameters: ParameterSet
) -> None:
    silent = replace(losses, scored=losses.units != losses.units[0])
    proposed = rescore(silent, PROPOSED, parameters.classification)
    changes = colour_changes(adopted_of(silent, parameters), proposed)
    assert (proposed.to_frame()["level"] == "unknown").tolist() == [True] + [False] * 59
    assert changes.explain(losses.units[0]) == "没有一项数据，不评等级，权重和分界线对它没有影响。"
    assert proposed.explain(losses.units[0]) == "没有一项数据，不评等级。"


def test_shares_of_dimensions_add_up_to_the_change(changes: ColourChanges, losses: Losses) -> None:
    frame = changes.to_frame()
    ids = [d.id for d in losses.framework.dimensions]
    np.testing.assert_allclose(frame[ids].sum(axis=1), frame["change"], rtol=0, atol=1e-9)
    assert (frame["changed"] == (frame["level"] != frame["proposed_level"])).all()


@pytest.mark.parametrize(
    "wrong",
    [
        [1.0],
        [0.5, 0.5, 0.5, 0, 0, 0, 0],
        [1.2, -0.2, 0, 0, 0, 0, 0],
        [float("nan"), 1, 0, 0, 0, 0, 0],
        [float("inf"), 0, 0, 0, 0, 0, 0],
    ],
)
def test_weights_of_another_form_are_refused(
    losses: Losses, parameters: ParameterSet, wrong: list[float]
) -> None:
    with pytest.raises(ValueError, match="weights must"):
        rescore(losses, wrong, parameters.classification)


def test_a_dimension_that_had_no_weight_has_no_past_to_weigh(
    tables: dict[str, pd.DataFrame], parameters: ParameterSet
) -> None:
    first, second, *rest = parameters.framework.dimensions
    merged = (
        first.model_copy(update={"weight": first.weight + second.weight}),
        second.model_copy(update={"weight": 0.0}),
    )
    framework = parameters.framework.model_copy(update={"dimensions": (*merged, *rest)})
    pack = parameters.model_copy(update={"framework": framework})
    result = run_risk(tables, pack, as_of=AS_OF)
    losses = losses_of(result)
    assert_same(adopted_of(losses, pack), result)
    with pytest.raises(ValueError, match="no past losses"):
        rescore(losses, PROPOSED, pack.classification)


def test_unknown_units_and_foreign_losses_are_refused(
    changes: ColourChanges, result: RiskResult, parameters: ParameterSet
) -> None:
    for explain in (changes.explain, changes.proposed.explain):
        with pytest.raises(KeyError):
            explain("000000000000")
    other = adopted_of(losses_of(result), parameters)
    with pytest.raises(ValueError, match="same losses"):
        colour_changes(other, changes.proposed)


def test_results_say_what_they_are(changes: ColourChanges, losses: Losses) -> None:
    version = losses.framework.version
    assert repr(losses) == f"Losses(units=60, snapshots=24, as_of=2026-10-31, parameters={version!r})"
    assert repr(changes.proposed) == f"Rescored(units=60, as_of=2026-10-31, parameters={version!r})"
    assert f"changed={changes.changed.sum()}, as_of=2026-10-31" in repr(changes)


class TestSentences:
    """One unit and two dimensions, with figures that can be followed by hand."""

    @staticmethod
    def change(
        now: tuple[float, float],
        weights: tuple[float, float],
        *,
        past: tuple[float, float] | None = None,
        **cuts: float,
    ) -> str:
        pack = load_parameters()
        pair = tuple(d.model_copy(update={"weight": 0.5}) for d in pack.framework.dimensions[:2])
        table = np.array([now])
        before = np.empty((0, 1, 2)) if past is None else np.array([[past]])
        losses = Losses(
            units=pd.Index(["990101101201"]),
            framework=pack.framework.model_copy(update={"dimensions": pair}),
            as_of=pd.Timestamp(AS_OF),
            current=table,
            worst=table,
            best=table,
            past=before,
            scored=np.ones(1, dtype=bool),
            past_scored=np.ones((len(before), 1), dtype=bool),
        )
        adopted = rescore(losses, (0.5, 0.5), pack.classification)
        proposed = rescore(losses, weights, pack.classification.model_copy(update=cuts))
        return colour_changes(adopted, proposed).explain("990101101201")

    def test_weights(self) -> None:
        assert self.change((40, 10), (0.3, 0.7)) == (
            "由黄转绿：指数由75.0升到81.0；财务审计权重由50%降到30%，少扣8.0分；"
            "资格联审权重由50%升到70%，多扣2.0分。"
        )

    def test_cut_offs(self) -> None:
        assert self.change((30, 30), (0.5, 0.5), green_from=70.0, yellow_from=55.0) == (
            "由黄转绿：指数70.0不变；绿色分界线由80分降到70分。"
        )

    def test_both_ways_through_two_colours(self) -> None:
        assert self.change((90, 5), (0.05, 0.95), yellow_from=58.0) == (
            "由红转绿：指数由52.5升到90.8；财务审计权重由50%降到5%，少扣40.5分；"
            "资格联审权重由50%升到95%，多扣2.2分；黄色分界线由60分降到58分。"
        )

    def test_no_change(self) -> None:
        assert self.change((10, 10), (0.4, 0.6), yellow_from=50.0) == (
            "颜色不变，仍为绿色：指数90.0不变；财务审计权重由50%降到40%，少扣1.0分；"
            "资格联审权重由50%升到60%，多扣1.0分。"
        )

    def test_hysteresis_is_told(self) -> None:
        """80.4 is green on its own; yellow before, it would have to reach 81."""
        assert self.change((39.2, 0), (0.4, 0.6), past=(80, 0)) == (
            "由黄转绿：指数由80.4升到84.3；财务审计权重由50%降到40%，少扣3.9分；"
            "现行颜色按防跳动规则计为黄色。"
        )


weights_of_seven = st.lists(st.integers(0, 1000), min_size=7, max_size=7).filter(lambda w: sum(w) > 0)


class TestWeights:
    @given(weights_of_seven, st.integers(0, 2000))
    def test_shares_are_apportioned_exactly(self, shares: list[int], total: int) -> None:
        found = apportion(shares, total)
        exact = np.array(shares) * total / sum(shares)
        assert sum(found) == total
        assert (np.abs(np.array(found) - exact) < 1).all()

    @given(weights_of_seven.map(lambda w: apportion(w, 1000)))
    def test_whole_shares_stay(self, shares: tuple[int, ...]) -> None:
        assert apportion(shares, 1000) == shares
        assert apportion(np.array(shares) / 7, 1000) == shares

    @given(
        weights_of_seven.map(lambda w: apportion(w, 1000)),
        st.integers(0, 6),
        st.integers(0, 1500),
        st.sets(st.integers(0, 6)),
    )
    def test_a_move_keeps_the_sum_and_what_is_held(
        self, shares: tuple[int, ...], position: int, value: int, held: set[int]
    ) -> None:
        held.discard(position)
        moved = rebalance(shares, position, value, held=held, spare=[1] * 7)
        free = [i for i in range(7) if i != position and i not in held]
        room = 1000 - sum(shares[i] for i in held)
        assert sum(moved) == pytest.approx(1000, abs=1e-9)
        assert min(moved) >= 0
        assert [moved[i] for i in held] == [shares[i] for i in held]
        assert moved[position] == (min(value, room) if free else room)
        for i in free:
            for j in free:
                assert moved[i] * shares[j] == pytest.approx(moved[j] * shares[i], abs=1e-6)

    def test_a_drag_to_and_fro_comes_back(self) -> None:
        start = (200.0, 120.0, 150.0, 130.0, 200.0, 80.0, 120.0)
        shares = start
        for value in [*range(200, 900, 7), *range(900, 200, -3), 200]:
            shares = rebalance(shares, 0, value, held=[], spare=start)
        assert shares == pytest.approx(start, abs=1e-9)
        assert apportion(shares, 1000) == start

    @pytest.mark.parametrize(
        ("position", "value"),
        [(1, 10.0), (7, 10.0), (-1, 10.0), (0, -1.0), (0, float("nan")), (0, float("inf"))],
    )
    def test_an_impossible_move_is_refused(self, position: int, value: float) -> None:
        with pytest.raises(ValueError, match=r"must be|cannot be"):
            rebalance([100, 200, 300, 100, 100, 100, 100], position, value, held=[1], spare=[1] * 7)
