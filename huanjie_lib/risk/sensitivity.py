"""Which judgement matters most: total-order Sobol indices of the election index.

The inputs are the judgements behind the index, independent of one another:

* the weight of each dimension: independent gamma variables with shape ``c · W_d``, which divided by their sum
  follow the Dirichlet distribution of :mod:`huanjie_lib.risk.uncertainty`;
* how strict each dimension's reference points are: all stretched by ``exp(σ z)``;
* how bad a missing value is taken to be: one severity from 0 to 1 for all gaps.

Errors of single observed values are no judgement and play no part here.

The total-order index of an input is the share of the output's variance that would remain if all other
judgements were settled (Homma & Saltelli 1996). Estimator of Jansen (1999), Computer Physics Communications
117:35-43, eq. as in Saltelli et al. (2010), CPC 181:259-270, table 2 (f):
``ST_i = Σ_r (f(A_r) − f(AB_i,r))² / 2N / Var f``, over all units at once. The sample is SALib's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters import (
    DEFAULT_ASSUMPTIONS,
    Classification,
    Framework,
    UncertaintyAssumptions,
)
from huanjie_lib.risk.draws import Draws, LossModel

__all__ = ["Sensitivity", "saltelli_sample", "sobol_total_order", "total_order"]

Floats: TypeAlias = npt.NDArray[np.float64]

EVALUATIONS_AT_ONCE = 256
_CITY_LABELS = {"red_share": "红色单位占比", "mean_index": "全市平均选情指数"}


@dataclass(frozen=True)
class Sensitivity:
    """How much of the variance each judgement is behind.

    Parameters
    ----------
    city
        One row per judgement, the weightiest first: ``input``, ``label`` and the total-order index of the
        share of red units (``red_share``) and of the mean index (``mean_index``). Indices of one output may
        add up to more than 1 where judgements work together; 0 throughout where the output does not vary.
    units
        Unit × judgement: total-order index of the unit's index.
    samples
        N; the model was evaluated ``N · (judgements + 2)`` times.
    as_of
        Date the data describe, where it was given.
    version
        Version of the parameters, or empty.
    """

    city: pd.DataFrame
    units: pd.DataFrame
    samples: int
    as_of: dt.date | None = None
    version: str = ""

    def __repr__(self) -> str:
        """Return size, number of samples, date and parameter version."""
        when = f", as_of={self.as_of}" if self.as_of else ""
        version = f", parameters={self.version!r}" if self.version else ""
        return (
            f"Sensitivity(units={len(self.units)}, inputs={len(self.city)}, samples={self.samples}"
            f"{when}{version})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the city's table with Chinese headings."""
        return self.city.rename(columns={"input": "编号", "label": "判断", **_CITY_LABELS})

    def explain(self, unit_code: str | None = None, *, name: str | None = None) -> str:
        """Return in Chinese which judgements matter most, for a unit or for the city's share of red.

        Parameters
        ----------
        unit_code
            The unit; the whole city when omitted.
        name
            What to call the unit; its code when omitted.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        inputs = self.city["input"].tolist()
        share: npt.NDArray[Any]
        if unit_code is None:
            subject, share = "全市红色单位占比", self.city["red_share"].to_numpy()
        else:
            subject, share = f"{name or unit_code}的选情指数", self.units[inputs].loc[unit_code].to_numpy()
        largest = [i for i in np.argsort(-share, kind="stable")[:3] if share[i] >= 0.01]
        if not largest:
            return f"{subject}不受这些判断影响。"
        named = "、".join(f"{self.city['label'].iloc[i]}（{share[i]:.0%}）" for i in largest)
        advice = "括号内为与它有关的波动占全部波动的比例，先把排在前面的定准"
        return f"{subject}受以下判断影响最大：{named}；{advice}。"


def saltelli_sample(inputs: Sequence[str], *, samples: int, seed: int) -> Floats:
    """Return Saltelli's sample on the unit cube, from SALib.

    Returns
    -------
    numpy.ndarray
        Shape (samples · (d + 2), d): for each base point the rows A, AB_1 … AB_d, B.
    """
    from SALib.sample import sobol  # here, because it loads more than a screen needs

    problem = {"num_vars": len(inputs), "names": list(inputs), "bounds": [[0.0, 1.0]] * len(inputs)}
    return np.asarray(sobol.sample(problem, samples, calc_second_order=False, seed=seed), dtype=np.float64)


def total_order(outputs: npt.ArrayLike, *, inputs: int) -> Floats:
    """Return Jansen's estimate of the total-order indices, for many outputs at once.

    Parameters
    ----------
    outputs
        Shape (N · (d + 2), outputs), in the order of :func:`saltelli_sample`.
    inputs
        d.

    Returns
    -------
    numpy.ndarray
        Shape (d, outputs); 0 for an output that does not vary.

    Raises
    ------
    ValueError
        If the number of rows is no multiple of d + 2.

    Examples
    --------
    >>> x = saltelli_sample(["a", "b"], samples=1024, seed=1)
    >>> total_order(x @ [[1.0], [2.0]], inputs=2).round(2).ravel()
    array([0.2, 0.8])
    """
    y = np.asarray(outputs, dtype=np.float64)
    if y.ndim != 2 or len(y) == 0 or len(y) % (inputs + 2):
        raise ValueError(f"outputs must have shape (N · {inputs + 2}, m), found {y.shape}")
    runs: Floats = y.reshape(-1, inputs + 2, y.shape[1])
    variance: Floats = np.concatenate([runs[:, 0], runs[:, -1]]).var(axis=0)
    out = np.empty((inputs, y.shape[1]))
    for i in range(inputs):
        out[i] = np.mean((runs[:, 0] - runs[:, 1 + i]) ** 2, axis=0) / 2.0
    spread = np.ptp(y, axis=0)
    varies = (variance > 0.0) & (spread > 1e-9 * np.maximum(1.0, np.abs(y).max(axis=0)))
    np.divide(out, variance, out=out, where=varies)
    out[:, ~varies] = 0.0
    return out


def sobol_total_order(
    table: pd.DataFrame,
    kinds: pd.Series[str],
    framework: Framework,
    classification: Classification,
    *,
    seed: int,
    samples: int = 256,
    assumptions: UncertaintyAssumptions = DEFAULT_ASSUMPTIONS,
    as_of: dt.date | None = None,
    version: str = "",
) -> Sensitivity:
    """Return which judgements the index of each unit, and the city's share of red, hang on.

    Parameters
    ----------
    table
        Indicator values, units × indicators, NaN where missing.
    kinds
        Kind of each unit, same index.
    framework, classification
        Adopted weights, reference points and cut-offs; margins play no part.
    seed
        Seed of the scrambled Sobol sequence.
    samples
        N, a power of 2.
    assumptions
        Size of the doubt about weights (none: they are no input) and reference points, usually
        ``parameters.assumptions``.
    as_of, version
        Date of the data and version of the parameters, to be shown with the result.

    Returns
    -------
    Sensitivity

    Raises
    ------
    KeyError
        If an indicator of the framework has no column.
    ValueError
        If a unit's kind is unknown.
    ParameterError
        If ``samples`` is no power of 2.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters()
    >>> table = pd.DataFrame(1.0, index=["a"], columns=[i.id for i in pack.framework.indicators])
    >>> found = sobol_total_order(table, pd.Series(["village"], index=["a"]), pack.framework,
    ...                           pack.classification, seed=1, samples=16)
    >>> found
    Sensitivity(units=1, inputs=15, samples=16)
    """
    if samples < 2 or samples & (samples - 1):
        fault = Fault("敏感性测算参数 samples", str(samples), "2 的整数次方，如 256", "改正后重算")
        raise ParameterError("不能测算哪项判断最要紧", [fault])
    dimensions = framework.dimensions
    weighted = [d for d, dimension in enumerate(dimensions) if dimension.weight > 0.0]
    concentration = assumptions.weight_concentration
    doubted = [] if concentration is None else weighted
    names = (
        *(f"weight:{dimensions[d].id}" for d in doubted),
        *(f"scale:{dimensions[d].id}" for d in weighted),
        "missing",
    )
    labels = (
        *(f"{dimensions[d].label}的权重" for d in doubted),
        *(f"{dimensions[d].label}的评分标准宽严" for d in weighted),
        "缺失数据按多坏计",
    )
    x = np.clip(saltelli_sample(names, samples=samples, seed=seed), 1e-9, 1.0 - 1e-9)
    adopted = np.array([d.weight for d in dimensions])
    across = np.tile(adopted, (len(x), 1))
    if concentration is not None:
        across[:, weighted] = special.gammaincinv(concentration * adopted[weighted], x[:, : len(weighted)])
        across /= across.sum(axis=1, keepdims=True)
    of_dimension = np.ones((len(x), len(dimensions)))
    scales = x[:, len(doubted) : len(doubted) + len(weighted)]
    of_dimension[:, weighted] = np.exp(assumptions.reference_shift * special.ndtri(scales))
    per_dimension = [len(d.indicators) for d in dimensions]
    stretch = np.repeat(of_dimension, per_dimension, axis=1)
    within = np.array([[i.weight for i in framework.indicators]])
    draws = Draws(len(x), across, within, stretch, np.zeros_like(stretch), assumed=x[:, -1])
    return _evaluate(table, kinds, framework, classification, draws, names, labels, samples, as_of, version)


def _evaluate(
    table: pd.DataFrame,
    kinds: pd.Series[str],
    framework: Framework,
    classification: Classification,
    draws: Draws,
    names: Sequence[str],
    labels: Sequence[str],
    samples: int,
    as_of: dt.date | None,
    version: str,
) -> Sensitivity:
    model = LossModel(table, kinds, framework, draws)
    unused = np.random.default_rng(0)  # nothing is left to chance: every gap has its assumed severity
    of_units = np.zeros((len(table), len(names)))
    red, total = np.zeros(draws.size), np.zeros(draws.size)
    for tile in model.tiles():
        lost = np.empty((draws.size, len(tile.units)), dtype=np.float32)
        for start in range(0, draws.size, EVALUATIONS_AT_ONCE):
            stop = min(start + EVALUATIONS_AT_ONCE, draws.size)
            lost[start:stop] = model.lost(tile, start, stop, unused)
        of_units[tile.units] = total_order(lost, inputs=len(names)).T
        red += (lost > 100.0 - classification.yellow_from).sum(axis=1)
        total += lost.sum(axis=1, dtype=np.float64)
    n = max(len(table), 1)
    of_city = total_order(np.column_stack([red / n, 100.0 - total / n]), inputs=len(names))
    city = pd.DataFrame({"input": list(names), "label": list(labels)}).assign(
        red_share=of_city[:, 0], mean_index=of_city[:, 1]
    )
    return Sensitivity(
        city=city.sort_values(["red_share", "mean_index"], ascending=False, kind="stable", ignore_index=True),
        units=pd.DataFrame(of_units, index=table.index, columns=list(names)),
        samples=samples,
        as_of=as_of,
        version=version,
    )
