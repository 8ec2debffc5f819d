"""From what stands in a cell to a typed value, column by column.

Clerks write numbers with separators, full-width digits, dates in words, ticks for yes. Each distinct text of
a column is read once, so that a column of three million codes costs as much as its few thousand distinct
ones. Nothing is repaired silently: every change other than trimming blanks is counted as a :class:`Note`, and
whatever cannot be read for certain is a :class:`Flaw`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from huanjie_lib.contracts import Column
from huanjie_lib.intake import guard

__all__ = [
    "BLANKS",
    "FORMULA_ERRORS",
    "WHOLES",
    "Flaw",
    "Note",
    "Parsed",
    "found_texts",
    "is_void",
    "parse",
    "remedy",
    "spelt_out",
]

BLANKS: Final = " \t\r\n\v\f\u00a0\u3000\ufeff\u2060\u202f" + "".join(map(chr, range(0x2000, 0x2010)))
"""Characters trimmed from both ends of a cell, full-width and zero-width blanks included."""

FORMULA_ERRORS: Final = (
    "#REF!",
    "#N/A",
    "#DIV/0!",
    "#VALUE!",
    "#NAME?",
    "#NUM!",
    "#NULL!",
    "#公式未计算",
)
"""Texts that stand for a formula without a usable result."""

WHOLES: Final[Mapping[str, float]] = {"%": 100.0, "‰": 1000.0, "比例": 1.0}
"""What a whole is in each unit of shares."""

_VOID = ("", "/", "//", "\\", "-", "--", "—", "——", "–", "－")
_FULL = [chr(c) for c in range(0xFF01, 0xFF5F)]
_HALF = [chr(c - 0xFEE0) for c in range(0xFF01, 0xFF5F)]
_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$"
_THOUSANDS = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"
_PERCENT = r"^([^%]*[0-9.])\s*%$"
_SCIENTIFIC = r"^[0-9](?:\.[0-9]+)?[eE]\+?[0-9]+$"
_DATE = (
    r"^([0-9]{4})\s*[年./-]\s*([0-9]{1,2})\s*[月./-]\s*([0-9]{1,2})\s*[日号]?"
    r"(?:[T\s]+([0-9:.]+))?$"
)
_SPELT = (
    r"^([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月"
    r"(?:([一二三四五六七八九十]{1,3})[日号])?"
)
_DIGITS = {"〇": 0, "零": 0, "○": 0, **{c: n for n, c in enumerate("一二三四五六七八九", start=1)}}
_COMPACT_DATE = r"^([0-9]{4})([0-9]{2})([0-9]{2})$"
_MONTH = r"^(?:19|20)[0-9]{2}\s*[年./-]\s*(?:0?[1-9]|1[0-2])\s*月?$"
_MARKED = r"""^(?:="([^"]*)"|['‘’](.*))$"""
_SERIAL = r"^([2-7][0-9]{4})(?:\.0+)?$"
_LAST_SERIAL = 73_415  # 2100-12-31
_YEARS = (1900, 2100)
_LARGEST = 2.0**53

_TRUE = ("是", "true", "有", "对", "√", "✓", "✔", "☑", "真", "1", "1.0", "y", "yes")
_FALSE = ("否", "false", "无", "没有", "错", "×", "✗", "✘", "☒", "x", "假", "0", "0.0", "n", "no")
_PLAIN_BOOLEANS = ("是", "否", "true", "false")


class Flaw(IntEnum):
    """Why a cell is refused; 0 is a good cell."""

    FINE = 0
    MISSING = 1
    PATTERN = 2
    SCIENTIFIC = 3
    NOT_NUMBER = 4
    NOT_INTEGER = 5
    RANGE = 6
    DATE = 7
    BOOLEAN = 8
    WORD = 9
    PERSONAL = 10
    FORMULA = 11
    METRIC = 12
    MONTH = 13
    SHARE = 14


