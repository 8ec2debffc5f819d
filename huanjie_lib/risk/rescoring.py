"""New dimension weights and cut-offs on losses already computed: what a what-if move costs.

The points a unit loses on dimension ``d`` are ``W_d · L_d`` (:mod:`huanjie_lib.risk.scoring`), and ``L_d``,
the loss at a whole weight, knows no dimension weight. With the losses kept, new weights cost one
matrix-vector product for each snapshot:

``index = 100 − Σ_d W_d · L_d``

Adopting new parameters recomputes every past snapshot with them, and a colour depends through its hysteresis
on the colour before. :func:`rescore` does the same: it walks all snapshots, so that what it shows is what a
run with the new parameters finds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import WEIGHT_TOLERANCE, Classification, Framework
from huanjie_lib.risk.classification import levels, ranks
from huanjie_lib.risk.scoring import Weights, points_lost
from huanjie_lib.risk.scoring import weights as framework_weights
from huanjie_lib.vocabulary import Level, UnitKind

__all__ = [
    "ColourChanges",
    "Losses",
    "Rescored",
    "apportion",
    "colour_changes",
    "dimension_losses",
    "rebalance",
    "rescore",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Ranks: TypeAlias = npt.NDArray[np.int8]

SHOWN_POINTS = 0.05
"""Points below this round to 0.0 and are not told."""
DIMENSIONS_TOLD = 3

_BY_RANK = (Level.UNKNOWN, Level.RED, Level.YELLOW, Level.GREEN)
_INDEX_DECIMALS = 10
"""As in scoring: a sum of exactly 20 points stays at 80."""


@dataclass(frozen=True)
class Losses:
    """What each unit loses on each dimension, per unit of the dimension's weight (0-100).

    Parameters
    ----------
    units
        Codes of the n units.
    framework
        The framework whose m dimensions they are.
    as_of
        Date of the last snapshot.
    current, worst, best
        Shape (n, m): under the pack's missing policy, with every missing value at its worst and at its best.
    past
        Shape (s, n, m): the snapshots before, oldest first, under the pack's missing policy.
    scored, past_scored
        Shapes (n,) and (s, n): whether any value was observed; without one a unit has no colour.
    """

    units: pd.Index
    framework: Framework
    as_of: pd.Timestamp
    current: Floats
    worst: Floats
    best: Floats
    past: Floats
    scored: Bools
    past_scored: Bools

    def __repr__(self) -> str:
        """Return sizes, as-of date and parameter version."""
        return (
            f"Losses(units={len(self.units)}, snapshots={len(self.past) + 1}, as_of={self.as_of.date()}, "
            f"parameters={self.framework.version!r})"
        )

    def position(self, unit_code: str) -> int:
        """Return the place of a unit.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        return self._positions[unit_code]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {code: i for i, code in enumerate(self.units)}


def dimension_losses(
    indicators: pd.DataFrame, history: pd.DataFrame, kinds: pd.Series[str], framework: Framework
) -> Losses:
    """Return the losses of all units from the tables of a run.

    Parameters
    ----------
    indicators
        unit_code, indicator, severity_low, severity_high: both equal where a value was observed, 0 and 1
        where it is missing or stale, NaN where the indicator does not apply.
    history
        unit_code, as_of, level and the points lost on each dimension, for every snapshot.
    kinds
        Kind of each unit by code; its order is the order of the result.
    framework
        The framework both were computed with.

    Returns
    -------
    Losses
        A dimension of weight 0 has no losses in past snapshots, since its points were 0 there;
        :func:`rescore` refuses to give it weight.

    Raises
    ------
    KeyError
        If a unit or an indicator is not in ``indicators``.
    """
    ids = [i.id for i in framework.indicators]
    low, high = (
        indicators.pivot(index="unit_code", columns="indicator", values=name)
        .loc[kinds.index, ids]
        .to_numpy(dtype=np.float64)
        for name in ("severity_low", "severity_high")
    )
    assumed = np.array([i.missing.assumed for i in framework.indicators])
    gaps = low < high
    shape = len(kinds), len(framework.dimensions)
    current, worst, best = (np.zeros(shape) for _ in range(3))
    for kind in UnitKind:
        rows = np.flatnonzero(kinds.to_numpy() == kind.value)
        whole = framework_weights(framework, kind)
        whole = Weights(whole.within, whole.dimension, np.ones(shape[1]), whole.power)
        for out, severities in ((current, np.where(gaps, assumed, low)), (worst, high), (best, low)):
            lost = points_lost(np.nan_to_num(severities[rows]), whole)
            for d in range(shape[1]):
                out[rows, d] = lost[:, whole.dimension == d].sum(axis=1)
    across = np.array([d.weight for d in framework.dimensions])
    dates = sorted(history["as_of"].unique())
    past = np.zeros((len(dates) - 1, *shape))
    scored = np.zeros((len(dates), shape[0]), dtype=bool)
    by_date = history.set_index("unit_code")
    for step, date in enumerate(dates):
        snapshot = by_date[by_date["as_of"] == date].reindex(kinds.index)
        scored[step] = snapshot["level"].isin([x.value for x in Level if x is not Level.UNKNOWN])
        if step < len(past):
            points = snapshot[[d.id for d in framework.dimensions]].to_numpy(dtype=np.float64)
            np.divide(points, across, out=past[step], where=across > 0)
    return Losses(
        units=kinds.index,
        framework=framework,
        as_of=pd.Timestamp(dates[-1]),
        current=current,
        worst=worst,
        best=best,
        past=past,
        scored=scored[-1],
        past_scored=scored[:-1],
    )


