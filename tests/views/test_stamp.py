from __future__ import annotations

import datetime as dt

from huanjie_lib.views.stamp import Stamp, stamp_text
from huanjie_lib.views.words import INTERNAL
from huanjie_lib.vocabulary import Role


def test_a_stamp_says_who_exported_what_for_and_when() -> None:
    stamp = Stamp("li", "", Role.READER, "换届工作", dt.date(2026, 11, 2))
    assert stamp.text == f"{INTERNAL}　li（只读）2026年11月2日导出，用于换届工作"
    assert stamp_text(stamp) == stamp.text
    assert stamp_text(None) == INTERNAL
    assert stamp.entry == {
        "account": "li",
        "office": "",
        "role": "reader",
        "purpose": "换届工作",
        "exported_on": "2026-11-02",
    }


def test_an_office_named_as_its_role_is_said_once() -> None:
    stamp = Stamp("chen", Role.CITY.label, Role.CITY, "换届工作", dt.date(2026, 11, 2))
    assert stamp.text == f"{INTERNAL}　市换届办 chen，2026年11月2日导出，用于换届工作"
