from __future__ import annotations

import datetime as dt
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from huanjie_lib.contracts import Column, table
from huanjie_lib.intake.values import FORMULA_ERRORS, Flaw, Note, Parsed, found_texts, is_void, parse, remedy

DATE = table("disputes").column("opened_on")
COUNT = table("disputes").column("people_involved")
YES_NO = table("disputes").column("is_group")
CODE = table("disputes").column("unit_code")
WORD = table("disputes").column("category")
PSEUDONYM = table("leavers").column("person_ref")
TEXT = table("audit_notices").column("place")
MONEY = table("audit_items").column("amount")


def one(cell: Any, column: Column, **options: Any) -> tuple[Any, Flaw]:
    read = parse(pl.Series([cell]), column, **options)
    return read.values.item(), Flaw(read.flaws.item())


def notes(read: Parsed) -> dict[Note, int]:
    return {note: int(mask.sum()) for note, mask in read.notes.items()}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("2026-10-03", None),
        ("2026-10-03 00:00:00", None),
        ("2026年10月3日", Note.DATE_TEXT),
        ("2026 年 10 月 3 日", Note.DATE_TEXT),
        ("2026.10.3", Note.DATE_TEXT),
        ("2026/10/03", Note.DATE_TEXT),
        ("20261003", Note.DATE_TEXT),
        ("２０２６．１０．３", Note.FULLWIDTH),
        ("46298", Note.SERIAL),
        ("2026-10-03 08:30", Note.TIME),
    ],
)
def test_dates_as_clerks_write_them(text: str, note: Note | None) -> None:
    read = parse(pl.Series([f"  {text}　"]), DATE)
    assert read.values.to_list() == [dt.datetime(2026, 10, 3)]
    assert (note in read.notes) == (note is not None)
    assert note is not None or not read.notes


@pytest.mark.parametrize(
    "text", ["2026-13-40", "2026-02-30", "2026年13月", "10月3日", "1026-10-03", "2126-10-03", "昨天", "12345"]
)
def test_what_is_no_date_is_refused(text: str) -> None:
    assert one(text, DATE) == (None, Flaw.DATE)


@pytest.mark.parametrize("text", ["1985.06", "1985.6", "1985.1", "1985年6月", "2026-10", "２０２６．１０"])
def test_a_date_without_a_day_is_refused_and_said_to_be_so(text: str) -> None:
    assert one(text, DATE) == (None, Flaw.MONTH)
    assert "写到日" in remedy(Flaw.MONTH)


@given(st.dates(dt.date(1900, 1, 1), dt.date(2100, 12, 31)), st.sampled_from("年月日 ./-"))
def test_every_date_reads_back(date: dt.date, mark: str) -> None:
    text = (
        f"{date.year}年{date.month}月{date.day}日"
        if mark in "年月日 "
        else f"{date.year}{mark}{date.month}{mark}{date.day}"
    )
    assert one(text, DATE) == (dt.datetime(date.year, date.month, date.day), Flaw.FINE)


@given(st.dates(dt.date(1955, 1, 1), dt.date(2100, 12, 31)))
def test_serial_numbers_are_those_of_excel(date: dt.date) -> None:
    from openpyxl.utils.datetime import to_excel

    assert one(str(int(to_excel(date))), DATE) == (dt.datetime(date.year, date.month, date.day), Flaw.FINE)


@pytest.mark.parametrize(
    ("text", "value"), [("1,234", 1234), ("１２３４", 1234), ("1，234", 1234), ("12.0", 12), ("1e3", 1000)]
)
def test_numbers_as_clerks_write_them(text: str, value: int) -> None:
    assert one(text, COUNT) == (value, Flaw.FINE)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("约100", Flaw.NOT_NUMBER),
        ("1,23", Flaw.NOT_NUMBER),
        ("无", Flaw.NOT_NUMBER),  # no figure, or zero? a person must say
        ("nan", Flaw.NOT_NUMBER),
        ("1e999", Flaw.NOT_NUMBER),
        ("12.5", Flaw.NOT_INTEGER),
        ("-3", Flaw.RANGE),
        ("#REF!", Flaw.FORMULA),
    ],
)
def test_what_is_no_count_is_refused(text: str, flaw: Flaw) -> None:
    assert one(text, COUNT) == (None, flaw)


@given(st.integers(0, 2**53))
def test_every_count_reads_back_with_separators(number: int) -> None:
    assert one(f"{number:,}", COUNT) == (number, Flaw.FINE)


@given(st.decimals(0, 100_000, places=6, allow_nan=False))
def test_ten_thousands_become_yuan_exactly(amount: Any) -> None:
    assert one(str(amount), MONEY, scale=10_000.0) == (float(amount * 10_000), Flaw.FINE)


