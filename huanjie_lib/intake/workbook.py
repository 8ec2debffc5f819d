"""Workbooks and CSV files as grids of cells, after a look at whether they are safe to open.

An .xlsx workbook is a ZIP of XML. Before anything is unpacked its entries are measured, and before the cells
are read each sheet is streamed once for its true extent: a few bytes can unpack to gigabytes, and one stray
cell in the last row and column would make a reader lay out seventeen thousand million cells. Cells that are
only painted, down to the last row or across to the last column, count for nothing. The same pass finds what
values alone don't tell: hidden rows and columns, text struck out, formulas without a result, error values,
cells that show a percentage or a number made smaller. An old .xls workbook is looked through in the same way
by :mod:`huanjie_lib.intake.xls`. What a file is, is told by its first bytes and not by its name.

Whatever else a workbook carries (macros, links to other files, embedded objects) is never opened or run; the
report says that it was there.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias
from xml.parsers import expat

import python_calamine as calamine

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.xls import SIGNATURE, XlsError, scan_xls

__all__ = [
    "NOT_CALCULATED",
    "Book",
    "Cell",
    "Grid",
    "cell_text",
    "csv_records",
    "decode",
    "decoded",
    "read_csv_grid",
    "read_workbook",
    "separator",
]

Cell: TypeAlias = str | float | int | bool | dt.date | dt.datetime | None

MAX_FILE_BYTES: Final = 64 * 2**20
MAX_UNPACKED_BYTES: Final = 512 * 2**20
MAX_RATIO: Final = 200
MAX_ENTRIES: Final = 2_000
MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 500
MAX_CELLS: Final = 4_000_000
MAX_SHEETS: Final = 200
MAX_CHARACTERS: Final = 32 * 2**20

_DAMAGE = (zipfile.BadZipFile, expat.ExpatError, LookupError, ValueError, OSError, EOFError, RuntimeError)
"""What reading a broken archive or part raises; the parser says LookupError of an unknown encoding."""
_RATIO_MATTERS_FROM = 2**20
NOT_CALCULATED: Final = "#公式未计算"
"""What stands for a formula without a result."""
_FIELD_LIMIT = 2**20
_PROLOGUE = 4096
_PERCENT_FORMATS = frozenset({9, 10})
_PERCENT, _SMALLER, _STRUCK = "percent", "smaller", "struck"
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]')
_MADE_SMALLER = re.compile(r"[0#?][!\\]\.|[0#?],+(?![0#?,])")
"""In a number format: a point that only looks like one, as in 0!.0000"万", or commas that drop thousands."""
_NOTHING = re.compile(r"0+(?:\.0*)?")
_SAMPLED_LINES = 20
_SEPARATORS = (",", "\t", ";", "|")
_CARRIED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), label)
    for pattern, label in (
        (r"vbaproject[^/]*\.bin$", "宏（VBA）"),
        (r"^xl/macrosheets/.", "宏表"),
        (r"^xl/externallinks/[^/]+\.xml$", "外部链接"),
        (r"^xl/(?:connections\.xml$|querytables/.)", "外部数据连接"),
        (r"^xl/(?:embeddings|activex)/.", "嵌入的对象或控件"),
        (r"^xl/(?:worksheets/)?(?:threaded)?comments[^.]*\.xml$|^xl/threadedcomments/.", "批注"),
    )
)
_HTML = re.compile(r"\ufeff?\s*<(?:!doctype|!--|html|table|meta|head|style|\?xml)", re.IGNORECASE)
_AS_XLSX = "用 Excel 或 WPS 打开后另存为 .xlsx 再重报"
_UNPACKED = "解压后逐个报送其中的 .xlsx"
_OTHER_KINDS: Final = (
    # first bytes, what such a file is, what to do
    (b"Rar!", "压缩包", _UNPACKED),
    (b"7z\xbc\xaf\x27\x1c", "压缩包", _UNPACKED),
    (b"\x1f\x8b", "压缩包", _UNPACKED),
    (b"%PDF", "PDF 文件", "请填报单位报送原来的 .xlsx，不要打印或扫描"),
    (b"{\\rtf", "文字处理文件", "把表格粘贴到报送模板中，存为 .xlsx 再重报"),
    (b"MIME-Version:", "网页存档（MHT），不是工作簿", _AS_XLSX),
)
_OTHER_PARTS: Final = (
    # a part of a ZIP, what the file is, what to do
    (re.compile(r"^xl/workbook\.bin$"), "Excel 二进制工作簿（.xlsb）", _AS_XLSX),
    (re.compile(r"^word/|^ppt/"), "Word 或 PowerPoint 文件", "把表格粘贴到报送模板中，存为 .xlsx 再重报"),
    (re.compile(r"^content\.xml$"), "OpenDocument 表格（.ods）", _AS_XLSX),
    (re.compile(r"\.(?:xlsx?|xlsm|et|csv)$", re.IGNORECASE), "压缩包", _UNPACKED),
)


@dataclass(frozen=True)
class Grid:
    """One sheet.

    Parameters
    ----------
    file, sheet
        Place; ``sheet`` is empty for a CSV file.
    rows
        Cells by row and column, from the first cell of the sheet; every row has the same length.
    anchors
        Cell covered by a merged range → first cell of the range, both (row, column) from 0.
    hidden
        Whether the sheet itself is hidden.
    hidden_rows
        Number of hidden rows.
    hidden_columns
        Hidden columns in which something stands, from 0.
    struck
        Number of filled cells whose text is struck out.
    formulas
        Number of cells that hold a formula; their value is the result that was saved.
    top
        Row in which to begin looking for headings.
    """

    file: str
    sheet: str
    rows: Sequence[Sequence[Cell]]
    anchors: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    hidden: bool = False
    hidden_rows: int = 0
    formulas: int = 0
    top: int = 0
    hidden_columns: tuple[int, ...] = ()
    struck: int = 0

    def at(self, row: int, column: int) -> Cell:
        """Return a cell; a cell covered by a merged range has the value of its first cell."""
        first_row, first_column = self.anchors.get((row, column), (row, column))
        return self.rows[first_row][first_column]


@dataclass(frozen=True)
class Book:
    """A workbook.

    Parameters
    ----------
    grids
        Its sheets.
    carried
        What it carries besides cells, in Chinese: macros, links to other files, and the like.
    """

    grids: tuple[Grid, ...]
    carried: tuple[str, ...] = ()


def cell_text(cell: Cell) -> str:
    """Return a cell as text; whole numbers without a decimal point, those of 16 digits or more rounded.

    Examples
    --------
    >>> cell_text(990101001201.0), cell_text(110101199001011234.0), cell_text(dt.date(2026, 10, 3))
    ('990101001201', '1.10101E+17', '2026-10-03')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, float | int):
        if not math.isfinite(cell):  # a reader takes nan and inf for numbers
            return "#NUM!"
        if abs(cell) >= 1e15:
            return f"{cell:.5E}"
        return str(int(cell)) if cell == int(cell) else repr(cell)
    return str(cell)


