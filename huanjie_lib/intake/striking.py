"""Striking rows out of returns: what is due for deletion leaves the files that townships filed, too.

A struck row stays as an empty row, so that every other row keeps its number and the account of the folder
says that there was one. Workbooks are written anew, so that no text of the row is left in any part of the
file; formulas become the results that were saved with them.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import openpyxl
import pandas as pd
from openpyxl.cell.cell import MergedCell
from openpyxl.worksheet.worksheet import Worksheet

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.sandbox import Job, Sandbox
from huanjie_lib.intake.workbook import NOT_CALCULATED, csv_records, decoded, separator

__all__ = ["strike_rows"]

_NOT_STRUCK: Final = "没有从报送表中删去到期的行"


def strike_rows(data: Path, places: pd.DataFrame) -> None:
    """Empty rows of returns, in place: to be used on a copy of a data folder.

    Parameters
    ----------
    data
        The data folder; to be thrown away when this raises.
    places
        ``source_file`` relative to the folder, ``source_sheet`` (empty for CSV) and ``source_row`` from 1.

    Raises
    ------
    DataError
        If a file cannot be written anew; each is named.
    """
    faults = []
    with Sandbox() as sandbox:
        for file, mine in places.groupby("source_file", sort=True, observed=True):
            rows = {
                str(s): set(map(int, r["source_row"])) for s, r in mine.groupby("source_sheet", observed=True)
            }
            path = data / str(file)
            if path.suffix.lower() != ".csv" and not _is_zip(path):
                advice = "在 Excel 中另存为 .xlsx，替换原文件后重试"
                faults.append(Fault(str(file), "不能改写的 .xls 文件", ".xlsx 或 .csv", advice))
                continue
            strike = _strike_csv if path.suffix.lower() == ".csv" else _strike_workbook
            try:
                sandbox.run(Job(str(file), partial(strike, path, str(file), rows)))
            except DataError as error:
                faults += error.faults
    if faults:
        raise DataError(_NOT_STRUCK, faults)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _strike_csv(path: Path, file: str, rows: Mapping[str, Collection[int]]) -> None:
    """Empty rows of a CSV file, in its own encoding; runs in the worker."""
    text, encoding = decoded(path.read_bytes(), file)
    records = csv_records(text, file)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator(text), lineterminator="\r\n")
    struck = {row for numbers in rows.values() for row in numbers}
    for number, record in enumerate(records, start=1):
        writer.writerow([""] * len(record) if number in struck else record)
    path.write_bytes(out.getvalue().encode(encoding))


def _strike_workbook(path: Path, file: str, rows: Mapping[str, Collection[int]]) -> None:
    """Empty rows of a workbook; runs in the worker."""
    del file
    macros = path.suffix.lower() == ".xlsm"
    book = openpyxl.load_workbook(path, data_only=True, keep_vba=macros, keep_links=False)
    if _has_formulas(path):
        _keep_uncalculated(book, openpyxl.load_workbook(path, keep_links=False))
    for sheet in book.worksheets:
        for number in sorted(rows.get(sheet.title, ())):
            _part_merged(sheet, number)
            for cell in sheet[number]:
                if not isinstance(cell, MergedCell):
                    cell.value = cell.comment = cell.hyperlink = None
    book.save(path)


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(re.search(rb"<(?:\w+:)?f[ >/]", archive.read(name)) for name in sheets)


def _keep_uncalculated(book: openpyxl.Workbook, written: openpyxl.Workbook) -> None:
    """Put a mark where a formula was never calculated, for without it the cell would be an empty one."""
    for sheet in book.worksheets:
        for row in written[sheet.title].iter_rows():
            for cell in row:
                if cell.data_type == "f" and sheet[cell.coordinate].value is None:
                    sheet[cell.coordinate].value = NOT_CALCULATED


def _part_merged(sheet: Worksheet, number: int) -> None:
    """Part merged cells that reach over a row; the other rows keep the value that they shared."""
    for cells in list(sheet.merged_cells.ranges):
        if not cells.min_row <= number <= cells.max_row:
            continue
        value = sheet.cell(cells.min_row, cells.min_col).value
        sheet.unmerge_cells(str(cells))
        for row in range(cells.min_row, cells.max_row + 1):
            sheet.cell(row, cells.min_col).value = value
