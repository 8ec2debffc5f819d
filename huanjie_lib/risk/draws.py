"""Points lost under many draws of what is uncertain: the streaming kernel of uncertainty and sensitivity.

Units come in tiles and draws in blocks, laid out as (draws × units) so that a block stays in the cache. The
product of a block is taken in strips that OpenBLAS keeps on one core: its threads fight with other kernels
for two cores, which was measured to slow such products down tenfold and more on a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Framework
from huanjie_lib.risk.scoring import present_kinds
from huanjie_lib.risk.scoring import weights as adopted_weights
from huanjie_lib.risk.value_functions import ValueFunction
from huanjie_lib.vocabulary import UnitKind

__all__ = ["Draws", "LossModel", "Scale", "Tile"]

Floats: TypeAlias = npt.NDArray[np.float64]
Reals: TypeAlias = npt.NDArray[Any]
Positions: TypeAlias = npt.NDArray[np.intp]
Scale: TypeAlias = Literal["values", "severities"]

UNITS_PER_TILE = 3840
UNITS_PER_STRIP = 480
VALUES_TOGETHER = 1 << 16
"""Values of units under draws that are computed at once where every draw moves them; they fit the cache."""


@dataclass(frozen=True)
class Draws:
    """What differs from draw to draw; R draws, m dimensions, k indicators in the framework's order.

    Parameters
    ----------
    size
        R.
    across
        Weight of each dimension, shape (R, m), or (1, m) where it is certain; rows sum to 1.
    within
        Weight of each indicator within its dimension, shape (R, k) or (1, k).
    stretch, shift
        Factor and shift of the value axis of each indicator, shape (R, k), both on the axis on which the
        reference points run from 0 (least severe) to 1 (most severe); ``None`` where they are certain.
    assumed
        Severity of every missing value, shape (R,); ``None`` draws each missing value of each unit by
        itself, uniformly over the whole range from 0 to 1.
    value_error
        Standard deviation of the relative error of an observed value.
    """

    size: int
    across: Floats
    within: Floats
    stretch: Floats | None = None
    shift: Floats | None = None
    assumed: Floats | None = None
    value_error: float = 0.0

    @property
    def moves_values(self) -> bool:
        """Whether severities differ from draw to draw."""
        return self.stretch is not None or self.value_error > 0.0

    @property
    def certain_weights(self) -> bool:
        """Whether all draws share their weights."""
        return len(self.across) == 1 and len(self.within) == 1


@dataclass(frozen=True)
class _Group:
    """Indicators whose contributions add up before the power mean is taken.

    All dimensions with power 1 form one group, whose weights are ``100 · W_d · w_i``; each other dimension is
    a group of its own with weights ``w_i`` and factor ``100 · W_d``.
    """

    rows: slice
    weights: Reals  # (R or 1, size of the group)
    power: float
    factor: Reals | None  # (R or 1,)


@dataclass(frozen=True)
class _Ramps:
    """Value functions as sums of clipped ramps on the axis from 0 (least severe) to 1 (most severe)."""

    start: Floats  # (k,) value at 0
    span: Floats  # (k,) signed value distance from 0 to 1
    bottom: npt.NDArray[np.float32]  # (k, 1) severity at 0
    knots: npt.NDArray[np.float32]  # (q, k, 1)
    lengths: npt.NDArray[np.float32]
    slopes: npt.NDArray[np.float32]

    @classmethod
    def of(cls, framework: Framework, columns: Positions) -> _Ramps:
        indicators = [framework.indicators[c] for c in columns]
        most = max((len(i.reference_points) for i in indicators), default=2) - 1
        start, span, bottom = (np.zeros(len(columns)) for _ in range(3))
        knots, lengths, slopes = (np.zeros((most, len(columns), 1), dtype=np.float32) for _ in range(3))
        for row, indicator in enumerate(indicators):
            points = indicator.reference_points
            points = points if points[0][1] <= points[-1][1] else points[::-1]
            x, s = np.array(points).T
            start[row], span[row], bottom[row] = x[0], x[-1] - x[0], s[0]
            t = (x - x[0]) / span[row]
            for q, (length, rise) in enumerate(zip(np.diff(t), np.diff(s), strict=True)):
                knots[q, row], lengths[q, row], slopes[q, row] = t[q], length, rise / length
        return cls(start, span, bottom[:, None].astype(np.float32), knots, lengths, slopes)

    def severity(self, position: Reals) -> Reals:
        out = np.broadcast_to(self.bottom, position.shape).copy()
        for knot, length, slope in zip(self.knots, self.lengths, self.slopes, strict=True):
            part = position - knot
            np.clip(part, 0.0, length, out=part)
            part *= slope
            out += part
        return out


@dataclass(frozen=True)
class _KindModel:
    columns: Positions  # indicators that apply, group by group
    groups: tuple[_Group, ...]
    ramps: _Ramps


@dataclass(frozen=True)
class Tile:
    """Units of one kind that are computed together.

    Parameters
    ----------
    number
        Position of the tile in the stream; its random numbers depend on nothing else.
    units
        Positions of the units in the table, shape (c,).
    missing
        Number of missing values of each unit, shape (c,).
    severity
        Shape (applicable indicators, c); 0 where missing.
    """

    number: int
    units: Positions
    missing: Positions
    severity: Reals
    value: Reals  # raw values where severities differ from draw to draw, else empty
    cell_unit: Positions  # missing cells, unit by unit: column of ``severity``
    cell_row: Positions  # and row
    kind: _KindModel

    @property
    def applicable(self) -> int:
        """Number of indicators that apply to the units."""
        return len(self.kind.columns)


class LossModel:
    """Points lost by units under each of a number of draws.

    Parameters
    ----------
    table
        Units × indicators: raw values, or severities where ``scale`` says so; NaN where missing.
    kinds
        Kind of each unit, same index.
    framework
        Indicators with reference points, applicability and powers.
    draws
        What differs from draw to draw.
    scale
        What the table holds. Severities cannot be moved: reference points and values must be certain.

    Raises
    ------
    KeyError
        If an indicator of the framework has no column.
    ValueError
        If a unit's kind is unknown, or severities are given where values are uncertain.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        kinds: pd.Series[str],
        framework: Framework,
        draws: Draws,
        *,
        scale: Scale = "values",
    ) -> None:
        if scale == "severities" and draws.moves_values:
            raise ValueError("uncertain reference points or values need a table of values, not severities")
        ids = [i.id for i in framework.indicators]
        ordered = table if list(table.columns) == ids else table[ids]
        self._raw: Floats = ordered.to_numpy(dtype=np.float64)  # a view where the table is one block
        self._functions = [ValueFunction.of(i.reference_points) for i in framework.indicators]
        self._draws = draws
        self._scale = scale
        #: Single precision where a product per draw is needed, double where draws share all but gaps.
        self.dtype: type[np.floating[Any]] = (
            np.float64 if draws.certain_weights and not draws.moves_values else np.float32
        )
        of_units = kinds.reindex(table.index)
        self._kinds = [
            (_kind_model(framework, kind, draws, self.dtype), np.flatnonzero(of_units == kind.value))
            for kind in present_kinds(of_units)
        ]

    def tiles(self) -> Iterator[Tile]:
        """Yield all units in tiles, kind by kind, complete units before incomplete ones."""
        number = 0
        for kind, of_kind in self._kinds:
            gaps = np.zeros(len(self._raw), dtype=bool)
            for column in kind.columns:
                gaps |= np.isnan(self._raw[:, column])
            incomplete = gaps[of_kind]
            for rows in (of_kind[~incomplete], of_kind[incomplete]):
                for first in range(0, len(rows), UNITS_PER_TILE):
                    units = rows[first : first + UNITS_PER_TILE]
                    yield self._tile(number, kind, units, complete=not gaps[units[0]])
                    number += 1

    def _tile(self, number: int, kind: _KindModel, units: Positions, *, complete: bool) -> Tile:
        value = np.empty((len(kind.columns), len(units)))
        severity = np.empty_like(value, dtype=self.dtype)
        for row, column in enumerate(kind.columns):
            value[row] = self._raw[units, column]
            severity[row] = value[row] if self._scale == "severities" else self._functions[column](value[row])
        cell_unit, cell_row = np.empty((2, 0), dtype=np.intp)
        missing = np.zeros(len(units), dtype=np.intp)
        if not complete:
            gaps = np.isnan(value)
            severity[gaps] = 0.0
            cell_unit, cell_row = np.nonzero(gaps.T)
            missing = gaps.sum(axis=0)
        for group in kind.groups:
            if group.power != 1.0:
                severity[group.rows] **= group.power
        value = value if self._draws.moves_values else value[:0]
        return Tile(number, units, missing, severity, value, cell_unit, cell_row, kind)

    def lost(self, tile: Tile, start: int, stop: int, rng: np.random.Generator) -> Reals:
        """Return the points lost by each unit of a tile under draws ``start`` to ``stop``.

        Called with consecutive ranges from 0 on and the same generator, it gives the same draws whatever the
        size of the ranges.

        Returns
        -------
        numpy.ndarray
            Shape (stop − start, units of the tile); float32, or float64 where draws share all but gaps.
        """
        if self._draws.moves_values:
            return self._moved(tile, start, stop, rng)
        complete = not len(tile.cell_unit)
        drawn = tile.severity[:0] if complete else self._gaps(tile, start, stop, rng)
        out: Reals | None = None
        for group in tile.kind.groups:
            w = _rows(group.weights, start, stop)
            mass = _product(w, tile.severity[group.rows])
            if len(mass) != stop - start:
                mass = np.repeat(mass, stop - start, axis=0)
            inside = (tile.cell_row >= group.rows.start) & (tile.cell_row < group.rows.stop)
            if not complete and inside.any():
                units = tile.cell_unit[inside]
                first = np.flatnonzero(np.diff(units, prepend=-1))
                part = drawn if inside.all() else drawn[:, inside]
                part = part if group.power == 1.0 else part**group.power
                part = part * w[:, tile.cell_row[inside] - group.rows.start]
                of_units = np.add.reduceat(part, first, axis=1)
                if len(first) == len(tile.units):
                    mass += of_units
                else:
                    mass[:, units[first]] += of_units
            mass = _power_mean(mass, group, start, stop)
            out = mass if out is None else out + mass
        assert out is not None
        return out

    def _gaps(self, tile: Tile, start: int, stop: int, rng: np.random.Generator) -> Reals:
        """Return the severity of each missing cell under each draw, strictly between 0 and 1 if drawn."""
        cells = len(tile.cell_unit)
        if self._draws.assumed is not None:
            shape = (stop - start, cells)
            return np.broadcast_to(self._draws.assumed[start:stop, None].astype(self.dtype), shape)
        words = rng.integers(0, 2**64, size=(stop - start, -(-cells // 4)), dtype=np.uint64)
        sixteen_bits = words.view(np.uint16)[:, :cells]
        return np.asarray((sixteen_bits.astype(self.dtype) + self.dtype(0.5)) * self.dtype(2.0**-16))

    def _moved(self, tile: Tile, start: int, stop: int, rng: np.random.Generator) -> Reals:
        draws, kind = self._draws, tile.kind
        ramps = kind.ramps
        span = ramps.span[:, None]
        position = np.nan_to_num((tile.value - ramps.start[:, None]) / span).astype(np.float32)
        relative = np.nan_to_num(tile.value / span).astype(np.float32)
        out = np.empty((stop - start, len(tile.units)), dtype=np.float32)
        together = max(1, VALUES_TOGETHER // max(1, position.size))
        for first in range(start, stop, together):
            last = min(first + together, stop)
            t: Reals = position
            gaps = np.empty((last - first, len(tile.cell_unit)), dtype=np.float32)
            noise = np.empty((last - first, *position.shape), dtype=np.float32)
            for row, draw in enumerate(range(first, last)):  # one by one: whatever is computed together
                gaps[row] = self._gaps(tile, draw, draw + 1, rng)[0]
                if draws.value_error > 0.0:
                    rng.standard_normal(out=noise[row], dtype=np.float32)
            if draws.value_error > 0.0:
                noise *= np.float32(draws.value_error)
                noise *= relative
                t = np.add(t, noise, out=noise)
            if draws.stretch is not None and draws.shift is not None:
                t = t - draws.shift[first:last, kind.columns, None].astype(np.float32)
                t /= draws.stretch[first:last, kind.columns, None].astype(np.float32)
            severity = ramps.severity(t)
            severity[:, tile.cell_row, tile.cell_unit] = gaps
            total: Reals | None = None
            for group in kind.groups:
                s = severity[:, group.rows]
                s = s if group.power == 1.0 else s**group.power
                mass = np.matmul(_rows(group.weights, first, last)[:, None], s)[:, 0]
                mass = _power_mean(mass, group, first, last)
                total = mass if total is None else total + mass
            assert total is not None
            out[first - start : last - start] = total
        return out


def _product(w: Reals, severity: Reals) -> Reals:
    out = np.empty((len(w), severity.shape[1]), dtype=severity.dtype)
    for first in range(0, severity.shape[1], UNITS_PER_STRIP):
        strip = slice(first, first + UNITS_PER_STRIP)
        np.matmul(w, severity[:, strip], out=out[:, strip])
    return out


def _rows(of_draws: Reals, start: int, stop: int) -> Reals:
    return of_draws if len(of_draws) == 1 else of_draws[start:stop]


def _power_mean(mass: Reals, group: _Group, start: int, stop: int) -> Reals:
    if group.factor is None:
        return mass
    return np.asarray(mass ** (1.0 / group.power) * _rows(group.factor, start, stop)[:, None], mass.dtype)


def _kind_model(framework: Framework, kind: UnitKind, draws: Draws, dtype: type[Any]) -> _KindModel:
    adopted = adopted_weights(framework, kind)
    applies = adopted.within > 0.0
    within = np.where(applies, draws.within, 0.0)
    of_dimension = (adopted.dimension[:, None] == np.arange(len(adopted.across))).astype(np.float64)
    within = within / np.where(applies, (within @ of_dimension)[:, adopted.dimension], 1.0)
    total = draws.across[:, adopted.dimension] * within
    linear = applies & (adopted.power[adopted.dimension] == 1.0)
    columns: list[int] = np.flatnonzero(linear).tolist()
    groups = []
    if columns:
        chosen = np.ascontiguousarray(100.0 * total[:, columns], dtype=dtype)
        groups.append(_Group(slice(0, len(columns)), chosen, 1.0, None))
    for d in np.flatnonzero(adopted.power != 1.0):
        own = np.flatnonzero(applies & (adopted.dimension == d))
        rows = slice(len(columns), len(columns) + len(own))
        chosen = np.ascontiguousarray(within[:, own], dtype=dtype)
        factor = (100.0 * draws.across[:, d]).astype(dtype)
        groups.append(_Group(rows, chosen, float(adopted.power[d]), factor))
        columns += own.tolist()
    order = np.array(columns, dtype=np.intp)
    return _KindModel(order, tuple(groups), _Ramps.of(framework, order))