# ---------------------------------------------------------------- CSV


def decode(content: bytes, file: str) -> str:
    """Return the text of a CSV file: by its byte-order mark, else strict UTF-8, else GB18030.

    Raises
    ------
    DataError
        If the bytes are text in none of these.

    Examples
    --------
    >>> decode("村".encode("gb18030"), "a.csv"), decode("村".encode("utf-8-sig"), "a.csv")
    ('村', '村')
    """
    return decoded(content, file)[0]


def decoded(content: bytes, file: str) -> tuple[str, str]:
    """Return the text of a CSV file as :func:`decode`, and the encoding by which the same bytes come back."""
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encodings = [e for mark, e in marks.items() if content.startswith(mark)] or ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
    raise DataError(
        "文件不能读取",
        [Fault(file, "不是文本", "UTF-8 或 GB18030 编码的 CSV", "在 Excel 中另存为“CSV UTF-8（逗号分隔）”")],
    )


def separator(text: str) -> str:
    r"""Return what separates the fields of a CSV file: commas, tabs, semicolons or bars.

    It is the one of which most lines have equally many, among the first lines: in a file of tabs a title may
    hold a comma, and in one of commas a text a semicolon. A first line ``sep=;`` says it itself.

    Examples
    --------
    >>> separator("上云村, 2026\n编号\t代码\n1\t2"), separator("编号;代码"), separator("编号")
    ('\t', ';', ',')
    """
    lines = text[:_FIELD_LIMIT].splitlines()[:_SAMPLED_LINES]
    said = re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip()) if lines else None
    if said is not None and said[1] in _SEPARATORS:
        return said[1]

    def regular(mark: str) -> int:
        counts = Counter(n for line in lines if (n := line.count(mark)))
        return max((n * times for n, times in counts.items()), default=0)

    return max(_SEPARATORS, key=regular)


