"""How sure a colour is: Monte Carlo over weights, reference points and data.

What is uncertain, each with its size declared in the pack (method: Saisana, Saltelli & Tarantola 2005,
JRSS-A 168(2):307-323):

* weights: ``W ~ Dirichlet(c · W⁰)`` over the dimensions, and the same within each dimension around the
  adopted weights. The mean is the adopted weight and the variance ``w(1 − w)/(c + 1)``: larger ``c`` = surer.
  With c = 100 an adopted weight of 15 % lies between 10 % and 21 % in nine draws of ten;
* reference points: on the axis on which an indicator's points run from 0 (least severe) to 1 (most severe),
  all its points are stretched by ``exp(σ z₁)`` and moved by ``σ z₂``, z standard normal. They keep their
  order. Points whose least severe value is 0 ("none found") are stretched only: none stays none;
* data: a missing value takes any severity from 0 to 1 with equal chance, never only the best or the worst; an
  observed value may have a relative error, ``x (1 + ε z)``.

Everything is streamed: no array of draws × units is ever held.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import (
    DEFAULT_ASSUMPTIONS,
    Classification,
    Framework,
    UncertaintyAssumptions,
)
from huanjie_lib.risk.draws import Draws, LossModel, Scale, Tile
from huanjie_lib.risk.trends import Records
from huanjie_lib.vocabulary import Level, share_text

__all__ = ["COLUMNS", "Uncertainty", "simulate", "weight_draws"]

Floats: TypeAlias = npt.NDArray[np.float64]
Reals: TypeAlias = npt.NDArray[Any]

RANK_BINS = 4096
"""Indices within the same 1/4096 of the scale (0.024 points) share their average rank."""

RANK_SHARES = (0.05, 0.95)
RANK_CODES = 65_535
SINGLE_PRECISION = 1e-4
"""An index this close below a cut-off counts as reaching it where draws are in single precision."""
DOUBLE_PRECISION = 5e-11
"""The same in double precision: the rounding of the published index."""


@dataclass(frozen=True)
class Uncertainty:
    """Chance of each colour and range of ranks of every unit.

    Parameters
    ----------
    units
        By unit code: ``p_red``, ``p_yellow``, ``p_green`` (sum to 1), ``index_mean`` and ``index_sd`` over
        the draws, ``rank_low`` and ``rank_high`` (5 % and 95 % of draws; rank 1 is the lowest index),
        ``most_likely`` (level), ``contested`` and ``missing`` (number of missing values). A unit without a
        single value has no chances and no rank, and its level is ``unknown``.
    assumptions
        Declared uncertainty and number of draws.
    as_of
        Date the data describe, where it was given.
    version
        Version of the parameters, or empty.
    """

    units: pd.DataFrame
    assumptions: UncertaintyAssumptions
    as_of: dt.date | None = None
    version: str = ""

    def __repr__(self) -> str:
        """Return number of units, draws and contested colours, the date and the parameter version."""
        contested = int(self.units["contested"].sum())
        when = f", as_of={self.as_of}" if self.as_of else ""
        version = f", parameters={self.version!r}" if self.version else ""
        return (
            f"Uncertainty(units={len(self.units)}, draws={self.assumptions.draws}, contested={contested}"
            f"{when}{version})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the figures by unit code."""
        return self.units.copy()

    def explain(self, unit_code: str, *, name: str | None = None) -> str:
        """Return in Chinese how sure a unit's colour is, and what to do if it is not.

        Parameters
        ----------
        unit_code
            The unit.
        name
            What to call it; its code when omitted.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row = self._facts.of_label(unit_code)
        called = name or unit_code
        gaps = int(row["missing"])
        if row["most_likely"] == Level.UNKNOWN.value:
            return f"{called}没有填报任何数据，不能判断颜色，请先报数。"
        chances = {level: float(row[f"p_{level.value}"]) for level in (Level.GREEN, Level.YELLOW, Level.RED)}
        likely = next(level for level in chances if level.value == row["most_likely"])
        shares = "、".join(f"{level.label}{share_text(p)}" for level, p in chances.items() if p > 0)
        doubts, draws = self._doubts(gaps), self.assumptions.draws
        if not doubts:
            text = f"按现定权重和数据，{called}为{likely.label}"
        elif chances[likely] == 1.0:
            text = f"考虑到{doubts}，{called}在{draws}次测算中都是{likely.label}，颜色可靠"
        else:
            text = f"考虑到{doubts}，{called}在{draws}次测算中{shares}"
            text += "，颜色有争议" if row["contested"] else f"，基本可以认定为{likely.label}"
        text += f"；选情指数平均{row['index_mean']:.1f}分"
        if row["index_sd"] >= 0.05:
            text += f"，上下一般相差{row['index_sd']:.1f}分"
        if not np.isnan(row["rank_low"]):
            low, high = int(row["rank_low"]), int(row["rank_high"])
            place = f"第{low}位" if low == high else f"第{low}至{high}位"
            text += f"；从最需要关注的排起，在{self._ranked}个村（社区）中排{place}"
        text += "。"
        if row["contested"]:
            text += (
                f"请先补齐{gaps}项缺失数据，再定颜色。"
                if gaps
                else "数据已齐，差别来自权重和标准，请会商后定颜色。"
            )
        return text

    @cached_property
    def _facts(self) -> Records:
        return Records.of(self.units)

    @cached_property
    def _ranked(self) -> int:
        return int(self.units["rank_low"].notna().sum())

    def _doubts(self, gaps: int) -> str:
        judged = ["权重"] if self.assumptions.weight_concentration is not None else []
        if self.assumptions.reference_shift > 0:
            judged.append("评分标准")
        doubts = [f"{'和'.join(judged)}可能有出入"] if judged else []
        if self.assumptions.data_error > 0:
            doubts.append("填报数可能有误差")
        if gaps:
            doubts.append(f"有{gaps}项数据缺失")
        return "、".join(doubts)


def weight_draws(
    framework: Framework, *, concentration: float, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw weights from Dirichlet distributions around the adopted ones.

    Returns
    -------
    tuple
        Weights across dimensions, shape (draws, m), and within dimensions, shape (draws, k); a weight of 0
        stays 0.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> across, within = weight_draws(
    ...     load_parameters().framework, concentration=100, draws=4, rng=np.random.default_rng(1))
    >>> bool(np.allclose(across.sum(axis=1), 1)), across.shape[1]
    (True, 7)
    """

    def drawn(adopted: list[float]) -> Floats:
        weights = np.array(adopted)
        used = weights > 0.0
        out = np.zeros((draws, len(weights)))
        out[:, used] = rng.dirichlet(concentration * weights[used] / weights.sum(), size=draws)
        return out

    across = drawn([d.weight for d in framework.dimensions])
    within = [drawn([i.weight for i in d.indicators]) for d in framework.dimensions]
    return across, np.concatenate(within, axis=1)


