"""What the values of an old .xls workbook don't tell: extent, what is hidden or struck out, errors, macros.

An .xls file is a small file system (compound file, MS-CFB) that holds one stream of records (BIFF, MS-XLS).
A reader of values shows a cell in error as an empty one and a cell that reads 85 % as 0.85; so the records
are walked once for what stands beside the values. Every chain of sectors is bounded by the size of the file.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["SIGNATURE", "SheetFacts", "XlsError", "XlsFacts", "scan_xls"]

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""First bytes of every compound file."""

_END: Final = 0xFFFFFFFA  # this and larger numbers of sectors are marks, not sectors
_ERRORS: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
}
_BOF, _EOF, _ROW, _FORMULA, _BOOLERR, _MULRK = 0x0809, 0x0A, 0x0208, 0x06, 0x0205, 0xBD
_BOUNDSHEET, _DATEMODE, _SUPBOOK, _XF, _FORMAT, _FILEPASS = 0x85, 0x22, 0x1AE, 0xE0, 0x41E, 0x2F
_NUMBER, _LABELSST, _RK, _LABEL, _COLINFO, _NOTE, _FONT = 0x0203, 0xFD, 0x027E, 0x0204, 0x7D, 0x1C, 0x31
_CELLS: Final = frozenset({_NUMBER, _LABELSST, _RK, _LABEL, _FORMULA, _BOOLERR, _MULRK})
"""Records of filled cells; those of painted ones (BLANK, MULBLANK) count for nothing."""
_PERCENT_FORMATS: Final = frozenset({9, 10})
_OWN_LINKS: Final = (0x0401, 0x3A01)  # this workbook, add-in functions


class XlsError(ValueError):
    """The file is no compound file with a workbook, or breaks off."""


@dataclass
class SheetFacts:
    """One sheet: extent, what is hidden, formulas, cells struck out, in error, or showing a percentage.

    Cells are (row, column) from 0, hidden columns the first and the last of each run.
    """

    rows: int = 0
    columns: int = 0
    hidden_rows: int = 0
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    formulas: int = 0
    struck: int = 0
    notes: int = 0
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    percents: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class XlsFacts:
    """One workbook; ``sheets`` has one entry a sheet, in order, charts and macro sheets included."""

    sheets: list[SheetFacts] = field(default_factory=list)
    encrypted: bool = False
    from_1904: bool = False
    macros: bool = False
    links: bool = False

    @property
    def notes(self) -> bool:
        """Whether any cell has a comment."""
        return any(sheet.notes for sheet in self.sheets)


def scan_xls(content: bytes) -> XlsFacts:
    """Walk an .xls file.

    Raises
    ------
    XlsError
        If the bytes are no compound file that holds a workbook, or break off.

    Examples
    --------
    >>> scan_xls(SIGNATURE + bytes(504))
    Traceback (most recent call last):
        ...
    huanjie_lib.intake.xls.XlsError: sector size
    """
    try:
        streams = _Streams(content)
        names = set(streams.entries)
        if "EncryptedPackage" in names:
            return XlsFacts(encrypted=True)
        stream = next((streams.read(n) for n in ("Workbook", "Book") if n in names), None)
        if stream is None:
            raise XlsError("no workbook inside")
        facts = XlsFacts(macros=bool(names & {"_VBA_PROJECT", "_VBA_PROJECT_CUR", "VBA", "Macros"}))
        _walk(stream, facts)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise XlsError("broken off") from error
    return facts