class Note(IntEnum):
    """A change made while reading, counted by file and column."""

    FULLWIDTH = 0
    VOID = 1
    THOUSANDS = 2
    DATE_TEXT = 3
    SERIAL = 4
    TIME = 5
    TICK = 6
    ALIAS = 7
    NUMERIC_CODE = 8
    PERCENT = 9
    MARKED = 10

    @property
    def label(self) -> str:
        """Chinese words for the report."""
        return {
            Note.FULLWIDTH: "全角字符按半角读取",
            Note.VOID: "“/”“—”“无”等按没有数据读取",
            Note.THOUSANDS: "去掉千分位分隔符",
            Note.DATE_TEXT: "文字写法的日期按日期读取",
            Note.SERIAL: "Excel 日期序号按日期读取",
            Note.TIME: "日期后的时刻未读取",
            Note.TICK: "“√”“×”“有”“无”等按是、否读取",
            Note.ALIAS: "别名按标准词读取",
            Note.NUMERIC_CODE: "数字格式的代码按文本读取",
            Note.PERCENT: "带百分号的数按百分之几读取",
            Note.MARKED: "去掉表示文本的单引号或等号",
        }[self]


_REMEDIES: Mapping[Flaw, str] = {
    Flaw.MISSING: "补填此项",
    Flaw.PATTERN: "核对后改正；代码列须设为文本格式",
    Flaw.SCIENTIFIC: "代码已被 Excel 改成科学计数法，将该列设为文本格式后重新填写代码",
    Flaw.NOT_NUMBER: "改为数字；没有的填 0，不掌握的留空",
    Flaw.NOT_INTEGER: "改为整数",
    Flaw.RANGE: "核对数字和计量单位后改正",
    Flaw.DATE: "改为真实存在的日期，写到日",
    Flaw.BOOLEAN: "填“是”或“否”，不掌握的留空",
    Flaw.WORD: "从允许的词中选一个填写",
    Flaw.PERSONAL: "删除个人信息，改填代号后重报",
    Flaw.FORMULA: "在 Excel 中改正公式、重新计算并保存，或直接填写数值",
    Flaw.MONTH: "只写到月，补写到日，如 2026-06-15；不知道是哪一日的向填报人核实",
    Flaw.SHARE: "分不清是百分数还是 0 到 1 的小数，请写明百分号，如 85%",
    Flaw.METRIC: "改用已登记的指标项，或在参数包的 metrics 中登记",
}


def remedy(flaw: Flaw) -> str:
    """Return what a clerk should do about a flaw, in Chinese."""
    return _REMEDIES[flaw]


@dataclass(frozen=True)
class Parsed:
    """One column, read.

    Parameters
    ----------
    values
        Typed values, shape (n,): String, Int64, Float64, Datetime (µs) or Boolean; null where the cell was
        empty or refused.
    flaws
        :class:`Flaw` of each cell, UInt8, shape (n,).
    notes
        Which cells were changed, by kind of change, bool of shape (n,); kinds that did not occur are absent.
    """

    values: pl.Series
    flaws: pl.Series
    notes: Mapping[Note, npt.NDArray[np.bool_]] = field(default_factory=dict)