def simulate(
    table: pd.DataFrame,
    kinds: pd.Series[str],
    framework: Framework,
    classification: Classification,
    *,
    rng: np.random.Generator | int,
    assumptions: UncertaintyAssumptions = DEFAULT_ASSUMPTIONS,
    scale: Scale = "values",
    previous: pd.Series[Any] | None = None,
    ranks: bool = True,
    block: int = 16,
    as_of: dt.date | None = None,
    version: str = "",
) -> Uncertainty:
    """Return the chance of each colour of each unit.

    Parameters
    ----------
    table
        Indicator values, units × indicators, NaN where missing; or their severities (``scale``).
    kinds
        Kind of each unit, same index.
    framework, classification
        Adopted weights, reference points, cut-offs and margins.
    rng
        Seed or generator. Equal seeds and arguments give equal bytes on one machine; another ``block`` gives
        the same draws, and figures that differ by rounding at most.
    assumptions
        Number of draws and size of each doubt, usually ``parameters.assumptions``. Uncertain reference points
        and data need values.
    scale
        ``"values"``, or ``"severities"`` where these are at hand: the fast path for certain reference points.
    previous
        Level of each unit at the last snapshot, for hysteresis as in
        :func:`~huanjie_lib.risk.classification.classify`.
    ranks
        Whether to find rank intervals, which takes a second pass. Ranks come from the histogram of each
        draw's indices (4096 bins), their 5 % and 95 % from the draws themselves.
    block
        Draws computed at once, 1 to 255.
    as_of, version
        Date of the data and version of the parameters, to be shown with the result.

    Returns
    -------
    Uncertainty
        Standard error of a chance p: ``√(p (1 − p) / draws)``, at most 1.6 percentage points for 1,000.

    Raises
    ------
    KeyError
        If an indicator of the framework has no column.
    ValueError
        If a unit's kind is unknown, severities are given where values are uncertain, or ``block`` is out of
        range.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters()
    >>> ids = [i.id for i in pack.framework.indicators]
    >>> table = pd.DataFrame(0.2, index=["a", "b"], columns=ids)
    >>> table.loc["b", ids[:8]] = np.nan
    >>> kinds = pd.Series("village", index=["a", "b"])
    >>> result = simulate(table, kinds, pack.framework, pack.classification, rng=1, scale="severities")
    >>> result
    Uncertainty(units=2, draws=1000, contested=0)
    >>> result.units["most_likely"].tolist(), float(result.units.loc["a", "p_green"])
    (['green', 'yellow'], 1.0)
    >>> result.explain("a")
    '考虑到权重可能有出入，a在1000次测算中都是绿色，颜色可靠；选情指数平均80.0分；从最需要关注的排起，在2个村（社区）中排第2位。'
    """
    if not 1 <= block <= 255:
        raise ValueError(f"block must be from 1 to 255, found {block}")
    draws = assumptions.draws
    root = int(rng.integers(0, 2**63)) if isinstance(rng, np.random.Generator) else rng
    drawn = _draw(framework, root, assumptions)
    model = LossModel(table, kinds, framework, drawn, scale=scale)
    tolerance = DOUBLE_PRECISION if model.dtype is np.float64 else SINGLE_PRECISION
    green_to, yellow_to = _most_lost(table.index, classification, previous, tolerance)
    n = len(table)
    green, red, missing = (np.zeros(n, dtype=np.int64) for _ in range(3))
    mean, sd = np.full(n, np.nan), np.full(n, np.nan)
    observed = np.zeros(n, dtype=bool)
    histogram = np.zeros((draws if ranks else 0, RANK_BINS), dtype=np.int32)
    for tile in model.tiles():
        units = tile.units
        missing[units] = tile.missing
        observed[units] = tile.missing < tile.applicable
        counted = observed[units]
        at_most, at_least = green_to[units].astype(model.dtype), yellow_to[units].astype(model.dtype)
        moments = _Moments.of(model, tile)
        tile_rng = _stream(root, 1, tile.number)
        is_green, is_red = np.zeros(len(units), dtype=np.int64), np.zeros(len(units), dtype=np.int64)
        for start in range(0, draws, block):
            lost = model.lost(tile, start, min(start + block, draws), tile_rng)
            is_green += np.add.reduce((lost <= at_most).view(np.uint8), axis=0, dtype=np.uint8)
            is_red += np.add.reduce((lost > at_least).view(np.uint8), axis=0, dtype=np.uint8)
            if ranks:
                rows = histogram[start : start + block]
                ranked = lost if counted.all() else lost[:, counted]
                counts = np.bincount(_bins(ranked).ravel(), minlength=rows.size)
                rows += counts.astype(np.int32).reshape(rows.shape)
            moments.add(lost)
        green[units], red[units] = is_green, is_red
        mean[units], sd[units] = moments.result(draws)
    rank_low, rank_high = np.full(n, np.nan), np.full(n, np.nan)
    if ranks:
        _rank_intervals(model, histogram, observed, root, block, rank_low, rank_high)
    units_frame = _frame(table.index, green, red, missing, observed, assumptions).assign(
        index_mean=np.where(observed, 100.0 - mean, np.nan),
        index_sd=np.where(observed, sd, np.nan),
        rank_low=rank_low,
        rank_high=rank_high,
    )
    return Uncertainty(
        units=units_frame[list(COLUMNS)],
        assumptions=assumptions,
        as_of=as_of,
        version=version,
    )


