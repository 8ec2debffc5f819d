"""Tables laid out for repeated evaluation at many dates: unit positions and day numbers as arrays.

Preparing once and asking at each snapshot keeps a run over 24 months linear in the size of the tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["NEVER", "Bools", "Floats", "Ints", "MetricHistory", "Prepared", "Rows", "day_number", "prepare"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

NEVER = np.int64(1 << 40)
"""Day number of a missing date: later than any real day."""

_EPOCH = dt.date(1970, 1, 1)
_STRIDE = np.int64(1 << 20)


def day_number(date: dt.date) -> int:
    """Return days since 1970-01-01.

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 2))
    1
    """
    return (date - _EPOCH).days


@dataclass(frozen=True)
class Rows:
    """Rows of one event table that belong to known units, column by column.

    Parameters
    ----------
    frame
        The rows, with a fresh index 0..n-1.
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
        ``unit · 2^20 + day``, ascending, shape (n,).
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
        at = np.searchsorted(self.key, unit * _STRIDE + day, side="right") - 1
        found = (at >= 0) & (self.key[at] // _STRIDE == unit)
        value[found] = self.value[at[found]]
        when[found] = self.key[at[found]] % _STRIDE
        row[found] = self.row[at[found]]
        return value, when, row

    def window(self, units: int, first: int, last: int, months: int) -> tuple[Floats, Ints, Ints]:
        """Return, by unit, the sum over days ``first``..``last``, the last day reported and its row.

        The sum is NaN unless every one of the ``months`` calendar months in the window was reported.
        """
        total = np.full(units, np.nan)
        _, when, row = self.latest(units, last)
        if not self.key.size:
            return total, when, row
        unit = np.arange(units, dtype=np.int64)
        start = np.searchsorted(self.key, unit * _STRIDE + first, side="left")
        stop = np.searchsorted(self.key, unit * _STRIDE + last, side="right")
        owner = self.key // _STRIDE
        month = (self.key % _STRIDE).astype("datetime64[D]").astype("datetime64[M]")
        fresh = np.ones(self.key.size, dtype=np.int64)
        fresh[1:] = (owner[1:] != owner[:-1]) | (month[1:] != month[:-1])
        reported = np.concatenate(([0], np.cumsum(fresh)))
        sums = np.concatenate(([0.0], np.cumsum(self.value)))
        complete = reported[stop] - reported[start] == months
        total[complete] = (sums[stop] - sums[start])[complete]
        return total, when, row


@dataclass(frozen=True)
class Prepared:
    """Tables prepared for one list of units.

    Parameters
    ----------
    units
        The ``units`` table sorted by unit code, index 0..n-1.
    events
        Event tables by name; a table that was not supplied or is empty is absent.
    metrics
        Reported values by metric.
    facts
        The ``facts`` rows that :attr:`MetricHistory.row` points into.
    """

    units: pd.DataFrame
    events: Mapping[str, Rows]
    metrics: Mapping[str, MetricHistory]
    facts: pd.DataFrame

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


def prepare(tables: Mapping[str, pd.DataFrame]) -> Prepared:
    """Lay tables out for evaluation.

    Parameters
    ----------
    tables
        Contract tables by name; ``units`` is required, every other table may be absent. Rows of units that
        are not in ``units`` are left out (intake has reported them).

    Raises
    ------
    KeyError
        If there is no ``units`` table.

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
    codes = pd.Index(units["unit_code"].astype("str"))
    events = {}
    for name, frame in tables.items():
        if name in {"units", "facts"} or frame.empty or "unit_code" not in frame.columns:
            continue
        position = codes.get_indexer(pd.Index(frame["unit_code"].astype("str")))
        kept = frame.loc[position >= 0].reset_index(drop=True)
        events[name] = _rows(kept, position[position >= 0].astype(np.int64))
    projects = events.get("audit_projects")
    if projects is not None:
        row_of = pd.Index(projects.frame["project_id"].astype("str"))
        for name, rows in events.items():
            if "project_id" in rows.texts:
                at = row_of.get_indexer(pd.Index(rows.frame["project_id"].astype("str")))
                events[name] = replace(rows, project=at.astype(np.int64))
    facts = tables.get("facts", pd.DataFrame())
    return Prepared(units=units, events=events, metrics=_metric_histories(facts, codes), facts=facts)


def _rows(frame: pd.DataFrame, unit: Ints) -> Rows:
    days: dict[str, Ints] = {}
    numbers: dict[str, Floats] = {}
    texts: dict[str, tuple[Ints, Mapping[str, int]]] = {}
    for name in frame.columns:
        column = frame[name]
        if str(name).startswith("source_"):
            continue
        if pd.api.types.is_datetime64_any_dtype(column):
            days[str(name)] = _days(column)
        elif pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            values = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
            numbers[str(name)] = np.asarray(values, dtype=np.float64)
        else:
            codes, words = pd.factorize(column)
            known = {str(word): code for code, word in enumerate(words)}
            texts[str(name)] = (codes.astype(np.int64), known)
    return Rows(frame, unit, days, numbers, texts, project=np.empty(0, dtype=np.int64))


def _days(dates: pd.Series[Any]) -> Ints:
    stamps = pd.to_datetime(dates)
    days = stamps.to_numpy().astype("datetime64[D]").astype(np.int64)
    return np.where(stamps.isna().to_numpy(), NEVER, days)


def _metric_histories(facts: pd.DataFrame, codes: pd.Index[Any]) -> dict[str, MetricHistory]:
    if facts.empty:
        return {}
    unit_codes = facts["unit_code"].astype("category")
    by_category = codes.get_indexer(pd.Index(unit_codes.cat.categories.astype("str")))
    unit = by_category[unit_codes.cat.codes.to_numpy()].astype(np.int64)
    day = pd.to_datetime(facts["as_of"]).to_numpy().astype("datetime64[D]").astype(np.int64)
    value = facts["value"].to_numpy(dtype=np.float64)
    metric = facts["metric"].astype("category")
    known = (unit >= 0) & ~np.isnan(value)
    key = unit * _STRIDE + day
    rows_by_metric = pd.Series(np.arange(len(facts)), dtype="int64").groupby(metric.cat.codes.to_numpy())
    histories = {}
    for _, group in rows_by_metric:
        rows = group.to_numpy()
        name = str(metric.iloc[rows[0]])
        rows = rows[known[rows]]
        order = rows[np.argsort(key[rows], kind="stable")]
        histories[name] = MetricHistory(key=key[order], value=value[order], row=order.astype(np.int64))
    return histories
