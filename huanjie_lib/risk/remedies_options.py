"""What the measures of the library would do: every way to combine them, what each costs and regains.

Measures that meet, because they act on one indicator, require, exclude or replace one another, or act on one
dimension with a power mean, form a group. Points regained add up over groups, since no indicator and no
dimension with ``p > 1`` is touched by two of them; within a group every combination is written out, so that
whatever does not add up is computed as it is. Nothing is approximated.

Rules, each tested:

* effects on one indicator are applied in the order of the library; each moves the value towards safety or
  leaves it, so that no measure ever lowers an index;
* a missing value stays missing, and the severity that the pack declares for it stays too, unless a measure
  *establishes* the value by its own act; a cost that depends on a missing value is unknown, and the measure
  is then not offered;
* costs are whole tenths of a team-day, rounded up, so that sums and ties are exact;
* a measure that has nothing to do in a unit (its effects change no severity) counts as done there;
* a measure is taken no more often than the indicators that bound it leave it to do, and not at all where one
  of them is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from huanjie_lib.errors import Fault, ParameterError
from huanjie_lib.parameters import (
    Effect,
    Framework,
    MeasureLibrary,
    Remedy,
    SetEffect,
    ShareEffect,
    StepEffect,
)
from huanjie_lib.risk.scoring import Weights, points_lost, value_function, weights
from huanjie_lib.vocabulary import UnitKind

__all__ = [
    "COST_SCALE",
    "MOST_COMBINATIONS",
    "Answer",
    "Group",
    "Options",
    "TooManyCombinationsError",
    "chain_length",
    "options_of",
    "working_days",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

COST_SCALE = 10
"""Costs are whole numbers of 1/10 team-day."""

MOST_COMBINATIONS = 100_000
"""Combinations of one group beyond which a library is refused rather than searched in part."""

_CELLS = 2_000_000
"""Numbers held at once while a block of units is worked through."""


class TooManyCombinationsError(ParameterError):
    """Measures are bound together in more combinations than can be searched exactly."""


@dataclass(frozen=True)
class Group:
    """Measures that meet, and every combination of them.

    Parameters
    ----------
    measures
        Positions of the measures in the library, ascending, shape (m,).
    times
        How often each is taken in each combination, shape (combinations, m); the first row is "nothing".
        Rows break no ``excludes`` or ``replaces``; whether requirements hold depends on the unit.
    indicators
        Positions of the indicators whose points the group can change, shape (t,).
    radix
        Weight of one time of each measure in the key, shape (m,).
    key
        Number that identifies a combination among all sets of the library: times in mixed radix, the first
        measure most significant; ascending. Keys of groups add up to the key of the whole set.
    days
        Working days of each combination, see :func:`working_days`; shape (combinations,).
    """

    measures: tuple[int, ...]
    times: Ints
    indicators: tuple[int, ...]
    radix: tuple[int, ...]
    key: Ints
    days: Ints


@dataclass(frozen=True)
class Answer:
    """What each combination of one group does in each unit of a block.

    Parameters
    ----------
    gain
        Points regained, shape (n, combinations).
    cost
        Cost in tenths of a team-day, shape (n, combinations).
    allowed
        Whether requirements hold, costs are known and the time suffices, shape (n, combinations).
    """

    gain: Floats
    cost: Ints
    allowed: Bools


@dataclass(frozen=True)
class Options:
    """The measures library laid out for one kind of unit.

    Parameters
    ----------
    framework, library, kind
        What it was made of.
    weights
        Weights of the kind.
    groups
        Groups of measures, in the order of their first measure.
    radix
        Weight of one time of each measure in a set's key, by position in the library; 0 where a measure has
        no effect or does not apply.
    """

    framework: Framework
    library: MeasureLibrary
    kind: UnitKind
    weights: Weights
    groups: tuple[Group, ...]
    radix: tuple[int, ...]

    def decode(self, key: int) -> dict[int, int]:
        """Return how often each measure (by position) is taken in the set of a key."""
        taken = {}
        for position, radix in enumerate(self.radix):
            if radix:
                count, key = divmod(key, radix)
                if count:
                    taken[position] = count
        return taken

    def after(self, values: Floats, times: Mapping[int, int]) -> Floats:
        """Return the values of one unit after a set of measures, shape (k,)."""
        out = values.copy()
        column = {i.id: c for c, i in enumerate(self.framework.indicators)}
        for position in sorted(times):
            for effect in self.library.measures[position].effects:
                at = column[effect.indicator]
                out[at] = _applied(effect, out[at : at + 1], np.array([times[position]]), self._high(at))[0]
        return out

    def _high(self, column: int) -> bool:
        return self.framework.indicators[column].high_is_safe

    def quantity(self, position: int, values: Floats) -> Floats:
        """Return by unit what a measure's ``each`` is multiplied with for one time; NaN where unknown."""
        cost = self.library.measures[position].cost
        if cost.per is None:
            return np.ones(len(values))
        column = next(c for c, i in enumerate(self.framework.indicators) if i.id == cost.per)
        effect = next(e for e in self.library.measures[position].effects if e.indicator == cost.per)
        before = values[:, column]
        known = np.where(np.isnan(before), np.nan, _applied(effect, before, np.int64(1), self._high(column)))
        return np.asarray(np.abs(before - known) / cost.size)

    def cost(self, position: int, times: Ints | int, quantity: Floats) -> Floats:
        """Return the cost in tenths of a team-day, rounded up; NaN where unknown.

        A cost is rounded to 1e-6 tenths first, so that 3.0000000000000004 tenths are three.
        """
        cost = self.library.measures[position].cost
        tenths = COST_SCALE * (cost.fixed + cost.each * quantity * times)
        return np.where(np.asarray(times) > 0, np.ceil(np.round(tenths, 6)), 0.0)

    def most(self, position: int, values: Floats) -> Floats:
        """Return by unit how often a measure can be taken at most; NaN where what bounds it is missing.

        Steps left are rounded to 1e-9 before they are rounded up.
        """
        measure = self.library.measures[position]
        most = np.full(len(values), float(measure.times))
        for column, indicator in enumerate(self.framework.indicators):
            for effect in measure.effects:
                if effect.indicator != indicator.id or indicator.id not in measure.bounded_by:
                    continue
                before = values[:, column]
                full = _applied(effect, before, np.int64(measure.times), indicator.high_is_safe)
                if isinstance(effect, StepEffect):
                    left = np.ceil(np.round(np.abs(effect.until - before) / abs(effect.step), 9))
                    left = np.where(full == before, 0.0, left)
                else:
                    left = np.where(full == before, 0.0, 1.0)
                most = np.minimum(most, np.where(np.isnan(before), np.nan, left))
        return most

    def idle(self, position: int, values: Floats) -> Bools:
        """Return by unit whether a measure has nothing to do: no effect of it changes a severity."""
        measure = self.library.measures[position]
        idle = np.ones(len(values), dtype=bool)
        if self.kind not in measure.applies_to:
            return idle
        for column, indicator in enumerate(self.framework.indicators):
            for effect in measure.effects:
                if effect.indicator != indicator.id or self.kind not in indicator.applies_to:
                    continue
                before = values[:, column]
                after = _applied(effect, before, np.int64(measure.times), indicator.high_is_safe)
                points = indicator.reference_points
                idle &= value_function(before, points) == value_function(after, points)  # NaN is not idle
        return np.asarray(idle | (self.most(position, values) == 0))

    def answer(self, group: Group, values: Floats, *, within_days: int | None = None) -> Answer:
        """Return what each combination of a group costs and regains in each unit.

        Parameters
        ----------
        group
            One of :attr:`groups`.
        values
            Values of the units, shape (n, k), NaN where missing.
        within_days
            Combinations that take more working days are not allowed; all are where it is ``None``.
        """
        n, rows = len(values), len(group.times)
        cost = np.zeros((n, rows))
        allowed = np.ones((n, rows), dtype=bool)
        for m, position in enumerate(group.measures):
            times = group.times[:, m]
            quantity = self.quantity(position, values)
            cost += self.cost(position, times, quantity[:, None])
            allowed &= (times == 0) | (times <= self.most(position, values)[:, None])
            for required in self.library.measures[position].requires:
                place = next(p for p, other in enumerate(self.library.measures) if other.id == required)
                present = np.zeros(rows, dtype=bool)
                for stand_in in _stand_ins(self.library.measures, required):
                    if stand_in in group.measures:
                        present |= group.times[:, group.measures.index(stand_in)] > 0
                allowed &= (times == 0) | present | self.idle(place, values)[:, None]
        allowed &= np.isfinite(cost)
        if within_days is not None:
            allowed &= group.days <= within_days
        gain = np.empty((n, rows))
        block = max(1, _CELLS // (rows * (len(group.indicators) + 1)))
        for start in range(0, n, block):
            gain[start : start + block] = self._gain(group, values[start : start + block])
        return Answer(gain, np.where(allowed, cost, 0.0).astype(np.int64), allowed)

    def _gain(self, group: Group, values: Floats) -> Floats:
        columns = np.array(group.indicators, dtype=np.intp)
        rows = len(group.times)
        shape = (len(values), rows, len(columns))
        after = np.broadcast_to(values[:, None, columns], shape).copy()
        for m, position in enumerate(group.measures):
            times = group.times[:, m]
            for effect in self.library.measures[position].effects:
                for t, column in enumerate(group.indicators):
                    if self.framework.indicators[column].id == effect.indicator:
                        after[:, :, t] = _applied(effect, after[:, :, t], times, self._high(column))
        severities = np.empty(shape)
        for t, column in enumerate(group.indicators):
            indicator = self.framework.indicators[column]
            severity = value_function(after[:, :, t], indicator.reference_points)
            severities[:, :, t] = np.where(np.isnan(severity), indicator.missing.assumed, severity)
        w = self.weights
        part = Weights(w.within[columns], w.dimension[columns], w.across, w.power)
        lost = (
            points_lost(severities.reshape(shape[0] * rows, len(columns)), part)
            .sum(axis=1)
            .reshape(shape[:2])
        )
        return np.asarray(lost[:, :1] - lost)


def _applied(effect: Effect, values: Floats, times: Ints | np.int64 | int, high_is_safe: bool) -> Floats:
    """Return values after an effect; a value is never made worse, and a missing one stays unless established.

    ``times`` broadcasts against the last axis of ``values``.
    """
    better = np.fmax if high_is_safe else np.fmin
    if isinstance(effect, SetEffect):
        moved = (
            better(values, effect.value)
            if effect.establishes
            else (np.maximum if high_is_safe else np.minimum)(values, effect.value)
        )
    elif isinstance(effect, ShareEffect):
        gap = effect.toward - values
        wanted = gap > 0 if high_is_safe else gap < 0
        moved = np.where(wanted, values + effect.share * gap, values)
    else:
        limit = np.minimum if high_is_safe else np.maximum
        moved = better(values, limit(values + effect.step * times, effect.until))
        moved = np.where(np.isnan(values), np.nan, moved)
    return np.where(np.asarray(times) > 0, moved, values)


def _stand_ins(measures: Sequence[Remedy], measure_id: str) -> list[int]:
    """Return the positions of a measure and of those that replace it."""
    return [p for p, m in enumerate(measures) if m.id == measure_id or measure_id in m.replaces]


def working_days(measures: Sequence[Remedy], times: Mapping[int, int]) -> int:
    """Return the working days a set takes when all goes on at once but what has to wait for something.

    Parameters
    ----------
    measures
        Measures of the library.
    times
        How often each measure, by position, is taken; at least once.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> measures = load_parameters().measures.measures
    >>> place = {m.id: p for p, m in enumerate(measures)}
    >>> working_days(measures, {place["post_notices"]: 2})
    12
    >>> working_days(measures, {place["complete_audit_items"]: 1, place["post_notices"]: 2})
    27
    """
    finish: dict[int, int] = {}

    def finished(position: int) -> int:
        if position not in finish:
            measure = measures[position]
            own = measure.duration_days * (times[position] if measure.sequential else 1)
            finish[position] = own + max((finished(p) for p in _waits(measures, position, times)), default=0)
        return finish[position]

    return max((finished(p) for p in times), default=0)


def chain_length(measures: Sequence[Remedy], position: int, times: Mapping[int, int]) -> int:
    """Return how many measures of a set one has to wait for, one after the other."""
    waits = _waits(measures, position, times)
    return 1 + max(chain_length(measures, p, times) for p in waits) if waits else 0


def _waits(measures: Sequence[Remedy], position: int, times: Mapping[int, int]) -> list[int]:
    return [p for r in measures[position].requires for p in _stand_ins(measures, r) if p in times]


def options_of(framework: Framework, library: MeasureLibrary, kind: UnitKind) -> Options:
    """Lay out a measures library for one kind of unit.

    Raises
    ------
    TooManyCombinationsError
        If one group of measures has more than :data:`MOST_COMBINATIONS` combinations. A power mean with
        ``p > 1`` binds all measures of its dimension together.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> pack = load_parameters()
    >>> options = options_of(pack.framework, pack.measures, UnitKind.VILLAGE)
    >>> [pack.measures.measures[p].id for p in options.groups[0].measures]
    ['complete_audit_items', 'complete_member_audits', 'audit_taskforce', 'post_notices']
    """
    measures = library.measures
    usable = [p for p, m in enumerate(measures) if m.effects and kind in m.applies_to]
    radix = [0] * len(measures)
    step = 1
    for position in reversed(usable):
        radix[position] = step
        step *= measures[position].times + 1
    w = weights(framework, kind)
    groups = tuple(
        _group(framework, library, w, members, radix) for members in _groups(framework, measures, usable)
    )
    return Options(framework, library, kind, w, groups, tuple(radix))


def _groups(framework: Framework, measures: Sequence[Remedy], usable: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the measures bound together, in the order of the library."""
    power = {i.id: (d.id if d.power != 1 else i.id) for d in framework.dimensions for i in d.indicators}
    tags: list[set[str]] = []
    members: list[list[int]] = []
    for position in usable:
        measure = measures[position]
        links = (*measure.requires, *measure.excludes, *measure.replaces)
        own = {measure.id, *links, *(f"indicator:{power[e.indicator]}" for e in measure.effects)}
        joined = [n for n, tag in enumerate(tags) if tag & own]
        merged = sorted({position, *(p for n in joined for p in members[n])})
        own = own.union(*(tags[n] for n in joined))
        tags = [t for n, t in enumerate(tags) if n not in joined] + [own]
        members = [t for n, t in enumerate(members) if n not in joined] + [merged]
    return sorted(tuple(m) for m in members)


def _group(
    framework: Framework, library: MeasureLibrary, w: Weights, members: tuple[int, ...], radix: Sequence[int]
) -> Group:
    measures = [library.measures[p] for p in members]
    times = _combinations(measures)
    touched = {e.indicator for m in measures for e in m.effects}
    whole = {
        d.id for d in framework.dimensions if d.power != 1 and any(i.id in touched for i in d.indicators)
    }
    columns = tuple(
        c
        for c, i in enumerate(framework.indicators)
        if w.within[c] > 0 and (i.id in touched or framework.dimension_of(i.id).id in whole)
    )
    own = tuple(radix[p] for p in members)
    key = times @ np.array(own, dtype=np.int64)
    taken = [{p: t for p, t in zip(members, row, strict=True) if t} for row in times.tolist()]
    days = np.array([working_days(library.measures, t) for t in taken], dtype=np.int64)
    return Group(members, times, columns, own, key, days)


def _combinations(measures: Sequence[Remedy]) -> Ints:
    """Return how often each of some measures can be taken together, exclusions kept, in ascending order."""
    times = np.zeros((1, 0), dtype=np.int64)
    for m, measure in enumerate(measures):
        barred = [
            other
            for other in range(m)
            if measures[other].id in (*measure.excludes, *measure.replaces)
            or measure.id in (*measures[other].excludes, *measures[other].replaces)
        ]
        alone = (times[:, barred] == 0).all(axis=1)
        each = np.where(alone, measure.times + 1, 1)
        total = int(each.sum())
        if total > MOST_COMBINATIONS:
            labels = "、".join(one.label for one in measures)
            raise TooManyCombinationsError(
                "不能精确测算措施组合",
                [
                    Fault(
                        f"measures.yaml：{labels}",
                        f"相互牵连的措施至少有 {total} 种组合",
                        f"不超过 {MOST_COMBINATIONS} 种",
                        "减少 times 或相互牵连的措施；power 大于 1 的维度把其措施都牵连在一起，可改回 1",
                    )
                ],
            )
        first = np.repeat(np.cumsum(each) - each, each)
        times = np.column_stack([np.repeat(times, each, axis=0), np.arange(total) - first])
    return times
