"""Tables laid out for repeated evaluation at many dates: unit positions and day numbers as arrays.

Preparing once and asking at each snapshot keeps a run over 24 months linear in the size of the tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.contracts import DTYPES, TABLES, Table
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.vocabulary import CrosswalkKind

__all__ = [
    "NEVER",
    "Bools",
    "Change",
    "Floats",
    "Ints",
    "MetricHistory",
    "Prepared",
    "Rows",
    "day_number",
    "prepare",
    "taken",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEVER = np.int64(1 << 40)
"""Day number of a missing date: later than any real day."""

_EPOCH = dt.date(1970, 1, 1)
_STRIDE = np.int64(1 << 23)
_ORIGIN = np.int64((_EPOCH - dt.date.min).days)
"""Added to a day number within a key, so that every date has one of at least 0 and below the stride."""


def day_number(date: dt.date) -> int:
    """Return days since 1970-01-01.

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 2))
    1
    """
    return (date - _EPOCH).days


def taken(values: npt.NDArray[Any], row: Ints, missing: Any) -> npt.NDArray[Any]:
    """Return the values of some rows, ``missing`` where a row is −1, of which there may be no other.

    Examples
    --------
    >>> taken(np.array([3.0]), np.array([-1, 0]), np.nan), taken(np.empty(0), np.array([-1]), 0.0)
    (array([nan,  3.]), array([0.]))
    """
    out = np.full(row.shape, missing, dtype=values.dtype)
    there = row >= 0
    out[there] = values[row[there]]
    return out


@dataclass(frozen=True)
class Rows:
    """Rows of one event table that belong to known units, column by column.

    Parameters
    ----------
    frame
        The rows, with a fresh index 0..n-1 and every column of the contract.
    unit
        Position of each row's unit, shape (n,).
    days
        Day numbers of every date column; a missing date is :data:`NEVER`.
    numbers
        Every numeric or boolean column as float64, NaN where missing.
    texts
        Every text column as codes from 0 (−1 where missing), with the code of each text.
    project
        Row of the audit project each row belongs to, −1 where none; empty where the table names none.
    """

    frame: pd.DataFrame
    unit: Ints
    days: Mapping[str, Ints]
    numbers: Mapping[str, Floats]
    texts: Mapping[str, tuple[Ints, Mapping[str, int]]]
    project: Ints

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.unit)

    def day(self, column: str) -> Ints:
        """Return a date column as day numbers; a missing date is :data:`NEVER`."""
        return self.days[column]

    def number(self, column: str) -> Floats:
        """Return a numeric or boolean column as float64 with NaN for missing."""
        return self.numbers[column]

    def code(self, column: str) -> Ints:
        """Return a text column as codes from 0; −1 where missing."""
        return self.texts[column][0]

    def equals(self, column: str, *values: str) -> Bools:
        """Return where a text column has one of the values; a missing text has none."""
        codes, known = self.texts[column]
        wanted = [known[v] for v in values if v in known]
        return np.isin(codes, wanted)


@dataclass(frozen=True)
class MetricHistory:
    """All reported values of one metric, sorted by unit and day.

    Parameters
    ----------
    key
        ``unit · 2^23 + days since 0001-01-01``, ascending, shape (n,).
    value
        Values, shape (n,).
    row
        Row of each value in the facts table, shape (n,).
    """

    key: Ints
    value: Floats
    row: Ints

    def latest(self, units: int, day: int) -> tuple[Floats, Ints, Ints]:
        """Return, by unit, the last value reported for ``day`` or before, its day and its row.

        Units without one get NaN, :data:`NEVER` and −1.
        """
        value = np.full(units, np.nan)
        when = np.full(units, NEVER)
        row = np.full(units, -1, dtype=np.int64)
        if not self.key.size:
            return value, when, row
        unit = np.arange(units, dtype=np.int64)
        at = np.searchsorted(self.key, _key(unit, day), side="right") - 1
        found = (at >= 0) & (self.key[at] // _STRIDE == unit)
        value[found] = self.value[at[found]]
        when[found] = self.key[at[found]] % _STRIDE - _ORIGIN
        row[found] = self.row[at[found]]
        return value, when, row

    def rows_between(self, units: int, first: int, last: int) -> tuple[Ints, Ints]:
        """Return the unit and the row of every value reported for days ``first``..``last``."""
        day = self.key % _STRIDE - _ORIGIN
        inside = (day >= first) & (day <= last) & (self.key // _STRIDE < units)
        return (self.key // _STRIDE)[inside], self.row[inside]

    def window(self, units: int, first: int, last: int, months: int) -> tuple[Floats, Ints, Ints]:
        """Return, by unit, the sum over days ``first``..``last``, the last day reported and its row.

        The sum is NaN unless every one of the ``months`` calendar months in the window was reported.
        """
        total = np.full(units, np.nan)
        _, when, row = self.latest(units, last)
        if not self.key.size:
            return total, when, row
        unit = np.arange(units, dtype=np.int64)
        start = np.searchsorted(self.key, _key(unit, first), side="left")
        stop = np.searchsorted(self.key, _key(unit, last), side="right")
        owner = self.key // _STRIDE
        month = (self.key % _STRIDE - _ORIGIN).astype("datetime64[D]").astype("datetime64[M]")
        fresh = np.ones(self.key.size, dtype=np.int64)
        fresh[1:] = (owner[1:] != owner[:-1]) | (month[1:] != month[:-1])
        reported = np.concatenate(([0], np.cumsum(fresh)))
        complete = reported[stop] - reported[start] == months
        spans = np.column_stack((start[complete], stop[complete])).ravel()
        # summed span by span: a running total would let one unit's figures change another's last digits
        total[complete] = np.add.reduceat(np.append(self.value, 0.0), spans)[::2]
        return total, when, row


@dataclass(frozen=True, slots=True)
class Change:
    """A merger or renumbering: positions of the old unit (−1 where not listed) and the new, first day."""

    old: int
    new: int
    day: int
    merged: bool


@dataclass(frozen=True)
class Prepared:
    """Tables prepared for one list of units.

    Parameters
    ----------
    units
        The ``units`` table sorted by unit code, index 0..n-1.
    events
        Event tables by name; a table that was not supplied or has no row of any unit is absent.
    metrics
        Reported values by metric.
    facts
        The ``facts`` rows that :attr:`MetricHistory.row` points into.
    succession
        Confirmed mergers and renumberings that lead to a unit of the list, by date.
    """

    units: pd.DataFrame
    events: Mapping[str, Rows]
    metrics: Mapping[str, MetricHistory]
    facts: pd.DataFrame
    succession: tuple[Change, ...] = ()

    @property
    def size(self) -> int:
        """Number of units."""
        return len(self.units)

    def in_force(self, day: int) -> Bools:
        """Return which units' codes are in force on a day."""
        always = np.full(self.size, NEVER)
        start = _days(self.units["valid_from"]) if "valid_from" in self.units else always
        stop = _days(self.units["valid_to"]) if "valid_to" in self.units else always
        return np.asarray(((start == NEVER) | (start <= day)) & (stop >= day))

    def heirs(self, day: int) -> Ints:
        """Return by unit the position of the unit that answers for it on a day, its own where none else."""
        return _heirs(self.succession, self.size, day)

    def merged_on(self, day: int) -> Ints:
        """Return by unit the day of the last merger by the day from which it came; ``-NEVER`` where none."""
        when = np.full(self.size, -NEVER)
        for change in self.succession:
            if change.day <= day:
                before = when[change.old] if change.old >= 0 else -NEVER
                when[change.new] = max(when[change.new], before, change.day if change.merged else -NEVER)
        return when


