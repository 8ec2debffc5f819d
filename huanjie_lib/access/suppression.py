"""Small-cell suppression: counts of people that are too small are hidden, with enough others to keep them so.

A count below the threshold is hidden (primary). Where sums are shown beside it, others must be hidden too, or
it could be computed (complementary): in rows and columns and, where units add up to townships and these to
counties, across the levels. A table is a vector of counts a ≥ 0 with sums, A·a = 0. Whoever attacks it knows
A, every count that is shown, that counts are whole, and the rule itself: none at all, 0, is shown, so what is
hidden is at least 1. What he can find out about a hidden count is the interval

    [min, max] of x_i  subject to  A·x = 0,  x_j ≥ 1 whole where hidden,  x_j = a_j where shown.

A small count a is protected when the interval reaches a + t − 1, for the threshold t: it is then at least
t − 1 wide, and he cannot tell that there are few. A count that is hidden only to protect others must not have
an interval of a single value. Where a zero has to be hidden, because nothing else helps, it counts as what it
is.

Choosing the fewest counts to hide is NP-hard. They are chosen one after the other: for each small count the
cheapest change y of the table that moves it up so far is found by linear programming (with whole numbers
where need be). A change costs Σ c_i·|y_i|, and nothing where a count is hidden already; what it touches is
hidden (Kelly, Golden and Assad 1992, Networks 22:397; Willenborg and de Waal 2001, Elements of Statistical
Disclosure Control, ch. 6). Counts that turn out not to be needed are shown again. In the end every interval
is computed as the attacker would (Fischetti and Salazar 2000, J. Am. Stat. Assoc. 95:916).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
import pandas as pd
import scipy  # its parts load when they are used: a kernel shows what others have suppressed
from numpy.typing import NDArray

__all__ = ["HIDDEN", "SMALLEST", "CountTable", "Suppressed", "suppress"]

SMALLEST: Final = 5
"""Smallest count that is shown unless a caller says otherwise; none at all, 0, is shown too."""
HIDDEN: Final = "＊"
"""What stands in place of a hidden count."""

_TOLERANCE: Final = 1e-6
"""How far from a whole number a solution may be to count as one; HiGHS keeps its equations to 1e-7."""
_DEAR: Final = 1e4
"""Cost of hiding a count that should stay, against those of others: done only where nothing else helps."""

Key = tuple[str, ...]


@dataclass(frozen=True)
class CountTable:
    """Counts with their sums.

    Parameters
    ----------
    keys
        What each count is of, one tuple a count; of each dimension the value, empty for all values.
    counts
        Counts, whole and not negative.
    sums
        Each a count's place and the places of its parts.
    names
        Names of the parts of a key.
    """

    keys: tuple[Key, ...]
    counts: NDArray[np.int64] = field(repr=False)
    sums: tuple[tuple[int, tuple[int, ...]], ...] = field(repr=False)
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that counts are whole, not negative, and add up.

        Raises
        ------
        ValueError
        """
        if len(self.keys) != len(self.counts) or len(set(self.keys)) < len(self.keys):
            raise ValueError("each count has one key of its own")
        if (self.counts < 0).any():
            raise ValueError("counts are not negative")
        wrong = [
            self.keys[whole]
            for whole, parts in self.sums
            if self.counts[whole] != self.counts[list(parts)].sum()
        ]
        if wrong:
            raise ValueError(f"counts do not add up: {wrong[:3]}")

    @classmethod
    def of(cls, frame: pd.DataFrame, dimensions: Sequence[Sequence[str]], count: str) -> CountTable:
        """Return the counts of a frame with the sums over every dimension and level.

        Parameters
        ----------
        frame
            One row for each combination; combinations that are missing count nobody and get no cell.
        dimensions
            Columns of each dimension, the widest level first: ``[["county", "township"], ["education"]]``.
        count
            Column of the counts.

        Raises
        ------
        ValueError
            If a value of a dimension is missing or empty.

        Examples
        --------
        >>> frame = pd.DataFrame({"town": ["A", "A", "B", "B"], "sex": ["m", "f", "m", "f"],
        ...                       "people": [7, 2, 9, 6]})
        >>> table = CountTable.of(frame, [["town"], ["sex"]], "people")
        >>> dict(zip(table.keys, table.counts.tolist()))[("", "f")]
        8
        """
        names = tuple(name for levels in dimensions for name in levels)
        texts = frame[list(names)].astype("str")
        if (frame[list(names)].isna() | (texts == "")).any(axis=None):
            raise ValueError("a value of a dimension is missing")
        cells: dict[Key, int] = {}
        parents: dict[tuple[Key, int], Key] = {}
        for values, number in zip(texts.itertuples(index=False, name=None), frame[count], strict=True):
            for key, places in _levels(values, dimensions):
                cells[key] = cells.get(key, 0) + int(number)
                for dimension, parent in places.items():
                    parents[key, dimension] = parent
        keys = tuple(sorted(cells))
        at = {key: place for place, key in enumerate(keys)}
        parts: dict[tuple[int, int], list[int]] = {}
        for (key, dimension), parent in sorted(parents.items()):
            parts.setdefault((at[parent], dimension), []).append(at[key])
        sums = tuple((whole, tuple(places)) for (whole, _), places in sorted(parts.items()))
        counts = np.array([cells[key] for key in keys], dtype=np.int64)
        return cls(keys, counts, sums, names)

    @cached_property
    def equations(self) -> scipy.sparse.csr_matrix:
        """A of A·a = 0: a row a sum, −1 for the whole and 1 for each part."""
        rows, columns, values = [], [], []
        for row, (whole, parts) in enumerate(self.sums):
            rows += [row] * (len(parts) + 1)
            columns += [whole, *parts]
            values += [-1.0] + [1.0] * len(parts)
        return scipy.sparse.csr_matrix((values, (rows, columns)), shape=(len(self.sums), len(self.counts)))


