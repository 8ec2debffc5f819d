"""Where the figures of a unit come from, cell by cell, in words that a clerk can follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import Metric
from huanjie_lib.views.words import present

__all__ = ["cells_text", "columns_text", "deciding_cells", "row_spans", "source_lines"]

_MOST_COLUMNS = 8


def row_spans(rows: list[int]) -> list[tuple[int, int]]:
    """Return sorted row numbers as spans of neighbours.

    Examples
    --------
    >>> row_spans([7, 5, 6, 9])
    [(5, 7), (9, 9)]
    """
    spans: list[tuple[int, int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], row)
        else:
            spans.append((row, row))
    return spans


def cells_text(letter: str, heading: str, rows: list[int]) -> str:
    """Return cells of one column as a spreadsheet program names them, with the heading.

    Examples
    --------
    >>> cells_text("F", "审计结论", [12, 13, 17])
    'F12:F13、F17“审计结论”'
    >>> cells_text("", "value", [7])
    '“value”'
    """
    cells = [f"{letter}{a}" if a == b else f"{letter}{a}:{letter}{b}" for a, b in row_spans(rows)]
    return f"{'、'.join(cells) if letter else ''}“{heading}”"


def source_lines(
    sources: pd.DataFrame, metrics: Mapping[str, Metric], *, most_spans: int = 6
) -> tuple[str, ...]:
    """Return one line for each file, sheet and table that an indicator of a unit rests on.

    Parameters
    ----------
    sources
        Rows of ``sources`` of one unit and indicator (:mod:`huanjie_lib.store.run_folder`).
    metrics
        Metrics of the framework.
    most_spans
        Spans of rows that a line lists; how many rows there are is told always.
    """
    lines = []
    keys = ["source_table", "columns", "source_file", "source_sheet", "letters", "headings"]
    places: dict[tuple[str, ...], list[int]] = {}  # a frame of a few rows is not worth a groupby
    for *key, row in sources[[*keys, "source_row"]].itertuples(index=False, name=None):
        found = places.setdefault(tuple(str(part) if present(part) else "" for part in key), [])
        found += [int(row)] if present(row) else []
    for (table, columns, file, sheet, letters, headings), numbers in places.items():
        spans = row_spans(numbers)
        shown = "、".join(f"{a}" if a == b else f"{a}–{b}" for a, b in spans[:most_spans])
        shown += "等" if len(spans) > most_spans else ""
        place = [file, *([f"工作表“{sheet}”"] if sheet else [])]
        named = _columns(table, columns, letters, headings, numbers if len(spans) == 1 else [], metrics)
        told = len(numbers) > 1 or not letters.strip(",")  # one cell names its own row
        if numbers and told:
            place.append(f"第{shown}行" + (f"（共{len(numbers)}行）" if len(numbers) > 1 else ""))
        lines.append("，".join([*place, named]) if named else "，".join(place))
    return tuple(lines)


def deciding_cells(sources: pd.DataFrame) -> dict[tuple[str, ...], list[tuple[str, str, str]]]:
    """Return by indicator, table, file and sheet the columns read there, with letters and headings.

    Parameters
    ----------
    sources
        Rows of ``sources`` of all units.
    """
    keys = ["indicator", "source_table", "source_file", "source_sheet"]
    read = ["columns", "letters", "headings"]
    found: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    for row in sources[[*keys, *read]].drop_duplicates().itertuples(index=False, name=None):
        texts = [str(part) if present(part) else "" for part in row]
        found.setdefault(tuple(texts[: len(keys)]), []).append((texts[-3], texts[-2], texts[-1]))
    return found


def columns_text(
    table: str, read: list[tuple[str, str, str]], row: int | None, metrics: Mapping[str, Metric]
) -> str:
    """Return the cells of one row that were read, as of :func:`deciding_cells`.

    Examples
    --------
    >>> columns_text("talks", [("due", "F", "应谈人数"), ("done", "G", "已谈人数")], 5, {})
    'F5“应谈人数”、G5“已谈人数”'
    """
    rows = [] if row is None else [row]
    return "、".join(_columns(table, *one, rows, metrics) for one in read if one[0])


def _columns(
    table: str, columns: str, letters: str, headings: str, rows: list[int], metrics: Mapping[str, Metric]
) -> str:
    """Return the columns read: as cells where the rows are one span, else by letter and heading."""
    names = columns.split(",") if columns else []
    told: list[str] = []
    letter_of, heading_of = _spread(letters, len(names)), _spread(headings, len(names))
    for name, letter, heading in zip(names, letter_of, heading_of, strict=True):
        label = heading if letter and heading else _label(table, name, metrics)
        told.append(
            cells_text(letter, label, rows) if rows else f"{letter + '列' if letter else ''}“{label}”"
        )
    return "、".join(dict.fromkeys(told[:_MOST_COLUMNS]))


def _spread(text: str, count: int) -> list[str]:
    parts = text.split(",")
    return parts if len(parts) == count else [""] * count


def _label(table: str, name: str, metrics: Mapping[str, Metric]) -> str:
    if table == "facts" and name in metrics:
        return metrics[name].label
    known: Any = TABLES.get(table)
    return known.column(name).label if known is not None and name in known.names else name