class _Streams:
    """The streams of a compound file by name."""

    def __init__(self, content: bytes) -> None:
        if content[:8] != SIGNATURE:
            raise XlsError("signature")
        self._content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:
            raise XlsError("sector size")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        first_dir, _, self._cutoff, first_mini, _, difat, _ = struct.unpack_from("<7I", content, 48)
        self._fat = self._allocation(list(struct.unpack_from("<109I", content, 76)), difat)
        self._mini_fat = _integers(self._chained(first_mini))
        self.entries: dict[str, tuple[int, int]] = {}
        self._mini = b""
        directory = self._chained(first_dir)
        for at in range(0, len(directory) - 127, 128):
            length, kind = struct.unpack_from("<HB", directory, at + 64)
            start, size = struct.unpack_from("<IQ", directory, at + 116)
            if kind == 5:
                self._mini = self._chained(start)
            elif kind in (1, 2):
                name = directory[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le")
                self.entries.setdefault(name, (start, size))

    def _allocation(self, first: list[int], difat: int) -> array[int]:
        numbers, seen = [n for n in first if n < _END], set()
        while difat < _END and difat not in seen:
            seen.add(difat)
            more = list(struct.unpack(f"<{self._size // 4}I", self._sector(difat)))
            numbers += [n for n in more[:-1] if n < _END]
            difat = more[-1]
        if len(numbers) > len(self._content) // self._size:
            raise XlsError("allocation table larger than the file")
        return _integers(b"".join(self._sector(n) for n in numbers))

    def _sector(self, number: int) -> bytes:
        at = (number + 1) * self._size
        if at >= len(self._content):
            raise XlsError("sector outside the file")
        return self._content[at : at + self._size].ljust(self._size, b"\0")

    def _chained(self, start: int) -> bytes:
        sectors = len(self._content) // self._size + 1
        return b"".join(self._sector(n) for n in _chain(start, self._fat, sectors))

    def read(self, name: str) -> bytes:
        start, size = self.entries[name]
        if size >= self._cutoff:
            return self._chained(start)[:size]
        width = self._mini_size
        sectors = _chain(start, self._mini_fat, len(self._mini) // width + 1)
        return b"".join(self._mini[n * width : (n + 1) * width] for n in sectors)[:size]


def _integers(content: bytes) -> array[int]:
    return array("I", struct.unpack(f"<{len(content) // 4}I", content))


def _chain(start: int, table: array[int], sectors: int) -> Iterator[int]:
    """Follow a chain of sectors; one with more sectors than there are goes in a circle."""
    for _ in range(sectors + 1):
        if start >= _END:
            return
        yield start
        start = table[start]
    raise XlsError("chain without an end")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Return the records of one substream; what is nested in it, such as a chart, is passed over."""
    depth = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        body = stream[at + 4 : at + 4 + length]
        at += 4 + length
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 0:
            return
        if depth == 1:
            yield kind, body
    raise XlsError("no end of sheet")


def _walk(stream: bytes, facts: XlsFacts) -> None:
    offsets: list[int] = []
    styles: list[tuple[int, int]] = []  # font and number format of each cell format
    percent = set(_PERCENT_FORMATS)
    fonts: list[bool] = []
    for kind, body in _records(stream, 0):
        if kind == _FILEPASS:
            facts.encrypted = True
            return
        if kind == _BOUNDSHEET:
            offsets.append(struct.unpack_from("<I", body)[0])
        elif kind == _DATEMODE:
            facts.from_1904 = struct.unpack_from("<H", body)[0] == 1
        elif kind == _SUPBOOK:
            facts.links |= len(body) < 4 or struct.unpack_from("<H", body, 2)[0] not in _OWN_LINKS
        elif kind == _XF:
            styles.append(struct.unpack_from("<HH", body))
        elif kind == _FONT:
            fonts.append(bool(struct.unpack_from("<H", body, 2)[0] & 0x08))
        elif kind == _FORMAT and b"%" in body[2:]:
            percent.add(struct.unpack_from("<H", body)[0])
    struck = {n + (n > 3) for n, is_struck in enumerate(fonts) if is_struck}  # there is no font number 4
    shown = frozenset(n for n, (_, code) in enumerate(styles) if code in percent)
    lined = frozenset(n for n, (font, _) in enumerate(styles) if font in struck)
    facts.sheets = [_sheet(stream, offset, shown, lined) for offset in offsets]


def _sheet(stream: bytes, offset: int, percent: frozenset[int], struck: frozenset[int]) -> SheetFacts:
    """Walk the records of one sheet; given are the cell formats that show a percentage or strike text out."""
    facts = SheetFacts()
    for kind, body in _records(stream, offset):
        if kind == _ROW:
            facts.hidden_rows += bool(struct.unpack_from("<H", body, 12)[0] & 0x20)
        elif kind == _COLINFO:
            first, last, width, _, flags = struct.unpack_from("<5H", body)
            if flags & 1 or not width:
                facts.hidden_columns.append((first, last))
        elif kind == _NOTE:
            facts.notes += 1
        if kind not in _CELLS:
            continue
        row, column, style = struct.unpack_from("<HHH", body)
        last = struct.unpack_from("<H", body, len(body) - 2)[0] if kind == _MULRK else column
        facts.rows, facts.columns = max(facts.rows, row + 1), max(facts.columns, last + 1)
        formats = [style]
        if kind == _MULRK:
            formats = [struct.unpack_from("<H", body, 4 + 6 * n)[0] for n in range(last - column + 1)]
        facts.struck += sum(s in struck for s in formats)
        if kind in (_NUMBER, _RK, _FORMULA, _MULRK):
            facts.percents |= {(row, column + n) for n, s in enumerate(formats) if s in percent}
        if kind == _FORMULA:
            facts.formulas += 1
            if body[12:14] == b"\xff\xff" and body[6] == 2:
                facts.errors[row, column] = _ERRORS.get(body[8], "#VALUE!")
        elif kind == _BOOLERR and body[7] == 1:
            facts.errors[row, column] = _ERRORS.get(body[6], "#VALUE!")
    return facts
