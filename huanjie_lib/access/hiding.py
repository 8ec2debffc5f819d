"""What may stand in a free text that is kept for years: no identity or telephone number, no known name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["CONTAINS_NUMBER", "ID_NUMBER", "MOBILE_NUMBER", "holds_number", "without_names"]

ID_NUMBER: Final = r"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
"""Pattern of a citizen identity number of 18 characters."""

MOBILE_NUMBER: Final = r"1[3-9][0-9]{9}"
"""Pattern of a mobile number of the mainland."""

_D: Final = "[0-9０-９]"
_GAP: Final = r"[\s\-－]?"
_WRITTEN_ID: Final = _GAP.join(
    (
        rf"[1-9１-９]{_D}{{5}}",
        rf"(?:[1１][9９]|[2２][0０]){_D}{{2}}",
        "(?:[0０][1-9１-９]|[1１][0-2０-２])",
        rf"(?:[0０][1-9１-９]|[12１２]{_D}|[3３][01０１])",
        rf"{_D}{{3}}[0-9０-９XxＸｘ]",
    )
)
_WRITTEN_MOBILE: Final = _GAP.join((rf"[1１][3-9３-９]{_D}", rf"{_D}{{4}}", rf"{_D}{{4}}"))
CONTAINS_NUMBER: Final = rf"(?:^|[^0-9０-９A-Za-z])(?:{_WRITTEN_ID}|{_WRITTEN_MOBILE})(?:$|[^0-9０-９A-Za-z])"
"""Pattern of a text with a word that looks like an identity or mobile number, in full-width digits or with
gaps (139 0000 0000) as well."""

_NUMBER: Final = re.compile(CONTAINS_NUMBER)
_HIDDEN: Final = "（姓名已隐藏）"


def holds_number(text: str) -> bool:
    """Tell whether a text holds what looks like an identity or mobile number.

    Examples
    --------
    >>> holds_number("核对990101199003072336"), holds_number("电话139 0000-0000"), holds_number("2026年12号")
    (True, True, False)
    """
    return _NUMBER.search(text) is not None


def without_names(text: str, names: Iterable[str]) -> str:
    """Return a text in which known names are hidden, the longest first.

    Blanks within a name do not keep it from being found.

    Examples
    --------
    >>> without_names("通知张小三和 张 三谈话", ["张三", "张小三"])
    '通知（姓名已隐藏）和 （姓名已隐藏）谈话'
    >>> without_names("通知本人谈话", ["张三"])
    '通知本人谈话'
    """
    bare = "".join(text.split())
    found = [name for name in names if len(name) > 1 and name in bare]
    for name in sorted(found, key=len, reverse=True):
        text = re.sub(r"\s*".join(map(re.escape, name)), _HIDDEN, text)
    return text