COLUMNS = (
    "p_red",
    "p_yellow",
    "p_green",
    "index_mean",
    "index_sd",
    "rank_low",
    "rank_high",
    "most_likely",
    "contested",
    "missing",
)
"""Columns of :attr:`Uncertainty.units`, in order."""


def _stream(root: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=key))


def _draw(framework: Framework, root: int, assumptions: UncertaintyAssumptions) -> Draws:
    draws, concentration = assumptions.draws, assumptions.weight_concentration
    reference_shift = assumptions.reference_shift
    if concentration is None:
        across = np.array([[d.weight for d in framework.dimensions]])
        within = np.array([[i.weight for i in framework.indicators]])
    else:
        across, within = weight_draws(
            framework, concentration=concentration, draws=draws, rng=_stream(root, 0, 0)
        )
    stretch = shift = None
    if reference_shift > 0:
        generator = _stream(root, 0, 1)
        shape = (draws, len(framework.indicators))
        stretch = np.exp(reference_shift * generator.standard_normal(shape))
        shift = reference_shift * generator.standard_normal(shape)
        least_severe = [min(i.reference_points, key=lambda p: p[1])[0] for i in framework.indicators]
        shift[:, np.array(least_severe) == 0.0] = 0.0
    return Draws(draws, across, within, stretch, shift, value_error=assumptions.data_error)


