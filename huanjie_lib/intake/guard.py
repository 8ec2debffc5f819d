"""Personal data that must never be loaded, by heading and by the look of a value.

Village aggregates and pseudonyms are all this workbench needs. A column headed by a name, an identity or
telephone number, religion or ethnicity is left out before anything else sees it; a cell that looks like such
a number is refused, and no message or quarantine file repeats it.
"""

from __future__ import annotations

import polars as pl

from huanjie_lib.contracts import REF_PATTERN, Table

__all__ = [
    "CONTAINS_NUMBER",
    "COULD_BE_NAME",
    "IS_NUMBER",
    "IS_ROUNDED_NUMBER",
    "hidden",
    "masked",
    "personal_heading",
]

_HEADINGS: tuple[tuple[str, str], ...] = (
    # part of a heading, what it holds
    ("姓名", "姓名"),
    ("身份证", "身份证号"),
    ("身份号码", "身份证号"),
    ("证件号", "身份证号"),
    ("手机", "电话"),
    ("电话", "电话"),
    ("联系方式", "电话"),
    ("微信", "电话"),
    ("住址", "住址"),
    ("家庭地址", "住址"),
    ("银行卡", "银行账户"),
    ("银行账", "银行账户"),
    ("宗教", "宗教信仰"),
    ("信仰", "宗教信仰"),
    ("民族", "民族"),
    ("健康状况", "健康状况"),
    ("婚姻", "婚育状况"),
    ("生育", "婚育状况"),
)

_ID = r"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
_MOBILE = r"1[3-9][0-9]{9}"

IS_NUMBER = rf"^(?:{_ID}|{_MOBILE})$"
"""Whole text that looks like an identity or mobile number."""

IS_ROUNDED_NUMBER = r"^[1-9]\.[0-9]{9,}[eE]\+?1[5-9]$"
"""An identity number that became a floating-point number; most of its digits are still there."""

CONTAINS_NUMBER = rf"(?:^|[^0-9A-Za-z])(?:{_ID}|{_MOBILE})(?:$|[^0-9A-Za-z])"
"""Text with a word that looks like an identity or mobile number."""


COULD_BE_NAME = r"\p{Han}{2}|\p{Han}[·•・‧]"
"""Text that may be somebody's name, where a word, figure or date is due in a table about people."""


def personal_heading(heading: str) -> str | None:
    """Return what kind of personal data a heading announces, or ``None``.

    Examples
    --------
    >>> personal_heading("候选人姓名"), personal_heading("手机号码"), personal_heading("村(社区)名称")
    ('姓名', '电话', None)
    """
    return next((kind for part, kind in _HEADINGS if part in heading), None)


def hidden(text: pl.Expr) -> pl.Expr:
    """Return a stand-in that tells only how long the text was."""
    return pl.format("（已隐藏，{} 个字符）", text.str.len_chars())


def masked(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Hide what looks like an identity or mobile number, and names where a table about people has none.

    Names are taken for names in columns of pseudonyms, and where a word of the vocabulary, a figure or a date
    is due.

    Parameters
    ----------
    rows
        Rows of a table as they stood in a file; only text columns are looked at.
    table
        Contract of the table.

    Returns
    -------
    polars.DataFrame
        The same rows.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> rows = pl.DataFrame({"person_ref": ["P-1", "某某"], "arrangement": ["电话 13900000000", "荣誉职务"]})
    >>> masked(rows, table("leavers")).rows()
    [('P-1', '（已隐藏，14 个字符）'), ('（已隐藏，2 个字符）', '荣誉职务')]
    """
    changes = []
    for name, dtype in rows.schema.items():
        if dtype != pl.String:
            continue
        text = pl.col(name).str.strip_chars()
        if name.endswith("_ref"):
            secret = (text != "") & (text.str.contains(IS_NUMBER) | ~text.str.contains(REF_PATTERN))
        elif name in table.names and table.column(name).pattern is not None:
            secret = text.str.contains(rf"^{_ID}$")
        else:
            secret = text.str.contains(CONTAINS_NUMBER)
        secret |= text.str.contains(IS_ROUNDED_NUMBER)
        if table.personal and name in table.names and table.column(name).kind != "string":
            words = table.column(name).words
            known = [] if words is None else list(words.lookup())
            secret |= text.str.contains(COULD_BE_NAME) & ~text.is_in(known)
        changes.append(pl.when(secret).then(hidden(pl.col(name))).otherwise(pl.col(name)).alias(name))
    return rows.with_columns(changes)