def parse(
    raw: pl.Series,
    column: Column,
    *,
    lookup: Mapping[str, str] | None = None,
    scale: float | pl.Series = 1.0,
    whole: float | pl.Series | None = None,
) -> Parsed:
    """Read one column.

    Parameters
    ----------
    raw
        Cells as they stand in the file, of any type, shape (n,).
    column
        Contract of the column. Whether a value is required is not looked at here.
    lookup
        Accepted spellings and the value each stands for; those of ``column.words`` when omitted.
    scale
        Factor that turns numbers of the file into the unit of the column; one or one per row.
    whole
        What a whole is where values are shares, see :data:`WHOLES`: one, or one per row with null where they
        are none. That of ``column.unit`` when omitted.

    Returns
    -------
    Parsed

    Notes
    -----
    A share with a percent sign tells its scale itself. One without is refused where the same digits would be
    a sensible share on the other scale too: up to 1 where a whole is 100, above 1 where a whole is 1.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> dates = parse(pl.Series(["2026年10月3日", "2026-13-40", "/"]), table("disputes").column("opened_on"))
    >>> [Flaw(f).name for f in dates.flaws]
    ['FINE', 'DATE', 'FINE']
    >>> dates.values.dt.to_string("%Y-%m-%d").to_list(), {n.name: k.tolist() for n, k in dates.notes.items()}
    (['2026-10-03', None, None], {'VOID': [False, False, True], 'DATE_TEXT': [True, False, False]})
    """
    if column.words is not None and lookup is None:
        lookup = {spelling: member.value for spelling, member in column.words.lookup().items()}
    if column.kind == "date" and raw.dtype.is_temporal() and raw.dtype != pl.Time:
        parsed = _dates(raw)
    elif column.kind == "boolean" and raw.dtype == pl.Boolean:
        parsed = Parsed(raw, _fine(raw))
    elif column.kind in {"integer", "number"} and (raw.dtype.is_numeric() or raw.dtype == pl.Null):
        parsed = _numbers(raw)
    elif raw.dtype.is_numeric():
        parsed = _with_numeric_codes(raw, column, lookup)
    else:
        parsed = _texts(raw.cast(pl.String, strict=False), column, lookup)
    if column.kind in {"integer", "number"}:
        parsed = _bounded(parsed, column, scale, WHOLES.get(column.unit) if whole is None else whole)
    return parsed


def is_void(text: str) -> bool:
    """Return whether a text holds nothing or a sign for nothing.

    Examples
    --------
    >>> is_void(" — "), is_void("0"), is_void("无")
    (True, False, False)
    """
    return text.strip(BLANKS) in _VOID


def spelt_out(text: str) -> str:
    """Return a date that begins a text in Chinese numerals with digits; any other text as it is.

    Examples
    --------
    >>> spelt_out("二〇二六年十月三十一日"), spelt_out("二零二六年六月"), spelt_out("2026年6月1日")
    ('2026年10月31日', '2026年6月', '2026年6月1日')
    """
    found = re.match(_SPELT, text)
    if found is None:
        return text
    year = "".join(str(_DIGITS[c]) for c in found[1])
    day = f"{_counted(found[3])}日" if found[3] else ""
    return f"{year}年{_counted(found[2])}月{day}{text[found.end() :]}"


def _counted(text: str) -> int:
    """Return a number below a hundred from Chinese numerals: 十一, 三十."""
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return int("".join(str(_DIGITS[c]) for c in text))
    return 10 * (_DIGITS.get(tens, 99) if tens else 1) + (_DIGITS.get(ones, 99) if ones else 0)


def found_texts(raw: pl.Series, flaws: pl.Series, column: Column, *, of_people: bool = False) -> pl.Series:
    """Return what the report shows of refused cells: shortened, one line, personal data hidden.

    Parameters
    ----------
    raw, flaws
        Refused cells and their flaws, shape (n,).
    column
        Contract of the column.
    of_people
        Whether its table is about people: then a cell that may hold a name is hidden.
    """
    text = pl.col("raw").str.replace_all(r"\s+", " ").str.strip_chars(BLANKS)
    short = pl.when(text.str.len_chars() > 40).then(text.str.slice(0, 40) + "…").otherwise(text)
    personal = (pl.col("flaw") == int(Flaw.PERSONAL)) | text.str.contains(guard.IS_ROUNDED_NUMBER)
    if column.pattern is None:
        personal |= text.str.contains(guard.CONTAINS_NUMBER)
    if column.name.endswith("_ref"):
        personal |= pl.col("flaw") == int(Flaw.PATTERN)
    if of_people:
        personal |= text.str.contains(guard.COULD_BE_NAME)
    shown = (
        pl.when(text.is_null() | (text == ""))
        .then(pl.lit("（空）"))
        .when(personal)
        .then(guard.hidden(text))
        .otherwise(short)
    )
    frame = pl.DataFrame({"raw": raw.cast(pl.String, strict=False), "flaw": flaws})
    return frame.select(shown.alias("found"))["found"]


def _fine(like: pl.Series) -> pl.Series:
    return pl.zeros(len(like), dtype=pl.UInt8, eager=True)