def _most_lost(
    units: pd.Index, classification: Classification, previous: pd.Series[Any] | None, tolerance: float
) -> tuple[Floats, Floats]:
    """Return the points each unit may lose and still be green, and still be yellow, with hysteresis."""
    green = np.full(len(units), 100.0 - classification.green_from)
    yellow = np.full(len(units), 100.0 - classification.yellow_from)
    if previous is not None:
        before = previous.reindex(units)
        held = {Level.GREEN.value: 2, Level.YELLOW.value: 1, Level.RED.value: 0}
        rank = before.map(held).fillna(-1).to_numpy(dtype=np.intp)
        up, down = classification.improve_margin, classification.worsen_margin
        green += np.select([rank == 2, rank >= 0], [down, -up], 0.0)
        yellow += np.select([rank >= 1, rank == 0], [down, -up], 0.0)
    return green + tolerance, yellow + tolerance


class _Moments:
    """Sums over draws; where draws differ by weights alone, the same moments follow from the weights."""

    def __init__(self, known: tuple[Floats, Floats] | None) -> None:
        self._known = known
        self._origin: Reals | None = None
        self._sum: Floats | float = 0.0
        self._squares: Floats | float = 0.0

    @classmethod
    def of(cls, model: LossModel, tile: Tile) -> _Moments:
        groups = tile.kind.groups
        additive = len(groups) == 1 and groups[0].power == 1.0
        if not additive or tile.value.size or len(tile.cell_unit) or model.dtype is np.float64:
            return cls(None)
        weights = groups[0].weights.astype(np.float64)
        severity = tile.severity.astype(np.float64)
        mean = weights.mean(axis=0)
        deviations = weights - mean
        covariance = deviations.T @ deviations / len(weights)
        variance = np.einsum("kc,kc->c", severity, covariance @ severity)
        return cls((mean @ severity, np.sqrt(np.maximum(variance, 0.0))))

    def add(self, lost: Reals) -> None:
        """Add a block of draws; changes the block."""
        if self._known is not None:
            return
        if self._origin is None:
            self._origin = lost[0].copy()
        lost -= self._origin
        self._sum = self._sum + lost.sum(axis=0, dtype=np.float64)
        np.square(lost, out=lost)
        self._squares = self._squares + lost.sum(axis=0, dtype=np.float64)

    def result(self, draws: int) -> tuple[Floats, Floats]:
        """Return mean and standard deviation over the draws."""
        if self._known is not None:
            return self._known
        assert self._origin is not None
        mean = np.asarray(self._sum) / draws
        variance = np.maximum(np.asarray(self._squares) / draws - mean**2, 0.0)
        return self._origin + mean, np.sqrt(variance)


