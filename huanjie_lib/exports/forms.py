"""Forms for filling in: what a spreadsheet program lets a clerk enter in a column, and how cells look.

Cells for codes are text, so that no program turns twelve digits into 1.23E+11; words come from lists.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from huanjie_lib.contracts import Column
from huanjie_lib.exports.book import GRID, Book

__all__ = ["LONGEST_LIST", "YES_NO", "entry_format", "entry_rule", "heading"]

YES_NO: Final = ("是", "否")
LONGEST_LIST: Final = 255
"""Characters that a list of words may have within a rule of entry; longer ones stand in cells."""

_TOLD: Final = 255
_FIRST_DAY, _LAST_DAY = dt.date(1949, 10, 1), dt.date(2100, 12, 31)


def heading(column: Column) -> str:
    """Return the heading of a column: label, unit in brackets, and an asterisk where it must be filled in.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> heading(table("roll_checks").column("registered")), heading(table("talks").column("target"))
    ('选民册人数(人)*', '谈话对象*')
    """
    unit = f"({column.unit})" if column.unit else ""
    return f"{column.label}{unit}{'*' if column.required else ''}"


def entry_format(book: Book, column: Column, **style: Any) -> Any:
    """Return the format of the cells of a column that may be filled in."""
    numbers = {"date": "yyyy-mm-dd", "integer": "0", "number": "0.00"}
    side = {"align": "center"} if column.kind in {"date", "boolean"} else {"indent": 1}
    shown = {"num_format": numbers.get(column.kind, "@"), **(side if column.kind != "string" else {})}
    look = {"border": 1, "border_color": GRID, "locked": False, **shown}
    return book.format(**look | style)


def entry_rule(column: Column, *, length: int | None = None, listed: str | None = None) -> dict[str, Any]:
    """Return the rule of entry of a column, with what is told before and after a wrong entry.

    Parameters
    ----------
    column
        The column.
    length
        Exact number of characters of a text.
    listed
        Cells that hold the words to choose from, for lists too long for a rule.
    """
    allowed = f"{length}位，文本格式" if length is not None else column.allowed()
    told = {"input_title": column.label[:32], "input_message": allowed[:_TOLD], "ignore_blank": True}
    refused = {"error_title": column.label[:32], "error_message": f"应为：{allowed}"[:_TOLD]}
    words = (
        YES_NO if column.kind == "boolean" else () if column.words is None else column.words.labels().values()
    )
    if listed is not None or words:
        return {"validate": "list", "source": listed or list(words), **told, **refused}
    if column.kind == "date":
        bounds = {"criteria": "between", "minimum": _FIRST_DAY, "maximum": _LAST_DAY}
        return {"validate": "date", **bounds, **told, **refused}
    if column.kind in {"integer", "number"}:
        return {
            "validate": "integer" if column.kind == "integer" else "decimal",
            **_bounds(column),
            **told,
            **refused,
        }
    if length is not None:
        return {"validate": "length", "criteria": "==", "value": length, **told, **refused}
    return {"validate": "any", **told}


def _bounds(column: Column) -> dict[str, Any]:
    low, high = (
        None if b is None else int(b) if b == int(b) else b for b in (column.minimum, column.maximum)
    )
    if low is not None and high is not None:
        return {"criteria": "between", "minimum": low, "maximum": high}
    if high is not None:
        return {"criteria": "<=", "value": high}
    return {"criteria": ">=", "value": low if low is not None else -(10**15)}