def _occurring(notes: Mapping[Note, pl.Series]) -> dict[Note, npt.NDArray[np.bool_]]:
    masks = {note: where.fill_null(False).to_numpy() for note, where in notes.items()}
    return {note: mask for note, mask in masks.items() if mask.any()}


def _dates(raw: pl.Series) -> Parsed:
    if raw.dtype == pl.Duration:
        return Parsed(pl.repeat(None, len(raw), dtype=pl.Datetime("us"), eager=True), _flawed(raw, Flaw.DATE))
    stamps = raw.dt.replace_time_zone(None) if isinstance(raw.dtype, pl.Datetime) else raw
    stamps = stamps.cast(pl.Datetime("us"))
    days = stamps.dt.truncate("1d")
    far = ~days.dt.year().is_between(*_YEARS).fill_null(True)
    frame = pl.DataFrame({"day": days, "far": far})
    return Parsed(
        frame.select(pl.when(~pl.col("far")).then(pl.col("day")))["day"],
        frame.select((pl.col("far").cast(pl.UInt8) * int(Flaw.DATE)).alias("flaw"))["flaw"],
        _occurring({Note.TIME: days != stamps}),
    )


def _flawed(raw: pl.Series, flaw: Flaw) -> pl.Series:
    return (raw.is_not_null().cast(pl.UInt8) * int(flaw)).cast(pl.UInt8)


def _numbers(raw: pl.Series) -> Parsed:
    values = raw.cast(pl.Float64).fill_nan(None)
    infinite = values.is_infinite().fill_null(False)
    frame = pl.DataFrame({"v": values, "bad": infinite})
    return Parsed(
        frame.select(pl.when(~pl.col("bad")).then(pl.col("v")))["v"],
        (infinite.cast(pl.UInt8) * int(Flaw.NOT_NUMBER)).cast(pl.UInt8),
    )


def _with_numeric_codes(raw: pl.Series, column: Column, lookup: Mapping[str, str] | None) -> Parsed:
    """Read codes, words, dates or truth values that a file holds as numbers."""
    numbers = raw.cast(pl.Float64).fill_nan(None) if raw.dtype.is_float() else raw
    frame = pl.DataFrame({"n": numbers})
    if raw.dtype.is_float():
        whole = (pl.col("n") == pl.col("n").round()) & (pl.col("n").abs() < 1e15)
        text = (
            pl.when(whole)
            .then(pl.col("n").cast(pl.Int64, strict=False).cast(pl.String))
            .when(pl.col("n").abs() >= 1e15)
            .then(pl.lit("1E+15"))
            .otherwise(pl.col("n").cast(pl.String))
        )
    else:
        text = pl.col("n").cast(pl.String)
    texts = frame.select(text.alias("t"))["t"]
    parsed = _texts(texts, column, lookup)
    if column.kind == "string" and column.pattern is not None:
        numeric = _occurring({Note.NUMERIC_CODE: parsed.values.is_not_null()})
        return replace(parsed, notes={**parsed.notes, **numeric})
    return parsed


def _bounded(
    parsed: Parsed, column: Column, scale: float | pl.Series, whole: float | pl.Series | None
) -> Parsed:
    """Scale numbers to the unit of the column and check shares, whole numbers and bounds."""
    percent = parsed.notes.get(Note.PERCENT)
    if whole is not None or percent is not None:
        parsed, scale = _shares(parsed, scale, whole, percent)
    values = parsed.values.cast(pl.Float64)
    if isinstance(scale, pl.Series) or scale != 1.0:
        scaled = (values * scale).round(6)  # 12.3456 × 10000 must give 123456, not 123455.99999999999
        values = scaled.zip_with(pl.Series(np.broadcast_to(np.asarray(scale) != 1.0, len(values))), values)
    flaw = pl.lit(int(Flaw.FINE), dtype=pl.UInt8)
    low = column.minimum if column.minimum is not None else -_LARGEST
    high = column.maximum if column.maximum is not None else _LARGEST
    outside = ~pl.col("v").is_between(low, high)
    flaw = pl.when(outside).then(pl.lit(int(Flaw.RANGE), dtype=pl.UInt8)).otherwise(flaw)
    if column.kind == "integer":
        fraction = pl.col("v") != pl.col("v").round()
        flaw = pl.when(fraction).then(pl.lit(int(Flaw.NOT_INTEGER), dtype=pl.UInt8)).otherwise(flaw)
    frame = pl.DataFrame({"v": values, "first": parsed.flaws}).with_columns(
        flaw=pl.when(pl.col("first") > 0).then(pl.col("first")).otherwise(flaw)
    )
    kept = frame.select(pl.when(pl.col("flaw") == 0).then(pl.col("v")))["v"]
    if column.kind == "integer":
        kept = kept.cast(pl.Int64)
    return Parsed(kept, frame["flaw"].cast(pl.UInt8), parsed.notes)


