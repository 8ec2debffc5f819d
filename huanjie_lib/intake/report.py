"""What intake hands on: good rows, what was wrong, what was set aside, and an account of every row.

The report has one line per fault, worst first. Rows are named by file, sheet and row, never by a person.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import Fault
from huanjie_lib.vocabulary import Word

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "BOUNDARIES",
    "COUNTED",
    "COUNT_COLUMNS",
    "ISSUE_COLUMNS",
    "PLACE_COLUMNS",
    "REGISTER",
    "ColumnPlace",
    "InputFile",
    "Intake",
    "Issue",
    "IssueLevel",
    "issue_frame",
    "place_frame",
    "plain_frame",
    "report_frame",
    "table_label",
    "write_csv",
    "write_report",
]

REGISTER = "register"
"""Name under which filled-in register forms appear in the report; nothing is stored under it."""

BOUNDARIES = "boundaries"
"""Name under which boundary files appear in the report; the boundaries themselves are no contract table."""

ISSUE_COLUMNS: dict[str, str] = {
    "severity": "级别",
    "table": "表",
    "file": "文件",
    "sheet": "工作表",
    "row": "行号",
    "column": "字段",
    "label": "列名",
    "found": "发现",
    "allowed": "应为",
    "remedy": "处理办法",
}
"""Columns of the report with their Chinese headings."""

COUNT_COLUMNS: dict[str, str] = {
    "file": "文件",
    "sheet": "工作表",
    "table": "表",
    "unit": "计数单位",
    "read": "读入",
    "loaded": "载入",
    "quarantined": "隔离",
    "dropped": "略去",
    "reason": "略去原因",
}
"""Columns of the account of rows with their Chinese headings; read = loaded + quarantined + dropped."""

COUNTED = ("read", "loaded", "quarantined", "dropped")
"""Columns of :data:`COUNT_COLUMNS` that are numbers."""

PLACE_COLUMNS = ("table", "column", "file", "sheet", "row", "letter", "heading")
"""Columns of :attr:`Intake.columns`."""

_OTHER_LABELS = {BOUNDARIES: "边界", REGISTER: "人才登记表"}
_QUARANTINE_COLUMNS = {
    "source_file": "来源文件",
    "source_sheet": "来源工作表",
    "source_row": "来源行号",
    "reasons": "隔离原因",
}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class IssueLevel(Word):
    """Weight of a line of the report: an error set data aside, a warning did not, a note only informs."""

    ERROR = "error", "错误"
    WARNING = "warning", "提醒"
    NOTE = "note", "说明"


_ISSUE_SCHEMA = pl.Schema({name: pl.Int64 if name == "row" else pl.String for name in ISSUE_COLUMNS})
_RANK = {level.value: rank for rank, level in enumerate(IssueLevel)}


@dataclass(frozen=True, slots=True)
class Issue:
    """One line of the report.

    Parameters
    ----------
    severity
        Weight of the line.
    found, allowed, remedy
        What stands there, what may stand there, what to do.
    table, file, sheet, row, column, label
        Place, as far as it is known: ``row`` counts from 1 as the clerk sees it, ``column`` is the contract
        column or metric and ``label`` its Chinese heading.
    """

    severity: IssueLevel
    found: str
    allowed: str
    remedy: str
    table: str = ""
    file: str = ""
    sheet: str = ""
    row: int | None = None
    column: str = ""
    label: str = ""

    def fault(self) -> Fault:
        """Return the line as a fault, for an error message.

        Examples
        --------
        >>> issue = Issue(IssueLevel.ERROR, "（空）", "文字", "补填此项", file="a.csv", row=3, label="名称")
        >>> print(issue.fault())
        a.csv 第 3 行“名称”：发现“（空）”；应为：文字；处理办法：补填此项。
        """
        where = self.file or table_label(self.table)
        where += f" 工作表“{self.sheet}”" if self.sheet else ""
        where += f" 第 {self.row} 行" if self.row is not None else ""
        where += f"“{self.label}”" if self.label else ""
        return Fault(where, self.found, self.allowed, self.remedy)


@dataclass(frozen=True, slots=True)
class ColumnPlace:
    """Where a column of a table stands in a file.

    Parameters
    ----------
    table, column
        Contract column; of ``facts`` from a wide sheet the metric.
    file, sheet
        Place of the file and sheet.
    row
        Row of the headings, from 1; the column holds the rows below, down to the next headings.
    letter
        Letter of the column as spreadsheet programs show it; empty in files that have none.
    heading
        The heading as it stands there.
    """

    table: str
    column: str
    file: str
    sheet: str
    row: int
    letter: str
    heading: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file that was read.

    Parameters
    ----------
    path
        Path relative to the data folder, with ``/``.
    sha256
        Digest of its bytes.
    bytes
        Its size.
    """

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Intake:
    """Everything a data folder gave.

    Parameters
    ----------
    tables
        Good rows by contract table; a table of which no file was found is absent. Types follow the
        conventions of :mod:`huanjie_lib.contracts`; dates are ``datetime64[us]``. ``units`` has no geometry.
        To save memory, ``unit_code``, ``metric``, ``source_file`` and ``source_sheet`` of ``facts`` are
        categoricals with sorted categories.
    boundaries
        ``unit_code`` and ``geometry`` in EPSG:4490 for the loaded units that have a boundary, sorted by
        code; ``None`` when no boundary file was found.
    issues
        The report: columns of :data:`ISSUE_COLUMNS`, errors first; ``row`` is missing where a line concerns
        a whole file, sheet or column.
    quarantine
        Refused rows by table, as they stood in their files (text), with their place and reasons.
    counts
        One row per file, sheet and table: columns of :data:`COUNT_COLUMNS`. Wide sheets are counted in
        cells, all others in rows; read = loaded + quarantined + dropped.
    inputs
        Every file that was read, sorted by path.
    columns
        Where each column stands in each file and sheet: columns of :data:`PLACE_COLUMNS`.
    """

    tables: dict[str, pd.DataFrame]
    boundaries: gpd.GeoDataFrame | None
    issues: pd.DataFrame
    quarantine: dict[str, pd.DataFrame]
    counts: pd.DataFrame
    inputs: tuple[InputFile, ...]
    columns: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(PLACE_COLUMNS)))

    def number(self, level: IssueLevel) -> int:
        """Return the number of report lines of a level."""
        return int((self.issues["severity"] == level.value).sum())

    def totals(self) -> dict[str, int]:
        """Return the rows read, loaded, quarantined and dropped over all files."""
        return {name: int(self.counts[name].sum()) for name in COUNTED}

    def account(self) -> dict[str, int]:
        """Return :meth:`totals` and the number of report lines of each level, for a manifest."""
        return self.totals() | {f"{level.value}s": self.number(level) for level in IssueLevel}

    def digests(self) -> list[dict[str, Any]]:
        """Return path, SHA-256 and size of every input file."""
        return [{"path": i.path, "sha256": i.sha256, "bytes": i.bytes} for i in self.inputs]

    def summary(self) -> dict[str, Any]:
        """Return totals for ``summary.json``: lines by level, rows by table, digests of the inputs."""
        totals = self.counts.groupby("table", sort=True)[list(COUNTED)].sum()
        return {
            "issues": {level.value: self.number(level) for level in IssueLevel},
            "tables": {
                str(name): {str(k): int(v) for k, v in row.items()} for name, row in totals.iterrows()
            },
            "inputs": self.digests(),
        }


