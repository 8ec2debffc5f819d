"""Citizen identity numbers (GB 11643-1999): six digits of the place, birth date, serial, check character.

The place is not looked up: codes of places that have since been merged stay in their holders' numbers.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import Final

from huanjie_lib.vocabulary import Sex

__all__ = ["IdFlaw", "IdNumber", "check_character", "read_id_number"]

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHARACTERS: Final = "10X98765432"
_FORM = re.compile(r"[1-9][0-9]{16}[0-9X]")
_FIRST_YEAR: Final = 1900


class IdFlaw(Enum):
    """Why a text is no identity number, in words that repeat nothing of it: what was found, what to do."""

    BLANK = "（空）", "补填身份证号"
    FORM = "不是18位的号码", "对照身份证改正；15位的旧号码改填18位"
    ROUNDED = "末三位为000且校验位不符，可能被Excel舍去了末几位", "将该列设为文本格式后重新填写"
    BIRTH = "第7至14位不是真实存在的出生日期", "对照身份证改正"
    CHECK = "校验位不符", "对照身份证逐位核对"

    @property
    def found(self) -> str:
        """What stands there, without the number."""
        return str(self.value[0])

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return str(self.value[1])


@dataclass(frozen=True, slots=True)
class IdNumber:
    """What an identity number says.

    Parameters
    ----------
    text
        The 18 characters, half-width, check character in upper case; left out of the ``repr``.
    birth_on
        Date of birth.
    sex
        Sex by the parity of the 17th digit.
    """

    text: str
    birth_on: dt.date
    sex: Sex

    def __repr__(self) -> str:
        """Return a stand-in: the number must not reach a log or an error by accident."""
        return "IdNumber(已隐藏)"


def check_character(digits: str) -> str:
    """Return the check character of the first 17 digits (ISO 7064, MOD 11-2).

    Parameters
    ----------
    digits
        17 digits.

    Raises
    ------
    ValueError
        If they are not 17 digits.

    Examples
    --------
    The two numbers that the standard prints as examples:

    >>> check_character("11010519491231002"), check_character("44052418800101001")
    ('X', '4')
    """
    if len(digits) != len(_WEIGHTS) or not (digits.isascii() and digits.isdigit()):
        raise ValueError("not 17 digits")
    return _CHARACTERS[sum(w * int(d) for w, d in zip(_WEIGHTS, digits, strict=True)) % 11]


def read_id_number(text: str) -> IdNumber | IdFlaw:
    """Read an identity number.

    Parameters
    ----------
    text
        As it stands in a text cell; full-width digits, blanks around it and a small ``x`` are accepted.

    Returns
    -------
    IdNumber or IdFlaw
        What it says, or why it is none.

    Examples
    --------
    >>> read_id_number("99010119900307233Ｘ")
    <IdFlaw.CHECK: ('校验位不符', '对照身份证逐位核对')>
    >>> number = read_id_number("990101199003072336")
    >>> number, number.birth_on.isoformat(), number.sex.label
    (IdNumber(已隐藏), '1990-03-07', '男')
    """
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    if not plain:
        return IdFlaw.BLANK
    if not _FORM.fullmatch(plain):
        return IdFlaw.FORM
    try:
        birth_on = dt.date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        return IdFlaw.BIRTH
    if birth_on.year < _FIRST_YEAR:
        return IdFlaw.BIRTH
    if check_character(plain[:17]) != plain[17]:
        return IdFlaw.ROUNDED if plain.endswith("000") else IdFlaw.CHECK
    return IdNumber(plain, birth_on, Sex.MALE if int(plain[16]) % 2 else Sex.FEMALE)