def test_scale_may_differ_by_row() -> None:
    read = parse(pl.Series(["1.1", "1.1"]), MONEY, scale=pl.Series([1.0, 10_000.0]))
    assert read.values.to_list() == [1.1, 11_000.0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("√", True),
        ("是", True),
        ("有", True),
        ("TRUE", True),
        ("×", False),
        ("否", False),
        ("无", False),
        ("", None),
        ("/", None),
    ],
)
def test_yes_and_no(text: str, value: bool | None) -> None:
    assert one(text, YES_NO) == (value, Flaw.FINE)
    assert one("也许", YES_NO) == (None, Flaw.BOOLEAN)


@pytest.mark.parametrize("text", ["信访积案", "petition_backlog", " 信访积案　"])
def test_words_by_label_or_value(text: str) -> None:
    assert one(text, WORD) == ("petition_backlog", Flaw.FINE)


def test_aliases_are_counted_and_unknown_words_refused() -> None:
    read = parse(pl.Series(["涉黑涉恶", "黑恶势力", "邻里纠纷"]), WORD)
    assert read.values.to_list() == ["crime", "crime", None]
    assert read.flaws.to_list() == [Flaw.FINE, Flaw.FINE, Flaw.WORD]
    assert notes(read) == {Note.ALIAS: 1}


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("990101001201", Flaw.FINE),
        ("９９０１０１００１２０１", Flaw.FINE),
        ("99010100120", Flaw.PATTERN),
        ("9901010012011", Flaw.PATTERN),
        ("٩٩٠١٠١٠٠١٢٠١", Flaw.PATTERN),  # digits of another script
        ("9.90101E+11", Flaw.SCIENTIFIC),
        ("1.23e+11", Flaw.SCIENTIFIC),
        ("990101001201.0", Flaw.FINE),  # as programs export numbers: no digit is lost
        ("99010100120.0", Flaw.SCIENTIFIC),
        ("990101199001011234", Flaw.PERSONAL),
    ],
)
def test_codes(text: str, flaw: Flaw) -> None:
    value, found = one(text, CODE)
    assert found is flaw
    assert value == ("990101001201" if flaw is Flaw.FINE else None)


def test_code_in_a_number_column() -> None:
    read = parse(pl.Series([990101001201, 9901, None]), CODE)
    assert read.values.to_list() == ["990101001201", None, None]
    assert read.flaws.to_list() == [Flaw.FINE, Flaw.PATTERN, Flaw.FINE]
    assert notes(read) == {Note.NUMERIC_CODE: 1}
    floats = parse(pl.Series([990101001201.0, 1.1010119900101123e17, float("nan")]), CODE)
    assert floats.values.to_list() == ["990101001201", None, None]
    assert floats.flaws.to_list() == [Flaw.FINE, Flaw.SCIENTIFIC, Flaw.FINE]


@pytest.mark.parametrize("text", ["990101199001011234", "99010119900101123X", "13900000000"])
def test_identity_and_mobile_numbers_are_no_pseudonyms(text: str) -> None:
    assert one(text, PSEUDONYM) == (None, Flaw.PERSONAL)
    assert one(f"联系人 {text}", TEXT) == (None, Flaw.PERSONAL)


def test_a_digest_is_a_pseudonym_whatever_digits_it_holds() -> None:
    digest = "af13900000000b" * 4
    assert one(digest, PSEUDONYM) == (digest, Flaw.FINE)


@pytest.mark.parametrize("text", FORMULA_ERRORS)
def test_formulas_without_result_are_refused_everywhere(text: str) -> None:
    for column in (DATE, COUNT, YES_NO, CODE, WORD, TEXT):
        assert one(text, column) == (None, Flaw.FORMULA)


@pytest.mark.parametrize("column", [DATE, CODE, TEXT])
@pytest.mark.parametrize("text", ["", "/", "//", "—", "－", "无", "　", "\u200b"])
def test_signs_for_nothing(column: Column, text: str) -> None:
    assert one(text, column) == (None, Flaw.FINE)


def test_typed_columns_pass_unchanged() -> None:
    stamps = pl.Series([dt.datetime(2026, 10, 3), dt.datetime(2026, 10, 3, 9), None])
    read = parse(stamps, DATE)
    assert read.values.to_list() == [dt.datetime(2026, 10, 3), dt.datetime(2026, 10, 3), None]
    assert notes(read) == {Note.TIME: 1}
    assert parse(pl.Series([dt.date(1066, 1, 1)]), DATE).flaws.to_list() == [Flaw.DATE]
    assert parse(pl.Series([1.0, float("nan"), 1.5, float("inf")]), COUNT).flaws.to_list() == [
        Flaw.FINE,
        Flaw.FINE,
        Flaw.NOT_INTEGER,
        Flaw.NOT_NUMBER,
    ]
    assert parse(pl.Series([True, None]), YES_NO).values.to_list() == [True, None]
    assert parse(pl.Series([None, None]), WORD).values.dtype == pl.String


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=6))
def test_a_column_reads_as_its_cells_do(cells: list[str | None]) -> None:
    for column in (DATE, COUNT, YES_NO, CODE, WORD, TEXT):
        whole = parse(pl.Series(cells, dtype=pl.String), column)
        single = [parse(pl.Series([c], dtype=pl.String), column) for c in cells]
        assert whole.values.to_list() == [s.values.item() for s in single]
        assert whole.flaws.to_list() == [s.flaws.item() for s in single]
        assert notes(whole) == {
            n: k for n in Note if (k := sum(int(s.notes[n].sum()) for s in single if n in s.notes))
        }


