"""Which judgement matters: cases in which the answer is plain."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import UncertaintyAssumptions, load_parameters
from huanjie_lib.risk.sensitivity import Sensitivity, saltelli_sample, sobol_total_order, total_order

PACK = load_parameters()
FRAMEWORK, CUTS = PACK.framework, PACK.classification
IDS = [i.id for i in FRAMEWORK.indicators]


def at(severity: float, units: list[str]) -> pd.DataFrame:
    """Units of which every value has the given severity, 0 to 1."""
    columns = {}
    for indicator in FRAMEWORK.indicators:
        x, s = np.array(sorted(indicator.reference_points, key=lambda p: p[1])).T
        columns[indicator.id] = np.full(len(units), np.interp(severity, s, x))
    return pd.DataFrame(columns, index=units)


def run(table: pd.DataFrame, **settings: Any) -> Sensitivity:
    """Return the indices from 64 samples; settings named as a doubt go into the assumptions."""
    doubts = {k: settings.pop(k) for k in list(settings) if k in UncertaintyAssumptions.model_fields}
    assumptions = UncertaintyAssumptions(**{"reference_shift": 0.1, **doubts})
    kinds = pd.Series("village", index=table.index)
    return sobol_total_order(
        table, kinds, FRAMEWORK, CUTS, assumptions=assumptions, **{"seed": 1, "samples": 64, **settings}
    )


def test_where_everything_is_missing_only_the_policy_for_gaps_matters() -> None:
    found = run(at(0.5, ["a", "b"]) * np.nan, samples=256)
    assert found.units.loc["a", "missing"] == pytest.approx(1, abs=0.05)
    assert found.units.drop(columns="missing").to_numpy().max() < 1e-6
    assert found.city.loc[0, "input"] == "missing"
    assert found.explain().startswith("全市红色单位占比受以下判断影响最大：缺失数据按多坏计（")


def test_where_nothing_is_missing_the_policy_for_gaps_does_not_matter() -> None:
    found = run(at(0.4, ["a"]))
    assert found.units.loc["a", "missing"] == 0.0
    assert found.units.loc["a"].max() > 0.1


def test_where_one_dimension_loses_everything_its_weight_matters_most() -> None:
    table = at(0.0, ["a"])
    dimension = FRAMEWORK.dimensions[4]
    worst = at(1.0, ["a"])
    ids = [i.id for i in dimension.indicators]
    table[ids] = worst[ids]
    found = run(table, reference_shift=0.0, samples=256)
    assert found.units.loc["a"].idxmax() == f"weight:{dimension.id}"
    w = dimension.weight
    # index = 100 (1 − g_d / Σ g): to first order the shares are (1 − w) for its own weight, w for the others
    assert found.units.loc["a", f"weight:{dimension.id}"] == pytest.approx(1 - w, abs=0.06)
    assert found.explain("a").startswith(f"a的选情指数受以下判断影响最大：{dimension.label}的权重（")


def test_a_unit_that_loses_nothing_hangs_on_nothing() -> None:
    found = run(at(0.0, ["a"]), reference_shift=0.0)
    assert (found.units.to_numpy() == 0).all()
    assert found.explain("a") == "a的选情指数不受这些判断影响。"
    assert found.explain("a", name="上云村") == "上云村的选情指数不受这些判断影响。"
    with pytest.raises(KeyError):
        found.explain("nobody")


def test_table_has_chinese_labels_and_the_weightiest_first() -> None:
    table = pd.concat([at(s, [f"u{s}"]) for s in (0.3, 0.4, 0.5)])
    found = run(table, as_of=dt.date(2026, 10, 31), version="default@1")
    frame = found.to_frame()
    assert list(frame.columns) == ["编号", "判断", "红色单位占比", "全市平均选情指数"]
    assert frame["红色单位占比"].is_monotonic_decreasing
    assert f"{FRAMEWORK.dimensions[0].label}的权重" in set(frame["判断"])
    assert repr(found) == (
        "Sensitivity(units=3, inputs=15, samples=64, as_of=2026-10-31, parameters='default@1')"
    )


def test_equal_seeds_give_equal_bytes() -> None:
    table = at(0.4, ["a", "b"])
    pd.testing.assert_frame_equal(run(table).units, run(table).units, check_exact=True)
    assert not run(table, seed=2).units.equals(run(table).units)


def test_an_output_that_does_not_vary_hangs_on_nothing() -> None:
    x = saltelli_sample(["a", "b"], samples=8, seed=1)
    assert total_order(np.full((len(x), 1), 80.1), inputs=2).tolist() == [[0.0], [0.0]]


def test_certain_weights_are_no_input() -> None:
    found = run(at(0.4, ["a"]), weight_concentration=None)
    scales = {f"scale:{d.id}" for d in FRAMEWORK.dimensions}
    assert set(found.units.columns) == set(found.city["input"]) == {*scales, "missing"}
    assert found.units.loc["a", sorted(scales)].sum() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("samples", [1, 100])
def test_a_sample_that_is_no_power_of_two_is_refused(samples: int) -> None:
    with pytest.raises(ParameterError, match="samples"):
        run(at(0.4, ["a"]), samples=samples)


def test_outputs_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(ValueError, match="outputs must have shape"):
        total_order(np.zeros((7, 1)), inputs=2)
