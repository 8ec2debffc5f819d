"""Struck rows are gone from every part of a file; all other rows stay where and as they were."""

from __future__ import annotations

import datetime as dt
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import xlsxwriter

from huanjie_lib.errors import DataError
from huanjie_lib.intake.striking import strike_rows
from huanjie_lib.intake.workbook import decode, read_csv_grid, read_workbook

FILE = "returns/石桥镇/登记表.xlsx"
HEADS = ["姓名", "身份证号", "更新日期", "得分"]
BOOKS = Path(__file__).resolve().parents[1] / "data" / "workbooks"


def places(*rows: int, file: str = FILE, sheet: str = "人才库") -> pd.DataFrame:
    return pd.DataFrame(
        [(file, sheet, row) for row in rows], columns=["source_file", "source_sheet", "source_row"]
    )


def put(data: Path, name: str) -> Path:
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_row_of_a_workbook_leaves_nothing_in_any_part(tmp_path: Path) -> None:
    path = put(tmp_path, FILE)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("人才库")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for n, row in enumerate([HEADS, ["甲乙丙", "990101199001011234"], ["丁戊己", "990101199001015678"]]):
            sheet.write_row(n, 0, row)
        sheet.write_datetime(1, 2, dt.datetime(2026, 10, 1), day)
        sheet.write_datetime(2, 2, dt.datetime(2026, 10, 2), day)
        sheet.write_formula(1, 3, "=1+1", value=2)
        sheet.write_formula(2, 3, "=1+2", value=3)
        sheet.write_formula(3, 3, "=1/0", value="#DIV/0!")
        sheet.write_comment("A2", "甲乙丙的批注")
        book.add_worksheet("别的").write_row(0, 0, ["x", 1.5, "=cmd"])
    before = read_workbook(path, FILE)
    strike_rows(tmp_path, places(2))
    after = read_workbook(path, FILE)
    with zipfile.ZipFile(path) as archive:
        held = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "ignore")
    assert "甲乙丙" not in held
    assert "199001011234" not in held
    one, other = after.grids
    assert [list(r) for n, r in enumerate(one.rows) if n != 1] == [
        list(r) for n, r in enumerate(before.grids[0].rows) if n != 1
    ]
    assert not any(one.rows[1])
    assert other.rows == before.grids[1].rows


def test_a_formula_that_was_never_calculated_stays_one(tmp_path: Path) -> None:
    path = put(tmp_path, FILE)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "人才库"
    for row in (HEADS, ["甲", "1", "2026-10-01", "=1+1"], ["乙", "2", "2026-10-01", "=1+2"]):
        sheet.append(row)
    book.save(path)
    strike_rows(tmp_path, places(2))
    assert read_workbook(path, FILE).grids[0].rows[2] == ["乙", "2", "2026-10-01", "#公式未计算"]


def test_what_was_merged_over_a_struck_row_stays_with_the_others(tmp_path: Path) -> None:
    path = put(tmp_path, FILE)
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "人才库"
    for row in (["代号", "单位"], ["P1", "A"], ["P2", None], ["P3", None]):
        sheet.append(row)
    sheet.merge_cells("B2:B4")
    book.save(path)
    strike_rows(tmp_path, places(2))
    assert read_workbook(path, FILE).grids[0].rows[1:] == [["", ""], ["P2", "A"], ["P3", "A"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_row_of_a_csv_file_goes_in_its_own_encoding(tmp_path: Path, encoding: str) -> None:
    file = "returns/石桥镇_资格联审.csv"
    path = put(tmp_path, file)
    text = '台账\t\t\r\n代号\t意见\t备注\r\nP1\t同意\t"两\n行"\r\nP2\t同意\t无\r\n'
    path.write_bytes(text.encode(encoding))
    strike_rows(tmp_path, places(3, file=file, sheet=""))
    assert read_csv_grid(path, file).rows == [
        ["台账", "", ""],
        ["代号", "意见", "备注"],
        [""] * 3,
        ["P2", "同意", "无"],
    ]
    assert path.read_bytes().startswith("台".encode(encoding)[:2])
    assert "两" not in decode(path.read_bytes(), file)


def test_files_that_cannot_be_written_anew_are_all_named(tmp_path: Path) -> None:
    names = ("returns/a.xls", "returns/b.xlsx")
    for name in names:
        put(tmp_path, name).write_bytes((BOOKS / "township.xls").read_bytes())
    asked = pd.concat([places(2, file=name) for name in names])
    with pytest.raises(DataError, match="没有从报送表中删去到期的行") as caught:
        strike_rows(tmp_path, asked)
    assert [fault.where for fault in caught.value.faults] == list(names)


def test_a_broken_workbook_is_refused(tmp_path: Path) -> None:
    put(tmp_path, FILE).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError):
        strike_rows(tmp_path, places(2))