def table_label(name: str) -> str:
    """Return the Chinese title of a table, or its name where it has none.

    Examples
    --------
    >>> table_label("facts"), table_label("boundaries"), table_label("")
    ('基础数据', '边界', '')
    """
    if name in _OTHER_LABELS:
        return _OTHER_LABELS[name]
    return TABLES[name].label if name in TABLES else name


def place_frame(places: Iterable[ColumnPlace]) -> pd.DataFrame:
    """Return places of columns as a frame with the columns of :data:`PLACE_COLUMNS`."""
    return pd.DataFrame([asdict(place) for place in places], columns=list(PLACE_COLUMNS))


def issue_frame(issues: Iterable[Issue]) -> pl.DataFrame:
    """Return issues as a frame with the columns of :data:`ISSUE_COLUMNS`."""
    rows = [
        {
            name: getattr(issue, name).value if name == "severity" else getattr(issue, name)
            for name in ISSUE_COLUMNS
        }
        for issue in issues
    ]
    return pl.DataFrame(rows, schema=_ISSUE_SCHEMA)


def report_frame(parts: Iterable[pl.DataFrame]) -> pd.DataFrame:
    """Join parts of the report: each line once, errors first, then by file, sheet, row and column."""
    whole = pl.concat([pl.DataFrame(schema=_ISSUE_SCHEMA), *parts])
    ranked = (
        whole.unique(maintain_order=True)
        .with_columns(_rank=pl.col("severity").replace_strict(_RANK, return_dtype=pl.Int8))
        .sort("_rank", "file", "sheet", "row", "table", "column", maintain_order=True)
        .drop("_rank")
    )
    return plain_frame(ranked.select(list(ISSUE_COLUMNS)))


