"""Forms as workbooks and CSV files, byte-identical for equal content."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import xlsxwriter

__all__ = ["Cell", "Grid", "csv_bytes", "workbook_bytes"]

Cell: TypeAlias = str | int | float | dt.date | None

_FRAMED: Mapping[str, object] = {"border": 1, "border_color": "#808080"}


@dataclass(frozen=True)
class Grid:
    """One filled-in form.

    Parameters
    ----------
    name
        Sheet name.
    cells
        Rows of cells from the top, all equally long.
    top
        Rows above the headings (title and filing row), 0 or 2.
    headings
        Number of heading rows.
    foot
        Rows below the data (totals and signing row).
    merges
        Merged areas as (first row, first column, last row, last column), from 0; a workbook shows only the
        first cell of each.
    """

    name: str
    cells: Sequence[Sequence[Cell]]
    top: int
    headings: int
    foot: int
    merges: Sequence[tuple[int, int, int, int]]


def workbook_bytes(grids: Sequence[Grid], stamp: dt.date) -> bytes:
    """Return a workbook with one sheet a form; ``stamp`` is its date of creation and change."""
    content = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(content, plain) as book:
        book.set_properties({"created": dt.datetime(stamp.year, stamp.month, stamp.day, 8)})
        styles = {
            "title": book.add_format({"bold": True, "font_size": 16, "align": "center", "valign": "vcenter"}),
            "head": book.add_format(
                {
                    **_FRAMED,
                    "bold": True,
                    "align": "center",
                    "valign": "vcenter",
                    "text_wrap": True,
                    "bg_color": "#DDEBF7",
                }
            ),
            "text": book.add_format({**_FRAMED, "valign": "vcenter", "num_format": "@"}),
            "date": book.add_format({**_FRAMED, "valign": "vcenter", "num_format": "yyyy-mm-dd"}),
            "number": book.add_format({**_FRAMED, "valign": "vcenter"}),
            "free": book.add_format({}),
        }
        for grid in grids:
            _fill(book.add_worksheet(grid.name), grid, styles)
    return content.getvalue()


def _fill(sheet: Any, grid: Grid, styles: Mapping[str, Any]) -> None:
    below = grid.top + grid.headings
    last = len(grid.cells) - grid.foot
    for row, cells in enumerate(grid.cells):
        framed = grid.top <= row <= last
        for column, value in enumerate(cells):
            style = styles["head"] if grid.top <= row < below else _style(styles, value, framed=framed)
            _put(sheet, row, column, value, style)
    for top, left, bottom, right in grid.merges:
        value = grid.cells[top][left]
        above = styles["title"] if top == 0 else styles["free"]
        style = above if top < grid.top else styles["head"] if top < below else _style(styles, value)
        sheet.merge_range(top, left, bottom, right, "", style)
        _put(sheet, top, left, value, style)
    if grid.top:
        sheet.set_row(0, 28)
    for row in range(grid.top, below):
        sheet.set_row(row, 34)
    for column in range(len(grid.cells[0])):
        texts = [str(r[column]) for r in grid.cells[below:] if r[column] is not None]
        texts += str(grid.cells[below - 1][column] or "").split("\n")
        sheet.set_column(column, column, min(max(max(map(_width, texts)) + 2, 7), 30))
    sheet.freeze_panes(below, 3)


def _width(text: str) -> int:
    return sum(2 if ord(character) > 255 else 1 for character in text)


def _style(styles: Mapping[str, Any], value: Cell, *, framed: bool = True) -> Any:
    if not framed:
        return styles["free"]
    return styles["text" if isinstance(value, str) else "date" if isinstance(value, dt.date) else "number"]


def _put(sheet: Any, row: int, column: int, value: Cell, style: Any) -> None:
    if value is None:
        sheet.write_blank(row, column, None, style)
    elif isinstance(value, str):
        sheet.write_string(row, column, value, style)
    elif isinstance(value, dt.date):
        sheet.write_datetime(row, column, value, style)
    else:
        sheet.write_number(row, column, value, style)


def csv_bytes(grid: Grid) -> bytes:
    """Return a form as GB18030 text with Windows line ends; dates as ISO text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for cells in grid.cells:
        writer.writerow(["" if value is None else str(value) for value in cells])
    return text.getvalue().encode("gb18030")