@settings(deadline=None)
@given(st.text(max_size=20))
def test_a_refused_cell_has_no_value(cell: str) -> None:
    for column in (DATE, COUNT, YES_NO, CODE, WORD, TEXT):
        value, flaw = one(cell, column)
        assert flaw is Flaw.FINE or value is None
        assert not is_void(cell) or flaw is Flaw.FINE


def test_found_is_one_short_line_and_hides_persons() -> None:
    def shown(cell: str | None, flaw: Flaw, column: Column = TEXT) -> str:
        return str(found_texts(pl.Series([cell], dtype=pl.String), pl.Series([int(flaw)]), column).item())

    assert shown(None, Flaw.MISSING) == "（空）"
    assert shown(" 一\n二 ", Flaw.DATE) == "一 二"
    assert shown("长" * 60, Flaw.DATE) == "长" * 40 + "…"
    assert shown("某某某", Flaw.PATTERN, PSEUDONYM) == "（已隐藏，3 个字符）"
    assert shown("13900000000", Flaw.PERSONAL) == "（已隐藏，11 个字符）"
    assert "9900101" not in shown("1.1010119900101123e17", Flaw.SCIENTIFIC, CODE)


def test_every_flaw_has_a_remedy() -> None:
    assert all(remedy(flaw) for flaw in Flaw if flaw)
    assert "文本格式" in remedy(Flaw.SCIENTIFIC)
    assert all(note.label for note in Note)


# ---------------------------------------------------------------- shares


@pytest.mark.parametrize(
    ("unit", "scale", "good", "doubtful"),
    [
        (
            "%",
            1.0,
            {"85%": 85.0, "８５％": 85.0, "85": 85.0, "0": 0.0, "0.5 %": 0.5, "120": 120.0},
            ["0.85", "1"],
        ),
        (
            "比例",
            1.0,
            {"85%": 0.85, "0.85": 0.85, "1": 1.0, "0": 0.0, "120%": 1.2, "7%": 0.07},
            ["85", "1.2"],
        ),
        ("比例", 0.01, {"85%": 0.85, "85": 0.85, "0": 0.0}, ["0.85", "1"]),  # 参选率(%)
        ("‰", 1.0, {"1.5%": 15.0, "3": 3.0}, ["0.2"]),
    ],
)
def test_a_share_is_taken_where_its_scale_is_certain(
    unit: str, scale: float, good: dict[str, float], doubtful: list[str]
) -> None:
    column = Column("turnout", "number", "参选率", unit)
    read = parse(pl.Series([*good, *doubtful]), column, scale=scale)
    assert read.values.to_list() == [*(pytest.approx(v) for v in good.values()), *[None] * len(doubtful)]
    assert read.flaws.to_list() == [Flaw.FINE] * len(good) + [Flaw.SHARE] * len(doubtful)
    assert read.notes[Note.PERCENT].sum() == sum("%" in t or "％" in t for t in good)
    numbers = parse(pl.Series([0.85]), column, scale=scale)
    assert (numbers.flaws.item() == Flaw.SHARE) == ("0.85" in doubtful or unit == "‰")


def test_a_percent_sign_means_nothing_where_values_are_no_shares() -> None:
    read = parse(pl.Series(["85%", "85", "%"]), Column("households", "integer", "总户数", "户"))
    assert read.values.to_list() == [None, 85, None]
    assert read.flaws.to_list() == [Flaw.NOT_NUMBER, Flaw.FINE, Flaw.NOT_NUMBER]
    mixed = parse(
        pl.Series(["85%", "85%", "0.85", None]),
        Column("value", "number", "数值"),
        whole=pl.Series([1.0, None, 1.0, None]),
    )
    assert mixed.values.to_list() == [0.85, None, 0.85, None]


# ---------------------------------------------------------------- marks of text


@pytest.mark.parametrize("text", ["'990101101201", '="990101101201"', "’990101101201", "＇990101101201"])
def test_marks_that_say_text_are_taken_off_codes(text: str) -> None:
    read = parse(pl.Series([text]), table("facts").column("unit_code"))
    assert read.values.to_list() == ["990101101201"]
    assert list(read.notes)[-1] is Note.MARKED


def test_marks_stay_in_plain_text() -> None:
    read = parse(pl.Series(["'某部门"]), table("reviews").column("department"))
    assert read.values.to_list() == ["'某部门"]
    assert not read.notes