def _shares(
    parsed: Parsed,
    scale: float | pl.Series,
    whole: float | pl.Series | None,
    percent: npt.NDArray[np.bool_] | None,
) -> tuple[Parsed, float | pl.Series]:
    """Bring shares with a percent sign, read as numbers of percent, to their unit; refuse doubtful ones."""
    size = len(parsed.values)
    wholes = whole if isinstance(whole, pl.Series) else pl.repeat(whole, size, dtype=pl.Float64, eager=True)
    factors = np.broadcast_to(np.asarray(scale, dtype=np.float64), size)
    signed = pl.Series(percent if percent is not None else np.zeros(size, dtype=np.bool_))
    frame = pl.DataFrame(
        {"v": parsed.values, "whole": wholes, "scale": factors, "signed": signed, "first": parsed.flaws}
    )
    in_file = pl.col("whole") / pl.col("scale")  # what a whole is in the numbers of the file
    small, large = pl.col("v").is_between(0, 1, closed="right"), pl.col("v") > 1
    doubtful = pl.when(in_file >= 2).then(small).when(in_file.is_not_null()).then(large)
    flaw = (
        pl.when(pl.col("first") > 0)
        .then(pl.col("first").cast(pl.UInt8))
        .when(pl.col("signed") & pl.col("whole").is_null())
        .then(pl.lit(int(Flaw.NOT_NUMBER), dtype=pl.UInt8))
        .when(~pl.col("signed") & doubtful.fill_null(False))
        .then(pl.lit(int(Flaw.SHARE), dtype=pl.UInt8))
        .otherwise(pl.lit(0, dtype=pl.UInt8))
    )
    share = (pl.col("v") * pl.col("whole") / 100).round(9)  # 7 % of 1 is 0.07, not 0.07000000000000001
    read = frame.select(
        v=pl.when(flaw == 0).then(pl.when("signed").then(share).otherwise("v")),
        flaw=flaw,
        scale=pl.when("signed").then(1.0).otherwise("scale"),
    )
    kept = read["v"].is_not_null().to_numpy()
    notes = {note: mask & kept for note, mask in parsed.notes.items() if (mask & kept).any()}
    notes |= {note: mask for note, mask in parsed.notes.items() if note is Note.VOID}
    return Parsed(read["v"], read["flaw"], notes), read["scale"]


