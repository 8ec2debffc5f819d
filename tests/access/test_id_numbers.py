from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from huanjie_lib.access.id_numbers import IdFlaw, IdNumber, check_character, read_id_number
from huanjie_lib.vocabulary import Sex

#: The first number that GB 11643-1999 prints as an example: a woman born on 31 December 1949.
STANDARD = "11010519491231002X"

dates = st.dates(dt.date(1900, 1, 1), dt.date(2099, 12, 31))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    stem = f"{draw(st.integers(100000, 999999))}{draw(dates):%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return stem + check_character(stem)


def test_the_standards_own_number_is_read() -> None:
    number = read_id_number(STANDARD)
    assert isinstance(number, IdNumber)
    assert (number.birth_on, number.sex) == (dt.date(1949, 12, 31), Sex.FEMALE)


@given(numbers(), st.integers(0, 17), st.integers(0, 9))
def test_any_one_wrong_digit_is_noticed(number: str, place: int, digit: int) -> None:
    assert isinstance(read_id_number(number), IdNumber)
    assume(number[place] != str(digit))
    assert isinstance(read_id_number(number[:place] + str(digit) + number[place + 1 :]), IdFlaw)


@given(numbers(), st.integers(0, 16))
def test_two_neighbours_changed_over_are_noticed(number: str, place: int) -> None:
    assume(number[place] != number[place + 1])
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert isinstance(read_id_number(swapped), IdFlaw)


@given(numbers())
def test_sex_follows_the_seventeenth_digit_and_spelling_makes_no_difference(number: str) -> None:
    read = read_id_number(number)
    assert isinstance(read, IdNumber)
    assert read.sex is (Sex.MALE if int(number[16]) % 2 else Sex.FEMALE)
    wide = "".join(chr(ord(c) + 0xFEE0) for c in number.lower())
    assert read_id_number(f"　{wide} ") == read
    assert number not in repr(read)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", IdFlaw.BLANK),
        (" 　", IdFlaw.BLANK),
        ("110105491231002", IdFlaw.FORM),
        ("1.10105E+17", IdFlaw.FORM),
        ("护照", IdFlaw.FORM),
        ("110105194912310020", IdFlaw.CHECK),
        ("110105194912310000", IdFlaw.ROUNDED),
        ("11010519490231002X", IdFlaw.BIRTH),
        ("440524188001010014", IdFlaw.BIRTH),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", IdFlaw.FORM),
    ],
)
def test_what_is_no_number_is_told_apart_and_never_repeated(text: str, flaw: IdFlaw) -> None:
    assert read_id_number(text) is flaw
    assert not text.strip() or text not in flaw.found + flaw.remedy


def test_a_check_character_needs_seventeen_digits() -> None:
    with pytest.raises(ValueError, match="17"):
        check_character("123")
