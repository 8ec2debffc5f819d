"""What measures and gates see: the prepared tables and the parameters on one day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.prepared import NEVER, Bools, Floats, Ints, Prepared, Rows, day_number

__all__ = ["Evidence", "Moment", "Observed", "unknown"]

T = TypeVar("T")


@dataclass(frozen=True)
class Moment:
    """What the measures see: the prepared tables and the parameters on one day.

    With ``trace`` answers name every row that they were computed from.
    """

    prepared: Prepared
    parameters: ParameterSet
    date: dt.date
    trace: bool = False
    _answers: dict[Callable[..., Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def day(self) -> int:
        """Day number of the date."""
        return day_number(self.date)

    @property
    def size(self) -> int:
        """Number of units."""
        return self.prepared.size

    def once(self, answer: Callable[[Moment], T]) -> T:
        """Work an answer out when it is first asked for: several measures and gates build on the same one.

        Its arrays are kept for all who ask and cannot be written to.
        """
        if answer not in self._answers:
            self._answers[answer] = _kept(answer(self))
        return cast("T", self._answers[answer])

    def rows(self, table: str) -> Rows | None:
        """Return an event table, or ``None`` where it was not supplied."""
        return self.prepared.events.get(table)

    def inherited(self, table: str) -> Rows | None:
        """Return an event table whose rows belong to the unit that answers for them on the day.

        Rows of a unit that has been merged into another or renumbered by the day go to its successor.
        """
        rows = self.rows(table)
        if rows is None or not self.prepared.succession:
            return rows
        return replace(rows, unit=self.prepared.heirs(self.day)[rows.unit])

    def months_back(self, months: int) -> int:
        """Return the day number of the same day ``months`` earlier; from a month's end to a month's end.

        Examples
        --------
        >>> from huanjie_lib.parameters import load_parameters
        >>> from huanjie_lib.risk.prepared import prepare
        >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
        >>> at = Moment(prepare({"units": units}), load_parameters(), dt.date(2026, 9, 30))
        >>> at.months_back(1) == day_number(dt.date(2026, 8, 31))
        True
        """
        stamp = pd.Timestamp(self.date)
        step = pd.offsets.MonthEnd(months) if stamp.is_month_end else pd.DateOffset(months=months)
        return day_number((stamp - step).date())

    def month_window(self, months: int) -> tuple[int, int]:
        """Return first and last day of the last ``months`` complete calendar months."""
        stamp = pd.Timestamp(self.date)
        last = stamp if stamp.is_month_end else stamp - pd.offsets.MonthEnd(1)
        first = (last - pd.offsets.MonthEnd(months)) + pd.Timedelta(days=1)
        return day_number(first.date()), day_number(last.date())

    def stock(self, metric: str, day: int | None = None) -> Observed:
        """Return by unit the last value of a stock metric on a day (its own if omitted), unless too old."""
        history = self.prepared.metrics.get(metric)
        if history is None:
            return unknown(self, "facts")
        on = self.day if day is None else day
        value, reported, row = history.latest(self.size, on)
        stale = (row >= 0) & (on - reported > self.parameters.framework.metrics[metric].max_age_days)
        evidence = (Evidence.of_facts(metric, row),) if self.trace else ()
        return Observed(np.where(stale, np.nan, value), "facts", row, reported, stale, evidence)

    def count(self, rows: Rows, mask: Bools, amount: Floats | None = None) -> Floats:
        """Return by unit the number of rows in a mask, or the sum of an amount over them."""
        weights = None if amount is None else amount[mask]
        return np.bincount(rows.unit[mask], weights=weights, minlength=self.size).astype(np.float64)


@dataclass(frozen=True)
class Evidence:
    """Rows of one table that values were computed from.

    Parameters
    ----------
    table
        Name of the table.
    columns
        Columns that the measure reads; of ``facts`` the metric.
    unit, row
        Position of the unit that each row counts for, and row of the table's frame; shape (n,).
    """

    table: str
    columns: tuple[str, ...]
    unit: Ints
    row: Ints

    @classmethod
    def of_facts(cls, metric: str, row: Ints) -> Evidence:
        """Return the rows of ``facts`` by unit as evidence; −1 where a unit has none."""
        units = np.flatnonzero(row >= 0)
        return cls("facts", (metric,), units, row[units])


@dataclass(frozen=True)
class Observed:
    """Answer of one measure for all units.

    Parameters
    ----------
    value
        Value by unit; NaN where unknown.
    table
        Table the value comes from.
    row
        Row of that table's frame that decided the value, −1 where none did.
    day
        Day the value describes, :data:`~huanjie_lib.risk.prepared.NEVER` where unknown.
    stale
        Where a value was reported but is too old to be used (``value`` is NaN there).
    evidence
        All rows that values were computed from, by table; empty unless asked for.
    """

    value: Floats
    table: str
    row: Ints
    day: Ints
    stale: Bools
    evidence: tuple[Evidence, ...] = ()


def unknown(at: Moment, table: str) -> Observed:
    """Return the answer that knows nothing of any unit."""
    return Observed(
        value=np.full(at.size, np.nan),
        table=table,
        row=np.full(at.size, -1, dtype=np.int64),
        day=np.full(at.size, NEVER),
        stale=np.zeros(at.size, dtype=bool),
    )


def _kept(answer: T) -> T:
    """Return an answer whose own arrays, its items or fields, cannot be written to."""
    if isinstance(answer, tuple):
        parts = list(answer)
    elif is_dataclass(answer):
        parts = [getattr(answer, one.name) for one in fields(answer)]
    else:
        parts = [answer]
    for part in parts:
        if isinstance(part, np.ndarray):
            part.flags.writeable = False
    return answer