def _key(unit: Ints, day: int | Ints) -> Ints:
    return np.asarray(unit * _STRIDE + (day + _ORIGIN), dtype=np.int64)


def prepare(tables: Mapping[str, pd.DataFrame], *, supplied: Collection[str] = ()) -> Prepared:
    """Lay tables out for evaluation.

    Parameters
    ----------
    tables
        Contract tables by name; ``units`` is required, every other table may be absent. Rows of units that
        are not in ``units`` are left out (intake has reported them); a column that a table lacks counts as
        missing throughout, and a column that its contract does not name is ignored. A row that names the
        audit project of another unit belongs to no project. Of the ``crosswalk`` only rows that a person has
        confirmed are used.
    supplied
        Event tables that count as supplied even where none of their rows is of these units: others, of the
        same city, have some.

    Raises
    ------
    KeyError
        If there is no ``units`` table.
    DataError
        If a unit code or a project number stands there twice.

    Examples
    --------
    >>> units = pd.DataFrame({"unit_code": ["b", "a"], "unit_kind": ["village", "village"]})
    >>> facts = pd.DataFrame({"unit_code": ["a"], "as_of": pd.to_datetime(["2026-01-31"]),
    ...                       "metric": ["households"], "value": [300.0]})
    >>> prepared = prepare({"units": units, "facts": facts})
    >>> prepared.metrics["households"].latest(2, day_number(dt.date(2026, 3, 1)))[0]
    array([300.,  nan])
    """
    units = tables["units"].sort_values("unit_code", ignore_index=True)
    codes = _unique("units", units, "unit_code")
    events = {}
    for name, frame in tables.items():
        if name in {"units", "facts"} or name not in TABLES or "unit_code" not in frame:
            continue
        position = codes.get_indexer(pd.Index(frame["unit_code"].astype("str")))
        kept = frame.loc[position >= 0].reset_index(drop=True)
        if len(kept) or name in supplied:
            events[name] = _rows(TABLES[name], kept, position[position >= 0].astype(np.int64))
    succession = _succession(tables.get("crosswalk", pd.DataFrame()), codes)
    heir = _heirs(succession, len(codes), int(NEVER))
    projects = events.get("audit_projects")
    if projects is not None:
        row_of = _unique("audit_projects", projects.frame, "project_id")
        for name, rows in events.items():
            if "project_id" in rows.texts:
                at = row_of.get_indexer(pd.Index(rows.frame["project_id"].astype("str")))
                own = taken(heir[projects.unit], at, -1) == heir[rows.unit]
                events[name] = replace(rows, project=np.where(own, at, -1).astype(np.int64))
    facts = tables.get("facts", pd.DataFrame())
    metrics = _metric_histories(facts, codes)
    return Prepared(units=units, events=events, metrics=metrics, facts=facts, succession=succession)