def csv_records(text: str, file: str) -> list[list[str]]:
    """Return the records of a CSV file.

    Raises
    ------
    DataError
        If quotes don't match or a field is too long.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True))
    except csv.Error as error:
        raise DataError(
            "文件不能读取",
            [Fault(file, f"不合规的 CSV（{error}）", "引号成对的 CSV", "用 Excel 打开检查后另存为 CSV")],
        ) from error


def read_csv_grid(path: Path, file: str) -> Grid:
    """Return a CSV file as a grid.

    Raises
    ------
    DataError
        If the file is too large, is not text, or is no CSV.
    """
    _check_size(path, file)
    content = path.read_bytes()
    if content.startswith((b"PK\x03\x04", SIGNATURE)):
        raise _refusal(file, "工作簿，扩展名却是 .csv", "把扩展名改回 .xlsx 或 .xls 后重报", "CSV 文本")
    records = csv_records(decode(content, file), file)
    width = max(map(len, records), default=0)
    _check_extent(len(records), width, file)
    return Grid(file, "", [[*record, *[""] * (width - len(record))] for record in records])


# ---------------------------------------------------------------- workbooks


@dataclass
class _Scan:
    """What one pass over a sheet finds; cells are (row, column) from 0."""

    rows: int = 0
    columns: int = 0
    hidden_rows: int = 0
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    formulas: int = 0
    struck: int = 0
    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    percents: set[tuple[int, int]] = field(default_factory=set)
    smaller: set[tuple[int, int]] = field(default_factory=set)


def read_workbook(path: Path, file: str) -> Book:
    """Return an .xlsx, .xlsm or .xls workbook.

    Parameters
    ----------
    path
        The workbook.
    file
        Its name in messages, relative to the data folder.

    Raises
    ------
    DataError
        If the file is no workbook, is encrypted or damaged, or is larger than the limits of this module.

    Notes
    -----
    A number that the sheet shows as a percentage is given as the text that is shown (``85%``), since the
    number behind it (0.85) does not tell which scale was meant; one that a format shows made smaller (125000
    as 12.5万) says so, since the heading may count in what is shown. Dates counted from 1904 are refused.
    """
    _check_size(path, file)
    content = path.read_bytes()
    if content.startswith(SIGNATURE):
        scans, carried = _scan_xls(content, file)
    elif content.startswith(b"PK"):
        scans, carried = _scan_xlsx(content, file)
    else:
        raise _no_workbook(content, file)
    cells = sum(scan.rows * scan.columns for scan in scans if scan is not None)
    if len(scans) > MAX_SHEETS or cells > MAX_CELLS:
        raise _refusal(
            file,
            f"{len(scans)} 个工作表，共 {cells} 个单元格",
            "删除与报送无关的工作表，或分成几个文件报送",
            f"一个文件不超过 {MAX_SHEETS} 个工作表、{MAX_CELLS} 个单元格",
        )
    try:
        with calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            metas = book.sheets_metadata
            if len(scans) != len(metas):
                raise _refusal(file, "工作表目录前后不符", "用 Excel 打开后另存为 .xlsx 再重报")
            grids = tuple(
                _grid(book.get_sheet_by_index(number), meta, scan, file)
                for number, (meta, scan) in enumerate(zip(metas, scans, strict=True))
                if meta.typ == calamine.SheetTypeEnum.WorkSheet and scan is not None
            )
    except (calamine.CalamineError, UnicodeDecodeError) as error:
        raise _refusal(file, "工作簿不能读取", "用 Excel 打开后另存为 .xlsx 再重报") from error
    _check_characters(grids, file)
    return Book(grids, carried)


def _no_workbook(content: bytes, file: str) -> DataError:
    """Return the refusal of a file that is no workbook, saying what it is as far as that can be told."""
    for first, found, remedy in _OTHER_KINDS:
        if content.startswith(first):
            return _refusal(file, found, remedy)
    try:
        text = decode(content, file)
    except DataError:
        return _refusal(file, "文件损坏或不是工作簿", "用 Excel 打开后另存为 .xlsx 再重报")
    if _HTML.match(text):
        return _refusal(file, "网页或 XML，不是工作簿", _AS_XLSX)
    if separator(text) in text:
        return _refusal(file, "文本，不是工作簿", "把扩展名改为 .csv，或用 Excel 打开后另存为 .xlsx，再重报")
    return _refusal(file, "文件损坏或不是工作簿", "用 Excel 打开后另存为 .xlsx 再重报")


def _check_characters(grids: Sequence[Grid], file: str) -> None:
    """Refuse more text than any return has: a few bytes in a workbook may stand for it in every cell."""
    total = 0
    for grid in grids:
        for row in grid.rows:
            total += sum(len(cell) for cell in row if isinstance(cell, str))
        if total > MAX_CHARACTERS:
            found = f"单元格里的文字超过 {MAX_CHARACTERS // 10_000} 万字"
            raise _refusal(file, found, "只保留需要报送的数据，或分成几个文件报送", "文字长短正常的表")


def _scan_xls(content: bytes, file: str) -> tuple[list[_Scan | None], tuple[str, ...]]:
    """Look through an .xls workbook."""
    try:
        facts = scan_xls(content)
    except XlsError as error:
        raise _refusal(file, "文件损坏或不是 .xls 工作簿", "用 Excel 打开后另存为 .xlsx 再重报") from error
    if facts.encrypted:
        raise _refusal(file, "加密的工作簿", "去掉密码后重报")
    if facts.from_1904:
        raise _from_1904(file)
    scans: list[_Scan | None] = []
    for number, sheet in enumerate(facts.sheets, start=1):
        _check_extent(sheet.rows, sheet.columns, f"{file} 第 {number} 个工作表")
        scans.append(
            _Scan(
                rows=sheet.rows,
                columns=sheet.columns,
                hidden_rows=sheet.hidden_rows,
                hidden_columns=sheet.hidden_columns,
                formulas=sheet.formulas,
                struck=sheet.struck,
                texts=sheet.errors,
                percents=sheet.percents,
            )
        )
    kinds = ((facts.macros, "宏（VBA）"), (facts.links, "外部链接"), (facts.notes, "批注"))
    carried = [label for there, label in kinds if there]
    return scans, tuple(carried)


def _scan_xlsx(content: bytes, file: str) -> tuple[list[_Scan | None], tuple[str, ...]]:
    """Look through an .xlsx workbook: its entries, then each sheet; ``None`` for what has no cells."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_entries(archive, file)
            if "xl/workbook.xml" not in archive.namelist():
                raise _other_archive(archive, file)
            parts = _sheet_parts(archive, file)
            styles = _styles(archive)
            scans = [
                _scan_sheet(archive, part, file, name, styles) if part is not None else None
                for name, part in parts
            ]
            names = [name.lower() for name in archive.namelist()]
    except _DAMAGE as error:
        raise _refusal(file, "文件损坏或不是 .xlsx 工作簿", "用 Excel 打开后另存为 .xlsx 再重报") from error
    carried = [label for pattern, label in _CARRIED if any(pattern.search(name) for name in names)]
    return scans, tuple(carried)