@dataclass(frozen=True)
class Rescored:
    """All units under one set of dimension weights and cut-offs.

    Parameters
    ----------
    losses
        What was rescored.
    weights
        Weight of each dimension, shape (m,); they sum to 1.
    classification
        Cut-offs and margins.
    index, index_low, index_high
        Index under the missing policy, with every gap at its worst and at its best, shape (n,).
    rank
        Rank of the colour, shape (n,): 0 unknown, 1 red, 2 yellow, 3 green.
    to_verify
        Whether missing data leave the colour open, shape (n,).
    """

    losses: Losses
    weights: Floats
    classification: Classification
    index: Floats
    index_low: Floats
    index_high: Floats
    rank: Ranks
    to_verify: Bools

    def __repr__(self) -> str:
        """Return number of units, as-of date and parameter version."""
        return (
            f"Rescored(units={len(self.index)}, as_of={self.losses.as_of.date()}, "
            f"parameters={self.losses.framework.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return index with bounds, level and to_verify by unit code."""
        return pd.DataFrame(
            {
                "index": self.index,
                "index_low": self.index_low,
                "index_high": self.index_high,
                "level": levels(self.rank),
                "to_verify": self.to_verify,
            },
            index=self.losses.units,
        )

    def explain(self, unit_code: str) -> str:
        """Return in a sentence the index, the colour and where the most points are lost.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        i = self.losses.position(unit_code)
        label = _BY_RANK[self.rank[i]].label
        if not self.rank[i]:
            return "没有一项数据，不评等级。"
        lost = self.weights * self.losses.current[i]
        most = [d for d in np.argsort(-lost, kind="stable")[:DIMENSIONS_TOLD] if lost[d] >= SHOWN_POINTS]
        told = "、".join(f"{self.losses.framework.dimensions[d].label}扣{lost[d]:.1f}分" for d in most)
        return f"选情指数{self.index[i]:.1f}，{label}；{told or '没有扣分'}。"

    @cached_property
    def plain_rank(self) -> Ranks:
        """Rank of the colour that the index alone would have, without hysteresis."""
        return ranks(np.where(self.losses.scored, self.index, np.nan), self.classification)


def rescore(losses: Losses, weights: npt.ArrayLike, classification: Classification) -> Rescored:
    """Return all units under new dimension weights and cut-offs, past snapshots included.

    Parameters
    ----------
    losses
        Cached losses.
    weights
        Weight of each dimension, shape (m,), at least 0, sum 1 (tolerance 1e-9).
    classification
        Cut-offs and margins; hysteresis begins at the first snapshot.

    Raises
    ------
    ValueError
        If the weights are not of that form, or give weight to a dimension that the framework gives none.
    """
    w = np.asarray(weights, dtype=np.float64)
    across = np.array([d.weight for d in losses.framework.dimensions])
    if w.shape != across.shape:
        raise ValueError(f"weights must have shape {across.shape}, found {w.shape}")
    if not (np.isfinite(w).all() and (w >= 0).all() and abs(w.sum() - 1) <= WEIGHT_TOLERANCE):
        raise ValueError(f"weights must be at least 0 and sum to 1, found {w.tolist()}")
    if len(losses.past) and (w[across == 0] > 0).any():
        raise ValueError("a dimension without weight in the framework has no past losses to weigh")
    before: Ranks | None = None
    for values, scored in zip(_index(losses.past, w), losses.past_scored, strict=True):
        before = ranks(np.where(scored, values, np.nan), classification, previous=before)
    now, low, high = (_index(table, w) for table in (losses.current, losses.worst, losses.best))
    return Rescored(
        losses=losses,
        weights=w,
        classification=classification,
        index=now,
        index_low=low,
        index_high=high,
        rank=ranks(np.where(losses.scored, now, np.nan), classification, previous=before),
        to_verify=ranks(low, classification, previous=before) != ranks(high, classification, previous=before),
    )


def _index(losses: Floats, weights: Floats) -> Floats:
    return np.asarray(np.round(100.0 - losses @ weights, _INDEX_DECIMALS))


@dataclass(frozen=True)
class ColourChanges:
    """Who changes colour between two sets of weights and cut-offs, and why.

    Parameters
    ----------
    adopted, proposed
        The same units under both.
    """

    adopted: Rescored
    proposed: Rescored

    def __repr__(self) -> str:
        """Return how many units change colour, as-of date and parameter version."""
        losses = self.adopted.losses
        return (
            f"ColourChanges(units={len(losses.units)}, changed={int(self.changed.sum())}, "
            f"as_of={losses.as_of.date()}, parameters={losses.framework.version!r})"
        )

    @cached_property
    def changed(self) -> Bools:
        """Whether the colour changes, shape (n,)."""
        return np.asarray(self.adopted.rank != self.proposed.rank)

    @cached_property
    def shares(self) -> Floats:
        """Change of the index by dimension, shape (n, m); rows add up to the change of the index."""
        return (self.adopted.weights - self.proposed.weights) * self.adopted.losses.current

    def to_frame(self) -> pd.DataFrame:
        """Return by unit code both levels and indices, the change and its share by dimension."""
        frame = pd.DataFrame(
            {
                "level": levels(self.adopted.rank),
                "proposed_level": levels(self.proposed.rank),
                "index": self.adopted.index,
                "proposed_index": self.proposed.index,
                "change": self.proposed.index - self.adopted.index,
                "changed": self.changed,
                "to_verify": self.proposed.to_verify,
            },
            index=self.adopted.losses.units,
        )
        ids = [d.id for d in self.adopted.losses.framework.dimensions]
        return pd.concat([frame, pd.DataFrame(self.shares, index=frame.index, columns=ids)], axis=1)

    def explain(self, unit_code: str) -> str:
        """Return in a Chinese sentence how colour and index change and which weights and cut-offs do it.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        i = self.adopted.losses.position(unit_code)
        old, new = self.adopted.rank[i], self.proposed.rank[i]
        if not new:
            return "没有一项数据，不评等级，权重和分界线对它没有影响。"
        colour = (
            f"由{_BY_RANK[old].mark}转{_BY_RANK[new].mark}"
            if old != new
            else f"颜色不变，仍为{_BY_RANK[new].label}"
        )
        return f"{colour}：{'；'.join([self._movement(i), *self._reasons(i)])}。"

    def reason(self, unit_code: str) -> str:
        """Return the weights and cut-offs of :meth:`explain` alone, without colours and indices.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        reasons = self._reasons(self.adopted.losses.position(unit_code))
        return f"{'；'.join(reasons)}。" if reasons else ""

    def texts(self, unit_code: str) -> tuple[str, str]:
        """Return both indices with one decimal, or with as many as tell them apart where the colour changes.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        i = self.adopted.losses.position(unit_code)
        before, after = self.adopted.index[i], self.proposed.index[i]
        decimals = 1
        while self.changed[i] and before != after and f"{before:.{decimals}f}" == f"{after:.{decimals}f}":
            decimals += 1
        return f"{before:.{decimals}f}", f"{after:.{decimals}f}"

    def _movement(self, i: int) -> str:
        before, after = self.texts(self.adopted.losses.units[i])
        if before == after:
            return f"指数{after}不变"
        return f"指数由{before}{'升' if self.proposed.index[i] > self.adopted.index[i] else '降'}到{after}"

    def _reasons(self, i: int) -> list[str]:
        ranks_of = sorted((int(self.adopted.rank[i]), int(self.proposed.rank[i])))
        return [*self._weights(i), *self._cuts(*ranks_of), *self._held(i)]

    def _weights(self, i: int) -> list[str]:
        shares = self.shares[i]
        most = np.argsort(-np.abs(shares), kind="stable")[:DIMENSIONS_TOLD]
        told = []
        for d in most[np.abs(shares[most]) >= SHOWN_POINTS]:
            before, after = self.adopted.weights[d], self.proposed.weights[d]
            verb = "升" if after > before else "降"
            effect = "少扣" if shares[d] > 0 else "多扣"
            told.append(
                f"{self.adopted.losses.framework.dimensions[d].label}权重由{_percent(before)}{verb}到"
                f"{_percent(after)}，{effect}{abs(shares[d]):.1f}分"
            )
        if not told and self.changed[i] and shares.any():
            told.append("各项权重的影响都不到0.1分")
        return told

    def _cuts(self, lower: int, upper: int) -> list[str]:
        """Tell the cut-offs that were moved between two ranks."""
        cuts = {2: ("黄色", "yellow_from"), 3: ("绿色", "green_from")}
        told = []
        for label, name in (cuts[rank] for rank in range(lower + 1, upper + 1)):
            before, after = (
                getattr(self.adopted.classification, name),
                getattr(self.proposed.classification, name),
            )
            if before != after:
                told.append(f"{label}分界线由{before:g}分{'提' if after > before else '降'}到{after:g}分")
        return told

    def _held(self, i: int) -> list[str]:
        """Tell where a colour is not that of the index alone."""
        sides = (("现行颜色", self.adopted), ("方案颜色", self.proposed))
        return [
            f"{side}按防跳动规则计为{_BY_RANK[scores.rank[i]].label}"
            for side, scores in sides
            if scores.rank[i] != scores.plain_rank[i]
        ]


def colour_changes(adopted: Rescored, proposed: Rescored) -> ColourChanges:
    """Compare two rescorings of the same losses.

    Raises
    ------
    ValueError
        If they are not of the same losses.
    """
    if adopted.losses is not proposed.losses:
        raise ValueError("both must rescore the same losses")
    return ColourChanges(adopted, proposed)


def apportion(shares: npt.ArrayLike, total: int) -> tuple[int, ...]:
    """Return whole numbers that sum to ``total``, in proportion to shares (largest remainder).

    Equal remainders: the share that stands first gains. A share that is whole already stays what it is.

    Parameters
    ----------
    shares
        At least 0, with a sum above 0.
    total
        At least 0.

    Examples
    --------
    >>> apportion([1, 1, 1], 1000)
    (334, 333, 333)
    >>> apportion([200, 800], 1000)
    (200, 800)
    """
    exact = np.asarray(shares, dtype=np.float64)
    exact = exact * (total / exact.sum())
    whole = np.floor(exact)
    left = total - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return tuple(int(x) for x in whole)


def rebalance(
    shares: Sequence[float], position: int, value: float, *, held: Collection[int], spare: Sequence[float]
) -> tuple[float, ...]:
    """Set one weight; the others that are not held give or take in proportion, so that the sum stays.

    Parameters
    ----------
    shares
        Weights in any unit, at least 0.
    position
        Which one is set; it may not be held.
    value
        What it is set to. What the held ones leave is the most it can be; where all others are held it is
        all it can be.
    held
        Positions that keep their weight.
    spare
        Proportions to share by where all others that are free stand at 0.

    Raises
    ------
    ValueError
        If the position is held or out of range, or the value is not a finite number of at least 0.

    Examples
    --------
    >>> rebalance([20, 30, 50], 0, 60, held=[], spare=[20, 30, 50])
    (60.0, 15.0, 25.0)
    >>> rebalance([20, 30, 50], 0, 60, held=[2], spare=[20, 30, 50])
    (50.0, 0.0, 50.0)
    >>> rebalance([100, 0, 0], 0, 80, held=[], spare=[20, 30, 50])
    (80.0, 7.5, 12.5)
    """
    if position in held or not 0 <= position < len(shares):
        raise ValueError(f"position {position} cannot be set")
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"value must be a finite number of at least 0, found {value}")
    free = [i for i in range(len(shares)) if i != position and i not in held]
    room = sum(shares) - sum(shares[i] for i in held)
    out = [float(x) for x in shares]
    out[position] = min(float(value), float(room)) if free else float(room)
    basis: Sequence[Any] = shares if sum(shares[i] for i in free) > 0 else spare
    whole = sum(basis[i] for i in free)
    for i in free:
        out[i] = (room - out[position]) * basis[i] / whole
    return tuple(out)


def _percent(weight: float) -> str:
    return f"{round(100 * weight, 1):g}%"