def _texts(raw: pl.Series, column: Column, lookup: Mapping[str, str] | None) -> Parsed:
    """Read a text column by its distinct texts."""
    distinct = raw.drop_nulls().unique()
    position = raw.cast(pl.Enum(distinct)).to_physical().cast(pl.UInt32)
    frame = pl.DataFrame({"raw": distinct}).with_columns(t=pl.col("raw").str.strip_chars(BLANKS))
    plain_text = column.kind == "string" and column.pattern is None
    if plain_text or not frame["t"].str.contains("[！-～]").any():
        frame = frame.with_columns(h=pl.col("t"))
    else:
        frame = frame.with_columns(h=pl.col("t").str.replace_many(_FULL, _HALF))
    if not plain_text and frame["h"].str.contains(_MARKED).any():
        bare = pl.col("h").str.extract_groups(_MARKED)
        text = pl.coalesce(bare.struct[0], bare.struct[1]).str.strip_chars(BLANKS)
        frame = frame.with_columns(
            MARKED=text.is_not_null(), h=pl.coalesce(text, "h"), t=pl.coalesce(text, "t")
        )
    reader = {
        "string": _read_string,
        "word": _read_word,
        "integer": _read_number,
        "number": _read_number,
        "date": _read_date,
        "boolean": _read_boolean,
    }[column.kind]
    void = pl.col("t").is_in([*_VOID, "无"] if _none_is_void(column, lookup) else list(_VOID))
    frame = frame.with_columns(void=void, formula=pl.col("t").is_in(FORMULA_ERRORS))
    frame = frame.with_columns(FULLWIDTH=pl.col("h") != pl.col("t"))
    frame = reader(frame, column, lookup)
    empty = pl.col("void") | pl.col("formula")
    frame = frame.with_columns(
        value=pl.when(~empty & (pl.col("flaw") == 0)).then(pl.col("value")),
        flaw=pl.when(pl.col("formula"))
        .then(pl.lit(int(Flaw.FORMULA), dtype=pl.UInt8))
        .when(pl.col("void"))
        .then(pl.lit(0, dtype=pl.UInt8))
        .otherwise(pl.col("flaw"))
        .cast(pl.UInt8),
    )
    kept = pl.col("value").is_not_null()
    changes = {Note.VOID: pl.col("void") & (pl.col("t") != "")}
    changes |= {note: kept & pl.col(note.name) for note in Note if note.name in frame.columns}
    marks = frame.select(expr.alias(note.name) for note, expr in changes.items())
    return Parsed(
        frame["value"].gather(position),
        frame["flaw"].gather(position).fill_null(0),
        _occurring({n: marks[n.name].gather(position) for n in sorted(changes) if marks[n.name].any()}),
    )


def _none_is_void(column: Column, lookup: Mapping[str, str] | None) -> bool:
    """Whether 无 means that there is nothing to report; in a number column it might as well mean zero."""
    return column.kind in {"string", "date"} and lookup is None


def _flaw(bad: pl.Expr, flaw: Flaw) -> pl.Expr:
    return pl.when(bad).then(pl.lit(int(flaw), dtype=pl.UInt8)).otherwise(pl.lit(0, dtype=pl.UInt8))


def _read_string(frame: pl.DataFrame, column: Column, lookup: Mapping[str, str] | None) -> pl.DataFrame:
    if lookup is not None:
        return _read_word(frame, column, lookup, Flaw.METRIC)
    if column.pattern is None:
        personal = pl.col("t").str.contains(guard.CONTAINS_NUMBER)
        return frame.with_columns(value=pl.col("t"), flaw=_flaw(personal, Flaw.PERSONAL))
    pattern = column.pattern.replace(r"\d", "[0-9]")  # \d would also take digits of other scripts
    code = pattern.startswith("^[0-9]")
    if code:  # of a number of twelve digits no digit is lost
        whole = pl.col("h").str.extract(r"^([0-9]{6,12})\.0+$")
        whole = pl.when(whole.str.contains(pattern)).then(whole)
        frame = frame.with_columns(NUMERIC_CODE=whole.is_not_null(), h=pl.coalesce(whole, "h"))
    scientific = pl.col("h").str.contains(_SCIENTIFIC) | (
        pl.col("h").str.contains(r"^[0-9]{9,}\.0+$") if code else pl.lit(False)
    )
    number = pl.col("h").str.contains(guard.IS_NUMBER)
    personal = number & (pl.col("h").str.len_chars() == 18) if code else number
    flaw = (
        pl.when(personal)
        .then(pl.lit(int(Flaw.PERSONAL), dtype=pl.UInt8))
        .when(scientific)
        .then(pl.lit(int(Flaw.SCIENTIFIC), dtype=pl.UInt8))
        .otherwise(_flaw(~pl.col("h").str.contains(pattern), Flaw.PATTERN))
    )
    return frame.with_columns(value=pl.col("h"), flaw=flaw)


