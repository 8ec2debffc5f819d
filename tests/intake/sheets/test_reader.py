"""Every row of a sheet is accounted for, whatever stands in it."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import polars as pl
from hypothesis import given, settings

from huanjie_lib.intake.report import IssueLevel
from huanjie_lib.intake.workbook import Grid
from tests.intake.sheets.made import READER, A, B, grid, load, row, screenings, texts, wide


def test_a_sheet_no_one_knows_is_a_warning() -> None:
    reading = READER.read(grid([["食堂菜单"], ["周一", "周二"]]), name="Sheet2")
    assert reading.batches == ()
    assert texts(reading.issues, IssueLevel.WARNING) == ["认不出的表（2 行）"]


def test_a_known_sheet_without_headings_is_an_error_and_accounted_for() -> None:
    reading = READER.read(grid([["石桥镇"], ["一", "二"], ["三", "四"]]), name="矛盾摸排")
    checked = load(reading)["screenings"]
    assert checked.counts[0]["quarantined"] == 3
    errors = pl.concat(checked.issues).filter(pl.col("severity") == "error")
    assert errors["found"].to_list() == ["前几行里没有认得的列标题"]


def test_empty_sheets() -> None:
    known = READER.read(grid([["", None]]), name="矛盾摸排")
    assert texts(known.issues, IssueLevel.ERROR) == ["空工作表"]
    unknown = READER.read(Grid("a.xlsx", "Sheet3", []), name="Sheet3")
    assert texts(unknown.issues, IssueLevel.NOTE) == ["空工作表"]
    assert texts(READER.read(Grid("a.csv", "", []), name="a").issues, IssueLevel.ERROR) == ["空文件"]


def test_headings_without_rows() -> None:
    assert texts(READER.read(screenings(), name="矛盾摸排").issues, IssueLevel.WARNING) == [
        "只有标题，没有数据行"
    ]
    assert texts(READER.read(wide(), name="基本情况").issues, IssueLevel.ERROR) == ["只有标题，没有数据行"]


JUNK = st.sampled_from(
    [
        "",
        "",
        "—",
        "无",
        "x",
        "#REF!",
        5,
        2.5,
        "１２",
        "1.23E+11",
        A,
        B,
        "走访",
        "2026-10-01",
        "合计",
        "填表人：",
    ]
)
ROWS = st.lists(
    st.one_of(st.lists(JUNK, min_size=8, max_size=8), st.builds(row, st.integers(1, 4))), max_size=12
)


def last_filled(rows: list[list[Any]]) -> int:
    filled = [n for n, cells in enumerate(rows, start=1) if any(str(c).strip() for c in cells)]
    return max(filled, default=0)


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_every_row_of_a_ledger_is_accounted_for(rows: list[list[Any]]) -> None:
    checked = load(READER.read(screenings(*rows), name="矛盾摸排"))["screenings"]
    (count,) = checked.counts
    assert count["read"] == last_filled(rows)
    assert count["loaded"] == checked.rows.height
    assert count["quarantined"] == checked.quarantine.height
    told = set(pl.concat(checked.issues).filter(pl.col("severity") == "error")["row"].drop_nulls())
    assert told == set(checked.quarantine["source_row"])


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_every_cell_of_the_wide_sheet_is_accounted_for(rows: list[list[Any]]) -> None:
    rows = [cells[:6] for cells in rows]
    checked = load(READER.read(wide(*rows), name="基本情况"))["facts"]
    assert sum(int(c["read"]) for c in checked.counts) == 3 * last_filled(rows)
