"""Flat table files (Parquet, CSV, GeoPackage and other map layers) as rows on their way into a table."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import Final

import polars as pl
from xlsxwriter.utility import xl_col_to_name

from huanjie_lib.contracts import Table
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.intake.checks import Batch
from huanjie_lib.intake.guard import personal_heading
from huanjie_lib.intake.headings import IGNORED, Heading, Names, normalise
from huanjie_lib.intake.report import ColumnPlace, InputFile, Issue, IssueLevel
from huanjie_lib.intake.sheets import BLANK_ROW, personal_column, unknown_columns
from huanjie_lib.intake.values import BLANKS
from huanjie_lib.intake.workbook import decode, separator

__all__ = ["TABLE_SUFFIXES", "check_kind", "column_places", "digest", "has_geometry", "read_table"]

TABLE_SUFFIXES: Final = (".parquet", ".csv", ".gpkg", ".geojson", ".json", ".topojson", ".shp")
"""Files that may hold a table."""

_FIRST_BYTES: Final = {
    ".parquet": b"PAR1",
    ".gpkg": b"SQLite format 3\0",
    ".shp": b"\x00\x00\x27\x0a",
    ".geojson": b"{",
    ".json": b"{",
    ".topojson": b"{",
}
_LONGEST_LINE: Final = 2**16
_GEOMETRY = frozenset({"geometry", "geom", "bbox"})


def digest(path: Path, file: str) -> InputFile:
    """Return a file's name, SHA-256 and size."""
    with path.open("rb") as stream:
        return InputFile(file, hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)


def check_kind(path: Path, file: str) -> None:
    """Refuse a file that is not what its name says; a library that goes by content would open anything.

    A map library reads, for one, descriptions of layers that lie elsewhere, on the network too.

    Raises
    ------
    DataError
        If the first bytes are not those of the format.
    """
    expected = _FIRST_BYTES.get(path.suffix.lower())
    if expected is None:
        return
    with path.open("rb") as stream:
        head = stream.read(64)
    if expected == b"{":
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(expected):
        raise DataError(
            "文件不能读取",
            [
                Fault(
                    file,
                    f"内容不是 {path.suffix} 文件",
                    "、".join(TABLE_SUFFIXES),
                    "用导出它的程序重新导出后再试",
                )
            ],
        )


def has_geometry(path: Path) -> bool:
    """Return whether a table file holds boundaries besides its rows."""
    if path.suffix.lower() == ".csv":
        return False
    return path.suffix.lower() != ".parquet" or "geo" in pl.read_parquet_metadata(path)


def column_places(path: Path, file: str, contract: Table, names: Names) -> list[ColumnPlace]:
    """Return where the columns of a table file stand; columns of files other than CSV have no letter."""
    if path.suffix.lower() == ".csv":
        with path.open("rb") as stream:
            line = decode(stream.readline(_LONGEST_LINE), file)
        headings = next(csv.reader([line], delimiter=separator(line)), [])
    elif path.suffix.lower() == ".parquet":
        headings = list(pl.read_parquet_schema(path))
    else:
        return []  # map layers are traced by the row of their feature
    letters = path.suffix.lower() == ".csv"
    return [
        ColumnPlace(contract.name, found.name, file, "", 1, xl_col_to_name(n) if letters else "", text)
        for n, text in enumerate(headings)
        if (found := names.match(text)) is not None
    ]


def read_table(path: Path, file: str, contract: Table, names: Names) -> tuple[Batch, list[Issue]]:
    """Read one table file without looking at its values.

    Parameters
    ----------
    path
        The file.
    file
        Its name relative to the data folder.
    contract
        Contract of the table it holds.
    names
        Headings of that table.

    Returns
    -------
    tuple
        The rows, refused when a required column is missing, and lines of the report about its columns.

    Raises
    ------
    DataError
        If the file cannot be read at all.
    """
    try:
        headings, frame, first_row = _READERS.get(path.suffix.lower(), _read_layer)(path, file)
    except (pl.exceptions.PolarsError, OSError, ValueError, RuntimeError) as error:
        raise DataError(
            "文件不能读取",
            [Fault(file, "损坏或不合规的文件", "、".join(TABLE_SUFFIXES), "用导出它的程序重新导出后再试")],
        ) from error
    issues: list[Issue] = []
    found = _bind(headings, contract, names, file, issues)
    refused = _refusals(headings, found, contract, file, frame)
    by_name: dict[str, int] = {}
    for position, heading in found.items():
        if not heading.clash:
            by_name.setdefault(heading.name, position)
    raw = pl.DataFrame([frame.to_series(position).alias(name) for name, position in by_name.items()])
    rows = pl.arange(first_row, first_row + frame.height, dtype=pl.Int64, eager=True)
    if not by_name:
        raw = pl.DataFrame({"_": pl.repeat("", frame.height, dtype=pl.String, eager=True)})
    blank = _blank(raw) if by_name else None
    if blank is not None:
        raw, rows = raw.filter(~blank), rows.filter(~blank)
    if not raw.height:
        issues.append(
            Issue(
                IssueLevel.WARNING,
                found="只有标题，没有数据行",
                allowed="数据行",
                remedy="确无数据的无需处理，漏报的请补报",
                table=contract.name,
                file=file,
            )
        )
    batch = Batch(
        contract,
        file,
        "",
        raw,
        rows,
        scales={h.name: h.scale for h in found.values() if h.scale != 1.0},
        dropped={BLANK_ROW: frame.height - raw.height} if frame.height > raw.height else {},
        refused=tuple(refused),
    )
    return batch, issues


