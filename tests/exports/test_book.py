"""Sheets that look alike: what goes in as text stays text, and rows are as high as their words need."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import openpyxl
import pandas as pd
import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.exports import book as module
from huanjie_lib.exports.book import Column, cell_values, lines, new_book

DAY = dt.date(2026, 10, 31)
COLUMNS = (
    Column("code", 15, "text", "代码"),
    Column("words", 20, "wrap", "说明"),
    Column("state", 8, "text", "状态", {"a": "甲"}),
    Column("flag", 8, "flag", "标记", {True: "有"}),
    Column("day", 12, "date", "日期"),
    Column("count", 8, "count", "数量"),
)
FRAME = pd.DataFrame(
    {
        "code": ["000123", "=1+1"],
        "words": ["短", "很长的说明" * 10],
        "state": ["a", None],
        "flag": [True, False],
        "day": pd.to_datetime(["2026-10-01", None]),
        "count": pd.array([3, None], dtype="Int64"),
    }
)


def written(frame: pd.DataFrame, *, as_of: dt.date | None = None) -> bytes:
    out = io.BytesIO()
    with new_book(out, title="t", as_of=DAY, version="v&1") as book:
        book.table("表", frame, COLUMNS, "共2行", empty="没有行", as_of=as_of)
    return out.getvalue()


def test_values_are_plain_and_words_stand_for_stored_values() -> None:
    values = {c.name: cell_values(FRAME[c.name], c) for c in COLUMNS}
    assert values["state"] == ["甲", None]
    assert values["flag"] == ["有", None]
    assert values["day"] == [dt.datetime(2026, 10, 1), None]
    assert values["count"] == [3.0, None]


def test_a_sheet_has_title_headings_filters_and_repeated_rows_in_print() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(written(FRAME)))["表"]
    assert sheet["A1"].value == "表（截至2026年10月31日，共2行）"
    assert [cell.value for cell in sheet[2]] == [column.heading for column in COLUMNS]
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.print_title_rows) == ("C3", "A2:F4", "$1:$2")
    assert sheet.page_setup.orientation == "landscape"
    assert [(cell.value, cell.data_type) for cell in sheet["A"][2:]] == [("000123", "s"), ("=1+1", "s")]
    assert sheet.row_dimensions[4].height > 2 * sheet.row_dimensions[3].height
    with zipfile.ZipFile(io.BytesIO(written(FRAME))) as parts:
        assert "&amp;8v&amp;&amp;1&amp;R" in parts.read("xl/worksheets/sheet1.xml").decode()


def test_another_date_may_be_told() -> None:
    other = openpyxl.load_workbook(io.BytesIO(written(FRAME, as_of=dt.date(2026, 11, 2))))["表"]
    assert other["A1"].value == "表（截至2026年11月2日，共2行）"


def test_equal_tables_give_equal_bytes_and_an_empty_one_says_so() -> None:
    assert written(FRAME) == written(FRAME.copy())
    assert openpyxl.load_workbook(io.BytesIO(written(FRAME.iloc[:0])))["表"]["A3"].value == "没有行"


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS", 3)
    with pytest.raises(UsageError, match="超出了工作簿的行数"):
        written(FRAME)


def test_lines_of_a_text() -> None:
    assert (lines(None, 20), lines("短", 20), lines("字" * 10, 20)) == (1, 1, 2)
