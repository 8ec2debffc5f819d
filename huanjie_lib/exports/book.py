"""Sheets of a workbook that look alike: formats, print set-up, tables with headings, filters and fitted rows.

Every text goes in as text, whatever it begins with: no name can become a formula or a link. Equal tables give
equal bytes: the only date in the file is the as-of date.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd
import xlsxwriter

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.words import INTERNAL, count_text, date_text, ems
from huanjie_lib.vocabulary import Level

__all__ = [
    "A3",
    "A4",
    "FONT",
    "GRID",
    "INK",
    "LINE",
    "NUMBERS",
    "Book",
    "Column",
    "Form",
    "cell_values",
    "lines",
    "new_book",
]

Form = Literal["text", "wrap", "level", "flag", "index", "points", "change", "move", "share", "count", "date"]

A4: Final = 9
A3: Final = 8
LINE: Final = 15.0
"""Points a line of text takes."""
FONT: Final = "微软雅黑"
INK: Final = "#1b2430"
GRID: Final = "#c3cad5"
NUMBERS: Final[dict[Form, str]] = {
    "index": "0.0",
    "points": "0.00",
    "change": "[>=0.05]+0.0;[<=-0.05]-0.0;0.0",
    "move": "+#,##0;-#,##0;0",
    "share": "0.0%",
    "count": "#,##0",
    "date": "yyyy-mm-dd",
}
"""Number formats of the forms that are figures or dates."""

_ROWS: Final = 1_048_576
_CELL: Final = 32_767
_EM: Final = 1.95  # characters of column width a Chinese character takes
_HEAD: Final = "#dfe6f0"
_SOFT: Final = "#5a6472"
_HEADER: Final = 100
"""Characters of a watermark in a header: with what stands before them, Excel allows 255."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet: which values, how wide in characters, how they are shown, under which heading.

    ``words`` gives the words shown for stored values; a value without one leaves its cell empty.
    """

    name: str
    width: float
    form: Form
    heading: str
    words: Mapping[Any, str] | None = None


@contextmanager
def new_book(
    out: io.BytesIO, *, title: str, as_of: dt.date, version: str, stamp: Stamp | None = None
) -> Iterator[Book]:
    """Open a workbook that ends up in ``out``; with a stamp each sheet and page says who exported it."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, {**options, "in_memory": True}) as file:
        created = dt.datetime.combine(as_of, dt.time())
        about = version if stamp is None else f"{version}\n{stamp.text}"
        file.set_properties({"title": title, "comments": about, "created": created})
        yield Book(file, as_of=as_of, version=version, stamp=stamp)