def _read_word(
    frame: pl.DataFrame, column: Column, lookup: Mapping[str, str] | None, flaw: Flaw = Flaw.WORD
) -> pl.DataFrame:
    accepted = dict(lookup or {})
    plain = set(accepted.values()) | (set(column.words.labels().values()) if column.words else set())
    value = pl.col("t").replace_strict(accepted, default=None, return_dtype=pl.String)
    half = pl.col("h").replace_strict(accepted, default=None, return_dtype=pl.String)
    frame = frame.with_columns(value=pl.coalesce(value, half), ALIAS=~pl.col("h").is_in(sorted(plain)))
    return frame.with_columns(flaw=_flaw(pl.col("value").is_null(), flaw))


def _read_number(frame: pl.DataFrame, column: Column, lookup: Mapping[str, str] | None) -> pl.DataFrame:
    del column, lookup
    share = pl.col("h").str.extract(_PERCENT)
    frame = frame.with_columns(PERCENT=share.is_not_null(), h=pl.coalesce(share, "h"))
    frame = frame.with_columns(THOUSANDS=pl.col("h").str.contains(_THOUSANDS))
    digits = pl.when(pl.col("THOUSANDS")).then(pl.col("h").str.replace_all(",", "")).otherwise(pl.col("h"))
    value = pl.when(digits.str.contains(_NUMBER)).then(digits).cast(pl.Float64, strict=False)
    frame = frame.with_columns(value=value)
    unread = pl.col("value").is_null() | pl.col("value").is_infinite()
    return frame.with_columns(flaw=_flaw(unread, Flaw.NOT_NUMBER))


def _read_date(frame: pl.DataFrame, column: Column, lookup: Mapping[str, str] | None) -> pl.DataFrame:
    del column, lookup
    if frame["h"].str.contains(_SPELT).any():
        frame = frame.with_columns(
            h=pl.Series([spelt_out(text or "") for text in frame["h"]], dtype=pl.String)
        )
    written, compact = pl.col("h").str.extract_groups(_DATE), pl.col("h").str.extract_groups(_COMPACT_DATE)
    frame = frame.with_columns(
        y=pl.coalesce(written.struct[0], compact.struct[0]),
        m=pl.coalesce(written.struct[1], compact.struct[1]).str.zfill(2),
        d=pl.coalesce(written.struct[2], compact.struct[2]).str.zfill(2),
        clock=written.struct[3],
        serial=pl.col("h").str.extract(_SERIAL).cast(pl.Int32),
    )
    day = pl.concat_str("y", "m", "d", separator="-").str.to_date("%Y-%m-%d", strict=False)
    counted = pl.date(1899, 12, 30) + pl.duration(days=pl.col("serial"))
    serial = pl.col("serial").is_between(20_000, _LAST_SERIAL)
    frame = frame.with_columns(value=pl.coalesce(day, pl.when(serial).then(counted.cast(pl.Date))))
    near = pl.col("value").dt.year().is_between(*_YEARS)
    iso = pl.col("h").str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T]|$)")
    return frame.with_columns(
        pl.col("value").cast(pl.Datetime("us")),
        flaw=pl.when(pl.col("h").str.contains(_MONTH))
        .then(pl.lit(int(Flaw.MONTH), dtype=pl.UInt8))
        .otherwise(_flaw(~near.fill_null(False), Flaw.DATE)),
        DATE_TEXT=pl.col("y").is_not_null() & ~iso,
        SERIAL=pl.col("serial").is_not_null(),
        TIME=pl.col("clock").is_not_null() & ~pl.col("clock").str.contains(r"^[0:.]+$").fill_null(True),
    )


def _read_boolean(frame: pl.DataFrame, column: Column, lookup: Mapping[str, str] | None) -> pl.DataFrame:
    del column, lookup
    low = pl.col("h").str.to_lowercase()
    truth = pl.when(low.is_in(_TRUE)).then(pl.lit(True)).when(low.is_in(_FALSE)).then(pl.lit(False))
    frame = frame.with_columns(value=truth, TICK=~low.is_in(_PLAIN_BOOLEANS))
    return frame.with_columns(flaw=_flaw(pl.col("value").is_null(), Flaw.BOOLEAN))
