"""Awkward files out of a few words: workbooks with openpyxl, broken ones by rewriting their parts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import openpyxl

__all__ = ["Case", "Sheet", "csv", "parts", "patched", "workbook"]


@dataclass(frozen=True)
class Case:
    """One awkward file among good tables, and what must become of it.

    Parameters
    ----------
    name
        What is awkward about it.
    file
        Its path in the data folder.
    content
        Its bytes, made when they are needed.
    read
        How many rows (cells of a wide sheet) it holds, counted by hand; ``None`` when it is refused whole.
    loaded, aside
        Rows that are loaded and rows set aside, by table, each as its cells with blanks between; units are
        written by their letters (see ``tests.intake.corpus.cases``).
    dropped
        Reasons and numbers of dropped rows, as the account gives them.
    says
        What must stand in the lines of the report about the file, each in a line of its own; a leading
        level narrows it: ``error:``, ``warning:`` or ``note:``.
    """

    name: str
    file: str
    content: Callable[[], bytes]
    read: int | None
    loaded: Mapping[str, Sequence[str]] = field(default_factory=dict)
    aside: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dropped: str = ""
    says: Sequence[str] = ()


@dataclass(frozen=True)
class Sheet:
    """Rows of a sheet, merged ranges, hidden rows (from 1) and columns, number formats by cell."""

    rows: Sequence[Sequence[Any]]
    merges: Sequence[str] = ()
    hidden_rows: Sequence[int] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    hidden_columns: Sequence[str] = ()
    state: str = "visible"


def workbook(**sheets: Sheet | Sequence[Sequence[Any]]) -> bytes:
    """Return an .xlsx workbook; text that begins with = is a formula that was never calculated."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, content in sheets.items():
        made = content if isinstance(content, Sheet) else Sheet(content)
        sheet = book.create_sheet(title)
        for row in made.rows:
            sheet.append(list(row))
        for span in made.merges:
            sheet.merge_cells(span)
        for number in made.hidden_rows:
            sheet.row_dimensions[number].hidden = True
        for letter in made.hidden_columns:
            sheet.column_dimensions[letter].hidden = True
        for cell, code in made.formats.items():
            sheet[cell].number_format = code
        sheet.sheet_state = made.state
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parts(book: bytes) -> dict[str, bytes]:
    """Return the parts of a workbook."""
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return {item.filename: archive.read(item) for item in archive.infolist()}


def patched(book: bytes, changes: Mapping[str, bytes | Callable[[bytes], bytes] | None]) -> bytes:
    """Return a workbook with parts replaced, rewritten, added or (``None``) left out."""
    held = parts(book)
    for name, change in changes.items():
        if change is None:
            del held[name]
        else:
            held[name] = change(held[name]) if callable(change) else change
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return stream.getvalue()


def csv(*rows: Sequence[Any], encoding: str = "utf-8", mark: str = ",") -> bytes:
    """Return a CSV file; no cell is quoted."""
    return "".join(mark.join(map(str, row)) + "\r\n" for row in rows).encode(encoding)