def _levels(values: Key, dimensions: Sequence[Sequence[str]]) -> list[tuple[Key, dict[int, Key]]]:
    """Return the keys of every level that a row counts for, each with its parent in each dimension."""
    split, start = [], 0
    for levels in dimensions:
        split.append(values[start : start + len(levels)])
        start += len(levels)
    found = []
    for depths in product(*(range(len(part) + 1) for part in split)):

        def key(depths: tuple[int, ...]) -> Key:
            return tuple(
                value if place < depth else ""
                for part, depth in zip(split, depths, strict=True)
                for place, value in enumerate(part)
            )

        parents = {
            number: key((*depths[:number], depth - 1, *depths[number + 1 :]))
            for number, depth in enumerate(depths)
            if depth
        }
        found.append((key(depths), parents))
    return found


@dataclass(frozen=True)
class Suppressed:
    """Which counts of a table are hidden, and what can be found out about them.

    Parameters
    ----------
    table
        The counts.
    smallest
        Threshold t.
    primary, hidden
        Counts that are too small; those, and the ones hidden to protect them.
    low, high
        What an attacker can tell of each hidden count; the count itself where it is shown. ``high`` may be
        infinite.
    """

    table: CountTable
    smallest: int
    primary: NDArray[np.bool_] = field(repr=False)
    hidden: NDArray[np.bool_] = field(repr=False)
    low: NDArray[np.float64] = field(repr=False)
    high: NDArray[np.float64] = field(repr=False)

    def __repr__(self) -> str:
        """Return how many counts there are and how many are hidden."""
        more = int(self.hidden.sum() - self.primary.sum())
        return (
            f"Suppressed(counts={len(self.hidden)}, smallest={self.smallest}, "
            f"primary={int(self.primary.sum())}, complementary={more})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the table as it may be shown: the parts of the keys, ``count`` and ``shown``.

        ``count`` is missing where it is hidden; ``shown`` is text: the count, or :data:`HIDDEN`.
        """
        frame = pd.DataFrame(list(self.table.keys), columns=list(self.table.names), dtype="str")
        counts = pd.Series(self.table.counts, dtype="Int64").mask(self.hidden)
        return frame.assign(count=counts, shown=counts.astype("str").where(~self.hidden, HIDDEN))

    def shown(self, *key: str) -> str:
        """Return what stands for one count.

        Raises
        ------
        KeyError
            If there is no such count.
        """
        place = self._place(key)
        return HIDDEN if self.hidden[place] else str(self.table.counts[place])

    def explain(self, *key: str) -> str:
        """Return a Chinese sentence on one count that gives nothing away.

        Raises
        ------
        KeyError
            If there is no such count.
        """
        place = self._place(key)
        what = "、".join(filter(None, key)) or "合计"
        if not self.hidden[place]:
            return f"{what}：{self.table.counts[place]}人。"
        few = f"不足{self.smallest}人"
        return f"{what}：不显示。人数{few}，或为防止由合计推算出{few}的数而隐去。"

    def _place(self, key: Key) -> int:
        try:
            return self.table.keys.index(key)
        except ValueError:
            raise KeyError(key) from None


def suppress(
    table: CountTable, *, smallest: int = SMALLEST, kept: Collection[Key] | None = None
) -> Suppressed:
    """Hide the counts that are too small, and those that would give them away.

    Parameters
    ----------
    table
        The counts.
    smallest
        Smallest count that may be shown, at least 2; none at all, 0, is shown.
    kept
        Keys of counts that should be shown if at all possible; by default those of all values of every
        dimension.

    Returns
    -------
    Suppressed
        Equal tables give equal results.

    Raises
    ------
    ValueError
        If ``smallest`` is below 2.

    Examples
    --------
    >>> frame = pd.DataFrame({"town": ["A", "A", "B", "B", "C", "C"], "sex": ["m", "f"] * 3,
    ...                       "people": [7, 2, 9, 6, 8, 12]})
    >>> found = suppress(CountTable.of(frame, [["town"], ["sex"]], "people"))
    >>> found
    Suppressed(counts=12, smallest=5, primary=1, complementary=3)
    >>> found.to_frame().pivot(index="town", columns="sex", values="shown").loc["A"].tolist()
    ['9', '＊', '＊']
    """
    if smallest < 2:
        raise ValueError("nothing is too small below 2")
    counts = table.counts.astype(np.float64)
    primary = (table.counts > 0) & (table.counts < smallest)
    everything: Key = ("",) * len(table.names)
    wanted = {everything} if kept is None else set(kept)
    costs = counts + 1.0
    costs[[key in wanted for key in table.keys]] *= _DEAR
    costs[table.counts == 0] = _DEAR**2
    goals = [(int(place), smallest - 1.0) for place in np.flatnonzero(primary)]
    hidden = _protected(table, primary, costs, goals)
    hidden = _pruned(table, hidden, costs, goals)
    while True:  # each round hides more, so that there is an end to it
        low, high = _intervals(table, hidden)
        single = hidden & (low == high)
        if not single.any():
            break
        hidden = _protected(table, hidden, costs, [(int(at), 1.0) for at in np.flatnonzero(single)])
    unsafe = primary & (high < counts + smallest - 1.0)
    if unsafe.any():  # the changes that were found prove otherwise
        raise AssertionError("a small count is not protected")
    return Suppressed(table, smallest, primary, hidden, low, high)


def _protected(
    table: CountTable,
    hidden: NDArray[np.bool_],
    costs: NDArray[np.float64],
    goals: Sequence[tuple[int, float]],
) -> NDArray[np.bool_]:
    """Hide what the cheapest changes of the table touch that move counts up by what is asked."""
    hidden = hidden.copy()
    for place, goal in goals:
        if not _reached(table, hidden, place, goal):
            hidden |= np.abs(_cheapest(table, np.where(hidden, 0.0, costs), place, goal)) > 0
    return hidden


def _pruned(
    table: CountTable,
    hidden: NDArray[np.bool_],
    costs: NDArray[np.float64],
    goals: Sequence[tuple[int, float]],
) -> NDArray[np.bool_]:
    """Show again what need not be hidden, the dearest first."""
    hidden = hidden.copy()
    small = {place for place, _ in goals}
    others = [place for place in np.flatnonzero(hidden) if place not in small]
    for place in map(int, sorted(others, key=lambda at: (-costs[at], at))):
        near = set(np.flatnonzero(_component(table, hidden, place)).tolist())
        hidden[place] = False
        if not all(_reached(table, hidden, at, goal) for at, goal in goals if at in near):
            hidden[place] = True
    return hidden


def _cheapest(table: CountTable, costs: NDArray[np.float64], place: int, goal: float) -> NDArray[np.float64]:
    """Return the change y of least cost Σ c·|y| with A·y = 0 that moves one count up by the goal."""
    size = len(costs)
    lower, upper = np.zeros(2 * size), np.concatenate([np.full(size, np.inf), _room(table.counts)])
    lower[place] = upper[place] = goal
    upper[size + place] = 0.0
    change = _solved(
        np.concatenate([costs, costs]),
        scipy.sparse.hstack([table.equations, -table.equations], format="csr"),
        np.column_stack([lower, upper]),
    )
    assert change is not None, "costs are not negative"
    return change[:size] - change[size:]


def _room(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far hidden counts can be below their value: to 1, and not at all from 0."""
    room: NDArray[np.float64] = np.maximum(counts - 1.0, 0.0)
    return room


def _solved(
    costs: NDArray[np.float64], equations: scipy.sparse.csr_matrix, bounds: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the whole solution of least cost with A·y = 0 within bounds; ``None`` where it has no end.

    The linear programme is enough where its solution is whole, as it is for most tables.
    """
    zero = np.zeros(equations.shape[0])
    found = scipy.optimize.linprog(costs, A_eq=equations, b_eq=zero, bounds=bounds, method="highs")
    if found.status == 3:
        return None
    if found.status == 0 and np.abs(found.x - np.round(found.x)).max(initial=0.0) > _TOLERANCE:
        found = scipy.optimize.milp(
            costs,
            integrality=np.ones(len(costs)),
            bounds=scipy.optimize.Bounds(bounds[:, 0], bounds[:, 1]),
            constraints=scipy.optimize.LinearConstraint(equations, zero, zero),
        )
    if found.status != 0:
        raise AssertionError(f"no change of a table is a solution always: {found.message}")
    whole: NDArray[np.float64] = np.round(found.x)
    return whole


# ---------------------------------------------------------------- what an attacker finds


def _component(table: CountTable, hidden: NDArray[np.bool_], place: int) -> NDArray[np.bool_]:
    """Return the hidden counts that are linked with one by sums: the rest tells nothing of it."""
    linked = _linked(table, hidden)
    together: NDArray[np.bool_] = hidden & (linked == linked[place])
    return together


def _linked(table: CountTable, hidden: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a number for each count, the same for hidden ones that are linked by sums."""
    within = table.equations[:, np.flatnonzero(hidden)]
    links = abs(within)
    _, labels = scipy.sparse.csgraph.connected_components(links.T @ links, directed=False)
    numbers = np.full(len(hidden), -1, dtype=np.int64)
    numbers[hidden] = labels
    return numbers


def _extreme(table: CountTable, part: NDArray[np.int64], place: int, sign: float) -> float:
    """Return the largest change of one of the linked hidden counts, upwards (1) or downwards (−1)."""
    equations = table.equations[:, part]
    equations = equations[np.diff(equations.indptr) > 0]
    target = np.zeros(len(part))
    target[np.flatnonzero(part == place)] = -sign
    if equations.shape[0] == 0:
        return np.inf if sign > 0 else -float(_room(table.counts)[place])
    if equations.shape[0] == 1:
        return _extreme_of_one_sum(equations.toarray()[0], _room(table.counts)[part], target != 0, sign)
    bounds = np.column_stack([-_room(table.counts)[part], np.full(len(part), np.inf)])
    change = _solved(target, equations, bounds)
    return np.inf if change is None else float(change[part == place][0])


def _extreme_of_one_sum(
    factors: NDArray[np.float64], room: NDArray[np.float64], target: NDArray[np.bool_], sign: float
) -> float:
    """Return the same where one sum alone links the counts: no programme is needed then.

    What moves the target must be made up by the others, Σ f_j·y_j = 0 with y_j ≥ −room_j: those of its own
    sign the other way, those of the other sign its own way, and upwards there is no end.
    """
    alike = (factors == factors[target][0]) & ~target
    other = ~alike & ~target
    if sign > 0:
        return np.inf if other.any() else float(room[alike].sum())
    down = np.inf if alike.any() else float(room[other].sum())
    return -min(float(room[target][0]), down)


def _reached(table: CountTable, hidden: NDArray[np.bool_], place: int, goal: float) -> bool:
    """Tell whether a hidden count can be as far above its value as asked, with what is hidden."""
    part = np.flatnonzero(_component(table, hidden, place))
    return bool(hidden[place]) and _extreme(table, part, place, 1.0) >= goal


def _intervals(
    table: CountTable, hidden: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what an attacker can tell of every count."""
    low = table.counts.astype(np.float64)
    high = low.copy()
    linked = _linked(table, hidden)
    for place in np.flatnonzero(hidden):
        part = np.flatnonzero(linked == linked[place])
        low[place] += _extreme(table, part, int(place), -1.0)
        high[place] += _extreme(table, part, int(place), 1.0)
    return low, high