def _heirs(succession: tuple[Change, ...], size: int, day: int) -> Ints:
    heir = np.arange(size, dtype=np.int64)
    for change in succession:
        if change.day <= day and change.old >= 0:
            heir[heir == change.old] = change.new
    return heir


def _succession(crosswalk: pd.DataFrame, codes: pd.Index[Any]) -> tuple[Change, ...]:
    """Return the confirmed changes of code that lead, by way of others if need be, to one listed unit."""
    if crosswalk.empty or not {"confirmed_by", "confirmed_on"} <= set(crosswalk):
        return ()
    confirmed = crosswalk[crosswalk[["confirmed_by", "confirmed_on"]].notna().all(axis=1)]
    targets: dict[str, set[str]] = {}
    for old, new in zip(confirmed["old_code"], confirmed["new_code"], strict=True):
        targets.setdefault(str(old), set()).add(str(new))
    position = {str(code): place for place, code in enumerate(codes)}
    changes = []
    kinds, days = confirmed["kind"].astype("str"), _days(confirmed["effective_on"])
    columns = (confirmed["old_code"].astype("str"), confirmed["new_code"].astype("str"), kinds, days.tolist())
    for old, new, kind, day in zip(*columns, strict=True):
        seen = {old}
        end = new
        while end not in position and end not in seen and len(targets.get(end, ())) == 1:
            seen.add(end)
            (end,) = targets[end]
        if end in position and len(targets[old]) == 1:
            merged = kind == CrosswalkKind.MERGE.value
            changes.append(Change(position.get(old, -1), position[end], day, merged))
    return tuple(sorted(changes, key=lambda change: (change.day, change.old, change.new)))


def _unique(table: str, frame: pd.DataFrame, column: str) -> pd.Index[Any]:
    """Return a column as an index, or refuse it where a value stands there twice."""
    index = pd.Index(frame[column].astype("str"))
    twice = index[index.duplicated()].unique()
    if len(twice):
        label, where = TABLES[table].column(column).label, TABLES[table].label
        raise DataError(
            f"{where}表中{label}重复",
            [Fault(f"{where}表：{label}", str(v), "每个只出现一次", "删除重复的行") for v in twice],
        )
    return index


def _rows(contract: Table, frame: pd.DataFrame, unit: Ints) -> Rows:
    """Lay out the columns of a contract; one that the frame lacks, or that holds no value, is all missing."""
    lacking = [c for c in contract.columns if c.kind != "geometry" and c.name not in frame]
    frame = frame.assign(**{c.name: pd.Series(np.nan, frame.index, DTYPES[c.kind]) for c in lacking})
    days: dict[str, Ints] = {}
    numbers: dict[str, Floats] = {}
    texts: dict[str, tuple[Ints, Mapping[str, int]]] = {}
    for name, kind in ((c.name, c.kind) for c in contract.columns if c.kind != "geometry"):
        column = frame[name]
        if kind == "date":
            days[name] = _days(column)
        elif kind in {"number", "integer", "boolean"}:
            typed = column.astype("boolean") if kind == "boolean" else column
            values = typed.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
            numbers[name] = np.asarray(values, dtype=np.float64)
        else:
            codes, words = pd.factorize(column)
            texts[name] = (codes.astype(np.int64), {str(word): code for code, word in enumerate(words)})
    return Rows(frame, unit, days, numbers, texts, project=np.empty(0, dtype=np.int64))


def _days(dates: pd.Series[Any]) -> Ints:
    stamps = pd.to_datetime(dates)
    days = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(stamps.isna().to_numpy(), NEVER, days)


def _metric_histories(facts: pd.DataFrame, codes: pd.Index[Any]) -> dict[str, MetricHistory]:
    if facts.empty:
        return {}
    unit_codes = facts["unit_code"].astype("category")
    by_category = np.append(codes.get_indexer(pd.Index(unit_codes.cat.categories.astype("str"))), -1)
    unit = by_category[unit_codes.cat.codes.to_numpy()].astype(np.int64)
    day = _days(facts["as_of"])
    value = facts["value"].to_numpy(dtype=np.float64)
    metric = facts["metric"].astype("category")
    known = (unit >= 0) & (day != NEVER) & ~np.isnan(value)
    key = _key(unit, day)
    rows_by_metric = pd.Series(np.arange(len(facts)), dtype="int64").groupby(metric.cat.codes.to_numpy())
    histories = {}
    for _, group in rows_by_metric:
        rows = group.to_numpy()
        name = str(metric.iloc[rows[0]])
        rows = rows[known[rows]]
        order = rows[np.argsort(key[rows], kind="stable")]
        histories[name] = MetricHistory(key=key[order], value=value[order], row=order.astype(np.int64))
    return histories
