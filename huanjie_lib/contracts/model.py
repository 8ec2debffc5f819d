"""What a contract is made of: columns, rules between them, and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from huanjie_lib.vocabulary import Word

__all__ = ["DTYPES", "SOURCE_COLUMNS", "Column", "ColumnType", "Order", "Purpose", "Reference", "Table"]

ColumnType = Literal["string", "integer", "number", "date", "moment", "boolean", "word", "geometry"]
Purpose = Literal["reference", "risk", "casework", "talent", "identity", "validation", "operations"]

DTYPES: Mapping[ColumnType, Any] = {
    "string": "str",
    "word": "str",
    "integer": "Int64",
    "number": "float64",
    "date": "datetime64[us]",
    "moment": "datetime64[us, UTC]",
    "boolean": "boolean",
}
"""Type of each kind of column in memory; geometry has its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        English name in code and Parquet files.
    kind
        Kind of value; see :mod:`huanjie_lib.contracts`.
    label
        Chinese heading on screens, in files and in return workbooks.
    unit
        Unit of measure in Chinese, empty where there is none.
    note
        What the value means, in English, for the data dictionary.
    required
        Whether a row without a value is refused.
    minimum, maximum
        Inclusive bounds of a number.
    words
        Vocabulary of a ``word`` column.
    pattern
        Regular expression that a string must match.
    pattern_label
        The pattern in Chinese words, for error messages.
    aliases
        Other headings under which clerks file the column.
    """

    name: str
    kind: ColumnType
    label: str
    unit: str = ""
    note: str = ""
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    words: type[Word] | None = None
    pattern: str | None = None
    pattern_label: str = ""
    aliases: tuple[str, ...] = ()

    def allowed(self) -> str:
        """Return in Chinese what the column accepts, for error messages and templates.

        Examples
        --------
        >>> from huanjie_lib.contracts import table
        >>> table("units").column("unit_kind").allowed()
        '村、社区'
        >>> table("screenings").column("households_visited").allowed()
        '不小于 0 的整数'
        """
        if self.words is not None:
            return "、".join(self.words.labels().values())
        if self.pattern_label:
            return self.pattern_label
        if self.kind in {"integer", "number"}:
            noun = "整数" if self.kind == "integer" else "数"
            if self.minimum is not None and self.maximum is not None:
                return f"{self.minimum:.15g} 到 {self.maximum:.15g} 之间的{noun}"
            if self.minimum is not None:
                return f"不小于 {self.minimum:.15g} 的{noun}"
            return noun
        return {
            "date": "日期，如 2026-10-31",
            "moment": "时间，如 2026-10-31 08:30:00+08:00",
            "boolean": "是、否",
            "geometry": "多边形或点",
        }.get(self.kind, "文字")


@dataclass(frozen=True, slots=True)
class Order:
    """Rule: ``later`` must not lie before (or below) ``earlier`` where both are present."""

    earlier: str
    later: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Rule: every value of ``column`` must stand in ``table``.``target``."""

    column: str
    table: str
    target: str


@dataclass(frozen=True, slots=True)
class Table:
    """Contract of one table.

    Parameters
    ----------
    name, label
        English name (also the file name) and Chinese title.
    note
        What one row is.
    purpose
        Why the table is held; access is granted by purpose.
    columns
        Columns in order, without the source columns.
    key
        Columns that together are unique.
    orders, references
        Cross-field and cross-table rules.
    personal
        Whether rows concern natural persons (pseudonymous keys, masked by default).
    """

    name: str
    label: str
    note: str
    purpose: Purpose
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    orders: tuple[Order, ...] = ()
    references: tuple[Reference, ...] = ()
    personal: bool = False
    _by_name: Mapping[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the columns by name."""
        object.__setattr__(self, "_by_name", {c.name: c for c in (*self.columns, *SOURCE_COLUMNS)})

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        return self._by_name[name]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Columns followed by the source columns."""
        return (*self.columns, *SOURCE_COLUMNS)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, source columns last."""
        return tuple(c.name for c in self.all_columns)


SOURCE_COLUMNS: tuple[Column, ...] = (
    Column(
        "source_file", "string", "来源文件", note="File the row was read from, relative to the data folder."
    ),
    Column("source_sheet", "string", "来源工作表", note="Sheet of the workbook; empty for flat files."),
    Column("source_row", "integer", "来源行号", note="Row number in the sheet, from 1, headings included."),
)
