"""Refusal of features that could not have been known before an election, or that give its outcome away."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.risk.panel import Features, numbers_of
from huanjie_lib.risk.verification import roc_auc

__all__ = ["LeakageError", "refuse_leaks"]

Floats: TypeAlias = npt.NDArray[np.float64]

LEAK_AUC: Final = 0.9
"""A single feature that tells the outcome apart this well is taken for a leak (0.5 = not at all)."""
LEAK_EVENTS: Final = 10
"""Fewer events than this give no ground for that suspicion; only an exact copy is refused then."""
LEAK_SHARE: Final = 0.99
"""Likeness at which one column is taken for a copy of another."""
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")


class LeakageError(DataError):
    """A feature could not have been known before the election, or gives its outcome away."""


def refuse_leaks(
    history: pd.DataFrame,
    features: Features,
    samples: pd.DataFrame,
    *,
    names: tuple[str, str, str],
    terms: Sequence[Any],
    test_term: Any,
) -> None:
    """Refuse features that look ahead; every fault is told, not only the first.

    A column is refused when

    * its name holds the year of the tested term or a later one;
    * it is filled in the tested term but in no term before, and does not just carry an earlier figure on;
    * in the tested term it equals the outcome: the outcome by another name;
    * in the last term before, it equals another column of the tested term, unless that column carries the
      figure of the term before forward;
    * by itself it tells who had the event, by its value or by being filled at all: an exact copy, or an area
      under the ROC curve of at least :data:`LEAK_AUC` with :data:`LEAK_EVENTS` events. The outcome of the
      term before is exempt from the second, since trouble may well return to the same places.

    Parameters
    ----------
    history
        The panel, keyed.
    features
        What was known before.
    samples
        unit, term, feature_term, outcome of every row to learn from or to be forecast.
    names
        Names of the columns of unit, term and outcome.
    terms
        Terms that features may come from, in order.
    test_term
        The term put to the test.

    Raises
    ------
    LeakageError
        If any column is refused.
    """
    unit, term, outcome = names
    columns = [str(c) for c in features.columns.index]
    result = samples[samples["term"] == test_term].set_index("unit")["outcome"].rename(outcome)
    faults = _later_names(columns, test_term)
    faults += _later_only(features, history, (unit, term), terms, test_term)
    faults += _copies(features, history, result, (unit, term), terms, test_term)
    for when, rows in samples.groupby("term", sort=True):
        raw = features.raw.reindex(pd.MultiIndex.from_frame(rows[["unit", "feature_term"]]))
        faults += _giveaways(raw, rows["outcome"].to_numpy(dtype=np.float64), outcome, when)
    if faults:
        unique = list({fault.where: fault for fault in faults}.values())
        raise LeakageError("有的列在选举前不可能知道，回测会虚高，已拒绝", unique)


def _later_names(columns: Sequence[str], test_term: Any) -> list[Fault]:
    """Return the columns whose name holds the year of the election put to the test, or a later one."""
    if not isinstance(test_term, int) or not 1900 <= test_term <= 2099:
        return []
    return [
        Fault(f"列 {c}", f"列名带有 {max(years)} 年", f"{test_term} 年选举以前的数据", _REMOVE)
        for c in columns
        if (years := [int(y) for y in _YEAR.findall(c) if int(y) >= test_term])
    ]


_REMOVE = "从历史文件中删去这一列，或用 --features 只列出选举前已有的列"


def _later_only(
    features: Features, history: pd.DataFrame, keys: tuple[str, str], terms: Sequence[Any], test_term: Any
) -> list[Fault]:
    """Return the columns that are filled in the tested term but in no term before it."""
    unit, term = keys
    columns = [str(c) for c in features.columns.index]
    before = history.loc[history[term].isin(terms), columns].notna().any()
    later = history[history[term] == test_term].set_index(unit)[columns]
    last = _of_term(features.raw, terms[-1]).reindex(later.index)
    faults = []
    for name in columns:
        numbers, odd = numbers_of(later[name])
        if before[name] or later[name].isna().all():
            continue
        if odd or not any(_alike(last[c].to_numpy(dtype=np.float64), numbers) >= LEAK_SHARE for c in last):
            faults.append(Fault(f"列 {name}", f"只在 {test_term} 届有值", "选举前已有的数据", _REMOVE))
    return faults


def _copies(
    features: Features,
    history: pd.DataFrame,
    outcome: pd.Series[float],
    keys: tuple[str, str],
    terms: Sequence[Any],
    test_term: Any,
) -> list[Fault]:
    """Return the features that are the outcome by another name, or another column of the tested term.

    Parameters
    ----------
    outcome
        Outcome of the tested term by unit.
    terms
        The terms features may come from, the last one last.
    """
    unit, term = keys
    later = history[history[term] == test_term].set_index(unit)
    before = _of_term(features.raw, terms[-1])
    units = before.index.intersection(later.index).intersection(outcome.index)
    if not len(units):
        return []
    before, later = before.reindex(units), later.reindex(units)
    result: Floats = np.asarray(outcome.loc[units], dtype=np.float64)
    actual = {str(c): numbers_of(later[c]) for c in later.columns if c != term}
    varying = {
        c: numbers
        for c, (numbers, odd) in actual.items()
        if not odd and len(np.unique(numbers[~np.isnan(numbers)])) > 1
    }
    past = _of_term(features.raw, terms[-2]) if len(terms) > 1 else before.iloc[:0]
    faults = []
    for name in map(str, before.columns):
        if name != outcome.name and name in varying and _alike(varying[name], result) >= LEAK_SHARE:
            faults.append(Fault(f"列 {name}", f"与结果列 {outcome.name} 完全相同", "结果以外的数据", _REMOVE))
            continue
        values = before[name].to_numpy(dtype=np.float64)
        for other, numbers in varying.items():
            if other == name or _alike(values, numbers) < LEAK_SHARE:
                continue
            own = _column(before, other, units)
            # A column that carries the last term's figure forward is no look ahead.
            carried = np.isnan(own).all() or _alike(own, _column(past, name, units)) >= LEAK_SHARE
            if not carried and _alike(own, numbers) < LEAK_SHARE:
                found = f"{terms[-1]} 届的值就是 {test_term} 届的 {other}"
                remedy = f"{_REMOVE}；如果是 {other} 抄录了上一届的数，则删去 {other}"
                faults.append(Fault(f"列 {name}", found, "选举前的数据", remedy))
                break
    return faults


def _of_term(values: pd.DataFrame, term: Any) -> pd.DataFrame:
    rows: pd.DataFrame = values[values.index.get_level_values("term") == term]
    return rows.set_axis(rows.index.get_level_values("unit"), axis=0)


def _column(table: pd.DataFrame, name: str, units: pd.Index) -> Floats:
    if name not in table.columns:
        return np.full(len(units), np.nan)
    return table[name].reindex(units).to_numpy(dtype=np.float64)


def _alike(first: Floats, second: Floats) -> float:
    """Return how alike two columns are: the share of equal values, save where both hold the commonest one.

    Two rare flags agree on nearly every unit, since both are 0 there; that makes neither a copy of the other.
    """
    known, counts = np.unique(second[~np.isnan(second)], return_counts=True)
    common = known[counts.argmax()] if len(known) else math.nan
    telling = ~((first == common) & (second == common)) & ~(np.isnan(first) & np.isnan(second))
    return float(np.mean(first[telling] == second[telling])) if telling.any() else 0.0


def _giveaways(features: pd.DataFrame, outcome: Floats, last_value: str, term: Any) -> list[Fault]:
    """Return the features that by themselves tell who had the event, in value or in being filled at all."""
    faults = []
    events = outcome.sum()
    enough = LEAK_EVENTS <= events <= len(outcome) - LEAK_EVENTS
    for name in features.columns:
        values = features[name].to_numpy(dtype=np.float64)
        copied = _alike(values, outcome) >= LEAK_SHARE or _alike(1.0 - values, outcome) >= LEAK_SHARE
        best = 0.0
        if enough and name != last_value:
            known = ~np.isnan(values)
            for filled, kept in (
                (values, known),
                (known.astype(np.float64), np.ones(len(known), dtype=bool)),
            ):
                area = roc_auc(outcome[kept], filled[kept]) if kept.any() else math.nan
                best = max(best, abs(area - 0.5) + 0.5 if outcome[kept].sum() >= LEAK_EVENTS else 0.0)
        if copied or best >= LEAK_AUC:
            what = (
                f"与 {term} 届的结果一致" if copied else f"单凭这一列就能分出 {term} 届的结果（{best:.2f}）"
            )
            faults.append(Fault(f"列 {name}", what, f"{term} 届选举前就已知道的数据", _REMOVE))
    return faults
