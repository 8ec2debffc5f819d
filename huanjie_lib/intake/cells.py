"""From rows that figures were computed from to the cells that they stand in."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from huanjie_lib.intake.report import PLACE_COLUMNS

__all__ = ["in_cells"]

_VALUE = "value"


def in_cells(rows: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the letters and headings of the columns that were read.

    Parameters
    ----------
    rows
        source_table, columns (names joined by a comma), source_file, source_sheet and source_row.
    places
        Where columns stand: :attr:`huanjie_lib.intake.Intake.columns`.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``letters`` and ``headings``, joined by a comma, each in the order of ``columns``;
        empty for a column that stands nowhere in its file. A metric that stands in a long table is in its
        column of values. Where a sheet has several tables the headings next above the row count.

    Examples
    --------
    >>> rows = pd.DataFrame({"source_table": ["facts"], "columns": ["households"], "source_file": ["a.xlsx"],
    ...                      "source_sheet": ["基本情况"], "source_row": [5]})
    >>> places = pd.DataFrame([["facts", "households", "a.xlsx", "基本情况", 4, "D", "总户数(户)"]],
    ...                       columns=list(PLACE_COLUMNS))
    >>> in_cells(rows, places)[["letters", "headings"]].values.tolist()
    [['D', '总户数(户)']]
    """
    known: dict[tuple[str, ...], list[tuple[int, str, str]]] = {}
    for table, column, file, sheet, row, letter, heading in places[list(PLACE_COLUMNS)].itertuples(
        index=False
    ):
        known.setdefault((table, column, file, sheet), []).append((row, letter, heading))
    keys = ["source_table", "columns", "source_file", "source_sheet"]
    letters = np.full(len(rows), "", dtype=object)
    headings = np.full(len(rows), "", dtype=object)
    numbers = rows["source_row"].to_numpy(dtype=np.int64)
    for _, group in rows.assign(_at=np.arange(len(rows))).groupby(keys, observed=True, sort=False):
        table, columns, file, sheet = (str(group[name].iloc[0]) for name in keys)
        at = group["_at"].to_numpy()
        names = columns.split(",")
        found = [
            known.get((table, name, file, sheet))
            or (known.get((table, _VALUE, file, sheet)) if table == "facts" else None)
            or [(0, "", "")]
            for name in names
        ]
        tops = np.unique([top for places_of in found for top, _, _ in places_of])
        block = np.maximum(np.searchsorted(tops, numbers[at], side="left") - 1, 0)
        for n in np.unique(block):
            mine = at[block == n]
            chosen = [_nearest(places_of, int(tops[n])) for places_of in found]
            letters[mine] = ",".join(letter for letter, _ in chosen)
            headings[mine] = ",".join(_leaf(text) for _, text in chosen)
    return rows.assign(letters=pd.Categorical(letters), headings=pd.Categorical(headings))


def _leaf(heading: str) -> str:
    """Return a heading on one line, without the heading of its group."""
    return re.sub(r"\s+", "", heading.rpartition("/")[2]).replace(",", "，")


def _nearest(places: list[tuple[int, str, str]], top: int) -> tuple[str, str]:
    """Return letter and heading of a column under the headings of a row, else under the last above it."""
    above = [place for place in sorted(places) if place[0] <= top] or sorted(places)[:1]
    return above[-1][1], above[-1][2]