def _other_archive(archive: zipfile.ZipFile, file: str) -> Exception:
    """Return the refusal of a ZIP that is no .xlsx workbook, saying what it is as far as that can be told."""
    names = archive.namelist()
    for pattern, found, remedy in _OTHER_PARTS:
        if any(pattern.search(name) for name in names):
            return _refusal(file, found, remedy)
    return zipfile.BadZipFile("no list of sheets")


def _refusal(file: str, found: str, remedy: str, allowed: str = "未加密的 .xlsx 或 .xls 工作簿") -> DataError:
    return DataError("工作簿不能读取", [Fault(file, found, allowed, remedy)])


def _from_1904(file: str) -> DataError:
    return _refusal(
        file,
        "使用 1904 日期系统",
        "在 Excel 选项中取消“使用 1904 日期系统”，核对日期后保存",
        "使用 1900 日期系统的工作簿",
    )


def _check_size(path: Path, file: str) -> None:
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise _refusal(
            file, f"{size / 2**20:.0f} MB", "拆分成较小的文件", f"不超过 {MAX_FILE_BYTES // 2**20} MB 的文件"
        )


def _check_extent(rows: int, columns: int, place: str) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS or rows * columns > MAX_CELLS:
        raise _refusal(
            place,
            f"{rows} 行 × {columns} 列",
            "删除数据区以外的行和列（选中后右键删除，不只是清除内容），保存后重报",
            f"不超过 {MAX_ROWS} 行、{MAX_COLUMNS} 列、{MAX_CELLS} 个单元格",
        )