# ---------------------------------------------------------------- reading


def _read_parquet(path: Path, file: str) -> tuple[list[str], pl.DataFrame, int]:
    del file
    frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
    return frame.columns, frame, 1


def _read_csv(path: Path, file: str) -> tuple[list[str], pl.DataFrame, int]:
    text = decode(path.read_bytes(), file)
    if not text.strip(BLANKS):
        return [], pl.DataFrame(), 1
    mark = separator(text)
    headings = next(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    try:
        frame = pl.read_csv(text.encode(), separator=mark, infer_schema=False)
    except pl.exceptions.ComputeError as error:
        raise DataError(
            "文件不能读取",
            [
                Fault(
                    file,
                    "有的行列数多于标题，或引号不成对",
                    f"每行至多 {len(headings)} 列",
                    "用 Excel 打开检查后另存为 CSV；内容中的逗号须放在引号内",
                )
            ],
        ) from error
    return headings, frame, 2


def _read_layer(path: Path, file: str) -> tuple[list[str], pl.DataFrame, int]:
    import pyogrio  # a folder without map layers need not pay for it

    del file
    frame = pl.from_pandas(pyogrio.read_dataframe(path, read_geometry=False))
    return frame.columns, frame, 1


_READERS = {".parquet": _read_parquet, ".csv": _read_csv}


# ---------------------------------------------------------------- columns


def _bind(
    headings: list[str], contract: Table, names: Names, file: str, issues: list[Issue]
) -> dict[int, Heading]:
    """Return column number → heading; columns that must not or cannot be loaded are reported."""
    found: dict[int, Heading] = {}
    unknown = []
    for position, text in enumerate(headings):
        heading = names.match(text)
        if heading is not None:
            found[position] = heading
        elif normalise(text) in _GEOMETRY | IGNORED or not normalise(text):
            continue
        elif (kind := personal_heading(normalise(text))) is not None:
            issues.append(personal_column(kind, file, "", contract))
        else:
            unknown.append(text)
    if unknown:
        issues.append(unknown_columns(unknown, file, "", contract))
    for heading in found.values():
        column = contract.column(heading.name)
        if heading.scale != 1.0:
            issues.append(
                Issue(
                    IssueLevel.NOTE,
                    found=f"单位为{heading.unit}，数值乘以 {heading.scale:g} 换算为{column.unit}",
                    allowed=f"单位为{column.unit}的数",
                    remedy="无需处理；如标题中的单位写错，请更正原表",
                    table=contract.name,
                    file=file,
                    column=column.name,
                    label=column.label,
                )
            )
    return found


def _refusals(
    headings: list[str], found: dict[int, Heading], contract: Table, file: str, frame: pl.DataFrame
) -> list[Issue]:
    """Return why no row of a file can be used: required columns missing, repeated or of an unusable type."""
    shown = "、".join(headings)[:160] or "（没有标题）"
    present = {h.name for h in found.values() if not h.clash}
    problems = []
    for column in contract.columns:
        if column.required and column.name not in present:
            spellings = "或".join(f"“{t}”" for t in (column.name, column.label, *column.aliases))
            problems.append(
                (
                    column,
                    f"缺少列“{column.label}”；现有标题：{shown}",
                    f"列标题{spellings}",
                    "补上这一列的标题和数据",
                )
            )
    times = Counter(h.name for h in found.values())
    for name, count in times.items():
        if count > 1:
            twice = "、".join(headings[p] for p, h in found.items() if h.name == name)
            problems.append(
                (contract.column(name), f"列标题重复：{twice}", "每项内容只有一列", "删去重复的列")
            )
    for position, heading in found.items():
        dtype = frame.dtypes[position]
        if dtype.is_nested() or dtype in {pl.Binary, pl.Object}:
            column = contract.column(heading.name)
            problems.append((column, f"列类型 {dtype}", column.allowed(), "改用文本、数字或日期类型重新导出"))
        elif heading.clash:
            column = contract.column(heading.name)
            problems.append(
                (
                    column,
                    f"{headings[position]}（单位：{heading.unit}）",
                    f"单位为{column.unit}的列",
                    "核对计量单位",
                )
            )
    return [
        Issue(
            IssueLevel.ERROR,
            found=what,
            allowed=allowed,
            remedy=f"{advice}，整个文件在此之前不载入",
            table=contract.name,
            file=file,
            column=column.name,
            label=column.label,
        )
        for column, what, allowed, advice in problems
    ]


def _blank(raw: pl.DataFrame) -> pl.Series | None:
    """Return which rows hold nothing at all, or ``None`` when none do."""

    def empty(series: pl.Series) -> pl.Series:
        if series.dtype == pl.String:
            return series.str.strip_chars(BLANKS).fill_null("") == ""
        return series.is_null()

    blank: pl.Series | None = None
    for series in raw.get_columns():
        blank = empty(series) if blank is None else blank & empty(series)
        if not blank.any():
            return None
    return blank
