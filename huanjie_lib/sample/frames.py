"""Arrays to contract tables: column order, types, sorting; dates are day numbers until here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.contracts import DTYPES, table
from huanjie_lib.sample.streams import Integers

__all__ = ["DATE_DTYPE", "NO_DAY", "conform", "dates", "day_of", "text_of"]

NO_DAY = np.int64(-(1 << 40))
"""Day number of a missing date."""

DATE_DTYPE = DTYPES["date"]
"""Resolution of dates in memory; Parquet keeps it."""


def day_of(date: dt.date) -> int:
    """Return days since 1970-01-01."""
    return (date - dt.date(1970, 1, 1)).days


def dates(days: npt.ArrayLike) -> pd.Series[Any]:
    """Return day numbers as midnight timestamps, :data:`NO_DAY` as NaT.

    Examples
    --------
    >>> dates([0, NO_DAY]).isna().tolist()
    [False, True]
    """
    numbers = np.asarray(days, dtype=np.int64)
    stamps = np.where(numbers == NO_DAY, 0, numbers).astype("datetime64[D]").astype(DATE_DTYPE)
    stamps[numbers == NO_DAY] = np.datetime64("NaT")
    return pd.Series(stamps)


def text_of(words: npt.ArrayLike, codes: Integers) -> pd.Series[Any]:
    """Return the words at the given positions as a text column; −1 gives missing."""
    categories = pd.Index(np.asarray(words, dtype=object))
    return pd.Series(pd.Categorical.from_codes(codes.tolist(), categories=categories)).astype("str")


def conform(name: str, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with the contract's columns in order and type, sorted by its key.

    Columns that are absent are filled with missing values; day numbers become dates. The source columns are
    left out: they are filled when a file is read.

    Raises
    ------
    KeyError
        If a column is given that the contract does not have.
    """
    contract = table(name)
    for given in columns:
        contract.column(given)
    length = max(len(values) for values in columns.values())
    made: dict[str, Any] = {}
    for column in contract.columns:
        if column.kind == "geometry":
            continue
        if column.name not in columns:
            made[column.name] = pd.Series([None] * length, dtype=object).astype(DTYPES[column.kind])
            continue
        values = columns[column.name]
        if column.kind == "date":
            values = dates(values)
        elif column.kind == "integer" and isinstance(values, np.ndarray) and values.dtype.kind == "f":
            values = pd.array(np.where(np.isnan(values), np.nan, np.round(values)), dtype="Float64")
        made[column.name] = pd.Series(values).reset_index(drop=True).astype(DTYPES[column.kind])
    frame = pd.DataFrame(made)
    return frame.sort_values(list(contract.key), kind="stable", ignore_index=True)