def _check_entries(archive: zipfile.ZipFile, file: str) -> None:
    entries = archive.infolist()
    total = sum(e.file_size for e in entries)
    steep = [
        e
        for e in entries
        if e.file_size > _RATIO_MATTERS_FROM and e.file_size > MAX_RATIO * max(e.compress_size, 1)
    ]
    if len(entries) > MAX_ENTRIES or total > MAX_UNPACKED_BYTES or steep:
        raise _refusal(
            file,
            f"解压后 {total / 2**20:.0f} MB、{len(entries)} 个部件，压缩比异常",
            "用 Excel 新建工作簿，只粘贴需要报送的数据",
            f"解压后不超过 {MAX_UNPACKED_BYTES // 2**20} MB 的普通工作簿",
        )
    # Two readers may take two entries of one name for the sheet, so that only one would have been looked at.
    names = [e.filename.lower().replace("\\", "/") for e in entries]
    if len(set(names)) < len(names) or any(n.startswith("/") or ".." in n.split("/") for n in names):
        raise zipfile.BadZipFile("names of entries")
    for entry in entries:
        if entry.filename.lower().endswith((".xml", ".rels")):
            with archive.open(entry) as stream:
                head = stream.read(_PROLOGUE).replace(b"\0", b"").lower()
            if b"<!doctype" in head or b"<!entity" in head:
                raise zipfile.BadZipFile("document type in workbook")


def _parser(start: Callable[[str, dict[str, str]], None]) -> expat.XMLParserType:
    """Return a streaming parser; a document type, which is where entity bombs live, is refused."""

    def refuse_doctype(*_: object) -> None:
        raise zipfile.BadZipFile("document type in workbook")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    return parser


def _local(name: str) -> str:
    """Return a name without its namespace prefix."""
    return name.rpartition(":")[2]