def plain_frame(frame: pl.DataFrame) -> pd.DataFrame:
    """Return a frame of texts and whole numbers as pandas holds them: ``str`` and nullable ``Int64``."""
    return pd.DataFrame(
        {
            name: pd.array(frame[name].to_arrow(), dtype="str" if dtype == pl.String else "Int64")
            for name, dtype in frame.schema.items()
        }
    )


def write_report(intake: Intake, out: Path) -> None:
    """Write ``report.csv``, ``quarantine/<table>.csv``, ``counts.csv`` and ``summary.json``.

    CSV files are UTF-8 with a byte-order mark, so that spreadsheet programs show Chinese, and text that a
    spreadsheet program would take for a formula is prefixed with an apostrophe. Quarantined rows carry the
    headings of the return workbooks, so that they can be corrected and filed again. Equal intakes give equal
    bytes; quarantine files of an earlier report in the same folder are removed.

    Parameters
    ----------
    intake
        What was read.
    out
        Folder; made where it does not exist.
    """
    quarantine = out / "quarantine"
    quarantine.mkdir(parents=True, exist_ok=True)
    for old in quarantine.glob("*.csv"):
        old.unlink()
    issues = intake.issues.assign(
        severity=intake.issues["severity"].map(IssueLevel.labels()),
        table=intake.issues["table"].map(table_label),
    )
    write_csv(issues.rename(columns=ISSUE_COLUMNS), out / "report.csv")
    counts = intake.counts.assign(table=intake.counts["table"].map(table_label))
    write_csv(counts.rename(columns=COUNT_COLUMNS), out / "counts.csv")
    for name, rows in intake.quarantine.items():
        labels = {c.name: c.label for c in TABLES[name].columns} if name in TABLES else {}
        write_csv(rows.rename(columns={**labels, **_QUARANTINE_COLUMNS}), quarantine / f"{name}.csv")
    text = json.dumps(intake.summary(), ensure_ascii=False, indent=1, sort_keys=True)
    (out / "summary.json").write_text(text + "\n", encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table for spreadsheet programs: no text in it is taken for a formula, and Chinese is shown."""
    safe = frame.copy()
    for name in safe.columns:
        if pd.api.types.is_string_dtype(safe[name].dtype):
            start = safe[name].fillna("").str.startswith(_FORMULA_STARTS)
            safe[name] = safe[name].mask(start, "'" + safe[name])
    safe.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
