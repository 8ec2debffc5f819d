from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from huanjie_lib.errors import DataError
from huanjie_lib.intake import workbook
from huanjie_lib.intake.workbook import cell_text, csv_records, decode, read_csv_grid, read_workbook


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return a workbook with merged cells, dates, numbers, a hidden row, a hidden sheet and an empty one."""
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "基本情况"
    sheet["A1"] = "石桥镇"
    sheet.merge_cells("A1:C1")
    sheet["A2"], sheet["B2"], sheet["C2"] = 990101101201, dt.date(2026, 10, 3), 12.5
    sheet["A3"], sheet["B3"], sheet["C3"] = "x", dt.datetime(2026, 10, 3, 8, 30), True
    sheet["A5"] = "末行"
    sheet.row_dimensions[3].hidden = True
    made.create_sheet("隐藏").sheet_state = "hidden"
    made.create_sheet("空")
    path = tmp_path / "book.xlsx"
    made.save(path)
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Return a copy of a workbook with changed parts."""
    other = path.with_name("other.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            new.writestr(item, change(item.filename, old.read(item)))
    return other


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_workbook(path, path.name)
    assert caught.value.faults
    return str(caught.value)


def test_cells_merges_and_hidden_rows(book: Path) -> None:
    grid, hidden, empty = read_workbook(book, "returns/book.xlsx").grids
    assert (grid.file, grid.sheet, grid.hidden, grid.hidden_rows) == (
        "returns/book.xlsx",
        "基本情况",
        False,
        1,
    )
    assert [[cell_text(c) for c in row] for row in grid.rows] == [
        ["石桥镇", "", ""],
        ["990101101201", "2026-10-03", "12.5"],
        ["x", "2026-10-03 08:30:00", "是"],
        ["", "", ""],
        ["末行", "", ""],
    ]
    assert grid.at(0, 2) == "石桥镇"
    assert grid.at(1, 2) == 12.5
    assert hidden.hidden
    assert list(empty.rows) == []


def test_a_formula_shows_its_result_or_that_it_has_none(tmp_path: Path) -> None:
    path = tmp_path / "f.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("基本情况")
        sheet.write_formula("A1", "=1+1", value=2)
        sheet.write_formula("A2", "=1+1", value="")
        sheet.write_formula("A3", "=1/0", value="#DIV/0!")
        sheet.write_formula("B1", '="a"&"b"', value="ab")
        sheet.write("B3", 7)
    (grid,) = read_workbook(path, "f.xlsx").grids
    assert [[cell_text(c) for c in row] for row in grid.rows] == [
        ["2", "ab"],
        ["#公式未计算", ""],
        ["#DIV/0!", "7"],
    ]


def test_a_formula_never_calculated_is_not_an_empty_cell(book: Path) -> None:
    made = openpyxl.load_workbook(book)
    made["基本情况"]["C5"] = "=SUM(C2:C2)"
    made.save(book)
    grid = read_workbook(book, "book.xlsx").grids[0]
    assert grid.rows[4][2] == "#公式未计算"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (990101101201.0, "990101101201"),
        (12, "12"),
        (0.1, "0.1"),
        (-3.0, "-3"),
        (1.1010119900101123e17, "1.10101E+17"),
        (None, ""),
    ],
)
def test_numbers_as_text(number: float | None, text: str) -> None:
    assert cell_text(number) == text


def test_what_is_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"not a workbook")
    assert "文件损坏或不是工作簿" in refusal(path)
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    assert "文件损坏或不是 .xls 工作簿" in refusal(path)
    path.write_bytes(b"<html><table><tr><td>1</td></tr></table></html>")
    assert "网页或 XML，不是工作簿" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "文件损坏或不是 .xlsx 工作簿" in refusal(path)


def test_a_truncated_workbook(book: Path) -> None:
    book.write_bytes(book.read_bytes()[:-200])
    assert "文件损坏" in refusal(book)


def test_a_stray_cell_in_the_last_row_and_column(book: Path) -> None:
    def stray(name: str, content: bytes) -> bytes:
        last = b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData>'
        return content.replace(b"</sheetData>", last) if name.endswith("sheet1.xml") else content

    text = refusal(rewritten(book, stray))
    assert "1048576 行 × 16384 列" in text
    assert "工作表“基本情况”" in text
    assert "删除数据区以外的行和列" in text


def test_a_sheet_that_only_claims_to_be_large_is_read(book: Path) -> None:
    def claim(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'ref="A1:C5"', b'ref="A1:XFD1048576"')
            if name.endswith("sheet1.xml")
            else content
        )

    other = rewritten(book, claim)
    assert b"XFD1048576" in zipfile.ZipFile(other).read("xl/worksheets/sheet1.xml")
    assert len(read_workbook(other, "a.xlsx").grids[0].rows) == 5


def test_a_bomb_is_refused_before_it_is_unpacked(book: Path) -> None:
    def bomb(name: str, content: bytes) -> bytes:
        return content + b" " * 50_000_000 if name.endswith("sheet1.xml") else content

    text = refusal(rewritten(book, bomb))
    assert "压缩比异常" in text
    assert "新建工作簿" in text


def test_an_entity_bomb_is_refused(book: Path) -> None:
    def entities(name: str, content: bytes) -> bytes:
        if not name.endswith("sheet1.xml"):
            return content
        return b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content[content.find(b"<worksheet") :]

    assert "文件损坏" in refusal(rewritten(book, entities))


def test_too_large_a_file(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_FILE_BYTES", 1000)
    assert "拆分成较小的文件" in refusal(book)


def test_dates_counted_from_1904(book: Path) -> None:
    def mac(name: str, content: bytes) -> bytes:
        return (
            content.replace(b"<workbookPr", b'<workbookPr date1904="1"')
            if name.endswith("workbook.xml")
            else content
        )

    assert "1904" in refusal(rewritten(book, mac))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_of_csv_files(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("村名,备注\n㙦头村,“好”\n".encode(encoding))
    assert read_csv_grid(path, "a.csv").rows == [["村名", "备注"], ["㙦头村", "“好”"]]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00\x01\x02\x03", b"\x81"])
def test_what_is_no_text(content: bytes) -> None:
    with pytest.raises(DataError, match="CSV UTF-8"):
        decode(content, "a.csv")


def test_csv_records() -> None:
    assert csv_records('a,b\n"1,5","x\ny"\n', "a.csv") == [["a", "b"], ["1,5", "x\ny"]]
    assert csv_records("a\tb\n1\t2\n", "a.csv") == [["a", "b"], ["1", "2"]]
    with pytest.raises(DataError, match="引号成对"):
        csv_records('a,b\n"1,2\n', "a.csv")


def test_short_records_are_filled_up(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("标题\na,b,c\n1\n", encoding="utf-8")
    assert read_csv_grid(path, "a.csv").rows == [["标题", "", ""], ["a", "b", "c"], ["1", "", ""]]