def _sheet_parts(archive: zipfile.ZipFile, file: str) -> list[tuple[str, str | None]]:
    """Return name and archive entry of each sheet, in order; no entry for what is no sheet of cells."""
    sheets: list[tuple[str, str]] = []
    targets: dict[str, str] = {}

    def on_workbook(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "sheet":
            key = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            sheets.append((attributes["name"], key))
        elif _local(name) == "workbookPr" and attributes.get("date1904") in {"1", "true"}:
            raise _from_1904(file)

    def on_relations(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "Relationship" and attributes.get("Type", "").endswith("/worksheet"):
            targets[attributes["Id"]] = attributes["Target"]

    for part, handler in (("xl/workbook.xml", on_workbook), ("xl/_rels/workbook.xml.rels", on_relations)):
        with archive.open(part) as stream:
            _parser(handler).ParseFile(stream)
    return [(name, _entry(targets[key]) if key in targets else None) for name, key in sheets]


def _entry(target: str) -> str:
    """Return the archive entry that a relationship of the workbook points to."""
    whole = target if target.startswith("/") else posixpath.join("xl", target)
    return posixpath.normpath(whole).lstrip("/")


def _styles(archive: zipfile.ZipFile) -> dict[str, frozenset[str]]:
    """Return what cell styles do that values don't tell, by their number; plain ones are left out."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    codes = dict.fromkeys(map(str, _PERCENT_FORMATS), _PERCENT)
    cells: list[tuple[str, str]] = []
    struck: set[str] = set()
    section, fonts = "", 0

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal section, fonts
        name = _local(name)
        if name in {"fonts", "cellXfs", "cellStyleXfs", "cellStyles", "dxfs"}:
            section = name
        elif name == "numFmt":
            code = _QUOTED.sub("", attributes.get("formatCode", ""))
            if "%" in attributes.get("formatCode", ""):
                codes[attributes.get("numFmtId", "")] = _PERCENT
            elif _MADE_SMALLER.search(code):
                codes[attributes.get("numFmtId", "")] = _SMALLER
        elif name == "font" and section == "fonts":
            fonts += 1
        elif name == "strike" and section == "fonts" and attributes.get("val") not in {"0", "false"}:
            struck.add(str(fonts - 1))
        elif name == "xf" and section == "cellXfs":
            cells.append((attributes.get("numFmtId", ""), attributes.get("fontId", "")))

    with archive.open("xl/styles.xml") as stream:
        _parser(on_start).ParseFile(stream)
    kinds = [{codes.get(code, "")} | ({_STRUCK} if font in struck else set()) for code, font in cells]
    return {str(number): frozenset(kind) for number, kind in enumerate(kinds) if kind != {""}}


@cache
def _column(letters: str) -> int:
    """Return the number from 0 of a column of a sheet, such as 27 for AB."""
    if not 1 <= len(letters) <= 3 or not letters.isascii() or not letters.isupper():
        raise zipfile.BadZipFile(f"cell reference {letters!r}")
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _scan_sheet(
    archive: zipfile.ZipFile, part: str, file: str, sheet: str, styles: Mapping[str, frozenset[str]]
) -> _Scan:
    """Find the extent of a sheet and what its values don't tell; a cell that is only painted has none."""
    scan = _Scan()
    row, column = -1, -1
    kind, style, suspect, value = "", "", False, ""

    def on_text(text: str) -> None:
        nonlocal value
        value += text

    def close_cell() -> None:
        if kind == "e":
            scan.texts[row, column] = value.strip() or NOT_CALCULATED
        elif suspect and not value.strip() and kind != "str":
            scan.texts[row, column] = NOT_CALCULATED

    def fill() -> None:
        scan.rows, scan.columns = max(scan.rows, row + 1), max(scan.columns, column + 1)

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, kind, style, suspect, value
        name = _local(name)
        if name == "c":
            if suspect:
                close_cell()
            if "r" in attributes:
                reference = attributes["r"]
                letters = reference.rstrip("0123456789")
                row, column = int(reference[len(letters) :]) - 1, _column(letters)
            else:
                column += 1
            if row < 0:
                raise zipfile.BadZipFile("cell reference before the first row")
            kind, value, style = attributes.get("t", ""), "", attributes.get("s", "")
            suspect = kind == "e"
            if kind not in {"", "n"}:
                fill()
            parser.CharacterDataHandler = None
        elif name in {"v", "is"}:
            fill()
            shows = styles.get(style)
            if shows:
                scan.struck += _STRUCK in shows
                if kind in {"", "n"} and shows & {_PERCENT, _SMALLER}:
                    (scan.percents if _PERCENT in shows else scan.smaller).add((row, column))
            if suspect and name == "v":
                parser.CharacterDataHandler = on_text
        elif name == "f":
            fill()
            suspect = True
            scan.formulas += 1
        elif name == "row":
            if suspect:
                close_cell()
            suspect = False
            row, column = (int(attributes["r"]) - 1 if "r" in attributes else row + 1), -1
            scan.hidden_rows += _is_hidden(attributes, "ht")
        elif name == "col" and _is_hidden(attributes, "width"):
            scan.hidden_columns.append((int(attributes["min"]) - 1, int(attributes["max"]) - 1))

    parser = _parser(on_start)
    with archive.open(part) as stream:
        parser.ParseFile(stream)
    if suspect:
        close_cell()
    _check_extent(scan.rows, scan.columns, f"{file} 工作表“{sheet}”")
    return scan


def _is_hidden(attributes: Mapping[str, str], size: str) -> bool:
    """Whether a row or column is hidden, or drawn so small that nobody sees it."""
    hidden = attributes.get("hidden") in {"1", "true"}
    return hidden or _NOTHING.fullmatch(attributes.get(size, "")) is not None


def _grid(sheet: calamine.CalamineSheet, meta: calamine.SheetMetadata, scan: _Scan, file: str) -> Grid:
    rows: list[list[Cell]] = [[_plain(v) for v in row] for row in sheet.to_python(skip_empty_area=False)]
    height, width = max(scan.rows, len(rows)), max([scan.columns, *map(len, rows)])
    rows = [[*row, *[None] * (width - len(row))] for row in rows]
    rows += [[None] * width for _ in range(height - len(rows))]
    for row, column in scan.percents | scan.smaller:
        value = rows[row][column]
        if isinstance(value, float | int) and not isinstance(value, bool):
            shown = (row, column) in scan.percents
            rows[row][column] = f"{value * 100:.12g}%" if shown else f"{value:.12g}（格式显示为缩小的数）"
    for (row, column), text in scan.texts.items():
        rows[row][column] = text
    hidden = {c for first, last in scan.hidden_columns for c in range(max(first, 0), min(last + 1, width))}
    return Grid(
        file,
        meta.name,
        rows,
        anchors=_anchors(sheet.merged_cell_ranges or [], height, width),
        hidden=meta.visible != calamine.SheetVisibleEnum.Visible,
        hidden_rows=scan.hidden_rows,
        formulas=scan.formulas,
        hidden_columns=tuple(c for c in sorted(hidden) if any(row[c] not in (None, "") for row in rows)),
        struck=scan.struck,
    )


def _plain(value: object) -> Cell:
    if isinstance(value, str | bool | float | int | dt.date | dt.datetime):
        return value
    return None if value is None else str(value)


def _anchors(
    merges: Sequence[tuple[tuple[int, int], tuple[int, int]]], height: int, width: int
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return covered cell → first cell; ranges are clipped to the cells there are."""
    anchors = {}
    for (top, left), (bottom, right) in merges:
        for row in range(top, min(bottom + 1, height)):
            for column in range(left, min(right + 1, width)):
                anchors[row, column] = (top, left)
    return anchors