class Book:
    """A workbook being written: its formats, and sheets that look alike."""

    def __init__(
        self, file: xlsxwriter.Workbook, *, as_of: dt.date, version: str, stamp: Stamp | None = None
    ) -> None:
        self._as_of = as_of
        self._version = version
        self._stamp = stamp
        self._file = file
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}

    def format(self, **style: Any) -> Any:
        """Return the format of a style, made once."""
        key = tuple(sorted(style.items()))
        if key not in self._formats:
            base = {"font_name": FONT, "font_size": 10, "font_color": INK, "valign": "vcenter"}
            self._formats[key] = self._file.add_format(base | style)
        return self._formats[key]

    def cell(self, form: Form, **style: Any) -> Any:
        """Return the format of a value in a table."""
        look: dict[str, Any] = {"border": 1, "border_color": GRID}
        if form in NUMBERS:
            side = {"align": "center"} if form == "date" else {"align": "right", "indent": 1}
            look |= {"num_format": NUMBERS[form], **side}
        elif form in ("level", "flag"):
            look["align"] = "center"
        else:
            look |= {"align": "left", "indent": 1, "text_wrap": form == "wrap"}
        return self.format(**look | style)

    def level(self, level: Level) -> Any:
        """Return the format of a level: its colour; the cell says the level's name."""
        ink = "#ffffff" if level is Level.RED else INK
        return self.cell("level", bg_color=level.colour, font_color=ink, bold=True)

    def head(self) -> Any:
        """Return the format of a heading."""
        return self.format(
            bold=True, align="center", text_wrap=True, bg_color=_HEAD, border=1, border_color=GRID
        )

    def sheet(self, name: str, *, paper: int = A4, landscape: bool = True) -> Any:
        """Return a new sheet, set up for print."""
        sheet = self._file.add_worksheet(name)
        sheet.set_paper(paper)
        if landscape:
            sheet.set_landscape()
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        version = self._version.replace("&", "&&")
        if self._stamp is not None:
            said = self._stamp.text[:_HEADER].replace("&", "&&")
            sheet.set_header(f'&R&"{FONT}"&8{said}')
        notice = INTERNAL if self._stamp is None else self._stamp.notice.replace("&", "&&")
        sheet.set_footer(f'&L&"{FONT}"&8{notice}&C&8{version}&R&"{FONT}"&8第 &P 页，共 &N 页')
        return sheet

    def title(self, sheet: Any, name: str, note: str, as_of: dt.date | None = None) -> None:
        """Write the first line of a sheet; its date is the book's unless another is named."""
        sheet.set_row(0, 26)
        told = f"{name}（截至{date_text(as_of or self._as_of)}，{note}）"
        look = self.format(bold=True, font_size=14)
        if self._stamp is None:
            sheet.write_string(0, 0, told, look)
        else:
            small = self.format(font_size=9, font_color=_SOFT)
            sheet.write_rich_string(0, 0, look, told, small, f"　{self._stamp.text}", look)

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        columns: Sequence[Column],
        note: str,
        *,
        empty: str = "没有数据",
        paper: int = A4,
        as_of: dt.date | None = None,
    ) -> None:
        """Write a sheet of one table: title, headings that stay in view and repeat in print, filters."""
        if len(frame) + 2 > _ROWS:
            raise UsageError(
                f"“{name}”超出了工作簿的行数",
                [
                    Fault(
                        name,
                        f"{count_text(len(frame))} 行",
                        f"不超过 {count_text(_ROWS - 2)} 行",
                        "按县区分别评估和导出",
                    )
                ],
            )
        sheet = self.sheet(name, paper=paper)
        self.title(sheet, name, note, as_of)
        sheet.set_row(1, 32)
        for number, column in enumerate(columns):
            sheet.set_column(number, number, column.width)
            sheet.write_string(1, number, column.heading, self.head())
        sheet.freeze_panes(2, 2)
        sheet.repeat_rows(0, 1)
        if frame.empty:
            sheet.write_string(2, 0, empty, self.format())
            return
        heights = [1] * len(frame)
        for number, column in enumerate(columns):
            values = cell_values(frame[column.name], column)
            self.column(sheet, 2, number, values, column.form)
            if column.form == "wrap":
                heights = [max(h, lines(v, column.width)) for h, v in zip(heights, values, strict=True)]
        for row, height in enumerate(heights, start=2):
            sheet.set_row(row, LINE * height + 4)
        sheet.autofilter(1, 0, len(frame) + 1, len(columns) - 1)
        sheet.ignore_errors({"number_stored_as_text": f"A3:A{len(frame) + 2}"})

    def column(self, sheet: Any, first: int, number: int, values: Sequence[Any], form: Form) -> None:
        """Write values down a column; nothing leaves a cell empty, and a text is never anything but text."""
        look = self.cell(form)
        levels = {level.value: (level.label, self.level(level)) for level in Level}
        put = sheet.write_string
        if form in NUMBERS:
            put = sheet.write_datetime if form == "date" else sheet.write_number
        for row, value in enumerate(values, start=first):
            if value is None:
                sheet.write_blank(row, number, None, look)
            elif form == "level":
                sheet.write_string(row, number, *levels[value])
            else:
                put(row, number, value, look)

    def write(self, sheet: Any, row: int, number: int, value: Any, form: Form) -> None:
        """Write one value."""
        self.column(sheet, row, number, [value], form)

    def block(
        self,
        sheet: Any,
        row: int,
        heads: Sequence[str],
        texts: Sequence[Sequence[str]],
        widths: Sequence[float],
    ) -> int:
        """Write a small table of texts; return the row after it and an empty one."""
        for number, head in enumerate(heads):
            sheet.write_string(row, number, head, self.head())
        for line in texts:
            row += 1
            sheet.set_row(row, LINE * max(lines(t, w) for t, w in zip(line, widths, strict=False)) + 4)
            for number, text in enumerate(line):
                self.write(sheet, row, number, text, "wrap")
        return row + 2

    def stacked_chart(self) -> Any:
        """Return an empty stacked column chart."""
        return self._file.add_chart({"type": "column", "subtype": "stacked"})


def cell_values(series: pd.Series[Any], column: Column) -> list[Any]:
    """Return the values of a column as plain Python values, ``None`` where missing."""
    if column.words is not None:
        series = series.map(column.words)
    if column.form == "date":
        return [None if pd.isna(day) else pd.Timestamp(day).to_pydatetime() for day in series]
    values = series.astype(object).where(series.notna(), None).tolist()
    if column.form in NUMBERS:
        return [None if value is None else float(value) for value in values]
    return [str(value)[:_CELL] if value not in (None, "") else None for value in values]


def lines(text: str | None, width: float) -> int:
    """Return the lines a text takes in a column; spreadsheets that don't fit rows to text need to be told."""
    return max(1, math.ceil(ems(text or "") / (width / _EM - 1)))
