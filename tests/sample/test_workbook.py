from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile

import openpyxl

from huanjie_lib.sample.workbook import Grid, csv_bytes, workbook_bytes

GRID = Grid(
    "谈心谈话",
    [
        ["甲镇谈心谈话台账", None, None, None],
        ["填报单位：甲镇人民政府", None, None, "填报日期：2026年10月31日"],
        ["序号", "代码", "截至日期", "应谈人数(人)"],
        [1, "990121101001", dt.date(2026, 10, 31), 5],
        [2, "990121101001", "/", "=1+1"],
        ["合计", None, None, 5],
    ],
    top=2,
    headings=1,
    foot=1,
    merges=[(0, 0, 0, 3), (3, 1, 4, 1)],
)
DAY = dt.date(2026, 10, 31)


def test_equal_content_gives_equal_bytes_without_the_clock() -> None:
    content = workbook_bytes([GRID], DAY)
    assert content == workbook_bytes([GRID], DAY)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert {entry.date_time for entry in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        properties = book.read("docProps/core.xml").decode()
    assert properties.count("2026-10-31T08:00:00Z") == 2


def test_cells_keep_their_kind_and_merged_cells_show_once() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(workbook_bytes([GRID], DAY)))["谈心谈话"]
    assert sheet["B4"].value == "990121101001"
    assert sheet["B5"].value is None
    assert sheet["C4"].value == dt.datetime(2026, 10, 31)
    assert sheet["D4"].value == 5
    assert (sheet["D5"].value, sheet["D5"].data_type) == ("=1+1", "s")
    assert {str(r) for r in sheet.merged_cells.ranges} == {"A1:D1", "B4:B5"}


def test_csv_repeats_what_a_workbook_merges() -> None:
    content = csv_bytes(GRID)
    assert b"\r\n" in content
    rows = list(csv.reader(io.StringIO(content.decode("gb18030"))))
    assert rows[3] == ["1", "990121101001", "2026-10-31", "5"]
    assert rows[4][1] == "990121101001"