def _bins(lost: Reals) -> npt.NDArray[np.intp]:
    """Return the bin of each index, counted on from draw to draw."""
    scaled = lost * lost.dtype.type(RANK_BINS / 100.0)
    scaled.clip(0, RANK_BINS - 1, out=scaled)
    # by way of 32 bits to the width of an address: quicker than at once
    bins: npt.NDArray[np.int32] = scaled.astype(np.int32)
    bins += RANK_BINS * np.arange(len(lost), dtype=np.int32)[:, None]
    return bins.astype(np.intp, copy=False)


def _rank_intervals(
    model: LossModel,
    histogram: npt.NDArray[np.int32],
    observed: npt.NDArray[np.bool_],
    root: int,
    block: int,
    low: Floats,
    high: Floats,
) -> None:
    """Fill in the 5 % and 95 % of each unit's rank over the draws; the second pass repeats the first's.

    Ranks are sorted as whole numbers of 16 bits. Twice the rank is one for up to 32,767 units; beyond that
    ranks are kept to n/65,535 and the interval is widened by half of it.
    """
    draws, n = len(histogram), int(observed.sum())
    doubled = np.cumsum(histogram[:, ::-1], axis=1, dtype=np.int32)[:, ::-1]
    doubled *= 2  # rank 1 loses most; equal bins share their average rank
    doubled += 1 - histogram
    step = max(1.0, (2 * n + 1) / RANK_CODES)
    codes = (doubled if step == 1.0 else np.rint(doubled / step)).astype(np.uint16, order="C")
    slack = 0.0 if step == 1.0 else 0.5
    places = [max(0, int(np.ceil(share * draws)) - 1) for share in RANK_SHARES]
    for tile in model.tiles():
        tile_rng = _stream(root, 1, tile.number)
        code = np.empty((draws, len(tile.units)), dtype=np.uint16)
        for start in range(0, draws, block):
            lost = model.lost(tile, start, min(start + block, draws), tile_rng)
            rows = slice(start, start + len(lost))
            np.take(codes[rows], _bins(lost), out=code[rows], mode="clip")  # all are within: no check
        ordered = np.ascontiguousarray(code.T)
        ordered.sort(axis=1, kind="stable")  # by radix: faster than finding two places
        first, last = (ordered[:, place].astype(np.float64) for place in places)
        known = observed[tile.units]
        at_least = np.maximum(np.floor((first - slack) * step / 2.0), 1.0)
        at_most = np.minimum(np.ceil((last + slack) * step / 2.0), n)
        low[tile.units], high[tile.units] = (
            np.where(known, at_least, np.nan),
            np.where(known, at_most, np.nan),
        )


def _frame(
    units: pd.Index,
    green: npt.NDArray[np.int64],
    red: npt.NDArray[np.int64],
    missing: npt.NDArray[np.int64],
    observed: npt.NDArray[np.bool_],
    assumptions: UncertaintyAssumptions,
) -> pd.DataFrame:
    draws = assumptions.draws
    counts = np.stack([red, draws - red - green, green])
    likely = np.where(observed, counts.argmax(axis=0), 3)  # ties: the worse colour
    names = pd.array([x.value for x in (Level.RED, Level.YELLOW, Level.GREEN, Level.UNKNOWN)], dtype="str")
    columns: dict[str, Any] = {
        name: np.where(observed, count / draws, np.nan)
        for name, count in zip(("p_red", "p_yellow", "p_green"), counts, strict=True)
    }
    columns["most_likely"] = names.take(likely)
    columns["contested"] = observed & (counts.max(axis=0) < assumptions.contested_below * draws)
    columns["missing"] = missing
    return pd.DataFrame(columns, index=units)
